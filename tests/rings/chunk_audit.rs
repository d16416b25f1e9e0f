//! Where chunks are: the ledger's counts, pools, and what the fake kernel may touch.

use crate::fixture::{CHUNK, Fixture, LEN};
use xsk::umem::ChunkCounts;

#[test]
fn chunk_counts_say_where_chunks_are() {
    let mut fixture = Fixture::with_received(5);
    let frame = fixture.socket.rx.receive(1).unwrap().into_iter().next().unwrap();
    fixture.socket.tx.send_from(&mut fixture.pool, 7, LEN).unwrap();
    if let Some(counts) = fixture.umem.chunk_counts() {
        let expected = ChunkCounts { pool: 52, user: 1, receiving: 4, sending: 7, lost: 0 };
        assert_eq!(counts, expected);
    }
    fixture.pool.put(frame);
    fixture.assert_all_back();
}

#[test]
fn pools_are_split_and_appended_without_losing_a_chunk() {
    let mut fixture = Fixture::new();
    let mut other = fixture.pool.split_off(20);
    assert_eq!((other.len(), fixture.pool.len()), (20, 44));
    assert_eq!(fixture.pool.move_to(&mut other, 4), 4);
    fixture.socket.fill.fill_from(&mut other, 24).unwrap();
    assert!(other.is_empty());
    let third = std::thread::spawn(move || other).join().unwrap();
    fixture.pool.append(third);
    fixture.assert_all_back();
}

#[test]
fn a_fake_kernel_keeps_off_chunks_that_were_given_away() {
    let mut fixture = Fixture::new();
    fixture.socket.fill.fill_from(&mut fixture.pool, 1).unwrap();
    fixture.socket.tx.send_from(&mut fixture.pool, 1, LEN).unwrap();
    let Some(mut hostile) = fixture.kernel.hostile() else {
        return; // Not known without the ledger; the steps are unsafe then.
    };
    // The chunk that lies in the fill ring arrives before it was written; the one in the TX ring
    // comes back before it was sent.
    let places = fixture.umem.chunk_places().unwrap();
    let at =
        |place| u64::try_from(places.iter().position(|p| *p == place).unwrap()).unwrap() * CHUNK;
    hostile.receive(at(xsk::umem::ChunkPlace::Receiving), LEN, 0);
    hostile.complete(at(xsk::umem::ChunkPlace::Sending));
    let mut received = fixture.socket.rx.receive(1).unwrap().into_iter().next().unwrap();
    let mut reaped = fixture.socket.completion.reap(1).unwrap().into_iter().next().unwrap();
    for frame in [&mut received, &mut reaped] {
        fixture.umem.write(frame, &[7; 60]).unwrap();
    }
    assert!(!fixture.kernel.deliver(&[9; 60]), "there is no chunk to receive into");
    assert_eq!(fixture.kernel.transmit(), None, "there is no chunk to send");
    for frame in [&received, &reaped] {
        assert_eq!(fixture.umem.bytes(frame), &[7; 60]);
    }
}
