//! Frames from one socket to another, each of them looked for.

use crate::failure::Result;
use crate::output::Progress;
use crate::packet::{Stream, Verdict};
use crate::rates::{grouped, per_second};
use crate::signals::Stop;
use std::time::{Duration, Instant};
use xsk::{FramePool, RxSocket, TxSocket, Umem};

/// Chunks of each side, and entries of its rings.
pub(crate) const CHUNKS: u32 = 1024;
/// Frames that the cable may hold: a veth pair keeps 256 at the most and drops the others. Its ring frees
/// entries 16 at a time, and one call sends 32.
pub(crate) const CABLE: u32 = 192;
/// Frames that one call sends in copy mode.
const KICK: u64 = 32;
/// No frame moved for so long: none will.
const STALL: Duration = Duration::from_secs(2);
/// For how long nothing may move until what flies is taken for lost.
const LATE: Duration = Duration::from_millis(200);
/// Nothing came for so long after the last frame: nothing more will, not even twice.
const QUIET: Duration = Duration::from_millis(10);
/// Turns of the loop between two looks at the clock.
const TURNS: u32 = 256;

/// The end that sends.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) umem: Umem,
    pub(crate) pool: FramePool,
    pub(crate) socket: TxSocket,
}

/// The end that receives.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) umem: Umem,
    pub(crate) socket: RxSocket,
}

/// What became of the frames.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// A bit for each sequence number that arrived.
    verdict: Vec<u64>,
    pub(crate) sent: u64,
    /// Frames that flew when nothing had moved for long, less those that came after all.
    given_up: u64,
    /// They have numbers below this one.
    given_up_below: u64,
    /// Different frames that arrived.
    pub(crate) arrived: u64,
    pub(crate) corrupt: u64,
    pub(crate) duplicated: u64,
    pub(crate) foreign: u64,
    /// From the first frame sent to the last one received.
    pub(crate) time: Duration,
    /// Nothing moved any more.
    pub(crate) stalled: bool,
}

impl Outcome {
    fn new(frames: u64) -> Self {
        let words = usize::try_from(frames.div_ceil(64)).unwrap_or(usize::MAX);
        Self { verdict: vec![0; words], ..Self::default() }
    }

    /// Frames that were sent and did not arrive whole.
    pub(crate) fn lost(&self) -> u64 {
        self.flying()
    }

    /// Frames that are on their way.
    fn flying(&self) -> u64 {
        self.sent.saturating_sub(self.arrived).saturating_sub(self.corrupt)
    }

    /// Frames that may still arrive: those that fly, less those that were given up.
    fn expected(&self) -> u64 {
        self.flying().saturating_sub(self.given_up)
    }

    #[inline]
    fn note(&mut self, verdict: Verdict) {
        let Verdict::Frame(sequence) = verdict else {
            let counter = match verdict {
                Verdict::Foreign => &mut self.foreign,
                _ => &mut self.corrupt,
            };
            *counter = counter.saturating_add(1);
            return;
        };
        let word = usize::try_from(sequence >> 6).unwrap_or(usize::MAX);
        let bit = 1_u64 << (sequence & 63);
        match self.verdict.get_mut(word) {
            // A number that was never sent, under a good checksum.
            _ if sequence >= self.sent => self.corrupt = self.corrupt.saturating_add(1),
            None => self.corrupt = self.corrupt.saturating_add(1),
            Some(word) if *word & bit != 0 => {
                self.duplicated = self.duplicated.saturating_add(1);
            }
            Some(word) => {
                *word |= bit;
                self.arrived = self.arrived.saturating_add(1);
                if sequence < self.given_up_below {
                    self.given_up = self.given_up.saturating_sub(1);
                }
            }
        }
    }
}

/// How many frames, how many at once, and who may end it.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) stream: Stream,
    pub(crate) frames: u64,
    pub(crate) batch: u32,
    /// Frames on their way at once, those in the TX ring among them.
    pub(crate) most: u32,
    pub(crate) stop: &'a Stop,
    pub(crate) progress: &'a Progress,
    pub(crate) name: &'a str,
}

