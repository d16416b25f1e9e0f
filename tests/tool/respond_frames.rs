//! `xsk respond` under frames that a test writes byte by byte: faults, and VLAN tags.

use crate::common::wait_for;
use crate::fixture::{Fixture, LIMIT};
use crate::respond::{ADDRESSES, FAR, count, replied};
use xsk::test_util::{Namespace, ip, privileged};
use xsk::{Attachment, Interface, Registration, Socket, Umem};

/// A socket at the far end, which takes all packets there.
struct Peer {
    umem: Umem,
    pool: xsk::FramePool,
    socket: Socket,
    _registration: Registration,
}

impl Peer {
    fn new(here: &Namespace, far: &Interface) -> Self {
        let make = || {
            let (umem, mut pool) = Umem::builder().chunk_count(128).build().unwrap();
            let mut socket = Socket::builder(&umem).bind_timeout(LIMIT).bind(far, 0).unwrap();
            socket.fill.fill_from(&mut pool, 64).unwrap();
            let program = Attachment::builder(far).attach().unwrap();
            let registration = socket.register(&program).unwrap();
            Self { umem, pool, socket, _registration: registration }
        };
        here.run(make).unwrap()
    }

    fn send(&mut self, bytes: &[u8]) {
        let Self { umem, pool, socket, .. } = self;
        let write = |frame: &mut _| umem.write(frame, bytes).unwrap();
        assert_eq!(socket.tx.send_each(pool, 1, write), Ok(1));
        socket.tx.kick_if_needed().unwrap();
        wait_for("the chunk", || socket.completion.reap_into(pool, 1).unwrap() == 1);
    }

    fn receive(&mut self) -> Vec<u8> {
        let Self { umem, pool, socket, .. } = self;
        let mut bytes = Vec::new();
        wait_for("a packet", || {
            let frame = socket.rx.receive(1).unwrap().into_iter().next();
            bytes = frame.as_ref().map_or_else(Vec::new, |frame| umem.bytes(frame).to_vec());
            pool.extend(frame);
            !bytes.is_empty()
        });
        socket.fill.fill_from(pool, 1).unwrap();
        bytes
    }
}

/// Returns the checksum of bytes.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let byte = |at: usize| u32::from(*bytes.get(at).unwrap_or(&0));
    let mut sum: u32 = (0..bytes.len()).step_by(2).map(|at| byte(at) * 256 + byte(at + 1)).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(0xffff - sum).unwrap().to_be_bytes()
}

/// Returns an echo request from an address to 192.0.2.1.
fn echo(to: [u8; 6], from: [u8; 4]) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 32, 0, 7, 0, 0, 3, 1, 0, 0];
    ip.extend(from);
    ip.extend([192, 0, 2, 1]);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    let mut icmp = vec![8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum);
    [&to[..], &[2, 0, 0, 0, 0, 9, 8, 0], &ip, &icmp, &[0; 14]].concat()
}

