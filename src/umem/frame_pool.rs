//! Free chunks of a UMEM, in the user's hands.
#![allow(unsafe_code, reason = "runs of slots, for transfers to and from rings")]

use super::checker::Checker;
use super::chunk_place::ChunkPlace;
use super::frame::Frame;
use super::geometry::Geometry;
use super::losses::record_lost;
use super::number::count_lost;
use crate::num::{u32_of_count, usize32};
use crate::ring::transfer::{Ready, Room, Sink, Source};

/// A stack of free chunks of one UMEM.
///
/// [`Umem::builder`](super::Umem::builder) makes the first, with every chunk. Pools can be split
/// and joined and moved between threads; a thread that only receives and one that only sends feed
/// one another by passing pools or frames.
///
/// Dropping a pool is safe and loses its chunks until the UMEM ends;
/// [`Umem::lost_chunks`](super::Umem::lost_chunks) counts them.
///
/// ```
/// let (_umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let mut other = pool.split_off(4);
/// assert_eq!((pool.len(), other.len()), (12, 4));
/// pool.extend(other.take()); // a frame's chunk goes to any pool of its UMEM
/// pool.append(other);
/// assert_eq!(pool.len(), 16);
/// # Ok::<(), xsk::Error>(())
/// ```
#[must_use = "a dropped pool's chunks are lost until its UMEM ends"]
#[derive(Debug)]
pub struct FramePool {
    checker: Checker,
    /// First bytes of free chunks; only those below `len` count. There is a slot for every chunk of
    /// the UMEM, so a chunk without a slot is one that came back twice (the axiom of I9), and is
    /// let go.
    slots: Box<[u64]>,
    /// At most `slots.len()`, which is `size`.
    len: u32,
    size: u32,
}

impl FramePool {
    /// Makes an empty pool.
    pub(super) fn new(checker: Checker) -> Self {
        let size = checker.geometry.chunk_count();
        Self { checker, slots: vec![0; usize32(size)].into_boxed_slice(), len: 0, size }
    }

    /// Makes the pool of all chunks; once for a UMEM, before anything else can make a frame.
    pub(super) fn full(checker: Checker) -> Self {
        let mut pool = Self::new(checker);
        let step = pool.checker.geometry.step();
        // The last slot is taken first: chunks leave in the order of their addresses.
        for (slot, chunk) in pool.slots.iter_mut().zip((0..u64::from(pool.size)).rev()) {
            *slot = chunk.wrapping_mul(step);
        }
        pool.len = pool.size;
        pool
    }

    /// Returns the number of free chunks in the pool.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        usize32(self.len)
    }

    /// Returns whether the pool is empty.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes a chunk, as a frame over all its bytes; `None` from an empty pool.
    ///
    /// The bytes are what the chunk's last packet left there. Write a packet and set its length
    /// with [`Umem::write`](super::Umem::write), or edit
    /// [`Umem::bytes_mut`](super::Umem::bytes_mut) and [`Frame::truncate`].
    #[inline]
    pub fn take(&mut self) -> Option<Frame> {
        let top = self.len.checked_sub(1)?;
        let chunk = *self.slots.get(usize32(top))?;
        self.len = top;
        self.checker.record_move(chunk, ChunkPlace::Pool, ChunkPlace::User);
        Some(Frame::whole(&self.checker.geometry, chunk))
    }

    /// Puts a frame's chunk back.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline]
    #[track_caller]
    pub fn put(&mut self, frame: Frame) {
        // By value: for a check by reference the caller's loop computes an address at each step, of
        // which only the panic makes use (2 instructions of `rxdrop-for`).
        let frame = self.checker.for_batch().own(frame);
        self.put_chunk(frame.kernel_address());
    }

    /// Puts the chunk of `address` back, of a frame of this UMEM that was consumed.
    #[inline(always)]
    pub(crate) fn put_chunk(&mut self, address: u64) {
        self.checker.record_move(address, ChunkPlace::User, ChunkPlace::Pool);
        if let Some(slot) = self.slots.get_mut(usize32(self.len)) {
            *slot = self.checker.geometry.chunk(address);
            self.len = self.len.wrapping_add(1);
        }
    }

    /// Splits up to `chunks` chunks off into a pool of their own, for another thread, say.
    ///
    /// Every pool has room for all chunks of the UMEM, 8 bytes for each, so that nothing is
    /// allocated later.
    pub fn split_off(&mut self, chunks: usize) -> Self {
        let mut other = Self::new(self.checker.clone());
        self.move_to(&mut other, chunks);
        other
    }

    /// Puts all chunks of `other` into this pool.
    ///
    /// # Panics
    /// If `other` is a pool of another UMEM.
    #[track_caller]
    pub fn append(&mut self, mut other: Self) {
        let all = other.len();
        other.move_to(self, all);
    }

    /// Moves up to `chunks` chunks into `other`; returns how many.
    ///
    /// # Panics
    /// If `other` is a pool of another UMEM.
    #[track_caller]
    pub fn move_to(&mut self, other: &mut Self, chunks: usize) -> usize {
        other.checker.assert_same_umem(self.checker.geometry.umem);
        let vacant = usize32(other.size.wrapping_sub(other.len));
        let count = chunks.min(self.len()).min(vacant);
        let moved = u32_of_count(count);
        let (rest, free) = (self.len.wrapping_sub(moved), usize32(other.len));
        let from = self.slots.iter().take(self.len()).skip(usize32(rest));
        for (to, from) in other.slots.iter_mut().skip(free).zip(from) {
            *to = *from;
        }
        other.len = other.len.wrapping_add(moved);
        self.len = rest;
        count
    }

    /// Returns the chunks at the top, `count` at the most, to move into a ring.
    #[inline(always)]
    pub(crate) fn top(&mut self, count: u32) -> Ready<PoolTop<'_>> {
        let count = count.min(self.len);
        // SAFETY: `count` chunks lie below `len`; the pool changes only through the exclusive
        // borrow in the value.
        unsafe { Ready::new(PoolTop(self), count) }
    }

    /// Returns free slots for at most `count` chunks, to move there from a ring.
    #[inline(always)]
    pub(crate) fn room(&mut self, count: u32) -> Room<PoolRoom<'_>> {
        let count = if count == 0 { 0 } else { count.min(self.size.wrapping_sub(self.len)) };
        // SAFETY: `count` slots lie from `len` on; the pool changes only through the exclusive
        // borrow in the value.
        unsafe { Room::new(PoolRoom(self), count) }
    }

    #[inline(always)]
    pub(crate) fn geometry(&self) -> &Geometry {
        &self.checker.geometry
    }

    /// Returns the first bytes of the pool's chunks, in bytes from the beginning of the UMEM, in no
    /// order: which chunks are here, for tests of conservation.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        self.slots.iter().take(self.len()).copied()
    }
}

