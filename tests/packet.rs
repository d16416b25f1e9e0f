//! Checksums that the sender left to the card are finished; everything else stays as it is. Each
//! result is compared with a sum that is made word by word.

use proptest::collection::vec;
use proptest::prelude::*;
use xsk::packet::{Checksum, finish_checksum};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A packet, and what its checksum covers.
#[derive(Clone, Debug)]
struct Packet {
    bytes: Vec<u8>,
    /// Source, destination, length, protocol.
    pseudo_header: Vec<u8>,
    /// Where the TCP or UDP header begins.
    transport: usize,
    /// Where the data ends, and padding begins.
    end: usize,
    protocol: u8,
}

/// What a packet is made of.
#[derive(Clone, Debug)]
struct Parts {
    vlans: Vec<u16>,
    ipv6: bool,
    /// IPv4: words of options. IPv6: extension headers, and the length of each in units of 8 bytes.
    options: Vec<u8>,
    udp: bool,
    addresses: [u8; 32],
    data: Vec<u8>,
    padding: Vec<u8>,
}

impl Packet {
    fn new(parts: &Parts) -> Self {
        let protocol = if parts.udp { UDP } else { TCP };
        let mut transport = vec![0x12, 0x34, 0x56, 0x78]; // Ports.
        if parts.udp {
            let len = u16::try_from(8 + parts.data.len()).unwrap();
            transport.extend(len.to_be_bytes());
            transport.extend([0; 2]);
        } else {
            transport.extend([1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 9, 10, 0, 0, 0, 0]);
        }
        transport.extend(&parts.data);
        let len = u16::try_from(transport.len()).unwrap();

        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for (at, tag) in parts.vlans.iter().enumerate() {
            let kind = if at == 0 && parts.vlans.len() == 2 { 0x88a8_u16 } else { 0x8100 };
            bytes.extend(kind.to_be_bytes());
            bytes.extend(tag.to_be_bytes());
        }
        let addresses = if parts.ipv6 { &parts.addresses[..] } else { &parts.addresses[..8] };
        if parts.ipv6 {
            bytes.extend([0x86, 0xdd]);
            bytes.extend(ipv6(&parts.options, len, protocol, addresses));
        } else {
            bytes.extend([0x08, 0x00]);
            bytes.extend(ipv4(&parts.options, len, protocol, addresses));
        }
        let at = bytes.len();
        bytes.extend(transport);
        let end = bytes.len();
        bytes.extend(&parts.padding);
        let mut pseudo_header = addresses.to_vec();
        pseudo_header.extend(len.to_be_bytes());
        pseudo_header.extend([0, protocol]);
        let mut packet = Self { bytes, pseudo_header, transport: at, end, protocol };
        packet.set(packet.partial());
        packet
    }

    fn checksum_at(&self) -> usize {
        self.transport + if self.protocol == UDP { 6 } else { 16 }
    }

    fn set(&mut self, checksum: u16) {
        let at = self.checksum_at();
        self.bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    }

    /// What the kernel writes if the card is to do the rest.
    fn partial(&self) -> u16 {
        sum(&self.pseudo_header)
    }

    /// What the receiver computes: 0xffff for a packet whose checksum is right.
    fn receiver(&self) -> u16 {
        let mut bytes = self.pseudo_header.clone();
        bytes.extend(&self.bytes[self.transport..self.end]);
        sum(&bytes)
    }
}

fn ipv4(options: &[u8], len: u16, protocol: u8, addresses: &[u8]) -> Vec<u8> {
    let words = 5 + options.len() / 4;
    let total = u16::try_from(4 * words).unwrap() + len;
    let mut header = vec![0x40 | u8::try_from(words).unwrap(), 0];
    header.extend(total.to_be_bytes());
    header.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
    header.extend(addresses);
    header.extend(&options[..options.len() / 4 * 4]);
    header
}

/// Makes an extension header of each option: which one, and how long it is.
fn ipv6(options: &[u8], len: u16, protocol: u8, addresses: &[u8]) -> Vec<u8> {
    let kinds: Vec<u8> =
        options.iter().map(|option| [0, 43, 60][usize::from(option % 3)]).collect();
    let mut extensions = vec![];
    for (at, option) in options.iter().enumerate() {
        let units = option / 3 % 4;
        extensions.extend([kinds.get(at + 1).copied().unwrap_or(protocol), units, 0, 0]);
        extensions.extend(vec![0xab; 4 + 8 * usize::from(units)]);
    }
    let payload = u16::try_from(extensions.len()).unwrap() + len;
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(payload.to_be_bytes());
    header.extend([kinds.first().copied().unwrap_or(protocol), 64]);
    header.extend(addresses);
    header.extend(extensions);
    header
}

/// The sum of 16-bit words in ones' complement, one word at a time, each carry at once.
fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u16;
    for word in bytes.chunks(2) {
        let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
        let (low, carry) = sum.overflowing_add(word);
        sum = low + u16::from(carry);
    }
    sum
}

