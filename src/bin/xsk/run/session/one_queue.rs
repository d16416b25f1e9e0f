//! The run of one queue as its loop sees it: without parts, and with a count that it has to itself.

use crate::failure::Result;
use crate::run::counts::Counts;
use crate::run::pace::Pace;
use crate::run::session::Session;
use std::time::Duration;
use xsk::{Kick, SocketHandle};

/// The run of one queue, by the thread that also looks after it.
impl Pace for Session<'_> {
    #[inline]
    fn goes_on(&mut self) -> Result<bool> {
        Ok(self.left > 0 && Session::goes_on(self)?)
    }

    #[inline]
    fn claim(&mut self) -> u32 {
        self.args.next_batch(self.left)
    }

    #[inline]
    fn done(&mut self, _claimed: u32, count: u32) {
        self.left -= u64::from(count);
    }

    #[inline]
    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    #[inline]
    fn kicked(&mut self, result: xsk::Result<Kick>) -> Result<()> {
        Session::kicked(self, 0, result)
    }

    #[inline]
    fn is_ready(&self) -> bool {
        Session::is_ready(self, 0)
    }

    fn look_at_link(&mut self) -> Result<()> {
        Session::look_at_link(self, 0)
    }

    fn nap(&mut self, time: Duration) {
        Session::nap(self, time);
    }

    fn sleep(&mut self, socket: &SocketHandle, most: Duration) -> Result<()> {
        Session::sleep(self, &[socket], most)
    }

    fn drain(&mut self, mut work: impl FnMut(&mut Self) -> Result<(bool, u64)>) -> Result<()> {
        Session::drain(self, |session, _| work(session))
    }
}
