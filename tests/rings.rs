//! The rings through the public API, with the fake kernel on the other side: no root, no network card.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::mem_forget,
    clippy::forget_non_drop,
    clippy::arithmetic_side_effects,
    reason = "tests; the unsafe is the fake kernel's breaking of rules"
)]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xsk::ring::{Fault, Index, Kind};
use xsk::test_util::{FakeKernel, FakeRings};
use xsk::umem::Census;
use xsk::{Frame, Pool, Socket, Umem};

const CHUNK: u64 = 4096;
const CHUNKS: u32 = 64;
const LEN: u32 = 60;

/// A socket with small rings, whose indices wrap soon.
struct Bed {
    umem: Umem,
    pool: Pool,
    kernel: FakeKernel,
    socket: Socket,
}

impl Bed {
    fn new() -> Self {
        let (umem, pool) = Umem::builder().chunks(CHUNKS).build().unwrap();
        let rings = FakeRings {
            rx: 16,
            tx: 16,
            fill: 32,
            completion: 16,
            start: Index::new(u32::MAX - 20),
        };
        let (kernel, socket) = FakeKernel::with(&umem, rings).unwrap();
        Self {
            umem,
            pool,
            kernel,
            socket,
        }
    }

    /// With `count` packets in the RX ring.
    fn with_received(count: u32) -> Self {
        let mut bed = Self::new();
        bed.receive(count);
        bed
    }

    fn receive(&mut self, count: u32) {
        let filled = self.socket.fill.fill_from(&mut self.pool, count).unwrap();
        assert_eq!(filled, count);
        assert_eq!(self.kernel.deliver_unwritten(count, LEN), count);
    }

    /// With `count` chunks in the completion ring.
    fn with_completed(count: u32) -> Self {
        let mut bed = Self::new();
        let Self { pool, socket, .. } = &mut bed;
        assert_eq!(socket.tx.send_from(pool, count, LEN).unwrap(), count);
        assert_eq!(bed.kernel.transmit_unread(count), count);
        assert_eq!(bed.kernel.complete(count), count);
        bed
    }

    /// Takes everything home; answers which chunks are there, each once, and how many are not.
    #[track_caller]
    fn home(&mut self) -> (BTreeSet<u64>, usize) {
        let Self {
            pool,
            kernel,
            socket,
            ..
        } = self;
        // What a forgotten guard left is published with the next batch.
        drop(socket.tx.reserve(0).unwrap());
        drop(socket.fill.reserve(0).unwrap());
        loop {
            let sent = kernel.transmit_unread(u32::MAX) + kernel.complete(u32::MAX);
            let reaped = socket.completion.reap_into(pool, u32::MAX).unwrap();
            let delivered = kernel.deliver_unwritten(u32::MAX, LEN);
            let received = socket.rx.receive(u32::MAX).unwrap().into_pool(pool);
            if sent + reaped + delivered + received == 0 {
                break;
            }
        }
        let home: BTreeSet<u64> = pool.addresses().collect();
        assert_eq!(home.len(), pool.len(), "a chunk is in the pool twice");
        assert!(
            home.iter()
                .all(|a| a % CHUNK == 0 && *a < u64::from(CHUNKS) * CHUNK)
        );
        if let Some(census) = self.umem.census() {
            assert_eq!(census.pool, home.len());
            assert_eq!((census.receiving, census.sending), (0, 0));
        }
        let missing = usize::try_from(CHUNKS).unwrap() - home.len();
        (home, missing)
    }

    #[track_caller]
    fn all_home(&mut self) {
        assert_eq!(self.home().1, 0, "chunks are missing");
    }
}

fn chunk(frame: &Frame) -> u64 {
    frame.address() / CHUNK * CHUNK
}

fn panics<R>(call: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_err()
}

