//! What `xsk demo` reports of a mode's run, and why packets were lost.

use crate::command_line::DemoArgs;
use crate::demo::exchange::{CHUNKS, Outcome, Receiver, Sender};
use crate::demo::link::{TestLink, wants_frags};
use crate::demo::packet::ETHERNET_HEADER;
use crate::process::signals::Stop;
use crate::report::rates::{grouped, per_second};
use crate::run::counts::{Counts, Report};
use crate::run::losses::Loss;
use crate::run::sockets::{RxRing, TxRing};
use crate::run::tx_times::TxTimes;
use std::collections::BTreeSet;
use xsk::{FramePool, Interface, SocketHandle, Umem};

/// Bytes of a VLAN tag.
const VLAN_TAG: u32 = 4;

/// Where the chunks are after the run.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// The sender's chunks.
    all: usize,
    /// Different addresses of the sender's chunks in its pool.
    returned: usize,
    /// Chunks in the sender's TX ring, which the kernel has not taken.
    unsent: usize,
    /// Entries of the pool that repeat an address, or are no chunk's address.
    strange: usize,
    /// The receiver's chunks that are not in the fill ring. Only known in copy mode: a zero-copy
    /// driver keeps chunks.
    missing: u32,
}

impl Chunks {
    pub(crate) fn count<T: TxRing, R: RxRing>(
        sender: &Sender<T>,
        receiver: &Receiver<R>,
        unsent: u64,
    ) -> Self {
        let Sender { umem, pool, .. } = sender;
        let (returned, strange) = returned(umem, pool);
        let pending = receiver.fill.pending();
        let missing = if receiver.handle.is_zero_copy() { 0 } else { CHUNKS.abs_diff(pending) };
        Self { all: umem.chunk_count(), returned, unsent: unsent as usize, strange, missing }
    }

    fn all_returned(&self) -> bool {
        self.returned + self.unsent == self.all && self.strange == 0 && self.missing == 0
    }
}

/// Returns how many different chunks of `umem` are in `pool`, and how many other entries it has.
fn returned(umem: &Umem, pool: &FramePool) -> (usize, usize) {
    let size = u64::from(umem.chunk_size());
    let all: BTreeSet<u64> = (0..umem.chunk_count() as u64).map(|chunk| chunk * size).collect();
    let found: BTreeSet<u64> = pool.addresses().collect();
    let returned = all.intersection(&found).count();
    (returned, pool.len() - returned)
}

/// Returns a mode's run as a JSON object.
pub(crate) fn json(
    args: &DemoArgs,
    mode: &str,
    zero_copy: bool,
    outcome: &Outcome,
    chunks: &Chunks,
    times: Option<&TxTimes>,
) -> String {
    let mut object = serde_json::json!({
        "command": "demo",
        "mode": mode,
        "zero_copy": zero_copy,
        "size": args.size,
        "batch": args.batch,
        "packets": outcome.sent,
        "lost": outcome.lost(),
        "corrupt": outcome.corrupt,
        "duplicated": outcome.duplicated,
        "chunks": chunks.all,
        "chunks_home": chunks.returned,
        "seconds": outcome.time.as_secs_f64(),
        "pps": per_second(outcome.arrived, outcome.time),
    });
    if let Some(times) = times {
        object["tx_timestamps"] = times.json();
    }
    object.to_string()
}

/// Returns the lines for people.
pub(crate) fn report(
    args: &DemoArgs,
    max_in_flight: u32,
    outcome: &Outcome,
    chunks: &Chunks,
) -> Vec<String> {
    let (size, batch) = (args.size, args.batch.min(max_in_flight));
    let rate = |count| grouped(per_second(count, outcome.time));
    let mut rows = vec![
        format!(
            "sent      {} packets of {size} bytes, up to {batch} at once, in {:.3} s: {} per second",
            grouped(outcome.sent),
            outcome.time.as_secs_f64(),
            rate(outcome.sent)
        ),
        format!(
            "received  {} packets: {} per second",
            grouped(outcome.arrived),
            rate(outcome.arrived)
        ),
        format!(
            "lost {}, corrupt {}, duplicated {}",
            outcome.lost(),
            outcome.corrupt,
            outcome.duplicated
        ),
        format!(
            "chunks    sender: {} of {} back home; receiver: {} of {CHUNKS} ready for the next \
             packet",
            chunks.returned,
            chunks.all,
            CHUNKS.saturating_sub(chunks.missing)
        ),
    ];
    if outcome.foreign > 0 {
        rows.push(format!("{} other packets", outcome.foreign));
    }
    rows
}

