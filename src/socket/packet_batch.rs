//! Received batches of packets of several frames: to be passed on whole, or packets one by one.

use super::batch::Batch;
use super::desc::Desc;
use super::{Fill, PacketTx};
use crate::ring::transfer::{Form, Ready};
use crate::ring::{Consumer, Producer, RingError};
use crate::umem::{BatchChecker, Checker, ChunkPlace, Frame, FramePool, LentFrame, Packet};
use std::slice::from_mut;

/// What is kept of a packet that does not end ([`RingError::EndlessPacket`]): no descriptor of the
/// kernel's is it.
pub(super) const ENDLESS: Desc = Desc::NONE;

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
    ready: Ready<&'a mut Consumer<Desc>>,
    /// How many packets can be taken at the most.
    most: u32,
    checker: &'a Checker,
}

impl<'a> PacketBatch<'a> {
    #[inline(always)]
    pub(super) fn new(
        ready: Ready<&'a mut Consumer<Desc>>,
        most: u32,
        checker: &'a Checker,
    ) -> Self {
        Self { ready, most, checker }
    }

    /// Gives the packets' chunks back to the fill ring, unread, as many whole packets as it has room
    /// for; returns how many packets. The rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`RingError`] of the fill ring. A bad packet ends the batch; the next
    /// [`PacketRx::receive`](super::PacketRx::receive) returns its error.
    ///
    /// # Panics
    /// If `fill` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn recycle(self, fill: &mut Fill) -> Result<u32, RingError> {
        let place = ChunkPlace::Receiving;
        let raw = move |checker: BatchChecker<'_>, form, desc: Desc| {
            checker.accept_chunk(form, desc.address, place, place)
        };
        self.move_to_ring(&mut fill.ring, &fill.checker, u32::MAX, raw, to_fill)
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
        self.move_each_to_ring(&mut fill.ring, &fill.checker, u32::MAX, look, to_fill)
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
        self.move_to_ring(ring, checker, limit, raw, to_tx)
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
        self.move_each_to_ring(ring, checker, limit, edit, to_tx)
    }

    /// Puts the packets' chunks into `pool`, unread; returns how many packets.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[track_caller]
    pub fn reclaim(mut self, pool: &mut FramePool) -> u32 {
        pool.geometry().assert_same_umem(self.checker.geometry.umem);
        let mut packets: u32 = 0;
        while let Some(packet) = self.next_packet() {
            pool.extend(packet);
            packets = packets.wrapping_add(1);
        }
        packets
    }

    /// Moves whole packets, unread, to a ring whose checker is `to`: those of one frame several at
    /// once, as what `raw` makes of a descriptor, the others one by one, as what `entry` makes of each
    /// frame. A packet that has more frames than `limit` ends it.
    #[inline(always)]
    #[track_caller]
    fn move_to_ring<T: Copy>(
        mut self,
        ring: &mut Producer<T>,
        to: &Checker,
        limit: u32,
        raw: impl Fn(BatchChecker<'_>, Form, Desc) -> Option<T> + Copy,
        entry: impl Fn(BatchChecker<'_>, Frame, bool) -> T,
    ) -> Result<u32, RingError> {
        let mut moved: u32 = 0;
        loop {
            let alone = self.next_alone();
            let result = self.split(alone).move_to_ring(ring, to, raw);
            if !self.after_alone(alone, &mut moved, result)? {
                return Ok(moved);
            }
            if !self.move_one(ring, to, limit, &mut moved, &mut |_| (), &entry)? {
                return Ok(moved);
            }
        }
    }

    /// As [`move_to_ring`](Self::move_to_ring), after `visit` has had the frames of each packet.
    #[inline(always)]
    #[track_caller]
    fn move_each_to_ring<T: Copy>(
        mut self,
        ring: &mut Producer<T>,
        to: &Checker,
        limit: u32,
        mut visit: impl FnMut(&mut [Frame]),
        entry: impl Fn(BatchChecker<'_>, Frame, bool) -> T,
    ) -> Result<u32, RingError> {
        let mut moved: u32 = 0;
        loop {
            let alone = self.next_alone();
            let result = self.split(alone).move_each_to_ring(ring, to, |checker, form, desc| {
                let mut frame = LentFrame::new(accept_single(checker, form, desc)?);
                visit(from_mut(frame.get_mut()));
                Some(entry(checker, frame.take_back(), false))
            });
            if !self.after_alone(alone, &mut moved, result)? {
                return Ok(moved);
            }
            if !self.move_one(ring, to, limit, &mut moved, &mut visit, &entry)? {
                return Ok(moved);
            }
        }
    }

    /// Returns how many packets of one frame come next.
    #[inline(always)]
    fn next_alone(&mut self) -> u32 {
        self.ready.count_while(self.most, |desc| !desc.is_continued())
    }

    #[inline(always)]
    fn split(&mut self, count: u32) -> Batch<'_, Desc> {
        Batch::new(self.ready.split(count), self.checker)
    }

    /// Counts the packets of one frame that were moved, of `alone`; returns whether there is more
    /// to move.
    #[inline(always)]
    fn after_alone(
        &mut self,
        alone: u32,
        moved: &mut u32,
        result: Result<u32, RingError>,
    ) -> Result<bool, RingError> {
        let count = match result {
            // What was moved before is reported; the error comes again with the next call.
            Err(_) if *moved != 0 => return Ok(false),
            result => result?,
        };
        *moved = moved.wrapping_add(count);
        self.most = self.most.wrapping_sub(count);
        Ok(count == alone && self.most != 0 && self.ready.count() != 0)
    }

    /// Moves the next packet, of several frames, frame by frame, after `visit` has had them; returns
    /// whether there is more to move.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn move_one<T: Copy>(
        &mut self,
        ring: &mut Producer<T>,
        to: &Checker,
        limit: u32,
        moved: &mut u32,
        visit: &mut impl FnMut(&mut [Frame]),
        entry: &impl Fn(BatchChecker<'_>, Frame, bool) -> T,
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
        let Some(mut packet) = self.take(frames) else { return Ok(false) };
        visit(packet.frames_mut());
        // Before anything is written (I6).
        packet.frames().iter().for_each(|frame| to.assert_same_umem(frame.umem()));
        let mut slots = room.write();
        let mut left = packet.frames().len();
        for frame in packet {
            left = left.wrapping_sub(1);
            slots.write(entry(to.for_batch(), frame, left != 0));
        }
        *moved = moved.wrapping_add(1);
        self.most = self.most.wrapping_sub(1);
        Ok(self.most != 0 && self.ready.count() != 0)
    }

    /// Returns how many frames the next packet has, if all of it is there.
    fn frames_of_next(&mut self) -> Option<u32> {
        let all = self.ready.count();
        let frames = self.ready.count_while(all, |desc| desc.is_continued()).wrapping_add(1);
        if frames <= all {
            return Some(frames);
        }
        if all == self.ready.capacity() {
            self.drop_endless();
        }
        None
    }

    /// Takes the next packet, of `frames` frames. A bad descriptor ends the batch, and the packet,
    /// whose other chunks are lost: it is not known what belongs to it.
    fn take(&mut self, frames: u32) -> Option<Packet> {
        let mut entries = self.ready.split(frames).read();
        let (mut packet, mut bad, mut left) = (Packet::empty(), None, frames);
        while let Some(desc) = entries.take() {
            left = left.wrapping_sub(1);
            // The other side may have written it again since it was looked at.
            let as_seen = desc.is_continued() == (left != 0);
            match accept(self.checker.for_batch(), desc).filter(|_| as_seen) {
                Some(frame) => packet.append(frame),
                None => bad = bad.or(Some(desc)),
            }
        }
        let Some(desc) = bad else { return Some(packet) };
        entries.reject(desc);
        self.most = 0;
        None
    }

    /// Takes a packet that fills the ring and does not end.
    #[cold]
    fn drop_endless(&mut self) {
        let mut entries = self.ready.split(u32::MAX).read();
        while let Some(desc) = entries.take() {
            drop(accept(self.checker.for_batch(), desc));
        }
        entries.reject(ENDLESS);
        self.most = 0;
    }

    /// Takes the next packet.
    #[inline]
    fn next_packet(&mut self) -> Option<Packet> {
        if self.most == 0 {
            return None;
        }
        let frames = self.frames_of_next()?;
        let packet = self.take(frames)?;
        self.most = self.most.wrapping_sub(1);
        Some(packet)
    }
}

impl<'a> IntoIterator for PacketBatch<'a> {
    type Item = Packet;
    type IntoIter = Packets<'a>;

    #[inline]
    fn into_iter(self) -> Packets<'a> {
        Packets(self)
    }
}

