//! Parts that are dropped in any order.

use xsk::test_util::{ChunkAudit, FakeKernel, FakeRings};
use xsk::{Frame, FramePool, Umem};

fn small() -> (Umem, FramePool) {
    Umem::builder().chunk_count(8).chunk_size(2048).build().unwrap()
}

#[test]
fn a_socket_keeps_its_memory_when_every_handle_is_gone() {
    let (umem, mut pool) = small();
    let (mut kernel, mut socket) = FakeKernel::new(&umem).unwrap();
    drop(umem);
    assert_eq!(socket.fill.fill_from(&mut pool, 2), Ok(2));
    drop(pool);
    assert!(kernel.deliver(b"to no handle"));
    let batch = socket.rx.receive(2).unwrap();
    assert_eq!(batch.forward(&mut socket.tx), Ok(1));
    socket.tx.kick_if_needed().unwrap();
    assert_eq!(kernel.transmit().as_deref(), Some(&b"to no handle"[..]));
}

/// Closing a socket takes what is in its rings with it, and nothing else.
#[test]
fn what_lay_in_a_closed_sockets_rings_is_lost_and_never_seen_again() {
    let (umem, mut pool) = small();
    let (mut kernel, mut socket) = FakeKernel::new(&umem).unwrap();
    socket.fill.fill_from(&mut pool, 3).unwrap();
    socket.tx.send_from(&mut pool, 2, 60).unwrap();
    assert!(kernel.deliver(b"one") && kernel.deliver(b"two"));
    let mut held: Vec<Frame> = socket.rx.receive(1).unwrap().into_iter().collect();
    let rings = kernel.ring_contents();
    let lost: Vec<u64> = (rings.fill.iter().copied())
        .chain(rings.rx.iter().chain(&rings.tx).map(|desc| desc.addr))
        .collect();
    assert_eq!(lost.len(), 4);
    drop((kernel, socket));

    // The others go round a new socket many times, and the lost ones do not turn up.
    let (mut kernel, mut socket) = FakeKernel::new(&umem).unwrap();
    for _ in 0..20 {
        socket.fill.fill_from(&mut pool, 8).unwrap();
        assert_eq!(kernel.deliver_unwritten(8, 60), 3);
        for frame in socket.rx.receive(8).unwrap() {
            assert!(!lost.iter().any(|chunk| chunk / 2048 == frame.address() / 2048));
            pool.put(frame);
        }
        assert_eq!(umem.bytes(&held[0]), b"one");
        let found = ChunkAudit::of(&umem).pool(&pool).frames(&held).rings(&kernel);
        found.lost(lost.iter().copied()).check().unwrap();
    }
    pool.put(held.pop().unwrap());
    assert_eq!(pool.len(), 4);
}

#[test]
fn the_parts_of_a_socket_go_in_any_order() {
    for first in 0..4 {
        let (umem, mut pool) = small();
        let rings = FakeRings { need_wakeup: false, ..FakeRings::default() };
        let (mut kernel, socket) = FakeKernel::with(&umem, rings).unwrap();
        let (mut rx, mut tx, mut fill) = (Some(socket.rx), Some(socket.tx), Some(socket.fill));
        let mut completion = Some(socket.completion);
        drop(socket.handle);
        fill.as_mut().unwrap().fill_from(&mut pool, 4).unwrap();
        tx.as_mut().unwrap().send_from(&mut pool, 2, 60).unwrap();
        match first {
            0 => drop(rx.take()),
            1 => drop(tx.take()),
            2 => drop(fill.take()),
            _ => drop(completion.take()),
        }
        assert!(kernel.deliver(b"x"));
        assert_eq!((kernel.transmit_unread(2), kernel.complete(2)), (2, 2));
        if let Some(rx) = &mut rx {
            assert_eq!(rx.receive(9).unwrap().reclaim(&mut pool), 1);
        }
        if let Some(completion) = &mut completion {
            assert_eq!(completion.reap_into(&mut pool, 9), Ok(2));
        }
        let found = ChunkAudit::of(&umem).pool(&pool).rings(&kernel);
        found.check().unwrap();
    }
}
