//! Chunks on their way to the kernel, to receive into.

use super::core::{Core, Kick};
use crate::error::Result;
use crate::ring::{Fault, Kind, Memory, Producer, Writer, transfer};
use crate::umem::{Bounds, Frame, Ledger, Place, Pool};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The fill ring: chunks for the kernel to receive into.
///
/// A socket whose fill ring runs dry receives nothing, and the kernel counts that
/// ([`Statistics::fill_ring_empty`](super::Statistics)). Keep it full.
#[derive(Debug)]
#[doc(alias = "XDP_UMEM_FILL_RING")]
pub struct Fill {
    pub(super) ring: Producer<u64>,
    pub(super) bounds: Bounds,
    ledger: Ledger,
    pub(super) core: Arc<Core>,
}

impl Fill {
    pub(crate) fn new(memory: Memory<u64>, core: Arc<Core>) -> Self {
        let ring = Producer::new(Kind::Fill, memory);
        let (bounds, ledger) = (*core.umem.bounds(), core.umem.ledger().clone());
        core.flow.filled.store(ring.cursor.get(), Ordering::Relaxed);
        Self {
            ring,
            bounds,
            ledger,
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
        self.bounds.same(pool.bounds().umem);
        let there = u32::try_from(pool.len()).unwrap_or(u32::MAX);
        let count = self.ring.free(count.min(there))?;
        let (bounds, ledger) = (self.bounds, &self.ledger);
        transfer::slice_to_ring(pool.top(count), &mut self.ring, |chunk| {
            ledger.moved(&bounds, chunk, Place::Pool, Place::Receiving);
            chunk
        });
        pool.drop_top(count);
        self.publish();
        Ok(count)
    }

    /// Reserves up to `count` slots, to give single frames back with [`Filling::push`]. They are
    /// published together when the answer is dropped.
    ///
    /// # Errors
    /// A [`Fault`] if the kernel's side of the ring breaks the rules.
    #[inline(always)]
    pub fn reserve(&mut self, count: u32) -> Result<Filling<'_>, Fault> {
        let flow = &self.core.flow.filled;
        let slots = self.ring.write(count)?;
        Ok(Filling {
            slots,
            bounds: &self.bounds,
            ledger: &self.ledger,
            flow,
        })
    }

    /// Publishes what was written, after noting how much that is.
    #[inline(always)]
    pub(super) fn publish(&mut self) {
        // Relaxed: ordered by the release of the ring's index that follows.
        self.core
            .flow
            .filled
            .store(self.ring.cursor.get(), Ordering::Relaxed);
        self.ring.publish();
    }

    /// Wakes the kernel if it asks for it. A zero-copy driver whose fill ring ran dry asks, and stays
    /// deaf until it is woken; in copy mode nobody ever asks.
    ///
    /// # Errors
    /// [`Error::Kick`](crate::Error::Kick) if the interface is down or gone.
    #[inline]
    #[doc(alias = "xsk_ring_prod__needs_wakeup")]
    pub fn kick_if_needed(&mut self) -> Result<Kick> {
        if self.ring.memory().needs_wakeup() {
            self.core.kick_fill()
        } else {
            Ok(Kick::NotNeeded)
        }
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
    bounds: &'a Bounds,
    ledger: &'a Ledger,
    flow: &'a std::sync::atomic::AtomicU32,
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
        self.bounds.same(frame.umem());
        if !self.slots.has_room() {
            return Err(frame);
        }
        let (address, _) = frame.consume();
        self.ledger
            .moved(self.bounds, address, Place::User, Place::Receiving);
        self.slots.write_next(address);
        Ok(())
    }

    /// Slots left.
    #[inline]
    #[must_use]
    pub fn left(&self) -> u32 {
        self.slots.left()
    }
}

impl Drop for Filling<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Relaxed: the writer publishes, with release, when it is dropped after this.
        self.flow
            .store(self.slots.cursor().get(), Ordering::Relaxed);
    }
}
