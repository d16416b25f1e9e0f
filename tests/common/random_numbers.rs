//! Random numbers that can be repeated.

#![allow(dead_code, reason = "tests; each uses a part of it")]

use std::time::{SystemTime, UNIX_EPOCH};

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

/// Random numbers from a seed (SplitMix64, of Steele, Lea and Flood).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a number below another one.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Returns true one in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, what: &mut [T]) {
        for i in (1..what.len()).rev() {
            what.swap(i, self.below(i + 1));
        }
    }
}
