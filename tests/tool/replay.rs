//! `xsk generate --replay`: the packets of captures, byte by byte, in their times, as tcpdump sees
//! them; captures that are none, cut, or of packets that cannot be sent.

use crate::common::{undisturbed, wait_for};
use crate::fixture::{Directory, Ended, Fixture, Tool, WAIT};
use crate::packets::{Dump, TempFile, has};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use xsk::test_util::privileged;

/// How all packets begin, and the filter for them.
const TO: [u8; 6] = [2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee];
const FILTER: &str = "ether dst 02:aa:bb:cc:dd:ee";

const MICROS: u32 = 0xa1b2_c3d4;

/// Returns packets with random bytes, of sizes from 14 to 1514.
fn packets(count: usize) -> Vec<Vec<u8>> {
    let mut state = 99_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    let packet = |number: usize| {
        let size = [14, 15, 60, 61, 1513, 1514, 100 + number % 900][number % 7];
        let mut packet = TO.to_vec();
        packet.extend([2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
        packet.resize_with(size, || random() as u8);
        packet
    };
    (0..count).map(packet).collect()
}

/// Returns a pcap file of packets, each with its time in microseconds and its length.
fn pcap(link_type: u32, packets: &[(u64, Vec<u8>)], length: impl Fn(&[u8]) -> u32) -> Vec<u8> {
    let words = |words: [u32; 4]| words.map(u32::to_le_bytes).concat();
    let mut file = MICROS.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0]);
    file.extend(words([0, 0, 65535, link_type]));
    for (time, packet) in packets {
        let (second, micros) = ((time / 1_000_000) as u32, (time % 1_000_000) as u32);
        file.extend(words([1_700_000_000 + second, micros, packet.len() as u32, length(packet)]));
        file.extend(packet);
    }
    file
}

/// Returns a pcap file of whole Ethernet packets, one each 100 us.
fn whole(packets: &[Vec<u8>]) -> Vec<u8> {
    let timed = packets.iter().cloned().enumerate();
    let timed: Vec<_> = timed.map(|(number, packet)| (number as u64 * 100, packet)).collect();
    pcap(1, &timed, |packet| packet.len() as u32)
}

fn replay(fixture: &Fixture, file: &TempFile, line: &str) -> Ended {
    fixture.start(&format!("generate --replay {} {line}", file.path())).end()
}

/// Returns what came of a replay at the far end, in which so many packets are sent.
fn came(fixture: &Fixture, count: usize, file: &TempFile, line: &str) -> Vec<(u64, Vec<u8>)> {
    let dump = Dump::start(&fixture.cable.right, "far", count as u32, FILTER);
    let summary = replay(fixture, file, line).summary();
    assert_eq!((&summary["tx_packets"], &summary["ended"]), (&count.into(), &"complete".into()));
    dump.end().packets()
}

fn bytes(packets: Vec<(u64, Vec<u8>)>) -> Vec<Vec<u8>> {
    packets.into_iter().map(|(_, packet)| packet).collect()
}

#[test]
fn the_packets_are_those_of_the_capture() {
    if !privileged!() || !has("the_packets_are_those_of_the_capture", "tcpdump") {
        return;
    }
    let fixture = Fixture::new(1);
    let sent = packets(400);
    let file = TempFile::of(&whole(&sent));
    assert_eq!(bytes(came(&fixture, 400, &file, "")), sent);
    assert_eq!(bytes(came(&fixture, 400, &file, "--pps 5k -F")), sent);
    let twice = [&sent[..], &sent].concat();
    assert_eq!(bytes(came(&fixture, 800, &file, "--speed 4 --loop 2")), twice);
    // As pcapng, with nanoseconds.
    if has("the_packets_are_those_of_the_capture: pcapng", "editcap") {
        let next = TempFile::new();
        let words = ["-F", "pcapng", file.path(), next.path()];
        assert!(Command::new("editcap").args(words).status().unwrap().success());
        assert_eq!(bytes(came(&fixture, 400, &next, "")), sent);
    }
}

#[test]
fn tcpreplay_sends_the_same() {
    if !privileged!() || !has("tcpreplay_sends_the_same", "tcpreplay") {
        return;
    }
    let fixture = Fixture::new(1);
    // It sends no packets that are shorter than a minimum of its own.
    let sent: Vec<_> = packets(300).into_iter().filter(|packet| packet.len() >= 60).collect();
    let file = TempFile::of(&whole(&sent));
    let ours = bytes(came(&fixture, sent.len(), &file, ""));
    let dump = Dump::start(&fixture.cable.right, "far", sent.len() as u32, FILTER);
    let send = || {
        let mut command = Command::new("tcpreplay");
        command.args(["-q", "-i", "near", "--pps=5000", file.path()]);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let output = fixture.cable.left.run(send).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bytes(dump.end().packets()), ours);
}

