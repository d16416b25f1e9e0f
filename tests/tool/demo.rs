//! `xsk demo`.

use crate::common::{kernel_can, kernel_since, left_on, wait_for};
use crate::fixture::{Fixture, Tool, attached, foreign_on};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use xsk::test_util::{Namespace, VethPair, ip, privileged, test_name};

const FIELDS: [&str; 13] = [
    "command",
    "mode",
    "zero_copy",
    "size",
    "batch",
    "packets",
    "lost",
    "corrupt",
    "duplicated",
    "chunks",
    "chunks_home",
    "seconds",
    "pps",
];

fn check(object: &str, mode: &str, size: u32, batch: u32, packets: u32) {
    let object: Value = serde_json::from_str(object).unwrap();
    let fields: BTreeSet<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(FIELDS));
    assert_eq!(object["command"], "demo");
    assert_eq!(object["mode"], mode);
    assert_eq!(object["zero_copy"], false, "a veth pair copies");
    assert_eq!(object["size"], size);
    assert_eq!(object["batch"], batch);
    assert_eq!(object["packets"], packets);
    for field in ["lost", "corrupt", "duplicated"] {
        assert_eq!(object[field], 0, "{field}");
    }
    assert_eq!(object["chunks"], object["chunks_home"]);
    assert!(object["chunks"].as_u64().unwrap() > 0);
    assert!(object["seconds"].as_f64().unwrap() > 0.0);
    assert!(object["pps"].as_u64().unwrap() > 0);
}

#[test]
fn both_modes_lose_nothing_at_any_size_and_batch() {
    if !privileged!() {
        return;
    }
    let anywhere = Namespace::new().unwrap();
    // Those above 3520 take several chunks, which older kernels do not have.
    let sizes = [37, 60, 1500, 3520, 3521, 9000, 65_549];
    let jumbo = kernel_can(test_name!(), kernel_since(6, 6), "jumbo frames: Linux 6.6");
    for size in sizes.into_iter().filter(|size| jumbo || *size <= 3520) {
        let count = if size > 3520 { 500 } else { 5000 };
        for batch in [1, 64, 256, 1024] {
            let line = format!("demo --count {count} --size {size} -b {batch} --json");
            let ended = Tool::start(&anywhere, &line).end();
            assert_eq!(ended.status.code(), Some(0), "{ended:?}");
            assert_eq!(ended.err, [""; 0]);
            let [native, generic] = &ended.out[..] else { panic!("{ended:?}") };
            check(native, "native", size, batch, count);
            check(generic, "generic", size, batch, count);
        }
    }
}

#[test]
fn existing_interfaces_are_used_and_left_as_they_were() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
    for (letter, mode) in [("-N", "native"), ("-S", "generic")] {
        let line = format!("demo -i in -o out {letter} --count 5000 --json");
        let ended = Tool::start(&here, &line).end();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let [only] = &ended.out[..] else { panic!("{ended:?}") };
        check(only, mode, 60, 64, 5000);
        assert_eq!((left_on(cable.a()), left_on(cable.b())), (None, None));
    }
    let ended = Tool::start(&here, "demo -i in -o out --size 1515").end();
    for words in ["1515", "out", "1500", "1514"] {
        assert!(ended.failure().contains(words), "{ended:?}");
    }
    // Frames that arrive nowhere: the run ends, reports it, and cleans up.
    let lonely = VethPair::builder().names("lonely", "other").build(&here, &here).unwrap();
    let ended = Tool::start(&here, "demo -i in -o lonely -N --count 5000").end();
    assert!(ended.failure().contains("lost"), "{ended:?}");
    assert_eq!((left_on(cable.a()), left_on(lonely.a())), (None, None));
}

