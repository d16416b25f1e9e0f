//! `rxdrop` and `l2fwd` with a filter, and `xsk filter`: what goes to the sockets, what stays with
//! the kernel, and what is refused.

use crate::common::{as_nobody, has_iproute2, kernel_can, left_on, path_for_anybody};
use crate::fixture::{Ended, Fixture, LIMIT, TOOL, Tool, WAIT};
use rustix::process::Signal;
use rustix::thread::CapabilitySet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;
use xsk::Interface;
use xsk::test_util::{Namespace, VethPair, ip, privileged};

const NEAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Returns a cable whose ends have addresses.
fn with_addresses(queues: u32) -> Fixture {
    let fixture = Fixture::new(queues);
    ip::add_ipv4(fixture.cable.veth.a(), NEAR, 24).unwrap();
    ip::add_ipv4(fixture.cable.veth.b(), FAR, 24).unwrap();
    fixture
}

/// Sends `count` UDP packets from the far end to a port of the near one.
fn send_udp(fixture: &Fixture, port: u16, count: u32) {
    let send = || {
        let socket = UdpSocket::bind((FAR, 0)).unwrap();
        for _ in 0..count {
            socket.send_to(b"a packet", (NEAR, port)).unwrap();
        }
    };
    fixture.cable.right.run(send).unwrap();
}

/// Starts a server at the near end that sends everything back, until the process ends.
fn serve(fixture: &Fixture, port: u16) {
    let listener = fixture.cable.left.run(|| TcpListener::bind((NEAR, port)).unwrap()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 64];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// Returns a session from the far end to a server at the near one.
fn session(fixture: &Fixture, port: u16) -> TcpStream {
    let stream = connect(fixture, port, LIMIT).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Returns whether no server at the near end is reached.
fn is_cut_off(fixture: &Fixture, port: u16) -> bool {
    connect(fixture, port, Duration::from_secs(2)).is_err()
}

fn connect(fixture: &Fixture, port: u16, limit: Duration) -> std::io::Result<TcpStream> {
    let address = SocketAddr::from((NEAR, port));
    fixture.cable.right.run(|| TcpStream::connect_timeout(&address, limit)).unwrap()
}

/// Sends a line over a session, and waits for it to come back.
fn exchange(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"a line\n")?;
    let mut back = [0; 7];
    stream.read_exact(&mut back)?;
    assert_eq!(&back, b"a line\n");
    Ok(())
}

/// Pings the near end from the far one (`ping` of iputils); returns whether it replied to all.
fn ping(fixture: &Fixture) -> bool {
    let words = ["-c", "3", "-i", "0.05", "-W", "20", "192.0.2.1"];
    let output = fixture.cable.right.run(|| Command::new("ping").args(words).output());
    output.unwrap().unwrap().status.success()
}

#[test]
fn ping_and_ssh_go_on_beside_a_filter_and_what_it_takes_is_counted() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    serve(&fixture, 22);
    let mut before = session(&fixture, 22);
    exchange(&mut before).unwrap();
    let tool = fixture.start("rxdrop udp dst port 4789").ready();
    assert!(ping(&fixture));
    exchange(&mut before).unwrap();
    let mut later = session(&fixture, 22);
    exchange(&mut later).unwrap();
    send_udp(&fixture, 4789, 100);
    send_udp(&fixture, 4790, 7);
    exchange(&mut later).unwrap();
    let ended = tool.stop();
    let summary = ended.summary();
    assert_eq!(summary["rx_packets"], 100, "{ended:?}");
    let filter = &summary["filters"][0];
    assert_eq!(filter["interface"], "near");
    assert_eq!(filter["expression"], "udp dst port 4789");
    assert_eq!(filter["matched"]["packets"], 100);
    assert_eq!(filter["matched"]["bytes"], 100 * (14 + 20 + 8 + 8));
    // Some of TCP.
    assert!(filter["management"]["packets"].as_u64().unwrap() > 6, "{ended:?}");
    // Pings, and UDP to the other port.
    assert!(filter["others"]["packets"].as_u64().unwrap() >= 10, "{ended:?}");
    assert_eq!(fixture.left(), None);
}

