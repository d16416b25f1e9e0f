//! Latency for people, and in JSON.

use crate::command_line::LatencyArgs;
use crate::latency::rounds::Measured;
use crate::latency::way::{Way, word};
use crate::report::rates::grouped;
use crate::report::words::Why;
use serde_json::{Value, json};

/// Columns of the longest bar.
const BAR: u64 = 40;

/// What is known of the sockets.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// The mode of the program.
    pub(crate) mode: Option<String>,
    pub(crate) zero_copy: Option<bool>,
    /// What busy polling does, in words.
    pub(crate) busy_poll: Option<String>,
    /// Whether it does something.
    pub(crate) polls: Option<bool>,
}

/// Returns a measurement as a JSON object.
pub(crate) fn json(
    args: &LatencyArgs,
    way: Way,
    sockets: &Sockets,
    measured: &Measured,
    ended: Why,
    error: Option<String>,
) -> String {
    let spread = measured.times.spread();
    let figure = |place: usize| spread.map(|spread| spread[place]);
    let parts = measured.times.parts();
    let parts = parts
        .iter()
        .map(|(from, to, count)| json!({ "from_ns": from, "to_ns": to, "count": count }));
    json!({
        "command": "latency",
        "transport": if way.udp { "udp" } else { "xsk" },
        "wait": if way.spin { "spin" } else { "sleep" },
        "profile": word(way.profile),
        "cpus": way.cpus.map(|cpus| cpus.0),
        "mode": sockets.mode,
        "zero_copy": sockets.zero_copy,
        "busy_poll": sockets.busy_poll,
        "busy_poll_effect": sockets.polls,
        "size": way.size(args),
        "pps": args.pps,
        "seconds": measured.seconds.as_secs_f64(),
        "sent": measured.sent,
        "received": measured.times.count(),
        "lost": measured.lost(),
        "skipped": measured.skipped,
        "min_ns": figure(0),
        "p50_ns": figure(1),
        "p90_ns": figure(2),
        "p99_ns": figure(3),
        "p999_ns": figure(4),
        "max_ns": figure(5),
        "histogram": parts.collect::<Vec<Value>>(),
        "ended": ended.word(),
        "error": error,
    })
    .to_string()
}

/// Returns the lines for people.
pub(crate) fn lines(args: &LatencyArgs, way: Way, measured: &Measured) -> Vec<String> {
    let (sent, back) = (grouped(measured.sent), grouped(measured.times.count()));
    let mut lines = vec![format!(
        "  sent {sent} packets of {} bytes in {:.2} s; {back} came back, {} lost (or not \
         back yet at the end), {} skipped",
        way.size(args),
        measured.seconds.as_secs_f64(),
        grouped(measured.lost()),
        grouped(measured.skipped)
    )];
    let Some(spread) = measured.times.spread() else { return lines };
    let names = ["min", "p50", "p90", "p99", "p99.9", "max"];
    let figures: Vec<_> =
        names.iter().zip(spread).map(|(name, time)| format!("{name} {}", us(time))).collect();
    lines.push(format!("  round trip in us: {}", figures.join("   ")));
    lines.extend(picture(&measured.times.parts()));
    lines
}

/// Returns a bar for each part of the range.
fn picture(parts: &[(u64, u64, u64)]) -> Vec<String> {
    let most = parts.iter().map(|(.., count)| *count).max().unwrap_or(1).max(1);
    let row = |(from, to, count): &(u64, u64, u64)| {
        // Something is a dot at least.
        let bar = match (u128::from(*count) * u128::from(BAR) / u128::from(most)) as usize {
            0 => ".".to_owned(),
            width => "#".repeat(width),
        };
        let (from, to) = (us(*from), us(*to));
        format!("  {from:>10} - {to:>10} {:>12}  {bar}", grouped(*count))
    };
    parts.iter().map(row).collect()
}

/// Returns the head of the table that compares.
pub(crate) fn head() -> String {
    columns("round trip, us", ["min", "p50", "p90", "p99", "p99.9", "max", "lost", "skipped"])
}

/// Returns a row of that table.
pub(crate) fn row(way: Way, measured: &Measured) -> String {
    match measured.times.spread() {
        Some(spread) => {
            let [min, p50, p90, p99, p999, max] = spread.map(us);
            let lost = grouped(measured.lost());
            let skipped = grouped(measured.skipped);
            columns(&way.name(), [&min, &p50, &p90, &p99, &p999, &max, &lost, &skipped])
        }
        None => format!("{:<30} no packet came back", way.name()),
    }
}

fn columns(name: &str, figures: [&str; 8]) -> String {
    let figures: String = figures.iter().map(|figure| format!("{figure:>10}")).collect();
    format!("{name:<30}{figures}")
}

/// Returns nanoseconds as microseconds, with one digit after the point.
fn us(nanoseconds: u64) -> String {
    let tenths = nanoseconds / 100 + u64::from(nanoseconds % 100 >= 50);
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{picture, us};

    #[test]
    fn times_are_rounded_to_tenths() {
        let times = [0, 49, 50, 12_345, 999_950, 1_234_567_890];
        let shown = ["0.0", "0.0", "0.1", "12.3", "1,000.0", "1,234,567.9"];
        assert_eq!(times.map(us), shown);
    }

    #[test]
    fn every_part_has_a_mark_and_the_largest_one_the_longest() {
        let rows = picture(&[(0, 10, 1), (10, 20, 1000), (20, 30, 500)]);
        let width = |row: &String| row.matches('#').count();
        assert_eq!(rows.iter().map(width).collect::<Vec<_>>(), [0, 40, 20]);
        assert!(rows[0].ends_with('.'));
    }
}
