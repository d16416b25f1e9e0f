//! Every way to end, and that nothing is left behind.

use crate::common::{left_on, once_within, wait_for};
use crate::fixture::{Fixture, LIMIT, TOOL, Tool, attached};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xsk::XdpMode;
use xsk::test_util::{Namespace, VethPair, ip, privileged};

#[test]
fn a_signal_ends_it_well_and_nothing_stays_attached() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for signal in [Signal::INT, Signal::TERM] {
        for (letters, mode) in [
            ("rxdrop", XdpMode::Native),
            ("rxdrop -p -S", XdpMode::Generic),
            ("rxdrop --attach link", XdpMode::Native),
            ("l2fwd -p --attach link -S", XdpMode::Generic),
        ] {
            let tool = fixture.start(letters).ready();
            assert_eq!(fixture.attached(), Some(mode));
            tool.signal(signal);
            tool.summary();
            assert_eq!(fixture.left(), None, "{letters}");
        }
        let tool = fixture.start("txonly").ready();
        tool.signal(signal);
        tool.summary();
    }
}

/// As `timeout` sends it: to the process, and then to its group.
#[test]
fn a_signal_that_comes_twice_ends_it_as_well_as_one() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for line in ["rxdrop", "l2fwd -S", "rxdrop -p --attach link"] {
        let tool = fixture.start(line).ready();
        // Both are pending before it runs again: the first has not ended it when the second comes.
        for signal in [Signal::STOP, Signal::INT, Signal::TERM, Signal::CONT] {
            tool.signal(signal);
        }
        tool.summary();
        assert_eq!(fixture.left(), None, "{line}");
    }
}

#[test]
fn a_lost_terminal_ends_it_well() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for signal in [Signal::HUP, Signal::QUIT] {
        for line in ["rxdrop", "l2fwd -p"] {
            let tool = fixture.start(line).ready();
            assert_eq!(fixture.attached(), Some(XdpMode::Native));
            tool.signal(signal);
            // Where these tests were started with the signal ignored, the tool ignores it, too.
            if is_ignored(signal) {
                fixture.send(0, 100);
                let count = |line: &str| {
                    let interval: Value = serde_json::from_str(line).unwrap();
                    interval["total"]["rx_packets"].as_u64()
                };
                wait_for("packets", || count(&tool.line()) == Some(100));
                assert_eq!(tool.stop().summary()["rx_packets"], 100, "{line}");
            } else {
                tool.summary();
            }
            assert_eq!(fixture.left(), None, "{line}");
        }
    }
}

/// Returns whether this process, and so the tool that it starts, ignores a signal (`nohup`).
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (signal.as_raw() - 1)) != 0
}

#[test]
fn a_signal_ends_the_wait_for_a_taken_queue() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let first = fixture.start("rxdrop").ready();
    for line in ["rxdrop", "txonly", "l2fwd", "respond -a 192.0.2.1 -q 0"] {
        let second = fixture.start(line);
        wait_for(line, || second.has_rings());
        let start = Instant::now();
        second.signal(Signal::TERM);
        let ended = second.end();
        // Without the signal it waits for 20 s.
        assert!(start.elapsed() < Duration::from_secs(10), "{line}: {:?}", start.elapsed());
        assert!(ended.failure_of(143).contains("waited for queue 0 of near"), "{ended:?}");
    }
    first.stop().summary();
    assert_eq!(fixture.left(), None);
}

/// Another process attaches, or leaves, and takes its time.
#[test]
fn a_signal_ends_the_wait_for_the_lock() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let name = format!("xsk/lock/{}", fixture.cable.veth.a().index());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let bind = || fixture.cable.left.run(|| taken(&address)).unwrap();
    for line in ["rxdrop", "l2fwd -S"] {
        // Without the signal it waits for 10 s.
        once_within(Duration::from_secs(5), || {
            let lock = bind();
            let tool = fixture.start(line);
            wait_for("a socket", || tool.has_rings());
            tool.signal(Signal::INT);
            let start = Instant::now();
            let ended = tool.end();
            let time = start.elapsed();
            let words = "waited for the lock of the XDP attachments of near";
            assert!(ended.failure_of(130).contains(words), "{ended:?}");
            drop(lock);
            assert_eq!(fixture.left(), None);
            time
        });
    }
    // When it leaves, it says what it leaves behind.
    once_within(Duration::from_secs(5), || {
        let tool = fixture.start("rxdrop").ready();
        let _lock = bind();
        let start = Instant::now();
        let ended = tool.stop();
        let time = start.elapsed();
        assert!(ended.failure().contains("has held the lock"), "{ended:?}");
        time
    });
}

