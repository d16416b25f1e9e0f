//! `xsk latency`, and busy polling of the other commands.

use crate::common::{kernel_can, kernel_since, left_on, wait_for};
use crate::fixture::{Fixture, Tool};
use rustix::process::Signal;
use serde_json::Value;
use std::time::{Duration, Instant};
use xsk::test_util::{Namespace, VethPair, ip, privileged, test_name};

/// Checks that the figures of one object add up.
fn check(object: &Value, transport: &str, wait: &str, profile: &str) {
    let number = |name: &str| object[name].as_u64().unwrap_or_else(|| panic!("{name}: {object}"));
    assert_eq!(object["command"], "latency");
    assert_eq!((&object["transport"], &object["wait"]), (&transport.into(), &wait.into()));
    assert_eq!(object["profile"], profile);
    let (sent, received) = (number("sent"), number("received"));
    assert!(received > 0 && received <= sent, "{object}");
    assert_eq!(number("lost"), sent - received);
    let parts = object["histogram"].as_array().unwrap();
    let count: u64 = parts.iter().map(|part| part["count"].as_u64().unwrap()).sum();
    assert_eq!(count, received, "{object}");
    let names = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"];
    let figures = names.map(number);
    assert!(figures.is_sorted() && figures[0] > 0, "{figures:?}");
    let [first, .., last] = &parts[..] else { return };
    assert!(first["from_ns"].as_u64().unwrap() <= figures[0], "{object}");
    assert!(figures[5] < last["to_ns"].as_u64().unwrap(), "{object}");
    assert!(object["seconds"].as_f64().unwrap() > 0.0);
    assert!(sent + number("skipped") <= number("pps") * 60, "{object}");
}

/// Runs it in a namespace of its own, and returns its objects.
fn objects(line: &str) -> Vec<Value> {
    let ended = Tool::start(&Namespace::new().unwrap(), line).end();
    assert_eq!(ended.status.code(), Some(0), "{line}: {ended:?}");
    // The kernel may take its time to free the queue of the way before.
    assert!(ended.err.is_empty(), "{ended:?}");
    ended.objects()
}

#[test]
fn the_figures_of_each_way_add_up() {
    if !privileged!() {
        return;
    }
    for (line, transport, wait, size) in [
        ("latency -N", "xsk", "sleep", 60),
        ("latency -S --spin --size 1514", "xsk", "spin", 1514),
        // Its packets have room for what the measurement writes.
        ("latency --udp -s 42 --pps 1000", "udp", "sleep", 66),
        ("latency --udp --spin --pps 100 -s 67", "udp", "spin", 67),
    ] {
        let objects = objects(&format!("{line} -d 1 --json"));
        let [object] = &objects[..] else { panic!("{objects:?}") };
        check(object, transport, wait, "none");
        assert_eq!(object["size"], size, "{line}");
        assert_eq!((&object["ended"], &object["error"]), (&"time".into(), &Value::Null));
        assert_eq!(object["mode"].is_null(), transport == "udp");
    }
}

#[test]
fn a_comparison_has_an_object_or_a_row_for_each_way() {
    if !privileged!() {
        return;
    }
    let profiles = kernel_since(6, 13);
    if !kernel_can(test_name!(), profiles, "settings of single NAPI instances: Linux 6.13") {
        return;
    }
    let found = objects("latency --compare -d 1 --pps 500 --json");
    let ways = [
        ("xsk", "spin", "none"),
        ("xsk", "spin", "latency"),
        ("xsk", "sleep", "none"),
        ("xsk", "sleep", "latency"),
        ("xsk", "sleep", "throughput"),
        ("udp", "spin", "none"),
        ("udp", "sleep", "none"),
    ];
    assert_eq!(found.len(), ways.len());
    for (object, (transport, wait, profile)) in found.iter().zip(ways) {
        check(object, transport, wait, profile);
    }
    let ended = Tool::start(&Namespace::new().unwrap(), "latency --compare -d 1 --pps 500").end();
    assert_eq!((ended.status.code(), ended.out.len()), (Some(0), 9), "{ended:?}");
    assert!(ended.out[1].starts_with("round trip, us"), "{ended:?}");
    assert!(ended.out[7].starts_with("UDP, spinning"), "{ended:?}");
}

#[test]
fn a_way_that_cannot_be_measured_has_an_object_in_a_comparison_too() {
    if !privileged!() {
        return;
    }
    let can = kernel_since(6, 13);
    if !kernel_can(test_name!(), can, "settings of single NAPI instances: Linux 6.13") {
        return;
    }
    // Without a native program no setting of NAPI concerns the packets.
    let found = objects("latency -S --compare -d 1 --pps 500 --json");
    let failed: Vec<_> = found.iter().filter(|object| object["ended"] == "error").collect();
    assert_eq!((found.len(), failed.len()), (7, 3), "{found:?}");
    for object in failed {
        assert_ne!(object["profile"], "none", "{object}");
        assert_eq!((&object["sent"], &object["max_ns"]), (&0.into(), &Value::Null));
        assert!(object["error"].as_str().unwrap().contains("has no NAPI instance"), "{object}");
    }
}

