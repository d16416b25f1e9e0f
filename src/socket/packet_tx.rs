//! The TX ring of a socket for packets of several frames.

use super::Tx;
use super::desc::Desc;
use super::inner::as_fd;
use super::kick::Kick;
use super::packet_entry::to_tx;
use crate::error::Result;
use crate::num::u32_of_count;
use crate::ring::{Producer, RingError, Writer};
use crate::umem::{BatchChecker, Checker, Frame, FramePool, Packet};
use std::fmt;

/// How many frames a packet can have in copy mode: one more than the fragments of the kernel's packet
/// (`MAX_SKB_FRAGS`, linux/skbuff.h: 17 if it was not configured).
const MAX_SKB_FRAGS: u32 = 17;

/// The TX ring of a socket for packets of several frames ([`PacketSocket`](super::PacketSocket)).
///
/// ```no_run
/// # fn f(socket: &mut xsk::socket::PacketSocket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let umem = socket.handle.umem().clone();
/// let mut slots = socket.tx.reserve(64)?;
/// if let Some(mut packet) = pool.take_packet(9000) {
///     umem.write_packet(packet.frames_mut(), &[0; 9000]).expect("it is as long as that");
///     if let Err(refused) = slots.push(packet) {
///         eprintln!("not sent: {refused}");
///         pool.extend(refused.packet);
///     }
/// }
/// drop(slots);
/// socket.tx.kick_if_needed()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_TX_RING")]
pub struct PacketTx {
    tx: Tx,
    max_frames: u32,
}

/// Returns how many frames a packet can have that a socket sends in zero-copy mode, `max_segments`
/// being what its card takes (at least 2: else the kernel had refused the socket).
pub(super) fn max_frames_of_card(max_segments: Option<u32>) -> u32 {
    max_segments.unwrap_or(2).max(2)
}

/// Returns the same for copy mode. If the driver `lends_pages`, each frame is as many fragments of the
/// kernel's packet as there are pages that it is in; else the first frame is none, and each other is
/// one (`xsk_build_skb`, net/xdp/xsk.c).
pub(super) fn max_frames_copied(lends_pages: bool, crosses_pages: bool) -> u32 {
    // In another namespace than the first one the file is not there.
    let read = std::fs::read_to_string("/proc/sys/net/core/max_skb_frags").ok();
    let configured = read.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let fragments = MAX_SKB_FRAGS.max(configured);
    match (lends_pages, crosses_pages) {
        (false, _) => fragments.saturating_add(1),
        (true, false) => fragments,
        (true, true) => fragments / 2,
    }
}

impl PacketTx {
    /// Makes the ring of a bound socket. The kernel waits for ever for a packet with more frames than
    /// the completion ring has entries, and never sees the end of one that is longer than the TX ring.
    pub(crate) fn new(tx: Tx, completion: u32, max_frames: u32) -> Self {
        let max_frames = max_frames.min(completion).min(tx.capacity());
        Self { tx, max_frames }
    }

    /// Returns the ring.
    pub(super) fn ring(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// Returns the ring, its checker, and how many frames a packet can have.
    #[inline(always)]
    pub(super) fn parts(&mut self) -> (&mut Producer<Desc>, &Checker, &u32) {
        (&mut self.tx.ring, &self.tx.checker, &self.max_frames)
    }

    /// Returns how many frames a packet can have: in copy mode 18, or more if the kernel was built for
    /// more, on a virtio card one less, and there 8 of chunks that cross pages; in zero-copy mode what the card takes
    /// ([`XdpFeatures::zero_copy_max_segments`](crate::interface::XdpFeatures::zero_copy_max_segments));
    /// and never more than the TX and the completion ring have entries.
    #[must_use]
    #[doc(alias = "xdp-zc-max-segs")]
    pub fn max_frames(&self) -> u32 {
        self.max_frames
    }

    /// Reserves up to `count` slots, one for each frame, for [`PacketTxBatch::push`]. What was pushed
    /// is submitted at once when the batch is dropped.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    #[inline(always)]
    #[doc(alias = "xsk_ring_prod__reserve")]
    #[doc(alias = "xsk_ring_prod__submit")]
    pub fn reserve(&mut self, count: u32) -> Result<PacketTxBatch<'_>, RingError> {
        let max_frames = self.max_frames;
        let slots = self.tx.ring.write(count)?;
        Ok(PacketTxBatch { slots, checker: self.tx.checker.for_batch(), max_frames })
    }

    /// Sends packets of one frame, as [`Tx::send_from`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    #[inline(always)]
    #[track_caller]
    pub fn send_from(
        &mut self,
        pool: &mut FramePool,
        count: u32,
        len: u32,
    ) -> Result<u32, RingError> {
        self.tx.send_from(pool, count, len)
    }

    /// Sends packets of one frame, as [`Tx::send_each`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    #[inline(always)]
    #[track_caller]
    pub fn send_each(
        &mut self,
        pool: &mut FramePool,
        count: u32,
        write: impl FnMut(&mut Frame),
    ) -> Result<u32, RingError> {
        self.tx.send_each(pool, count, write)
    }

    /// Has the kernel send what is in the ring, if it asks for it, as [`Tx::kick_if_needed`].
    ///
    /// What one call takes in copy mode is counted in frames, not in packets: 32 frames, of which the
    /// last ones may be the beginning of a packet, which the next call goes on with.
    ///
    /// # Errors
    /// As there.
    #[inline]
    #[doc(alias = "xsk_ring_prod__needs_wakeup")]
    #[doc(alias = "sendto")]
    pub fn kick_if_needed(&mut self) -> Result<Kick> {
        self.tx.kick_if_needed()
    }

