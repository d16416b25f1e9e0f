//! When packets are sent.

use std::time::Duration;

/// How late packets may be before the times of all that follow move.
const LATE: u64 = 1_000_000_000;

/// What says when the next packet is sent.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// As soon as possible.
    Top,
    /// So many nanoseconds after the packet before it, for each packet or each bit of that.
    Rate { each: f64, bits: bool },
    /// At its time in a capture, in nanoseconds from the first one, divided by this.
    Capture { speed: f64 },
}

/// The times at which packets are sent, in nanoseconds of one clock.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    rule: Rule,
    /// When it began, once it has.
    start: Option<u64>,
    /// A part of the time between two packets by which it begins later.
    offset: f64,
    /// Packets or bits so far.
    done: u64,
    /// When the next packet is due.
    next: u64,
    /// By how much the times have moved.
    moved: u64,
    /// For how long packets are due, in nanoseconds.
    length: u64,
}

impl Schedule {
    fn new(rule: Rule, offset: f64) -> Self {
        Self { rule, start: None, offset, done: 0, next: 0, moved: 0, length: u64::MAX }
    }

    /// Returns that of packets which are sent as soon as possible.
    pub(crate) fn top() -> Self {
        Self::new(Rule::Top, 0.0)
    }

    /// Returns that of the `part`th of `parts` senders that send so many packets a second together,
    /// or so many bits.
    pub(crate) fn rate(per_second: u64, bits: bool, part: usize, parts: usize) -> Self {
        let each = parts as f64 * 1e9 / per_second as f64;
        Self::new(Rule::Rate { each, bits }, part as f64 / parts as f64)
    }

    /// Returns that of a capture.
    pub(crate) fn capture(speed: f64) -> Self {
        Self::new(Rule::Capture { speed }, 0.0)
    }

    /// Returns it with no packet due that is so late: a run that ends later has no more of them.
    pub(crate) fn lasting(self, length: Option<Duration>) -> Self {
        let nanoseconds = |length: Duration| length.as_nanos().try_into().ok();
        Self { length: length.and_then(nanoseconds).unwrap_or(u64::MAX), ..self }
    }

    /// Returns when the last packet was due, or the time of no packet.
    #[inline]
    fn end(&self) -> u64 {
        self.start.unwrap_or_default().saturating_add(self.length)
    }

    /// Begins, if it has not; moves all times if the next packet is much too late.
    pub(crate) fn catch_up(&mut self, now: u64) {
        let Some(start) = self.start else {
            let later = match self.rule {
                // Senders take turns.
                Rule::Rate { each, bits: false } => (each * self.offset) as u64,
                _ => 0,
            };
            let start = now + later;
            self.start = Some(start);
            self.next += start;
            return;
        };
        let late = now.saturating_sub(self.next);
        if late > LATE && !matches!(self.rule, Rule::Top) {
            self.start = Some(start + late);
            self.next += late;
            self.moved += late;
        }
    }

