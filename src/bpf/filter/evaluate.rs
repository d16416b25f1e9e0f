//! Evaluates a condition on a packet, in plain Rust: what the compiled program has to agree with.

use super::expr::{
    Direction, Expr, Header, MOST_EXTENSIONS, Number, Operator, Ports, Relation, Test, TestKind,
};
use super::set::PortSet;
use std::net::{Ipv4Addr, Ipv6Addr};

const IPV4: u32 = 0x0800;
const ARP: u32 = 0x0806;
const RARP: u32 = 0x8035;
const IPV6: u32 = 0x86dd;
const VLAN_TYPES: [u32; 3] = [0x8100, 0x88a8, 0x9100];

/// Bytes of the IPv6 header.
const IPV6_HEADER: u64 = 40;

/// Returns whether the condition is true of the packet; `None` if it is unreadable.
pub(super) fn evaluate(expr: &Expr, packet: &[u8]) -> Option<bool> {
    match expr {
        Expr::Always(value) => Some(*value),
        Expr::Not(inner) => evaluate(inner, packet).map(|value| !value),
        Expr::And(list) => {
            for part in list {
                if !evaluate(part, packet)? {
                    return Some(false);
                }
            }
            Some(true)
        }
        Expr::Or(list) => {
            for part in list {
                if evaluate(part, packet)? {
                    return Some(true);
                }
            }
            Some(false)
        }
        Expr::Test(test) => View { packet, depth: test.depth }.test(test),
    }
}

/// A packet, and how many VLAN tags come before the header that is looked at.
#[derive(Clone, Copy)]
struct View<'a> {
    packet: &'a [u8],
    depth: u8,
}

/// What the headers of an IPv6 packet lead to.
struct Transport {
    protocol: u8,
    /// Where it begins, from the beginning of the packet.
    at: u64,
    /// Whether this is no fragment, or the first one.
    first: bool,
}