    /// Has the kernel send what is in the ring, as [`Tx::kick`].
    ///
    /// # Errors
    /// As there.
    pub fn kick(&mut self) -> Result<Kick> {
        self.tx.kick()
    }

    /// Returns how many frames are in the ring that the kernel has not taken, as [`Tx::pending`].
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.tx.pending()
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.tx.capacity()
    }
}

as_fd!(
    /// Returns the socket.
    PacketTx: tx
);

/// Reserved slots of the TX ring, for packets of several frames; what was pushed is submitted when
/// this is dropped. Made by [`PacketTx::reserve`].
///
/// ```no_run
/// # fn f(socket: &mut xsk::socket::PacketSocket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let mut slots = socket.tx.reserve(64)?;
/// for packet in socket.rx.receive(16)? {
///     if let Err(refused) = slots.push(packet) {
///         pool.extend(refused.packet); // the TX ring is full: drop the packet, keep the chunks
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PacketTxBatch<'a> {
    slots: Writer<'a, Desc>,
    checker: BatchChecker<'a>,
    max_frames: u32,
}

impl PacketTxBatch<'_> {
    /// Sends the packet, all of its frames, or gives it back.
    ///
    /// # Errors
    /// [`PacketRefused`] with the packet, if it has more frames than slots are left, or than a packet
    /// can have.
    ///
    /// # Panics
    /// If a frame is of another UMEM; nothing is sent then, and the packet's chunks are lost.
    #[inline(always)]
    #[track_caller]
    pub fn push(&mut self, packet: impl Into<Packet>) -> Result<(), PacketRefused> {
        let packet = packet.into();
        if let [frame] = packet.frames() {
            // One frame needs no loops.
            self.checker.geometry.assert_same_umem(frame.umem());
            if self.slots.remaining() != 0 {
                self.slots.write(to_tx(self.checker, frame, false));
                packet.consume();
                return Ok(());
            }
        }
        for frame in packet.frames() {
            self.checker.geometry.assert_same_umem(frame.umem());
        }
        let frames = u32_of_count(packet.frames().len());
        if frames > self.max_frames {
            let reason = RefusalReason::TooManyFrames { limit: self.max_frames };
            return Err(PacketRefused { packet, reason });
        }
        let free = self.slots.remaining();
        if frames > free {
            return Err(PacketRefused { packet, reason: RefusalReason::NoRoom { free } });
        }
        let mut left = frames;
        for frame in packet.frames() {
            left = left.wrapping_sub(1);
            self.slots.write(to_tx(self.checker, frame, left != 0));
        }
        packet.consume();
        Ok(())
    }

    /// Returns how many slots are left, one for each frame.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.slots.remaining()
    }
}

/// A packet that was not sent, and why.
///
/// ```no_run
/// use xsk::socket::RefusalReason;
///
/// # fn f(slots: &mut xsk::socket::PacketTxBatch, packet: xsk::Packet, pool: &mut xsk::FramePool) {
/// if let Err(refused) = slots.push(packet) {
///     if let RefusalReason::TooManyFrames { limit } = refused.reason {
///         eprintln!("{} frames, and {limit} are possible", refused.packet.frames().len());
///     }
///     pool.extend(refused.packet);
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a dropped packet's chunks are lost until its UMEM ends"]
pub struct PacketRefused {
    /// The packet.
    pub packet: Packet,
    /// Why it was not sent.
    pub reason: RefusalReason,
}

/// Why a packet was not sent ([`PacketRefused`]).
///
/// ```
/// let reason = xsk::socket::RefusalReason::TooManyFrames { limit: 18 };
/// assert!(reason.to_string().starts_with("a packet can have 18 frames here"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// It has more frames than reserved slots are left: it can be sent later, after
    /// [`reserve`](PacketTx::reserve) for as many slots as it has frames.
    NoRoom {
        /// How many reserved slots are left.
        free: u32,
    },
    /// It has more frames than a packet can have ([`PacketTx::max_frames`]).
    TooManyFrames {
        /// How many it can have.
        limit: u32,
    },
}

/// What limits the frames of a packet ([`PacketTx::max_frames`]).
const MORE_FRAMES: &str = "the kernel (18 in copy mode), the card (zero-copy mode) and the lengths of \
    the TX and the completion ring limit them: make those longer, or use larger chunks";

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom { free } => {
                write!(f, "not enough reserved slots of the TX ring are left ({free})")
            }
            Self::TooManyFrames { limit } => {
                write!(f, "a packet can have {limit} frames here; {MORE_FRAMES}")
            }
        }
    }
}

impl fmt::Display for PacketRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = self.packet.frames().len();
        write!(f, "a packet of {frames} frames was not sent: {}", self.reason)
    }
}

impl std::error::Error for PacketRefused {}

#[cfg(test)]
mod tests {
    use super::{RefusalReason, max_frames_copied};

    /// The ring may have room: it is the batch that has no more slots.
    #[test]
    fn a_refusal_speaks_of_the_reserved_slots() {
        let text = RefusalReason::NoRoom { free: 1 }.to_string();
        assert_eq!(text, "not enough reserved slots of the TX ring are left (1)");
    }

    #[test]
    fn a_packet_has_no_more_frames_than_the_kernels_packet_has_room_for() {
        let copied = max_frames_copied(false, false);
        assert!(copied >= 18);
        assert_eq!(max_frames_copied(false, true), copied);
        assert_eq!(max_frames_copied(true, false), copied - 1);
        assert_eq!(max_frames_copied(true, true), (copied - 1) / 2);
    }
}