    /// Returns whether the next packet is due.
    #[inline]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.next <= now && self.next < self.end()
    }

    /// Returns how long it is until the next packet is due, in nanoseconds.
    pub(crate) fn wait(&self, now: u64) -> u64 {
        if self.next < self.end() { self.next.saturating_sub(now) } else { u64::MAX }
    }

    /// Notes that a packet of so many bytes was sent.
    #[inline]
    pub(crate) fn sent(&mut self, bytes: u32) {
        if let Rule::Rate { each, bits } = self.rule {
            self.done += if bits { u64::from(bytes) * 8 } else { 1 };
            let start = self.start.unwrap_or_default();
            self.next = start + (self.done as f64 * each) as u64;
        }
    }

    /// Takes the time of the next packet, in nanoseconds from the first one of the capture. A packet
    /// is not sent before the one before it.
    pub(crate) fn at(&mut self, time: u64) {
        if let Rule::Capture { speed } = self.rule {
            let start = self.start.unwrap_or_default();
            self.next = self.next.max(start.saturating_add((time as f64 / speed) as u64));
        }
    }

    /// Notes that nothing more is sent: what is due and was not sent is late.
    pub(crate) fn stop(&mut self, now: u64) {
        let now = now.min(self.end());
        if self.start.is_some() && matches!(self.rule, Rule::Rate { .. }) {
            self.moved += now.saturating_sub(self.next);
        }
    }

    /// Returns by how many nanoseconds the times have moved, with how late the packet is that would
    /// have been next.
    pub(crate) fn late(&self) -> u64 {
        self.moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many packets of 125 bytes are sent until `end`, by a sender that looks each
    /// `step` nanoseconds.
    fn sent(schedule: &mut Schedule, from: u64, end: u64, step: u64) -> u64 {
        let mut sent = 0;
        for now in (from..end).step_by(step as usize) {
            schedule.catch_up(now);
            while schedule.is_due(now) {
                schedule.sent(125);
                sent += 1;
            }
        }
        sent
    }

    #[test]
    fn a_second_has_as_many_packets_as_the_rate_says() {
        const SECOND: u64 = 1_000_000_000;
        for rate in [1, 7, 999, 1000, 123_457, 1_000_000] {
            for seconds in [1, 3] {
                let mut schedule = Schedule::rate(rate, false, 0, 1);
                let count = sent(&mut schedule, 5, 5 + seconds * SECOND, 3000);
                assert!(count.abs_diff(rate * seconds) <= 1 + rate / 300_000, "{rate}: {count}");
            }
        }
        let mut schedule = Schedule::rate(1_000_000, true, 0, 1);
        assert_eq!(sent(&mut schedule, 0, SECOND, 1000), 1000);
        let of = |part| sent(&mut Schedule::rate(1000, false, part, 3), 0, SECOND, 1000);
        assert_eq!((0..3).map(of).sum::<u64>(), 1000);
    }

    #[test]
    fn no_more_packets_are_due_than_there_is_time_for() {
        for rate in [1, 999, 1_000_000] {
            let mut schedule = Schedule::rate(rate, false, 0, 1);
            schedule = schedule.lasting(Some(Duration::from_millis(500)));
            let count = sent(&mut schedule, 5, 600_000_000, 3000);
            assert_eq!(count, rate.div_ceil(2));
            assert_eq!(schedule.wait(600_000_000), u64::MAX);
            schedule.stop(700_000_000);
            assert_eq!(schedule.late(), 0);
        }
        let mut schedule = Schedule::rate(1000, false, 0, 1).lasting(Some(Duration::from_secs(1)));
        assert_eq!(sent(&mut schedule, 0, 100_000_000, 1000), 100);
        schedule.stop(350_000_000);
        assert_eq!(schedule.late(), 250_000_000);
    }

    #[test]
    fn a_pause_is_caught_up_with_unless_it_is_long() {
        let mut schedule = Schedule::rate(1000, false, 0, 1);
        assert_eq!(sent(&mut schedule, 0, 1_000_000_000, 10_000), 1000);
        assert_eq!(sent(&mut schedule, 1_900_000_000, 2_000_000_000, 10_000), 1000);
        assert_eq!(schedule.late(), 0);
        // A second and a half is lost.
        let count = sent(&mut schedule, 3_500_000_000, 4_000_000_000, 10_000);
        assert!((499..=501).contains(&count), "{count}");
        assert_eq!(schedule.late(), 1_500_000_000);
    }

    #[test]
    fn a_capture_keeps_its_times_and_never_goes_back() {
        let mut schedule = Schedule::capture(2.0);
        let mut due = Vec::new();
        schedule.at(0);
        schedule.catch_up(100);
        for time in [0, 1000, 400, 3000] {
            schedule.at(time);
            due.push(schedule.wait(100));
        }
        assert_eq!(due, [0, 500, 500, 1500]);
    }
}
