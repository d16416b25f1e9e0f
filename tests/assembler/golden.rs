//! Instructions beside their bytes and their text, as other tools write them.
#![cfg(target_endian = "little")]

use std::os::fd::AsFd;
use xsk::bpf::{Alu, Atomic, Cond, Helper, Insn, Listing, Narrow, Reg::*, Size, Width};
use xsk::uapi::bpf::bpf_insn;

/// An instruction, its bytes, and its text.
type Row = (Insn<'static>, [u8; 8], &'static str);

/// The bytes are those of `llvm-mc -triple=bpfel -mcpu=v3 -show-encoding` (LLVM 14), for the same
/// instruction in its syntax. The text is that of the kernel's kernel/bpf/disasm.c, where it
/// differs in signs: `(r1 +16)` for `(r1 + 16)`.
const OF_LLVM: &[Row] = &[
    (Insn::alu64_imm(Alu::Add, R1, -4), [7, 1, 0, 0, 0xfc, 0xff, 0xff, 0xff], "(07) r1 += -4"),
    (Insn::alu64_reg(Alu::Sub, R1, R2), [0x1f, 0x21, 0, 0, 0, 0, 0, 0], "(1f) r1 -= r2"),
    (Insn::alu32_imm(Alu::Mul, R3, 7), [0x24, 3, 0, 0, 7, 0, 0, 0], "(24) w3 *= 7"),
    (Insn::alu64_reg(Alu::Div, R1, R2), [0x3f, 0x21, 0, 0, 0, 0, 0, 0], "(3f) r1 /= r2"),
    (Insn::alu64_imm(Alu::Or, R1, 5), [0x47, 1, 0, 0, 5, 0, 0, 0], "(47) r1 |= 5"),
    (Insn::alu32_reg(Alu::And, R1, R2), [0x5c, 0x21, 0, 0, 0, 0, 0, 0], "(5c) w1 &= w2"),
    (Insn::alu64_imm(Alu::Lsh, R9, 63), [0x67, 9, 0, 0, 0x3f, 0, 0, 0], "(67) r9 <<= 63"),
    (Insn::alu32_imm(Alu::Rsh, R9, 31), [0x74, 9, 0, 0, 0x1f, 0, 0, 0], "(74) w9 >>= 31"),
    (Insn::alu64_reg(Alu::Xor, R1, R2), [0xaf, 0x21, 0, 0, 0, 0, 0, 0], "(af) r1 ^= r2"),
    (Insn::alu64_imm(Alu::Arsh, R1, 3), [0xc7, 1, 0, 0, 3, 0, 0, 0], "(c7) r1 s>>= 3"),
    (Insn::mov64_imm(R1, -1), [0xb7, 1, 0, 0, 0xff, 0xff, 0xff, 0xff], "(b7) r1 = -1"),
    (Insn::mov32_reg(R1, R2), [0xbc, 0x21, 0, 0, 0, 0, 0, 0], "(bc) w1 = w2"),
    (Insn::neg64(R7), [0x87, 7, 0, 0, 0, 0, 0, 0], "(87) r7 = -r7"),
    (Insn::neg32(R7), [0x84, 7, 0, 0, 0, 0, 0, 0], "(84) w7 = -w7"),
    (Insn::to_be(R1, Width::W16), [0xdc, 1, 0, 0, 0x10, 0, 0, 0], "(dc) r1 = be16 r1"),
    (Insn::to_be(R1, Width::W64), [0xdc, 1, 0, 0, 0x40, 0, 0, 0], "(dc) r1 = be64 r1"),
    (Insn::to_le(R1, Width::W32), [0xd4, 1, 0, 0, 0x20, 0, 0, 0], "(d4) r1 = le32 r1"),
    (
        Insn::load(Size::Word, R2, R1, 16),
        [0x61, 0x12, 0x10, 0, 0, 0, 0, 0],
        "(61) r2 = *(u32 *)(r1 +16)",
    ),
    (Insn::load(Size::Byte, R2, R1, 0), [0x71, 0x12, 0, 0, 0, 0, 0, 0], "(71) r2 = *(u8 *)(r1 +0)"),
    (
        Insn::load(Size::Half, R2, R1, -2),
        [0x69, 0x12, 0xfe, 0xff, 0, 0, 0, 0],
        "(69) r2 = *(u16 *)(r1 -2)",
    ),
    (
        Insn::load(Size::Double, R2, R10, -8),
        [0x79, 0xa2, 0xf8, 0xff, 0, 0, 0, 0],
        "(79) r2 = *(u64 *)(r10 -8)",
    ),
    (
        Insn::store(Size::Word, R10, -4, R2),
        [0x63, 0x2a, 0xfc, 0xff, 0, 0, 0, 0],
        "(63) *(u32 *)(r10 -4) = r2",
    ),
    (
        Insn::store(Size::Double, R10, -8, R2),
        [0x7b, 0x2a, 0xf8, 0xff, 0, 0, 0, 0],
        "(7b) *(u64 *)(r10 -8) = r2",
    ),
    (
        Insn::store(Size::Byte, R1, 1, R2),
        [0x73, 0x21, 1, 0, 0, 0, 0, 0],
        "(73) *(u8 *)(r1 +1) = r2",
    ),
    (
        Insn::atomic32(Atomic::Add, R1, 4, R2),
        [0xc3, 0x21, 4, 0, 0, 0, 0, 0],
        "(c3) lock *(u32 *)(r1 +4) += r2",
    ),
    (
        Insn::atomic64(Atomic::Add, R1, 8, R2),
        [0xdb, 0x21, 8, 0, 0, 0, 0, 0],
        "(db) lock *(u64 *)(r1 +8) += r2",
    ),
    (
        Insn::atomic64(Atomic::Or, R1, 8, R2),
        [0xdb, 0x21, 8, 0, 0x40, 0, 0, 0],
        "(db) lock *(u64 *)(r1 +8) |= r2",
    ),
    (
        Insn::atomic32(Atomic::And, R1, 8, R2),
        [0xc3, 0x21, 8, 0, 0x50, 0, 0, 0],
        "(c3) lock *(u32 *)(r1 +8) &= r2",
    ),
    (
        Insn::atomic64(Atomic::Xor, R1, 8, R2),
        [0xdb, 0x21, 8, 0, 0xa0, 0, 0, 0],
        "(db) lock *(u64 *)(r1 +8) ^= r2",
    ),
    (Insn::jump(3), [5, 0, 3, 0, 0, 0, 0, 0], "(05) goto pc+3"),
    (
        Insn::jump_imm(Cond::Eq, R0, 0, 2),
        [0x15, 0, 2, 0, 0, 0, 0, 0],
        "(15) if r0 == 0x0 goto pc+2",
    ),
    (
        Insn::jump_reg(Cond::Gt, R1, R2, -3),
        [0x2d, 0x21, 0xfd, 0xff, 0, 0, 0, 0],
        "(2d) if r1 > r2 goto pc-3",
    ),
    (
        Insn::jump32_imm(Cond::Sle, R1, -1, 9),
        [0xd6, 1, 9, 0, 0xff, 0xff, 0xff, 0xff],
        "(d6) if w1 s<= 0xffffffff goto pc+9",
    ),
    (
        Insn::jump32_reg(Cond::Ne, R1, R2, 1),
        [0x5e, 0x21, 1, 0, 0, 0, 0, 0],
        "(5e) if w1 != w2 goto pc+1",
    ),
    (
        Insn::jump_reg(Cond::Sgt, R1, R2, 5),
        [0x6d, 0x21, 5, 0, 0, 0, 0, 0],
        "(6d) if r1 s> r2 goto pc+5",
    ),
    (
        Insn::jump_imm(Cond::Sge, R1, 5, 5),
        [0x75, 1, 5, 0, 5, 0, 0, 0],
        "(75) if r1 s>= 0x5 goto pc+5",
    ),
    (
        Insn::jump_reg(Cond::Slt, R1, R2, 5),
        [0xcd, 0x21, 5, 0, 0, 0, 0, 0],
        "(cd) if r1 s< r2 goto pc+5",
    ),
    (
        Insn::jump32_imm(Cond::Lt, R1, 7, 5),
        [0xa6, 1, 5, 0, 7, 0, 0, 0],
        "(a6) if w1 < 0x7 goto pc+5",
    ),
    (
        Insn::jump_reg(Cond::Le, R1, R2, 5),
        [0xbd, 0x21, 5, 0, 0, 0, 0, 0],
        "(bd) if r1 <= r2 goto pc+5",
    ),
    (
        Insn::jump_imm(Cond::Ge, R1, 1, 5),
        [0x35, 1, 5, 0, 1, 0, 0, 0],
        "(35) if r1 >= 0x1 goto pc+5",
    ),
    (
        Insn::call(Helper::REDIRECT_MAP),
        [0x85, 0, 0, 0, 0x33, 0, 0, 0],
        "(85) call bpf_redirect_map#51",
    ),
    (Insn::exit(), [0x95, 0, 0, 0, 0, 0, 0, 0], "(95) exit"),
];

