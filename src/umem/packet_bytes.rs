//! The bytes of a packet whose frames lie apart.

use super::frame::Frame;
use super::{FramePool, Packet, Umem};
use crate::error::{Error, Result};
use crate::num::{u64_of, usize32};
use std::io::{IoSlice, Read};

/// The bytes of a packet, frame after frame; made by [`Umem::packet_bytes`].
///
/// It can be read as a whole ([`copy_to`](Self::copy_to), [`to_vec`](Self::to_vec)), as slices
/// ([`slices`](Self::slices), [`io_slices`](Self::io_slices) for `writev(2)`), or from front to back:
/// with [`Read`], or with [`chunk`](Self::chunk) and [`advance`](Self::advance), which work as those
/// of `bytes::Buf`. All of them begin where it is.
///
/// ```
/// use std::io::{Read, Write};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).chunk_size(2048).build()?;
/// let mut packet = pool.take_packet(3000).ok_or("the pool has too few chunks")?;
/// umem.write_packet(packet.frames_mut(), &[7; 3000])?;
///
/// let mut bytes = umem.packet_bytes(packet.frames());
/// let mut header = [0; 14];
/// bytes.read_exact(&mut header)?;
/// assert_eq!((bytes.remaining(), bytes.chunk().len()), (2986, 2034));
/// let slices: Vec<_> = bytes.io_slices().collect();
/// assert_eq!(std::io::sink().write_vectored(&slices)?, 2986);
/// pool.extend(packet);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PacketBytes<'a> {
    umem: &'a Umem,
    frames: &'a [Frame],
    /// Bytes of the first frame that are behind.
    at: usize,
}

impl Umem {
    /// Returns the bytes of a packet's frames ([`Packet::frames`]), to be read.
    ///
    /// # Panics
    /// What it returns panics where it comes to a frame of another UMEM.
    #[inline]
    #[must_use]
    pub fn packet_bytes<'a>(&'a self, frames: &'a [Frame]) -> PacketBytes<'a> {
        PacketBytes { umem: self, frames, at: 0 }
    }

    /// Writes `bytes` into the frames of a packet, one after the other.
    ///
    /// # Errors
    /// [`Error::Setting`] if the packet is not as long as `bytes` ([`FramePool::take_packet`] makes one
    /// of a given length); nothing is written.
    ///
    /// # Panics
    /// If a frame is of another UMEM; what comes before it is written.
    #[track_caller]
    pub fn write_packet(&self, frames: &mut [Frame], bytes: &[u8]) -> Result<()> {
        let wrong_length = || Error::Setting {
            name: "number of bytes to write",
            value: u64_of(bytes.len()),
            rule: "is the packet's length (`Packet::len`): `FramePool::take_packet` takes one of a \
                given length",
        };
        let len: u64 = frames.iter().map(|frame| u64::from(frame.len())).sum();
        if len != u64_of(bytes.len()) {
            return Err(wrong_length());
        }
        let mut rest = bytes;
        for frame in frames {
            let to = self.bytes_mut(frame);
            let (part, behind) = rest.split_at_checked(to.len()).ok_or_else(wrong_length)?;
            to.copy_from_slice(part);
            rest = behind;
        }
        Ok(())
    }
}

impl Umem {
    /// Returns how many frames a packet of `len` bytes takes that is made here
    /// ([`FramePool::take_packet`]): its chunks, and its entries in the TX and the completion ring.
    ///
    /// A received one can take more: in each of its chunks the kernel leaves up to 256 bytes and the
    /// headroom free.
    #[must_use]
    pub fn frames_for(&self, len: u64) -> u64 {
        len.div_ceil(self.geometry().usable_len().into())
    }
}

impl FramePool {
    /// Takes as many frames as a packet of `len` bytes needs, all of them whole chunks but the last;
    /// `None`, and takes none, if the pool has fewer, or if `len` is 0. What is in them is undefined.
    pub fn take_packet(&mut self, len: u64) -> Option<Packet> {
        let count = len.div_ceil(self.geometry().usable_len().into());
        if count == 0 || count > u64_of(self.len()) {
            return None;
        }
        let mut packet = Packet::empty();
        let mut left = len;
        while left > 0 {
            let mut frame = self.take()?;
            if let Ok(last) = u32::try_from(left) {
                // A longer rest than the frame leaves it whole.
                let _ = frame.truncate(last);
            }
            left = left.saturating_sub(frame.len().into());
            packet.append(frame);
        }
        Some(packet)
    }
}

impl<'a> PacketBytes<'a> {
    /// Returns how many bytes there are from here to the packet's end.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> usize {
        let all: usize = self.frames.iter().map(|frame| usize32(frame.len())).sum();
        all.saturating_sub(self.at)
    }

    /// Returns the bytes from here to the end of the frame; none only at the packet's end.
    #[inline]
    #[must_use]
    pub fn chunk(&self) -> &'a [u8] {
        let first = self.frames.first().map(|frame| self.umem.bytes(frame));
        first.and_then(|bytes| bytes.get(self.at..)).unwrap_or_default()
    }

    /// Goes on by `count` bytes, or to the packet's end.
    #[inline]
    pub fn advance(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
        while let Some((first, rest)) = self.frames.split_first() {
            let Some(at) = self.at.checked_sub(usize32(first.len())) else { break };
            (self.frames, self.at) = (rest, at);
        }
        if self.frames.is_empty() {
            self.at = 0;
        }
    }

    /// Returns the bytes from here on, a slice for each frame.
    pub fn slices(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut bytes = self.clone();
        std::iter::from_fn(move || {
            let chunk = bytes.chunk();
            bytes.advance(chunk.len());
            (!chunk.is_empty()).then_some(chunk)
        })
    }

    /// As [`slices`](Self::slices), in the form that `writev(2)` takes
    /// ([`write_vectored`](std::io::Write::write_vectored)).
    pub fn io_slices(&self) -> impl Iterator<Item = IoSlice<'a>> + use<'a> {
        self.slices().map(IoSlice::new)
    }

    /// Copies the bytes from here on into `buffer`, as many as it has room for; returns how many.
    pub fn copy_to(&self, buffer: &mut [u8]) -> usize {
        let mut left = buffer;
        let mut copied: usize = 0;
        for slice in self.slices() {
            let count = slice.len().min(left.len());
            let (to, rest) = left.split_at_mut(count);
            to.copy_from_slice(slice.get(..count).unwrap_or_default());
            copied = copied.saturating_add(count);
            left = rest;
        }
        copied
    }

    /// Returns a copy of the bytes from here on.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.remaining());
        self.slices().for_each(|slice| all.extend_from_slice(slice));
        all
    }
}

impl Read for PacketBytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let copied = self.copy_to(buffer);
        self.advance(copied);
        Ok(copied)
    }
}
