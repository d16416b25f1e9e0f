//! Promises to programs: the keys of each kind of JSON line, and the options of each command with
//! their letters. What is there stays; a new key or option is added here.

use crate::fixture::{Fixture, TOOL, Tool, WAIT, commands};
use expect_test::{Expect, expect};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use xsk::test_util::privileged;

/// Checks that all of these keys are there, of which one in an object or in the list of objects is
/// written `object.key`.
#[track_caller]
fn has(object: &Value, keys: &str) {
    let missing: Vec<_> = keys.split_whitespace().filter(|key| !is_there(object, key)).collect();
    assert!(missing.is_empty(), "{missing:?} of {object}");
}

fn is_there(object: &Value, key: &str) -> bool {
    let Some((outer, inner)) = key.split_once('.') else { return object.get(key).is_some() };
    match &object[outer] {
        Value::Array(list) => !list.is_empty() && list.iter().all(|one| is_there(one, inner)),
        one => is_there(one, inner),
    }
}

/// The keys of every line of a run.
const RUN: &str = "
    command interface method mode pid program queue summary time seconds zero_copy
    rx_packets rx_bytes rx_pps tx_packets tx_bytes tx_pps
    rx_dropped rx_invalid_descs tx_invalid_descs rx_ring_full rx_fill_ring_empty_descs
    tx_ring_empty_descs
    total.rx_packets total.rx_bytes total.rx_lost total.tx_packets total.tx_bytes total.tx_lost";
const INTERVAL: &str = "
    interval.rx_packets interval.rx_bytes interval.rx_lost
    interval.tx_packets interval.tx_bytes interval.tx_lost";
const SUMMARY: &str = "ended error tx_pending";

#[track_caller]
fn of_run(objects: &[Value], more: &str) {
    let [intervals @ .., summary] = objects else { panic!("no lines") };
    assert!(intervals.iter().any(|object| object.get("interval").is_some()), "{objects:?}");
    for object in intervals {
        if object.get("event").is_some() {
            has(object, "command interface event message time pid");
            continue;
        }
        has(object, &[RUN, INTERVAL].join(" "));
        assert_eq!(object["summary"], false);
    }
    has(summary, &[RUN, SUMMARY, more].join(" "));
    assert_eq!(summary["summary"], true);
}

#[test]
fn the_keys_of_the_runs_stay() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let run = |line: &str| fixture.start(&format!("{line} -d 0.25 -n 0.1")).end().objects();
    of_run(&run("rxdrop"), "");
    let filters = "filters.interface filters.expression filters.instructions filters.management \
                   filters.matched filters.others";
    of_run(&run("rxdrop -x udp port 9"), filters);
    let queues = "queues.queue queues.zero_copy queues.rx_packets queues.rx_bytes queues.rx_lost \
                  queues.tx_packets queues.tx_bytes queues.tx_lost";
    of_run(&run("rxdrop -q 0,1"), queues);
    of_run(&run("rxdrop -M 2"), "sockets.rx_packets sockets.tx_packets");
    of_run(&run("rxdrop -B"), "busy_poll_effect");
    of_run(&run("l2fwd"), "");
    of_run(&run("txonly"), "");
    let times = "tx_timestamps.clock tx_timestamps.asked tx_timestamps.packets \
                 tx_timestamps.before_kick tx_timestamps.spacing tx_timestamps.min_ns \
                 tx_timestamps.median_ns tx_timestamps.p99_ns tx_timestamps.max_ns";
    of_run(&run("txonly --tx-timestamps"), times);
}

#[test]
fn the_keys_of_forwarding_between_two_stay() {
    if !privileged!() {
        return;
    }
    let namespace = xsk::test_util::Namespace::new().unwrap();
    let veth = |a: &str, b: &str| {
        let words = ["link", "add", a, "up", "type", "veth", "peer", "name", b];
        let add = || Command::new("ip").args(words).status().unwrap();
        assert!(namespace.run(add).unwrap().success());
        let up = || Command::new("ip").args(["link", "set", b, "up"]).status().unwrap();
        assert!(namespace.run(up).unwrap().success());
    };
    veth("left", "left-end");
    veth("right", "right-end");
    let line = format!("l2fwd -i left -o right -d 0.25 -n 0.1 --json {WAIT}");
    let objects = Tool::start(&namespace, &line).end().objects();
    let directions = "output directions.from directions.to directions.packets directions.bytes";
    of_run(&objects, directions);
    let wider = ["link", "add", "wide", "up", "numrxqueues", "2", "type", "veth"];
    let add = || Command::new("ip").args(wider).status().unwrap();
    assert!(namespace.run(add).unwrap().success());
    let line = format!("bridge -i left -o wide -d 0.25 -n 0.1 --json {WAIT}");
    let objects = Tool::start(&namespace, &line).end().objects();
    of_run(&objects, "left_out.interface left_out.queues left_out.packets");
}

#[test]
fn the_keys_of_events_and_of_an_end_by_an_error_stay() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = fixture.start("rxdrop -n 0.1").ready();
    xsk::test_util::ip::set_up(fixture.cable.veth.a(), false).unwrap();
    let event = loop {
        let object: Value = serde_json::from_str(&tool.line()).unwrap();
        if object.get("event").is_some() {
            break object;
        }
    };
    has(&event, "command interface event message time pid");
    xsk::test_util::ip::delete(fixture.cable.veth.a()).unwrap();
    let summary = tool.end().summary_of(4);
    has(&summary, &[RUN, SUMMARY].join(" "));
}

