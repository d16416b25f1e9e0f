//! Chunks on their way back, their packets sent.
#![allow(unsafe_code, reason = "whole batches, whose size is agreed here")]

use super::Fill;
use super::inner::Core;
use crate::num::usize32;
use crate::ring::transfer::transfer;
use crate::ring::{AtomicU32, Claim, Consumer, Fault, Index, Kind, Memory, Reader, Wrong};
use crate::umem::{Frame, Judge, Place, Pool};
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
    judge: Judge,
    /// How many descriptors were ever given to the kernel to send.
    sent: Arc<AtomicU32>,
    core: Arc<Core>,
}

impl Completion {
    pub(crate) fn new(memory: Memory<u64>, core: Arc<Core>) -> Self {
        Self {
            ring: Consumer::new(Kind::Completion, memory),
            judge: core.umem.judge(),
            sent: Arc::clone(&core.flow.sent),
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
        // Relaxed: the kernel's index, read with acquire just before, came after what was sent.
        let granted = || Index::new(self.sent.load(Ordering::Relaxed));
        match self.ring.available(count, granted) {
            Ok(count) => Ok(Reaped { from: self, count }),
            Err(claim) => Err(Fault::certain(self.fault(claim))),
        }
    }

    #[cold]
    #[inline(never)]
    fn fault(&mut self, claim: Claim) -> Option<Fault> {
        let ring = Kind::Completion;
        Some(match self.ring.wrong(claim) {
            Wrong::Index(fault) => fault,
            Wrong::Entry(address) if self.judge.bounds.contains(address) => {
                Fault::Repeated { ring, address }
            }
            Wrong::Entry(address) => Fault::Entry { ring, address, len: 0, options: 0 },
        })
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
    from: &'a mut Completion,
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
        let Self { from, count } = self;
        pool.bounds().same(from.judge.bounds.umem);
        let (to, count) = pool.vacant(count);
        let judge = &from.judge;
        // SAFETY: `available` said that `count` entries are there, `vacant` that so many slots are; both
        // ends are exclusively borrowed since.
        unsafe {
            transfer(&mut from.ring, to, count, move |address| {
                judge
                    .arrived(address, Place::Sending, Place::Pool)
                    .then(|| judge.bounds.chunk(address))
            })
        }
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
        let Self { from, count } = self;
        fill.judge.same(from.judge.bounds.umem);
        let count = fill.ring.free(count)?;
        let judge = &from.judge;
        // SAFETY: `available` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer(&mut from.ring, &mut fill.ring, count, move |address| {
                judge.arrived(address, Place::Sending, Place::Receiving).then_some(address)
            })
        };
        Ok(moved)
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
        ReapedFrames { entries: self.from.ring.read(self.count), judge: &self.from.judge }
    }
}

/// The frames of a batch of chunks that came back; each spans its whole chunk.
///
/// Dropping it gives the slots of the frames that were taken back to the kernel and leaves the others
/// for the next [`Completion::reap`].
#[derive(Debug)]
pub struct ReapedFrames<'a> {
    entries: Reader<'a, u64>,
    judge: &'a Judge,
}

impl Iterator for ReapedFrames<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        let address = self.entries.take()?;
        let Judge { bounds, .. } = self.judge;
        if !self.judge.arrived(address, Place::Sending, Place::User) {
            self.entries.refuse(address);
            return None;
        }
        // A completion names an address in the chunk that was sent, not the chunk (I9).
        Some(Frame::whole(bounds, bounds.chunk(address)))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize32(self.entries.left())))
    }
}
