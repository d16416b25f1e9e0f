//! Received batches: packets to be passed on whole, or frames one by one.

use super::batch::{Batch, BatchFrames};
use super::desc::Desc;
use super::routed::Routed;
use super::verdict::Verdict;
use super::{Fill, Tx};
use crate::ring::RingError;
use crate::ring::route::Step;
use crate::ring::transfer::Form;
use crate::umem::{BatchChecker, ChunkPlace, Frame, FramePool, LentFrame};

/// A received batch: frames to iterate over, or to be passed on whole.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket) -> xsk::Result<()> {
/// socket.rx.receive(64)?.recycle(&mut socket.fill)?; // drop the packets, give their chunks back
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "packets that are not taken stay in the ring"]
pub struct RxBatch<'a>(pub(super) Batch<'a, Desc>);

impl<'a> RxBatch<'a> {
    /// Gives as many of the packets' chunks back to the fill ring as it has room for, unread;
    /// returns how many. The rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`RingError`] of the fill ring. A bad RX entry ends the batch; the next
    /// [`Rx::receive`](super::Rx::receive) returns its error.
    ///
    /// # Panics
    /// If `fill` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn recycle(self, fill: &mut Fill) -> Result<u32, RingError> {
        let place = ChunkPlace::Receiving;
        self.0.move_to_ring(&mut fill.ring, &fill.checker, move |checker, form, desc| {
            checker.accept_chunk(form, desc.address, place, place)
        })
    }

    /// Shows each packet to `look` and gives its chunk back to the fill ring; returns how many.
    /// Ends when the fill ring has no more room; the rest stays in the RX ring.
    ///
    /// This is the quickest way to look at every packet and keep none. (`look` may even exchange
    /// the frame for another one of the same UMEM, to keep this one.)
    ///
    /// # Errors
    /// As [`recycle`](Self::recycle).
    ///
    /// # Panics
    /// If `fill`, or a frame that was exchanged, is of another UMEM. If `look` panics, what was
    /// done before stays done, and the chunk of the frame that it had is lost.
    #[inline(always)]
    #[track_caller]
    pub fn recycle_each(
        self,
        fill: &mut Fill,
        mut look: impl FnMut(&mut Frame),
    ) -> Result<u32, RingError> {
        self.0.move_each_to_ring(&mut fill.ring, &fill.checker, move |checker, form, desc| {
            let mut frame = LentFrame::new(accept(checker, form, desc)?);
            look(frame.get_mut());
            let address = checker.own(frame.take_back()).kernel_address();
            checker.record_move(address, ChunkPlace::User, ChunkPlace::Receiving);
            Some(address)
        })
    }

    /// Sends as many of the packets as the TX ring has room for, as they are; returns how many. The
    /// rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`RingError`] of the TX ring. A bad RX entry ends the batch; the next
    /// [`Rx::receive`](super::Rx::receive) returns its error.
    ///
    /// # Panics
    /// If `tx` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn forward(self, tx: &mut Tx) -> Result<u32, RingError> {
        self.0.move_to_ring(&mut tx.ring, &tx.checker, move |checker, form, desc| {
            // One with options is too long: they are 0.
            let (from, to) = (ChunkPlace::Receiving, ChunkPlace::Sending);
            let address = checker.accept_packet(form, desc.address, desc.length(), from, to)?;
            Some(desc.at(address))
        })
    }

    /// Has `edit` edit each packet in place and sends it; returns how many. Ends when the TX ring
    /// has no more room; the rest stays in the RX ring.
    ///
    /// This is the quickest way to forward everything. To drop or keep some:
    /// [`route_each`](Self::route_each).
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
        self.0.move_each_to_ring(&mut tx.ring, &tx.checker, move |checker, form, desc| {
            let mut frame = accept(checker, form, desc)?;
            edit(&mut frame);
            let frame = checker.own(frame);
            let (address, len) = (frame.kernel_address(), frame.len());
            checker.record_move(address, ChunkPlace::User, ChunkPlace::Sending);
            Some(Desc::new(address, len))
        })
    }

    /// Gives each packet to `decide`, and does with it what that returns: sends it, gives its chunk
    /// to the fill ring or to `pool`, or leaves it with the closure, which kept it. Returns how many
    /// went where.
    ///
    /// Ends when the TX ring has no room for one more packet; the rest stays in the RX ring. Chunks
    /// for which the fill ring has no room go into the pool.
    ///
    /// ```no_run
    /// use xsk::{Port, Verdict};
    ///
    /// # fn f(port: &mut Port) -> xsk::Result<()> {
    /// let Port { umem, pool, socket, .. } = port;
    /// let xsk::Socket { rx, tx, fill, completion, .. } = socket;
    /// // The chunks of packets that were sent come back this way only, and the fill ring gets none of
    /// // them by itself.
    /// completion.reap_into(pool, 32)?;
    /// fill.fill_from(pool, 32)?;
    /// // Sends IPv4 packets back to where they came from, and drops the others.
    /// let routed = rx.receive(32)?.route_each(tx, fill, pool, |mut frame| {
    ///     match umem.bytes_mut(&mut frame).split_at_mut_checked(12) {
    ///         Some((addresses, [0x08, 0x00, ..])) => {
    ///             addresses.rotate_left(6);
    ///             Verdict::Send(frame)
    ///         }
    ///         _ => Verdict::Recycle(frame),
    ///     }
    /// })?;
    /// println!("{} sent, {} dropped", routed.sent, routed.recycled + routed.pooled);
    /// tx.kick_if_needed()?; // 32 packets, which one wake-up sends
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A [`RingError`] of the TX or fill ring. A bad RX entry ends the batch; the next
    /// [`Rx::receive`](super::Rx::receive) returns its error.
    ///
    /// # Panics
    /// If `tx`, `fill` or `pool`, or a frame that `decide` returns, is of another UMEM. If `decide`
    /// panics, what was done before stays done, and the chunk of the frame that it had is lost.
    #[inline(always)]
    #[track_caller]
    pub fn route_each(
        self,
        tx: &mut Tx,
        fill: &mut Fill,
        pool: &mut FramePool,
        mut decide: impl FnMut(Frame) -> Verdict,
    ) -> Result<Routed, RingError> {
        fill.checker.assert_same_umem(tx.checker.geometry.umem);
        pool.geometry().assert_same_umem(tx.checker.geometry.umem);
        let (mut pooled, mut kept) = (0_u32, 0_u32);
        let (sent, recycled) =
            self.0.route(&mut tx.ring, &tx.checker, &mut fill.ring, |checker, desc, slot| {
                let Some(frame) = accept(checker, Form::Either, desc) else { return Step::Refused };
                match decide(frame) {
                    Verdict::Send(frame) => {
                        let frame = checker.own(frame);
                        let (address, len) = (frame.kernel_address(), frame.len());
                        checker.record_move(address, ChunkPlace::User, ChunkPlace::Sending);
                        return Step::First(Desc::new(address, len));
                    }
                    Verdict::Recycle(frame) => {
                        let address = checker.own(frame).kernel_address();
                        if let Some(slot) = slot {
                            checker.record_move(address, ChunkPlace::User, ChunkPlace::Receiving);
                            slot.put(address);
                        } else {
                            no_room(pool, address);
                            pooled = pooled.wrapping_add(1);
                        }
                    }
                    Verdict::Pool(frame) => {
                        pool.put(frame);
                        pooled = pooled.wrapping_add(1);
                    }
                    Verdict::Kept => kept = kept.wrapping_add(1),
                }
                Step::Elsewhere
            })?;
        Ok(Routed { sent, recycled, pooled, kept })
    }

    /// Puts the packets' chunks into `pool`, unread; returns how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn reclaim(self, pool: &mut FramePool) -> u32 {
        self.0.move_to_pool(pool, move |checker, form, desc| {
            checker.accept_chunk(form, desc.address, ChunkPlace::Receiving, ChunkPlace::Pool)
        })
    }

    /// Returns the number of packets in the batch.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no packet.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> IntoIterator for RxBatch<'a> {
    type Item = Frame;
    type IntoIter = RxFrames<'a>;

    #[inline(always)]
    fn into_iter(self) -> RxFrames<'a> {
        RxFrames(self.0.frames())
    }
}

