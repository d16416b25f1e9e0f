//! The TX ring: packets to send, as frames.

use super::batch::Slots;
use super::desc::Desc;
use super::inner::{Inner, as_fd};
use super::kick::Kick;
use super::tx_batch::TxBatch;
use crate::error::Result;
use crate::ring::transfer::{Form, transfer_each_of, transfer_of};
use crate::ring::{AtomicU32, Memory, Producer, RingError, RingKind};
use crate::umem::{Checker, ChunkPlace, Frame, FramePool};
use std::sync::Arc;
use xsk_uapi::if_xdp::xdp_desc;

/// The TX ring: packets to send, as frames.
///
/// A packet is sent when it was submitted *and* the kernel was woken ([`kick_if_needed`]); its
/// chunk comes back by the [`Completion`](super::Completion) ring of the same socket.
///
/// [`kick_if_needed`]: Tx::kick_if_needed
///
/// ```no_run
/// # fn f(umem: &xsk::Umem, socket: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// socket.completion.reap_into(pool, 64)?;
/// let packet = [0xff; 60];
/// socket.tx.send_each(pool, 64, |frame| umem.write(frame, &packet).expect("60 bytes fit"))?;
/// socket.tx.kick_if_needed()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_TX_RING")]
pub struct Tx {
    pub(super) ring: Producer<Desc>,
    pub(super) checker: Checker,
    /// Whether the socket is bound in copy mode: then a call for an empty ring does nothing.
    copy_mode: bool,
    inner: Arc<Inner>,
}

impl Tx {
    pub(crate) fn new(memory: Memory<xdp_desc>, inner: Arc<Inner>) -> Self {
        let sent = Arc::clone(&inner.pool.given.sent);
        Self::counted(memory, inner, sent)
    }

    /// Returns the ring of a socket whose packets come back in another one's completion ring, which
    /// finds their number in `sent`.
    pub(crate) fn of_sharing(
        memory: Memory<xdp_desc>,
        inner: Arc<Inner>,
        sent: Arc<AtomicU32>,
    ) -> Self {
        Self::counted(memory, inner, sent)
    }

    fn counted(memory: Memory<xdp_desc>, inner: Arc<Inner>, sent: Arc<AtomicU32>) -> Self {
        Self {
            ring: Producer::counted(RingKind::Tx, memory.cast(), sent),
            checker: inner.pool.umem.checker(),
            copy_mode: false,
            inner,
        }
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Returns the ring of a socket that was bound in this mode.
    pub(crate) fn bound(self, zero_copy: bool) -> Self {
        Self { copy_mode: !zero_copy, ..self }
    }

    /// Reserves up to `count` slots, for [`TxBatch::push`]. What was pushed is submitted at once
    /// when the batch is dropped: one release store for all.
    ///
    /// Forgetting the batch (`std::mem::forget`) delays that until the next batch.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    #[inline(always)]
    #[doc(alias = "xsk_ring_prod__reserve")]
    #[doc(alias = "xsk_ring_prod__submit")]
    pub fn reserve(&mut self, count: u32) -> Result<TxBatch<'_>, RingError> {
        Ok(TxBatch(Slots::new(self.ring.write(count)?, self.checker.for_batch())))
    }

    /// Sends up to `count` chunks of `pool`, the first `len` bytes of each, as they are; as many as
    /// the pool has and have room. Returns how many.
    ///
    /// For senders whose packets lie ready in their chunks
    /// ([`Umem::for_each_free_chunk`](crate::Umem::for_each_free_chunk)).
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
        let ready = pool.top(count);
        let room = self.ring.reserve(ready.count())?;
        let checker = &self.checker;
        let has_metadata = || checker.geometry.has_tx_metadata();
        Ok(transfer_of(ready, room, has_metadata, move |form, chunk| {
            checker.record_move(chunk, ChunkPlace::Pool, ChunkPlace::Sending);
            let first =
                if form == Form::Usual { chunk } else { checker.geometry.first_usable(chunk) };
            Some(Desc::new(first, len))
        }))
    }

    /// Takes up to `count` chunks of `pool`, has `write` write a packet into each (a frame over the
    /// whole chunk; see [`Frame::truncate`] and [`Umem::write`](crate::Umem::write)) and sends it;
    /// as many as the pool has and have room. Returns how many.
    ///
    /// Each frame is sent as `write` leaves it: the whole chunk, with what was in it, if nothing set
    /// its length. Where a packet may not fit, check that first, or push into a batch of
    /// [`reserve`](Self::reserve).
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    ///
    /// # Panics
    /// If `pool`, or a frame that was exchanged, is of another UMEM. If `write` panics, what was
    /// done before stays done, and the chunk of the frame that it had is lost.
    #[inline(always)]
    #[track_caller]
    pub fn send_each(
        &mut self,
        pool: &mut FramePool,
        count: u32,
        mut write: impl FnMut(&mut Frame),
    ) -> Result<u32, RingError> {
        self.checker.assert_same_umem(pool.geometry().umem);
        let ready = pool.top(count);
        let room = self.ring.reserve(ready.count())?;
        let checker = &self.checker;
        let has_metadata = || checker.geometry.has_tx_metadata();
        Ok(transfer_each_of(ready, room, has_metadata, move |form, chunk| {
            checker.record_move(chunk, ChunkPlace::Pool, ChunkPlace::User);
            let geometry = &checker.geometry;
            let mut frame = match form {
                Form::Usual => Frame::new(geometry, chunk, geometry.usable_len()),
                _ => Frame::whole(geometry, chunk),
            };
            write(&mut frame);
            let frame = checker.for_batch().own(frame);
            let (address, len) = (frame.kernel_address(), frame.len());
            checker.record_move(address, ChunkPlace::User, ChunkPlace::Sending);
            Some(Desc::new(address, len))
        }))
    }

    /// Wakes the kernel if the TX ring's need-wakeup flag is set. In copy mode it always is, so
    /// there this wakes the kernel if the ring holds packets ([`pending`](Self::pending)), and makes
    /// no system call else. In zero-copy mode a driver may need the call for an empty ring, too: to
    /// give chunks back.
    ///
    /// One call takes 32 descriptors at the most in copy mode (or
    /// [`set_tx_budget`](super::SocketHandle::set_tx_budget)): after [`Kick::Again`] reap completions
    /// and kick again, while [`pending`](Self::pending) says that something is left.
    ///
    /// # Errors
    /// [`Error::Kick`](crate::Error::Kick) if the interface is down (what is in the ring is sent
    /// when it is up again and kicked) or gone. An empty ring in copy mode does not show that; see
    /// [`SocketHandle::check`](super::SocketHandle::check).
    #[inline]
    #[doc(alias = "xsk_ring_prod__needs_wakeup")]
    #[doc(alias = "sendto")]
    pub fn kick_if_needed(&mut self) -> Result<Kick> {
        if (self.copy_mode && self.pending() == 0) || !self.ring.memory().needs_wakeup() {
            return Ok(Kick::NotNeeded);
        }
        self.inner.kick_tx()
    }

    /// Wakes the kernel, whatever the need-wakeup flag is and whatever the ring holds.
    ///
    /// # Errors
    /// As [`kick_if_needed`](Self::kick_if_needed).
    pub fn kick(&mut self) -> Result<Kick> {
        self.inner.kick_tx()
    }

    /// Returns how many packets in the ring the kernel has not taken.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.ring.pending()
    }

    /// Returns the ring's number of entries.
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

as_fd!(
    /// Returns the socket. Do not wait for `POLLOUT` on it: see [`wait`](super::wait()).
    Tx: inner
);
