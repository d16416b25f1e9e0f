//! A forgotten guard delays; it must not stop a ring for good.

use xsk::Umem;
use xsk::test_util::{FakeKernel, FakeRings};

fn rings() -> FakeRings {
    FakeRings { rx: 2, tx: 2, ..FakeRings::default() }
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
