//! `xsk capture`: what is in the file, as tcpdump, tshark and capinfos read it.

use crate::capture_files::{
    ACCEPTED, DROPPED, Directory, END, OS_DROPPED, RECEIVED, START, WRITTEN, fields, infos,
    nanoseconds, now, packets, packets_now, send, statistics,
};
use crate::common::{Cable, kernel_can, kernel_since, packet, wait_for};
use crate::fixture::{Fixture, TOOL, Tool, WAIT};
use crate::tagger::Tagger;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use xsk::packet::VlanTag;
use xsk::test_util::{VethPair, ip, privileged, test_name};

const NEAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Returns packets of many sizes, with different bytes.
fn many(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|number| packet(number, 18 + (number as usize * 37) % 1497)).collect()
}

/// Returns a cable whose ends have addresses.
fn with_addresses() -> Fixture {
    let fixture = Fixture::new(1);
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

#[test]
fn the_file_has_each_packet_byte_for_byte_at_its_time() {
    if !privileged!() {
        return;
    }
    let (fixture, files, sent) = (Fixture::new(1), Directory::new("bytes"), many(500));
    for letters in ["", "--metadata always", "-S", "--spin -q 0", "-F", "--tee", "--tee -S"] {
        if letters == "-F" && !kernel_since(6, 6) {
            continue;
        }
        let file = files.file("a.pcapng");
        let before = now();
        let tool = fixture.start(&format!("capture -w {file} -C 500 {letters}")).ready();
        send(&fixture, 0, &sent);
        let ended = tool.end();
        let (summary, after) = (ended.summary(), now());
        assert_eq!(summary["rx_packets"], 500, "{letters}: {ended:?}");
        let capture = &summary["capture"];
        assert_eq!((&capture["file"], &capture["packets"]), (&file.clone().into(), &500.into()));
        assert_eq!((&capture["files"], &capture["not_written"]), (&1.into(), &0.into()));
        assert_eq!(capture["bytes"], std::fs::metadata(&file).unwrap().len());
        assert_eq!(capture["tee"], letters.contains("--tee"));
        assert!(packets(&file) == sent, "{letters}: other packets");
        // These take long to start.
        let judged = ["", "--tee"].contains(&letters);
        if let Some(infos) = judged.then(|| infos(&file)).flatten() {
            for line in [
                "Number of packets:   500",
                "File timestamp precision:  nanoseconds (9)",
                "Strict time order:   True",
                "Name = near",
                "Number of stat entries = 1",
            ] {
                assert!(infos.contains(line), "{letters}: {line}: {infos}");
            }
            assert!(infos.contains("Capture application: xsk "), "{infos}");
        }
        let read = judged.then(|| fields(&file, &["frame.time_epoch", "frame.len"])).flatten();
        let mut last = before;
        for (fields, sent) in read.into_iter().flatten().zip(&sent) {
            let time = nanoseconds(&fields[0]);
            // The clocks' difference is measured to some microseconds.
            assert!(time + 1_000_000 > last && time < after, "{before} {last} {time} {after}");
            last = time;
            assert_eq!(fields[1], sent.len().to_string());
        }
        let counts = statistics(&file);
        assert_eq!((counts[&RECEIVED], counts[&DROPPED], counts[&WRITTEN]), (500, 0, 500));
        assert!(counts[&START] + 1_000_000 > before && counts[&END] < after + 1_000_000);
        assert_eq!(fixture.left(), None);
    }
}

#[test]
fn packets_are_cut_to_the_snaplen_and_keep_their_length() {
    if !privileged!() {
        return;
    }
    let (fixture, files, sent) = (Fixture::new(1), Directory::new("snaplen"), many(100));
    for (snaplen, letters) in [(1, ""), (64, ""), (64, "--tee"), (262_144, ""), (0, "--tee")] {
        let file = files.file("a.pcapng");
        let line = format!("capture -w {file} -C 100 -s {snaplen} {letters}");
        let tool = fixture.start(&line).ready();
        send(&fixture, 0, &sent);
        tool.summary();
        let most = if snaplen == 0 { usize::MAX } else { snaplen };
        let cut: Vec<_> =
            sent.iter().map(|bytes| bytes[..bytes.len().min(most)].to_vec()).collect();
        assert!(packets(&file) == cut, "{line}");
        if snaplen == 64 {
            let lengths = fields(&file, &["frame.len"]).into_iter().flatten();
            for (fields, sent) in lengths.zip(&sent) {
                assert_eq!(fields[0], sent.len().to_string(), "{line}");
            }
        }
    }
}

#[test]
fn each_packet_of_several_queues_names_its_own() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(2), Directory::new("queues"));
    for letters in ["", "--tee"] {
        let file = files.file("a.pcapng");
        let tool = fixture.start(&format!("capture -w {file} -C 200 {letters}")).ready();
        let sent = many(200);
        send(&fixture, 0, &sent[..50]);
        send(&fixture, 1, &sent[50..]);
        tool.summary();
        let mut read = packets(&file);
        read.sort();
        let mut all = sent.clone();
        all.sort();
        assert!(read == all, "{letters}: other packets");
        // Packet comments, flags and queues are options that tshark names from 4.0 on.
        let bytes = std::fs::read(&file).unwrap();
        let option = |queue: u8| [6, 0, 4, 0, queue, 0, 0, 0, 0, 0, 0, 0];
        let with = |queue| bytes.windows(12).filter(|bytes| *bytes == option(queue)).count();
        assert_eq!((with(0), with(1)), (50, 150), "{letters}");
    }
    // Those of one queue alone.
    for letters in ["-q 1", "-q 1 --tee"] {
        let file = files.file("b.pcapng");
        let tool = fixture.start(&format!("capture -w {file} -C 30 {letters}")).ready();
        send(&fixture, 0, &many(20));
        send(&fixture, 1, &many(30));
        let matched = tool.summary()["capture"]["matched"].take();
        assert!(packets(&file) == many(30), "{letters}: other packets");
        if letters.contains("--tee") {
            assert_eq!(matched, 30, "those of the other queue are counted");
            let counts = statistics(&file);
            assert_eq!((counts[&RECEIVED], counts[&ACCEPTED]), (30, 30), "{counts:?}");
        }
    }
}

