//! Finishes the checksums of TCP and UDP.

use super::headers::{Missing, Transport, transport};
use super::sum::{Sum, word};

/// What [`finish_checksum`] found, and did.
///
/// ```
/// use xsk::packet::{Checksum, finish_checksum};
///
/// let mut arp = [0; 42];
/// arp[12..14].copy_from_slice(&[0x08, 0x06]);
/// assert_eq!(finish_checksum(&mut arp), Checksum::OtherKind);
/// assert_eq!(finish_checksum(&mut arp[..10]), Checksum::Malformed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Checksum {
    /// The checksum was partial, and is whole now. No other byte was changed.
    Finished,
    /// The checksum is not partial: it is whole, right or wrong, or the sender made none (UDP over
    /// IPv4, 0). No byte was changed.
    NotPartial,
    /// The packet is of a kind that is left alone: it is neither TCP nor UDP over IPv4 or IPv6, it
    /// is a fragment, or its IPv6 route has more stations to come. No byte was changed.
    OtherKind,
    /// The packet ends before its headers or its data do, or its lengths contradict one another. No
    /// byte was changed.
    Malformed,
}

/// Computes the TCP or UDP checksum of a packet if its sender left that to the network card.
///
/// `packet` begins with the Ethernet header, as received packets do. Up to two VLAN tags, the
/// options of IPv4, and of IPv6 the hop-by-hop, destination and routing headers are passed over.
/// What follows the IP packet, such as the padding of short packets, is not summed. The packet may
/// hold any bytes. Measured on x86-64 at 2.6 GHz: 45 ns for 1500 bytes whose checksum is partial,
/// 10 ns for 60 bytes, 6 ns for any length if the checksum is not partial.
///
/// The checksum is *partial* if its field holds the sum of the pseudo-header (addresses, protocol,
/// length), not inverted: that is what Linux writes before it hands the packet to a card
/// (`CHECKSUM_PARTIAL`; net/ipv4/tcp_ipv4.c `__tcp_v4_send_check`, net/ipv4/udp.c `udp4_hwcsum`).
/// Only then the whole checksum is computed and written. (A UDP checksum of 0 is written as 0xffff,
/// since 0 says that there is none.)
///
/// **A wrong checksum stays wrong**, so that the receiver still drops a packet that was damaged on
/// its way. To compute each checksum anew would make damaged packets look intact.
///
/// What cannot be distinguished: a whole checksum may happen to be the pseudo-header's sum, too. If the
/// packet is intact, the result is the checksum that it had, since only one makes the sum of all
/// bytes right. If the packet is damaged, its damage is hidden; of packets that are damaged at
/// random, this is one in 65,535. And damage to a packet whose checksum is partial is not seen by
/// anything: it has no checksum yet.
///
/// Call it before you change addresses, protocol or length: the field is compared with the sum of
/// those. Exchanging source and destination changes no sum.
///
/// Not finished: the checksum of a packet inside of a tunnel (VXLAN, GRE, IP in IP), and the CRC of
/// SCTP, which Linux leaves to veth, too.
///
/// ```
/// use xsk::packet::{Checksum, finish_checksum};
///
/// // UDP over IPv4, from 10.0.0.1 to 10.0.0.2, with two bytes of data, as it comes out of a veth.
/// let mut packet = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00];
/// packet.extend([0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0x66, 0xcd, 10, 0, 0, 1, 10, 0, 0, 2]);
/// packet.extend([0x10, 0x92, 0x10, 0x92, 0, 10]); // ports, length
/// packet.extend([0x14, 0x1e]); // 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 10
/// packet.extend(b"hi");
///
/// assert_eq!(finish_checksum(&mut packet), Checksum::Finished);
/// assert_eq!(packet[40..42], [0x62, 0x4a]);
/// assert_eq!(finish_checksum(&mut packet), Checksum::NotPartial);
/// ```
pub fn finish_checksum(packet: &mut [u8]) -> Checksum {
    match transport(packet) {
        Ok(found) => finish(found),
        Err(Missing::OtherKind) => Checksum::OtherKind,
        Err(Missing::Malformed) => Checksum::Malformed,
    }
}

fn finish(found: Transport<'_>) -> Checksum {
    let Transport { bytes, checksum_at, is_udp, pseudo_header } = found;
    if word(bytes, checksum_at) != Some(pseudo_header.fold()) {
        return Checksum::NotPartial;
    }
    // The field itself holds the pseudo-header's sum, so that the bytes alone have the whole sum.
    let checksum = match !Sum::of(bytes).fold() {
        0 if is_udp => 0xffff,
        checksum => checksum,
    };
    let [high, low] = checksum.to_be_bytes();
    if let Some([first, second, ..]) = bytes.get_mut(checksum_at..) {
        (*first, *second) = (high, low);
    }
    Checksum::Finished
}
