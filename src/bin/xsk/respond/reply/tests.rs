use super::*;
use std::net::IpAddr;

const MAC: Mac = [2, 0, 0, 0, 0, 1];
const ASKER: Mac = [2, 0, 0, 0, 0, 9];
const V4: [u8; 4] = [192, 0, 2, 1];
const BROADCAST: [u8; 4] = [192, 0, 2, 255];
/// An address of the kernel that is not replied for.
const KERNELS: [u8; 4] = [192, 0, 2, 3];
const FROM: [u8; 4] = [192, 0, 2, 9];
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x11, 0x2233);
const FROM6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);

fn own() -> Own {
    let own = Own::new(MAC, &[IpAddr::from(V4), IpAddr::from(V6)], false).unwrap();
    own.never_others([IpAddr::from(BROADCAST), IpAddr::from(KERNELS)])
}

/// Returns the checksum of bytes, computed word by word.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes
        .chunks(2)
        .map(|word| u32::from(word[0]) * 256 + u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    (!(sum as u16)).to_be_bytes()
}

fn ethernet(to: Mac, tags: &[u8], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = [to, ASKER].concat();
    for tag in tags {
        packet.extend([0x81, 0, 0, *tag]);
    }
    packet.extend(kind.to_be_bytes());
    packet.extend(payload);
    packet
}

fn arp_request(sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, 1];
    bytes.extend(ASKER);
    bytes.extend(sender);
    bytes.extend([0; 6]);
    bytes.extend(target);
    bytes
}

/// Returns an IPv4 packet with options.
fn ipv4(options: &[u8], icmp: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let total = (header + icmp.len()) as u16;
    let mut ip = vec![0x40 | (header / 4) as u8, 0];
    ip.extend(total.to_be_bytes());
    ip.extend([0x12, 0x34, 0x40, 0, 17, 1, 0, 0]);
    ip.extend(FROM);
    ip.extend(V4);
    ip.extend(options);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    ip.extend(icmp);
    ip
}

fn echo_request(data: &[u8]) -> Vec<u8> {
    let mut icmp = vec![8, 0, 0, 0, 0xab, 0xcd, 0, 1];
    icmp.extend(data);
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum);
    icmp
}

fn ipv6(from: Ipv6Addr, to: Ipv6Addr, hops: u8, icmp: &[u8]) -> Vec<u8> {
    let len = (icmp.len() as u16).to_be_bytes();
    let mut ip = vec![0x60, 0, 0, 0, len[0], len[1], 58, hops];
    ip.extend(from.octets());
    ip.extend(to.octets());
    let pseudo = [&ip[8..], &[0, 0], &len, &[0, 0, 0, 58], icmp].concat();
    let sum = checksum(&pseudo);
    ip.extend(icmp);
    ip[42..44].copy_from_slice(&sum);
    ip
}

fn solicitation(target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let mut icmp = vec![135, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(target.octets());
    icmp.extend(options);
    icmp
}

const NAMES_ASKER: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 9];

/// Replies to a packet; returns what became of it.
fn replied(packet: &[u8], own: &Own) -> Replied<(Kind, Vec<u8>)> {
    let (umem, mut pool) = Umem::builder().chunk_count(16).chunk_size(2048).build().unwrap();
    let mut frames = pool.take_packet(packet.len() as u64).unwrap();
    umem.write_packet(frames.frames_mut(), packet).unwrap();
    let kind = reply(&umem, frames.frames_mut(), own);
    let bytes = umem.packet_bytes(frames.frames()).to_vec();
    pool.extend(frames);
    kind.map(|kind| (kind, bytes))
}

#[test]
fn an_arp_request_becomes_a_reply_to_its_sender_alone() {
    for tags in [&[][..], &[5], &[5, 6]] {
        let request = ethernet([0xff; 6], tags, ARP, &arp_request(FROM, V4));
        let (kind, packet) = replied(&request, &own()).unwrap();
        assert_eq!(kind, Kind::Arp);
        assert_eq!((&packet[..6], &packet[6..12]), (&ASKER[..], &MAC[..]));
        let at = 14 + 4 * tags.len();
        assert_eq!(packet[12..at], request[12..at], "the tags stay");
        let wanted = [&[0, 1, 8, 0, 6, 4, 0, 2][..], &MAC, &V4, &ASKER, &FROM].concat();
        assert_eq!(packet[at..], wanted);
    }
    // A probe is replied to, as are short packets with padding behind them.
    let mut probe = ethernet([0xff; 6], &[], ARP, &arp_request([0; 4], V4));
    probe.resize(60, 7);
    let (_, packet) = replied(&probe, &own()).unwrap();
    assert_eq!((packet.len(), &packet[38..42]), (60, &[0; 4][..]));
}

