//! The filter: what comes to the sockets, which is what is replied to and nothing else, as far as
//! a filter can tell.

use crate::command_line::ranges::Mac;
use crate::failure::{Failure, Result};
use crate::respond::own::{Own, solicited_node};
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use xsk::bpf::{Action, Condition, Filter};

const ICMPV6: u8 = 58;

/// Returns the filter: its first rule passes fragments of echo requests on, to count them, and the
/// second one takes what is replied to.
pub(crate) fn filter(own: &Own) -> Result<Filter> {
    let mac = Mac(own.mac);
    let to = || own.v4().iter().map(|address| format!("ip dst host {address}"));
    let to6 = || own.v6().iter().map(|address| format!("ip6 dst host {address}"));
    let fragments = [
        all("icmp and ip[6:2] & 0x3fff != 0", to())?,
        all(&format!("ip6[6] = 44 and ip6[40] = {ICMPV6}"), to6())?,
    ];
    // To all, or to this host that is known already.
    let arp = format!(
        "arp and arp[0:4] = 0x00010800 and arp[4:4] = 0x06040001 and (ether dst {mac} or ether \
         broadcast)"
    );
    // In one packet: fragments are passed on before.
    let echo = format!("icmp and icmp[0:2] = 0x0800 and ether dst {mac}");
    let neighbour = format!(
        "ip6[6:2] = 0x3aff and ip6[40:2] = 0x8700 and (ether dst {mac} or ether multicast)"
    );
    // Without extension headers.
    let echo6 = format!("ip6[6] = {ICMPV6} and ip6[40:2] = 0x8000 and ether dst {mac}");
    let taken = [
        all(&arp, own.v4().iter().copied().map(asked))?,
        all(&echo, to())?,
        all(&neighbour, own.v6().iter().copied().map(solicited))?,
        all(&echo6, to6())?,
    ];
    let rule = |conditions: &[Option<Condition>]| {
        tagged(Condition::any(conditions.iter().flatten().cloned()))
    };
    let filter = Filter::new().rule(rule(&fragments)?, Action::Pass);
    Ok(filter.rule(rule(&taken)?, Action::Queue))
}

fn parse(text: &str) -> Result<Condition> {
    text.parse().map_err(Failure::Expression)
}

/// Returns the condition that an expression is true, and one for the addresses; `None` without
/// addresses.
fn all(common: &str, addresses: impl Iterator<Item = String>) -> Result<Option<Condition>> {
    let any = addresses.map(|text| parse(&text)).collect::<Result<Vec<_>>>()?;
    if any.is_empty() {
        return Ok(None);
    }
    Ok(Some(parse(common)? & Condition::any(any)))
}

/// Returns the condition, also behind one VLAN tag and behind two.
fn tagged(condition: Condition) -> Result<Condition> {
    let vlan = Condition::any_vlan;
    let behind_one = vlan() & condition.clone().behind(1)?;
    let behind_two = vlan() & vlan().behind(1)? & condition.clone().behind(2)?;
    Ok(condition | behind_one | behind_two)
}

/// Returns what an ARP packet has that asks for an address. One whose sender has the same address
/// announces that, and is for the kernel.
fn asked(address: Ipv4Addr) -> String {
    let number = u32::from(address);
    format!("arp[24:4] = {number} and arp[14:4] != {number}")
}

