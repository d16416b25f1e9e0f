//! Frames, pools and rings of another UMEM.

use crate::fixture::{Fixture, LEN, panics};
use xsk::{Frame, Socket};

#[test]
fn another_umem_is_refused_before_anything_is_written() {
    let mut a = Fixture::with_received(2);
    let mut b = Fixture::with_received(2);
    let mut c = Fixture::with_completed(2);
    let rx = &mut a.socket.rx;
    assert!(panics(|| rx.receive(2).unwrap().recycle(&mut b.socket.fill)));
    assert!(panics(|| rx.receive(2).unwrap().recycle_each(&mut b.socket.fill, |_| ())));
    assert!(panics(|| rx.receive(2).unwrap().forward(&mut b.socket.tx)));
    assert!(panics(|| rx.receive(2).unwrap().forward_each(&mut b.socket.tx, |_| ())));
    assert!(panics(|| rx.receive(2).unwrap().reclaim(&mut b.pool)));
    let completion = &mut c.socket.completion;
    assert!(panics(|| completion.reap_into(&mut b.pool, 2)));
    assert!(panics(|| completion.reap(2).unwrap().recycle(&mut b.socket.fill)));
    let (tx, fill) = (&mut a.socket.tx, &mut a.socket.fill);
    assert!(panics(|| tx.send_from(&mut b.pool, 1, LEN)));
    assert!(panics(|| tx.send_each(&mut b.pool, 1, |_| ())));
    assert!(panics(|| fill.fill_from(&mut b.pool, 1)));
    // Nothing moved.
    assert_eq!((tx.pending(), fill.pending()), (0, 0));
    assert_eq!((b.socket.tx.pending(), b.socket.fill.pending()), (0, 0));
    assert_eq!(rx.receive(9).unwrap().len(), 2);
    a.assert_all_back();
    b.assert_all_back();
    c.assert_all_back();
    // A frame given to the wrong place is lost with the panic, and nothing is written.
    let mut take = || b.pool.take().unwrap();
    assert!(panics(|| a.socket.tx.reserve(1).unwrap().push(take())));
    assert!(panics(|| a.socket.fill.reserve(1).unwrap().push(take())));
    assert!(panics(|| a.pool.put(take())));
    assert!(panics(|| a.umem.bytes(&take()).len()));
    assert_eq!((a.socket.tx.pending(), a.socket.fill.pending()), (0, 0));
    a.assert_all_back();
    assert_eq!(b.take_back().1, 4);
}

#[test]
fn a_foreign_frame_from_a_closure_is_not_passed_on() {
    for way in 0..3 {
        let mut a = Fixture::with_received(3);
        let mut b = Fixture::new();
        let mut held = b.pool.take().unwrap();
        let swap = |frame: &mut Frame| std::mem::swap(frame, &mut held);
        let Socket { rx, tx, fill, .. } = &mut a.socket;
        let received = rx.receive(3).unwrap();
        assert!(panics(|| match way {
            0 => received.forward_each(tx, swap),
            1 => received.recycle_each(fill, swap),
            _ => tx.send_each(&mut a.pool, 3, swap),
        }));
        assert_eq!((tx.pending(), fill.pending()), (0, 0));
        a.pool.put(held);
        a.assert_all_back();
        assert_eq!(b.take_back().1, 1);
    }
}
