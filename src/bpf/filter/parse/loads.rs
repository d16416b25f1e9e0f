//! Bytes of a packet in comparisons: `tcp[13]`, and what has to be true before they are read.

use super::super::expr::{Expr, Header, Number, Operator, Relation, Test, TestKind};
use super::names;

/// The name of each header that bytes can be read from without a test that it is there. The
/// tcpdump language has no such names: they are for the text of conditions that were made
/// otherwise.
pub(crate) const RAW: &[(&str, Header)] = &[
    ("network", Header::Network),
    ("payload4", Header::Ip4Payload),
    ("payload6", Header::Ip6Payload),
];

/// The protocols whose header is the network header.
pub(crate) const NETWORK: &[&str] = &["ip", "ip6", "arp", "rarp"];

/// The protocols that are behind the IPv4 header.
pub(crate) const OVER_IP4: &[&str] =
    &["tcp", "udp", "icmp", "sctp", "igmp", "igrp", "pim", "vrrp", "carp"];

/// Returns where bytes of a protocol are, and what has to be true before they are read; `None` if
/// the language has no bytes of it.
pub(crate) fn header(name: &str, depth: u8) -> Option<(Header, Vec<Expr>)> {
    if matches!(name, "ether" | "link") {
        return Some((Header::Ethernet, Vec::new()));
    }
    if let Some((_, header)) = RAW.iter().find(|(raw, _)| *raw == name) {
        return Some((*header, Vec::new()));
    }
    let test = |kind| Expr::Test(Test { depth, kind });
    if NETWORK.contains(&name) {
        let guard = test(TestKind::EtherType(names::ether_type(name)?));
        return Some((Header::Network, vec![guard]));
    }
    if OVER_IP4.contains(&name) {
        let protocol = names::protocol(name)?;
        let offset = Number::Binary(
            Operator::And,
            Box::new(network_field(6, 2)),
            Box::new(Number::Constant(0x1fff)),
        );
        let first = TestKind::Compare(offset, Relation::Equal, Number::Constant(0));
        let guards = vec![
            test(TestKind::EtherType(0x0800)),
            test(TestKind::Ip4Protocol(protocol)),
            test(first),
        ];
        return Some((Header::Ip4Payload, guards));
    }
    if name == "icmp6" {
        let guards = vec![test(TestKind::EtherType(0x86dd)), test(first_header(58))];
        return Some((Header::Ip6Payload, guards));
    }
    None
}

/// Returns the test whether this is the first next-header number of IPv6.
pub(super) fn first_header(number: u8) -> TestKind {
    let number = Number::Constant(number.into());
    TestKind::Compare(network_field(6, 1), Relation::Equal, number)
}

/// Returns a field of the network header.
pub(super) fn network_field(offset: u32, size: u8) -> Number {
    Number::Load { header: Header::Network, offset: Box::new(Number::Constant(offset)), size }
}

/// Returns whether a number depends on how many VLAN tags there are.
pub(crate) fn has_depth(number: &Number) -> bool {
    match number {
        Number::Constant(_) | Number::Length => false,
        Number::Load { header, offset, .. } => *header != Header::Ethernet || has_depth(offset),
        Number::Binary(_, left, right) => has_depth(left) || has_depth(right),
        Number::Negate(inner) => has_depth(inner),
    }
}
