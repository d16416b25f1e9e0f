//! Whole batches from one place to another: ring to ring, ring to pool, pool to ring.
//!
//! One packet goes straight; more go row by row, a row being what lies side by side at both ends, so
//! that the inner loop does without masks.

use super::atomic::{read_entry, write_entry};
use super::{Consumer, Index, Producer};

/// Entries moved between two tests of the loop's end.
const UNROLL: u32 = 8;

/// Where a batch comes from.
///
/// # Safety
/// `row` answers where entries lie, and how many of them, from 1 to `most`, can be read at once: each right
/// after the one before, or right before it if `DOWN`; if `skip + most` is no more than the source holds.
pub(crate) unsafe trait Source {
    type Entry: Copy;
    /// Whether entries lie in reverse.
    const DOWN: bool;
    /// The next entries after `skip`.
    fn row(&mut self, skip: u32, most: u32) -> (*const Self::Entry, u32);
    /// Where the source is, in a register and not in memory that others might write.
    type Mark;
    /// Entries are taken, and will not be handed out again.
    fn take(&mut self, count: u32) -> Self::Mark;
    /// The entry that was taken last cannot be believed.
    fn refuse(&mut self, entry: Self::Entry);
    /// The batch is done.
    fn finish(&mut self, mark: Self::Mark);
}

/// Where a batch goes to.
///
/// # Safety
/// As [`Source`], for slots that can be written, each right after the one before.
pub(crate) unsafe trait Sink {
    type Entry: Copy;
    /// The next slots after `skip`.
    fn row(&mut self, skip: u32, most: u32) -> (*mut Self::Entry, u32);
    /// The batch is done: so many slots were written.
    fn finish(&mut self, count: u32);
}

/// Moves `count` entries, as what `map` makes of them, until `map` refuses one, which is taken and does
/// not arrive; answers how many arrived. So many are there in `from`, and so many slots free in `to`.
///
/// If `map` panics, the entry that it was given is lost; those before have arrived.
///
/// # Safety
/// `count` entries are there in `from`, and as many slots free in `to`.
#[inline(always)]
pub(crate) unsafe fn transfer<S: Source, D: Sink>(
    mut from: S,
    mut to: D,
    count: u32,
    mut map: impl FnMut(S::Entry) -> Option<D::Entry>,
) -> u32 {
    if count == 0 {
        settle(from, to);
        return 0;
    }
    if count > 1 {
        // SAFETY: the caller's contract.
        return unsafe { many(from, to, count, map) };
    }
    // SAFETY: one entry is there, by the caller's contract, so `row` answers where (contract of `Source`).
    let entry = unsafe { read_entry(from.row(0, 1).0) };
    let mark = from.take(1);
    let Some(mapped) = map(entry) else {
        from.refuse(entry);
        return 0;
    };
    // SAFETY: one slot is free, by the caller's contract, so `row` answers where (contract of `Sink`).
    unsafe { write_entry(to.row(0, 1).0, mapped) };
    to.finish(1);
    from.finish(mark);
    1
}

/// An empty batch, which ends what a forgotten guard left open.
#[cold]
#[inline(never)]
fn settle<S: Source, D: Sink>(mut from: S, mut to: D) {
    to.finish(0);
    let mark = from.take(0);
    from.finish(mark);
}

/// As [`transfer`], for a `map` that calls the user's code. The loop is kept out of the caller: it needs
/// the registers for itself.
///
/// # Safety
/// As [`transfer`].
#[inline(always)]
pub(crate) unsafe fn transfer_each<S: Source, D: Sink>(
    from: S,
    to: D,
    count: u32,
    map: impl FnMut(S::Entry) -> Option<D::Entry>,
) -> u32 {
    #[inline(never)]
    unsafe fn outlined<S: Source, D: Sink>(
        from: S,
        to: D,
        count: u32,
        map: impl FnMut(S::Entry) -> Option<D::Entry>,
    ) -> u32 {
        // SAFETY: the caller's contract.
        unsafe { many(from, to, count, map) }
    }
    if count > 1 {
        // SAFETY: the caller's contract.
        unsafe { outlined(from, to, count, map) }
    } else {
        // SAFETY: the caller's contract.
        unsafe { transfer(from, to, count, map) }
    }
}

