//! Numbers for people: rates, digits in groups of three, and queues.

use std::time::Duration;
use xsk::multi_queue::QueueSet;

/// Returns the rate per second of `count` in `time`, rounded to the nearest, or 0 for no time.
pub(crate) fn per_second(count: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos();
    if nanos == 0 {
        return 0;
    }
    let rate = (u128::from(count) * 1_000_000_000 + nanos / 2) / nanos;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Returns `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (left, digit) in (0..digits.len()).rev().zip(digits.chars()) {
        text.push(digit);
        if left > 0 && left % 3 == 0 {
            text.push(',');
        }
    }
    text
}

/// Returns queues in words.
pub(crate) fn named(queues: &QueueSet) -> String {
    if queues.is_all() {
        return "all queues".to_owned();
    }
    let word = if queues.single().is_some() { "queue" } else { "queues" };
    format!("{word} {queues}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_named_by_their_numbers_or_together() {
        let words = ["0", "0,2-4", "all"].map(|text| named(&text.parse().unwrap()));
        assert_eq!(words, ["queue 0", "queues 0,2-4", "all queues"]);
    }

    #[test]
    fn digits_come_in_threes() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_rate_is_a_count_by_a_time() {
        assert_eq!(per_second(300, Duration::from_millis(200)), 1500);
        assert_eq!(per_second(300, Duration::ZERO), 0);
        // As many as were sent in a second that took a little longer, or shorter.
        assert_eq!(per_second(100, Duration::from_millis(1004)), 100);
        assert_eq!(per_second(1, Duration::from_millis(1004)), 1);
        assert_eq!(per_second(100, Duration::from_millis(996)), 100);
        assert_eq!(per_second(u64::MAX, Duration::from_nanos(1)), u64::MAX);
    }
}
