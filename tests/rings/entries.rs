//! Entries that name no chunk, or one that was not given: a fault each, and the entries after it
//! are not skipped.

use crate::fixture::{CHUNK, CHUNKS, Fixture, LEN, WAYS, take_all};
use xsk::ring::{RingError, RingKind};

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
                let mut fixture = Fixture::with_received(before);
                // The kernel has one chunk more, and returns an invalid entry for it.
                fixture.socket.fill.fill_from(&mut fixture.pool, 3).unwrap();
                // SAFETY: the entry names no chunk, or nothing that a frame can be.
                let mut hostile = unsafe { fixture.kernel.hostile_unchecked() };
                hostile.receive(address, len, options);
                assert_eq!(fixture.kernel.deliver_unwritten(2, LEN), 2);
                assert_eq!(take_all(&mut fixture, way), Ok(before));
                let ring = RingKind::Rx;
                let fault = RingError::BadEntry { ring, address, len, options };
                assert_eq!(take_all(&mut fixture, way), Err(fault));
                assert_eq!(take_all(&mut fixture, way), Ok(2));
                assert_eq!(take_all(&mut fixture, way), Ok(0));
            }
        }
    }
}

#[test]
fn completions_outside_the_area_are_refused_once_each() {
    let address = u64::from(CHUNKS) * CHUNK;
    for way in 0..3 {
        let mut fixture = Fixture::with_completed(3);
        fixture.socket.tx.send_from(&mut fixture.pool, 1, LEN).unwrap();
        // SAFETY: the entry names no chunk.
        unsafe { fixture.kernel.hostile_unchecked() }.complete(address);
        let mut reap = || {
            let Fixture { pool, socket, .. } = &mut fixture;
            let reaped = socket.completion.reap(9)?;
            match way {
                0 => Ok(reaped.reclaim(pool)),
                1 => reaped.recycle(&mut socket.fill),
                _ => Ok(u32::try_from(reaped.into_iter().map(|f| pool.put(f)).count()).unwrap()),
            }
        };
        let fault = RingError::BadEntry { ring: RingKind::Completion, address, len: 0, options: 0 };
        assert_eq!(reap(), Ok(3));
        assert_eq!(reap(), Err(fault));
        assert_eq!(reap(), Ok(0));
    }
}

#[test]
fn the_ledger_detects_a_chunk_that_comes_back_twice() {
    for way in 0..WAYS {
        let mut fixture = Fixture::with_received(1);
        let frame = fixture.socket.rx.receive(1).unwrap().into_iter().next().unwrap();
        fixture.socket.fill.fill_from(&mut fixture.pool, 2).unwrap();
        let address = frame.address();
        let Some(mut hostile) = fixture.kernel.hostile() else {
            return; // Not detected without the ledger.
        };
        hostile.receive(address, LEN, 0);
        hostile.complete(address);
        assert_eq!(take_all(&mut fixture, way), Ok(0));
        let fault = RingError::DuplicateChunk { ring: RingKind::Rx, address };
        assert_eq!(take_all(&mut fixture, way), Err(fault));
        fixture.socket.tx.send_from(&mut fixture.pool, 1, LEN).unwrap();
        let completion = &mut fixture.socket.completion;
        assert_eq!(completion.reap_into(&mut fixture.pool, 1), Ok(0));
        let fault = RingError::DuplicateChunk { ring: RingKind::Completion, address };
        assert_eq!(completion.reap_into(&mut fixture.pool, 1), Err(fault));
        fixture.pool.put(frame);
    }
}

#[test]
fn a_batch_that_ended_with_a_refused_entry_stays_at_its_end() {
    let mut fixture = Fixture::with_received(1);
    let batch = fixture.socket.rx.receive(1).unwrap();
    let frame = batch.into_iter().next().unwrap();
    let address = frame.address();
    let Some(mut hostile) = fixture.kernel.hostile() else {
        return; // Without the ledger its entry looks like a good one.
    };
    // A packet in a chunk that is in hand, and a good one.
    hostile.receive(address, LEN, 0);
    assert_eq!(fixture.socket.fill.fill_from(&mut fixture.pool, 2), Ok(2));
    assert_eq!(fixture.kernel.deliver_unwritten(1, LEN), 1);
    let mut frames = fixture.socket.rx.receive(8).unwrap().into_iter();
    assert!(frames.next().is_none());
    // The chunk moves to where such an entry could come from. It is not read again all the same.
    let mut filling = fixture.socket.fill.reserve(1).unwrap();
    filling.push(frame).unwrap();
    drop(filling);
    assert_eq!((frames.next().is_none(), frames.remaining()), (true, 0));
    drop(frames);
    let fault = RingError::DuplicateChunk { ring: RingKind::Rx, address };
    assert_eq!(fixture.socket.rx.receive(8).unwrap_err(), fault);
    // The next one is not skipped.
    assert_eq!(fixture.socket.rx.receive(8).unwrap().into_iter().count(), 1);
}
