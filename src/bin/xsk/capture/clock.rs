//! The times of packets: a clock that is not set during a capture.

use crate::report::output;
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use xsk::packet::TxClock;

const SECOND: u64 = 1_000_000_000;

/// By how much the time of a card may be before that at which its first packet was seen, and after
/// it, for both to be of one clock: the packet was on its way meanwhile, and clocks that are kept
/// together differ by less than that.
const BEFORE: u64 = 1_000_000_000;
const AFTER: u64 = 10_000_000;
/// How far a later time of the card may be before the system's for it to be taken, because packets
/// may have waited, and how far after it: no packet of a queue has a time before an earlier one's, so
/// one that is far ahead would hold all those that follow.
const WAITED: u64 = 60_000_000_000;
const AHEAD: u64 = 1_000_000_000;
/// By how many seconds TAI is ahead of UTC where the kernel does not know it (since 2017; IERS
/// bulletin C).
const TAI_AHEAD: u64 = 37;
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

/// What the clock of a card is, as its first packet shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// With the system's clock.
    InUtc,
    /// So many seconds ahead of it, in TAI, as a grandmaster of PTP has it.
    InTai(u64),
    /// On its own: so many nanoseconds ahead of the system's.
    Apart(i64),
}

/// The clock of a card, which all queues have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct CardClock(Arc<OnceLock<Runs>>);

impl CardClock {
    /// Returns the time of a packet that was seen `now`: that of the card, in UTC, or `now` if the
    /// card's clock is another one.
    #[inline]
    pub(crate) fn time(&self, card: u64, now: u64) -> u64 {
        let ahead = match self.0.get().copied().unwrap_or_else(|| self.judge(card, now)) {
            Runs::InUtc => 0,
            Runs::InTai(seconds) => seconds * SECOND,
            Runs::Apart(_) => return now,
        };
        let time = card.wrapping_sub(ahead);
        let is_ahead = time > now.saturating_add(AHEAD);
        if is_ahead || now.saturating_sub(time) > WAITED { now } else { time }
    }

    /// Judges by the first packet, and says what has to be known of the times.
    #[cold]
    fn judge(&self, card: u64, now: u64) -> Runs {
        let mut is_first = false;
        let runs = *self.0.get_or_init(|| {
            is_first = true;
            Runs::of(card, now, tai_ahead())
        });
        if is_first && runs != Runs::InUtc {
            // Packets do not wait for the line, unless there can be no thread.
            let note = move || output::note(&runs.described());
            if std::thread::Builder::new().name("note".to_owned()).spawn(note).is_err() {
                note();
            }
        }
        runs
    }

    /// Returns what was found; `None` if no packet had a time of the card.
    pub(crate) fn runs(&self) -> Option<Runs> {
        self.0.get().copied()
    }
}

impl Runs {
    fn of(card: u64, now: u64, tai_ahead: u64) -> Self {
        let is_near =
            |time: u64| time <= now.saturating_add(AFTER) && now - now.min(time) <= BEFORE;
        if is_near(card) {
            Self::InUtc
        } else if card.checked_sub(tai_ahead * SECOND).is_some_and(is_near) {
            Self::InTai(tai_ahead)
        } else {
            Self::Apart(card.wrapping_sub(now) as i64)
        }
    }

    /// Returns the word of JSON for where the times are from.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::InUtc => "card",
            Self::InTai(_) => "card_tai",
            Self::Apart(_) => "system",
        }
    }

    /// Returns where the times are from, in words.
    pub(crate) fn described(self) -> String {
        match self {
            Self::InUtc => "times are the card's, whose clock goes with the system's".to_owned(),
            Self::InTai(seconds) => format!(
                "times are the card's, whose clock runs in TAI: {seconds} s were taken off for UTC"
            ),
            Self::Apart(ahead) => format!(
                "times are the system's: the card's clock is {:.3} s {} it (phc2sys sets it)",
                ahead.unsigned_abs() as f64 / 1e9,
                if ahead < 0 { "behind" } else { "ahead of" }
            ),
        }
    }
}

/// Returns by how many seconds TAI is ahead of the system's clock, by the kernel where it knows.
fn tai_ahead() -> u64 {
    let tai = TxClock::Tai.now().unwrap_or_default();
    let ahead = tai.wrapping_sub(read(ClockId::Realtime));
    match ahead.saturating_add(SECOND / 2) / SECOND {
        // Nothing has set it; or the clock was set between both.
        seconds @ 1..=999 => seconds,
        _ => TAI_AHEAD,
    }
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
    fn what_a_cards_clock_is_shows_in_its_first_time() {
        let now = 1_700_000_000 * SECOND;
        let runs = |card| Runs::of(card, now, 37);
        for card in [now, now - 5, now - SECOND, now + 1_000_000] {
            assert_eq!(runs(card), Runs::InUtc, "{card}");
            assert_eq!(runs(card + 37 * SECOND), Runs::InTai(37), "{card}");
        }
        assert_eq!(runs(now + 20 * SECOND), Runs::Apart(20_000_000_000));
        assert_eq!(runs(now - 2 * SECOND), Runs::Apart(-2_000_000_000));
        assert_eq!(runs(now + SECOND), Runs::Apart(1_000_000_000));
        assert!(matches!(runs(12_345), Runs::Apart(ahead) if ahead < 0));
        assert!((1..1000).contains(&tai_ahead()));
    }

    #[test]
    fn the_times_of_a_capture_are_of_one_clock() {
        let now = 1_700_000_000 * SECOND;
        let times = |cards: &[u64]| {
            let clock = CardClock::default();
            let times: Vec<u64> = cards.iter().map(|card| clock.time(*card, now)).collect();
            (times, clock.runs().unwrap().word())
        };
        // A later one may have waited, or be nonsense.
        let late = now - 20 * SECOND;
        assert_eq!(times(&[now - 5, late, 7]), (vec![now - 5, late, now], "card"));
        // Nor does one that is ahead hold those that follow.
        let (soon, ahead) = (now + SECOND / 2, now + 2 * SECOND);
        assert_eq!(times(&[now, soon, ahead]), (vec![now, soon, now], "card"));
        let tai = |time: u64| time + tai_ahead() * SECOND;
        assert_eq!(times(&[tai(now - 5), tai(late)]), (vec![now - 5, late], "card_tai"));
        // Not some of one clock, and some of another one.
        assert_eq!(times(&[now - 9 * SECOND, now - 5]), (vec![now, now], "system"));
        assert_eq!(CardClock::default().runs(), None);
    }
}
