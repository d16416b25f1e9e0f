//! Sends packets from one socket to another and accounts for each of them.

use crate::demo::packet::{Stream, Verdict};
use crate::failure::Result;
use crate::process::signals::Stop;
use crate::report::output::Progress;
use crate::report::rates::{grouped, per_second};
use crate::run::both_ends::BothEnds;
use crate::run::port::DEFAULT_TX_BUDGET;
use crate::run::session::TURNS;
use crate::run::sockets::{RxRing, TxRing};
use std::time::{Duration, Instant};
use xsk::{Fill, Frame, FramePool, SocketHandle, Umem};

/// Chunks of each side, and entries of its rings.
pub(crate) const CHUNKS: u32 = 1024;
/// Packets that the cable may hold: a veth pair keeps 256 at the most and drops the others. Its
/// ring frees entries 16 at a time, and one call sends 32.
pub(crate) const CABLE_CAPACITY: u32 = 192;
/// The exchange ends when no packet has moved for this time.
const STALL: Duration = Duration::from_secs(2);
/// Packets in flight count as lost when no packet has moved for this time.
const LATE: Duration = Duration::from_millis(200);
/// After the last packet, the receiver waits for duplicates until none has come for this time.
const QUIET: Duration = Duration::from_millis(10);

/// The end that sends.
#[derive(Debug)]
pub(crate) struct Sender<T: TxRing> {
    pub(crate) umem: Umem,
    pub(crate) pool: FramePool,
    pub(crate) tx: T,
    pub(crate) completion: T::Completion,
    pub(crate) handle: SocketHandle,
    /// For a packet whose chunks lie apart.
    pub(crate) buffer: Vec<u8>,
}

/// The end that receives.
#[derive(Debug)]
pub(crate) struct Receiver<R> {
    pub(crate) umem: Umem,
    pub(crate) rx: R,
    pub(crate) fill: Fill,
    pub(crate) handle: SocketHandle,
    /// For a packet whose chunks lie apart.
    pub(crate) buffer: Vec<u8>,
}

/// What happened to the packets.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// A bit for each sequence number that arrived.
    seen: Vec<u64>,
    pub(crate) sent: u64,
    /// Packets that were in flight when none had moved for [`LATE`], less those that came after
    /// all.
    given_up: u64,
    /// Their sequence numbers are below this one.
    given_up_below: u64,
    /// Different packets that arrived.
    pub(crate) arrived: u64,
    pub(crate) corrupt: u64,
    pub(crate) duplicated: u64,
    pub(crate) foreign: u64,
    /// Packets that were left in the TX ring at the end, which are not among the sent ones.
    pub(crate) unsent: u64,
    /// From the first packet sent to the last one received.
    pub(crate) time: Duration,
    /// No packet moved for [`STALL`].
    pub(crate) stalled: bool,
}

impl Outcome {
    fn new(packets: u64) -> Self {
        Self { seen: vec![0; packets.div_ceil(64) as usize], ..Self::default() }
    }

    /// Returns how many packets were sent and did not arrive, whole or corrupt.
    pub(crate) fn lost(&self) -> u64 {
        self.in_flight()
    }

    /// Returns how many packets are on their way.
    fn in_flight(&self) -> u64 {
        // `corrupt` may be larger: it counts duplicates too, and numbers that were never sent.
        (self.sent - self.arrived).saturating_sub(self.corrupt)
    }

    /// Returns how many packets may still arrive: those in flight, less those that were given up.
    fn expected(&self) -> u64 {
        self.in_flight().saturating_sub(self.given_up)
    }

    #[inline]
    fn note(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Packet(sequence) if sequence < self.sent => self.note_packet(sequence),
            // Or a number that was never sent, under a good checksum.
            Verdict::Corrupt | Verdict::Packet(_) => self.corrupt += 1,
            Verdict::Foreign => self.foreign += 1,
        }
    }

    /// Notes the arrival of a packet that was sent: `seen` has a bit for it.
    #[inline]
    fn note_packet(&mut self, sequence: u64) {
        let word = &mut self.seen[(sequence >> 6) as usize];
        let bit = 1 << (sequence & 63);
        if *word & bit != 0 {
            self.duplicated += 1;
            return;
        }
        *word |= bit;
        self.arrived += 1;
        if sequence < self.given_up_below {
            self.given_up = self.given_up.saturating_sub(1);
        }
    }
}

