//! Received batches of packets of several frames: to be passed on whole, or packets one by one.

use super::batch::Batch;
use super::desc::Desc;
use super::packet_entry::{ENDLESS, accept, accept_single, to_fill, to_tx};
use super::{Fill, PacketTx};
use crate::ring::transfer::Form;
use crate::ring::{Portion, Producer, Rest, RingError};
use crate::umem::{BatchChecker, Checker, ChunkPlace, Frame, FramePool, LentFrame, Packet};
use std::slice::from_mut;

/// A received batch of packets, each of one frame or several: packets to iterate over, or to be
/// passed on whole.
///
/// All calls take whole packets only.
///
/// ```no_run
/// # fn f(socket: &mut xsk::socket::PacketSocket) -> xsk::Result<()> {
/// // Drops the packets, and gives their chunks back.
/// socket.rx.receive(64)?.recycle(&mut socket.fill)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "packets that are not taken stay in the ring"]
pub struct PacketBatch<'a> {
    portion: Portion<'a, Desc>,
    /// How many packets can be taken at the most.
    most: u32,
    checker: &'a Checker,
}

impl<'a> PacketBatch<'a> {
    #[inline(always)]
    pub(super) fn new(portion: Portion<'a, Desc>, most: u32, checker: &'a Checker) -> Self {
        Self { portion, most, checker }
    }

