//! Counts numbers in buckets whose width grows with them: bounded memory, however many they are.

/// Buckets of each power of two, as a power of two: a number is off by half a bucket at the most,
/// which is 1/256 of it.
const BITS: u32 = 7;
/// Numbers below this one have a bucket of their own.
const EXACT: u64 = 2 << BITS;

/// A log-linear histogram of 64-bit numbers in 58 KiB.
///
/// Least and greatest number are exact, and so are those below 256; a quantile of others is off by
/// 0.4 % at the most.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    min: u64,
    max: u64,
}

/// What a [`Histogram`] shows of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) min: u64,
    pub(crate) median: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], count: 0, min: u64::MAX, max: 0 }
    }

    #[inline]
    pub(crate) fn add(&mut self, number: u64) {
        self.buckets[bucket(number)] += 1;
        self.count += 1;
        self.min = self.min.min(number);
        self.max = self.max.max(number);
    }

    /// Adds the numbers of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Returns least and greatest number, the median, and the number that 99 % do not exceed;
    /// `None` if there are no numbers.
    pub(crate) fn figures(&self) -> Option<Figures> {
        (self.count > 0).then(|| Figures {
            min: self.min,
            median: self.per_mille(500),
            p99: self.per_mille(990),
            max: self.max,
        })
    }

    /// Returns how many numbers there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the least number, those that 50, 90, 99 and 99.9 % do not exceed, and the greatest
    /// one; `None` if there are no numbers.
    pub(crate) fn spread(&self) -> Option<[u64; 6]> {
        if self.count == 0 {
            return None;
        }
        let [p50, p90, p99, p999] = [500, 900, 990, 999].map(|part| self.per_mille(part));
        Some([self.min, p50, p90, p99, p999, self.max])
    }

    /// Returns the parts of the range that have numbers, four for each power of two: the least
    /// number that belongs to it, the least one behind it, and how many numbers it has.
    pub(crate) fn parts(&self) -> Vec<(u64, u64, u64)> {
        let width = 1 << (BITS - 2);
        let parts = self.buckets.chunks(width).enumerate().map(|(number, part)| {
            let first = number * width;
            let behind = first + width;
            let behind = if behind < self.buckets.len() { least(behind) } else { u64::MAX };
            (least(first), behind, part.iter().sum())
        });
        parts.filter(|(.., count)| *count > 0).collect()
    }

    /// Returns the number that so many of 1000 do not exceed.
    fn per_mille(&self, part: u32) -> u64 {
        let rank = (u128::from(self.count) * u128::from(part)).div_ceil(1000);
        let mut below = 0;
        let place = self.buckets.iter().position(|count| {
            below += u128::from(*count);
            below >= rank
        });
        place.map_or(self.max, middle).clamp(self.min, self.max)
    }
}

/// Returns the place of a number's bucket.
#[inline]
fn bucket(number: u64) -> usize {
    let shift = (u64::BITS - 1 - BITS).saturating_sub(number.leading_zeros());
    (u64::from(shift << BITS) + (number >> shift)) as usize
}

/// Returns the number in the middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let shift = (bucket >> BITS) - 1;
    ((bucket - (shift << BITS)) << shift) + (1 << (shift - 1))
}

/// Returns the least number of a bucket.
fn least(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let shift = (bucket >> BITS) - 1;
    (bucket - (shift << BITS)) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_bucket_next_to_that_of_the_number_before() {
        for number in 1..1_000_000 {
            let (before, here) = (bucket(number - 1), bucket(number));
            assert!(here == before || here == before + 1, "{number}");
        }
        assert_eq!((bucket(0), bucket(255), bucket(256), bucket(257)), (0, 255, 256, 256));
        let all = Histogram::new().buckets;
        assert!(all.len() * 8 <= 59_500, "{}", all.len());
    }

    #[test]
    fn the_middle_of_a_bucket_is_near_each_number_in_it() {
        for power in 0..64 {
            for more in 0..1000 {
                let number = (1_u64 << power).saturating_add(more << (power / 2));
                let near = middle(bucket(number));
                assert!(near.abs_diff(number) <= number / 256, "{number}: {near}");
                assert!(number >= EXACT || near == number, "{number}: {near}");
            }
        }
        assert!(u64::MAX - middle(bucket(u64::MAX)) <= u64::MAX / 256);
    }

    #[test]
    fn the_figures_are_those_of_the_sorted_numbers() {
        assert_eq!(Histogram::new().figures(), None);
        // All numbers from 1 to 100 times 10, in another order.
        let mut histogram = Histogram::new();
        (1..=100).for_each(|number| histogram.add(number * 37 % 101 * 10));
        let Figures { min, median, p99, max } = histogram.figures().unwrap();
        assert_eq!((min, max), (10, 1000));
        assert!(median.abs_diff(500) <= 2 && p99.abs_diff(990) <= 4, "{median} {p99}");
        // One number is exact, wherever it is in its bucket.
        for number in [0, 1, 123_456_789, u64::MAX] {
            let mut histogram = Histogram::new();
            histogram.add(number);
            let all = Figures { min: number, median: number, p99: number, max: number };
            assert_eq!(histogram.figures(), Some(all));
        }
        // One of 100 is above the 99 %, two are not.
        let mut histogram = Histogram::new();
        (0..99).for_each(|_| histogram.add(5));
        histogram.add(200);
        assert_eq!(histogram.figures().map(|figures| (figures.p99, figures.max)), Some((5, 200)));
        histogram.add(200);
        assert_eq!(histogram.figures().map(|figures| figures.p99), Some(200));
    }

    #[test]
    fn the_parts_have_all_numbers_each_in_its_own() {
        assert_eq!((Histogram::new().spread(), Histogram::new().parts()), (None, vec![]));
        let mut histogram = Histogram::new();
        let numbers = [0, 31, 32, 255, 256, 300, 12_345, 1 << 40, u64::MAX];
        numbers.iter().for_each(|number| histogram.add(*number));
        let parts = histogram.parts();
        for (from, behind, count) in &parts {
            let inside =
                |number: &&u64| *from <= **number && (**number < *behind || *behind == u64::MAX);
            assert_eq!(numbers.iter().filter(inside).count() as u64, *count, "{from} {behind}");
        }
        assert!(parts.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{parts:?}");
        let sum: u64 = parts.iter().map(|(.., count)| count).sum();
        assert_eq!(sum, histogram.count());
        let [min, p50, p90, p99, p999, max] = histogram.spread().unwrap();
        assert!(min <= p50 && p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max);
        for number in [0, 1, 255, 256, 257, 1 << 20, u64::MAX] {
            assert!(least(bucket(number)) <= number);
        }
    }

    #[test]
    fn the_figures_are_in_order_whatever_the_numbers() {
        let mut state = 1_u64;
        for round in 1..200 {
            let mut histogram = Histogram::new();
            for _ in 0..round {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                histogram.add(state >> (state >> 58));
            }
            let Figures { min, median, p99, max } = histogram.figures().unwrap();
            assert!(min <= median && median <= p99 && p99 <= max, "{min} {median} {p99} {max}");
        }
    }
}
