//! Whole batches from ring to ring, from a ring to a slice, and from a slice to a ring.
//!
//! Rows are split where a ring wraps, so the inner loops do without masks. Nothing is published or
//! released here: the callers do it, once for a batch.

use super::{Consumer, Producer};
use crate::num::usize32;

/// Entries handled between two tests of the loop's end.
const UNROLL: u32 = 4;

/// How a bulk operation ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved<T> {
    /// Entries that arrived.
    pub(crate) count: u32,
    /// The entry that was refused, if one was; it was taken from its ring all the same.
    pub(crate) refused: Option<T>,
}

/// Moves `count` entries, as what `map` makes of them, until `map` refuses one.
///
/// `count` entries are there in `from`, and as many slots free in `to`.
#[inline(always)]
pub(crate) fn ring_to_ring<T: Copy, U: Copy>(
    from: &mut Consumer<T>,
    to: &mut Producer<U>,
    count: u32,
    mut map: impl FnMut(T) -> Option<U>,
) -> Moved<T> {
    let (first, last) = (from.cursor, from.cursor.advance(count));
    let target_end = to.cursor.advance(count);
    loop {
        let source = from.memory().run(from.cursor, last);
        let target = to.memory().run(to.cursor, target_end);
        let run = source.len.min(target.len);
        if run == 0 {
            return Moved { count: from.cursor.distance_from(first), refused: None };
        }
        let (read, write) = (source.first, target.first);
        let done = unrolled(run, |i| {
            // SAFETY: `i` is below `run`, so the entry is one that the producer handed over (I8).
            let entry = unsafe { read.add(usize32(i)).read() };
            match map(entry) {
                // SAFETY: `i` is below `run`, so the slot is one that the consumer gave back (I8).
                Some(mapped) => unsafe { write.add(usize32(i)).write(mapped) },
                None => return Err(entry),
            }
            Ok(())
        });
        match done {
            Ok(()) => {
                from.cursor = from.cursor.advance(run);
                to.cursor = to.cursor.advance(run);
            }
            Err((done, entry)) => {
                to.cursor = to.cursor.advance(done);
                from.cursor = from.cursor.advance(done);
                let count = from.cursor.distance_from(first);
                from.cursor = from.cursor.advance(1);
                return Moved { count, refused: Some(entry) };
            }
        }
    }
}

/// Takes as many entries as `to` is long, as what `map` makes of them, until `map` refuses one.
///
/// At least as many entries are there in `from`.
#[inline(always)]
pub(crate) fn ring_to_slice<T: Copy, U>(
    from: &mut Consumer<T>,
    mut to: &mut [U],
    mut map: impl FnMut(T) -> Option<U>,
) -> Moved<T> {
    let first = from.cursor;
    let count = u32::try_from(to.len()).unwrap_or(u32::MAX);
    let last = first.advance(count);
    loop {
        let source = from.memory().run(from.cursor, last);
        let Some((row, rest)) = to.split_at_mut_checked(usize32(source.len)) else { break };
        if row.is_empty() {
            break;
        }
        let (read, write) = (source.first, row.as_mut_ptr());
        let done = unrolled(source.len, |i| {
            // SAFETY: `i` is below the run's length: an entry that the producer handed over (I8).
            let entry = unsafe { read.add(usize32(i)).read() };
            match map(entry) {
                // SAFETY: `row` is as long as the run, and borrowed exclusively.
                Some(mapped) => unsafe { write.add(usize32(i)).write(mapped) },
                None => return Err(entry),
            }
            Ok(())
        });
        match done {
            Ok(()) => from.cursor = from.cursor.advance(source.len),
            Err((done, entry)) => {
                from.cursor = from.cursor.advance(done);
                let count = from.cursor.distance_from(first);
                from.cursor = from.cursor.advance(1);
                return Moved { count, refused: Some(entry) };
            }
        }
        to = rest;
    }
    Moved { count: from.cursor.distance_from(first), refused: None }
}

/// Writes what `map` makes of each of `from`, for which there are free slots in `to`.
#[inline(always)]
pub(crate) fn slice_to_ring<T: Copy, U: Copy>(
    mut from: &[T],
    to: &mut Producer<U>,
    mut map: impl FnMut(T) -> U,
) {
    let count = u32::try_from(from.len()).unwrap_or(u32::MAX);
    let last = to.cursor.advance(count);
    loop {
        let target = to.memory().run(to.cursor, last);
        let Some((row, rest)) = from.split_at_checked(usize32(target.len)) else { break };
        if row.is_empty() {
            break;
        }
        let (read, write) = (row.as_ptr(), target.first);
        let done: Result<(), (u32, ())> = unrolled(target.len, |i| {
            // SAFETY: `row` is as long as the run.
            let mapped = map(unsafe { read.add(usize32(i)).read() });
            // SAFETY: `i` is below the run's length: a slot that the consumer gave back (I8).
            unsafe { write.add(usize32(i)).write(mapped) };
            Ok(())
        });
        if done.is_ok() {
            to.cursor = to.cursor.advance(target.len);
        }
        from = rest;
    }
}

/// Calls `step` with 0 to `count - 1`, until it fails; answers where.
#[inline(always)]
fn unrolled<E>(count: u32, mut step: impl FnMut(u32) -> Result<(), E>) -> Result<(), (u32, E)> {
    let whole = count & !(UNROLL.wrapping_sub(1));
    let mut i = 0;
    while i != whole {
        for k in 0..UNROLL {
            let at = i.wrapping_add(k);
            step(at).map_err(|e| (at, e))?;
        }
        i = i.wrapping_add(UNROLL);
    }
    while i != count {
        step(i).map_err(|e| (i, e))?;
        i = i.wrapping_add(1);
    }
    Ok(())
}
