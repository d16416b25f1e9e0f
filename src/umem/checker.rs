//! Checks addresses written by the kernel and records chunk moves in the ledger.

use super::chunk_place::ChunkPlace;
use super::frame::Frame;
use super::geometry::{Geometry, wrong_umem};
use super::grid::Grid;
use super::ledger::Ledger;
use super::losses::record_lost;
use super::number::count_lost;
use crate::ring::transfer::Form;
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

    /// Returns a copy for one batch.
    #[inline(always)]
    pub(crate) fn for_batch(&self) -> BatchChecker<'_> {
        let Self { geometry, ledger } = self;
        BatchChecker { geometry: *geometry, grid: &geometry.grid, ledger }
    }

    /// Records the move of a chunk that belonged to the caller.
    #[inline(always)]
    pub(crate) fn record_move(&self, address: u64, from: ChunkPlace, to: ChunkPlace) {
        self.for_batch().record_move(address, from, to);
    }

    /// Refuses what belongs to another UMEM (invariant I6), before anything is written.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn assert_same_umem(&self, umem: u32) {
        self.geometry.assert_same_umem(umem);
    }
}

/// A copy of a [`Checker`]'s numbers for the time of one batch: a loop has them in registers, where
/// those of a ring half would be loaded again after each write to a ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchChecker<'a> {
    pub(crate) geometry: Geometry,
    /// The geometry's grid, where it is: its numbers are loaded where a check needs them, and take no
    /// registers of the usual way.
    grid: &'a Grid,
    ledger: &'a Ledger,
}

impl BatchChecker<'_> {
    /// Returns whether the chunks are aligned, and `address` is a byte of the area.
    #[inline(always)]
    fn contains_aligned(self, form: Form, address: u64) -> bool {
        form != Form::Other && self.geometry.contains_aligned(address)
    }

    /// Returns whether the chunks are unaligned, and `address`, which goes on `to` there, is in one.
    /// What goes straight back to the kernel's side need not begin with a chunk: no frame is made of
    /// it, before it comes here again.
    #[inline(always)]
    fn contains_unaligned(self, form: Form, address: u64, to: ChunkPlace) -> bool {
        if form == Form::Usual {
            return false;
        }
        match to {
            ChunkPlace::Receiving | ChunkPlace::Sending => self.grid.is_inside(address),
            _ => self.grid.is_chunk(address),
        }
    }

    /// As [`contains_unaligned`](Self::contains_unaligned), for the `len` bytes from `address` on.
    #[inline(always)]
    fn contains_unaligned_packet(self, form: Form, address: u64, len: u64, to: ChunkPlace) -> bool {
        if form == Form::Usual {
            return false;
        }
        match to {
            ChunkPlace::Receiving | ChunkPlace::Sending => self.grid.is_packet_inside(address, len),
            _ => self.grid.ends_in_chunk(address, len) && self.grid.is_chunk(address),
        }
    }

    /// Returns `address`, which the kernel's side wrote, as a byte of the area, if it is one and
    /// its chunk can come `from` there; the ledger has the chunk at `to` then.
    #[inline(always)]
    pub(crate) fn accept_chunk(
        self,
        form: Form,
        address: u64,
        from: ChunkPlace,
        to: ChunkPlace,
    ) -> Option<u64> {
        ((self.contains_aligned(form, address) || self.contains_unaligned(form, address, to))
            && self.ledger.record_move(&self.geometry, address, from, to))
        .then_some(address)
    }

    /// As [`accept_chunk`](Self::accept_chunk), for `len` bytes from `address` on, in one chunk.
    #[inline(always)]
    pub(crate) fn accept_packet(
        self,
        form: Form,
        address: u64,
        len: u64,
        from: ChunkPlace,
        to: ChunkPlace,
    ) -> Option<u64> {
        let contained = if self.contains_aligned(form, address) {
            self.geometry.ends_in_chunk(address, len)
        } else {
            self.contains_unaligned_packet(form, address, len, to)
        };
        (contained && self.ledger.record_move(&self.geometry, address, from, to)).then_some(address)
    }

    /// Records the move of a chunk that belonged to the caller.
    #[inline(always)]
    pub(crate) fn record_move(self, address: u64, from: ChunkPlace, to: ChunkPlace) {
        self.ledger.record_move(&self.geometry, address, from, to);
    }

    /// Takes a frame that is given to a ring or pool, and refuses one of another UMEM (I6). Nothing
    /// after this panics: the frame needs no drop, and the caller no code for it.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn own(self, frame: Frame) -> ManuallyDrop<Frame> {
        if frame.umem() != self.geometry.umem {
            let umem = frame.umem();
            refuse(self.geometry.umem, umem, frame.consume().0);
        }
        ManuallyDrop::new(frame)
    }
}

/// Counts the chunk of a frame of UMEM `umem` as lost, which was given to something of UMEM `here`,
/// and panics.
#[cold]
#[inline(never)]
#[track_caller]
fn refuse(here: u32, umem: u32, address: u64) -> ! {
    count_lost(umem, 1);
    record_lost(umem, ChunkPlace::User, [address]);
    wrong_umem(here, umem);
}