/// The packets of a received batch, one by one; made by iterating over a [`PacketBatch`].
///
/// Each packet's slots go back to the kernel when it is taken. What is not taken stays in the ring
/// for the next [`PacketRx::receive`](super::PacketRx::receive).
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
pub struct Packets<'a>(PacketBatch<'a>);

impl Iterator for Packets<'_> {
    type Item = Packet;

    #[inline]
    fn next(&mut self) -> Option<Packet> {
        self.0.next_packet()
    }
}

/// Returns the frame of a descriptor of a packet, if it is a good one (invariants I2, I4, I7).
#[inline(always)]
fn accept(checker: BatchChecker<'_>, desc: Desc) -> Option<Frame> {
    let (from, to) = (ChunkPlace::Receiving, ChunkPlace::User);
    let length = desc.frame_length();
    let address = checker.accept_packet(Form::Either, desc.address, length, from, to)?;
    Some(Frame::new(&checker.geometry, address, desc.len()))
}

/// As [`accept`], for a packet of one frame.
#[inline(always)]
fn accept_single(checker: BatchChecker<'_>, form: Form, desc: Desc) -> Option<Frame> {
    let (from, to) = (ChunkPlace::Receiving, ChunkPlace::User);
    let address = checker.accept_packet(form, desc.address, desc.length(), from, to)?;
    Some(Frame::new(&checker.geometry, address, desc.len()))
}

/// Returns the entry of the fill ring for a frame.
#[inline(always)]
#[track_caller]
fn to_fill(checker: BatchChecker<'_>, frame: Frame, _: bool) -> u64 {
    let address = checker.own(frame).kernel_address();
    checker.record_move(address, ChunkPlace::User, ChunkPlace::Receiving);
    address
}

/// Returns the entry of the TX ring for a frame, after which the packet goes on if `continued`.
#[inline(always)]
#[track_caller]
pub(super) fn to_tx(checker: BatchChecker<'_>, frame: Frame, continued: bool) -> Desc {
    let frame = checker.own(frame);
    let (address, len) = (frame.kernel_address(), frame.len());
    checker.record_move(address, ChunkPlace::User, ChunkPlace::Sending);
    Desc::new(address, len).continued(continued)
}
