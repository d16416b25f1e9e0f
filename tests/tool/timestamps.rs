//! When packets were sent (`--tx-timestamps`).

use crate::common::{Cable, kernel_since};
use crate::fixture::{Fixture, Tool, WAIT};
use serde_json::Value;
use xsk::test_util::{Namespace, VethPair, privileged};

/// Returns whether this kernel has TX timestamps. One that has none: the tool says from which on
/// they are there.
fn possible() -> bool {
    if kernel_since(6, 8) {
        return true;
    }
    let here = Fixture::new(1);
    for line in ["txonly -i near --tx-timestamps -C 1", "demo --tx-timestamps -C 1"] {
        let ended = Tool::start(&here.cable.left, line).end();
        assert!(ended.failure().contains("TX metadata needs Linux 6.8"), "{line}: {ended:?}");
    }
    false
}

/// Checks the object of a run in copy mode; returns its figures in nanoseconds.
fn figures(times: &Value, packets: u64) -> [u64; 4] {
    assert_eq!(times["clock"], "tai", "{times}");
    assert_eq!((&times["asked"], &times["packets"]), (&packets.into(), &packets.into()));
    assert_eq!((&times["before_kick"], &times["spacing"]), (&0.into(), &Value::Null), "{times}");
    let figures = ["min_ns", "median_ns", "p99_ns", "max_ns"].map(|name| times[name].as_u64());
    let figures = figures.map(|figure| figure.expect("a number"));
    assert!(figures.is_sorted() && figures[0] > 0, "{times}");
    figures
}

/// Checks the line for people: its figures, in microseconds, are in order.
fn check_line(line: &str, packets: &str) {
    let words =
        format!("TX timestamps: {packets} of {packets} packets, from the kick, by CLOCK_TAI: ");
    let figures = line.trim_start().strip_prefix(&words).expect(line);
    let figures = figures.strip_suffix(" us").expect(line);
    let figures: Vec<f64> = figures
        .split(", ")
        .zip(["min ", "median ", "p99 ", "max "])
        .map(|(figure, name)| {
            let number = figure.strip_prefix(name).expect(line).replace(',', "");
            assert_eq!(number.split_once('.').expect(line).1.len(), 3, "{line}");
            number.parse().unwrap()
        })
        .collect();
    assert!(figures.len() == 4 && figures.is_sorted() && figures[0] > 0.0, "{line}");
}

#[test]
fn txonly_shows_how_long_each_packet_took_from_its_kick() {
    if !privileged!() || !possible() {
        return;
    }
    let fixture = Fixture::new(1);
    for letters in ["", "-b 1", "-p -b 1 -s 1514", "-m -b 4096", "-u -f 3001"] {
        let line = format!("txonly --tx-timestamps -C 5001 {letters}");
        let summary = fixture.start(&line).summary();
        assert_eq!(summary["tx_packets"], 5001, "{letters}");
        assert_eq!((&summary["tx_pending"], &summary["tx_invalid_descs"]), (&0.into(), &0.into()));
        let [_, median, _, max] = figures(&summary["tx_timestamps"], 5001);
        let nanos = summary["seconds"].as_f64().unwrap() * 1e9;
        assert!((max as f64) < nanos + 1e6, "{letters}: {summary}");
        if letters.contains("-b 1") {
            // Each packet has a kick of its own: half of them take this long, one after the other.
            // It is not the time from an earlier kick; some are freed after the next kick.
            assert!(median as f64 * 2500.0 < 20.0 * nanos, "{letters}: {summary}");
        }
    }
    let line = format!("txonly -i near --tx-timestamps -C 5001 {WAIT}");
    let ended = Tool::start(&fixture.cable.left, &line).end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    check_line(ended.out.last().unwrap(), "5,001");
}

#[test]
fn demo_shows_it_for_each_mode() {
    if !privileged!() || !possible() {
        return;
    }
    let anywhere = Namespace::new().unwrap();
    for letters in ["", "-b 1 --size 3520"] {
        let line = format!("demo --tx-timestamps --count 3000 --json {letters}");
        let ended = Tool::start(&anywhere, &line).end();
        assert_eq!((ended.status.code(), ended.out.len()), (Some(0), 2), "{ended:?}");
        for object in ended.objects() {
            assert_eq!((&object["lost"], &object["corrupt"]), (&0.into(), &0.into()), "{object}");
            figures(&object["tx_timestamps"], 3000);
        }
    }
    let ended = Tool::start(&anywhere, "demo --tx-timestamps --count 3000").end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let is_meant = |line: &&String| line.contains("TX timestamps");
    let lines: Vec<&String> = ended.out.iter().filter(is_meant).collect();
    assert_eq!(lines.len(), 2, "{ended:?}");
    lines.into_iter().for_each(|line| check_line(line, "3,000"));
}

#[test]
fn packets_of_several_chunks_have_none() {
    if !privileged!() || !possible() {
        return;
    }
    let builder = VethPair::builder().names("near", "far").mtu(9000);
    let fixture = Fixture { cable: Cable::build(builder) };
    // The request takes 24 bytes of a chunk.
    let longest = fixture.start("txonly --tx-timestamps -C 10 -s 4072").summary();
    figures(&longest["tx_timestamps"], 10);
    let several = "packets of 3521 bytes take several chunks, and TX timestamps (--tx-timestamps)";
    for (line, code, words) in [
        ("txonly -i near --tx-timestamps -s 4073", 1, "chunks with 4072 beside the request"),
        ("demo --tx-timestamps --size 3521", 1, several),
        ("txonly -i near --tx-timestamps -F", 2, "'--tx-timestamps' cannot be used with '--frags'"),
        ("demo --tx-timestamps -F", 2, "'--tx-timestamps' cannot be used with '--frags'"),
        ("txonly -i near --tx-timestamps -M 2", 2, "unexpected argument '-M'"),
    ] {
        let ended = Tool::start(&fixture.cable.left, line).end();
        assert_eq!((ended.status.code(), ended.out.len()), (Some(code), 0), "{line}: {ended:?}");
        assert!(ended.err.join("\n").contains(words), "{line}: {ended:?}");
        assert!(!ended.err.join("\n").contains("(-F)"), "{line}: {ended:?}");
    }
}
