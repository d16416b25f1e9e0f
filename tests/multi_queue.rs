//! Sockets on every queue of an interface, in one call.

#[path = "common/mod.rs"]
mod common;

use common::{AtCable, Cable, packet, until};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::time::Duration;
use xsk::multi_queue::{MultiQueueBuilder, QueuePort, QueueSet, QueueSocket};
use xsk::ring::RingKind;
use xsk::test_util::{VethPair, privileged};
use xsk::{AttachMode, Error, Interface, MultiQueue, Port, RxSocket, Socket, Umem, XdpMode};

/// Memory of a size that `RLIMIT_MEMLOCK` allows for many queues.
const CHUNKS: u32 = 64;

fn builder(cable: &Cable) -> MultiQueueBuilder {
    MultiQueue::builder(cable.veth.b()).memory(Umem::builder().chunk_count(CHUNKS))
}

fn open<S: QueueSocket>(
    cable: &Cable,
    builder: MultiQueueBuilder<S>,
) -> xsk::Result<MultiQueue<S>> {
    cable.right.run(|| builder.open()).unwrap()
}

/// Sends packets with these numbers from a queue of the left end.
fn send(cable: &Cable, queue: u32, numbers: std::ops::Range<u32>) {
    let mut sender = Port::at(&cable.left, cable.veth.a(), queue);
    for number in numbers {
        let mut frame = sender.pool.take().unwrap();
        sender.umem.write(&mut frame, &packet(number, 60)).unwrap();
        sender.socket.tx.reserve(1).unwrap().push(frame).unwrap();
    }
    until("the packets are sent", || {
        sender.service(64).unwrap();
        sender.socket.tx.pending() == 0
    });
}

/// Receives `count` packets, and returns what came.
fn receive(port: &mut QueuePort, count: usize) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    until("the packets are received", || {
        for frame in port.socket.rx.receive(64).unwrap() {
            packets.push(port.umem.bytes(&frame).to_vec());
            port.pool.put(frame);
        }
        packets.len() >= count
    });
    packets
}

fn attached(interface: &Interface) -> Option<XdpMode> {
    interface.attached_programs().unwrap().programs().next().map(|(mode, _)| mode)
}

fn queues<S>(ports: &[QueuePort<S>]) -> Vec<u32> {
    ports.iter().map(|port| port.queue).collect()
}

#[test]
fn each_queue_has_its_packets_and_a_thread() {
    if !privileged!() {
        return;
    }
    for (mode, shared) in [(AttachMode::Native, false), (AttachMode::Native, true)] {
        let cable = Cable::new(4);
        let builder = builder(&cable).shared_memory(shared);
        let all = open(&cable, builder.attachment(move |builder| builder.mode(mode))).unwrap();
        assert_eq!(queues(&all.ports), [0, 1, 2, 3]);
        assert!(all.rx_only.is_empty() && all.tx_only.is_empty() && all.not_served.is_empty());
        let first = &all.ports[0].umem;
        for port in &all.ports {
            assert_eq!(port.umem.chunk_count(), if shared { 4 * 64 } else { 64 });
            assert_eq!(port.pool.len() + port.socket.fill.pending() as usize, 64);
            assert_eq!(port.umem.chunk_size(), first.chunk_size());
        }
        for queue in 0..4 {
            send(&cable, queue, 100 * queue..100 * queue + 3 + queue);
        }
        std::thread::scope(|scope| {
            for mut port in all.ports {
                scope.spawn(move || {
                    let queue = port.queue;
                    let numbers = 100 * queue..100 * queue + 3 + queue;
                    let wanted: Vec<_> = numbers.map(|number| packet(number, 60)).collect();
                    assert_eq!(receive(&mut port, wanted.len()), wanted, "queue {queue}");
                    port.close().unwrap();
                });
            }
        });
        assert!(attached(cable.veth.b()).is_some());
        all.attachment.unwrap().close().unwrap();
        assert_eq!(common::left_on(cable.veth.b()), None);
    }
}

#[test]
fn packets_of_other_queues_go_to_the_kernels_stack() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(4);
    let set: QueueSet = "0,2".parse().unwrap();
    let mut some = open(&cable, builder(&cable).queues(set)).unwrap();
    assert_eq!(queues(&some.ports), [0, 2]);
    // The stack drops what is not for it, and counts it.
    let dropped = || cable.veth.b().info().unwrap().counters.rx_dropped;
    let before = dropped();
    for queue in 0..4 {
        send(&cable, queue, queue..queue + 1);
    }
    for port in &mut some.ports {
        assert_eq!(receive(port, 1), [packet(port.queue, 60)]);
    }
    until("the others went to the stack", || dropped() - before == 2);
    some.close().unwrap();
    assert_eq!(common::left_on(cable.veth.b()), None);
    send(&cable, 0, 0..1);
    until("all go there", || dropped() - before == 3);
}

