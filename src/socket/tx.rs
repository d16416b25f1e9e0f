//! Packets on their way out.
#![allow(unsafe_code, reason = "whole batches, whose size is agreed here")]

use super::desc::Desc;
use super::inner::{Inner, Kick};
use crate::error::Result;
use crate::ring::transfer::{transfer, transfer_each};
use crate::ring::{Memory, Producer, RingError, RingKind, Writer};
use crate::umem::{Checker, ChunkPlace, Frame, FramePool};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use xsk_uapi::if_xdp::xdp_desc;

/// The TX ring: packets to send, as frames.
///
/// A packet is sent when it was published *and* the kernel was woken ([`kick_if_needed`]); its chunk
/// comes back by the [`Completion`](super::Completion) ring of the same socket.
///
/// [`kick_if_needed`]: Tx::kick_if_needed
#[derive(Debug)]
#[doc(alias = "XDP_TX_RING")]
pub struct Tx {
    pub(super) ring: Producer<Desc>,
    pub(super) checker: Checker,
    pub(super) inner: Arc<Inner>,
}

impl Tx {
    pub(crate) fn new(memory: Memory<xdp_desc>, inner: Arc<Inner>) -> Self {
        let published = Arc::clone(&inner.counts.sent);
        Self {
            ring: Producer::counted(RingKind::Tx, memory.cast(), published),
            checker: inner.umem.checker(),
            inner,
        }
    }

    /// Reserves up to `count` slots, for [`TxBatch::push`]. What was pushed is published at once when
    /// the answer is dropped: one release store for the batch.
    ///
    /// Forgetting the answer (`std::mem::forget`) delays that until the next batch.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    #[inline(always)]
    #[doc(alias = "xsk_ring_prod__reserve")]
    pub fn reserve(&mut self, count: u32) -> Result<TxBatch<'_>, RingError> {
        Ok(TxBatch { slots: self.ring.write(count)?, checker: &self.checker })
    }

    /// Sends up to `count` chunks of `pool`, the first `len` bytes of each, as they are; as many as
    /// there are and have room. Answers how many.
    ///
    /// For senders whose packets lie ready in their chunks ([`Umem::for_each_free_chunk`](crate::Umem::for_each_free_chunk)).
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    ///
    /// # Panics
    /// If `pool` is of another UMEM, or `len` is 0 or more than a chunk.
    #[inline(always)]
    #[track_caller]
    pub fn send_from(
        &mut self,
        pool: &mut FramePool,
        count: u32,
        len: u32,
    ) -> Result<u32, RingError> {
        self.checker.assert_same_umem(pool.geometry().umem);
        if !self.checker.geometry.fits(len) {
            bad_length(len);
        }
        let (from, count) = pool.top(count);
        let count = self.ring.free(count)?;
        let checker = &self.checker;
        // SAFETY: `top` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer(from, &mut self.ring, count, move |chunk| {
                checker.record_move(chunk, ChunkPlace::Pool, ChunkPlace::Sending);
                Some(Desc::new(chunk, len))
            })
        };
        Ok(moved)
    }

    /// Takes up to `count` chunks of `pool`, has `write` write a packet into each (a frame over the whole
    /// chunk; see [`Frame::truncate`] and [`Umem::write`](crate::Umem::write)) and sends it; as many as
    /// there are and have room. Answers how many.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    ///
    /// # Panics
    /// If `pool`, or a frame that was exchanged, is of another UMEM. If `write` panics, what was done
    /// before stays done, and the chunk of the frame that it had is lost.
    #[inline(always)]
    #[track_caller]
    pub fn send_each(
        &mut self,
        pool: &mut FramePool,
        count: u32,
        mut write: impl FnMut(&mut Frame),
    ) -> Result<u32, RingError> {
        self.checker.assert_same_umem(pool.geometry().umem);
        let (from, count) = pool.top(count);
        let count = self.ring.free(count)?;
        let checker = &self.checker;
        // SAFETY: `top` said that `count` entries are there, `free` that so many slots are; both
        // ends are exclusively borrowed since.
        let moved = unsafe {
            transfer_each(from, &mut self.ring, count, move |chunk| {
                checker.record_move(chunk, ChunkPlace::Pool, ChunkPlace::User);
                let mut frame = Frame::whole(&checker.geometry, chunk);
                write(&mut frame);
                checker.assert_same_umem(frame.umem());
                let (address, len) = frame.consume();
                checker.record_move(address, ChunkPlace::User, ChunkPlace::Sending);
                Some(Desc::new(address, len))
            })
        };
        Ok(moved)
    }

    /// Has the kernel send, if it asks to be called. In copy mode it always asks.
    ///
    /// One call sends 32 packets at the most in copy mode: after [`Kick::Again`] reap completions and
    /// kick again, while [`pending`](Self::pending) says that something is left.
    ///
    /// # Errors
    /// [`Error::Kick`](crate::Error::Kick) if the interface is down (what is in the ring is sent when it
    /// is up again and kicked) or gone.
    #[inline]
    #[doc(alias = "xsk_ring_prod__needs_wakeup")]
    #[doc(alias = "sendto")]
    pub fn kick_if_needed(&mut self) -> Result<Kick> {
        if self.ring.memory().needs_wakeup() { self.inner.kick_tx() } else { Ok(Kick::NotNeeded) }
    }

    /// Has the kernel send, whether it asks or not.
    ///
    /// # Errors
    /// As [`kick_if_needed`](Self::kick_if_needed).
    pub fn kick(&mut self) -> Result<Kick> {
        self.inner.kick_tx()
    }

    /// Packets in the ring that the kernel has not taken.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.ring.pending()
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

#[cold]
#[inline(never)]
#[track_caller]
#[expect(clippy::panic, reason = "a length that no chunk has is a programming error")]
fn bad_length(len: u32) -> ! {
    panic!("packets of {len} bytes do not fit the chunks of this UMEM");
}

impl AsFd for Tx {
    /// The socket. Do not wait for `POLLOUT` on it: see [`wait`](super::wait()).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// Reserved slots of the TX ring.
#[derive(Debug)]
pub struct TxBatch<'a> {
    slots: Writer<'a, Desc>,
    checker: &'a Checker,
}

impl TxBatch<'_> {
    /// Sends the frame's packet; gives the frame back if no slot is left.
    ///
    /// # Errors
    /// The frame, if no reserved slot is left.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        self.checker.assert_same_umem(frame.umem());
        // A frame describes bytes inside its chunk (I4), and options are 0: never an invalid descriptor.
        if !self.slots.write(Desc::new(frame.address(), frame.len())) {
            return Err(frame);
        }
        let (address, _) = frame.consume();
        self.checker.record_move(address, ChunkPlace::User, ChunkPlace::Sending);
        Ok(())
    }

    /// Slots left.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.slots.remaining()
    }
}