#[test]
fn the_keys_of_the_other_commands_stay() {
    if !privileged!() {
        return;
    }
    let objects = |words: &[&str]| -> Vec<Value> {
        let output = Command::new(TOOL).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for object in objects(&["demo", "-C", "1000", "--json"]) {
        has(
            &object,
            "command mode zero_copy size batch packets lost corrupt duplicated chunks chunks_home \
             seconds pps",
        );
    }
    for object in objects(&["latency", "-d", "0.2", "--json"]) {
        has(
            &object,
            "command transport wait profile cpus mode zero_copy busy_poll busy_poll_effect size pps \
             seconds sent received lost skipped min_ns p50_ns p90_ns p99_ns p999_ns max_ns \
             histogram.from_ns histogram.to_ns histogram.count ended error",
        );
    }
    for object in objects(&["filter", "udp", "--json"]) {
        has(
            &object,
            "expression instructions evaluator packets matched refused cut never everything error",
        );
    }
}

/// Returns what a command's help lists: long options, each with its letter.
fn options(words: &[&str]) -> BTreeSet<String> {
    let output = Command::new(TOOL).args(words).arg("-h").env("COLUMNS", "100").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let rows = help.lines().map(str::trim_start).filter(|row| row.starts_with('-'));
    let names = |row: &str| {
        let names = row.split_whitespace().take_while(|word| word.starts_with('-'));
        let mut names: Vec<_> = names.map(|word| word.trim_end_matches(',').to_owned()).collect();
        // The long name comes first, for the order of the list.
        names.reverse();
        names.join(" ")
    };
    rows.map(names).filter(|row| row.starts_with("--")).collect()
}

#[track_caller]
fn pinned(command: &str, expected: &Expect) {
    expected.assert_eq(
        &options(&command.split(' ').collect::<Vec<_>>())
            .into_iter()
            .collect::<Vec<_>>()
            .join("\n"),
    );
}

#[test]
fn the_commands_stay() {
    let there = commands();
    for command in [
        "demo",
        "latency",
        "rxdrop",
        "txonly",
        "l2fwd",
        "filter",
        "steer",
        "napi",
        "plot",
        "completions",
        "man",
        "help",
    ] {
        assert!(there.contains(&command.to_owned()), "{command}: {there:?}");
    }
}

// Not formatted: `UPDATE_EXPECT` does not find the texts where rustfmt puts them.
#[rustfmt::skip]
#[test]
fn the_options_stay() {
    pinned("demo", &expect![[r#"
        --batch -b
        --count -C
        --frags -F
        --generic -S
        --help -h
        --interface -i
        --json
        --native -N
        --output -o
        --replace
        --size -s
        --tx-timestamps
        --yes"#]]);
    pinned("latency", &expect![[r#"
        --compare
        --cpus
        --duration -d
        --generic -S
        --help -h
        --interface -i
        --json
        --native -N
        --output -o
        --pps
        --profile
        --queue -q
        --replace
        --size -s
        --spin
        --udp
        --yes"#]]);
    pinned("rxdrop", &expect![[r#"
        --attach
        --batch -b
        --budget
        --busy-poll -B
        --chunks
        --copy -c
        --count -C
        --duration -d
        --extra-stats -x
        --fill-ring
        --frags -F
        --frame-size -f
        --generic -S
        --headroom
        --help -h
        --interface -i
        --interval -n
        --json
        --native -N
        --no-need-wakeup -m
        --pages
        --poll -p
        --promiscuous
        --queue -q
        --replace
        --rx-ring
        --sockets -M
        --take-management
        --unaligned -u
        --user
        --wait
        --yes
        --zero-copy -z"#]]);
    pinned("txonly", &expect![[r#"
        --attach
        --batch -b
        --budget
        --busy-poll -B
        --chunks
        --completion-ring
        --copy -c
        --count -C
        --duration -d
        --extra-stats -x
        --frags -F
        --frame-size -f
        --generic -S
        --help -h
        --interface -i
        --interval -n
        --json
        --native -N
        --no-need-wakeup -m
        --pages
        --poll -p
        --queue -q
        --replace
        --size -s
        --tx-ring
        --tx-timestamps
        --unaligned -u
        --user
        --wait
        --zero-copy -z"#]]);
    pinned("l2fwd", &expect![[r#"
        --attach
        --batch -b
        --budget
        --busy-poll -B
        --chunks
        --completion-ring
        --copy -c
        --count -C
        --duration -d
        --extra-stats -x
        --fill-ring
        --frags -F
        --frame-size -f
        --generic -S
        --headroom
        --help -h
        --interface -i
        --interval -n
        --json
        --native -N
        --no-need-wakeup -m
        --output -o
        --pages
        --poll -p
        --promiscuous
        --queue -q
        --replace
        --rx-ring
        --sockets -M
        --take-management
        --tx-ring
        --unaligned -u
        --user
        --wait
        --yes
        --zero-copy -z"#]]);
    pinned("filter", &expect![[r#"
        --help -h
        --json
        --kernel
        --listing
        --pcap"#]]);
    pinned("steer", &expect![[r#"
        --drop
        --help -h
        --json
        --queue -q"#]]);
    pinned("steer lo delete", &expect![[r#"
        --all
        --help -h
        --json"#]]);
    pinned("napi lo show", &expect![[r#"
        --help -h
        --json"#]]);
    pinned("napi lo set", &expect![[r#"
        --defer-hard-irqs
        --gro-flush-timeout
        --help -h
        --irq-suspend-timeout
        --json
        --queue -q
        --threaded"#]]);
    pinned("napi lo profile", &expect![[r#"
        --help -h
        --json
        --queue -q"#]]);
    pinned("plot", &expect![[r#"
        --help -h
        --output -o
        --title"#]]);
    pinned("completions", &expect!["--help -h"]);
    pinned("man", &expect![[r#"
        --dir
        --help -h"#]]);
}
