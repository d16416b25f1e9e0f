//! `xsk filter`: how an expression is read, and its verdicts on captures.

use crate::common::kernel_can;
use crate::fixture::TOOL;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use xsk::test_util::privileged;

/// A file that is removed in the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("xsk-captures-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(words: &[&str]) -> Output {
    Command::new(TOOL).arg("filter").args(words).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns the JSON object of a run that ended with this exit code.
fn object(words: &[&str], code: i32) -> Value {
    let output = run(&[words, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    packet.extend(kind.to_be_bytes());
    packet.extend(payload);
    packet
}

fn tagged(id: u16, packet: &[u8]) -> Vec<u8> {
    let mut tagged = packet[..12].to_vec();
    tagged.extend([0x81, 0, (id >> 8) as u8, id as u8]);
    tagged.extend(&packet[12..]);
    tagged
}

fn ports(from: u16, to: u16) -> Vec<u8> {
    let mut header = [from.to_be_bytes(), to.to_be_bytes()].concat();
    header.extend([0; 16]);
    header
}

fn ip4(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(payload);
    ethernet(0x0800, &packet)
}

fn ip6(protocol: u8, from: Ipv6Addr, to: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([protocol, 64]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(payload);
    ethernet(0x86dd, &packet)
}

/// Packets of many kinds.
fn packets() -> Vec<Vec<u8>> {
    let (a, b) = (Ipv4Addr::new(10, 1, 2, 3), Ipv4Addr::new(192, 0, 2, 1));
    let (c, d) = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), Ipv6Addr::LOCALHOST);
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
    arp.extend([0; 20]);
    let vxlan = ip4(17, a, b, &ports(5000, 4789));
    let mut fragment = vxlan.clone();
    fragment[20..22].copy_from_slice(&[0, 9]);
    vec![
        ethernet(0x0806, &arp),
        vxlan.clone(),
        ip4(17, b, a, &ports(4789, 53)),
        ip4(6, a, b, &ports(5000, 22)),
        ip4(6, b, a, &ports(22, 5000)),
        ip4(1, a, b, &[8, 0, 0, 0, 0, 0, 0, 0]),
        ip6(17, c, d, &ports(5000, 4789)),
        ip6(58, c, d, &[135, 0, 0, 0, 0, 0, 0, 0]),
        tagged(5, &vxlan),
        tagged(7, &ip4(6, a, b, &ports(5000, 80))),
        fragment,
        vxlan[..37].to_vec(),
        vxlan[..13].to_vec(),
        ethernet(0x88cc, &[0; 46]),
        ip4(17, a, b, &[ports(5000, 4789), vec![0; 900]].concat()),
    ]
}

/// A pcap file in this order of bytes; packet n has the time n seconds.
fn pcap(packets: &[Vec<u8>], link_type: u32, big: bool) -> Vec<u8> {
    let number = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let half = |number: u16| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let mut file = number(0xa1b2_c3d4).to_vec();
    file.extend([half(2), half(4)].concat());
    file.extend([number(0), number(0), number(65535), number(link_type)].concat());
    for (packet, second) in packets.iter().zip(1..) {
        let length = packet.len() as u32;
        file.extend([number(second), number(0), number(length), number(length)].concat());
        file.extend(packet);
    }
    file
}

/// A block of a pcapng file.
fn block(kind: u32, body: &[u8], big: bool) -> Vec<u8> {
    let number = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let mut padded = body.to_vec();
    padded.resize(body.len().next_multiple_of(4), 0);
    let length = number(padded.len() as u32 + 12);
    [&number(kind), &length, &padded[..], &length].concat()
}

/// A pcapng file: the packets are in blocks of the three kinds, of two interfaces, and between them
/// are blocks of other kinds.
fn pcapng(packets: &[Vec<u8>], big: bool) -> Vec<u8> {
    let number = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let half = |number: u16| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let interface = [half(1), half(0)].concat();
    let interface = block(1, &[&interface[..], &number(0)].concat(), big);
    let section = [&number(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
    let section = block(0x0a0d_0d0a, &section, big);
    let mut file = [&section[..], &interface, &interface].concat();
    for (index, packet) in packets.iter().enumerate() {
        let length = number(packet.len() as u32);
        let lengths = [&length[..], &length, packet].concat();
        file.extend(match index % 3 {
            0 => block(6, &[&number(1)[..], &number(0), &number(0), &lengths].concat(), big),
            1 => block(3, &[&length[..], packet].concat(), big),
            _ => {
                let head = [&half(1)[..], &half(0), &number(0), &number(0)].concat();
                block(2, &[&head[..], &lengths].concat(), big)
            }
        });
        file.extend(block(5, &[0; 12], big));
    }
    // Another section, without a packet.
    file.extend(section);
    file
}

const EXPRESSIONS: [&str; 14] = [
    "udp dst port 4789",
    "udp dst port 4789 or (tcp and src net 10.0.0.0/8)",
    "not arp",
    "icmp or icmp6",
    "vlan and udp",
    "vlan 5 and udp dst port 4789",
    "host 192.0.2.1",
    "portrange 20-80",
    "tcp[13] & 2 == 0",
    "ip[6:2] & 0x1fff != 0",
    "greater 500",
    "less 40",
    "ether proto 0x88cc",
    "ip6 and udp",
];

/// Returns the numbers of the packets that match, by the lines for people.
fn matching(words: &[&str]) -> Vec<usize> {
    let output = run(words);
    assert!(output.status.success(), "{output:?}");
    let number = |line: &str| {
        let (number, rest) = line.split_once(": ")?;
        rest.ends_with(" bytes: matches").then(|| number.parse().unwrap())
    };
    text(&output.stdout).lines().filter_map(number).collect()
}

#[test]
fn verdicts_are_those_of_tcpdump() {
    let there = Command::new("tcpdump").arg("--version").output().is_ok();
    if !kernel_can("verdicts_are_those_of_tcpdump", there, "tcpdump is not there") {
        return;
    }
    let file = File::new("tcpdump", &pcap(&packets(), 1, false));
    for expression in EXPRESSIONS {
        let words = ["-n", "-tt", "-Z", "root", "-r", file.path(), expression];
        let output = Command::new("tcpdump").args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let second = |line: &str| line.split_once('.').and_then(|(second, _)| second.parse().ok());
        let wanted: Vec<usize> = text(&output.stdout).lines().filter_map(second).collect();
        assert_eq!(matching(&["--pcap", file.path(), expression]), wanted, "{expression}");
    }
}

#[test]
fn the_kernel_and_the_evaluator_agree_but_for_packets_that_are_too_short() {
    if !privileged!() {
        return;
    }
    let file = File::new("kernel", &pcap(&packets(), 1, false));
    for expression in EXPRESSIONS {
        let rust = object(&["--pcap", file.path(), expression], 0);
        let kernel = object(&["--kernel", "--pcap", file.path(), expression], 0);
        assert_eq!((&rust["evaluator"], &kernel["evaluator"]), (&"rust".into(), &"kernel".into()));
        assert_eq!((&rust["packets"], &rust["refused"]), (&15.into(), &0.into()));
        assert_eq!((&kernel["packets"], &kernel["refused"]), (&15.into(), &1.into()));
        // The one of 13 bytes.
        let short = matching(&["--pcap", file.path(), expression]).contains(&13);
        let matched = kernel["matched"].as_u64().unwrap() + u64::from(short);
        assert_eq!(rust["matched"], matched, "{expression}");
        assert_eq!(rust["instructions"], kernel["instructions"]);
    }
    let output = run(&["--kernel", "--pcap", file.path(), "udp"]);
    let text = text(&output.stdout);
    assert!(text.contains("13: 13 bytes: cannot be tried in the kernel\n"), "{text}");
    assert!(
        text.contains("; 1 refused: the kernel shows a program whole packets from 14 to"),
        "{text}"
    );
    assert!(text.contains("instructions, which the kernel takes\n"), "{text}");
}

#[test]
fn packets_that_the_kernel_shows_in_part_count_as_refused() {
    if !privileged!() {
        return;
    }
    let lengths = [60, 2048, 2049, 3000, 5000, 9042];
    let packets: Vec<Vec<u8>> = lengths.map(|length| vec![0x61; length]).to_vec();
    let file = File::new("long", &pcap(&packets, 1, false));
    for expression in ["greater 5000", "len=9042", "ether[8000]=97", "ether[40]=97", "not len=9042"]
    {
        let rust = matching(&["--pcap", file.path(), expression]);
        let kernel = object(&["--kernel", "--pcap", file.path(), expression], 0);
        assert_eq!(kernel["refused"], 2, "{expression}: those of 5000 and 9042 bytes");
        let whole = rust.iter().filter(|&&number| number <= 4).count();
        assert_eq!(kernel["matched"], whole, "{expression}");
    }
}

#[test]
fn what_is_no_capture_has_no_counts() {
    let file = File::new("text", b"this is no capture, but it is long enough to be one");
    for path in ["/nowhere/capture.pcap", file.path()] {
        let object = object(&["--pcap", path, "udp"], 1);
        for name in ["packets", "matched", "refused", "cut"] {
            assert!(object[name].is_null(), "{name}: {object}");
        }
        assert!(
            object["error"].as_str().unwrap().contains("cannot be read as a capture"),
            "{object}"
        );
        let output = run(&["--pcap", path, "udp"]);
        assert_eq!(text(&output.stdout).lines().count(), 2, "{output:?}");
    }
}

#[test]
fn a_filter_that_is_too_large_is_told_of_what_takes_less() {
    let hosts: Vec<String> = (0..3000).map(|n| format!("10.{}.{}.1", n / 250, n % 250)).collect();
    let output = run(&["src host", &hosts.join(" or ")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = text(&output.stderr);
    assert!(error.contains("would make too large a program") && !error.contains("set"), "{error}");
    // What the help and the documentation say is taken.
    assert!(run(&["src host", &hosts[..2600].join(" or ")]).status.success());
    let ports: Vec<String> = (0..840).map(|n| format!("port {}", 7 * n + 1)).collect();
    assert!(run(&[&ports.join(" or ")]).status.success());
}

#[test]
fn each_format_of_captures_is_read() {
    let packets = packets();
    let wanted = matching(&["--pcap", File::new("le", &pcap(&packets, 1, false)).path(), "udp"]);
    assert_eq!(wanted.len(), 6);
    let mut nanoseconds = pcap(&packets, 1, false);
    nanoseconds[..4].copy_from_slice(&0xa1b2_3c4d_u32.to_le_bytes());
    for (name, bytes) in [
        ("be", pcap(&packets, 1, true)),
        // With an FCS of 4 bytes, as the upper bits say.
        ("fcs", pcap(&packets, 1 | 0x4400_0000, true)),
        ("ns", nanoseconds),
        ("ng-le", pcapng(&packets, false)),
        ("ng-be", pcapng(&packets, true)),
        ("ng-two", [pcapng(&packets, true), pcapng(&[], false)].concat()),
    ] {
        let file = File::new(name, &bytes);
        assert_eq!(matching(&["--pcap", file.path(), "udp"]), wanted, "{name}");
    }
}

#[test]
fn captures_come_from_the_standard_input_too() {
    let mut child = Command::new(TOOL)
        .args(["filter", "--json", "--pcap", "-", "udp"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&pcapng(&packets(), false)).unwrap();
    let output = child.wait_with_output().unwrap();
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&object["packets"], &object["matched"]), (&15.into(), &6.into()));
}

#[test]
fn the_object_has_what_is_known_without_a_capture() {
    let all = object(&["udp", "dst", "port", "vxlan", "--listing"], 0);
    assert_eq!(all["expression"], "udp dst port 4789");
    assert!(all["instructions"].as_u64().unwrap() > 10);
    assert!(all["listing"].as_str().unwrap().contains("exit"));
    for name in ["packets", "matched", "refused", "cut", "error"] {
        assert!(all[name].is_null(), "{name}: {all}");
    }
    assert_eq!((&all["never"], &all["everything"]), (&false.into(), &false.into()));
    assert_eq!(all["evaluator"], "rust");
    assert_eq!(object(&["greater", "0"], 0)["everything"], true);
    assert_eq!(object(&["udp and tcp port 4"], 0)["never"], true);
    let output = text(&run(&["udp and tcp port 4"]).stdout);
    assert!(output.ends_with("it is not true of any packet\n"), "{output}");
    let output = text(&run(&["greater 0"]).stdout);
    assert!(output.ends_with("it is true of every whole packet\n"), "{output}");
    let output = text(&run(&["udp or tcp and ip", "--listing"]).stdout);
    assert!(output.starts_with("(udp or tcp) and ip\n"), "{output}");
    assert!(output.contains("   0: (61) r2 = *(u32 *)(r1 +0)\n"), "{output}");
}

/// Each `$ xsk filter ...` of the README prints what is below it.
#[test]
fn the_readme_shows_what_it_prints() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let mut examples = 0;
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for example in block.split("$ xsk filter ").skip(1) {
            let (line, wanted) = example.split_once('\n').unwrap();
            let output = run(&line.split(' ').collect::<Vec<_>>());
            let printed = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(printed, wanted, "{line}");
            examples += 1;
        }
    }
    assert_eq!(examples, 2);
}

#[test]
fn broken_captures_are_named_and_what_comes_before_counts() {
    let all = pcap(&packets(), 1, false);
    let ng = pcapng(&packets(), false);
    let mut long = all.clone();
    long[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut unequal = ng.clone();
    // The second length of the last block.
    let last = unequal.len() - 2;
    unequal[last] ^= 1;
    let no_interface = [&ng[..28], &ng[28 + 40..]].concat();
    for (name, bytes, packets, words) in [
        ("empty", Vec::new(), None, "it is empty"),
        ("text", b"a text\n".to_vec(), None, "it is no pcap or pcapng file"),
        ("tiny", b"ab".to_vec(), None, "it is no pcap or pcapng file"),
        ("head", all[..20].to_vec(), None, "in the middle of what follows packet 0"),
        ("record", all[..24 + 7].to_vec(), Some(0), "in the middle of what follows packet 0"),
        (
            "last",
            all[..all.len() - 1].to_vec(),
            Some(14),
            "in the middle of what follows packet 14",
        ),
        ("long", long, Some(0), "a packet is impossibly long after packet 0"),
        (
            "raw",
            pcap(&[], 101, false),
            None,
            "link type 101 (raw IP), and only those of Ethernet (1) are read",
        ),
        ("sll", pcap(&[], 113, true), None, "link type 113 (Linux cooked capture)"),
        ("odd", pcap(&[], 9999, true), None, "link type 9999, and only"),
        ("ng-head", ng[..20].to_vec(), None, "in the middle of what follows packet 0"),
        (
            "ng-last",
            ng[..ng.len() - 1].to_vec(),
            Some(15),
            "in the middle of what follows packet 15",
        ),
        ("ng-two", unequal, Some(15), "a block with two lengths comes after packet 15"),
        ("ng-no", no_interface, Some(0), "a packet of an unknown interface comes after packet 0"),
    ] {
        let file = File::new(name, &bytes);
        let object = object(&["--pcap", file.path(), "udp"], 1);
        let error = object["error"].as_str().unwrap();
        assert!(error.contains(words), "{name}: {error}");
        assert!(error.contains("cannot be read as a capture"), "{name}: {error}");
        assert_eq!(object["packets"].as_u64(), packets, "{name}");
        let output = run(&["--pcap", file.path(), "udp"]);
        assert_eq!(text(&output.stderr).trim_end(), format!("xsk: {error}"));
    }
    let missing = object(&["--pcap", "/no/such/file", "udp"], 1);
    assert!(missing["error"].as_str().unwrap().contains("/no/such/file"), "{missing}");
    // A whole one without packets.
    for bytes in [pcap(&[], 1, false), pcapng(&[], true)] {
        let file = File::new("none", &bytes);
        let object = object(&["--pcap", file.path(), "udp"], 0);
        assert_eq!((&object["packets"], &object["matched"]), (&0.into(), &0.into()));
    }
}

/// Of a packet that was cut off by the capture what is there counts.
#[test]
fn packets_that_were_cut_off_are_counted() {
    let mut bytes = pcap(&packets()[1..2], 1, false);
    bytes[24 + 12..24 + 16].copy_from_slice(&1500_u32.to_le_bytes());
    let file = File::new("cut", &bytes);
    let all = object(&["--pcap", file.path(), "less 100"], 0);
    assert_eq!((&all["matched"], &all["cut"]), (&1.into(), &1.into()));
    let output = text(&run(&["--pcap", file.path(), "udp"]).stdout);
    assert!(output.ends_with("1 packets, 1 match; 1 cut off in the capture\n"), "{output}");
}

#[test]
fn a_reader_that_ends_is_no_error_to_complain_of() {
    let many: Vec<_> = std::iter::repeat_n(packets(), 20_000).flatten().collect();
    let file = File::new("many", &pcap(&many, 1, false));
    let mut child = Command::new(TOOL)
        .args(["filter", "--pcap", file.path(), "udp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 3];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141), "{output:?}");
    assert_eq!(text(&output.stderr), "");
}
