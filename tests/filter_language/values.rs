//! Conditions as values: equal to what their text says, and read back from it; the deepest ones.

use crate::random_filters::expression;
use crate::random_numbers::Random;
use proptest::prelude::*;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use xsk::bpf::{Condition, Direction};
use xsk::error::{Error, ExpressionFault};

fn read(text: &str) -> Condition {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn values_are_what_the_language_says() {
    let four = Ipv4Addr::new(192, 0, 2, 1);
    let six: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let net: Ipv6Addr = "2001:db8::".parse().unwrap();
    let mac = [2, 0, 0, 0, 0, 1];
    for (value, text) in [
        (Condition::every_packet(), "len >= 0"),
        (Condition::all([]), "len >= 0"),
        (Condition::any([]), "len < 0"),
        (Condition::tcp(), "tcp"),
        (Condition::udp(), "udp"),
        (Condition::sctp(), "sctp"),
        (Condition::icmp(), "icmp"),
        (Condition::icmp6(), "icmp6"),
        (Condition::arp(), "arp"),
        (Condition::ip(), "ip"),
        (Condition::ip6(), "ip6"),
        (Condition::ether_type(0x88cc).unwrap(), "ether proto 0x88cc"),
        (Condition::ether(Direction::Either, mac), "ether host 02:00:00:00:00:01"),
        (Condition::ether(Direction::Both, mac), "ether src and dst host 02:00:00:00:00:01"),
        (Condition::ether(Direction::Destination, [0xff; 6]), "ether broadcast"),
        (Condition::multicast(), "ether multicast"),
        (Condition::host(four), "host 192.0.2.1"),
        (Condition::source(four), "src host 192.0.2.1"),
        (Condition::destination(six), "dst host 2001:db8::1"),
        (Condition::network(net, 32).unwrap(), "net 2001:db8::/32"),
        (Condition::source_network(Ipv4Addr::new(10, 0, 0, 0), 8).unwrap(), "src net 10.0.0.0/8"),
        (Condition::destination_network(Ipv4Addr::UNSPECIFIED, 0).unwrap(), "dst net 0.0.0.0/0"),
        (Condition::port(80), "port 80"),
        (Condition::source_port(1..=1023), "src portrange 1-1023"),
        (Condition::destination_port(53), "dst port 53"),
        (Condition::tcp_port(Direction::Both, 80), "tcp src and dst port 80"),
        (Condition::udp_port(Direction::Destination, 4789), "udp dst port 4789"),
        (Condition::sctp_port(Direction::Source, 2905), "sctp src port 2905"),
        (Condition::any_vlan() & Condition::ip().behind(1).unwrap(), "vlan and ip"),
        (Condition::vlan(5).unwrap(), "vlan 5"),
        (!Condition::tcp() & Condition::udp(), "not tcp and udp"),
        (!(Condition::tcp() & Condition::udp()), "not (tcp and udp)"),
        (!!Condition::tcp(), "tcp"),
        (Condition::tcp() | Condition::udp() & Condition::arp(), "tcp or (udp and arp)"),
        (Condition::all([Condition::ip(), Condition::arp()]), "ip and arp"),
        (Condition::any([Condition::ip(), Condition::arp()]), "ip or arp"),
        (Condition::ip() & Condition::arp().behind(2).unwrap(), "ip and behind 2 arp"),
    ] {
        assert_eq!(value, read(text), "{text}");
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn values_that_are_not_possible_are_refused() {
    let setting = |result: xsk::Result<Condition>| match result {
        Err(Error::Setting { name, value, .. }) => (name, value),
        other => panic!("{other:?}"),
    };
    let four = Ipv4Addr::new(10, 0, 0, 1);
    assert_eq!(setting(Condition::ether_type(0x5ff)), ("Ethernet type", 0x5ff));
    assert_eq!(setting(Condition::network(four, 33)), ("prefix length", 33));
    assert_eq!(setting(Condition::source_network(four, 31)), ("prefix length", 31));
    assert_eq!(setting(Condition::destination_network(four, 0)), ("prefix length", 0));
    assert_eq!(setting(Condition::network(Ipv6Addr::LOCALHOST, 129)), ("prefix length", 129));
    assert_eq!(setting(Condition::network(Ipv6Addr::LOCALHOST, 127)), ("prefix length", 127));
    assert!(Condition::network(Ipv6Addr::LOCALHOST, 128).is_ok());
    assert_eq!(setting(Condition::vlan(4096)), ("VLAN id", 4096));
    assert_eq!(setting(Condition::ip().behind(3)), ("number of VLAN tags", 3));
    let twice = Condition::ip().behind(1).unwrap();
    assert_eq!(setting(twice.behind(2)), ("number of VLAN tags", 2));
    // A tag is there to be looked behind, and that would be a third one.
    assert_eq!(setting(Condition::any_vlan().behind(2)), ("number of VLAN tags", 2));
    // What does not depend on tags stays as it is.
    assert!(Condition::multicast().behind(255).is_ok());
}

/// A condition that is so many levels deep.
fn deep(levels: usize) -> Condition {
    (1..levels).fold(Condition::ip(), |inner, level| match level % 3 {
        0 => !inner,
        1 => inner & Condition::arp(),
        _ => Condition::any_vlan() | inner,
    })
}

#[test]
fn the_deepest_condition_takes_little_of_the_stack() {
    let run = || {
        let condition = deep(128);
        let text = condition.to_string();
        assert_eq!(read(&text), condition);
        assert_eq!(condition.clone(), condition);
        let mut hasher = DefaultHasher::new();
        condition.hash(&mut hasher);
        assert!(format!("{condition:?}").len() > 128);
        let _ = condition.matches(&[0; 60]);
        assert!(condition.behind(1).is_ok());
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
#[should_panic(expected = "at most 128 levels")]
fn deeper_conditions_are_refused() {
    deep(129);
}

#[test]
fn the_deepest_numbers_are_read_back() {
    let run = || {
        for (begin, middle, end) in [
            ("", "len", " + len"),
            ("(len % ", "1", ")"),
            ("-(len - ", "len", ")"),
            ("ip[", "0", "]"),
            ("tcp[1 + ", "0", "]"),
        ] {
            let text =
                |levels| format!("{}{middle}{} = 7", begin.repeat(levels), end.repeat(levels));
            let deepest = (1..60).rev().find(|levels| text(*levels).parse::<Condition>().is_ok());
            let deepest = deepest.unwrap();
            assert!(deepest >= 23, "{begin}: {deepest}");
            let condition = read(&text(deepest));
            assert_eq!(read(&condition.to_string()), condition);
            let _ = condition.matches(&[0; 60]);
            let error = text(deepest + 1).parse::<Condition>().unwrap_err();
            assert_eq!(error.fault(), ExpressionFault::Limit, "{error}");
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn the_longest_texts_take_little_time() {
    let begin = std::time::Instant::now();
    for (part, end) in [
        ("port 1 or ", "ip"),
        ("host 10.0.0.1 or ", "ip"),
        ("tcp[0] = 1 and ", "ip"),
        ("not ", "ip"),
        ("ip and (tcp) and ", "ip"),
        ("x", ""),
        ("1", ""),
        ("a:", ""),
        ("tcp or ((((((((((((ip)))))))))))) or ", "ip"),
        ("port 1 or (((((((((((1))))))))))) or ", "ip"),
        ("port (1", ""),
        ("\\", ""),
        ("é", ""),
        ("1.", ""),
    ] {
        let text = part.repeat(((64 << 10) - end.len()) / part.len()) + end;
        let _ = text.parse::<Condition>().map(|condition| {
            assert_eq!(read(&text), condition);
            let _ = condition.matches(&[0; 60]);
            condition.to_string()
        });
    }
    // It is a second without optimisation; what grows with the square takes minutes.
    let taken = begin.elapsed();
    assert!(taken.as_secs() < 20, "{taken:?}");
    let error = " ".repeat((64 << 10) + 1).parse::<Condition>().unwrap_err();
    assert_eq!((error.fault(), error.column()), (ExpressionFault::Limit, (64 << 10) + 1));
}

fn direction() -> impl Strategy<Value = Direction> {
    use Direction::{Both, Destination, Either, Source};
    prop_oneof![Just(Source), Just(Destination), Just(Either), Just(Both)]
}

/// Conditions of constructors, operators and random texts.
fn conditions() -> impl Strategy<Value = Condition> {
    let ports = (any::<u16>(), 0_u16..3).prop_map(|(a, b)| a..=a.saturating_add(b));
    let leaf = prop_oneof![
        Just(Condition::every_packet()),
        Just(Condition::any([])),
        Just(Condition::tcp()),
        Just(Condition::icmp6()),
        Just(Condition::multicast()),
        Just(Condition::any_vlan()),
        (0_u16..4096).prop_map(|id| Condition::vlan(id).unwrap()),
        (0x600_u16..).prop_map(|number| Condition::ether_type(number).unwrap()),
        (direction(), any::<[u8; 6]>()).prop_map(|(way, mac)| Condition::ether(way, mac)),
        any::<IpAddr>().prop_map(Condition::host),
        (any::<u32>(), 0_u8..=32).prop_map(|(address, bits)| {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Condition::source_network(Ipv4Addr::from(address & mask), bits).unwrap()
        }),
        (any::<u128>(), 0_u8..=128).prop_map(|(address, bits)| {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Condition::destination_network(Ipv6Addr::from(address & mask), bits).unwrap()
        }),
        ports.clone().prop_map(Condition::port),
        (direction(), ports.clone()).prop_map(|(way, ports)| Condition::tcp_port(way, ports)),
        (direction(), ports).prop_map(|(way, ports)| Condition::udp_port(way, ports)),
        any::<u64>().prop_filter_map("a constant fault", |seed| {
            expression(&mut Random(seed)).parse().ok()
        }),
    ];
    leaf.prop_recursive(6, 40, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a & b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a | b),
            inner.clone().prop_map(|a| !a),
            (inner, 0_u8..3).prop_filter_map("too many tags", |(a, tags)| a.behind(tags).ok()),
        ]
    })
}

proptest! {
    /// The text is one that is read as an equal condition.
    #[test]
    fn texts_read_back_as_equal_conditions(condition in conditions()) {
        let text = condition.to_string();
        let again: Condition = text.parse().map_err(|error| {
            TestCaseError::fail(format!("{error}\n{condition:?}"))
        })?;
        prop_assert_eq!(&again, &condition, "{}", text);
        prop_assert_eq!(again.to_string(), text);
    }

    /// What the operators do to a condition is what they do to the outcome, unless it is unreadable.
    #[test]
    fn operators_are_those_of_logic(a in conditions(), b in conditions(), seed in any::<u64>()) {
        let packet = crate::random_filters::packet(&mut Random(seed)).bytes;
        let [one, two] = [a.matches(&packet), b.matches(&packet)];
        let readable = |c: &Condition| c.matches(&packet) || (!c.clone()).matches(&packet);
        if readable(&a) && readable(&b) {
            prop_assert_eq!((a.clone() & b.clone()).matches(&packet), one && two);
            prop_assert_eq!((a.clone() | b.clone()).matches(&packet), one || two);
        }
        // Stops at the first one that decides; unreadable is not true.
        prop_assert!(!(a.clone() & b.clone()).matches(&packet) || one);
        prop_assert!((a | b).matches(&packet) || !one);
    }
}