/// Returns a socket with the name of a lock. A process that another test is starting may still have
/// a copy of the one before.
fn taken(lock: &SocketAddr) -> UnixDatagram {
    let mut held = None;
    wait_for("the lock", || {
        held = UnixDatagram::bind_addr(lock).ok();
        held.is_some()
    });
    held.unwrap()
}

#[test]
fn a_signal_ends_a_demo_that_waits_for_the_lock() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
    let name = format!("xsk/lock/{}", cable.a().index());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let _lock = here.run(|| taken(&address)).unwrap();
    // Without the signal it waits for 10 s.
    once_within(Duration::from_secs(5), || {
        let tool = Tool::start(&here, "demo -i in -o out");
        wait_for("a socket", || tool.has_rings());
        tool.signal(Signal::INT);
        let start = Instant::now();
        let ended = tool.end();
        let time = start.elapsed();
        let words = "waited for the lock of the XDP attachments of in";
        assert!(ended.failure_of(130).contains(words), "{ended:?}");
        assert_eq!(left_on(cable.a()), None);
        time
    });
}

#[test]
fn a_signal_ends_a_demo_that_waits_for_a_link() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
    let lonely = VethPair::builder().names("lonely", "other").build(&here, &here).unwrap();
    ip::set_up(lonely.b(), false).unwrap();
    let tool = Tool::start(&here, "demo -i in -o lonely -N");
    wait_for("the program", || attached(cable.a()).is_some());
    let ended = tool.stop();
    // It sends nothing that the end without a link would drop.
    assert_eq!((ended.status.code(), &ended.err), (Some(130), &vec![]), "{ended:?}");
    assert_eq!(left_on(cable.a()), None);
}

/// Nothing else ends one that cannot end well: here its last lines are not read, and it does not
/// run for a while.
#[test]
fn a_signal_that_comes_much_later_ends_it_at_once() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let left = &fixture.cable.left;
    let (mut child, reader) = unread(left, &["rxdrop", "-i", "near", "--json"]);
    wait_for("the program", || fixture.attached().is_some());
    let signal = |signal| kill_process(Pid::from_child(&child), signal).unwrap();
    signal(Signal::INT);
    // It detaches first.
    wait_for("nothing attached", || fixture.attached().is_none());
    signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(2200));
    signal(Signal::TERM);
    signal(Signal::CONT);
    let status = child.wait().unwrap();
    drop(reader);
    assert_eq!(status.code(), Some(143));
}

/// Starts the tool with outputs that nothing reads, and that take nothing more.
pub(crate) fn unread(namespace: &Namespace, args: &[&str]) -> (Child, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
    let size = fcntl_setpipe_size(&writer, 4096).unwrap();
    rustix::io::write(&writer, &vec![b'x'; size]).unwrap();
    let mut command = Command::new(TOOL);
    command.args(args).stdout(writer.try_clone().unwrap()).stderr(writer);
    (namespace.run(|| command.spawn().unwrap()).unwrap(), reader)
}

#[test]
fn a_killed_tool_leaves_what_its_method_says_and_the_next_start_works() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for next in ["netlink", "link"] {
        let tool = fixture.start("rxdrop --attach link").ready();
        assert_eq!(fixture.attached(), Some(XdpMode::Native));
        tool.kill();
        assert_eq!(fixture.left(), None);

        fixture.start("rxdrop --attach netlink").ready().kill();
        assert_eq!(fixture.attached(), Some(XdpMode::Native));
        let tool = fixture.start(&format!("rxdrop -C 100 --attach {next}"));
        let title = tool.note();
        let taken_over = title.ends_with("(a program without a user was there: its process was killed, or the interface came from another namespace)");
        assert_eq!(taken_over, next == "netlink", "{title}");
        fixture.send(0, 100);
        assert_eq!(tool.summary()["rx_packets"], 100);
        assert_eq!(fixture.left(), None, "{next}");
    }
}

