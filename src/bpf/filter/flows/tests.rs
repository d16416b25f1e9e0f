//! Conditions as flows: by hand, refused ones, and all packets of a small world.

use super::{Condition, Flow, IP, IP6};
use std::net::IpAddr;

fn flows(text: &str) -> Vec<Flow> {
    text.parse::<Condition>().unwrap().flows().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    text.parse::<Condition>().unwrap().flows().expect_err(text).to_string()
}

fn udp(ethertype: u16) -> Flow {
    Flow { ethertype: Some(ethertype), protocol: Some(17), ..Flow::default() }
}

#[test]
fn a_port_is_one_of_both_versions_of_ip() {
    let to = |ethertype| Flow { destination_ports: Some(4789.into()), ..udp(ethertype) };
    assert_eq!(flows("udp dst port 4789"), [to(IP), to(IP6)]);
    assert_eq!(flows("ip and udp dst port 4789"), [to(IP)]);
    assert_eq!(flows("ip6 udp dst port 4789"), [to(IP6)]);
    assert_eq!(flows("port 53").len(), 12);
    let both = Flow { source_ports: Some(5.into()), destination_ports: Some(5.into()), ..udp(IP) };
    assert_eq!(flows("ip udp src and dst port 5"), [both]);
    let some = Flow { source_ports: Some((10..=15).into()), ..udp(IP) };
    assert_eq!(flows("ip udp src portrange 1-15 and src portrange 10-20"), [some]);
}

#[test]
fn alternatives_that_contradict_themselves_are_left_out() {
    let net = |address: [u8; 4], bits| Some((IpAddr::from(address), bits));
    let ten = Flow {
        ethertype: Some(IP),
        protocol: Some(6),
        source: net([10, 0, 0, 0], 8),
        ..Flow::default()
    };
    assert_eq!(flows("tcp and ip src net 10.0.0.0/8"), std::slice::from_ref(&ten));
    assert_eq!(flows("ip and tcp and src net 10.0.0.0/8"), std::slice::from_ref(&ten));
    assert_eq!(flows("src net 10.0.0.0/8 and tcp"), std::slice::from_ref(&ten));
    let host = Flow { source: net([10, 1, 2, 3], 32), ..ten };
    assert_eq!(flows("ip and tcp and ip src net 10.0.0.0/8 and ip src host 10.1.2.3"), [host]);
    for text in ["ip and ip6", "icmp and udp", "ip src host 10.0.0.1 and ip src net 11.0.0.0/8"] {
        assert!(refusal(text).contains("no packet can have all"), "{text}");
    }
}

#[test]
fn a_tag_is_compared_with_what_is_behind_it() {
    let tagged = |flow| Flow { vlan: Some(7), ..flow };
    assert_eq!(flows("vlan 7"), [tagged(Flow::default())]);
    assert_eq!(flows("vlan 7 and ip and udp"), [tagged(udp(IP))]);
    assert!(refusal("vlan and udp").contains("`vlan` without an id"));
    assert!(refusal("vlan 7 and vlan 8").contains("behind another tag"));
    assert!(refusal("behind 1 udp").contains("whose id is not given"));
    assert!(refusal("ip and vlan 7").contains("no packet"));
    assert!(refusal("ether proto 0x8100").contains("without a VLAN's id"));
}

