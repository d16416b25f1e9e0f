//! `xsk generate`: rates, flows, checksums and sizes, what is refused; judged by tcpdump, tshark and
//! the counters of the far end.

use crate::common::{kernel_can, wait_for};
use crate::fixture::{Ended, Fixture, TOOL, Tool, WAIT};
use crate::packets::{Dump, has, tshark};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::process::Command;
use xsk::test_util::{ip, privileged};

/// The destination of the packets; the far end of a cable takes any.
const TO: &str = "--dst-mac 02:00:00:00:00:02";

/// Starts `xsk generate` at the near end.
fn sender(fixture: &Fixture, line: &str) -> Tool {
    fixture.start(&format!("generate {TO} {line}"))
}

/// Returns how a run of `xsk generate` without options ended.
fn plain(fixture: &Fixture, line: &str) -> Ended {
    Tool::start(&fixture.cable.left, &format!("generate -i near {WAIT} {line}")).end()
}

#[test]
fn a_rate_is_that_of_the_far_ends_counters() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let far = fixture.cable.veth.b();
    let of_far = || {
        let counters = far.info().unwrap().counters;
        (counters.rx_packets, counters.rx_bytes)
    };
    for (line, packets, bytes) in [
        ("--pps 20k -d 1.5", Some(30_000), None),
        ("--pps 1k -d 1 -p", Some(1000), None),
        ("--pps 10k -d 1 -q 0-1", Some(10_000), None),
        ("--bps 40M -s 64-1000 -d 1", None, Some(5_000_000)),
        ("--bps 4M --imix -d 1", None, Some(500_000)),
    ] {
        let before = of_far();
        let summary = sender(&fixture, line).summary();
        let sent = summary["tx_packets"].as_u64().unwrap();
        // A veth hands packets to its peer in the background.
        wait_for("the packets", || of_far().0 >= before.0 + sent);
        let now = of_far();
        let came = (now.0 - before.0, now.1 - before.1);
        // What a busy machine had no time for, and neighbour discovery of the kernel's.
        let late = summary["generate"]["late_ms"].as_u64().unwrap();
        let near = |number: u64, wanted: u64, more: u64| {
            let least = wanted - (wanted / 50 + wanted * late / 1000).min(wanted);
            (least..=wanted + wanted / 50 + more).contains(&number)
        };
        assert!((sent..sent + 10).contains(&came.0), "{line}: {came:?} of {sent}");
        assert!(packets.is_none_or(|wanted| near(came.0, wanted, 10)), "{line}: {came:?}");
        assert!(bytes.is_none_or(|wanted| near(came.1, wanted, 2000)), "{line}: {came:?}");
        assert_eq!(summary["ended"], "time");
    }
}

#[test]
fn tshark_finds_all_checksums_right() {
    const HERE: &str = "tshark_finds_all_checksums_right";
    if !privileged!() || !has(HERE, "tshark") {
        return;
    }
    let fixture = Fixture::new(1);
    let ranges4 = "--src-ip 10.0.0.250-10.0.1.5 --dst-ip 172.16.0.0/30";
    let ranges6 = "--src-ip 2001:db8::fffe-2001:db8::1:3 --dst-ip fd00::/126";
    let cases = [
        (format!("{ranges4} --src-port 65530-65535"), "udp", "-"),
        (format!("{ranges6} --src-port 1000-1003"), "udp", "-"),
        (format!("{ranges4} --tcp-syn --dst-port 80-90"), "tcp", "-"),
        (format!("{ranges6} --tcp-syn"), "tcp", "-"),
        (format!("{ranges4} --icmp"), "icmp", "-"),
        (format!("{ranges6} --icmp"), "icmpv6", "-"),
        (format!("{ranges4} --vlan 7"), "udp", "7"),
        (format!("{ranges6} --vlan 4094 --icmp --src-port 1-9"), "icmpv6", "4094"),
        (format!("{ranges4} --no-mark --tcp-syn -s 54-90"), "tcp", "-"),
    ];
    for (line, protocol, vlan) in &cases {
        let sizes = if line.contains("-s ") { "" } else { "-s 110-400" };
        let dump = Dump::start(&fixture.cable.right, "far", 200, "ether dst 02:00:00:00:00:02");
        sender(&fixture, &format!("{line} {sizes} --pps 5k -C 200")).summary();
        let file = dump.end();
        let fields =
            ["ip", "udp", "tcp", "icmp", "icmpv6"].map(|name| format!("{name}.checksum.status"));
        let fields: Vec<&str> = fields.iter().map(String::as_str).chain(["vlan.id"]).collect();
        let rows = tshark(file.path(), &fields);
        assert_eq!(rows.len(), 200, "{line}");
        for row in rows {
            for (field, found) in fields.iter().zip(&row) {
                let wanted = match field.split('.').next().unwrap() {
                    "vlan" if *vlan == "-" => "",
                    "vlan" => vlan,
                    "ip" if line.starts_with(ranges4) => "1",
                    name if name == *protocol => "1",
                    _ => "",
                };
                assert_eq!(found, wanted, "{line}: {field}: {row:?}");
            }
        }
    }
}