/// Returns what a neighbour solicitation for an address has: it goes to all that have its last
/// three bytes, or to the address itself.
fn solicited(address: Ipv6Addr) -> String {
    let node = solicited_node(address);
    let mut expression = format!("(ip6 dst host {node} or ip6 dst host {address})");
    for (at, word) in (48..).step_by(4).zip(address.octets().chunks_exact(4)) {
        let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
        let _ = write!(expression, " and ip6[{at}:4] = {word}");
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::own::Mac;
    use std::net::IpAddr;

    const MAC: Mac = [2, 0, 0, 0, 0, 1];
    const V4: [u8; 4] = [192, 0, 2, 1];
    const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x11, 0x2233);

    fn own(addresses: &[IpAddr]) -> Own {
        Own::new(MAC, addresses, false).unwrap()
    }

    /// Returns the number of the rule that a packet is for, behind so many tags.
    fn rules(filter: &Filter, packet: &[u8]) -> [Option<usize>; 4] {
        [0, 1, 2, 3].map(|tags| {
            let tags = [0x81, 0, 0, 5].repeat(tags);
            let packet = [&packet[..12], &tags, &packet[12..]].concat();
            filter.matches(&packet).rule
        })
    }

    fn frame(to: Mac, kind: [u8; 2], payload: &[&[u8]]) -> Vec<u8> {
        [&to[..], &[2, 0, 0, 0, 0, 9], &kind, &payload.concat()].concat()
    }

    #[test]
    fn the_filter_takes_requests_for_the_addresses_and_nothing_else() {
        let filter = filter(&own(&[V4.into(), V6.into()])).unwrap();
        let node = solicited_node(V6).octets();
        let other = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 1, 0x11, 0x2233).octets();
        let arp = |to: Mac, operation: u8, sender: [u8; 4], target: [u8; 4]| {
            let head = [0, 1, 8, 0, 6, 4, 0, operation];
            frame(to, [8, 6], &[&head, &[2, 0, 0, 0, 0, 9], &sender, &[0; 6], &target])
        };
        let ip = |to: Mac, protocol: u8, fragment: [u8; 2], target: [u8; 4], icmp: [u8; 2]| {
            let head = [0x45, 0, 0, 28, 0, 0, fragment[0], fragment[1], 64, protocol, 0, 0];
            frame(to, [8, 0], &[&head, &[192, 0, 2, 9], &target, &icmp, &[0; 6]])
        };
        let ip6 = |to: Mac, next: u8, hops: u8, target: [u8; 16], icmp: u8, asked: [u8; 16]| {
            let head = [0x60, 0, 0, 0, 0, 24, next, hops];
            let icmp = [icmp, 0, 0, 0, 0, 0, 0, 0];
            frame(to, [0x86, 0xdd], &[&head, &other, &target, &icmp, &asked])
        };
        let (all, stranger) = ([0xff; 6], [2, 0, 0, 0, 0, 7]);
        let asked = V6.octets();
        for (name, packet) in [
            ("ARP", arp(all, 1, [192, 0, 2, 9], V4)),
            ("ARP to this host", arp(MAC, 1, [0; 4], V4)),
            ("echo", ip(MAC, 1, [0x40, 0], V4, [8, 0])),
            ("echo6", ip6(MAC, 58, 64, asked, 128, [0; 16])),
            ("solicitation", ip6([0x33, 0x33, 0xff, 0x11, 0x22, 0x33], 58, 255, node, 135, asked)),
            ("solicitation to this host", ip6(MAC, 58, 255, asked, 135, asked)),
        ] {
            assert_eq!(rules(&filter, &packet), [Some(1), Some(1), Some(1), None], "{name}");
            // What is too short for a reply stays with the kernel.
            let least = if name.starts_with("echo") { packet.len() - 6 } else { packet.len() };
            assert_eq!(filter.matches(&packet[..least - 17]).rule, None, "{name}");
        }
        for (name, packet) in [
            ("more fragments", ip(MAC, 1, [0x20, 0], V4, [8, 0])),
            ("a later fragment", ip(MAC, 1, [0, 9], V4, [8, 0])),
            ("fragment of IPv6", ip6(MAC, 44, 64, asked, 58, [0; 16])),
        ] {
            assert_eq!(rules(&filter, &packet), [Some(0), Some(0), Some(0), None], "{name}");
        }
        for (name, packet) in [
            ("ARP for another", arp(all, 1, [192, 0, 2, 9], [192, 0, 2, 2])),
            ("ARP reply", arp(MAC, 2, [192, 0, 2, 9], V4)),
            ("ARP announcement", arp(all, 1, V4, V4)),
            ("ARP to a stranger", arp(stranger, 1, [192, 0, 2, 9], V4)),
            ("echo reply", ip(MAC, 1, [0, 0], V4, [0, 0])),
            ("unreachable", ip(MAC, 1, [0, 0], V4, [3, 1])),
            ("UDP", ip(MAC, 17, [0, 0], V4, [8, 0])),
            ("echo for another", ip(MAC, 1, [0, 0], [192, 0, 2, 2], [8, 0])),
            ("echo to a stranger", ip(stranger, 1, [0, 0], V4, [8, 0])),
            ("echo to all", ip(all, 1, [0, 0], V4, [8, 0])),
            ("echo to broadcast", ip(all, 1, [0, 0], [192, 0, 2, 255], [8, 0])),
            ("echo6 for another", ip6(MAC, 58, 64, other, 128, [0; 16])),
            ("echo6 reply", ip6(MAC, 58, 64, asked, 129, [0; 16])),
            ("router solicitation", ip6(MAC, 58, 255, asked, 133, [0; 16])),
            ("solicitation with hops", ip6(MAC, 58, 64, asked, 135, asked)),
            ("solicitation for another of the same node", ip6(all, 58, 255, node, 135, other)),
            ("advertisement", ip6(MAC, 58, 255, asked, 136, asked)),
        ] {
            assert_eq!(rules(&filter, &packet), [None; 4], "{name}");
        }
    }

    #[test]
    fn as_many_addresses_as_are_allowed_fit_a_program() {
        let v4 = (0..128_u8).map(|last| IpAddr::from([10, 0, 0, last]));
        let v6 = (0..128_u16).map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]));
        let all: Vec<IpAddr> = v4.chain(v6).collect();
        let compiled = filter(&own(&all)).unwrap().compile().unwrap();
        assert!(compiled.len() < 30_000, "{}", compiled.len());
        let one = filter(&own(&all[..1])).unwrap().compile().unwrap();
        assert!(one.len() < 300, "{}", one.len());
        assert!(one.unreachable().is_empty());
    }
}