/// Starts the tool at the near end with other variables of the environment.
fn start_with(fixture: &Fixture, line: &str, variables: &[(&str, &str)]) -> Tool {
    let line = format!("{line} -i near --json {WAIT}");
    let mut command = Command::new(TOOL);
    command.args(line.split_whitespace());
    // The session that runs the tests is none of this machine.
    command.env("SSH_CONNECTION", "").env("SSH_CLIENT", "").envs(variables.iter().copied());
    Tool::spawn(&fixture.cable.left, &mut command)
}

/// Returns the counts of the only filter of a run.
fn filter_counts(ended: &Ended) -> [u64; 3] {
    let summary = ended.summary();
    let filters = summary["filters"].as_array().unwrap();
    assert_eq!(filters.len(), 1, "{summary}");
    let count = |name: &str| filters[0][name]["packets"].as_u64().unwrap();
    ["management", "matched", "others"].map(count)
}

#[test]
fn ping_and_ssh_go_on_in_each_mode_and_on_several_queues() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(2);
    serve(&fixture, 22);
    for line in [
        "rxdrop -S udp dst port 4789",
        "rxdrop -q all udp dst port 4789",
        "rxdrop -q all -B -p --promiscuous udp dst port 4789",
        "rxdrop -q all -F udp dst port 4789",
        "rxdrop -q all --attach netlink udp dst port 4789",
        "l2fwd -q all udp dst port 4789",
    ] {
        let tool = fixture.start(line).ready();
        assert!(ping(&fixture), "{line}");
        exchange(&mut session(&fixture, 22)).unwrap();
        send_udp(&fixture, 4789, 50);
        exchange(&mut session(&fixture, 22)).unwrap();
        let ended = tool.stop();
        let [management, matched, others] = filter_counts(&ended);
        assert_eq!(matched, 50, "{line}: {ended:?}");
        assert!(management > 10 && others >= 3, "{line}: {ended:?}");
        // On a veth in generic mode not all come to the first queue.
        let received = ended.summary()["rx_packets"].as_u64().unwrap();
        assert!(received == 50 || line.contains("-S"), "{line}: {ended:?}");
        assert_eq!(fixture.left(), None, "{line}");
    }
}

#[test]
fn between_two_interfaces_the_filter_holds_in_both_directions() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    // Another cable, whose far end has an address of the same network.
    let other = xsk::test_util::VethPair::builder()
        .names("near2", "far2")
        .build(&fixture.cable.left, &fixture.cable.right)
        .unwrap();
    ip::add_ipv4(other.a(), Ipv4Addr::new(198, 51, 100, 1), 24).unwrap();
    ip::add_ipv4(other.b(), Ipv4Addr::new(198, 51, 100, 2), 24).unwrap();
    serve(&fixture, 22);
    let tool = fixture.start("l2fwd -o near2 udp dst port 4789").ready();
    assert!(ping(&fixture));
    exchange(&mut session(&fixture, 22)).unwrap();
    send_udp(&fixture, 4789, 20);
    let back = || {
        let socket = UdpSocket::bind("198.51.100.2:0").unwrap();
        for _ in 0..30 {
            socket.send_to(b"a packet", "198.51.100.1:4789").unwrap();
        }
    };
    fixture.cable.right.run(back).unwrap();
    exchange(&mut session(&fixture, 22)).unwrap();
    let summary = tool.stop().summary();
    let filters = summary["filters"].as_array().unwrap();
    let matched = |name: &str| {
        let filter = filters.iter().find(|filter| filter["interface"] == name).unwrap();
        filter["matched"]["packets"].as_u64().unwrap()
    };
    assert_eq!((filters.len(), matched("near"), matched("near2")), (2, 20, 30), "{summary}");
    assert_eq!(summary["rx_packets"], 50, "{summary}");
}

