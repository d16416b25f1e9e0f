//! Chunks on their way to the kernel, to receive into.
#![allow(unsafe_code, reason = "whole batches, whose size is agreed here")]

use super::inner::{Core, Kick};
use crate::error::Result;
use crate::ring::transfer::transfer;
use crate::ring::{Fault, Kind, Memory, Producer, Writer};
use crate::umem::{Frame, Judge, Place, Pool};
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
    pub(super) judge: Judge,
    pub(super) core: Arc<Core>,
}

impl Fill {
    pub(crate) fn new(memory: Memory<u64>, core: Arc<Core>) -> Self {
        let published = Arc::clone(&core.flow.filled);
        Self {
            ring: Producer::counted(Kind::Fill, memory, published),
            judge: core.umem.judge(),
            core,
        }
    }

    /// Gives up to `count` chunks of `pool` to the kernel, as many as there are and have room; answers
    /// how many.
    ///
    /// # Errors
    /// A [`Fault`] if the kernel's side of the ring breaks the rules.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    #[doc(alias = "xsk_ring_prod__reserve")]
    pub fn fill_from(&mut self, pool: &mut Pool, count: u32) -> Result<u32, Fault> {
        self.judge.same(pool.bounds().umem);
        let (from, count) = pool.top(count);
        let count = self.ring.free(count)?;
        let judge = &self.judge;
        // SAFETY: `top` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer(from, &mut self.ring, count, move |chunk| {
                judge.moved(chunk, Place::Pool, Place::Receiving);
                Some(chunk)
            })
        };
        Ok(moved)
    }

    /// Reserves up to `count` slots, to give single frames back with [`Filling::push`]. They are
    /// published together when the answer is dropped.
    ///
    /// # Errors
    /// A [`Fault`] if the kernel's side of the ring breaks the rules.
    #[inline(always)]
    pub fn reserve(&mut self, count: u32) -> Result<Filling<'_>, Fault> {
        Ok(Filling { slots: self.ring.write(count)?, judge: &self.judge })
    }

    /// Wakes the kernel if it asks for it. A zero-copy driver whose fill ring ran dry asks, and stays
    /// deaf until it is woken; in copy mode nobody ever asks.
    ///
    /// # Errors
    /// [`Error::Kick`](crate::Error::Kick) if the interface is down or gone.
    #[inline]
    #[doc(alias = "xsk_ring_prod__needs_wakeup")]
    pub fn kick_if_needed(&mut self) -> Result<Kick> {
        if self.ring.memory().needs_wakeup() { self.core.kick_fill() } else { Ok(Kick::NotNeeded) }
    }

    /// Chunks in the ring that the kernel has not taken.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.ring.pending()
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.ring.memory().size()
    }
}

impl AsFd for Fill {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.core.as_fd()
    }
}

/// Reserved slots of the fill ring.
#[derive(Debug)]
pub struct Filling<'a> {
    slots: Writer<'a, u64>,
    judge: &'a Judge,
}

impl Filling<'_> {
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
        self.judge.same(frame.umem());
        if !self.slots.write(frame.address()) {
            return Err(frame);
        }
        let (address, _) = frame.consume();
        self.judge.moved(address, Place::User, Place::Receiving);
        Ok(())
    }

    /// Slots left.
    #[inline]
    #[must_use]
    pub fn left(&self) -> u32 {
        self.slots.left()
    }
}
