//! Packets per second over time.

use crate::plot::axis::{Axis, short};
use crate::plot::input::{Sample, Throughput};
use crate::plot::svg::{COLORS, LEFT, Picture, RIGHT, TOP};

const NAMES: [&str; 3] = ["received", "sent", "lost"];

/// Returns the picture of a run.
pub(crate) fn picture(run: &Throughput, title: Option<&str>) -> String {
    let total: f64 = run.samples.iter().map(|sample| sample.seconds).sum();
    let rate = |sample: &Sample, place: usize| sample.packets[place] / sample.seconds;
    let sum = |place: usize| run.samples.iter().map(|sample| sample.packets[place]).sum::<f64>();
    // What there was none of has no line, but for a run without any packets.
    let mut shown: Vec<usize> = (0..NAMES.len()).filter(|place| sum(*place) > 0.0).collect();
    if shown.is_empty() {
        shown = vec![0, 1];
    }
    let rates =
        run.samples.iter().flat_map(|sample| shown.iter().map(|place| rate(sample, *place)));
    let most = rates.fold(0.0, f64::max);
    let mut picture = Picture::new(title.unwrap_or(&run.title), 1);
    let across = Axis::linear(total, LEFT, RIGHT);
    let up = Axis::linear(most * 1.05, picture.bottom, TOP);
    picture.axis_below(&across, "time (s)", short);
    picture.axis_left(&up, "packets per second", short);
    for (time, event) in &run.events {
        picture.mark(across.place(*time), event);
    }
    for place in &shown {
        let mut points = Vec::new();
        let mut time = 0.0;
        // The rate is that of the whole interval.
        for sample in &run.samples {
            let y = up.place(rate(sample, *place));
            points.push((across.place(time), y));
            time += sample.seconds;
            points.push((across.place(time), y));
        }
        picture.curve(&points, COLORS[*place], false);
    }
    let words = |place: &usize| {
        let (name, sum) = (NAMES[*place], sum(*place));
        (COLORS[*place], format!("{name}: {} ({}/s)", short(sum), short(sum / total)))
    };
    picture.end(&shown.iter().map(words).collect::<Vec<_>>(), 3)
}
