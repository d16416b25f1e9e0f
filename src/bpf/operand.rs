//! The operands of BPF instructions: registers, sizes, operations, conditions, helpers.
//!
//! One file for six types that are lists of names and their bits.

use xsk_uapi::bpf::{
    self as uapi, BPF_ADD, BPF_AND, BPF_ARSH, BPF_B, BPF_DIV, BPF_DW, BPF_H, BPF_JEQ, BPF_JGE,
    BPF_JGT, BPF_JLE, BPF_JLT, BPF_JNE, BPF_JSET, BPF_JSGE, BPF_JSGT, BPF_JSLE, BPF_JSLT, BPF_LSH,
    BPF_MOD, BPF_MOV, BPF_MUL, BPF_OR, BPF_REG_0, BPF_REG_1, BPF_REG_2, BPF_REG_3, BPF_REG_4,
    BPF_REG_5, BPF_REG_6, BPF_REG_7, BPF_REG_8, BPF_REG_9, BPF_REG_10, BPF_RSH, BPF_SUB, BPF_W,
    BPF_XOR,
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
}

impl Alu {
    pub(super) const fn bits(self) -> u8 {
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

/// A kernel function that a program may call, by its number in `enum bpf_func_id` (`linux/bpf.h`).
///
/// ```
/// use xsk::bpf::{Helper, Insn};
/// let random = Insn::call(Helper(7)); // bpf_get_prandom_u32(), which has no name here
/// assert_eq!(Insn::call(Helper::REDIRECT_MAP).raw().imm, 51);
/// # assert_eq!(random.raw().imm, 7);
/// ```
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
    /// `bpf_redirect_map(map, index, flags)`: since 5.3 the two low bits of `flags` are the action
    /// when the slot is empty; before, `flags` must be 0.
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
