//! Reports of counters: a table for people, JSON for programs.

use crate::args::PortArgs;
use crate::output::Lines;
use crate::rates::{grouped, per_second};
use serde_json::json;
use std::io;
use std::time::Duration;
use xsk::{SocketHandle, Statistics, XdpMode};

/// What a loop counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) rx_packets: u64,
    pub(crate) tx_packets: u64,
    pub(crate) rx_bytes: u64,
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

    fn since(&self, before: &Self) -> Self {
        Self {
            rx_packets: self.rx_packets - before.rx_packets,
            tx_packets: self.tx_packets - before.tx_packets,
            rx_bytes: self.rx_bytes - before.rx_bytes,
            tx_bytes: self.tx_bytes - before.tx_bytes,
        }
    }
}

/// The loop's counters and the kernel's, at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Report {
    pub(crate) counts: Counts,
    pub(crate) kernel: Statistics,
}

/// Returns the kernel's counters by the kernel's names; `None` for one that it does not have.
fn named(statistics: &Statistics) -> [(&'static str, Option<u64>); 6] {
    [
        ("rx_dropped", Some(statistics.rx_dropped)),
        ("rx_invalid_descs", Some(statistics.rx_invalid_descs)),
        ("tx_invalid_descs", Some(statistics.tx_invalid_descs)),
        ("rx_ring_full", statistics.rx_ring_full),
        ("rx_fill_ring_empty_descs", statistics.fill_ring_empty),
        ("tx_ring_empty_descs", statistics.tx_ring_empty),
    ]
}

/// Writes the reports of one command on one port.
#[derive(Debug)]
pub(crate) struct Table {
    command: &'static str,
    port: String,
    mode: Option<String>,
    zero_copy: bool,
    json: bool,
    extra: bool,
    output: Lines,
    notes: Lines,
}

impl Table {
    pub(crate) fn new(
        args: &PortArgs,
        command: &'static str,
        mode: Option<XdpMode>,
        handle: &SocketHandle,
    ) -> io::Result<Self> {
        Ok(Self {
            command,
            port: format!("{}:{}", handle.interface(), handle.queue()),
            mode: mode.map(|mode| mode.to_string()),
            zero_copy: handle.is_zero_copy(),
            json: args.json,
            extra: args.extra_stats,
            output: Lines::new(io::stdout())?,
            notes: Lines::new(io::stderr())?,
        })
    }

    /// Writes the first line; in JSON mode it goes to the standard error output.
    pub(crate) fn title(&self, text: &str) -> io::Result<()> {
        if self.json {
            self.note(text);
            Ok(())
        } else {
            self.output.line(text.to_owned())
        }
    }

    /// Writes a line beside the reports. A failed write is ignored.
    pub(crate) fn note(&self, text: &str) {
        let _ = self.notes.line(text.to_owned());
    }

    pub(crate) fn interval(&self, before: &Report, now: &Report, time: Duration) -> io::Result<()> {
        let counts = now.counts.since(&before.counts);
        let pairs = named(&before.kernel).into_iter().zip(named(&now.kernel));
        let kernel = pairs.map(|((_, before), (name, now))| {
            // Before the first report a counter is unknown, and its value was 0.
            let new = now.map(|now| now.saturating_sub(before.unwrap_or(0)));
            (name, new, now)
        });
        self.output.line(if self.json {
            self.object(false, &counts, kernel.map(|(name, value, _)| (name, value)), time)
        } else {
            self.rows(&counts, &now.counts, kernel, time)
        })
    }

    /// Writes the summary, and waits until everything is written, but not long for a reader that
    /// reads nothing.
    pub(crate) fn summary(self, all: &Report, time: Duration) -> io::Result<()> {
        let kernel = named(&all.kernel).into_iter();
        let text = if self.json {
            self.object(true, &all.counts, kernel, time)
        } else {
            let kernel = kernel.map(|(name, value)| (name, value, value));
            let rows = self.rows(&all.counts, &all.counts, kernel, time);
            let Counts { rx_bytes, tx_bytes, .. } = all.counts;
            let (rx_bytes, tx_bytes) = (grouped(rx_bytes), grouped(tx_bytes));
            let bytes = row("bytes (rx, tx)", &rx_bytes, &tx_bytes);
            format!("\nSummary\n{rows}\n{bytes}")
        };
        let written = self.output.last_line(text);
        let missing = self.output.missing();
        if missing > 0 {
            self.note(&format!("{missing} reports are missing: the output was not read in time"));
        }
        written.and(self.finish())
    }

    /// Waits until everything is written, but not long for a reader that reads nothing.
    pub(crate) fn finish(self) -> io::Result<()> {
        let finished = self.output.finish();
        // A note that is not read is not missed.
        let _ = self.notes.finish();
        finished
    }

    /// Returns the rates over `time`, and the totals.
    fn rows(
        &self,
        counts: &Counts,
        all: &Counts,
        kernel: impl Iterator<Item = (&'static str, Option<u64>, Option<u64>)>,
        time: Duration,
    ) -> String {
        let mode = self.mode.as_deref().unwrap_or("no program");
        let mut text = format!("\n{} {} {mode}", self.port, self.command);
        let mut add = |name: &str, one: String, two: String| {
            text.push('\n');
            text.push_str(&row(name, &one, &two));
        };
        let seconds = format!("{:.2} s", time.as_secs_f64());
        add(&seconds, "packets/s".into(), "packets".into());
        for (name, count, all) in
            [("rx", counts.rx_packets, all.rx_packets), ("tx", counts.tx_packets, all.tx_packets)]
        {
            add(name, grouped(per_second(count, time)), grouped(all));
        }
        if self.extra {
            let shown = |value: Option<u64>| value.map_or_else(|| "unknown".into(), grouped);
            for (name, count, all) in kernel {
                let rate = count.map(|count| per_second(count, time));
                add(name, shown(rate), shown(all));
            }
        }
        text
    }

    fn object(
        &self,
        summary: bool,
        counts: &Counts,
        kernel: impl Iterator<Item = (&'static str, Option<u64>)>,
        time: Duration,
    ) -> String {
        let mut object = json!({
            "command": self.command,
            "summary": summary,
            "seconds": time.as_secs_f64(),
            "rx_packets": counts.rx_packets,
            "tx_packets": counts.tx_packets,
            "rx_bytes": counts.rx_bytes,
            "tx_bytes": counts.tx_bytes,
            "rx_pps": per_second(counts.rx_packets, time),
            "tx_pps": per_second(counts.tx_packets, time),
            "mode": self.mode,
            "zero_copy": self.zero_copy,
        });
        if let Some(object) = object.as_object_mut() {
            object.extend(kernel.map(|(name, value)| (name.to_owned(), json!(value))));
        }
        object.to_string()
    }
}

/// Returns a row of the table. The columns hold 10^15.
fn row(name: &str, one: &str, two: &str) -> String {
    format!("{name:<26}{one:>22}{two:>22}")
}

#[cfg(test)]
mod tests {
    use super::{grouped, row};

    #[test]
    fn columns_do_not_run_together() {
        let most = grouped(1_000_000_000_000_000);
        let text = row("rx_fill_ring_empty_descs", &most, &most);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words, ["rx_fill_ring_empty_descs", &most, &most]);
        assert!(text.len() <= 80, "{text}");
    }
}
