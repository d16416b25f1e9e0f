//! JSON lines, read: the intervals of one run, or the histograms of several measurements.

use crate::failure::{Failure, Result};
use serde_json::Value;
use std::io::{BufRead, Read};

/// The longest line that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// How many samples are kept at most: those of a longer run are joined by twos.
const MOST: usize = 4096;
/// How many events and measurements are kept at most.
const MOST_MARKS: usize = 100;
const MOST_RUNS: usize = 8;

/// The least number above 0, in seconds, and the greatest one, which is that of a counter.
const LEAST: f64 = 1e-9;
const GREATEST: f64 = u64::MAX as f64;

/// What is wrong with a line that has nothing to draw.
const NOT_DRAWN: &str = "it is neither an interval nor a histogram of latencies: what is drawn is the \
    JSON of rxdrop, txonly, l2fwd, bridge, respond, capture, generate and receive, which count over \
    time, and of latency";

/// What a file has.
pub(crate) enum Data {
    Throughput(Throughput),
    Latency(Vec<Latency>),
}

/// A run over time.
#[derive(Default)]
pub(crate) struct Throughput {
    /// What the first line says of it.
    pub(crate) title: String,
    pub(crate) samples: Vec<Sample>,
    /// When something happened, in seconds from the start, and what.
    pub(crate) events: Vec<(f64, String)>,
    /// What all lines have in common.
    identity: Option<[Value; 2]>,
    /// The difference between the times of lines and those from the start, once an interval says it.
    start: Option<f64>,
    /// Events before that: their places in the list, and their times.
    early: Vec<(usize, f64)>,
}

/// What was counted in an interval.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    /// Packets received, sent, and lost on either way.
    pub(crate) packets: [f64; 3],
}

/// A measurement of latencies.
pub(crate) struct Latency {
    pub(crate) name: String,
    /// From how many nanoseconds, to how many, and how many packets.
    pub(crate) parts: Vec<(f64, f64, f64)>,
    /// The median and the 99th percentile, in nanoseconds.
    pub(crate) figures: Option<[f64; 2]>,
}

/// Reads lines; `name` is what errors call the file.
pub(crate) fn read(mut input: impl BufRead, name: &str) -> Result<Data> {
    let mut run = Throughput::default();
    let mut latencies = Vec::new();
    let mut line = Vec::new();
    for number in 1_u64.. {
        let at = |what: String| Failure::Text(format!("{name}, line {number}: {what}"));
        line.clear();
        let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        let read = read.map_err(|error| at(format!("it cannot be read: {error}")))?;
        if read == 0 {
            break;
        }
        if read as u64 == LONGEST {
            return Err(at("it is longer than 1 MiB: this is no output of --json".to_owned()));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let object: Value = serde_json::from_slice(&line).map_err(|error| at(fault(&error)))?;
        // A run may have a histogram in its summary. Others have a last line, too, and no process.
        let is_of_run = object.get("pid").is_some()
            && (object.get("summary").is_some() || object.get("event").is_some());
        if is_of_run {
            if !latencies.is_empty() {
                return Err(at(mixed("an interval", "histograms of latencies")));
            }
            add(&mut run, &object).map_err(at)?;
        } else if object.get("histogram").is_some() {
            if run.identity.is_some() {
                return Err(at(mixed("a histogram of latencies", "intervals")));
            }
            let latency = latency(&object).ok_or_else(|| at(incomplete("a histogram")))?;
            if latencies.len() == MOST_RUNS {
                return Err(at(format!("a picture has no room for more than {MOST_RUNS} of them")));
            }
            latencies.push(latency);
        } else {
            return Err(at(NOT_DRAWN.to_owned()));
        }
    }
    if !latencies.is_empty() {
        return Ok(Data::Latency(latencies));
    }
    if run.samples.is_empty() {
        return Err(Failure::Text(format!(
            "{name} has no line with an interval, nor one with a histogram of latencies: write it \
             with --json, as `xsk rxdrop -i eth1 -d 60 --json > run.jsonl`"
        )));
    }
    Ok(Data::Throughput(run))
}

/// Returns what is wrong with a line's JSON, and where in it.
fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match error.is_eof() {
        true => "it ends in the middle: it was not written to its end".to_owned(),
        false => format!("it is no JSON: {text}, column {}", error.column()),
    }
}

fn mixed(this: &str, before: &str) -> String {
    format!("it is {this}, and the lines before it are {before}: a picture shows one of both")
}

fn incomplete(what: &str) -> String {
    format!("it is {what} of which members are missing, or are no numbers that can be")
}

