//! Where the chunks are, and how many are lost.

use super::{ChunkCounts, ChunkPlace, Umem};
use std::backtrace::Backtrace;

impl Umem {
    /// Returns how many chunks are where, as the ledger knows: in debug builds and with feature
    /// `ledger`; `None` without it.
    #[must_use]
    pub fn chunk_counts(&self) -> Option<ChunkCounts> {
        self.shared.ledger.chunk_counts()
    }

    /// Returns the place of every chunk, in the order of addresses, as
    /// [`chunk_counts`](Self::chunk_counts) counts them.
    #[must_use]
    pub fn chunk_places(&self) -> Option<Vec<ChunkPlace>> {
        self.shared.ledger.chunk_places()
    }

    /// Returns how many chunks were lost because a [`Frame`](super::Frame) or
    /// [`FramePool`](super::FramePool) with them was dropped, in all builds. They are out of use
    /// until the UMEM ends: a program that loses one now and then receives nothing after the last one.
    ///
    /// Not counted: frames that `std::mem::forget` was given; what was in the rings of a closed
    /// socket; and, without the ledger, the frame that the closure of
    /// [`RxBatch::recycle_each`](crate::RxBatch::recycle_each) had when it panicked. With more than
    /// 4096 UMEMs at a time, some share a count; and a frame that outlives its UMEM may be counted
    /// for one that was made 4096 UMEMs later.
    ///
    /// ```
    /// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
    /// drop(pool.take());
    /// assert_eq!(umem.lost_chunks(), 1);
    /// drop(pool);
    /// assert_eq!(umem.lost_chunks(), 16);
    /// # Ok::<(), xsk::Error>(())
    /// ```
    #[must_use]
    pub fn lost_chunks(&self) -> u32 {
        self.shared.loss_count.chunks()
    }

    /// Returns where the first of the [`lost_chunks`](Self::lost_chunks) was lost: in debug builds
    /// and with feature `ledger`, if the environment asks for backtraces (`RUST_BACKTRACE=1`, see
    /// [`std::backtrace`]); otherwise `None`.
    ///
    /// ```
    /// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
    /// drop(pool.take());
    /// if let Some(backtrace) = umem.first_loss() {
    ///     eprintln!("{} chunks lost, the first one here:\n{backtrace}", umem.lost_chunks());
    /// }
    /// # Ok::<(), xsk::Error>(())
    /// ```
    #[must_use]
    pub fn first_loss(&self) -> Option<&Backtrace> {
        self.shared.loss_record.first()
    }
}
