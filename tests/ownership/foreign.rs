//! What belongs to one UMEM is refused by every part of another, before anything is written.

use crate::panics::caught;
use xsk::test_util::{ChunkAudit, FakeKernel, FakeRings, Index};
use xsk::{Frame, FramePool, Socket, Umem, Verdict};

struct Fixture {
    umem: Umem,
    pool: FramePool,
    kernel: FakeKernel,
    socket: Socket,
}

/// Returns a socket with a packet in each ring, and one with the kernel.
fn fixture() -> Fixture {
    let (umem, mut pool) = Umem::builder().chunk_count(32).chunk_size(2048).build().unwrap();
    umem.for_each_free_chunk(&mut pool, |bytes| bytes.fill(7));
    let (start, need_wakeup) = (Index::new(u32::MAX - 2), false);
    let rings = FakeRings { rx: 8, tx: 8, fill: 8, completion: 8, start, need_wakeup };
    let (mut kernel, mut socket) = FakeKernel::with(&umem, rings).unwrap();
    assert_eq!(socket.fill.fill_from(&mut pool, 4), Ok(4));
    assert_eq!(socket.tx.send_from(&mut pool, 4, 60), Ok(4));
    assert_eq!(kernel.deliver_unwritten(3, 60), 3);
    assert_eq!((kernel.transmit_unread(3), kernel.complete(2)), (3, 2));
    Fixture { umem, pool, kernel, socket }
}

/// One way to mix two UMEMs up; it takes the frame or leaves it.
type Mistake = fn(&mut Fixture, &mut Fixture, &mut Option<Frame>);

const MISTAKES: &[(&str, Mistake)] = &[
    ("Umem::bytes", |here, _, frame| {
        let _ = here.umem.bytes(frame.as_ref().unwrap()).len();
    }),
    ("Umem::bytes_mut", |here, _, frame| here.umem.bytes_mut(frame.as_mut().unwrap()).fill(1)),
    ("Umem::set_len", |here, _, frame| here.umem.set_len(frame.as_mut().unwrap(), 9).unwrap()),
    ("Umem::grow_front", |here, _, frame| {
        here.umem.grow_front(frame.as_mut().unwrap(), 0).unwrap();
    }),
    ("Umem::write", |here, _, frame| here.umem.write(frame.as_mut().unwrap(), b"no").unwrap()),
    ("Umem::for_each_free_chunk", |here, there, _| {
        here.umem.for_each_free_chunk(&mut there.pool, |bytes| bytes.fill(1))
    }),
    ("FramePool::put", |here, _, frame| here.pool.put(frame.take().unwrap())),
    ("FramePool::append", |here, there, _| here.pool.append(there.pool.split_off(0))),
    ("FramePool::move_to", |here, there, _| assert_eq!(here.pool.move_to(&mut there.pool, 3), 3)),
    ("FillBatch::push", |here, _, frame| {
        drop(here.socket.fill.reserve(2).unwrap().push(frame.take().unwrap()));
    }),
    ("FillBatch::push without a slot", |here, _, frame| {
        drop(here.socket.fill.reserve(0).unwrap().push(frame.take().unwrap()));
    }),
    ("TxBatch::push", |here, _, frame| {
        drop(here.socket.tx.reserve(2).unwrap().push(frame.take().unwrap()));
    }),
    ("TxBatch::push without a slot", |here, _, frame| {
        drop(here.socket.tx.reserve(0).unwrap().push(frame.take().unwrap()));
    }),
    ("Fill::fill_from", |here, there, _| {
        let _ = here.socket.fill.fill_from(&mut there.pool, 2).unwrap();
    }),
    ("Tx::send_from", |here, there, _| {
        let _ = here.socket.tx.send_from(&mut there.pool, 2, 60).unwrap();
    }),
    ("Tx::send_each", |here, there, _| {
        let never = |_: &mut Frame| unreachable!("called");
        let _ = here.socket.tx.send_each(&mut there.pool, 2, never).unwrap();
    }),
    ("Completion::reap_into", |here, there, _| {
        let _ = here.socket.completion.reap_into(&mut there.pool, 2).unwrap();
    }),
    ("CompletionBatch::recycle", |here, there, _| {
        let batch = here.socket.completion.reap(2).unwrap();
        let _ = batch.recycle(&mut there.socket.fill).unwrap();
    }),
    ("RxBatch::reclaim", |here, there, _| {
        let _ = here.socket.rx.receive(2).unwrap().reclaim(&mut there.pool);
    }),
    ("RxBatch::recycle", |here, there, _| {
        let batch = here.socket.rx.receive(2).unwrap();
        let _ = batch.recycle(&mut there.socket.fill).unwrap();
    }),
    ("RxBatch::forward", |here, there, _| {
        let _ = here.socket.rx.receive(2).unwrap().forward(&mut there.socket.tx).unwrap();
    }),
    ("RxBatch::recycle_each", |here, there, _| {
        let never = |_: &mut Frame| unreachable!("called");
        let batch = here.socket.rx.receive(2).unwrap();
        let _ = batch.recycle_each(&mut there.socket.fill, never).unwrap();
    }),
    ("RxBatch::forward_each", |here, there, _| {
        let never = |_: &mut Frame| unreachable!("called");
        let batch = here.socket.rx.receive(2).unwrap();
        let _ = batch.forward_each(&mut there.socket.tx, never).unwrap();
    }),
    ("RxBatch::route_each, TX ring", |here, there, _| {
        let Socket { rx, fill, .. } = &mut here.socket;
        let batch = rx.receive(2).unwrap();
        let _ = batch.route_each(&mut there.socket.tx, fill, &mut here.pool, never).unwrap();
    }),
    ("RxBatch::route_each, fill ring", |here, there, _| {
        let Socket { rx, tx, .. } = &mut here.socket;
        let batch = rx.receive(2).unwrap();
        let _ = batch.route_each(tx, &mut there.socket.fill, &mut here.pool, never).unwrap();
    }),
    ("RxBatch::route_each, pool", |here, there, _| {
        let Socket { rx, tx, fill, .. } = &mut here.socket;
        let batch = rx.receive(2).unwrap();
        let _ = batch.route_each(tx, fill, &mut there.pool, never).unwrap();
    }),
    ("RxBatch::route_each, all three", |here, there, _| {
        let Socket { tx, fill, .. } = &mut there.socket;
        let batch = here.socket.rx.receive(2).unwrap();
        let _ = batch.route_each(tx, fill, &mut there.pool, never).unwrap();
    }),
];

