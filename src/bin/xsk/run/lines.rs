//! Reports of an interval in lines: what was received and sent, and what went each way.

use crate::report::output::printable;
use crate::report::rates::{grouped, per_second};
use crate::run::counts::{Counts, Report, Totals};
use serde_json::{Value, json};
use std::time::Duration;
use xsk::Statistics;

/// Returns bytes as a number that fits ten columns, and its unit.
fn size(bytes: u64) -> (String, &'static str) {
    const MOST: u64 = 10_000_000;
    let units = [(1_000, "kB"), (1_000_000, "MB")];
    let (divisor, unit) = units
        .into_iter()
        .find(|(divisor, _)| bytes / divisor < MOST)
        .unwrap_or((1_000_000_000, "GB"));
    (grouped(bytes / divisor), unit)
}

/// Returns a line for RX and one for TX, as the AF_XDP exercise of the xdp-tutorial has them:
/// packets and bytes since the start, and the rates of the interval. A third one has the losses, if
/// there are any.
pub(crate) fn rx_tx(interval: &Totals, total: &Totals, time: Duration) -> String {
    let line = |name: &str, packets: [u64; 2], bytes: [u64; 2]| {
        // Of each the number in the interval, and that since the start.
        let rate = grouped(per_second(packets[0], time));
        let mbits = grouped(per_second(bytes[0].saturating_mul(8), time) / 1_000_000);
        let (packets, (size, unit)) = (grouped(packets[1]), size(bytes[1]));
        format!(
            "{name:<11}{packets:>14} pkts ({rate:>11} pps) {size:>11} {unit} ({mbits:>7} Mbit/s)"
        )
    };
    let mut text = line(
        "AF_XDP RX:",
        [interval.rx_packets, total.rx_packets],
        [interval.rx_bytes, total.rx_bytes],
    );
    text.push('\n');
    text.push_str(&line(
        "       TX:",
        [interval.tx_packets, total.tx_packets],
        [interval.tx_bytes, total.tx_bytes],
    ));
    if total.rx_dropped > 0 || total.tx_dropped > 0 {
        let [rx, tx] = [total.rx_dropped, total.tx_dropped].map(grouped);
        text.push_str(&format!("\n     lost: {rx} received, {tx} to be sent"));
    }
    text
}

/// What a command adds to its summary.
#[derive(Debug)]
pub(crate) struct More {
    /// Its name in JSON.
    pub(crate) key: &'static str,
    pub(crate) json: Value,
    /// Lines for people.
    pub(crate) lines: Vec<String>,
}

/// What came on one interface and was sent on the other, up to a moment.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    from: String,
    to: String,
    totals: Totals,
}

impl Way {
    /// Returns both ways between two interfaces, by what came on each; each dropped so many packets
    /// in place of sending them.
    pub(crate) fn both([a, b]: [&str; 2], counts: [Counts; 2], dropped: [u64; 2]) -> Vec<Self> {
        let ways = [(a, b, dropped[1]), (b, a, dropped[0])].into_iter().zip(counts);
        ways.map(|((from, to, dropped), counts)| Self {
            from: from.to_owned(),
            to: to.to_owned(),
            totals: Report::new(counts, dropped, Statistics::default()).totals(),
        })
        .collect()
    }

    /// Returns what went since another moment.
    fn since(&self, before: Option<&Self>) -> Totals {
        before.map_or(self.totals, |before| self.totals.since(&before.totals))
    }

    /// Returns name, rate, and packets since the start.
    pub(crate) fn row(&self, before: Option<&Self>, time: Duration) -> [String; 3] {
        let packets = self.since(before).tx_packets;
        [
            format!("{} -> {}", printable(&self.from), printable(&self.to)),
            grouped(per_second(packets, time)),
            grouped(self.totals.tx_packets),
        ]
    }

    /// Returns what went in the interval.
    pub(crate) fn json(&self, before: Option<&Self>) -> Value {
        let Totals { tx_packets, tx_bytes, .. } = self.since(before);
        json!({ "from": self.from, "to": self.to, "packets": tx_packets, "bytes": tx_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(packets: u64, bytes: u64, dropped: u64) -> Totals {
        Totals {
            rx_packets: packets,
            rx_bytes: bytes,
            rx_dropped: dropped,
            tx_packets: packets / 2,
            tx_bytes: bytes / 2,
            tx_dropped: 0,
        }
    }

    #[test]
    fn there_is_a_line_for_rx_and_one_for_tx_and_both_fit_80_columns() {
        let text =
            rx_tx(&totals(200, 20_000, 0), &totals(1_000, 2_500_000, 0), Duration::from_secs(2));
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        let rx = [
            "AF_XDP", "RX:", "1,000", "pkts", "(", "100", "pps)", "2,500", "kB", "(", "0",
            "Mbit/s)",
        ];
        assert_eq!(lines[0], rx);
        assert_eq!(lines[1][..6], ["TX:", "500", "pkts", "(", "50", "pps)"]);
        assert_eq!(lines.len(), 2);
        let most = totals(99_999_999_999, 9_999_999_999_999, 5);
        let text = rx_tx(&totals(120_000_000, 12_500_000_000, 0), &most, Duration::from_secs(1));
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert_eq!(size(9_999_999_999), ("9,999,999".to_owned(), "kB"));
        assert_eq!(size(10_000_000_000), ("10,000".to_owned(), "MB"));
        assert!(text.ends_with("lost: 5 received, 0 to be sent"), "{text}");
    }

    #[test]
    fn a_way_has_what_went_since_the_last_moment() {
        let at = |packets: u32, dropped| {
            let mut counts = [Counts::default(); 2];
            counts[0].sent(packets, u64::from(packets) * 60);
            Way::both(["eth1", "eth2"], counts, [0, dropped])
        };
        let (before, now) = (at(10, 0), at(40, 5));
        let time = Duration::from_secs(5);
        assert_eq!(now[0].row(before.first(), time), ["eth1 -> eth2", "5", "35"]);
        assert_eq!(now[0].row(None, time), ["eth1 -> eth2", "7", "35"]);
        assert_eq!(now[0].json(before.first())["packets"], 25);
        assert_eq!(now[1].json(before.get(1))["from"], "eth2");
    }
}
