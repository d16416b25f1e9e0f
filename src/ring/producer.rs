//! The producing half of a ring: fill and TX for the user, RX and completion for the other side.

use super::atomic::{AtomicU32, Ordering, write_entry};
use super::runs::Runs;
use super::transfer::{Room, Sink};
use super::{Index, Memory, RingError, RingKind};
use std::sync::Arc;

/// The only producer of a ring.
///
/// `cursor` is where the next entry goes; it moves when an entry is written, not when it is
/// submitted, so a batch that is forgotten is submitted with the next one (invariant I1).
#[derive(Debug)]
pub(crate) struct Producer<T> {
    pub(super) memory: Memory<T>,
    cursor: Index,
    /// The first position that is not known to be free.
    limit: Index,
    kind: RingKind,
    /// How many entries were ever submitted, modulo 2^32, for the half that consumes what comes of
    /// them (I7). The other side of the ring cannot write this one.
    submitted: Arc<AtomicU32>,
}

impl<T: Copy> Producer<T> {
    /// Makes the producer of a ring.
    #[cfg(feature = "test-util")]
    pub(crate) fn new(kind: RingKind, memory: Memory<T>) -> Self {
        Self::counted(kind, memory, Arc::default())
    }

    /// Makes the producer of a ring that keeps the count of its entries in `submitted`.
    pub(crate) fn counted(kind: RingKind, memory: Memory<T>, submitted: Arc<AtomicU32>) -> Self {
        let cursor = Index::new(memory.producer().load(Ordering::Relaxed));
        submitted.store(cursor.get(), Ordering::Relaxed);
        Self { memory, cursor, limit: cursor, kind, submitted }
    }

    pub(crate) fn memory(&self) -> &Memory<T> {
        &self.memory
    }

    /// Returns how many slots, up to `wanted`, are free.
    ///
    /// The other side's index is read only when what is known does not suffice.
    #[inline(always)]
    pub(crate) fn free(&mut self, wanted: u32) -> Result<u32, RingError> {
        if wanted == 0 {
            return Ok(0);
        }
        if self.limit.distance_from(self.cursor) >= wanted {
            return Ok(wanted);
        }
        // Acquire: what is written into an entry must not pass the other side's reading of it.
        let consumer = Index::new(self.memory.consumer().load(Ordering::Acquire));
        let size = self.memory.capacity();
        let limit = consumer.advance(size);
        let free = limit.distance_from(self.cursor);
        if free > size {
            return Err(RingError::expect_error(self.error(free)));
        }
        self.limit = limit;
        Ok(free.min(wanted))
    }

    /// Returns the slots, up to `wanted`, that are free.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, wanted: u32) -> Result<Room<&mut Self>, RingError> {
        let count = self.free(wanted)?;
        // SAFETY: the consumer gave `count` slots from the cursor on back (I8), and takes none
        // again before they are submitted; the cursor moves only through the exclusive borrow that
        // goes into the value.
        Ok(unsafe { Room::new(self, count) })
    }

    /// Returns the error of a consumer index by which more slots would be free than there are.
    #[cold]
    #[inline(never)]
    fn error(&self, free: u32) -> Option<RingError> {
        let size = self.memory.capacity();
        Some(RingError::BadIndex {
            ring: self.kind,
            distance: size.wrapping_sub(free),
            capacity: size,
        })
    }

    /// Goes on at `index`, if that is ahead: what lies between was given away. Returns `false`, and
    /// stays, if it is more than the ring's capacity ahead of what the consumer released: then the
    /// slots of the ring have no owner any more.
    #[cfg(feature = "test-util")]
    pub(crate) fn skip_to(&mut self, index: Index) -> bool {
        if index.distance_from(self.cursor) > u32::MAX / 2 {
            return true;
        }
        let consumer = Index::new(self.memory.consumer().load(Ordering::Acquire));
        if index.distance_from(consumer) > self.memory.capacity() {
            return false;
        }
        self.cursor = index;
        self.limit = index;
        true
    }

    /// Returns where the next entry goes.
    #[cfg(feature = "test-util")]
    pub(crate) fn cursor(&self) -> Index {
        self.cursor
    }

    /// Returns a writer for `count` slots, or for as many as are free.
    #[inline(always)]
    pub(crate) fn write(&mut self, count: u32) -> Result<Writer<'_, T>, RingError> {
        Ok(self.reserve(count)?.write())
    }

    /// Returns how many entries are written, or submitted and not yet taken by the other side.
    pub(crate) fn pending(&self) -> u32 {
        let consumer = Index::new(self.memory.consumer().load(Ordering::Acquire));
        self.cursor.distance_from(consumer)
    }

    /// Hands everything that was written over to the other side.
    #[inline(always)]
    pub(crate) fn submit(&mut self) {
        self.submit_to(self.cursor);
    }

    /// As [`submit`](Self::submit), `cursor` being the ring's.
    #[inline(always)]
    pub(super) fn submit_to(&mut self, cursor: Index) {
        // Relaxed: ordered by the release that follows.
        self.submitted.store(cursor.get(), Ordering::Relaxed);
        // Release: the entries are written before the other side can see the index.
        let index = self.memory.producer();
        index.store(cursor.get(), Ordering::Release);
    }
}

// SAFETY: a run ends at the ring's end at the latest, and the consumer gave the slots back (I8).
unsafe impl<T: Copy> Sink for &mut Producer<T> {
    type Entry = T;

    #[inline(always)]
    fn run(&mut self, skip: u32, most: u32) -> (*mut T, u32) {
        let at = self.cursor.advance(skip);
        (self.memory.slot(at), self.memory.run(at, most))
    }

    #[inline(always)]
    unsafe fn finish(&mut self, count: u32) {
        let cursor = self.cursor.advance(count);
        self.cursor = cursor;
        self.submit_to(cursor);
    }
}

impl<'a, T: Copy> Room<&'a mut Producer<T>> {
    /// Returns a writer that fills the slots one by one.
    #[inline(always)]
    pub(crate) fn write(self) -> Writer<'a, T> {
        let (ring, count) = self.into_parts();
        Writer::new(ring, count)
    }
}

/// Writes entries into reserved slots; those written are submitted when this is dropped.
///
/// The ring's cursor moves with every entry: what a forgotten writer wrote is submitted with the
/// next batch (invariant I1).
#[derive(Debug)]
pub(crate) struct Writer<'a, T: Copy> {
    ring: &'a mut Producer<T>,
    /// The slots from the ring's cursor on that are to be written.
    runs: Runs<T>,
}

impl<'a, T: Copy> Writer<'a, T> {
    /// Writes the next `count` slots, which are free ([`Room::write`]).
    #[inline(always)]
    fn new(ring: &'a mut Producer<T>, count: u32) -> Self {
        let runs = Runs::new(&ring.memory, ring.cursor, count);
        Self { ring, runs }
    }

    /// Writes an entry into the next slot; returns whether there was one.
    #[inline(always)]
    pub(crate) fn write(&mut self, entry: T) -> bool {
        let Some(at) = self.runs.next(&self.ring.memory) else {
            return false;
        };
        // SAFETY: `at` is the slot that the cursor is on, of those that the consumer gave back
        // (I8).
        unsafe { write_entry(at, entry) };
        self.ring.cursor = self.ring.cursor.advance(1);
        true
    }

    /// Returns how many slots are left.
    #[inline(always)]
    pub(crate) fn remaining(&self) -> u32 {
        self.runs.remaining()
    }
}

impl<T: Copy> Drop for Writer<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.ring.submit();
    }
}