#[test]
fn batches_of_all_sizes_go_round_while_the_indices_wrap() {
    let mut bed = Bed::new();
    for round in 0..200_u32 {
        let batch = round % 17;
        let Bed {
            umem,
            pool,
            kernel,
            socket,
        } = &mut bed;
        socket.fill.fill_from(pool, batch).unwrap();
        let delivered = kernel.deliver_unwritten(batch, LEN);
        let received = socket.rx.receive(batch).unwrap();
        assert_eq!(received.len(), delivered);
        let mut seen = 0;
        let look = |frame: &mut Frame| {
            assert_eq!(umem.bytes(frame).len(), 60);
            seen += 1;
        };
        let moved = match round % 6 {
            0 => received.recycle(&mut socket.fill).unwrap(),
            1 => received.recycle_each(&mut socket.fill, look).unwrap(),
            2 => received.forward(&mut socket.tx).unwrap(),
            3 => received.forward_each(&mut socket.tx, look).unwrap(),
            4 => received.into_pool(pool),
            _ => {
                let mut count = 0;
                for frame in received {
                    pool.put(frame);
                    count += 1;
                }
                count
            }
        };
        assert_eq!(moved, delivered);
        assert!(seen == 0 || seen == moved);
        kernel.transmit_unread(u32::MAX);
        kernel.complete(u32::MAX);
        let reaped = socket.completion.reap(u32::MAX).unwrap();
        match round % 3 {
            0 => _ = reaped.into_fill(&mut socket.fill).unwrap(),
            1 => _ = reaped.into_pool(pool),
            _ => reaped.into_iter().for_each(|frame| pool.put(frame)),
        }
        bed.all_home();
    }
}

#[test]
fn packets_arrive_and_leave_with_their_bytes() {
    let mut bed = Bed::new();
    for round in 0..60_u8 {
        let Bed {
            umem,
            pool,
            kernel,
            socket,
        } = &mut bed;
        socket.fill.fill_from(pool, 3).unwrap();
        for i in 0..3 {
            assert!(kernel.deliver(&[round, i, 7]));
        }
        let edit = |frame: &mut Frame| {
            for byte in umem.bytes_mut(frame) {
                *byte = byte.wrapping_add(1);
            }
        };
        let received = socket.rx.receive(3).unwrap();
        assert_eq!(received.forward_each(&mut socket.tx, edit).unwrap(), 3);
        let write = |frame: &mut Frame| umem.write(frame, &[round, 9]).unwrap();
        assert_eq!(socket.tx.send_each(pool, 1, write).unwrap(), 1);
        for i in 0..3 {
            assert_eq!(kernel.transmit().unwrap(), [round + 1, i + 1, 8]);
        }
        assert_eq!(kernel.transmit().unwrap(), [round, 9]);
        kernel.complete(4);
        assert_eq!(socket.completion.reap_into(pool, 4).unwrap(), 4);
        bed.all_home();
    }
}

#[test]
fn full_rings_take_what_has_room() {
    let mut bed = Bed::new();
    let Bed {
        pool,
        kernel,
        socket,
        ..
    } = &mut bed;
    assert_eq!(socket.tx.send_from(pool, 100, LEN).unwrap(), 16);
    assert_eq!(socket.tx.send_from(pool, 1, LEN).unwrap(), 0);
    assert_eq!(socket.fill.fill_from(pool, 100).unwrap(), 32);
    assert_eq!(socket.fill.fill_from(pool, 1).unwrap(), 0);
    assert_eq!(pool.len(), 16);
    assert_eq!(kernel.deliver_unwritten(5, LEN), 5);
    assert_eq!(socket.fill.fill_from(pool, 3).unwrap(), 3);
    // Two slots are free in the fill ring, and none in the TX ring: the rest stays in the RX ring.
    let received = socket.rx.receive(5).unwrap();
    assert_eq!(received.recycle(&mut socket.fill).unwrap(), 2);
    let received = socket.rx.receive(5).unwrap();
    assert_eq!(
        (received.len(), received.forward(&mut socket.tx)),
        (3, Ok(0))
    );
    let frame = socket.rx.receive(1).unwrap().into_iter().next().unwrap();
    let frame = socket.tx.reserve(1).unwrap().push(frame).unwrap_err();
    let frame = socket.fill.reserve(1).unwrap().push(frame).unwrap_err();
    pool.put(frame);
    bed.all_home();
}

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
    held.into_iter()
        .chain(rest)
        .for_each(|frame| pool.put(frame));
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
    held.into_iter()
        .chain(rest)
        .for_each(|frame| pool.put(frame));
    bed.all_home();
}

