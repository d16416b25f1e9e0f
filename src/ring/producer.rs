//! The producing half of a ring: fill and TX for the user, RX and completion for the other side.

use super::atomic::{AtomicU32, Ordering, write_entry};
use super::{Index, Memory, RingError, RingKind};
use std::sync::Arc;

/// The only producer of a ring.
///
/// `cursor` is where the next entry goes; it moves when an entry is written, not when it is published,
/// so a batch that is forgotten is published with the next one (invariant I1).
#[derive(Debug)]
pub(crate) struct Producer<T> {
    pub(super) memory: Memory<T>,
    pub(crate) cursor: Index,
    /// The first position that is not known to be free.
    limit: Index,
    kind: RingKind,
    /// How many entries were ever published, modulo 2^32, for who consumes what comes of them. The
    /// other side cannot write this one.
    published: Arc<AtomicU32>,
}

impl<T: Copy> Producer<T> {
    /// The producer of a ring.
    #[cfg(feature = "test-util")]
    pub(crate) fn new(kind: RingKind, memory: Memory<T>) -> Self {
        Self::counted(kind, memory, Arc::default())
    }

    /// The producer of a ring that keeps the count of its entries in `published`.
    pub(crate) fn counted(kind: RingKind, memory: Memory<T>, published: Arc<AtomicU32>) -> Self {
        let cursor = Index::new(memory.producer().load(Ordering::Relaxed));
        published.store(cursor.get(), Ordering::Relaxed);
        Self { memory, cursor, limit: cursor, kind, published }
    }

    pub(crate) fn memory(&self) -> &Memory<T> {
        &self.memory
    }

    /// How many slots, up to `wanted`, are free.
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
        // Acquire: what we write into an entry must not pass the other side's reading of it.
        let consumer = Index::new(self.memory.consumer().load(Ordering::Acquire));
        let size = self.memory.capacity();
        let limit = consumer.advance(size);
        let free = limit.distance_from(self.cursor);
        if free > size {
            return Err(RingError::expect_fault(self.fault(free)));
        }
        self.limit = limit;
        Ok(free.min(wanted))
    }

    /// More slots than there are would be free: the consumer's index is not where it can be.
    #[cold]
    #[inline(never)]
    fn fault(&self, free: u32) -> Option<RingError> {
        let size = self.memory.capacity();
        Some(RingError::BadIndex { ring: self.kind, distance: size.wrapping_sub(free), size })
    }

    /// Goes on at `index`, if that is ahead: what lies between was given away.
    #[cfg(feature = "test-util")]
    pub(crate) fn skip_to(&mut self, index: Index) {
        if index.distance_from(self.cursor) <= u32::MAX / 2 {
            self.cursor = index;
        }
        self.limit = self.cursor;
    }

    /// A batch of `count` slots, or of as many as are free.
    #[inline(always)]
    pub(crate) fn write(&mut self, count: u32) -> Result<Writer<'_, T>, RingError> {
        let count = self.free(count)?;
        Ok(Writer::new(self, count))
    }

    /// Entries that are written, or published and not yet taken by the other side.
    pub(crate) fn pending(&self) -> u32 {
        let consumer = Index::new(self.memory.consumer().load(Ordering::Acquire));
        self.cursor.distance_from(consumer)
    }

    /// Hands everything that was written over to the other side.
    #[inline(always)]
    pub(crate) fn publish(&mut self) {
        self.publish_to(self.cursor);
    }

    /// As [`publish`](Self::publish), `cursor` being the ring's.
    #[inline(always)]
    pub(super) fn publish_to(&mut self, cursor: Index) {
        // Relaxed: ordered by the release that follows.
        self.published.store(cursor.get(), Ordering::Relaxed);
        // Release: the entries are written before the other side can see the index.
        let index = self.memory.producer();
        index.store(cursor.get(), Ordering::Release);
    }
}

/// Writes entries into reserved slots; those written are published when this is dropped.
///
/// The ring's cursor moves with every entry: what a forgotten writer wrote is published with the next
/// batch (invariant I1).
#[derive(Debug)]
pub(crate) struct Writer<'a, T: Copy> {
    ring: &'a mut Producer<T>,
    end: Index,
}

impl<'a, T: Copy> Writer<'a, T> {
    /// The next `count` slots, which [`Producer::free`] said are free.
    #[inline(always)]
    pub(super) fn new(ring: &'a mut Producer<T>, count: u32) -> Self {
        let end = ring.cursor.advance(count);
        Self { ring, end }
    }

    /// Writes an entry into the next slot; answers whether there was one.
    #[inline(always)]
    pub(crate) fn write(&mut self, entry: T) -> bool {
        let at = self.ring.cursor;
        if at == self.end {
            return false;
        }
        // SAFETY: `at` is before the end of the slots that the consumer gave back (I8).
        unsafe { write_entry(self.ring.memory.slot(at), entry) };
        self.ring.cursor = at.advance(1);
        true
    }

    /// Slots left.
    #[inline(always)]
    pub(crate) fn remaining(&self) -> u32 {
        self.end.distance_from(self.ring.cursor)
    }
}

impl<T: Copy> Drop for Writer<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.ring.publish();
    }
}