impl View<'_> {
    fn test(self, test: &Test) -> Option<bool> {
        match &test.kind {
            TestKind::EtherType(number) => Some(self.ether_type()? == u32::from(*number)),
            TestKind::Vlan(id) => {
                if !VLAN_TYPES.contains(&self.ether_type()?) {
                    return Some(false);
                }
                match id {
                    None => Some(true),
                    Some(id) => Some(self.load(self.network(), 2)? & 0xfff == u32::from(*id)),
                }
            }
            TestKind::Ether(direction, address) => {
                either_or_both(*direction, || self.ether(6, address), || self.ether(0, address))
            }
            TestKind::EtherMulticast => Some(self.load(0, 1)? & 1 != 0),
            TestKind::Ip4(direction, address, mask) => {
                if self.ether_type()? != IPV4 {
                    return Some(false);
                }
                self.addresses4(*direction, [12, 16], *address, *mask)
            }
            TestKind::Arp { reverse, direction, address, mask } => {
                if self.ether_type()? != if *reverse { RARP } else { ARP } {
                    return Some(false);
                }
                self.addresses4(*direction, [14, 24], *address, *mask)
            }
            TestKind::Ip6(direction, address, bits) => {
                if self.ether_type()? != IPV6 {
                    return Some(false);
                }
                either_or_both(
                    *direction,
                    || self.address6(8, *address, *bits),
                    || self.address6(24, *address, *bits),
                )
            }
            TestKind::Ip4Protocol(number) => self.is_ip4(*number),
            TestKind::Ip6Protocol(number) => {
                if self.ether_type()? != IPV6 {
                    return Some(false);
                }
                Some(self.walk6()?.protocol == *number)
            }
            TestKind::Ip4Port(protocol, direction, ports) => {
                if !self.is_ip4(*protocol)? || self.load(self.header(6), 2)? & 0x1fff != 0 {
                    return Some(false);
                }
                self.ports(self.payload4()?, *direction, *ports)
            }
            TestKind::Ip6Port(protocol, direction, ports) => {
                if self.ether_type()? != IPV6 {
                    return Some(false);
                }
                let transport = self.walk6()?;
                if transport.protocol != *protocol || !transport.first {
                    return Some(false);
                }
                self.ports(transport.at, *direction, *ports)
            }
            TestKind::AddressIn(direction, set) => {
                let offsets = match self.ether_type()? {
                    IPV4 => [12, 16],
                    IPV6 => [8, 24],
                    _ => return Some(false),
                };
                let is_ip4 = offsets == [12, 16];
                let compare = |offset| {
                    let at = usize::try_from(self.header(offset)).ok()?;
                    let bytes = self.packet.get(at..)?;
                    Some(if is_ip4 {
                        set.contains(Ipv4Addr::from(*bytes.first_chunk::<4>()?))
                    } else {
                        set.contains(Ipv6Addr::from(*bytes.first_chunk::<16>()?))
                    })
                };
                let [source, destination] = offsets;
                either_or_both(*direction, || compare(source), || compare(destination))
            }
            TestKind::Ip4PortIn(protocol, direction, set) => {
                if !self.is_ip4(*protocol)? || self.load(self.header(6), 2)? & 0x1fff != 0 {
                    return Some(false);
                }
                self.ports_in(self.payload4()?, *direction, set)
            }
            TestKind::Ip6PortIn(protocol, direction, set) => {
                if self.ether_type()? != IPV6 {
                    return Some(false);
                }
                let transport = self.walk6()?;
                if transport.protocol != *protocol || !transport.first {
                    return Some(false);
                }
                self.ports_in(transport.at, *direction, set)
            }
            TestKind::Length(relation, number) => Some(relation.holds(self.length(), *number)),
            TestKind::Compare(left, relation, right) => {
                let left = self.number(left)?;
                Some(relation.holds(left, self.number(right)?))
            }
        }
    }

    /// Returns `size` bytes at `at`, in network order.
    fn load(self, at: u64, size: u8) -> Option<u32> {
        let bytes = self.packet.get(usize::try_from(at).ok()?..)?.get(..usize::from(size))?;
        Some(bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
    }

    fn byte(self, at: u64) -> Option<u8> {
        self.packet.get(usize::try_from(at).ok()?).copied()
    }

    fn length(self) -> u32 {
        u32::try_from(self.packet.len()).unwrap_or(u32::MAX)
    }

    /// Returns where the network header begins.
    fn network(self) -> u64 {
        u64::from(self.depth).saturating_mul(4).saturating_add(14)
    }

    /// Returns where a byte of the network header is.
    fn header(self, offset: u64) -> u64 {
        self.network().saturating_add(offset)
    }

    fn ether_type(self) -> Option<u32> {
        self.load(self.network().saturating_sub(2), 2)
    }

    fn ether(self, at: usize, address: &[u8; 6]) -> Option<bool> {
        Some(self.packet.get(at..)?.get(..6)? == address)
    }

    fn is_ip4(self, protocol: u8) -> Option<bool> {
        Some(self.ether_type()? == IPV4 && self.byte(self.header(9))? == protocol)
    }

    /// Returns where the payload of the IPv4 packet begins.
    fn payload4(self) -> Option<u64> {
        let length = u64::from(self.byte(self.network())? & 0xf).saturating_mul(4);
        (length >= 20).then(|| self.header(length))
    }

    /// Compares addresses of 4 bytes at these places of the network header.
    fn addresses4(
        self,
        direction: Direction,
        [source, destination]: [u64; 2],
        address: Ipv4Addr,
        mask: Ipv4Addr,
    ) -> Option<bool> {
        let compare = |offset| {
            let found = self.load(self.header(offset), 4)?;
            Some(found & u32::from(mask) == u32::from(address))
        };
        either_or_both(direction, || compare(source), || compare(destination))
    }

    fn address6(self, offset: u64, address: Ipv6Addr, bits: u8) -> Option<bool> {
        let at = usize::try_from(self.header(offset)).ok()?;
        let found: [u8; 16] = self.packet.get(at..)?.get(..16)?.try_into().ok()?;
        let mask = prefix_mask6(bits);
        Some(u128::from_be_bytes(found) & mask == u128::from(address) & mask)
    }

    /// Goes through the extension headers (RFC 8200, section 4; RFC 4302 for authentication).
    fn walk6(self) -> Option<Transport> {
        let mut protocol = self.byte(self.header(6))?;
        let mut at = self.header(IPV6_HEADER);
        for _ in 0..MOST_EXTENSIONS {
            let length = match protocol {
                // Hop-by-hop, routing, destination options: 8 bytes, and so many more of 8 bytes.
                0 | 43 | 60 => self.words(at, 1)?.saturating_mul(8),
                // Fragment.
                44 => {
                    let offset = self.load(at.saturating_add(2), 2)? & 0xfff8;
                    let next = self.byte(at)?;
                    if offset != 0 {
                        let at = at.saturating_add(8);
                        return Some(Transport { protocol: next, at, first: false });
                    }
                    8
                }
                // Authentication: in words of 4 bytes, less 2.
                51 => self.words(at, 2)?.saturating_mul(4),
                _ => return Some(Transport { protocol, at, first: true }),
            };
            protocol = self.byte(at)?;
            at = at.saturating_add(length);
        }
        let more = matches!(protocol, 0 | 43 | 44 | 51 | 60);
        (!more).then_some(Transport { protocol, at, first: true })
    }

    /// Returns the length field of an extension header, and so many more.
    fn words(self, at: u64, more: u64) -> Option<u64> {
        Some(u64::from(self.byte(at.saturating_add(1))?).saturating_add(more))
    }

    fn ports(self, at: u64, direction: Direction, ports: Ports) -> Option<bool> {
        let range = u32::from(ports.first)..=u32::from(ports.last);
        let compare = |offset| Some(range.contains(&self.load(at.saturating_add(offset), 2)?));
        either_or_both(direction, || compare(0), || compare(2))
    }

    fn ports_in(self, at: u64, direction: Direction, set: &PortSet) -> Option<bool> {
        let compare = |offset| {
            let port = self.load(at.saturating_add(offset), 2)?;
            Some(u16::try_from(port).is_ok_and(|port| set.contains(port)))
        };
        either_or_both(direction, || compare(0), || compare(2))
    }

    fn number(self, number: &Number) -> Option<u32> {
        match number {
            Number::Constant(value) => Some(*value),
            Number::Length => Some(self.length()),
            Number::Load { header, offset, size } => {
                let offset = u64::from(self.number(offset)?);
                let header = match header {
                    Header::Ethernet => 0,
                    Header::Network => self.network(),
                    Header::Ip4Payload => self.payload4()?,
                    Header::Ip6Payload => self.header(IPV6_HEADER),
                };
                self.load(header.saturating_add(offset), *size)
            }
            Number::Binary(operator, left, right) => {
                let left = self.number(left)?;
                operator.apply(left, self.number(right)?)
            }
            Number::Negate(inner) => Some(self.number(inner)?.wrapping_neg()),
        }
    }
}