/// The instruction is the one that `llvm-mc -disassemble` shows for these bytes.
const READ_BY_LLVM: &[Row] = &[
    (
        Insn::atomic64(Atomic::FetchAdd, R1, 8, R2),
        [0xdb, 0x21, 8, 0, 1, 0, 0, 0],
        "(db) r2 = atomic64_fetch_add((u64 *)(r1 +8), r2)",
    ),
    (
        Insn::atomic64(Atomic::FetchOr, R1, 8, R2),
        [0xdb, 0x21, 8, 0, 0x41, 0, 0, 0],
        "(db) r2 = atomic64_fetch_or((u64 *)(r1 +8), r2)",
    ),
    (
        Insn::atomic64(Atomic::FetchXor, R1, 8, R2),
        [0xdb, 0x21, 8, 0, 0xa1, 0, 0, 0],
        "(db) r2 = atomic64_fetch_xor((u64 *)(r1 +8), r2)",
    ),
    (
        Insn::atomic64(Atomic::Exchange, R1, 8, R2),
        [0xdb, 0x21, 8, 0, 0xe1, 0, 0, 0],
        "(db) r2 = atomic64_xchg((u64 *)(r1 +8), r2)",
    ),
    (
        Insn::atomic64(Atomic::CompareExchange, R1, 8, R2),
        [0xdb, 0x21, 8, 0, 0xf1, 0, 0, 0],
        "(db) r0 = atomic64_cmpxchg((u64 *)(r1 +8), r0, r2)",
    ),
];