#[test]
fn an_echo_request_becomes_a_reply_with_right_checksums() {
    let routes = [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for options in [&[][..], &routes] {
        for len in [0, 1, 2, 55, 56, 1471] {
            let data: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let request = ethernet(MAC, &[], IPV4, &ipv4(options, &echo_request(&data)));
            let (kind, packet) = replied(&request, &own()).unwrap();
            assert_eq!((kind, packet.len()), (Kind::Echo, request.len()));
            assert_eq!((&packet[..6], &packet[6..12]), (&ASKER[..], &MAC[..]));
            let (ip, icmp) = packet[14..].split_at(20 + options.len());
            assert_eq!((&ip[12..16], &ip[16..20], ip[8]), (&V4[..], &FROM[..], 64));
            assert_eq!((checksum(ip), &ip[20..]), ([0; 2], options));
            assert_eq!((checksum(icmp), &icmp[..2]), ([0; 2], &[0, 0][..]), "{len}");
            assert_eq!((&icmp[4..8], &icmp[8..]), (&[0xab, 0xcd, 0, 1][..], &data[..]));
        }
    }
}

#[test]
fn an_icmpv6_echo_request_becomes_a_reply_with_a_right_checksum() {
    for len in [0, 1, 56, 1431] {
        let data = vec![0xa5; len];
        let icmp = [&[128, 0, 0, 0, 1, 2, 3, 4][..], &data].concat();
        let request = ethernet(MAC, &[9], IPV6, &ipv6(FROM6, V6, 3, &icmp));
        let (kind, packet) = replied(&request, &own()).unwrap();
        assert_eq!(kind, Kind::Echo6);
        let wanted = ipv6(V6, FROM6, 64, &[&[129, 0, 0, 0, 1, 2, 3, 4][..], &data].concat());
        assert_eq!(packet[18..], wanted);
    }
}

#[test]
fn packets_of_several_frames_are_summed_as_a_whole() {
    let data: Vec<u8> = (0..8951_u32).map(|at| (at * 7) as u8).collect();
    let mut request = ethernet(MAC, &[], IPV4, &ipv4(&[], &echo_request(&data)));
    assert_eq!(replied(&request, &own()).unwrap().1.len(), request.len());
    *request.last_mut().unwrap() ^= 1;
    assert_eq!(replied(&request, &own()), Err(Unreplied::Checksum));
}

#[test]
fn a_solicitation_becomes_an_advertisement() {
    let node = solicited_node(V6);
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    for (to, mac) in [(node, multicast_mac(node)), (V6, MAC)] {
        for options in [&NAMES_ASKER[..], &[], &[&NAMES_ASKER[..], &nonce].concat()] {
            let icmp = solicitation(V6, options);
            let request = ethernet(mac, &[], IPV6, &ipv6(FROM6, to, 255, &icmp));
            let (kind, packet) = replied(&request, &own()).unwrap();
            assert_eq!(kind, Kind::Neighbour);
            assert_eq!((&packet[..6], &packet[6..12]), (&ASKER[..], &MAC[..]));
            let advertised =
                [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &V6.octets(), &[2, 1], &MAC].concat();
            assert_eq!(packet[14..], ipv6(V6, FROM6, 255, &advertised));
        }
    }
}

#[test]
fn a_search_for_duplicates_is_replied_to_with_all_nodes() {
    let node = solicited_node(V6);
    let request = |to: Ipv6Addr, options: &[u8]| {
        let ip = ipv6(Ipv6Addr::UNSPECIFIED, to, 255, &solicitation(V6, options));
        ethernet(multicast_mac(node), &[5], IPV6, &ip)
    };
    let mut router = own();
    router.router = true;
    let (_, packet) = replied(&request(node, &[]), &router).unwrap();
    assert_eq!(packet[..6], [0x33, 0x33, 0, 0, 0, 1]);
    let advertised = [&[136, 0, 0, 0, 0xa0, 0, 0, 0][..], &V6.octets(), &[2, 1], &MAC].concat();
    assert_eq!(packet[18..], ipv6(V6, ALL_NODES, 255, &advertised));
    assert_eq!(replied(&request(node, &NAMES_ASKER), &own()), Err(Unreplied::Malformed));
    assert_eq!(replied(&request(V6, &[]), &own()), Err(Unreplied::Malformed));
}

#[test]
fn what_is_damaged_or_has_a_source_that_cannot_be_is_not_replied_to() {
    let packet = |ip: Vec<u8>| ethernet(MAC, &[], IPV4, &ip);
    let good = || ipv4(&[], &echo_request(b"data"));
    let with = |at: usize, value: u8| {
        let mut ip = good();
        ip[at] = value;
        ip[10..12].copy_from_slice(&[0, 0]);
        let sum = checksum(&ip[..20]);
        ip[10..12].copy_from_slice(&sum);
        packet(ip)
    };
    let damaged = |at: usize| {
        let mut ip = good();
        ip[at] ^= 0x10;
        packet(ip)
    };
    let from = |source: [u8; 4]| {
        let mut ip = good();
        ip[12..16].copy_from_slice(&source);
        ip[10..12].copy_from_slice(&[0, 0]);
        let sum = checksum(&ip[..20]);
        ip[10..12].copy_from_slice(&sum);
        packet(ip)
    };
    let mut from_all = packet(good());
    from_all[6] = 0xff;
    let mut own_mac = packet(good());
    own_mac[6..12].copy_from_slice(&MAC);
    let six = |from: Ipv6Addr| {
        let icmp = [128, 0, 0, 0, 1, 2, 3, 4];
        ethernet(MAC, &[], IPV6, &ipv6(from, V6, 64, &icmp))
    };
    let mut six_damaged = six(FROM6);
    six_damaged[60] ^= 1;
    let mut six_long = six(FROM6);
    six_long[19] = 9;
    let asked = |target, hops, options: &[u8]| {
        let ip = ipv6(FROM6, V6, hops, &solicitation(target, options));
        ethernet(MAC, &[], IPV6, &ip)
    };
    let arp = |sender, target| ethernet(MAC, &[], ARP, &arp_request(sender, target));
    let mut arp_from_all = arp(FROM, V4);
    arp_from_all[6] = 1;
    let strict = ipv4(&[137, 7, 4, 10, 0, 0, 1, 0], &echo_request(b"data"));
    let cases = [
        ("ICMP checksum", damaged(25), Unreplied::Checksum),
        ("data", damaged(29), Unreplied::Checksum),
        ("header checksum", damaged(5), Unreplied::Checksum),
        ("length", with(3, 33), Unreplied::Malformed),
        ("length of the header", with(0, 0x44), Unreplied::Malformed),
        ("length of the header", with(0, 0x4f), Unreplied::Malformed),
        ("version", with(0, 0x65), Unreplied::Malformed),
        ("more fragments", with(6, 0x20), Unreplied::Fragment),
        ("a fragment's offset", with(7, 1), Unreplied::Fragment),
        ("protocol", with(9, 17), Unreplied::Other),
        ("destination", with(19, 2), Unreplied::Other),
        ("0.0.0.0", from([0; 4]), Unreplied::Source),
        ("127.0.0.1", from([127, 0, 0, 1]), Unreplied::Source),
        ("multicast", from([224, 0, 0, 1]), Unreplied::Source),
        ("broadcast", from([255; 4]), Unreplied::Source),
        ("its own", from(V4), Unreplied::Source),
        ("broadcast of the subnet", from(BROADCAST), Unreplied::Source),
        ("the kernel's", from(KERNELS), Unreplied::Source),
        ("Ethernet multicast", from_all, Unreplied::Source),
        ("its own Ethernet address", own_mac, Unreplied::Source),
        ("source route", packet(strict), Unreplied::SourceRoute),
        ("::", six(Ipv6Addr::UNSPECIFIED), Unreplied::Source),
        ("::1", six(Ipv6Addr::LOCALHOST), Unreplied::Source),
        ("ff02::1", six(ALL_NODES), Unreplied::Source),
        ("its own", six(V6), Unreplied::Source),
        ("ICMPv6 data", six_damaged, Unreplied::Checksum),
        ("IPv6 length", six_long, Unreplied::Malformed),
        ("hop limit", asked(V6, 254, &NAMES_ASKER), Unreplied::Malformed),
        ("empty option", asked(V6, 255, &[0; 8]), Unreplied::Malformed),
        ("long option", asked(V6, 255, &[1, 2, 0, 0, 0, 0, 0, 0]), Unreplied::Malformed),
        ("target", asked(FROM6, 255, &NAMES_ASKER), Unreplied::Other),
        ("ARP target", arp(FROM, [192, 0, 2, 2]), Unreplied::Other),
        ("ARP from multicast", arp([224, 0, 0, 1], V4), Unreplied::Source),
        ("ARP from broadcast", arp(BROADCAST, V4), Unreplied::Source),
        ("ARP in a frame from multicast", arp_from_all, Unreplied::Source),
        ("ARP announcement", arp(V4, V4), Unreplied::Source),
    ];
    for (name, packet, wanted) in cases {
        assert_eq!(replied(&packet, &own()), Err(wanted), "{name}");
    }
}

#[test]
fn whatever_is_cut_off_is_not_replied_to_and_nothing_panics() {
    let packets = [
        ethernet([0xff; 6], &[5], ARP, &arp_request(FROM, V4)),
        ethernet(MAC, &[5], IPV4, &ipv4(&[1, 1, 1, 0], &echo_request(b"data"))),
        ethernet(MAC, &[5], IPV6, &ipv6(FROM6, V6, 255, &solicitation(V6, &NAMES_ASKER))),
        ethernet(MAC, &[5], IPV6, &ipv6(FROM6, V6, 9, &[128, 0, 0, 0, 1, 2, 3, 4])),
    ];
    for packet in packets {
        assert!(replied(&packet, &own()).is_ok());
        for len in 1..packet.len() {
            assert!(replied(&packet[..len], &own()).is_err(), "{len} of {packet:?}");
        }
        // Any byte may have any value.
        for at in 0..packet.len() {
            for value in [0, 1, 0x45, 0x7f, 0x80, 0xff] {
                let mut changed = packet.clone();
                changed[at] = value;
                let _ = replied(&changed, &own());
            }
        }
    }
}
