//! BPF instructions as values: one constructor for each form, named by its effect.

use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};
use xsk_uapi::bpf::{
    self as uapi, BPF_ADD, BPF_ALU, BPF_ALU64, BPF_AND, BPF_ARSH, BPF_B, BPF_CALL, BPF_DIV, BPF_DW,
    BPF_END, BPF_EXIT, BPF_H, BPF_IMM, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JLE, BPF_JLT,
    BPF_JMP, BPF_JMP32, BPF_JNE, BPF_JSET, BPF_JSGE, BPF_JSGT, BPF_JSLE, BPF_JSLT, BPF_LD, BPF_LDX,
    BPF_LSH, BPF_MEM, BPF_MOD, BPF_MOV, BPF_MUL, BPF_NEG, BPF_OR, BPF_PSEUDO_MAP_FD, BPF_REG_0,
    BPF_REG_1, BPF_REG_2, BPF_REG_3, BPF_REG_4, BPF_REG_5, BPF_REG_6, BPF_REG_7, BPF_REG_8,
    BPF_REG_9, BPF_REG_10, BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TO_BE, BPF_TO_LE, BPF_W, BPF_X,
    BPF_XOR, bpf_insn,
};

/// A register of the BPF machine.
///
/// R0 holds what a helper or the program returns, R1 to R5 are arguments and do not survive a call,
/// R6 to R9 survive, R10 is the frame pointer and can only be read. A program starts with its context
/// (`struct xdp_md *`) in R1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "a register is its name")]
pub enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

impl Reg {
    const fn bits(self) -> u8 {
        match self {
            Self::R0 => BPF_REG_0,
            Self::R1 => BPF_REG_1,
            Self::R2 => BPF_REG_2,
            Self::R3 => BPF_REG_3,
            Self::R4 => BPF_REG_4,
            Self::R5 => BPF_REG_5,
            Self::R6 => BPF_REG_6,
            Self::R7 => BPF_REG_7,
            Self::R8 => BPF_REG_8,
            Self::R9 => BPF_REG_9,
            Self::R10 => BPF_REG_10,
        }
    }
}

/// How many bytes a load or store moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// One byte (`BPF_B`).
    Byte,
    /// Two bytes (`BPF_H`).
    Half,
    /// Four bytes (`BPF_W`).
    Word,
    /// Eight bytes (`BPF_DW`).
    Double,
}

impl Size {
    const fn bits(self) -> u8 {
        match self {
            Self::Word => BPF_W,
            Self::Half => BPF_H,
            Self::Byte => BPF_B,
            Self::Double => BPF_DW,
        }
    }
}

/// What an arithmetic instruction does to its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alu {
    /// `dst += src`
    Add,
    /// `dst -= src`
    Sub,
    /// `dst *= src`
    Mul,
    /// `dst /= src`, unsigned; dividing by 0 gives 0.
    Div,
    /// `dst |= src`
    Or,
    /// `dst &= src`
    And,
    /// `dst <<= src`
    Lsh,
    /// `dst >>= src`, filled with zeros.
    Rsh,
    /// `dst %= src`, unsigned; modulo 0 leaves `dst`.
    Mod,
    /// `dst ^= src`
    Xor,
    /// `dst = src`
    Mov,
    /// `dst >>= src`, filled with the sign.
    Arsh,
}

impl Alu {
    const fn bits(self) -> u8 {
        match self {
            Self::Add => BPF_ADD,
            Self::Sub => BPF_SUB,
            Self::Mul => BPF_MUL,
            Self::Div => BPF_DIV,
            Self::Or => BPF_OR,
            Self::And => BPF_AND,
            Self::Lsh => BPF_LSH,
            Self::Rsh => BPF_RSH,
            Self::Mod => BPF_MOD,
            Self::Xor => BPF_XOR,
            Self::Mov => BPF_MOV,
            Self::Arsh => BPF_ARSH,
        }
    }
}

/// When a conditional jump is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cond {
    /// `dst == src`
    Eq,
    /// `dst > src`, unsigned.
    Gt,
    /// `dst >= src`, unsigned.
    Ge,
    /// `dst & src != 0`
    Set,
    /// `dst != src`
    Ne,
    /// `dst > src`, signed.
    Sgt,
    /// `dst >= src`, signed.
    Sge,
    /// `dst < src`, unsigned (4.14).
    Lt,
    /// `dst <= src`, unsigned (4.14).
    Le,
    /// `dst < src`, signed (4.14).
    Slt,
    /// `dst <= src`, signed (4.14).
    Sle,
}

