//! Checks addresses written by the kernel and records chunk moves in the ledger.

use super::chunk_place::ChunkPlace;
use super::frame::Frame;
use super::geometry::Geometry;
use super::ledger::Ledger;
use super::losses::record_lost;
use super::number::count_lost;
use std::mem::ManuallyDrop;

/// Checks addresses written by the kernel and records chunk moves in the ledger; each ring half and
/// pool has one.
#[derive(Debug, Clone)]
pub(crate) struct Checker {
    pub(crate) geometry: Geometry,
    ledger: Ledger,
}

impl Checker {
    pub(crate) fn new(geometry: Geometry, ledger: Ledger) -> Self {
        Self { geometry, ledger }
    }

    /// Returns `address`, which the kernel's side wrote, as a byte of the area, if it is one and
    /// its chunk can come `from` there; the ledger has the chunk at `to` then.
    #[inline(always)]
    pub(crate) fn accept_chunk(
        &self,
        address: u64,
        from: ChunkPlace,
        to: ChunkPlace,
    ) -> Option<u64> {
        (self.geometry.contains(address)
            && self.ledger.record_move(&self.geometry, address, from, to))
        .then_some(address)
    }

    /// As [`accept_chunk`](Self::accept_chunk), for `len` bytes from `address` on, in one chunk.
    #[inline(always)]
    pub(crate) fn accept_packet(
        &self,
        address: u64,
        len: u64,
        from: ChunkPlace,
        to: ChunkPlace,
    ) -> Option<u64> {
        (self.geometry.contains_packet(address, len)
            && self.ledger.record_move(&self.geometry, address, from, to))
        .then_some(address)
    }

    /// Records the move of a chunk that belonged to the caller.
    #[inline(always)]
    pub(crate) fn record_move(&self, address: u64, from: ChunkPlace, to: ChunkPlace) {
        self.ledger.record_move(&self.geometry, address, from, to);
    }

    /// Takes a frame that is given to a ring or pool, and refuses one of another UMEM (I6). Nothing
    /// after this panics: the frame needs no drop, and the caller no code for it.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn own(&self, frame: Frame) -> ManuallyDrop<Frame> {
        if frame.umem() != self.geometry.umem {
            let umem = frame.umem();
            self.refuse(umem, frame.consume().0);
        }
        ManuallyDrop::new(frame)
    }

    /// Counts the chunk of a frame of another UMEM as lost, and panics.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn refuse(&self, umem: u32, address: u64) -> ! {
        count_lost(umem, 1);
        record_lost(umem, ChunkPlace::User, [address]);
        self.geometry.wrong_umem(umem);
    }

    /// Refuses what belongs to another UMEM (invariant I6), before anything is written.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn assert_same_umem(&self, umem: u32) {
        self.geometry.assert_same_umem(umem);
    }
}
