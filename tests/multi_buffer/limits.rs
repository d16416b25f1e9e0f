//! Packets that a socket does not take, because it is for single frames, or because of its rings.

use crate::common::until;
use crate::fixture::{End, bytes, jumbo_cable};
use crate::{MODES, can_run};
use xsk::socket::RefusalReason;
use xsk::test_util::test_name;
use xsk::{Attachment, Port, RingError, Socket, Umem};

/// A socket for single frames gets no packet that is longer than a chunk has room for, and no part of
/// one.
#[test]
fn a_socket_for_single_frames_drops_jumbo_packets_and_counts_them() {
    if !can_run(test_name!()) {
        return;
    }
    for mode in MODES {
        let cable = jumbo_cable();
        let mut left = End::new(&cable.left, cable.veth.a(), Umem::builder().chunk_count(128));
        let (umem, mut pool) = Umem::builder().chunk_count(64).build().unwrap();
        let socket = cable.right.run(|| {
            let mut socket =
                Socket::builder(&umem).bind_timeout(crate::common::PATIENCE).open().unwrap();
            assert_eq!(socket.fill.fill_from(&mut pool, 64), Ok(64));
            let mut socket = socket.bind(cable.veth.b(), 0).unwrap();
            let builder = Attachment::builder(cable.veth.b()).mode(mode).frags(true);
            let slot = socket.register(&builder.attach().unwrap()).unwrap();
            assert!(socket.rx.receive(1).unwrap().is_empty());
            (socket, slot)
        });
        let (socket, _slot) = socket.unwrap();
        let mut port = Port::new(umem, pool, socket);
        let lengths = [60, 9014, 3840, 3841, 100, 5000];
        left.send(0, &lengths);
        let mut came = Vec::new();
        let Port { umem, socket, pool, .. } = &mut port;
        until("the short packets", || {
            for frame in socket.rx.receive(64).unwrap() {
                came.push(umem.bytes(&frame).to_vec());
                pool.put(frame);
            }
            came.len() == 3
        });
        // The last one is dropped behind the one that came last.
        until("the last packet to be dropped", || {
            socket.handle.statistics().unwrap().rx_dropped == 3
        });
        assert!(socket.rx.receive(1).unwrap().is_empty());
        let expected = [(0, 60), (2, 3840), (4, 100)].map(|(number, len)| bytes(number, len));
        assert_eq!(came, expected, "{mode:?}");
        assert_eq!(socket.fill.pending(), 61, "no chunk was taken for what was dropped");
        assert_eq!(socket.handle.statistics().unwrap().rx_ring_full, Some(0));
    }
}

/// The kernel would wait for ever for a packet that is longer than the completion ring, and see no end
/// of one that is longer than the TX ring: both are refused, and nothing stops.
#[test]
fn rings_shorter_than_a_packet_refuse_it_and_go_on() {
    if !can_run(test_name!()) {
        return;
    }
    for (tx, completion) in [(2, 16), (16, 2), (4, 2)] {
        let cable = jumbo_cable();
        let (near, far) = (cable.veth.a(), cable.veth.b());
        let builder = || Umem::builder().chunk_count(64);
        let mut left = End::with(&cable.left, near, builder(), |socket| {
            socket.tx_size(tx).completion_size(completion)
        });
        let mut right = End::new(&cable.right, far, builder());
        let _slots = [
            left.register(&cable.left, near, MODES[0]),
            right.register(&cable.right, far, MODES[0]),
        ];
        assert_eq!(left.socket.tx.max_frames(), 2);
        for round in 0..10 {
            let packet = left.pool.take_packet(9000).unwrap();
            let refused = left.socket.tx.reserve(64).unwrap().push(packet).unwrap_err();
            assert_eq!(refused.reason, RefusalReason::TooManyFrames { limit: 2 });
            assert_eq!(refused.packet.frames().len(), 3);
            left.pool.extend(refused.packet);
            // Those of two frames go.
            left.send(3 * round, &[60, 8192, 5000]);
            assert_eq!(right.receive(3 * round, &[60, 8192, 5000]), [1, 3, 2]);
            // What came in more frames than can be sent stays, and is taken by iterating.
            right.send(round, &[9014, 70]);
            let error = RingError::TooManyFrames { frames: 3, limit: 2 };
            until("a packet", || {
                let batch = left.socket.rx.receive(64).unwrap();
                match batch.forward(&mut left.socket.tx) {
                    Ok(count) => {
                        assert_eq!(count, 0);
                        false
                    }
                    Err(found) => {
                        assert_eq!(found, error);
                        true
                    }
                }
            });
            let packet = left.socket.rx.receive(1).unwrap().into_iter().next().unwrap();
            assert_eq!(packet.len(), 9014);
            left.pool.extend(packet);
            assert_eq!(left.receive(round + 1, &[70]), [1]);
            left.assert_home();
            right.assert_home();
        }
        assert_eq!(left.socket.handle.statistics().unwrap().tx_invalid_descs, 0);
    }
}