#[test]
fn damaged_packets_are_counted_and_not_replied_to_and_short_ones_stay_with_the_kernel() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let near = fixture.cable.veth.a();
    let mac = near.info().unwrap().mac.unwrap();
    ip::add_ipv4(near, [203, 0, 113, 1].into(), 24).unwrap();
    let mut peer = Peer::new(&fixture.cable.right, fixture.cable.veth.b());
    let tool = fixture.start(&format!("respond {ADDRESSES} -q 0 -p")).ready();
    let good = echo(mac, [192, 0, 2, 9]);
    let changed = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        packet
    };
    let mut too_long = changed(17, 200);
    too_long[24..26].copy_from_slice(&[0; 2]);
    let sum = checksum(&too_long[14..34]);
    too_long[24..26].copy_from_slice(&sum);
    let taken = [
        ("checksum", changed(43, 0x55)),
        ("checksum", changed(24, 0x55)),
        ("malformed", too_long),
        ("source", echo(mac, [0; 4])),
        ("source", echo(mac, [224, 0, 0, 1])),
        ("source", echo(mac, [192, 0, 2, 1])),
        // The broadcast address of the subnet, and an address of this end's kernel.
        ("source", echo(mac, [203, 0, 113, 255])),
        ("source", echo(mac, [203, 0, 113, 1])),
    ];
    for (_, packet) in &taken {
        peer.send(packet);
    }
    // Not for it, and cut off before what the filter looks at.
    let strange = [echo([0xff; 6], FAR.octets()), echo([2; 6], FAR.octets()), good[..34].to_vec()];
    for packet in &strange {
        peer.send(packet);
    }
    // The reply comes after all of these, and is the only one.
    peer.send(&good);
    let reply = peer.receive();
    assert_eq!((&reply[..6], &reply[6..12]), (&[2, 0, 0, 0, 0, 9][..], &mac[..]));
    assert_eq!((&reply[26..30], &reply[30..34]), (&[192, 0, 2, 1][..], &[192, 0, 2, 9][..]));
    assert_eq!((checksum(&reply[14..34]), checksum(&reply[34..46])), ([0; 2], [0; 2]));
    assert_eq!((reply[22], &reply[18..20], reply[34], reply.len()), (64, &[0, 7][..], 0, 60));
    // As an asker that is not there any more: nothing that is replied to here comes back.
    peer.send(&reply);
    let ended = tool.stop();
    let summary = ended.summary();
    let lost = &summary["replies"]["not_replied"];
    let counts = ["checksum", "malformed", "source", "other"].map(|key| count(&lost[key]));
    assert_eq!(counts, [2, 1, 5, 0], "{ended:?}");
    assert_eq!((&summary["rx_packets"], &summary["tx_packets"]), (&9.into(), &1.into()));
    assert_eq!(replied(&ended, "echo"), 1);
}

/// Returns a packet behind VLAN tags.
fn tagged(packet: &[u8], tags: &[u8]) -> Vec<u8> {
    let tags: Vec<u8> = tags.iter().flat_map(|id| [0x81, 0, 0x20, *id]).collect();
    [&packet[..12], &tags, &packet[12..]].concat()
}

#[test]
fn replies_have_the_tags_of_their_requests() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let mac = fixture.cable.veth.a().info().unwrap().mac.unwrap();
    let mut peer = Peer::new(&fixture.cable.right, fixture.cable.veth.b());
    let tool = fixture.start(&format!("respond {ADDRESSES} -q 0 -p")).ready();
    let asker = [2, 0, 0, 0, 0, 9];
    let ethernet = |kind: [u8; 2]| [&[0xff; 6][..], &asker, &kind].concat();
    let arp = |operation: u8, parts: [&[u8]; 4]| {
        [&[0, 1, 8, 0, 6, 4, 0, operation][..], &parts.concat()].concat()
    };
    let (far, near) = ([192, 0, 2, 9], [192, 0, 2, 1]);
    let request = [ethernet([8, 6]), arp(1, [&asker, &far, &[0; 6], &near])].concat();
    for tags in [&[5][..], &[5, 6]] {
        peer.send(&tagged(&echo(mac, far), tags));
        let reply = peer.receive();
        let at = 14 + 4 * tags.len();
        assert_eq!(reply[12..at], tagged(&echo(mac, far), tags)[12..at]);
        assert_eq!((reply[at + 20], checksum(&reply[at + 20..at + 32])), (0, [0; 2]));
        peer.send(&tagged(&request, tags));
        let wanted = [
            &asker[..],
            &mac,
            &tagged(&request, tags)[12..at],
            &arp(2, [&mac, &near, &asker, &far]),
        ];
        assert_eq!(peer.receive(), wanted.concat());
    }
    let ended = tool.stop();
    assert_eq!((replied(&ended, "echo"), replied(&ended, "arp")), (2, 2), "{ended:?}");
}
