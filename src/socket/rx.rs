//! Packets on their way in.

use super::core::Core;
use super::{Fill, Tx};
use crate::ring::{Consumer, Fault, Index, Kind, Memory, Reader, transfer};
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
    ring: Consumer<xdp_desc>,
    bounds: Bounds,
    ledger: Ledger,
    /// Where the ring began: what was received is the distance from here.
    origin: Index,
    fault: Option<Fault>,
    pub(super) core: Arc<Core>,
}

impl Rx {
    pub(crate) fn new(memory: Memory<xdp_desc>, core: Arc<Core>) -> Self {
        let ring = Consumer::new(Kind::Rx, memory);
        let (bounds, ledger) = (*core.umem.bounds(), core.umem.ledger().clone());
        Self { origin: ring.cursor, ring, bounds, ledger, fault: None, core }
    }

    /// The packets that are there, `count` at the most; none is no error.
    ///
    /// The answer is an iterator of [`Frame`]s. Dropping it gives the slots of the frames that were
    /// taken back to the kernel and leaves the others for the next call; forgetting it
    /// (`std::mem::forget`) delays that until the next call.
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
        if self.fault.is_some() {
            return Err(self.take_fault());
        }
        let (core, origin) = (&self.core, self.origin);
        let count = self.ring.available(count, |at| {
            // Relaxed: the kernel's index, read with acquire just before, came after what filled it.
            let filled = core.flow.filled.load(Ordering::Relaxed);
            filled.wrapping_sub(at.distance_from(origin))
        })?;
        let entries = self.ring.read(count);
        Ok(Received { entries, bounds: self.bounds, ledger: &self.ledger, fault: &mut self.fault })
    }

    #[cold]
    fn take_fault(&mut self) -> Fault {
        let nothing = Fault::Index { ring: Kind::Rx, distance: 0, size: 0 };
        self.fault.take().unwrap_or(nothing)
    }

    /// The ring's number of entries.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.ring.memory().size()
    }
}

impl AsFd for Rx {
    /// The socket; readable (`POLLIN`) while the RX ring holds packets.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.core.as_fd()
    }
}

/// A received batch: an iterator of frames, or to be passed on whole.
#[derive(Debug)]
#[must_use = "packets that are not taken stay in the ring"]
pub struct Received<'a> {
    entries: Reader<'a, xdp_desc>,
    bounds: Bounds,
    ledger: &'a Ledger,
    fault: &'a mut Option<Fault>,
}

/// A descriptor's length and options as one number: too large for any chunk if there are options.
#[inline(always)]
fn length_and_options(desc: xdp_desc) -> u64 {
    u64::from(desc.options) << 32 | u64::from(desc.len)
}

impl Received<'_> {
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
    pub fn recycle(mut self, fill: &mut Fill) -> Result<u32, Fault> {
        let (bounds, ledger) = (self.bounds, self.ledger);
        fill.bounds.same(bounds.umem);
        let (ring, there) = self.entries.rest();
        let count = fill.ring.free(there)?;
        let moved = transfer::ring_to_ring(ring, &mut fill.ring, count, |desc| {
            let good = bounds.contains(desc.addr)
                && ledger.moved(&bounds, desc.addr, Place::Receiving, Place::Receiving);
            good.then_some(desc.addr)
        });
        fill.publish();
        self.note(moved.refused);
        Ok(moved.count)
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
    pub fn forward(mut self, tx: &mut Tx) -> Result<u32, Fault> {
        let (bounds, ledger) = (self.bounds, self.ledger);
        tx.bounds.same(bounds.umem);
        let (ring, there) = self.entries.rest();
        let count = tx.ring.free(there)?;
        let moved = transfer::ring_to_ring(ring, &mut tx.ring, count, |desc| {
            let good = bounds.holds(desc.addr, length_and_options(desc))
                && ledger.moved(&bounds, desc.addr, Place::Receiving, Place::Sending);
            good.then_some(xdp_desc { options: 0, ..desc })
        });
        tx.publish();
        self.note(moved.refused);
        Ok(moved.count)
    }

    /// Puts the packets' chunks into `pool`, unread; answers how many.
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn into_pool(mut self, pool: &mut Pool) -> u32 {
        let (bounds, ledger) = (self.bounds, self.ledger);
        pool.bounds().same(bounds.umem);
        let (ring, there) = self.entries.rest();
        pool.make_room(there);
        let room = pool.vacant().get_mut(..crate::num::usize32(there)).unwrap_or_default();
        let moved = transfer::ring_to_slice(ring, room, |desc: xdp_desc| {
            let good = bounds.contains(desc.addr)
                && ledger.moved(&bounds, desc.addr, Place::Receiving, Place::Pool);
            good.then_some(bounds.chunk(desc.addr))
        });
        pool.add_top(moved.count);
        self.note(moved.refused);
        moved.count
    }

    #[inline(always)]
    fn note(&mut self, refused: Option<xdp_desc>) {
        if let Some(desc) = refused {
            *self.fault = Some(entry_fault(&self.bounds, desc));
        }
    }
}

impl Iterator for Received<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        let desc = self.entries.take()?;
        let good = self.bounds.holds(desc.addr, length_and_options(desc))
            && self.ledger.moved(&self.bounds, desc.addr, Place::Receiving, Place::User);
        if !good {
            self.note(Some(desc));
            self.entries.stop();
            return None;
        }
        Some(Frame::mint(&self.bounds, desc.addr, desc.len))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = crate::num::usize32(self.entries.left());
        // A bad entry ends the batch early.
        (0, Some(left))
    }
}

impl Received<'_> {
    /// Packets not taken yet.
    #[inline]
    #[must_use]
    pub fn len(&self) -> u32 {
        self.entries.left()
    }

    /// Whether there is none left.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cold]
#[inline(never)]
fn entry_fault(bounds: &Bounds, desc: xdp_desc) -> Fault {
    if bounds.holds(desc.addr, length_and_options(desc)) {
        return Fault::Repeated { ring: Kind::Rx, address: desc.addr };
    }
    let (address, len, options) = (desc.addr, desc.len, desc.options);
    Fault::Entry { ring: Kind::Rx, address, len, options }
}
