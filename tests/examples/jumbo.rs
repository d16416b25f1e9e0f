//! `examples/jumbo.rs`: packets of several frames.

use crate::common::{Cable, PATIENCE, kernel_can, kernel_since, packet, until};
use crate::fixture::Example;
use rustix::process::Signal;
use xsk::socket::PacketSocket;
use xsk::test_util::{VethPair, ip, privileged, test_name};
use xsk::{FramePool, Socket, Umem, XdpMode};

/// A sender at the other end of the cable.
struct Sender {
    umem: Umem,
    pool: FramePool,
    socket: PacketSocket,
}

impl Sender {
    fn new(cable: &Cable, queue: u32) -> Self {
        let (umem, pool) = Umem::builder().chunk_count(64).build().unwrap();
        let builder = Socket::builder(&umem).multi_buffer().bind_timeout(PATIENCE);
        let bind = || builder.bind(cable.veth.a(), queue).unwrap();
        let socket = cable.left.run(bind).unwrap();
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
        let mut sender = Sender::new(&cable, queue);
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
