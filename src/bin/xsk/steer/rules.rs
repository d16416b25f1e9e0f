//! Flow rules of an expression.

use crate::failure::{Failure, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use xsk::bpf::{Condition, Flow, Ports};
use xsk::interface::{Address, Ethernet, FlowMatch, FlowRule, Ip};

const IP: u16 = 0x0800;
const IP6: u16 = 0x86dd;
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// What is done with the packets of a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    Queue(u32),
    Drop,
}

impl Target {
    fn of<K>(self, packets: FlowMatch<K>) -> FlowRule {
        match self {
            Self::Queue(queue) => packets.to_queue(queue),
            Self::Drop => packets.drop_packets(),
        }
    }
}

/// Returns the rules that a condition takes, all of them with the same target.
pub(crate) fn rules(condition: &Condition, target: Target) -> Result<Vec<FlowRule>> {
    let flows = condition.flows().map_err(|error| {
        Failure::Text(format!("\"{condition}\" cannot be made flow rules: {}", reason(&error)))
    })?;
    flows.iter().map(|flow| rule(flow, target)).collect()
}

/// Returns why there are no flows, without the words before it.
fn reason(error: &xsk::Error) -> String {
    match error {
        xsk::Error::Filter { fault, .. } => fault.to_string().replace("no flow has", "no rule has"),
        _ => error.to_string(),
    }
}

fn refused(what: &str) -> Failure {
    Failure::Text(format!("no flow rule compares {what}"))
}

/// Returns the rule for the packets of a flow.
fn rule(flow: &Flow, target: Target) -> Result<FlowRule> {
    if *flow == Flow::default() {
        return Err(refused("nothing: this expression takes every packet"));
    }
    match (flow.ethertype, flow.protocol) {
        (Some(IP), Some(TCP)) => with_ports(FlowRule::tcp_v4(), flow, ip4, target),
        (Some(IP), Some(UDP)) => with_ports(FlowRule::udp_v4(), flow, ip4, target),
        (Some(IP), Some(SCTP)) => with_ports(FlowRule::sctp_v4(), flow, ip4, target),
        (Some(IP6), Some(TCP)) => with_ports(FlowRule::tcp_v6(), flow, ip6, target),
        (Some(IP6), Some(UDP)) => with_ports(FlowRule::udp_v6(), flow, ip6, target),
        (Some(IP6), Some(SCTP)) => with_ports(FlowRule::sctp_v6(), flow, ip6, target),
        (Some(IP), protocol) if protocol.is_some() || has_address(flow) => {
            without_ports(FlowRule::ipv4(), flow, ip4, target)
        }
        (Some(IP6), protocol) if protocol.is_some() || has_address(flow) => {
            without_ports(FlowRule::ipv6(), flow, ip6, target)
        }
        _ => Ok(of_ethernet(FlowRule::ethernet(), flow, target)),
    }
}

fn has_address(flow: &Flow) -> bool {
    flow.source.is_some() || flow.destination.is_some()
}

fn ip4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn ip6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(address),
    }
}

/// Adds what every kind of rule over IP has, by the kind's own methods.
macro_rules! over_ip {
    ($packets:ident, $flow:ident, $address:ident) => {{
        if $flow.source_mac.is_some() {
            return Err(refused(
                "the source's Ethernet address together with IP: leave one of both out",
            ));
        }
        let network = |network: Option<(IpAddr, u8)>| {
            network.and_then(|(ip, bits)| $address(ip).map(|ip| (ip, bits)))
        };
        let mut packets = $packets;
        if let Some((address, bits)) = network($flow.source) {
            packets = packets.source_net(address, bits);
        }
        if let Some((address, bits)) = network($flow.destination) {
            packets = packets.destination_net(address, bits);
        }
        if let Some(address) = $flow.destination_mac {
            packets = packets.destination_mac(address);
        }
        match $flow.vlan {
            Some(id) => packets.vlan(id),
            None => packets,
        }
    }};
}

fn with_ports<A: Address>(
    packets: FlowMatch<xsk::interface::Ports<A>>,
    flow: &Flow,
    address: fn(IpAddr) -> Option<A>,
    target: Target,
) -> Result<FlowRule> {
    let mut packets = over_ip!(packets, flow, address);
    if let Some((port, mask)) = flow.source_ports.map(block).transpose()? {
        packets = packets.source_ports(port, mask);
    }
    if let Some((port, mask)) = flow.destination_ports.map(block).transpose()? {
        packets = packets.destination_ports(port, mask);
    }
    Ok(target.of(packets))
}

