//! The consuming half of a ring: RX and completion for the user, fill and TX for the other side.

use super::atomic::Ordering;
use super::{Fault, Index, Kind, Memory, Reader};

/// The only consumer of a ring.
///
/// `cursor` is the next entry to take; it moves before what the entry names is handed out, so a batch
/// that is forgotten gives its entries back to the producer late, and hands nothing out twice
/// (invariant I1).
#[derive(Debug)]
pub(crate) struct Consumer<T> {
    pub(super) memory: Memory<T>,
    pub(crate) cursor: Index,
    /// The first position that is not known to be filled.
    limit: Index,
    kind: Kind,
}

impl<T: Copy> Consumer<T> {
    /// The consumer of a ring.
    pub(crate) fn new(kind: Kind, memory: Memory<T>) -> Self {
        let cursor = Index::new(memory.consumer().load(Ordering::Relaxed));
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

    /// How many entries, up to `wanted`, are there to take. There can be no more of them than up to what
    /// `granted` answers, which is asked only when the other side's index is read anew.
    #[inline(always)]
    pub(crate) fn available(
        &mut self,
        wanted: u32,
        granted: impl FnOnce() -> Index,
    ) -> Result<u32, Fault> {
        let known = self.limit.distance_from(self.cursor);
        if known >= wanted {
            return Ok(wanted);
        }
        // Acquire: the entries are read after the index that hands them over.
        let producer = Index::new(self.memory.producer().load(Ordering::Acquire));
        let there = producer.distance_from(self.cursor);
        let granted = granted();
        if there > granted.distance_from(self.cursor) || there > self.memory.size() {
            return Err(fault(
                self.kind,
                there,
                self.memory.size(),
                granted.distance_from(self.cursor),
            ));
        }
        self.limit = producer;
        Ok(there.min(wanted))
    }

    /// A batch of `count` entries, which [`available`](Self::available) said are there.
    #[inline(always)]
    pub(crate) fn read(&mut self, count: u32) -> Reader<'_, T> {
        Reader::new(self, count)
    }

    /// Gives the entries before the cursor back to the producer.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        // Release: our reading of the entries is done before the other side may write them again.
        self.memory
            .consumer()
            .store(self.cursor.get(), Ordering::Release);
    }
}

#[cold]
#[inline(never)]
fn fault(ring: Kind, available: u32, size: u32, outstanding: u32) -> Fault {
    if available > size {
        Fault::Index {
            ring,
            distance: available,
            size,
        }
    } else {
        Fault::TooMany {
            ring,
            available,
            outstanding,
        }
    }
}
