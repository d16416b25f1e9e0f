//! Whole batches from ring to ring, from a ring to a slice, and from a slice to a ring.
//!
//! Rows are split where a ring wraps, so the inner loops do without masks; a few entries go one by one,
//! which is cheaper than finding the rows. Nothing is published or released here: the callers do it,
//! once for a batch.

use super::{Consumer, Index, Producer};
use crate::num::usize32;

/// Entries handled between two tests of the loop's end; fewer go one by one.
const UNROLL: u32 = 4;

/// A bulk operation that ended early: one entry was taken and refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused<T> {
    /// Entries that arrived before.
    pub(crate) count: u32,
    /// The entry.
    pub(crate) entry: T,
}

/// Moves `count` entries, as what `map` makes of them, until `map` refuses one.
///
/// `count` entries are there in `from`, and as many slots free in `to`. If `map` panics, the entry that it
/// was given is taken from its ring, and lost.
#[inline(always)]
pub(crate) fn ring_to_ring<T: Copy, U: Copy>(
    from: &mut Consumer<T>,
    to: &mut Producer<U>,
    count: u32,
    mut map: impl FnMut(T) -> Option<U>,
) -> Result<(), Refused<T>> {
    let mut at = Progress::new(&mut from.cursor, &mut to.cursor);
    let (source, target) = (&from.memory, &to.memory);
    if count < UNROLL {
        while at.done != count {
            // SAFETY: fewer than `count` entries are done, so the producer handed this one over (I8).
            let entry = unsafe { source.slot(at.from()).read() };
            let Some(mapped) = map(entry) else {
                return Err(at.refused(entry));
            };
            // SAFETY: as above for the slot, which the consumer gave back (I8).
            unsafe { target.slot(at.to()).write(mapped) };
            at.done = at.done.wrapping_add(1);
        }
        at.finish();
        return Ok(());
    }
    let mut left = count;
    while left != 0 {
        let row = source.row(at.from(), target.row(at.to(), left));
        let (read, write) = (source.slot(at.from()), target.slot(at.to()));
        let begin = at.done;
        let mut step = |i: u32| {
            // SAFETY: `i` is below `row`, so the producer handed the entry over (I8).
            let entry = unsafe { read.add(usize32(i)).read() };
            let Some(mapped) = map(entry) else {
                return Some(entry);
            };
            // SAFETY: `i` is below `row`, so the consumer gave the slot back (I8).
            unsafe { write.add(usize32(i)).write(mapped) };
            None
        };
        let mut i = 0;
        while i != row & !(UNROLL - 1) {
            for k in 0..UNROLL {
                at.done = begin.wrapping_add(i).wrapping_add(k);
                if let Some(entry) = step(i.wrapping_add(k)) {
                    return Err(at.refused(entry));
                }
            }
            i = i.wrapping_add(UNROLL);
        }
        while i != row {
            at.done = begin.wrapping_add(i);
            if let Some(entry) = step(i) {
                return Err(at.refused(entry));
            }
            i = i.wrapping_add(1);
        }
        at.done = begin.wrapping_add(row);
        left = left.wrapping_sub(row);
    }
    at.finish();
    Ok(())
}

/// How far a move between two rings has come; moves the cursors when it ends, also by a panic.
struct Progress<'a> {
    from: &'a mut Index,
    to: &'a mut Index,
    done: u32,
}

impl<'a> Progress<'a> {
    #[inline(always)]
    fn new(from: &'a mut Index, to: &'a mut Index) -> Self {
        Self { from, to, done: 0 }
    }

    #[inline(always)]
    fn from(&self) -> Index {
        self.from.advance(self.done)
    }

    #[inline(always)]
    fn to(&self) -> Index {
        self.to.advance(self.done)
    }

    /// The entry after those that are done was taken, and does not arrive.
    #[inline(always)]
    fn refused<T>(self, entry: T) -> Refused<T> {
        // Dropping does the rest.
        Refused {
            count: self.done,
            entry,
        }
    }

    #[inline(always)]
    #[expect(
        clippy::mem_forget,
        reason = "dropping is for the end by a refusal or a panic"
    )]
    fn finish(self) {
        *self.from = self.from();
        *self.to = self.to();
        std::mem::forget(self);
    }
}

impl Drop for Progress<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        *self.to = self.to();
        *self.from = self.from().advance(1);
    }
}

/// Takes as many entries as `to` is long, as what `map` makes of them, until `map` refuses one. `map`
/// does not panic.
///
/// At least as many entries are there in `from`.
#[inline(always)]
pub(crate) fn ring_to_slice<T: Copy, U>(
    from: &mut Consumer<T>,
    mut to: &mut [U],
    mut map: impl FnMut(T) -> Option<U>,
) -> Result<(), Refused<T>> {
    let first = from.cursor;
    let mut left = u32::try_from(to.len()).unwrap_or(u32::MAX);
    let mut cursor = first;
    while left != 0 {
        let row = from.memory.row(cursor, left);
        let read = from.memory.slot(cursor);
        let Some((here, rest)) = to.split_at_mut_checked(usize32(row)) else {
            break;
        };
        for (i, slot) in (0..row).zip(here) {
            // SAFETY: `i` is below `row`, so the producer handed the entry over (I8).
            let entry = unsafe { read.add(usize32(i)).read() };
            let Some(mapped) = map(entry) else {
                let at = cursor.advance(i);
                from.cursor = at.advance(1);
                return Err(Refused {
                    count: at.distance_from(first),
                    entry,
                });
            };
            *slot = mapped;
        }
        cursor = cursor.advance(row);
        left = left.wrapping_sub(row);
        to = rest;
    }
    from.cursor = cursor;
    Ok(())
}

/// Writes what `map` makes of each of `from`, for which there are free slots in `to`. `map` does not panic.
#[inline(always)]
pub(crate) fn slice_to_ring<T: Copy, U: Copy>(
    mut from: &[T],
    to: &mut Producer<U>,
    mut map: impl FnMut(T) -> U,
) {
    let mut left = u32::try_from(from.len()).unwrap_or(u32::MAX);
    let mut cursor = to.cursor;
    while left != 0 {
        let row = to.memory.row(cursor, left);
        let write = to.memory.slot(cursor);
        let Some((here, rest)) = from.split_at_checked(usize32(row)) else {
            break;
        };
        for (i, value) in (0..row).zip(here) {
            // SAFETY: `i` is below `row`, so the consumer gave the slot back (I8).
            unsafe { write.add(usize32(i)).write(map(*value)) };
        }
        cursor = cursor.advance(row);
        left = left.wrapping_sub(row);
        from = rest;
    }
    to.cursor = cursor;
}
