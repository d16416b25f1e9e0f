//! Conditions on packets, as values and as text.

use super::direction::Direction;
use super::evaluate::evaluate;
use super::expr::{Expr, MOST_TAGS, Test, TestKind};
use super::parse::{self, MOST_LEVELS, loads};
use super::ports::Ports;
use crate::error::{Error, ExpressionError, Result};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::{BitAnd, BitOr, Not};
use std::str::FromStr;

/// A condition on a packet, in the meaning of the tcpdump language (pcap-filter(7)).
///
/// It is made of constructors and the operators `&`, `|` and `!`, or read from text; its
/// [`Display`](std::fmt::Display) is text that reads back as an equal condition, unless it is of a set
/// ([`address_in`](Self::address_in), [`port_in`](Self::port_in)): `src net @blocked` is only for people.
///
/// ```
/// use std::net::Ipv4Addr;
/// use xsk::bpf::Condition;
///
/// # fn main() -> xsk::Result<()> {
/// let value = Condition::udp() & Condition::network(Ipv4Addr::new(10, 0, 0, 0), 8)?;
/// let text: Condition = "udp and net 10.0.0.0/8".parse()?;
/// assert_eq!(value, text);
/// assert_eq!(value.to_string(), "udp and net 10.0.0.0/8");
///
/// let mut packet = [0; 60];
/// packet[12..15].copy_from_slice(&[0x08, 0x00, 0x45]); // IPv4, 20 bytes of header
/// packet[23] = 17; // UDP
/// packet[26..30].copy_from_slice(&[10, 1, 2, 3]);
/// assert!(value.matches(&packet));
/// # Ok(())
/// # }
/// ```
///
/// # Text
/// Taken are: `and`, `or`, `not` (`&&`, `||`, `!`), of which `and` and `or` bind alike, from left
/// to right; parentheses; values that take over the keywords before them (`port 53 or 80`);
/// `host`, `net`, `port`, `portrange`, `proto`, with `src`, `dst`, `src or dst`, `src and dst`;
/// `ether host`, `ether proto`, `broadcast`, `multicast`; the protocols `ip`, `ip6`, `arp`, `rarp`,
/// `tcp`, `udp`, `sctp`, `icmp`, `icmp6`, `igmp`, `igrp`, `pim`, `vrrp`, `carp`, `ah`, `esp`;
/// `ip6 protochain`; `vlan`, `vlan ID`; `less`, `greater`; comparisons of numbers, `len` and bytes
/// (`tcp[tcpflags] & tcp-syn != 0`). Services are known by a table of the common ones; the system's
/// files are not read. Names of hosts are not looked up. What else the tcpdump language has is
/// refused with its name and column: [`ExpressionError`].
///
/// After the keyword `vlan` all that follows is looked for behind that tag, whatever `and`, `or`,
/// `not` and parentheses are between: so it is in tcpdump. At most 2 tags are looked behind.
/// `behind N CONDITION`, which tcpdump does not have, looks behind N tags and leaves what follows
/// as it was. Nor does tcpdump have `ip tcp port`, `ip6 udp port` and so on; and `network[...]`,
/// `payload4[...]`, `payload6[...]`, which are bytes without a test that such a header is there.
///
/// Text has at most 64 KiB and 128 levels of parentheses, lists and operators.
///
/// # Meaning
/// A condition that would have to read past the end of the packet is not true, and neither is its
/// opposite. `and` and `or` go from left to right and stop when the outcome is certain.
///
/// These things differ from tcpdump (4.99, with libpcap 1.10):
/// - the extension headers of IPv6 are walked, up to six of them, to find the protocol and the
///   ports; tcpdump looks at the first next-header number, and for protocols behind a fragment
///   header that is the first header. As in tcpdump, an extension header itself (`ah`,
///   `ip6 proto 0`) is found only if it is the first one, and so is `icmp6[...]`;
/// - so a port of IPv6 is found behind a fragment header, unless it is of a fragment that is not
///   the first one: that has no ports;
/// - ports and bytes behind an IPv4 header that says that it is shorter than 20 bytes are not read:
///   the condition is not true. tcpdump takes them from inside of the header;
/// - what the right operand of an operator needs is tested, too: `len + tcp[0] > 100` is not true
///   of UDP. tcpdump forgets it there, and reads what is at that place;
/// - the offset of bytes behind an IPv4 header, such as `tcp[0 - 4]`, does not wrap around into the
///   header;
/// - of packets that end within a header, tcpdump may find more: it reads an address of IPv6 by
///   words until one differs; of bytes whose offset is made of other bytes, as in
///   `udp[icmp6[20]:2]`, it tests first what all of them need; and its optimizer leaves out and
///   moves reads.
///
/// # Panics
/// The operators panic if conditions are more than 128 levels in one another. `a & b & c` is one
/// level; `(a & b) | c` are two. [`all`](Self::all) and [`any`](Self::any) join any number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    expr: Expr,
    /// How many levels it has: bounds the recursion of everything that goes through it.
    levels: usize,
}