/// Adds a line to a run.
fn add(run: &mut Throughput, object: &Value) -> Result<(), String> {
    // An interface may get another name.
    let identity = ["command", "pid"].map(|key| object[key].clone());
    match &run.identity {
        None => {
            run.title = title(object);
            run.identity = Some(identity);
        }
        Some(first) if *first != identity => {
            let mut text =
                "it is of another run than the first line: a picture shows one".to_owned();
            if let (Some(one), Some(other)) = (first[1].as_u64(), identity[1].as_u64()) {
                text.push_str(&format!(
                    ". `grep '\"pid\":{one}[,}}]' FILE | xsk plot -` draws that one, and \
                     '\"pid\":{other}[,}}]' this one"
                ));
            }
            return Err(text);
        }
        Some(_) => {}
    }
    let time = number(&object["time"]);
    if let Some(event) = object.get("event") {
        let counted: f64 = run.samples.iter().map(|sample| sample.seconds).sum();
        let now = time.zip(run.start).map_or(counted, |(time, start)| (time - start).max(0.0));
        if run.events.len() < MOST_MARKS {
            if let (Some(time), None) = (time, run.start) {
                run.early.push((run.events.len(), time));
            }
            run.events.push((now, event.as_str().unwrap_or_default().to_owned()));
        }
        return Ok(());
    }
    if object["summary"] == true {
        return Ok(());
    }
    let sample = sample(object).ok_or_else(|| incomplete("an interval"))?;
    if let Some(sample) = sample {
        if let (Some(time), None) = (time, run.start) {
            // It is the first: its time is that of its end.
            let start = time - sample.seconds;
            run.start = Some(start);
            for (place, time) in run.early.drain(..) {
                run.events[place].0 = (time - start).max(0.0);
            }
        }
        run.samples.push(sample);
    }
    if run.samples.len() > MOST {
        let pairs = run.samples.chunks(2).map(|pair| {
            let sum = |get: &dyn Fn(&Sample) -> f64| pair.iter().map(get).sum();
            let packets = [0, 1, 2].map(|place| sum(&|sample| sample.packets[place]));
            Sample { seconds: sum(&|sample| sample.seconds), packets }
        });
        run.samples = pairs.collect();
    }
    Ok(())
}

/// Returns what was counted in an interval; `None` inside for one that took no time.
fn sample(object: &Value) -> Option<Option<Sample>> {
    let seconds = number(&object["seconds"])?;
    let counted = object.get("interval")?;
    let rx = number(&counted["rx_packets"])?;
    let tx = number(&counted["tx_packets"])?;
    // What the kernel does not count is none here.
    let lost = ["rx_lost", "tx_lost"].map(|key| number(&counted[key]).unwrap_or_default());
    let packets = [rx, tx, lost.iter().sum()];
    Some((seconds > 0.0).then_some(Sample { seconds, packets }))
}

/// Returns a number that is not negative, and that a run can have.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| *number == 0.0 || (LEAST..=GREATEST).contains(number))
}

/// Returns what a line says of its run.
fn title(object: &Value) -> String {
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let mut title = format!("xsk {} on {}", text("command"), text("interface"));
    if let Some(queue) = object["queue"].as_u64() {
        title.push_str(&format!(" queue {queue}"));
    }
    if let Some(mode) = object["mode"].as_str() {
        title.push_str(&format!(", {mode} mode"));
    }
    match object["zero_copy"].as_bool() {
        Some(true) => title.push_str(", zero-copy"),
        Some(false) => title.push_str(", copy"),
        None => {}
    }
    title
}

