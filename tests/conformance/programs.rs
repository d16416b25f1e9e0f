//! The programs of the kernel's suite (`progs/xsk_xdp_progs.c`), as instructions. Where those keep
//! a counter in a global variable, these take the number from the packet.

use crate::packets::HEADER;
use std::os::fd::AsFd;
use xsk::bpf::{Alu, Cond, Helper, Insn, Program, Reg, Size, Width, XskMap};

const XDP_DROP: i32 = 1;
const HAS_FRAGS: u32 = xsk::uapi::bpf::BPF_F_XDP_HAS_FRAGS;
/// Offsets in `struct xdp_md`.
const DATA: i16 = 0;
const DATA_END: i16 = 4;
const DATA_META: i16 = 8;
const RX_QUEUE_INDEX: i16 = 16;
/// Where a packet has its number.
const NUMBER: i16 = HEADER as i16;

/// Bytes before the packet that [`metadata_copy`] writes (`struct xdp_info`).
pub(crate) const META: u32 = 32;
/// What is in the bytes that are not the number.
pub(crate) const META_FILLING: u32 = 0x5a5a_5a5a;

type WithMap = (Program, XskMap);

/// Loads `body`, which has the context in R6 and continues with a redirect to slot `slot`, or that
/// of the queue.
fn load(name: &str, body: &[Insn<'_>], slot: Option<i32>) -> WithMap {
    load_with(name, body, slot, 0)
}

fn load_with(name: &str, body: &[Insn<'_>], slot: Option<i32>, flags: u32) -> WithMap {
    let map = XskMap::create("xsk", 4).unwrap();
    let [map_low, map_high] = Insn::load_map_fd(Reg::R1, map.as_fd());
    let slot = match slot {
        Some(slot) => Insn::mov64_imm(Reg::R2, slot),
        None => Insn::load(Size::Word, Reg::R2, Reg::R6, RX_QUEUE_INDEX),
    };
    let mut insns = vec![Insn::mov64_reg(Reg::R6, Reg::R1)];
    insns.extend_from_slice(body);
    insns.extend([
        slot,
        map_low,
        map_high,
        Insn::mov64_imm(Reg::R3, XDP_DROP),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]);
    (Program::builder(&insns).name(name).license(c"GPL").flags(flags).load().unwrap(), map)
}

/// Drops the packet unless the jump over two instructions is taken.
fn drop_unless(jump: Insn<'static>) -> [Insn<'static>; 3] {
    [jump, Insn::mov64_imm(Reg::R0, XDP_DROP), Insn::exit()]
}

/// R2 = the packet, which has `bytes` bytes or is dropped; R3 and R4 are overwritten.
fn packet_of(bytes: i32) -> Vec<Insn<'static>> {
    let mut insns = vec![
        Insn::load(Size::Word, Reg::R2, Reg::R6, DATA),
        Insn::load(Size::Word, Reg::R3, Reg::R6, DATA_END),
        Insn::mov64_reg(Reg::R4, Reg::R2),
        Insn::alu64_imm(Alu::Add, Reg::R4, bytes),
    ];
    insns.extend(drop_unless(Insn::jump_reg(Cond::Le, Reg::R4, Reg::R3, 2)));
    insns
}

/// Everything goes to slot 0, whatever its queue (`xsk_def_prog`).
pub(crate) fn slot_zero() -> WithMap {
    load("slot_zero", &[], Some(0))
}

/// As the default program, but for packets of several buffers too.
pub(crate) fn with_frags() -> WithMap {
    load_with("with_frags", &[], None, HAS_FRAGS)
}

/// Packets with odd numbers are dropped (`xsk_xdp_drop`).
pub(crate) fn drop_half() -> WithMap {
    let mut body = packet_of(64);
    body.extend([
        Insn::load(Size::Byte, Reg::R5, Reg::R2, NUMBER + 1),
        Insn::alu64_imm(Alu::And, Reg::R5, 1),
    ]);
    body.extend(drop_unless(Insn::jump_imm(Cond::Eq, Reg::R5, 0, 2)));
    load("drop_half", &body, None)
}

/// Packets with even numbers go to slot 0, those with odd ones to slot 1 (`xsk_xdp_shared_umem`).
pub(crate) fn by_number() -> WithMap {
    let map = XskMap::create("xsk", 2).unwrap();
    let [map_low, map_high] = Insn::load_map_fd(Reg::R1, map.as_fd());
    let mut insns = vec![Insn::mov64_reg(Reg::R6, Reg::R1)];
    insns.extend(packet_of(64));
    insns.extend([
        Insn::load(Size::Byte, Reg::R2, Reg::R2, NUMBER + 1),
        Insn::alu64_imm(Alu::And, Reg::R2, 1),
        map_low,
        map_high,
        Insn::mov64_imm(Reg::R3, XDP_DROP),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]);
    (Program::builder(&insns).name("by_number").license(c"GPL").load().unwrap(), map)
}

/// The number, as a u64, and a filling in the 32 bytes before the packet
/// (`xsk_xdp_populate_metadata`).
pub(crate) fn metadata_copy() -> WithMap {
    load("metadata_copy", &metadata_copy_body(), None)
}

/// As [`metadata_copy`], for packets of several buffers (`xsk_xdp_populate_metadata_mb`).
pub(crate) fn metadata_copy_frags() -> WithMap {
    load_with("metadata_frags", &metadata_copy_body(), None, HAS_FRAGS)
}

fn metadata_copy_body() -> Vec<Insn<'static>> {
    let mut body = vec![
        Insn::mov64_reg(Reg::R1, Reg::R6),
        Insn::mov64_imm(Reg::R2, -(META as i32)),
        Insn::call(Helper::XDP_ADJUST_META),
    ];
    body.extend(drop_unless(Insn::jump_imm(Cond::Eq, Reg::R0, 0, 2)));
    body.extend(packet_of(64));
    body.extend([
        Insn::load(Size::Word, Reg::R7, Reg::R6, DATA_META),
        Insn::mov64_reg(Reg::R8, Reg::R7),
        Insn::alu64_imm(Alu::Add, Reg::R8, META as i32),
    ]);
    body.extend(drop_unless(Insn::jump_reg(Cond::Le, Reg::R8, Reg::R2, 2)));
    body.extend([
        Insn::load(Size::Half, Reg::R5, Reg::R2, NUMBER),
        Insn::to_be(Reg::R5, Width::W16),
        Insn::store(Size::Double, Reg::R7, 0, Reg::R5),
    ]);
    let filling = (8..META as i16).step_by(4);
    body.extend(filling.map(|at| Insn::store_imm(Size::Word, Reg::R7, at, META_FILLING as i32)));
    body
}

