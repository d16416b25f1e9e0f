//! Who may believe an address.

use super::bounds::Bounds;
use super::ledger::{Ledger, Place};

/// What addresses are judged by; each ring half and pool has one.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    pub(crate) bounds: Bounds,
    ledger: Ledger,
}

impl Judge {
    pub(crate) fn new(bounds: Bounds, ledger: Ledger) -> Self {
        Self { bounds, ledger }
    }

    /// Whether `address`, which the kernel's side wrote, is in the area, and its chunk can come `from`
    /// there; if so, notes that it is at `to` now.
    #[inline(always)]
    pub(crate) fn arrived(&self, address: u64, from: Place, to: Place) -> bool {
        self.bounds.contains(address) && self.ledger.moved(&self.bounds, address, from, to)
    }

    /// As [`arrived`](Self::arrived), for `len` bytes from `address` on, in one chunk.
    #[inline(always)]
    pub(crate) fn arrived_packet(&self, address: u64, len: u64, from: Place, to: Place) -> bool {
        self.bounds.holds(address, len) && self.ledger.moved(&self.bounds, address, from, to)
    }

    /// Notes a move of a chunk that was ours to move.
    #[inline(always)]
    pub(crate) fn moved(&self, address: u64, from: Place, to: Place) {
        self.ledger.moved(&self.bounds, address, from, to);
    }

    /// Refuses what belongs to another UMEM (invariant I6), before anything is written.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn same(&self, umem: u32) {
        self.bounds.same(umem);
    }
}