/// Frames that the sender's interface drops: the report says so, and why.
#[test]
fn the_cause_of_lost_packets_is_named() {
    if !privileged!() {
        return;
    }
    let too_long = ": in's MTU of 68 is too small for 1000 bytes)";
    for (letter, change, words) in
        [("-N", Change::Mtu, too_long), ("-S", Change::Down, ": in is down)")]
    {
        let here = Namespace::new().unwrap();
        let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
        let line = format!("demo -i in -o out {letter} --size 1000 --count 100000000");
        let tool = Tool::start(&here, &line);
        let counters = || cable.b().info().unwrap().counters;
        wait_for("packets", || counters().tx_packets > 1000);
        let before = counters().tx_dropped;
        // While an end is down, the command sends nothing, once it has seen that: it may be before
        // it sends anything.
        let drops = if matches!(change, Change::Down) { 0 } else { 300 };
        wait_for("drops", || {
            match change {
                Change::Mtu => ip::set_mtu(cable.a(), 68).unwrap(),
                Change::Down => {
                    let sent = counters().tx_packets;
                    ip::set_up(cable.a(), true).unwrap();
                    wait_for("packets", || counters().tx_packets > sent);
                    ip::set_up(cable.a(), false).unwrap();
                }
            }
            counters().tx_dropped > before + drops
        });
        let start = Instant::now();
        let ended = tool.stop();
        // It waits for no link then, which would be for 20 s.
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let message = ended.failure();
        assert!(!message.contains("nothing moved"), "{message}");
        let (_, cause) = message.split_once("duplicated 0 (out dropped ").expect(message);
        let (count, rest) = cause.split_once(" packets").unwrap();
        assert!(count.replace(',', "").parse::<u64>().unwrap() > drops, "{message}");
        assert!(rest.starts_with(words), "{message}");
        assert_eq!(left_on(cable.a()), None);
    }
}

/// What makes the interface drop packets.
#[derive(Clone, Copy)]
enum Change {
    /// The receiving end takes shorter ones only.
    Mtu,
    /// The receiving end is down.
    Down,
}

#[test]
fn the_report_for_people_is_plain_text_in_a_pipe() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let ended = Tool::start(&fixture.cable.left, "demo --count 5000").end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let text = ended.out.join("\n");
    for words in [
        "native mode",
        "generic mode",
        "lost 0, corrupt 0, duplicated 0",
        "per second",
        "back home",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains(['\r', '\x1b']), "{text:?}");
    assert_eq!(ended.err, [""; 0]);
}

#[test]
fn sizes_that_cannot_be_are_refused_with_the_limit() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for (size, limit) in [(0, "37"), (36, "37"), (65_550, "65549"), (u32::MAX, "65549")] {
        let ended = Tool::start(&fixture.cable.left, &format!("demo --size {size}")).end();
        assert!(ended.failure().contains(&size.to_string()), "{ended:?}");
        assert!(ended.failure().contains(limit), "{ended:?}");
        assert_eq!(ended.out, [""; 0]);
    }
}

/// What `--help` says of the ends of the other commands holds for this one.
#[test]
fn an_interface_that_goes_and_a_program_that_is_taken_off_end_it() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let line = "demo -i in -o out -N --count 4000000000";
    let run = || {
        let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
        let tool = Tool::start(&here, line);
        wait_for("the program", || attached(cable.a()).is_some());
        wait_for("packets", || cable.b().info().unwrap().counters.tx_packets > 1000);
        (cable, tool)
    };
    for removed in ["in", "out"] {
        let (cable, tool) = run();
        // Removing one end removes both: either may be missed first.
        ip::delete(if removed == "in" { cable.a() } else { cable.b() }).unwrap();
        let ended = tool.end();
        assert!(ended.failure_of(4).contains("is gone"), "{ended:?}");
    }
    let (cable, tool) = run();
    let elsewhere = Namespace::new().unwrap();
    let moved = elsewhere.take_interface(cable.a()).unwrap();
    let ended = tool.end();
    let words = "take it off there with `ip link set dev in xdpdrv off`";
    assert!(ended.failure_of(4).contains(words), "{ended:?}");
    ip::delete(&moved).unwrap();
    drop(cable);
    let (cable, tool) = run();
    let other = foreign_on(&here, cable.a(), true);
    let ended = tool.end();
    assert!(ended.failure_of(5).contains("was taken off in by another process"), "{ended:?}");
    other.close().unwrap();
}

/// A link that is down is waited for; packets that were on their way are lost, and said to be.
#[test]
fn a_link_that_flaps_is_waited_for() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    for end in ["in", "out"] {
        let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
        let mut tool = Tool::start(&here, "demo -i in -o out -N --count 300000");
        let sent = || cable.b().info().unwrap().counters.tx_packets;
        wait_for("packets", || sent() > 1000);
        let flapping = if end == "in" { cable.a() } else { cable.b() };
        ip::set_up(flapping, false).unwrap();
        // Its other end has lost its carrier, and may be seen first.
        let note = tool.note();
        assert!(note.contains("is down") || note.contains("has no carrier"), "{note}");
        // Longer than packets that do not move end it otherwise.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        assert_eq!(tool.ended(), None, "{end}");
        ip::set_up(flapping, true).unwrap();
        let ended = tool.end();
        assert!(matches!(ended.status.code(), Some(0 | 1)), "{ended:?}");
        assert!(ended.out.join("\n").contains("sent      300,000 packets"), "{ended:?}");
    }
}
