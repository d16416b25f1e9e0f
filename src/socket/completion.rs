//! Chunks on their way back, their packets sent.

use super::Fill;
use super::core::Core;
use crate::num::usize32;
use crate::ring::transfer::{self, Refused};
use crate::ring::{Consumer, Fault, Index, Kind, Memory, Reader};
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
    /// An entry that was refused, for the next call to answer with.
    refused: Option<u64>,
    core: Arc<Core>,
}

impl Completion {
    pub(crate) fn new(memory: Memory<u64>, core: Arc<Core>) -> Self {
        let ring = Consumer::new(Kind::Completion, memory);
        let (bounds, ledger) = (*core.umem.bounds(), core.umem.ledger().clone());
        Self {
            ring,
            bounds,
            ledger,
            refused: None,
            core,
        }
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
        if let Some(address) = self.refused.take() {
            return Err(fault(&self.bounds, address));
        }
        // Relaxed: the kernel's index, read with acquire just before, came after what was sent.
        let core = &self.core;
        let granted = || Index::new(core.flow.sent.load(Ordering::Relaxed));
        let count = self.ring.available(count, granted)?;
        Ok(Reaped { ring: self, count })
    }

    /// Gives the slots of a bulk operation back; answers how many entries it moved.
    #[inline(always)]
    fn taken(&mut self, moved: Result<(), Refused<u64>>, count: u32) -> u32 {
        let count = match moved {
            Ok(()) => count,
            Err(refused) => {
                self.refused = Some(refused.entry);
                refused.count
            }
        };
        self.ring.release();
        count
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

/// A batch of chunks that came back: frames to iterate over, or to be passed on whole.
#[derive(Debug)]
#[must_use = "chunks that are not taken stay in the ring"]
pub struct Reaped<'a> {
    ring: &'a mut Completion,
    count: u32,
}

impl Reaped<'_> {
    /// Puts the chunks into `pool`; answers how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn into_pool(self, pool: &mut Pool) -> u32 {
        let Self { ring, count } = self;
        pool.bounds().same(ring.bounds.umem);
        let (bounds, ledger) = (ring.bounds, &ring.ledger);
        let moved = transfer::ring_to_slice(&mut ring.ring, pool.room(count), |address| {
            let good = bounds.contains(address)
                && ledger.moved(&bounds, address, Place::Sending, Place::Pool);
            good.then_some(bounds.chunk(address))
        });
        let count = ring.taken(moved, count);
        pool.add_top(count);
        count
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
    pub fn into_fill(self, fill: &mut Fill) -> Result<u32, Fault> {
        let Self { ring, count } = self;
        fill.bounds.same(ring.bounds.umem);
        let count = fill.ring.free(count)?;
        let (bounds, ledger) = (ring.bounds, &ring.ledger);
        let moved = transfer::ring_to_ring(&mut ring.ring, &mut fill.ring, count, |address| {
            let good = bounds.contains(address)
                && ledger.moved(&bounds, address, Place::Sending, Place::Receiving);
            good.then_some(address)
        });
        fill.publish();
        Ok(ring.taken(moved, count))
    }

    /// Chunks in the batch.
    #[inline]
    #[must_use]
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> IntoIterator for Reaped<'a> {
    type Item = Frame;
    type IntoIter = ReapedFrames<'a>;

    #[inline(always)]
    fn into_iter(self) -> ReapedFrames<'a> {
        let Completion {
            ring,
            bounds,
            ledger,
            refused,
            ..
        } = self.ring;
        ReapedFrames {
            entries: ring.read(self.count),
            bounds,
            ledger,
            refused,
        }
    }
}

/// The frames of a batch of chunks that came back; each spans its whole chunk.
///
/// Dropping it gives the slots of the frames that were taken back to the kernel and leaves the others
/// for the next [`Completion::reap`].
#[derive(Debug)]
pub struct ReapedFrames<'a> {
    entries: Reader<'a, u64>,
    bounds: &'a Bounds,
    ledger: &'a Ledger,
    refused: &'a mut Option<u64>,
}

impl Iterator for ReapedFrames<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        let address = self.entries.take()?;
        let good = self.bounds.contains(address)
            && self
                .ledger
                .moved(self.bounds, address, Place::Sending, Place::User);
        if !good {
            *self.refused = Some(address);
            self.entries.stop();
            return None;
        }
        // A completion names an address in the chunk that was sent, not the chunk (I9).
        let len = u32::try_from(self.bounds.chunk_size()).unwrap_or(u32::MAX);
        Some(Frame::mint(self.bounds, self.bounds.chunk(address), len))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize32(self.entries.left())))
    }
}

#[cold]
#[inline(never)]
fn fault(bounds: &Bounds, address: u64) -> Fault {
    let ring = Kind::Completion;
    if bounds.contains(address) {
        Fault::Repeated { ring, address }
    } else {
        Fault::Entry {
            ring,
            address,
            len: 0,
            options: 0,
        }
    }
}
