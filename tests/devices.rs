//! Devices that lack something: a carrier, room for a packet, one side of a queue, an Ethernet
//! header, a readable name; and those that go.

mod common;

use common::{AtCable, Cable, PATIENCE, kernel_can, packet, until};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use xsk::interface::Interface;
use xsk::ring::RingKind;
use xsk::test_util::{Namespace, VethPair, ip, privileged};
use xsk::{Error, Kick, Port, Socket, Umem};

/// Sends `count` packets of `len` bytes and takes their chunks back.
fn send(port: &mut Port, count: u32, len: u32) {
    let all = port.pool.len();
    assert_eq!(port.socket.tx.send_from(&mut port.pool, count, len), Ok(count));
    until("completions", || {
        port.socket.tx.kick_if_needed().unwrap();
        port.socket.completion.reap_into(&mut port.pool, 1000).unwrap();
        port.pool.len() == all
    });
}

fn dropped(interface: &Interface) -> u64 {
    interface.info().unwrap().counters.tx_dropped
}

#[test]
fn packets_that_the_device_drops_are_counted_apart() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (near, far) = (cable.veth.a(), cable.veth.b());
    let mut port = Port::left(&cable);
    send(&mut port, 100, 200);
    assert_eq!(port.socket.handle.tx_dropped(), 0);
    let sent = || near.info().unwrap().counters.tx_packets;
    assert_eq!(sent(), 100);

    // Longer than the peer's MTU.
    ip::set_mtu(far, 68).unwrap();
    send(&mut port, 100, 200);
    assert_eq!((port.socket.handle.tx_dropped(), dropped(near)), (100, 100));
    // A shorter one is not.
    send(&mut port, 10, 60);
    assert_eq!((port.socket.handle.tx_dropped(), sent()), (100, 110));
    ip::set_mtu(far, 1500).unwrap();

    // No carrier: the peer is down.
    ip::set_up(far, false).unwrap();
    ip::wait_until(near, PATIENCE, |info| !info.carrier).unwrap();
    assert_eq!(port.socket.tx.send_from(&mut port.pool, 1, 60), Ok(1));
    assert_eq!(port.socket.tx.kick_if_needed(), Ok(Kick::Busy));
    assert_eq!((port.socket.handle.tx_dropped(), sent()), (101, 110));
    assert_eq!(dropped(near), 101);
}

/// Returns the error of binding a socket of a kind to queue 1 of the left end, if it is refused.
fn refusal(cable: &Cable, kind: &str) -> Option<Error> {
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    let builder = Socket::builder(&umem).bind_timeout(PATIENCE);
    let near = cable.veth.a();
    cable
        .left
        .run(|| match kind {
            "both" => builder.bind(near, 1).err(),
            "rx" => builder.rx_only().bind(near, 1).err(),
            _ => builder.tx_only().bind(near, 1).err(),
        })
        .unwrap()
}

#[test]
fn a_queue_without_the_side_that_is_needed_is_refused_with_both_numbers() {
    if !privileged!() {
        return;
    }
    for (rx, tx, side, refused) in
        [(1, 2, RingKind::Rx, ["both", "rx"]), (2, 1, RingKind::Tx, ["both", "tx"])]
    {
        let cable = Cable::build(VethPair::builder().rx_tx_queues(rx, tx).names("near", "far"));
        for kind in ["both", "rx", "tx"] {
            let error = refusal(&cable, kind);
            if !refused.contains(&kind) {
                assert_eq!(error, None, "{kind} on {rx} + {tx}");
                continue;
            }
            let Some(error) = error else { panic!("{kind} on {rx} + {tx} is not refused") };
            let Error::QueueSide { queue: 1, ring, rx: has_rx, tx: has_tx, .. } = &error else {
                panic!("{error:?}");
            };
            assert_eq!((*ring, *has_rx, *has_tx), (side, rx, tx));
            let numbers = format!("has {rx} RX queue(s) and {tx} TX queue(s)");
            assert!(error.to_string().contains(&numbers), "{error}");
        }
    }
}

#[test]
fn a_socket_whose_interface_is_gone_says_so_each_time() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "near", "far");
    let mut port = Port::left(&cable);
    assert_eq!(port.socket.handle.check(), Ok(()));
    ip::set_up(cable.veth.a(), false).unwrap();
    assert_eq!(port.socket.handle.check(), Ok(()), "down is not gone");
    assert_eq!(port.socket.tx.send_from(&mut port.pool, 1, 60), Ok(1));
    let down = port.socket.tx.kick_if_needed().unwrap_err();
    assert!(down.is_down() && !down.is_gone(), "{down:?}");
    for words in ["near queue 0", "ENETDOWN"] {
        assert!(down.to_string().contains(words), "{down}");
    }
    ip::delete(cable.veth.a()).unwrap();
    for _ in 0..3 {
        let error = port.socket.handle.clone().check().unwrap_err();
        assert!(matches!(error, Error::SocketEnded { errno: Errno::NETDOWN, .. }), "{error:?}");
        assert!(error.is_gone() && !error.is_down());
        assert!(error.to_string().contains("near queue 0"), "{error}");
    }
    let gone = port.socket.tx.kick_if_needed().unwrap_err();
    assert!(gone.is_gone(), "{gone:?}");
    assert!(gone.to_string().contains("near queue 0"), "{gone}");
}