/// The bytes are written by hand, from the tables of the kernel's
/// Documentation/bpf/standardization/instruction-set.rst: LLVM 14 does not know these forms.
const BY_HAND: &[Row] = &[
    (
        Insn::atomic32(Atomic::FetchAnd, R1, 8, R2),
        [0xc3, 0x21, 8, 0, 0x51, 0, 0, 0],
        "(c3) r2 = atomic_fetch_and((u32 *)(r1 +8), r2)",
    ),
    (
        Insn::atomic32(Atomic::Exchange, R1, 8, R2),
        [0xc3, 0x21, 8, 0, 0xe1, 0, 0, 0],
        "(c3) r2 = atomic_xchg((u32 *)(r1 +8), r2)",
    ),
    (
        Insn::atomic32(Atomic::CompareExchange, R1, 8, R2),
        [0xc3, 0x21, 8, 0, 0xf1, 0, 0, 0],
        "(c3) r0 = atomic_cmpxchg((u32 *)(r1 +8), r0, r2)",
    ),
    (
        Insn::load_acquire(Size::Double, R2, R1, 8),
        [0xdb, 0x12, 8, 0, 0, 1, 0, 0],
        "(db) r2 = load_acquire((u64 *)(r1 +8))",
    ),
    (
        Insn::load_acquire(Size::Byte, R2, R1, -1),
        [0xd3, 0x12, 0xff, 0xff, 0, 1, 0, 0],
        "(d3) r2 = load_acquire((u8 *)(r1 -1))",
    ),
    (
        Insn::store_release(Size::Word, R1, 8, R2),
        [0xc3, 0x21, 8, 0, 0x10, 1, 0, 0],
        "(c3) store_release((u32 *)(r1 +8), r2)",
    ),
    (
        Insn::store_release(Size::Half, R10, -2, R2),
        [0xcb, 0x2a, 0xfe, 0xff, 0x10, 1, 0, 0],
        "(cb) store_release((u16 *)(r10 -2), r2)",
    ),
    (Insn::alu64_imm(Alu::Mod, R1, 10), [0x97, 1, 0, 0, 0xa, 0, 0, 0], "(97) r1 %= 10"),
    (Insn::alu64_imm(Alu::Sdiv, R1, 10), [0x37, 1, 1, 0, 0xa, 0, 0, 0], "(37) r1 s/= 10"),
    (Insn::alu32_reg(Alu::Sdiv, R1, R2), [0x3c, 0x21, 1, 0, 0, 0, 0, 0], "(3c) w1 s/= w2"),
    (Insn::alu64_reg(Alu::Smod, R1, R2), [0x9f, 0x21, 1, 0, 0, 0, 0, 0], "(9f) r1 s%= r2"),
    (Insn::alu32_imm(Alu::Smod, R1, -3), [0x94, 1, 1, 0, 0xfd, 0xff, 0xff, 0xff], "(94) w1 s%= -3"),
    (Insn::mov64_signed(Narrow::Byte, R1, R2), [0xbf, 0x21, 8, 0, 0, 0, 0, 0], "(bf) r1 = (s8)r2"),
    (
        Insn::mov64_signed(Narrow::Half, R1, R2),
        [0xbf, 0x21, 0x10, 0, 0, 0, 0, 0],
        "(bf) r1 = (s16)r2",
    ),
    (
        Insn::mov64_signed(Narrow::Word, R1, R2),
        [0xbf, 0x21, 0x20, 0, 0, 0, 0, 0],
        "(bf) r1 = (s32)r2",
    ),
    (Insn::mov32_signed(Narrow::Byte, R1, R2), [0xbc, 0x21, 8, 0, 0, 0, 0, 0], "(bc) w1 = (s8)w2"),
    (
        Insn::mov32_signed(Narrow::Half, R1, R2),
        [0xbc, 0x21, 0x10, 0, 0, 0, 0, 0],
        "(bc) w1 = (s16)w2",
    ),
    (Insn::mov32_signed(Narrow::Word, R1, R2), [0xbc, 0x21, 0, 0, 0, 0, 0, 0], "(bc) w1 = w2"),
    (
        Insn::load_signed(Narrow::Byte, R2, R1, -1),
        [0x91, 0x12, 0xff, 0xff, 0, 0, 0, 0],
        "(91) r2 = *(s8 *)(r1 -1)",
    ),
    (
        Insn::load_signed(Narrow::Half, R2, R1, 2),
        [0x89, 0x12, 2, 0, 0, 0, 0, 0],
        "(89) r2 = *(s16 *)(r1 +2)",
    ),
    (
        Insn::load_signed(Narrow::Word, R2, R1, 4),
        [0x81, 0x12, 4, 0, 0, 0, 0, 0],
        "(81) r2 = *(s32 *)(r1 +4)",
    ),
    (Insn::swap_bytes(R1, Width::W16), [0xd7, 1, 0, 0, 0x10, 0, 0, 0], "(d7) r1 = bswap16 r1"),
    (Insn::swap_bytes(R1, Width::W64), [0xd7, 1, 0, 0, 0x40, 0, 0, 0], "(d7) r1 = bswap64 r1"),
    (
        Insn::store_imm(Size::Half, R10, -2, -5),
        [0x6a, 0xa, 0xfe, 0xff, 0xfb, 0xff, 0xff, 0xff],
        "(6a) *(u16 *)(r10 -2) = -5",
    ),
    (
        Insn::store_imm(Size::Double, R1, 8, 7),
        [0x7a, 1, 8, 0, 7, 0, 0, 0],
        "(7a) *(u64 *)(r1 +8) = 7",
    ),
    (Insn::jump_long(-70000), [6, 0, 0, 0, 0x90, 0xee, 0xfe, 0xff], "(06) gotol pc-70000"),
    (
        Insn::jump_imm(Cond::Set, R1, 4, 1),
        [0x45, 1, 1, 0, 4, 0, 0, 0],
        "(45) if r1 & 0x4 goto pc+1",
    ),
    (Insn::call_function(-4), [0x85, 0x10, 0, 0, 0xfc, 0xff, 0xff, 0xff], "(85) call pc-4"),
    (
        Insn::call_kernel(70000),
        [0x85, 0x20, 0, 0, 0x70, 0x11, 1, 0],
        "(85) call kernel-function#70000",
    ),
    (Insn::call(Helper(9)), [0x85, 0, 0, 0, 9, 0, 0, 0], "(85) call unknown#9"),
];

