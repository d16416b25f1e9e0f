//! The fill ring: chunks for the kernel to receive into.

use super::batch::Slots;
use super::fill_batch::FillBatch;
use super::inner::{Inner, as_fd};
use super::kick::Kick;
use crate::error::Result;
use crate::ring::transfer::transfer;
use crate::ring::{Memory, Producer, RingError, RingKind};
use crate::umem::{Checker, ChunkPlace, FramePool};
use std::sync::Arc;

/// The fill ring: chunks for the kernel to receive into.
///
/// A socket whose fill ring runs dry receives nothing, and the kernel counts that
/// ([`Statistics::fill_ring_empty`](super::Statistics)). Keep it full.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// socket.fill.fill_from(pool, 64)?;
/// socket.fill.kick_if_needed()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_UMEM_FILL_RING")]
pub struct Fill {
    pub(super) ring: Producer<u64>,
    pub(super) checker: Checker,
    inner: Arc<Inner>,
}

impl Fill {
    pub(crate) fn new(memory: Memory<u64>, inner: Arc<Inner>) -> Self {
        let filled = Arc::clone(&inner.pool.given.filled);
        Self {
            ring: Producer::counted(RingKind::Fill, memory, filled),
            checker: inner.pool.umem.checker(),
            inner,
        }
    }

    /// Gives up to `count` chunks of `pool` to the kernel, as many as the pool has and have room;
    /// returns how many.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    #[doc(alias = "xsk_ring_prod__reserve")]
    #[doc(alias = "xsk_ring_prod__submit")]
    pub fn fill_from(&mut self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        self.checker.assert_same_umem(pool.geometry().umem);
        let ready = pool.top(count);
        let room = self.ring.reserve(ready.count())?;
        let checker = &self.checker;
        Ok(transfer(ready, room, move |chunk| {
            checker.record_move(chunk, ChunkPlace::Pool, ChunkPlace::Receiving);
            Some(chunk)
        }))
    }

    /// Reserves up to `count` slots, to give single frames back with [`FillBatch::push`]. They are
    /// submitted together when the batch is dropped.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    #[inline(always)]
    #[doc(alias = "xsk_ring_prod__reserve")]
    pub fn reserve(&mut self, count: u32) -> Result<FillBatch<'_>, RingError> {
        Ok(FillBatch(Slots::new(self.ring.write(count)?, self.checker.for_batch())))
    }

    /// Wakes the kernel if the fill ring's need-wakeup flag is set. A zero-copy driver whose fill
    /// ring ran dry sets it, and receives nothing until it is woken; in copy mode the flag is never
    /// set.
    ///
    /// # Errors
    /// [`Error::Kick`](crate::Error::Kick) if the interface is down or gone.
    #[inline]
    #[doc(alias = "xsk_ring_prod__needs_wakeup")]
    #[doc(alias = "recvfrom")]
    pub fn kick_if_needed(&mut self) -> Result<Kick> {
        if self.ring.memory().needs_wakeup() { self.inner.kick_fill() } else { Ok(Kick::NotNeeded) }
    }

    /// Returns how many chunks in the ring the kernel has not taken.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.ring.pending()
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

as_fd!(Fill: inner);
