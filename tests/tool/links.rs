//! What becomes of the interface meanwhile: it goes, flaps, is renamed or moved, or loses the program.

use crate::common::{left_on, once_within, wait_for};
use crate::fixture::{Fixture, Tool, foreign};
use std::process::Command;
use std::time::{Duration, Instant};
use xsk::test_util::{Namespace, VethPair, ip, privileged};

#[test]
fn an_interface_that_goes_away_is_an_error_within_about_a_second() {
    if !privileged!() {
        return;
    }
    for line in [
        "rxdrop",
        "rxdrop -p",
        "rxdrop -p -n 60",
        "rxdrop -S -p --attach link",
        "txonly",
        "txonly -p",
        "l2fwd",
        "l2fwd -p",
        "respond -a 192.0.2.1",
        "respond -a 192.0.2.1 -q 0 --attach link",
    ] {
        let fixture = Fixture::new(1);
        let tool = fixture.start(line).ready();
        let start = Instant::now();
        ip::delete(fixture.cable.veth.a()).unwrap();
        let ended = tool.end();
        assert!(start.elapsed() < Duration::from_secs(15), "{line}: {:?}", start.elapsed());
        for words in ["near", "ENODEV"] {
            assert!(ended.failure_of(4).contains(words), "{line}: {ended:?}");
        }
        let summary = ended.summary_of(4);
        assert_eq!(summary["ended"], "interface_gone");
        let error = summary["error"].as_str().unwrap();
        assert!(ended.failure_of(4).ends_with(error), "{ended:?}");
        // By netlink a program stays on an interface that was moved.
        let stays = !["link", "txonly", "respond"].iter().any(|word| line.contains(word));
        let words = "take it off there with `ip link set dev near xdpdrv off`";
        assert_eq!(ended.failure_of(4).contains(words), stays, "{ended:?}");
    }
}

#[test]
fn a_link_that_flaps_ends_neither_sender_nor_receiver() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let receiver = fixture.start("rxdrop -p -C 100").ready();
    let cable = VethPair::builder()
        .names("near2", "far2")
        .build(&fixture.cable.left, &fixture.cable.right)
        .unwrap();
    let senders = ["txonly -i near2 --json", "txonly -p -i near2 --json"];
    for line in senders {
        let sender = Tool::start(&fixture.cable.left, line).ready();
        ip::set_up(cable.a(), false).unwrap();
        assert_eq!(sender.note(), "near2 is down: nothing comes or goes until it is up");
        ip::set_up(cable.a(), true).unwrap();
        assert_eq!(sender.note(), "near2 is up again");
        let sent = || cable.a().info().unwrap().counters.tx_packets;
        let before = sent();
        wait_for("packets after the flap", || sent() > before + 100);
        assert!(sender.stop().summary()["tx_packets"].as_u64().unwrap() > 100, "{line}");
        // Down at the end: it does not wait.
        let sender = Tool::start(&fixture.cable.left, line).ready();
        ip::set_up(cable.a(), false).unwrap();
        assert_eq!(sender.note(), "near2 is down: nothing comes or goes until it is up");
        sender.stop().summary();
        // A count that is still to be sent is waited for.
        let mut sender = Tool::start(&fixture.cable.left, &format!("{line} -C 100")).ready();
        assert_eq!(sender.note(), "near2 is down: nothing comes or goes until it is up");
        // Longer than it waits for packets that are being sent.
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(sender.ended(), None, "{line}");
        ip::set_up(cable.a(), true).unwrap();
        assert_eq!(sender.summary()["tx_packets"], 100);
    }
    ip::set_up(fixture.cable.veth.a(), false).unwrap();
    assert_eq!(receiver.note(), "near is down: nothing comes or goes until it is up");
    ip::set_up(fixture.cable.veth.a(), true).unwrap();
    assert_eq!(receiver.note(), "near is up again");
    let flap = || {
        ip::set_up(fixture.cable.veth.a(), false).unwrap();
        ip::set_up(fixture.cable.veth.a(), true).unwrap();
        ip::wait_for_carrier(fixture.cable.veth.a(), Duration::from_secs(10)).unwrap();
    };
    flap();
    fixture.send(0, 100);
    assert_eq!(receiver.summary()["rx_packets"], 100);
    assert_eq!((fixture.left(), left_on(cable.a())), (None, None));

    let forwarder = fixture.start("l2fwd -C 200").ready();
    fixture.send(0, 100);
    flap();
    fixture.send(0, 100);
    assert_eq!(forwarder.summary()["rx_packets"], 200);
    assert_eq!(fixture.left(), None);
}