/// Returns the processors that each thread of a process may run on, those of the main one first.
fn processors(process: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let mut threads: Vec<_> = threads.map(|thread| thread.unwrap().path()).collect();
    threads.sort();
    let list = |status: String| {
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.unwrap().trim().to_owned()
    };
    threads
        .iter()
        .filter_map(|path| std::fs::read_to_string(path.join("status")).ok())
        .map(list)
        .collect()
}

#[test]
fn the_threads_that_measure_are_pinned_to_the_processors_that_are_named() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let cpus = rustix::thread::sched_getaffinity(None).unwrap();
    let cpus: Vec<usize> = (0..1024).filter(|cpu| cpus.is_set(*cpu)).collect();
    let all = processors(std::process::id())[0].clone();
    let (first, last) = (cpus[0], cpus[cpus.len() - 1]);
    let two = cpus.len() > 1;
    let before_last = if two { cpus[cpus.len() - 2] } else { last };
    for (letters, wanted) in [
        (format!("--cpus {last},{first}"), Some([last, first])),
        (format!("--spin --cpus {first},{first}"), Some([first, first])),
        ("--spin".to_owned(), two.then_some([before_last, last])),
        (String::new(), None),
        (format!("--udp --cpus {first},{last}"), Some([first, last])),
    ] {
        let tool = Tool::start(&here, &format!("latency -d 100 --json {letters}"));
        if let Some([near, far]) = wanted {
            wait_for("pinned threads", || {
                let found = processors(tool.id());
                found[0] == near.to_string() && found[1..].contains(&far.to_string())
            });
        }
        // The main one, the echo, and those for signals, lines and both interfaces.
        wait_for("all threads", || processors(tool.id()).len() > 5);
        let others = processors(tool.id()).iter().filter(|list| **list == all).count();
        assert!(others >= 4, "those that do other work are where they may be: {letters}");
        tool.signal(Signal::INT);
        let object = tool.end().objects().pop().unwrap();
        assert_eq!(object["cpus"], serde_json::json!(wanted), "{letters}: {object}");
    }
    let text = Tool::start(&here, &format!("latency -d 1 --cpus {first},{last}")).end();
    assert!(text.out[1].contains(&format!("pinned to processors {first} and {last}")), "{text:?}");
    if two {
        let ended = Tool::start(&here, "latency --compare -d 1 --pps 100").end();
        let wanted =
            format!("the threads that spin are pinned to processors {before_last} and {last}");
        assert!(ended.out[0].ends_with(&wanted), "{ended:?}");
    }
}

#[test]
fn a_picture_shows_where_the_times_are() {
    if !privileged!() {
        return;
    }
    let ended = Tool::start(&Namespace::new().unwrap(), "latency -d 1 --pps 1000").end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.out[0].contains("and back, in network namespaces of their own"), "{ended:?}");
    assert!(ended.out[1].starts_with("AF_XDP, sleeping; native mode"), "{ended:?}");
    assert!(ended.out[3].contains("round trip in us: min "), "{ended:?}");
    assert!(ended.out[4..].iter().any(|line| line.ends_with(&"#".repeat(40))), "{ended:?}");
}

#[test]
fn existing_interfaces_are_used_and_left_as_they_were() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let cable = VethPair::builder().queues(2).names("in", "out").build(&here, &here).unwrap();
    let settings = || cable.a().napi(1).unwrap();
    let profile = if kernel_since(6, 13) { "throughput" } else { "none" };
    let line = format!("latency -i in -o out -q 0 -d 1 --profile {profile} -N --json");
    let before = settings();
    let ended = Tool::start(&here, &line).end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    check(&ended.objects()[0], "xsk", "sleep", profile);
    assert_eq!(settings(), before);
    for end in [cable.a(), cable.b()] {
        assert_eq!(left_on(end), None);
    }
}

#[test]
fn a_signal_ends_it_with_what_was_measured() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
    for (letters, signal, code) in [("", Signal::INT, 130), ("--spin", Signal::TERM, 143)] {
        let line = format!("latency -i in -o out -d 100 --json {letters}");
        let count = || cable.b().info().unwrap().counters.rx_packets;
        let before = count();
        let tool = Tool::start(&here, &line);
        wait_for("packets", || count() > before + 200);
        tool.signal(signal);
        let start = Instant::now();
        let ended = tool.end();
        assert!(start.elapsed() < Duration::from_secs(15));
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
        let object = &ended.objects()[0];
        check(object, "xsk", if letters.is_empty() { "sleep" } else { "spin" }, "none");
        assert_eq!(object["ended"], "signal");
        assert_eq!((left_on(cable.a()), left_on(cable.b())), (None, None));
    }
}

