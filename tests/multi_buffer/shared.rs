//! Sockets for packets of several frames over one registration of the packet memory.

use crate::common::{PATIENCE, until};
use crate::fixture::{End, bytes, jumbo_cable_of};
use crate::{MODES, can_run};
use std::collections::BTreeSet;
use xsk::attach::AttachMode;
use xsk::test_util::test_name;
use xsk::{Error, Port, Socket, Umem};

/// The kernel decides for all sockets that share packet memory whether packets have several frames.
#[test]
fn both_kinds_of_sockets_do_not_share_packet_memory() {
    if !can_run(test_name!()) {
        return;
    }
    let cable = jumbo_cable_of(2);
    let near = cable.veth.a();
    let refused = |result: xsk::Result<()>, asked: u64| {
        let Err(error) = result else { panic!("it was made") };
        let Error::Setting { name, value, .. } = &error else { panic!("{error}") };
        assert_eq!((*name, *value), ("multi_buffer, as a number,", asked), "{error}");
    };
    let packets = End::new(&cable.left, near, Umem::builder().chunk_count(64));
    let single = cable.right.run(|| {
        let (umem, pool) = Umem::builder().chunk_count(64).build().unwrap();
        let builder = Socket::builder(&umem).bind_timeout(PATIENCE);
        Port::new(umem.clone(), pool, builder.bind(cable.veth.b(), 0).unwrap())
    });
    let single = single.unwrap();
    cable
        .left
        .run(|| {
            let share = || packets.socket.handle.share_memory();
            refused(share().open().map(drop), 0);
            refused(share().rx_only().bind(near, 1).map(drop), 0);
            refused(share().tx_only().bind(near, 1).map(drop), 0);
            // Nothing is left of those: the right kind is made.
            drop(share().multi_buffer().bind(near, 1).unwrap());
        })
        .unwrap();
    cable
        .right
        .run(|| {
            let share = || single.socket.handle.share_memory();
            refused(share().multi_buffer().open().map(drop), 1);
            drop(share().bind(cable.veth.b(), 1).unwrap());
        })
        .unwrap();
}

#[test]
fn two_queues_over_one_registration_send_and_receive_jumbo_packets() {
    if !can_run(test_name!()) {
        return;
    }
    for mode in MODES {
        // In generic mode a packet that was sent by queue 2 arrives on queue 1.
        let cable = jumbo_cable_of(3);
        let (near, far) = (cable.veth.a(), cable.veth.b());
        let second_queue = if mode == AttachMode::Generic { 2 } else { 1 };
        let mut left = End::new(&cable.left, near, Umem::builder().chunk_count(256));
        let share = || left.socket.handle.share_memory().multi_buffer().bind_timeout(PATIENCE);
        let left_second = cable.left.run(|| share().bind(near, second_queue).unwrap());
        let mut left_second = left_second.unwrap();
        let mut right = End::new(&cable.right, far, Umem::builder().chunk_count(256));
        let share = || right.socket.handle.share_memory().multi_buffer().bind_timeout(PATIENCE);
        let right_second = cable.right.run(|| {
            let mut unbound = share().open().unwrap();
            assert_eq!(unbound.fill.fill_from(&mut right.pool, 64), Ok(64));
            unbound.bind(far, 1).unwrap()
        });
        let mut right_second = right_second.unwrap();
        let (attachment, _first) = right.register(&cable.right, far, mode);
        let _second = right_second.register(&attachment).unwrap();
        for round in 0..30 {
            // By turns from one pool to both queues, and received into one pool.
            let lengths = [9014, 60, 5000];
            left.send(3 * round, &lengths);
            std::mem::swap(&mut left.socket, &mut left_second);
            left.send(100 + 3 * round, &lengths);
            std::mem::swap(&mut left.socket, &mut left_second);
            for (socket, first) in
                [(&mut right.socket, 3 * round), (&mut right_second, 100 + 3 * round)]
            {
                let mut came = Vec::new();
                let (umem, pool) = (&right.umem, &mut right.pool);
                until("packets", || {
                    let batch = socket.rx.receive(64).unwrap();
                    for packet in batch {
                        came.push(umem.packet_bytes(packet.frames()).to_vec());
                        pool.extend(packet);
                    }
                    came.len() == 3
                });
                let expected = [0, 1, 2].map(|at| bytes(first + at as u32, lengths[at]));
                assert!(came == expected, "{mode:?} {round} {first}");
                // Chunks of either queue go to both.
                assert_eq!(socket.fill.fill_from(pool, 6), Ok(6));
            }
        }
        let filled = right.socket.fill.pending() + right_second.fill.pending();
        assert_eq!(right.pool.len() + filled as usize, 256);
        let pool: BTreeSet<u64> = right.pool.addresses().collect();
        assert_eq!(pool.len(), right.pool.len());
        if let Some(counts) = right.umem.chunk_counts() {
            assert_eq!((counts.sending, counts.user, counts.lost), (0, 0, 0), "{counts:?}");
        }
        for handle in [&right.socket.handle, &right_second.handle] {
            let statistics = handle.statistics().unwrap();
            assert_eq!((statistics.rx_dropped, statistics.rx_ring_full), (0, Some(0)));
        }
    }
}
