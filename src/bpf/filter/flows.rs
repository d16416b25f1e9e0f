//! Conditions as lists of flows.

#[cfg(test)]
mod tests;

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
    /// for them; `ip src net 10.0.0.0/8` and `src net 10.0.0.0/8 and udp` do not), sets, `multicast`,
    /// tags of VLANs without an id or behind another one; for a condition that is true of no packet; and for more than 64
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