#[test]
fn packets_of_several_frames_are_whole() {
    if !privileged!()
        || !kernel_can(test_name!(), kernel_since(6, 6), "packets of several frames: Linux 6.6")
    {
        return;
    }
    let builder = VethPair::builder().names("near", "far").mtu(9000);
    let fixture = Fixture { cable: Cable::build(builder) };
    let files = Directory::new("frags");
    for letters in ["-F", "-F --tee", "--tee"] {
        let file = files.file("a.pcapng");
        let tool = fixture.start(&format!("capture -w {file} -C 20 {letters}")).ready();
        let line = format!("txonly -i far -F -C 20 -s 9000 --json {WAIT}");
        Tool::start(&fixture.cable.right, &line).summary();
        tool.summary();
        let read = packets(&file);
        assert_eq!(read.len(), 20);
        assert!(
            read.iter().all(|bytes| bytes.len() == 9000 && bytes[..9000] == read[0]),
            "{letters}"
        );
        let distinct = read[0].windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(distinct > 5, "{letters}: {distinct}");
    }
}

#[test]
fn a_filter_says_what_is_captured_and_is_in_the_file() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (with_addresses(), Directory::new("filter"));
    for letters in ["", "--tee"] {
        let file = files.file("a.pcapng");
        let line = format!("capture -w {file} {letters} udp dst port 7777");
        let tool = fixture.start(&line).ready();
        send_udp(&fixture, 7777, 40);
        send_udp(&fixture, 7778, 7);
        wait_for("the packets", || packets_now(&file) == 40);
        let summary = tool.stop().summary();
        assert_eq!(
            (&summary["rx_packets"], &summary["capture"]["matched"]),
            (&40.into(), &40.into())
        );
        let counts = statistics(&file);
        assert_eq!((counts[&ACCEPTED], counts[&WRITTEN]), (40, 40));
        assert!(counts[&RECEIVED] >= 47, "{counts:?}");
        assert_eq!(counts.get(&OS_DROPPED).copied(), (letters == "--tee").then_some(0));
        if let Some(infos) = infos(&file) {
            assert!(infos.contains("Filter string = udp dst port 7777"), "{infos}");
        }
    }
}