#[test]
fn the_times_are_those_of_the_capture_divided_by_the_speed() {
    if !privileged!() || !has("the_times_are_those_of_the_capture", "tcpdump") {
        return;
    }
    let fixture = Fixture::new(1);
    let times = [0, 40_000, 40_100, 200_000, 500_000];
    let timed: Vec<_> = times.into_iter().zip(packets(5)).collect();
    let file = TempFile::of(&pcap(1, &timed, |packet| packet.len() as u32));
    for (line, speed) in [("", 1.0), ("--speed 2", 2.0), ("--speed 0.5 -p", 0.5)] {
        // How late one is depends on the machine.
        undisturbed(|| {
            let came = came(&fixture, 5, &file, line);
            let offset = |number: usize| (came[number].0 - came[0].0) as f64 / 1000.0;
            let offsets = [0, 1, 2, 3, 4].map(offset);
            let right = offsets
                .iter()
                .zip(times)
                .all(|(offset, wanted)| (offset - wanted as f64 / speed).abs() < 35_000.0);
            if right { Ok(()) } else { Err(format!("{line}: {offsets:?}")) }
        });
    }
    let start = std::time::Instant::now();
    came(&fixture, 5, &file, "--top-speed");
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn a_cut_capture_is_sent_as_far_as_it_is_whole() {
    if !privileged!() || !has("a_cut_capture_is_sent_as_far_as_it_is_whole", "tcpdump") {
        return;
    }
    let fixture = Fixture::new(1);
    let sent = packets(50);
    let file = whole(&sent);
    let cut = TempFile::of(&file[..file.len() - 1]);
    for line in ["", "--loop 3"] {
        let dump = Dump::start(&fixture.cable.right, "far", 49, FILTER);
        let ended = replay(&fixture, &cut, line);
        assert_eq!(bytes(dump.end().packets()), sent[..49]);
        let summary = ended.summary_of(1);
        let error = "it ends in the middle of what follows packet 49; what comes before was sent";
        assert!(summary["error"].as_str().unwrap().ends_with(error), "{summary}");
        assert_eq!((&summary["tx_packets"], &summary["ended"]), (&49.into(), &"error".into()));
        assert!(ended.failure().contains("cannot be sent: it ends"), "{ended:?}");
    }
}

#[test]
fn what_is_no_capture_of_ethernet_is_refused_before_anything_is_sent() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let sent = || fixture.cable.veth.a().info().unwrap().counters.tx_packets;
    let before = sent();
    let one = [(0, packets(1).remove(0))];
    let len = |packet: &[u8]| packet.len() as u32;
    for (file, words) in [
        (vec![], "it is empty"),
        (b"GET / HTTP/1.1".to_vec(), "it is no pcap or pcapng file"),
        (
            b"\x1f\x8b\x08\0\0".to_vec(),
            "it is compressed by gzip: unpack it (`gunzip`), or read `-`",
        ),
        (b"\x28\xb5\x2f\xfd\0".to_vec(), "it is compressed by zstd: unpack it (`unzstd`)"),
        (b"\xfd7zXZ\0".to_vec(), "it is compressed by xz: unpack it (`unxz`)"),
        (pcap(101, &one, len), "link type 101 (raw IP), and only those of Ethernet (1) are read"),
        (pcap(1, &[], len), "it has no packets"),
        (whole(&packets(1))[..30].to_vec(), "it ends in the middle of what follows packet 0"),
        (pcap(1, &[(0, vec![1; 13])], len), "no packet of the capture can be sent on near"),
        (pcap(1, &[(0, vec![1; 1515])], len), "no packet of the capture can be sent on near"),
    ] {
        let ended = replay(&fixture, &TempFile::of(&file), "--loop forever");
        assert!(ended.failure().contains(words), "{words}: {ended:?}");
    }
    let ended = Tool::start(
        &fixture.cable.left,
        &format!("generate -i near {WAIT} --replay /nowhere/at/all"),
    )
    .end();
    assert!(ended.failure().contains("/nowhere/at/all cannot be sent: No such file"), "{ended:?}");
    assert!(sent() < before + 20);
}

#[test]
fn packets_that_cannot_be_sent_are_left_out_and_counted() {
    if !privileged!() || !has("packets_that_cannot_be_sent_are_left_out_and_counted", "tcpdump") {
        return;
    }
    let fixture = Fixture::new(1);
    let mut all = packets(12);
    let mut good = all.clone();
    let tagged = {
        let mut packet = TO.to_vec();
        packet.extend([2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7, 0x88, 0xb5]);
        packet.resize(1518, 7);
        packet
    };
    good.insert(3, tagged.clone());
    all.insert(3, tagged);
    all.insert(0, TO.to_vec());
    all.insert(5, [&TO[..], &[1; 1509]].concat());
    all.push([&TO[..], &[1; 3000]].concat());
    let timed: Vec<_> = all.into_iter().map(|packet| (0, packet)).collect();
    // One of them was longer.
    let file = TempFile::of(&pcap(1, &timed, |packet| match packet.len() {
        1514 => 9000,
        len => len as u32,
    }));
    let dump = Dump::start(&fixture.cable.right, "far", 26, FILTER);
    let summary = replay(&fixture, &file, "--pps 1k --loop 2").summary();
    let counts = &summary["generate"]["replay"];
    assert_eq!((&counts["passes"], &counts["packets"]), (&2.into(), &32.into()));
    assert_eq!((&counts["too_long"], &counts["too_short"]), (&4.into(), &2.into()));
    assert_eq!(counts["cut"], 2);
    // tcpdump sees the tag where it was.
    assert_eq!(bytes(dump.end().packets()), [&good[..], &good].concat());
}

