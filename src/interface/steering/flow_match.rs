//! What a flow rule matches, put together field by field; each kind of flow has its own methods.

use super::address::Address;
use super::criteria::Criteria;
use super::fields::Field;
use super::rule::{FlowAction, FlowRule};
use std::marker::PhantomData;
use std::net::{Ipv4Addr, Ipv6Addr};
use xsk_uapi::ethtool::{
    ETHER_FLOW, IPV4_USER_FLOW, IPV6_USER_FLOW, SCTP_V4_FLOW, SCTP_V6_FLOW, TCP_V4_FLOW,
    TCP_V6_FLOW, UDP_V4_FLOW, UDP_V6_FLOW,
};

/// Packets with ports, TCP, UDP or SCTP, over the IP of the addresses `A`: a parameter of
/// [`FlowMatch`].
///
/// ```
/// use xsk::interface::{FlowMatch, FlowRule, Ports};
/// let web: FlowMatch<Ports<std::net::Ipv4Addr>> = FlowRule::tcp_v4().destination_port(80);
/// assert_eq!(web.to_queue(1).to_string(), "tcp4 dst-port 80: queue 1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports<A>(PhantomData<A>);

/// Packets of any protocol over the IP of the addresses `A`: a parameter of [`FlowMatch`].
///
/// ```
/// use xsk::interface::{FlowMatch, FlowRule, Ip};
/// let gre: FlowMatch<Ip<std::net::Ipv4Addr>> = FlowRule::ipv4().protocol(47);
/// assert_eq!(gre.drop_packets().to_string(), "ip4 proto 47: drop");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ip<A>(PhantomData<A>);

/// Packets with an Ethernet header: a parameter of [`FlowMatch`].
///
/// ```
/// use xsk::interface::{Ethernet, FlowMatch, FlowRule};
/// let mine: FlowMatch<Ethernet> = FlowRule::ethernet().destination([2, 0, 0, 0, 0, 1]);
/// assert_eq!(mine.to_queue(0).to_string(), "ether dst 02:00:00:00:00:01: queue 0");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ethernet(());

/// Which packets a flow rule is for; [`to_queue`](Self::to_queue) or
/// [`drop_packets`](Self::drop_packets) makes it a [`FlowRule`].
///
/// What is not named is not compared. Each kind of flow has the methods that make sense for it:
/// only those that TCP, UDP and SCTP begin with have ports. Which fields a card can compare, and
/// with which masks, depends on the card: its driver refuses a rule that it cannot have.
///
/// ```
/// use std::net::Ipv4Addr;
/// use xsk::interface::{FlowAction, FlowRule};
///
/// let rule = FlowRule::tcp_v4()
///     .source_net(Ipv4Addr::new(10, 0, 0, 0), 8)
///     .destination(Ipv4Addr::new(192, 0, 2, 1))
///     .destination_port(443)
///     .vlan(7)
///     .to_queue(2);
/// assert_eq!(rule.action(), FlowAction::Queue(2));
/// assert_eq!(
///     rule.to_string(),
///     "tcp4 src 10.0.0.0/8 dst 192.0.2.1 dst-port 443 vlan 7: queue 2"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[must_use = "it is no rule yet: end it with `to_queue` or `drop_packets`"]
pub struct FlowMatch<K> {
    criteria: Criteria,
    kind: PhantomData<fn() -> K>,
}

impl FlowRule {
    /// Begins a rule for TCP over IPv4.
    pub fn tcp_v4() -> FlowMatch<Ports<Ipv4Addr>> {
        FlowMatch::any(TCP_V4_FLOW)
    }

    /// Begins a rule for TCP over IPv6.
    pub fn tcp_v6() -> FlowMatch<Ports<Ipv6Addr>> {
        FlowMatch::any(TCP_V6_FLOW)
    }

    /// Begins a rule for UDP over IPv4.
    pub fn udp_v4() -> FlowMatch<Ports<Ipv4Addr>> {
        FlowMatch::any(UDP_V4_FLOW)
    }

    /// Begins a rule for UDP over IPv6.
    pub fn udp_v6() -> FlowMatch<Ports<Ipv6Addr>> {
        FlowMatch::any(UDP_V6_FLOW)
    }

    /// Begins a rule for SCTP over IPv4.
    pub fn sctp_v4() -> FlowMatch<Ports<Ipv4Addr>> {
        FlowMatch::any(SCTP_V4_FLOW)
    }

    /// Begins a rule for SCTP over IPv6.
    pub fn sctp_v6() -> FlowMatch<Ports<Ipv6Addr>> {
        FlowMatch::any(SCTP_V6_FLOW)
    }

    /// Begins a rule for IPv4 of any protocol.
    pub fn ipv4() -> FlowMatch<Ip<Ipv4Addr>> {
        FlowMatch::any(IPV4_USER_FLOW)
    }

    /// Begins a rule for IPv6 of any protocol.
    pub fn ipv6() -> FlowMatch<Ip<Ipv6Addr>> {
        FlowMatch::any(IPV6_USER_FLOW)
    }

    /// Begins a rule for Ethernet addresses and ethertypes.
    pub fn ethernet() -> FlowMatch<Ethernet> {
        FlowMatch::any(ETHER_FLOW)
    }
}

impl<K> FlowMatch<K> {
    fn any(flow: u32) -> Self {
        Self { criteria: Criteria::any(flow), kind: PhantomData }
    }

    /// Matches this VLAN, from 0 to 4094 (`FLOW_EXT`).
    pub fn vlan(mut self, id: u16) -> Self {
        self.criteria.vlan(id);
        self
    }

