//! How many entries the consumers of several rings were given together.

use super::Index;
use super::atomic::{AtomicU32, Ordering};

/// How many entries the other side put into several rings together, modulo 2^32, as far as their
/// consumers looked. Never more than it was given (invariant I7).
#[derive(Debug, Default)]
pub(crate) struct SharedCount(AtomicU32);

impl SharedCount {
    /// Sets the count, before there is a second consumer.
    pub(crate) fn set(&self, count: u32) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// Counts `new` entries that the caller found in its ring, by an index that it read with
    /// acquire; `given` counts what the other side was given. If there cannot be so many, returns how
    /// many there can be.
    #[inline(always)]
    pub(crate) fn add(&self, new: u32, given: &AtomicU32) -> Result<(), u32> {
        let mut most = 0;
        // Release: who sees this count sees what the caller saw, that as much was given before.
        // Acquire: so what is read as given below is not older than what the others counted, and
        // the difference is not negative.
        let added = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            most = Index::new(given.load(Ordering::Relaxed)).distance_from(Index::new(count));
            (new <= most).then(|| count.wrapping_add(new))
        });
        if added.is_ok() { Ok(()) } else { Err(most) }
    }
}
