//! The links of a run's interfaces: wake-ups that find one down, and packets that are waited for.

use crate::failure::Result;
use crate::run::link::Link;
use crate::run::pace::Patience;
use crate::run::session::Session;
use crate::run::side::{DOWN, Side};
use std::time::Instant;
use xsk::{Kick, SocketHandle};

impl Session<'_> {
    /// Takes the result of a wake-up on the interface of number `side`. An interface that is down,
    /// or has no carrier, is noted, once, and waited for: the kernel sends what is in the TX ring
    /// when it is up again.
    #[inline]
    pub(crate) fn kicked(&mut self, side: usize, result: xsk::Result<Kick>) -> Result<()> {
        match result {
            Ok(Kick::NotNeeded) => Ok(()),
            Ok(kick) if kick != Kick::Busy && self.sides[side].is_steady() => Ok(()),
            changed => self.link_changed(side, changed),
        }
    }

    /// Returns the first socket of the interface of number `side`.
    pub(crate) fn handle(&self, side: usize) -> &SocketHandle {
        &self.sides[side].handles()[0]
    }

    /// Returns whether packets can be sent on the interface of number `side`, as far as it is
    /// known.
    #[inline]
    pub(crate) fn is_ready(&self, side: usize) -> bool {
        self.sides[side].is_ready()
    }

    #[cold]
    fn link_changed(&mut self, side: usize, result: xsk::Result<Kick>) -> Result<()> {
        let side = &mut self.sides[side];
        if matches!(result, Ok(Kick::Busy)) && side.is_ready() {
            // The device drops: perhaps it has lost its carrier.
            side.ask();
            return self.look();
        }
        if side.kicked(result, &self.table)? {
            self.nap(DOWN);
        }
        Ok(())
    }

    /// Looks at the link of the interface of number `side`, and pauses if nothing can be sent.
    pub(crate) fn look_at_link(&mut self, side: usize) -> Result<()> {
        if self.sides[side].look_at_link(&self.table)? {
            self.nap(DOWN);
        }
        Ok(())
    }

    /// Calls `work` for each interface until everything that was given to the kernel was sent or
    /// dropped. `work` takes the number of an interface, wakes the kernel if it is ready, and
    /// returns whether chunks came back from there, and how many are out.
    ///
    /// How long that is waited for: see [`Pace::drain`].
    pub(crate) fn drain(
        &mut self,
        mut work: impl FnMut(&mut Self, usize) -> Result<(bool, u64)>,
    ) -> Result<()> {
        let mut patience = Patience::new(self.ended.is_some());
        loop {
            let mut back = false;
            for side in 0..self.sides.len() {
                let (came, pending) = work(self, side)?;
                back |= came;
                self.sides[side].pending = pending;
            }
            self.pending = self.sides.iter().map(|side| side.pending).sum();
            if self.pending == 0 {
                return Ok(());
            }
            let now = Instant::now();
            if back {
                patience.begin_again(now);
            }
            let waits = |side: &Side| side.pending > 0 && !side.is_ready();
            if patience.is_for_count() {
                self.turns = 1;
                if !self.goes_on()? {
                    patience.end(now);
                } else if let Some(side) = self.sides.iter().position(waits) {
                    patience.begin_again(now);
                    self.look_at_link(side)?;
                }
            }
            let stopped = self.sides.iter().all(|side| side.pending == 0 || waits(side));
            if patience.is_over(now, stopped) {
                return Ok(());
            }
            if !back {
                Patience::pause();
            }
        }
    }

    /// Does what is due while other threads do the work, one of which has `asked` for a look at the
    /// link; returns whether they go on.
    pub(crate) fn oversee(&mut self, asked: bool) -> Result<bool> {
        let side = &mut self.sides[0];
        if asked || !side.is_ready() {
            side.look_at_link_again(&self.table)?;
        }
        self.turns = 1;
        self.goes_on()
    }

    /// Returns the state of the first interface's link.
    pub(crate) fn link(&self) -> Link {
        self.sides[0].link()
    }

    /// Notes how many packets are neither sent nor dropped on the first interface.
    pub(crate) fn set_pending(&mut self, pending: u64) {
        self.sides[0].pending = pending;
        self.pending = pending;
    }
}
