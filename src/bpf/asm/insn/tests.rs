//! Instructions and their bytes.

use super::Insn;
use crate::bpf::{Alu, Cond, Helper, Reg::*, Size, Width};
use std::os::fd::AsFd;
use xsk_uapi::bpf::bpf_insn;

/// The bytes are written by hand, from the encoding tables of the kernel's instruction set
/// document.
#[test]
fn golden() {
    let table: &[(Insn<'_>, [u8; 8])] = &[
        (Insn::mov64_imm(R0, 2), [0xb7, 0x00, 0, 0, 2, 0, 0, 0]),
        (Insn::mov64_imm(R0, -1), [0xb7, 0x00, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        (Insn::mov64_reg(R6, R1), [0xbf, 0x16, 0, 0, 0, 0, 0, 0]),
        (Insn::mov32_imm(R3, 7), [0xb4, 0x03, 0, 0, 7, 0, 0, 0]),
        (Insn::mov32_reg(R3, R9), [0xbc, 0x93, 0, 0, 0, 0, 0, 0]),
        (Insn::alu64_imm(Alu::Add, R2, -4), [0x07, 0x02, 0, 0, 0xfc, 0xff, 0xff, 0xff]),
        (Insn::alu64_reg(Alu::Sub, R4, R2), [0x1f, 0x24, 0, 0, 0, 0, 0, 0]),
        (Insn::alu64_imm(Alu::Mul, R1, 3), [0x27, 0x01, 0, 0, 3, 0, 0, 0]),
        (Insn::alu64_imm(Alu::Div, R1, 3), [0x37, 0x01, 0, 0, 3, 0, 0, 0]),
        (Insn::alu64_reg(Alu::Or, R1, R5), [0x4f, 0x51, 0, 0, 0, 0, 0, 0]),
        (Insn::alu32_imm(Alu::And, R1, 0xff), [0x54, 0x01, 0, 0, 0xff, 0, 0, 0]),
        (Insn::alu64_imm(Alu::Lsh, R1, 8), [0x67, 0x01, 0, 0, 8, 0, 0, 0]),
        (Insn::alu64_reg(Alu::Rsh, R1, R2), [0x7f, 0x21, 0, 0, 0, 0, 0, 0]),
        (Insn::alu32_reg(Alu::Mod, R1, R2), [0x9c, 0x21, 0, 0, 0, 0, 0, 0]),
        (Insn::alu64_reg(Alu::Xor, R0, R0), [0xaf, 0x00, 0, 0, 0, 0, 0, 0]),
        (Insn::alu64_imm(Alu::Arsh, R1, 1), [0xc7, 0x01, 0, 0, 1, 0, 0, 0]),
        (Insn::neg64(R7), [0x87, 0x07, 0, 0, 0, 0, 0, 0]),
        (Insn::neg32(R7), [0x84, 0x07, 0, 0, 0, 0, 0, 0]),
        (Insn::to_be(R1, Width::W16), [0xdc, 0x01, 0, 0, 16, 0, 0, 0]),
        (Insn::to_le(R1, Width::W32), [0xd4, 0x01, 0, 0, 32, 0, 0, 0]),
        (Insn::swap_bytes(R1, Width::W64), [0xd7, 0x01, 0, 0, 64, 0, 0, 0]),
        (Insn::load(Size::Word, R2, R1, 16), [0x61, 0x12, 16, 0, 0, 0, 0, 0]),
        (Insn::load(Size::Half, R2, R1, -2), [0x69, 0x12, 0xfe, 0xff, 0, 0, 0, 0]),
        (Insn::load(Size::Byte, R2, R1, 0), [0x71, 0x12, 0, 0, 0, 0, 0, 0]),
        (Insn::load(Size::Double, R2, R1, 8), [0x79, 0x12, 8, 0, 0, 0, 0, 0]),
        (Insn::store(Size::Word, R10, -4, R2), [0x63, 0x2a, 0xfc, 0xff, 0, 0, 0, 0]),
        (Insn::store(Size::Double, R10, -8, R2), [0x7b, 0x2a, 0xf8, 0xff, 0, 0, 0, 0]),
        (Insn::store_imm(Size::Word, R10, -4, 1), [0x62, 0x0a, 0xfc, 0xff, 1, 0, 0, 0]),
        (Insn::store_imm(Size::Double, R10, -8, 1), [0x7a, 0x0a, 0xf8, 0xff, 1, 0, 0, 0]),
        (Insn::jump(3), [0x05, 0, 3, 0, 0, 0, 0, 0]),
        (Insn::jump_imm(Cond::Eq, R0, 0, 2), [0x15, 0x00, 2, 0, 0, 0, 0, 0]),
        (Insn::jump_imm(Cond::Ne, R0, 0, 2), [0x55, 0x00, 2, 0, 0, 0, 0, 0]),
        (Insn::jump_imm(Cond::Set, R0, 4, 2), [0x45, 0x00, 2, 0, 4, 0, 0, 0]),
        (Insn::jump_reg(Cond::Gt, R4, R3, 1), [0x2d, 0x34, 1, 0, 0, 0, 0, 0]),
        (Insn::jump_reg(Cond::Ge, R4, R3, -1), [0x3d, 0x34, 0xff, 0xff, 0, 0, 0, 0]),
        (Insn::jump_imm(Cond::Lt, R7, 32, -9), [0xa5, 0x07, 0xf7, 0xff, 32, 0, 0, 0]),
        (Insn::jump_reg(Cond::Le, R1, R2, 1), [0xbd, 0x21, 1, 0, 0, 0, 0, 0]),
        (Insn::jump_imm(Cond::Sgt, R1, 0, 1), [0x65, 0x01, 1, 0, 0, 0, 0, 0]),
        (Insn::jump_imm(Cond::Sge, R1, 0, 1), [0x75, 0x01, 1, 0, 0, 0, 0, 0]),
        (Insn::jump_imm(Cond::Slt, R1, 0, 1), [0xc5, 0x01, 1, 0, 0, 0, 0, 0]),
        (Insn::jump_imm(Cond::Sle, R1, 0, 1), [0xd5, 0x01, 1, 0, 0, 0, 0, 0]),
        (Insn::jump32_imm(Cond::Eq, R1, 6, 1), [0x16, 0x01, 1, 0, 6, 0, 0, 0]),
        (Insn::jump32_reg(Cond::Ne, R1, R2, 1), [0x5e, 0x21, 1, 0, 0, 0, 0, 0]),
        (Insn::call(Helper::REDIRECT_MAP), [0x85, 0, 0, 0, 51, 0, 0, 0]),
        (Insn::exit(), [0x95, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (insn, bytes) in table {
        assert_eq!(insn.to_bytes(), *bytes, "{insn:?}");
        assert_eq!(Insn::from_raw(insn.raw()), Some(*insn));
    }
}

#[test]
fn two_slots() {
    let [low, high] = Insn::load_imm64(R1, 0x1122_3344_5566_7788);
    assert_eq!(low.to_bytes(), [0x18, 0x01, 0, 0, 0x88, 0x77, 0x66, 0x55]);
    assert_eq!(high.to_bytes(), [0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11]);
    let stdin = std::io::stdin();
    let [low, high] = Insn::load_map_fd(R1, stdin.as_fd());
    assert_eq!(low.to_bytes(), [0x18, 0x11, 0, 0, 0, 0, 0, 0]);
    assert_eq!(high.to_bytes(), [0; 8]);
}

#[test]
fn what_names_a_descriptor_is_made_with_it_only() {
    let [number, _] = Insn::load_imm64(R1, 3);
    assert_eq!(Insn::from_raw(number.raw()), Some(number));
    let stdin = std::io::stdin();
    let [map, second] = Insn::load_map_fd(R1, stdin.as_fd());
    assert_eq!(Insn::from_raw(map.raw()), None);
    assert_eq!(Insn::from_raw(second.raw()), Some(second));
    // A map, a map's value, a kernel variable, an entry of an array of descriptors.
    for source in 1..=15 {
        let raw = bpf_insn { regs: source << 4 | 1, ..number.raw() };
        assert_eq!(Insn::from_raw(raw), None, "{source}");
    }
}
