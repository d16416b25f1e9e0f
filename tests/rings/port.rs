//! A [`Port`]: one value with the memory, the pool and the socket of a queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use xsk::ring::RingKind;
use xsk::test_util::{ChunkAudit, FakeKernel};
use xsk::{Port, Umem};

const CHUNKS: u32 = 64;

fn port() -> (FakeKernel, Port) {
    let (umem, pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
    let (kernel, socket) = FakeKernel::new(&umem).unwrap();
    (kernel, Port::new(umem, pool, socket))
}

#[test]
fn service_reaps_fills_and_wakes_only_where_it_is_asked() {
    let (mut kernel, mut port) = port();
    port.service(8).unwrap();
    assert_eq!((port.pool.len(), port.socket.fill.pending(), kernel.kicks()), (56, 8, 0));
    // The fill ring asks, the empty TX ring is not looked at.
    kernel.set_need_wakeup(RingKind::Fill, true);
    kernel.set_need_wakeup(RingKind::Tx, true);
    port.service(0).unwrap();
    assert_eq!(kernel.kicks(), 1);
    kernel.set_need_wakeup(RingKind::Fill, false);
    // Something to send: the TX ring asks.
    assert_eq!(port.socket.tx.send_from(&mut port.pool, 4, 60), Ok(4));
    port.service(0).unwrap();
    assert_eq!(kernel.kicks(), 2);
    // All are taken and none came back: in copy mode the kernel needs no call for that.
    assert_eq!(kernel.transmit_unread(4), 4);
    port.service(0).unwrap();
    assert_eq!(kernel.kicks(), 2);
    // What was sent comes back by the next round, before the fill ring takes its burst.
    assert_eq!(kernel.complete(4), 4);
    let pooled = port.pool.len();
    port.service(4).unwrap();
    assert_eq!((port.pool.len(), port.socket.fill.pending(), kernel.kicks()), (pooled, 12, 2));
    ChunkAudit::of(&port.umem).pool(&port.pool).rings(&kernel).check().unwrap();
}

#[test]
fn parts_of_two_umems_make_no_port() {
    let ((_kernel, one), (_other, two)) = (port(), port());
    let Port { umem, pool, socket, .. } = one;
    let Port { umem: umem2, pool: pool2, socket: socket2, .. } = two;
    let pools = catch_unwind(AssertUnwindSafe(|| Port::new(umem.clone(), pool2, socket)));
    assert!(pools.is_err(), "a pool of another UMEM");
    let sockets = catch_unwind(AssertUnwindSafe(|| Port::new(umem, pool, socket2)));
    assert!(sockets.is_err(), "a socket of another UMEM");
    drop(umem2);
}
