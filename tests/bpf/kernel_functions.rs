//! Programs that call functions of the kernel: what a driver knows of a packet.

use crate::common::{AtCable, Cable, kernel_can, kernel_since, once_within, until};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use xsk::attach::{AttachMode, Attachment};
use xsk::bpf::{Btf, Cond, Helper, Insn, Program, Reg, Size, XskMap};
use xsk::test_util::{privileged, test_name};
use xsk::{Error, Port};

/// A record before the packet: what the driver returned, the hash, and its type.
const RECORD: i32 = 12;

/// Returns a program that writes a record before each packet and redirects it.
fn with_hash<'a>(map: &'a XskMap, hash: u32) -> Vec<Insn<'a>> {
    use Reg::{R0, R1, R2, R3, R4, R6, R7, R10};
    let [low, high] = Insn::load_map_fd(R1, map.as_fd());
    vec![
        Insn::mov64_reg(R6, R1),
        Insn::store_imm(Size::Double, R10, -8, 0),
        Insn::mov64_reg(R2, R10),
        Insn::alu64_imm(xsk::bpf::Alu::Add, R2, -8),
        Insn::mov64_reg(R3, R10),
        Insn::alu64_imm(xsk::bpf::Alu::Add, R3, -4),
        Insn::call_kernel(hash),
        Insn::mov64_reg(R7, R0),
        Insn::mov64_reg(R1, R6),
        Insn::mov64_imm(R2, -RECORD),
        Insn::call(Helper::XDP_ADJUST_META),
        Insn::jump_imm(Cond::Ne, R0, 0, 10),
        Insn::load(Size::Word, R2, R6, 8),
        Insn::load(Size::Word, R3, R6, 0),
        Insn::mov64_reg(R4, R2),
        Insn::alu64_imm(xsk::bpf::Alu::Add, R4, RECORD),
        Insn::jump_reg(Cond::Gt, R4, R3, 5),
        Insn::store(Size::Word, R2, 0, R7),
        Insn::load(Size::Word, R4, R10, -8),
        Insn::store(Size::Word, R2, 4, R4),
        Insn::load(Size::Word, R4, R10, -4),
        Insn::store(Size::Word, R2, 8, R4),
        Insn::load(Size::Word, R2, R6, 16),
        low,
        high,
        Insn::mov64_imm(R3, 2),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]
}

fn hash_function() -> Option<u32> {
    Btf::of_kernel().unwrap().function("bpf_xdp_metadata_rx_hash")
}

#[test]
fn the_kernels_functions_are_found_quickly() {
    if !privileged!() {
        return;
    }
    let names = ["bpf_xdp_metadata_rx_timestamp", "bpf_xdp_metadata_rx_hash"];
    // A debug build takes ten times as long as a released one.
    once_within(Duration::from_secs(1), || {
        let start = Instant::now();
        let btf = Btf::of_kernel().unwrap();
        let found = names.map(|name| btf.function(name).is_some());
        let time = start.elapsed();
        eprintln!("{time:?} for {names:?}");
        assert_eq!(found, [kernel_since(6, 3); 2]);
        time
    });
    let btf = Btf::of_kernel().unwrap();
    assert_eq!(btf.function("bpf_xdp_metadata_rx"), None);
    // What any user may read says the same.
    let file = std::fs::read("/sys/kernel/btf/vmlinux").map(|bytes| Btf::parse(bytes).unwrap());
    if let Ok(file) = file {
        assert_eq!(file.function(names[1]), btf.function(names[1]));
    }
}

