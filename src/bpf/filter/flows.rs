//! Conditions as lists of flows.

use super::condition::Condition;
use super::direction::Direction;
use super::expr::{Expr, Test, TestKind};
use super::flow::Flow;
use super::ports::Ports;
use crate::error::{Error, FilterFault, Result};
use std::net::{IpAddr, Ipv4Addr};

const IP: u16 = 0x0800;
const IP6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
/// Ethernet types that are tags of VLANs.
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// The most alternatives of a condition.
const MOST: usize = 64;

/// Packets of an alternative, and behind how many tags the headers are that it compares.
#[derive(Clone, Default)]
struct Part {
    flow: Flow,
    depth: Option<u8>,
    /// The test of an address in ARP packets, which no flow has. Together with a test of another
    /// protocol it is true of no packet.
    arp: Option<Test>,
}

impl Condition {
    /// Returns the condition as alternatives, each of which compares values of headers only: what
    /// flow rules of cards can express. Together they are true of the packets that the condition is
    /// true of.
    ///
    /// `udp port 53` has four: of IPv4 and of IPv6, from the port and to it. `and` and `or` go in one
    /// another as deep as they like, and alternatives that no packet can be of are left out. The
    /// tests of a flow do not look how many VLAN tags there are, unless the condition names one.
    ///
    /// # Errors
    /// [`Error::Filter`](crate::Error::Filter) with [`FilterFault::NoFlow`] for what no flow has:
    /// `not`, lengths and comparisons of bytes, addresses in ARP packets (`src net 10.0.0.0/8` looks
    /// for them; `ip src net 10.0.0.0/8` and `src net 10.0.0.0/8 and udp` do not), sets, `multicast`, tags of VLANs without an id or
    /// behind another one; for a condition that is true of no packet; and for more than 64
    /// alternatives.
    ///
    /// ```
    /// use xsk::bpf::Condition;
    ///
    /// # fn main() -> xsk::Result<()> {
    /// let vxlan: Condition = "udp dst port 4789".parse()?;
    /// assert_eq!(vxlan.flows()?.len(), 2);
    /// let other: Condition = "udp and not port 53".parse()?;
    /// assert!(other.flows().unwrap_err().to_string().contains("`not port 53`"));
    /// # Ok(()) }
    /// ```
    pub fn flows(&self) -> Result<Vec<Flow>> {
        let mut flows = Vec::new();
        for Part { flow, depth, arp } in alternatives(self.expr())? {
            if let Some(test) = arp {
                const WHY: &str = ": an address without `ip` before it is one in ARP packets, too";
                return Err(refused(&Expr::Test(test), WHY));
            }
            match (depth, flow.vlan) {
                (None, _) | (Some(0), None) | (Some(1), Some(_)) => {}
                // The header in front of which the tag is, and without the tag.
                (Some(0), Some(_)) => continue,
                (Some(_), _) => {
                    return Err(fault(
                        "no flow has headers behind a VLAN tag whose id is not given",
                    ));
                }
            }
            if !flows.contains(&flow) {
                flows.push(flow);
            }
        }
        if flows.is_empty() {
            return Err(fault("no packet can have all that it compares"));
        }
        Ok(flows)
    }
}

/// Returns the refusal for a reason.
fn fault(reason: impl Into<String>) -> Error {
    Error::Filter { fault: FilterFault::NoFlow { reason: reason.into() } }
}

/// Returns the refusal of a condition, with the reason.
fn refused(expr: &Expr, why: &str) -> Error {
    fault(format!("no flow has `{}`{why}", Condition::new(expr.clone())))
}

fn alternatives(expr: &Expr) -> Result<Vec<Part>> {
    let parts = match expr {
        Expr::Always(true) => vec![Part::default()],
        Expr::Always(false) => Vec::new(),
        Expr::Not(_) => return Err(refused(expr, "")),
        Expr::Or(list) => {
            let mut parts = Vec::new();
            for one in list {
                parts.extend(alternatives(one)?);
                limit(&parts)?;
            }
            parts
        }
        // With the tests that belong to the comparison it has the text that it was read from.
        Expr::And(list) if list.iter().any(compares) => return Err(refused(expr, "")),
        Expr::And(list) => {
            let mut parts = vec![Part::default()];
            for one in list {
                let more = alternatives(one)?;
                let pairs = parts.iter().flat_map(|part| more.iter().map(move |one| (part, one)));
                parts = pairs.filter_map(|(part, one)| part.and(one)).collect();
                limit(&parts)?;
            }
            parts
        }
        Expr::Test(test) => of_test(test).map_err(|why| refused(expr, why))?,
    };
    Ok(parts)
}

fn compares(expr: &Expr) -> bool {
    matches!(expr, Expr::Test(Test { kind: TestKind::Compare(..), .. }))
}

fn limit(parts: &[Part]) -> Result<()> {
    if parts.len() > MOST {
        return Err(fault(format!("it has more than {MOST} alternatives")));
    }
    Ok(())
}

impl Part {
    /// Returns the packets of both; `None` if there can be none.
    fn and(&self, other: &Self) -> Option<Self> {
        let depth = match (self.depth, other.depth) {
            (Some(one), Some(other)) if one != other => return None,
            (one, other) => one.or(other),
        };
        let arp = self.arp.as_ref().or(other.arp.as_ref()).cloned();
        Some(Self { flow: self.flow.and(&other.flow)?, depth, arp })
    }
}