impl Cond {
    const fn bits(self) -> u8 {
        match self {
            Self::Eq => BPF_JEQ,
            Self::Gt => BPF_JGT,
            Self::Ge => BPF_JGE,
            Self::Set => BPF_JSET,
            Self::Ne => BPF_JNE,
            Self::Sgt => BPF_JSGT,
            Self::Sge => BPF_JSGE,
            Self::Lt => BPF_JLT,
            Self::Le => BPF_JLE,
            Self::Slt => BPF_JSLT,
            Self::Sle => BPF_JSLE,
        }
    }
}

/// How many low bits of a register a byte swap works on; the bits above become zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// 16 bits.
    W16,
    /// 32 bits.
    W32,
    /// 64 bits.
    W64,
}

impl Width {
    const fn bits(self) -> i32 {
        match self {
            Self::W16 => 16,
            Self::W32 => 32,
            Self::W64 => 64,
        }
    }
}

/// A kernel function that a program may call, by its number in `enum bpf_func_id` (`linux/bpf.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Helper(pub i32);

impl Helper {
    /// `bpf_map_lookup_elem(map, key)`: a pointer to the value, or null. On an XSKMAP since 5.3.
    pub const MAP_LOOKUP_ELEM: Self = Self(uapi::BPF_FUNC_map_lookup_elem);
    /// `bpf_ktime_get_ns()`
    pub const KTIME_GET_NS: Self = Self(uapi::BPF_FUNC_ktime_get_ns);
    /// `bpf_get_smp_processor_id()`
    pub const GET_SMP_PROCESSOR_ID: Self = Self(uapi::BPF_FUNC_get_smp_processor_id);
    /// `bpf_tail_call(ctx, map, index)`
    pub const TAIL_CALL: Self = Self(uapi::BPF_FUNC_tail_call);
    /// `bpf_redirect(ifindex, flags)`
    pub const REDIRECT: Self = Self(uapi::BPF_FUNC_redirect);
    /// `bpf_csum_diff(from, from_size, to, to_size, seed)`
    pub const CSUM_DIFF: Self = Self(uapi::BPF_FUNC_csum_diff);
    /// `bpf_xdp_adjust_head(ctx, delta)`
    pub const XDP_ADJUST_HEAD: Self = Self(uapi::BPF_FUNC_xdp_adjust_head);
    /// `bpf_redirect_map(map, index, flags)`: since 5.3 the two low bits of `flags` are the action when
    /// the slot is empty; before, `flags` must be 0.
    pub const REDIRECT_MAP: Self = Self(uapi::BPF_FUNC_redirect_map);
    /// `bpf_xdp_adjust_meta(ctx, delta)`
    pub const XDP_ADJUST_META: Self = Self(uapi::BPF_FUNC_xdp_adjust_meta);
    /// `bpf_xdp_adjust_tail(ctx, delta)`
    pub const XDP_ADJUST_TAIL: Self = Self(uapi::BPF_FUNC_xdp_adjust_tail);
    /// `bpf_xdp_get_buff_len(ctx)` (5.18)
    pub const XDP_GET_BUFF_LEN: Self = Self(uapi::BPF_FUNC_xdp_get_buff_len);
    /// `bpf_xdp_load_bytes(ctx, offset, buf, len)` (5.18)
    pub const XDP_LOAD_BYTES: Self = Self(uapi::BPF_FUNC_xdp_load_bytes);
    /// `bpf_xdp_store_bytes(ctx, offset, buf, len)` (5.18)
    pub const XDP_STORE_BYTES: Self = Self(uapi::BPF_FUNC_xdp_store_bytes);
}

/// One eight-byte slot of a BPF program: an instruction, or half of a 16-byte one.
///
/// The constructors say nothing about whether a program made of them is accepted: that is the
/// verifier's to judge, when [`Program::load`](super::Program::load) hands them to the kernel. Jump
/// offsets count slots from the one after the jump.
///
/// The encoding is that of the kernel's `Documentation/bpf/standardization/instruction-set.rst`.
///
/// ```
/// use xsk::program::{Insn, Reg};
/// // return XDP_PASS;
/// let program = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
/// assert_eq!(program[0].to_bytes(), [0xb7, 0, 0, 0, 2, 0, 0, 0]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
#[doc(alias = "bpf_insn")]
pub struct Insn(bpf_insn);

