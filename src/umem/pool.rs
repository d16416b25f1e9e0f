//! Free chunks, in the user's hands.

use super::bounds::Bounds;
use super::frame::Frame;
use super::ledger::{Ledger, Place};
use crate::num::usize32;

/// A stack of free chunks of one UMEM.
///
/// [`Umem::builder`](super::Umem::builder) makes the first, with every chunk. Pools can be split and
/// merged and moved between threads; a thread that only receives and one that only sends feed one
/// another by passing pools or frames.
///
/// Dropping a pool is safe and loses its chunks until the UMEM ends.
#[must_use = "a dropped pool's chunks are lost until its UMEM ends"]
#[derive(Debug)]
pub struct Pool {
    bounds: Bounds,
    ledger: Ledger,
    /// First bytes of free chunks; only those below `len` count.
    slots: Box<[u64]>,
    len: usize,
}

impl Pool {
    pub(super) fn new(bounds: Bounds, ledger: Ledger) -> Self {
        let slots = vec![0; usize::try_from(bounds.chunks()).unwrap_or(0)].into_boxed_slice();
        Self {
            bounds,
            ledger,
            slots,
            len: 0,
        }
    }

    /// The pool of all chunks; made once for a UMEM, before anything else can mint a frame.
    pub(super) fn full(bounds: Bounds, ledger: Ledger) -> Self {
        let mut pool = Self::new(bounds, ledger);
        // The last slot is taken first: chunks leave in the order of their addresses.
        let chunks = (0..bounds.chunks()).rev();
        for (slot, chunk) in pool.slots.iter_mut().zip(chunks) {
            *slot = chunk.wrapping_mul(bounds.chunk_size());
        }
        pool.len = pool.slots.len();
        pool
    }

    /// The number of free chunks in the pool.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the pool is empty.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes a chunk, as a frame over all its bytes; `None` from an empty pool.
    ///
    /// The bytes are what the chunk's last packet left there. Write a packet and set its length with
    /// [`Umem::write`](super::Umem::write), or edit [`Umem::bytes_mut`](super::Umem::bytes_mut) and
    /// [`Frame::truncate`].
    #[inline]
    pub fn take(&mut self) -> Option<Frame> {
        let top = self.len.checked_sub(1)?;
        let address = *self.slots.get(top)?;
        self.len = top;
        self.ledger
            .moved(&self.bounds, address, Place::Pool, Place::User);
        Some(Frame::mint(&self.bounds, address, self.chunk_len()))
    }

    /// A chunk's size as a length; the kernel allows no chunk above a page.
    fn chunk_len(&self) -> u32 {
        u32::try_from(self.bounds.chunk_size()).unwrap_or(u32::MAX)
    }

    /// Puts a frame's chunk back.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline]
    #[track_caller]
    pub fn put(&mut self, frame: Frame) {
        self.bounds.same(frame.umem());
        let (address, _) = frame.consume();
        self.ledger
            .moved(&self.bounds, address, Place::User, Place::Pool);
        self.push(self.bounds.chunk(address));
    }

    #[inline(always)]
    fn push(&mut self, chunk: u64) {
        if self.len == self.slots.len() {
            self.grow(1);
        }
        if let Some(slot) = self.slots.get_mut(self.len) {
            *slot = chunk;
            self.len = self.len.wrapping_add(1);
        }
    }

    /// There is a slot for every chunk of the UMEM, so this is reached only if the other side of a ring
    /// gave a chunk back twice where nobody could know (the axiom of I9).
    #[cold]
    fn grow(&mut self, more: usize) {
        let mut slots = std::mem::take(&mut self.slots).into_vec();
        slots.resize(slots.len().saturating_add(more), 0);
        self.slots = slots.into_boxed_slice();
    }

    /// Splits up to `chunks` chunks off into a pool of their own, for another thread, say.
    pub fn split(&mut self, chunks: usize) -> Self {
        let mut other = Self::new(self.bounds, self.ledger.clone());
        self.feed(&mut other, chunks);
        other
    }

    /// Puts all chunks of `other` into this pool.
    ///
    /// # Panics
    /// If `other` is a pool of another UMEM.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        let all = other.len;
        other.feed(self, all);
    }

    /// Moves up to `chunks` chunks into `other`; answers how many.
    ///
    /// # Panics
    /// If `other` is a pool of another UMEM.
    #[track_caller]
    pub fn feed(&mut self, other: &mut Self, chunks: usize) -> usize {
        other.bounds.same(self.bounds.umem);
        let count = chunks.min(self.len);
        let rest = self.len.wrapping_sub(count);
        let missing = other
            .len
            .saturating_add(count)
            .saturating_sub(other.slots.len());
        if missing > 0 {
            other.grow(missing);
        }
        for (to, from) in other.vacant().iter_mut().zip(self.slots.iter().skip(rest)) {
            *to = *from;
        }
        other.len = other.len.saturating_add(count);
        self.len = rest;
        count
    }

    /// The slots of the topmost `count` chunks, from the bottom up.
    #[inline(always)]
    pub(crate) fn top(&self, count: u32) -> &[u64] {
        let from = self.len.saturating_sub(usize32(count));
        self.slots.get(from..self.len).unwrap_or_default()
    }

    /// Forgets the topmost `count` chunks, which are somewhere else now.
    #[inline(always)]
    pub(crate) fn drop_top(&mut self, count: u32) {
        self.len = self.len.saturating_sub(usize32(count));
    }

    /// The slots above the topmost chunk.
    #[inline(always)]
    fn vacant(&mut self) -> &mut [u64] {
        self.slots.get_mut(self.len..).unwrap_or_default()
    }

    /// Vacant slots for `count` chunks.
    #[inline(always)]
    pub(crate) fn room(&mut self, count: u32) -> &mut [u64] {
        if self.slots.len().wrapping_sub(self.len) < usize32(count) {
            self.grow(usize32(count));
        }
        self.vacant().get_mut(..usize32(count)).unwrap_or_default()
    }

    /// Counts `count` chunks in that were written to [`room`](Self::room), whose places the caller told the
    /// ledger.
    #[inline(always)]
    pub(crate) fn add_top(&mut self, count: u32) {
        self.len = self
            .len
            .saturating_add(usize32(count))
            .min(self.slots.len());
    }

    #[inline(always)]
    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The first bytes of the pool's chunks, in bytes from the beginning of the UMEM, in no order: which
    /// chunks are here, for tests of conservation.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        self.slots.iter().take(self.len).copied()
    }
}