/// Returns the alternatives of a test, or why there are none.
fn of_test(test: &Test) -> Result<Vec<Part>, &'static str> {
    let Test { depth, kind } = test;
    let part = |flow| Part { flow, depth: Some(*depth), arp: None };
    let with =
        |ethertype, protocol| Flow { ethertype: Some(ethertype), protocol, ..Flow::default() };
    Ok(match kind {
        TestKind::EtherType(number) if TAGS.contains(number) => return Err(" without a VLAN's id"),
        TestKind::EtherType(number) => vec![part(with(*number, None))],
        TestKind::Vlan(_) if *depth > 0 => return Err(" behind another tag"),
        TestKind::Vlan(None) => return Err(" without an id"),
        TestKind::Vlan(id) => {
            vec![Part { flow: Flow { vlan: *id, ..Flow::default() }, ..Part::default() }]
        }
        TestKind::Ether(direction, address) => {
            let mac = Some(*address);
            let source = Flow { source_mac: mac, ..Flow::default() };
            let destination = Flow { destination_mac: mac, ..Flow::default() };
            directed(*direction, source, destination)
                .into_iter()
                .map(|flow| Part { flow, ..Part::default() })
                .collect()
        }
        TestKind::Ip4(direction, address, mask) => {
            let bits = prefix(*mask).ok_or(", whose mask is no prefix")?;
            networks(*direction, with(IP, None), (*address).into(), bits)
                .into_iter()
                .map(part)
                .collect()
        }
        TestKind::Ip6(direction, address, bits) => {
            networks(*direction, with(IP6, None), (*address).into(), *bits)
                .into_iter()
                .map(part)
                .collect()
        }
        TestKind::Ip4Protocol(number) => vec![part(with(IP, Some(*number)))],
        TestKind::Ip6Protocol(number) => vec![part(with(IP6, Some(*number)))],
        TestKind::Ip4Port(number, direction, ports) => {
            of_ports(*direction, &with(IP, Some(*number)), *ports).into_iter().map(part).collect()
        }
        TestKind::Ip6Port(number, direction, ports) => {
            of_ports(*direction, &with(IP6, Some(*number)), *ports).into_iter().map(part).collect()
        }
        TestKind::Arp { reverse, .. } => {
            let ethertype = if *reverse { RARP } else { ARP };
            vec![Part { arp: Some(test.clone()), ..part(with(ethertype, None)) }]
        }
        _ => return Err(""),
    })
}

/// Returns the alternatives of a direction.
fn directed(direction: Direction, source: Flow, destination: Flow) -> Vec<Flow> {
    match direction {
        Direction::Source => vec![source],
        Direction::Destination => vec![destination],
        Direction::Either => vec![source, destination],
        Direction::Both => source.and(&destination).into_iter().collect(),
    }
}

fn networks(direction: Direction, flow: Flow, address: IpAddr, bits: u8) -> Vec<Flow> {
    let network = Some((address, bits)).filter(|(_, bits)| *bits > 0);
    let source = Flow { source: network, ..flow.clone() };
    directed(direction, source, Flow { destination: network, ..flow })
}

fn of_ports(direction: Direction, flow: &Flow, ports: Ports) -> Vec<Flow> {
    let ports = Some(ports);
    let source = Flow { source_ports: ports, ..flow.clone() };
    directed(direction, source, Flow { destination_ports: ports, ..flow.clone() })
}

/// Returns how many bits a mask has, if they are the first ones.
fn prefix(mask: Ipv4Addr) -> Option<u8> {
    let mask = u32::from(mask);
    let bits = mask.leading_ones();
    (mask.count_ones() == bits).then_some(u8::try_from(bits).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let both =
            Flow { source_ports: Some(5.into()), destination_ports: Some(5.into()), ..udp(IP) };
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
        for text in ["ip and ip6", "icmp and udp", "ip src host 10.0.0.1 and ip src net 11.0.0.0/8"]
        {
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

    /// Each packet of the filter belongs to an alternative, and the other way round.
    #[test]
    fn the_alternatives_are_true_together_of_what_the_condition_is() {
        let mut packet = vec![0_u8; 60];
        packet[12..15].copy_from_slice(&[8, 0, 0x45]);
        packet[23] = 17;
        packet[26..34].copy_from_slice(&[10, 1, 2, 3, 10, 9, 9, 9]);
        packet[34..38].copy_from_slice(&[0, 53, 0x12, 0xb5]);
        for text in ["udp port 53", "ip src net 10.0.0.0/8 and (port 1 or 4789)", "udp dst port 53"]
        {
            let condition: Condition = text.parse().unwrap();
            let matched = flows(text).iter().any(|flow| {
                let port = |at: usize, ports: Option<Ports>| {
                    let port = u16::from_be_bytes([packet[at], packet[at + 1]]);
                    ports.is_none_or(|ports| (ports.first..=ports.last).contains(&port))
                };
                flow.ethertype.is_none_or(|number| number == IP)
                    && flow.protocol.is_none_or(|number| number == 17)
                    && port(34, flow.source_ports)
                    && port(36, flow.destination_ports)
            });
            assert_eq!(matched, condition.matches(&packet), "{text}");
        }
    }
}