#[test]
fn a_capture_comes_through_a_pipe() {
    if !privileged!() || !has("a_capture_comes_through_a_pipe", "tcpdump") {
        return;
    }
    let fixture = Fixture::new(1);
    let sent = packets(100);
    let file = TempFile::of(&whole(&sent));
    let dump = Dump::start(&fixture.cable.right, "far", 100, FILTER);
    let line = format!(
        "cat {} | {} generate -i near --replay - --json {WAIT}",
        file.path(),
        crate::fixture::TOOL
    );
    let run = || Command::new("sh").args(["-c", &line]).output().unwrap();
    let output = fixture.cable.left.run(run).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bytes(dump.end().packets()), sent);
}

#[test]
fn a_capture_without_an_end_takes_no_more_memory_than_a_short_one() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let one = packets(7).remove(5);
    let (head, body) = {
        let file = whole(&vec![one; 1000]);
        (file[..24].to_vec(), file[24..].to_vec())
    };
    let mut child = piped(&fixture, "--top-speed");
    let mut input = child.stdin.take().unwrap();
    input.write_all(&head).unwrap();
    let most = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let mut kilobytes = Vec::new();
    for _ in 0..40 {
        input.write_all(&body).unwrap();
        kilobytes.push(most());
    }
    drop(input);
    assert_eq!(end_of(child)["tx_packets"], 40_000);
    // 60 MB went through it.
    assert!(kilobytes[39] < kilobytes[5] + 4096 + 16_384, "{kilobytes:?}");
    assert!(kilobytes[39] < 50_000, "{kilobytes:?}");
}

#[test]
fn what_is_in_a_pipe_is_sent_and_more_is_waited_for_until_the_end() {
    const HERE: &str = "what_is_in_a_pipe_is_sent_and_more_is_waited_for_until_the_end";
    if !privileged!() || !has(HERE, "tcpdump") {
        return;
    }
    let fixture = Fixture::new(1);
    let sent = packets(5);
    let file = whole(&sent);
    for (line, signal, ended) in [("", true, "signal"), ("-d 1.5", false, "time")] {
        let dump = Dump::start(&fixture.cable.right, "far", 4, FILTER);
        let mut child = piped(&fixture, line);
        let mut input = child.stdin.take().unwrap();
        // A part of the last one is not there yet.
        input.write_all(&file[..file.len() - 1]).unwrap();
        assert_eq!(bytes(dump.end().packets()), sent[..4]);
        if signal {
            let id = Pid::from_child(&child);
            kill_process(id, Signal::INT).unwrap();
        }
        let summary = end_of(child);
        assert_eq!((&summary["tx_packets"], &summary["ended"]), (&4.into(), &ended.into()));
        drop(input);
    }
    // A signal that comes before the first packet.
    let mut child = piped(&fixture, "");
    let input = child.stdin.take().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    drop(input);
}

#[test]
fn a_named_pipe_without_a_writer_is_left_after_a_signal_and_when_the_time_is_over() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let directory = Directory::new("replay-pipe");
    let path = directory.path().join("pipe");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let pipe = path.display();
    let words = format!("the first packet of {pipe}");
    let ended = fixture.start(&format!("generate --replay {pipe} -d 0.3")).end();
    assert_eq!(ended.failure(), format!("xsk: {words} did not come within 0.3 s (-d)"));
    for letters in ["", "-d 100"] {
        let tool = fixture.start(&format!("generate --replay {pipe} {letters}"));
        let open = || {
            let files = std::fs::read_dir(format!("/proc/{}/fd", tool.id())).unwrap().flatten();
            let mut paths = files.filter_map(|file| std::fs::read_link(file.path()).ok());
            paths.any(|one| one == path)
        };
        wait_for("the pipe", open);
        tool.signal(Signal::TERM);
        let ended = tool.end();
        assert!(ended.failure_of(143).ends_with(&format!("waited for {words}")), "{ended:?}");
    }
    // A writer may come later.
    let tool = fixture.start(&format!("generate --replay {pipe}"));
    std::fs::write(&path, whole(&packets(7))).unwrap();
    assert_eq!(tool.summary()["tx_packets"], 7);
}

/// Starts a replay of what comes through a pipe.
fn piped(fixture: &Fixture, line: &str) -> Child {
    let spawn = || {
        let mut command = Command::new(crate::fixture::TOOL);
        let line = format!("generate -i near --replay - --json {WAIT} {line}");
        command.args(line.split_whitespace()).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    fixture.cable.left.run(spawn).unwrap()
}

/// Returns the summary of a replay that succeeds.
fn end_of(child: Child) -> serde_json::Value {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}
