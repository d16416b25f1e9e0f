//! The completion ring and its batches: chunks whose packets were sent.

use super::Fill;
use super::batch::{Batch, BatchFrames};
use super::inner::Inner;
use crate::ring::{AtomicU32, Consumer, Diagnosis, Index, Memory, RingError, RingKind, Suspect};
use crate::umem::{Checker, ChunkPlace, Frame, FramePool};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The completion ring: chunks whose packets were sent.
///
/// The kernel sends nothing while this ring is full: reap before sending.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let reaped = socket.completion.reap_into(pool, 64)?;
/// println!("{reaped} packets are sent");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_UMEM_COMPLETION_RING")]
pub struct Completion {
    ring: Consumer<u64>,
    checker: Checker,
    /// How many descriptors were ever given to the kernel to send (I7).
    sent: Arc<AtomicU32>,
    inner: Arc<Inner>,
}

impl Completion {
    pub(crate) fn new(memory: Memory<u64>, inner: Arc<Inner>) -> Self {
        Self {
            ring: Consumer::new(RingKind::Completion, memory),
            checker: inner.pool.umem.checker(),
            sent: Arc::clone(&inner.pool.given.sent),
            inner,
        }
    }

    /// Returns the chunks that came back, `count` at the most, as an iterator of frames or to be
    /// passed on whole. A frame spans its whole chunk: the packet's bounds are not kept.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules. One in an entry is found
    /// while the batch is taken: it ends the batch there, nothing is made of it, and the *next*
    /// call returns it, once.
    #[inline(always)]
    #[doc(alias = "xsk_ring_cons__peek")]
    pub fn reap(&mut self, count: u32) -> Result<CompletionBatch<'_>, RingError> {
        let Self { ring, checker, sent, .. } = self;
        // Relaxed: the kernel's index, read with acquire just before, came after what was sent.
        let most_allowed = || Index::new(sent.load(Ordering::Relaxed));
        let error = |ring: &mut _, suspect| error(ring, checker, suspect);
        Ok(CompletionBatch(Batch::new(ring.peek(count, most_allowed, error)?, checker)))
    }

    /// Puts up to `count` chunks that came back into `pool`; returns how many.
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

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

#[cold]
#[inline(never)]
fn error(completion: &mut Consumer<u64>, checker: &Checker, suspect: Suspect) -> Option<RingError> {
    let ring = RingKind::Completion;
    Some(match completion.diagnose(suspect) {
        Diagnosis::Index(error) => error,
        Diagnosis::Entry(address) if checker.geometry.contains(address) => {
            RingError::DuplicateChunk { ring, address }
        }
        Diagnosis::Entry(address) => RingError::BadEntry { ring, address, len: 0, options: 0 },
    })
}

impl AsFd for Completion {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl AsRawFd for Completion {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// A batch of chunks that came back: frames to iterate over, or to be passed on whole.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket) -> xsk::Result<()> {
/// socket.completion.reap(64)?.recycle(&mut socket.fill)?; // sent from, now to receive into
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "chunks that are not taken stay in the ring"]
pub struct CompletionBatch<'a>(Batch<'a, u64>);

impl CompletionBatch<'_> {
    /// Puts as many of the chunks into `pool` as it has room for; returns how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn reclaim(self, pool: &mut FramePool) -> u32 {
        self.0.move_to_pool(pool, move |checker, address| {
            checker.accept_chunk(address, ChunkPlace::Sending, ChunkPlace::Pool)
        })
    }

    /// Gives as many of the chunks to the fill ring as it has room for; returns how many. The rest
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
        self.0.move_to_ring(&mut fill.ring, &fill.checker, move |checker, address| {
            checker.accept_chunk(address, ChunkPlace::Sending, ChunkPlace::Receiving)
        })
    }

    /// Returns the number of chunks in the batch.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no chunk.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> IntoIterator for CompletionBatch<'a> {
    type Item = Frame;
    type IntoIter = CompletionFrames<'a>;

    #[inline(always)]
    fn into_iter(self) -> CompletionFrames<'a> {
        CompletionFrames(self.0.frames())
    }
}

/// The frames of a batch of chunks that came back, each over its whole chunk; made by iterating
/// over a [`CompletionBatch`].
///
/// Dropping it gives the slots of the frames that were taken back to the kernel and leaves the
/// others for the next [`Completion::reap`].
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// pool.extend(socket.completion.reap(64)?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct CompletionFrames<'a>(BatchFrames<'a, u64>);

impl CompletionFrames<'_> {
    /// Returns how many chunks are left to take.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.0.remaining()
    }
}

impl Iterator for CompletionFrames<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        self.0.next(|checker, address| {
            let address = checker.accept_chunk(address, ChunkPlace::Sending, ChunkPlace::User)?;
            let geometry = &checker.geometry;
            // A completion names an address in the chunk that was sent, not the chunk (I9).
            Some(Frame::whole(geometry, geometry.chunk(address)))
        })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
