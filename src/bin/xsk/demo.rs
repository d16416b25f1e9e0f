//! `xsk demo`: packets from one socket to another, in each mode, on a machine without a set-up.

use crate::args::DemoArgs;
use crate::both_ends::BothEnds;
use crate::counts::{Counts, Report};
use crate::ended::Ended;
use crate::exchange::{CABLE_CAPACITY, CHUNKS, Exchange, Outcome, Receiver, Sender, run_exchange};
use crate::failure::{Failure, Result};
use crate::losses::Loss;
use crate::output::{Lines, Progress};
use crate::packet::{ETHERNET_HEADER, MIN_SIZE, Stream};
use crate::port::{
    ActiveProgram, BIND_SLICE, attach, bind, copy, interface, patiently, take_off, wait_for_link,
};
use crate::rates::{grouped, per_second};
use crate::signals::Stop;
use crate::sockets::{Receives, RxRing, Sends, TxRing};
use crate::timed::Timed;
use crate::tx_times::TxTimes;
use crate::watch::Watch;
use std::collections::BTreeSet;
use std::time::Duration;
use xsk::test_util::{Namespace, VethPair};
use xsk::{
    AttachMethod, AttachMode, Attachment, FramePool, Interface, PacketSocket, Registration,
    RxSocket, Socket, SocketHandle, TxSocket, Umem,
};

/// Bytes that the kernel leaves free before each received packet (`XDP_PACKET_HEADROOM`).
const KERNEL_HEADROOM: u32 = 256;
/// Bytes of a VLAN tag.
const VLAN_TAG: u32 = 4;
/// Bytes of a chunk, and of the part of it that the kernel receives into.
const CHUNK_SIZE: u32 = 4096;
const ROOM: u32 = CHUNK_SIZE - KERNEL_HEADROOM;
/// The largest MTU with which a veth pair accepts a native program for packets of one chunk, and the
/// largest one that it can have.
const VETH_MTU: u32 = 3506;
const VETH_MAX_MTU: u32 = 65_535;
/// How long to wait for the queues of the previous mode: the kernel frees them some time after
/// their sockets, and later while it takes network namespaces down, as after many tests at once.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &DemoArgs, stop: &Stop) -> Result<Ended> {
    let link = TestLink::new(args)?;
    let output = Lines::new(std::io::stdout())?;
    let complete = all_modes(args, &link, stop, &output);
    // After an error, too: what was found before it is written.
    let written = output.finish();
    let complete = complete?;
    written?;
    let signal = stop.signal().filter(|_| !complete);
    Ok(signal.map_or(Ended::Count, |number| Ended::Signal { number, early: true }))
}

/// Runs in each mode that is asked for; returns whether all packets of all modes were sent.
///
/// # Errors
/// What went wrong with packets and chunks, too.
fn all_modes(args: &DemoArgs, link: &TestLink, stop: &Stop, output: &Lines) -> Result<bool> {
    if !args.json {
        let (from, to) = link.ends();
        let (from, to) = (from.name(), to.name());
        let place = match link {
            TestLink::Own { .. } => ", in network namespaces of their own",
            TestLink::Existing { .. } => "",
        };
        output.line(format!("From {from} to {to}{place}"))?;
    }
    let modes = match args.mode.choice() {
        AttachMode::Auto => vec![AttachMode::Native, AttachMode::Generic],
        one => vec![one],
    };
    let (mut faults, mut complete) = (Vec::new(), true);
    for (mode, number) in modes.into_iter().zip(1..) {
        if stop.is_asked() {
            complete = false;
            break;
        }
        let result = if args.tx_timestamps {
            one_mode::<Timed, RxSocket>(args, link, mode, number, stop, output)
        } else if wants_frags(args) {
            one_mode::<PacketSocket, PacketSocket>(args, link, mode, number, stop, output)
        } else {
            one_mode::<TxSocket, RxSocket>(args, link, mode, number, stop, output)
        };
        match result {
            Ok(result) => {
                faults.extend(result.fault);
                complete &= result.complete;
            }
            Err(failure) if faults.is_empty() => return Err(failure),
            Err(failure) => faults.push(failure.to_string()),
        }
    }
    if faults.is_empty() { Ok(complete) } else { Err(Failure::Text(faults.join("; "))) }
}

/// Returns whether packets take several chunks, or may.
fn wants_frags(args: &DemoArgs) -> bool {
    let native = args.mode.choice() != AttachMode::Generic;
    args.frags || args.size > if native { VETH_MTU + ETHERNET_HEADER } else { ROOM }
}

/// How a mode's run ended.
struct ModeResult {
    /// What went wrong with packets and chunks.
    fault: Option<String>,
    /// Whether all packets were sent.
    complete: bool,
}

/// Two interfaces with a cable between them.
#[derive(Debug)]
enum TestLink {
    Own { cable: VethPair, from: Namespace, to: Namespace },
    Existing { from: Interface, to: Interface },
}

