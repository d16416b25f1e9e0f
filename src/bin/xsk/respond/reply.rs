//! Makes a reply of a request, in place.

use crate::respond::own::{Mac, Own, multicast_mac, solicited_node};
use crate::respond::replies::{Kind, Unreplied};
use crate::respond::sum::{Sum, updated};
use std::net::{Ipv4Addr, Ipv6Addr};
use xsk::{Frame, Umem};

pub(crate) const ARP: u16 = 0x0806;
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
/// The types of VLAN tags (802.1Q, 802.1ad).
const TAGS: [u16; 2] = [0x8100, 0x88a8];
/// How many tags are passed over, as by the filter.
pub(crate) const MOST_TAGS: usize = 2;

/// The time to live of echo replies, as of the kernel's packets (`ip_default_ttl`).
const HOPS: u8 = 64;
/// The hop limit of neighbour discovery (RFC 4861, 7.1).
const ND_HOPS: u8 = 255;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// Type, code, checksum and four more bytes.
const ICMP_HEADER: usize = 8;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// IPv4 options: the end, padding, and the two source routes (RFC 791, 3.1).
const OPTION_END: u8 = 0;
const OPTION_NOTHING: u8 = 1;
const SOURCE_ROUTES: [u8; 2] = [131, 137];

/// All nodes of the link (RFC 4291, 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Bytes of an advertisement's IPv6 payload: the header, the target, and its link-layer address.
const ADVERTISEMENT: usize = 32;
/// The options of neighbour discovery (RFC 4861, 4.6.1), in units of 8 bytes.
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// The flags of an advertisement.
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

type Replied<T = Kind> = Result<T, Unreplied>;

/// Makes the reply in the request's frames: in the first one, which holds all headers.
pub(crate) fn reply(umem: &Umem, frames: &mut [Frame], own: &Own) -> Replied {
    let Some((first, rest)) = frames.split_first_mut() else { return Err(Unreplied::Malformed) };
    let packet = umem.bytes_mut(first);
    let (at, kind) = network_header(packet)?;
    let more = rest.iter().map(|frame| umem.bytes(frame));
    match kind {
        ARP => arp(packet, at, own),
        IPV4 => echo(packet, at, more, own),
        IPV6 if packet.get(at + IPV6_HEADER) == Some(&135) => {
            // It is all in one frame.
            let solicitation = Solicitation::read(packet, at, own)?;
            let len = at + IPV6_HEADER + ADVERTISEMENT;
            umem.set_len(first, len as u32).map_err(|_| Unreplied::Malformed)?;
            solicitation.advertise(umem.bytes_mut(first), at, own);
            Ok(Kind::Neighbour)
        }
        IPV6 => echo6(packet, at, more, own),
        _ => Err(Unreplied::Other),
    }
}

/// Returns where the network header begins, behind VLAN tags, and its Ethernet type.
fn network_header(packet: &[u8]) -> Replied<(usize, u16)> {
    let mut at = 12;
    for tags in 0..=MOST_TAGS {
        let kind = word(packet, at).ok_or(Unreplied::Malformed)?;
        if tags == MOST_TAGS || !TAGS.contains(&kind) {
            return Ok((at + 2, kind));
        }
        at += 4;
    }
    Err(Unreplied::Other)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

/// Returns `N` bytes, of which the caller knows that they are there.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(field) = bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut()) {
        *field = value;
    }
}

/// Returns the Ethernet source, to which a reply goes.
fn asker(packet: &[u8], own: &Own) -> Replied<Mac> {
    let mac: Mac = field(packet, 6);
    if is_of_other(mac, own) { Ok(mac) } else { Err(Unreplied::Source) }
}

/// Returns whether an Ethernet address can be that of another host: it is no multicast address.
fn is_of_other(mac: Mac, own: &Own) -> bool {
    mac[0] & 1 == 0 && mac != own.mac && mac != [0; 6]
}

/// Writes the Ethernet addresses.
fn address_to(packet: &mut [u8], to: Mac, own: &Own) {
    put(packet, 0, to);
    put(packet, 6, own.mac);
}

/// Makes an ARP reply of a request (RFC 826). A sender address of 0.0.0.0 is that of a probe
/// (RFC 5227), which is replied to as well.
fn arp(packet: &mut [u8], at: usize, own: &Own) -> Replied {
    let from: Mac = field(packet, 6);
    let request = packet.get_mut(at..at + 28).ok_or(Unreplied::Malformed)?;
    // Ethernet, IPv4, their lengths, and the operation.
    if field(request, 0) != [0, 1, 8, 0, 6, 4, 0, 1] {
        return Err(Unreplied::Other);
    }
    let (sender_mac, sender): (Mac, [u8; 4]) = (field(request, 8), field(request, 14));
    let target: [u8; 4] = field(request, 24);
    if !own.has_v4(target.into()) {
        return Err(Unreplied::Other);
    }
    let is_probe = sender == [0; 4];
    let may_ask = is_probe || own.may_be_others(Ipv4Addr::from(sender).into());
    if !may_ask || !is_of_other(sender_mac, own) || !is_of_other(from, own) {
        return Err(Unreplied::Source);
    }
    put(request, 6, [0, 2]);
    put(request, 8, own.mac);
    put(request, 14, target);
    put(request, 18, sender_mac);
    put(request, 24, sender);
    address_to(packet, sender_mac, own);
    Ok(Kind::Arp)
}