#[test]
fn tcpdump_sees_each_flow_as_often_as_each_other_one() {
    if !privileged!() || !has("tcpdump_sees_each_flow_as_often_as_each_other_one", "tcpdump") {
        return;
    }
    let fixture = Fixture::new(1);
    let flows =
        "--src-ip 10.0.0.1-10.0.0.9 --dst-ip 10.1.0.0/30 --src-port 1000-1004 --dst-port 7-8";
    let all = 9 * 4 * 5 * 2;
    let count = all * 3;
    let dump = Dump::start(&fixture.cable.right, "far", count, "ether dst 02:00:00:00:00:02");
    let summary = sender(&fixture, &format!("{flows} --pps 2k -C {count}")).summary();
    assert_eq!(summary["generate"]["flows"], all);
    let mut seen: HashMap<[u8; 12], u32> = HashMap::new();
    for (_, packet) in dump.end().packets() {
        *seen.entry(packet[26..38].try_into().unwrap()).or_default() += 1;
    }
    assert_eq!(seen.len() as u32, all);
    assert!(seen.values().all(|times| *times == 3), "{seen:?}");
    for flow in seen.keys() {
        let [a, b, c, d, e, f, g, h, sh, sl, dh, dl] = *flow;
        let ports = (u16::from_be_bytes([sh, sl]), u16::from_be_bytes([dh, dl]));
        assert!(a == 10 && b == 0 && c == 0 && (1..=9).contains(&d), "{flow:?}");
        assert!(e == 10 && f == 1 && g == 0 && h < 4, "{flow:?}");
        assert!((1000..=1004).contains(&ports.0) && (7..=8).contains(&ports.1), "{flow:?}");
    }
}

#[test]
fn imix_has_its_shares_and_a_range_all_of_its_sizes() {
    if !privileged!() || !has("imix_has_its_shares_and_a_range_all_of_its_sizes", "tcpdump") {
        return;
    }
    let fixture = Fixture::new(1);
    let sizes = |line: &str, count: u32| {
        let dump = Dump::start(&fixture.cable.right, "far", count, "ether dst 02:00:00:00:00:02");
        sender(&fixture, &format!("{line} --pps 2k -C {count}")).summary();
        let mut seen: HashMap<usize, u32> = HashMap::new();
        for (_, packet) in dump.end().packets() {
            *seen.entry(packet.len()).or_default() += 1;
        }
        seen
    };
    for (line, small) in [("--imix", 60), ("--imix --src-port 1-4", 60), ("--imix --tcp-syn", 72)] {
        let seen = sizes(line, 240);
        assert_eq!(seen, HashMap::from([(small, 140), (590, 80), (1514, 20)]), "{line}");
    }
    let seen = sizes("-s 100-119", 200);
    assert_eq!(seen, (100..120).map(|size| (size, 10)).collect());
}

