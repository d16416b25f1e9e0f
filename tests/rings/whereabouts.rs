//! Where chunks are: the census, pools, and what the fake kernel may touch.

use crate::bed::{Bed, CHUNK, LEN};
use xsk::umem::ChunkCounts;

#[test]
fn the_census_knows_where_chunks_are() {
    let mut bed = Bed::with_received(5);
    let frame = bed.socket.rx.receive(1).unwrap().into_iter().next().unwrap();
    bed.socket.tx.send_from(&mut bed.pool, 7, LEN).unwrap();
    if let Some(census) = bed.umem.chunk_counts() {
        let expected = ChunkCounts { pool: 52, user: 1, receiving: 4, sending: 7 };
        assert_eq!(census, expected);
    }
    bed.pool.put(frame);
    bed.all_home();
}

#[test]
fn pools_split_and_merge_without_losing_a_chunk() {
    let mut bed = Bed::new();
    let mut other = bed.pool.split_off(20);
    assert_eq!((other.len(), bed.pool.len()), (20, 44));
    assert_eq!(bed.pool.move_to(&mut other, 4), 4);
    bed.socket.fill.fill_from(&mut other, 24).unwrap();
    assert!(other.is_empty());
    let third = std::thread::spawn(move || other).join().unwrap();
    bed.pool.append(third);
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
    let places = bed.umem.chunk_places().unwrap();
    let at =
        |place| u64::try_from(places.iter().position(|p| *p == place).unwrap()).unwrap() * CHUNK;
    hostile.receive(at(xsk::umem::ChunkPlace::Receiving), LEN, 0);
    hostile.complete(at(xsk::umem::ChunkPlace::Sending));
    let mut received = bed.socket.rx.receive(1).unwrap().into_iter().next().unwrap();
    let mut reaped = bed.socket.completion.reap(1).unwrap().into_iter().next().unwrap();
    for frame in [&mut received, &mut reaped] {
        bed.umem.write(frame, &[7; 60]).unwrap();
    }
    assert!(!bed.kernel.deliver(&[9; 60]), "there is no chunk to receive into");
    assert_eq!(bed.kernel.transmit(), None, "there is no chunk to send");
    for frame in [&received, &reaped] {
        assert_eq!(bed.umem.bytes(frame), &[7; 60]);
    }
}
