//! Batches: all sizes, all forms, full rings, and what does not fit.

use crate::fixture::{Fixture, LEN};
use xsk::Frame;

#[test]
fn batches_of_all_sizes_go_round_while_the_indices_wrap() {
    Fixture::of_each_kind().into_iter().for_each(batches_of_all_sizes);
}

fn batches_of_all_sizes(mut fixture: Fixture) {
    for round in 0..200_u32 {
        let batch = round % 17;
        let Fixture { umem, pool, kernel, socket } = &mut fixture;
        socket.fill.fill_from(pool, batch).unwrap();
        let delivered = kernel.deliver_unwritten(batch, LEN);
        let received = socket.rx.receive(batch).unwrap();
        assert_eq!(received.len(), usize::try_from(delivered).unwrap());
        let mut seen = 0;
        let look = |frame: &mut Frame| {
            assert_eq!(umem.bytes(frame).len(), 60);
            seen += 1;
        };
        let moved = match round % 6 {
            0 => received.recycle(&mut socket.fill).unwrap(),
            1 => received.recycle_each(&mut socket.fill, look).unwrap(),
            2 => received.forward(&mut socket.tx).unwrap(),
            3 => received.forward_each(&mut socket.tx, look).unwrap(),
            4 => received.reclaim(pool),
            _ => {
                let mut count = 0;
                for frame in received {
                    pool.put(frame);
                    count += 1;
                }
                count
            }
        };
        assert_eq!(moved, delivered);
        assert!(seen == 0 || seen == moved);
        kernel.transmit_unread(u32::MAX);
        kernel.complete(u32::MAX);
        let reaped = socket.completion.reap(u32::MAX).unwrap();
        match round % 3 {
            0 => _ = reaped.recycle(&mut socket.fill).unwrap(),
            1 => _ = reaped.reclaim(pool),
            _ => reaped.into_iter().for_each(|frame| pool.put(frame)),
        }
        fixture.assert_all_back();
    }
}

#[test]
fn packets_arrive_and_leave_with_their_bytes() {
    Fixture::of_each_kind().into_iter().for_each(packets_keep_their_bytes);
}

fn packets_keep_their_bytes(mut fixture: Fixture) {
    for round in 0..60_u8 {
        let Fixture { umem, pool, kernel, socket } = &mut fixture;
        socket.fill.fill_from(pool, 3).unwrap();
        for i in 0..3 {
            assert!(kernel.deliver(&[round, i, 7]));
        }
        let edit = |frame: &mut Frame| {
            for byte in umem.bytes_mut(frame) {
                *byte = byte.wrapping_add(1);
            }
        };
        let received = socket.rx.receive(3).unwrap();
        assert_eq!(received.forward_each(&mut socket.tx, edit).unwrap(), 3);
        let write = |frame: &mut Frame| umem.write(frame, &[round, 9]).unwrap();
        assert_eq!(socket.tx.send_each(pool, 1, write).unwrap(), 1);
        for i in 0..3 {
            assert_eq!(kernel.transmit().unwrap(), [round + 1, i + 1, 8]);
        }
        assert_eq!(kernel.transmit().unwrap(), [round, 9]);
        kernel.complete(4);
        assert_eq!(socket.completion.reap_into(pool, 4).unwrap(), 4);
        fixture.assert_all_back();
    }
}

#[test]
fn full_rings_take_what_has_room() {
    let mut fixture = Fixture::new();
    let Fixture { pool, kernel, socket, .. } = &mut fixture;
    assert_eq!(socket.tx.send_from(pool, 100, LEN).unwrap(), 16);
    assert_eq!(socket.tx.send_from(pool, 1, LEN).unwrap(), 0);
    assert_eq!(socket.fill.fill_from(pool, 100).unwrap(), 32);
    assert_eq!(socket.fill.fill_from(pool, 1).unwrap(), 0);
    assert_eq!(pool.len(), 16);
    assert_eq!(kernel.deliver_unwritten(5, LEN), 5);
    assert_eq!(socket.fill.fill_from(pool, 3).unwrap(), 3);
    // Two slots are free in the fill ring, and none in the TX ring: the rest stays in the RX ring.
    let received = socket.rx.receive(5).unwrap();
    assert_eq!(received.recycle(&mut socket.fill).unwrap(), 2);
    let received = socket.rx.receive(5).unwrap();
    assert_eq!((received.len(), received.forward(&mut socket.tx)), (3, Ok(0)));
    let frame = socket.rx.receive(1).unwrap().into_iter().next().unwrap();
    let frame = socket.tx.reserve(1).unwrap().push(frame).unwrap_err();
    let frame = socket.fill.reserve(1).unwrap().push(frame).unwrap_err();
    pool.put(frame);
    fixture.assert_all_back();
}

#[test]
fn what_is_not_taken_stays_in_the_ring() {
    let mut fixture = Fixture::with_received(5);
    let Fixture { pool, socket, .. } = &mut fixture;
    drop(socket.rx.receive(5).unwrap());
    let mut frames = socket.rx.receive(5).unwrap().into_iter();
    pool.put(frames.next().unwrap());
    assert_eq!(frames.remaining(), 4);
    drop(frames);
    let received = socket.rx.receive(9).unwrap();
    assert_eq!((received.len(), received.is_empty()), (4, false));
    fixture.assert_all_back();

    let mut fixture = Fixture::with_completed(5);
    let Fixture { pool, socket, .. } = &mut fixture;
    pool.put(socket.completion.reap(5).unwrap().into_iter().next().unwrap());
    assert_eq!(socket.completion.reap(9).unwrap().len(), 4);
    fixture.assert_all_back();
}

#[test]
#[should_panic(expected = "packets of 4097 bytes do not fit")]
fn a_length_above_the_chunk_is_not_sent() {
    let mut fixture = Fixture::new();
    let _ = fixture.socket.tx.send_from(&mut fixture.pool, 1, 4097);
}

#[test]
#[should_panic(expected = "packets of 0 bytes do not fit")]
fn an_empty_packet_is_not_sent() {
    let mut fixture = Fixture::new();
    let _ = fixture.socket.tx.send_from(&mut fixture.pool, 1, 0);
}
