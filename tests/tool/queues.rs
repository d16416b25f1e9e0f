//! Several queues in one run (`-q all`, `-q 0-3`, `-q 0,2`).

use crate::common::{Cable, left_on, wait_for};
use crate::fixture::{Ended, Fixture, LIMIT, TOOL, Tool, WAIT, foreign};
use rustix::process::Signal;
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};
use xsk::XdpMode;
use xsk::test_util::{VethPair, ip, privileged};

/// Returns number, received and sent packets of each queue in a summary.
fn queues(summary: &Value) -> Vec<[u64; 3]> {
    let queues = summary["queues"].as_array().unwrap().iter();
    let keys = ["queue", "rx_packets", "tx_packets"];
    queues.map(|queue| keys.map(|key| queue[key].as_u64().unwrap())).collect()
}

/// Checks that the figures of the queues add up to those of the run.
fn assert_adds_up(summary: &Value) {
    let keys = ["rx_packets", "rx_bytes", "rx_lost", "tx_packets", "tx_bytes", "tx_lost"];
    for key in keys {
        let queues = summary["queues"].as_array().unwrap();
        let sum: u64 = queues.iter().map(|queue| queue[key].as_u64().unwrap()).sum();
        assert_eq!(summary["total"][key], sum, "{key}: {summary}");
    }
}

/// Waits for a report of so many received packets.
fn wait_for_received(tool: &Tool, count: u64) {
    wait_for("a report of all packets", || {
        let report: Value = serde_json::from_str(&tool.line()).unwrap();
        report["total"]["rx_packets"].as_u64() == Some(count)
    });
}

#[test]
fn each_queue_counts_what_came_on_it() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(4);
    for (letters, title, wanted) in [
        (
            "-q all",
            "near queues 0-3 of 4: native mode",
            [(0, 10), (1, 20), (2, 30), (3, 40)].as_slice(),
        ),
        ("-q 0,2-3 -p", "near queues 0,2-3 of 4: native mode", &[(0, 10), (2, 30), (3, 40)]),
        ("-q 3,1 -p -F", "near queues 1,3 of 4, packets of several frames: ", &[(1, 20), (3, 40)]),
    ] {
        let tool = fixture.start(&format!("rxdrop {letters}"));
        let line = tool.note();
        assert!(line.starts_with(title), "{line}");
        for queue in 0..4 {
            fixture.send(queue, 10 * (queue + 1));
        }
        let all = wanted.iter().map(|(_, count)| count).sum();
        wait_for_received(&tool, all);
        let summary = tool.stop().summary();
        let wanted: Vec<_> = wanted.iter().map(|(queue, count)| [*queue, *count, 0]).collect();
        assert_eq!(queues(&summary), wanted, "{letters}");
        assert_eq!((&summary["rx_packets"], &summary["queue"]), (&all.into(), &Value::Null));
        assert_eq!(
            (&summary["zero_copy"], &summary["queues"][0]["zero_copy"]),
            (&false.into(), &false.into())
        );
        assert_adds_up(&summary);
        assert_eq!(fixture.left(), None);
    }
    // For people.
    let tool = Tool::start(&fixture.cable.left, &format!("rxdrop -q 0-1 -p -i near -C 3 {WAIT}"));
    assert!(tool.line().starts_with("near queues 0-1 of 4: "));
    fixture.send(0, 1);
    fixture.send(1, 2);
    let ended = tool.end();
    let last: Vec<&str> = ended.out.iter().rev().take(2).rev().map(String::as_str).collect();
    let wanted = [
        "queue 0: 1 received, 0 lost; 0 sent, 0 lost",
        "queue 1: 2 received, 0 lost; 0 sent, 0 lost",
    ];
    assert_eq!(last, wanted, "{ended:?}");
    assert!(ended.out.iter().any(|line| line == "near:0-1 rxdrop native"), "{ended:?}");
}

#[test]
fn each_queue_has_a_line_with_its_losses() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let line = format!("rxdrop -i near -q all -p -x --chunks 1 {WAIT}");
    let tool = Tool::start(&fixture.cable.left, &line);
    tool.line();
    // More at once than there are chunks.
    fixture.send(1, 2000);
    tool.note();
    let ended = tool.stop();
    let line = ended.out.iter().find(|line| line.starts_with("queue 1: ")).unwrap();
    let numbers: String = line.replace(',', "");
    let numbers: Vec<u64> =
        numbers.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [received, lost, 0, 0] = numbers[..] else { panic!("{line}") };
    assert_eq!(received + lost, 2000, "{line}");
    assert!(lost > 0, "{line}");
    // The kernel's counter of this name is another one.
    let names = ["rx lost ", "rx_dropped "];
    for name in names {
        assert!(ended.out.iter().any(|line| line.starts_with(name)), "{name}: {ended:?}");
    }
    assert!(!ended.out.iter().any(|line| line.starts_with("rx dropped")), "{ended:?}");
}

