//! Filters of many rules.

use crate::packets::{udp4, udp6};
use std::net::{Ipv4Addr, Ipv6Addr};
use xsk::bpf::{Action, Filter, XskMap};
use xsk::test_util::privileged;

const COUNT: u16 = 60;

/// Returns a filter with a rule for each of so many ports, in either direction; neighbours have
/// different actions.
fn ports(count: u16) -> Filter {
    (0..count).fold(Filter::new().counters(true), |filter, n| {
        let action = if n % 2 == 0 { Action::Drop } else { Action::Pass };
        filter.rule(format!("udp port {}", 100 + 7 * n).parse().unwrap(), action)
    })
}

/// Puts extension headers of these kinds before the UDP header of a packet over IPv6.
fn extended(mut packet: Vec<u8>, kinds: &[u8]) -> Vec<u8> {
    for &kind in kinds.iter().rev() {
        // One of the fragment header is 8 bytes long, and so are those of others with length 0.
        let header = [packet[20], 0, 0, 1, 0, 0, 0, 0];
        packet[20] = kind;
        packet.splice(54..54, header);
    }
    packet
}

#[test]
fn hundreds_of_ports_are_one_program() {
    let compiled = ports(300).compile().unwrap();
    assert!(compiled.unreachable().is_empty());
    assert!(compiled.len() < 55 * 300, "{}", compiled.len());
}

#[test]
fn rules_of_many_ports_decide_as_the_evaluator_does() {
    if !privileged!() {
        return;
    }
    let filter = ports(COUNT);
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    let program = filter.load(&map).unwrap();
    let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let mut wanted = vec![0; filter.rules().len() + 1];
    let mut check = |packet: &[u8]| {
        let verdict = filter.matches(packet);
        let number = if verdict.action == Action::Drop { 1 } else { 2 };
        let run = program.program().test_run(packet, None).unwrap();
        assert_eq!(run.retval, number, "{packet:02x?}");
        wanted[verdict.rule.unwrap_or(filter.rules().len())] += 1;
    };
    for n in [0, 1, 2, 3, 20, 50, COUNT - 2, COUNT - 1, COUNT] {
        let (port, other) = (100 + 7 * n, 100 + 7 * (COUNT - 1 - n.min(COUNT - 1)));
        for ports in [[port, 1], [1, port], [port, other], [other, port], [port + 1, port + 2]] {
            check(&udp4(v4, v4, ports));
            check(&udp6(v6, v6, ports));
            for kinds in [&[0][..], &[60, 43], &[44], &[0, 43, 60, 44, 60, 60], &[60; 7]] {
                let packet = extended(udp6(v6, v6, ports), kinds);
                check(&packet);
                // It ends within the headers.
                check(&packet[..58]);
                check(&packet[..50]);
            }
            // A fragment that is not the first.
            let mut packet = extended(udp6(v6, v6, ports), &[44]);
            packet[57] = 9;
            check(&packet);
        }
    }
    assert!(wanted.iter().filter(|&&count| count > 0).count() > 8);
    let counts = program.counts().unwrap().unwrap();
    let counted = counts.rules.iter().chain([&counts.others]).map(|count| count.packets);
    assert_eq!(counted.collect::<Vec<_>>(), wanted);
}

#[test]
fn filters_of_one_rule_are_small() {
    let len = |text: &str| {
        let rule = Filter::new().rule(text.parse().unwrap(), Action::Queue);
        rule.compile().unwrap().len()
    };
    for (text, most) in [
        ("udp dst port 4789", 260),
        ("ip and udp dst port 4789", 34),
        ("ip6 and dst net 2001:db8::/32 and tcp dst port 443", 244),
    ] {
        assert!(len(text) <= most, "{text}: {}", len(text));
    }
}