/// Returns the sum of the bytes from `at` on, `len` of them, in a packet of several parts.
fn sum_of<'a>(
    first: &[u8],
    at: usize,
    len: usize,
    more: impl Iterator<Item = &'a [u8]>,
) -> Replied<Sum> {
    let mut left = len;
    let mut sum = Sum::default();
    let mut add = |part: &[u8]| {
        let part = &part[..part.len().min(left)];
        left -= part.len();
        sum = sum.add(part);
    };
    add(first.get(at..).unwrap_or_default());
    more.for_each(add);
    // The packet ends before its length says.
    if left > 0 { Err(Unreplied::Malformed) } else { Ok(sum) }
}

/// Makes an ICMP echo reply of a request. The options of IPv4 stay as they are.
fn echo<'a>(
    packet: &mut [u8],
    at: usize,
    more: impl Iterator<Item = &'a [u8]>,
    own: &Own,
) -> Replied {
    let ip = packet.get(at..).filter(|ip| ip.len() >= IPV4_HEADER).ok_or(Unreplied::Malformed)?;
    let header = usize::from(ip[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes(field(ip, 2)));
    if ip[0] >> 4 != 4 || header < IPV4_HEADER || total < header + ICMP_HEADER {
        return Err(Unreplied::Malformed);
    }
    let icmp = at + header;
    // All of them in the first frame.
    if packet.len() < icmp + ICMP_HEADER {
        return Err(Unreplied::Malformed);
    }
    if ip[9] != ICMP || field(ip, header) != [8, 0] {
        return Err(Unreplied::Other);
    }
    // More fragments, or not the first one.
    if u16::from_be_bytes(field(ip, 6)) & 0x3fff != 0 {
        return Err(Unreplied::Fragment);
    }
    let [source, destination]: [[u8; 4]; 2] = [field(ip, 12), field(ip, 16)];
    if !own.has_v4(destination.into()) {
        return Err(Unreplied::Other);
    }
    if !own.may_be_others(Ipv4Addr::from(source).into()) {
        return Err(Unreplied::Source);
    }
    let asker = asker(packet, own)?;
    if Sum::default().add(&ip[..header]).fold() != 0xffff
        || sum_of(packet, icmp, total - header, more)?.fold() != 0xffff
    {
        return Err(Unreplied::Checksum);
    }
    if has_source_route(&ip[IPV4_HEADER..header]) {
        return Err(Unreplied::SourceRoute);
    }
    address_to(packet, asker, own);
    let ip = &mut packet[at..];
    put(ip, 12, destination);
    put(ip, 16, source);
    ip[8] = HOPS;
    put(ip, 10, [0, 0]);
    put(ip, 10, Sum::default().add(&ip[..header]).checksum());
    let checksum = updated(field(ip, header + 2), 0x0800, 0);
    put(ip, header, [0, 0]);
    put(ip, header + 2, checksum);
    Ok(Kind::Echo)
}

/// Returns whether there is a source route, along which a reply would have to go back.
fn has_source_route(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        options = match (*kind, rest) {
            (OPTION_END, _) => return false,
            (OPTION_NOTHING, rest) => rest,
            (kind, _) if SOURCE_ROUTES.contains(&kind) => return true,
            (_, [len, ..]) => options.get(usize::from(*len).max(2)..).unwrap_or_default(),
            _ => return false,
        };
    }
    false
}

/// An IPv6 header with ICMPv6 behind it.
#[derive(Debug, Clone, Copy)]
struct Header6 {
    /// Bytes behind the header.
    payload: usize,
    source: Ipv6Addr,
    destination: Ipv6Addr,
}

impl Header6 {
    /// Reads the header at `at`, and checks the checksum behind it.
    fn read<'a>(packet: &[u8], at: usize, more: impl Iterator<Item = &'a [u8]>) -> Replied<Self> {
        let ip = packet.get(at..).unwrap_or_default();
        if ip.len() < IPV6_HEADER + ICMP_HEADER || ip[0] >> 4 != 6 {
            return Err(Unreplied::Malformed);
        }
        if ip[6] != ICMPV6 {
            return Err(Unreplied::Other);
        }
        let payload = u16::from_be_bytes(field(ip, 4));
        if usize::from(payload) < ICMP_HEADER {
            return Err(Unreplied::Malformed);
        }
        // Addresses, length and protocol: the pseudo-header (RFC 8200, 8.1).
        let sum = sum_of(packet, at + IPV6_HEADER, payload.into(), more)?;
        let pseudo = Sum::default().add(&ip[8..IPV6_HEADER]).add(&payload.to_be_bytes());
        let sum = pseudo.add(&[0, ICMPV6]).add(&sum.fold().to_be_bytes());
        if sum.fold() != 0xffff {
            return Err(Unreplied::Checksum);
        }
        let [source, destination]: [[u8; 16]; 2] = [field(ip, 8), field(ip, 24)];
        let (source, destination) = (source.into(), destination.into());
        Ok(Self { payload: payload.into(), source, destination })
    }
}