#[test]
fn each_queue_sends_its_packets_back() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(4);
    for letters in ["-q 0,2", "-q 0,2 -p", "-q 0,2 -p -F", "-q 0,2 -m"] {
        let before = fixture.cable.veth.b().info().unwrap().counters.rx_packets;
        let tool = fixture.start(&format!("l2fwd {letters} -C 90")).ready();
        for (queue, count) in [(0, 30), (1, 50), (2, 60)] {
            fixture.send(queue, count);
        }
        let summary = tool.summary();
        assert_eq!(queues(&summary), [[0, 30, 30], [2, 60, 60]], "{letters}");
        assert_adds_up(&summary);
        wait_for("the packets at the far end", || {
            fixture.cable.veth.b().info().unwrap().counters.rx_packets - before >= 90
        });
        assert_eq!(fixture.left(), None);
    }
}

#[test]
fn a_count_is_for_all_queues_together() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(3);
    for letters in ["", "-p", "-b 7", "-p --tx-timestamps", "-F"] {
        let before = fixture.cable.veth.a().info().unwrap().counters.tx_packets;
        let summary = fixture.start(&format!("txonly -q all -C 5000 {letters}")).summary();
        let sent = fixture.cable.veth.a().info().unwrap().counters.tx_packets - before;
        assert_eq!((&summary["tx_packets"], sent), (&5000.into(), 5000), "{letters}");
        assert_eq!(summary["ended"], "count");
        assert_adds_up(&summary);
        if letters.contains("timestamps") {
            assert_eq!(summary["tx_timestamps"]["asked"], 5000);
            assert_eq!(summary["tx_timestamps"]["packets"], 5000);
        }
    }
    for letters in ["", "-p", "-b 7 -p"] {
        let tool = fixture.start(&format!("rxdrop -q all -C 100 {letters}")).ready();
        for queue in 0..3 {
            fixture.send(queue, 40);
        }
        let summary = tool.summary();
        assert_eq!(summary["rx_packets"], 100, "{letters}");
        assert!(queues(&summary).iter().all(|[_, received, _]| *received <= 40), "{summary}");
        assert_adds_up(&summary);
    }
}

#[test]
fn time_and_signals_end_all_queues() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(3);
    for (line, signals, code, ended) in [
        ("rxdrop -p -d 1", [].as_slice(), 0, "time"),
        ("rxdrop -d 1 -C 5", &[], 3, "time"),
        ("txonly -p -d 1", &[], 0, "time"),
        ("l2fwd -d 1 -p", &[], 0, "time"),
        ("rxdrop", &[Signal::INT], 0, "signal"),
        ("rxdrop -p -S", &[Signal::TERM], 0, "signal"),
        ("txonly -d 60", &[Signal::INT], 130, "signal"),
        ("l2fwd -C 5 -p", &[Signal::TERM], 143, "signal"),
        ("l2fwd -p", &[Signal::STOP, Signal::INT, Signal::TERM, Signal::CONT], 0, "signal"),
        ("rxdrop -p --attach link", &[Signal::HUP, Signal::INT], 0, "signal"),
    ] {
        let start = Instant::now();
        let tool = fixture.start(&format!("{line} -q all")).ready();
        signals.iter().for_each(|signal| tool.signal(*signal));
        let summary = tool.end().summary_of(code);
        assert_eq!(summary["ended"], ended, "{line}");
        assert_eq!(queues(&summary).len(), 3, "{line}");
        let time = summary["seconds"].as_f64().unwrap();
        assert!(ended == "signal" || (1.0..20.0).contains(&time), "{line}: {summary}");
        assert!(start.elapsed() < 2 * LIMIT, "{line}: {:?}", start.elapsed());
        assert_eq!(fixture.left(), None, "{line}");
    }
}

#[test]
fn an_interface_that_goes_away_ends_all_queues() {
    if !privileged!() {
        return;
    }
    for line in [
        "rxdrop",
        "rxdrop -p -n 60",
        "rxdrop -p -S --attach link",
        "txonly",
        "txonly -p",
        "l2fwd -p",
    ] {
        let fixture = Fixture::new(3);
        let tool = fixture.start(&format!("{line} -q all")).ready();
        let start = Instant::now();
        ip::delete(fixture.cable.veth.a()).unwrap();
        let ended = tool.end();
        assert!(start.elapsed() < Duration::from_secs(15), "{line}: {:?}", start.elapsed());
        for words in ["near is gone", "ENODEV"] {
            assert!(ended.failure_of(4).contains(words), "{line}: {ended:?}");
        }
        let summary = ended.summary_of(4);
        assert_eq!((&summary["ended"], queues(&summary).len()), (&"interface_gone".into(), 3));
    }
}