/// Returns why packets were lost, as far as the counters and the two ends show it.
pub(crate) fn causes(
    link: &TestLink,
    args: &DemoArgs,
    sender: &SocketHandle,
    receiver: &SocketHandle,
) -> Vec<String> {
    let (from, to) = link.ends();
    let kernel = receiver.statistics().unwrap_or_default();
    let report = Report::new(Counts::default(), sender.tx_dropped(), kernel);
    let mut obstacle = obstacle(from, to, args.size);
    let mut causes = Vec::new();
    for loss in Loss::ALL {
        let count = loss.count(&report, wants_frags(args));
        if count == 0 {
            continue;
        }
        let (to, count) = (to.name(), grouped(count));
        causes.push(match loss {
            Loss::RingFull => format!("the RX ring at {to} was full for {count} packets"),
            Loss::NoChunk => format!("the fill ring at {to} was empty for {count} packets"),
            Loss::TooLong => format!("{count} packets at {to} were too long for a chunk"),
            Loss::Device => {
                let why = obstacle.take().map_or_else(String::new, |why| format!(": {why}"));
                format!("{} dropped {count} packets{why}", from.name())
            }
        });
    }
    if causes.is_empty() {
        causes.extend(obstacle);
    }
    causes
}

/// Returns what keeps packets of `size` bytes from their way, if the interfaces show it now.
fn obstacle(from: &Interface, to: &Interface, size: u32) -> Option<String> {
    // An interface that is gone shows nothing.
    let ends = [(to, to.info().ok()?), (from, from.info().ok()?)];
    if let Some((end, _)) = ends.iter().find(|(_, info)| !info.up) {
        return Some(format!("{} is down", end.name()));
    }
    if let Some((end, _)) = ends.iter().find(|(_, info)| !info.carrier) {
        return Some(format!("{} has no carrier", end.name()));
    }
    // Interfaces leave room for a VLAN tag beside the MTU.
    let room = |mtu: u32| mtu.saturating_add(ETHERNET_HEADER + VLAN_TAG);
    let (end, info) = ends.iter().find(|(_, info)| room(info.mtu) < size)?;
    Some(format!("{}'s MTU of {} is too small for {size} bytes", end.name(), info.mtu))
}

/// Returns what went wrong, if something did.
pub(crate) fn fault(
    args: &DemoArgs,
    stop: &Stop,
    mode: &str,
    outcome: &Outcome,
    causes: &[String],
    chunks: &Chunks,
) -> Option<String> {
    let mut faults = Vec::new();
    if outcome.stalled {
        faults.push(format!(
            "nothing moved any more after {} packets were sent and {} received",
            outcome.sent, outcome.arrived
        ));
    }
    if outcome.sent < args.packets && !stop.is_asked() {
        faults.push(format!("{} of {} packets were sent", outcome.sent, args.packets));
    }
    let wrong = [outcome.lost(), outcome.corrupt, outcome.duplicated];
    if wrong != [0; 3] {
        let [lost, corrupt, duplicated] = wrong;
        let causes = match causes {
            [] => String::new(),
            causes => format!(" ({})", causes.join("; ")),
        };
        faults.push(format!("lost {lost}, corrupt {corrupt}, duplicated {duplicated}{causes}"));
    }
    if !chunks.all_returned() {
        faults.push(format!(
            "{} of {} chunks of the sender came home, {} entries of its pool are no chunk or there \
             twice, {} chunks of the receiver are astray",
            chunks.returned, chunks.all, chunks.strange, chunks.missing
        ));
    }
    (!faults.is_empty()).then(|| format!("{mode} mode: {}", faults.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::returned;
    use xsk::Umem;

    #[test]
    fn a_chunk_that_is_missing_is_missed() {
        let (umem, mut pool) = Umem::builder().chunk_count(4).build().unwrap();
        assert_eq!(returned(&umem, &pool), (4, 0));
        let frame = pool.take().unwrap();
        assert_eq!(returned(&umem, &pool), (3, 0));
        pool.put(frame);
        assert_eq!(returned(&umem, &pool), (4, 0));
    }
}