#[test]
fn a_program_that_is_taken_off_by_another_user_is_an_end_of_its_own() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for line in ["rxdrop -p", "rxdrop -C 100", "l2fwd -d 60 -n 60"] {
        let tool = fixture.start(line).ready();
        let start = Instant::now();
        let other = foreign(&fixture, true);
        let note = tool.note();
        for words in ["program", "taken off near"] {
            assert!(note.contains(words), "{note}");
        }
        let ended = tool.end();
        assert!(start.elapsed() < Duration::from_secs(15), "{line}: {:?}", start.elapsed());
        assert_eq!(ended.summary_of(5)["ended"], "program_taken_off");
        assert_eq!(ended.objects()[0]["event"], "program_taken_off", "{ended:?}");
        assert!(fixture.attached().is_some(), "a program that is not its own stays");
        other.close().unwrap();
    }
}

#[test]
fn an_interface_that_is_renamed_goes_on_under_its_new_name() {
    if !privileged!() {
        return;
    }
    for line in ["rxdrop -p", "rxdrop -q all -p", "l2fwd -n 86400"] {
        let fixture = Fixture::new(2);
        let near = fixture.cable.veth.a();
        let tool = fixture.start(line).ready();
        ip::set_up(near, false).unwrap();
        ip::rename(near, "renamed").unwrap();
        ip::set_up(near, true).unwrap();
        let text = "near was renamed to renamed";
        while tool.note() != text {}
        fixture.send(0, 10);
        ip::delete(near).unwrap();
        let ended = tool.end();
        let summary = ended.summary_of(4);
        assert_eq!(
            (&summary["interface"], &summary["rx_packets"]),
            (&"renamed".into(), &10.into())
        );
        assert!(ended.failure_of(4).starts_with("xsk: renamed is gone"), "{ended:?}");
        let objects = ended.objects();
        let event = objects.iter().find(|object| object["event"] == "interface_renamed").unwrap();
        assert_eq!((&event["interface"], &event["message"]), (&"renamed".into(), &text.into()));
    }
}

/// The kernel's notifications come at once.
#[test]
fn a_link_that_goes_down_is_noted_at_once() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = fixture.start("rxdrop -p").ready();
    // The link changes right after what was noted before: if the tool looked at times of its own, a
    // second apart, each note but the first would be that late.
    let note = |up, words| {
        let start = Instant::now();
        ip::set_up(fixture.cable.veth.a(), up).unwrap();
        let note = tool.note();
        assert!(note.contains(words), "{note}");
        start.elapsed()
    };
    note(false, "is down");
    note(true, "is up again");
    once_within(Duration::from_millis(600), || {
        note(false, "is down").max(note(true, "is up again"))
    });
    tool.stop().summary();
}

#[test]
fn an_interface_that_is_moved_keeps_the_program_and_the_words_say_how_to_take_it_off() {
    if !privileged!() {
        return;
    }
    for (line, mode) in [("rxdrop -p", "xdpdrv"), ("l2fwd -S", "xdpgeneric")] {
        let fixture = Fixture::new(1);
        let tool = fixture.start(line).ready();
        let elsewhere = Namespace::new().unwrap();
        let moved = elsewhere.take_interface(fixture.cable.veth.a()).unwrap();
        let ended = tool.end();
        let (mode_there, id) = moved.attached_programs().unwrap().programs().next().unwrap();
        let message = ended.failure_of(4);
        let command = format!("ip link set dev near {mode} off");
        for words in [&format!("program {id} is still on it"), &command] {
            assert!(message.contains(words), "{mode_there}: {ended:?}");
        }
        // The advice works when it is typed.
        let words: Vec<&str> = command.split(' ').collect();
        let run = || Command::new(words[0]).args(&words[1..]).status().unwrap();
        assert!(elsewhere.run(run).unwrap().success());
        assert_eq!(left_on(&moved), None);
    }
}

#[test]
fn a_forwarder_on_an_interface_that_is_down_says_so_and_ends_as_asked() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    // Bound while it is up, then down for the whole run.
    let tool = fixture.start("l2fwd -d 2").ready();
    ip::set_up(fixture.cable.veth.a(), false).unwrap();
    assert!(tool.note().contains("near is down"));
    let ended = tool.end();
    assert_eq!(ended.summary()["ended"], "time");
    assert_eq!(fixture.left(), None);
}