#[test]
fn management_stays_with_the_kernel_unless_it_is_to_be_taken() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    serve(&fixture, 22);
    serve(&fixture, 2222);
    // All of TCP, but for ssh.
    let tool = fixture.start("rxdrop tcp").ready();
    exchange(&mut session(&fixture, 22)).unwrap();
    assert!(is_cut_off(&fixture, 2222), "another port");
    assert!(filter_counts(&tool.stop())[1] > 0);

    // The port of this ssh session is another one. (Its address is not: it would be refused.)
    let variables = [("SSH_CLIENT", "192.0.2.2 5000 2222")];
    let tool = start_with(&fixture, "rxdrop tcp", &variables).ready();
    exchange(&mut session(&fixture, 2222)).unwrap();
    exchange(&mut session(&fixture, 22)).unwrap();
    assert_eq!(filter_counts(&tool.stop())[1], 0);

    let tool = fixture.start("rxdrop --take-management tcp or arp").ready();
    assert!(is_cut_off(&fixture, 22));
    let [management, matched, _] = filter_counts(&tool.stop());
    assert_eq!(management, 0);
    assert!(matched > 0);
    exchange(&mut session(&fixture, 22)).unwrap();
}

/// Another session of ssh than that of the tests: its parents are looked at only if it has none.
const ELSEWHERE: (&str, &str) = ("SSH_CONNECTION", "203.0.113.1 5000 203.0.113.2 22");
const HERE: (&str, &str) = ("SSH_CONNECTION", "192.0.2.2 5000 192.0.2.1 22");

