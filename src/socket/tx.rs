//! Packets on their way out.

use super::core::{Core, Kick};
use crate::error::Result;
use crate::ring::{Fault, Kind, Memory, Producer, Writer, transfer};
use crate::umem::{Bounds, Frame, Ledger, Place, Pool};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
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
    pub(super) ring: Producer<xdp_desc>,
    pub(super) bounds: Bounds,
    ledger: Ledger,
    pub(super) core: Arc<Core>,
}

impl Tx {
    pub(crate) fn new(memory: Memory<xdp_desc>, core: Arc<Core>) -> Self {
        let ring = Producer::new(Kind::Tx, memory);
        let (bounds, ledger) = (*core.umem.bounds(), core.umem.ledger().clone());
        core.flow.sent.store(ring.cursor.get(), Ordering::Relaxed);
        Self {
            ring,
            bounds,
            ledger,
            core,
        }
    }

    /// Reserves up to `count` slots, for [`Sending::push`]. What was pushed is published at once when
    /// the answer is dropped: one release store for the batch.
    ///
    /// Forgetting the answer (`std::mem::forget`) delays that until the next batch.
    ///
    /// # Errors
    /// A [`Fault`] if the kernel's side of the ring breaks the rules.
    #[inline(always)]
    #[doc(alias = "xsk_ring_prod__reserve")]
    pub fn reserve(&mut self, count: u32) -> Result<Sending<'_>, Fault> {
        let flow = &self.core.flow.sent;
        let slots = self.ring.write(count)?;
        Ok(Sending {
            slots,
            bounds: &self.bounds,
            ledger: &self.ledger,
            flow,
        })
    }

    /// Sends up to `count` chunks of `pool`, the first `len` bytes of each, as they are; as many as
    /// there are and have room. Answers how many.
    ///
    /// For senders whose packets lie ready in their chunks ([`Umem::edit_pool`](crate::Umem::edit_pool)).
    ///
    /// # Errors
    /// A [`Fault`] if the kernel's side of the ring breaks the rules.
    ///
    /// # Panics
    /// If `pool` is of another UMEM, or `len` is 0 or more than a chunk.
    #[inline(always)]
    #[track_caller]
    pub fn send_from(&mut self, pool: &mut Pool, count: u32, len: u32) -> Result<u32, Fault> {
        self.bounds.same(pool.bounds().umem);
        if !self.bounds.holds(0, u64::from(len)) {
            bad_length(len);
        }
        let there = u32::try_from(pool.len()).unwrap_or(u32::MAX);
        let count = self.ring.free(count.min(there))?;
        let (bounds, ledger) = (self.bounds, &self.ledger);
        transfer::slice_to_ring(pool.top(count), &mut self.ring, |chunk| {
            ledger.moved(&bounds, chunk, Place::Pool, Place::Sending);
            xdp_desc {
                addr: chunk,
                len,
                options: 0,
            }
        });
        pool.drop_top(count);
        self.publish();
        Ok(count)
    }

    /// Takes up to `count` chunks of `pool`, has `write` write a packet into each (a frame over the whole
    /// chunk; see [`Frame::truncate`] and [`Umem::write`](crate::Umem::write)) and sends it; as many as
    /// there are and have room. Answers how many.
    ///
    /// # Errors
    /// A [`Fault`] if the kernel's side of the ring breaks the rules.
    ///
    /// # Panics
    /// If `pool`, or a frame that was exchanged, is of another UMEM. If `write` panics, what was done
    /// before is sent with the next batch, and the chunk of the frame that it had is lost.
    #[inline(always)]
    #[track_caller]
    pub fn send_each(
        &mut self,
        pool: &mut Pool,
        count: u32,
        mut write: impl FnMut(&mut Frame),
    ) -> Result<u32, Fault> {
        self.bounds.same(pool.bounds().umem);
        let there = u32::try_from(pool.len()).unwrap_or(u32::MAX);
        let count = self.ring.free(count.min(there))?;
        let mut slots = self.ring.write_known(count);
        for _ in 0..count {
            let Some(mut frame) = pool.take() else { break };
            write(&mut frame);
            self.bounds.same(frame.umem());
            let (addr, len) = frame.consume();
            self.ledger
                .moved(&self.bounds, addr, Place::User, Place::Sending);
            slots.write(xdp_desc {
                addr,
                len,
                options: 0,
            });
        }
        drop(slots);
        self.publish();
        Ok(count)
    }

    /// Publishes what was written, after noting how much that is.
    #[inline(always)]
    pub(super) fn publish(&mut self) {
        // Relaxed: ordered by the release of the ring's index that follows.
        self.core
            .flow
            .sent
            .store(self.ring.cursor.get(), Ordering::Relaxed);
        self.ring.publish();
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
        if self.ring.memory().needs_wakeup() {
            self.core.kick_tx()
        } else {
            Ok(Kick::NotNeeded)
        }
    }

    /// Has the kernel send, whether it asks or not.
    ///
    /// # Errors
    /// As [`kick_if_needed`](Self::kick_if_needed).
    pub fn kick(&mut self) -> Result<Kick> {
        self.core.kick_tx()
    }

    /// Packets in the ring that the kernel has not taken.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.ring.pending()
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.ring.memory().size()
    }
}

#[cold]
#[inline(never)]
#[track_caller]
#[expect(
    clippy::panic,
    reason = "a length that no chunk has is a programming error"
)]
fn bad_length(len: u32) -> ! {
    panic!("packets of {len} bytes do not fit the chunks of this UMEM");
}

impl AsFd for Tx {
    /// The socket. Do not wait for `POLLOUT` on it: see [`wait`](super::wait).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.core.as_fd()
    }
}

/// Reserved slots of the TX ring.
#[derive(Debug)]
pub struct Sending<'a> {
    slots: Writer<'a, xdp_desc>,
    bounds: &'a Bounds,
    ledger: &'a Ledger,
    flow: &'a AtomicU32,
}

impl Sending<'_> {
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
        self.bounds.same(frame.umem());
        if !self.slots.has_room() {
            return Err(frame);
        }
        let (addr, len) = frame.consume();
        self.ledger
            .moved(self.bounds, addr, Place::User, Place::Sending);
        // A frame describes bytes inside its chunk (I4), and options are 0: never an invalid descriptor.
        self.slots.write_next(xdp_desc {
            addr,
            len,
            options: 0,
        });
        Ok(())
    }

    /// Slots left.
    #[inline]
    #[must_use]
    pub fn left(&self) -> u32 {
        self.slots.left()
    }
}

impl Drop for Sending<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Relaxed: the writer publishes, with release, when it is dropped after this.
        self.flow
            .store(self.slots.cursor().get(), Ordering::Relaxed);
    }
}
