//! Packets on their way in.
#![allow(unsafe_code, reason = "whole batches, whose size is agreed here")]

use super::desc::Desc;
use super::inner::Inner;
use super::{Fill, Tx};
use crate::num::usize32;
use crate::ring::transfer::{transfer, transfer_each};
use crate::ring::{
    AtomicU32, Consumer, Diagnosis, Index, Memory, Reader, RingError, RingKind, Suspect,
};
use crate::umem::{Checker, ChunkPlace, Frame, FramePool};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xsk_uapi::if_xdp::xdp_desc;

/// The RX ring: received packets, as frames.
///
/// The kernel puts each packet into a chunk that was given to it by the [`Fill`] ring of the same
/// socket. Moves between threads; the other rings of the socket may be used by other threads.
#[derive(Debug)]
#[doc(alias = "XDP_RX_RING")]
pub struct Rx {
    pub(super) ring: Consumer<Desc>,
    pub(super) checker: Checker,
    /// How many chunks were ever given to the kernel to receive into.
    filled: Arc<AtomicU32>,
    inner: Arc<Inner>,
}

impl Rx {
    pub(crate) fn new(memory: Memory<xdp_desc>, inner: Arc<Inner>) -> Self {
        Self {
            ring: Consumer::new(RingKind::Rx, memory.cast()),
            checker: inner.umem.checker(),
            filled: Arc::clone(&inner.counts.filled),
            inner,
        }
    }

    /// The packets that are there, `count` at the most; none is no error.
    ///
    /// Iterate over the answer for [`Frame`]s, or pass the batch on whole. What is not taken stays in
    /// the ring.
    ///
    /// ```no_run
    /// # fn f(umem: &xsk::Umem, rx: &mut xsk::Rx, pool: &mut xsk::FramePool) -> xsk::Result<()> {
    /// for frame in rx.receive(64)? {
    ///     println!("{} bytes", umem.bytes(&frame).len());
    ///     pool.put(frame);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules. One in an entry is found while
    /// the batch is taken: it ends the batch there, its chunk is lost, and the *next* call answers with
    /// it, once.
    #[inline(always)]
    #[doc(alias = "xsk_ring_cons__peek")]
    pub fn receive(&mut self, count: u32) -> Result<RxBatch<'_>, RingError> {
        // Relaxed: the kernel's index, read with acquire just before, came after what filled the ring.
        let most_allowed = || Index::new(self.filled.load(Ordering::Relaxed));
        match self.ring.available(count, most_allowed) {
            Ok(count) => Ok(RxBatch { rx: self, count }),
            Err(suspect) => Err(RingError::expect_fault(self.fault(suspect))),
        }
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }

    #[cold]
    #[inline(never)]
    fn fault(&mut self, suspect: Suspect) -> Option<RingError> {
        let ring = RingKind::Rx;
        let desc = match self.ring.diagnose(suspect) {
            Diagnosis::Index(fault) => return Some(fault),
            Diagnosis::Entry(desc) => desc,
        };
        let address = desc.address;
        if self.checker.geometry.contains_packet(address, desc.length()) {
            return Some(RingError::DuplicateChunk { ring, address });
        }
        Some(RingError::BadEntry { ring, address, len: desc.len(), options: desc.options() })
    }
}

impl AsFd for Rx {
    /// The socket; readable (`POLLIN`) while the RX ring holds packets.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// A received batch: frames to iterate over, or to be passed on whole.
#[derive(Debug)]
#[must_use = "packets that are not taken stay in the ring"]
pub struct RxBatch<'a> {
    rx: &'a mut Rx,
    count: u32,
}

