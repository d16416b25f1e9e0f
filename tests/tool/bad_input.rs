//! Bad input: the message has the request, the kernel's result and the cure; and nothing is left.

use crate::common::{Cable, kernel_can, left_on};
use crate::fixture::{Fixture, TOOL, Tool, foreign, listed};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use xsk::Interface;
use xsk::test_util::{Namespace, VethPair, privileged};

/// A user without privileges.
const NOBODY: u32 = 65534;

#[test]
fn each_mistake_is_named_with_its_cure_and_leaves_nothing() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let cases: [(&str, &[&str]); 20] = [
        ("rxdrop -i nope", &["nope", "ENODEV"]),
        ("txonly -i nope", &["nope", "ENODEV"]),
        ("rxdrop -i bad/name", &["bad/name", "EINVAL"]),
        ("rxdrop -i near -q 2", &["near", "queue 2", "EINVAL", "2 queue(s)"]),
        ("txonly -i near -q 2", &["near", "queue 2", "EINVAL", "2 queue(s)"]),
        ("rxdrop -i near --rx-ring 0", &["RX ring 0", "power of two"]),
        ("rxdrop -i near --rx-ring 3", &["RX ring 3", "power of two"]),
        ("rxdrop -i near --fill-ring 2147483648", &["fill ring 2147483648", "2^20"]),
        ("txonly -i near --tx-ring 3", &["TX ring 3", "power of two"]),
        ("l2fwd -i near --completion-ring 3", &["completion ring 3", "power of two"]),
        ("rxdrop -i near -f 1000", &["1000", "power of two", "2048"]),
        ("rxdrop -i near -f 1048576", &["1048576", "page"]),
        ("rxdrop -i near -f 3000", &["3000", "power of two", "any number in this range with `-u`"]),
        ("txonly -i near -f 2047 -u", &["2047", "from 2048 to the page size"]),
        ("l2fwd -i near -f 3000 -u -z", &["3000", "power of two for zero-copy"]),
        ("rxdrop -i near --headroom 4096", &["headroom 4096"]),
        ("rxdrop -i near --chunks 0", &["chunks 0"]),
        ("rxdrop -i near -z", &["near", "zero-copy", "EOPNOTSUPP", "copy mode (`-c`)"]),
        ("txonly -i near -s 41", &["41", "42 bytes at least", "1514 at the most"]),
        ("txonly -i near -s 1515", &["1515", "1514"]),
    ];
    for (line, wanted) in cases {
        let ended = Tool::start(&fixture.cable.left, line).end();
        for words in wanted {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
        assert_eq!(ended.err.len(), 1, "{ended:?}");
        assert_eq!(ended.out, [""; 0], "{line}");
        assert_eq!(fixture.left(), None, "{line}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for line in [
        "",
        "fly",
        "rxdrop",
        "rxdrop -i near -S -N",
        "rxdrop -i near -b 0",
        "rxdrop -i near -n 0",
        "rxdrop -i near -z -c",
        "demo -i near",
        "demo --count 0",
        "demo -b 0",
        // What a command does not use it does not take.
        "rxdrop -i near --tx-ring 64",
        "rxdrop -i near --completion-ring 64",
        "txonly -i near --rx-ring 64",
        "txonly -i near --fill-ring 64",
        "txonly -i near --headroom 64",
    ] {
        let ended = Tool::start(&fixture.cable.left, line).end();
        assert_eq!(ended.status.code(), Some(2), "{line}: {ended:?}");
        assert_eq!(ended.out, [""; 0]);
    }
    // With the reason.
    for (line, words) in [
        (
            "rxdrop -i near -F -M 2",
            "'--frags' cannot be used with '--sockets <N>': packets have one",
        ),
        ("txonly -i near --tx-timestamps -F", "the time is known of packets in one frame"),
        ("l2fwd -i near -o far -M 2", "each has one socket on a queue"),
        ("latency --udp -S", "UDP sockets have no XDP program"),
        ("latency --compare --spin", "it measures with and without it in turn"),
        ("rxdrop -i near -d 0", "a number of seconds is wanted, from 0.1 to"),
        ("rxdrop -i near -d 1,5", "as 2 or 1.5"),
        ("latency -d nan", "as 2 or 1.5"),
        ("rxdrop -i near -n -1", "'-1'"),
        // The usage is that of the command.
        ("rxdrop -i near -S -N", "Usage: xsk rxdrop [OPTIONS] --interface <NAME> [FILTER]..."),
        ("capture -i near -w - --files 2", "Usage: xsk capture [OPTIONS] --write <FILE>"),
        ("steer near udp -q 1 --drop", "Usage: xsk steer <IF> <FILTER>... <--queue"),
        ("latency --udp -S", "Usage: xsk latency [OPTIONS]"),
    ] {
        let ended = Tool::start(&fixture.cable.left, line).end();
        assert_eq!(ended.status.code(), Some(2), "{line}: {ended:?}");
        assert!(ended.err.join("\n").contains(words), "{line}: {ended:?}");
    }
}

#[test]
fn a_foreign_program_stays_unless_replace_is_given() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let near: &Interface = fixture.cable.veth.a();
    let attachment = foreign(&fixture, false);
    let before = near.attached_programs().unwrap().programs().next();
    for line in ["rxdrop", "rxdrop -S", "l2fwd --attach link"] {
        let ended = fixture.start(line).end();
        for words in ["near", "another", "foreign", "replace it (`--replace`)"] {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
        assert_eq!(near.attached_programs().unwrap().programs().next(), before, "{line}");
    }
    let tool = fixture.start("rxdrop --replace -C 10");
    let id = before.unwrap().1;
    let uid = rustix::process::geteuid().as_raw();
    let note = format!("replaced program {id} (name foreign, native mode, loaded by uid {uid})");
    assert_eq!(tool.note(), note);
    let tool = tool.ready();
    assert_ne!(near.attached_programs().unwrap().programs().next(), before);
    fixture.send(0, 10);
    assert_eq!(tool.summary()["rx_packets"], 10);
    assert_eq!(left_on(near), None);
    attachment.close().unwrap();
}

/// The tool in a directory from which every user may run it.
struct Copied(PathBuf);

impl Copied {
    fn new(name: &str) -> Self {
        let name = format!("xsk-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::copy(TOOL, &path).unwrap();
        Self(path)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn without_privileges_one_sentence_names_the_capability_and_the_command() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = Copied::new("unprivileged");
    let path = tool.0.to_str().unwrap();
    for (line, capability) in [
        ("rxdrop -i near", "CAP_NET_RAW"),
        ("txonly -i near", "CAP_NET_RAW"),
        ("l2fwd -i near", "CAP_NET_RAW"),
        ("demo", "CAP_SYS_ADMIN"),
    ] {
        let ended = as_nobody(&fixture.cable.left, path, line);
        let message = ended.failure();
        assert!(message.contains(capability), "{ended:?}");
        assert!(message.contains(&format!("`sudo {path} {line}`")), "{ended:?}");
        assert_eq!(ended.err.len(), 1, "{ended:?}");
        assert_eq!(fixture.left(), None);
    }
}

/// Root of a user namespace is root already: `sudo` is no help.
#[test]
#[expect(unsafe_code, reason = "a process is put into a user namespace before it starts")]
fn root_of_a_user_namespace_is_not_sent_to_sudo() {
    if !privileged!() {
        return;
    }
    let enter = || {
        use rustix::fs::{Mode, OFlags, open};
        use rustix::thread::{UnshareFlags, unshare_unsafe};
        // SAFETY: the child has one thread, and no descriptors are unshared.
        unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNET) }?;
        let map = open("/proc/self/uid_map", OFlags::WRONLY, Mode::empty())?;
        rustix::io::write(&map, b"0 0 1")?;
        Ok(())
    };
    let mut command = Command::new(TOOL);
    command.arg("demo");
    // SAFETY: system calls only: nothing is allocated, and no lock is taken.
    unsafe { command.pre_exec(enter) };
    let ended = Tool::spawn(&Namespace::new().unwrap(), &mut command).end();
    let message = ended.failure();
    assert!(message.contains("in the initial user namespace"), "{ended:?}");
    assert!(!message.contains("`sudo /"), "{ended:?}");
}

fn as_nobody(namespace: &Namespace, path: &str, line: &str) -> crate::fixture::Ended {
    let mut command = Command::new(path);
    // Setting the user id takes all capabilities away.
    command.args(line.split_whitespace()).uid(NOBODY).gid(NOBODY);
    Tool::spawn(namespace, &mut command).end()
}

#[test]
fn an_option_given_twice_counts_as_the_last_one() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let summary = fixture.start("txonly -C 7 -C 5 -i nope -s 70 -s 60").summary();
    assert_eq!((&summary["tx_packets"], &summary["tx_bytes"]), (&5.into(), &300.into()));
}

