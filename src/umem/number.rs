//! Numbers for UMEMs: a frame carries its UMEM's, so that no other will take it.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicU32, Ordering};

/// A number that no UMEM of this process ever had.
///
/// Numbers are not used again, so a frame that outlived its UMEM can never pass for one of another
/// (invariant I6).
pub(super) fn next() -> Result<u32> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| last.checked_add(1))
        .map(|last| last.wrapping_add(1))
        .map_err(|_| Error::UmemNumbers)
}
