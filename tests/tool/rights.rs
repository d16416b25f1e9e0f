//! `--user`: after the set-up no thread of the tool has rights, packets come and go all the same,
//! and at the end the program is off the interface.

use crate::common::{Cable, kernel_can, kernel_since, left_on, wait_for};
use crate::fixture::{Fixture, Tool, WAIT, foreign};
use std::process::Command;
use xsk::test_util::{privileged, test_name};
use xsk::{AttachMethod, Attachment};

/// Returns whether the kernel has links.
fn possible(name: &str) -> bool {
    kernel_can(name, kernel_since(5, 9), "links came with 5.9")
}

/// The statuses of all threads of a process.
fn statuses(process: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok()).collect()
}

/// Asserts that no thread of the tool has a right, or can get one.
#[track_caller]
fn has_no_rights(tool: &Tool, uid: &str, gid: &str) {
    let statuses = statuses(tool.id());
    // The main thread, and those of signals, two outputs, and looks at the interface.
    assert!(statuses.len() >= 5, "{} threads", statuses.len());
    for status in &statuses {
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(value("Uid:"), [uid; 4], "{status}");
        assert_eq!(value("Gid:"), [gid; 4], "{status}");
        assert_eq!(value("Groups:"), [""; 0], "{status}");
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(value(set), ["0000000000000000"], "{set} {status}");
        }
        assert_eq!(value("NoNewPrivs:"), ["1"], "{status}");
    }
}

#[test]
fn each_command_works_without_rights_and_takes_its_program_off() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    for (command, receives) in [
        ("rxdrop", true),
        ("rxdrop -M 2", true),
        ("l2fwd", true),
        ("l2fwd -M 2 -p", true),
        ("txonly -p", false),
    ] {
        let fixture = Fixture::new(1);
        let count = if receives { "-C 1000" } else { "" };
        let tool = fixture.start(&format!("{command} {count} --user 12345:678")).ready();
        has_no_rights(&tool, "12345", "678");
        assert_eq!(fixture.attached().is_some(), receives, "{command}");
        if receives {
            fixture.send(0, 1000);
            let summary = tool.summary();
            assert_eq!(summary["rx_packets"], 1000, "{command}");
            assert_eq!(summary["method"], "link");
        } else {
            let far = fixture.cable.veth.b();
            wait_for("packets", || far.info().unwrap().counters.rx_packets > 0);
            assert!(tool.stop().summary()["tx_packets"].as_u64().unwrap() > 0);
        }
        assert_eq!(fixture.left(), None, "{command}");
    }
}

#[test]
fn between_two_interfaces_both_programs_come_off() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let (fixture, other) = (Fixture::new(1), Cable::named(1, "out", "end"));
    let out = fixture.cable.left.take_interface(other.veth.a()).unwrap();
    xsk::test_util::ip::set_up(&out, true).unwrap();
    xsk::test_util::ip::wait_for_carrier(&out, crate::common::PATIENCE).unwrap();
    let tool = fixture.start("l2fwd -C 100 -o out --user nobody").ready();
    has_no_rights(&tool, "65534", "65534");
    fixture.send(0, 100);
    assert_eq!(tool.summary()["rx_packets"], 100);
    assert_eq!(fixture.left(), None);
    assert_eq!(left_on(&out), None);
}

#[test]
fn it_ends_by_its_count_and_a_kill_leaves_nothing() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = fixture.start("rxdrop --user nobody -C 100").ready();
    fixture.send(0, 100);
    assert_eq!(tool.summary()["rx_packets"], 100);
    assert_eq!(fixture.left(), None);
    let tool = fixture.start("rxdrop --user nobody").ready();
    assert!(fixture.attached().is_some());
    tool.kill();
    assert_eq!(fixture.left(), None);
}

