//! What the card knows of a packet, as it comes to a socket.

use crate::common::{AtCable, Cable, PATIENCE, kernel_can, kernel_since, packet, until};
use rustix::io::Errno;
use std::net::{Ipv4Addr, UdpSocket};
use xsk::attach::{AttachMode, Attachment, Registration};
use xsk::bpf::{Helper, Insn, MetadataProgram, Program, Reg, XskMap};
use xsk::packet::{Property, RxMetadata, VlanTag};
use xsk::socket::MetadataRx;
use xsk::test_util::{Namespace, VethPair, privileged};
use xsk::umem::UmemBuilder;
use xsk::{Error, Fill, FramePool, Interface, Kick, Port, Socket, Umem};

struct Receiver {
    umem: Umem,
    pool: FramePool,
    rx: MetadataRx,
    fill: Fill,
    handle: xsk::SocketHandle,
    _program: Option<(Attachment, Registration)>,
}

/// Attaches a program for one slot, in the namespace of the interface.
fn attach(
    namespace: &Namespace,
    interface: &Interface,
    program: Program,
    map: XskMap,
) -> Attachment {
    let builder = Attachment::builder(interface).program(program, map).mode(AttachMode::Native);
    namespace.run(|| builder.attach()).unwrap().unwrap()
}

fn receiver(namespace: &Namespace, interface: &Interface) -> Receiver {
    receiver_over(Umem::builder(), namespace, interface)
}

/// Returns a receiver with 1024 chunks.
fn receiver_over(builder: UmemBuilder, namespace: &Namespace, interface: &Interface) -> Receiver {
    let (umem, pool) = builder.chunk_count(1024).build().unwrap();
    let bind = || Socket::builder(&umem).bind_timeout(PATIENCE).bind(interface, 0);
    let socket = namespace.run(bind).unwrap().unwrap();
    let mut port = Port::new(umem, pool, socket);
    port.fill();
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let load = || MetadataProgram::load(&map, interface.index());
    let metadata = namespace.run(load).unwrap().unwrap();
    let attachment = attach(namespace, interface, metadata.program().unwrap(), map);
    let Port { umem, pool, socket, .. } = port;
    let registration = socket.register(&attachment).unwrap();
    let Socket { rx, fill, handle, .. } = socket;
    let rx = rx.with_metadata(&metadata, 0).unwrap();
    Receiver { umem, pool, rx, fill, handle, _program: Some((attachment, registration)) }
}

impl Receiver {
    /// Waits for a packet that `wanted` accepts by its bytes, and returns what is known of it; all
    /// chunks go back to the fill ring.
    fn next(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Option<RxMetadata> {
        let Self { umem, pool, rx, fill, .. } = self;
        let mut found = None;
        until("the packet", || {
            for (frame, metadata) in rx.receive(64).unwrap() {
                if wanted(umem.bytes(&frame)) {
                    found = Some(metadata);
                }
                pool.put(frame);
            }
            fill.fill_from(pool, 512).unwrap();
            found.is_some()
        });
        found.unwrap()
    }
}

fn can(name: &str) -> bool {
    kernel_can(name, kernel_since(6, 3), "bound programs came with 6.3")
}

/// Sends a packet by an AF_XDP socket.
fn send(peer: &mut Port, number: u32) {
    let Port { umem, pool, socket, .. } = peer;
    let sent =
        socket.tx.send_each(pool, 1, |frame| umem.write(frame, &packet(number, 64)).unwrap());
    assert_eq!(sent, Ok(1));
    assert_ne!(socket.tx.kick_if_needed(), Ok(Kick::NotNeeded));
    until("the chunk", || socket.completion.reap_into(pool, 1).unwrap() == 1);
}

/// A UDP socket of the kernel's own at the right end, and a command for its addresses.
fn udp(cable: &Cable) -> (UdpSocket, impl Fn(&str) -> bool) {
    let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 4000));
    let socket = cable.right.run(bind).unwrap().unwrap();
    let run = |arguments: &str| {
        let arguments = arguments.split(' ').collect::<Vec<_>>();
        let command = || std::process::Command::new("ip").args(&arguments).output();
        cable.right.run(command).unwrap().is_ok_and(|output| output.status.success())
    };
    (socket, run)
}