/// The record that the program writes comes before the packet.
#[test]
fn a_program_writes_the_hash_that_the_driver_knows_before_the_packet() {
    if !privileged!() {
        return;
    }
    let name = test_name!();
    if !kernel_can(name, kernel_since(6, 3), "bound programs came with 6.3") {
        return;
    }
    let hash = hash_function().unwrap();
    let cable = Cable::new(1);
    let near = cable.veth.a();
    let mut port = Port::left(&cable);
    port.fill();
    let map = XskMap::create("xsks_map", 1).unwrap();
    let insns = with_hash(&map, hash);
    let load = || {
        let builder = Program::builder(&insns).name("with_hash").license(c"Dual MIT/GPL");
        builder.bound_to(near.index()).load()
    };
    let program = cable.left.run(load).unwrap().unwrap();
    let attach =
        || Attachment::builder(near).program(program, map).mode(AttachMode::Native).attach();
    let attachment = cable.left.run(attach).unwrap().unwrap();
    let registration = port.socket.register(&attachment).unwrap();

    let mut peer = Port::right(&cable);
    let packet = crate::common::packet(1, 64);
    for _ in 0..20 {
        let Port { umem, pool, socket, .. } = &mut peer;
        socket.tx.send_each(pool, 1, |frame| umem.write(frame, &packet).unwrap()).unwrap();
        socket.tx.kick_if_needed().unwrap();
        let mut record = None;
        until("the packet", || {
            let Port { umem, pool, socket, .. } = &mut port;
            for mut frame in socket.rx.receive(1).unwrap() {
                assert_eq!(umem.bytes(&frame), packet);
                umem.grow_front(&mut frame, RECORD as u32).unwrap();
                let bytes: [u8; 12] = umem.bytes(&frame)[..12].try_into().unwrap();
                record = Some(bytes);
                pool.put(frame);
            }
            record.is_some()
        });
        let record = record.unwrap();
        let word = |at: usize| i32::from_ne_bytes(record[at..at + 4].try_into().unwrap());
        // 0, or the driver has no skb to take it of.
        let result = -word(0);
        assert!([0, 61].contains(&result), "the driver returned {result}");
        peer.socket.completion.reap_into(&mut peer.pool, 1).unwrap();
    }
    registration.close().unwrap();
    attachment.close().unwrap();
}

#[test]
fn a_bound_program_is_refused_elsewhere_and_where_it_calls_what_is_not_there() {
    if !privileged!() {
        return;
    }
    let pass = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let bound = |index| Program::builder(&pass).license(c"GPL").bound_to(index).load();
    if !kernel_since(6, 3) {
        let refused = bound(1).unwrap_err();
        assert!(matches!(refused, Error::NeedsKernel { version: "6.3", .. }), "{refused}");
        return;
    }
    let cable = Cable::new(1);
    let (near, far) = (cable.veth.a(), cable.veth.b());
    let program = cable.left.run(|| bound(near.index())).unwrap().unwrap();
    // On the other interface.
    let map = XskMap::create("xsks_map", 1).unwrap();
    let attach =
        || Attachment::builder(far).program(program, map).mode(AttachMode::Native).attach();
    let refused = cable.right.run(attach).unwrap().map(drop).unwrap_err();
    let hinted = |error: Error, errno, hint| {
        assert_eq!(error.errno(), Some(errno), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error}");
    };
    hinted(refused, Errno::INVAL, "load it anew for this one");
    // In generic mode.
    let program = cable.left.run(|| bound(near.index())).unwrap().unwrap();
    let map = XskMap::create("xsks_map", 1).unwrap();
    let attach =
        || Attachment::builder(near).program(program, map).mode(AttachMode::Generic).attach();
    let refused = cable.left.run(attach).unwrap().map(drop).unwrap_err();
    hinted(refused, Errno::INVAL, "runs in native mode only");
    // To an interface that is not there, and to one whose driver knows nothing.
    let nowhere = bound(i32::MAX as u32).map(drop).unwrap_err();
    hinted(nowhere, Errno::INVAL, "no interface of this index");
    let on_loopback = cable.left.run(|| bound(1)).unwrap().map(drop).unwrap_err();
    hinted(on_loopback, Errno::OPNOTSUPP, "takes no bound programs");
    // A function that is none, and one without being bound.
    let call = |function| [Insn::call_kernel(function), Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let load = |insns: &[Insn<'_>]| Program::builder(insns).license(c"GPL").load().map(drop);
    for insns in [call(u32::MAX), call(0), call(hash_function().unwrap())] {
        let refused = load(&insns).unwrap_err();
        assert!(matches!(refused, Error::LoadProgram { .. }), "{refused}");
    }
}