#[test]
fn what_no_flow_has_is_named() {
    for (text, named) in [
        ("udp and not dst port 53", "`not dst port 53`"),
        ("tcp[tcpflags] & tcp-syn != 0", "`tcp[13] & 2 != 0`"),
        ("greater 100", "`len >= 100`"),
        ("src net 10.0.0.0/8", "in ARP packets, too"),
        ("src net 10.0.0.0/8 and not tcp", "`not tcp`"),
        ("ether multicast", "`ether multicast`"),
        ("arp and src net 10.0.0.0/8", "`arp src net 10.0.0.0/8`"),
        ("ip net 10.0.0.1 mask 255.0.0.255", "whose mask is no prefix"),
        ("(port 1 or 2 or 3 or 4 or 5 or 6)", "more than 64 alternatives"),
    ] {
        let error = refusal(text);
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn addresses_of_ethernet_and_types_are_flows() {
    let mac = Some([2, 0, 0, 0, 0, 1]);
    let to = Flow { destination_mac: mac, ethertype: Some(0x88f7), ..Flow::default() };
    assert_eq!(flows("ether dst 02:00:00:00:00:01 and ether proto 0x88f7"), [to]);
    assert_eq!(flows("ether host 02:00:00:00:00:01").len(), 2);
    assert_eq!(flows("len >= 0"), [Flow::default()]);
}

/// What a packet has, and the packet.
struct Packet {
    flow: Flow,
    bytes: Vec<u8>,
}

/// Returns a packet of UDP, TCP or another protocol.
fn packet(tag: Option<u16>, ip6: bool, protocol: u8, ends: (u8, u8), ports: (u16, u16)) -> Packet {
    let (source_mac, destination_mac) = ([2, 0, 0, 0, 0, ends.0], [2, 0, 0, 0, 0, ends.1]);
    let mut bytes = [destination_mac, source_mac].concat();
    if let Some(id) = tag {
        bytes.extend([0x81, 0x00]);
        bytes.extend(id.to_be_bytes());
    }
    let ethertype = if ip6 { IP6 } else { IP };
    bytes.extend(ethertype.to_be_bytes());
    let address = |end: u8| -> IpAddr {
        match ip6 {
            true => [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end].into(),
            false => [10, 0, end, 1].into(),
        }
    };
    let mut header = match ip6 {
        true => vec![0x60, 0, 0, 0, 0, 20, protocol, 64],
        false => vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0],
    };
    for end in [ends.0, ends.1] {
        match address(end) {
            IpAddr::V4(address) => header.extend(address.octets()),
            IpAddr::V6(address) => header.extend(address.octets()),
        }
    }
    bytes.extend(header);
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    bytes.resize(100, 0);
    let has_ports = [6, 17, 132].contains(&protocol);
    let port = |port: u16| has_ports.then(|| port.into());
    let flow = Flow {
        source_mac: Some(source_mac),
        destination_mac: Some(destination_mac),
        vlan: tag,
        ethertype: Some(ethertype),
        protocol: Some(protocol),
        source: Some((address(ends.0), if ip6 { 128 } else { 32 })),
        destination: Some((address(ends.1), if ip6 { 128 } else { 32 })),
        source_ports: port(ports.0),
        destination_ports: port(ports.1),
    };
    Packet { flow, bytes }
}

/// Returns whether a packet has all that a flow has.
fn belongs(packet: &Flow, flow: &Flow) -> bool {
    // Without a word about a tag the type is the one behind the addresses.
    let outer =
        packet.vlan.filter(|_| flow.vlan.is_none()).map_or(packet.ethertype, |_| Some(0x8100));
    let header = Flow { ethertype: outer, ..packet.clone() };
    let known = flow.source_ports.is_none() || header.source_ports.is_some();
    known
        && flow.vlan.is_none_or(|_| header.vlan.is_some())
        && flow.and(&header).is_some_and(|both| both == Flow { vlan: both.vlan, ..header })
}

/// Each packet of the condition belongs to an alternative, and no other packet does.
#[test]
fn the_alternatives_are_true_together_of_what_the_condition_is() {
    let expressions = [
        "udp",
        "udp port 53",
        "port 53 or icmp",
        "udp dst port 53 and src port 80",
        "src and dst portrange 50-60",
        "ip src net 10.0.1.0/24 and (port 53 or 80)",
        "ip6 and (tcp or udp) and dst host fd00::2",
        "ip6 src net fd00::/64 and dst host fd00::1",
        "src net 10.0.0.0/16 and tcp",
        "ip host 10.0.1.1 and ip host 10.0.2.1",
        "ether src 02:00:00:00:00:01 and (ip or ip6)",
        "ether host 02:00:00:00:00:01",
        "vlan 7 and ip and udp port 53",
        "vlan 7",
        "(ip or ip6) and (port 53 or port 80) and (tcp or icmp)",
    ];
    let mut seen = [0; 2];
    for text in expressions {
        let condition: Condition = text.parse().unwrap();
        let flows = flows(text);
        for number in 0..3 * 2 * 3 * 4 * 4_u16 {
            let mut left = number;
            let mut next = |count: u16| {
                let one = left % count;
                left /= count;
                usize::from(one)
            };
            let tag = [None, Some(7), Some(8)][next(3)];
            let (ip6, protocol) = (next(2) == 1, [6, 17, 1][next(3)]);
            let ends = [(1, 2), (2, 1), (1, 1), (2, 2)][next(4)];
            let ports = [(53, 80), (80, 53), (53, 53), (1, 2)][next(4)];
            let Packet { flow, bytes } = packet(tag, ip6, protocol, ends, ports);
            let matched = condition.matches(&bytes);
            let found = flows.iter().any(|one| belongs(&flow, one));
            assert_eq!(found, matched, "{text}: {flow:?}");
            seen[usize::from(matched)] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 500), "{seen:?}");
}
