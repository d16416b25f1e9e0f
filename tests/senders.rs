//! Senders over time: short batches, many passes, full rings, a packet now and then.

mod common;

use common::{AtCable, Cable, PATIENCE, attach, packet, until};
use std::time::{Duration, Instant};
use xsk::attach::AttachMode;
use xsk::test_util::{FakeKernel, FakeRings, VethPair, privileged};
use xsk::{Port, Socket, Umem};

/// A batch that reserves more slots than it uses, and one that is forgotten, take nothing away.
#[test]
#[expect(clippy::mem_forget, reason = "a forgotten batch is tested")]
fn short_and_forgotten_batches_lose_no_slots() {
    let (umem, mut pool) = Umem::builder().chunk_count(256).build().unwrap();
    let rings = FakeRings { tx: 128, completion: 128, need_wakeup: false, ..FakeRings::default() };
    let (mut kernel, mut socket) = FakeKernel::with(&umem, rings).unwrap();
    let mut arrived = 0;
    for round in 0..10_000 {
        let mut slots = socket.tx.reserve(64).unwrap();
        assert_eq!(slots.remaining(), 64, "round {round}");
        for _ in 0..51 {
            let mut frame = pool.take().unwrap();
            umem.set_len(&mut frame, 60).unwrap();
            slots.push(frame).unwrap();
        }
        if round % 10 == 9 {
            std::mem::forget(slots);
            // The next batch, also one of no packets, submits what a forgotten one wrote.
            drop(socket.tx.reserve(0).unwrap());
        } else {
            drop(slots);
        }
        arrived += kernel.transmit_unread(1000);
        kernel.complete(1000);
        socket.completion.reap_into(&mut pool, 1000).unwrap();
    }
    assert_eq!(arrived, 510_000);
    assert_eq!((socket.tx.pending(), pool.len()), (0, 256));
    if let Some(counts) = umem.chunk_counts() {
        assert_eq!((counts.pool, counts.sending, counts.receiving, counts.user), (256, 0, 0, 0));
    }
}

/// Sends `count` packets from a port, and takes their chunks back.
fn pass(port: &mut Port, count: u32) {
    let (all, mut left) = (port.pool.len(), count);
    until("a pass", || {
        let sent = port.socket.tx.send_from(&mut port.pool, left, 60).unwrap();
        left -= sent;
        port.socket.tx.kick_if_needed().unwrap();
        port.socket.completion.reap_into(&mut port.pool, 1000).unwrap();
        left == 0 && port.pool.len() == all
    });
    assert_eq!(port.socket.tx.pending(), 0);
}

/// Returns a socket of 1024 chunks with rings of `size` entries on the left end of a cable.
fn sender(cable: &Cable, size: u32) -> Port {
    let (umem, pool) = Umem::builder().chunk_count(1024).build().unwrap();
    let build = || {
        let builder = Socket::builder(&umem).tx_size(size).completion_size(size);
        builder.bind_timeout(common::PATIENCE).bind(cable.veth.a(), 0)
    };
    let socket = cable.left.run(build).unwrap().unwrap();
    Port::new(umem, pool, socket)
}

#[test]
fn two_hundred_passes_take_as_long_as_one_each() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    for size in [64, 256] {
        let mut port = sender(&cable, size);
        let before = cable.veth.b().info().unwrap().counters.rx_packets;
        let mut times = Vec::new();
        for _ in 0..200 {
            let start = Instant::now();
            pass(&mut port, 179);
            times.push(start.elapsed());
        }
        let info = cable.veth.b().info().unwrap();
        assert_eq!(info.counters.rx_packets - before, 200 * 179, "rings of {size}");
        times.sort_unstable();
        // A pass that is stuck takes as long as the test waits; one that is late, some milliseconds, and
        // more on a busy machine.
        let limits = [(180, Duration::from_secs(2)), (199, common::PATIENCE / 2)];
        for (number, limit) in limits {
            assert!(
                times[number] < limit,
                "{number}: {:?}, median {:?}",
                times[number],
                times[100]
            );
        }
    }
}

