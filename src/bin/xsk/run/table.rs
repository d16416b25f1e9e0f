//! Reports of counters and events: a table for people, JSON for programs.

use crate::command_line::PortArgs;
use crate::failure::{NotWritten, Result};
use crate::report::output::{Lines, printable};
use crate::report::rates::{grouped, per_second};
use crate::report::words::{Event, Why};
use crate::run::counts::{Report, Totals};
use crate::run::filtering::FilterSummary;
use crate::run::lines::{self, More, Way};
use crate::run::parts::Part;
use crate::run::tx_times::TxTimes;
use serde_json::{Map, Value, json};
use std::io;
use std::time::{Duration, SystemTime};
use xsk::multi_queue::QueueSet;
use xsk::socket::BusyPollEffect;
use xsk::{Attachment, Interface, SocketHandle, Statistics};

/// The command whose reports have a line for RX and one for TX in place of a table.
const RX_TX: &str = "respond";

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

/// Returns how much the kernel's counters grew.
fn grown(before: &Statistics, now: &Statistics) -> [(&'static str, Option<u64>); 6] {
    let mut grown = named(now);
    for ((_, value), (_, before)) in grown.iter_mut().zip(named(before)) {
        // Before the first report a counter is unknown, and its value was 0.
        *value = value.map(|value| value.saturating_sub(before.unwrap_or(0)));
    }
    grown
}

/// How a run ended, for its summary.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Why it ended.
    pub(crate) ended: Why,
    /// How long it took.
    pub(crate) time: Duration,
    /// Packets that were neither sent nor dropped when it ended.
    pub(crate) pending: u64,
    /// The text of the error that ended it.
    pub(crate) error: Option<String>,
    /// What each of several sockets or queues, or each direction, did.
    pub(crate) parts: Vec<Part>,
    /// When packets were sent, if that was collected.
    pub(crate) tx_times: Option<TxTimes>,
    /// What busy polling does on each socket, if it was asked for.
    pub(crate) busy_poll: Vec<BusyPollEffect>,
    /// What the filter on each interface did, if there is one.
    pub(crate) filters: Vec<FilterSummary>,
    /// What else the command has to say.
    pub(crate) more: Vec<More>,
}

/// An interface, the queues and mode of the sockets on it, and the program there.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    interface: String,
    queues: QueueSet,
    /// Mode and method of the program, and its id.
    program: Option<(String, String, u32)>,
    /// `None` if it differs.
    zero_copy: Option<bool>,
}

impl Label {
    /// Takes the sockets, of which there is one at least.
    pub(crate) fn new(handles: &[SocketHandle], program: Option<&Attachment>) -> Self {
        Self {
            interface: handles[0].interface().to_owned(),
            queues: handles.iter().map(SocketHandle::queue).collect(),
            program: program.map(described),
            zero_copy: Some(handles[0].is_zero_copy())
                .filter(|mode| handles.iter().all(|handle| handle.is_zero_copy() == *mode)),
        }
    }

    /// Returns that of an interface where no socket is.
    pub(crate) fn without_sockets(
        interface: &Interface,
        queues: &QueueSet,
        program: &Attachment,
    ) -> Self {
        Self {
            interface: interface.name().to_owned(),
            queues: queues.clone(),
            program: Some(described(program)),
            zero_copy: None,
        }
    }

    /// Returns the queues.
    pub(crate) fn queues(&self) -> &QueueSet {
        &self.queues
    }

    /// Takes another name of the interface.
    pub(crate) fn rename(&mut self, interface: &str) {
        interface.clone_into(&mut self.interface);
    }

    /// Returns interface and queue.
    fn place(&self) -> String {
        format!("{}:{}", printable(&self.interface), self.queues)
    }

    fn mode(&self) -> &str {
        self.program.as_ref().map_or("no program", |(mode, ..)| mode)
    }
}

/// Returns mode and method of a program, and its id.
fn described(program: &Attachment) -> (String, String, u32) {
    (program.mode().to_string(), program.method().to_string(), program.program_id())
}

/// Writes the reports of one command on one interface, or between two.
#[derive(Debug)]
pub(crate) struct Table {
    command: &'static str,
    labels: Vec<Label>,
    /// Whether one queue was asked for, by its number.
    one_queue: bool,
    json: bool,
    extra: bool,
    output: Lines,
    notes: Lines,
}

impl Table {
    /// Takes the labels of the interfaces, of which there is one at least.
    pub(crate) fn new(args: &PortArgs, command: &'static str, labels: Vec<Label>) -> Result<Self> {
        Ok(Self {
            command,
            labels,
            one_queue: args.queue.single().is_some(),
            json: args.json,
            extra: args.extra_stats,
            output: match args.stdout_is_taken {
                true => Lines::new(io::stderr())?,
                false => Lines::new(io::stdout())?,
            },
            notes: Lines::new(io::stderr())?,
        })
    }

