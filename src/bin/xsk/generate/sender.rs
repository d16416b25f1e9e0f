//! The loop of a queue: sends what is due.

use crate::command_line::PortArgs;
use crate::failure::Result;
use crate::generate::feed::Feed;
use crate::run::pace::{Pace, Work};
use crate::run::port::kick;
use crate::run::sockets::SupplyRing;
use std::time::Duration;
use xsk::{FramePool, Kick};

/// How long to sleep while the kernel takes nothing.
const BUSY: Duration = Duration::from_millis(1);
/// How long to sleep at once: what is due for the run is not put off longer.
const MOST: u64 = 20_000_000;
/// How much earlier than a packet the thread wakes up, in nanoseconds: a sleep takes longer than it
/// should by 50 us or so.
const EARLY: u64 = 100_000;
/// The shortest sleep that is worth it, in nanoseconds.
const SHORT: u64 = 50_000;

/// What sends on one queue.
pub(crate) struct Sender<'a, T: SupplyRing> {
    pub(crate) port: &'a PortArgs,
    pub(crate) feed: Feed,
    pub(crate) pool: FramePool,
    pub(crate) tx: T,
    pub(crate) completion: T::Completion,
}

impl<T: SupplyRing> Work for Sender<'_, T> {
    fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
        while !self.feed.is_over() && pace.goes_on()? {
            let mut sent = 0;
            if pace.is_ready() {
                self.feed.begin();
                let most = pace.claim();
                sent = self.tx.send_supply(&mut self.pool, most, &mut self.feed)?;
                pace.done(most, sent);
                self.wake(pace)?;
            } else {
                pace.look_at_link()?;
            }
            let back = self.take_back(pace)?;
            if sent == 0 && back == 0 {
                self.pause(pace);
            }
        }
        self.feed.end();
        pace.drain(|pace| {
            if pace.is_ready() {
                self.wake(pace)?;
            }
            let back = self.take_back(pace)?;
            Ok((back > 0, self.pending()))
        })?;
        self.feed.take_outcome()
    }

    fn pending(&self) -> u64 {
        self.feed.lengths.packets()
    }
}

impl<T: SupplyRing> Sender<'_, T> {
    /// Takes chunks back; returns how many.
    #[inline(always)]
    fn take_back(&mut self, pace: &mut impl Pace) -> Result<u32> {
        let back = self.tx.reap_into(&mut self.completion, &mut self.pool, u32::MAX)?;
        let (packets, bytes) = self.feed.lengths.came_back(back);
        pace.counts().sent(packets, bytes);
        Ok(back)
    }

    /// Wakes the kernel for the TX ring, as long as chunks are out.
    #[inline(always)]
    fn wake(&mut self, pace: &mut impl Pace) -> Result<()> {
        if self.feed.lengths.is_empty() {
            return Ok(());
        }
        let result = kick(self.port, &mut self.tx);
        if let Ok(Kick::Busy) = result {
            pace.counts().dropped_bytes += self.feed.lengths.taken_last(self.tx.pending());
        }
        pace.kicked(result)
    }

    /// Waits for a moment in which nothing is due, or the kernel takes nothing.
    fn pause(&mut self, pace: &mut impl Pace) {
        let wait = self.feed.wait();
        if wait == 0 || self.tx.pending() > 0 {
            if self.port.poll {
                // Not by poll(2): that would send what is in the ring, and hide what is dropped.
                pace.nap(BUSY);
            }
            return;
        }
        let early = if self.port.poll { 0 } else { EARLY };
        let sleep = wait.saturating_sub(early).min(MOST);
        if self.port.poll || sleep > SHORT {
            pace.nap(Duration::from_nanos(sleep));
        } else {
            std::hint::spin_loop();
        }
    }
}
