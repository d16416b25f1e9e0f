//! The evaluator, by hand: packets of the RFCs, where they end, and what is not true of them.

use super::super::condition::Condition;
use super::evaluate;

/// An Ethernet header with this type.
fn ethernet(ether_type: u16) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    packet.extend(ether_type.to_be_bytes());
    packet
}

/// UDP from port 1000 to port 53 over IPv4, with this fragment field and so many words of header.
fn udp4(fragment: u16, words: u8) -> Vec<u8> {
    let mut packet = ethernet(0x0800);
    packet.extend([0x40 | words, 0, 0, 28, 0, 0]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, 17, 0, 0, 192, 0, 2, 1, 10, 0, 0, 2]);
    packet.extend([1; 4].repeat(words.saturating_sub(5).into()));
    packet.extend([0x03, 0xe8, 0, 53, 0, 8, 0, 0]);
    packet
}

/// UDP from port 1000 to port 53 over IPv6, behind extension headers.
fn udp6(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut packet = ethernet(0x86dd);
    let kinds = || extensions.iter().map(|(kind, _)| *kind).chain([17]);
    packet.extend([0x60, 0, 0, 0, 0, 8, kinds().next().unwrap(), 64]);
    packet.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    packet.extend("fe80::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    for ((_, bytes), next) in extensions.iter().zip(kinds().skip(1)) {
        packet.push(next);
        packet.extend(*bytes);
    }
    packet.extend([0x03, 0xe8, 0, 53, 0, 8, 0, 0]);
    packet
}

fn outcome(text: &str, packet: &[u8]) -> Option<bool> {
    let condition: Condition = text.parse().unwrap();
    evaluate(condition.expr(), packet)
}

#[test]
fn every_end_of_a_packet_makes_what_is_behind_it_unreadable() {
    let packet = udp4(0, 5);
    for (text, needed) in [
        ("ether dst 02:00:00:00:00:02", 6),
        ("ether src 02:00:00:00:00:01", 12),
        ("not multicast", 1),
        ("ip", 14),
        ("not arp", 14),
        ("ip proto 17", 24),
        ("ip src host 192.0.2.1", 30),
        ("ip dst net 10.0.0.0/8", 34),
        ("ip host 192.0.2.1", 30),
        ("udp", 24),
        ("udp src port 1000", 36),
        ("udp dst port 53", 38),
        ("port 1000", 36),
        ("udp[4:2] = 8", 40),
        ("ip[0] = 0x45", 15),
        ("ether[41] = 0", 42),
    ] {
        for end in 0..=packet.len() {
            let wanted = (end >= needed).then_some(true);
            assert_eq!(outcome(text, &packet[..end]), wanted, "{text}, {end} bytes");
        }
    }
}

#[test]
fn fragments_have_no_ports_but_the_first() {
    for (fragment, ports) in
        [(0, true), (0x4000, true), (0x2000, true), (1, false), (0x3fff, false)]
    {
        let packet = udp4(fragment, 5);
        assert_eq!(outcome("port 53", &packet), Some(ports), "{fragment:#x}");
        assert_eq!(outcome("udp[2:2] = 53", &packet), Some(ports), "{fragment:#x}");
        assert_eq!(outcome("udp", &packet), Some(true));
    }
}

#[test]
fn the_ipv4_header_has_the_length_that_it_says() {
    for words in 5..=15 {
        let packet = udp4(0, words);
        assert_eq!(outcome("udp src port 1000 and udp dst port 53", &packet), Some(true));
        assert_eq!(outcome("udp[2:2] = 53", &packet), Some(true));
    }
    for words in 0..5 {
        let packet = udp4(0, words);
        assert_eq!(outcome("port 53", &packet), None, "{words}");
        assert_eq!(outcome("not port 53", &packet), None, "{words}");
        assert_eq!(outcome("udp[0] = 1", &packet), None, "{words}");
        assert_eq!(outcome("udp and src host 192.0.2.1", &packet), Some(true), "{words}");
        assert_eq!(outcome("tcp port 53", &packet), Some(false), "it is no TCP");
    }
}

/// Hop-by-hop options, routing, destination options, authentication: of 8, 24, 16 and 24 bytes.
const CHAIN: [(u8, &[u8]); 4] =
    [(0, &[0, 1, 4, 0, 0, 0, 0]), (43, &[2; 23]), (60, &[1; 15]), (51, &[4; 23])];

#[test]
fn the_extension_headers_of_ipv6_are_walked() {
    let whole = udp6(&CHAIN);
    for text in
        ["udp", "port 53", "src port 1000", "udp dst port 53", "ip6 proto 17", "ip6 proto 0"]
    {
        assert_eq!(outcome(text, &whole), Some(true), "{text}");
    }
    // Each one alone, and the last byte that is read of each.
    for extension in CHAIN {
        let packet = udp6(&[extension]);
        assert_eq!(outcome("udp dst port 53", &packet), Some(true), "{extension:?}");
        assert_eq!(outcome("udp", &packet[..56]), Some(true), "{extension:?}");
        assert_eq!(outcome("udp", &packet[..55]), None, "{extension:?}");
    }
    // An extension header is found as the first one.
    assert_eq!(outcome("ah", &udp6(&CHAIN[3..])), Some(true));
    assert_eq!(outcome("ah", &whole), Some(false));
    // Six are walked, and of a seventh one the packet is unreadable.
    let options: (u8, &[u8]) = (60, &[0; 7]);
    assert_eq!(outcome("udp", &udp6(&[options; 6])), Some(true));
    assert_eq!(outcome("udp", &udp6(&[options; 7])), None);
    assert_eq!(outcome("not udp", &udp6(&[options; 7])), None);
}

