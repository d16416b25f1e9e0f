//! What is known of the packets of one flow, by their numbers.

/// A flow.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    /// For each of the last numbers whether its packet came, at its rest by the number of bits.
    window: Vec<u64>,
    tally: FlowTally,
}

/// What came of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowTally {
    /// The least and the greatest number that came. Numbers do not wrap here.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Packets, each number once.
    pub(crate) packets: u64,
    /// Those of them that came after one with a greater number.
    pub(crate) reordered: u64,
    /// Packets whose number had come before.
    pub(crate) duplicates: u64,
    /// Packets that are too old to know whether their number had come before.
    pub(crate) late: u64,
}

impl FlowTally {
    /// Returns how many numbers did not come.
    pub(crate) fn lost(&self) -> u64 {
        (self.last - self.first + 1).saturating_sub(self.packets)
    }

    /// Returns what came of a flow by two queues.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            packets: self.packets + other.packets,
            reordered: self.reordered + other.reordered,
            duplicates: self.duplicates + other.duplicates,
            late: self.late + other.late,
        }
    }
}

/// Numbers are counted from here, so that those before the first one that came have a place.
const BEGIN: u64 = 1 << 32;

impl Flow {
    /// Begins with the first packet that came; remembers so many numbers, a power of two from 64 on.
    pub(crate) fn new(sequence: u32, window: u32) -> Self {
        let first = BEGIN + u64::from(sequence);
        let tally =
            FlowTally { first, last: first, packets: 1, reordered: 0, duplicates: 0, late: 0 };
        let mut flow = Self { window: vec![0; (window / 64) as usize], tally };
        flow.mark(first);
        flow
    }

    /// Returns what came, with numbers as the sender counts them.
    pub(crate) fn tally(&self) -> FlowTally {
        let FlowTally { first, last, .. } = self.tally;
        // One that came after a wrap, and was sent before it, is below the first round.
        let round = first & !(BEGIN - 1);
        let round = round.min(BEGIN);
        FlowTally { first: first - round, last: last - round, ..self.tally }
    }

    /// Returns place and bit of a number.
    #[inline]
    fn place(&self, number: u64) -> (usize, u64) {
        let word = (number / 64) as usize & (self.window.len() - 1);
        (word, 1 << (number % 64))
    }

    /// Notes that a number came; returns whether it had come before.
    #[inline]
    fn mark(&mut self, number: u64) -> bool {
        let (word, bit) = self.place(number);
        let before = self.window[word] & bit != 0;
        self.window[word] |= bit;
        before
    }

    /// Notes a packet.
    #[inline]
    pub(crate) fn note(&mut self, sequence: u32) {
        let last = self.tally.last;
        // The nearest number with these low bits.
        let ahead = sequence.wrapping_sub(last as u32) as i32;
        let number = last.wrapping_add_signed(ahead.into());
        if ahead == 1 {
            let (word, bit) = self.place(number);
            // Its place was that of an old number.
            self.window[word] &= !bit;
        } else if ahead > 1 {
            self.forget_to(number);
        }
        if ahead > 0 {
            self.mark(number);
            self.tally.last = number;
            self.tally.packets += 1;
        } else if last - number >= self.window.len() as u64 * 64 {
            self.tally.late += 1;
        } else if self.mark(number) {
            self.tally.duplicates += 1;
        } else {
            self.tally.packets += 1;
            self.tally.reordered += 1;
            self.tally.first = self.tally.first.min(number);
        }
    }

