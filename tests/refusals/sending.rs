//! Groups 27 to 29: sending what cannot be sent at once, or not at all.

use crate::common::{Cable, packet, until};
use crate::says;
use expect_test::expect;
use rustix::net::sockopt;
use std::collections::BTreeSet;
use std::time::Duration;
use xsk::test_util::{ip, privileged};
use xsk::{FramePool, Kick, Port, Socket, Umem, wait};

/// Returns a socket whose rings have the given sizes.
fn sender(cable: &Cable, tx: u32, completion: u32) -> Port {
    let (umem, pool) = Umem::builder().chunk_count(256).build().unwrap();
    let builder = Socket::builder(&umem).tx_size(tx).completion_size(completion);
    let bind = || builder.bind(cable.veth.a(), 0);
    let socket = cable.left.run(bind).unwrap().unwrap();
    Port::new(umem, pool, socket)
}

/// Puts `count` packets of `len` bytes on the TX ring.
fn push(end: &mut Port, count: u32, len: usize) {
    let umem = end.umem.clone();
    let mut number = 0;
    let sent = end.socket.tx.send_each(&mut end.pool, count, |frame| {
        let whole = packet(number, 60.max(len));
        umem.write(frame, &whole[..len]).unwrap();
        number += 1;
    });
    assert_eq!(sent, Ok(count));
}

/// Kicks and reaps until every chunk is in the pool again, each once; returns the results of the
/// kicks.
fn drain(end: &mut Port) -> Vec<Kick> {
    let mut kicks = Vec::new();
    until("every chunk comes back", || {
        kicks.push(end.socket.tx.kick().unwrap());
        let pool: &mut FramePool = &mut end.pool;
        end.socket.completion.reap_into(pool, 64).unwrap();
        // Older kernels report only at the next kick how far they came in the TX ring.
        end.pool.len() == end.umem.chunk_count() && end.socket.tx.pending() == 0
    });
    let pooled: BTreeSet<u64> = end.pool.addresses().collect();
    assert_eq!(pooled.len(), end.umem.chunk_count());
    kicks
}

/// Group 27 of the table in tests/README.md.
#[test]
fn a_socket_that_is_switched_off_and_one_that_only_sends() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let builder = Socket::builder(&umem).tx_only();
    let bind = || builder.bind(cable.veth.a(), 0);
    let mut socket = cable.left.run(bind).unwrap().unwrap();
    ip::set_up(cable.veth.a(), false).unwrap();
    let error = socket.tx.kick().unwrap_err();
    says(
        &error,
        &expect![[r#"
            cannot wake the kernel for the TX ring of xsk-a queue 0: ENETDOWN (Network is down).
            The interface is down: set it up; what is in the TX ring is sent then"#]],
    );
    // The kernel's result of a wait for packets that cannot come does not matter: no call asks for
    // one.
    assert_eq!(socket.fill.kick_if_needed(), Ok(Kick::NotNeeded));
}

/// Group 28 of the table in tests/README.md.
#[test]
fn more_than_one_call_sends_is_progress() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut end = sender(&cable, 64, 64);
    push(&mut end, 33, 60);
    assert_eq!(end.socket.tx.kick(), Ok(Kick::Again));
    assert!(drain(&mut end).contains(&Kick::Done));
}

/// Group 28 of the table in tests/README.md.
#[test]
fn a_full_completion_ring_holds_the_sender_until_it_is_reaped() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut end = sender(&cable, 64, 16);
    push(&mut end, 40, 60);
    for _ in 0..100 {
        // Older kernels do not report that they could not continue.
        let kick = end.socket.tx.kick().unwrap();
        assert!(matches!(kick, Kick::Again | Kick::Done), "{kick:?}");
        assert!(end.socket.tx.pending() >= 24);
    }
    // Waiting sends, too, with the same result.
    let limit = Duration::from_millis(50);
    assert_eq!(wait(&[&end.socket.rx], Some(limit)), Ok(0));
    let pool: &mut FramePool = &mut end.pool;
    assert_eq!(end.socket.completion.reap_into(pool, 64), Ok(16));
    drain(&mut end);
}

/// Group 28 of the table in tests/README.md.
#[test]
fn a_small_send_buffer_is_progress() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut end = sender(&cable, 128, 128);
    sockopt::set_socket_send_buffer_size(&end.socket.handle, 1).unwrap();
    for _ in 0..4 {
        push(&mut end, 128, 1500);
        drain(&mut end);
    }
}

/// The device drops what it cannot send; that is no error, and no chunk is lost.
///
/// Group 29 of the table in tests/README.md.
#[test]
fn packets_that_no_device_sends_come_back() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    for len in [13, 1 + 14 + 4 + 1500] {
        let mut end = sender(&cable, 64, 64);
        push(&mut end, 1, len);
        let kicks = drain(&mut end);
        assert_eq!(kicks[0], Kick::Busy, "{len}");
        let statistics = end.socket.handle.statistics().unwrap();
        assert_eq!(statistics.tx_invalid_descs, 0);
        // The next packet is sent.
        push(&mut end, 1, 60);
        assert!(!drain(&mut end).contains(&Kick::Busy));
    }
}
