//! One bad entry among good ones.

use crate::fixture::{Fixture, ledger, unchecked};
use crate::input::{Chunks, address, chunks, len, options, outside};
use proptest::prelude::*;
use xsk::ring::RingKind;
use xsk::test_util::{Index, strategies};
use xsk::umem::ChunkPlace;
use xsk::{Frame, RingError};

/// Returns a socket with a good packet and a good completion on the way, and everything else in the
/// pool.
fn quiet(chunks: Chunks, start: Index) -> Fixture {
    let mut fixture = Fixture::new(chunks, start);
    let Fixture { pool, kernel, socket, .. } = &mut fixture;
    assert_eq!(socket.fill.fill_from(pool, 4), Ok(4));
    assert_eq!(socket.tx.send_from(pool, 4, 60), Ok(4));
    assert_eq!(kernel.transmit_unread(2), 2);
    fixture
}

/// Returns the place of the chunk that an address is in, if the ledger is on.
fn place_of(fixture: &Fixture, address: u64) -> Option<ChunkPlace> {
    let chunk = usize::try_from(fixture.chunks.number(address)?).unwrap();
    fixture.umem.chunk_places()?.get(chunk).copied()
}

/// The next call reports the refused entry, with all that was in it, once; then the ring continues.
#[test]
fn every_bad_rx_entry_is_named_once() {
    let entry = chunks().prop_flat_map(|chunks| {
        (Just(chunks), address(chunks), len(), options(), strategies::index())
    });
    proptest!(strategies::config(3000), |((chunks, address, len, options, start) in entry)| {
        let good = chunks.good_packet(address, len, options);
        prop_assume!(ledger() || !good);
        let mut fixture = quiet(chunks, start);
        let place = place_of(&fixture, address);
        // SAFETY: without the ledger, only entries that are invalid in themselves come here.
        unsafe { unchecked(&mut fixture.kernel) }.receive(address, len, options);
        fixture.kernel.deliver(b"good");
        let taken = good && place == Some(ChunkPlace::Receiving);
        let frames: Vec<Frame> = fixture.socket.rx.receive(1).unwrap().into_iter().collect();
        let ring = RingKind::Rx;
        if taken {
            prop_assert_eq!((frames[0].address(), frames[0].len()), (chunks.plain(address), len));
        } else {
            prop_assert!(frames.is_empty());
            let fault = if good {
                RingError::DuplicateChunk { ring, address }
            } else {
                RingError::BadEntry { ring, address, len, options }
            };
            prop_assert_eq!(fixture.socket.rx.receive(9).map(drop), Err(fault));
            // SAFETY: the index is far beyond the ring, so no entry is taken while it stands.
            let mut hostile = unsafe { unchecked(&mut fixture.kernel) };
            let right = hostile.published(ring);
            hostile.set_index(ring, right.advance(100));
            let next = fixture.socket.rx.receive(9).map(drop);
            prop_assert!(matches!(next, Err(RingError::BadIndex { .. })), "reported twice: {:?}", next);
            // SAFETY: this is the value that it had.
            unsafe { unchecked(&mut fixture.kernel) }.set_index(ring, right);
        }
        fixture.held.extend(frames);
        let rest = fixture.socket.rx.receive(9).unwrap();
        prop_assert_eq!(rest.len(), 1);
        let rest: Vec<Frame> = rest.into_iter().collect();
        // The good packet is there, unless its chunk is the one that came too early.
        prop_assert!(rest.len() == 1 || taken);
        fixture.held.extend(rest);
        fixture.check();
    });
}

/// The same, for batches that are passed on whole: the bad entry is in the middle.
#[test]
fn a_bad_entry_ends_a_batch_where_it_is() {
    let entry = chunks().prop_flat_map(|chunks| {
        (Just(chunks), address(chunks), len(), options(), strategies::index(), 0..5_u32)
    });
    proptest!(strategies::config(3000), |((chunks, address, len, options, start, how) in entry)| {
        // An unread chunk goes back to the fill ring whatever its length was.
        let passes = match how {
            0 => chunks.passes(address, None, ledger()),
            2 => chunks.passes(address, Some((len, options)), ledger()),
            _ => chunks.good_packet(address, len, options),
        };
        prop_assume!(!passes);
        let mut fixture = Fixture::new(chunks, start);
        let Fixture { pool, kernel, socket, .. } = &mut fixture;
        assert_eq!(socket.fill.fill_from(pool, 4), Ok(4));
        assert!(kernel.deliver(b"a"));
        // SAFETY: an entry that is invalid in itself.
        unsafe { unchecked(kernel) }.receive(address, len, options);
        assert!(kernel.deliver(b"b"));
        let mut seen = Vec::new();
        let batch = socket.rx.receive(9).unwrap();
        assert_eq!(batch.len(), 3);
        let mut note = |frame: &mut Frame| seen.push(frame.len());
        let moved = match how {
            0 => batch.recycle(&mut socket.fill),
            1 => batch.recycle_each(&mut socket.fill, &mut note),
            2 => batch.forward(&mut socket.tx),
            3 => batch.forward_each(&mut socket.tx, &mut note),
            _ => Ok(u32::try_from(batch.into_iter().count()).unwrap()),
        };
        prop_assert_eq!(moved, Ok(1));
        let fault = RingError::BadEntry { ring: RingKind::Rx, address, len, options };
        prop_assert_eq!(socket.rx.receive(9).map(drop), Err(fault));
        let rings = kernel.ring_contents();
        prop_assert_eq!(rings.rx.len(), 1, "what came after it stays in the ring");
        prop_assert_eq!(rings.fill.len(), if how < 2 { 3 } else { 2 });
        prop_assert_eq!(rings.tx.len(), usize::from(how == 2 || how == 3));
        let last: Vec<Frame> = socket.rx.receive(9).unwrap().into_iter().collect();
        prop_assert_eq!(last.len(), 1);
        prop_assert_eq!(fixture.umem.bytes(&last[0]), b"b");
    });
}

