//! Runs of a program whose decisions are carried out: `Program::run_live`.

use crate::common::{
    AtCable, Cable, PATIENCE, as_nobody, attach, kernel_can, kernel_since, packet, until,
};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use xsk::bpf::{Alu, ArrayMap, Atomic, Cond, Helper, Insn, Program, Reg, Size, XskMap, redirect};
use xsk::test_util::{Namespace, ip, privileged, test_name};
use xsk::uapi::bpf::xdp_md;
use xsk::{AttachMode, Error, Interface, Port};
use zerocopy::FromZeros;

/// Returns a program that returns this action.
fn action(action: i32) -> Program {
    Program::builder(&[Insn::mov64_imm(Reg::R0, action), Insn::exit()]).load().unwrap()
}

/// Returns a program that sends each packet out of an interface.
fn redirecting(interface: &Interface) -> Program {
    let insns = [
        Insn::mov64_imm(Reg::R1, interface.index() as i32),
        Insn::mov64_imm(Reg::R2, 0),
        Insn::call(Helper::REDIRECT),
        Insn::exit(),
    ];
    Program::builder(&insns).load().unwrap()
}

macro_rules! live_frames {
    () => {
        privileged!() && kernel_can(test_name!(), kernel_since(5, 18), "live frames: Linux 5.18")
    };
}

#[test]
fn before_5_18_the_kernel_is_named() {
    if !privileged!() || !kernel_can(test_name!(), !kernel_since(5, 18), "this kernel has them") {
        return;
    }
    let error = action(1).run_live(&[0; 64], None, 1).unwrap_err();
    assert!(matches!(error, Error::NeedsKernel { version: "5.18", .. }), "{error:?}");
}

#[test]
fn each_frame_runs_the_program_once() {
    if !live_frames!() {
        return;
    }
    let counts = ArrayMap::<u64>::create("runs", 1).unwrap();
    let [low, high] = Insn::load_map_fd(Reg::R1, counts.as_fd());
    let insns = [
        Insn::store_imm(Size::Word, Reg::R10, -4, 0),
        Insn::mov64_reg(Reg::R2, Reg::R10),
        Insn::alu64_imm(Alu::Add, Reg::R2, -4),
        low,
        high,
        Insn::call(Helper::MAP_LOOKUP_ELEM),
        Insn::jump_imm(Cond::Eq, Reg::R0, 0, 2),
        Insn::mov64_imm(Reg::R1, 1),
        Insn::atomic64(Atomic::Add, Reg::R0, 0, Reg::R1),
        Insn::mov64_imm(Reg::R0, 1),
        Insn::exit(),
    ];
    let program = Program::builder(&insns).load().unwrap();
    let mut sum = 0;
    for (count, runs) in [(0, 1), (1, 1), (63, 63), (64, 64), (65, 65), (100_000, 100_000)] {
        program.run_live(&packet(0, 60), None, count).unwrap();
        sum += runs;
        assert_eq!(counts.get(0).unwrap(), Some(sum));
    }
}

#[test]
fn redirected_frames_arrive_as_they_were_given() {
    if !live_frames!() {
        return;
    }
    let cable = Cable::new(1);
    let mut port = Port::right(&cable);
    // More than are sent.
    port.fill();
    let _slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &port);
    let program = redirecting(cable.veth.a());
    for (round, len) in [60, 100, 1000, 1514].into_iter().enumerate() {
        let sent = packet(round as u32, len);
        let count = 48;
        cable.left.run(|| program.run_live(&sent, None, count)).unwrap().unwrap();
        let mut come = 0;
        until("all frames", || {
            for frame in port.socket.rx.receive(64).unwrap() {
                assert_eq!(port.umem.bytes(&frame), sent);
                port.pool.put(frame);
                come += 1;
            }
            come == count
        });
    }
}

