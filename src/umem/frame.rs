//! The owned handle to one chunk.

use super::geometry::Geometry;
use crate::error::Error;

/// The owned handle to one chunk of a [`Umem`](super::Umem), and to the packet's bytes in it.
///
/// A frame comes from a [`FramePool`](super::FramePool), from receiving or from reaping, and goes back to a pool,
/// into the fill ring, or out by the TX ring. There is never more than one for a chunk, so a frame is
/// neither `Copy` nor `Clone`. Its bytes are reached with [`Umem::bytes`](super::Umem::bytes) and
/// [`Umem::bytes_mut`](super::Umem::bytes_mut).
///
/// Dropping a frame is safe and loses its chunk until the UMEM ends; put it into a pool instead.
#[must_use = "a dropped frame's chunk is lost until its UMEM ends: give it to a pool or a ring"]
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    address: u64,
    len: u32,
    umem: u32,
}

static_assertions::assert_eq_size!(Frame, [u8; 16]);
static_assertions::assert_impl_all!(Frame: Send, Sync);
static_assertions::assert_not_impl_any!(Frame: Copy, Clone, Default);

impl Frame {
    /// Mints the handle to the chunk of `address`.
    ///
    /// This is the only way in, and it is private to the crate: whoever calls it took the chunk from a
    /// pool, from the RX ring or from the completion ring (invariant I2), and checked that the bytes
    /// are inside the chunk (I4, I7).
    #[inline(always)]
    pub(crate) fn mint(geometry: &Geometry, address: u64, len: u32) -> Self {
        Self { address, len, umem: geometry.umem }
    }

    /// Mints the handle to a whole chunk, `chunk` being its first byte; as [`mint`](Self::mint).
    #[inline(always)]
    pub(crate) fn whole(geometry: &Geometry, chunk: u64) -> Self {
        Self::mint(geometry, chunk, geometry.chunk_len())
    }

    /// Ends the handle; its chunk's place is the caller's concern from here on.
    #[inline(always)]
    pub(crate) fn consume(self) -> (u64, u32) {
        (self.address, self.len)
    }

    /// The number of the frame's UMEM.
    #[inline(always)]
    pub(crate) fn umem(&self) -> u32 {
        self.umem
    }

    /// Where the packet's first byte is, in bytes from the beginning of the UMEM.
    #[inline(always)]
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The packet's length in bytes; at least 1.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Shortens the packet at its end to `len` bytes.
    ///
    /// # Errors
    /// [`OutOfBounds`] if `len` is 0 or more than the packet's length; the frame is left as it was.
    #[inline]
    pub fn truncate(&mut self, len: u32) -> Result<(), OutOfBounds> {
        if len == 0 || len > self.len {
            return Err(OutOfBounds);
        }
        self.len = len;
        Ok(())
    }

    /// Takes `bytes` off the packet's front: a header that was dealt with.
    ///
    /// # Errors
    /// [`OutOfBounds`] if nothing of the packet would be left; the frame is left as it was.
    #[inline]
    pub fn advance(&mut self, bytes: u32) -> Result<(), OutOfBounds> {
        match self.len.checked_sub(bytes) {
            None | Some(0) => Err(OutOfBounds),
            Some(len) => {
                self.address = self.address.wrapping_add(u64::from(bytes));
                self.len = len;
                Ok(())
            }
        }
    }

    /// Sets new geometry, which the caller checked to be inside the same chunk (invariant I4).
    #[inline(always)]
    pub(super) fn set(&mut self, address: u64, len: u32) {
        self.address = address;
        self.len = len;
    }
}

/// Bounds that a frame cannot have: it would be empty, or reach beyond its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfBounds;

impl std::fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&Error::OutOfBounds, f)
    }
}

impl std::error::Error for OutOfBounds {}

impl From<OutOfBounds> for Error {
    fn from(OutOfBounds: OutOfBounds) -> Self {
        Self::OutOfBounds
    }
}