/// A packet for which the RX ring has no room for all of its frames is dropped whole; what has room
/// comes.
#[test]
fn a_full_rx_ring_drops_whole_packets() {
    if !can_run(test_name!()) {
        return;
    }
    for mode in MODES {
        let cable = jumbo_cable();
        let mut left = End::new(&cable.left, cable.veth.a(), Umem::builder().chunk_count(128));
        let builder = Umem::builder().chunk_count(64);
        let set = |socket: xsk::socket::SocketBuilder<_>| socket.rx_size(8);
        let mut right = End::with(&cable.right, cable.veth.b(), builder, set);
        let _slot = right.register(&cable.right, cable.veth.b(), mode);
        for round in 1..=5 {
            // 3 and 3 entries, two are left: not enough for three, enough for two, and none is left.
            left.send(0, &[9014, 9014, 9014, 5000, 5000]);
            until("two packets to be dropped", || {
                right.socket.handle.statistics().unwrap().rx_ring_full == Some(2 * round)
            });
            let mut came = Vec::new();
            let End { umem, pool, socket } = &mut right;
            for packet in socket.rx.receive(64).unwrap() {
                came.push(umem.packet_bytes(packet.frames()).to_vec());
                pool.extend(packet);
            }
            let expected =
                [(0, 9014), (1, 9014), (3, 5000)].map(|(number, len)| bytes(number, len));
            assert!(came == expected, "{mode:?} {round}: {} packets", came.len());
            // Chunks were taken for these only.
            assert_eq!(socket.fill.pending(), 32 - 8, "{mode:?} {round}");
            assert_eq!(socket.fill.fill_from(pool, 8), Ok(8));
            right.assert_home();
        }
        assert_eq!(right.socket.handle.statistics().unwrap().rx_dropped, 0);
    }
}

/// Without chunks for all of its frames a packet is dropped whole, and so are those behind it that need
/// more than there are.
#[test]
fn an_empty_fill_ring_drops_whole_packets() {
    if !can_run(test_name!()) {
        return;
    }
    for mode in MODES {
        let cable = jumbo_cable();
        let mut left = End::new(&cable.left, cable.veth.a(), Umem::builder().chunk_count(128));
        // Five chunks are in the fill ring.
        let builder = Umem::builder().chunk_count(10);
        let mut right = End::new(&cable.right, cable.veth.b(), builder);
        let _slot = right.register(&cable.right, cable.veth.b(), mode);
        for round in 0..5 {
            left.send(4 * round, &[9014, 9014, 5000, 60]);
            let dropped = u64::from(round + 1) * 2;
            until("two packets to be dropped", || {
                right.socket.handle.statistics().unwrap().rx_dropped == dropped
            });
            let mut came = Vec::new();
            let End { umem, pool, socket } = &mut right;
            for packet in socket.rx.receive(64).unwrap() {
                came.push(umem.packet_bytes(packet.frames()).to_vec());
                pool.extend(packet);
            }
            let expected = [(0, 9014), (2, 5000)].map(|(at, len)| bytes(4 * round + at, len));
            assert!(came == expected, "{mode:?} {round}: {} packets", came.len());
            assert_eq!(socket.fill.pending(), 0);
            assert_eq!(socket.fill.fill_from(pool, 5), Ok(5));
            right.assert_home();
        }
    }
}