/// Returns a datagram for port 7 of 192.0.2.1, without a UDP checksum.
fn datagram(station: [u8; 6]) -> Vec<u8> {
    let mut packet = station.to_vec();
    packet.extend([2, 0, 0, 0, 0, 9, 8, 0]);
    packet.extend([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0xf6, 0xc9, 192, 0, 2, 2, 192, 0, 2, 1]);
    packet.extend([0, 9, 0, 7, 0, 12, 0, 0]);
    packet.extend(b"live");
    packet
}

/// A context chooses the interface on which a frame seems to come in.
#[test]
fn passed_frames_go_to_the_stack_of_the_interface_of_the_context() {
    if !live_frames!() {
        return;
    }
    let cable = Cable::new(1);
    let near = cable.veth.a();
    ip::add_ipv4(near, [192, 0, 2, 1].into(), 24).unwrap();
    let socket = cable.left.run(|| UdpSocket::bind("192.0.2.1:7").unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let sent = datagram(near.info().unwrap().mac.unwrap());
    let ctx = |ifindex| xdp_md {
        data_end: sent.len() as u32,
        ingress_ifindex: ifindex,
        ..xdp_md::new_zeroed()
    };
    let run = |ctx| cable.left.run(|| action(2).run_live(&sent, Some(&ctx), 20)).unwrap();
    run(ctx(near.index())).unwrap();
    // Fewer than fit the socket's buffer.
    for _ in 0..20 {
        let mut bytes = [0; 16];
        let (len, from) = socket.recv_from(&mut bytes).unwrap();
        assert_eq!((&bytes[..len], from.to_string()), (&b"live"[..], "192.0.2.2:9".to_owned()));
    }
    let refused = run(ctx(0x7fff_ffff)).unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::NODEV), "{refused}");
}

/// The program sees queue 0, whatever the context says.
#[test]
fn frames_go_to_the_socket_of_queue_0() {
    if !live_frames!() {
        return;
    }
    let cable = Cable::new(2);
    let mut ports = [0, 1].map(|queue| Port::at(&cable.left, cable.veth.a(), queue));
    let map = XskMap::create("sockets", 2).unwrap();
    for (slot, port) in (0..).zip(&mut ports) {
        port.fill();
        map.insert(slot, port.socket.rx.as_fd()).unwrap();
    }
    let program = redirect(&map).unwrap();
    let ctx = xdp_md {
        data_end: 60,
        ingress_ifindex: cable.veth.a().index(),
        rx_queue_index: 1,
        ..xdp_md::new_zeroed()
    };
    cable.left.run(|| program.run_live(&[0xff; 60], Some(&ctx), 7)).unwrap().unwrap();
    let [zero, one] = &mut ports;
    let mut come = 0;
    until("the frames", || {
        come += zero.socket.rx.receive(8).unwrap().recycle(&mut zero.socket.fill).unwrap();
        come == 7
    });
    assert_eq!(one.socket.rx.receive(1).unwrap().len(), 0);
}

/// A process without rights may run a program that it was given, and gets the error of that run, not
/// that of the attempt to find out whether the kernel has live frames.
#[test]
fn it_takes_no_rights() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 19), "takes CAP_BPF before 5.19")
    {
        return;
    }
    let program = action(1);
    let here = Namespace::new().unwrap();
    as_nobody(CapabilitySet::empty(), &here, || {
        program.run_live(&[0; 64], None, 100).unwrap();
        let ctx = xdp_md { data: 217, data_end: 300, ..xdp_md::new_zeroed() };
        for (packet, ctx) in [(&[0; 10][..], None), (&[0; 300], Some(&ctx))] {
            let error = program.run_live(packet, ctx, 1).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::INVAL), "{error}");
        }
    });
}

#[test]
fn a_packet_that_fits_no_frame_is_refused() {
    if !live_frames!() {
        return;
    }
    let program = action(1);
    for len in [0, 13, 70_000] {
        let error = program.run_live(&vec![0; len], None, 1).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::INVAL), "{len}: {error}");
        assert!(error.to_string().contains("14 bytes at least"), "{error}");
    }
    program.run_live(&[0; 3000], None, 1).unwrap();
}
