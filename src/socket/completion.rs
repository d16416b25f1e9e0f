//! Chunks on their way back, their packets sent.

use super::Fill;
use super::core::Core;
use crate::ring::{Consumer, Fault, Index, Kind, Memory, Reader, transfer};
use crate::umem::{Bounds, Frame, Ledger, Place, Pool};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The completion ring: chunks whose packets were sent.
///
/// The kernel sends nothing while this ring is full: reap before sending.
#[derive(Debug)]
#[doc(alias = "XDP_UMEM_COMPLETION_RING")]
pub struct Completion {
    ring: Consumer<u64>,
    bounds: Bounds,
    ledger: Ledger,
    origin: Index,
    fault: Option<Fault>,
    core: Arc<Core>,
}

impl Completion {
    pub(crate) fn new(memory: Memory<u64>, core: Arc<Core>) -> Self {
        let ring = Consumer::new(Kind::Completion, memory);
        let (bounds, ledger) = (*core.umem.bounds(), core.umem.ledger().clone());
        Self { origin: ring.cursor, ring, bounds, ledger, fault: None, core }
    }

    /// The chunks that came back, `count` at the most, as an iterator of frames or to be passed on
    /// whole. A frame spans its whole chunk: what the packet was is over.
    ///
    /// # Errors
    /// A [`Fault`] if the kernel's side of the ring breaks the rules. One in an entry is found while the
    /// batch is taken: it ends the batch there, nothing is made of it, and the *next* call answers with
    /// it, once.
    #[inline(always)]
    pub fn reap(&mut self, count: u32) -> Result<Reaped<'_>, Fault> {
        if self.fault.is_some() {
            return Err(self.take_fault());
        }
        let (core, origin) = (&self.core, self.origin);
        let count = self.ring.available(count, |at| {
            // Relaxed: the kernel's index, read with acquire just before, came after what was sent.
            let sent = core.flow.sent.load(Ordering::Relaxed);
            sent.wrapping_sub(at.distance_from(origin))
        })?;
        let entries = self.ring.read(count);
        Ok(Reaped { entries, bounds: self.bounds, ledger: &self.ledger, fault: &mut self.fault })
    }

    #[cold]
    fn take_fault(&mut self) -> Fault {
        let nothing = Fault::Index { ring: Kind::Completion, distance: 0, size: 0 };
        self.fault.take().unwrap_or(nothing)
    }

    /// Puts up to `count` chunks that came back into `pool`; answers how many.
    ///
    /// # Errors
    /// As [`reap`](Self::reap).
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    #[doc(alias = "xsk_ring_cons__comp_addr")]
    pub fn reap_into(&mut self, pool: &mut Pool, count: u32) -> Result<u32, Fault> {
        Ok(self.reap(count)?.into_pool(pool))
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.ring.memory().size()
    }
}

impl AsFd for Completion {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.core.as_fd()
    }
}

/// A batch of chunks that came back.
#[derive(Debug)]
#[must_use = "chunks that are not taken stay in the ring"]
pub struct Reaped<'a> {
    entries: Reader<'a, u64>,
    bounds: Bounds,
    ledger: &'a Ledger,
    fault: &'a mut Option<Fault>,
}

impl Reaped<'_> {
    /// Puts the chunks into `pool`; answers how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn into_pool(mut self, pool: &mut Pool) -> u32 {
        let (bounds, ledger) = (self.bounds, self.ledger);
        pool.bounds().same(bounds.umem);
        let (ring, there) = self.entries.rest();
        pool.make_room(there);
        let room = pool.vacant().get_mut(..crate::num::usize32(there)).unwrap_or_default();
        let moved = transfer::ring_to_slice(ring, room, |address| {
            let good = bounds.contains(address)
                && ledger.moved(&bounds, address, Place::Sending, Place::Pool);
            good.then_some(bounds.chunk(address))
        });
        pool.add_top(moved.count);
        self.note(moved.refused);
        moved.count
    }

    /// Gives as many of the chunks to the fill ring as it has room for; answers how many. The rest
    /// stays in the completion ring.
    ///
    /// # Errors
    /// A [`Fault`] of the fill ring.
    ///
    /// # Panics
    /// If `fill` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn into_fill(mut self, fill: &mut Fill) -> Result<u32, Fault> {
        let (bounds, ledger) = (self.bounds, self.ledger);
        fill.bounds.same(bounds.umem);
        let (ring, there) = self.entries.rest();
        let count = fill.ring.free(there)?;
        let moved = transfer::ring_to_ring(ring, &mut fill.ring, count, |address| {
            let good = bounds.contains(address)
                && ledger.moved(&bounds, address, Place::Sending, Place::Receiving);
            good.then_some(address)
        });
        fill.publish();
        self.note(moved.refused);
        Ok(moved.count)
    }

    #[inline(always)]
    fn note(&mut self, refused: Option<u64>) {
        if let Some(address) = refused {
            *self.fault = Some(entry_fault(&self.bounds, address));
        }
    }

    /// Chunks not taken yet.
    #[inline]
    #[must_use]
    pub fn len(&self) -> u32 {
        self.entries.left()
    }

    /// Whether there is none left.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Iterator for Reaped<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        let address = self.entries.take()?;
        let good = self.bounds.contains(address)
            && self.ledger.moved(&self.bounds, address, Place::Sending, Place::User);
        if !good {
            self.note(Some(address));
            self.entries.stop();
            return None;
        }
        // A completion names an address in the chunk that was sent, not the chunk (I9).
        let len = u32::try_from(self.bounds.chunk_size()).unwrap_or(u32::MAX);
        Some(Frame::mint(&self.bounds, self.bounds.chunk(address), len))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(crate::num::usize32(self.entries.left())))
    }
}

#[cold]
#[inline(never)]
fn entry_fault(bounds: &Bounds, address: u64) -> Fault {
    let ring = Kind::Completion;
    if bounds.contains(address) {
        return Fault::Repeated { ring, address };
    }
    Fault::Entry { ring, address, len: 0, options: 0 }
}