fn without_ports<A: Address>(
    packets: FlowMatch<Ip<A>>,
    flow: &Flow,
    address: fn(IpAddr) -> Option<A>,
    target: Target,
) -> Result<FlowRule> {
    let packets = over_ip!(packets, flow, address);
    Ok(target.of(match flow.protocol {
        Some(protocol) => packets.protocol(protocol),
        None => packets,
    }))
}

fn of_ethernet(mut packets: FlowMatch<Ethernet>, flow: &Flow, target: Target) -> FlowRule {
    if let Some(address) = flow.source_mac {
        packets = packets.source(address);
    }
    if let Some(address) = flow.destination_mac {
        packets = packets.destination(address);
    }
    if let Some(ethertype) = flow.ethertype {
        packets = packets.ethertype(ethertype);
    }
    if let Some(id) = flow.vlan {
        packets = packets.vlan(id);
    }
    target.of(packets)
}

/// Returns ports as the first one and a mask.
fn block(ports: Ports) -> Result<(u16, u16)> {
    let (first, last) = (ports.first(), ports.last());
    let rest = last - first;
    // As many as a power of two, from a multiple of it on.
    if rest & rest.wrapping_add(1) == 0 && first & rest == 0 && rest != u16::MAX {
        return Ok((first, !rest));
    }
    Err(refused(&format!(
        "the ports {first} to {last}: a range has to be as long as a power of two, and to begin at \
         a multiple of that, as 1024-1039"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str, target: Target) -> Result<Vec<String>> {
        let rules = rules(&text.parse().unwrap(), target)?;
        Ok(rules.iter().map(ToString::to_string).collect())
    }

    fn shown(text: &str) -> Vec<String> {
        made(text, Target::Queue(3)).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refusal(text: &str) -> String {
        made(text, Target::Drop).expect_err(text).to_string()
    }

    #[test]
    fn expressions_become_the_rules_that_they_mean() {
        for (text, rules) in [
            (
                "udp dst port 4789",
                &["udp4 dst-port 4789: queue 3", "udp6 dst-port 4789: queue 3"][..],
            ),
            ("ip and udp dst port 4789", &["udp4 dst-port 4789: queue 3"]),
            (
                "ip and tcp and src net 10.0.0.0/8 and tcp dst portrange 1024-1039",
                &["tcp4 src 10.0.0.0/8 dst-port 1024/0xfff0: queue 3"],
            ),
            ("ip6 and sctp and ip6 dst host ::1", &["sctp6 dst ::1: queue 3"]),
            ("icmp", &["ip4 proto 1: queue 3"]),
            ("ip proto 47 and ip dst host 192.0.2.1", &["ip4 dst 192.0.2.1 proto 47: queue 3"]),
            ("ip", &["ether proto 2048: queue 3"]),
            ("ether proto 0x88f7", &["ether proto 35063: queue 3"]),
            ("ether dst 02:00:00:00:00:01", &["ether dst 02:00:00:00:00:01: queue 3"]),
            ("ether src 02:00:00:00:00:01", &["ether src 02:00:00:00:00:01: queue 3"]),
            ("vlan 7", &["ether vlan 7: queue 3"]),
            ("vlan 7 and ip and udp", &["udp4 vlan 7: queue 3"]),
            (
                "ether dst 02:00:00:00:00:01 and ip and udp",
                &["udp4 dst-mac 02:00:00:00:00:01: queue 3"],
            ),
        ] {
            assert_eq!(shown(text), rules, "{text}");
        }
        assert_eq!(made("icmp", Target::Drop).unwrap(), ["ip4 proto 1: drop"]);
    }

    #[test]
    fn what_no_rule_compares_is_refused_by_name() {
        for (text, named) in [
            ("udp and not port 53", "no rule has `not port 53`"),
            ("greater 100", "no rule has `len >= 100`"),
            ("tcp[tcpflags] & tcp-syn != 0", "`tcp[13] & 2 != 0`"),
            ("host 10.0.0.1", "in ARP packets, too"),
            ("vlan", "`vlan` without an id"),
            ("udp port 1000 or udp portrange 1-3", "the ports 1 to 3"),
            ("ether src 02:00:00:00:00:01 and udp", "source's Ethernet address together with IP"),
            ("len >= 0", "takes every packet"),
        ] {
            let error = refusal(text);
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_block_of_ports_has_a_mask() {
        let block = |first: u16, last: u16| block((first..=last).into()).ok();
        assert_eq!(block(80, 80), Some((80, 0xffff)));
        assert_eq!(block(1024, 1039), Some((1024, 0xfff0)));
        assert_eq!(block(32768, 65535), Some((32768, 0x8000)));
        assert_eq!((block(1, 2), block(0, 65535), block(8, 16)), (None, None, None));
    }
}
