//! Guards that were forgotten: they delay, and never hand out twice.

use crate::bed::{Bed, LEN, chunk};
use std::collections::BTreeSet;
use xsk::Frame;

#[test]
fn forgotten_receive_guards_hand_nothing_out_twice() {
    let mut bed = Bed::with_received(6);
    let Bed { pool, socket, .. } = &mut bed;
    std::mem::forget(socket.rx.receive(6).unwrap());
    let mut frames = socket.rx.receive(6).unwrap().into_iter();
    let held: Vec<Frame> = frames.by_ref().take(2).collect();
    std::mem::forget(frames);
    let rest: Vec<Frame> = socket.rx.receive(6).unwrap().into_iter().collect();
    assert_eq!((held.len(), rest.len()), (2, 4));
    let different: BTreeSet<u64> = held.iter().chain(&rest).map(chunk).collect();
    assert_eq!(different.len(), 6);
    held.into_iter().chain(rest).for_each(|frame| pool.put(frame));
    bed.all_home();
    // The kernel got all slots of the ring back.
    bed.receive(16);
    bed.all_home();
}

#[test]
fn forgotten_reap_guards_hand_nothing_out_twice() {
    let mut bed = Bed::with_completed(6);
    let Bed { pool, socket, .. } = &mut bed;
    std::mem::forget(socket.completion.reap(6).unwrap());
    let mut frames = socket.completion.reap(6).unwrap().into_iter();
    let held: Vec<Frame> = frames.by_ref().take(2).collect();
    std::mem::forget(frames);
    let rest: Vec<Frame> = socket.completion.reap(6).unwrap().into_iter().collect();
    let different: BTreeSet<u64> = held.iter().chain(&rest).map(chunk).collect();
    assert_eq!((held.len(), rest.len(), different.len()), (2, 4, 6));
    held.into_iter().chain(rest).for_each(|frame| pool.put(frame));
    bed.all_home();
}

#[test]
fn what_a_forgotten_guard_sent_goes_out_with_the_next_batch() {
    let mut bed = Bed::new();
    let Bed { pool, kernel, socket, .. } = &mut bed;
    let mut sending = socket.tx.reserve(2).unwrap();
    sending.push(pool.take().unwrap()).unwrap();
    std::mem::forget(sending);
    let mut filling = socket.fill.reserve(2).unwrap();
    filling.push(pool.take().unwrap()).unwrap();
    std::mem::forget(filling);
    assert_eq!(kernel.transmit_unread(9), 0);
    assert_eq!(kernel.deliver_unwritten(9, LEN), 0);
    assert_eq!(socket.tx.send_from(pool, 1, LEN).unwrap(), 1);
    assert_eq!(socket.fill.fill_from(pool, 1).unwrap(), 1);
    assert_eq!(kernel.transmit_unread(9), 2);
    assert_eq!(kernel.deliver_unwritten(9, LEN), 2);
    bed.all_home();
}