/// Of UDP packets of the kernel's own.
#[test]
fn the_hash_is_that_of_the_flow() {
    let name = xsk::test_util::test_name!();
    if !privileged!() || !can(name) {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let mut receiver = receiver(&cable.left, cable.veth.a());
    let (socket, ip) = udp(&cable);
    let addresses = ip("addr add 10.7.0.1/24 dev far")
        && ip("neigh add 10.7.0.2 lladdr 02:00:00:00:00:02 dev far");
    if !kernel_can(name, addresses, "there is no iproute2") {
        return;
    }
    let mut hashes = Vec::new();
    for (port, text) in [(5000, b"first."), (5001, b"second"), (5000, b"third.")] {
        socket.send_to(text, ("10.7.0.2", port)).unwrap();
        let metadata = receiver.next(|bytes| bytes.ends_with(text)).unwrap();
        let hash = metadata.hash.known().unwrap();
        assert!(hash.is_l4(), "{hash:?}");
        assert_eq!(metadata.vlan, vlan(Property::NotOfThisPacket));
        // The driver has no clock.
        assert_eq!(metadata.timestamp, Property::NotOfThisPacket);
        hashes.push(hash);
    }
    assert_eq!(hashes[0], hashes[2], "of one flow");
    assert_ne!(hashes[0], hashes[1], "of two flows");
}

/// A tag that is not in the packet.
#[test]
fn the_vlan_tag_is_the_one_that_was_sent() {
    let name = xsk::test_util::test_name!();
    if !privileged!() || !can(name) {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let mut receiver = receiver(&cable.left, cable.veth.a());
    let (socket, ip) = udp(&cable);
    let addresses = ip("link add link far name tagged type vlan id 7")
        && ip("addr add 10.8.0.1/24 dev tagged")
        && ip("link set tagged up")
        && ip("neigh add 10.8.0.2 lladdr 02:00:00:00:00:02 dev tagged");
    if !kernel_can(name, addresses, "`ip` adds no VLAN") {
        return;
    }
    socket.send_to(b"tagged", ("10.8.0.2", 5000)).unwrap();
    let metadata = receiver.next(|bytes| bytes.ends_with(b"tagged")).unwrap();
    let tag = VlanTag { protocol: 0x8100, tci: 7 };
    assert_eq!((metadata.vlan, tag.id()), (vlan(Property::Known(tag)), 7));
}

/// Before 6.8 the kernel does not say.
fn vlan(expected: Property<VlanTag>) -> Property<VlanTag> {
    if kernel_since(6, 8) { expected } else { Property::NotSupported }
}

/// A frame that another program redirected has no skb, of which veth would know more.
#[test]
fn of_redirected_frames_the_driver_knows_nothing() {
    if !privileged!() || !can(xsk::test_util::test_name!()) {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let cable = VethPair::builder().names("near", "far").build(&left, &right).unwrap();
    let source = VethPair::builder().names("from", "to").build(&left, &right).unwrap();
    let mut receiver = receiver(&left, cable.a());
    // What arrives at "to" goes out by "far".
    let index = i32::try_from(cable.b().index()).unwrap();
    let insns = [
        Insn::mov64_imm(Reg::R1, index),
        Insn::mov64_imm(Reg::R2, 0),
        Insn::call(Helper::REDIRECT),
        Insn::exit(),
    ];
    let program = Program::builder(&insns).name("redirect").license(c"GPL").load().unwrap();
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let redirecting = attach(&right, source.b(), program, map);
    let mut peer = Port::at(&left, source.a(), 0);
    for number in 0..50 {
        send(&mut peer, number);
        let metadata = receiver.next(|bytes| bytes == packet(number, 64)).unwrap();
        assert_eq!(metadata.hash, Property::NotOfThisPacket);
        assert_eq!(metadata.vlan, vlan(Property::NotOfThisPacket));
    }
    redirecting.close().unwrap();
}

/// Packets that come past the program, into chunks with records of earlier packets.
#[test]
fn a_record_of_an_earlier_packet_of_the_ring_is_never_believed() {
    if !privileged!() || !can(xsk::test_util::test_name!()) {
        return;
    }
    never_believed(Umem::builder());
    // The record lies right before the packet in such chunks, too.
    never_believed(Umem::builder().chunk_size(3001).unaligned());
}

fn never_believed(builder: UmemBuilder) {
    let cable = Cable::new(1);
    let near = cable.veth.a();
    let mut receiver = receiver_over(builder, &cable.left, near);
    let mut peer = Port::right(&cable);
    // Each of the chunks has a record then.
    for number in 0..1500 {
        send(&mut peer, number);
        assert!(receiver.next(|bytes| bytes == packet(number, 64)).is_some(), "{number}");
    }
    let (attachment, registration) = receiver._program.take().unwrap();
    registration.close().unwrap();
    attachment.close().unwrap();
    let default = cable.left.run(|| Attachment::builder(near).attach()).unwrap().unwrap();
    let _registration = default.register(0, &receiver.handle).unwrap();
    for number in 0..1500 {
        send(&mut peer, number);
        assert_eq!(receiver.next(|bytes| bytes == packet(number, 64)), None, "{number}");
    }
}

/// The RX ring was full; then another program redirects packets: as documented, the record of the
/// packet that was dropped last may come with the first of them, and with no other one.
#[test]
fn a_record_of_a_dropped_packet_is_believed_once_at_most_and_never_beside_a_new_one() {
    if !privileged!() || !can(xsk::test_util::test_name!()) {
        return;
    }
    const RING: u32 = 8;
    let cable = Cable::new(1);
    let near = cable.veth.a();
    let (umem, mut pool) = Umem::builder().chunk_count(512).build().unwrap();
    let bind = || Socket::builder(&umem).rx_size(RING).bind(near, 0);
    let mut socket = cable.left.run(bind).unwrap().unwrap();
    socket.fill.fill_from(&mut pool, 512).unwrap();
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let load = || MetadataProgram::load(&map, near.index());
    let metadata = cable.left.run(load).unwrap().unwrap();
    let attachment = attach(&cable.left, near, metadata.program().unwrap(), map);
    let registration = socket.register(&attachment).unwrap();
    let Socket { rx, handle, .. } = socket;
    let mut rx = rx.with_metadata(&metadata, 0).unwrap();
    let mut peer = Port::right(&cable);
    let mut receive = |numbers: std::ops::Range<u32>| -> u32 {
        let (mut next, mut records) = (numbers.start, 0);
        until("packets", || {
            for (frame, metadata) in rx.receive(64).unwrap() {
                assert_eq!(umem.bytes(&frame), packet(next, 64));
                records += u32::from(metadata.is_some());
                next += 1;
            }
            next == numbers.end
        });
        records
    };
    // Three are dropped; those that come then have records of their own.
    for round in 0..3 {
        let start = round * 100;
        (start..start + RING + 3).for_each(|number| send(&mut peer, number));
        let dropped = u64::from(round + 1) * 3;
        until("a full ring", || handle.statistics().unwrap().rx_ring_full == Some(dropped));
        assert_eq!(receive(start..start + RING), RING);
    }
    registration.close().unwrap();
    attachment.close().unwrap();
    let default = cable.left.run(|| Attachment::builder(near).attach()).unwrap().unwrap();
    let _registration = default.register(0, &handle).unwrap();
    let mut believed = 0;
    for number in 1000..1020 {
        send(&mut peer, number);
        believed += receive(number..number + 1);
    }
    assert!(believed <= 1, "{believed}");
}

/// A ring that is read with another key, or before the program wrote.
#[test]
fn records_of_another_program_are_not_believed() {
    if !privileged!() || !can(xsk::test_util::test_name!()) {
        return;
    }
    let cable = Cable::new(1);
    let near = cable.veth.a();
    let mut port = Port::left(&cable);
    port.fill();
    let load = |map: &XskMap| {
        cable.left.run(|| MetadataProgram::load(map, near.index())).unwrap().unwrap()
    };
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let (one, other) = (load(&map), load(&map));
    assert_ne!(one.key(0), other.key(0));
    // So a later start knows what a kill has left, and takes it over.
    let tag = |metadata: &MetadataProgram| metadata.program().unwrap().info().unwrap().tag;
    assert_eq!(tag(&one), tag(&other));
    let attachment = attach(&cable.left, near, one.program().unwrap(), map);
    let _registration = port.socket.register(&attachment).unwrap();
    let Port { umem, mut pool, socket, .. } = port;
    let Socket { rx, .. } = socket;
    let refused = Port::right(&cable).socket.rx.with_metadata(&one, 1).map(drop).unwrap_err();
    assert!(matches!(refused, Error::Setting { name: "slot", value: 1, .. }), "{refused}");
    let mut rx = rx.with_metadata(&other, 0).unwrap();
    let mut peer = Port::right(&cable);
    send(&mut peer, 3);
    let mut found = None;
    until("the packet", || {
        for (frame, metadata) in rx.receive(8).unwrap() {
            assert_eq!(umem.bytes(&frame), packet(3, 64));
            found = Some(metadata);
            pool.put(frame);
        }
        found.is_some()
    });
    assert_eq!(found, Some(None));
}

#[test]
fn a_device_without_such_functions_is_refused() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let namespace = Namespace::new().unwrap();
    // The loopback interface has index 1 in every namespace.
    let refused = namespace.run(|| MetadataProgram::load(&map, 1)).unwrap().map(drop).unwrap_err();
    if kernel_since(6, 3) {
        assert_eq!(refused.errno(), Some(Errno::OPNOTSUPP), "{refused}");
    } else {
        assert!(matches!(refused, Error::NeedsKernel { version: "6.3", .. }), "{refused}");
    }
}
