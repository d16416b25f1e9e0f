//! A batch of entries on its way out of a ring.

use super::{Consumer, Index};
use crate::num::usize32;

/// Takes entries one by one; those taken go back to the producer when this is dropped.
///
/// The ring's cursor moves before an entry is handed out: forgetting the reader only delays the release
/// (invariant I1).
#[derive(Debug)]
pub(crate) struct Reader<'a, T: Copy> {
    ring: &'a mut Consumer<T>,
    next: *const T,
    run_end: *const T,
    cursor: Index,
    end: Index,
}

// SAFETY: the pointers go into the ring of the exclusively borrowed `Consumer`, which is `Send`.
unsafe impl<T: Copy + Send> Send for Reader<'_, T> {}

impl<'a, T: Copy> Reader<'a, T> {
    /// The next `count` entries, which [`Consumer::available`] said are there.
    #[inline(always)]
    pub(super) fn new(ring: &'a mut Consumer<T>, count: u32) -> Self {
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

    /// Takes the next entry.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<T> {
        if self.next == self.run_end {
            if self.cursor == self.end {
                return None;
            }
            (self.next, self.run_end) = row(self.ring, self.cursor, self.left());
        }
        // SAFETY: `next` is before the end of a run of entries that the producer handed over (I8).
        let entry = unsafe { self.next.read() };
        // SAFETY: the run has an entry at `next`, so one past it is inside the run or its end.
        self.next = unsafe { self.next.add(1) };
        self.cursor = self.cursor.advance(1);
        self.ring.cursor = self.cursor;
        Some(entry)
    }

    /// Entries not taken yet.
    #[inline(always)]
    pub(crate) fn left(&self) -> u32 {
        self.end.distance_from(self.cursor)
    }

    /// Leaves what was not taken in the ring.
    #[inline(always)]
    pub(crate) fn stop(&mut self) {
        self.end = self.cursor;
        self.run_end = self.next;
    }
}

impl<T: Copy> Drop for Reader<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.ring.release();
    }
}

/// Where the entries from `cursor` on, `count` at the most, begin and end before the ring's end.
#[inline(always)]
fn row<T: Copy>(ring: &Consumer<T>, cursor: Index, count: u32) -> (*const T, *const T) {
    let first = ring.memory.slot(cursor);
    // SAFETY: `row` answers no more entries than there are between the slot and the ring's end.
    let end = unsafe { first.add(usize32(ring.memory.row(cursor, count))) };
    (first, end)
}
