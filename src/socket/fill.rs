//! Chunks on their way to the kernel, to receive into.
#![allow(unsafe_code, reason = "whole batches, whose size is agreed here")]

use super::inner::{Inner, Kick};
use crate::error::Result;
use crate::ring::transfer::transfer;
use crate::ring::{Memory, Producer, RingError, RingKind, Writer};
use crate::umem::{Checker, ChunkPlace, Frame, FramePool};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// The fill ring: chunks for the kernel to receive into.
///
/// A socket whose fill ring runs dry receives nothing, and the kernel counts that
/// ([`Statistics::fill_ring_empty`](super::Statistics)). Keep it full.
#[derive(Debug)]
#[doc(alias = "XDP_UMEM_FILL_RING")]
pub struct Fill {
    pub(super) ring: Producer<u64>,
    pub(super) checker: Checker,
    pub(super) inner: Arc<Inner>,
}

impl Fill {
    pub(crate) fn new(memory: Memory<u64>, inner: Arc<Inner>) -> Self {
        let published = Arc::clone(&inner.counts.filled);
        Self {
            ring: Producer::counted(RingKind::Fill, memory, published),
            checker: inner.umem.checker(),
            inner,
        }
    }

    /// Gives up to `count` chunks of `pool` to the kernel, as many as there are and have room; answers
    /// how many.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    #[doc(alias = "xsk_ring_prod__reserve")]
    pub fn fill_from(&mut self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        self.checker.assert_same_umem(pool.geometry().umem);
        let (from, count) = pool.top(count);
        let count = self.ring.free(count)?;
        let checker = &self.checker;
        // SAFETY: `top` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer(from, &mut self.ring, count, move |chunk| {
                checker.record_move(chunk, ChunkPlace::Pool, ChunkPlace::Receiving);
                Some(chunk)
            })
        };
        Ok(moved)
    }

    /// Reserves up to `count` slots, to give single frames back with [`FillBatch::push`]. They are
    /// published together when the answer is dropped.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    #[inline(always)]
    pub fn reserve(&mut self, count: u32) -> Result<FillBatch<'_>, RingError> {
        Ok(FillBatch { slots: self.ring.write(count)?, checker: &self.checker })
    }

    /// Wakes the kernel if it asks for it. A zero-copy driver whose fill ring ran dry asks, and stays
    /// deaf until it is woken; in copy mode nobody ever asks.
    ///
    /// # Errors
    /// [`Error::Kick`](crate::Error::Kick) if the interface is down or gone.
    #[inline]
    #[doc(alias = "xsk_ring_prod__needs_wakeup")]
    pub fn kick_if_needed(&mut self) -> Result<Kick> {
        if self.ring.memory().needs_wakeup() { self.inner.kick_fill() } else { Ok(Kick::NotNeeded) }
    }

    /// Chunks in the ring that the kernel has not taken.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.ring.pending()
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

impl AsFd for Fill {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// Reserved slots of the fill ring.
#[derive(Debug)]
pub struct FillBatch<'a> {
    slots: Writer<'a, u64>,
    checker: &'a Checker,
}

impl FillBatch<'_> {
    /// Gives the frame's chunk to the kernel; gives the frame back if no slot is left.
    ///
    /// # Errors
    /// The frame, if no reserved slot is left.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        self.checker.assert_same_umem(frame.umem());
        if !self.slots.write(frame.address()) {
            return Err(frame);
        }
        let (address, _) = frame.consume();
        self.checker.record_move(address, ChunkPlace::User, ChunkPlace::Receiving);
        Ok(())
    }

    /// Slots left.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.slots.remaining()
    }
}