fn latency(object: &Value) -> Option<Latency> {
    let part = |part: &Value| {
        let [from, to, count] = ["from_ns", "to_ns", "count"].map(|key| number(&part[key]));
        Some((from?, to?, count?)).filter(|(from, to, _)| from < to)
    };
    let parts = object["histogram"].as_array()?.iter().map(part).collect::<Option<Vec<_>>>()?;
    let words = ["transport", "wait", "profile", "mode"].map(|key| object[key].as_str());
    // A profile that is none is no word.
    let words: Vec<_> = words.into_iter().flatten().filter(|word| *word != "none").collect();
    let figures = [number(&object["p50_ns"]), number(&object["p99_ns"])];
    let figures = match figures {
        [Some(median), Some(p99)] => Some([median, p99]),
        _ => None,
    };
    Some(Latency { name: words.join(" "), parts, figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: &str = r#"{"command":"rxdrop","interface":"a","queue":0,"pid":7,"summary":false,
        "seconds":0.5,"interval":{"rx_packets":10,"tx_packets":0,"rx_lost":null,"tx_lost":1}}"#;
    const HISTOGRAM: &str = r#"{"command":"latency","transport":"xsk","wait":"sleep",
        "histogram":[{"from_ns":1000,"to_ns":1250,"count":4}],"p50_ns":1100,"p99_ns":1200}"#;

    fn line(text: &str) -> String {
        text.replace('\n', "") + "\n"
    }

    fn refusal(text: &str) -> String {
        match read(text.as_bytes(), "f") {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{text}"),
        }
    }

    #[test]
    fn intervals_are_summed_up_and_events_have_their_time() {
        let event = r#"{"command":"rxdrop","interface":"a","queue":0,"pid":7,"event":"link_down"}"#;
        let summary = r#"{"command":"rxdrop","pid":7,"summary":true,"histogram":[]}"#;
        let text = format!("{}\n{event}\n{0}{summary}\n", line(INTERVAL));
        let Ok(Data::Throughput(run)) = read(text.as_bytes(), "f") else { panic!() };
        assert_eq!(run.title, "xsk rxdrop on a queue 0");
        assert_eq!(run.events, [(0.5, "link_down".to_owned())]);
        let samples: Vec<_> = run.samples.iter().map(|one| (one.seconds, one.packets)).collect();
        assert_eq!(samples, [(0.5, [10.0, 0.0, 1.0]); 2]);

        // Where lines have times, these say when it was.
        let at =
            |line: &str, time: &str| line.replace("\"pid\"", &format!("\"time\":{time},\"pid\""));
        let lines = [
            at(event, "1000.1"),
            at(&line(INTERVAL), "1000.5"),
            at(event, "1000.75"),
            at(&line(INTERVAL), "1001"),
        ];
        let Ok(Data::Throughput(run)) = read(lines.join("\n").as_bytes(), "f") else { panic!() };
        let times: Vec<_> = run.events.iter().map(|event| (event.0 * 100.0).round()).collect();
        assert_eq!(times, [10.0, 75.0]);
    }

    #[test]
    fn numbers_that_no_run_has_are_refused() {
        for (from, to) in [("0.5", "5e-324"), ("0.5", "1e308"), (":10,", ":1e300,")] {
            let text = line(&INTERVAL.replacen(from, to, 1));
            assert!(refusal(&text).contains("are no numbers that can be"), "{to}");
        }
        for to in ["1e308", "1e300"] {
            let text = line(&HISTOGRAM.replace("1250", to));
            assert!(refusal(&text).contains("are no numbers that can be"), "{to}");
        }
        // No time, or hardly any: there is no rate.
        let none = line(&INTERVAL.replace("0.5", "0"));
        let Ok(Data::Throughput(run)) = read(format!("{none}{}", line(INTERVAL)).as_bytes(), "f")
        else {
            panic!()
        };
        assert_eq!(run.samples.len(), 1);
    }

    #[test]
    fn a_long_run_keeps_its_sums_in_fewer_samples() {
        let text = line(INTERVAL).repeat(3 * MOST);
        let Ok(Data::Throughput(run)) = read(text.as_bytes(), "f") else { panic!() };
        assert!(run.samples.len() <= MOST, "{}", run.samples.len());
        let sum: f64 = run.samples.iter().map(|sample| sample.packets[0]).sum();
        assert_eq!(sum as usize, 30 * MOST);
    }

    #[test]
    fn a_line_that_cannot_be_drawn_is_named_by_its_number() {
        let (interval, histogram) = (line(INTERVAL), line(HISTOGRAM));
        let other = interval.replace("\"pid\":7", "\"pid\":8");
        let negative = interval.replace("\"seconds\":0.5", "\"seconds\":-1");
        let backwards = histogram.replace("1250", "1000");
        for (text, words) in [
            (
                format!("{interval}\n\nnonsense\n"),
                "f, line 4: it is no JSON: expected ident, column",
            ),
            (format!("{interval}{}", &interval[..40]), "f, line 2: it ends in the middle"),
            (format!("{interval}{histogram}"), "f, line 2: it is a histogram of latencies, and"),
            (format!("{histogram}{interval}"), "f, line 2: it is an interval, and the lines"),
            (format!("{interval}{other}"), "f, line 2: it is of another run"),
            (negative, "f, line 1: it is an interval of which members"),
            (backwards, "f, line 1: it is a histogram of which members"),
            ("{\"command\":\"demo\"}\n".to_owned(), "f, line 1: it is neither an interval nor"),
            ("[1]\n".to_owned(), "f, line 1: it is neither an interval nor"),
            ("x".repeat(LONGEST as usize + 5), "f, line 1: it is longer than 1 MiB"),
            (histogram.repeat(9), "f, line 9: a picture has no room for more than 8"),
            (String::new(), "f has no line with an interval"),
        ] {
            let error = refusal(&text);
            assert!(error.starts_with(words), "{words}: {error}");
        }
    }
}
