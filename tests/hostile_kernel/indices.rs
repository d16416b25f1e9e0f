//! One index that is not where it should be.

use crate::fixture::{Fixture, unchecked};
use crate::input::{chunks, kind};
use proptest::prelude::*;
use xsk::ring::RingKind;
use xsk::test_util::{FakeKernel, FakeRings, RingContents, strategies};
use xsk::{Frame, RingError, Umem};

/// Any value of any index: an impossible one is refused, with the right name; the fault is gone
/// when the index is right again.
#[test]
fn an_index_that_cannot_be_is_refused_on_every_ring() {
    let far = prop_oneof![3 => 0..20_u32, 3 => (0..20_u32).prop_map(u32::wrapping_neg), 1 => any::<u32>()];
    let index = (chunks(), kind(), far, strategies::index(), 0..=3_u32);
    proptest!(strategies::config(2000), |((chunks, ring, far, start, more) in index)| {
        // The kernel was given `2 + more` of each kind, took one, and gave it back.
        let mut fixture = Fixture::new(chunks, start);
        let Fixture { umem, pool, kernel, socket, .. } = &mut fixture;
        assert_eq!(socket.fill.fill_from(pool, 2 + more), Ok(2 + more));
        assert_eq!(socket.tx.send_from(pool, 2, 60), Ok(2));
        assert!(kernel.deliver(b"x"));
        assert_eq!((kernel.transmit_unread(1), kernel.complete(1)), (1, 1));
        assert_eq!(socket.tx.send_from(pool, more, 60), Ok(more));
        // SAFETY: only indices are set, and no entry is taken while one is wrong.
        let mut hostile = unsafe { unchecked(kernel) };
        let right = hostile.published(ring);
        hostile.set_index(ring, right.advance(far));
        let size = if ring == RingKind::Fill { 8 } else { 4 };
        let too_many = |there| RingError::TooManyEntries { ring, available: there, outstanding: 2 + more };
        let ahead = |distance| RingError::BadIndex { ring, distance, capacity: size };
        let (answer, expected) = match ring {
            // One is available: now `1 + far`.
            RingKind::Rx | RingKind::Completion => {
                let answer = match ring {
                    RingKind::Rx => socket.rx.receive(99).map(|batch| u32::try_from(batch.len()).unwrap()),
                    _ => socket.completion.reap(99).map(|batch| u32::try_from(batch.len()).unwrap()),
                };
                let there = far.wrapping_add(1);
                let expected = match there {
                    0..=4 if there <= 2 + more => Ok(there),
                    0..=4 => Err(too_many(there)),
                    _ => Err(ahead(there)),
                };
                (answer, expected)
            }
            // `1 + more` are pending: now fewer by `far`.
            RingKind::Fill | RingKind::Tx => {
                let answer = match ring {
                    RingKind::Fill => socket.fill.reserve(99).map(|slots| slots.remaining()),
                    _ => socket.tx.reserve(99).map(|slots| slots.remaining()),
                };
                let pending = (1 + more).wrapping_sub(far);
                let expected = if pending <= size { Ok(size - pending) } else { Err(ahead(pending)) };
                (answer, expected)
            }
        };
        prop_assert_eq!(answer, expected);
        // SAFETY: as above.
        unsafe { unchecked(kernel) }.set_index(ring, right);
        let received: Vec<Frame> = socket.rx.receive(9).unwrap().into_iter().collect();
        prop_assert_eq!(received.len(), 1);
        prop_assert_eq!(umem.bytes(&received[0]), b"x");
        prop_assert_eq!(socket.completion.reap_into(pool, 9), Ok(1));
        prop_assert_eq!(socket.fill.fill_from(pool, 1), Ok(1));
        prop_assert_eq!(kernel.transmit_unread(1), 1);
        prop_assert_eq!(socket.tx.send_from(pool, 1, 60), Ok(1));
    });
}

/// Rings of 8 entries, of a kernel that sends by itself.
fn small_rings() -> FakeRings {
    let need_wakeup = false;
    FakeRings { rx: 8, tx: 8, fill: 8, completion: 8, need_wakeup, ..FakeRings::default() }
}

