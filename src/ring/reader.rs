//! A batch of entries on its way out of a ring.

use super::atomic::read_entry;
use super::{Consumer, Index};

/// Takes entries one by one; those taken go back to the producer when this is dropped.
///
/// The ring's cursor moves before an entry is handed out: forgetting the reader only delays the release
/// (invariant I1).
#[derive(Debug)]
pub(crate) struct Reader<'a, T: Copy> {
    ring: &'a mut Consumer<T>,
    end: Index,
}

impl<'a, T: Copy> Reader<'a, T> {
    /// The next `count` entries, which [`Consumer::available`] said are there.
    #[inline(always)]
    pub(super) fn new(ring: &'a mut Consumer<T>, count: u32) -> Self {
        let end = ring.cursor.advance(count);
        Self { ring, end }
    }

    /// Takes the next entry.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<T> {
        let at = self.ring.cursor;
        if at == self.end {
            return None;
        }
        self.ring.cursor = at.advance(1);
        // SAFETY: `at` is before the end of the entries that the producer handed over (I8).
        Some(unsafe { read_entry(self.ring.memory.slot(at)) })
    }

    /// Entries not taken yet.
    #[inline(always)]
    pub(crate) fn left(&self) -> u32 {
        self.end.distance_from(self.ring.cursor)
    }

    /// Keeps the entry that was taken last, which cannot be believed, for the next call to answer with,
    /// and leaves what was not taken in the ring.
    #[inline(always)]
    pub(crate) fn refuse(&mut self, entry: T) {
        self.ring.refuse(entry);
        // After that, for the cursor went back: there is nothing left to take, not even the same entry again.
        self.end = self.ring.cursor;
    }
}

impl<T: Copy> Drop for Reader<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.ring.release();
    }
}
