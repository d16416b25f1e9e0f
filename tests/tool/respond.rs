//! `xsk respond`: replies from user space, tried by `ping` and the kernel's neighbour table.

use crate::common::{Cable, has_iproute2, kernel_can, kernel_since, wait_for};
use crate::fixture::{Ended, Fixture, LIMIT, TOOL, Tool, WAIT};
use rustix::process::Signal;
use serde_json::Value;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Output};
use xsk::test_util::{Namespace, VethPair, ip, privileged};

pub(crate) const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const FAR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
/// Addresses that no kernel has.
pub(crate) const ADDRESSES: &str = "--address 192.0.2.1 --address 2001:db8::1";

/// Returns a cable whose far end alone has addresses.
fn asking(queues: u32) -> Fixture {
    let fixture = Fixture::new(queues);
    let far = fixture.cable.veth.b();
    ip::add_ipv4(far, FAR, 24).unwrap();
    ip::add_ipv6(far, FAR6, 64).unwrap();
    fixture
}

/// Runs a command in a namespace.
fn run(here: &Namespace, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    here.run(|| command.args(words).output()).unwrap().unwrap()
}

/// Runs `ping` at the far end (iputils); returns how many of its packets were replied to.
fn ping(fixture: &Fixture, line: &str) -> u64 {
    let output = run(&fixture.cable.right, &format!("ping {line}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(" received")).unwrap_or_else(|| {
        panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
    });
    let (before, _) = line.split_once(" received").unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Returns how many packets of a kind were replied to.
pub(crate) fn replied(ended: &Ended, kind: &str) -> u64 {
    count(&ended.summary()["replies"]["replied"][kind])
}

pub(crate) fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn pings_to_addresses_that_no_kernel_has_are_replied_to() {
    if !privileged!() {
        return;
    }
    let fixture = asking(1);
    for letters in ["-p", "-S -q 0 -p", "-N -q 0 -m", "-c -p -F"] {
        let tool = fixture.start(&format!("respond {ADDRESSES} {letters}")).ready();
        for address in ["192.0.2.1", "-6 2001:db8::1"] {
            let line = format!("-c 5 -i 0.02 -W 20 {address}");
            assert_eq!(ping(&fixture, &line), 5, "{letters} {address}");
        }
        let ended = tool.stop();
        for (kind, least) in [("echo", 5), ("echo6", 5)] {
            assert_eq!(replied(&ended, kind), least, "{ended:?}");
        }
        let summary = ended.summary();
        assert_eq!(summary["command"], "respond");
        assert_eq!(summary["rx_packets"], summary["tx_packets"], "{ended:?}");
        assert_eq!(fixture.left(), None);
    }
}

#[test]
fn the_interfaces_own_addresses_are_replied_for_if_none_is_given_and_that_is_said() {
    if !privileged!() {
        return;
    }
    let fixture = asking(2);
    let near = fixture.cable.veth.a();
    ip::add_ipv4(near, [192, 0, 2, 1].into(), 24).unwrap();
    ip::add_ipv6(near, "2001:db8::1".parse().unwrap(), 64).unwrap();
    // As of a router.
    let forwarding = "/proc/sys/net/ipv6/conf/near/forwarding";
    fixture.cable.left.run(|| std::fs::write(forwarding, "1").unwrap()).unwrap();
    let tool = fixture.start("respond").ready();
    let note = tool.note();
    assert!(note.starts_with("the kernel has 192.0.2.1, 2001:db8::1, too: "), "{note}");
    let kernels = || snmp(&fixture.cable.left, "IcmpOutEchoReps");
    let before = kernels();
    for address in ["192.0.2.1", "-6 2001:db8::1"] {
        assert_eq!(ping(&fixture, &format!("-c 20 -i 0.01 -W 20 {address}")), 20);
    }
    if has_iproute2() {
        let output = run(&fixture.cable.right, "ip neigh show 2001:db8::1");
        assert!(String::from_utf8_lossy(&output.stdout).contains(" router "), "{output:?}");
    }
    // What is neither goes to the kernel: TCP, and UDP.
    exchange(&fixture, [192, 0, 2, 1].into());
    exchange(&fixture, IpAddr::V6("2001:db8::1".parse().unwrap()));
    let ended = tool.stop();
    let summary = ended.summary();
    assert_eq!((&summary["queue"], summary["queues"].as_array().unwrap().len()), (&Value::Null, 2));
    assert_eq!((replied(&ended, "echo"), replied(&ended, "echo6")), (20, 20), "{ended:?}");
    assert_eq!(kernels(), before, "the kernel has replied");
    // Without the command it does.
    assert_eq!(ping(&fixture, "-c 1 -W 20 192.0.2.1"), 1);
    assert_eq!(kernels(), before + 1);
    // And when it is killed: a link goes with its process.
    let tool = fixture.start("respond").ready();
    assert_eq!(ping(&fixture, "-c 1 -W 20 192.0.2.1"), 1);
    assert_eq!(kernels(), before + 1);
    tool.kill();
    wait_for("the program to go", || fixture.attached().is_none());
    assert_eq!(ping(&fixture, "-c 1 -W 20 192.0.2.1"), 1);
    assert_eq!(kernels(), before + 2);
}

/// Returns a counter of a namespace's kernel.
fn snmp(here: &Namespace, name: &str) -> u64 {
    let text = String::from_utf8(run(here, "nstat -asz").stdout).unwrap();
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    line.unwrap_or_else(|| panic!("{text}")).split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends UDP to the near end's kernel, and TCP.
fn exchange(fixture: &Fixture, address: IpAddr) {
    let Cable { left, right, .. } = &fixture.cable;
    let bind = || (UdpSocket::bind((address, 4000)).unwrap(), TcpListener::bind((address, 4000)));
    let (udp, tcp) = left.run(bind).unwrap();
    let tcp = tcp.unwrap();
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let connect = || {
        UdpSocket::bind(any).unwrap().send_to(b"some bytes", (address, 4000)).unwrap();
        let to = (address, 4000).into();
        TcpStream::connect_timeout(&to, LIMIT).unwrap()
    };
    let stream = right.run(connect).unwrap();
    udp.set_read_timeout(Some(LIMIT)).unwrap();
    let mut bytes = [0; 64];
    assert_eq!(udp.recv(&mut bytes).unwrap(), 10);
    drop(stream);
    assert_eq!(tcp.accept().unwrap().0.read(&mut bytes).unwrap(), 0);
}

#[test]
fn a_flood_of_pings_loses_nothing() {
    if !privileged!() {
        return;
    }
    let fixture = asking(1);
    let tool = fixture.start(&format!("respond {ADDRESSES} -q 0 -p")).ready();
    assert_eq!(ping(&fixture, "-f -q -c 100000 192.0.2.1"), 100_000);
    let ended = tool.stop();
    assert!(replied(&ended, "echo") >= 100_000, "{ended:?}");
    assert_eq!(ended.summary()["total"]["rx_lost"], 0, "{ended:?}");
    // ARP, and the requests.
    assert!(count(&ended.summary()["tx_packets"]) > 100_000);
}

#[test]
fn chunks_that_no_ring_has_room_for_do_not_keep_replies_from_coming_back() {
    const HERE: &str = "chunks_that_no_ring_has_room_for_do_not_keep_replies_from_coming_back";
    if !privileged!() {
        return;
    }
    let fixture = asking(1);
    let frags = kernel_can(HERE, kernel_since(6, 6), "packets have one frame");
    for letters in ["-F", ""].into_iter().skip(usize::from(!frags)) {
        let line = format!("respond -i near {ADDRESSES} --chunks 16384 --json {letters} {WAIT}");
        let tool = fixture.start(&line).ready();
        assert_eq!(ping(&fixture, "-f -q -c 20000 192.0.2.1"), 20_000);
        let summary = tool.stop().summary();
        assert!(count(&summary["tx_packets"]) >= 20_000, "{letters}: {summary}");
        assert_eq!(summary["tx_pending"], 0, "{letters}");
    }
}

#[test]
fn packets_have_any_size_that_the_mtu_allows() {
    if !privileged!() {
        return;
    }
    let fixture = asking(1);
    let tool = fixture.start(&format!("respond {ADDRESSES} -p")).ready();
    for line in [
        "-s 0 192.0.2.1",
        "-s 1 192.0.2.1",
        "-s 1472 -M do 192.0.2.1",
        "-s 1452 -M do -6 2001:db8::1",
        // Record route: options of IPv4.
        "-R 192.0.2.1",
    ] {
        assert_eq!(ping(&fixture, &format!("-c 3 -i 0.02 -W 20 {line}")), 3, "{line}");
    }
    // Fragments stay with the kernel, which does not have the address.
    assert_eq!(ping(&fixture, "-c 1 -W 1 -s 2000 192.0.2.1"), 0);
    let ended = tool.stop();
    let replies = &ended.summary()["replies"];
    assert_eq!(replies["fragments_passed_on"], 2, "{ended:?}");
    assert!(replies["not_replied"].as_object().unwrap().values().all(|n| *n == 0), "{ended:?}");
}

#[test]
fn packets_of_several_frames_are_replied_to() {
    if !privileged!() {
        return;
    }
    let veth = VethPair::builder().mtu(9000).names("near", "far");
    let fixture = Fixture { cable: Cable::build(veth) };
    ip::add_ipv4(fixture.cable.veth.b(), FAR, 24).unwrap();
    ip::add_ipv6(fixture.cable.veth.b(), FAR6, 64).unwrap();
    let tool = fixture.start(&format!("respond {ADDRESSES} -q 0 -p -F --frame-size 2048")).ready();
    for line in ["-s 8972 -M do 192.0.2.1", "-s 3000 192.0.2.1", "-s 8952 -M do -6 2001:db8::1"] {
        assert_eq!(ping(&fixture, &format!("-c 20 -i 0.01 -W 20 {line}")), 20, "{line}");
    }
    let ended = tool.stop();
    assert_eq!((replied(&ended, "echo"), replied(&ended, "echo6")), (40, 20), "{ended:?}");
}

#[test]
fn neighbours_learn_the_interfaces_address_and_duplicates_are_found() {
    if !privileged!() || !has_iproute2() {
        return;
    }
    let fixture = asking(1);
    let right = &fixture.cable.right;
    // From which its kernel confirms what it knows.
    ip::add_ipv6(fixture.cable.veth.b(), "fe80::2".parse().unwrap(), 64).unwrap();
    let tool = fixture.start(&format!("respond {ADDRESSES}")).ready();
    // A card would drop what it was not asked for.
    let joined = run(&fixture.cable.left, "ip maddr show dev near").stdout;
    let joined = String::from_utf8(joined).unwrap();
    assert!(joined.contains("link  33:33:ff:00:00:01"), "{joined}");
    let mac = fixture.cable.veth.a().info().unwrap().mac.unwrap();
    let mac: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let neighbour = |address: &str| {
        let output = run(right, &format!("ip neigh show {address}"));
        String::from_utf8(output.stdout).unwrap()
    };
    for address in ["192.0.2.1", "2001:db8::1"] {
        ping(&fixture, &format!("-c 1 -W 20 {address}"));
        assert!(neighbour(address).contains(&mac.join(":")), "{}", neighbour(address));
    }
    // One that is known is asked alone, when it is to be confirmed.
    let output = run(right, "ip neigh change 192.0.2.1 dev far nud probe");
    assert!(output.status.success(), "{output:?}");
    let output = run(right, "ip neigh change 2001:db8::1 dev far nud probe");
    assert!(output.status.success(), "{output:?}");
    for address in ["192.0.2.1", "2001:db8::1"] {
        wait_for("a confirmation", || neighbour(address).contains("REACHABLE"));
    }
    // Addresses that are not replied for.
    for address in ["192.0.2.77", "2001:db8::77", "2001:db8::ff00:0:1"] {
        assert_eq!(ping(&fixture, &format!("-c 1 -W 1 {address}")), 0);
        assert!(!neighbour(address).contains("lladdr"), "{}", neighbour(address));
    }
    // Duplicate address detection.
    let output = run(right, "ip -6 addr add 2001:db8::1/64 dev far");
    assert!(output.status.success(), "{output:?}");
    wait_for("the duplicate", || {
        let output = run(right, "ip -6 addr show dev far");
        String::from_utf8(output.stdout).unwrap().contains("dadfailed")
    });
    let ended = tool.stop();
    assert!(replied(&ended, "arp") >= 2 && replied(&ended, "neighbour") >= 3, "{ended:?}");
}

#[test]
fn pings_from_a_vlan_interface_are_replied_to() {
    if !privileged!() || !has_iproute2() {
        return;
    }
    let fixture = Fixture::new(1);
    let right = &fixture.cable.right;
    let here = "pings from a VLAN";
    let made = run(right, "ip link add link far name far.5 type vlan id 5").status.success();
    if !kernel_can(here, made, "the kernel has no VLAN interfaces (8021q)") {
        return;
    }
    for line in [
        // The tag is in the packet then.
        "ethtool -K far txvlan off",
        "ip addr add 192.0.2.2/24 dev far.5",
        "ip -6 addr add 2001:db8::2/64 dev far.5 nodad",
        "ip link set far.5 up",
    ] {
        let output = run(right, line);
        assert!(output.status.success(), "{line}: {output:?}");
    }
    let tool = fixture.start(&format!("respond {ADDRESSES} -p")).ready();
    for line in ["-s 1472 -M do 192.0.2.1", "-6 2001:db8::1"] {
        assert_eq!(ping(&fixture, &format!("-c 3 -i 0.02 -W 20 {line}")), 3, "{line}");
    }
    tool.stop().summary();
}

#[test]
fn people_get_a_line_for_rx_and_one_for_tx_and_a_count_is_of_replies() {
    if !privileged!() {
        return;
    }
    let fixture = asking(1);
    let line = format!("respond -i near {ADDRESSES} -C 12 -n 0.5 {WAIT}");
    let tool = Tool::start(&fixture.cable.left, &line);
    let title = tool.line();
    let wanted = "; takes ARP, neighbour and echo requests for 192.0.2.1, 2001:db8::1, by ";
    assert!(title.contains(wanted), "{title}");
    // One ARP request, ten echo requests, and one more.
    assert_eq!(ping(&fixture, "-c 10 -i 0.01 -W 20 192.0.2.1"), 10);
    assert!(ping(&fixture, "-c 1 -W 2 -6 2001:db8::1") <= 1);
    let ended = tool.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let last = ended.out.iter().rposition(|line| line == "Summary").unwrap();
    let summary = &ended.out[last..];
    assert!(summary[1].is_empty() && summary[2].starts_with("near:0 respond native, "));
    assert!(summary[3].starts_with("AF_XDP RX:"), "{ended:?}");
    assert!(summary[4].starts_with("       TX:"), "{ended:?}");
    for line in [&summary[3], &summary[4]] {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words.contains(&"12") && words.contains(&"pkts") && words.contains(&"pps)"));
        assert!(line.len() <= 80, "{line}");
    }
    let echo = summary.iter().find(|line| line.starts_with("replied: echo, IPv4 ")).unwrap();
    assert!(echo.ends_with(" 10"), "{ended:?}");
}

#[test]
fn addresses_that_cannot_be_are_refused_and_the_kernels_own_where_they_may_cut_off() {
    if !privileged!() || !has_iproute2() {
        return;
    }
    let fixture = Fixture::new(1);
    let start = |letters: &str| {
        let line = format!("respond -i near {letters}");
        let mut command = Command::new(TOOL);
        command.args(line.split_whitespace());
        // The session that runs the tests is none of this machine.
        command.env("SSH_CONNECTION", "").env("SSH_CLIENT", "");
        Tool::spawn(&fixture.cable.left, &mut command)
    };
    for (letters, code, wanted) in [
        ("-a 224.0.0.1", 2, "no host has this address"),
        ("-a 192.0.2.1/24", 2, "without a prefix length"),
        ("-a ::", 2, "no host has this address"),
        ("-a near", 2, "an IPv4 or IPv6 address is wanted"),
        ("", 1, "near has no address to reply for: say which ones by --address"),
        ("-a 192.0.2.1 -q 3", 1, "queue 3"),
        ("-a 192.0.2.1 -z", 1, "zero-copy"),
    ] {
        let ended = start(letters).end();
        assert_eq!(ended.status.code(), Some(code), "{letters}: {ended:?}");
        assert!(ended.err.join("\n").contains(wanted), "{letters}: {ended:?}");
        assert_eq!(fixture.left(), None);
    }
    ip::add_ipv4(fixture.cable.veth.a(), [192, 0, 2, 1].into(), 24).unwrap();
    let output = run(&fixture.cable.left, "ip route add default via 192.0.2.2");
    assert!(output.status.success(), "{output:?}");
    for letters in ["", "-a 192.0.2.1", "-a 192.0.2.3 -a 192.0.2.1"] {
        let ended = start(letters).end();
        let message = ended.failure();
        for words in ["near carries the default route, and 192.0.2.1 is the kernel's", "--yes"] {
            assert!(message.contains(words), "{letters}: {ended:?}");
        }
    }
    for letters in ["-a 192.0.2.3", "--yes"] {
        let tool = start(&format!("{letters} --json {WAIT}")).ready();
        let ended = tool.stop();
        assert_eq!(ended.status.code(), Some(0), "{letters}: {ended:?}");
    }
}

#[test]
fn the_kernel_takes_the_program_of_very_many_addresses() {
    if !privileged!() {
        return;
    }
    let fixture = asking(1);
    let addresses: String = (0..128)
        .map(|last| format!(" -a 192.0.2.{} -a 2001:db8::{:x}", last + 100, last + 0x100))
        .collect();
    let tool = fixture.start(&format!("respond {addresses}")).ready();
    for address in ["192.0.2.100", "192.0.2.227", "2001:db8::100", "2001:db8::17f"] {
        assert_eq!(ping(&fixture, &format!("-c 1 -W 20 {address}")), 1, "{address}");
    }
    tool.stop().summary();
    let line = format!("respond {addresses} -a 192.0.2.1");
    assert!(fixture.start(&line).end().failure().contains("257 addresses are too many"));
}

#[test]
fn it_goes_on_after_the_link_was_down_and_without_rights() {
    if !privileged!() {
        return;
    }
    let fixture = asking(1);
    let near = fixture.cable.veth.a();
    let tool = fixture.start(&format!("respond {ADDRESSES} --user 65534:65534 -p")).ready();
    assert_eq!(ping(&fixture, "-c 1 -W 20 192.0.2.1"), 1);
    ip::set_up(near, false).unwrap();
    while !tool.note().contains("near is down") {}
    ip::set_up(near, true).unwrap();
    while !tool.note().contains("near is up again") {}
    wait_for("a reply", || ping(&fixture, "-c 1 -W 1 192.0.2.1") == 1);
    tool.signal(Signal::TERM);
    let ended = tool.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(fixture.left(), None);
}
