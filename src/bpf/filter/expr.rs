//! The conditions of filters as a tree, in the meaning of the tcpdump language.
//!
//! Each test carries its `depth`: how many VLAN tags come before the header that it reads. In the
//! text form the keyword `vlan` raises the depth of what follows, as it does in tcpdump.

use super::set::{AddressSet, PortSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// A condition on a packet.
///
/// A test that reads past the end of the packet, or a header whose own length is impossible, makes
/// the whole condition *unreadable*, which counts as not true; so does its negation. `and` and `or`
/// go from left to right and stop as soon as the outcome is certain: what is not tried cannot be
/// unreadable. This is what tcpdump does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Expr {
    /// True, or false, of every packet.
    Always(bool),
    Not(Box<Expr>),
    /// All of them, tried in this order; an empty list is true.
    And(Vec<Expr>),
    /// At least one of them, tried in this order; an empty list is false.
    Or(Vec<Expr>),
    Test(Test),
}

impl Expr {
    /// Returns both conditions, the first one tried first, as one list.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::And(mut list), Self::And(more)) => {
                list.extend(more);
                Self::And(list)
            }
            (Self::And(mut list), other) => {
                list.push(other);
                Self::And(list)
            }
            (first, Self::And(mut more)) => {
                more.insert(0, first);
                Self::And(more)
            }
            (first, other) => Self::And(vec![first, other]),
        }
    }

    /// Returns either condition, the first one tried first, as one list.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Or(mut list), Self::Or(more)) => {
                list.extend(more);
                Self::Or(list)
            }
            (Self::Or(mut list), other) => {
                list.push(other);
                Self::Or(list)
            }
            (first, Self::Or(mut more)) => {
                more.insert(0, first);
                Self::Or(more)
            }
            (first, other) => Self::Or(vec![first, other]),
        }
    }

    /// Returns all of the conditions, in this order.
    pub(super) fn all(list: impl IntoIterator<Item = Self>) -> Self {
        list.into_iter().reduce(Self::and).unwrap_or(Self::Always(true))
    }

    /// Returns any of the conditions, in this order.
    pub(super) fn any(list: impl IntoIterator<Item = Self>) -> Self {
        list.into_iter().reduce(Self::or).unwrap_or(Self::Always(false))
    }

    /// Returns the opposite. Twice the opposite is the same condition, unreadable packets included.
    pub(super) fn not(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Returns how deep lists and negations are in one another: 1 for a test.
    pub(super) fn levels(&self) -> usize {
        let below = match self {
            Self::Always(_) | Self::Test(_) => 0,
            Self::Not(inner) => inner.levels(),
            Self::And(list) | Self::Or(list) => list.iter().map(Self::levels).max().unwrap_or(0),
        };
        below.saturating_add(1)
    }
}

/// One test of a packet.
///
/// The depth only says where the header is: 4 bytes further on for each tag. A test does not look
/// whether the tags are there; the condition does, before, with [`TestKind::Vlan`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Test {
    /// The number of VLAN tags before the header, 0 to [`MOST_TAGS`].
    pub(crate) depth: u8,
    pub(crate) kind: TestKind,
}

/// The most VLAN tags that tests look behind.
pub(crate) const MOST_TAGS: u8 = 2;

