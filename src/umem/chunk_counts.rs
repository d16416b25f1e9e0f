//! Counts of the chunks at each place.

/// How many chunks are at each [`ChunkPlace`](super::ChunkPlace).
///
/// ```
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let frame = pool.take().ok_or("the pool is empty")?;
/// if let Some(counts) = umem.chunk_counts() {
///     assert_eq!((counts.pool, counts.user, counts.lost), (15, 1, 0));
/// }
/// pool.put(frame);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkCounts {
    /// Chunks in pools.
    pub pool: usize,
    /// Chunks in the user's hands.
    pub user: usize,
    /// Chunks in the fill ring, in the kernel or in the RX ring.
    pub receiving: usize,
    /// Chunks in the TX ring, in the kernel or in the completion ring.
    pub sending: usize,
    /// Chunks whose frame or pool was dropped.
    pub lost: usize,
}