    /// Takes what describes the interface of this number.
    pub(crate) fn relabel(&mut self, number: usize, label: &Label) {
        if self.labels[number].interface != label.interface {
            self.labels[number].clone_from(label);
        }
    }

    /// Writes one of the first lines; in JSON mode it goes to the standard error output.
    pub(crate) fn title(&self, text: &str) -> Result<(), NotWritten> {
        if self.json {
            self.note(text);
            Ok(())
        } else {
            self.output.line(printable(text))
        }
    }

    /// Writes an event on an interface beside the reports: for people to the standard error output,
    /// in JSON mode to the standard output as well. A failed write is ignored.
    pub(crate) fn event(&self, label: &Label, event: Event, text: &str) {
        self.note(text);
        if self.json {
            let mut object = self.object(label);
            object.insert("event".to_owned(), json!(event.word()));
            object.insert("message".to_owned(), json!(text));
            let _ = self.output.line(Value::Object(object).to_string());
        }
    }

    /// Writes a line to the standard error output. A failed write is ignored.
    pub(crate) fn note(&self, text: &str) {
        let _ = self.notes.line(printable(text));
    }

    /// Writes what was counted between two moments, and what went each way between two interfaces.
    pub(crate) fn interval(
        &self,
        (before, ways_before): (&Report, &[Way]),
        (now, ways): (&Report, &[Way]),
        time: Duration,
    ) -> Result<(), NotWritten> {
        let total = now.totals();
        let interval = total.since(&before.totals());
        let kernel = grown(&before.kernel, &now.kernel);
        self.output.line(if self.json {
            let mut object = self.counters(false, &interval, &kernel, time);
            object.insert("interval".to_owned(), totals(&interval));
            object.insert("total".to_owned(), totals(&total));
            if !ways.is_empty() {
                let list = ways.iter().enumerate();
                let list = list.map(|(number, way)| way.json(ways_before.get(number))).collect();
                object.insert("directions".to_owned(), Value::Array(list));
            }
            Value::Object(object).to_string()
        } else {
            let mut text = self.rows(&interval, &total, &kernel, &now.kernel, time);
            for (number, way) in ways.iter().enumerate() {
                let [name, rate, all] = way.row(ways_before.get(number), time);
                text.push('\n');
                text.push_str(&row(&name, &rate, &all));
            }
            text
        })
    }

    /// Writes the last, shorter interval, for programs that add intervals up.
    pub(crate) fn last_interval(
        &self,
        before: (&Report, &[Way]),
        now: (&Report, &[Way]),
        time: Duration,
    ) -> Result<(), NotWritten> {
        if self.json { self.interval(before, now, time) } else { Ok(()) }
    }

    /// Writes the summary, and waits until everything is written, but not long for a reader that
    /// reads nothing.
    pub(crate) fn summary(self, all: &Report, summary: Summary) -> Result<(), NotWritten> {
        let Summary { ended, time, pending, error, parts, tx_times, busy_poll, filters, more } =
            summary;
        let total = all.totals();
        let kernel = named(&all.kernel);
        let text = if self.json {
            let mut object = self.counters(true, &total, &kernel, time);
            object.insert("total".to_owned(), totals(&total));
            object.insert("tx_pending".to_owned(), json!(pending));
            object.insert("ended".to_owned(), json!(ended.word()));
            object.insert("error".to_owned(), json!(error));
            if let Some(part) = parts.first() {
                let list = parts.iter().map(Part::json).collect();
                object.insert(part.list().to_owned(), Value::Array(list));
            }
            if let Some(times) = &tx_times {
                object.insert("tx_timestamps".to_owned(), times.json());
            }
            if !busy_poll.is_empty() {
                let polls =
                    |effect: &BusyPollEffect| matches!(effect, BusyPollEffect::Polls { .. });
                object.insert("busy_poll_effect".to_owned(), json!(busy_poll.iter().all(polls)));
            }
            if !filters.is_empty() {
                let list = filters.iter().map(FilterSummary::json).collect();
                object.insert("filters".to_owned(), Value::Array(list));
            }
            for More { key, json, .. } in more {
                object.insert(key.to_owned(), json);
            }
            Value::Object(object).to_string()
        } else {
            let rows = self.rows(&total, &total, &kernel, &all.kernel, time);
            let (rx_bytes, tx_bytes) = (grouped(total.rx_bytes), grouped(total.tx_bytes));
            let bytes = row("bytes (rx, tx)", &rx_bytes, &tx_bytes);
            let pending = match pending {
                0 => String::new(),
                _ => format!("\n{}", row("tx, neither sent nor dropped", "", &grouped(pending))),
            };
            let line = |(number, part): (usize, &Part)| format!("\n{}", part.line(number));
            let parts: String = parts.iter().enumerate().map(line).collect();
            let times = tx_times.map_or_else(String::new, |times| format!("\n{}", times.line()));
            let effects: String = busy_poll.iter().map(|effect| format!("\n{effect}")).collect();
            let line = |filter: &FilterSummary| format!("\n{}", filter.line());
            let filters: String = filters.iter().map(line).collect();
            let line = |line: String| format!("\n{}", printable(&line));
            let more: String = more.into_iter().flat_map(|more| more.lines).map(line).collect();
            format!("\nSummary\n{rows}\n{bytes}{pending}{parts}{filters}{more}{times}{effects}")
        };
        let written = self.output.last_line(text);
        let missing = self.output.missing();
        if missing > 0 {
            self.note(&format!("{missing} reports are missing: the output was not read in time"));
        }
        written.and(self.finish())
    }

