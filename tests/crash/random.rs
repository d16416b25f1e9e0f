//! Random numbers that can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

/// Splitmix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

/// Returns the seed of this run: `XSK_SEED`, or the time if that is `time`; without it the same in
/// each run.
pub(crate) fn seed() -> u64 {
    match std::env::var("XSK_SEED").as_deref() {
        Err(_) => 1,
        Ok("time") => {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            time.as_nanos() as u64 % 1_000_000_000
        }
        Ok(seed) => seed.parse().unwrap(),
    }
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub(crate) fn shuffle<T>(&mut self, what: &mut [T]) {
        for i in (1..what.len()).rev() {
            what.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}
