//! Packets of several frames: how many are moved, where they do not fit, and what forgotten guards do.

use crate::jumbo::{CHUNK, Jumbo, RINGS, chunk};
use std::collections::BTreeSet;
use xsk::socket::{PacketSocket, RefusalReason};
use xsk::test_util::{FakeKernel, FakeRings};
use xsk::{Frame, Packet, RingError};

/// Ways of passing a batch on.
pub(crate) const WAYS: [&str; 5] =
    ["recycle", "recycle_each", "forward", "forward_each", "reclaim"];

pub(crate) fn pass_on(jumbo: &mut Jumbo, way: &str, count: u32) -> Result<u32, RingError> {
    let Jumbo { pool, socket, .. } = jumbo;
    let PacketSocket { rx, tx, fill, .. } = socket;
    let batch = rx.receive(count)?;
    match way {
        "recycle" => batch.recycle(fill),
        "recycle_each" => batch.recycle_each(fill, |_| ()),
        "forward" => batch.forward(tx),
        "forward_each" => batch.forward_each(tx, |_| ()),
        _ => Ok(batch.reclaim(pool)),
    }
}

#[test]
fn counts_are_of_packets() {
    for way in WAYS {
        let mut jumbo = Jumbo::with_received(&[1, 3, 1, 1, 4, 2]);
        assert_eq!(pass_on(&mut jumbo, way, 0), Ok(0), "{way}");
        assert_eq!(pass_on(&mut jumbo, way, 1), Ok(1), "{way}");
        assert_eq!(pass_on(&mut jumbo, way, 2), Ok(2), "{way}");
        jumbo.audit([], []);
        let packets: Vec<Packet> = jumbo.socket.rx.receive(2).unwrap().into_iter().collect();
        let frames: Vec<usize> = packets.iter().map(|packet| packet.frames().len()).collect();
        assert_eq!(frames, [1, 4], "{way}");
        packets.into_iter().for_each(|packet| jumbo.pool.extend(packet));
        assert_eq!(pass_on(&mut jumbo, way, 9), Ok(1), "{way}");
        jumbo.assert_all_back();
    }
}

/// What arrives comes with its bytes, in its order, and so does what is sent; the place of the packets
/// in the rings goes round.
#[test]
fn bytes_and_order_stay_while_the_indices_wrap() {
    let mut jumbo = Jumbo::new();
    for round in 0..60_u32 {
        let frames = [1 + round % 4, 1, 1 + round % 10];
        let arrived = jumbo.receive(&frames);
        let Jumbo { umem, socket, .. } = &mut jumbo;
        let edit = |frames: &mut [Frame]| {
            frames
                .iter_mut()
                .flat_map(|frame| umem.bytes_mut(frame))
                .for_each(|byte| *byte ^= 0x55);
        };
        let batch = socket.rx.receive(9).unwrap();
        assert_eq!(batch.forward_each(&mut socket.tx, edit), Ok(3));
        let sent: Vec<Vec<u8>> =
            arrived.iter().map(|bytes| bytes.iter().map(|byte| byte ^ 0x55).collect()).collect();
        assert_eq!(jumbo.transmit(), sent, "round {round}");
        jumbo.assert_all_back();
    }
}

#[test]
fn a_ring_without_room_for_all_of_a_packet_gets_nothing_of_it() {
    for (way, fills) in
        [("recycle", true), ("recycle_each", true), ("forward", false), ("forward_each", false)]
    {
        for free in 0..3 {
            let mut jumbo = Jumbo::with_received(&[3, 1]);
            let Jumbo { pool, socket, .. } = &mut jumbo;
            if fills {
                assert_eq!(socket.fill.fill_from(pool, 32 - free), Ok(32 - free));
            } else {
                assert_eq!(socket.tx.send_from(pool, 16 - free, 60), Ok(16 - free));
            }
            let before = jumbo.kernel.ring_contents();
            assert_eq!(pass_on(&mut jumbo, way, 9), Ok(0), "{way} {free}");
            assert_eq!(jumbo.kernel.ring_contents(), before, "{way} {free}");
            // With room for one packet, the other one stays.
            if fills {
                let taken = jumbo.kernel.deliver_unwritten(3 - free, 60);
                assert_eq!(taken, 3 - free);
            } else {
                assert_eq!(jumbo.kernel.transmit_unread(3 - free), 3 - free);
            }
            assert_eq!(pass_on(&mut jumbo, way, 9), Ok(1), "{way} {free}");
            jumbo.audit([], []);
            assert_eq!(pass_on(&mut jumbo, way, 9), Ok(0), "{way} {free}");
            jumbo.assert_all_back();
        }
    }
}

