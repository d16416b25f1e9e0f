//! What a run counts: its own counters and the kernel's.

use std::collections::VecDeque;
use xsk::Statistics;

/// What a loop counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    /// Packets whose chunks came back: sent, or dropped by the device.
    pub(crate) tx_packets: u64,
    /// Their bytes.
    pub(crate) tx_bytes: u64,
    /// Bytes of packets that the device dropped.
    pub(crate) dropped_bytes: u64,
}

impl Counts {
    #[inline]
    pub(crate) fn received(&mut self, packets: u32, bytes: u64) {
        self.rx_packets += u64::from(packets);
        self.rx_bytes += bytes;
    }

    #[inline]
    pub(crate) fn sent(&mut self, packets: u32, bytes: u64) {
        self.tx_packets += u64::from(packets);
        self.tx_bytes += bytes;
    }
}

/// The lengths of packets whose chunks have not come back, in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct Lengths(VecDeque<u32>);

impl Lengths {
    #[inline]
    pub(crate) fn push(&mut self, len: u32) {
        self.0.push_back(len);
    }

    /// Returns the bytes of the next `packets` packets, whose chunks came back.
    #[inline]
    pub(crate) fn came_back(&mut self, packets: u32) -> u64 {
        let most = self.0.len().min(packets as usize);
        self.0.drain(..most).map(u64::from).sum()
    }

    /// Returns the bytes of the packet that the kernel took last, with `pending` left in the TX ring.
    pub(crate) fn taken_last(&self, pending: u32) -> u64 {
        let place = self.0.len().checked_sub(pending as usize + 1);
        place.and_then(|place| self.0.get(place)).copied().map_or(0, u64::from)
    }
}

/// All counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Report {
    counts: Counts,
    /// Packets that the device dropped on sending.
    pub(crate) tx_dropped: u64,
    pub(crate) kernel: Statistics,
}

/// Packets and bytes of an interval, or of the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    pub(crate) rx_dropped: u64,
    pub(crate) tx_packets: u64,
    pub(crate) tx_bytes: u64,
    pub(crate) tx_dropped: u64,
}

impl Report {
    pub(crate) fn new(counts: Counts, tx_dropped: u64, kernel: Statistics) -> Self {
        Self { counts, tx_dropped, kernel }
    }

    /// Returns what was counted since the start. A packet that the device dropped is not sent.
    pub(crate) fn totals(&self) -> Totals {
        let Counts { rx_packets, rx_bytes, tx_packets, tx_bytes, dropped_bytes } = self.counts;
        // Before 5.9 the kernel counts both together.
        let rx_dropped = self.kernel.rx_dropped + self.kernel.rx_ring_full.unwrap_or(0);
        Totals {
            rx_packets,
            rx_bytes,
            rx_dropped,
            tx_packets: tx_packets.saturating_sub(self.tx_dropped),
            tx_bytes: tx_bytes.saturating_sub(dropped_bytes),
            tx_dropped: self.tx_dropped,
        }
    }
}

impl Totals {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            rx_packets: self.rx_packets - before.rx_packets,
            rx_bytes: self.rx_bytes - before.rx_bytes,
            rx_dropped: self.rx_dropped.saturating_sub(before.rx_dropped),
            // A drop is known before its completion is seen.
            tx_packets: self.tx_packets.saturating_sub(before.tx_packets),
            tx_bytes: self.tx_bytes.saturating_sub(before.tx_bytes),
            tx_dropped: self.tx_dropped - before.tx_dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_device_dropped_was_not_sent() {
        let mut counts = Counts::default();
        counts.sent(1000, 60_000);
        counts.dropped_bytes = 24_000;
        let totals = Report::new(counts, 400, Statistics::default()).totals();
        assert_eq!((totals.tx_packets, totals.tx_bytes, totals.tx_dropped), (600, 36_000, 400));
        // Its completion is still in the ring.
        let counts = Counts { dropped_bytes: 60, ..Counts::default() };
        let totals = Report::new(counts, 1, Statistics::default()).totals();
        assert_eq!((totals.tx_packets, totals.tx_bytes), (0, 0));
    }

    #[test]
    fn lengths_are_those_of_the_packets_that_came_back() {
        let mut lengths = Lengths::default();
        for len in [100, 1000, 200, 300] {
            lengths.push(len);
        }
        // Two are in the ring: the kernel took the second one last.
        assert_eq!((lengths.taken_last(2), lengths.taken_last(0)), (1000, 300));
        assert_eq!(lengths.taken_last(4), 0, "it took none");
        assert_eq!((lengths.came_back(2), lengths.came_back(5)), (1100, 500));
    }
}