impl Condition {
    /// Wraps a condition that is not too deep.
    pub(crate) fn new(expr: Expr) -> Self {
        let levels = expr.levels();
        Self { expr, levels }
    }

    pub(crate) fn expr(&self) -> &Expr {
        &self.expr
    }

    pub(super) fn test(kind: TestKind) -> Self {
        Self::new(Expr::Test(Test { depth: 0, kind }))
    }

    fn protocol(number: u8) -> Self {
        Self::test(TestKind::Ip4Protocol(number)) | Self::test(TestKind::Ip6Protocol(number))
    }

    /// Returns whether the condition is true of a packet, which begins with the Ethernet header.
    #[must_use]
    pub fn matches(&self, packet: &[u8]) -> bool {
        evaluate(&self.expr, packet) == Some(true)
    }

    /// Every packet: `len >= 0`.
    #[must_use]
    pub fn every_packet() -> Self {
        Self::new(Expr::Always(true))
    }

    /// TCP over IPv4 or IPv6: `tcp`.
    #[must_use]
    pub fn tcp() -> Self {
        Self::protocol(6)
    }

    /// UDP over IPv4 or IPv6: `udp`.
    #[must_use]
    pub fn udp() -> Self {
        Self::protocol(17)
    }

    /// SCTP over IPv4 or IPv6: `sctp`.
    #[must_use]
    pub fn sctp() -> Self {
        Self::protocol(132)
    }

    /// ICMP, which is over IPv4: `icmp`.
    #[must_use]
    pub fn icmp() -> Self {
        Self::test(TestKind::Ip4Protocol(1))
    }

    /// ICMPv6: `icmp6`.
    #[must_use]
    pub fn icmp6() -> Self {
        Self::test(TestKind::Ip6Protocol(58))
    }

    /// ARP: `arp`.
    #[must_use]
    pub fn arp() -> Self {
        Self::test(TestKind::EtherType(0x0806))
    }

    /// IPv4: `ip`.
    #[must_use]
    pub fn ip() -> Self {
        Self::test(TestKind::EtherType(0x0800))
    }

    /// IPv6: `ip6`.
    #[must_use]
    pub fn ip6() -> Self {
        Self::test(TestKind::EtherType(0x86dd))
    }

    /// Any Ethernet type: `ether proto NUMBER`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number below 0x600, which is a length.
    pub fn ether_type(number: u16) -> Result<Self> {
        if number < 0x600 {
            return Err(Error::Setting {
                name: "Ethernet type",
                value: number.into(),
                rule: "is at least 1536 (0x600); what is below is a length",
            });
        }
        Ok(Self::test(TestKind::EtherType(number)))
    }

    /// An Ethernet address: `ether host ADDRESS`, or one direction of it.
    #[must_use]
    pub fn ether(direction: Direction, address: [u8; 6]) -> Self {
        Self::test(TestKind::Ether(direction, address))
    }

    /// Broadcast and multicast packets of Ethernet: `ether multicast`.
    #[must_use]
    pub fn multicast() -> Self {
        Self::test(TestKind::EtherMulticast)
    }

    /// The source or the destination has this address: `host ADDRESS`. For IPv4 that is of IPv4,
    /// ARP and RARP.
    #[must_use]
    pub fn host(address: impl Into<IpAddr>) -> Self {
        Self::address(Direction::Either, address)
    }

    /// The source has this address: `src host ADDRESS`.
    #[must_use]
    pub fn source(address: impl Into<IpAddr>) -> Self {
        Self::address(Direction::Source, address)
    }

    /// The destination has this address: `dst host ADDRESS`.
    #[must_use]
    pub fn destination(address: impl Into<IpAddr>) -> Self {
        Self::address(Direction::Destination, address)
    }