#[test]
fn a_packet_that_is_longer_than_the_fill_ring_is_an_error_and_stays() {
    for way in ["recycle", "recycle_each"] {
        let mut jumbo = Jumbo::with_received(&[3, 1]);
        // The short fill ring of another socket over the same memory.
        let rings = FakeRings { fill: 2, ..RINGS };
        let (_other_kernel, other) = FakeKernel::multi_buffer(&jumbo.umem, rings).unwrap();
        let own = std::mem::replace(&mut jumbo.socket.fill, other.fill);
        let error = RingError::TooManyFrames { frames: 3, limit: 2 };
        for _ in 0..2 {
            assert_eq!(pass_on(&mut jumbo, way, 9), Err(error), "{way}");
        }
        assert!(error.to_string().contains("the length of the fill ring"), "{error}");
        let packet = jumbo.socket.rx.receive(1).unwrap().into_iter().next().unwrap();
        jumbo.pool.extend(packet);
        assert_eq!(pass_on(&mut jumbo, way, 9), Ok(1), "{way}");
        jumbo.socket.fill = own;
        assert_eq!(jumbo.pool.len() + 1, jumbo.umem.chunk_count(), "{way}");
    }
}

#[test]
fn a_packet_with_too_many_frames_for_the_tx_ring_is_an_error_and_stays() {
    // The smallest of the TX ring, the completion ring, and what a packet can have.
    let rings = |tx, completion| FakeRings { tx, completion, rx: 32, ..RINGS };
    for (rings, limit) in [(rings(4, 16), 4), (rings(16, 2), 2), (rings(64, 64), 18)] {
        for way in ["forward", "forward_each"] {
            let mut jumbo = Jumbo::with(rings);
            assert_eq!(jumbo.socket.tx.max_frames(), limit);
            jumbo.receive(&[limit + 1, 1]);
            let before = jumbo.kernel.ring_contents();
            let error = RingError::TooManyFrames { frames: limit + 1, limit };
            for _ in 0..2 {
                assert_eq!(pass_on(&mut jumbo, way, 9), Err(error), "{way} {limit}");
                assert_eq!(jumbo.kernel.ring_contents(), before, "{way} {limit}");
            }
            // It is taken by iterating; the TX ring does not take it then either.
            let packet = jumbo.socket.rx.receive(1).unwrap().into_iter().next().unwrap();
            let refused = jumbo.socket.tx.reserve(64).unwrap().push(packet).unwrap_err();
            assert_eq!(refused.reason, RefusalReason::TooManyFrames { limit });
            assert_eq!(refused.packet.frames().len(), limit as usize + 1);
            jumbo.audit(refused.packet.frames(), []);
            jumbo.pool.extend(refused.packet);
            assert_eq!(pass_on(&mut jumbo, way, 9), Ok(1), "{way} {limit}");
            // Behind others it is left, without an error.
            jumbo.assert_all_back();
            jumbo.receive(&[1, 2, limit + 1]);
            assert_eq!(pass_on(&mut jumbo, way, 9), Ok(2), "{way} {limit}");
            assert_eq!(jumbo.transmit().len(), 2);
            assert_eq!(pass_on(&mut jumbo, way, 9), Err(error), "{way} {limit}");
            jumbo.assert_all_back();
        }
    }
}

