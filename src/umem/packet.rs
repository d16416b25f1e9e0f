//! A packet: one frame or several, in the order of its bytes.
#![allow(unsafe_code, reason = "a slice of the frames that are there")]

use super::frame::Frame;
use super::geometry::wrong_umem;
use std::mem::ManuallyDrop;

/// How many frames a packet has without an allocation.
const INLINE: usize = 8;

/// A packet of one frame or several, of one [`Umem`](super::Umem).
///
/// A packet comes from receiving ([`PacketRx`](crate::socket::PacketRx)), from a pool
/// ([`FramePool::take_packet`](super::FramePool::take_packet)), or from a frame, to which others
/// are added with [`push`](Self::push). It is sent whole, or it is put into a pool, which takes its
/// frames. Its bytes are reached with [`Umem::packet_bytes`](super::Umem::packet_bytes), or frame by
/// frame. Up to 8 frames lie in the packet itself; more are kept on the heap.
///
/// Dropping a packet loses the chunks of its frames, as dropping a frame does.
///
/// ```
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).chunk_size(2048).build()?;
/// let mut packet = pool.take_packet(5000).ok_or("the pool has too few chunks")?;
/// assert_eq!((packet.frames().len(), packet.len()), (3, 5000));
/// umem.write_packet(packet.frames_mut(), &[7; 5000])?;
/// assert_eq!(umem.packet_bytes(packet.frames()).to_vec(), [7; 5000]);
/// pool.extend(packet);
/// assert_eq!(pool.len(), 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a dropped packet's chunks are lost until its UMEM ends: give them to a pool or a ring"]
pub struct Packet {
    /// The frames, if these suffice; those from `count` on are placeholders.
    inline: [ManuallyDrop<Frame>; INLINE],
    count: usize,
    /// All frames, if there are more; else empty.
    spilled: Vec<ManuallyDrop<Frame>>,
}

static_assertions::assert_impl_all!(Packet: Send, Sync);
static_assertions::assert_not_impl_any!(Packet: Copy, Clone, Default, PartialEq);

impl Packet {
    /// Makes a packet without a frame: for the moment before its first one is pushed.
    #[inline]
    pub(crate) fn empty() -> Self {
        Self {
            inline: [const { ManuallyDrop::new(Frame::PLACEHOLDER) }; INLINE],
            count: 0,
            spilled: Vec::new(),
        }
    }

    /// Makes a packet of one frame.
    #[inline]
    pub fn new(frame: Frame) -> Self {
        let mut packet = Self::empty();
        packet.append(frame);
        packet
    }

    /// Adds a frame at the packet's end.
    ///
    /// A socket sends no more frames than [`PacketTx::max_frames`](crate::socket::PacketTx::max_frames)
    /// says.
    ///
    /// # Panics
    /// If the frame is of another UMEM. Its chunk is lost then.
    #[inline]
    #[track_caller]
    pub fn push(&mut self, frame: Frame) {
        if let Some(first) = self.frames().first() {
            if first.umem() != frame.umem() {
                wrong_umem(first.umem(), frame.umem());
            }
        }
        self.append(frame);
    }

    /// As [`push`](Self::push), for a frame of the same UMEM.
    #[inline]
    pub(crate) fn append(&mut self, frame: Frame) {
        let frame = ManuallyDrop::new(frame);
        match self.inline.get_mut(self.count) {
            Some(slot) if self.spilled.is_empty() => {
                *slot = frame;
                self.count = self.count.wrapping_add(1);
            }
            _ => self.spill(frame),
        }
    }

    /// Adds a frame for which the packet itself has no room.
    #[cold]
    fn spill(&mut self, frame: ManuallyDrop<Frame>) {
        if self.spilled.is_empty() {
            let placeholders = [const { ManuallyDrop::new(Frame::PLACEHOLDER) }; INLINE];
            self.spilled.extend(std::mem::replace(&mut self.inline, placeholders));
            self.count = 0;
        }
        self.spilled.push(frame);
    }

    /// Returns the frames, in the order of the packet's bytes; there is at least one.
    #[inline]
    pub fn frames(&self) -> &[Frame] {
        let slots = if self.spilled.is_empty() {
            self.inline.get(..self.count).unwrap_or_default()
        } else {
            self.spilled.as_slice()
        };
        // SAFETY: `ManuallyDrop<Frame>` has the layout of `Frame`, and these slots are frames.
        unsafe { std::slice::from_raw_parts(slots.as_ptr().cast(), slots.len()) }
    }

    /// As [`frames`](Self::frames), to change their bounds or to exchange them.
    #[inline]
    pub fn frames_mut(&mut self) -> &mut [Frame] {
        let slots = if self.spilled.is_empty() {
            self.inline.get_mut(..self.count).unwrap_or_default()
        } else {
            self.spilled.as_mut_slice()
        };
        // SAFETY: as in `frames`, and exclusively borrowed.
        unsafe { std::slice::from_raw_parts_mut(slots.as_mut_ptr().cast(), slots.len()) }
    }

    /// Returns the packet's length in bytes: the sum of its frames' lengths.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a packet is never empty")]
    pub fn len(&self) -> u64 {
        self.frames().iter().map(|frame| u64::from(frame.len())).sum()
    }

    /// Takes the frame at `index` out and leaves a placeholder.
    #[inline]
    fn take(&mut self, index: usize) -> Option<Frame> {
        let slot = if self.spilled.is_empty() {
            self.inline.get_mut(..self.count)?.get_mut(index)?
        } else {
            self.spilled.get_mut(index)?
        };
        let frame = std::mem::replace(slot, ManuallyDrop::new(Frame::PLACEHOLDER));
        Some(ManuallyDrop::into_inner(frame))
    }
}

impl From<Frame> for Packet {
    #[inline]
    fn from(frame: Frame) -> Self {
        Self::new(frame)
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Packet").field(&self.frames()).finish()
    }
}

impl Drop for Packet {
    /// Drops the frames: their chunks are lost.
    #[inline]
    fn drop(&mut self) {
        for index in 0..self.frames().len() {
            if let Some(frame) = self.take(index) {
                if frame.is_placeholder() {
                    // Ends without a drop.
                    let _ = frame.consume();
                }
            }
        }
    }
}

impl IntoIterator for Packet {
    type Item = Frame;
    type IntoIter = PacketFrames;

    #[inline]
    fn into_iter(self) -> PacketFrames {
        PacketFrames { packet: self, next: 0 }
    }
}

/// The frames of a packet, one by one; made by iterating over a [`Packet`].
///
/// Dropping it loses the chunks of the frames that were not taken.
///
/// ```
/// let (_umem, mut pool) = xsk::Umem::builder().chunk_count(16).chunk_size(2048).build()?;
/// let packet = pool.take_packet(5000).ok_or("the pool has too few chunks")?;
/// let lengths: Vec<u32> = packet.into_iter().map(|frame| {
///     let len = frame.len();
///     pool.put(frame);
///     len
/// }).collect();
/// assert_eq!(lengths, [2048, 2048, 904]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PacketFrames {
    packet: Packet,
    next: usize,
}

impl Iterator for PacketFrames {
    type Item = Frame;

    #[inline]
    fn next(&mut self) -> Option<Frame> {
        let frame = self.packet.take(self.next)?;
        self.next = self.next.wrapping_add(1);
        Some(frame)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.packet.frames().len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for PacketFrames {}