/// Row by row.
///
/// # Safety
/// As [`transfer`].
#[inline(always)]
unsafe fn many<S: Source, D: Sink>(
    from: S,
    to: D,
    count: u32,
    mut map: impl FnMut(S::Entry) -> Option<D::Entry>,
) -> u32 {
    let mut at = Progress { from, to, taken: 0, done: 0 };
    loop {
        let left = count.wrapping_sub(at.done);
        let (mut write, row) = at.to.row(at.done, left);
        let (mut read, row) = at.from.row(at.done, row);
        let end = at.done.wrapping_add(row);
        for _ in 0..row / UNROLL {
            for _ in 0..UNROLL {
                // SAFETY: at most `row` steps are made, in a row of that many.
                if !unsafe { at.step(&mut read, &mut write, &mut map) } {
                    return at.done;
                }
            }
        }
        while at.done != end {
            // SAFETY: `end` is where the row ends.
            if !unsafe { at.step(&mut read, &mut write, &mut map) } {
                return at.done;
            }
        }
        if row == left {
            return count;
        }
    }
}

/// How far a transfer has come; tells both ends when it is over, also by a panic.
struct Progress<S: Source, D: Sink> {
    from: S,
    to: D,
    /// Entries taken and not yet told of: one more than `done` while one is looked at.
    taken: u32,
    done: u32,
}

impl<S: Source, D: Sink> Progress<S, D> {
    /// Moves one entry of a row; answers whether it arrived.
    ///
    /// # Safety
    /// The row has one more, at `read` and at `write`.
    #[inline(always)]
    unsafe fn step(
        &mut self,
        read: &mut *const S::Entry,
        write: &mut *mut D::Entry,
        map: &mut impl FnMut(S::Entry) -> Option<D::Entry>,
    ) -> bool {
        self.taken = self.done.wrapping_add(1);
        // SAFETY: the row has one more (contract of this function), so the entry can be read.
        let entry = unsafe { read_entry(*read) };
        *read = if S::DOWN { read.wrapping_sub(1) } else { read.wrapping_add(1) };
        let Some(mapped) = map(entry) else {
            self.from.take(self.taken);
            self.taken = 0;
            self.from.refuse(entry);
            return false;
        };
        // SAFETY: the row has one more (contract of this function), so the slot can be written.
        unsafe { write_entry(*write, mapped) };
        *write = write.wrapping_add(1);
        self.done = self.taken;
        true
    }
}

impl<S: Source, D: Sink> Drop for Progress<S, D> {
    #[inline(always)]
    fn drop(&mut self) {
        self.to.finish(self.done);
        let mark = self.from.take(self.taken);
        self.from.finish(mark);
    }
}

// SAFETY: a row ends at the ring's end at the latest, and the producer handed the entries over (I8).
unsafe impl<T: Copy> Source for &mut Consumer<T> {
    type Entry = T;
    const DOWN: bool = false;

    #[inline(always)]
    fn row(&mut self, skip: u32, most: u32) -> (*const T, u32) {
        let at = self.cursor.advance(skip);
        (self.memory.slot(at), self.memory.row(at, most))
    }

    type Mark = Index;

    #[inline(always)]
    fn take(&mut self, count: u32) -> Index {
        let mark = self.cursor.advance(count);
        self.cursor = mark;
        mark
    }

    #[inline(always)]
    fn refuse(&mut self, entry: T) {
        Consumer::refuse(self, entry);
    }

    #[inline(always)]
    fn finish(&mut self, mark: Index) {
        self.release_to(mark);
    }
}

// SAFETY: a row ends at the ring's end at the latest, and the consumer gave the slots back (I8).
unsafe impl<T: Copy> Sink for &mut Producer<T> {
    type Entry = T;

    #[inline(always)]
    fn row(&mut self, skip: u32, most: u32) -> (*mut T, u32) {
        let at = self.cursor.advance(skip);
        (self.memory.slot(at), self.memory.row(at, most))
    }

    #[inline(always)]
    fn finish(&mut self, count: u32) {
        let cursor = self.cursor.advance(count);
        self.cursor = cursor;
        self.publish_to(cursor);
    }
}