/// Callers that kick only after they have added something: a full ring empties all the same.
#[test]
fn a_full_ring_empties_by_kicks_without_a_push() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    for (tx, completion) in [(1, 1), (64, 16), (512, 16)] {
        let (umem, pool) = Umem::builder().chunk_count(1024).build().unwrap();
        let build = || {
            let builder = Socket::builder(&umem).tx_size(tx).completion_size(completion);
            builder.bind_timeout(common::PATIENCE).bind(cable.veth.a(), 0)
        };
        let socket = cable.left.run(build).unwrap().unwrap();
        let mut port = Port::new(umem, pool, socket);
        assert_eq!(port.socket.tx.send_from(&mut port.pool, 2000, 60), Ok(tx));
        assert_eq!(port.socket.tx.reserve(1).unwrap().remaining(), 0, "the ring is full");
        until("the ring is empty", || {
            port.socket.tx.kick_if_needed().unwrap();
            port.socket.completion.reap_into(&mut port.pool, 2000).unwrap();
            port.pool.len() == 1024
        });
    }
}

/// A packet now and then leaves when it is kicked, not with a later one.
#[test]
fn a_single_packet_leaves_at_once() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    for need_wakeup in [true, false] {
        let (umem, pool) = Umem::builder().chunk_count(64).build().unwrap();
        let build = || {
            let builder = Socket::builder(&umem).need_wakeup(need_wakeup);
            builder.bind_timeout(common::PATIENCE).bind(cable.veth.a(), 0)
        };
        let socket = cable.left.run(build).unwrap().unwrap();
        let mut left = Port::new(umem, pool, socket);
        let mut right = Port::right(&cable);
        right.fill();
        let _slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &right);
        for number in 0..20 {
            let mut frame = left.pool.take().unwrap();
            left.umem.write(&mut frame, &packet(number, 60)).unwrap();
            left.socket.tx.reserve(1).unwrap().push(frame).unwrap();
            if need_wakeup {
                left.socket.tx.kick_if_needed().unwrap();
            } else {
                left.socket.tx.kick().unwrap();
            }
            // No other packet follows that could take it along.
            let mut received = None;
            until("the packet", || {
                received = right.socket.rx.receive(1).unwrap().into_iter().next();
                received.is_some()
            });
            let frame = received.unwrap();
            assert_eq!(right.umem.bytes(&frame), packet(number, 60));
            right.pool.put(frame);
            until("its chunk", || {
                left.socket.completion.reap_into(&mut left.pool, 1).unwrap();
                left.pool.len() == 64
            });
        }
    }
}

/// The longest packet that a chunk holds ends where its chunk ends.
#[test]
fn a_packet_that_ends_with_its_chunk_is_sent_and_comes_back() {
    if !privileged!() {
        return;
    }
    let cable = Cable::build(VethPair::builder().mtu(3000));
    let (near, far) = (cable.veth.a(), cable.veth.b());
    let (umem, pool) = Umem::builder().chunk_count(64).chunk_size(2048).build().unwrap();
    let bind = || Socket::builder(&umem).bind_timeout(PATIENCE).bind(near, 0);
    let socket = cable.left.run(bind).unwrap().unwrap();
    let mut port = Port::new(umem, pool, socket);
    let before = far.info().unwrap().counters.rx_bytes;
    let mut left = 1000;
    until("1000 packets of a whole chunk", || {
        left -= port.socket.tx.send_from(&mut port.pool, left, 2048).unwrap();
        port.socket.tx.kick_if_needed().unwrap();
        port.socket.completion.reap_into(&mut port.pool, 64).unwrap();
        left == 0 && port.pool.len() == 64
    });
    let statistics = port.socket.handle.statistics().unwrap();
    assert_eq!((statistics.tx_invalid_descs, port.socket.handle.tx_dropped()), (0, 0));
    let come = || far.info().unwrap().counters.rx_bytes - before;
    until("all bytes at the far end", || come() >= 1000 * 2048);
}
