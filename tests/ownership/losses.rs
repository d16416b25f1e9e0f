//! The count of lost chunks: what is dropped is counted, what is given away is not.

use crate::panics::caught;
use std::process::Command;
use xsk::test_util::FakeKernel;
use xsk::{Frame, FramePool, Umem};

fn small() -> (Umem, FramePool) {
    Umem::builder().chunk_count(16).chunk_size(2048).build().unwrap()
}

#[test]
fn each_umem_counts_the_frames_and_pools_that_were_dropped() {
    let ((umem, mut pool), (other, mut other_pool)) = (small(), small());
    assert_eq!((umem.lost_chunks(), other.lost_chunks()), (0, 0));
    drop(pool.take());
    drop(pool.take());
    assert_eq!((umem.lost_chunks(), other.lost_chunks()), (2, 0));
    drop(other_pool.split_off(5));
    assert_eq!((umem.lost_chunks(), other.lost_chunks()), (2, 5));
    // A handle to the same memory has the same count.
    assert_eq!(umem.clone().lost_chunks(), 2);
    if let (Some(counts), Some(others)) = (umem.chunk_counts(), other.chunk_counts()) {
        assert_eq!((counts.pool, counts.user, counts.lost), (14, 0, 2));
        assert_eq!((others.pool, others.user, others.lost), (11, 0, 5));
    }
    // Frames that are held are not lost.
    let frames: Vec<Frame> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(umem.lost_chunks(), 2);
    if let Some(counts) = umem.chunk_counts() {
        assert_eq!((counts.pool, counts.user, counts.lost), (0, 14, 2));
    }
    drop(frames);
    drop(pool);
    assert_eq!(umem.lost_chunks(), 16);
}

#[test]
fn what_goes_into_pools_and_rings_and_comes_back_is_not_lost() {
    let (umem, mut pool) = small();
    let (mut kernel, mut socket) = FakeKernel::new(&umem).unwrap();
    for _ in 0..100 {
        let frame = pool.take().unwrap();
        socket.fill.reserve(1).unwrap().push(frame).unwrap();
        assert!(kernel.deliver(b"hello"));
        for frame in socket.rx.receive(1).unwrap() {
            socket.tx.reserve(1).unwrap().push(frame).unwrap();
        }
        // No slot: the frame comes back.
        let frame = pool.take().unwrap();
        pool.put(socket.tx.reserve(0).unwrap().push(frame).unwrap_err());
        socket.tx.kick_if_needed().unwrap();
        assert_eq!((kernel.transmit_unread(9), kernel.complete(9)), (1, 1));
        pool.extend(socket.completion.reap(1).unwrap());
        socket.tx.send_each(&mut pool, 1, |frame| frame.truncate(60).unwrap()).unwrap();
        socket.tx.kick_if_needed().unwrap();
        assert_eq!((kernel.transmit_unread(9), kernel.complete(9)), (1, 1));
        socket.completion.reap_into(&mut pool, 1).unwrap();
        let other = pool.split_off(3);
        pool.append(other);
    }
    assert_eq!((umem.lost_chunks(), pool.len()), (0, 16));
}

/// What a panic drops is counted as what the user drops.
#[test]
fn chunks_that_a_panic_loses_are_counted() {
    let ((umem, mut pool), (other, mut other_pool)) = (small(), small());
    let (mut kernel, mut socket) = FakeKernel::new(&umem).unwrap();
    socket.fill.fill_from(&mut pool, 4).unwrap();
    kernel.deliver_unwritten(4, 60);
    let mut lost = 0;
    let mut expect = |more: u32| {
        lost += more;
        assert_eq!((umem.lost_chunks(), other.lost_chunks()), (lost, 0));
    };
    caught(|| {
        let _frame = pool.take();
        panic!("in the user's code");
    })
    .unwrap_err();
    expect(1);
    let frame = pool.take().unwrap();
    caught(|| other_pool.put(frame)).unwrap_err();
    expect(1);
    caught(|| socket.tx.send_each(&mut pool, 1, |_| panic!("in a closure"))).unwrap_err();
    expect(1);
    caught(|| socket.rx.receive(1).unwrap().forward_each(&mut socket.tx, |_| panic!("here, too")))
        .unwrap_err();
    expect(1);
    caught(|| socket.rx.receive(1).unwrap().recycle_each(&mut socket.fill, |_| panic!("as well")))
        .unwrap_err();
    // Without the ledger, this one is not counted.
    expect(umem.chunk_counts().map_or(0, |_| 1));
    let some = pool.split_off(2);
    caught(|| other_pool.append(some)).unwrap_err();
    expect(2);
}

/// A count of a UMEM that is gone says nothing about the next one.
#[test]
fn a_new_umem_has_lost_nothing() {
    for _ in 0..5000 {
        let (umem, mut pool) = Umem::builder().chunk_count(2).chunk_size(2048).build().unwrap();
        assert_eq!(umem.lost_chunks(), 0);
        drop(pool.take());
        assert_eq!(umem.lost_chunks(), 1);
    }
}

#[inline(never)]
fn a_function_that_forgets_its_frame(pool: &mut FramePool) {
    let _frame = pool.take();
}

/// With backtraces, which only the environment of the process can ask for.
#[test]
fn the_first_loss_names_the_place() {
    const INSIDE: &str = "XSK_FIRST_LOSS";
    let (umem, mut pool) = small();
    assert!(umem.first_loss().is_none(), "nothing is lost");
    a_function_that_forgets_its_frame(&mut pool);
    drop(pool);
    if umem.chunk_counts().is_none() {
        return assert!(umem.first_loss().is_none(), "there is no ledger");
    }
    if std::env::var_os(INSIDE).is_some() {
        let place = umem.first_loss().unwrap().to_string();
        return assert!(place.contains("a_function_that_forgets_its_frame"), "{place}");
    }
    let inner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "losses::the_first_loss_names_the_place"])
        .env(INSIDE, "1")
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    assert!(inner.status.success(), "{}", String::from_utf8_lossy(&inner.stdout));
}
