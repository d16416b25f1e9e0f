//! What was received, for people and for programs.

use crate::receive::flow::FlowTally;
use crate::receive::tracker::{Key, Received};
use crate::report::rates::grouped;
use crate::run::lines::More;
use serde_json::{Map, Value, json};

/// The names of the figures of a latency.
const FIGURES: [&str; 6] = ["min", "p50", "p90", "p99", "p99_9", "max"];
/// Flows that have a line for people.
const LINES: usize = 1000;

/// Returns what the summary says, with a line for each flow if that is asked for.
pub(crate) fn of(received: &Received, per_flow: bool) -> More {
    let mut json = json!({
        "flows": received.flows.len(),
        "packets": received.sum(|flow| flow.packets),
        "lost": received.sum(FlowTally::lost),
        "reordered": received.sum(|flow| flow.reordered),
        "duplicates": received.sum(|flow| flow.duplicates),
        "late": received.sum(|flow| flow.late),
        "foreign": received.others.foreign,
        "untracked": received.others.untracked,
        "foreign_clock": received.others.foreign_clock,
        "latency_ns": received.latency.spread().map(|spread| {
            Map::from_iter(FIGURES.iter().zip(spread).map(|(name, figure)| {
                ((*name).to_owned(), json!(figure))
            }))
        }),
    });
    let mut lines = lines(received);
    if per_flow {
        let flows: Vec<Value> = received.flows.iter().map(of_flow).collect();
        json["by_flow"] = Value::Array(flows);
        lines.extend(received.flows.iter().take(LINES).map(line_of));
        if received.flows.len() > LINES {
            let more = grouped((received.flows.len() - LINES) as u64);
            lines.push(format!("and {more} flows (--json has all)"));
        }
    }
    More { key: "received", json, lines }
}

fn of_flow(((stream, flow), tally): (&Key, &FlowTally)) -> Value {
    json!({
        "stream": stream,
        "flow": flow,
        "first": tally.first,
        "last": tally.last,
        "packets": tally.packets,
        "lost": tally.lost(),
        "reordered": tally.reordered,
        "duplicates": tally.duplicates,
        "late": tally.late,
    })
}

/// Returns a line about a flow.
fn line_of(((stream, flow), tally): (&Key, &FlowTally)) -> String {
    format!(
        "stream {stream:04x} flow {flow}: {} received, {} lost, {} reordered, {} duplicates",
        grouped(tally.packets),
        grouped(tally.lost()),
        grouped(tally.reordered),
        grouped(tally.duplicates)
    )
}

/// Returns the lines about all flows together.
fn lines(received: &Received) -> Vec<String> {
    let sum = |number: fn(&FlowTally) -> u64| grouped(received.sum(number));
    let mut lines = vec![format!(
        "marked packets: {} of {} flow(s), {} lost, {} reordered, {} duplicates",
        sum(|flow| flow.packets),
        grouped(received.flows.len() as u64),
        sum(FlowTally::lost),
        sum(|flow| flow.reordered),
        sum(|flow| flow.duplicates),
    )];
    let late = received.sum(|flow| flow.late);
    for (count, what) in [
        (late, "too late to know whether they are duplicates (--window)"),
        (received.others.foreign, "foreign: without a mark of `xsk generate`"),
        (received.others.untracked, "of more flows than are followed (--flows)"),
        (received.others.foreign_clock, "with the time of another machine's clock"),
    ] {
        if count > 0 {
            lines.push(format!("{} {what}", grouped(count)));
        }
    }
    if let Some(spread) = received.latency.spread() {
        let micros = |nanos: u64| format!("{}.{:03}", grouped(nanos / 1000), nanos % 1000);
        let [min, p50, p90, p99, p999, max] = spread.map(micros);
        lines.push(format!("latency in us: min {min}, p50 {p50}, p90 {p90}, p99 {p99},"));
        lines.push(format!("               p99.9 {p999}, max {max}"));
    }
    lines
}
