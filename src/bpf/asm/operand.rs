//! The operands of BPF instructions: registers, sizes, operations, conditions.
//!
//! One file for eight types that are lists of names and their bits.

use xsk_uapi::bpf::{
    BPF_ADD, BPF_AND, BPF_ARSH, BPF_B, BPF_CMPXCHG, BPF_DIV, BPF_DW, BPF_FETCH, BPF_H, BPF_JEQ,
    BPF_JGE, BPF_JGT, BPF_JLE, BPF_JLT, BPF_JNE, BPF_JSET, BPF_JSGE, BPF_JSGT, BPF_JSLE, BPF_JSLT,
    BPF_LSH, BPF_MOD, BPF_MOV, BPF_MUL, BPF_OR, BPF_REG_0, BPF_REG_1, BPF_REG_2, BPF_REG_3,
    BPF_REG_4, BPF_REG_5, BPF_REG_6, BPF_REG_7, BPF_REG_8, BPF_REG_9, BPF_REG_10, BPF_RSH, BPF_SUB,
    BPF_W, BPF_XCHG, BPF_XOR,
};

/// A register of the BPF machine.
///
/// R0 holds what a helper or the program returns, R1 to R5 are arguments and do not survive a call,
/// R6 to R9 survive, R10 is the frame pointer and can only be read. A program starts with its
/// context (`struct xdp_md *`) in R1.
///
/// ```
/// use xsk::bpf::{Insn, Reg};
/// let save = Insn::mov64_reg(Reg::R6, Reg::R1); // ctx survives calls in R6
/// # assert_eq!(save.raw().code, 0xbf);
/// ```
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
    pub(super) const fn bits(self) -> u8 {
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
///
/// ```
/// use xsk::bpf::{Insn, Reg, Size};
/// let queue = Insn::load(Size::Word, Reg::R2, Reg::R1, 16); // r2 = ctx->rx_queue_index
/// # assert_eq!(queue.raw().off, 16);
/// ```
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
    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::Word => BPF_W,
            Self::Half => BPF_H,
            Self::Byte => BPF_B,
            Self::Double => BPF_DW,
        }
    }
}

/// What an arithmetic instruction does to its destination.
///
/// ```
/// use xsk::bpf::{Alu, Insn, Reg};
/// let key = Insn::alu64_imm(Alu::Add, Reg::R2, -4); // r2 += -4
/// # assert_eq!(key.raw().imm, -4);
/// ```
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
    /// `dst /= src`, signed; dividing by 0 gives 0 (6.6).
    Sdiv,
    /// `dst %= src`, signed: the result has the sign of `dst`; modulo 0 leaves `dst` (6.6).
    Smod,
}

impl Alu {
    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::Add => BPF_ADD,
            Self::Sub => BPF_SUB,
            Self::Mul => BPF_MUL,
            Self::Div | Self::Sdiv => BPF_DIV,
            Self::Or => BPF_OR,
            Self::And => BPF_AND,
            Self::Lsh => BPF_LSH,
            Self::Rsh => BPF_RSH,
            Self::Mod | Self::Smod => BPF_MOD,
            Self::Xor => BPF_XOR,
            Self::Mov => BPF_MOV,
            Self::Arsh => BPF_ARSH,
        }
    }

    /// The offset field, which makes a division signed.
    pub(super) const fn off(self) -> i16 {
        if matches!(self, Self::Sdiv | Self::Smod) { 1 } else { 0 }
    }
}

/// When a conditional jump is taken.
///
/// ```
/// use xsk::bpf::{Cond, Insn, Reg};
/// let found = Insn::jump_imm(Cond::Ne, Reg::R0, 0, 2); // if r0 != 0 goto +2
/// # assert_eq!(found.raw().off, 2);
/// ```
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
    pub(super) const fn bits(self) -> u8 {
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
///
/// ```
/// use xsk::bpf::{Insn, Reg, Width};
/// let port = Insn::to_be(Reg::R1, Width::W16); // r1 = htons(r1)
/// # assert_eq!(port.raw().imm, 16);
/// ```
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
    pub(super) const fn bits(self) -> i32 {
        match self {
            Self::W16 => 16,
            Self::W32 => 32,
            Self::W64 => 64,
        }
    }
}

