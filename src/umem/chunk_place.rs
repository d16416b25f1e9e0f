//! The places where a chunk can be.

/// Where a chunk is.
///
/// ```
/// use xsk::umem::ChunkPlace;
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let frame = pool.take().ok_or("the pool is empty")?;
/// if let Some(places) = umem.chunk_places() {
///     assert_eq!((places[0], places[1]), (ChunkPlace::User, ChunkPlace::Pool));
/// }
/// pool.put(frame);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ChunkPlace {
    /// In a pool.
    Pool = 0,
    /// In the user's hands, as a frame.
    User = 1,
    /// Given for receiving: in the fill ring, in the kernel or in the RX ring.
    Receiving = 2,
    /// Given for sending: in the TX ring, in the kernel or in the completion ring.
    Sending = 3,
    /// Lost: its frame or pool was dropped.
    Lost = 4,
}
