//! What a run counts: its own counters and the kernel's.

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
        let Counts { rx_packets, rx_bytes, tx_packets, tx_bytes } = self.counts;
        let sent = tx_packets.saturating_sub(self.tx_dropped);
        // Packets of a run have much the same length.
        let sent_bytes = match tx_packets {
            0 => 0,
            _ if sent == tx_packets => tx_bytes,
            all => scaled(tx_bytes, sent, all),
        };
        // Before 5.9 the kernel counts both together.
        let rx_dropped = self.kernel.rx_dropped + self.kernel.rx_ring_full.unwrap_or(0);
        Totals {
            rx_packets,
            rx_bytes,
            rx_dropped,
            tx_packets: sent,
            tx_bytes: sent_bytes,
            tx_dropped: self.tx_dropped,
        }
    }
}

/// Returns `part` / `whole` of `bytes`.
fn scaled(bytes: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(bytes) * u128::from(part) / u128::from(whole);
    u64::try_from(scaled).unwrap_or(u64::MAX)
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
        let totals = Report::new(counts, 400, Statistics::default()).totals();
        assert_eq!((totals.tx_packets, totals.tx_bytes, totals.tx_dropped), (600, 36_000, 400));
        // Its completion is still in the ring.
        let totals = Report::new(Counts::default(), 1, Statistics::default()).totals();
        assert_eq!((totals.tx_packets, totals.tx_bytes), (0, 0));
    }
}