/// How many low bytes of a value are extended by their sign.
///
/// ```
/// use xsk::bpf::{Insn, Narrow, Reg};
/// let delta = Insn::load_signed(Narrow::Half, Reg::R2, Reg::R1, 4); // r2 = *(s16 *)(r1 + 4)
/// # assert_eq!(delta.raw().code, 0x89);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Narrow {
    /// One byte.
    Byte,
    /// Two bytes.
    Half,
    /// Four bytes.
    Word,
}

impl Narrow {
    /// The size bits of a load.
    pub(super) const fn size_bits(self) -> u8 {
        match self {
            Self::Byte => BPF_B,
            Self::Half => BPF_H,
            Self::Word => BPF_W,
        }
    }

    /// The offset field of a move: the number of bits.
    pub(super) const fn bits(self) -> i16 {
        match self {
            Self::Byte => 8,
            Self::Half => 16,
            Self::Word => 32,
        }
    }
}

/// What an atomic instruction does to memory.
///
/// On most machines the kernel compiles all of them; on those where it does not, the program is
/// refused.
///
/// ```
/// use xsk::bpf::{Atomic, Insn, Reg};
/// // lock *(u64 *)(r0 + 8) += r1
/// let count = Insn::atomic64(Atomic::Add, Reg::R0, 8, Reg::R1);
/// # assert_eq!(count.raw().code, 0xdb);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Atomic {
    /// `*p += src`
    Add,
    /// `*p |= src` (5.12)
    Or,
    /// `*p &= src` (5.12)
    And,
    /// `*p ^= src` (5.12)
    Xor,
    /// `*p += src`, and `src` becomes what was there before (5.12).
    FetchAdd,
    /// `*p |= src`, and `src` becomes what was there before (5.12).
    FetchOr,
    /// `*p &= src`, and `src` becomes what was there before (5.12).
    FetchAnd,
    /// `*p ^= src`, and `src` becomes what was there before (5.12).
    FetchXor,
    /// `*p = src`, and `src` becomes what was there before (5.12).
    Exchange,
    /// `*p = src` if `*p` is what R0 has; R0 becomes what was there before (5.12).
    CompareExchange,
}

impl Atomic {
    /// The immediate value of the instruction.
    pub(super) const fn bits(self) -> i32 {
        match self {
            Self::Add => wide(BPF_ADD),
            Self::Or => wide(BPF_OR),
            Self::And => wide(BPF_AND),
            Self::Xor => wide(BPF_XOR),
            Self::FetchAdd => wide(BPF_ADD) | BPF_FETCH,
            Self::FetchOr => wide(BPF_OR) | BPF_FETCH,
            Self::FetchAnd => wide(BPF_AND) | BPF_FETCH,
            Self::FetchXor => wide(BPF_XOR) | BPF_FETCH,
            Self::Exchange => BPF_XCHG,
            Self::CompareExchange => BPF_CMPXCHG,
        }
    }
}

/// Returns an operation of an opcode as an immediate value.
const fn wide(operation: u8) -> i32 {
    i32::from_le_bytes([operation, 0, 0, 0])
}

/// The second operand of a comparison: a register or a number.
///
/// ```
/// use xsk::bpf::{Operand, Reg};
/// assert_eq!(Operand::from(Reg::R3), Operand::Reg(Reg::R3));
/// assert_eq!(Operand::from(7), Operand::Imm(7));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// What a register holds.
    Reg(Reg),
    /// A number, sign-extended where 64 bits are compared.
    Imm(i32),
}

impl From<Reg> for Operand {
    fn from(reg: Reg) -> Self {
        Self::Reg(reg)
    }
}

impl From<i32> for Operand {
    fn from(number: i32) -> Self {
        Self::Imm(number)
    }
}
