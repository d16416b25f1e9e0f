//! Instructions: any eight bytes are one and are returned unchanged; the constructors put fields
//! where the kernel's `instruction-set.rst` has them.
#![no_main]

use arbitrary::Arbitrary;
use std::os::fd::BorrowedFd;
use xsk::bpf::{Alu, Code, Cond, Helper, Insn, Listing, Reg, Size, Width};
use xsk::uapi::bpf::bpf_insn;

const REGS: [Reg; 11] = {
    use Reg::*;
    [R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10]
};
const SIZES: [(Size, u8); 4] =
    [(Size::Word, 0), (Size::Half, 0x08), (Size::Byte, 0x10), (Size::Double, 0x18)];
const WIDTHS: [(Width, i32); 3] = [(Width::W16, 16), (Width::W32, 32), (Width::W64, 64)];

#[derive(Arbitrary, Debug)]
struct Input {
    code: u8,
    regs: u8,
    off: i16,
    imm: i32,
    high: i32,
    which: u8,
    pick: u8,
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let Input { code, regs, off, imm, high, which, pick } = input;
    let raw = bpf_insn { code, regs, off, imm };
    let source = if cfg!(target_endian = "little") { regs >> 4 } else { regs & 15 };
    let names_an_object = code == 0x18 && source != 0;
    let insn = Insn::from_raw(raw);
    assert_eq!(insn.is_none(), names_an_object);
    if let Some(insn) = insn {
        assert!(insn.raw() == raw);
        let mut bytes = vec![code, regs];
        bytes.extend(off.to_ne_bytes());
        bytes.extend(imm.to_ne_bytes());
        assert_eq!(insn.to_bytes()[..], bytes);
        if which & 0x80 != 0 {
            assert!(format!("{insn:?}").starts_with("Insn("));
        }
    }

    // A program of it, and of its two halves: refused, or the same again, and listed.
    let mut program = [code, regs].to_vec();
    program.extend(off.to_ne_bytes());
    program.extend(imm.to_ne_bytes());
    program.extend([0, 0, 0, 0]);
    program.extend(high.to_ne_bytes());
    program.extend(Insn::exit().to_bytes());
    for program in [&program[..], &program[..8], &program[8..]] {
        if let Ok(code) = Code::from_bytes(program) {
            assert_eq!(code.to_bytes(), program);
        }
        let listing = Listing::of_dump(program).unwrap();
        assert!(listing.to_string().lines().count() <= program.len() / 8);
    }

    let (d, s) = (regs % 11, (regs >> 4) % 11);
    let (dst, src) = (REGS[usize::from(d)], REGS[usize::from(s)]);
    let (size, size_bits) = SIZES[usize::from(pick & 3)];
    let (width, width_bits) = WIDTHS[usize::from(pick % 3)];
    let (alu, alu_bits) = alus(pick);
    let (cond, cond_bits) = conds(pick);
    // Code, destination, source, offset, constant.
    let (insn, expected) = match which & 31 {
        0 => (Insn::mov64_imm(dst, imm), (0xb7, d, 0, 0, imm)),
        1 => (Insn::mov64_reg(dst, src), (0xbf, d, s, 0, 0)),
        2 => (Insn::mov32_imm(dst, imm), (0xb4, d, 0, 0, imm)),
        3 => (Insn::mov32_reg(dst, src), (0xbc, d, s, 0, 0)),
        4 => (Insn::alu64_imm(alu, dst, imm), (0x07 | alu_bits, d, 0, 0, imm)),
        5 => (Insn::alu64_reg(alu, dst, src), (0x0f | alu_bits, d, s, 0, 0)),
        6 => (Insn::alu32_imm(alu, dst, imm), (0x04 | alu_bits, d, 0, 0, imm)),
        7 => (Insn::alu32_reg(alu, dst, src), (0x0c | alu_bits, d, s, 0, 0)),
        8 => (Insn::neg64(dst), (0x87, d, 0, 0, 0)),
        9 => (Insn::neg32(dst), (0x84, d, 0, 0, 0)),
        10 => (Insn::to_be(dst, width), (0xdc, d, 0, 0, width_bits)),
        11 => (Insn::to_le(dst, width), (0xd4, d, 0, 0, width_bits)),
        12 => (Insn::swap_bytes(dst, width), (0xd7, d, 0, 0, width_bits)),
        13 => (Insn::load(size, dst, src, off), (0x61 | size_bits, d, s, off, 0)),
        14 => (Insn::store(size, dst, off, src), (0x63 | size_bits, d, s, off, 0)),
        15 => (Insn::store_imm(size, dst, off, imm), (0x62 | size_bits, d, 0, off, imm)),
        16 => (Insn::jump(off), (0x05, 0, 0, off, 0)),
        17 => (Insn::jump_imm(cond, dst, imm, off), (0x05 | cond_bits, d, 0, off, imm)),
        18 => (Insn::jump_reg(cond, dst, src, off), (0x0d | cond_bits, d, s, off, 0)),
        19 => (Insn::jump32_imm(cond, dst, imm, off), (0x06 | cond_bits, d, 0, off, imm)),
        20 => (Insn::jump32_reg(cond, dst, src, off), (0x0e | cond_bits, d, s, off, 0)),
        21 => (Insn::call(Helper(imm)), (0x85, 0, 0, 0, imm)),
        22 => (Insn::exit(), (0x95, 0, 0, 0, 0)),
        code => {
            let value = u64::from(imm.cast_unsigned()) | u64::from(high.cast_unsigned()) << 32;
            let ([first, second], from, high) = if code & 1 == 0 {
                (Insn::load_imm64(dst, value), 0, high)
            } else {
                let number = imm & i32::MAX;
                // SAFETY: only the number is read; the descriptor is not used.
                let map = unsafe { BorrowedFd::borrow_raw(number) };
                let [first, second] = Insn::load_map_fd(dst, map);
                assert_eq!(fields(first), (0x18, d, 1, 0, number));
                assert_eq!(fields(second), (0, 0, 0, 0, 0));
                return;
            };
            assert_eq!(fields(second), (0, 0, 0, 0, high));
            (first, (0x18, d, from, 0, imm))
        }
    };
    assert_eq!(fields(insn), expected, "{insn:?}");
});

/// Reads the bytes, without the library's decoding.
fn fields(insn: Insn<'_>) -> (u8, u8, u8, i16, i32) {
    let [code, regs, a, b, rest @ ..] = insn.to_bytes();
    let (low, high) = (regs & 15, regs >> 4);
    let (dst, src) = if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
    (code, dst, src, i16::from_ne_bytes([a, b]), i32::from_ne_bytes(rest))
}

fn alus(pick: u8) -> (Alu, u8) {
    use Alu::*;
    let all = [
        (Add, 0x00),
        (Sub, 0x10),
        (Mul, 0x20),
        (Div, 0x30),
        (Or, 0x40),
        (And, 0x50),
        (Lsh, 0x60),
        (Rsh, 0x70),
        (Mod, 0x90),
        (Xor, 0xa0),
        (Mov, 0xb0),
        (Arsh, 0xc0),
    ];
    all[usize::from(pick) % all.len()]
}

fn conds(pick: u8) -> (Cond, u8) {
    use Cond::*;
    let all = [
        (Eq, 0x10),
        (Gt, 0x20),
        (Ge, 0x30),
        (Set, 0x40),
        (Ne, 0x50),
        (Sgt, 0x60),
        (Sge, 0x70),
        (Lt, 0xa0),
        (Le, 0xb0),
        (Slt, 0xc0),
        (Sle, 0xd0),
    ];
    all[usize::from(pick) % all.len()]
}
