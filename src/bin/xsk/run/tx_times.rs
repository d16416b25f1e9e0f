//! When packets were sent, for the summary: from the kick to the time that the kernel wrote, or, by
//! the card's clock, from one packet to the next.

use crate::report::histogram::{Figures, Histogram};
use crate::report::rates::grouped;
use serde_json::{Map, Value, json};
use xsk::packet::{TxClock, TxTimestamp};

/// The times at which packets were sent.
#[derive(Debug, Clone)]
pub(crate) struct TxTimes {
    clock: TxClock,
    /// Packets that came back; for each the time was asked for.
    asked: u64,
    /// Those that came back with a time.
    packets: u64,
    /// Those of them whose time is before their kick.
    before_kick: u64,
    /// Nanoseconds from the kick, or of the card's clock from the packet before.
    distances: Histogram,
    /// The time of the packet before, by the card's clock.
    last: Option<u64>,
}

impl TxTimes {
    pub(crate) fn new(clock: TxClock) -> Self {
        let distances = Histogram::new();
        Self { clock, asked: 0, packets: 0, before_kick: 0, distances, last: None }
    }

    /// Notes a packet that came back: when it was sent, if there is a time, and when the kick was
    /// made that had the kernel take it, in nanoseconds of `CLOCK_TAI`.
    #[inline]
    pub(crate) fn note(&mut self, sent: Option<TxTimestamp>, kick: u64) {
        self.asked += 1;
        let sent = sent.map(|sent| sent.nanoseconds);
        self.packets += u64::from(sent.is_some());
        match (self.clock, sent) {
            (TxClock::Tai, Some(sent)) => match sent.checked_sub(kick) {
                Some(time) => self.distances.add(time),
                None => self.before_kick += 1,
            },
            (TxClock::Tai, None) => {}
            (TxClock::Card, sent) => {
                // Not from one to the next but one.
                let last = std::mem::replace(&mut self.last, sent);
                let distance = sent.zip(last).and_then(|(sent, last)| sent.checked_sub(last));
                if let Some(distance) = distance {
                    self.distances.add(distance);
                }
            }
        }
    }

    /// Returns those of all queues together, if there are any.
    pub(crate) fn of_all<'a>(queues: impl Iterator<Item = &'a Self>) -> Option<Self> {
        queues.cloned().reduce(|mut sum, one| {
            sum.asked += one.asked;
            sum.packets += one.packets;
            sum.before_kick += one.before_kick;
            sum.distances.merge(&one.distances);
            sum
        })
    }

    /// Returns the line for people.
    pub(crate) fn line(&self) -> String {
        let (packets, asked) = (grouped(self.packets), grouped(self.asked));
        let figures = self.distances.figures().map(|figures| shown(&figures));
        let rest = match (self.clock, self.packets) {
            (_, 0) if self.asked == 0 => String::new(),
            (TxClock::Card, 0) => {
                "; no time came back: the driver has no TX timestamps (zero-copy), \
                                   or they are off (`hwstamp_ctl -t 1`)"
                    .to_owned()
            }
            (TxClock::Tai, 0) => "; no time came back".to_owned(),
            (TxClock::Card, _) => {
                let spacing = figures.map_or_else(String::new, |figures| {
                    format!("; from one packet to the next: {figures}")
                });
                format!(", by the card's clock: not comparable with the kick{spacing}")
            }
            (TxClock::Tai, _) => {
                let figures = figures.map_or_else(String::new, |figures| format!(": {figures}"));
                let before = match self.before_kick {
                    0 => String::new(),
                    count => format!(
                        "; {} before their kick, not counted: the clock was set",
                        grouped(count)
                    ),
                };
                format!(", from the kick, by CLOCK_TAI{figures}{before}")
            }
        };
        format!("TX timestamps: {packets} of {asked} packets{rest}")
    }

    /// Returns the object for programs.
    pub(crate) fn json(&self) -> Value {
        let figures = self.distances.figures();
        let (clock, from_kick, spacing) = match self.clock {
            TxClock::Tai => ("tai", figures, None),
            TxClock::Card => ("card", None, figures),
        };
        let mut object = members(from_kick.as_ref());
        object.insert("clock".to_owned(), json!(clock));
        object.insert("asked".to_owned(), json!(self.asked));
        object.insert("packets".to_owned(), json!(self.packets));
        object.insert("before_kick".to_owned(), json!(self.before_kick));
        let spacing = spacing.map(|spacing| members(Some(&spacing)));
        object.insert("spacing".to_owned(), json!(spacing));
        Value::Object(object)
    }
}