    /// Forgets the numbers whose places those up to `number` take.
    #[cold]
    fn forget_to(&mut self, number: u64) {
        let last = self.tally.last;
        if number - last >= self.window.len() as u64 * 64 {
            self.window.fill(0);
            return;
        }
        let ((from, first), (to, end)) = (self.place(last + 1), self.place(number));
        // The bits from the first one on, and up to the last one; both, if they are of one word.
        let (lower, upper) = (!0 << first.trailing_zeros(), !0 >> end.leading_zeros());
        if (last + 1) / 64 == number / 64 {
            self.window[from] &= !(lower & upper);
            return;
        }
        self.window[from] &= !lower;
        self.window[to] &= !upper;
        // The words between them, round the end.
        let next = (from + 1) & (self.window.len() - 1);
        if next <= to {
            self.window[next..to].fill(0);
        } else {
            self.window[next..].fill(0);
            self.window[..to].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn of(sequences: &[u32]) -> FlowTally {
        let mut flow = Flow::new(sequences[0], 64);
        sequences[1..].iter().for_each(|sequence| flow.note(*sequence));
        flow.tally()
    }

    fn row(sequences: &[u32]) -> [u64; 5] {
        let tally = of(sequences);
        [tally.packets, tally.lost(), tally.reordered, tally.duplicates, tally.late]
    }

    #[test]
    fn loss_reorder_and_duplicates_are_told_apart() {
        assert_eq!(row(&[0, 1, 2, 3]), [4, 0, 0, 0, 0]);
        assert_eq!(row(&[0, 1, 4, 5]), [4, 2, 0, 0, 0]);
        assert_eq!(row(&[0, 2, 1, 3]), [4, 0, 1, 0, 0]);
        // RFC 4737, figure 2: 4 and 5 came after 6 or so.
        assert_eq!(row(&[1, 2, 3, 6, 4, 5, 7]), [7, 0, 2, 0, 0]);
        assert_eq!(row(&[0, 1, 1, 2, 0]), [3, 0, 0, 2, 0]);
        assert_eq!(row(&[0, 3, 1, 1]), [3, 1, 1, 1, 0]);
        // Before the first one that came.
        assert_eq!(row(&[5, 6, 3]), [3, 1, 1, 0, 0]);
        assert_eq!(of(&[1, 0]).first, 0);
        // 64 are remembered.
        assert_eq!(row(&[0, 64, 0, 1]), [3, 62, 1, 0, 1]);
        assert_eq!(row(&[0, 64, 1, 65, 1]), [4, 62, 1, 0, 1]);
        assert_eq!(row(&[0, 1000, 937, 937, 936]), [3, 998, 1, 1, 1]);
    }

    #[test]
    fn numbers_wrap() {
        assert_eq!(row(&[u32::MAX - 1, u32::MAX, 0, 2, 1, 1]), [5, 0, 1, 1, 0]);
        assert_eq!(row(&[1, u32::MAX, 0]), [3, 0, 2, 0, 0]);
        let tally = of(&[u32::MAX, 0]);
        assert_eq!((tally.first, tally.last), (u32::MAX.into(), 1 << 32));
    }

    #[test]
    fn a_packet_after_a_long_gap_is_noted_at_once() {
        let mut flow = Flow::new(0, 1 << 16);
        let start = std::time::Instant::now();
        for at in 1..=20_000_u32 {
            flow.note(at.wrapping_mul(65_000));
        }
        assert_eq!(flow.tally().packets, 20_001);
        // Number by number it takes half a minute.
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }

    #[test]
    fn the_counts_are_those_of_a_set_of_all_numbers() {
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for round in 0..200 {
            let mut flow = Flow::new(100, 128);
            let (mut seen, mut last) = (HashSet::from([100_u64]), 100_u64);
            let (mut reordered, mut duplicates, mut late) = (0, 0, 0);
            for _ in 0..500 {
                let reach = if round % 2 == 0 { 40 } else { 300 };
                let number = (last + 4).saturating_sub(random(reach)) + random(3) * random(80);
                flow.note(number as u32);
                if number > last {
                    last = number;
                    seen.insert(number);
                } else if last - number >= 128 {
                    late += 1;
                } else if seen.insert(number) {
                    reordered += 1;
                } else {
                    duplicates += 1;
                }
            }
            let tally = flow.tally();
            assert_eq!(tally.packets, seen.len() as u64);
            assert_eq!(tally.last, last);
            let found = (tally.reordered, tally.duplicates, tally.late);
            assert_eq!(found, (reordered, duplicates, late), "{round}");
            let least = *seen.iter().min().unwrap();
            assert_eq!(tally.lost(), last - least + 1 - seen.len() as u64);
        }
    }
}