#[test]
fn a_program_that_is_taken_off_ends_all_queues() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for line in ["rxdrop -p", "l2fwd -d 60 -n 60"] {
        let tool = fixture.start(&format!("{line} -q all")).ready();
        let other = foreign(&fixture, true);
        assert!(tool.note().contains("taken off near"));
        let ended = tool.end();
        assert_eq!(ended.summary_of(5)["ended"], "program_taken_off");
        other.close().unwrap();
    }
}

#[test]
fn a_link_that_flaps_ends_no_queue_and_a_count_waits_for_it() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let near = fixture.cable.veth.a();
    let down = "near is down: nothing comes or goes until it is up";
    for letters in ["", "-p"] {
        let sender = fixture.start(&format!("txonly -q all {letters}")).ready();
        ip::set_up(near, false).unwrap();
        assert_eq!(sender.note(), down);
        ip::set_up(near, true).unwrap();
        assert_eq!(sender.note(), "near is up again");
        let sent = || near.info().unwrap().counters.tx_packets;
        let before = sent();
        wait_for("packets after the flap", || sent() > before + 100);
        sender.stop().summary();

        ip::set_up(near, false).unwrap();
        let mut sender = fixture.start(&format!("txonly -q all -C 100 {letters}")).ready();
        assert_eq!(sender.note(), down);
        // Longer than it waits for packets that are being sent.
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(sender.ended(), None, "{letters}");
        ip::set_up(near, true).unwrap();
        assert_eq!(sender.note(), "near is up again");
        assert_eq!(sender.summary()["tx_packets"], 100);
    }
    ip::wait_for_carrier(near, Duration::from_secs(10)).unwrap();
    for letters in ["", "-p"] {
        let forwarder = fixture.start(&format!("l2fwd -q all -C 200 {letters}")).ready();
        fixture.send(0, 100);
        ip::set_up(near, false).unwrap();
        assert_eq!(forwarder.note(), down);
        ip::set_up(near, true).unwrap();
        assert_eq!(forwarder.note(), "near is up again");
        ip::wait_for_carrier(near, Duration::from_secs(10)).unwrap();
        fixture.send(1, 100);
        assert_eq!(forwarder.summary()["rx_packets"], 200);
        assert_eq!(fixture.left(), None);
    }
}

/// Nothing that was made for the other queues stays.
#[test]
fn a_queue_that_is_taken_is_refused_with_all_others() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(3);
    let first = fixture.start("rxdrop -q 1").ready();
    for command in ["rxdrop", "txonly", "l2fwd"] {
        // Long enough for queue 0, which the kernel frees some time after the run before.
        let line = format!("{command} -i near -q all --wait 4000");
        let ended = Tool::start(&fixture.cable.left, &line).end();
        for words in ["near", "queue 1", "EBUSY"] {
            assert!(ended.failure().contains(words), "{command}: {words}: {ended:?}");
        }
    }
    // While it waits, a signal ends it.
    let second = fixture.start("rxdrop -q all");
    wait_for("sockets", || second.has_rings());
    second.signal(Signal::TERM);
    assert!(second.end().failure_of(143).contains("waited for queue "));
    first.stop().summary();
    assert_eq!(fixture.left(), None);
    let third = fixture.start("rxdrop -q all -C 10").ready();
    fixture.send(2, 10);
    assert_eq!(queues(&third.summary()), [[0, 0, 0], [1, 0, 0], [2, 10, 0]]);
}

#[test]
fn a_set_that_names_no_queues_of_the_interface_is_refused() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for line in ["rxdrop -q 0-2", "txonly -q 1,2", "l2fwd -q 0,7-9"] {
        let ended = fixture.start(line).end();
        for words in ["near has no queue", "it has 2 queue(s)", "`ethtool -l near`"] {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
        assert_eq!(fixture.left(), None, "{line}");
    }
    for (line, words) in [
        ("rxdrop -q 0-1 -M 2", "cannot be used with -M"),
        ("l2fwd -q all -M 2", "cannot be used with -M"),
        ("rxdrop -q 3-1", "the range 3-1 ends before it begins"),
        ("rxdrop -q 0,", "is no number"),
        ("txonly -q every", "is no number"),
        ("txonly -q 65536", "65536 is not below 65536"),
    ] {
        let ended = fixture.start(line).end();
        assert_eq!(ended.status.code(), Some(2), "{line}: {ended:?}");
        assert!(ended.err.join("\n").contains(words), "{line}: {ended:?}");
    }
}

