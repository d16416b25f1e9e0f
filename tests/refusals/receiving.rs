//! Groups 40 to 44: packets that do not come, and interfaces that go.

use crate::common::{AtCable, Cable, packet, until};
use crate::says;
use expect_test::expect;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::Duration;
use xsk::test_util::{ip, privileged};
use xsk::{Attachment, Port, Socket, Umem};

/// Sends one packet from `end` and waits for its chunk.
fn send_one(end: &mut Port, number: u32) {
    let pooled = end.pool.len();
    let mut frame = end.pool.take().unwrap();
    end.umem.write(&mut frame, &packet(number, 60)).unwrap();
    end.socket.tx.reserve(1).unwrap().push(frame).unwrap();
    until("the packet is sent", || {
        end.socket.tx.kick().unwrap();
        end.socket.completion.reap_into(&mut end.pool, 64).unwrap();
        end.pool.len() == pooled
    });
}

/// The kernel counts such packets nowhere where a socket could see it. A socket registers itself
/// for its own queue; only the call that takes a descriptor allows a choice, and documents it.
///
/// Group 40 of the table in tests/README.md.
#[test]
fn a_socket_in_the_slot_of_another_queue_receives_nothing() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let mut left = Port::left(&cable);
    let mut stray = Port::at(&cable.right, cable.veth.b(), 1);
    let mut right = Port::right(&cable);
    stray.fill();
    right.fill();
    let attach = || Attachment::builder(cable.veth.b()).attach();
    let attachment = cable.right.run(attach).unwrap().unwrap();
    let wrong = attachment.register(0, stray.socket.as_fd()).unwrap();
    for number in 0..50 {
        send_one(&mut left, number);
    }
    wrong.close().unwrap();
    let _slot = right.socket.register(&attachment).unwrap();
    // One queue keeps its order: when this packet has arrived, the others were handled.
    send_one(&mut left, 99);
    let mut last = Vec::new();
    until("the last packet", || {
        for frame in right.socket.rx.receive(64).unwrap() {
            last = right.umem.bytes(&frame).to_vec();
            right.pool.put(frame);
        }
        last == packet(99, 60)
    });
    assert!(stray.socket.rx.receive(64).unwrap().is_empty());
    let statistics = stray.socket.handle.statistics().unwrap();
    assert_eq!(statistics.rx_dropped, 0);
    assert_eq!(statistics.rx_ring_full.unwrap_or(0), 0);
}

/// Group 41 of the table in tests/README.md.
#[test]
fn waiting_ends_at_the_timeout_and_the_error_is_reported_once() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let left = Port::left(&cable);
    let wait = || xsk::wait(&[&left.socket.rx], Some(Duration::from_millis(5)));
    ip::set_up(cable.veth.a(), false).unwrap();
    assert_eq!(wait(), Ok(0));
    assert_eq!(left.socket.handle.take_error(), Ok(None));
    ip::delete(cable.veth.a()).unwrap();
    let mut reported = None;
    until("the socket reports it", || {
        reported = left.socket.handle.take_error().unwrap();
        reported.is_some()
    });
    assert_eq!(reported, Some(Errno::NETDOWN));
    assert_eq!(left.socket.handle.take_error(), Ok(None));
    assert_eq!(wait(), Ok(0));
}

/// A socket keeps its memory, whichever handle is dropped.
///
/// Group 42 of the table in tests/README.md.
#[test]
fn the_memory_stays_as_long_as_a_socket() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut right = Port::right(&cable);
    right.fill();
    let attach = || Attachment::builder(cable.veth.b()).attach();
    let attachment = cable.right.run(attach).unwrap().unwrap();
    let _slot = right.socket.register(&attachment).unwrap();

    let (umem, mut pool) = Umem::builder().chunk_count(16).build().unwrap();
    let bind = || Socket::builder(&umem).tx_only().bind(cable.veth.a(), 0);
    let mut socket = cable.left.run(bind).unwrap().unwrap();
    umem.for_each_free_chunk(&mut pool, |bytes| {
        bytes[..60].copy_from_slice(&packet(7, 60));
    });
    drop(umem);
    assert_eq!(socket.tx.send_from(&mut pool, 16, 60), Ok(16));
    socket.tx.kick().unwrap();
    let mut received = 0;
    until("sixteen packets", || {
        for frame in right.socket.rx.receive(64).unwrap() {
            assert_eq!(right.umem.bytes(&frame), packet(7, 60));
            received += 1;
            right.pool.put(frame);
        }
        received == 16
    });
}

/// Group 44 of the table in tests/README.md.
#[test]
fn an_interface_that_is_moved_is_lost_to_its_socket() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut left = Port::left(&cable);
    let moved = cable.right.take_interface(cable.veth.a()).unwrap();
    let mut error = None;
    until("the socket has lost it", || {
        error = left.socket.tx.kick().err();
        error.as_ref().and_then(xsk::Error::errno) == Some(Errno::NXIO)
    });
    says(
        &error.unwrap(),
        &expect![[r#"
            cannot wake the kernel for the TX ring of xsk-a queue 0: ENXIO (No such device or address).
            The interface is gone, or was moved to another network namespace: close the socket and make a new one"#]],
    );
    assert_eq!(left.socket.handle.take_error(), Ok(Some(Errno::NETDOWN)));
    drop(left);
    // In its new namespace it can be bound.
    ip::set_up(&moved, true).unwrap();
    drop(Port::at(&cable.right, &moved, 0));
}
