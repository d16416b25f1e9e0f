//! Closures that panic, and that exchange the frame they were lent.

use crate::fixture::{Fixture, LEN, chunk, panics};
use xsk::{Frame, Socket};

#[test]
fn a_panic_loses_the_frame_in_hand_only() {
    for count in [1, 2, 9, 16] {
        for at in [1, count / 2 + 1, count] {
            let bomb = |left: &mut u32| {
                *left -= 1;
                assert_ne!(*left, 0, "on purpose");
            };
            let mut fixture = Fixture::with_received(count);
            let Socket { rx, fill, .. } = &mut fixture.socket;
            let mut left = at;
            let received = rx.receive(count).unwrap();
            assert!(panics(|| received.recycle_each(fill, |_| bomb(&mut left))));
            assert_eq!(rx.receive(count).unwrap().len(), usize::try_from(count - at).unwrap());
            assert_eq!(fixture.take_back().1, 1, "recycle_each {count} {at}");

            let mut fixture = Fixture::with_received(count);
            let Socket { rx, tx, .. } = &mut fixture.socket;
            let mut left = at;
            let received = rx.receive(count).unwrap();
            assert!(panics(|| received.forward_each(tx, |_| bomb(&mut left))));
            assert_eq!(tx.pending(), at - 1);
            assert_eq!(fixture.take_back().1, 1, "forward_each {count} {at}");

            let mut fixture = Fixture::new();
            let Fixture { pool, socket, .. } = &mut fixture;
            let mut left = at;
            assert!(panics(|| socket.tx.send_each(pool, count, |_| bomb(&mut left))));
            assert_eq!(socket.tx.pending(), at - 1);
            assert_eq!(fixture.take_back().1, 1, "send_each {count} {at}");
        }
    }
}

#[test]
fn frames_that_were_exchanged_are_one_for_each_chunk() {
    for count in [1, 2, 11] {
        let mut fixture = Fixture::with_received(count);
        let Fixture { pool, kernel, socket, .. } = &mut fixture;
        let Socket { rx, fill, tx, .. } = socket;
        let mut held = pool.take().unwrap();
        let before = chunk(&held);
        let swap = |frame: &mut Frame| std::mem::swap(frame, &mut held);
        assert_eq!(rx.receive(count).unwrap().recycle_each(fill, swap), Ok(count));
        assert_ne!(chunk(&held), before);
        let swap = |frame: &mut Frame| std::mem::swap(frame, &mut held);
        assert_eq!(kernel.deliver_unwritten(count, LEN), count);
        assert_eq!(rx.receive(count).unwrap().forward_each(tx, swap), Ok(count));
        let swap = |frame: &mut Frame| std::mem::swap(frame, &mut held);
        assert_eq!(tx.send_each(pool, 1, swap), Ok(1));
        pool.put(held);
        fixture.assert_all_back();
    }
}

#[test]
fn a_frame_kept_by_a_swap_and_a_panic_is_not_handed_out_again() {
    for count in [1, 5] {
        let mut fixture = Fixture::with_received(count);
        let Fixture { pool, socket, .. } = &mut fixture;
        let mut held = pool.take().unwrap();
        let received = socket.rx.receive(count).unwrap();
        assert!(panics(|| received.forward_each(&mut socket.tx, |frame| {
            std::mem::swap(frame, &mut held);
            panic!("on purpose");
        })));
        let kept = chunk(&held);
        assert!(!fixture.take_back().0.contains(&kept));
        fixture.pool.put(held);
        assert_eq!(fixture.take_back().1, 1);
    }
}
