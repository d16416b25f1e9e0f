//! Packets that are sent back to where they came from, from the chunks in which they arrived.

use crate::common::until;
use crate::fixture::{End, bytes, jumbo_cable};
use crate::{MODES, can_run};
use std::collections::BTreeSet;
use xsk::attach::AttachMode;
use xsk::socket::PacketSocket;
use xsk::test_util::test_name;
use xsk::{Frame, Umem};

/// What the far end does with packets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Echo {
    Forward,
    ForwardEach,
    /// Takes them, and pushes them.
    Push,
}

#[test]
fn jumbo_packets_come_back_whole_and_every_chunk_is_where_it_was() {
    if !can_run(test_name!()) {
        return;
    }
    for mode in MODES {
        for how in [Echo::Forward, Echo::ForwardEach, Echo::Push] {
            echo(mode, how, Umem::builder().chunk_count(256));
            echo(mode, how, Umem::builder().chunk_count(256).chunk_size(3000).unaligned());
        }
    }
}

fn echo(mode: AttachMode, how: Echo, builder: xsk::umem::UmemBuilder) {
    let cable = jumbo_cable();
    let mut near = End::new(&cable.left, cable.veth.a(), builder.clone());
    let mut far = End::new(&cable.right, cable.veth.b(), builder);
    let _near = near.register(&cable.left, cable.veth.a(), mode);
    let _far = far.register(&cable.right, cable.veth.b(), mode);
    let all: BTreeSet<u64> = (0..256).collect();
    // In chunks of 3000 bytes these are 1, 4, 2, 1, 2, and 3 frames.
    let lengths = [60, 9014, 3840, 1514, 5000, 6000];
    for round in 0..40 {
        let first = 6 * round;
        let mut expected = Vec::new();
        {
            let End { umem, pool, socket } = &mut near;
            let mut slots = socket.tx.reserve(64).unwrap();
            for (number, len) in (first..).zip(lengths) {
                let mut packet = pool.take_packet(len).unwrap();
                let mut bytes = bytes(number, len);
                umem.write_packet(packet.frames_mut(), &bytes).unwrap();
                slots.push(packet).unwrap();
                if how != Echo::Forward {
                    turn(&mut bytes);
                }
                expected.push(bytes);
            }
        }
        until("packets to go", || {
            near.socket.tx.kick_if_needed().unwrap();
            near.socket.tx.pending() == 0
        });
        let mut back = 0;
        until("packets to be sent back", || {
            let End { umem, pool, socket } = &mut far;
            let PacketSocket { rx, tx, fill, completion, .. } = socket;
            let edit = |frames: &mut [Frame]| {
                // The addresses are in the first frame.
                turn(umem.bytes_mut(&mut frames[0]));
            };
            let batch = rx.receive(64).unwrap();
            back += match how {
                Echo::Forward => batch.forward(tx).unwrap(),
                Echo::ForwardEach => batch.forward_each(tx, edit).unwrap(),
                Echo::Push => {
                    let mut slots = tx.reserve(64).unwrap();
                    let mut pushed = 0;
                    for mut packet in batch {
                        edit(packet.frames_mut());
                        slots.push(packet).unwrap();
                        pushed += 1;
                    }
                    pushed
                }
            };
            tx.kick_if_needed().unwrap();
            completion.reap(64).unwrap().recycle(fill).unwrap();
            assert_eq!(pool.len(), 128);
            back == 6 && tx.pending() == 0
        });
        // All came to the fill ring: as many chunks as before.
        until("completions", || {
            let PacketSocket { fill, completion, tx, .. } = &mut far.socket;
            tx.kick_if_needed().unwrap();
            completion.reap(64).unwrap().recycle(fill).unwrap();
            near.socket.completion.reap_into(&mut near.pool, 64).unwrap();
            fill.pending() == 128 && near.pool.len() == 128
        });
        let (mut came, mut taken) = (Vec::new(), 0);
        until("packets to come back", || {
            let End { umem, pool, socket } = &mut near;
            for packet in socket.rx.receive(64).unwrap() {
                came.push(umem.packet_bytes(packet.frames()).to_vec());
                taken += packet.frames().len() as u32;
                pool.extend(packet);
            }
            came.len() == lengths.len()
        });
        assert!(came == expected, "{mode:?} {how:?} {round}: packets were changed");
        assert_eq!(near.socket.fill.fill_from(&mut near.pool, taken), Ok(taken));
    }
    for end in [&near, &far] {
        end.assert_home();
        assert_eq!(end.socket.handle.statistics().unwrap().tx_invalid_descs, 0);
    }
    // Then everything is received, and each chunk comes once.
    assert_eq!(receive_all(&mut near, &mut far), all, "{mode:?} {how:?}: far");
    assert_eq!(receive_all(&mut far, &mut near), all, "{mode:?} {how:?}: near");
}

/// Sends packets until the other end has no chunk in its fill ring; returns the chunks in its pool.
fn receive_all(from: &mut End, to: &mut End) -> BTreeSet<u64> {
    let count = to.socket.fill.pending();
    let lengths = vec![60; count as usize];
    from.send(0, &lengths);
    let End { umem, pool, socket } = to;
    let mut came = 0;
    until("packets to come", || {
        came += socket.rx.receive(64).unwrap().reclaim(pool);
        came == count
    });
    assert_eq!(pool.len(), umem.chunk_count(), "each chunk once");
    pool.addresses().map(|address| address / u64::from(umem.chunk_size())).collect()
}

/// Exchanges the two Ethernet addresses, and changes a byte.
fn turn(bytes: &mut [u8]) {
    let (to, from) = bytes.split_at_mut(6);
    to.swap_with_slice(&mut from[..6]);
    bytes[30] ^= 0xff;
}
