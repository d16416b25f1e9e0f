//! Batches whose closure decides what becomes of each packet.

use crate::fixture::{Fixture, LEN, chunk, panics};
use xsk::socket::Routed;
use xsk::{Frame, Socket, Verdict};

#[test]
fn every_packet_goes_where_its_verdict_says() {
    let mut fixture = Fixture::new();
    for round in 0..300_u32 {
        let batch = round % 17;
        fixture.receive(batch);
        let Fixture { umem, pool, kernel, socket } = &mut fixture;
        let Socket { rx, tx, fill, .. } = socket;
        let (pooled, filled) = (pool.len(), fill.pending());
        let mut kept = Vec::new();
        let mut expected = Routed::default();
        let mut sent = Vec::new();
        let mut number = round;
        let decide = |mut frame: Frame| {
            number += 1;
            match number.wrapping_mul(round) % 7 {
                0 | 1 => {
                    let packet = [1 + u8::try_from(number % 200).unwrap(); 9];
                    umem.write(&mut frame, &packet).unwrap();
                    sent.push(packet.to_vec());
                    expected.sent += 1;
                    Verdict::Send(frame)
                }
                2 | 3 => {
                    expected.recycled += 1;
                    Verdict::Recycle(frame)
                }
                4 | 5 => {
                    expected.pooled += 1;
                    Verdict::Pool(frame)
                }
                _ => {
                    expected.kept += 1;
                    kept.push(frame);
                    Verdict::Kept
                }
            }
        };
        let routed = rx.receive(batch).unwrap().route_each(tx, fill, pool, decide).unwrap();
        assert_eq!((routed, routed.total()), (expected, batch));
        assert_eq!(fill.pending() - filled, routed.recycled);
        assert_eq!(pool.len() - pooled, usize::try_from(routed.pooled).unwrap());
        assert_eq!(tx.pending(), routed.sent);
        for packet in sent {
            assert_eq!(kernel.transmit(), Some(packet));
        }
        pool.extend(kept);
        fixture.assert_all_back();
    }
}

#[test]
fn a_full_tx_ring_ends_the_batch_and_a_full_fill_ring_does_not() {
    for free in [0, 1, 5] {
        let mut fixture = Fixture::with_received(12);
        let Fixture { pool, socket, .. } = &mut fixture;
        let Socket { rx, tx, fill, .. } = socket;
        assert_eq!(tx.send_from(pool, 16 - free, LEN), Ok(16 - free));
        let routed = rx.receive(12).unwrap().route_each(tx, fill, pool, Verdict::Send).unwrap();
        assert_eq!(routed, Routed { sent: free, ..Routed::default() });
        let never = |_: Frame| -> Verdict { unreachable!("no verdict could be carried out") };
        let routed = rx.receive(12).unwrap().route_each(tx, fill, pool, never).unwrap();
        assert_eq!(routed, Routed::default());
        let left = rx.receive(12).unwrap().len();
        assert_eq!(left, usize::try_from(12 - free).unwrap());
        fixture.assert_all_back();

        let mut fixture = Fixture::with_received(12);
        let Fixture { pool, socket, .. } = &mut fixture;
        let Socket { rx, tx, fill, .. } = socket;
        assert_eq!(fill.fill_from(pool, 32 - free), Ok(32 - free));
        let routed = rx.receive(12).unwrap().route_each(tx, fill, pool, Verdict::Recycle).unwrap();
        assert_eq!(routed, Routed { recycled: free, pooled: 12 - free, ..Routed::default() });
        fixture.assert_all_back();
    }
}

#[test]
fn a_panic_of_the_closure_loses_the_frame_in_hand_only() {
    for count in [1, 2, 9, 16] {
        for at in [1, count / 2 + 1, count] {
            let mut fixture = Fixture::with_received(count);
            let Fixture { pool, socket, .. } = &mut fixture;
            let Socket { rx, tx, fill, .. } = socket;
            let (pooled, filled) = (pool.len(), fill.pending());
            let mut number = 0;
            let received = rx.receive(count).unwrap();
            assert!(panics(|| received.route_each(tx, fill, pool, |frame| {
                number += 1;
                assert_ne!(number, at, "on purpose");
                match number % 3 {
                    0 => Verdict::Pool(frame),
                    1 => Verdict::Send(frame),
                    _ => Verdict::Recycle(frame),
                }
            })));
            let done = at - 1;
            assert_eq!((tx.pending(), fill.pending() - filled), (done.div_ceil(3), (done + 1) / 3));
            assert_eq!(pool.len() - pooled, usize::try_from(done / 3).unwrap());
            assert_eq!(rx.receive(count).unwrap().len(), usize::try_from(count - at).unwrap());
            assert_eq!(fixture.take_back().1, 1, "{count} {at}");
        }
    }
}

#[test]
fn a_verdict_may_name_another_frame() {
    for count in [1, 2, 11] {
        let mut fixture = Fixture::with_received(count);
        let Fixture { pool, socket, .. } = &mut fixture;
        let Socket { rx, tx, fill, .. } = socket;
        let mut held = pool.take().unwrap();
        let before = chunk(&held);
        let decide = |frame| Verdict::Send(std::mem::replace(&mut held, frame));
        let routed = rx.receive(count).unwrap().route_each(tx, fill, pool, decide).unwrap();
        assert_eq!(routed.sent, count);
        assert_ne!(chunk(&held), before);
        pool.put(held);
        fixture.assert_all_back();
    }
}

#[test]
fn a_foreign_frame_of_a_verdict_is_not_passed_on() {
    for verdict in [Verdict::Send, Verdict::Recycle, Verdict::Pool] {
        for count in [1, 3] {
            let mut a = Fixture::with_received(count);
            let mut b = Fixture::new();
            let mut held = b.pool.take();
            let mut own = Vec::new();
            let Fixture { pool, socket, .. } = &mut a;
            let Socket { rx, tx, fill, .. } = socket;
            let before = pool.len();
            let received = rx.receive(count).unwrap();
            assert!(panics(|| received.route_each(tx, fill, pool, |frame| {
                own.push(frame);
                verdict(held.take().unwrap())
            })));
            assert_eq!((tx.pending(), fill.pending(), pool.len()), (0, 0, before));
            a.pool.extend(own);
            a.assert_all_back();
            assert_eq!(b.take_back().1, 1);
        }
    }
}