/// Packets of `len` bytes become longer or shorter by `delta`; if by 4 longer, the number is
/// written twice into the new bytes (`xsk_xdp_adjust_tail`).
pub(crate) fn adjust_tail(len: i16, delta: i32) -> WithMap {
    let mut body = vec![
        Insn::mov64_reg(Reg::R1, Reg::R6),
        Insn::mov64_imm(Reg::R2, delta),
        Insn::call(Helper::XDP_ADJUST_TAIL),
    ];
    body.extend(drop_unless(Insn::jump_imm(Cond::Eq, Reg::R0, 0, 2)));
    if delta == 4 {
        body.extend(packet_of(i32::from(len) + 4));
        body.extend([
            Insn::load(Size::Half, Reg::R5, Reg::R2, NUMBER),
            Insn::store(Size::Half, Reg::R2, len, Reg::R5),
            Insn::store(Size::Half, Reg::R2, len + 2, Reg::R5),
        ]);
    }
    load("adjust_tail", &body, None)
}

/// As [`adjust_tail`], for packets of several buffers. Packets that become longer end with their
/// number, twice. What cannot be changed comes as it was, with the kernel's error, in the byte order of
/// the machine, in its first four bytes.
pub(crate) fn adjust_tail_frags(delta: i32) -> WithMap {
    // Writes the four bytes of the stack to where R2 says.
    let write = |offset: Insn<'static>| {
        [
            offset,
            Insn::mov64_reg(Reg::R1, Reg::R6),
            Insn::mov64_reg(Reg::R3, Reg::R10),
            Insn::alu64_imm(Alu::Add, Reg::R3, -4),
            Insn::mov64_imm(Reg::R4, 4),
            Insn::call(Helper::XDP_STORE_BYTES),
        ]
    };
    let mut refused = vec![Insn::store(Size::Word, Reg::R10, -4, Reg::R0)];
    refused.extend(write(Insn::mov64_imm(Reg::R2, 0)));
    let mut grown = Vec::new();
    if delta > 0 {
        grown.extend([
            Insn::mov64_reg(Reg::R1, Reg::R6),
            Insn::call(Helper::XDP_GET_BUFF_LEN),
            Insn::alu64_imm(Alu::Sub, Reg::R0, 4),
        ]);
        grown.extend(write(Insn::mov64_reg(Reg::R2, Reg::R0)));
    }
    let mut body = packet_of(64);
    body.extend([
        Insn::load(Size::Half, Reg::R5, Reg::R2, NUMBER),
        Insn::store(Size::Half, Reg::R10, -4, Reg::R5),
        Insn::store(Size::Half, Reg::R10, -2, Reg::R5),
        Insn::mov64_reg(Reg::R1, Reg::R6),
        Insn::mov64_imm(Reg::R2, delta),
        Insn::call(Helper::XDP_ADJUST_TAIL),
        Insn::jump_imm(Cond::Eq, Reg::R0, 0, refused.len() as i16 + 1),
    ]);
    body.extend(refused);
    body.push(Insn::jump(grown.len() as i16));
    body.extend(grown);
    load_with("tail_frags", &body, None, HAS_FRAGS)
}
