//! What the loop of a command asks of its run, whether it is the only one or one of several
//! threads.

use crate::failure::Result;
use crate::run::counts::Counts;
use std::time::{Duration, Instant};
use xsk::{Kick, SocketHandle};

/// How long packets are waited for at the end, after a signal or when the time is over; how long
/// then while none goes; and how long while none goes where a count is to be reached.
const DRAIN: Duration = Duration::from_millis(500);
const STILL: Duration = Duration::from_millis(200);
pub(crate) const STUCK: Duration = Duration::from_secs(5);

/// What a command does on one queue.
pub(crate) trait Work: Send {
    /// Works until `pace` says that it is the end.
    fn run(&mut self, pace: &mut impl Pace) -> Result<()>;

    /// Returns how many packets were given to the kernel, and are neither sent nor dropped.
    fn pending(&self) -> u64;
}

/// A value on cache lines of its own: each of several threads writes to one of them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// What a loop on one queue asks of its run.
pub(crate) trait Pace {
    /// Returns whether the loop goes on; to be called once in each turn of it.
    fn goes_on(&mut self) -> Result<bool>;

    /// Returns how many packets this turn may do. Unless the loop fails, [`done`](Self::done)
    /// follows in the same turn.
    fn claim(&mut self) -> u32;

    /// Notes how many of the packets that were claimed are done.
    fn done(&mut self, claimed: u32, count: u32);

    /// Returns what the loop counts.
    fn counts(&mut self) -> &mut Counts;

    /// Takes the result of a wake-up. An interface that is down, or has no carrier, is noted, once,
    /// and waited for: the kernel sends what is in the TX ring when it is up again.
    fn kicked(&mut self, result: xsk::Result<Kick>) -> Result<()>;

    /// Returns whether packets can be sent, as far as it is known.
    fn is_ready(&self) -> bool;

    /// Looks at the link, and pauses if nothing can be sent.
    fn look_at_link(&mut self) -> Result<()>;

    /// Sleeps for a moment in which nothing can be done; what is due is done after it.
    fn nap(&mut self, time: Duration);

    /// Sleeps until the socket has received packets, `most` is over, or something is due.
    fn sleep(&mut self, socket: &SocketHandle, most: Duration) -> Result<()>;

    /// Calls `work` until everything that was given to the kernel was sent or dropped. `work` wakes
    /// the kernel if the interface is ready, and returns whether chunks came back, and how many are
    /// out.
    ///
    /// A count is waited for as long as packets go. After a signal, or when the time is over,
    /// packets are waited for half a second at the most. Closing the socket discards what is left
    /// in the TX ring; what the device has taken, it may still send.
    fn drain(&mut self, work: impl FnMut(&mut Self) -> Result<(bool, u64)>) -> Result<()>;
}

/// Says how long packets are waited for at the end.
#[derive(Debug)]
pub(crate) struct Patience {
    /// When packets went last, or nothing could go.
    moved: Instant,
    /// When a signal came, or the time was over: the rest is not waited for long.
    ended: Option<Instant>,
}

impl Patience {
    /// Begins to wait; `ended` says that a signal came, or the time is over.
    pub(crate) fn new(ended: bool) -> Self {
        let moved = Instant::now();
        Self { moved, ended: ended.then_some(moved) }
    }

    /// Returns whether a count is waited for.
    pub(crate) fn is_for_count(&self) -> bool {
        self.ended.is_none()
    }

    /// Notes that packets went, or that nothing can go.
    pub(crate) fn begin_again(&mut self, now: Instant) {
        self.moved = now;
    }

    /// Notes that a signal came, or that the time is over.
    pub(crate) fn end(&mut self, now: Instant) {
        self.ended.get_or_insert(now);
    }

    /// Returns whether the wait is over; `stopped` says that no packet can go.
    pub(crate) fn is_over(&self, now: Instant, stopped: bool) -> bool {
        match self.ended {
            Some(ended) => now - ended > DRAIN || now - self.moved > STILL || stopped,
            None => now - self.moved > STUCK,
        }
    }

    /// Pauses between two looks.
    pub(crate) fn pause() {
        std::thread::sleep(Duration::from_micros(50));
    }
}