/// What to send, and how.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) stream: Stream,
    pub(crate) packets: u64,
    /// Chunks that a packet takes at the sender.
    pub(crate) chunks: u32,
    pub(crate) batch: u32,
    /// Packets on their way at once, those in the TX ring among them.
    pub(crate) max_in_flight: u32,
    pub(crate) stop: &'a Stop,
    pub(crate) progress: &'a Progress,
    pub(crate) name: &'a str,
}

/// Sends and receives, on one thread: the receiver's progress bounds the sender, so that no packet
/// meets a full ring on its way, however busy the machine is.
pub(crate) fn run_exchange<T: TxRing, R: RxRing>(
    exchange: &Exchange<'_>,
    sender: &mut Sender<T>,
    receiver: &mut Receiver<R>,
    ends: &mut BothEnds,
) -> Result<Outcome> {
    let mut ready = true;
    let mut outcome = Outcome::new(exchange.packets);
    // A signal that came while the link was waited for: nothing is sent.
    let mut packets = if exchange.stop.is_asked() { 0 } else { exchange.packets };
    let all = sender.pool.len();
    let start = Instant::now();
    let (mut moved_at, mut shown_at) = (start, start);
    let mut moved = false;
    let mut turns = TURNS;
    loop {
        let sent = if ready { send(exchange, packets, sender, &mut outcome)? } else { 0 };
        let received = receive(exchange, receiver, &mut outcome)?;
        let Sender { pool, tx, completion, .. } = &mut *sender;
        let reaped = tx.reap_into(completion, pool, CHUNKS)?;
        if sent | received | reaped != 0 {
            moved = true;
        } else {
            // The kernel's part of the work may wait for this core.
            std::thread::yield_now();
        }
        if outcome.sent == packets && outcome.expected() == 0 && sender.pool.len() == all {
            break;
        }
        turns -= 1;
        if turns > 0 {
            continue;
        }
        turns = TURNS;
        if exchange.stop.is_asked() {
            packets = outcome.sent;
        }
        ready = ends.are_ready()?;
        let now = Instant::now();
        let moves = std::mem::take(&mut moved);
        if exchange.stop.is_asked() && !moves && (!ready || now.duration_since(moved_at) > LATE) {
            // What does not move now stays where it is.
            outcome.unsent = exchange.pending(&sender.tx);
            let taken = outcome.sent.saturating_sub(outcome.unsent);
            outcome.sent = taken.max(outcome.arrived);
            break;
        }
        if moves || !ready {
            moved_at = now;
        } else if now.duration_since(moved_at) > STALL {
            outcome.stalled = true;
            break;
        } else if now.duration_since(moved_at) > LATE {
            // Lost on the way, but for packets that the kernel has not taken from the TX ring.
            let pending = exchange.pending(&sender.tx);
            outcome.given_up = outcome.in_flight().saturating_sub(pending);
            outcome.given_up_below = outcome.sent.saturating_sub(pending);
        }
        if exchange.progress.is_live() && now.duration_since(shown_at) > Duration::from_millis(100)
        {
            shown_at = now;
            let rate = grouped(per_second(outcome.arrived, now.duration_since(start)));
            let (arrived, packets) = (grouped(outcome.arrived), grouped(packets));
            let name = exchange.name;
            exchange
                .progress
                .show(&format!("{name}: {arrived} of {packets} packets, {rate} per second"));
        }
    }
    outcome.time = if outcome.stalled || outcome.given_up > 0 {
        moved_at.duration_since(start)
    } else {
        start.elapsed()
    };
    // All packets that come now are duplicates.
    let end = Instant::now();
    let mut quiet = end;
    // A cable with other senders never gets quiet.
    while quiet.elapsed() < QUIET && end.elapsed() < STALL && !exchange.stop.is_asked() {
        if receive(exchange, receiver, &mut outcome)? > 0 {
            quiet = Instant::now();
        }
        std::thread::yield_now();
    }
    Ok(outcome)
}

