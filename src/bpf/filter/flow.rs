//! Values of headers that a packet has to have: what flow rules of cards compare.

use super::ports::Ports;
use std::net::IpAddr;

/// Packets whose headers have these values: one of the alternatives of a
/// [`Condition`](super::Condition), made by [`Condition::flows`](super::Condition::flows).
///
/// What is `None` is not compared. It has the fields that flow rules of cards compare (n-tuple
/// filters, [`FlowRule`](crate::interface::FlowRule)).
///
/// ```
/// use xsk::bpf::{Condition, Flow};
///
/// # fn main() -> xsk::Result<()> {
/// let condition: Condition = "ip and udp dst port 4789 and src net 10.0.0.0/8".parse()?;
/// let flows = condition.flows()?;
/// let [Flow { ethertype: Some(0x0800), protocol: Some(17), source, .. }] = &flows[..] else {
///     panic!("{flows:?}");
/// };
/// assert_eq!(*source, Some(([10, 0, 0, 0].into(), 8)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Flow {
    /// The source's Ethernet address.
    pub source_mac: Option<[u8; 6]>,
    /// The destination's Ethernet address.
    pub destination_mac: Option<[u8; 6]>,
    /// The id of the VLAN whose tag the packet has.
    pub vlan: Option<u16>,
    /// The Ethernet type, behind the tag if there is one: 0x0800 is IPv4 and 0x86dd IPv6, and one of
    /// them is here if any of the following is.
    pub ethertype: Option<u16>,
    /// The protocol over IP (`IPPROTO_*`).
    pub protocol: Option<u8>,
    /// The source's address, of which so many bits are compared.
    pub source: Option<(IpAddr, u8)>,
    /// The destination's address, of which so many bits are compared.
    pub destination: Option<(IpAddr, u8)>,
    /// The source's port.
    pub source_ports: Option<Ports>,
    /// The destination's port.
    pub destination_ports: Option<Ports>,
}

impl Flow {
    /// Returns the packets that belong to both; `None` if there can be none.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        Some(Self {
            source_mac: same(self.source_mac, other.source_mac)?,
            destination_mac: same(self.destination_mac, other.destination_mac)?,
            vlan: same(self.vlan, other.vlan)?,
            ethertype: same(self.ethertype, other.ethertype)?,
            protocol: same(self.protocol, other.protocol)?,
            source: both(self.source, other.source, narrower)?,
            destination: both(self.destination, other.destination, narrower)?,
            source_ports: both(self.source_ports, other.source_ports, overlap)?,
            destination_ports: both(self.destination_ports, other.destination_ports, overlap)?,
        })
    }
}

/// Returns what satisfies both; `None` if nothing does.
fn both<T>(one: Option<T>, other: Option<T>, join: fn(T, T) -> Option<T>) -> Option<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) => join(one, other).map(Some),
        (one, other) => Some(one.or(other)),
    }
}

fn same<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<Option<T>> {
    both(one, other, |one, other| (one == other).then_some(one))
}

/// Returns the smaller of two networks, if it is inside of the larger one.
fn narrower(one: (IpAddr, u8), other: (IpAddr, u8)) -> Option<(IpAddr, u8)> {
    let (small, large) = if one.1 >= other.1 { (one, other) } else { (other, one) };
    let shared = match (small.0, large.0) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
        _ => return None,
    };
    (shared >= u32::from(large.1)).then_some(small)
}

/// Returns the ports that are in both ranges.
fn overlap(one: Ports, other: Ports) -> Option<Ports> {
    let (first, last) = (one.first.max(other.first), one.last.min(other.last));
    (first <= last).then_some(Ports { first, last })
}
