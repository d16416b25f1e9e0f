//! Sockets on several queues and interfaces over one registration.

use crate::common::{PATIENCE, until};
use crate::fixture::{first, send_from};
use xsk::attach::Attachment;
use xsk::socket::CopyReason;
use xsk::test_util::{Namespace, VethPair, privileged};
use xsk::{Error, Interface};

/// Sockets on another queue and on another interface, over one registration.
#[test]
fn memory_is_shared_with_other_queues_and_interfaces() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let one = VethPair::builder().queues(2).names("one", "far1").build(&left, &right).unwrap();
    let two = VethPair::builder().names("two", "far2").build(&left, &right).unwrap();
    let mut port = first(&left, one.a(), 256);
    let mut open = |interface: &Interface, queue| {
        let share = || port.socket.handle.share_memory().bind_timeout(PATIENCE).open();
        let mut unbound = left.run(share).unwrap().unwrap();
        unbound.fill.fill_from(&mut port.pool, 32).unwrap();
        left.run(|| Ok::<_, Error>(unbound.bind(interface, queue)?)).unwrap().unwrap()
    };
    let other_queue = open(one.a(), 1);
    let mut other_interface = open(two.a(), 0);
    assert_eq!(other_queue.handle.copy_reason(), CopyReason::Shared);
    // Two on the second queue.
    let mut other_queue = other_queue.share_queue();
    let add = || other_queue.add_socket().tx_only().bind();
    let mut added = left.run(add).unwrap().unwrap();
    assert_eq!((added.handle.interface(), added.handle.queue()), ("one", 1));

    let attach = |interface: &Interface| Attachment::builder(interface).attach();
    let program = left.run(|| attach(two.a())).unwrap().unwrap();
    let registration = other_interface.register(&program).unwrap();
    let mut peer = first(&right, two.b(), 64);
    // Received on one interface, sent on both queues of the other one, without a copy.
    let sent = || one.a().info().unwrap().counters.tx_packets;
    let all = port.pool.len();
    for round in 0..30 {
        send_from(&mut peer, round * 30, (round + 1) * 30);
        let mut forwarded = 0;
        until("packets to be forwarded", || {
            let half = 15 - forwarded % 15;
            let batch = other_interface.rx.receive(half).unwrap();
            let tx = if forwarded < 15 { &mut other_queue.tx } else { &mut added.tx };
            forwarded += batch.forward(tx).unwrap();
            other_queue.tx.kick_if_needed().unwrap();
            added.tx.kick_if_needed().unwrap();
            let back = other_queue.completion.reap(64).unwrap();
            back.recycle(&mut other_interface.fill).unwrap();
            forwarded == 30 && other_interface.fill.pending() == 32
        });
        assert_eq!(sent(), u64::from((round + 1) * 30));
    }
    assert_eq!(port.pool.len(), all);
    if let Some(counts) = port.umem.chunk_counts() {
        assert_eq!((counts.sending, counts.user), (0, 0), "{counts:?}");
    }
    registration.close().unwrap();
    program.close().unwrap();
}