impl TestLink {
    fn new(args: &DemoArgs) -> Result<Self> {
        let size = args.size;
        if args.tx_timestamps && wants_frags(args) {
            return Err(Failure::Text(format!(
                "packets of {size} bytes take several chunks, and TX timestamps (--tx-timestamps) are \
                 of packets in one: those of {} bytes at the most, or {ROOM} with -S",
                VETH_MTU + ETHERNET_HEADER
            )));
        }
        if size < MIN_SIZE {
            return Err(Failure::Text(format!(
                "packets of {size} bytes are too small: Ethernet header, sequence number, checksum \
                 and a byte of payload take {MIN_SIZE}"
            )));
        }
        let mtu = size - ETHERNET_HEADER;
        match (&args.interface, &args.output) {
            (Some(to), Some(from)) => {
                let (from, to) = (interface(from)?, interface(to)?);
                if from == to {
                    return Err(Failure::Text(format!(
                        "{to} cannot be both ends of the cable: -i and -o name two interfaces"
                    )));
                }
                for end in [&from, &to] {
                    let limit = end.info()?.mtu;
                    if mtu > limit {
                        let name = end.name();
                        return Err(Failure::Text(format!(
                            "packets of {size} bytes are too long for {name}, whose MTU of {limit} \
                             makes {} with the Ethernet header: make them shorter, or the MTU \
                             larger",
                            limit.saturating_add(ETHERNET_HEADER)
                        )));
                    }
                }
                Ok(Self::Existing { from, to })
            }
            _ if mtu > VETH_MAX_MTU => Err(Failure::Text(format!(
                "packets of {size} bytes are too long: a veth pair takes {} at the most",
                VETH_MAX_MTU + ETHERNET_HEADER
            ))),
            _ => {
                let (from, to) = (Namespace::new()?, Namespace::new()?);
                let cable = VethPair::builder().mtu(mtu.max(1500)).build(&from, &to)?;
                Ok(Self::Own { cable, from, to })
            }
        }
    }

    /// Returns how many packets may be on their way at once. A card sends all that is published, and
    /// the other card takes what its own ring has room for; a veth pair's packets move by counted
    /// kicks. No more than there are chunks for.
    fn max_in_flight(&self, size: u32) -> u32 {
        let most = match self {
            Self::Own { .. } => CHUNKS,
            Self::Existing { .. } => CABLE_CAPACITY,
        };
        most.min(CHUNKS / size.div_ceil(ROOM))
    }

    /// Returns the interface that sends, and the one that receives.
    fn ends(&self) -> (&Interface, &Interface) {
        match self {
            Self::Own { cable, .. } => (cable.a(), cable.b()),
            Self::Existing { from, to } => (from, to),
        }
    }

    /// Runs `work` in the network namespace of the sending interface.
    fn at_sender<T>(&self, work: impl FnOnce() -> T) -> xsk::Result<T> {
        match self {
            Self::Own { from, .. } => from.run(work),
            Self::Existing { .. } => Ok(work()),
        }
    }

    /// Runs `work` in the network namespace of the receiving interface.
    fn at_receiver<T>(&self, work: impl FnOnce() -> T) -> xsk::Result<T> {
        match self {
            Self::Own { to, .. } => to.run(work),
            Self::Existing { .. } => Ok(work()),
        }
    }
}

/// Creates a sender of packets of `size` bytes. It receives nothing, so that it is registered with
/// no program.
fn sender<S: Sends>(interface: &Interface, size: u32, stop: &Stop) -> Result<Sender<S::Ring>> {
    let memory = Umem::builder().chunk_count(CHUNKS).chunk_size(CHUNK_SIZE);
    let (umem, pool) = S::memory(memory).build()?;
    let builder = S::sender(Socket::builder(&umem)).tx_size(CHUNKS).completion_size(CHUNKS);
    let unbound = patiently(builder.fill_size(64).bind_timeout(BIND_SLICE), stop)?;
    let socket = bind(unbound, interface, 0, QUEUE_TIMEOUT, stop)?;
    let (tx, completion, handle) = S::into_parts(socket, &umem)?;
    let (chunks, most) = (size.div_ceil(CHUNK_SIZE), tx.max_frames());
    if chunks > most {
        return Err(Failure::Text(format!(
            "packets of {size} bytes are too long for {}: they take {chunks} chunks of {CHUNK_SIZE} \
             bytes, and a packet there can have {most}",
            interface.name()
        )));
    }
    Ok(Sender { umem, pool, tx, completion, handle, buffer: Vec::new() })
}