#[test]
fn packets_of_several_frames_have_right_checksums() {
    const HERE: &str = "packets_of_several_frames_have_right_checksums";
    if !privileged!() || !has(HERE, "tshark") {
        return;
    }
    if !kernel_can(HERE, crate::common::kernel_since(6, 6), "packets have one frame") {
        return;
    }
    let fixture = Fixture::new(1);
    for end in [fixture.cable.veth.a(), fixture.cable.veth.b()] {
        ip::set_mtu(end, 9000).unwrap();
    }
    let dump = Dump::start(&fixture.cable.right, "far", 300, "ether dst 02:00:00:00:00:02");
    sender(&fixture, "-F -s 60-9014 --chunks 64 -f 2048 --pps 1k -C 300").summary();
    sender(&fixture, "-F -s 8000-9014 --chunks 64 -f 2048 --pps 1k -C 300").summary();
    let file = dump.end();
    let rows = tshark(file.path(), &["ip.checksum.status", "udp.checksum.status"]);
    assert_eq!(rows.len(), 300);
    assert!(rows.iter().all(|row| row == &["1", "1"]), "{rows:?}");
}

#[test]
fn the_destination_is_that_of_a_known_neighbour_or_given() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let [near, far] = [fixture.cable.veth.a(), fixture.cable.veth.b()];
    ip::add_ipv4(near, Ipv4Addr::new(192, 0, 2, 1), 24).unwrap();
    ip::add_ipv4(far, Ipv4Addr::new(192, 0, 2, 2), 24).unwrap();
    let ended = plain(&fixture, "-C 1");
    assert!(ended.failure().contains("need a destination MAC address (--dst-mac)"), "{ended:?}");
    let ended = plain(&fixture, "-C 1 --dst-ip 192.0.2.2");
    let words = "the kernel knows none of 192.0.2.2 on near (`ip neigh show dev near`";
    assert!(ended.failure().contains(words), "{ended:?}");
    // The kernel asks for the address of whom it sends something.
    let ask = || {
        let socket = std::net::UdpSocket::bind("192.0.2.1:0").unwrap();
        socket.send_to(b"x", "192.0.2.2:9").unwrap();
    };
    fixture.cable.left.run(ask).unwrap();
    let to = fixture.cable.veth.b().info().unwrap().mac.unwrap();
    let start = std::time::Instant::now();
    let known = || near.neighbour_mac([192, 0, 2, 2].into()).unwrap();
    while fixture.cable.left.run(known).unwrap() != Some(to) {
        assert!(start.elapsed() < crate::fixture::LIMIT);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    if !has("the_destination_is_that_of_a_known_neighbour_or_given", "tcpdump") {
        return;
    }
    let dump = Dump::start(&fixture.cable.right, "far", 1, "udp dst port 9 and src port 4096");
    plain(&fixture, "-C 1 --dst-ip 192.0.2.2 --json").summary();
    let packets = dump.end().packets();
    let packet = &packets[0].1;
    assert_eq!(packet[..6], to);
    assert_eq!(packet[6..12], near.info().unwrap().mac.unwrap());
    assert_eq!(packet[26..34], [192, 0, 2, 1, 192, 0, 2, 2]);
}

#[test]
fn the_interface_of_the_default_route_is_not_flooded_without_yes() {
    if !privileged!() {
        return;
    }
    let here = "the_interface_of_the_default_route_is_not_flooded_without_yes";
    if !kernel_can(here, crate::common::has_iproute2(), "`ip` is not that of iproute2") {
        return;
    }
    let fixture = Fixture::new(1);
    let near = fixture.cable.veth.a();
    ip::add_ipv4(near, Ipv4Addr::new(192, 0, 2, 1), 24).unwrap();
    let add = || {
        let words = ["route", "add", "default", "via", "192.0.2.2"];
        Command::new("ip").args(words).status().unwrap().success()
    };
    assert!(fixture.cable.left.run(add).unwrap());
    let sent = || fixture.cable.veth.b().info().unwrap().counters.rx_packets;
    let before = sent();
    let ended = plain(&fixture, &format!("{TO} -C 100"));
    let words = "near carries the default route: what this command sends would flood the network";
    assert!(ended.failure().contains(words) && ended.failure().ends_with("--yes"), "{ended:?}");
    assert!(sent() < before + 50);
    assert_eq!(sender(&fixture, "-C 100 --yes").summary()["tx_packets"], 100);
}