#[test]
fn a_name_as_ip_link_prints_it_is_understood() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for (name, found) in [("near@if2", true), ("near@far", true), ("nope@near", false)] {
        let line = format!("txonly -i {name} -C 5 --json");
        let ended = Tool::start(&fixture.cable.left, &line).end();
        if found {
            assert_eq!(ended.summary()["interface"], "near");
        } else {
            assert!(ended.failure().contains("nope@near"), "{ended:?}");
        }
    }
}

#[test]
fn an_interface_without_ethernet_headers_is_refused_to_senders() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let words = ["tuntap", "add", "t0", "mode", "tun"];
    let made = fixture.cable.left.run(|| Command::new("ip").args(words).status()).unwrap();
    let here = "an_interface_without_ethernet_headers_is_refused_to_senders";
    let can = made.is_ok_and(|status| status.success());
    if !kernel_can(here, can, "`ip tuntap` makes no device") {
        return;
    }
    for command in ["txonly", "l2fwd", "respond -a 192.0.2.1"] {
        let ended = Tool::start(&fixture.cable.left, &format!("{command} -i t0 -C 1")).end();
        assert!(ended.failure().contains("t0 has no Ethernet header"), "{ended:?}");
    }
    let ended = Tool::start(&fixture.cable.left, "rxdrop -i t0 -d 1 --json").end();
    // A tun device that no process has opened is down.
    let known = ended.status.code() == Some(0) || ended.failure().contains("t0 is down");
    assert!(known, "{ended:?}");
}