impl Exchange<'_> {
    /// Returns how many packets the kernel has not taken from the TX ring as a whole.
    #[inline]
    fn pending(&self, tx: &impl TxRing) -> u64 {
        u64::from(tx.pending()).div_ceil(self.chunks.into())
    }
}

/// Publishes a batch if the receiver has room for it, and wakes the kernel if the cable has room.
#[inline]
fn send(
    exchange: &Exchange<'_>,
    packets: u64,
    sender: &mut Sender<impl TxRing>,
    outcome: &mut Outcome,
) -> Result<u32> {
    let Sender { umem, pool, tx, buffer, .. } = sender;
    let Exchange { stream, max_in_flight, .. } = exchange;
    let most = u64::from(exchange.batch.min(*max_in_flight));
    let batch = most.min(packets - outcome.sent) as u32;
    let mut sent = 0;
    if batch > 0 && outcome.expected() + u64::from(batch) <= u64::from(*max_in_flight) {
        let mut sequence = outcome.sent;
        sent = tx.send_each(pool, batch, stream.size, |chunks| {
            write(stream, sequence, umem, chunks, buffer);
            sequence += 1;
        })?;
        outcome.sent = sequence;
    }
    let pending = exchange.pending(tx);
    let cable = outcome.expected().saturating_sub(pending);
    if pending > 0 && cable + u64::from(DEFAULT_TX_BUDGET) <= u64::from(CABLE_CAPACITY) {
        // Packets that this call does not send are sent in a later turn.
        match tx.kick_if_needed() {
            Err(error) if error.is_down() => {}
            result => drop(result?),
        }
    }
    Ok(sent)
}

/// Writes packet `sequence` into chunks, which have its length together.
#[inline]
fn write(stream: &Stream, sequence: u64, umem: &Umem, chunks: &mut [Frame], buffer: &mut Vec<u8>) {
    if let [chunk] = chunks {
        stream.write(sequence, umem.bytes_mut(chunk));
        return;
    }
    buffer.resize(stream.size as usize, 0);
    stream.write(sequence, buffer);
    // They have this length.
    let _ = umem.write_packet(chunks, buffer);
}

#[inline]
fn receive(
    exchange: &Exchange<'_>,
    receiver: &mut Receiver<impl RxRing>,
    outcome: &mut Outcome,
) -> Result<u32> {
    let Receiver { umem, rx, fill, buffer, .. } = receiver;
    let received = rx.recycle_each(exchange.batch, fill, |chunks| {
        outcome.note(match chunks {
            [chunk] => exchange.stream.check(umem.bytes(chunk)),
            chunks => {
                buffer.clear();
                for slice in umem.packet_bytes(chunks).slices() {
                    buffer.extend_from_slice(slice);
                }
                exchange.stream.check(buffer)
            }
        });
    })?;
    fill.kick_if_needed()?;
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_counted_once_and_for_what_it_is() {
        let mut outcome = Outcome::new(100);
        outcome.sent = 100;
        for sequence in (0..100).filter(|sequence| *sequence != 63) {
            outcome.note(Verdict::Packet(sequence));
        }
        assert_eq!((outcome.arrived, outcome.lost()), (99, 1));
        outcome.note(Verdict::Packet(64));
        outcome.note(Verdict::Foreign);
        assert_eq!((outcome.duplicated, outcome.foreign, outcome.lost()), (1, 1, 1));
        outcome.note(Verdict::Corrupt);
        assert_eq!((outcome.corrupt, outcome.lost()), (1, 0), "the missing one came, corrupt");
        for never_sent in [100, 128, u64::MAX] {
            outcome.note(Verdict::Packet(never_sent));
        }
        assert_eq!((outcome.arrived, outcome.corrupt), (99, 4));
    }
}