/// The frames of a received batch, one by one; made by iterating over an [`RxBatch`].
///
/// Dropping it gives the slots of the frames that were taken back to the kernel and leaves the
/// others for the next [`Rx::receive`](super::Rx::receive); forgetting it (`std::mem::forget`)
/// delays that until then.
///
/// ```no_run
/// # fn f(rx: &mut xsk::Rx, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let mut frames = rx.receive(64)?.into_iter();
/// pool.extend(frames.next());
/// println!("{} packets are left for the next call", frames.remaining());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RxFrames<'a>(BatchFrames<'a, Desc>);

static_assertions::assert_impl_all!(RxFrames<'static>: Send, Sync);

impl RxFrames<'_> {
    /// Returns how many packets are left to take.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.0.remaining()
    }
}

impl Iterator for RxFrames<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        self.0.next(|checker, desc| accept(checker, Form::Either, desc))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Puts a chunk for which the fill ring has no room into `pool`.
#[cold]
#[inline(never)]
fn no_room(pool: &mut FramePool, address: u64) {
    pool.put_chunk(address);
}

/// Returns the frame of a received descriptor, if it is a good one (invariants I2, I4, I7).
#[inline(always)]
fn accept(checker: BatchChecker<'_>, form: Form, desc: Desc) -> Option<Frame> {
    let (from, to) = (ChunkPlace::Receiving, ChunkPlace::User);
    let address = checker.accept_packet(form, desc.address, desc.length(), from, to)?;
    Some(Frame::new(&checker.geometry, address, desc.len()))
}
