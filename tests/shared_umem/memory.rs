//! Sockets on several queues and interfaces over one registration.

use crate::common::{PATIENCE, packet, until};
use crate::fixture::{first, send_from};
use xsk::attach::Attachment;
use xsk::socket::CopyReason;
use xsk::test_util::{Namespace, VethPair, privileged};
use xsk::{Error, Interface, Port, Socket};

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

/// What one port receives, the other one sends from the same chunk, unread: as many frames as
/// `XSK_FRAMES` says, 20,000 if it is not set. None is lost, and all come in order.
#[test]
fn no_frame_is_lost_between_two_ports_over_one_registration() {
    if !privileged!() {
        return;
    }
    const WINDOW: u32 = 256;
    let frames = std::env::var("XSK_FRAMES").map_or(20_000, |frames| frames.parse().unwrap());
    let (here, far) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let left = VethPair::builder().names("left", "far1").build(&here, &far).unwrap();
    let right = VethPair::builder().names("right", "far2").build(&here, &far).unwrap();
    let mut one = first(&here, left.a(), 1024);
    let sharing = || one.socket.handle.share_memory().bind_timeout(PATIENCE).bind(right.a(), 0);
    let mut two = here.run(sharing).unwrap().unwrap();
    let mut from = first(&far, left.b(), 1024);
    let mut to = first(&far, right.b(), 1024);
    let attach = |interface: &Interface| Attachment::builder(interface).attach();
    let programs = [
        here.run(|| attach(left.a())).unwrap().unwrap(),
        far.run(|| attach(right.b())).unwrap().unwrap(),
        // Frames in native mode come only if the receiving end has a program.
        here.run(|| attach(right.a())).unwrap().unwrap(),
        far.run(|| attach(left.b())).unwrap().unwrap(),
    ];
    let _slots =
        [one.socket.register(&programs[0]).unwrap(), to.socket.register(&programs[1]).unwrap()];
    let (mut sent, mut received) = (0, 0);
    until("the last frame", || {
        let Port { umem, pool, socket: Socket { tx, completion, .. }, .. } = &mut from;
        completion.reap_into(pool, WINDOW).unwrap();
        let room = (received + WINDOW - sent).min(frames - sent);
        tx.send_each(pool, room, |frame| {
            umem.write(frame, &packet(sent, 60)).unwrap();
            sent += 1;
        })
        .unwrap();
        tx.kick_if_needed().unwrap();
        let Socket { rx, fill, .. } = &mut one.socket;
        two.completion.reap(WINDOW).unwrap().recycle(fill).unwrap();
        rx.receive(WINDOW).unwrap().forward(&mut two.tx).unwrap();
        two.tx.kick_if_needed().unwrap();
        let Port { umem, socket: Socket { rx, fill, .. }, .. } = &mut to;
        rx.receive(WINDOW)
            .unwrap()
            .recycle_each(fill, |frame| {
                assert_eq!(umem.bytes(frame)[14..18], received.to_be_bytes());
                received += 1;
            })
            .unwrap();
        received == frames
    });
    until("the chunks", || {
        two.completion.reap_into(&mut one.pool, WINDOW).unwrap();
        let filled = one.socket.fill.pending() + two.fill.pending();
        one.pool.len() + usize::try_from(filled).unwrap() == 1024
    });
    let statistics = one.socket.handle.statistics().unwrap();
    assert_eq!((statistics.rx_dropped, statistics.tx_invalid_descs), (0, 0));
}