#[test]
fn an_interface_of_any_name_is_found() {
    if !privileged!() {
        return;
    }
    let name = OsStr::from_bytes(b"v\xff\xfe");
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().names(name, "far").build(&left, &right).unwrap();
    let listed = left.run(|| Interface::all().unwrap()).unwrap();
    let listed = listed.iter().find(|interface| interface.os_name() == name).unwrap();
    assert_eq!(listed.index(), pair.a().index());
    let found = left.interface(name).unwrap();
    assert_eq!((found.index(), found.os_name()), (pair.a().index(), name));
    assert_eq!(found.name(), "v\u{fffd}\u{fffd}");
    assert_eq!(found.queues().unwrap().rx, 1);
    assert_eq!(found.info().unwrap().os_name, name);
}

#[test]
fn the_link_layer_is_known() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    let ethernet = |interface: &Interface| interface.info().unwrap().has_ethernet_header();
    assert!(ethernet(pair.a()));
    assert!(ethernet(&namespace.interface("lo").unwrap()));
    let add = |mode: &str| {
        let name = format!("x{mode}");
        let line = format!("tuntap add {name} mode {mode}");
        let made = namespace.run(|| Command::new("ip").args(line.split(' ')).status()).unwrap();
        made.is_ok_and(|status| status.success()).then(|| namespace.interface(&name).unwrap())
    };
    let (tun, tap) = (add("tun"), add("tap"));
    let here = "the_link_layer_is_known";
    if !kernel_can(here, tun.is_some() && tap.is_some(), "`ip tuntap` makes no device") {
        return;
    }
    assert!(!ethernet(&tun.unwrap()));
    assert!(ethernet(&tap.unwrap()));
}

/// A packet that is sent while there is no carrier is dropped; the next one after it is back goes.
#[test]
fn a_carrier_that_comes_back_is_used_again() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (near, far) = (cable.veth.a(), cable.veth.b());
    let mut port = Port::left(&cable);
    ip::set_up(far, false).unwrap();
    ip::wait_until(near, PATIENCE, |info| !info.carrier).unwrap();
    send(&mut port, 5, 60);
    assert_eq!(port.socket.handle.tx_dropped(), 5);
    ip::set_up(far, true).unwrap();
    ip::wait_for_carrier(near, PATIENCE).unwrap();
    let mut frame = port.pool.take().unwrap();
    port.umem.write(&mut frame, &packet(1, 60)).unwrap();
    port.pool.put(frame);
    send(&mut port, 5, 60);
    assert_eq!(port.socket.handle.tx_dropped(), 5);
    assert_eq!(near.info().unwrap().counters.tx_packets, 5);
}

/// The kernel stops at a packet that the device drops: the rest goes on with the next wake-up.
#[test]
fn service_goes_on_after_a_packet_that_the_device_drops() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let far = cable.veth.b();
    ip::set_mtu(far, 500).unwrap();
    const CHUNKS: usize = 1024;
    // Nothing empties the fill ring.
    const FILL: usize = 64;
    let (umem, pool) = Umem::builder().chunk_count(CHUNKS as u32).build().unwrap();
    let socket = Socket::builder(&umem).fill_size(FILL as u32).bind_timeout(PATIENCE);
    let bind = || socket.bind(cable.veth.a(), 0);
    let socket = cable.left.run(bind).unwrap().unwrap();
    let mut port = Port::new(umem, pool, socket);
    let mut pushed = 0;
    for _ in 0..100 {
        let Port { umem, pool, socket, .. } = &mut port;
        let sent = socket.tx.send_each(pool, 64, |frame| {
            pushed += 1;
            let len = if pushed % 8 == 0 { 1000 } else { 100 };
            umem.set_len(frame, len).unwrap();
        });
        assert_eq!(sent, Ok(64));
        port.service(64).unwrap();
        // Before 6.17 the ring's index may lag behind; chunks that came back were sent. They come
        // back when the far end has taken their packets, on a busy machine after the call.
        until("a packet that is sent", || {
            port.socket.completion.reap_into(&mut port.pool, 64).unwrap();
            CHUNKS - FILL - port.pool.len() < 64
        });
    }
    until("the rest", || {
        port.service(64).unwrap();
        port.pool.len() == CHUNKS - FILL
    });
    assert_eq!(port.socket.handle.tx_dropped(), 800);
}

#[test]
fn an_error_that_was_taken_is_still_seen_by_a_check() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let port = Port::left(&cable);
    ip::delete(cable.veth.a()).unwrap();
    assert_eq!(port.socket.handle.take_error(), Ok(Some(Errno::NETDOWN)));
    assert_eq!(port.socket.handle.take_error(), Ok(None), "the kernel reports it once");
    assert!(port.socket.handle.check().unwrap_err().is_gone());
}