#[test]
fn a_queue_without_the_side_that_a_command_needs_is_refused_with_both_numbers() {
    if !privileged!() {
        return;
    }
    for (rx, tx, refused, works) in
        [(1, 2, ["rxdrop", "l2fwd"], "txonly"), (2, 1, ["txonly", "l2fwd"], "rxdrop")]
    {
        let builder = VethPair::builder().rx_tx_queues(rx, tx).names("near", "far");
        let cable = Cable::build(builder);
        for command in refused {
            let ended = Tool::start(&cable.left, &format!("{command} -i near -q 1 -C 1")).end();
            let numbers = format!("{rx} RX queue(s) and {tx} TX queue(s)");
            assert!(ended.failure().contains(&numbers), "{ended:?}");
            assert!(!ended.failure().contains("_only"), "a word of the library: {ended:?}");
        }
        Tool::start(&cable.left, &format!("{works} -i near -q 1 -d 1 --json")).summary();
    }
}

#[test]
fn a_demo_needs_two_ends() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let ended = Tool::start(&fixture.cable.left, "demo -i near -o near").end();
    assert!(ended.failure().contains("near cannot be both ends"), "{ended:?}");
}

/// That it lists what is written, all other tests check.
#[test]
fn the_help_lists_the_words_of_json() {
    let ended =
        ["count", "time", "signal", "complete", "interface_gone", "program_taken_off", "error"];
    assert_eq!(listed("ended"), ended);
    let events = listed("event");
    assert_eq!(events.len(), 14, "{events:?}");
    assert!(events.iter().any(|event| event == "packets_elsewhere"), "{events:?}");
}

#[test]
fn the_help_fits_a_page_of_a_hundred_columns() {
    for command in [
        "--help",
        "-h",
        "rxdrop --help",
        "txonly --help",
        "l2fwd --help",
        "bridge --help",
        "respond --help",
        "demo --help",
        "filter --help",
        "features --help",
        "doctor --help",
        "capture --help",
    ] {
        let output = Command::new(TOOL).args(command.split(' ')).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 100, "{command}: {longest}\n{text}");
    }
}

#[test]
fn a_mistyped_interface_comes_with_the_nearest_name() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let left = &fixture.cable.left;
    for line in [
        "rxdrop -i naer",
        "txonly -i naer",
        "l2fwd -i naer",
        "l2fwd -i near -o naer",
        "demo -i near -o naer",
        "latency -i naer -o near",
        "doctor naer",
        "features naer",
    ] {
        let ended = Tool::start(left, line).end();
        let words =
            "no interface naer in this network namespace (ENODEV): the nearest name is near";
        assert!(ended.failure().contains(words), "{line}: {ended:?}");
    }
    let ended = Tool::start(left, "doctor wlan0").end();
    assert!(ended.failure().contains("(ENODEV): there are lo, "), "{ended:?}");
    let ended = Tool::start(left, "doctor -q 1").end();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
}
