//! `examples/jumbo.rs` and `examples/jumbo_forward.rs`: packets of several frames.

use crate::common::{Cable, PATIENCE, kernel_can, kernel_since, packet, until};
use crate::fixture::Example;
use rustix::process::Signal;
use xsk::socket::PacketSocket;
use xsk::test_util::{Namespace, VethPair, ip, privileged, test_name};
use xsk::{Attachment, FramePool, Interface, Socket, Umem, XdpMode};

/// A sender at the other end of the cable.
struct Sender {
    umem: Umem,
    pool: FramePool,
    socket: PacketSocket,
}

impl Sender {
    fn new(namespace: &Namespace, interface: &Interface, queue: u32) -> Self {
        let (umem, pool) = Umem::builder().chunk_count(64).build().unwrap();
        let builder = Socket::builder(&umem).multi_buffer().bind_timeout(PATIENCE);
        let bind = || builder.bind(interface, queue).unwrap();
        let socket = namespace.run(bind).unwrap();
        Self { umem, pool, socket }
    }

    fn send(&mut self, bytes: &[u8]) {
        let Self { umem, pool, socket } = self;
        let mut packet = pool.take_packet(bytes.len() as u64).unwrap();
        umem.write_packet(packet.frames_mut(), bytes).unwrap();
        socket.tx.reserve(8).unwrap().push(packet).unwrap();
        until("the packet is sent", || {
            socket.tx.kick_if_needed().unwrap();
            socket.completion.reap_into(pool, 8).unwrap();
            pool.len() == 64
        });
    }
}

#[test]
fn jumbo_packets_of_its_queue_have_a_line_each_also_after_a_flap() {
    if !privileged!()
        || !kernel_can(test_name!(), kernel_since(6, 6), "packets of several frames: Linux 6.6")
    {
        return;
    }
    let builder = VethPair::builder().names("from0", "eth1").queues(2).mtu(9000);
    let cable = Cable::build(builder);
    for (queue, signal) in [(0, Signal::INT), (1, Signal::TERM)] {
        let example = Example::start(&cable.right, &format!("jumbo eth1 {queue}"), 1);
        let attached = cable.veth.b().attached_programs().unwrap();
        assert!(attached.program(XdpMode::Native).is_some(), "{attached:?}");
        let mut sender = Sender::new(&cable.left, cable.veth.a(), queue);
        for (number, len) in [(0, 60), (1, 9014), (2, 3840), (3, 3841), (4, 9000)] {
            let bytes = packet(number, len);
            sender.send(&bytes);
            let frames = len.div_ceil(3840);
            let wanted = format!("{len} bytes in {frames} frames: {:02x?}", &bytes[..32]);
            assert_eq!(example.line(), wanted);
            if number == 2 {
                ip::set_up(cable.veth.b(), false).unwrap();
                // Longer than the program waits at once.
                std::thread::sleep(std::time::Duration::from_millis(200));
                ip::set_up(cable.veth.b(), true).unwrap();
                ip::wait_for_carrier(cable.veth.a(), PATIENCE).unwrap();
            }
        }
        let ended = example.stop(signal);
        assert_eq!(ended.out, [""; 0]);
        ended.well(&[cable.veth.b()]);
    }
    let example = Example::start(&cable.right, "jumbo eth1 0", 1);
    ip::delete(cable.veth.b()).unwrap();
    example.end().names("eth1");
}

#[test]
fn jumbo_packets_go_both_ways_and_every_chunk_comes_home() {
    if !privileged!()
        || !kernel_can(test_name!(), kernel_since(6, 6), "packets of several frames: Linux 6.6")
    {
        return;
    }
    let [a, middle, b] = [(); 3].map(|()| Namespace::new().unwrap());
    let cable = |end, middle_end, namespace| {
        let builder = VethPair::builder().names(end, middle_end).mtu(9000);
        builder.build(namespace, &middle).unwrap()
    };
    let (cable_a, cable_b) = (cable("a0", "v0", &a), cable("b0", "v1", &b));
    // Without a program at the far end a veth pair does not hand native frames on.
    let attach = |namespace: &Namespace, interface| {
        let attach = || Attachment::builder(interface).frags(true).attach().unwrap();
        namespace.run(attach).unwrap()
    };
    let far = [attach(&a, cable_a.a()), attach(&b, cable_b.a())];
    let example = Example::start(&middle, "jumbo_forward v0 v1", 2);
    let received = |interface: &Interface| {
        let counters = interface.info().unwrap().counters;
        (counters.rx_packets, counters.rx_bytes)
    };
    let sizes = [60, 9014, 3840, 3841, 9000];
    for (namespace, from, to) in [(&a, cable_a.a(), cable_b.a()), (&b, cable_b.a(), cable_a.a())] {
        let mut sender = Sender::new(namespace, from, 0);
        let (packets, bytes) = received(to);
        for (number, len) in (0..).zip(sizes) {
            sender.send(&packet(number, len));
        }
        // The kernel counts the bytes behind the Ethernet header.
        let all = (packets + 5, bytes + sizes.iter().map(|len| *len as u64 - 14).sum::<u64>());
        until("they have arrived", || received(to) == all);
    }
    let ended = example.stop(Signal::TERM);
    let last = "5 packets to v1, 5 to v0; 2048 of 2048 chunks home";
    assert_eq!((ended.status.code(), &ended.err[..]), (Some(0), &[last.to_owned()][..]));
    for end in [cable_a.b(), cable_b.b()] {
        assert_eq!(crate::common::left_on(end), None, "{end:?}");
    }
    drop(far);
}