impl Insn {
    const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        // `struct bpf_insn` holds two bit fields of four bits; compilers fill bit fields from the low
        // end on little-endian machines and from the high end on the others.
        let regs = if cfg!(target_endian = "little") {
            src << 4 | dst
        } else {
            dst << 4 | src
        };
        Self(bpf_insn {
            code,
            regs,
            off,
            imm,
        })
    }

    /// The kernel's form.
    #[must_use]
    pub const fn raw(self) -> bpf_insn {
        self.0
    }

    /// An instruction from the kernel's form, unchecked: the verifier judges it.
    #[must_use]
    pub const fn from_raw(raw: bpf_insn) -> Self {
        Self(raw)
    }

    /// The eight bytes as they lie in memory.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        zerocopy::transmute!(self.0)
    }

    /// `dst = imm`, sign-extended to 64 bits.
    #[must_use]
    pub const fn mov64_imm(dst: Reg, imm: i32) -> Self {
        Self::alu64_imm(Alu::Mov, dst, imm)
    }

    /// `dst = src`
    #[must_use]
    pub const fn mov64_reg(dst: Reg, src: Reg) -> Self {
        Self::alu64_reg(Alu::Mov, dst, src)
    }

    /// `dst = imm` as 32 bits; the upper half becomes zero.
    #[must_use]
    pub const fn mov32_imm(dst: Reg, imm: i32) -> Self {
        Self::alu32_imm(Alu::Mov, dst, imm)
    }

    /// `dst = src` as 32 bits; the upper half becomes zero.
    #[must_use]
    pub const fn mov32_reg(dst: Reg, src: Reg) -> Self {
        Self::alu32_reg(Alu::Mov, dst, src)
    }

    /// `dst = dst op imm` in 64 bits, with `imm` sign-extended.
    #[must_use]
    pub const fn alu64_imm(op: Alu, dst: Reg, imm: i32) -> Self {
        Self::new(BPF_ALU64 | op.bits(), dst.bits(), 0, 0, imm)
    }

    /// `dst = dst op src` in 64 bits.
    #[must_use]
    pub const fn alu64_reg(op: Alu, dst: Reg, src: Reg) -> Self {
        Self::new(BPF_ALU64 | BPF_X | op.bits(), dst.bits(), src.bits(), 0, 0)
    }

    /// `dst = dst op imm` in 32 bits; the upper half becomes zero.
    #[must_use]
    pub const fn alu32_imm(op: Alu, dst: Reg, imm: i32) -> Self {
        Self::new(BPF_ALU | op.bits(), dst.bits(), 0, 0, imm)
    }

    /// `dst = dst op src` in 32 bits; the upper half becomes zero.
    #[must_use]
    pub const fn alu32_reg(op: Alu, dst: Reg, src: Reg) -> Self {
        Self::new(BPF_ALU | BPF_X | op.bits(), dst.bits(), src.bits(), 0, 0)
    }

    /// `dst = -dst` in 64 bits.
    #[must_use]
    pub const fn neg64(dst: Reg) -> Self {
        Self::new(BPF_ALU64 | BPF_NEG, dst.bits(), 0, 0, 0)
    }

    /// `dst = -dst` in 32 bits; the upper half becomes zero.
    #[must_use]
    pub const fn neg32(dst: Reg) -> Self {
        Self::new(BPF_ALU | BPF_NEG, dst.bits(), 0, 0, 0)
    }

    /// `dst = htobe(dst)`: to or from network byte order.
    #[must_use]
    pub const fn to_be(dst: Reg, width: Width) -> Self {
        Self::new(
            BPF_ALU | BPF_TO_BE | BPF_END,
            dst.bits(),
            0,
            0,
            width.bits(),
        )
    }

    /// `dst = htole(dst)`
    #[must_use]
    pub const fn to_le(dst: Reg, width: Width) -> Self {
        Self::new(
            BPF_ALU | BPF_TO_LE | BPF_END,
            dst.bits(),
            0,
            0,
            width.bits(),
        )
    }

    /// `dst = bswap(dst)`, whatever the machine's byte order (6.6).
    #[must_use]
    pub const fn swap_bytes(dst: Reg, width: Width) -> Self {
        Self::new(BPF_ALU64 | BPF_END, dst.bits(), 0, 0, width.bits())
    }

    /// `dst = *(size *)(src + off)`, zero-extended.
    #[must_use]
    pub const fn load(size: Size, dst: Reg, src: Reg, off: i16) -> Self {
        Self::new(
            BPF_LDX | BPF_MEM | size.bits(),
            dst.bits(),
            src.bits(),
            off,
            0,
        )
    }

    /// `*(size *)(dst + off) = src`
    #[must_use]
    pub const fn store(size: Size, dst: Reg, off: i16, src: Reg) -> Self {
        Self::new(
            BPF_STX | BPF_MEM | size.bits(),
            dst.bits(),
            src.bits(),
            off,
            0,
        )
    }

    /// `*(size *)(dst + off) = imm`, sign-extended for eight bytes.
    #[must_use]
    pub const fn store_imm(size: Size, dst: Reg, off: i16, imm: i32) -> Self {
        Self::new(BPF_ST | BPF_MEM | size.bits(), dst.bits(), 0, off, imm)
    }

    /// `dst = imm`, all 64 bits: two slots, of which the second is no jump target.
    #[must_use]
    pub const fn load_imm64(dst: Reg, imm: u64) -> [Self; 2] {
        Self::wide(dst, 0, imm)
    }

    /// `dst = ` the map behind `map`: two slots.
    ///
    /// Only the descriptor's number goes into the instruction: keep `map` open until the program is
    /// loaded. From then on the program keeps the map alive itself.
    #[must_use]
    #[doc(alias = "BPF_PSEUDO_MAP_FD")]
    pub fn load_map_fd(dst: Reg, map: BorrowedFd<'_>) -> [Self; 2] {
        // A borrowed descriptor is never negative.
        Self::wide(
            dst,
            BPF_PSEUDO_MAP_FD,
            u64::from(map.as_raw_fd().unsigned_abs()),
        )
    }

    const fn wide(dst: Reg, src: u8, imm: u64) -> [Self; 2] {
        let [a, b, c, d, e, f, g, h] = imm.to_le_bytes();
        [
            Self::new(
                BPF_LD | BPF_IMM | Size::Double.bits(),
                dst.bits(),
                src,
                0,
                i32::from_le_bytes([a, b, c, d]),
            ),
            Self::new(0, 0, 0, 0, i32::from_le_bytes([e, f, g, h])),
        ]
    }

    /// `goto +off`
    #[must_use]
    pub const fn jump(off: i16) -> Self {
        Self::new(BPF_JMP | BPF_JA, 0, 0, off, 0)
    }

    /// `if dst cond imm goto +off`, compared in 64 bits with `imm` sign-extended.
    #[must_use]
    pub const fn jump_imm(cond: Cond, dst: Reg, imm: i32, off: i16) -> Self {
        Self::new(BPF_JMP | cond.bits(), dst.bits(), 0, off, imm)
    }

    /// `if dst cond src goto +off`, compared in 64 bits.
    #[must_use]
    pub const fn jump_reg(cond: Cond, dst: Reg, src: Reg, off: i16) -> Self {
        Self::new(
            BPF_JMP | BPF_X | cond.bits(),
            dst.bits(),
            src.bits(),
            off,
            0,
        )
    }

    /// `if dst cond imm goto +off`, compared in 32 bits (5.1).
    #[must_use]
    pub const fn jump32_imm(cond: Cond, dst: Reg, imm: i32, off: i16) -> Self {
        Self::new(BPF_JMP32 | cond.bits(), dst.bits(), 0, off, imm)
    }

    /// `if dst cond src goto +off`, compared in 32 bits (5.1).
    #[must_use]
    pub const fn jump32_reg(cond: Cond, dst: Reg, src: Reg, off: i16) -> Self {
        Self::new(
            BPF_JMP32 | BPF_X | cond.bits(),
            dst.bits(),
            src.bits(),
            off,
            0,
        )
    }

    /// `r0 = helper(r1, r2, r3, r4, r5)`; R1 to R5 are lost.
    #[must_use]
    pub const fn call(helper: Helper) -> Self {
        Self::new(BPF_JMP | BPF_CALL, 0, 0, 0, helper.0)
    }

    /// `return r0`
    #[must_use]
    pub const fn exit() -> Self {
        Self::new(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
    }
}