#[test]
fn a_queue_without_the_side_that_a_command_needs_is_left_out() {
    if !privileged!() {
        return;
    }
    let cable = Cable::build(VethPair::builder().rx_tx_queues(2, 4).names("near", "far"));
    let start = |line: &str| Tool::start(&cable.left, &format!("{line} -i near --json {WAIT}"));
    for (line, served) in [("rxdrop", 2), ("l2fwd", 2), ("txonly", 4)] {
        let ended = start(&format!("{line} -q all -d 1")).end();
        let summary = ended.summary();
        let numbers: Vec<u64> = queues(&summary).iter().map(|[queue, ..]| *queue).collect();
        assert_eq!(numbers, (0..served).collect::<Vec<_>>(), "{line}");
        let objects = ended.objects();
        let events = objects.iter().filter(|object| object["event"] == "queues_left_out");
        let texts: Vec<&Value> = events.map(|event| &event["message"]).collect();
        if served == 4 {
            assert_eq!(texts, [&Value::Null; 0], "{ended:?}");
            continue;
        }
        let [text] = texts[..] else { panic!("{line}: {ended:?}") };
        let text = text.as_str().unwrap();
        for words in ["queues 2-3 of near", "2 RX queue(s) and 4 TX queue(s)"] {
            assert!(text.contains(words), "{text}");
        }
        assert!(ended.err.iter().any(|line| line == text), "{ended:?}");
        let ended = start(&format!("{line} -q 2,3")).end();
        assert!(ended.failure().contains("2 RX queue(s) and 4 TX queue(s)"), "{ended:?}");
        assert_eq!(left_on(cable.veth.a()), None);
    }
}

#[test]
fn packets_that_come_to_none_of_the_queues_are_noted() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(4);
    let tool = fixture.start("rxdrop -q 0,2 -p").ready();
    fixture.send(3, 20);
    let note = tool.note();
    let wanted = "no packet has come to queues 0,2, and ";
    assert!(note.contains(wanted) && note.contains(" to others of the 4 queues of near"), "{note}");
    tool.stop().summary();
}

/// Checks the output of a run on one queue.
fn assert_one_queue(ended: &Ended, queue: u32) {
    for object in ended.objects() {
        assert_eq!(object["queue"], queue, "{ended:?}");
        assert_eq!(object.get("queues"), None, "{ended:?}");
    }
}

#[test]
fn one_queue_has_the_output_of_one() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for set in ["1", "1-1", "1,1"] {
        let tool = fixture.start(&format!("rxdrop -q {set} -C 10"));
        let title = tool.note();
        assert!(title.starts_with("near queue 1 of 2: native mode, "), "{title}");
        fixture.send(1, 10);
        let ended = tool.end();
        assert_eq!(ended.summary()["rx_packets"], 10);
        assert_one_queue(&ended, 1);
        assert_one_queue(&fixture.start(&format!("txonly -q {set} -C 10")).end(), 1);
    }
    let ended = Tool::start(&fixture.cable.left, &format!("txonly -i near -C 5 {WAIT}")).end();
    assert!(ended.out[0].starts_with("near queue 0 of 2: copy mode, "), "{ended:?}");
    let last = ended.out.last().unwrap();
    assert!(last.starts_with("bytes (rx, tx)"), "{ended:?}");
    assert!(ended.out.iter().any(|line| line == "near:0 txonly no program"), "{ended:?}");
}

/// The one queue of an interface, as `all`, has the output of several.
#[test]
fn all_queues_of_an_interface_with_one_are_a_list() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = fixture.start("rxdrop -q all -p -C 10");
    assert!(tool.note().starts_with("near queue 0: native mode"));
    fixture.send(0, 10);
    let ended = tool.end();
    assert_eq!(queues(&ended.summary()), [[0, 10, 0]]);
    assert!(ended.objects().iter().all(|object| object["queue"].is_null()), "{ended:?}");
}

#[test]
fn an_output_that_is_not_read_keeps_no_queue_from_its_end() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let mut tool = fixture.start("rxdrop -q all -p").ready();
    tool.hang_up();
    let ended = tool.end();
    assert_eq!(ended.status.code(), Some(141), "{ended:?}");
    assert_eq!(fixture.left(), None);

    let (mut child, reader) = crate::ends::unread(
        &fixture.cable.left,
        &["l2fwd", "-i", "near", "-q", "all", "--json", "--wait", "20000"],
    );
    wait_for("the program", || fixture.attached() == Some(XdpMode::Native));
    let id = i32::try_from(child.id()).unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    let start = Instant::now();
    rustix::process::kill_process(id, Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    assert_ne!(status.code(), None, "{status}");
    drop(reader);
    assert_eq!(fixture.left(), None);
}

#[test]
fn the_help_says_what_several_queues_are() {
    for command in ["rxdrop", "txonly", "l2fwd"] {
        let output = Command::new(TOOL).args([command, "--help"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in ["-q, --queue <QUEUES>", "0,2,4-7", "In JSON the summary has \"queues\""] {
            assert!(text.contains(words), "{command}: {text}");
        }
    }
}