fn parts() -> impl Strategy<Value = Parts> {
    let byte = prop_oneof![Just(0), Just(0xff), any::<u8>()];
    (
        vec(any::<u16>(), 0..=2),
        any::<bool>(),
        vec(any::<u8>(), 0..=40),
        any::<bool>(),
        proptest::array::uniform32(byte.clone()),
        prop_oneof![vec(byte, 0..80), vec(any::<u8>(), 1400..1500)],
        vec(any::<u8>(), 0..20),
    )
        .prop_map(|(vlans, ipv6, mut options, udp, addresses, data, padding)| {
            options.truncate(if ipv6 { 4 } else { 40 });
            Parts { vlans, ipv6, options, udp, addresses, data, padding }
        })
}

fn packets() -> impl Strategy<Value = Packet> {
    parts().prop_map(|parts| Packet::new(&parts))
}

/// A packet of every combination of headers, without chance.
fn every_kind() -> impl Iterator<Item = Packet> {
    (0..24).map(|kind: usize| {
        Packet::new(&Parts {
            vlans: vec![100; kind % 3],
            ipv6: kind / 3 % 2 == 1,
            options: if kind / 6 % 2 == 1 { vec![1, 0, 1, 2] } else { vec![] },
            udp: kind / 12 == 1,
            addresses: [10; 32],
            data: b"some data".to_vec(),
            padding: vec![0xee; 7],
        })
    })
}

proptest! {
    #[test]
    fn a_partial_checksum_is_finished(mut packet in packets()) {
        let before = packet.bytes.clone();
        prop_assert_eq!(finish_checksum(&mut packet.bytes), Checksum::Finished);
        prop_assert_eq!(packet.receiver(), 0xffff);
        let at = packet.checksum_at();
        if packet.protocol == UDP {
            prop_assert_ne!(&packet.bytes[at..at + 2], &[0, 0], "this means that there is none");
        }
        let after = packet.bytes.clone();
        packet.set(packet.partial());
        prop_assert_eq!(packet.bytes, before, "another byte was changed");
        // If the checksum is partial and right at once, it is computed again.
        let mut again = after.clone();
        finish_checksum(&mut again);
        prop_assert_eq!(again, after);
    }

    #[test]
    fn any_other_checksum_stays(mut packet in packets(), checksum in any::<u16>()) {
        prop_assume!(checksum != packet.partial());
        packet.set(checksum);
        let mut bytes = packet.bytes.clone();
        prop_assert_eq!(finish_checksum(&mut bytes), Checksum::NotPartial);
        prop_assert_eq!(bytes, packet.bytes);
    }

    #[test]
    fn a_packet_that_ends_early_stays(packet in packets(), end in any::<prop::sample::Index>()) {
        let end = end.index(packet.end);
        let mut bytes = packet.bytes[..end].to_vec();
        prop_assert_eq!(finish_checksum(&mut bytes), Checksum::Malformed);
        prop_assert_eq!(&bytes, &packet.bytes[..end]);
    }

    #[test]
    fn no_bytes_panic(
        mut bytes in vec(any::<u8>(), 0..128),
        kind in 0..4_usize,
        packet in packets(),
        changes in vec((0..100_usize, any::<u8>()), 1..8),
    ) {
        let kinds = [[0x08, 0x00], [0x86, 0xdd], [0x81, 0x00], [0x88, 0xa8]];
        if bytes.len() >= 14 {
            bytes[12..14].copy_from_slice(&kinds[kind]);
        }
        let mut changed = packet.bytes;
        for (at, byte) in changes {
            if let Some(old) = changed.get_mut(at) {
                *old = byte;
            }
        }
        for bytes in [bytes, changed] {
            let mut after = bytes.clone();
            let result = finish_checksum(&mut after);
            let different = after.iter().zip(&bytes).filter(|(after, before)| after != before);
            let most = if result == Checksum::Finished { 2 } else { 0 };
            prop_assert!(different.count() <= most, "{:?}", result);
        }
    }
}

#[test]
fn every_kind_of_header_is_passed_over() {
    for mut packet in every_kind() {
        assert_eq!(finish_checksum(&mut packet.bytes), Checksum::Finished, "{packet:02x?}");
        assert_eq!(packet.receiver(), 0xffff, "{packet:02x?}");
    }
}

/// Intact packets whose whole checksum is the pseudo-header's sum, too.
#[test]
fn a_checksum_that_is_both_is_not_changed() {
    for mut packet in every_kind() {
        let partial = packet.partial();
        // What is to be added to the data so that the whole sum is 0xffff with this checksum.
        let missing = !packet.receiver();
        let at = packet.end - 3; // An even distance from the header.
        assert_eq!((at - packet.transport) % 2, 0);
        let word = u16::from_be_bytes([packet.bytes[at], packet.bytes[at + 1]]);
        let word =
            sum(&[word.to_be_bytes(), missing.to_be_bytes(), partial.to_be_bytes()].concat());
        // The receiver's sum has the partial checksum once more than the pseudo-header's.
        let (word, borrow) = word.overflowing_sub(partial);
        packet.bytes[at..at + 2].copy_from_slice(&(word - u16::from(borrow)).to_be_bytes());
        assert_eq!(packet.receiver(), 0xffff);
        let before = packet.bytes.clone();
        assert_eq!(finish_checksum(&mut packet.bytes), Checksum::Finished);
        assert_eq!(packet.bytes, before);
    }
}

