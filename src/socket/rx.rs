//! Packets on their way in.

use super::core::Core;
use super::frames::length_and_options;
use super::{Fill, Frames, Tx};
use crate::ring::transfer::{self, Refused};
use crate::ring::{Consumer, Fault, Index, Kind, Memory};
use crate::umem::{Bounds, Frame, Ledger, Place, Pool};
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
    pub(super) ring: Consumer<xdp_desc>,
    pub(super) bounds: Bounds,
    pub(super) ledger: Ledger,
    /// An entry that was refused, for the next call to answer with.
    pub(super) refused: Option<xdp_desc>,
    core: Arc<Core>,
}

impl Rx {
    pub(crate) fn new(memory: Memory<xdp_desc>, core: Arc<Core>) -> Self {
        let ring = Consumer::new(Kind::Rx, memory);
        let (bounds, ledger) = (*core.umem.bounds(), core.umem.ledger().clone());
        Self {
            ring,
            bounds,
            ledger,
            refused: None,
            core,
        }
    }

    /// The packets that are there, `count` at the most; none is no error.
    ///
    /// Iterate over the answer for [`Frame`]s, or pass the batch on whole. What is not taken stays in
    /// the ring.
    ///
    /// ```no_run
    /// # fn f(umem: &xsk::Umem, rx: &mut xsk::Rx, pool: &mut xsk::Pool) -> xsk::Result<()> {
    /// for frame in rx.receive(64)? {
    ///     println!("{} bytes", umem.bytes(&frame).len());
    ///     pool.put(frame);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A [`Fault`] if the kernel's side of the ring breaks the rules. One in an entry is found while
    /// the batch is taken: it ends the batch there, its chunk is lost, and the *next* call answers with
    /// it, once.
    #[inline(always)]
    #[doc(alias = "xsk_ring_cons__peek")]
    pub fn receive(&mut self, count: u32) -> Result<Received<'_>, Fault> {
        if let Some(desc) = self.refused.take() {
            return Err(fault(&self.bounds, desc));
        }
        // Relaxed: the kernel's index, read with acquire just before, came after what filled the ring.
        let core = &self.core;
        let granted = || Index::new(core.flow.filled.load(Ordering::Relaxed));
        let count = self.ring.available(count, granted)?;
        Ok(Received { rx: self, count })
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.ring.memory().size()
    }

    /// Gives the slots of a bulk operation back; answers how many entries it moved.
    #[inline(always)]
    fn taken(&mut self, moved: Result<(), Refused<xdp_desc>>, count: u32) -> u32 {
        let count = match moved {
            Ok(()) => count,
            Err(refused) => {
                self.refused = Some(refused.entry);
                refused.count
            }
        };
        self.ring.release();
        count
    }
}

#[cold]
#[inline(never)]
fn fault(bounds: &Bounds, desc: xdp_desc) -> Fault {
    let (address, len, options) = (desc.addr, desc.len, desc.options);
    if bounds.holds(address, length_and_options(desc)) {
        Fault::Repeated {
            ring: Kind::Rx,
            address,
        }
    } else {
        Fault::Entry {
            ring: Kind::Rx,
            address,
            len,
            options,
        }
    }
}

impl AsFd for Rx {
    /// The socket; readable (`POLLIN`) while the RX ring holds packets.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.core.as_fd()
    }
}

/// A received batch: frames to iterate over, or to be passed on whole.
#[derive(Debug)]
#[must_use = "packets that are not taken stay in the ring"]
pub struct Received<'a> {
    rx: &'a mut Rx,
    count: u32,
}