/// Creates a receiver with all its chunks in the fill ring, its attachment and its registration.
fn receiver<S: Receives>(
    interface: &Interface,
    args: &DemoArgs,
    mode: AttachMode,
    stop: &Stop,
) -> Result<(Receiver<S::Ring>, Attachment, Registration)> {
    let (umem, mut pool) = Umem::builder().chunk_count(CHUNKS).chunk_size(CHUNK_SIZE).build()?;
    let builder = S::receiver(Socket::builder(&umem)).rx_size(CHUNKS).fill_size(CHUNKS);
    let mut socket = patiently(builder.bind_timeout(BIND_SLICE), stop)?;
    socket.fill.fill_from(&mut pool, CHUNKS)?;
    let socket: S = bind(socket, interface, 0, QUEUE_TIMEOUT, stop)?;
    let frags = wants_frags(args);
    let builder =
        || Attachment::builder(interface).mode(mode).replace_foreign(args.replace).frags(frags);
    let attachment = attach(builder, interface, stop)
        .map_err(|failure| if frags { failure.despite_frags() } else { failure })?;
    let registration = socket.register(&attachment)?;
    let (rx, fill, handle) = socket.into_parts();
    Ok((Receiver { umem, rx, fill, handle, buffer: Vec::new() }, attachment, registration))
}

/// Runs in one mode and reports.
fn one_mode<S: Sends, R: Receives>(
    args: &DemoArgs,
    link: &TestLink,
    mode: AttachMode,
    number: u32,
    stop: &Stop,
    output: &Lines,
) -> Result<ModeResult> {
    let (from, to) = link.ends();
    let mut sender = link.at_sender(|| sender::<S>(from, args.size, stop))??;
    let (mut receiver, attachment, registration) =
        link.at_receiver(|| receiver::<R>(to, args, mode, stop))??;
    let name = attachment.mode().to_string();
    let how = format!("{name} mode, {}", attachment.reason());
    let method = attachment.method();
    let mut program = None;
    let mut run = || {
        let frags = wants_frags(args);
        let builder = || Attachment::builder(from).replace_foreign(args.replace).frags(frags);
        let handles = std::slice::from_ref(&sender.handle);
        program = link.at_sender(|| ActiveProgram::to_send(builder, from, handles, stop))??;
        for end in [from, to] {
            wait_for_link(end, stop)?;
        }
        let stream = Stream {
            to: to.info()?.mac.unwrap_or([0xff; 6]),
            from: from.info()?.mac.unwrap_or([2; 6]),
            number,
            size: args.size,
        };
        let progress = Progress::new(!args.json);
        let exchange = Exchange {
            stream,
            packets: args.packets,
            chunks: args.size.div_ceil(CHUNK_SIZE),
            batch: args.batch,
            max_in_flight: link.max_in_flight(args.size),
            stop,
            progress: &progress,
            name: &name,
        };
        let watches = [
            (from.name(), link.at_sender(|| Watch::start(from))??),
            (to.name(), link.at_receiver(|| Watch::start(to))??),
        ];
        let mut ends = BothEnds::new(watches, [None, Some(&attachment)])?;
        run_exchange(&exchange, &mut sender, &mut receiver, &mut ends)
    };
    let outcome = run();
    // Detaches before anything is written: the output may be closed.
    let id = attachment.program_id();
    let command = take_off(to, attachment.mode());
    let closed = ActiveProgram::new(attachment, registration).close();
    let program = program.map_or(Ok(()), ActiveProgram::close);
    let outcome = outcome.map_err(|failure| {
        let program = (method == AttachMethod::Netlink).then_some((id, command));
        if failure.is_gone() { gone(from, to, program).unwrap_or(failure) } else { failure }
    })?;
    closed?;
    program?;
    let unsent = outcome.unsent * u64::from(args.size.div_ceil(CHUNK_SIZE));
    let chunks = Chunks::count(&sender, &receiver, unsent);
    let handle = &receiver.handle;
    let times = sender.tx.times();
    if args.json {
        let zero_copy = handle.is_zero_copy();
        output.line(json(args, &name, zero_copy, &outcome, &chunks, times))?;
    } else {
        let several = if wants_frags(args) { "; packets of several chunks" } else { "" };
        output.line(format!("{how}; {}{several}; attached by {method}", copy(handle)))?;
        for row in report(args, link.max_in_flight(args.size), &outcome, &chunks) {
            output.line(format!("  {row}"))?;
        }
        if let Some(times) = times {
            output.line(format!("  {}", times.line()))?;
        }
    }
    let causes = match outcome.lost() {
        0 => Vec::new(),
        _ => causes(link, args, &sender.handle, &receiver.handle),
    };
    let fault = fault(args, stop, &name, &outcome, &causes, &chunks);
    Ok(ModeResult { fault, complete: outcome.sent == args.packets })
}

/// Returns the failure for the end that is gone: the receiver's first, whose program may stay.
pub(crate) fn gone(
    from: &Interface,
    to: &Interface,
    program: Option<(u32, String)>,
) -> Option<Failure> {
    let ends = [(to, program), (from, None)];
    ends.into_iter().find_map(|(end, program)| {
        let error = end.info().err().filter(xsk::Error::is_gone)?;
        Some(Failure::Gone { name: end.name().to_owned(), errno: error.errno(), program })
    })
}

/// Where the chunks are after the run.
#[derive(Debug)]
struct Chunks {
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
    fn count<T: TxRing, R: RxRing>(
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

fn json(
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
fn report(args: &DemoArgs, max_in_flight: u32, outcome: &Outcome, chunks: &Chunks) -> Vec<String> {
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
fn causes(
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

fn fault(
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