#[test]
fn every_bad_completion_is_named_once() {
    let entry = chunks().prop_flat_map(|chunks| {
        let any = if ledger() { address(chunks).boxed() } else { outside(chunks).boxed() };
        (Just(chunks), any, strategies::index(), 0..3_u32)
    });
    proptest!(strategies::config(3000), |((chunks, address, start, how) in entry)| {
        let mut fixture = quiet(chunks, start);
        let place = place_of(&fixture, address);
        // SAFETY: without the ledger, only addresses outside the UMEM come here.
        unsafe { unchecked(&mut fixture.kernel) }.complete(address);
        let Fixture { pool, socket, held, kernel, .. } = &mut fixture;
        let (had, filled) = (pool.len(), kernel.ring_contents().fill.len());
        let batch = socket.completion.reap(1).unwrap();
        match how {
            0 => held.extend(batch),
            1 => assert!(batch.reclaim(pool) <= 1),
            _ => assert!(batch.recycle(&mut socket.fill).unwrap() <= 1),
        }
        let came = held.len() + pool.len() - had + kernel.ring_contents().fill.len() - filled;
        prop_assert_eq!(came == 1, place == Some(ChunkPlace::Sending), "{} came", came);
        let ring = RingKind::Completion;
        let answer = socket.completion.reap(1).map(drop);
        if came == 0 {
            let fault = if chunks.number(address).is_some() {
                RingError::DuplicateChunk { ring, address }
            } else {
                RingError::BadEntry { ring, address, len: 0, options: 0 }
            };
            prop_assert_eq!(answer, Err(fault));
        }
        prop_assert_eq!(socket.completion.reap(1).map(drop), Ok(()));
        fixture.check();
    });
}

/// Without the ledger, too, nothing that begins no chunk becomes a frame or lies in a pool: neither
/// what is received or completed, nor what came back from the kernel after it was passed on unread.
#[test]
fn what_begins_no_chunk_becomes_no_frame() {
    let entry = chunks()
        .prop_flat_map(|chunks| (Just(chunks), address(chunks), strategies::index(), 0..6_u32));
    proptest!(strategies::config(3000), |((chunks, address, start, how) in entry)| {
        prop_assume!(chunks.number(address).is_none());
        let mut fixture = quiet(chunks, start);
        let had = fixture.user_chunks();
        let Fixture { pool, socket, held, kernel, .. } = &mut fixture;
        // SAFETY: the entries are of no chunk.
        let mut hostile = unsafe { unchecked(kernel) };
        hostile.receive(address, 60, 0);
        hostile.complete(address);
        let received = socket.rx.receive(1).unwrap();
        let completed = socket.completion.reap(1).unwrap();
        match how {
            0 => held.extend(received),
            1 => assert_eq!(received.reclaim(pool), 0),
            2 => assert!(received.recycle(&mut socket.fill).unwrap() <= 1),
            3 => assert!(received.forward(&mut socket.tx).unwrap() <= 1),
            4 => held.extend(completed),
            _ => assert_eq!(completed.reclaim(pool), 0),
        }
        // A refused entry is reported, which ends the batch.
        for _ in 0..2 {
            held.extend(socket.rx.receive(9).into_iter().flatten());
            held.extend(socket.completion.reap(9).into_iter().flatten());
        }
        // The kernel gives back what it was given, after a good one.
        assert_eq!((kernel.transmit_unread(1), kernel.complete(2)), (1, 2));
        assert_eq!(kernel.deliver_unwritten(2, 60), 2);
        // SAFETY: as above.
        let mut hostile = unsafe { unchecked(kernel) };
        hostile.receive(address, 60, 0);
        hostile.complete(address);
        let before = held.len();
        held.extend(socket.rx.receive(9).unwrap());
        held.extend(socket.completion.reap(9).unwrap());
        prop_assert_eq!(held.len(), before + 4);
        fixture.check();
        prop_assert!(fixture.user_chunks().is_superset(&had));
    });
}