/// Returns the members for figures, which are `null` if there are none.
fn members(figures: Option<&Figures>) -> Map<String, Value> {
    let figure = |name: &str, number: Option<u64>| (name.to_owned(), json!(number));
    Map::from_iter([
        figure("min_ns", figures.map(|figures| figures.min)),
        figure("median_ns", figures.map(|figures| figures.median)),
        figure("p99_ns", figures.map(|figures| figures.p99)),
        figure("max_ns", figures.map(|figures| figures.max)),
    ])
}

/// Returns figures for people, in microseconds with their nanoseconds.
fn shown(figures: &Figures) -> String {
    let micros = |nanos: u64| format!("{}.{:03}", grouped(nanos / 1000), nanos % 1000);
    let Figures { min, median, p99, max } = *figures;
    let [min, median, p99, max] = [min, median, p99, max].map(micros);
    format!("min {min}, median {median}, p99 {p99}, max {max} us")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(clock: TxClock, nanoseconds: u64) -> Option<TxTimestamp> {
        Some(TxTimestamp { nanoseconds, clock })
    }

    #[test]
    fn tai_is_counted_from_the_kick() {
        let mut times = TxTimes::new(TxClock::Tai);
        assert_eq!(times.line(), "TX timestamps: 0 of 0 packets");
        times.note(None, 1 << 40);
        assert_eq!(times.line(), "TX timestamps: 0 of 1 packets; no time came back");
        times.note(sent(TxClock::Tai, (1 << 40) + 250), 1 << 40);
        times.note(sent(TxClock::Tai, (1 << 40) + 1_234_567), 1 << 40);
        let line = times.line();
        let words =
            "TX timestamps: 2 of 3 packets, from the kick, by CLOCK_TAI: min 0.250, median 0.250";
        assert!(line.starts_with(words) && line.ends_with(", max 1,234.567 us"), "{line}");
        let object = times.json();
        assert_eq!((&object["min_ns"], &object["max_ns"]), (&json!(250), &json!(1_234_567)));
        assert_eq!((&object["clock"], &object["spacing"]), (&json!("tai"), &Value::Null));
        // The clock was set.
        times.note(sent(TxClock::Tai, 1 << 39), 1 << 40);
        assert_eq!(times.json()["max_ns"], 1_234_567);
        assert_eq!(
            (&times.json()["packets"], &times.json()["before_kick"]),
            (&json!(3), &json!(1))
        );
        assert!(times.line().ends_with("us; 1 before their kick, not counted: the clock was set"));
    }

    #[test]
    fn the_clock_of_the_card_is_not_compared_with_the_kick() {
        let mut times = TxTimes::new(TxClock::Card);
        times.note(None, 1 << 40);
        let line = times.line();
        let words =
            "TX timestamps: 0 of 1 packets; no time came back: the driver has no TX timestamps";
        assert!(line.starts_with(words), "{line}");
        times.note(sent(TxClock::Card, 5000), 1 << 40);
        let line =
            "TX timestamps: 1 of 2 packets, by the card's clock: not comparable with the kick";
        assert_eq!(times.line(), line);
        times.note(sent(TxClock::Card, 5067), 1 << 40);
        // From a packet to the next but one, and back in time: no spacing.
        times.note(None, 1 << 40);
        times.note(sent(TxClock::Card, 9000), 1 << 40);
        times.note(sent(TxClock::Card, 8000), 1 << 40);
        let line = times.line();
        let words = "next: min 0.067, median 0.067, p99 0.067, max 0.067 us";
        assert!(line.ends_with(words), "{line}");
        let object = times.json();
        assert_eq!((&object["clock"], &object["packets"]), (&json!("card"), &json!(4)));
        assert_eq!((&object["median_ns"], &object["asked"]), (&Value::Null, &json!(6)));
        assert_eq!(object["spacing"]["max_ns"], 67);
    }
}