#[test]
fn a_packet_that_is_not_sent_comes_back() {
    let mut jumbo = Jumbo::new();
    let packet = jumbo.packet(5);
    let (text, addresses) = (format!("{packet:?}"), packet.frames().iter().map(chunk));
    let addresses: Vec<u64> = addresses.collect();
    let mut slots = jumbo.socket.tx.reserve(4).unwrap();
    let refused = slots.push(packet).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::NoRoom { free: 4 });
    let message =
        "a packet of 5 frames was not sent: not enough reserved slots of the TX ring are left (4)";
    assert_eq!(refused.to_string(), message);
    assert_eq!((format!("{:?}", refused.packet), slots.remaining()), (text, 4));
    // What was refused takes no slot: a smaller packet goes out, and a frame alone.
    slots.push(jumbo.pool.take_packet(3 * u64::from(CHUNK)).unwrap()).unwrap();
    slots.push(jumbo.pool.take().unwrap()).unwrap();
    let one = slots.push(jumbo.pool.take().unwrap()).unwrap_err();
    assert_eq!(one.reason, RefusalReason::NoRoom { free: 0 });
    jumbo.pool.extend(one.packet);
    drop(slots);
    jumbo.socket.tx.reserve(5).unwrap().push(refused.packet).unwrap();
    jumbo.audit([], []);
    let sent: Vec<u64> =
        jumbo.kernel.ring_contents().tx[4..].iter().map(|desc| desc.addr).collect();
    assert_eq!(sent, addresses);
    let lens: Vec<usize> = jumbo.transmit().iter().map(Vec::len).collect();
    assert_eq!(lens, [3 * CHUNK as usize, CHUNK as usize, 4 * CHUNK as usize + 60]);
    jumbo.assert_all_back();
}

#[test]
fn forgotten_guards_hand_nothing_out_twice_and_stop_no_ring() {
    let mut jumbo = Jumbo::with_received(&[3, 1, 2, 1, 4]);
    let socket = &mut jumbo.socket;
    std::mem::forget(socket.rx.receive(9).unwrap());
    let mut packets = socket.rx.receive(9).unwrap().into_iter();
    let mut held: Vec<Packet> = packets.by_ref().take(2).collect();
    std::mem::forget(packets);
    held.extend(socket.rx.receive(9).unwrap());
    let frames: Vec<usize> = held.iter().map(|packet| packet.frames().len()).collect();
    assert_eq!(frames, [3, 1, 2, 1, 4]);
    let different: BTreeSet<u64> = held.iter().flat_map(Packet::frames).map(chunk).collect();
    assert_eq!(different.len(), 11);
    jumbo.audit(held.iter().flat_map(Packet::frames), []);

    // What was pushed goes out with the next batch, whole.
    let mut slots = jumbo.socket.tx.reserve(16).unwrap();
    slots.push(held.remove(0)).unwrap();
    slots.push(held.remove(0)).unwrap();
    std::mem::forget(slots);
    assert_eq!(jumbo.kernel.transmit(), None);
    let mut slots = jumbo.socket.tx.reserve(16).unwrap();
    assert_eq!(slots.remaining(), 12);
    slots.push(held.remove(0)).unwrap();
    drop(slots);
    assert_eq!(jumbo.transmit().len(), 3);

    // Half of a packet's frames taken: the iterator may be dropped, or forgotten.
    let mut frames = held.pop().unwrap().into_iter();
    jumbo.pool.extend(frames.by_ref().take(2));
    let left = BTreeSet::from([chunk(&frames.next().unwrap())]);
    let lost = jumbo.umem.lost_chunks();
    assert_eq!((frames.len(), lost), (1, 1));
    std::mem::forget(frames);
    let packet = held.pop().unwrap();
    let other = chunk(&packet.frames()[0]);
    drop(packet);
    assert_eq!(jumbo.umem.lost_chunks(), 2);
    let missing = jumbo.missing(&[]);
    assert_eq!(missing.len(), 3);
    assert!(missing.is_superset(&left) && missing.contains(&other));
    // The kernel has all slots of the rings again.
    for _ in 0..3 {
        jumbo.receive(&[10, 6]);
        assert_eq!(pass_on(&mut jumbo, "forward", 9), Ok(2));
        assert_eq!(jumbo.transmit().len(), 2);
        assert_eq!(jumbo.missing(&[]), missing);
    }
}