    /// Waits until everything is written, but not long for a reader that reads nothing.
    pub(crate) fn finish(self) -> Result<(), NotWritten> {
        let finished = self.output.finish();
        // A note that is not read is not missed.
        let _ = self.notes.finish();
        finished
    }

    /// Returns the rates over `time`, and the totals.
    fn rows(
        &self,
        interval: &Totals,
        total: &Totals,
        grown: &[(&'static str, Option<u64>)],
        kernel: &Statistics,
        time: Duration,
    ) -> String {
        let places: Vec<String> = self.labels.iter().map(Label::place).collect();
        let mut modes: Vec<&str> = self.labels.iter().map(Label::mode).collect();
        modes.dedup();
        let (places, modes) = (places.join(" <-> "), modes.join(", "));
        let mut text = format!("\n{places} {} {modes}", self.command);
        let rx_tx = self.command == RX_TX;
        if rx_tx {
            text.push_str(&format!(", {:.2} s\n", time.as_secs_f64()));
            text.push_str(&lines::rx_tx(interval, total, time));
        }
        let mut add = |name: &str, one: String, two: String| {
            text.push('\n');
            text.push_str(&row(name, &one, &two));
        };
        if !rx_tx || self.extra {
            let seconds = format!("{:.2} s", time.as_secs_f64());
            add(&seconds, "packets/s".into(), "packets".into());
        }
        let counters = [
            ("rx", interval.rx_packets, total.rx_packets),
            ("rx lost", interval.rx_dropped, total.rx_dropped),
            ("tx", interval.tx_packets, total.tx_packets),
            ("tx lost", interval.tx_dropped, total.tx_dropped),
        ];
        for (name, count, all) in counters.into_iter().filter(|_| !rx_tx) {
            add(name, grouped(per_second(count, time)), grouped(all));
        }
        if self.extra {
            let shown = |value: Option<u64>| value.map_or_else(|| "unknown".into(), grouped);
            for ((name, count), (_, all)) in grown.iter().zip(named(kernel)) {
                let rate = count.map(|count| per_second(count, time));
                add(name, shown(rate), shown(all));
            }
        }
        text
    }

    /// Returns what each JSON object has: what it is about, and when it was written.
    fn object(&self, label: &Label) -> Map<String, Value> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let program = label.program.as_ref();
        let object = json!({
            "command": self.command,
            "interface": label.interface,
            "queue": label.queues.single().filter(|_| self.one_queue),
            "pid": std::process::id(),
            "time": rounded(now),
            "mode": program.map(|(mode, ..)| mode),
            "method": program.map(|(_, method, _)| method),
            "program": program.map(|(.., id)| id),
            "zero_copy": label.zero_copy,
        });
        match object {
            Value::Object(object) => object,
            _ => Map::new(),
        }
    }

    fn counters(
        &self,
        summary: bool,
        counts: &Totals,
        kernel: &[(&'static str, Option<u64>)],
        time: Duration,
    ) -> Map<String, Value> {
        let mut object = self.object(&self.labels[0]);
        let mut add = |name: &str, value: Value| object.insert(name.to_owned(), value);
        if let [_, output] = &self.labels[..] {
            add("output", json!(output.interface));
        }
        add("summary", json!(summary));
        add("seconds", json!(rounded(time)));
        add("rx_packets", json!(counts.rx_packets));
        add("tx_packets", json!(counts.tx_packets));
        add("rx_bytes", json!(counts.rx_bytes));
        add("tx_bytes", json!(counts.tx_bytes));
        add("rx_pps", json!(per_second(counts.rx_packets, time)));
        add("tx_pps", json!(per_second(counts.tx_packets, time)));
        for (name, value) in kernel {
            add(name, json!(value));
        }
        object
    }
}

/// Returns packets and bytes as a JSON object.
fn totals(totals: &Totals) -> Value {
    json!({
        "rx_packets": totals.rx_packets,
        "rx_bytes": totals.rx_bytes,
        "rx_lost": totals.rx_dropped,
        "tx_packets": totals.tx_packets,
        "tx_bytes": totals.tx_bytes,
        "tx_lost": totals.tx_dropped,
    })
}

/// Returns seconds, with three digits after the point.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Returns a row of the table. The columns hold 10^15.
pub(crate) fn row(name: &str, one: &str, two: &str) -> String {
    format!("{name:<28}{one:>22}{two:>22}")
}

#[cfg(test)]
mod tests;
