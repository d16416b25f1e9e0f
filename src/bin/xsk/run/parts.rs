//! What each of several sockets on a queue, each of several queues, or each direction between two
//! interfaces, has done.

use crate::report::output::printable;
use crate::report::rates::grouped;
use crate::run::counts::{Counts, Report, Totals};
use serde_json::{Value, json};
use xsk::{SocketHandle, Statistics};

/// A part of what a run counts.
#[derive(Debug)]
pub(crate) enum Part {
    /// What one of the sockets received and sent.
    Socket(Totals),
    /// What was received and sent on one of the queues.
    Queue {
        /// Its number.
        queue: u32,
        /// Whether its socket is in zero-copy mode.
        zero_copy: bool,
        /// Packets and bytes.
        totals: Totals,
    },
    /// What came on one interface and was sent on the other.
    Direction {
        /// The name of the interface that received.
        from: String,
        /// The name of the one that sent.
        to: String,
        /// Packets and bytes.
        totals: Totals,
    },
}

impl Part {
    /// Returns the parts of sockets, each of whose devices dropped so many packets; none of one
    /// socket alone.
    pub(crate) fn sockets(counts: &[Counts], dropped: impl Iterator<Item = u64>) -> Vec<Self> {
        let parts = counts.iter().zip(dropped);
        parts.map(|(counts, dropped)| Self::Socket(totals(counts, dropped))).collect()
    }

    /// Returns the parts of queues, each with one socket.
    pub(crate) fn queues(counts: &[Counts], handles: &[SocketHandle]) -> Vec<Self> {
        let part = |(counts, handle): (&Counts, &SocketHandle)| Self::Queue {
            queue: handle.queue(),
            zero_copy: handle.is_zero_copy(),
            // The sum of all was read just now.
            totals: Report::new(
                *counts,
                handle.tx_dropped(),
                handle.statistics().unwrap_or_default(),
            )
            .totals(),
        };
        counts.iter().zip(handles).map(part).collect()
    }

    /// Returns the parts of two interfaces, by what came on each; each dropped so many packets in
    /// place of sending them.
    pub(crate) fn directions([a, b]: [&str; 2], counts: &[Counts], dropped: [u64; 2]) -> Vec<Self> {
        let ways = [(a, b, dropped[1]), (b, a, dropped[0])].into_iter().zip(counts);
        ways.map(|((from, to, dropped), counts)| Self::Direction {
            from: from.to_owned(),
            to: to.to_owned(),
            totals: totals(counts, dropped),
        })
        .collect()
    }

    /// Returns the name that a list of such parts has in JSON.
    pub(crate) fn list(&self) -> &'static str {
        match self {
            Self::Socket(_) => "sockets",
            Self::Queue { .. } => "queues",
            Self::Direction { .. } => "directions",
        }
    }

    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Socket(totals) => json!({
                "rx_packets": totals.rx_packets,
                "tx_packets": totals.tx_packets,
            }),
            Self::Queue { queue, zero_copy, totals } => json!({
                "queue": queue,
                "zero_copy": zero_copy,
                "rx_packets": totals.rx_packets,
                "rx_bytes": totals.rx_bytes,
                "rx_lost": totals.rx_dropped,
                "tx_packets": totals.tx_packets,
                "tx_bytes": totals.tx_bytes,
                "tx_lost": totals.tx_dropped,
            }),
            Self::Direction { from, to, totals } => json!({
                "from": from,
                "to": to,
                "packets": totals.tx_packets,
                "bytes": totals.tx_bytes,
            }),
        }
    }

    /// Returns a line for people; `number` is that of the part.
    pub(crate) fn line(&self, number: usize) -> String {
        match self {
            Self::Socket(totals) => {
                let (rx, tx) = (grouped(totals.rx_packets), grouped(totals.tx_packets));
                format!("socket {number}: {rx} received, {tx} sent")
            }
            Self::Queue { queue, totals, .. } => {
                let Totals { rx_packets, rx_dropped, tx_packets, tx_dropped, .. } = *totals;
                let [rx, rx_lost, tx, tx_lost] =
                    [rx_packets, rx_dropped, tx_packets, tx_dropped].map(grouped);
                format!("queue {queue}: {rx} received, {rx_lost} lost; {tx} sent, {tx_lost} lost")
            }
            Self::Direction { from, to, totals } => format!(
                "{} -> {}: {} packets, {} bytes",
                printable(from),
                printable(to),
                grouped(totals.tx_packets),
                grouped(totals.tx_bytes)
            ),
        }
    }
}

/// Returns what was received and sent; a packet that the device dropped is not sent.
fn totals(counts: &Counts, dropped: u64) -> Totals {
    Report::new(*counts, dropped, Statistics::default()).totals()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_has_what_came_on_one_interface_and_the_other_did_not_drop() {
        let mut counts = [Counts::default(); 2];
        counts[0].sent(10, 1000);
        counts[0].dropped_bytes = 300;
        counts[1].sent(2000, 120_000);
        let parts = Part::directions(["eth1", "eth2"], &counts, [0, 3]);
        let lines: Vec<String> = parts.iter().zip(0..).map(|(part, i)| part.line(i)).collect();
        assert_eq!(
            lines,
            ["eth1 -> eth2: 7 packets, 700 bytes", "eth2 -> eth1: 2,000 packets, 120,000 bytes"]
        );
        assert_eq!(parts[0].list(), "directions");
    }
}