    /// Matches this priority in the VLAN's tag, from 0 to 7 (`FLOW_EXT`).
    pub fn vlan_priority(mut self, priority: u8) -> Self {
        self.criteria.vlan_priority(priority);
        self
    }

    /// Returns the rule that brings these packets to an RX queue.
    pub fn to_queue(self, queue: u32) -> FlowRule {
        FlowRule::new(self.criteria, FlowAction::Queue(queue))
    }

    /// Returns the rule that has the card drop these packets (`RX_CLS_FLOW_DISC`).
    pub fn drop_packets(self) -> FlowRule {
        FlowRule::new(self.criteria, FlowAction::Drop)
    }

    /// Returns the rule that spreads these packets over the queues of a context of the receive hash
    /// (`FLOW_RSS`, 4.17): [`RssContext::id`](crate::interface::RssContext::id).
    pub fn to_context(self, context: u32) -> FlowRule {
        FlowRule::new(self.criteria, FlowAction::Context { id: context, offset: 0 })
    }

    fn put(mut self, field: Option<Field>, value: &[u8], mask: &[u8]) -> Self {
        self.criteria.set(field, value, mask);
        self
    }

    fn net<A: Address>(
        mut self,
        field: Option<Field>,
        name: &'static str,
        address: A,
        prefix: u8,
    ) -> Self {
        self.criteria.wrong_unless(prefix <= A::BITS, name, prefix.into(), A::PREFIX_RULE);
        let (value, mask) = address.masked(prefix);
        self.put(field, &value, &mask)
    }

    fn source_is<A: Address>(self, address: A, prefix: u8) -> Self {
        let field = self.criteria.fields().source;
        self.net(field, "prefix length of the source", address, prefix)
    }

    fn destination_is<A: Address>(self, address: A, prefix: u8) -> Self {
        let field = self.criteria.fields().destination;
        self.net(field, "prefix length of the destination", address, prefix)
    }
}

macro_rules! address_methods {
    () => {
        /// Matches packets from this address.
        pub fn source(self, address: A) -> Self {
            self.source_is(address, A::BITS)
        }

        /// Matches packets to this address.
        pub fn destination(self, address: A) -> Self {
            self.destination_is(address, A::BITS)
        }

        /// Matches packets from the addresses that begin with the first `prefix` bits of this one.
        pub fn source_net(self, address: A, prefix: u8) -> Self {
            self.source_is(address, prefix)
        }

        /// Matches packets to the addresses that begin with the first `prefix` bits of this one.
        pub fn destination_net(self, address: A, prefix: u8) -> Self {
            self.destination_is(address, prefix)
        }

        /// Matches packets to this Ethernet address (`FLOW_MAC_EXT`).
        pub fn destination_mac(mut self, address: [u8; 6]) -> Self {
            self.criteria.destination_mac = Some(address);
            self
        }
    };
}

impl<A: Address> FlowMatch<Ports<A>> {
    address_methods!();

    /// Matches packets from this port, from 1 to 65535.
    pub fn source_port(self, port: u16) -> Self {
        self.source_ports(port, u16::MAX)
    }

    /// Matches packets to this port, from 1 to 65535.
    pub fn destination_port(self, port: u16) -> Self {
        self.destination_ports(port, u16::MAX)
    }

    /// Matches packets from the ports that have the bits of `mask` in common with `port`: 1024 and
    /// 0xfff0 are the ports 1024 to 1039.
    pub fn source_ports(self, port: u16, mask: u16) -> Self {
        let field = self.criteria.fields().source_port;
        self.ports(field, ["source port", "mask of the source port"], port, mask)
    }

    /// Matches packets to the ports that have the bits of `mask` in common with `port`: 1024 and
    /// 0xfff0 are the ports 1024 to 1039.
    pub fn destination_ports(self, port: u16, mask: u16) -> Self {
        let field = self.criteria.fields().destination_port;
        self.ports(field, ["destination port", "mask of the destination port"], port, mask)
    }

    fn ports(
        mut self,
        field: Option<Field>,
        [port_name, mask_name]: [&'static str; 2],
        port: u16,
        mask: u16,
    ) -> Self {
        let criteria = &mut self.criteria;
        criteria.wrong_unless(mask != 0, mask_name, 0, "has at least one bit");
        let right = mask != u16::MAX || port != 0;
        criteria.wrong_unless(right, port_name, 0, "goes from 1 to 65535");
        self.put(field, &port.to_be_bytes(), &mask.to_be_bytes())
    }
}

impl<A: Address> FlowMatch<Ip<A>> {
    address_methods!();

    /// Matches packets of this protocol, `IPPROTO_*`: 1 for ICMP, 47 for GRE.
    pub fn protocol(self, protocol: u8) -> Self {
        let field = self.criteria.fields().protocol;
        self.put(field, &[protocol], &[0xff])
    }
}

impl FlowMatch<Ethernet> {
    /// Matches packets from this Ethernet address.
    pub fn source(self, address: [u8; 6]) -> Self {
        let field = self.criteria.fields().source_mac;
        self.put(field, &address, &[0xff; 6])
    }

    /// Matches packets to this Ethernet address.
    pub fn destination(self, address: [u8; 6]) -> Self {
        let field = self.criteria.fields().destination_mac;
        self.put(field, &address, &[0xff; 6])
    }

    /// Matches packets of this ethertype, from 1536: 0x0800 for IPv4, 0x88f7 for PTP.
    pub fn ethertype(mut self, ethertype: u16) -> Self {
        let right = ethertype >= 1536;
        self.criteria.wrong_unless(right, "ethertype", ethertype.into(), "goes from 1536 to 65535");
        let field = self.criteria.fields().ethertype;
        self.put(field, &ethertype.to_be_bytes(), &[0xff; 2])
    }
}
