//! Impossible values of the kernel's indices.

use crate::fixture::{Fixture, LEN};
use xsk::Socket;
use xsk::ring::{RingError, RingKind};

#[test]
fn indices_that_cannot_be_are_faults() {
    for ring in [RingKind::Rx, RingKind::Completion, RingKind::Fill, RingKind::Tx] {
        let mut fixture = Fixture::new();
        // All chunks of both sides are out, so that only the ring's size limits.
        fixture.socket.fill.fill_from(&mut fixture.pool, 32).unwrap();
        fixture.socket.tx.send_from(&mut fixture.pool, 16, LEN).unwrap();
        // SAFETY: an index that is refused brings nothing back.
        let mut hostile = unsafe { fixture.kernel.hostile_unchecked() };
        let here = hostile.published(ring);
        let produces = matches!(ring, RingKind::Rx | RingKind::Completion);
        let wrong = if produces { 17 } else { 33 };
        hostile.set_index(ring, here.advance(wrong));
        let Fixture { pool, socket, .. } = &mut fixture;
        let fault = match ring {
            RingKind::Rx => socket.rx.receive(1).map(drop).unwrap_err(),
            RingKind::Completion => socket.completion.reap(1).map(drop).unwrap_err(),
            RingKind::Fill => socket.fill.fill_from(pool, 1).unwrap_err(),
            RingKind::Tx => socket.tx.send_from(pool, 1, LEN).unwrap_err(),
        };
        let size = if ring == RingKind::Fill { 32 } else { 16 };
        match fault {
            RingError::BadIndex { ring: r, distance, capacity: s } => {
                assert_eq!((r, s), (ring, size));
                assert!(distance > size, "{distance}");
            }
            other => panic!("{ring}: {other}"),
        }
        // With the index where it was, everything works.
        // SAFETY: as above; this is the right one.
        unsafe { fixture.kernel.hostile_unchecked() }.set_index(ring, here);
        fixture.assert_all_back();
    }
}

#[test]
fn more_than_was_given_is_a_fault() {
    let mut fixture = Fixture::with_received(2);
    // SAFETY: an index that is refused brings nothing back.
    let mut hostile = unsafe { fixture.kernel.hostile_unchecked() };
    let (rx, completion) =
        (hostile.published(RingKind::Rx), hostile.published(RingKind::Completion));
    hostile.set_index(RingKind::Rx, rx.advance(1));
    hostile.set_index(RingKind::Completion, completion.advance(1));
    let fault =
        |ring, available, outstanding| RingError::TooManyEntries { ring, available, outstanding };
    let Socket { rx: r, completion: c, .. } = &mut fixture.socket;
    assert_eq!(r.receive(1).map(drop), Err(fault(RingKind::Rx, 3, 2)));
    assert_eq!(c.reap(1).map(drop), Err(fault(RingKind::Completion, 1, 0)));
    // SAFETY: as above; these are the right ones.
    let mut hostile = unsafe { fixture.kernel.hostile_unchecked() };
    hostile.set_index(RingKind::Rx, rx);
    hostile.set_index(RingKind::Completion, completion);
    fixture.assert_all_back();
}