#[test]
fn the_exit_code_tells_why_it_ended() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for (line, signal, code, why) in [
        ("rxdrop -d 1", None, 0, "time"),
        ("rxdrop -d 1 -C 5", None, 3, "time"),
        ("txonly -d 60 -C 5", None, 0, "count"),
        ("rxdrop", Some(Signal::TERM), 0, "signal"),
        ("txonly -d 60", Some(Signal::INT), 130, "signal"),
        ("l2fwd -C 5", Some(Signal::TERM), 143, "signal"),
    ] {
        let tool = fixture.start(line).ready();
        if let Some(signal) = signal {
            tool.signal(signal);
        }
        let ended = tool.end();
        assert_eq!(ended.summary_of(code)["ended"], why, "{line}");
        assert_eq!(fixture.left(), None, "{line}");
    }
}

#[test]
fn a_demo_that_is_interrupted_still_accounts_for_what_it_sent() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let existing = VethPair::builder()
        .names("in", "out")
        .build(&fixture.cable.left, &fixture.cable.left)
        .unwrap();
    let tool = Tool::start(&fixture.cable.left, "demo --count 4000000000 -i in -o out --json");
    wait_for("the program", || attached(existing.a()).is_some());
    let ended = tool.stop();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(ended.out.len() <= 1, "{ended:?}");
    assert_eq!(left_on(existing.a()), None);
}

#[test]
fn a_closed_output_is_no_reason_to_panic_or_to_stay() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for letters in ["rxdrop -p", "l2fwd", "txonly"] {
        let mut tool = fixture.start(letters).ready();
        tool.hang_up();
        let ended = tool.end();
        // As of other programs whose reader ends, such as `head`: not a word.
        assert_eq!(ended.status.code(), Some(141), "{ended:?}");
        assert_eq!(ended.err, [""; 0]);
        wait_for("nothing attached", || fixture.attached().is_none());
    }
}

/// A pager that waits, or a log that is full: the pipe takes nothing more.
#[test]
fn a_reader_that_stops_reading_stops_nothing_else() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let left = &fixture.cable.left;
    let (mut child, reader) = unread(left, &["rxdrop", "-i", "near", "--json", "-p"]);
    wait_for("the program", || fixture.attached().is_some());
    // Beyond the first report, which is due after a second.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2500) {
        fixture.send(0, 100);
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let start = Instant::now();
    let mut status = None;
    while status.is_none() && start.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(5));
        status = child.try_wait().unwrap();
    }
    let left = fixture.attached();
    child.kill().unwrap();
    child.wait().unwrap();
    let status = status.expect("it does not end");
    drop(reader);
    assert_eq!(status.code(), Some(1), "the summary was not read");
    assert_eq!(left, None);
}

#[test]
fn a_reader_that_stops_reading_stops_no_demo() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let cable = VethPair::builder().names("in", "out").build(&here, &here).unwrap();
    let args = ["demo", "-i", "in", "-o", "out", "--count", "4000000000"];
    let (mut child, reader) = unread(&here, &args);
    let start = Instant::now();
    while attached(cable.a()).is_none() && start.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(5));
    }
    let began = attached(cable.a());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (start, mut status) = (Instant::now(), None);
    while status.is_none() && start.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(5));
        status = child.try_wait().unwrap();
    }
    let left = attached(cable.a());
    child.kill().unwrap();
    child.wait().unwrap();
    drop(reader);
    assert!(began.is_some(), "it waits for the reader of its first line");
    assert_eq!(status.expect("it does not end").code(), Some(1), "the report was not read");
    assert_eq!(left, None);
}

/// As before `head -1`.
#[test]
fn a_demo_whose_reader_ends_says_nothing() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
    let mut command = Command::new(TOOL);
    command.args(["demo", "--count", "5000"]).stdout(writer).stderr(Stdio::piped());
    let child = here.run(|| command.spawn().unwrap()).unwrap();
    // The writer in it would keep the pipe open.
    drop(command);
    let mut line = String::new();
    // Reads more than the first line only if the others come within microseconds of it.
    BufReader::new(File::from(reader)).read_line(&mut line).unwrap();
    assert!(line.starts_with("From "), "{line}");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(141), "{ended:?}");
    assert_eq!(ended.stderr, b"");
}