impl<'a> RxBatch<'a> {
    /// Gives as many of the packets' chunks back to the fill ring as it has room for, unread; answers
    /// how many. The rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`RingError`] of the fill ring. One of an RX entry ends the batch and is answered by the next
    /// [`Rx::receive`].
    ///
    /// # Panics
    /// If `fill` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn recycle(self, fill: &mut Fill) -> Result<u32, RingError> {
        let Self { rx, count } = self;
        fill.checker.assert_same_umem(rx.checker.geometry.umem);
        let count = fill.ring.free(count)?;
        let checker = &rx.checker;
        // SAFETY: `available` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer(&mut rx.ring, &mut fill.ring, count, move |desc| {
                checker
                    .accept_chunk(desc.address, ChunkPlace::Receiving, ChunkPlace::Receiving)
                    .then_some(desc.address)
            })
        };
        Ok(moved)
    }

    /// Shows each packet to `look` and gives its chunk back to the fill ring; answers how many. Ends
    /// when the fill ring has no more room; the rest stays in the RX ring.
    ///
    /// The quickest way to look at every packet and keep none. (`look` may even exchange the frame for
    /// another one of the same UMEM, to keep this one.)
    ///
    /// # Errors
    /// As [`recycle`](Self::recycle).
    ///
    /// # Panics
    /// If `fill`, or a frame that was exchanged, is of another UMEM. If `look` panics, what was done
    /// before stays done, and the chunk of the frame that it had is lost.
    #[inline(always)]
    #[track_caller]
    pub fn recycle_each(
        self,
        fill: &mut Fill,
        mut look: impl FnMut(&mut Frame),
    ) -> Result<u32, RingError> {
        let Self { rx, count } = self;
        fill.checker.assert_same_umem(rx.checker.geometry.umem);
        let count = fill.ring.free(count)?;
        let checker = &rx.checker;
        // SAFETY: `available` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer_each(&mut rx.ring, &mut fill.ring, count, move |desc| {
                let mut frame = mint(checker, desc)?;
                look(&mut frame);
                checker.assert_same_umem(frame.umem());
                let (address, _) = frame.consume();
                checker.record_move(address, ChunkPlace::User, ChunkPlace::Receiving);
                Some(address)
            })
        };
        Ok(moved)
    }

    /// Sends as many of the packets as the TX ring has room for, as they are; answers how many. The
    /// rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`RingError`] of the TX ring. One of an RX entry ends the batch and is answered by the next
    /// [`Rx::receive`].
    ///
    /// # Panics
    /// If `tx` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn forward(self, tx: &mut Tx) -> Result<u32, RingError> {
        let Self { rx, count } = self;
        tx.checker.assert_same_umem(rx.checker.geometry.umem);
        let count = tx.ring.free(count)?;
        let checker = &rx.checker;
        // SAFETY: `available` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer(&mut rx.ring, &mut tx.ring, count, move |desc| {
                // One with options would have been too long: they are 0.
                checker
                    .accept_packet(
                        desc.address,
                        desc.length(),
                        ChunkPlace::Receiving,
                        ChunkPlace::Sending,
                    )
                    .then_some(desc)
            })
        };
        Ok(moved)
    }

    /// Has `edit` edit each packet in place and sends it; answers how many. Ends when the TX ring has
    /// no more room; the rest stays in the RX ring.
    ///
    /// The quickest way to forward everything. To drop some, iterate, and push into
    /// [`Tx::reserve`]'s answer.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    ///
    /// # Panics
    /// If `tx`, or a frame that was exchanged, is of another UMEM. If `edit` panics, what was done
    /// before stays done, and the chunk of the frame that it had is lost.
    #[inline(always)]
    #[track_caller]
    pub fn forward_each(
        self,
        tx: &mut Tx,
        mut edit: impl FnMut(&mut Frame),
    ) -> Result<u32, RingError> {
        let Self { rx, count } = self;
        tx.checker.assert_same_umem(rx.checker.geometry.umem);
        let count = tx.ring.free(count)?;
        let checker = &rx.checker;
        // SAFETY: `available` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer_each(&mut rx.ring, &mut tx.ring, count, move |desc| {
                let mut frame = mint(checker, desc)?;
                edit(&mut frame);
                checker.assert_same_umem(frame.umem());
                let (address, len) = frame.consume();
                checker.record_move(address, ChunkPlace::User, ChunkPlace::Sending);
                Some(Desc::new(address, len))
            })
        };
        Ok(moved)
    }

    /// Puts the packets' chunks into `pool`, unread; answers how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn reclaim(self, pool: &mut FramePool) -> u32 {
        let Self { rx, count } = self;
        pool.geometry().assert_same_umem(rx.checker.geometry.umem);
        let (to, count) = pool.vacant(count);
        let checker = &rx.checker;
        // SAFETY: `available` said that `count` entries are there, `vacant` that so many slots are; both
        // ends are exclusively borrowed since.
        unsafe {
            transfer(&mut rx.ring, to, count, move |desc| {
                checker
                    .accept_chunk(desc.address, ChunkPlace::Receiving, ChunkPlace::Pool)
                    .then(|| checker.geometry.chunk(desc.address))
            })
        }
    }

    /// Packets in the batch.
    #[inline]
    #[must_use]
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> IntoIterator for RxBatch<'a> {
    type Item = Frame;
    type IntoIter = RxFrames<'a>;

    #[inline(always)]
    fn into_iter(self) -> RxFrames<'a> {
        RxFrames::new(self.rx, self.count)
    }
}

/// The frames of a received batch.
///
/// Dropping it gives the slots of the frames that were taken back to the kernel and leaves the others
/// for the next [`Rx::receive`]; forgetting it (`std::mem::forget`) delays that until then.
#[derive(Debug)]
pub struct RxFrames<'a> {
    entries: Reader<'a, Desc>,
    checker: &'a Checker,
}

impl<'a> RxFrames<'a> {
    #[inline(always)]
    pub(super) fn new(rx: &'a mut Rx, count: u32) -> Self {
        Self { entries: rx.ring.read(count), checker: &rx.checker }
    }

    /// Packets not taken yet.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.entries.remaining()
    }
}

impl Iterator for RxFrames<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        let desc = self.entries.take()?;
        let frame = mint(self.checker, desc);
        if frame.is_none() {
            self.entries.refuse(desc);
        }
        frame
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        // A bad entry ends the batch early.
        (0, Some(usize32(self.remaining())))
    }
}

/// The frame of a received descriptor, if it is a good one (invariants I2, I4, I7).
#[inline(always)]
pub(super) fn mint(checker: &Checker, desc: Desc) -> Option<Frame> {
    checker
        .accept_packet(desc.address, desc.length(), ChunkPlace::Receiving, ChunkPlace::User)
        .then(|| Frame::mint(&checker.geometry, desc.address, desc.len()))
}
