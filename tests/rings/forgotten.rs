//! Guards that were forgotten: they delay, never hand out a chunk twice, and do not stop a ring for
//! good.

use crate::fixture::{Fixture, LEN, chunk};
use std::collections::BTreeSet;
use xsk::test_util::{FakeKernel, FakeRings};
use xsk::{Frame, Umem};

#[test]
fn forgotten_receive_guards_hand_nothing_out_twice() {
    let mut fixture = Fixture::with_received(6);
    let Fixture { pool, socket, .. } = &mut fixture;
    std::mem::forget(socket.rx.receive(6).unwrap());
    let mut frames = socket.rx.receive(6).unwrap().into_iter();
    let held: Vec<Frame> = frames.by_ref().take(2).collect();
    std::mem::forget(frames);
    let rest: Vec<Frame> = socket.rx.receive(6).unwrap().into_iter().collect();
    assert_eq!((held.len(), rest.len()), (2, 4));
    let different: BTreeSet<u64> = held.iter().chain(&rest).map(chunk).collect();
    assert_eq!(different.len(), 6);
    held.into_iter().chain(rest).for_each(|frame| pool.put(frame));
    fixture.assert_all_back();
    // The kernel got all slots of the ring back.
    fixture.receive(16);
    fixture.assert_all_back();
}

#[test]
fn forgotten_reap_guards_hand_nothing_out_twice() {
    let mut fixture = Fixture::with_completed(6);
    let Fixture { pool, socket, .. } = &mut fixture;
    std::mem::forget(socket.completion.reap(6).unwrap());
    let mut frames = socket.completion.reap(6).unwrap().into_iter();
    let held: Vec<Frame> = frames.by_ref().take(2).collect();
    std::mem::forget(frames);
    let rest: Vec<Frame> = socket.completion.reap(6).unwrap().into_iter().collect();
    let different: BTreeSet<u64> = held.iter().chain(&rest).map(chunk).collect();
    assert_eq!((held.len(), rest.len(), different.len()), (2, 4, 6));
    held.into_iter().chain(rest).for_each(|frame| pool.put(frame));
    fixture.assert_all_back();
}

#[test]
fn what_a_forgotten_guard_sent_goes_out_with_the_next_batch() {
    let mut fixture = Fixture::new();
    let Fixture { pool, kernel, socket, .. } = &mut fixture;
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
    fixture.assert_all_back();
}

fn rings() -> FakeRings {
    FakeRings { rx: 2, tx: 2, need_wakeup: false, ..FakeRings::default() }
}

#[test]
fn a_forgotten_batch_does_not_stop_a_loop_of_whole_batches_from_receiving() {
    let (umem, mut pool) = Umem::builder().chunk_count(8).build().unwrap();
    let (mut kernel, mut socket) = FakeKernel::with(&umem, rings()).unwrap();
    socket.fill.fill_from(&mut pool, 8).unwrap();
    assert_eq!(kernel.deliver_unwritten(2, 60), 2);
    let mut frames = socket.rx.receive(2).unwrap().into_iter();
    let held = (frames.next().unwrap(), frames.next().unwrap());
    std::mem::forget(frames);
    let mut received = 0;
    for _ in 0..1000 {
        kernel.deliver(b"more");
        received += socket.rx.receive(2).unwrap().recycle(&mut socket.fill).unwrap();
    }
    assert!(received > 0, "the two slots never went back to the kernel");
    drop(held);
}

#[test]
fn a_forgotten_batch_does_not_stop_a_loop_of_whole_batches_from_sending() {
    let (umem, mut pool) = Umem::builder().chunk_count(8).build().unwrap();
    let (mut kernel, mut socket) = FakeKernel::with(&umem, rings()).unwrap();
    let mut slots = socket.tx.reserve(2).unwrap();
    slots.push(pool.take().unwrap()).unwrap();
    slots.push(pool.take().unwrap()).unwrap();
    std::mem::forget(slots);
    let mut sent = 0;
    for _ in 0..1000 {
        socket.tx.send_from(&mut pool, 2, 60).unwrap();
        sent += kernel.transmit_unread(2);
        kernel.complete(2);
        socket.completion.reap_into(&mut pool, 2).unwrap();
    }
    assert!(sent > 0, "the two packets were never published");
}