/// Sends and receives, on one thread: the receiver's progress bounds the sender, so that no frame finds
/// a full ring on its way, however busy the machine is.
pub(crate) fn run_exchange(
    exchange: &Exchange<'_>,
    sender: &mut Sender,
    receiver: &mut Receiver,
) -> Result<Outcome> {
    let mut outcome = Outcome::new(exchange.frames);
    let mut frames = exchange.frames;
    let returned = sender.pool.len();
    let start = Instant::now();
    let (mut moved_at, mut shown_at) = (start, start);
    let mut moved = false;
    let mut turns = TURNS;
    loop {
        let sent = send(exchange, frames, sender, &mut outcome)?;
        let received = receive(exchange, receiver, &mut outcome)?;
        let reaped = sender.socket.completion.reap_into(&mut sender.pool, CHUNKS)?;
        if sent | received | reaped != 0 {
            moved = true;
        } else {
            // The kernel's half of the work may wait for this core.
            std::thread::yield_now();
        }
        if outcome.sent == frames && outcome.expected() == 0 && sender.pool.len() == returned {
            break;
        }
        turns = turns.wrapping_sub(1);
        if turns > 0 {
            continue;
        }
        turns = TURNS;
        if exchange.stop.is_asked() {
            frames = outcome.sent;
        }
        let now = Instant::now();
        if std::mem::take(&mut moved) {
            moved_at = now;
        } else if now.duration_since(moved_at) > STALL {
            outcome.stalled = true;
            break;
        } else if now.duration_since(moved_at) > LATE {
            // Lost on the way: what was not sent yet goes on.
            let pending = u64::from(sender.socket.tx.pending());
            outcome.given_up = outcome.flying().saturating_sub(pending);
            outcome.given_up_below = outcome.sent.saturating_sub(pending);
        }
        if exchange.progress.is_live() && now.duration_since(shown_at) > Duration::from_millis(100)
        {
            shown_at = now;
            let rate = grouped(per_second(outcome.arrived, now.duration_since(start)));
            let (arrived, frames) = (grouped(outcome.arrived), grouped(frames));
            let name = exchange.name;
            exchange
                .progress
                .show(&format!("{name}: {arrived} of {frames} frames, {rate} per second"));
        }
    }
    outcome.time = if outcome.stalled || outcome.given_up > 0 {
        moved_at.duration_since(start)
    } else {
        start.elapsed()
    };
    // What comes now came twice.
    let end = Instant::now();
    let mut quiet = end;
    // On a busy cable it never gets quiet: others send, too.
    while quiet.elapsed() < QUIET && end.elapsed() < STALL && !exchange.stop.is_asked() {
        if receive(exchange, receiver, &mut outcome)? > 0 {
            quiet = Instant::now();
        }
        std::thread::yield_now();
    }
    Ok(outcome)
}

/// Publishes a batch if the receiver has room for it, and has the kernel send if the cable has.
#[inline]
fn send(
    exchange: &Exchange<'_>,
    frames: u64,
    sender: &mut Sender,
    outcome: &mut Outcome,
) -> Result<u32> {
    let Sender { umem, pool, socket } = sender;
    let left = u32::try_from(frames.saturating_sub(outcome.sent)).unwrap_or(u32::MAX);
    let batch = exchange.batch.min(left).min(exchange.most);
    let room = u64::from(exchange.most).saturating_sub(outcome.expected());
    let mut sent = 0;
    if batch > 0 && u64::from(batch) <= room {
        let mut sequence = outcome.sent;
        let size = u32::try_from(exchange.stream.size).unwrap_or(u32::MAX);
        sent = socket.tx.send_each(pool, batch, |frame| {
            // The size was compared with the chunk's before.
            let _ = frame.truncate(size);
            exchange.stream.write(sequence, umem.bytes_mut(frame));
            sequence = sequence.wrapping_add(1);
        })?;
        outcome.sent = sequence;
    }
    let pending = u64::from(socket.tx.pending());
    let cable = outcome.expected().saturating_sub(pending);
    if pending > 0 && cable.saturating_add(KICK) <= u64::from(CABLE) {
        // Whatever it answers: what is left is kicked in the next turn.
        socket.tx.kick_if_needed()?;
    }
    Ok(sent)
}

#[inline]
fn receive(exchange: &Exchange<'_>, receiver: &mut Receiver, outcome: &mut Outcome) -> Result<u32> {
    let Receiver { umem, socket } = receiver;
    let RxSocket { rx, fill, .. } = socket;
    let received = rx
        .receive(exchange.batch)?
        .recycle_each(fill, |frame| outcome.note(exchange.stream.check(umem.bytes(frame))))?;
    fill.kick_if_needed()?;
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_is_counted_once_and_for_what_it_is() {
        let mut outcome = Outcome::new(100);
        outcome.sent = 100;
        for sequence in (0..100).filter(|sequence| *sequence != 63) {
            outcome.note(Verdict::Frame(sequence));
        }
        assert_eq!((outcome.arrived, outcome.lost()), (99, 1));
        outcome.note(Verdict::Frame(64));
        outcome.note(Verdict::Foreign);
        assert_eq!((outcome.duplicated, outcome.foreign, outcome.lost()), (1, 1, 1));
        outcome.note(Verdict::Corrupt);
        assert_eq!((outcome.corrupt, outcome.lost()), (1, 0), "the missing one came, spoilt");
        for never_sent in [100, 128, u64::MAX] {
            outcome.note(Verdict::Frame(never_sent));
        }
        assert_eq!((outcome.arrived, outcome.corrupt), (99, 4));
    }
}