    fn address(direction: Direction, address: impl Into<IpAddr>) -> Self {
        let address = address.into();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self::masked(direction, address, bits)
    }

    fn masked(direction: Direction, address: IpAddr, bits: u8) -> Self {
        match address {
            IpAddr::V6(address) => Self::test(TestKind::Ip6(direction, address, bits)),
            IpAddr::V4(address) => {
                let host = 32_u32.saturating_sub(bits.into());
                let mask = Ipv4Addr::from(u32::MAX.checked_shl(host).unwrap_or(0));
                let arp = |reverse| TestKind::Arp { reverse, direction, address, mask };
                let ip = TestKind::Ip4(direction, address, mask);
                Self::any([ip, arp(false), arp(true)].map(Self::test))
            }
        }
    }

    /// The source or the destination is in this network: `net ADDRESS/BITS`.
    ///
    /// # Errors
    /// [`Error::Setting`] for more bits than the address has, or for fewer than are set in it.
    pub fn network(address: impl Into<IpAddr>, bits: u8) -> Result<Self> {
        Self::prefix(Direction::Either, address.into(), bits)
    }

    /// The source is in this network: `src net ADDRESS/BITS`.
    ///
    /// # Errors
    /// As those of [`network`](Self::network).
    pub fn source_network(address: impl Into<IpAddr>, bits: u8) -> Result<Self> {
        Self::prefix(Direction::Source, address.into(), bits)
    }

    /// The destination is in this network: `dst net ADDRESS/BITS`.
    ///
    /// # Errors
    /// As those of [`network`](Self::network).
    pub fn destination_network(address: impl Into<IpAddr>, bits: u8) -> Result<Self> {
        Self::prefix(Direction::Destination, address.into(), bits)
    }

    fn prefix(direction: Direction, address: IpAddr, bits: u8) -> Result<Self> {
        // As 128 bits, of which those of an IPv4 address are the first.
        let (number, most) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let rule = if bits > most {
            "is at most 32 for IPv4 and 128 for IPv6"
        } else if number & u128::MAX.checked_shr(bits.into()).unwrap_or(0) != 0 {
            "covers all bits of the address that are set"
        } else {
            return Ok(Self::masked(direction, address, bits));
        };
        Err(Error::Setting { name: "prefix length", value: bits.into(), rule })
    }

    /// A port of TCP, UDP or SCTP, source or destination: `port 53`, `portrange 8000-8080`.
    ///
    /// ```
    /// use xsk::bpf::Condition;
    ///
    /// let condition = Condition::port(53) | Condition::port(8000..=8080);
    /// assert_eq!(condition.to_string(), "port 53 or portrange 8000-8080");
    /// ```
    #[must_use]
    pub fn port(ports: impl Into<Ports>) -> Self {
        Self::any_transport(Direction::Either, ports.into())
    }

    /// The source port of TCP, UDP or SCTP: `src port 53`.
    #[must_use]
    pub fn source_port(ports: impl Into<Ports>) -> Self {
        Self::any_transport(Direction::Source, ports.into())
    }

    /// The destination port of TCP, UDP or SCTP: `dst port 53`.
    #[must_use]
    pub fn destination_port(ports: impl Into<Ports>) -> Self {
        Self::any_transport(Direction::Destination, ports.into())
    }

    fn any_transport(direction: Direction, ports: Ports) -> Self {
        let ip4 = |protocol| Self::test(TestKind::Ip4Port(protocol, direction, ports));
        let ip6 = |protocol| Self::test(TestKind::Ip6Port(protocol, direction, ports));
        let transports = [6, 17, 132];
        Self::any(transports.map(ip4).into_iter().chain(transports.map(ip6)))
    }

    fn transport(protocol: u8, direction: Direction, ports: Ports) -> Self {
        Self::test(TestKind::Ip4Port(protocol, direction, ports))
            | Self::test(TestKind::Ip6Port(protocol, direction, ports))
    }

    /// A port of TCP: `tcp port 80`, or one direction of it.
    #[must_use]
    pub fn tcp_port(direction: Direction, ports: impl Into<Ports>) -> Self {
        Self::transport(6, direction, ports.into())
    }

    /// A port of UDP: `udp port 53`, or one direction of it.
    #[must_use]
    pub fn udp_port(direction: Direction, ports: impl Into<Ports>) -> Self {
        Self::transport(17, direction, ports.into())
    }

