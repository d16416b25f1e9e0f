//! The producing half of a ring: fill and TX for the user, RX and completion for the other side.

use super::atomic::Ordering;
use super::{Fault, Index, Kind, Memory, Writer};

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
    kind: Kind,
}

impl<T: Copy> Producer<T> {
    /// The producer of a ring whose published index is `start`.
    pub(crate) fn new(kind: Kind, memory: Memory<T>) -> Self {
        let cursor = Index::new(memory.producer().load(Ordering::Relaxed));
        Self {
            memory,
            cursor,
            limit: cursor,
            kind,
        }
    }

    pub(crate) fn memory(&self) -> &Memory<T> {
        &self.memory
    }

    /// Makes sure that as many entries as possible, up to `wanted`, are known to be free; answers how
    /// many are.
    ///
    /// The kernel's index is read only when what is known does not suffice: it is a cache line that
    /// the kernel writes.
    #[inline(always)]
    pub(crate) fn free(&mut self, wanted: u32) -> Result<u32, Fault> {
        let known = self.limit.distance_from(self.cursor);
        if known >= wanted {
            return Ok(wanted);
        }
        self.refresh().map(|free| free.min(wanted))
    }

    /// A batch of `count` slots, or of as many as are free.
    #[inline(always)]
    pub(crate) fn write(&mut self, count: u32) -> Result<Writer<'_, T>, Fault> {
        let count = self.free(count)?;
        Ok(Writer::new(self, count))
    }

    /// A batch of `count` slots, which [`free`](Self::free) said are there.
    #[inline(always)]
    pub(crate) fn write_known(&mut self, count: u32) -> Writer<'_, T> {
        Writer::new(self, count)
    }

    #[inline(always)]
    fn refresh(&mut self) -> Result<u32, Fault> {
        // Acquire: what we write into an entry must not pass the other side's reading of it.
        let consumer = Index::new(self.memory.consumer().load(Ordering::Acquire));
        let size = self.memory.size();
        let used = self.cursor.distance_from(consumer);
        if used > size {
            return Err(fault(self.kind, used, size));
        }
        self.limit = consumer.advance(size);
        Ok(size.wrapping_sub(used))
    }

    /// Entries that are written, or published and not yet taken by the other side.
    pub(crate) fn pending(&self) -> u32 {
        let consumer = Index::new(self.memory.consumer().load(Ordering::Acquire));
        self.cursor.distance_from(consumer)
    }

    /// Hands everything that was written over to the other side.
    #[inline(always)]
    pub(crate) fn publish(&mut self) {
        // Release: the entries are written before the other side can see the index.
        self.memory
            .producer()
            .store(self.cursor.get(), Ordering::Release);
    }
}

#[cold]
#[inline(never)]
fn fault(ring: Kind, distance: u32, size: u32) -> Fault {
    Fault::Index {
        ring,
        distance,
        size,
    }
}
