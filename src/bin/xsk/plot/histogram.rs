//! How many packets took how long.

use crate::plot::axis::{Axis, short, time};
use crate::plot::input::Latency;
use crate::plot::svg::{COLORS, LEFT, Picture, RIGHT, TOP};

/// Nanoseconds of a microsecond.
const US: f64 = 1000.0;
/// Columns of the legend.
const COLUMNS: usize = 2;

/// Returns the picture of one measurement or several.
pub(crate) fn picture(runs: &[Latency], title: Option<&str>) -> String {
    let all = || runs.iter().flat_map(|run| &run.parts);
    // Nothing takes less than a nanosecond on an axis of factors; no part ends where the last one
    // of all does, behind which there is no number.
    let least = all().map(|part| part.0).fold(f64::INFINITY, f64::min).max(1.0);
    let most = all().map(|part| part.1.min(part.0.max(1.0) * 2.0)).fold(0.0, f64::max);
    let (least, most) = if least < most { (least, most) } else { (1.0, US) };
    let share = |run: &Latency, count: f64| {
        let sum: f64 = run.parts.iter().map(|part| part.2).sum();
        if sum > 0.0 { 100.0 * count / sum } else { 0.0 }
    };
    let shares = runs.iter().flat_map(|run| run.parts.iter().map(|part| share(run, part.2)));
    let highest = shares.fold(0.0, f64::max);
    let name = match runs {
        [run] => format!("xsk latency: round trips, {}", run.name),
        _ => "xsk latency: round trips".to_owned(),
    };
    let mut picture = Picture::new(title.unwrap_or(&name), runs.len().div_ceil(COLUMNS));
    let across = Axis::logarithmic(least / US, most / US, LEFT, RIGHT);
    let up = Axis::linear(highest * 1.05, picture.bottom, TOP);
    picture.axis_below(&across, "round trip", |us| time(us * US));
    picture.axis_left(&up, "packets (%)", short);
    let mut legend = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let color = COLORS[number % COLORS.len()];
        let mut points = Vec::new();
        let mut end = 0.0;
        for (from, to, count) in &run.parts {
            let (x, to_x) = (across.place(from / US), across.place(to / US));
            if points.is_empty() || x > end {
                // Between parts there is none.
                points.extend([(if points.is_empty() { x } else { end }, picture.bottom)]);
                points.push((x, picture.bottom));
            }
            let y = up.place(share(run, *count));
            points.extend([(x, y), (to_x, y)]);
            end = to_x;
        }
        if !points.is_empty() {
            points.push((end, picture.bottom));
        }
        picture.curve(&points, color, runs.len() == 1);
        let figures = match run.figures {
            Some([median, p99]) => format!("p50 {}, p99 {}", time(median), time(p99)),
            None => "no packet came back".to_owned(),
        };
        legend.push((color, format!("{}: {figures}", run.name)));
    }
    picture.end(&legend, COLUMNS)
}