#[test]
fn a_queue_without_one_side_is_served_for_the_other_one() {
    if !privileged!() {
        return;
    }
    for (rx, tx) in [(2, 4), (3, 1), (2, 2)] {
        // Of the right end.
        let cable = Cable::build(VethPair::builder().rx_tx_queues(tx, rx));
        let all = open(&cable, builder(&cable)).unwrap();
        let both: Vec<u32> = (0..rx.min(tx)).collect();
        assert_eq!(queues(&all.ports), both);
        assert_eq!(queues(&all.rx_only), (tx.min(rx)..rx).collect::<Vec<_>>());
        assert_eq!(queues(&all.tx_only), (rx.min(tx)..tx).collect::<Vec<_>>());
        assert!(all.not_served.is_empty());
        assert!(all.tx_only.iter().all(|port| port.registration.is_none()));
        assert!(all.rx_only.iter().all(|port| port.registration.is_some()));
        all.close().unwrap();
        assert_eq!(common::left_on(cable.veth.b()), None);

        let receivers = open(&cable, builder(&cable).socket(|socket| socket.rx_only())).unwrap();
        assert_eq!(queues(&receivers.ports), (0..rx).collect::<Vec<_>>());
        assert_eq!(receivers.not_served, (rx..tx.max(rx)).collect::<Vec<_>>());
        drop(receivers);
        assert_eq!(common::left_on(cable.veth.b()), None);

        let senders = open(&cable, builder(&cable).socket(|socket| socket.tx_only())).unwrap();
        assert_eq!(queues(&senders.ports), (0..tx).collect::<Vec<_>>());
        assert_eq!(senders.not_served, (tx..rx.max(tx)).collect::<Vec<_>>());
        assert!(senders.attachment.is_none());
        assert_eq!(common::left_on(cable.veth.b()), None, "sending needs no program");
        if tx > rx {
            let set = QueueSet::from(rx);
            let receivers = builder(&cable).queues(set).socket(|socket| socket.rx_only());
            let refused = open(&cable, receivers).unwrap_err();
            let Error::QueueSide { queue, ring, .. } = &refused else { panic!("{refused:?}") };
            assert_eq!((*queue, *ring), (rx, RingKind::Rx));
        }
    }
}

#[test]
fn where_one_queue_fails_nothing_is_left() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(4);
    let short =
        |socket: xsk::socket::SocketBuilder| socket.bind_timeout(Duration::from_millis(500));
    let taken = cable
        .right
        .run(|| {
            let (umem, pool) = Umem::builder().chunk_count(8).build().unwrap();
            let socket = Socket::builder(&umem).rx_only().bind(cable.veth.b(), 2).unwrap();
            (umem, pool, socket)
        })
        .unwrap();
    for shared in [false, true] {
        let refused =
            open(&cable, builder(&cable).shared_memory(shared).socket(short)).unwrap_err();
        let Error::Bind { queue: 2, errno: Errno::BUSY, .. } = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(common::left_on(cable.veth.b()), None);
    }
    // The others are free, as soon as the kernel has let go of them.
    let set: QueueSet = "0-1,3".parse().unwrap();
    let others = open(&cable, builder(&cable).queues(set)).unwrap();
    assert_eq!(queues(&others.ports), [0, 1, 3]);
    drop((others, taken));

    // A slot that is taken: the program is not left behind either.
    let first = cable.right.run(|| xsk::Attachment::builder(cable.veth.b()).attach()).unwrap();
    let first = first.unwrap();
    let other = common::rx_socket();
    first.map().insert(3, &other).unwrap();
    let refused = open(&cable, builder(&cable)).unwrap_err();
    assert!(matches!(refused, Error::UpdateMap { errno: Errno::EXIST, .. }), "{refused:?}");
    first.map().remove(3).unwrap();
    first.close().unwrap();
    assert_eq!(common::left_on(cable.veth.b()), None);
}

#[test]
fn what_cannot_be_is_refused() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let refused = |builder| open::<Socket>(&cable, builder).unwrap_err();
    for (queues, word, shown) in [(vec![], "number of queues", 0), (vec![0, 2], "queue", 2)] {
        let error = refused(builder(&cable).queues(queues.into_iter().collect()));
        let Error::Setting { name, value, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*name, *value), (word, shown));
    }
    let memory = Umem::builder().chunk_count(1 << 30);
    let error = refused(builder(&cable).memory(memory).shared_memory(true));
    assert!(matches!(error, Error::Setting { name: "number of chunks", .. }), "{error:?}");
    assert_eq!(common::left_on(cable.veth.b()), None);
}