fn never(_: Frame) -> Verdict {
    unreachable!("called")
}

impl Fixture {
    fn state(&mut self) -> (Vec<u64>, xsk::test_util::RingContents, Vec<u8>) {
        let mut bytes = Vec::new();
        self.umem.for_each_free_chunk(&mut self.pool, |chunk| bytes.push(chunk[0]));
        (self.pool.addresses().collect(), self.kernel.ring_contents(), bytes)
    }
}

#[test]
fn every_mistake_panics_and_changes_nothing() {
    for (name, mistake) in MISTAKES {
        let (mut here, mut there) = (fixture(), fixture());
        let mut frame = there.pool.take();
        let before = (here.state(), there.state());
        let chunk = frame.as_ref().unwrap().address();
        let message = caught(|| mistake(&mut here, &mut there, &mut frame)).expect_err(name);
        let message = message.downcast::<String>().expect(name);
        assert!(message.starts_with("a frame of UMEM "), "{name}: {message}");
        assert_eq!((here.state(), there.state()), before, "{name} changed something");
        // A frame that was given away is lost; one that was lent is unchanged.
        let lost = match &frame {
            None => Some(chunk),
            Some(frame) => {
                assert_eq!((frame.address(), frame.len()), (chunk, 2048), "{name}");
                None
            }
        };
        for fixture in [&here, &there] {
            let found = ChunkAudit::of(&fixture.umem)
                .pool(&fixture.pool)
                .frames(&frame)
                .rings(&fixture.kernel);
            let owner = std::ptr::eq(fixture, &there);
            found.lost(lost.filter(|_| owner)).check().expect(name);
        }
        // Both continue.
        assert_eq!(here.socket.fill.fill_from(&mut here.pool, 1), Ok(1), "{name}");
        assert!(there.kernel.deliver(b"x"), "{name}");
    }
}

/// A new UMEM gets the memory of one that is gone, but not its number.
#[test]
fn a_frame_that_outlived_its_umem_passes_for_none_of_the_next() {
    let build = || Umem::builder().chunk_count(4).chunk_size(2048).build().unwrap();
    let (umem, mut pool) = build();
    let old = pool.take().unwrap();
    drop((umem, pool));
    for _ in 0..300 {
        let (umem, mut pool) = build();
        caught(|| umem.bytes(&old).len()).unwrap_err();
        let new = pool.take().unwrap();
        assert_eq!(umem.bytes(&new).len(), 2048);
    }
    let (_umem, mut pool) = build();
    caught(|| pool.put(old)).unwrap_err();
    assert_eq!(pool.len(), 4);
}
