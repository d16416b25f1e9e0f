//! Batches of chunks that came back: to be passed on whole, or frames one by one.

use super::Fill;
use super::batch::{Batch, BatchFrames};
use crate::ring::RingError;
use crate::ring::transfer::Form;
use crate::umem::{ChunkPlace, Frame, FramePool};

/// A batch of chunks that came back: frames to iterate over, or to be passed on whole.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket) -> xsk::Result<()> {
/// socket.completion.reap(64)?.recycle(&mut socket.fill)?; // sent from, now to receive into
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "chunks that are not taken stay in the ring"]
pub struct CompletionBatch<'a>(pub(super) Batch<'a, u64>);

impl CompletionBatch<'_> {
    /// Puts the chunks into `pool`; returns how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn reclaim(self, pool: &mut FramePool) -> u32 {
        self.0.move_to_pool(pool, move |checker, form, address| {
            checker.accept_chunk(form, address, ChunkPlace::Sending, ChunkPlace::Pool)
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
        self.0.move_to_ring(&mut fill.ring, &fill.checker, move |checker, form, address| {
            checker.accept_chunk(form, address, ChunkPlace::Sending, ChunkPlace::Receiving)
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
/// others for the next [`Completion::reap`](super::Completion::reap).
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
            let form = Form::Either;
            let address =
                checker.accept_chunk(form, address, ChunkPlace::Sending, ChunkPlace::User)?;
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
