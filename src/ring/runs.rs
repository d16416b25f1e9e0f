//! The entries of a batch that is gone through one by one, as one or two runs of a ring.
//!
//! # What a loop of the caller's own costs
//! `benches/instructions.rs`, batches of 64 on x86-64, in instructions per packet: a `for` loop
//! costs 24.6 (`rxdrop-for`) and 31.2 (`l2fwd-for`), the calls that take a closure cost 15.6 and
//! 22.5 (`rxdrop-each`, `l2fwd-each`). Both read, check, show and write each entry: 15
//! instructions. The loop adds 8, which it cannot do without:
//! - 6 for two pointers that move on and two tests for an end, one pair for each ring. The loops of
//!   [`transfer`](super::transfer) have one of each for eight packets.
//! - 2 for the cursors of both rings, which are in memory before the caller's code runs again: it
//!   may forget the batch at any step (invariant I1). A transfer has a guard that no caller can
//!   forget.

use super::{Index, Memory};
use crate::num::{u32_of_count, usize32};

/// Pointers to the entries of a batch, one after the other.
///
/// The batch is one run (entries that lie side by side, see [`transfer`](super::transfer)), or two
/// if the ring wraps inside it. A step compares two pointers, which a loop has in registers, and
/// needs neither a mask nor the numbers of the ring.
#[derive(Debug)]
pub(super) struct Runs<T> {
    at: *mut T,
    end: *mut T,
    /// How many entries the second run has, at the ring's beginning; 0 once it has begun.
    rest: u32,
}

// SAFETY: the pointers go to entries of a ring, and what uses them has that ring's half
// exclusively (`Memory`, which may be sent).
unsafe impl<T: Send> Send for Runs<T> {}
// SAFETY: through a shared reference no pointer comes out.
unsafe impl<T: Send> Sync for Runs<T> {}

impl<T: Copy> Runs<T> {
    /// Begins at the entry at `from`; `count` is not above the ring's capacity.
    #[inline(always)]
    pub(super) fn new(memory: &Memory<T>, from: Index, count: u32) -> Self {
        // Without this the optimiser does not see that a batch of one ends after its entry:
        // `rxdrop-for` with batch 1 would cost 10 instructions more (`benches/instructions.rs`).
        if count == 0 {
            let at = memory.first();
            return Self { at, end: at, rest: 0 };
        }
        let at = memory.slot(from);
        let run = if count == 1 { 1 } else { memory.run(from, count) };
        let end = at.wrapping_add(usize32(run));
        Self { at, end, rest: count.wrapping_sub(run) }
    }

    /// Returns a pointer to the next entry, which is inside the ring.
    #[inline(always)]
    pub(super) fn next(&mut self, memory: &Memory<T>) -> Option<*mut T> {
        if self.at == self.end {
            if self.rest == 0 {
                return None;
            }
            self.at = memory.first();
            self.end = self.at.wrapping_add(usize32(self.rest));
            self.rest = 0;
        }
        let at = self.at;
        self.at = at.wrapping_add(1);
        Some(at)
    }

    /// Returns how many entries are left.
    #[inline(always)]
    pub(super) fn remaining(&self) -> u32 {
        let bytes = self.end.addr().wrapping_sub(self.at.addr());
        let run = u32_of_count(bytes.checked_div(size_of::<T>()).unwrap_or(0));
        run.wrapping_add(self.rest)
    }

    /// Drops the entries that are left.
    #[inline(always)]
    pub(super) fn stop(&mut self) {
        self.end = self.at;
        self.rest = 0;
    }
}