/// Pings the near end from the far one (`ping` of iputils); returns whether it replied to all.
fn ping(fixture: &Fixture, count: &str) -> bool {
    let words = ["-c", count, "-i", "0.01", "-W", "5", "192.0.2.1"];
    let output = fixture.cable.right.run(|| Command::new("ping").args(words).output());
    output.unwrap().unwrap().status.success()
}

#[test]
fn with_tee_the_kernel_gets_what_is_captured() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (with_addresses(), Directory::new("tee"));
    for letters in ["", "-S", "--attach netlink"] {
        let file = files.file("a.pcapng");
        let tool = fixture.start(&format!("capture -w {file} --tee {letters} icmp")).ready();
        assert!(ping(&fixture, "20"), "{letters}");
        let ended = tool.stop();
        let summary = ended.summary();
        assert_eq!(summary["capture"]["packets"], 20, "{letters}: {ended:?}");
        assert_eq!(summary["capture"]["ring_lost"], 0);
        let requests = fields(&file, &["icmp.type"]).into_iter().flatten();
        assert!(requests.eq((0..20).map(|_| vec!["8".to_owned()])), "{letters}");
        assert_eq!(fixture.left(), None);
    }
    // Without it the packets are taken away.
    let file = files.file("b.pcapng");
    let tool = fixture.start(&format!("capture -w {file} icmp")).ready();
    assert!(!ping(&fixture, "1"));
    assert_eq!(tool.stop().summary()["capture"]["packets"], 1);
}

#[test]
fn copies_that_find_no_room_are_counted() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("lost"));
    let file = files.file("a.pcapng");
    let line = format!("capture -w {file} --tee --tee-ring 65536");
    let tool = fixture.start(&line).ready();
    // It does not read meanwhile.
    tool.signal(rustix::process::Signal::STOP);
    fixture.send(0, 2000);
    tool.signal(rustix::process::Signal::CONT);
    wait_for("the packets", || packets_now(&file) > 0);
    let ended = tool.stop();
    let summary = ended.summary();
    let lost = summary["capture"]["ring_lost"].as_u64().unwrap();
    let written = summary["capture"]["packets"].as_u64().unwrap();
    assert!(lost > 0 && written > 0 && lost + written == 2000, "{ended:?}");
    assert_eq!(summary["total"]["rx_lost"], lost);
    assert!(ended.objects().iter().any(|object| object["event"] == "tee_ring_full"), "{ended:?}");
    assert_eq!((statistics(&file)[&OS_DROPPED], statistics(&file)[&WRITTEN]), (lost, written));
}

#[test]
fn new_files_begin_by_size_and_the_oldest_are_deleted() {
    if !privileged!() {
        return;
    }
    let (fixture, sent) = (Fixture::new(1), many(300));
    for (letters, keep) in [("", None), ("--files 3", Some(3)), ("--tee", None)] {
        let files = Directory::new("rotation");
        let line =
            format!("capture -w {} --rotate-size 20000 -C 300 {letters}", files.file("a.pcapng"));
        let tool = fixture.start(&line).ready();
        send(&fixture, 0, &sent);
        let summary = tool.summary();
        let names = files.files();
        let all = summary["capture"]["files"].as_u64().unwrap() as usize;
        assert!(all > 10, "{summary}");
        assert_eq!(names.len(), keep.unwrap_or(all), "{names:?}");
        let mut read = Vec::new();
        for (number, name) in (all - names.len() + 1..).zip(&names) {
            let name = std::path::Path::new(name);
            let text = name.file_name().unwrap().to_str().unwrap();
            assert!(text.starts_with(&format!("a_{number:05}_20")) && text.len() == 29, "{text}");
            assert!(name.metadata().unwrap().len() <= 20000);
            let name = name.to_str().unwrap();
            read.extend(packets(name));
            // They count from the start of the capture.
            if keep.is_none() {
                assert_eq!(statistics(name)[&WRITTEN], read.len() as u64);
            }
        }
        assert!(read == sent[300 - read.len()..], "{letters}: other packets");
    }
}

