//! Packets whose end is elsewhere when they are taken than it was when they were looked at.
#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use crate::ring::{RingError, RingKind};
use crate::socket::PacketSocket;
use crate::test_util::{ChunkAudit, FakeKernel, FakeRings};
use crate::umem::{FramePool, Umem};

fn received(packets: &[usize]) -> (Umem, FramePool, FakeKernel, PacketSocket) {
    let (umem, mut pool) = Umem::builder().chunk_count(16).chunk_size(2048).build().unwrap();
    let (mut kernel, mut socket) = FakeKernel::multi_buffer(&umem, FakeRings::default()).unwrap();
    socket.fill.fill_from(&mut pool, 16).unwrap();
    packets.iter().for_each(|frames| assert!(kernel.deliver(&vec![7; frames * 1792])));
    (umem, pool, kernel, socket)
}

/// The kernel's side may write a descriptor again after the end of its packet was found. So
/// `take_packet` does not rely on what was seen: here it is given another number of frames than the
/// packet has.
#[test]
fn a_packet_that_changed_since_it_was_looked_at_is_a_bad_one() {
    for (seen, bad_at) in [(1, 0), (2, 1), (4, 2), (5, 2)] {
        let (umem, mut pool, kernel, mut socket) = received(&[3, 1, 1, 1]);
        let descs = kernel.ring_contents().rx;
        let mut batch = socket.rx.receive(9).unwrap().into_iter();
        assert_eq!(batch.frames_of_next(), Some(3));
        assert!(batch.take_packet(seen).is_none(), "{seen} frames");
        assert!(batch.next().is_none(), "the batch has ended");
        drop(batch);
        let error = socket.rx.receive(9).map(drop).unwrap_err();
        // The descriptor is a good one by itself.
        let expected =
            RingError::DuplicateChunk { ring: RingKind::Rx, address: descs[bad_at].addr };
        assert_eq!(error, expected, "{seen} frames");
        // What was taken is lost, and no more.
        assert_eq!(umem.lost_chunks(), seen);
        let rest = descs.len() - seen as usize;
        let lost: Vec<u64> = descs[..seen as usize].iter().map(|desc| desc.addr).collect();
        let mut came = 0;
        for packet in socket.rx.receive(9).unwrap() {
            came += packet.frames().len();
            pool.extend(packet);
        }
        assert_eq!(came, rest, "{seen} frames");
        ChunkAudit::of(&umem).pool(&pool).rings(&kernel).lost(lost).check().unwrap();
    }
}