#[test]
fn what_may_cut_the_user_off_is_refused_without_yes() {
    if !privileged!() {
        return;
    }
    let here = "what_may_cut_the_user_off_is_refused_without_yes";
    if !kernel_can(here, has_iproute2(), "`ip` is not that of iproute2") {
        return;
    }
    let fixture = with_addresses(1);
    let default_route = |word: &str| {
        let words = ["route", word, "default", "via", "192.0.2.2"];
        let done = fixture.cable.left.run(|| Command::new("ip").args(words).status());
        done.unwrap().unwrap().success()
    };
    let refused = |line: &str, variable, words: &[&str]| {
        let ended = start_with(&fixture, line, &[variable]).end();
        for words in words {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
        assert_eq!((ended.err.len(), ended.out.len()), (1, 0), "{ended:?}");
        assert_eq!(fixture.left(), None);
    };
    let runs = |line: &str, variable| {
        start_with(&fixture, line, &[variable]).ready().stop().summary();
    };
    // Neither: as ever.
    for line in ["rxdrop", "l2fwd", "rxdrop greater 0", "rxdrop --take-management greater 0"] {
        runs(line, ELSEWHERE);
    }
    // This session.
    let session = "near carries this ssh session (from 192.0.2.2 to port 22)";
    refused("rxdrop", HERE, &[session, "queue 0", "ARP and ssh", "FILTER", "--yes"]);
    refused("l2fwd", HERE, &[session]);
    refused("rxdrop -M 2", HERE, &[session]);
    refused("l2fwd -M 2", HERE, &[session]);
    refused("rxdrop --take-management udp", HERE, &[session, "--take-management", "--yes"]);
    refused("rxdrop greater 0", HERE, &[session, "FILTER takes everything", "--yes"]);
    runs("rxdrop udp", HERE);
    runs("rxdrop --yes", HERE);
    runs("rxdrop --yes --take-management greater 0", HERE);
    // The default route.
    assert!(default_route("add"));
    for line in ["rxdrop", "l2fwd", "rxdrop greater 0", "rxdrop --take-management udp"] {
        refused(line, ELSEWHERE, &["near carries the default route", "--yes"]);
    }
    refused("rxdrop", HERE, &["near carries the default route and this ssh session"]);
    runs("rxdrop udp", ELSEWHERE);
    runs("l2fwd --yes", ELSEWHERE);
    // Sending takes nothing.
    start_with(&fixture, "txonly -C 5", &[HERE]).summary();
    assert!(default_route("del"));
    runs("rxdrop", ELSEWHERE);
}

#[test]
fn measurements_between_interfaces_do_not_cut_the_user_off_without_yes() {
    if !privileged!() {
        return;
    }
    let here = "measurements_between_interfaces_do_not_cut_the_user_off_without_yes";
    if !kernel_can(here, has_iproute2(), "`ip` is not that of iproute2") {
        return;
    }
    let inside = Namespace::new().unwrap();
    let cable = VethPair::builder().names("in", "out").build(&inside, &inside).unwrap();
    ip::add_ipv4(cable.a(), [192, 0, 2, 1].into(), 24).unwrap();
    let start = |line: &str, (name, value): (&str, &str)| {
        let mut command = Command::new(TOOL);
        command.args(line.split_whitespace()).env(name, value);
        Tool::spawn(&inside, &mut command).end()
    };
    let refused = |line: &str, variable, carried: &str| {
        let ended = start(line, variable);
        for words in [carried, "queue 0", "ARP and ssh", "--yes"] {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
        assert_eq!((left_on(cable.a()), left_on(cable.b())), (None, None));
    };
    let runs = |line: &str, variable| {
        let ended = start(line, variable);
        assert_eq!(ended.status.code(), Some(0), "{line}: {ended:?}");
    };
    let [demo, sends, there, back] = [
        "demo -N -C 100 -i in -o out",
        "demo -N -C 100 -i out -o in",
        "latency -d 0.2 -i in -o out",
        "latency -d 0.2 -i out -o in",
    ];
    for line in [demo, there, back] {
        refused(line, HERE, "in carries this ssh session (from 192.0.2.2 to port 22)");
    }
    // Sending takes nothing.
    runs(sends, HERE);
    runs(there, ELSEWHERE);
    let route = ["route", "add", "default", "via", "192.0.2.2"];
    let added = inside.run(|| Command::new("ip").args(route).status()).unwrap().unwrap();
    assert!(added.success());
    for line in [demo, there, back] {
        refused(line, ELSEWHERE, "in carries the default route");
    }
    for line in [demo, back] {
        runs(&format!("{line} --yes"), ELSEWHERE);
    }
}

/// `sudo` clears the environment: the session is found in that of a parent.
#[test]
fn the_ssh_session_of_a_parent_counts() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    let mut command = Command::new("sh");
    // A shell that stays.
    let script = format!("env -u SSH_CONNECTION -u SSH_CLIENT {TOOL} rxdrop -i near -d 1; exit $?");
    command.args(["-c", &script]).env(HERE.0, HERE.1);
    let ended = Tool::spawn(&fixture.cable.left, &mut command).end();
    assert!(ended.failure().contains("near carries this ssh session"), "{ended:?}");
}

#[test]
fn a_filter_that_cannot_be_read_is_shown_with_a_caret_and_is_exit_code_2() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    for (line, words, caret) in [
        ("rxdrop -i near tcp nad port 80", "column 5: `nad` in place of `and`", "      ^"),
        ("l2fwd -i near port 70000", "column 6", "       ^"),
        ("filter udp and gateway x", "`gateway` is not taken", "          ^"),
        ("filter tcp and", "column 8", "         ^"),
    ] {
        let ended = Tool::start(&fixture.cable.left, line).end();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let [first, _, last] = &ended.err[..] else { panic!("{ended:?}") };
        assert!(first.starts_with("xsk: the filter cannot be read: "), "{ended:?}");
        assert!(first.contains(words), "{ended:?}");
        assert_eq!(last, caret, "{ended:?}");
        assert_eq!(ended.out, [""; 0]);
        assert_eq!(fixture.left(), None);
    }
    for line in ["rxdrop -i near -M 2 udp", "l2fwd -i near -M 2 udp"] {
        let ended = Tool::start(&fixture.cable.left, line).end();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.err[0].contains("spreads packets"), "{ended:?}");
        let usage = format!("Usage: xsk {} ", line.split(' ').next().unwrap());
        assert!(ended.err.iter().any(|line| line.starts_with(&usage)), "{ended:?}");
    }
    for line in ["rxdrop -i near --take-management", "txonly -i near udp", "filter"] {
        let ended = Tool::start(&fixture.cable.left, line).end();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    }
}