    /// Gives the packets' chunks back to the fill ring, unread, as many whole packets as it has room
    /// for; returns how many packets. The rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`RingError`] of the fill ring; [`RingError::TooManyFrames`] if the first packet has more
    /// frames than the fill ring has entries: take it from the RX ring by iterating. A bad packet ends the batch; the next
    /// [`PacketRx::receive`](super::PacketRx::receive) returns its error.
    ///
    /// # Panics
    /// If `fill` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn recycle(self, fill: &mut Fill) -> Result<u32, RingError> {
        let place = ChunkPlace::Receiving;
        let raw = move |checker: BatchChecker<'_>, form, desc: Desc| {
            // The length tells packets of several frames from the others.
            checker.accept_packet(form, desc.address, desc.length(), place, place)
        };
        self.move_to_ring(&mut fill.ring, &fill.checker, entries, raw, to_fill)
    }

    /// Shows each packet's frames to `look`, then gives their chunks to the fill ring; returns how
    /// many packets. Ends when the fill ring has no room for a whole packet more; the rest stays in
    /// the RX ring.
    ///
    /// # Errors
    /// As [`recycle`](Self::recycle).
    ///
    /// # Panics
    /// If `fill`, or a frame that was exchanged, is of another UMEM. If `look` panics, what was done
    /// before stays done, and the chunks of the packet that it had are lost.
    #[inline(always)]
    #[track_caller]
    pub fn recycle_each(
        self,
        fill: &mut Fill,
        look: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        self.move_each_to_ring(&mut fill.ring, &fill.checker, entries, look, to_fill)
    }

    /// Sends the packets as they are, as many whole ones as the TX ring has room for; returns how
    /// many. The rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`RingError`] of the TX ring; [`RingError::TooManyFrames`] if the first packet has more
    /// frames than the TX ring takes: take it from the RX ring by iterating. A bad packet ends the
    /// batch; the next [`PacketRx::receive`](super::PacketRx::receive) returns its error.
    ///
    /// # Panics
    /// If `tx` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn forward(self, tx: &mut PacketTx) -> Result<u32, RingError> {
        let raw = move |checker: BatchChecker<'_>, form, desc: Desc| {
            let (from, to) = (ChunkPlace::Receiving, ChunkPlace::Sending);
            let address = checker.accept_packet(form, desc.address, desc.length(), from, to)?;
            Some(desc.at(address))
        };
        let (ring, checker, limit) = tx.parts();
        self.move_to_ring(ring, checker, move |_| *limit, raw, to_tx)
    }

    /// Has `edit` edit each packet in place, frame by frame, and sends it; returns how many packets.
    /// Ends when the TX ring has no room for a whole packet more; the rest stays in the RX ring.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    ///
    /// # Panics
    /// If `tx`, or a frame that was exchanged, is of another UMEM. If `edit` panics, what was done
    /// before stays done, and the chunks of the packet that it had are lost.
    #[inline(always)]
    #[track_caller]
    pub fn forward_each(
        self,
        tx: &mut PacketTx,
        edit: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        let (ring, checker, limit) = tx.parts();
        self.move_each_to_ring(ring, checker, move |_| *limit, edit, to_tx)
    }

    /// Puts the packets' chunks into `pool`, unread; returns how many packets.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[track_caller]
    pub fn reclaim(self, pool: &mut FramePool) -> u32 {
        pool.geometry().assert_same_umem(self.checker.geometry.umem);
        let mut packets: u32 = 0;
        for packet in self {
            pool.extend(packet);
            packets = packets.wrapping_add(1);
        }
        packets
    }

    /// Moves whole packets, unread, to a ring whose checker is `to`: those of one frame several at
    /// once, as what `raw` makes of a descriptor, the others one by one, as what `entry` makes of each
    /// frame. A packet that has more frames than `limit` returns for the ring ends it.
    #[inline(always)]
    #[track_caller]
    fn move_to_ring<T: Copy>(
        self,
        ring: &mut Producer<T>,
        to: &Checker,
        limit: impl FnOnce(&Producer<T>) -> u32,
        raw: impl Fn(BatchChecker<'_>, Form, Desc) -> Option<T> + Copy,
        entry: impl Fn(BatchChecker<'_>, &Frame, bool) -> T,
    ) -> Result<u32, RingError> {
        let Self { portion, most, checker } = self;
        let (moved, rest) = portion
            .take_first(|ready| Batch::new(ready, checker).move_to_ring(&mut *ring, to, raw))?;
        let Some(rest) = rest else { return Ok(moved) };
        Packets { rest, most, checker }.move_to_ring(ring, to, limit, moved, |_| (), entry)
    }

    /// As [`move_to_ring`](Self::move_to_ring), after `visit` has had the frames of each packet.
    #[inline(always)]
    #[track_caller]
    fn move_each_to_ring<T: Copy>(
        self,
        ring: &mut Producer<T>,
        to: &Checker,
        limit: impl FnOnce(&Producer<T>) -> u32,
        mut visit: impl FnMut(&mut [Frame]),
        entry: impl Fn(BatchChecker<'_>, &Frame, bool) -> T,
    ) -> Result<u32, RingError> {
        let Self { portion, most, checker } = self;
        let (moved, rest) = portion.take_first(|ready| {
            Batch::new(ready, checker).move_each_to_ring(&mut *ring, to, |checker, form, desc| {
                let mut frame = LentFrame::new(accept_single(checker, form, desc)?);
                visit(from_mut(frame.get_mut()));
                Some(entry(checker, &checker.own(frame.take_back()), false))
            })
        })?;
        let Some(rest) = rest else { return Ok(moved) };
        Packets { rest, most, checker }.move_to_ring(ring, to, limit, moved, visit, entry)
    }
}

impl<'a> IntoIterator for PacketBatch<'a> {
    type Item = Packet;
    type IntoIter = Packets<'a>;

    #[inline(always)]
    fn into_iter(self) -> Packets<'a> {
        let Self { portion, most, checker } = self;
        Packets { rest: portion.into_rest(), most, checker }
    }
}

/// The packets of a received batch, one by one; made by iterating over a [`PacketBatch`].
///
/// Dropping it gives the slots of the packets that were taken back to the kernel and leaves the
/// others for the next [`PacketRx::receive`](super::PacketRx::receive); forgetting it
/// (`std::mem::forget`) delays that until then.
///
/// ```no_run
/// # fn f(rx: &mut xsk::socket::PacketRx, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let bytes: u64 = rx.receive(64)?.into_iter().map(|packet| {
///     let len = packet.len();
///     pool.extend(packet);
///     len
/// }).sum();
/// println!("{bytes} bytes");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Packets<'a> {
    rest: Rest<'a, Desc>,
    /// As in [`PacketBatch`].
    most: u32,
    checker: &'a Checker,
}

