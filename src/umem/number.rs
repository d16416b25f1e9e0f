//! The numbers of UMEMs, and how many chunks each has lost.
//!
//! A frame knows the number of its UMEM and no more, so a lost chunk is counted in a static table.
//! The table has no lock: a child made by `fork` may drop what it inherited, at any time.

use crate::error::{Error, Result};
use crate::num::usize32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Entries of the table, a power of two. A number is not given while another UMEM with the same
/// entry exists, unless there are as many UMEMs.
const ENTRIES: usize = 4096;

/// Chunks that were lost, modulo 2^32, by the low bits of the number.
static LOST: [AtomicU32; ENTRIES] = [const { AtomicU32::new(0) }; ENTRIES];

/// Whether a UMEM uses an entry.
static USED: [AtomicBool; ENTRIES] = [const { AtomicBool::new(false) }; ENTRIES];

/// The bit that is set in the numbers of UMEMs with unaligned chunks: it says of a frame, which knows
/// nothing but the number, what its address means.
const UNALIGNED: u32 = 1 << 31;

/// Returns whether the UMEM of a number has unaligned chunks.
#[inline(always)]
pub(super) fn is_unaligned(number: u32) -> bool {
    number & UNALIGNED != 0
}

/// Returns the number without what it says of the chunks, for people.
pub(super) fn ordinal(number: u32) -> u32 {
    number & !UNALIGNED
}

/// Returns a number that no UMEM of this process ever had; never 0.
///
/// Numbers are not used again, so a frame that outlived its UMEM can never pass for one of another
/// (invariant I6).
pub(super) fn next_umem_number(unaligned: bool) -> Result<u32> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let next = || {
        LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            last.checked_add(1).filter(|next| next & UNALIGNED == 0)
        })
        .map(|last| last.wrapping_add(1))
        .map_err(|_| Error::UmemNumbers)
    };
    let mut number = next()?;
    for _ in 0..ENTRIES {
        if !entry(&USED, number).is_some_and(|used| used.load(Ordering::Relaxed)) {
            break;
        }
        number = next()?;
    }
    Ok(if unaligned { number | UNALIGNED } else { number })
}

#[inline(always)]
fn entry<T>(table: &[T; ENTRIES], number: u32) -> Option<&T> {
    table.get(usize32(number) & ENTRIES.wrapping_sub(1))
}

/// Counts `chunks` of UMEM `number` as lost. If that is gone, nothing reads the count.
#[inline(always)]
pub(super) fn count_lost(number: u32, chunks: u32) {
    if let Some(lost) = entry(&LOST, number) {
        lost.fetch_add(chunks, Ordering::Relaxed);
    }
}

/// The count of a UMEM's lost chunks.
#[derive(Debug)]
pub(super) struct LossCount {
    number: u32,
    /// What the entry was before.
    before: u32,
}

impl LossCount {
    pub(super) fn new(number: u32) -> Self {
        if let Some(used) = entry(&USED, number) {
            used.store(true, Ordering::Relaxed);
        }
        Self { number, before: lost(number) }
    }

    /// Returns how many chunks were lost since this was made.
    pub(super) fn chunks(&self) -> u32 {
        lost(self.number).wrapping_sub(self.before)
    }
}

impl Drop for LossCount {
    fn drop(&mut self) {
        if let Some(used) = entry(&USED, self.number) {
            used.store(false, Ordering::Relaxed);
        }
    }
}

fn lost(number: u32) -> u32 {
    entry(&LOST, number).map_or(0, |lost| lost.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A UMEM that stays does not share its count with any of the next.
    #[test]
    fn numbers_of_umems_that_exist_have_entries_of_their_own() {
        let kept = next_umem_number(false).unwrap();
        let count = LossCount::new(kept);
        for _ in 0..=2 * ENTRIES {
            let number = next_umem_number(false).unwrap();
            assert_ne!(usize32(number) % ENTRIES, usize32(kept) % ENTRIES);
            let other = LossCount::new(number);
            count_lost(number, 3);
            assert_eq!(other.chunks(), 3);
        }
        assert_eq!(count.chunks(), 0);
        count_lost(kept, u32::MAX);
        count_lost(kept, 3);
        assert_eq!(count.chunks(), 2);
    }
}
