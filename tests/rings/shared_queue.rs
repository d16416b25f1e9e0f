//! Several sockets on one queue: what is received and sent is counted for all of them together.

use xsk::ring::RingKind;
use xsk::test_util::{ChunkAudit, FakeKernel, FakeRings, Index, Progress};
use xsk::{FramePool, RingError, SharedQueue, SharedSocket, Umem};

const CHUNKS: u32 = 64;
/// Indices that wrap at once; the added sockets' begin elsewhere.
const START: u32 = u32::MAX - 1;

struct Fixture {
    umem: Umem,
    pool: FramePool,
    kernel: FakeKernel,
    queue: SharedQueue,
    second: SharedSocket,
}

fn rings(start: u32) -> FakeRings {
    let start = Index::new(start);
    FakeRings { rx: 8, tx: 8, fill: 16, completion: 16, start, need_wakeup: true }
}

fn fixture() -> Fixture {
    let (umem, pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
    let (mut kernel, socket) = FakeKernel::with(&umem, rings(START)).unwrap();
    let mut queue = socket.share_queue();
    let second = kernel.add_socket(&mut queue, rings(77)).unwrap();
    Fixture { umem, pool, kernel, queue, second }
}

/// Writes entries into the RX ring of the second socket that no chunk was filled for.
fn receive_more(kernel: &mut FakeKernel, count: u32) {
    // SAFETY: only an index is set, and put right before an entry is taken.
    let mut hostile = unsafe { kernel.hostile_unchecked() }.of_socket(1);
    let index = hostile.published(RingKind::Rx).advance(count);
    hostile.set_index(RingKind::Rx, index);
}

#[test]
fn sockets_together_receive_no_more_than_was_filled() {
    let Fixture { umem, mut pool, mut kernel, mut queue, mut second } = fixture();
    for round in 0..20 {
        assert_eq!(queue.fill.fill_from(&mut pool, 6), Ok(6));
        assert_eq!(kernel.deliver_unwritten(2, 60), 2);
        assert!(kernel.deliver_to(1, b"for the second"));
        // Three of six are left: the second socket's ring says four.
        receive_more(&mut kernel, 3);
        if round % 2 == 0 {
            assert_eq!(queue.rx.receive(9).unwrap().reclaim(&mut pool), 2);
        } else {
            assert_eq!(queue.rx.receive(0).unwrap().len(), 0);
        }
        let together = second.rx.receive(9).map(|batch| batch.len());
        assert_eq!(together, Ok(4), "as many as were filled");
        receive_more(&mut kernel, 1);
        let error = second.rx.receive(9).unwrap_err();
        let outstanding = 4;
        let expected = RingError::TooManyEntries { ring: RingKind::Rx, available: 5, outstanding };
        assert_eq!(error, expected);
        // One that is right again is believed again; what was counted stays counted.
        receive_more(&mut kernel, 4_u32.wrapping_neg());
        let frames: Vec<_> = second.rx.receive(9).unwrap().into_iter().collect();
        assert_eq!(frames.len(), 1);
        assert_eq!(umem.bytes(&frames[0]), b"for the second");
        pool.extend(frames);
        queue.rx.receive(9).unwrap().reclaim(&mut pool);
        // The kernel gives the rest out, to either.
        assert_eq!(kernel.deliver_unwritten_to(1, 3, 60), 3);
        assert_eq!(second.rx.receive(9).unwrap().reclaim(&mut pool), 3);
        ChunkAudit::of(&umem).pool(&pool).rings(&kernel).check().unwrap();
    }
}

#[test]
fn no_more_comes_back_than_all_sockets_sent() {
    let Fixture { umem, mut pool, mut kernel, mut queue, mut second } = fixture();
    for _ in 0..20 {
        assert_eq!(queue.tx.send_from(&mut pool, 2, 60), Ok(2));
        assert_eq!(second.tx.send_from(&mut pool, 3, 60), Ok(3));
        for tx in [&mut queue.tx, &mut second.tx] {
            tx.kick_if_needed().unwrap();
        }
        assert_eq!((kernel.transmit_unread(9), kernel.complete(9)), (5, 5));
        let index = |kernel: &mut FakeKernel, by| {
            // SAFETY: only an index is set, and put right before an entry is taken.
            let mut hostile = unsafe { kernel.hostile_unchecked() };
            let index = hostile.published(RingKind::Completion).advance(by);
            hostile.set_index(RingKind::Completion, index);
        };
        index(&mut kernel, 1);
        let ring = RingKind::Completion;
        let expected = RingError::TooManyEntries { ring, available: 6, outstanding: 5 };
        assert_eq!(queue.completion.reap(9).map(drop), Err(expected));
        index(&mut kernel, u32::MAX);
        assert_eq!(queue.completion.reap_into(&mut pool, 9), Ok(5));
        ChunkAudit::of(&umem).pool(&pool).rings(&kernel).check().unwrap();
        // The next one has another count; what the last sent was not forgotten.
        second = kernel.add_socket(&mut queue, rings(u32::MAX - 5)).unwrap();
    }
}

/// A kick takes from the TX ring of its own socket; a kernel that sends by itself serves all in turn.
#[test]
fn each_socket_kicks_for_itself() {
    let Fixture { umem, mut pool, mut kernel, mut queue, mut second } = fixture();
    let mut send = |tx: &mut xsk::Tx, packet: &[u8]| {
        tx.send_each(&mut pool, 3, |frame| umem.write(frame, packet).unwrap()).unwrap();
    };
    send(&mut queue.tx, b"first");
    send(&mut second.tx, b"second");
    second.tx.kick_if_needed().unwrap();
    assert_eq!(kernel.transmit().as_deref(), Some(&b"second"[..]));
    assert_eq!(kernel.transmit_unread(9), 2, "the first was not kicked");
    kernel.set_need_wakeup(RingKind::Tx, false);
    send(&mut second.tx, b"second");
    assert_eq!(second.tx.kick_if_needed(), Ok(xsk::Kick::NotNeeded));
    let packets: Vec<_> = std::iter::from_fn(|| kernel.transmit()).collect();
    let of_first = packets.iter().filter(|packet| **packet == b"first").count();
    assert_eq!((packets.len(), of_first), (6, 3));
    assert_ne!(packets[0], packets[1], "in turn");
    // The flag of all is set again.
    kernel.set_need_wakeup(RingKind::Tx, true);
    send(&mut second.tx, b"second");
    assert_eq!(second.tx.kick_if_needed(), Ok(xsk::Kick::Done));
    assert_eq!(kernel.transmit_unread(9), 3);
}

/// A socket waits for its own packets.
#[test]
fn each_socket_is_readable_by_itself() {
    let Fixture { mut pool, mut kernel, mut queue, mut second, .. } = fixture();
    queue.fill.fill_from(&mut pool, 8).unwrap();
    let ready = |rx: &dyn std::os::fd::AsFd| xsk::wait(&[rx], Some(std::time::Duration::ZERO));
    assert_eq!((ready(&queue.rx), ready(&second.rx)), (Ok(0), Ok(0)));
    assert!(kernel.deliver_to(1, b"x"));
    assert_eq!((ready(&queue.rx), ready(&second.rx)), (Ok(0), Ok(1)));
    second.rx.receive(9).unwrap().reclaim(&mut pool);
    kernel.complete(0);
    assert_eq!(ready(&second.rx), Ok(0));
    assert!(!kernel.deliver_to(2, b"x"), "there is no such socket");
    queue.rx.receive(9).unwrap().reclaim(&mut pool);
}

#[test]
#[should_panic(expected = "a queue of another kernel")]
fn a_socket_is_added_to_the_queue_of_its_kernel() {
    let (mut one, mut other) = (fixture(), fixture());
    drop(one.kernel.add_socket(&mut other.queue, rings(0)));
}

/// A dropped socket gets nothing, and what it did not kick is not sent.
#[test]
fn a_dropped_socket_takes_no_chunk() {
    let Fixture { umem, mut pool, mut kernel, mut queue, mut second } = fixture();
    queue.fill.fill_from(&mut pool, 8).unwrap();
    assert_eq!(second.tx.send_from(&mut pool, 3, 60), Ok(3));
    drop(second);
    assert!(!kernel.deliver_to(1, b"x"));
    kernel.set_need_wakeup(RingKind::Tx, false);
    assert_eq!(kernel.transmit_unread(9), 0);
    assert_eq!(kernel.ring_contents().fill.len(), 8);
    ChunkAudit::of(&umem).pool(&pool).rings(&kernel).check().unwrap();
    // A loop over what is left goes on.
    let mut kernels = [kernel];
    let sent = Progress::new().check(&mut kernels, || {
        queue.completion.reap_into(&mut pool, 16)?;
        queue.fill.fill_from(&mut pool, 16)?;
        queue.rx.receive(16)?.forward(&mut queue.tx)?;
        queue.tx.kick_if_needed().map(drop)
    });
    assert!(sent.unwrap() > 0);
}

/// Of two queues with two sockets each, every socket is looked at.
#[test]
fn progress_is_asked_of_every_socket() {
    for idle in [None, Some((0, 0)), Some((0, 1)), Some((1, 0)), Some((1, 1))] {
        let (one, other) = (fixture(), fixture());
        let mut kernels = Vec::new();
        let mut parts = Vec::new();
        for Fixture { pool, kernel, queue, second, .. } in [one, other] {
            kernels.push(kernel);
            parts.push((pool, queue, second));
        }
        let result = Progress::new().check(&mut kernels, || {
            for (port, (pool, queue, second)) in parts.iter_mut().enumerate() {
                queue.completion.reap_into(pool, 16)?;
                queue.fill.fill_from(pool, 4)?;
                for (number, rx) in [&mut queue.rx, &mut second.rx].into_iter().enumerate() {
                    if idle != Some((port, number)) {
                        rx.receive(16)?.reclaim(pool);
                    }
                }
            }
            Ok::<_, xsk::Error>(())
        });
        assert_eq!(result.is_ok(), idle.is_none(), "{idle:?}: {result:?}");
    }
}

#[test]
#[should_panic(expected = "the completion ring is that of another queue")]
fn the_completion_ring_of_another_queue_is_refused() {
    let (mut one, mut other) = (fixture(), fixture());
    std::mem::swap(&mut one.queue.completion, &mut other.queue.completion);
    let _ = one.queue.add_socket();
}

/// It would count what the new socket sends, and the queue's own ring would refuse the chunks.
#[test]
#[should_panic(expected = "the completion ring is that of another queue")]
fn a_fake_kernel_refuses_the_completion_ring_of_another_queue() {
    let (mut one, mut other) = (fixture(), fixture());
    std::mem::swap(&mut one.queue.completion, &mut other.queue.completion);
    drop(one.kernel.add_socket(&mut one.queue, rings(0)));
}