#[test]
fn the_summary_says_which_files_are_kept() {
    if !privileged!() {
        return;
    }
    let (fixture, sent) = (Fixture::new(1), many(300));
    for keep in [None, Some(3), Some(1)] {
        let files = Directory::new("kept");
        let letters = keep.map(|keep| format!("--files {keep}")).unwrap_or_default();
        let line = format!("capture -w {} --rotate-size 20K -C 300", files.file("a"));
        let tool = Tool::start(&fixture.cable.left, &format!("{line} {letters} -i near {WAIT}"));
        // The title comes when everything is attached.
        assert!(tool.line().contains("near"));
        send(&fixture, 0, &sent);
        let out = tool.end().out;
        let line = out.iter().find(|line| line.contains("file(s)")).unwrap();
        let names = files.files();
        let (first, last) = (&names[0], &names[names.len() - 1]);
        let end = match keep {
            Some(1) => format!(" file(s), the last one is kept: {last}"),
            Some(keep) => format!(" file(s), the last {keep} are kept, up to {last}"),
            None => format!(" bytes in {} file(s), the last one {last}", names.len()),
        };
        assert!(line.ends_with(&end), "{line}");
        assert_eq!(line.contains(first), keep != Some(3), "{line}");
    }
}

#[test]
fn new_files_begin_by_time() {
    if !privileged!() {
        return;
    }
    let (fixture, files, sent) = (Fixture::new(1), Directory::new("time"), many(3));
    let line = format!("capture -w {} --rotate-seconds 0.3", files.file("a"));
    let tool = fixture.start(&line).ready();
    for (number, packet) in sent.iter().enumerate() {
        send(&fixture, 0, std::slice::from_ref(packet));
        wait_for("a file", || files.files().len() >= number + 2);
    }
    let summary = tool.stop().summary();
    assert_eq!(summary["capture"]["packets"], 3);
    let read: Vec<_> = files.files().iter().flat_map(|file| packets(file)).collect();
    assert!(read == sent, "other packets");
}

#[test]
fn a_vlan_tag_that_was_taken_out_is_put_back() {
    let name = test_name!();
    if !privileged(name)
        || !kernel_can(name, kernel_since(6, 8), "VLAN tags of received packets: Linux 6.8")
    {
        return;
    }
    let (fixture, files) = (with_addresses(), Directory::new("vlan"));
    // The sender leaves the tag to its card: it is beside the packet.
    let tag = VlanTag { protocol: 0x8100, tci: 7 };
    let attach = || Tagger::attach(fixture.cable.veth.b(), &[tag]);
    send_udp(&fixture, 7777, 1);
    let _tagger = fixture.cable.right.run(attach).unwrap().unwrap();
    for (letters, kept) in [("--metadata always", "54"), ("--metadata always -s 20", "20")] {
        let file = files.file("a.pcapng");
        let tool = fixture.start(&format!("capture -w {file} {letters}")).ready();
        send_udp(&fixture, 7777, 3);
        wait_for("the packets", || packets_now(&file) >= 3);
        tool.stop().summary();
        // 14 and 4 bytes of Ethernet, 20 of IP, 8 of UDP, 8 of text.
        let read = fields(&file, &["vlan.id", "frame.len", "frame.cap_len", "vlan.etype"]);
        let wanted = ["7", "54", kept, "0x0800"];
        let udp = |fields: &&Vec<String>| fields[3] == wanted[3];
        if let Some(read) = read {
            assert_eq!(read.iter().filter(udp).count(), 3, "{letters}: {read:?}");
            assert!(read.iter().filter(udp).all(|fields| *fields == wanted), "{letters}: {read:?}");
        }
    }
}

#[test]
fn the_help_says_that_packets_are_taken_away() {
    let output = Command::new(TOOL).args(["capture", "--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for words in ["Packets are taken away", "--tee", "nanoseconds", "[default: all]"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