#[test]
fn over_one_memory_packets_go_from_queue_to_queue() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let both = open(&cable, builder(&cable).shared_memory(true)).unwrap();
    let [mut zero, mut one] = <[QueuePort; 2]>::try_from(both.ports).unwrap();
    // A receiver at the other end of queue 1.
    let mut far = Port::at(&cable.left, cable.veth.a(), 1);
    far.fill();
    let _slot = common::attach(&cable.left, cable.veth.a(), AttachMode::Native, &far);
    send(&cable, 0, 0..8);
    let mut forwarded = 0;
    until("they are forwarded", || {
        forwarded += zero.socket.rx.receive(8).unwrap().forward(&mut one.socket.tx).unwrap();
        one.socket.tx.kick_if_needed().unwrap();
        forwarded == 8
    });
    let mut come = Vec::new();
    until("they have come", || {
        for frame in far.socket.rx.receive(8).unwrap() {
            come.push(far.umem.bytes(&frame).to_vec());
            far.pool.put(frame);
        }
        come.len() == 8
    });
    assert_eq!(come, (0..8).map(|number| packet(number, 60)).collect::<Vec<_>>());
    // The chunks come back by the ring of the queue that sent them.
    until("they are completed", || {
        one.socket.completion.reap_into(&mut one.pool, 8).unwrap();
        one.pool.len() + one.socket.fill.pending() as usize == CHUNKS as usize + 8
    });
}

#[test]
fn after_a_close_all_queues_can_be_opened_again_at_once() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(4);
    for round in 0..common::rounds(8) {
        let all = open(&cable, builder(&cable).shared_memory(round % 2 == 0)).unwrap();
        assert_eq!(attached(cable.veth.b()), Some(XdpMode::Native));
        all.close().unwrap();
        assert_eq!(common::left_on(cable.veth.b()), None);
    }
}

#[test]
fn under_full_traffic_it_closes_in_order_and_opens_again_at_once() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut senders = [0, 1].map(|queue| Port::at(&cable.left, cable.veth.a(), queue));
        let ended = &ended;
        scope.spawn(move || {
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                for Port { pool, socket, .. } in &mut senders {
                    socket.tx.send_from(pool, 64, 60).unwrap();
                    socket.tx.kick_if_needed().unwrap();
                    socket.completion.reap_into(pool, 128).unwrap();
                }
            }
        });
        for _ in 0..common::rounds(8) {
            let mut all = open(&cable, builder(&cable)).unwrap();
            for port in &mut all.ports {
                let mut left = 500;
                until("packets come", || {
                    let batch = port.socket.rx.receive(64).unwrap();
                    left -= i64::from(batch.recycle(&mut port.socket.fill).unwrap());
                    port.socket.fill.kick_if_needed().unwrap();
                    left <= 0
                });
            }
            let memory: Vec<Umem> = all.ports.iter().map(|port| port.umem.clone()).collect();
            all.close().unwrap();
            assert_eq!(common::left_on(cable.veth.b()), None);
            // Pools and rings had all chunks: no frame was dropped.
            let pools = CHUNKS / 2;
            assert!(memory.iter().all(|umem| umem.lost_chunks() == pools));
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn sets_of_queues_are_read_and_written() {
    let counts: BTreeMap<&str, &[u32]> =
        [("0", &[0][..]), ("3,1", &[1, 3]), ("0-2,2-3", &[0, 1, 2, 3]), ("65535", &[65535])].into();
    for (text, numbers) in counts {
        let set: QueueSet = text.parse().unwrap();
        assert_eq!(set, numbers.iter().copied().collect());
        assert_eq!(set.to_string().parse::<QueueSet>().unwrap(), set);
        assert!(!set.is_all());
    }
    assert!("all".parse::<QueueSet>().unwrap().is_all());
    for (text, word) in [
        ("", "no number"),
        ("a", "no number"),
        ("1,", "no number"),
        ("-1", "no number"),
        ("1-", "no number"),
        ("+1", "no number"),
        ("1-2-3", "no number"),
        ("2-1", "ends before it begins"),
        ("65536", "not below 65536"),
        ("0-99999999999999999999", "not below 65536"),
        ("ALL", "no number"),
    ] {
        let error = text.parse::<QueueSet>().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

/// The parts of a queue are values of their own, for a thread each.
#[test]
fn a_port_can_go_to_a_thread() {
    fn is_send<T: Send>() {}
    is_send::<QueuePort<Socket>>();
    is_send::<QueuePort<RxSocket>>();
    is_send::<MultiQueue<xsk::TxSocket>>();
}
