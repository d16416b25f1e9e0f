//! The program that spreads the packets of a queue over several sockets.

use crate::common::{Cable, as_nobody, kernel_can, until};
use crate::fixture::{first, first_of};
use rustix::thread::CapabilitySet;
use std::collections::BTreeMap;
use xsk::attach::Attachment;
use xsk::bpf::{Spread, XskMap, spread};
use xsk::test_util::{Namespace, privileged, test_name};
use xsk::{Error, Port, Socket};

const SOCKETS: u32 = 4;
/// Not the first queue, whose sockets have the slots of their own numbers.
const QUEUE: u32 = 1;

/// A packet's headers before the ports, and the addresses and ports of both ends.
#[derive(Debug, Clone, Copy)]
enum Form {
    V4 { tags: usize, options: usize, protocol: u8, fragment: u16 },
    V6 { tags: usize, protocol: u8 },
    Other(u16),
}

/// Returns a packet from end `from` to end `to`; an end is an address and a port.
fn packet(form: Form, (from, from_port): (u32, u16), (to, to_port): (u32, u16)) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    let tag = |packet: &mut Vec<u8>, tags| {
        for (number, ethertype) in [0x88a8_u16, 0x8100].iter().skip(2 - tags).enumerate() {
            packet.extend(ethertype.to_be_bytes());
            packet.extend((100 + number as u16).to_be_bytes());
        }
    };
    match form {
        Form::V4 { tags, options, protocol, fragment } => {
            tag(&mut packet, tags);
            packet.extend([8, 0, 0x45 + options as u8, 0, 0, 200, 0, 7]);
            packet.extend(fragment.to_be_bytes());
            packet.extend([64, protocol, 0, 0]);
            packet.extend(from.to_be_bytes());
            packet.extend(to.to_be_bytes());
            packet.extend(vec![1; 4 * options]);
        }
        Form::V6 { tags, protocol } => {
            tag(&mut packet, tags);
            packet.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, protocol, 64]);
            for address in [from, to] {
                packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
                packet.extend(address.to_be_bytes());
            }
        }
        Form::Other(ethertype) => packet.extend(ethertype.to_be_bytes()),
    }
    packet.extend(from_port.to_be_bytes());
    packet.extend(to_port.to_be_bytes());
    packet.resize(packet.len().max(60) + 20, 0x55);
    packet
}

/// Returns the socket that a flow belongs to: as the documentation of the program says, in Rust.
fn expected(form: Form, (from, from_port): (u32, u16), (to, to_port): (u32, u16)) -> usize {
    let (has_ports, is_ip) = match form {
        Form::V4 { protocol, fragment, .. } => {
            ([6, 17, 132, 136].contains(&protocol) && fragment & 0x3fff == 0, true)
        }
        Form::V6 { protocol, .. } => ([6, 17, 132, 136].contains(&protocol), true),
        Form::Other(_) => (false, false),
    };
    // As loaded from the packet, byte for byte.
    let wire = |value: u32| u32::from_ne_bytes(value.to_be_bytes());
    let mut hash = if is_ip { wire(from) ^ wire(to) } else { 0 };
    if has_ports {
        let ports = u16::from_ne_bytes((from_port ^ to_port).to_be_bytes());
        hash ^= u32::from(ports).wrapping_mul(0x6a09_e667);
    }
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^= hash >> 16;
    ((u64::from(hash) * u64::from(SOCKETS)) >> 32) as usize
}

