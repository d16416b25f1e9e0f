//! What is known of all packets of a queue.

use crate::generate::mark::{Mark, time_of};
use crate::receive::flow::{Flow, FlowTally};
use crate::report::histogram::Histogram;
use std::collections::{BTreeMap, HashMap};

/// The longest time on the way, in nanoseconds: a longer one is that of another clock.
const LONGEST: u64 = 60_000_000_000;

/// A stream and a flow of it.
pub(crate) type Key = (u16, u32);

/// The packets of a queue.
#[derive(Debug)]
pub(crate) struct Tracker {
    flows: HashMap<Key, Flow>,
    /// How many flows there may be, and how many numbers of each are remembered.
    most: usize,
    window: u32,
    others: Others,
    latency: Histogram,
}

/// Packets that belong to no flow that is followed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Others {
    /// Without a mark.
    pub(crate) foreign: u64,
    /// Of flows beyond the most that are followed.
    pub(crate) untracked: u64,
    /// Whose time is that of another clock.
    pub(crate) foreign_clock: u64,
}

/// What all queues together received.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) flows: BTreeMap<Key, FlowTally>,
    pub(crate) others: Others,
    pub(crate) latency: Histogram,
}

impl Tracker {
    /// Follows so many flows, and remembers so many numbers of each.
    pub(crate) fn new(most: u32, window: u32) -> Self {
        Self {
            flows: HashMap::new(),
            most: most as usize,
            window: window.next_power_of_two(),
            others: Others::default(),
            latency: Histogram::new(),
        }
    }

    /// Notes a packet that was seen at a time of `CLOCK_MONOTONIC`, in nanoseconds.
    #[inline]
    pub(crate) fn note(&mut self, packet: &[u8], now: u64) {
        let Some(mark) = Mark::of_packet(packet) else {
            self.others.foreign += 1;
            return;
        };
        match self.flows.get_mut(&(mark.stream, mark.flow)) {
            Some(flow) => flow.note(mark.sequence),
            None => self.begin(&mark),
        }
        let time = time_of(now.wrapping_sub(mark.time));
        // One before it was sent is a very long one.
        if time <= LONGEST {
            self.latency.add(time);
        } else {
            self.others.foreign_clock += 1;
        }
    }

    /// Begins to follow a flow.
    #[cold]
    fn begin(&mut self, mark: &Mark) {
        if self.flows.len() == self.most {
            self.others.untracked += 1;
            return;
        }
        self.flows.insert((mark.stream, mark.flow), Flow::new(mark.sequence, self.window));
    }
}

impl Received {
    /// Returns what all queues together received. A flow that came by several was lost where it came
    /// by none.
    pub(crate) fn of_all<'a>(queues: impl Iterator<Item = &'a Tracker>) -> Self {
        let mut all =
            Self { flows: BTreeMap::new(), others: Others::default(), latency: Histogram::new() };
        for queue in queues {
            for (key, flow) in &queue.flows {
                let tally = flow.tally();
                let sum = all.flows.get(key).map_or(tally, |other| other.plus(&tally));
                all.flows.insert(*key, sum);
            }
            all.others.foreign += queue.others.foreign;
            all.others.untracked += queue.others.untracked;
            all.others.foreign_clock += queue.others.foreign_clock;
            all.latency.merge(&queue.latency);
        }
        all
    }

    /// Returns the sum of a number of each flow.
    pub(crate) fn sum(&self, number: impl Fn(&FlowTally) -> u64) -> u64 {
        self.flows.values().map(number).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::mark::{self, TIME_BITS};

    fn packet(stream: u16, flow: u32, sequence: u32, time: u64) -> Vec<u8> {
        let mut packet = [[2; 12].as_slice(), &[8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]].concat();
        packet.extend([0; 18]);
        let mut bytes = [0; mark::LEN];
        Mark { stream, flow, sequence, time: time_of(time) }.write(&mut bytes);
        packet.extend(bytes);
        packet
    }

    #[test]
    fn times_of_another_clock_are_not_used() {
        let mut tracker = Tracker::new(4, 64);
        let now = (3 << TIME_BITS) + 500;
        for (sequence, time) in
            [now - 500, now - 1500, now + 1, now - LONGEST - 1, 7].iter().zip(0..)
        {
            tracker.note(&packet(1, 1, time, *sequence), now);
        }
        tracker.note(&packet(1, 1, 5, 0)[..50], now);
        let all = Received::of_all([&tracker].into_iter());
        assert_eq!(
            (all.others.foreign_clock, all.others.foreign, all.sum(|f| f.packets)),
            (2, 1, 5)
        );
        assert_eq!(all.latency.spread().map(|spread| (spread[0], spread[5])), Some((493, 1500)));
    }

    #[test]
    fn flows_beyond_the_most_are_counted_and_those_of_two_queues_are_one() {
        let (mut one, mut two) = (Tracker::new(2, 64), Tracker::new(2, 64));
        for sequence in 0..10 {
            let queue = if sequence % 2 == 0 { &mut one } else { &mut two };
            queue.note(&packet(7, 3, sequence, 0), 0);
        }
        for flow in 4..7 {
            one.note(&packet(7, flow, 0, 0), 0);
        }
        let all = Received::of_all([&one, &two].into_iter());
        assert_eq!((all.flows.len(), all.others.untracked), (2, 2));
        let flow = &all.flows[&(7, 3)];
        assert_eq!((flow.packets, flow.lost(), flow.first, flow.last), (10, 0, 0, 9));
    }
}
