//! The owned handle to one chunk.

use super::chunk_place::ChunkPlace;
use super::geometry::Geometry;
use super::grid;
use super::losses::record_lost;
use super::number::{count_lost, is_unaligned};
use crate::error::Error;
use std::mem::ManuallyDrop;

/// The owned handle to one chunk of a [`Umem`](super::Umem), and to the packet's bytes in it.
///
/// A frame comes from a [`FramePool`](super::FramePool), from receiving or from reaping, and goes
/// back to a pool, into the fill ring, or out by the TX ring. There is never more than one for a
/// chunk, so a frame is neither `Copy` nor `Clone`, and no two are equal. Its bytes are reached
/// with [`Umem::bytes`](super::Umem::bytes) and [`Umem::bytes_mut`](super::Umem::bytes_mut).
///
/// Dropping a frame is safe and loses its chunk until the UMEM ends; put it into a pool instead.
/// [`Umem::lost_chunks`](super::Umem::lost_chunks) counts such chunks.
///
/// ```
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let mut frame = pool.take().ok_or("the pool is empty")?;
/// umem.write(&mut frame, b"headerpayload")?;
/// frame.advance(6)?; // a header that was dealt with
/// assert_eq!(umem.bytes(&frame), b"payload");
/// frame.truncate(3)?;
/// assert_eq!(umem.bytes(&frame), b"pay");
/// pool.put(frame);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a dropped frame's chunk is lost until its UMEM ends: give it to a pool or a ring"]
#[derive(Debug)]
pub struct Frame {
    /// Where the packet begins, in the form that the kernel has for the UMEM's chunks.
    address: u64,
    len: u32,
    umem: u32,
}

static_assertions::assert_eq_size!(Frame, [u8; 16]);
static_assertions::assert_impl_all!(Frame: Send, Sync);
static_assertions::assert_not_impl_any!(Frame: Copy, Clone, Default, PartialEq);

impl Frame {
    /// Makes the handle to the chunk of `address`.
    ///
    /// This is the only constructor, and it is private to the crate: its caller took the chunk from
    /// a pool, from the RX ring or from the completion ring (invariant I2), and checked that the
    /// bytes are inside the chunk (I4, I7).
    #[inline(always)]
    pub(crate) fn new(geometry: &Geometry, address: u64, len: u32) -> Self {
        Self { address, len, umem: geometry.umem }
    }

    /// Makes the handle to a whole chunk, `chunk` being its first byte; as [`new`](Self::new).
    #[inline(always)]
    pub(crate) fn whole(geometry: &Geometry, chunk: u64) -> Self {
        Self::new(geometry, geometry.first_usable(chunk), geometry.usable_len())
    }

    /// Ends the handle and returns its address and length; its chunk belongs to the caller from
    /// here on.
    #[inline(always)]
    pub(crate) fn consume(self) -> (u64, u32) {
        let frame = ManuallyDrop::new(self);
        (frame.address, frame.len)
    }

    /// Returns the number of the frame's UMEM.
    #[inline(always)]
    pub(crate) fn umem(&self) -> u32 {
        self.umem
    }

    /// Returns where the packet's first byte is, in bytes from the beginning of the UMEM.
    #[inline(always)]
    #[must_use]
    pub fn address(&self) -> u64 {
        grid::plain(self.address)
    }

    /// Returns where the packet's first byte is, in the kernel's form.
    #[inline(always)]
    pub(crate) fn kernel_address(&self) -> u64 {
        self.address
    }

    /// Returns the packet's length in bytes; at least 1.
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
    #[doc(alias = "bpf_xdp_adjust_tail")]
    #[doc(alias = "skb_trim")]
    pub fn truncate(&mut self, len: u32) -> Result<(), OutOfBounds> {
        if len == 0 || len > self.len {
            return Err(OutOfBounds);
        }
        self.len = len;
        Ok(())
    }

    /// Takes `bytes` off the packet's front: a header that was dealt with. To put bytes before it:
    /// [`Umem::grow_front`](super::Umem::grow_front).
    ///
    /// # Errors
    /// [`OutOfBounds`] if nothing of the packet would be left; the frame is left as it was.
    #[inline]
    #[doc(alias = "bpf_xdp_adjust_head")]
    #[doc(alias = "skb_pull")]
    pub fn advance(&mut self, bytes: u32) -> Result<(), OutOfBounds> {
        match self.len.checked_sub(bytes) {
            None | Some(0) => Err(OutOfBounds),
            Some(len) => {
                let bytes = u64::from(bytes);
                self.address = if is_unaligned(self.umem) {
                    grid::behind(self.address, bytes)
                } else {
                    self.address.wrapping_add(bytes)
                };
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

impl Drop for Frame {
    /// Counts the chunk as lost; one that was given to a pool or a ring does not come here.
    #[inline(always)]
    fn drop(&mut self) {
        // No call, and nothing but the number: a loop that can panic with a frame in hand keeps
        // what this needs in a register.
        count_lost(self.umem, 1);
        record_lost(self.umem, ChunkPlace::User, [self.address]);
    }
}

/// A frame that is lent to the user's code. Its chunk is counted as lost if that panics, but only
/// where the ledger is: elsewhere the loop has no code for it.
#[derive(Debug)]
pub(crate) struct LentFrame(ManuallyDrop<Frame>);

impl LentFrame {
    #[inline(always)]
    pub(crate) fn new(frame: Frame) -> Self {
        Self(ManuallyDrop::new(frame))
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self) -> &mut Frame {
        &mut self.0
    }

    /// Returns the frame, or the one that it was exchanged for.
    #[inline(always)]
    pub(crate) fn take_back(self) -> Frame {
        let lent = ManuallyDrop::new(self);
        let (address, len, umem) = (lent.0.address, lent.0.len, lent.0.umem);
        Frame { address, len, umem }
    }
}

#[cfg(any(debug_assertions, feature = "ledger"))]
impl Drop for LentFrame {
    fn drop(&mut self) {
        count_lost(self.0.umem, 1);
        record_lost(self.0.umem, ChunkPlace::User, [self.0.address]);
    }
}

/// The error of bounds that a frame cannot have: it would be empty, or reach beyond its chunk.
///
/// ```
/// use xsk::umem::OutOfBounds;
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).chunk_size(2048).build()?;
/// let mut frame = pool.take().ok_or("the pool is empty")?;
/// assert_eq!(umem.set_len(&mut frame, 2049), Err(OutOfBounds));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