impl fmt::Debug for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bpf_insn {
            code,
            regs,
            off,
            imm,
        } = self.0;
        write!(
            f,
            "Insn({code:#04x} regs {regs:#04x} off {off} imm {imm:#x})"
        )
    }
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::{Alu, Cond, Helper, Insn, Reg::*, Size, Width};
    use std::os::fd::BorrowedFd;

    /// Bytes from the encoding table of the kernel's instruction set document, written by hand.
    #[test]
    fn golden() {
        let table: &[(Insn, [u8; 8])] = &[
            (Insn::mov64_imm(R0, 2), [0xb7, 0x00, 0, 0, 2, 0, 0, 0]),
            (
                Insn::mov64_imm(R0, -1),
                [0xb7, 0x00, 0, 0, 0xff, 0xff, 0xff, 0xff],
            ),
            (Insn::mov64_reg(R6, R1), [0xbf, 0x16, 0, 0, 0, 0, 0, 0]),
            (Insn::mov32_imm(R3, 7), [0xb4, 0x03, 0, 0, 7, 0, 0, 0]),
            (Insn::mov32_reg(R3, R9), [0xbc, 0x93, 0, 0, 0, 0, 0, 0]),
            (
                Insn::alu64_imm(Alu::Add, R2, -4),
                [0x07, 0x02, 0, 0, 0xfc, 0xff, 0xff, 0xff],
            ),
            (
                Insn::alu64_reg(Alu::Sub, R4, R2),
                [0x1f, 0x24, 0, 0, 0, 0, 0, 0],
            ),
            (
                Insn::alu64_imm(Alu::Mul, R1, 3),
                [0x27, 0x01, 0, 0, 3, 0, 0, 0],
            ),
            (
                Insn::alu64_imm(Alu::Div, R1, 3),
                [0x37, 0x01, 0, 0, 3, 0, 0, 0],
            ),
            (
                Insn::alu64_reg(Alu::Or, R1, R5),
                [0x4f, 0x51, 0, 0, 0, 0, 0, 0],
            ),
            (
                Insn::alu32_imm(Alu::And, R1, 0xff),
                [0x54, 0x01, 0, 0, 0xff, 0, 0, 0],
            ),
            (
                Insn::alu64_imm(Alu::Lsh, R1, 8),
                [0x67, 0x01, 0, 0, 8, 0, 0, 0],
            ),
            (
                Insn::alu64_reg(Alu::Rsh, R1, R2),
                [0x7f, 0x21, 0, 0, 0, 0, 0, 0],
            ),
            (
                Insn::alu32_reg(Alu::Mod, R1, R2),
                [0x9c, 0x21, 0, 0, 0, 0, 0, 0],
            ),
            (
                Insn::alu64_reg(Alu::Xor, R0, R0),
                [0xaf, 0x00, 0, 0, 0, 0, 0, 0],
            ),
            (
                Insn::alu64_imm(Alu::Arsh, R1, 1),
                [0xc7, 0x01, 0, 0, 1, 0, 0, 0],
            ),
            (Insn::neg64(R7), [0x87, 0x07, 0, 0, 0, 0, 0, 0]),
            (Insn::neg32(R7), [0x84, 0x07, 0, 0, 0, 0, 0, 0]),
            (Insn::to_be(R1, Width::W16), [0xdc, 0x01, 0, 0, 16, 0, 0, 0]),
            (Insn::to_le(R1, Width::W32), [0xd4, 0x01, 0, 0, 32, 0, 0, 0]),
            (
                Insn::swap_bytes(R1, Width::W64),
                [0xd7, 0x01, 0, 0, 64, 0, 0, 0],
            ),
            (
                Insn::load(Size::Word, R2, R1, 16),
                [0x61, 0x12, 16, 0, 0, 0, 0, 0],
            ),
            (
                Insn::load(Size::Half, R2, R1, -2),
                [0x69, 0x12, 0xfe, 0xff, 0, 0, 0, 0],
            ),
            (
                Insn::load(Size::Byte, R2, R1, 0),
                [0x71, 0x12, 0, 0, 0, 0, 0, 0],
            ),
            (
                Insn::load(Size::Double, R2, R1, 8),
                [0x79, 0x12, 8, 0, 0, 0, 0, 0],
            ),
            (
                Insn::store(Size::Word, R10, -4, R2),
                [0x63, 0x2a, 0xfc, 0xff, 0, 0, 0, 0],
            ),
            (
                Insn::store(Size::Double, R10, -8, R2),
                [0x7b, 0x2a, 0xf8, 0xff, 0, 0, 0, 0],
            ),
            (
                Insn::store_imm(Size::Word, R10, -4, 1),
                [0x62, 0x0a, 0xfc, 0xff, 1, 0, 0, 0],
            ),
            (
                Insn::store_imm(Size::Double, R10, -8, 1),
                [0x7a, 0x0a, 0xf8, 0xff, 1, 0, 0, 0],
            ),
            (Insn::jump(3), [0x05, 0, 3, 0, 0, 0, 0, 0]),
            (
                Insn::jump_imm(Cond::Eq, R0, 0, 2),
                [0x15, 0x00, 2, 0, 0, 0, 0, 0],
            ),
            (
                Insn::jump_imm(Cond::Ne, R0, 0, 2),
                [0x55, 0x00, 2, 0, 0, 0, 0, 0],
            ),
            (
                Insn::jump_imm(Cond::Set, R0, 4, 2),
                [0x45, 0x00, 2, 0, 4, 0, 0, 0],
            ),
            (
                Insn::jump_reg(Cond::Gt, R4, R3, 1),
                [0x2d, 0x34, 1, 0, 0, 0, 0, 0],
            ),
            (
                Insn::jump_reg(Cond::Ge, R4, R3, -1),
                [0x3d, 0x34, 0xff, 0xff, 0, 0, 0, 0],
            ),
            (
                Insn::jump_imm(Cond::Lt, R7, 32, -9),
                [0xa5, 0x07, 0xf7, 0xff, 32, 0, 0, 0],
            ),
            (
                Insn::jump_reg(Cond::Le, R1, R2, 1),
                [0xbd, 0x21, 1, 0, 0, 0, 0, 0],
            ),
            (
                Insn::jump_imm(Cond::Sgt, R1, 0, 1),
                [0x65, 0x01, 1, 0, 0, 0, 0, 0],
            ),
            (
                Insn::jump_imm(Cond::Sge, R1, 0, 1),
                [0x75, 0x01, 1, 0, 0, 0, 0, 0],
            ),
            (
                Insn::jump_imm(Cond::Slt, R1, 0, 1),
                [0xc5, 0x01, 1, 0, 0, 0, 0, 0],
            ),
            (
                Insn::jump_imm(Cond::Sle, R1, 0, 1),
                [0xd5, 0x01, 1, 0, 0, 0, 0, 0],
            ),
            (
                Insn::jump32_imm(Cond::Eq, R1, 6, 1),
                [0x16, 0x01, 1, 0, 6, 0, 0, 0],
            ),
            (
                Insn::jump32_reg(Cond::Ne, R1, R2, 1),
                [0x5e, 0x21, 1, 0, 0, 0, 0, 0],
            ),
            (
                Insn::call(Helper::REDIRECT_MAP),
                [0x85, 0, 0, 0, 51, 0, 0, 0],
            ),
            (Insn::exit(), [0x95, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (insn, bytes) in table {
            assert_eq!(insn.to_bytes(), *bytes, "{insn:?}");
            assert_eq!(Insn::from_raw(insn.raw()), *insn);
        }
    }

    #[test]
    fn two_slots() {
        let [low, high] = Insn::load_imm64(R1, 0x1122_3344_5566_7788);
        assert_eq!(low.to_bytes(), [0x18, 0x01, 0, 0, 0x88, 0x77, 0x66, 0x55]);
        assert_eq!(high.to_bytes(), [0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11]);
        let stdin = std::io::stdin();
        let fd: BorrowedFd<'_> = std::os::fd::AsFd::as_fd(&stdin);
        let [low, high] = Insn::load_map_fd(R1, fd);
        assert_eq!(low.to_bytes(), [0x18, 0x11, 0, 0, 0, 0, 0, 0]);
        assert_eq!(high.to_bytes(), [0; 8]);
    }
}