#[test]
fn bytes_and_text_are_as_elsewhere() {
    let rows: Vec<&Row> = [OF_LLVM, READ_BY_LLVM, BY_HAND].into_iter().flatten().collect();
    assert!(rows.len() > 70, "{}", rows.len());
    for (insn, bytes, text) in rows {
        assert_eq!(insn.to_bytes(), *bytes, "{text}");
        assert_eq!(insn.to_string(), *text);
        assert_eq!(Insn::from_raw(insn.raw()), Some(*insn));
    }
}

#[test]
fn loads_of_16_bytes_have_two_slots_and_one_line() {
    let number = Insn::load_imm64(R1, 0x1122_3344_5566_7788);
    // r1 = 1234605616436508552 ll, as `llvm-mc` encodes it.
    assert_eq!(number[0].to_bytes(), [0x18, 1, 0, 0, 0x88, 0x77, 0x66, 0x55]);
    assert_eq!(number[1].to_bytes(), [0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11]);
    let null = std::fs::File::open("/dev/null").unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&null);
    let map = Insn::load_map_fd(R2, null.as_fd());
    assert_eq!(map[0].raw(), bpf_insn { code: 0x18, regs: 0x12, off: 0, imm: fd });
    assert_eq!(map[1].to_bytes(), [0; 8]);
    let value = Insn::load_map_value(R3, null.as_fd(), 70_000);
    assert_eq!(value[0].raw(), bpf_insn { code: 0x18, regs: 0x23, off: 0, imm: fd });
    assert_eq!(value[1].to_bytes(), [0, 0, 0, 0, 0x70, 0x11, 1, 0]);
    let insns = [number, map, value].concat();
    let expected = format!(
        "   0: (18) r1 = 0x1122334455667788\n   2: (18) r2 = map[fd:{fd}]\n   \
         4: (18) r3 = map[fd:{fd}][0]+70000\n"
    );
    assert_eq!(Listing::new(&insns).to_string(), expected);
    // What names a descriptor is made with it only.
    for first in [map[0], value[0]] {
        assert_eq!(Insn::from_raw(first.raw()), None);
    }
}

/// What only dumps of loaded programs have.
#[test]
fn a_dump_has_loads_of_functions_and_numbers_of_maps() {
    let slots: [[u8; 8]; 5] = [
        [0x18, 0x42, 0, 0, 2, 0, 0, 0],
        [0; 8],
        [0x18, 0x11, 0, 0, 7, 0, 0, 0],
        [0; 8],
        [0xe5, 0, 1, 0, 0, 0, 0, 0],
    ];
    let text = "   0: (18) r2 = subprog[+2]\n   2: (18) r1 = map[id:7]\n   4: (e5) may_goto pc+1\n";
    assert_eq!(Listing::of_dump(slots.as_flattened()).unwrap().to_string(), text);
    assert!(Listing::of_dump(&[0; 9]).is_err());
    // What is no instruction.
    let unknown = [[0x8c, 0, 0, 0, 0, 0, 0, 0], [0xff, 0, 0, 0, 0, 0, 0, 0]];
    let text = "   0: (8c) w0 = -w0\n   1: (ff) BUG_unknown\n";
    assert_eq!(Listing::of_dump(unknown.as_flattened()).unwrap().to_string(), text);
}