#[test]
fn a_program_that_a_link_cannot_replace_is_an_error() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let fixture = Fixture::new(2);
    // Netlink holds the program of another process.
    let attach =
        || Attachment::builder(fixture.cable.veth.a()).method(AttachMethod::Netlink).attach();
    let theirs = fixture.cable.left.run(attach).unwrap().unwrap();
    let ended = fixture.start("rxdrop -q 1 --user nobody").end();
    let message = ended.failure();
    assert!(message.contains("near: wanted") && message.contains("netlink"), "{message}");
    assert!(fixture.attached().is_some(), "theirs stays");
    theirs.close().unwrap();
    // By a link both can have it.
    let attach = || Attachment::builder(fixture.cable.veth.a()).method(AttachMethod::Link).attach();
    let theirs = fixture.cable.left.run(attach).unwrap().unwrap();
    let tool = fixture.start("rxdrop -q 1 --user nobody").ready();
    assert_eq!(tool.stop().summary()["method"], "link");
    assert!(fixture.attached().is_some(), "theirs stays");
    theirs.close().unwrap();
    // One that is foreign is replaced where that is asked for.
    let theirs = foreign(&fixture, false);
    let message = fixture.start("rxdrop --user nobody").end();
    assert!(message.failure().contains("foreign"), "{message:?}");
    let tool = fixture.start("rxdrop --user nobody --replace");
    assert!(tool.note().contains("replaced"));
    let tool = tool.ready();
    has_no_rights(&tool, "65534", "65534");
    tool.stop().summary();
    drop(theirs);
    assert_eq!(fixture.left(), None);
}

#[test]
fn what_a_killed_process_left_by_netlink_is_taken_over_and_comes_off() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.start("rxdrop --attach netlink").ready().kill();
    assert!(fixture.attached().is_some());
    let tool = fixture.start("rxdrop --user nobody").ready();
    has_no_rights(&tool, "65534", "65534");
    let summary = tool.stop().summary();
    assert_eq!(summary["method"], "link");
    assert_eq!(fixture.left(), None);
}

#[test]
fn wrong_users_are_named_before_anything_is_attached() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let fixture = Fixture::new(1);
    for (user, words) in [
        ("nobody-here", "no user nobody-here"),
        ("root", "user 0 is root"),
        ("0:0", "user 0 is root"),
        ("4294967295:1", "the number of no user"),
        ("31999", "--user 31999:GID"),
    ] {
        let ended = fixture.start(&format!("rxdrop --user {user}")).end();
        assert!(ended.failure().contains(words), "{user}: {ended:?}");
    }
    let ended = fixture.start("rxdrop --user nobody --attach netlink").end();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.err[0].contains("--user cannot be used with --attach netlink"), "{ended:?}");
    assert_eq!(fixture.left(), None);
}

/// A process that may not change its user says so, and what it attached comes off.
#[test]
fn without_the_right_to_become_another_user_it_ends_in_order() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    use rustix::thread::CapabilitySet;
    let fixture = Fixture::new(1);
    let kept = CapabilitySet::NET_ADMIN
        | CapabilitySet::BPF
        | CapabilitySet::NET_RAW
        | CapabilitySet::IPC_LOCK;
    let (_file, path) = crate::common::path_for_anybody(crate::fixture::TOOL);
    let ended = crate::common::as_nobody(kept, &fixture.cable.left, || {
        let line = format!("rxdrop -i near --user 12345:678 {WAIT}");
        Tool::spawn_here(Command::new(&path).args(line.split(' '))).end()
    });
    let message = ended.failure();
    assert!(message.contains("cannot become user 12345, group 678: setgroups"), "{message}");
    assert!(message.contains("CAP_SETUID and CAP_SETGID"), "{message}");
    assert_eq!(fixture.left(), None);
}

#[test]
fn beside_a_program_that_netlink_holds_it_says_what_to_do() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let first = fixture.start("rxdrop --attach netlink").ready();
    let refused = fixture.start("rxdrop -q 1 --user 65533:65533").end();
    let words =
        "With --user the program has to be held by a link: end the processes that use this one";
    assert!(refused.failure().contains(words), "{refused:?}");
    assert!(!refused.failure().contains("--attach netlink"), "{refused:?}");
    first.stop();
}
