//! The flows of a queue, which take turns, and the sizes of packets.

/// The sizes of IMIX, in an order that mixes them: 7 small ones, 4 medium ones and a large one.
const IMIX: [u8; 12] = [0, 1, 0, 0, 1, 0, 2, 0, 1, 0, 0, 1];
/// The medium and the large one.
const MEDIUM: u32 = 590;
pub(crate) const LARGE: u32 = 1514;

/// Consecutive values of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values {
    pub(crate) first: u128,
    /// How many, at least one.
    pub(crate) count: u32,
}

/// One of the fields that make flows, and the value that it has.
#[derive(Debug, Clone, Copy)]
struct Axis {
    values: Values,
    at: u32,
}

impl Axis {
    #[inline]
    fn value(&self) -> u128 {
        self.values.first + u128::from(self.at)
    }
}

/// A part of all flows, which take turns.
#[derive(Debug, Clone)]
pub(crate) struct Flows {
    /// Source port, destination port, source address and destination address: the first of them
    /// changes first.
    axes: [Axis; 4],
    begin: u32,
    end: u32,
    /// The flow whose turn it is.
    flow: u32,
    /// How many packets each flow has had.
    sequence: u32,
}

impl Flows {
    /// Returns those from `begin` to before `end` of the combinations of all values, of which there
    /// are fewer than 2^32.
    pub(crate) fn new(values: [Values; 4], begin: u32, end: u32) -> Self {
        let axes = values.map(|values| Axis { values, at: 0 });
        let mut flows = Self { axes, begin, end, flow: begin, sequence: 0 };
        flows.begin_again();
        flows
    }

    fn begin_again(&mut self) {
        self.flow = self.begin;
        let mut rest = self.begin;
        for axis in &mut self.axes {
            axis.at = rest % axis.values.count;
            rest /= axis.values.count;
        }
    }

    /// Goes on to the next flow; returns whether a new turn of all begins.
    #[inline]
    pub(crate) fn advance(&mut self) -> bool {
        self.flow += 1;
        if self.flow == self.end {
            self.begin_again();
            self.sequence = self.sequence.wrapping_add(1);
            return true;
        }
        for axis in &mut self.axes {
            axis.at += 1;
            if axis.at < axis.values.count {
                break;
            }
            axis.at = 0;
        }
        false
    }

    /// Returns the number of the flow.
    #[inline]
    pub(crate) fn flow(&self) -> u32 {
        self.flow
    }

    /// Returns the number of the packet in its flow.
    #[inline]
    pub(crate) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Returns source port, destination port, source address and destination address.
    #[inline]
    pub(crate) fn values(&self) -> [u128; 4] {
        self.axes.each_ref().map(Axis::value)
    }
}

/// The sizes of packets, which take turns.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    kind: Kind,
    at: u32,
    /// The place at which turns of the flows began first, and then again after all sizes.
    start: u32,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Range { first: u32, count: u32 },
    Imix { small: u32 },
}

impl Sizes {
    /// Returns all from `first` to `last`.
    pub(crate) fn range(first: u32, last: u32) -> Self {
        Self { kind: Kind::Range { first, count: last - first + 1 }, at: 0, start: 0 }
    }

    /// Returns those of IMIX, with small ones of this size.
    pub(crate) fn imix(small: u32) -> Self {
        Self { kind: Kind::Imix { small }, at: 0, start: 0 }
    }

    /// Returns the size of the packet whose turn it is.
    #[inline]
    pub(crate) fn size(&self) -> u32 {
        match self.kind {
            Kind::Range { first, .. } => first + self.at,
            Kind::Imix { small } => [small, MEDIUM, LARGE][usize::from(IMIX[self.at as usize])],
        }
    }

    /// Returns the least and the greatest one.
    pub(crate) fn ends(&self) -> (u32, u32) {
        match self.kind {
            Kind::Range { first, count } => (first, first + (count - 1)),
            Kind::Imix { small } => (small, LARGE.max(small)),
        }
    }

    /// Goes on to the next one. Where a new turn of the flows would begin as an earlier one did,
    /// one is left out: else a flow could have the same size at each of its turns.
    #[inline]
    pub(crate) fn advance(&mut self, new_turn: bool) {
        let count = match self.kind {
            Kind::Range { count: 1, .. } => return,
            Kind::Range { count, .. } => count,
            Kind::Imix { .. } => IMIX.len() as u32,
        };
        let after = |at: u32| if at + 1 == count { 0 } else { at + 1 };
        self.at = after(self.at);
        if new_turn && self.at == self.start {
            self.at = after(self.at);
            self.start = self.at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn values(counts: [u32; 4]) -> [Values; 4] {
        let mut first = 0;
        counts.map(|count| {
            first += 1000;
            Values { first, count }
        })
    }

    #[test]
    fn each_combination_comes_once_in_a_turn_however_they_are_divided() {
        for counts in [[1, 1, 1, 1], [3, 1, 2, 5], [1, 7, 1, 4]] {
            let all: u32 = counts.iter().product();
            for queues in 1..=all.min(4) {
                let mut seen = HashMap::new();
                for queue in 0..queues {
                    let part = |queue: u32| all * queue / queues;
                    let mut flows = Flows::new(values(counts), part(queue), part(queue + 1));
                    for turn in 0..3 {
                        for number in part(queue)..part(queue + 1) {
                            assert_eq!((flows.flow(), flows.sequence()), (number, turn));
                            let times = seen.entry(flows.values()).or_insert((number, 0));
                            assert_eq!(times.0, number);
                            times.1 += 1;
                            assert_eq!(flows.advance(), number + 1 == part(queue + 1));
                        }
                    }
                }
                assert_eq!(seen.len() as u32, all);
                assert!(seen.values().all(|(_, times)| *times == 3), "{seen:?}");
            }
        }
    }

    #[test]
    fn each_size_comes_as_often_as_it_should_in_each_flow() {
        for sizes in [Sizes::imix(60), Sizes::range(60, 71)] {
            for flows in [1, 2, 5, 12, 24] {
                let mut sizes = sizes.clone();
                let mut seen: HashMap<(u32, u32), u32> = HashMap::new();
                for _ in 0..144 {
                    for flow in 0..flows {
                        *seen.entry((flow, sizes.size())).or_default() += 1;
                        sizes.advance(flow + 1 == flows);
                    }
                }
                for ((flow, size), count) in seen {
                    let share = match (&sizes.kind, size) {
                        (Kind::Range { .. }, _) | (_, 1514) => 1,
                        (_, 590) => 4,
                        _ => 7,
                    };
                    assert_eq!(count, 12 * share, "flow {flow} of {flows}, {size} bytes");
                }
            }
        }
    }

    #[test]
    fn the_shares_of_imix_hold_for_each_dozen() {
        for flows in [1, 2, 12] {
            let mut imix = Sizes::imix(60);
            for _ in 0..100 {
                let mut seen: HashMap<u32, u32> = HashMap::new();
                for packet in 1..=12 {
                    *seen.entry(imix.size()).or_default() += 1;
                    imix.advance(packet % flows == 0);
                }
                assert_eq!((seen[&60], seen[&590], seen[&1514]), (7, 4, 1));
            }
        }
    }
}