#[test]
fn options_that_do_not_go_together_are_refused_with_the_reason() {
    let refused = |line: &str, code: i32, words: &str| {
        let output = Command::new(TOOL).args(line.split_whitespace()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {text}");
        assert!(text.contains(words), "{line}: {text}");
    };
    let wrong = |line: &str, words: &str| refused(&format!("generate -i x {line}"), 2, words);
    wrong("--pps 1 --bps 1", "each of them is a rate");
    wrong("--pps fast", "a number per second is wanted");
    wrong("--pps 0", "from 1 to");
    wrong("--imix -s 60", "which sizes packets have");
    wrong("--udp --icmp", "one protocol");
    wrong("--icmp --dst-port 1", "echo requests have no ports");
    wrong("--src-ip 10.0.0.1 --dst-ip ::1", "both IPv4 or both IPv6");
    wrong("--src-ip 10.0.0.9-10.0.0.1", "ends before it begins");
    wrong("--dst-mac 1:2:3", "a MAC address is wanted");
    wrong("--vlan 4095", "4094");
    wrong("--speed 2", "--replay");
    wrong("--replay f --imix", "--imix cannot be used with --replay");
    wrong("--replay f --top-speed --pps 5", "each of them is a speed");
    wrong("--replay f -q 0-1", "one queue");
    wrong("--replay - --loop 2", "what was read is gone");
    wrong("--replay f --loop 0", "`forever`");
    refused("receive -i x --window 5", 2, "64");
}

#[test]
fn sizes_and_flows_that_cannot_be_are_refused_before_anything_is_sent() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let sent = || fixture.cable.veth.a().info().unwrap().counters.tx_packets;
    let before = sent();
    for (line, words) in [
        (
            "-s 1515",
            "its MTU allows 1514 bytes with the Ethernet header: `ip link set dev near mtu 1501`",
        ),
        ("-s 4294967295", "its MTU allows 1514"),
        ("-s 60-4294967295", "its MTU allows 1514"),
        ("-f 2048 -s 2049", "its MTU allows 1514"),
        ("--src-ip 10.0.0.0/8 --src-port 1-2", "there are too many flows"),
        ("--src-ip ::/0 --dst-ip ::/0", "there are too many flows"),
    ] {
        let ended = plain(&fixture, &format!("{TO} -C 1 {line}"));
        assert!(ended.failure().contains(words), "{line}: {ended:?}");
    }
    // What is wrong on every interface.
    for (line, words) in [
        ("-s 20", "packets of 20 bytes are too short: the headers and the mark take 60 (--no-mark"),
        ("-s 59", "the headers and the mark take 60 (--no-mark leaves the mark out)"),
        ("-s 59-100", "the headers and the mark take 60 (--no-mark leaves the mark out)"),
        ("-s 63 --vlan 7", "the mark take 64 "),
        ("-s 79 --dst-ip ::1", "the mark take 80 "),
        ("-s 71 --tcp-syn", "the mark take 72 "),
        ("-s 41 --no-mark", "the headers take 42"),
    ] {
        let ended = plain(&fixture, &format!("{TO} -C 1 {line}"));
        assert_eq!(ended.status.code(), Some(2), "{line}: {ended:?}");
        assert!(ended.err[0].contains(words), "{line}: {ended:?}");
    }
    assert!(sent() < before + 20);
    ip::set_mtu(fixture.cable.veth.a(), 5000).unwrap();
    let ended = plain(&fixture, &format!("{TO} -C 1 -s 4500"));
    assert!(
        ended.failure().contains("a chunk has 4096 bytes: larger chunks (-f), or"),
        "{ended:?}"
    );
}

#[test]
fn packets_of_more_frames_than_there_can_be_are_refused() {
    const HERE: &str = "packets_of_more_frames_than_there_can_be_are_refused";
    if !privileged!() {
        return;
    }
    if !kernel_can(HERE, crate::common::kernel_since(6, 6), "packets have one frame") {
        return;
    }
    let fixture = Fixture::new(1);
    ip::set_mtu(fixture.cable.veth.a(), 65_535).unwrap();
    for line in ["-s 60000", "-s 60-60000", "--chunks 4 -s 9000"] {
        let ended = plain(&fixture, &format!("{TO} -C 1 -F -f 2048 {line}"));
        assert!(ended.failure().contains("frames of 2048 bytes"), "{line}: {ended:?}");
    }
}