/// Two steps ahead that come round: entries in the user's hands stay as they are.
#[test]
fn an_index_that_comes_round_changes_no_entry_in_hand() {
    let (umem, mut pool) = Umem::builder().chunk_count(16).build().unwrap();
    let (mut kernel, mut socket) = FakeKernel::with(&umem, small_rings()).unwrap();
    if kernel.hostile().is_none() {
        return;
    }
    let half = i32::MAX.unsigned_abs();
    assert_eq!(socket.fill.fill_from(&mut pool, 8), Ok(8));
    assert_eq!(socket.tx.send_from(&mut pool, 8, 60), Ok(8));
    assert_eq!(kernel.deliver_unwritten(8, 60), 8);
    assert_eq!((kernel.transmit_unread(8), kernel.complete(8)), (8, 8));
    let received = socket.rx.receive(8).unwrap();
    let completed = socket.completion.reap(8).unwrap();
    let mut hostile = kernel.hostile().unwrap();
    for ring in [RingKind::Rx, RingKind::Completion] {
        let right = hostile.published(ring);
        for steps in 1..=2 {
            hostile.set_index(ring, right.advance(half.wrapping_mul(steps)));
        }
    }
    for _ in 0..8 {
        hostile.receive(0, 99, 0);
        hostile.complete(0);
    }
    let lens: Vec<u32> = received.into_iter().map(|frame| frame.len()).collect();
    assert_eq!(lens, [60; 8]);
    assert_eq!(completed.into_iter().count(), 8);
    let RingContents { rx, completion, .. } = kernel.ring_contents();
    assert_eq!((rx, completion), (Vec::new(), Vec::new()), "rings that have ended");
}

/// As above, for the rings that the user writes: the kernel reads none of their entries again.
#[test]
fn an_index_that_comes_round_makes_the_kernel_read_nothing() {
    let (umem, mut pool) = Umem::builder().chunk_count(16).build().unwrap();
    let (mut kernel, mut socket) = FakeKernel::with(&umem, small_rings()).unwrap();
    if kernel.hostile().is_none() {
        return;
    }
    assert_eq!(socket.fill.fill_from(&mut pool, 4), Ok(4));
    assert_eq!(socket.tx.send_from(&mut pool, 4, 60), Ok(4));
    assert_eq!((kernel.deliver_unwritten(4, 60), kernel.transmit_unread(4)), (4, 4));
    let half = i32::MAX.unsigned_abs();
    let mut hostile = kernel.hostile().unwrap();
    for ring in [RingKind::Fill, RingKind::Tx] {
        let right = hostile.published(ring);
        for steps in 1..=2 {
            hostile.set_index(ring, right.advance(half.wrapping_mul(steps)));
        }
        hostile.set_index(ring, right);
    }
    assert_eq!(socket.fill.fill_from(&mut pool, 4), Ok(4));
    assert_eq!(socket.tx.send_from(&mut pool, 4, 60), Ok(4));
    assert_eq!((kernel.deliver_unwritten(4, 60), kernel.transmit_unread(4)), (0, 0));
}

/// An index that the kernel sets behind makes no entry that it has taken, or that the user is
/// writing, one of the ring again.
#[test]
fn contents_of_a_ring_do_not_follow_a_wrong_index() {
    let (umem, mut pool) = Umem::builder().chunk_count(16).build().unwrap();
    let (mut kernel, mut socket) = FakeKernel::with(&umem, small_rings()).unwrap();
    if kernel.hostile().is_none() {
        return;
    }
    assert_eq!(socket.fill.fill_from(&mut pool, 8), Ok(8));
    assert_eq!(socket.tx.send_from(&mut pool, 8, 60), Ok(8));
    assert_eq!((kernel.deliver_unwritten(6, 60), kernel.transmit_unread(6)), (6, 6));
    assert_eq!(kernel.complete(6), 6);
    let before = kernel.ring_contents();
    assert_eq!((before.fill.len(), before.tx.len(), before.rx.len()), (2, 2, 6));
    let mut hostile = kernel.hostile().unwrap();
    for ring in [RingKind::Rx, RingKind::Tx, RingKind::Fill, RingKind::Completion] {
        let right = hostile.published(ring);
        hostile.set_index(ring, right.advance(3_u32.wrapping_neg()));
    }
    assert_eq!(kernel.ring_contents(), before);
}
