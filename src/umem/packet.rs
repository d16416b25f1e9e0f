//! A packet: one frame or several, in the order of its bytes.
#![allow(unsafe_code, reason = "frames in an array that is not filled")]

use super::frame::Frame;
use super::geometry::wrong_umem;
use crate::num::usize32;
use std::mem::MaybeUninit;

/// How many frames a packet has without an allocation.
const INLINE: usize = 6;

/// A packet of one frame or several, of one [`Umem`](super::Umem).
///
/// A packet comes from receiving ([`PacketRx`](crate::socket::PacketRx)), from a pool
/// ([`FramePool::take_packet`](super::FramePool::take_packet)), or from a frame, to which others
/// are added with [`push`](Self::push). It is sent whole, or it is put into a pool, which takes its
/// frames. Its bytes are reached with [`Umem::packet_bytes`](super::Umem::packet_bytes), or frame by
/// frame. Up to 6 frames lie in the packet itself; more are kept on the heap.
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
    /// The frames, if these suffice: those from `start` to `end` are there.
    inline: [MaybeUninit<Frame>; INLINE],
    start: u32,
    end: u32,
    /// All frames, if there are more: as in `inline`.
    #[expect(clippy::box_collection, reason = "a packet is moved, and should be small")]
    spilled: Option<Box<Vec<MaybeUninit<Frame>>>>,
}

// Longer ones are moved by calls of `memcpy`.
const _: () = assert!(size_of::<Packet>() <= 128);

static_assertions::assert_impl_all!(Packet: Send, Sync);
static_assertions::assert_not_impl_any!(Packet: Copy, Clone, Default, PartialEq);

impl Packet {
    /// Makes a packet without a frame: for the moment before its first one is pushed.
    #[inline(always)]
    pub(crate) fn empty() -> Self {
        let inline = [const { MaybeUninit::uninit() }; INLINE];
        Self { inline, start: 0, end: 0, spilled: None }
    }

    /// Makes a packet of one frame.
    #[inline(always)]
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
    #[inline(always)]
    pub(crate) fn append(&mut self, frame: Frame) {
        match self.inline.get_mut(usize32(self.end)) {
            Some(slot) => {
                slot.write(frame);
                self.end = self.end.wrapping_add(1);
            }
            None => self.spill(frame),
        }
    }

    /// Adds a frame for which the packet itself has no room.
    #[cold]
    fn spill(&mut self, frame: Frame) {
        let Self { inline, spilled, .. } = self;
        let spilled = spilled.get_or_insert_with(|| {
            let empty = [const { MaybeUninit::uninit() }; INLINE];
            Box::new(std::mem::replace(inline, empty).into())
        });
        spilled.push(MaybeUninit::new(frame));
        self.end = self.end.wrapping_add(1);
    }

    #[inline(always)]
    fn slots(&self) -> &[MaybeUninit<Frame>] {
        let slots = self.spilled.as_deref().map_or(self.inline.as_slice(), Vec::as_slice);
        slots.get(usize32(self.start)..usize32(self.end)).unwrap_or_default()
    }

    #[inline(always)]
    fn slots_mut(&mut self) -> &mut [MaybeUninit<Frame>] {
        let Self { inline, start, end, spilled } = self;
        let slots = match spilled {
            None => inline.as_mut_slice(),
            Some(spilled) => spilled.as_mut_slice(),
        };
        slots.get_mut(usize32(*start)..usize32(*end)).unwrap_or_default()
    }

    /// Returns the frames, in the order of the packet's bytes; there is at least one.
    #[inline(always)]
    pub fn frames(&self) -> &[Frame] {
        let slots = self.slots();
        // SAFETY: `MaybeUninit<Frame>` has the layout of `Frame`, and these slots are frames.
        unsafe { std::slice::from_raw_parts(slots.as_ptr().cast(), slots.len()) }
    }

    /// As [`frames`](Self::frames), to change their bounds or to exchange them.
    #[inline(always)]
    pub fn frames_mut(&mut self) -> &mut [Frame] {
        let slots = self.slots_mut();
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

    /// Takes the first frame out.
    #[inline(always)]
    pub(crate) fn take_first(&mut self) -> Option<Frame> {
        let slot = self.slots_mut().first_mut()?;
        let slot = std::mem::replace(slot, MaybeUninit::uninit());
        self.start = self.start.wrapping_add(1);
        // SAFETY: the slot was one of the frames, and is none any more.
        Some(unsafe { slot.assume_init() })
    }

    /// Ends the packet; its frames' chunks belong to the caller from here on.
    #[inline(always)]
    pub(crate) fn consume(mut self) {
        self.start = self.end;
    }
}

impl From<Frame> for Packet {
    #[inline(always)]
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
    #[inline(always)]
    fn drop(&mut self) {
        while let Some(frame) = self.take_first() {
            drop(frame);
        }
    }
}

impl IntoIterator for Packet {
    type Item = Frame;
    type IntoIter = PacketFrames;

    #[inline(always)]
    fn into_iter(self) -> PacketFrames {
        PacketFrames(self)
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
pub struct PacketFrames(Packet);

impl Iterator for PacketFrames {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        self.0.take_first()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.frames().len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for PacketFrames {}