#[test]
fn a_fragment_of_ipv6_ends_the_walk_unless_it_is_the_first() {
    let first: (u8, &[u8]) = (44, &[0, 0, 1, 0, 0, 0, 0]);
    let later: (u8, &[u8]) = (44, &[0, 0, 8, 0, 0, 0, 0]);
    let options: (u8, &[u8]) = (60, &[0; 7]);
    assert_eq!(outcome("udp port 53", &udp6(&[first])), Some(true));
    assert_eq!(outcome("udp port 53", &udp6(&[options, first, options])), Some(true));
    assert_eq!(outcome("udp port 53", &udp6(&[later])), Some(false));
    assert_eq!(outcome("udp", &udp6(&[options, later])), Some(true));
    // What follows is in the middle of something: no header.
    assert_eq!(outcome("udp", &udp6(&[later, options])), Some(false));
    // The length of ICMPv6 and its bytes are those behind the first header.
    assert_eq!(outcome("icmp6[0] = 0", &udp6(&[first])), Some(false));
}

#[test]
fn numbers_have_32_bits_without_a_sign() {
    let packet = [0xff; 60];
    for (text, wanted) in [
        ("len - 61 = 0xffffffff", Some(true)),
        ("-len > len", Some(true)),
        ("len * 0x10000000 = 0xc0000000", Some(true)),
        ("ether[0:4] + 1 = 0", Some(true)),
        ("ether[0:4] + 1 < ether[0]", Some(true)),
        ("len / (len - 60) = 1", None),
        ("len % (len - 60) = 1", None),
        ("not len / (len - 60) = 1", None),
        ("len << (len - 28) = 0", Some(true)),
        ("len >> len = 0", Some(true)),
        ("len << (len - 29) = 0", Some(true)),
        ("len ^ 15 = 51", Some(true)),
        ("len | 3 = 63", Some(true)),
        // The offset does not wrap around.
        ("ether[ether[0:4] + 1] = 0xff", Some(true)),
        ("ether[0 - 1] = 0xff", None),
        ("network[0 - 14] = 0xff", None),
        ("ether[59] = 0xff", Some(true)),
        ("ether[58:4] = 0xff", None),
    ] {
        assert_eq!(outcome(text, &packet), wanted, "{text}");
    }
}

#[test]
fn what_is_not_tried_is_not_unreadable() {
    let packet = udp4(0, 5);
    for (text, wanted) in [
        ("ip or ether[99] = 1", Some(true)),
        ("ether[99] = 1 or ip", None),
        ("arp and ether[99] = 1", Some(false)),
        ("ether[99] = 1 and arp", None),
        ("not (arp and ether[99] = 1)", Some(true)),
        ("not ether[99] = 1", None),
        ("(arp and ether[99] = 1) or ip", Some(true)),
        ("tcp[99] = 1 or ip", Some(true)),
        ("len < 0 or ip", Some(true)),
        ("len >= 0 and arp", Some(false)),
    ] {
        assert_eq!(outcome(text, &packet), wanted, "{text}");
    }
}

#[test]
fn tags_are_looked_behind() {
    let udp = udp4(0, 5);
    let tagged = |tags: &[[u8; 4]]| {
        let (addresses, rest) = udp.split_at(12);
        [addresses, &tags.concat(), rest].concat()
    };
    let one = tagged(&[[0x81, 0x00, 0xa0, 5]]);
    let two = tagged(&[[0x88, 0xa8, 0, 7], [0x91, 0x00, 0x0f, 0xff]]);
    for (text, wanted) in [
        ("vlan", [false, true, true]),
        ("vlan 5", [false, true, false]),
        ("vlan 7 and vlan 4095", [false, false, true]),
        ("vlan and udp dst port 53", [false, true, false]),
        ("vlan and vlan and host 10.0.0.2", [false, false, true]),
        ("udp", [true, false, false]),
        ("behind 2 udp[2:2] = 53", [false, false, true]),
        ("vlan or ip", [false, true, true]),
    ] {
        let condition: Condition = text.parse().unwrap();
        let found = [&udp, &one, &two].map(|packet| condition.matches(packet));
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn addresses_are_compared_in_both_directions() {
    let packet = udp4(0, 5);
    for (text, wanted) in [
        ("host 192.0.2.1", true),
        ("src host 192.0.2.1", true),
        ("dst host 192.0.2.1", false),
        ("src and dst host 192.0.2.1", false),
        ("src net 192.0.0.0/16 and dst net 10.0.0.0/8", true),
        ("src and dst net 0.0.0.0/0", true),
        ("net 10.0.0.0 mask 255.0.0.255", false),
        ("net 10.0.0.2 mask 255.0.0.255", true),
        ("arp host 192.0.2.1", false),
        ("src and dst portrange 53-1000", true),
        ("src and dst port 53", false),
        ("portrange 54-999", false),
    ] {
        assert_eq!(outcome(text, &packet), Some(wanted), "{text}");
    }
    let packet = udp6(&[]);
    for (text, wanted) in [
        ("src net 2001:db8::/32", true),
        ("dst net 2001:db8::/32", false),
        ("net fe80::/10", true),
        ("src and dst net ::/0", true),
        ("src and dst net ::/1", false),
        ("src host 2001:db8::1 and dst fe80::2", true),
    ] {
        assert_eq!(outcome(text, &packet), Some(wanted), "{text}");
    }
}
