//! A batch of entries on its way into a ring.

use super::{Index, Producer};
use crate::num::usize32;

/// Writes entries into reserved slots; those written are published when this is dropped.
///
/// The ring's cursor moves with every entry: what a forgotten writer wrote is published with the next
/// batch (invariant I1).
#[derive(Debug)]
pub(crate) struct Writer<'a, T: Copy> {
    ring: &'a mut Producer<T>,
    next: *mut T,
    run_end: *mut T,
    cursor: Index,
    end: Index,
}

// SAFETY: the pointers go into the ring of the exclusively borrowed `Producer`, which is `Send`.
unsafe impl<T: Copy + Send> Send for Writer<'_, T> {}

impl<'a, T: Copy> Writer<'a, T> {
    /// The next `count` slots, which [`Producer::free`] said are free.
    #[inline(always)]
    pub(super) fn new(ring: &'a mut Producer<T>, count: u32) -> Self {
        let cursor = ring.cursor;
        let end = cursor.advance(count);
        let (next, run_end) = row(ring, cursor, count);
        Self {
            next,
            run_end,
            cursor,
            end,
            ring,
        }
    }

    /// Whether there is a slot left; makes the next [`write`](Self::write) possible.
    #[inline(always)]
    pub(crate) fn has_room(&mut self) -> bool {
        if self.next != self.run_end {
            return true;
        }
        if self.cursor == self.end {
            return false;
        }
        (self.next, self.run_end) = row(self.ring, self.cursor, self.left());
        true
    }

    /// Writes an entry into the slot that [`has_room`](Self::has_room) found.
    #[inline(always)]
    pub(crate) fn write_next(&mut self, entry: T) {
        // SAFETY: `has_room` saw that `next` is before the end of a run of slots that the consumer gave
        // back (I8).
        unsafe { self.next.write(entry) };
        // SAFETY: the run has a slot at `next`, so one past it is inside the run or its end.
        self.next = unsafe { self.next.add(1) };
        self.cursor = self.cursor.advance(1);
        self.ring.cursor = self.cursor;
    }

    /// Writes an entry into the next slot; answers whether there was one.
    #[inline(always)]
    pub(crate) fn write(&mut self, entry: T) -> bool {
        let room = self.has_room();
        if room {
            self.write_next(entry);
        }
        room
    }

    /// Slots left.
    #[inline(always)]
    pub(crate) fn left(&self) -> u32 {
        self.end.distance_from(self.cursor)
    }

    /// Where the ring's next entry goes.
    #[inline(always)]
    pub(crate) fn cursor(&self) -> Index {
        self.cursor
    }
}

impl<T: Copy> Drop for Writer<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.ring.publish();
    }
}

/// Where the entries from `cursor` on, `count` at the most, begin and end before the ring's end.
#[inline(always)]
fn row<T: Copy>(ring: &Producer<T>, cursor: Index, count: u32) -> (*mut T, *mut T) {
    let first = ring.memory.slot(cursor);
    // SAFETY: `row` answers no more entries than there are between the slot and the ring's end.
    let end = unsafe { first.add(usize32(ring.memory.row(cursor, count))) };
    (first, end)
}