/// What a test compares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TestKind {
    /// The Ethernet type behind `depth` tags is this one (0x600 or above).
    EtherType(u16),
    /// There is one more VLAN tag behind `depth` tags: its type is 0x8100, 0x88a8 or 0x9100; with
    /// this VLAN id (0 to 4095), if one is given.
    Vlan(Option<u16>),
    /// The Ethernet addresses; they come before any tag, so the depth does not matter.
    Ether(Direction, [u8; 6]),
    /// The first bit of the destination's Ethernet address is set (broadcast, too).
    EtherMulticast,
    /// IPv4 whose address, masked, is this one. The mask may be any.
    Ip4(Direction, Ipv4Addr, Ipv4Addr),
    /// ARP (0x0806) or RARP (0x8035), for IPv4 over Ethernet: the sender's protocol address at
    /// byte 14 is the source, the target's at byte 24 the destination; compared as in `Ip4`.
    Arp { reverse: bool, direction: Direction, address: Ipv4Addr, mask: Ipv4Addr },
    /// IPv6 whose address begins with the first so many bits (0 to 128) of this one.
    Ip6(Direction, Ipv6Addr, u8),
    /// IPv4 with this protocol number.
    Ip4Protocol(u8),
    /// IPv6 whose last next-header number is this one: behind extension headers (hop-by-hop,
    /// routing, fragment, destination options, authentication; at most [`MOST_EXTENSIONS`]). The
    /// fragment header of a fragment that is not the first one is the last header, whatever its
    /// next-header number: what follows is no header (RFC 8200, 4.5).
    Ip6Protocol(u8),
    /// IPv4, of this protocol, no fragment but the first, with a port in this range.
    Ip4Port(u8, Direction, Ports),
    /// IPv6, likewise, behind extension headers.
    Ip6Port(u8, Direction, Ports),
    /// IPv4 or IPv6 with an address of this set.
    AddressIn(Direction, AddressSet),
    /// IPv4, of this protocol, no fragment but the first, with a port of this set.
    Ip4PortIn(u8, Direction, PortSet),
    /// IPv6, likewise, behind extension headers.
    Ip6PortIn(u8, Direction, PortSet),
    /// The packet's length in bytes compared with a number.
    Length(Relation, u32),
    /// Two numbers compared, as 32 bits without a sign.
    Compare(Number, Relation, Number),
}

/// The most extension headers of IPv6 that are walked; a packet with more is unreadable.
pub(crate) const MOST_EXTENSIONS: usize = 6;

/// A range of ports, both ends in it; the first is not above the last.
///
/// ```
/// use xsk::bpf::Ports;
///
/// assert_eq!(Ports::from(80), Ports::from(80..=80));
/// // The ends come in either order, as in the tcpdump language.
/// assert_eq!(Ports::from(90..=80), Ports::from(80..=90));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

impl From<RangeInclusive<u16>> for Ports {
    fn from(range: RangeInclusive<u16>) -> Self {
        let (start, end) = range.into_inner();
        Self { first: start.min(end), last: start.max(end) }
    }
}

/// Which of the two addresses or ports a test compares.
///
/// ```
/// use xsk::bpf::{Condition, Direction};
///
/// let udp = Condition::udp_port(Direction::Destination, 4789);
/// assert_eq!(udp.to_string(), "udp dst port 4789");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The source.
    Source,
    /// The destination.
    Destination,
    /// One of them: the source, or else the destination.
    Either,
    /// Both of them.
    Both,
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A number computed from a packet: 32 bits, without a sign, wrapping.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Number {
    Constant(u32),
    /// The packet's length in bytes.
    Length,
    /// `size` (1, 2 or 4) bytes in network order at `offset` from a header; the sum of the two does
    /// not wrap.
    Load {
        header: Header,
        offset: Box<Number>,
        size: u8,
    },
    /// Division and remainder by 0 are unreadable; a shift by 32 or more gives 0.
    Binary(Operator, Box<Number>, Box<Number>),
    Negate(Box<Number>),
}

/// Where a load counts from. A load does not test that its header is there: the condition does,
/// before (the parser writes `And([EtherType(0x800), Ip4Protocol(6), first fragment, Compare])`
/// for `tcp[13] != 0`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Header {
    /// The first byte of the packet.
    Ethernet,
    /// The first byte behind the Ethernet type, behind `depth` tags.
    Network,
    /// The first byte behind the IPv4 header, by its length; a length below 20 is unreadable.
    Ip4Payload,
    /// The first byte behind the 40 bytes of the IPv6 header.
    Ip6Payload,
}

/// An operation on two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}