#[test]
fn an_interface_that_goes_or_is_down_ends_it_with_words() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
    let count = |from: u64| {
        wait_for("packets", || cable.b().info().unwrap().counters.rx_packets > from);
        cable.b().info().unwrap().counters.rx_packets
    };
    // Down, and up again: it goes on.
    let tool = Tool::start(&here, "latency -i in -o out -d 100 --pps 1000 --json");
    let before = count(100);
    ip::set_up(cable.b(), false).unwrap();
    let note = tool.note();
    assert!(note.contains("is down") || note.contains("carrier"), "{note}");
    ip::set_up(cable.b(), true).unwrap();
    count(before + 200);
    ip::delete(cable.a()).unwrap();
    let ended = tool.end();
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    let object = &ended.objects()[0];
    check(object, "xsk", "sleep", "none");
    assert_eq!(object["ended"], "interface_gone");
    assert!(ended.failure_of(4).contains("is gone"), "{ended:?}");
}

#[test]
fn a_reader_that_ends_ends_it() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let mut tool = Tool::start(&here, "latency --compare -d 1 --pps 100");
    tool.line();
    tool.hang_up();
    let ended = tool.end();
    assert_eq!(ended.status.code(), Some(141), "{ended:?}");
}

#[test]
fn nonsense_is_refused_with_words() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let _cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
    for (line, code, words) in [
        ("latency --pps 0", 2, "0"),
        ("latency --pps 1000001", 2, "1000000"),
        ("latency -s 41", 2, "42"),
        ("latency -s 1515", 2, "1514"),
        ("latency -d 0", 2, "0"),
        ("latency --profile fast", 2, "throughput"),
        ("latency --cpus 1", 2, "as in 2,3"),
        ("latency --cpus 0,1023", 1, "may not run on processor 1023 (--cpus)"),
        ("latency --udp --profile latency", 2, "--profile"),
        ("latency --udp -i in -o out", 2, "--interface"),
        ("latency --compare --spin", 2, "--spin"),
        ("latency -i in", 2, "--output"),
        ("latency -q 1", 2, "--interface"),
        ("latency -i in -o in", 1, "both ends"),
        ("latency -i in -o nope", 1, "nope"),
        ("latency -i in -o out -q 7 --json", 1, "queue 7"),
        ("rxdrop -i in --budget 8", 2, "--busy-poll"),
        ("rxdrop -i in -B --budget 65536", 2, "65535"),
    ] {
        let ended = Tool::start(&here, line).end();
        assert_eq!(ended.status.code(), Some(code), "{line}: {ended:?}");
        assert!(ended.err.join("\n").contains(words), "{line}: {ended:?}");
        assert_eq!(ended.out, [""; 0], "{line}");
    }
    // No cable joins these.
    let ended = Tool::start(&here, "latency -i in -o lo -d 1 --json").end();
    assert!(ended.failure().contains("packets came back"), "{ended:?}");
    let object = &ended.objects()[0];
    assert_eq!((&object["received"], &object["max_ns"]), (&0.into(), &Value::Null));
    assert_eq!(object["ended"], "error");
    let _wide = VethPair::builder().queues(4).names("one", "two").build(&here, &here).unwrap();
    let ended = Tool::start(&here, "latency -i one -o two -S -q 2 -d 1").end();
    for words in ["no packet has come to queue 2, and ", "of the 4 queues of two", "queue N-1"] {
        assert!(ended.failure().contains(words), "{ended:?}");
    }
    // Without a native program no setting of NAPI concerns the packets.
    let can = kernel_since(6, 13);
    if kernel_can(test_name!(), can, "settings of single NAPI instances: Linux 6.13") {
        let ended = Tool::start(&here, "latency -S --profile throughput").end();
        assert!(ended.failure().contains("has no NAPI instance"), "{ended:?}");
    }
}

#[test]
fn the_summary_says_whether_busy_polling_has_an_effect() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    if !kernel_can(test_name!(), kernel_since(5, 11), "busy polling: Linux 5.11") {
        return;
    }
    for line in ["rxdrop -B", "l2fwd -B --budget 8 -p", "rxdrop -B -M 2"] {
        let tool = fixture.start(line).ready();
        fixture.send(0, 100);
        let count = || {
            let object: Value = serde_json::from_str(&tool.line()).unwrap();
            object["total"]["rx_packets"].as_u64()
        };
        if kernel_since(6, 14) {
            // Before it ends.
            let note = tool.note();
            let wanted = "queue 0 of near: busy polling has no effect: the kernel knows no NAPI";
            assert!(note.starts_with(wanted), "{line}: {note}");
        }
        wait_for("packets", || count() == Some(100));
        let ended = tool.stop();
        let events = ended.objects();
        let events = events.iter().filter(|object| object["event"] == "busy_poll_no_effect");
        assert!(events.count() <= 1, "once: {ended:?}");
        let summary = ended.summary();
        // A veth names no NAPI instances, by which the kernel knows them since 6.14.
        let effect = &summary["busy_poll_effect"];
        assert!(effect.is_boolean(), "{summary}");
        assert!(!kernel_since(6, 14) || effect == false, "{summary}");
    }
    let summary = fixture.start("txonly -B -C 100").summary();
    assert!(summary["busy_poll_effect"].is_boolean());
    let plain = fixture.start("txonly -C 100").summary();
    assert!(plain.get("busy_poll_effect").is_none());
    let text = Tool::start(&fixture.cable.left, "txonly -i near -B -C 100").end();
    assert!(text.out.join("\n").contains("busy polling has no effect"), "{text:?}");
}