impl Drop for FramePool {
    /// Counts the chunks as lost.
    #[inline]
    fn drop(&mut self) {
        if self.len != 0 {
            let umem = self.checker.geometry.umem;
            count_lost(umem, self.len);
            record_lost(umem, ChunkPlace::Pool, self.addresses());
        }
    }
}

/// Puts the chunk of each frame back, as [`FramePool::put`] does: `pool.extend(rx.receive(64)?)`.
impl Extend<Frame> for FramePool {
    /// # Panics
    /// If a frame is of another UMEM.
    #[inline]
    #[track_caller]
    fn extend<I: IntoIterator<Item = Frame>>(&mut self, frames: I) {
        for frame in frames {
            self.put(frame);
        }
    }
}

/// The topmost chunks of a pool, from the top down.
#[derive(Debug)]
pub(crate) struct PoolTop<'a>(&'a mut FramePool);

// SAFETY: `skip + most` are no more than the chunks that the pool holds; they lie below `len`,
// which is inside the slots, each below the one before.
unsafe impl Source for PoolTop<'_> {
    type Entry = u64;
    const REVERSED: bool = true;

    #[inline(always)]
    fn run(&mut self, skip: u32, most: u32) -> (*const u64, u32) {
        let top = self.0.len.wrapping_sub(skip).wrapping_sub(1);
        (self.0.slots.as_ptr().wrapping_add(usize32(top)), most)
    }

    type End = ();

    #[inline(always)]
    unsafe fn take(&mut self, count: u32) {
        self.0.len = self.0.len.wrapping_sub(count);
    }

    #[inline(always)]
    unsafe fn reject(&mut self, _: u64) {}

    #[inline(always)]
    unsafe fn finish(&mut self, (): ()) {}
}

/// Free slots of a pool, from the bottom up.
#[derive(Debug)]
pub(crate) struct PoolRoom<'a>(&'a mut FramePool);

// SAFETY: slots from `len` on are free, up to the pool's size.
unsafe impl Sink for PoolRoom<'_> {
    type Entry = u64;

    #[inline(always)]
    fn run(&mut self, skip: u32, most: u32) -> (*mut u64, u32) {
        let free = self.0.len.wrapping_add(skip);
        (self.0.slots.as_mut_ptr().wrapping_add(usize32(free)), most)
    }

    #[inline(always)]
    unsafe fn finish(&mut self, count: u32) {
        self.0.len = self.0.len.wrapping_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Ledger;
    use super::*;

    fn full() -> FramePool {
        let geometry = Geometry::aligned(1, 4, 4096);
        FramePool::full(Checker::new(geometry, Ledger::new(4)))
    }

    /// Chunks come back more often than they were given only if the kernel's side repeats one (I9):
    /// a pool has no slot for such a chunk.
    #[test]
    fn a_full_pool_has_no_room() {
        let (mut pool, mut other) = (full(), full());
        assert_eq!(pool.room(3).count(), 0);
        assert_eq!(other.move_to(&mut pool, 3), 0);
        assert_eq!((pool.len(), other.len()), (4, 4));
        let _lost = pool.take();
        assert_eq!(pool.room(3).count(), 1);
        assert_eq!(other.move_to(&mut pool, 3), 1);
        assert_eq!((pool.len(), other.len()), (4, 3));
    }

    #[test]
    fn no_more_is_ready_than_the_pool_has() {
        let mut pool = full();
        assert_eq!((pool.top(3).count(), pool.top(9).count()), (3, 4));
    }
}