/// Makes an ICMPv6 echo reply of a request (RFC 4443, 4.2).
fn echo6<'a>(
    packet: &mut [u8],
    at: usize,
    more: impl Iterator<Item = &'a [u8]>,
    own: &Own,
) -> Replied {
    let header = Header6::read(packet, at, more)?;
    if field(packet, at + IPV6_HEADER) != [128, 0] || !own.has_v6(header.destination) {
        return Err(Unreplied::Other);
    }
    if !own.may_be_others(header.source.into()) {
        return Err(Unreplied::Source);
    }
    let asker = asker(packet, own)?;
    address_to(packet, asker, own);
    let ip = &mut packet[at..];
    ip[7] = HOPS;
    put(ip, 8, header.destination.octets());
    put(ip, 24, header.source.octets());
    let checksum = updated(field(ip, IPV6_HEADER + 2), 0x8000, 0x8100);
    put(ip, IPV6_HEADER, [129, 0]);
    put(ip, IPV6_HEADER + 2, checksum);
    Ok(Kind::Echo6)
}

/// A neighbour solicitation that is to be replied to (RFC 4861, 4.3).
#[derive(Debug, Clone, Copy)]
struct Solicitation {
    asker: Mac,
    /// Unspecified if the asker tries whether it may have the target's address (RFC 4862, 5.4).
    source: Ipv6Addr,
    target: Ipv6Addr,
}

impl Solicitation {
    /// Reads and checks one (RFC 4861, 7.1.1).
    fn read(packet: &[u8], at: usize, own: &Own) -> Replied<Self> {
        let header = Header6::read(packet, at, std::iter::empty())?;
        let ip = &packet[at..];
        let icmp = &ip[IPV6_HEADER..IPV6_HEADER + header.payload];
        if icmp.len() < 24 || icmp[1] != 0 || ip[7] != ND_HOPS {
            return Err(Unreplied::Malformed);
        }
        let target: [u8; 16] = field(icmp, 8);
        let target = Ipv6Addr::from(target);
        let to_node = header.destination == solicited_node(target);
        if !own.has_v6(target) || !(to_node || header.destination == target) {
            return Err(Unreplied::Other);
        }
        let names_source = names_source(&icmp[24..])?;
        let source = header.source;
        if source.is_unspecified() {
            if !to_node || names_source {
                return Err(Unreplied::Malformed);
            }
        } else if !own.may_be_others(source.into()) {
            return Err(Unreplied::Source);
        }
        Ok(Self { asker: asker(packet, own)?, source, target })
    }

    /// Writes the advertisement over the packet, which is as long as it (RFC 4861, 4.4).
    fn advertise(&self, packet: &mut [u8], at: usize, own: &Own) {
        let Self { asker, source, target } = *self;
        // What is to be known by the asker alone goes to it, and else to all nodes (7.2.4).
        let (to, mac, solicited) = match source.is_unspecified() {
            true => (ALL_NODES, multicast_mac(ALL_NODES), 0),
            false => (source, asker, SOLICITED),
        };
        address_to(packet, mac, own);
        let ip = &mut packet[at..];
        put(ip, 0, [0x60, 0, 0, 0, 0, ADVERTISEMENT as u8, ICMPV6, ND_HOPS]);
        put(ip, 8, target.octets());
        put(ip, 24, to.octets());
        let router = if own.router { ROUTER } else { 0 };
        let icmp = &mut ip[IPV6_HEADER..];
        put(icmp, 0, [136, 0, 0, 0, router | solicited | OVERRIDE, 0, 0, 0]);
        put(icmp, 8, target.octets());
        put(icmp, 24, [TARGET_LINK_LAYER, 1]);
        put(icmp, 26, own.mac);
        let sum = Sum::default().add(&ip[8..]).add(&[0, ADVERTISEMENT as u8, 0, ICMPV6]);
        put(ip, IPV6_HEADER + 2, sum.checksum());
    }
}

/// Returns whether one of the options is the asker's link-layer address.
fn names_source(mut options: &[u8]) -> Replied<bool> {
    let mut found = false;
    while let [kind, units, ..] = options {
        let len = usize::from(*units) * 8;
        if len == 0 || len > options.len() {
            return Err(Unreplied::Malformed);
        }
        found |= *kind == SOURCE_LINK_LAYER;
        options = &options[len..];
    }
    if options.is_empty() { Ok(found) } else { Err(Unreplied::Malformed) }
}

#[cfg(test)]
mod tests;
