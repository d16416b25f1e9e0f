//! Chunks on their way back, their packets sent.
#![allow(unsafe_code, reason = "whole batches, whose size is agreed here")]

use super::Fill;
use super::inner::Inner;
use crate::num::usize32;
use crate::ring::transfer::transfer;
use crate::ring::{
    AtomicU32, Consumer, Diagnosis, Index, Memory, Reader, RingError, RingKind, Suspect,
};
use crate::umem::{Checker, ChunkPlace, Frame, FramePool};
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
    checker: Checker,
    /// How many descriptors were ever given to the kernel to send.
    sent: Arc<AtomicU32>,
    inner: Arc<Inner>,
}

impl Completion {
    pub(crate) fn new(memory: Memory<u64>, inner: Arc<Inner>) -> Self {
        Self {
            ring: Consumer::new(RingKind::Completion, memory),
            checker: inner.umem.checker(),
            sent: Arc::clone(&inner.counts.sent),
            inner,
        }
    }

    /// The chunks that came back, `count` at the most, as an iterator of frames or to be passed on
    /// whole. A frame spans its whole chunk: what the packet was is over.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules. One in an entry is found while the
    /// batch is taken: it ends the batch there, nothing is made of it, and the *next* call answers with
    /// it, once.
    #[inline(always)]
    pub fn reap(&mut self, count: u32) -> Result<CompletionBatch<'_>, RingError> {
        // Relaxed: the kernel's index, read with acquire just before, came after what was sent.
        let most_allowed = || Index::new(self.sent.load(Ordering::Relaxed));
        match self.ring.available(count, most_allowed) {
            Ok(count) => Ok(CompletionBatch { from: self, count }),
            Err(suspect) => Err(RingError::expect_fault(self.fault(suspect))),
        }
    }

    #[cold]
    #[inline(never)]
    fn fault(&mut self, suspect: Suspect) -> Option<RingError> {
        let ring = RingKind::Completion;
        Some(match self.ring.diagnose(suspect) {
            Diagnosis::Index(fault) => fault,
            Diagnosis::Entry(address) if self.checker.geometry.contains(address) => {
                RingError::DuplicateChunk { ring, address }
            }
            Diagnosis::Entry(address) => RingError::BadEntry { ring, address, len: 0, options: 0 },
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
    pub fn reap_into(&mut self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        Ok(self.reap(count)?.reclaim(pool))
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

impl AsFd for Completion {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// A batch of chunks that came back: frames to iterate over, or to be passed on whole.
#[derive(Debug)]
#[must_use = "chunks that are not taken stay in the ring"]
pub struct CompletionBatch<'a> {
    from: &'a mut Completion,
    count: u32,
}

impl CompletionBatch<'_> {
    /// Puts the chunks into `pool`; answers how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn reclaim(self, pool: &mut FramePool) -> u32 {
        let Self { from, count } = self;
        pool.geometry().assert_same_umem(from.checker.geometry.umem);
        let (to, count) = pool.vacant(count);
        let checker = &from.checker;
        // SAFETY: `available` said that `count` entries are there, `vacant` that so many slots are; both
        // ends are exclusively borrowed since.
        unsafe {
            transfer(&mut from.ring, to, count, move |address| {
                checker
                    .accept_chunk(address, ChunkPlace::Sending, ChunkPlace::Pool)
                    .then(|| checker.geometry.chunk(address))
            })
        }
    }

    /// Gives as many of the chunks to the fill ring as it has room for; answers how many. The rest
    /// stays in the completion ring.
    ///
    /// # Errors
    /// A [`RingError`] of the fill ring.
    ///
    /// # Panics
    /// If `fill` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn recycle(self, fill: &mut Fill) -> Result<u32, RingError> {
        let Self { from, count } = self;
        fill.checker.assert_same_umem(from.checker.geometry.umem);
        let count = fill.ring.free(count)?;
        let checker = &from.checker;
        // SAFETY: `available` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer(&mut from.ring, &mut fill.ring, count, move |address| {
                checker
                    .accept_chunk(address, ChunkPlace::Sending, ChunkPlace::Receiving)
                    .then_some(address)
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

impl<'a> IntoIterator for CompletionBatch<'a> {
    type Item = Frame;
    type IntoIter = CompletionFrames<'a>;

    #[inline(always)]
    fn into_iter(self) -> CompletionFrames<'a> {
        CompletionFrames { entries: self.from.ring.read(self.count), checker: &self.from.checker }
    }
}

/// The frames of a batch of chunks that came back; each spans its whole chunk.
///
/// Dropping it gives the slots of the frames that were taken back to the kernel and leaves the others
/// for the next [`Completion::reap`].
#[derive(Debug)]
pub struct CompletionFrames<'a> {
    entries: Reader<'a, u64>,
    checker: &'a Checker,
}

impl Iterator for CompletionFrames<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        let address = self.entries.take()?;
        let Checker { geometry, .. } = self.checker;
        if !self.checker.accept_chunk(address, ChunkPlace::Sending, ChunkPlace::User) {
            self.entries.refuse(address);
            return None;
        }
        // A completion names an address in the chunk that was sent, not the chunk (I9).
        Some(Frame::whole(geometry, geometry.chunk(address)))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize32(self.entries.remaining())))
    }
}
