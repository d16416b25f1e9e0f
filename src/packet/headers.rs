//! Finds the TCP or UDP part of a packet, and sums its pseudo-header.

use super::sum::{Sum, word};

const ETHERNET: usize = 14;
const VLAN: usize = 4;
/// VLAN tags that are looked through: one of a provider (802.1ad) and one of a customer (802.1Q).
const VLANS: usize = 2;

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_8021AD: u16 = 0x88a8;

const HOP_BY_HOP: u8 = 0;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ROUTING: u8 = 43;
const DESTINATION: u8 = 60;

/// Why no part was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The packet is of another kind.
    OtherKind,
    /// The packet ends early, or its lengths contradict one another.
    Malformed,
}

/// The TCP or UDP part of a packet.
#[derive(Debug)]
pub(super) struct Transport<'a> {
    /// From its header to the end of its data; padding is not in it.
    pub(super) bytes: &'a mut [u8],
    /// Where its header has the checksum.
    pub(super) checksum_at: usize,
    pub(super) is_udp: bool,
    /// The sum of the pseudo-header: addresses, protocol, length (RFC 9293, 3.1; RFC 8200, 8.1).
    pub(super) pseudo_header: Sum,
}

/// Finds the TCP or UDP part of a packet that begins with its Ethernet header.
pub(super) fn transport(packet: &mut [u8]) -> Result<Transport<'_>, Missing> {
    let (kind, bytes) = ethernet(packet)?;
    let (protocol, mut pseudo_header, bytes) = match kind {
        ETH_P_IP => ipv4(bytes)?,
        ETH_P_IPV6 => ipv6(bytes)?,
        _ => return Err(Missing::OtherKind),
    };
    let (bytes, checksum_at) = match protocol {
        TCP => (tcp(bytes)?, 16),
        UDP => (udp(bytes)?, 6),
        _ => return Err(Missing::OtherKind),
    };
    let length = u16::try_from(bytes.len()).map_err(|_| Missing::Malformed)?;
    pseudo_header.add_word(length);
    pseudo_header.add_word(protocol.into());
    Ok(Transport { bytes, checksum_at, is_udp: protocol == UDP, pseudo_header })
}

/// Splits the header with its VLAN tags off; returns the kind of what follows.
fn ethernet(packet: &mut [u8]) -> Result<(u16, &mut [u8]), Missing> {
    let (header, mut bytes) = split(packet, ETHERNET)?;
    let mut kind = word(header, 12).ok_or(Missing::Malformed)?;
    for _ in 0..VLANS {
        if !matches!(kind, ETH_P_8021Q | ETH_P_8021AD) {
            break;
        }
        let (tag, rest) = split(bytes, VLAN)?;
        kind = word(tag, 2).ok_or(Missing::Malformed)?;
        bytes = rest;
    }
    Ok((kind, bytes))
}

/// Splits an IPv4 header off; returns the protocol, the sum of the addresses, and the data.
fn ipv4(bytes: &mut [u8]) -> Result<(u8, Sum, &mut [u8]), Missing> {
    let &mut [version, _, len_high, len_low, _, _, flags, offset, _, protocol, ..] = bytes else {
        return Err(Missing::Malformed);
    };
    if version >> 4 != 4 {
        return Err(Missing::Malformed);
    }
    // In words of four bytes.
    let header = usize::from(version & 15).saturating_mul(4);
    let total = usize::from(u16::from_be_bytes([len_high, len_low]));
    let bytes = bytes.get_mut(..total).ok_or(Missing::Malformed)?;
    let (header, data) = split(bytes, header)?;
    let addresses = header.get(12..20).ok_or(Missing::Malformed)?;
    // More fragments (0x2000), or an offset: the checksum covers bytes that are not here.
    if u16::from_be_bytes([flags, offset]) & 0x3fff != 0 {
        return Err(Missing::OtherKind);
    }
    Ok((protocol, Sum::of(addresses), data))
}

/// Splits an IPv6 header and its extensions off; returns the protocol, the sum of the addresses,
/// and the data.
fn ipv6(bytes: &mut [u8]) -> Result<(u8, Sum, &mut [u8]), Missing> {
    let (header, data) = split(bytes, 40)?;
    let &mut [version, _, _, _, len_high, len_low, mut next, _, ref addresses @ ..] = header else {
        return Err(Missing::Malformed);
    };
    if version >> 4 != 6 {
        return Err(Missing::Malformed);
    }
    let payload = usize::from(u16::from_be_bytes([len_high, len_low]));
    let mut data = data.get_mut(..payload).ok_or(Missing::Malformed)?;
    // Each round takes eight bytes or more, so the loop ends.
    while matches!(next, HOP_BY_HOP | ROUTING | DESTINATION) {
        let &mut [following, units, _, segments_left, ..] = data else {
            return Err(Missing::Malformed);
        };
        // The address of the pseudo-header is the last one of the route, not that of the header.
        if next == ROUTING && segments_left != 0 {
            return Err(Missing::OtherKind);
        }
        // In units of eight bytes, the first one not counted.
        let len = usize::from(units).saturating_add(1).saturating_mul(8);
        (_, data) = split(data, len)?;
        next = following;
    }
    Ok((next, Sum::of(addresses), data))
}

/// Returns a TCP header and its data, which have to be whole.
fn tcp(bytes: &mut [u8]) -> Result<&mut [u8], Missing> {
    let offset = bytes.get(12).ok_or(Missing::Malformed)? >> 4;
    let header = usize::from(offset).saturating_mul(4);
    if header < 20 || header > bytes.len() {
        return Err(Missing::Malformed);
    }
    Ok(bytes)
}

/// Returns a UDP header and its data: its own length says where they end.
fn udp(bytes: &mut [u8]) -> Result<&mut [u8], Missing> {
    let len = word(bytes, 4).map_or(0, usize::from);
    if len < 8 {
        return Err(Missing::Malformed);
    }
    bytes.get_mut(..len).ok_or(Missing::Malformed)
}

fn split(bytes: &mut [u8], at: usize) -> Result<(&mut [u8], &mut [u8]), Missing> {
    bytes.split_at_mut_checked(at).ok_or(Missing::Malformed)
}
