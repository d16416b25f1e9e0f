//! `examples/flow_hash.rs`: both directions of a flow come to one socket, and each socket has some.

use crate::common::{AtCable, Cable, kernel_can, kernel_since, until};
use crate::fixture::Example;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use xsk::Port;
use xsk::test_util::{ip, privileged, test_name};

/// Returns a packet of a protocol with two ports.
fn packet(protocol: u8, from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
    bytes[23] = protocol;
    bytes[26..30].copy_from_slice(&from.ip().octets());
    bytes[30..34].copy_from_slice(&to.ip().octets());
    bytes[34..36].copy_from_slice(&from.port().to_be_bytes());
    bytes[36..38].copy_from_slice(&to.port().to_be_bytes());
    bytes
}

fn send(port: &mut Port, packet: &[u8]) {
    let Port { umem, pool, socket, .. } = port;
    let mut frame = pool.take().unwrap();
    umem.write(&mut frame, packet).unwrap();
    socket.tx.reserve(1).unwrap().push(frame).unwrap();
    until("the packet is sent", || {
        socket.tx.kick_if_needed().unwrap();
        socket.completion.reap_into(pool, 1).unwrap() == 1
    });
}

#[test]
fn both_directions_of_a_flow_come_to_one_socket() {
    if !privileged!()
        || !kernel_can(test_name!(), kernel_since(5, 10), "several sockets on a queue: Linux 5.10")
    {
        return;
    }
    let cable = Cable::named(1, "client0", "server0");
    let example = Example::start(&cable.right, "flow_hash server0 4", 1);
    let mut peer = Port::left(&cable);
    let mut counts = BTreeMap::<_, u32>::new();
    for number in 0..200_u16 {
        let one = SocketAddrV4::new([10, 0, 0, 1].into(), 1024 + number);
        let other = SocketAddrV4::new([10, 0, (number / 16) as u8, 2].into(), 443);
        // What is not for a socket goes by without a line.
        let mut with_options = packet(17, one, other);
        with_options[14] = 0x46;
        let mut fragment = packet(17, one, other);
        fragment[21] = 1;
        for bytes in [packet(1, one, other), with_options, fragment, vec![0; 20]] {
            send(&mut peer, &bytes);
        }
        let sockets =
            [(6, one, other), (6, other, one), (17, one, other)].map(|(kind, from, to)| {
                send(&mut peer, &packet(kind, from, to));
                let line = example.line();
                let (socket, flow) = line.split_once(": ").unwrap();
                assert_eq!(flow, format!("{from} > {to}"));
                socket.to_owned()
            });
        assert!(sockets.iter().all(|socket| *socket == sockets[0]), "{sockets:?}");
        *counts.entry(sockets[0].clone()).or_default() += 1;
    }
    // 50 each, if the hash is a good one.
    assert_eq!(counts.len(), 4, "{counts:?}");
    assert!(counts.values().all(|count| (25..=75).contains(count)), "{counts:?}");
    let ended = example.stop(Signal::TERM);
    assert_eq!(ended.out, [""; 0]);
    ended.well(&[cable.veth.b()]);
}

#[test]
fn wrong_arguments_and_a_removed_interface_are_named() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "client0", "server0");
    for (arguments, word) in [("server0", "usage"), ("server0 0", "0: "), ("server0 x", "x: ")] {
        Example::start(&cable.right, &format!("flow_hash {arguments}"), 0).end().names(word);
    }
    let example = Example::start(&cable.right, "flow_hash server0 2", 1);
    ip::delete(cable.veth.b()).unwrap();
    example.end().names("server0");
}
