//! Waiting until what was given to the kernel has been sent: whole, bounded, with a report.

#[path = "common/mod.rs"]
mod common;

use common::{AtCable, Cable, kernel_can, kernel_since, until};
use std::time::{Duration, Instant};
use xsk::socket::{Drained, drain};
use xsk::test_util::{FakeKernel, FakeRings, ip, privileged, test_name};
use xsk::{Port, Socket, Umem};

/// Longer than any drain of these tests takes that does not wait for its end.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

fn send(port: &mut Port, count: u32) {
    assert_eq!(port.socket.tx.send_from(&mut port.pool, count, 60), Ok(count));
}

/// Returns the counts, and how long it took.
fn timed(port: &mut Port, timeout: Duration) -> ([u32; 3], Duration) {
    let start = Instant::now();
    let drained = port.drain(timeout).unwrap();
    assert!(!drained.gone);
    ([drained.came_back, drained.in_tx_ring, drained.in_device], start.elapsed())
}

#[test]
fn everything_is_sent_and_no_longer_waited_for() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut port = Port::left(&cable);
    for count in [0, 1, 500] {
        let before = cable.veth.b().info().unwrap().counters.rx_packets;
        send(&mut port, count);
        let (counts, time) = timed(&mut port, LONG);
        assert_eq!(counts, [count, 0, 0]);
        assert!(time < LONG / 2, "{time:?}");
        assert_eq!(port.pool.len(), 1024);
        // A veth hands packets to its peer in the background.
        let received = || cable.veth.b().info().unwrap().counters.rx_packets - before;
        until("the packets are there", || received() + cable_drops(&port) == u64::from(count));
    }
}

/// What the device dropped.
fn cable_drops(port: &Port) -> u64 {
    port.socket.handle.tx_dropped()
}

#[test]
fn a_link_that_is_down_is_waited_for_but_not_for_ever() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut port = Port::left(&cable);
    ip::set_up(cable.veth.a(), false).unwrap();
    send(&mut port, 40);
    let (counts, time) = timed(&mut port, SHORT);
    assert_eq!(counts, [0, 40, 0]);
    assert!((SHORT..LONG / 2).contains(&time), "{time:?}");
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| timed(&mut port, LONG));
        std::thread::sleep(SHORT);
        ip::set_up(cable.veth.a(), true).unwrap();
        assert_eq!(drained.join().unwrap().0, [40, 0, 0]);
    });
}

#[test]
fn what_a_device_without_carrier_drops_comes_back_and_is_counted() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut port = Port::left(&cable);
    ip::set_up(cable.veth.b(), false).unwrap();
    send(&mut port, 40);
    let (counts, time) = timed(&mut port, LONG);
    assert_eq!(counts, [40, 0, 0]);
    assert!(time < LONG / 2, "{time:?}");
    assert_eq!(port.socket.handle.tx_dropped(), 40);
}

#[test]
fn an_interface_that_is_gone_ends_the_wait_at_once() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut port = Port::left(&cable);
    ip::set_up(cable.veth.a(), false).unwrap();
    send(&mut port, 40);
    ip::delete(cable.veth.a()).unwrap();
    let start = Instant::now();
    let drained = port.drain(LONG).unwrap();
    assert!(start.elapsed() < LONG / 2);
    assert!(drained.gone && !drained.is_complete(), "{drained:?}");
    assert_eq!(drained.came_back + drained.in_tx_ring + drained.in_device, 40);
    assert_eq!(port.pool.len() as u32, 1024 - 40 + drained.came_back);
}

#[test]
fn what_the_kernel_keeps_is_told_from_what_it_did_not_take() {
    let (umem, pool) = Umem::builder().chunk_count(64).build().unwrap();
    let (mut kernel, socket) = FakeKernel::with(&umem, FakeRings::default()).unwrap();
    let mut port = Port::new(umem, pool, socket);
    send(&mut port, 7);
    port.socket.tx.kick_if_needed().unwrap();
    assert_eq!(kernel.transmit_unread(7), 7);
    kernel.complete(4);
    send(&mut port, 3);
    let (counts, _) = timed(&mut port, Duration::ZERO);
    assert_eq!(counts, [4, 3, 3]);
    let text = "4 chunks came back, 3 are in the TX ring, 3 with the device";
    let Port { pool, socket, .. } = &mut port;
    let again = drain(&mut socket.tx, &mut socket.completion, pool, Duration::ZERO).unwrap();
    assert_eq!(again.to_string(), text.replacen('4', "0", 1));
    port.socket.tx.kick_if_needed().unwrap();
    assert_eq!(kernel.transmit_unread(3), 3);
    kernel.complete(6);
    assert_eq!(timed(&mut port, Duration::ZERO).0, [6, 0, 0]);
    assert!(Drained::default().is_complete());
}

#[test]
#[should_panic(expected = "that of another socket")]
fn the_rings_are_of_one_socket() {
    let (umem, mut pool) = Umem::builder().chunk_count(4).build().unwrap();
    let (_kernel, mut one) = FakeKernel::new(&umem).unwrap();
    let (_other_kernel, mut other) = FakeKernel::new(&umem).unwrap();
    let _ = drain(&mut one.tx, &mut other.completion, &mut pool, Duration::ZERO);
}

#[test]
fn packets_of_several_frames_are_counted_by_their_chunks() {
    let why = "packets of several frames: Linux 6.6";
    if !privileged!() || !kernel_can(test_name!(), kernel_since(6, 6), why) {
        return;
    }
    let cable = Cable::build(xsk::test_util::VethPair::builder().mtu(9000));
    let (umem, mut pool) = Umem::builder().chunk_count(64).build().unwrap();
    let bind = || Socket::builder(&umem).multi_buffer().bind(cable.veth.a(), 0);
    let mut socket = cable.left.run(bind).unwrap().unwrap();
    for _ in 0..5 {
        let packet = pool.take_packet(9000).unwrap();
        socket.tx.reserve(3).unwrap().push(packet).unwrap();
    }
    let drained = socket.drain(&mut pool, LONG).unwrap();
    assert_eq!((drained.came_back, pool.len()), (15, 64));
}
