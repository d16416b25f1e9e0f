//! Every way to end, and that nothing is left behind.

use crate::common::{left_on, once_within, wait_for};
use crate::fixture::{Fixture, LIMIT, TOOL, Tool, attached, foreign};
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