#[test]
fn both_directions_of_a_flow_come_to_one_socket() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let (near, far) = (cable.veth.a(), cable.veth.b());
    // The last socket is not in its slot, so its packets go to the kernel's stack.
    let Port { umem, mut pool, socket, .. } = first_of(&cable.left, (near, QUEUE), 512);
    let mut queue = socket.share_queue();
    let add = || queue.add_socket().rx_only().bind();
    let mut second = cable.left.run(add).unwrap().unwrap();
    let add = || queue.add_socket().bind();
    let mut third = cable.left.run(add).unwrap().unwrap();
    let spread = Spread::new(SOCKETS).unwrap();
    let map = XskMap::create("xsks_map", spread.slots(2).unwrap()).unwrap();
    let program = spread.load(&map).unwrap();
    let attach = || Attachment::builder(near).program(program, map).attach();
    let attachment = cable.left.run(attach).unwrap().unwrap();
    let _slots = [
        queue.register(&attachment, spread.slot(QUEUE, 0).unwrap()).unwrap(),
        second.register(&attachment, spread.slot(QUEUE, 1).unwrap()).unwrap(),
        third.register(&attachment, spread.slot(QUEUE, 2).unwrap()).unwrap(),
    ];
    let mut peer = first_of(&cable.right, (far, QUEUE), 512);

    let (tcp, udp, icmp) = (6, 17, 1);
    let v4 = |tags, options, protocol, fragment| Form::V4 { tags, options, protocol, fragment };
    let forms = [
        v4(0, 0, udp, 0),
        v4(0, 0, tcp, 0x4000),
        v4(1, 0, udp, 0),
        v4(2, 10, tcp, 0),
        v4(0, 5, 132, 0),
        v4(0, 0, icmp, 0),
        v4(0, 0, udp, 0x2000),
        v4(0, 0, udp, 0x00b9),
        Form::V6 { tags: 0, protocol: udp },
        Form::V6 { tags: 2, protocol: tcp },
        Form::V6 { tags: 1, protocol: 136 },
        Form::V6 { tags: 0, protocol: 44 },
        Form::Other(0x0806),
        Form::Other(0x88cc),
    ];
    let mut flows = 0;
    for form in forms {
        let mut seen = BTreeMap::<usize, u32>::new();
        for flow in 0..32_u32 {
            let one = (0x0a00_0001 + flow * 7, 1024 + flow as u16 * 3);
            let other = (0xc0a8_0001, 53);
            for (from, to) in [(one, other), (other, one)] {
                let sent = packet(form, from, to);
                let wanted = expected(form, from, to);
                *seen.entry(wanted).or_default() += 1;
                send(&mut peer, &sent);
                flows += 1;
                if wanted == 3 {
                    continue;
                }
                let mut found = None;
                until("the packet", || {
                    let rings = [&mut queue.rx, &mut second.rx, &mut third.rx];
                    for (number, rx) in rings.into_iter().enumerate() {
                        for frame in rx.receive(8).unwrap() {
                            assert_eq!(umem.bytes(&frame), sent, "{form:?}");
                            found = Some(number);
                            pool.put(frame);
                        }
                    }
                    found.is_some()
                });
                assert_eq!(found, Some(wanted), "{form:?} {from:?} {to:?}");
                queue.fill.fill_from(&mut pool, 8).unwrap();
            }
        }
        // No socket is left out, where the flows differ.
        let spread_out = if matches!(form, Form::Other(_)) { 1 } else { 4 };
        assert_eq!(seen.len(), spread_out, "{form:?}: {seen:?}");
    }
    let received: u64 = [queue.handle, second.handle, third.handle]
        .iter()
        .map(|handle| handle.statistics().unwrap().rx_dropped)
        .sum();
    assert_eq!((received, flows), (0, 14 * 64));
}

/// Sends one packet and waits for its chunk.
fn send(peer: &mut Port, packet: &[u8]) {
    let Port { umem, pool, socket: Socket { tx, completion, .. }, .. } = peer;
    tx.send_each(pool, 1, |frame| umem.write(frame, packet).unwrap()).unwrap();
    tx.kick_if_needed().unwrap();
    until("the chunk", || completion.reap_into(pool, 1).unwrap() == 1);
}

#[test]
fn packets_that_are_too_short_for_their_headers_go_to_the_first_slot_or_by_their_addresses() {
    if !privileged!() {
        return;
    }
    let program = spread(&XskMap::create("xsks_map", 4).unwrap(), 4).unwrap();
    let whole = packet(
        Form::V4 { tags: 2, options: 10, protocol: 6, fragment: 0 },
        (0x0a00_0001, 1),
        (0x0a00_0002, 2),
    );
    for len in 14..whole.len() {
        let run = program.test_run(&whole[..len], None).unwrap();
        assert_eq!(run.retval, 2, "XDP_PASS: no socket is in the slot");
    }
}

