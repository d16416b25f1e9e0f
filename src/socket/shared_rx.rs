//! The RX ring of one of several sockets on a queue.

use super::batch::Batch;
use super::desc::Desc;
use super::inner::{Inner, as_fd};
use super::rx::error;
use super::{Rx, RxBatch, SocketHandle};
use crate::ring::{Consumer, Index, Memory, RingError, RingKind};
use crate::umem::Checker;
use std::sync::Arc;
use xsk_uapi::if_xdp::xdp_desc;

/// The RX ring of one of several sockets on a queue ([`SharedQueue`](super::SharedQueue)).
///
/// As [`Rx`], but what it receives is counted together with what the others receive: the kernel
/// cannot give more packets to all of them than chunks were filled. That costs an atomic addition in
/// each batch with new packets.
///
/// ```no_run
/// # fn f(socket: &mut xsk::SharedSocket, fill: &mut xsk::Fill) -> xsk::Result<()> {
/// socket.rx.receive(64)?.recycle(fill)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_RX_RING")]
pub struct SharedRx {
    ring: Consumer<Desc>,
    checker: Checker,
    /// The position up to which the packets are counted.
    counted: Index,
    inner: Arc<Inner>,
}

impl SharedRx {
    /// Makes the ring of a socket that shares the queue of another one.
    pub(crate) fn new(memory: Memory<xdp_desc>, inner: Arc<Inner>) -> Self {
        let ring = Consumer::new(RingKind::Rx, memory.cast());
        let (checker, counted) = (inner.pool.umem.checker(), ring.cursor());
        Self { ring, checker, counted, inner }
    }

    /// Makes it of the ring of a queue's first socket, before there are others.
    pub(super) fn of_first(rx: Rx) -> Self {
        let (ring, checker, inner) = rx.into_parts();
        // Those that are on the ring were counted by nothing.
        let counted = ring.cursor();
        inner.pool.given.received.set(counted.get());
        Self { ring, checker, counted, inner }
    }

    /// Refuses the handle of another socket: what one that is added to its queue receives would not
    /// be counted together with what this ring does.
    #[track_caller]
    pub(super) fn assert_of(&self, handle: &SocketHandle) {
        let same = Arc::ptr_eq(&self.inner, &handle.inner());
        assert!(same, "the RX ring is that of another queue");
    }

    /// Returns the packets that are in the ring, as [`Rx::receive`].
    ///
    /// # Errors
    /// As there; [`RingError::TooManyEntries`] also if all sockets of the queue together received more
    /// than was filled.
    #[inline(always)]
    #[doc(alias = "xsk_ring_cons__peek")]
    pub fn receive(&mut self, count: u32) -> Result<RxBatch<'_>, RingError> {
        let Self { ring, checker, counted, inner } = self;
        let given = &inner.pool.given;
        let (cursor, capacity) = (ring.cursor(), ring.memory().capacity());
        let most_allowed = |available| {
            let end = cursor.advance(available);
            let new = end.distance_from(*counted);
            // An index that is impossible, or went back, counts nothing.
            if available <= capacity && (1..=capacity).contains(&new) {
                match given.received.add(new, &given.filled) {
                    Ok(()) => *counted = end,
                    Err(most) => return counted.advance(most),
                }
            }
            *counted
        };
        let error = |ring: &mut _, suspect| error(ring, checker, suspect);
        Ok(RxBatch(Batch::new(ring.peek(count, most_allowed, error)?, checker)))
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

as_fd!(
    /// Returns the socket; readable (`POLLIN`) while the RX ring holds packets.
    SharedRx: inner
);
