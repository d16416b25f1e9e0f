//! A batch of entries on its way into a ring.

use super::atomic::write_entry;
use super::{Index, Producer};

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
    pub(crate) fn left(&self) -> u32 {
        self.end.distance_from(self.ring.cursor)
    }
}

impl<T: Copy> Drop for Writer<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.ring.publish();
    }
}