impl<'a> Received<'a> {
    /// Gives as many of the packets' chunks back to the fill ring as it has room for, unread; answers
    /// how many. The rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`Fault`] of the fill ring. One of an RX entry ends the batch and is answered by the next
    /// [`Rx::receive`].
    ///
    /// # Panics
    /// If `fill` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn recycle(self, fill: &mut Fill) -> Result<u32, Fault> {
        let Self { rx, count } = self;
        fill.bounds.same(rx.bounds.umem);
        let count = fill.ring.free(count)?;
        let (bounds, ledger) = (rx.bounds, &rx.ledger);
        let moved = transfer::ring_to_ring(&mut rx.ring, &mut fill.ring, count, |desc| {
            let good = bounds.contains(desc.addr)
                && ledger.moved(&bounds, desc.addr, Place::Receiving, Place::Receiving);
            good.then_some(desc.addr)
        });
        fill.publish();
        Ok(rx.taken(moved, count))
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
    ) -> Result<u32, Fault> {
        let Self { rx, count } = self;
        fill.bounds.same(rx.bounds.umem);
        let count = fill.ring.free(count)?;
        let (bounds, ledger) = (rx.bounds, &rx.ledger);
        let moved = transfer::ring_to_ring(&mut rx.ring, &mut fill.ring, count, |desc| {
            let mut frame = mint(&bounds, ledger, desc)?;
            look(&mut frame);
            bounds.same(frame.umem());
            let (address, _) = frame.consume();
            ledger.moved(&bounds, address, Place::User, Place::Receiving);
            Some(address)
        });
        fill.publish();
        Ok(rx.taken(moved, count))
    }

    /// Sends as many of the packets as the TX ring has room for, as they are; answers how many. The
    /// rest stays in the RX ring.
    ///
    /// # Errors
    /// A [`Fault`] of the TX ring. One of an RX entry ends the batch and is answered by the next
    /// [`Rx::receive`].
    ///
    /// # Panics
    /// If `tx` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn forward(self, tx: &mut Tx) -> Result<u32, Fault> {
        let Self { rx, count } = self;
        tx.bounds.same(rx.bounds.umem);
        let count = tx.ring.free(count)?;
        let (bounds, ledger) = (rx.bounds, &rx.ledger);
        let moved = transfer::ring_to_ring(&mut rx.ring, &mut tx.ring, count, |desc| {
            let good = bounds.holds(desc.addr, length_and_options(desc))
                && ledger.moved(&bounds, desc.addr, Place::Receiving, Place::Sending);
            good.then_some(xdp_desc { options: 0, ..desc })
        });
        tx.publish();
        Ok(rx.taken(moved, count))
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
    pub fn forward_each(self, tx: &mut Tx, mut edit: impl FnMut(&mut Frame)) -> Result<u32, Fault> {
        let Self { rx, count } = self;
        tx.bounds.same(rx.bounds.umem);
        let count = tx.ring.free(count)?;
        let (bounds, ledger) = (rx.bounds, &rx.ledger);
        let moved = transfer::ring_to_ring(&mut rx.ring, &mut tx.ring, count, |desc| {
            let mut frame = mint(&bounds, ledger, desc)?;
            edit(&mut frame);
            bounds.same(frame.umem());
            let (addr, len) = frame.consume();
            ledger.moved(&bounds, addr, Place::User, Place::Sending);
            Some(xdp_desc {
                addr,
                len,
                options: 0,
            })
        });
        tx.publish();
        Ok(rx.taken(moved, count))
    }

    /// Puts the packets' chunks into `pool`, unread; answers how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn into_pool(self, pool: &mut Pool) -> u32 {
        let Self { rx, count } = self;
        pool.bounds().same(rx.bounds.umem);
        let (bounds, ledger) = (rx.bounds, &rx.ledger);
        let moved = transfer::ring_to_slice(&mut rx.ring, pool.room(count), |desc: xdp_desc| {
            let good = bounds.contains(desc.addr)
                && ledger.moved(&bounds, desc.addr, Place::Receiving, Place::Pool);
            good.then_some(bounds.chunk(desc.addr))
        });
        let count = rx.taken(moved, count);
        pool.add_top(count);
        count
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

impl<'a> IntoIterator for Received<'a> {
    type Item = Frame;
    type IntoIter = Frames<'a>;

    #[inline(always)]
    fn into_iter(self) -> Frames<'a> {
        Frames::new(self.rx, self.count)
    }
}

/// The frame of a received descriptor, if it is a good one (invariants I2, I4, I7).
#[inline(always)]
pub(super) fn mint(bounds: &Bounds, ledger: &Ledger, desc: xdp_desc) -> Option<Frame> {
    let good = bounds.holds(desc.addr, length_and_options(desc))
        && ledger.moved(bounds, desc.addr, Place::Receiving, Place::User);
    good.then(|| Frame::mint(bounds, desc.addr, desc.len))
}