#[test]
fn a_filter_that_takes_nothing_is_an_event_with_the_reason() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    for (filter, note) in [
        ("udp and tcp port 4", "the filter `udp and tcp port 4` is not true of any packet"),
        (
            "arp",
            "all packets of the filter `arp` stay with the kernel as management: \
                --take-management takes them",
        ),
    ] {
        let ended = fixture.start(&format!("rxdrop {filter}")).ready().stop();
        assert!(ended.err.iter().any(|line| line == note), "{ended:?}");
        let event = ended.objects().into_iter().find(|object| !object["event"].is_null()).unwrap();
        assert_eq!(event["event"], "filter_takes_nothing");
        assert_eq!(event["message"], note);
        assert_eq!(event["interface"], "near");
    }
    let ended = fixture.start("rxdrop --take-management arp").ready().stop();
    assert!(ended.objects().iter().all(|object| object["event"].is_null()), "{ended:?}");
}

#[test]
fn a_killed_process_with_a_filter_leaves_nothing_or_what_the_same_filter_replaces() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    fixture.start("rxdrop udp").ready().kill();
    crate::common::until("the kernel detaches the link", || fixture.attached().is_none());

    fixture.start("rxdrop --attach netlink udp").ready().kill();
    assert!(fixture.attached().is_some());
    let ended = fixture.start("rxdrop tcp").end();
    assert!(ended.failure().contains("xsk_filter"), "{ended:?}");
    fixture.start("rxdrop --attach netlink udp").ready().stop().summary();
    assert_eq!(fixture.left(), None);
    fixture.start("rxdrop --attach netlink udp").ready().kill();
    let tool = fixture.start("rxdrop --replace tcp");
    assert!(tool.note().contains("replaced program"), "it was another filter's");
    tool.ready().stop().summary();
    assert_eq!(fixture.left(), None);
}

#[test]
fn another_process_cannot_join_a_filter_and_a_filter_joins_nothing() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(2);
    for (first, then) in [("rxdrop udp", "rxdrop -q 1"), ("rxdrop", "rxdrop -q 1 udp")] {
        let tool = fixture.start(first).ready();
        let ended = fixture.start(then).end();
        assert!(ended.failure().contains("another XDP program is attached"), "{ended:?}");
        tool.stop().summary();
        assert_eq!(fixture.left(), None);
    }
}

#[test]
fn two_signals_at_once_end_it_in_order() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    let tool = fixture.start("rxdrop udp dst port 4789").ready();
    send_udp(&fixture, 4789, 10);
    crate::common::until("the packets are counted", || rx_packets(fixture.cable.veth.a()) >= 10);
    tool.signal(Signal::TERM);
    tool.signal(Signal::TERM);
    let ended = tool.end();
    assert_eq!(filter_counts(&ended)[1], 10);
    assert_eq!(fixture.left(), None);
}

fn rx_packets(interface: &Interface) -> u64 {
    interface.info().unwrap().counters.rx_packets
}

/// Filters compute where headers begin.
#[test]
fn without_cap_perfmon_a_filter_is_refused_with_its_name() {
    if !privileged!() {
        return;
    }
    let fixture = with_addresses(1);
    let (_file, path) = path_for_anybody(TOOL);
    let start = |rights| {
        let line = format!("rxdrop -i near --json udp {WAIT}");
        let spawn = || Tool::spawn_here(Command::new(&path).args(line.split_whitespace()));
        as_nobody(rights, &fixture.cable.left, spawn)
    };
    let rights = CapabilitySet::NET_RAW
        | CapabilitySet::NET_ADMIN
        | CapabilitySet::IPC_LOCK
        | CapabilitySet::BPF;
    let ended = start(rights).end();
    assert!(ended.failure().contains("CAP_PERFMON"), "{ended:?}");
    assert_eq!(ended.err.len(), 1, "{ended:?}");
    let tool = start(rights | CapabilitySet::PERFMON).ready();
    send_udp(&fixture, 4789, 10);
    assert!(ping(&fixture));
    assert_eq!(filter_counts(&tool.stop())[1], 10);
    assert_eq!(fixture.left(), None);
}

#[test]
fn without_rights_the_counts_are_read_all_the_same() {
    if !privileged!() || !crate::common::kernel_since(5, 19) {
        return;
    }
    let fixture = with_addresses(1);
    let tool = fixture.start("rxdrop --user nobody udp").ready();
    send_udp(&fixture, 4789, 10);
    assert!(ping(&fixture));
    assert_eq!(filter_counts(&tool.stop())[1], 10);
    assert_eq!(fixture.left(), None);
}