/// Returns the mask of an IPv6 prefix.
fn prefix_mask6(bits: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(bits))).unwrap_or(0)
}

/// Tries the source, the destination, or both in this order, as far as needed.
fn either_or_both(
    direction: Direction,
    source: impl Fn() -> Option<bool>,
    destination: impl Fn() -> Option<bool>,
) -> Option<bool> {
    match direction {
        Direction::Source => source(),
        Direction::Destination => destination(),
        Direction::Either => Some(source()? || destination()?),
        Direction::Both => Some(source()? && destination()?),
    }
}

impl Relation {
    /// Returns whether two numbers compare so.
    pub(super) fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Operator {
    /// Returns the result; `None` for a division by 0.
    pub(super) fn apply(self, left: u32, right: u32) -> Option<u32> {
        match self {
            Self::Add => Some(left.wrapping_add(right)),
            Self::Subtract => Some(left.wrapping_sub(right)),
            Self::Multiply => Some(left.wrapping_mul(right)),
            Self::Divide => left.checked_div(right),
            Self::Remainder => left.checked_rem(right),
            Self::And => Some(left & right),
            Self::Or => Some(left | right),
            Self::Xor => Some(left ^ right),
            Self::ShiftLeft => Some(left.checked_shl(right).unwrap_or(0)),
            Self::ShiftRight => Some(left.checked_shr(right).unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests;