/// 0 in the field of UDP says that there is no checksum.
#[test]
fn a_udp_checksum_of_0_is_written_as_0xffff() {
    for mut packet in every_kind() {
        let at = packet.end - 3; // An even distance from the header.
        packet.bytes[at..at + 2].fill(0);
        let word = !sum(&packet.bytes[packet.transport..packet.end]);
        packet.bytes[at..at + 2].copy_from_slice(&word.to_be_bytes());
        assert_eq!(finish_checksum(&mut packet.bytes), Checksum::Finished);
        let written = &packet.bytes[packet.checksum_at()..][..2];
        assert_eq!(written, if packet.protocol == UDP { [0xff; 2] } else { [0; 2] });
    }
}

/// Applies `change` to the bytes from the IP header on.
fn with(mut packet: Packet, change: impl FnOnce(&mut [u8])) -> Checksum {
    let vlans = packet.bytes[12..]
        .chunks(4)
        .take_while(|tag| tag[0] & 0xf0 == 0x80)
        .filter(|tag| [[0x81, 0x00], [0x88, 0xa8]].contains(&[tag[0], tag[1]]));
    let ip = 14 + 4 * vlans.count();
    change(&mut packet.bytes[ip..]);
    let before = packet.bytes.clone();
    let result = finish_checksum(&mut packet.bytes);
    assert_eq!(packet.bytes, before);
    result
}

#[test]
fn fragments_are_left_alone() {
    let plain = |ipv6| every_kind().filter(move |packet| (packet.pseudo_header.len() > 12) == ipv6);
    // More to come; an offset; both; the last with the reserved flag.
    for flags in [[0x20, 0], [0, 1], [0x20, 185], [0x9f, 0xff]] {
        for packet in plain(false) {
            let result = with(packet, |ip| ip[6..8].copy_from_slice(&flags));
            assert_eq!(result, Checksum::OtherKind, "{flags:?}");
        }
    }
    for packet in plain(true) {
        // The first next header, of IPv6 or of an extension, becomes a fragment header.
        assert_eq!(with(packet, |ip| ip[6] = 44), Checksum::OtherKind);
    }
}

#[test]
fn a_route_with_more_stations_is_left_alone() {
    let parts = Parts {
        vlans: vec![],
        ipv6: true,
        options: vec![1], // A routing header.
        udp: false,
        addresses: [10; 32],
        data: vec![1, 2, 3],
        padding: vec![],
    };
    let packet = Packet::new(&parts);
    assert_eq!(packet.bytes[14 + 6], 43);
    assert_eq!(with(packet.clone(), |ip| ip[43] = 1), Checksum::OtherKind);
    let mut packet = packet;
    assert_eq!(finish_checksum(&mut packet.bytes), Checksum::Finished);
}

#[test]
fn other_kinds_and_contradictions_are_named() {
    let tcp = || every_kind().next().unwrap();
    let udp = || every_kind().find(|packet| packet.protocol == UDP).unwrap();
    for protocol in [1, 2, 4, 41, 47, 50, 51, 58, 132, 136] {
        assert_eq!(with(tcp(), |ip| ip[9] = protocol), Checksum::OtherKind, "{protocol}");
    }
    let malformed: [(&str, Checksum); 8] = [
        ("version", with(tcp(), |ip| ip[0] = 0x65)),
        ("header shorter than 20 bytes", with(tcp(), |ip| ip[0] = 0x44)),
        ("header longer than the packet", with(tcp(), |ip| ip[2..4].copy_from_slice(&[0, 19]))),
        ("length 0", with(tcp(), |ip| ip[2..4].copy_from_slice(&[0, 0]))),
        ("TCP header shorter than 20 bytes", with(tcp(), |ip| ip[32] = 0x40)),
        ("TCP header longer than the packet", with(tcp(), |ip| ip[32] = 0xf0)),
        ("UDP length below 8", with(udp(), |ip| ip[24..26].copy_from_slice(&[0, 7]))),
        ("UDP length above that of IP", with(udp(), |ip| ip[24..26].copy_from_slice(&[0, 18]))),
    ];
    for (what, result) in malformed {
        assert_eq!(result, Checksum::Malformed, "{what}");
    }
    let mut three_tags = vec![0; 12];
    three_tags.extend([0x81, 0, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1, 8, 0]);
    assert_eq!(finish_checksum(&mut three_tags), Checksum::OtherKind);
}
