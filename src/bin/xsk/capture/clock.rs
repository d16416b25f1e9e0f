//! The times of packets: a clock that is not set during a capture.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// How far the card's clock may be from the system's for its times to be taken.
const NEAR: u64 = 60_000_000_000;
/// How often the difference of both clocks is measured at the start.
const TRIES: u32 = 16;

/// The monotonic clock, with the difference to the time of day as it was at the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// The difference in nanoseconds.
    offset: u64,
}

impl Clock {
    /// Measures the difference: several times, of which the one counts that took the least time.
    pub(crate) fn start() -> Self {
        let measure = |_| {
            let before = monotonic();
            let day = read(ClockId::Realtime);
            let took = monotonic().wrapping_sub(before);
            (took, day.wrapping_sub(before.wrapping_add(took / 2)))
        };
        let (_, offset) = (0..TRIES).map(measure).min().unwrap_or_default();
        Self { offset }
    }

    /// Returns the time, in nanoseconds since 1970.
    pub(crate) fn now(self) -> u64 {
        self.of(monotonic())
    }

    /// Returns the time of one of the monotonic clock.
    pub(crate) fn of(self, monotonic: u64) -> u64 {
        monotonic.wrapping_add(self.offset)
    }
}

/// Returns a time of the card, unless its clock is another one than the system's.
pub(crate) fn of_card(card: Option<u64>, now: u64) -> Option<u64> {
    card.filter(|card| card.abs_diff(now) < NEAR)
}

fn monotonic() -> u64 {
    read(ClockId::Monotonic)
}

/// Reads a clock, in nanoseconds.
fn read(clock: ClockId) -> u64 {
    let time = Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    // Enough for 584 years.
    time.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn the_time_is_that_of_day_and_does_not_go_back() {
        let clock = Clock::start();
        let day = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let (before, now, after) = (day() as u64, clock.now(), day() as u64);
        // The difference was measured to some microseconds.
        assert!(now + 1_000_000 > before && now < after + 1_000_000, "{before} {now} {after}");
        assert!(clock.now() >= now);
    }

    #[test]
    fn a_card_with_a_clock_of_its_own_is_not_believed() {
        let now = 1_700_000_000_000_000_000;
        assert_eq!(of_card(Some(now - 5), now), Some(now - 5));
        // TAI is 37 seconds before UTC, and is one clock with it all the same.
        assert_eq!(of_card(Some(now + 37_000_000_000), now), Some(now + 37_000_000_000));
        assert_eq!(of_card(Some(12_345), now), None);
        assert_eq!(of_card(None, now), None);
    }
}