impl Packets<'_> {
    /// Goes on after `moved` packets of one frame, and if one of several frames is next: it ended the
    /// batch as one that is not valid, a length with options above it.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn move_to_ring<T: Copy>(
        mut self,
        ring: &mut Producer<T>,
        to: &Checker,
        limit: impl FnOnce(&Producer<T>) -> u32,
        mut moved: u32,
        mut visit: impl FnMut(&mut [Frame]),
        entry: impl Fn(BatchChecker<'_>, &Frame, bool) -> T,
    ) -> Result<u32, RingError> {
        self.most = self.most.wrapping_sub(moved);
        if self.rest.take_back(|desc| desc.is_continued()) {
            let limit = limit(ring);
            while self.move_one(ring, to, limit, &mut moved, &mut visit, &entry)? {}
        }
        Ok(moved)
    }

    /// Moves the next packet, frame by frame, after `visit` has had them; returns whether there can be
    /// more to move.
    #[inline(always)]
    #[track_caller]
    fn move_one<T: Copy>(
        &mut self,
        ring: &mut Producer<T>,
        to: &Checker,
        limit: u32,
        moved: &mut u32,
        visit: &mut impl FnMut(&mut [Frame]),
        entry: &impl Fn(BatchChecker<'_>, &Frame, bool) -> T,
    ) -> Result<bool, RingError> {
        let Some(frames) = self.frames_of_next() else { return Ok(false) };
        let room = if frames > limit {
            Err(RingError::TooManyFrames { frames, limit })
        } else {
            ring.reserve(frames)
        };
        let room = match room {
            // As for packets of one frame.
            Err(_) if *moved != 0 => return Ok(false),
            room => room?,
        };
        if room.count() < frames {
            return Ok(false);
        }
        let Some(mut packet) = self.take_packet(frames) else { return Ok(false) };
        visit(packet.frames_mut());
        // Before anything is written (I6).
        for frame in packet.frames() {
            to.assert_same_umem(frame.umem());
        }
        let (mut slots, mut left) = (room.write(), frames);
        for frame in packet.frames() {
            left = left.wrapping_sub(1);
            slots.write(entry(to.for_batch(), frame, left != 0));
        }
        drop(slots);
        packet.consume();
        *moved = moved.wrapping_add(1);
        self.most = self.most.wrapping_sub(1);
        Ok(self.most != 0)
    }

    /// Returns how many frames the next packet has, if all of it is there.
    fn frames_of_next(&mut self) -> Option<u32> {
        let all = self.rest.count();
        let mut frames: u32 = 0;
        while let Some(desc) = self.rest.peek(frames) {
            frames = frames.wrapping_add(1);
            if !desc.is_continued() {
                return Some(frames);
            }
        }
        if all == self.rest.capacity() {
            self.drop_endless();
        }
        None
    }

    /// Takes the next packet, of `frames` frames, which are there. A bad descriptor ends the batch, and
    /// the packet, whose other chunks are lost: it is not known what belongs to it.
    #[inline(always)]
    fn take_packet(&mut self, frames: u32) -> Option<Packet> {
        let checker = self.checker.for_batch();
        let (mut packet, mut bad, mut left) = (Packet::empty(), None, frames);
        while left != 0 {
            let desc = self.rest.take()?;
            left = left.wrapping_sub(1);
            // The other side may have written it again since it was looked at.
            let as_seen = desc.is_continued() == (left != 0);
            match accept(checker, desc).filter(|_| as_seen) {
                Some(frame) => packet.append(frame),
                None => bad = bad.or(Some(desc)),
            }
        }
        match bad {
            None => Some(packet),
            Some(desc) => {
                self.reject(desc);
                None
            }
        }
    }

    /// Takes a packet that fills the ring and does not end.
    #[cold]
    fn drop_endless(&mut self) {
        while let Some(desc) = self.rest.take() {
            drop(accept(self.checker.for_batch(), desc));
        }
        self.reject(ENDLESS);
    }

    /// Keeps a descriptor of the packet that was taken last, to be reported by the next call, and ends
    /// the batch.
    #[cold]
    fn reject(&mut self, desc: Desc) {
        self.rest.reject(desc);
        self.most = 0;
    }
}

impl Iterator for Packets<'_> {
    type Item = Packet;

    #[inline(always)]
    fn next(&mut self) -> Option<Packet> {
        if self.most == 0 {
            return None;
        }
        let first = self.rest.peek(0)?;
        self.most = self.most.wrapping_sub(1);
        if first.is_continued() {
            let frames = self.frames_of_next()?;
            return self.take_packet(frames);
        }
        let desc = self.rest.take()?;
        let frame = accept_single(self.checker.for_batch(), Form::Either, desc);
        if frame.is_none() {
            self.reject(desc);
        }
        frame.map(Packet::new)
    }
}

/// Returns how many entries a ring has: the limit of a fill ring.
fn entries<T: Copy>(ring: &Producer<T>) -> u32 {
    ring.memory().capacity()
}

#[cfg(all(test, feature = "test-util"))]
mod tests;