#[test]
fn what_a_forgotten_guard_sent_goes_out_with_the_next_batch() {
    let mut bed = Bed::new();
    let Bed {
        pool,
        kernel,
        socket,
        ..
    } = &mut bed;
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

#[test]
fn what_is_not_taken_stays_in_the_ring() {
    let mut bed = Bed::with_received(5);
    let Bed { pool, socket, .. } = &mut bed;
    drop(socket.rx.receive(5).unwrap());
    let mut frames = socket.rx.receive(5).unwrap().into_iter();
    pool.put(frames.next().unwrap());
    assert_eq!(frames.left(), 4);
    drop(frames);
    let received = socket.rx.receive(9).unwrap();
    assert_eq!((received.len(), received.is_empty()), (4, false));
    bed.all_home();

    let mut bed = Bed::with_completed(5);
    let Bed { pool, socket, .. } = &mut bed;
    pool.put(
        socket
            .completion
            .reap(5)
            .unwrap()
            .into_iter()
            .next()
            .unwrap(),
    );
    assert_eq!(socket.completion.reap(9).unwrap().len(), 4);
    bed.all_home();
}

#[test]
fn a_panic_loses_the_frame_in_hand_only() {
    for count in [1, 2, 9, 16] {
        for at in [1, count / 2 + 1, count] {
            let bomb = |left: &mut u32| {
                *left -= 1;
                assert_ne!(*left, 0, "on purpose");
            };
            let mut bed = Bed::with_received(count);
            let Socket { rx, fill, .. } = &mut bed.socket;
            let mut left = at;
            let received = rx.receive(count).unwrap();
            assert!(panics(|| received.recycle_each(fill, |_| bomb(&mut left))));
            assert_eq!(rx.receive(count).unwrap().len(), count - at);
            assert_eq!(bed.home().1, 1, "recycle_each {count} {at}");

            let mut bed = Bed::with_received(count);
            let Socket { rx, tx, .. } = &mut bed.socket;
            let mut left = at;
            let received = rx.receive(count).unwrap();
            assert!(panics(|| received.forward_each(tx, |_| bomb(&mut left))));
            assert_eq!(tx.pending(), at - 1);
            assert_eq!(bed.home().1, 1, "forward_each {count} {at}");

            let mut bed = Bed::new();
            let Bed { pool, socket, .. } = &mut bed;
            let mut left = at;
            assert!(panics(|| socket
                .tx
                .send_each(pool, count, |_| bomb(&mut left))));
            assert_eq!(socket.tx.pending(), at - 1);
            assert_eq!(bed.home().1, 1, "send_each {count} {at}");
        }
    }
}

#[test]
fn frames_that_were_exchanged_are_one_for_each_chunk() {
    for count in [1, 2, 11] {
        let mut bed = Bed::with_received(count);
        let Bed {
            pool,
            kernel,
            socket,
            ..
        } = &mut bed;
        let Socket { rx, fill, tx, .. } = socket;
        let mut held = pool.take().unwrap();
        let before = chunk(&held);
        let swap = |frame: &mut Frame| std::mem::swap(frame, &mut held);
        assert_eq!(
            rx.receive(count).unwrap().recycle_each(fill, swap),
            Ok(count)
        );
        assert_ne!(chunk(&held), before);
        let swap = |frame: &mut Frame| std::mem::swap(frame, &mut held);
        assert_eq!(kernel.deliver_unwritten(count, LEN), count);
        assert_eq!(rx.receive(count).unwrap().forward_each(tx, swap), Ok(count));
        let swap = |frame: &mut Frame| std::mem::swap(frame, &mut held);
        assert_eq!(tx.send_each(pool, 1, swap), Ok(1));
        pool.put(held);
        bed.all_home();
    }
}

#[test]
fn a_frame_kept_by_a_swap_and_a_panic_is_not_handed_out_again() {
    for count in [1, 5] {
        let mut bed = Bed::with_received(count);
        let Bed { pool, socket, .. } = &mut bed;
        let mut held = pool.take().unwrap();
        let received = socket.rx.receive(count).unwrap();
        assert!(panics(|| received.forward_each(&mut socket.tx, |frame| {
            std::mem::swap(frame, &mut held);
            panic!("on purpose");
        })));
        let kept = chunk(&held);
        assert!(!bed.home().0.contains(&kept));
        bed.pool.put(held);
        assert_eq!(bed.home().1, 1);
    }
}

#[test]
fn another_umem_is_refused_before_anything_is_written() {
    let mut a = Bed::with_received(2);
    let mut b = Bed::with_received(2);
    let mut c = Bed::with_completed(2);
    let rx = &mut a.socket.rx;
    assert!(panics(|| rx
        .receive(2)
        .unwrap()
        .recycle(&mut b.socket.fill)));
    assert!(panics(|| rx
        .receive(2)
        .unwrap()
        .recycle_each(&mut b.socket.fill, |_| ())));
    assert!(panics(|| rx.receive(2).unwrap().forward(&mut b.socket.tx)));
    assert!(panics(|| rx
        .receive(2)
        .unwrap()
        .forward_each(&mut b.socket.tx, |_| ())));
    assert!(panics(|| rx.receive(2).unwrap().into_pool(&mut b.pool)));
    let completion = &mut c.socket.completion;
    assert!(panics(|| completion.reap_into(&mut b.pool, 2)));
    assert!(panics(|| completion
        .reap(2)
        .unwrap()
        .into_fill(&mut b.socket.fill)));
    let (tx, fill) = (&mut a.socket.tx, &mut a.socket.fill);
    assert!(panics(|| tx.send_from(&mut b.pool, 1, LEN)));
    assert!(panics(|| tx.send_each(&mut b.pool, 1, |_| ())));
    assert!(panics(|| fill.fill_from(&mut b.pool, 1)));
    // Nothing moved.
    assert_eq!((tx.pending(), fill.pending()), (0, 0));
    assert_eq!((b.socket.tx.pending(), b.socket.fill.pending()), (0, 0));
    assert_eq!(rx.receive(9).unwrap().len(), 2);
    a.all_home();
    b.all_home();
    c.all_home();
    // A frame given to the wrong place is lost with the panic, and nothing is written.
    let mut take = || b.pool.take().unwrap();
    assert!(panics(|| a.socket.tx.reserve(1).unwrap().push(take())));
    assert!(panics(|| a.socket.fill.reserve(1).unwrap().push(take())));
    assert!(panics(|| a.pool.put(take())));
    assert!(panics(|| a.umem.bytes(&take()).len()));
    assert_eq!((a.socket.tx.pending(), a.socket.fill.pending()), (0, 0));
    a.all_home();
    assert_eq!(b.home().1, 4);
}

#[test]
fn a_foreign_frame_from_a_closure_is_not_passed_on() {
    for way in 0..3 {
        let mut a = Bed::with_received(3);
        let mut b = Bed::new();
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
        a.all_home();
        assert_eq!(b.home().1, 1);
    }
}

#[test]
#[should_panic(expected = "packets of 4097 bytes do not fit")]
fn a_length_above_the_chunk_is_not_sent() {
    let mut bed = Bed::new();
    let _ = bed.socket.tx.send_from(&mut bed.pool, 1, 4097);
}

#[test]
#[should_panic(expected = "packets of 0 bytes do not fit")]
fn an_empty_packet_is_not_sent() {
    let mut bed = Bed::new();
    let _ = bed.socket.tx.send_from(&mut bed.pool, 1, 0);
}

/// Every way of taking a batch.
const WAYS: u32 = 6;

/// Takes all there is; answers how many came.
fn take_all(bed: &mut Bed, way: u32) -> Result<u32, Fault> {
    let Bed { pool, socket, .. } = bed;
    let received = socket.rx.receive(u32::MAX)?;
    match way {
        0 => received.recycle(&mut socket.fill),
        1 => received.recycle_each(&mut socket.fill, |_| ()),
        2 => received.forward(&mut socket.tx),
        3 => received.forward_each(&mut socket.tx, |_| ()),
        4 => Ok(received.into_pool(pool)),
        _ => {
            let mut count = 0;
            for frame in received {
                pool.put(frame);
                count += 1;
            }
            Ok(count)
        }
    }
}

#[test]
fn descriptors_outside_a_chunk_are_refused_once_each() {
    let area = u64::from(CHUNKS) * CHUNK;
    let bad = [
        (area, LEN, 0),
        (u64::MAX, LEN, 0),
        (256, 4096, 0),
        (256, 3841, 0),
        (256, 0, 0),
        (0, u32::MAX, 0),
        (256, LEN, 1),
        (256, LEN, 1 << 31),
    ];
    for way in 0..WAYS {
        for (address, len, options) in bad {
            // The length does not matter where only the chunk is kept.
            let lenient = way == 0 || way == 4;
            if lenient && address < area {
                continue;
            }
            for before in [0, 1, 12] {
                let mut bed = Bed::with_received(before);
                // One chunk more is with the kernel, which answers for it with nonsense.
                bed.socket.fill.fill_from(&mut bed.pool, 3).unwrap();
                // SAFETY: the entry names no chunk, or nothing that a frame can be.
                let mut hostile = unsafe { bed.kernel.hostile_unchecked() };
                hostile.receive(address, len, options);
                assert_eq!(bed.kernel.deliver_unwritten(2, LEN), 2);
                assert_eq!(take_all(&mut bed, way), Ok(before));
                let ring = Kind::Rx;
                let fault = Fault::Entry {
                    ring,
                    address,
                    len,
                    options,
                };
                assert_eq!(take_all(&mut bed, way), Err(fault));
                assert_eq!(take_all(&mut bed, way), Ok(2));
                assert_eq!(take_all(&mut bed, way), Ok(0));
            }
        }
    }
}

#[test]
fn completions_outside_the_area_are_refused_once_each() {
    let address = u64::from(CHUNKS) * CHUNK;
    for way in 0..3 {
        let mut bed = Bed::with_completed(3);
        bed.socket.tx.send_from(&mut bed.pool, 1, LEN).unwrap();
        // SAFETY: the entry names no chunk.
        unsafe { bed.kernel.hostile_unchecked() }.complete(address);
        let mut reap = || {
            let Bed { pool, socket, .. } = &mut bed;
            let reaped = socket.completion.reap(9)?;
            match way {
                0 => Ok(reaped.into_pool(pool)),
                1 => reaped.into_fill(&mut socket.fill),
                _ => Ok(u32::try_from(reaped.into_iter().map(|f| pool.put(f)).count()).unwrap()),
            }
        };
        let fault = Fault::Entry {
            ring: Kind::Completion,
            address,
            len: 0,
            options: 0,
        };
        assert_eq!(reap(), Ok(3));
        assert_eq!(reap(), Err(fault));
        assert_eq!(reap(), Ok(0));
    }
}

#[test]
fn indices_that_cannot_be_are_faults() {
    for ring in [Kind::Rx, Kind::Completion, Kind::Fill, Kind::Tx] {
        let mut bed = Bed::new();
        // All chunks of both sides are out, so that only the ring's size is in the way.
        bed.socket.fill.fill_from(&mut bed.pool, 32).unwrap();
        bed.socket.tx.send_from(&mut bed.pool, 16, LEN).unwrap();
        // SAFETY: an index that is refused brings nothing back.
        let mut hostile = unsafe { bed.kernel.hostile_unchecked() };
        let here = hostile.published(ring);
        let produces = matches!(ring, Kind::Rx | Kind::Completion);
        let wrong = if produces { 17 } else { 33 };
        hostile.set_index(ring, here.advance(wrong));
        let Bed { pool, socket, .. } = &mut bed;
        let fault = match ring {
            Kind::Rx => socket.rx.receive(1).map(drop).unwrap_err(),
            Kind::Completion => socket.completion.reap(1).map(drop).unwrap_err(),
            Kind::Fill => socket.fill.fill_from(pool, 1).unwrap_err(),
            Kind::Tx => socket.tx.send_from(pool, 1, LEN).unwrap_err(),
        };
        let size = if ring == Kind::Fill { 32 } else { 16 };
        match fault {
            Fault::Index {
                ring: r,
                distance,
                size: s,
            } => {
                assert_eq!((r, s), (ring, size));
                assert!(distance > size, "{distance}");
            }
            other => panic!("{ring}: {other}"),
        }
        // With the index where it was, all is well.
        // SAFETY: as above; this is the right one.
        unsafe { bed.kernel.hostile_unchecked() }.set_index(ring, here);
        bed.all_home();
    }
}

#[test]
fn more_than_was_given_is_a_fault() {
    let mut bed = Bed::with_received(2);
    // SAFETY: an index that is refused brings nothing back.
    let mut hostile = unsafe { bed.kernel.hostile_unchecked() };
    let (rx, completion) = (
        hostile.published(Kind::Rx),
        hostile.published(Kind::Completion),
    );
    hostile.set_index(Kind::Rx, rx.advance(1));
    hostile.set_index(Kind::Completion, completion.advance(1));
    let fault = |ring, available, outstanding| Fault::TooMany {
        ring,
        available,
        outstanding,
    };
    let Socket {
        rx: r,
        completion: c,
        ..
    } = &mut bed.socket;
    assert_eq!(r.receive(1).map(drop), Err(fault(Kind::Rx, 3, 2)));
    assert_eq!(c.reap(1).map(drop), Err(fault(Kind::Completion, 1, 0)));
    // SAFETY: as above; these are the right ones.
    let mut hostile = unsafe { bed.kernel.hostile_unchecked() };
    hostile.set_index(Kind::Rx, rx);
    hostile.set_index(Kind::Completion, completion);
    bed.all_home();
}

#[test]
fn the_ledger_tells_a_chunk_that_comes_back_twice() {
    for way in 0..WAYS {
        let mut bed = Bed::with_received(1);
        let frame = bed
            .socket
            .rx
            .receive(1)
            .unwrap()
            .into_iter()
            .next()
            .unwrap();
        bed.socket.fill.fill_from(&mut bed.pool, 2).unwrap();
        let address = frame.address();
        let Some(mut hostile) = bed.kernel.hostile() else {
            return; // No ledger, and nobody can tell.
        };
        hostile.receive(address, LEN, 0);
        hostile.complete(address);
        assert_eq!(take_all(&mut bed, way), Ok(0));
        let fault = Fault::Repeated {
            ring: Kind::Rx,
            address,
        };
        assert_eq!(take_all(&mut bed, way), Err(fault));
        bed.socket.tx.send_from(&mut bed.pool, 1, LEN).unwrap();
        let completion = &mut bed.socket.completion;
        assert_eq!(completion.reap_into(&mut bed.pool, 1), Ok(0));
        let fault = Fault::Repeated {
            ring: Kind::Completion,
            address,
        };
        assert_eq!(completion.reap_into(&mut bed.pool, 1), Err(fault));
        bed.pool.put(frame);
    }
}

#[test]
fn the_census_knows_where_chunks_are() {
    let mut bed = Bed::with_received(5);
    let frame = bed
        .socket
        .rx
        .receive(1)
        .unwrap()
        .into_iter()
        .next()
        .unwrap();
    bed.socket.tx.send_from(&mut bed.pool, 7, LEN).unwrap();
    if let Some(census) = bed.umem.census() {
        let expected = Census {
            pool: 52,
            user: 1,
            receiving: 4,
            sending: 7,
        };
        assert_eq!(census, expected);
    }
    bed.pool.put(frame);
    bed.all_home();
}

#[test]
fn pools_split_and_merge_without_losing_a_chunk() {
    let mut bed = Bed::new();
    let mut other = bed.pool.split(20);
    assert_eq!((other.len(), bed.pool.len()), (20, 44));
    assert_eq!(bed.pool.feed(&mut other, 4), 4);
    bed.socket.fill.fill_from(&mut other, 24).unwrap();
    assert!(other.is_empty());
    let third = std::thread::spawn(move || other).join().unwrap();
    bed.pool.merge(third);
    bed.all_home();
}

#[test]
fn a_fake_kernel_keeps_off_chunks_that_were_given_away() {
    let mut bed = Bed::new();
    bed.socket.fill.fill_from(&mut bed.pool, 1).unwrap();
    bed.socket.tx.send_from(&mut bed.pool, 1, LEN).unwrap();
    let Some(mut hostile) = bed.kernel.hostile() else {
        return; // Without the ledger nobody can know, and the steps are unsafe.
    };
    // The chunk that lies in the fill ring arrives before it was written; the one in the TX ring comes back
    // before it was sent.
    let places = bed.umem.places().unwrap();
    let at =
        |place| u64::try_from(places.iter().position(|p| *p == place).unwrap()).unwrap() * CHUNK;
    hostile.receive(at(xsk::umem::Place::Receiving), LEN, 0);
    hostile.complete(at(xsk::umem::Place::Sending));
    let mut received = bed
        .socket
        .rx
        .receive(1)
        .unwrap()
        .into_iter()
        .next()
        .unwrap();
    let mut reaped = bed
        .socket
        .completion
        .reap(1)
        .unwrap()
        .into_iter()
        .next()
        .unwrap();
    for frame in [&mut received, &mut reaped] {
        bed.umem.write(frame, &[7; 60]).unwrap();
    }
    assert!(
        !bed.kernel.deliver(&[9; 60]),
        "there is no chunk to receive into"
    );
    assert_eq!(bed.kernel.transmit(), None, "there is no chunk to send");
    for frame in [&received, &reaped] {
        assert_eq!(bed.umem.bytes(frame), &[7; 60]);
    }
}

#[test]
fn a_batch_that_ended_with_a_refused_entry_stays_at_its_end() {
    let mut bed = Bed::with_received(1);
    let batch = bed.socket.rx.receive(1).unwrap();
    let frame = batch.into_iter().next().unwrap();
    let address = frame.address();
    let Some(mut hostile) = bed.kernel.hostile() else {
        return; // Nobody could tell its entry from a good one.
    };
    // A packet in a chunk that is in hand, and a good one.
    hostile.receive(address, LEN, 0);
    assert_eq!(bed.socket.fill.fill_from(&mut bed.pool, 2), Ok(2));
    assert_eq!(bed.kernel.deliver_unwritten(1, LEN), 1);
    let mut frames = bed.socket.rx.receive(8).unwrap().into_iter();
    assert_eq!(frames.next(), None);
    // The chunk goes where such an entry could come from. It is not read again all the same.
    let mut filling = bed.socket.fill.reserve(1).unwrap();
    filling.push(frame).unwrap();
    drop(filling);
    assert_eq!((frames.next(), frames.left()), (None, 0));
    drop(frames);
    let fault = Fault::Repeated {
        ring: Kind::Rx,
        address,
    };
    assert_eq!(bed.socket.rx.receive(8).unwrap_err(), fault);
    // The next one is not passed over.
    assert_eq!(bed.socket.rx.receive(8).unwrap().into_iter().count(), 1);
}