#[test]
fn a_number_of_sockets_that_cannot_be_is_refused() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("xsks_map", 4).unwrap();
    // The map has too few slots for five.
    for sockets in [0, 5, 65537, u32::MAX] {
        let refused = spread(&map, sockets).unwrap_err();
        assert!(matches!(refused, Error::Setting { .. }), "{refused}");
    }
    assert!(spread(&map, 4).is_ok());
}

/// Without root.
#[test]
fn every_socket_of_every_queue_has_one_of_the_slots() {
    for sockets in [1, 2, 3, 65536] {
        let spread = Spread::new(sockets).unwrap();
        assert_eq!(spread.sockets(), sockets);
        let queues = 0..3;
        let slots: Vec<u32> = queues
            .flat_map(|queue| (0..sockets).map(move |socket| spread.slot(queue, socket).unwrap()))
            .collect();
        let all = spread.slots(3).unwrap();
        assert!(slots.into_iter().eq(0..all), "{sockets}");
        for socket in [sockets, u32::MAX] {
            let refused = spread.slot(0, socket).unwrap_err();
            assert!(matches!(refused, Error::Setting { name: "socket", .. }), "{refused}");
        }
    }
    // The last slot that there can be.
    let most = Spread::new(65536).unwrap();
    assert_eq!((most.slot(65535, 65535), most.slots(65535)), (Ok(u32::MAX), Ok(u32::MAX - 65535)));
    let refused = [most.slot(65536, 0), most.slots(65536)];
    let names = ["queue", "number of queues"];
    for (refused, wanted) in refused.into_iter().zip(names) {
        assert!(matches!(refused, Err(Error::Setting { name, .. }) if name == wanted));
    }
    for sockets in [0, 65537, u32::MAX] {
        let refused = Spread::new(sockets).unwrap_err();
        assert!(matches!(refused, Error::Setting { .. }), "{refused}");
    }
}

/// Exactly the capabilities that the documentation names.
#[test]
fn it_loads_with_the_documented_capabilities() {
    if !privileged!() {
        return;
    }
    let kept = CapabilitySet::BPF | CapabilitySet::NET_ADMIN;
    let loaded = as_nobody(kept, &Namespace::new().unwrap(), || {
        let map = XskMap::create("xsks_map", 4).unwrap();
        (1..=4).try_for_each(|sockets| spread(&map, sockets).map(drop))
    });
    // Older kernels let such a process compare no pointers at all: no program that looks at packets.
    let older = matches!(&loaded, Err(Error::LoadProgram { log, .. })
        if log.contains("pointer comparison prohibited"));
    if kernel_can(test_name!(), !older, "to look at packets takes CAP_PERFMON") {
        loaded.unwrap();
    }
}

/// The default program has a slot for each queue, not for each socket.
#[test]
fn a_slot_of_the_default_program_is_that_of_the_queue() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let near = cable.veth.a();
    let mut queue = first(&cable.left, near, 64).socket.share_queue();
    let second = cable.left.run(|| queue.add_socket().bind()).unwrap().unwrap();
    let attachment = cable.left.run(|| Attachment::builder(near).attach()).unwrap().unwrap();
    let refused = second.register(&attachment, 1).unwrap_err();
    assert!(matches!(refused, Error::Setting { name: "slot", value: 1, .. }), "{refused}");
    second.register(&attachment, 0).unwrap().close().unwrap();
    // One that joins it finds out, too.
    let map = XskMap::from_id(attachment.map().id()).unwrap();
    let joined = [
        cable.left.run(|| Attachment::with_map(near, map)).unwrap().unwrap(),
        cable.left.run(|| Attachment::join_foreign(near, XskMap::DEFAULT_NAME)).unwrap().unwrap(),
    ];
    for joined in joined {
        let refused = second.register(&joined, 1).unwrap_err();
        assert!(matches!(refused, Error::Setting { name: "slot", value: 1, .. }), "{refused}");
        second.register(&joined, 0).unwrap().close().unwrap();
        joined.close().unwrap();
    }
    attachment.close().unwrap();
    assert_eq!(crate::common::left_on(near), None);
}