    /// A port of SCTP: `sctp port 2905`, or one direction of it.
    #[must_use]
    pub fn sctp_port(direction: Direction, ports: impl Into<Ports>) -> Self {
        Self::transport(132, direction, ports.into())
    }

    /// A VLAN tag, with any id: `vlan`.
    #[must_use]
    pub fn any_vlan() -> Self {
        Self::test(TestKind::Vlan(None))
    }

    /// A VLAN tag with this id: `vlan ID`.
    ///
    /// # Errors
    /// [`Error::Setting`] for an id above 4095.
    pub fn vlan(id: u16) -> Result<Self> {
        if id > 4095 {
            return Err(Error::Setting {
                name: "VLAN id",
                value: id.into(),
                rule: "is at most 4095",
            });
        }
        Ok(Self::test(TestKind::Vlan(Some(id))))
    }

    /// The same condition on what is behind so many more VLAN tags. It does not look whether there
    /// are tags: that is what [`vlan`](Self::vlan) and [`any_vlan`](Self::any_vlan) are for.
    ///
    /// ```
    /// use xsk::bpf::Condition;
    ///
    /// # fn main() -> xsk::Result<()> {
    /// let condition = Condition::vlan(5)? & Condition::tcp().behind(1)?;
    /// assert_eq!(condition, "vlan 5 and tcp".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if some test would be behind more than 2 tags.
    pub fn behind(mut self, tags: u8) -> Result<Self> {
        if !shift(&mut self.expr, tags) {
            return Err(Error::Setting {
                name: "number of VLAN tags",
                value: tags.into(),
                rule: "is at most 2, with those that the condition looks behind already",
            });
        }
        Ok(self)
    }

    /// All of these conditions, tried in this order; every packet, if there are none.
    ///
    /// # Panics
    /// Panics if conditions are more than 128 levels in one another.
    #[must_use]
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        conditions.into_iter().reduce(|a, b| a & b).unwrap_or_else(Self::every_packet)
    }

    /// Any of these conditions, tried in this order; no packet, if there are none.
    ///
    /// # Panics
    /// Panics if conditions are more than 128 levels in one another.
    #[must_use]
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        let none = || Self::new(Expr::Always(false));
        conditions.into_iter().reduce(|a, b| a | b).unwrap_or_else(none)
    }

    fn checked(expr: Expr, levels: usize) -> Self {
        assert!(
            levels <= MOST_LEVELS,
            "conditions are at most {MOST_LEVELS} levels in one another"
        );
        Self { expr, levels }
    }
}

/// Adds tags to the depth of every test; returns whether all of them are in bounds.
fn shift(expr: &mut Expr, tags: u8) -> bool {
    match expr {
        Expr::Always(_) => true,
        Expr::Not(inner) => shift(inner, tags),
        Expr::And(list) | Expr::Or(list) => list.iter_mut().all(|part| shift(part, tags)),
        Expr::Test(test) => {
            let most = match &test.kind {
                TestKind::Ether(..) | TestKind::EtherMulticast | TestKind::Length(..) => {
                    return true;
                }
                TestKind::Compare(left, _, right)
                    if !loads::has_depth(left) && !loads::has_depth(right) =>
                {
                    return true;
                }
                // A tag is there to be looked behind.
                TestKind::Vlan(_) => MOST_TAGS.saturating_sub(1),
                _ => MOST_TAGS,
            };
            test.depth = test.depth.saturating_add(tags);
            test.depth <= most
        }
    }
}

impl BitAnd for Condition {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        let own = |condition: &Self| match condition.expr {
            Expr::And(_) => condition.levels,
            _ => condition.levels.saturating_add(1),
        };
        let levels = own(&self).max(own(&other));
        Self::checked(self.expr.and(other.expr), levels)
    }
}

impl BitOr for Condition {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        let own = |condition: &Self| match condition.expr {
            Expr::Or(_) => condition.levels,
            _ => condition.levels.saturating_add(1),
        };
        let levels = own(&self).max(own(&other));
        Self::checked(self.expr.or(other.expr), levels)
    }
}

impl Not for Condition {
    type Output = Self;

    fn not(self) -> Self {
        let levels = match self.expr {
            Expr::Not(_) => self.levels.saturating_sub(1),
            _ => self.levels.saturating_add(1),
        };
        Self::checked(self.expr.not(), levels)
    }
}

impl FromStr for Condition {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        parse::parse(text).map(Self::new)
    }
}
