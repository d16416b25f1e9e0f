//! Kicks: the fake kernel takes packets from the TX ring as the kernel does in copy mode.

use xsk::ring::RingKind;
use xsk::test_util::{ChunkAudit, FakeKernel, FakeRings};
use xsk::{FramePool, Kick, Socket, Umem};

const CHUNKS: u32 = 128;

fn set_up(rings: FakeRings) -> (Umem, FramePool, FakeKernel, Socket) {
    let (umem, pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
    let (kernel, socket) = FakeKernel::with(&umem, rings).unwrap();
    (umem, pool, kernel, socket)
}

#[test]
fn what_was_not_kicked_is_not_sent() {
    let (umem, mut pool, mut kernel, mut socket) = set_up(FakeRings::default());
    assert_eq!(socket.tx.send_from(&mut pool, 3, 60), Ok(3));
    assert_eq!((kernel.transmit(), kernel.transmit_unread(9)), (None, 0));
    assert_eq!(socket.tx.pending(), 3);
    assert_eq!(socket.tx.kick_if_needed().unwrap(), Kick::Done);
    // The kick took what was there; a later packet waits for the next one.
    assert_eq!(socket.tx.pending(), 0);
    assert_eq!(socket.tx.send_from(&mut pool, 1, 60), Ok(1));
    ChunkAudit::of(&umem).pool(&pool).rings(&kernel).check().unwrap();
    assert_eq!((kernel.transmit_unread(9), kernel.complete(9)), (3, 3));
    assert_eq!(socket.tx.kick_if_needed().unwrap(), Kick::Done);
    assert_eq!((kernel.transmit_unread(9), kernel.complete(9)), (1, 1));
    assert_eq!(kernel.kicks(), 2);
}

#[test]
fn one_kick_takes_32_packets() {
    let (_umem, mut pool, mut kernel, mut socket) = set_up(FakeRings::default());
    for (count, kicks) in [
        (32, &[(Kick::Done, 0)][..]),
        (33, &[(Kick::Again, 1), (Kick::Done, 0)]),
        (70, &[(Kick::Again, 38), (Kick::Again, 6), (Kick::Done, 0)]),
    ] {
        assert_eq!(socket.tx.send_from(&mut pool, count, 60), Ok(count));
        for (kick, left) in kicks {
            assert_eq!(socket.tx.kick_if_needed().unwrap(), *kick, "{count}");
            assert_eq!(socket.tx.pending(), *left, "{count}");
        }
        assert_eq!((kernel.transmit_unread(99), kernel.complete(99)), (count, count));
        assert_eq!(socket.completion.reap_into(&mut pool, 99), Ok(count));
    }
}

#[test]
fn a_kick_takes_no_more_than_the_completion_ring_has_room_for() {
    let rings = FakeRings { tx: 16, completion: 4, ..FakeRings::default() };
    let (_umem, mut pool, mut kernel, mut socket) = set_up(rings);
    assert_eq!(socket.tx.send_from(&mut pool, 16, 60), Ok(16));
    for left in [12, 8, 4] {
        assert_eq!(socket.tx.kick_if_needed().unwrap(), Kick::Again);
        assert_eq!(socket.tx.pending(), left);
        // Whether a packet is transmitted, or completed and not reaped, changes nothing.
        assert_eq!(kernel.transmit_unread(1), 1);
        assert_eq!(socket.tx.kick_if_needed().unwrap(), Kick::Again);
        assert_eq!((kernel.transmit_unread(9), kernel.complete(9)), (3, 4));
        assert_eq!(socket.tx.kick_if_needed().unwrap(), Kick::Again);
        assert_eq!(socket.tx.pending(), left);
        assert_eq!(socket.completion.reap_into(&mut pool, 9), Ok(4));
    }
    assert_eq!(socket.tx.kick_if_needed().unwrap(), Kick::Done);
}

#[test]
fn a_kernel_that_asks_for_nothing_sends_by_itself() {
    let rings = FakeRings { need_wakeup: false, ..FakeRings::default() };
    let (_umem, mut pool, mut kernel, mut socket) = set_up(rings);
    assert_eq!(socket.tx.send_from(&mut pool, 40, 60), Ok(40));
    assert_eq!(socket.tx.kick_if_needed().unwrap(), Kick::NotNeeded);
    assert_eq!(kernel.transmit_unread(10), 10);
    // Before it sleeps it takes what is there; what comes later takes a kick.
    kernel.set_need_wakeup(RingKind::Tx, true);
    assert_eq!(socket.tx.pending(), 0);
    assert_eq!(socket.tx.send_from(&mut pool, 5, 60), Ok(5));
    assert_eq!(kernel.transmit_unread(99), 30);
    assert_eq!(socket.tx.kick_if_needed().unwrap(), Kick::Done);
    assert_eq!(kernel.transmit_unread(99), 5);
}
