//! BPF instructions as values: one constructor for each form, named by its effect.

use super::helper::Helper;
use super::operand::{Alu, Atomic, Cond, Narrow, Reg, Size, Width};
use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use xsk_uapi::bpf::{
    BPF_ALU, BPF_ALU64, BPF_ATOMIC, BPF_CALL, BPF_DW, BPF_END, BPF_EXIT, BPF_IMM, BPF_JA, BPF_JMP,
    BPF_JMP32, BPF_LD, BPF_LDX, BPF_LOAD_ACQ, BPF_MEM, BPF_MEMSX, BPF_NEG, BPF_PSEUDO_CALL,
    BPF_PSEUDO_KFUNC_CALL, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE, BPF_ST, BPF_STORE_REL, BPF_STX,
    BPF_TO_BE, BPF_TO_LE, BPF_W, BPF_X, bpf_insn,
};

/// The opcode of the first half of a 16-byte load.
pub(super) const WIDE: u8 = BPF_LD | BPF_IMM | BPF_DW;

/// One eight-byte slot of a BPF program: an instruction, or half of a 16-byte one.
///
/// An [`Assembler`](super::Assembler) makes a program of them, and checks what can be known before
/// the kernel's verifier sees it. Jump offsets count slots from the one after the jump; the
/// assembler computes them.
///
/// A number in brackets, (6.6), is the first kernel that takes an instruction. [`Display`] shows it
/// as `bpftool prog dump xlated` does.
///
/// `'map` is the borrow of the map whose descriptor the instruction names, if it names one.
///
/// The encoding is that of the kernel's `Documentation/bpf/standardization/instruction-set.rst`.
///
/// ```
/// use xsk::bpf::{Insn, Reg};
/// // return XDP_PASS;
/// let program = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
/// assert_eq!(program[0].to_bytes(), [0xb7, 0, 0, 0, 2, 0, 0, 0]);
/// assert_eq!(program[0].to_string(), "(b7) r0 = 2");
/// ```
///
/// [`Display`]: std::fmt::Display
#[derive(Clone, Copy)]
#[doc(alias = "bpf_insn")]
pub struct Insn<'map> {
    raw: bpf_insn,
    /// The map that the instruction names by the number of this descriptor.
    map: Option<BorrowedFd<'map>>,
}

impl<'map> Insn<'map> {
    const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        // `struct bpf_insn` holds two bit fields of four bits; compilers fill bit fields from the
        // low end on little-endian machines and from the high end on the others.
        let regs = if cfg!(target_endian = "little") { src << 4 | dst } else { dst << 4 | src };
        Self { raw: bpf_insn { code, regs, off, imm }, map: None }
    }

    /// Returns the kernel's form.
    #[must_use]
    pub const fn raw(self) -> bpf_insn {
        self.raw
    }

    /// Returns the number of the destination register.
    pub(super) const fn dst(self) -> u8 {
        if cfg!(target_endian = "little") { self.raw.regs & 15 } else { self.raw.regs >> 4 }
    }

    /// Returns the number of the source register.
    pub(super) const fn src(self) -> u8 {
        if cfg!(target_endian = "little") { self.raw.regs >> 4 } else { self.raw.regs & 15 }
    }

    /// Returns the map that the instruction borrows, if it names one.
    pub(super) const fn map(self) -> Option<BorrowedFd<'map>> {
        self.map
    }

    /// Returns whether this is the first half of a 16-byte load.
    pub(super) const fn is_wide(self) -> bool {
        self.raw.code == WIDE
    }

    /// Returns whether the instruction names a map by a descriptor's number.
    pub(super) const fn names_map(self) -> bool {
        self.is_wide() && matches!(self.src(), BPF_PSEUDO_MAP_FD | BPF_PSEUDO_MAP_VALUE)
    }

    /// Returns the same load of a map, by the number of another descriptor of it, without the
    /// borrow: the owner of the descriptor keeps it open.
    pub(super) const fn with_map_number(self, number: RawFd) -> Insn<'static> {
        Insn { raw: bpf_insn { imm: number, ..self.raw }, map: None }
    }

    /// Returns the same load of a map, which borrows it.
    pub(super) fn with_map(self, map: BorrowedFd<'_>) -> Insn<'_> {
        Insn { raw: bpf_insn { imm: map.as_raw_fd(), ..self.raw }, map: Some(map) }
    }

    /// Returns the same instruction without a lifetime, unless it names a map.
    pub(super) const fn without_map(self) -> Option<Insn<'static>> {
        if self.names_map() { None } else { Some(Insn { raw: self.raw, map: None }) }
    }

    /// Makes an instruction of the kernel's form, for a load that names no descriptor.
    pub(super) const fn of(raw: bpf_insn) -> Self {
        Self { raw, map: None }
    }

    /// Makes an instruction from the kernel's form: the verifier checks it. Returns `None` for the
    /// first half of a 16-byte load of something else than a number (`src_reg` is not 0): such a
    /// load may name a descriptor, as [`load_map_fd`](Self::load_map_fd) does.
    #[must_use]
    pub const fn from_raw(raw: bpf_insn) -> Option<Self> {
        let src = if cfg!(target_endian = "little") { raw.regs >> 4 } else { raw.regs & 15 };
        if raw.code == WIDE && src != 0 {
            return None;
        }
        Some(Self::of(raw))
    }

    /// Returns the same jump with another offset.
    pub(super) const fn with_offset(self, off: i16) -> Self {
        Self { raw: bpf_insn { off, ..self.raw }, map: self.map }
    }

    /// Returns the same instruction with another immediate value.
    pub(super) const fn with_imm(self, imm: i32) -> Self {
        Self { raw: bpf_insn { imm, ..self.raw }, map: self.map }
    }

    /// Returns the eight bytes as they lie in memory.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        zerocopy::transmute!(self.raw)
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
        Self::new(BPF_ALU64 | op.bits(), dst.bits(), 0, op.off(), imm)
    }

    /// `dst = dst op src` in 64 bits.
    #[must_use]
    pub const fn alu64_reg(op: Alu, dst: Reg, src: Reg) -> Self {
        Self::new(BPF_ALU64 | BPF_X | op.bits(), dst.bits(), src.bits(), op.off(), 0)
    }

    /// `dst = dst op imm` in 32 bits; the upper half becomes zero.
    #[must_use]
    pub const fn alu32_imm(op: Alu, dst: Reg, imm: i32) -> Self {
        Self::new(BPF_ALU | op.bits(), dst.bits(), 0, op.off(), imm)
    }

    /// `dst = dst op src` in 32 bits; the upper half becomes zero.
    #[must_use]
    pub const fn alu32_reg(op: Alu, dst: Reg, src: Reg) -> Self {
        Self::new(BPF_ALU | BPF_X | op.bits(), dst.bits(), src.bits(), op.off(), 0)
    }

    /// `dst = src`: the low bytes of `src`, extended by their sign to 64 bits (6.6).
    #[must_use]
    #[doc(alias = "movsx")]
    pub const fn mov64_signed(from: Narrow, dst: Reg, src: Reg) -> Self {
        Self::new(BPF_ALU64 | BPF_X | Alu::Mov.bits(), dst.bits(), src.bits(), from.bits(), 0)
    }

    /// `dst = src`: the low bytes of `src`, extended by their sign to 32 bits; the upper half
    /// becomes zero (6.6). Of [`Narrow::Word`] it is [`mov32_reg`](Self::mov32_reg).
    #[must_use]
    #[doc(alias = "movsx")]
    pub const fn mov32_signed(from: Narrow, dst: Reg, src: Reg) -> Self {
        let bits = if matches!(from, Narrow::Word) { 0 } else { from.bits() };
        Self::new(BPF_ALU | BPF_X | Alu::Mov.bits(), dst.bits(), src.bits(), bits, 0)
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
        Self::new(BPF_ALU | BPF_TO_BE | BPF_END, dst.bits(), 0, 0, width.bits())
    }

    /// `dst = htole(dst)`
    #[must_use]
    pub const fn to_le(dst: Reg, width: Width) -> Self {
        Self::new(BPF_ALU | BPF_TO_LE | BPF_END, dst.bits(), 0, 0, width.bits())
    }

    /// `dst = bswap(dst)`, whatever the machine's byte order (6.6).
    #[must_use]
    pub const fn swap_bytes(dst: Reg, width: Width) -> Self {
        Self::new(BPF_ALU64 | BPF_END, dst.bits(), 0, 0, width.bits())
    }

    /// `dst = *(size *)(src + off)`, zero-extended.
    #[must_use]
    pub const fn load(size: Size, dst: Reg, src: Reg, off: i16) -> Self {
        Self::new(BPF_LDX | BPF_MEM | size.bits(), dst.bits(), src.bits(), off, 0)
    }

    /// `dst = *(size *)(src + off)`, extended by its sign to 64 bits (6.6).
    #[must_use]
    #[doc(alias = "ldsx")]
    pub const fn load_signed(from: Narrow, dst: Reg, src: Reg, off: i16) -> Self {
        let code = BPF_LDX | BPF_MEMSX | from.size_bits();
        Self::new(code, dst.bits(), src.bits(), off, 0)
    }

    /// `*(size *)(dst + off) = src`
    #[must_use]
    pub const fn store(size: Size, dst: Reg, off: i16, src: Reg) -> Self {
        Self::new(BPF_STX | BPF_MEM | size.bits(), dst.bits(), src.bits(), off, 0)
    }

    /// `*(size *)(dst + off) = imm`, sign-extended for eight bytes.
    #[must_use]
    pub const fn store_imm(size: Size, dst: Reg, off: i16, imm: i32) -> Self {
        Self::new(BPF_ST | BPF_MEM | size.bits(), dst.bits(), 0, off, imm)
    }

    /// An atomic operation on the eight bytes at `dst + off`, which lie at a multiple of eight.
    #[must_use]
    #[doc(alias = "xadd")]
    pub const fn atomic64(op: Atomic, dst: Reg, off: i16, src: Reg) -> Self {
        Self::new(BPF_STX | BPF_ATOMIC | BPF_DW, dst.bits(), src.bits(), off, op.bits())
    }

    /// An atomic operation on the four bytes at `dst + off`, which lie at a multiple of four.
    #[must_use]
    #[doc(alias = "xadd")]
    pub const fn atomic32(op: Atomic, dst: Reg, off: i16, src: Reg) -> Self {
        Self::new(BPF_STX | BPF_ATOMIC | BPF_W, dst.bits(), src.bits(), off, op.bits())
    }

    /// `dst = *(size *)(src + off)`, zero-extended, before all loads and stores that follow (6.15 on
    /// x86-64 and arm64, later elsewhere).
    ///
    /// A program that waits for what another one, or a process, publishes by
    /// [`store_release`](Self::store_release) sees with it all that was written before. The place lies
    /// at a multiple of the size.
    ///
    /// `src` points into the stack, a value of a map, memory of a ring buffer or another object of
    /// the kernel: the verifier refuses the context, the packet and its metadata, and sockets
    /// (`EACCES`, "BPF_ATOMIC loads from R1 ctx is not allowed"; `atomic_ptr_type_ok`,
    /// kernel/bpf/verifier.c), as it does for [`atomic64`](Self::atomic64).
    #[must_use]
    #[doc(alias = "BPF_LOAD_ACQ")]
    pub const fn load_acquire(size: Size, dst: Reg, src: Reg, off: i16) -> Self {
        let code = BPF_STX | BPF_ATOMIC | size.bits();
        Self::new(code, dst.bits(), src.bits(), off, BPF_LOAD_ACQ)
    }

    /// `*(size *)(dst + off) = src`, after all loads and stores that came before (6.15 on x86-64 and
    /// arm64, later elsewhere). The place lies at a multiple of the size; `dst` points to what
    /// [`load_acquire`](Self::load_acquire) may read.
    #[must_use]
    #[doc(alias = "BPF_STORE_REL")]
    pub const fn store_release(size: Size, dst: Reg, off: i16, src: Reg) -> Self {
        let code = BPF_STX | BPF_ATOMIC | size.bits();
        Self::new(code, dst.bits(), src.bits(), off, BPF_STORE_REL)
    }

    /// `dst = imm`, all 64 bits: two slots, of which the second is no jump target.
    #[must_use]
    pub const fn load_imm64(dst: Reg, imm: u64) -> [Self; 2] {
        Self::wide(dst, 0, imm)
    }

    /// `dst = ` the map behind `map`: two slots.
    ///
    /// Only the descriptor's number goes into the instruction, so the instruction borrows `map`.
    /// Once it is loaded, the program keeps the map alive itself.
    #[must_use]
    #[doc(alias = "BPF_PSEUDO_MAP_FD")]
    pub fn load_map_fd(dst: Reg, map: BorrowedFd<'map>) -> [Self; 2] {
        let [low, high] = Self::wide(dst, BPF_PSEUDO_MAP_FD, 0);
        [low.with_map(map), high]
    }

    /// `dst = ` a pointer into the value of the only element of an array `map`, `offset` bytes from
    /// its beginning: two slots (5.2).
    #[must_use]
    #[doc(alias = "BPF_PSEUDO_MAP_VALUE")]
    pub fn load_map_value(dst: Reg, map: BorrowedFd<'map>, offset: u32) -> [Self; 2] {
        let [low, high] = Self::wide(dst, BPF_PSEUDO_MAP_VALUE, u64::from(offset) << 32);
        [low.with_map(map), high]
    }

    const fn wide(dst: Reg, src: u8, imm: u64) -> [Self; 2] {
        let [a, b, c, d, e, f, g, h] = imm.to_le_bytes();
        [
            Self::new(WIDE, dst.bits(), src, 0, i32::from_le_bytes([a, b, c, d])),
            Self::new(0, 0, 0, 0, i32::from_le_bytes([e, f, g, h])),
        ]
    }

    /// `goto +off`
    #[must_use]
    pub const fn jump(off: i16) -> Self {
        Self::new(BPF_JMP | BPF_JA, 0, 0, off, 0)
    }

    /// `goto +off`, further than 16 bits reach (6.6).
    #[must_use]
    #[doc(alias = "gotol")]
    pub const fn jump_long(off: i32) -> Self {
        Self::new(BPF_JMP32 | BPF_JA, 0, 0, 0, off)
    }

    /// `if dst cond imm goto +off`, compared in 64 bits with `imm` sign-extended.
    #[must_use]
    pub const fn jump_imm(cond: Cond, dst: Reg, imm: i32, off: i16) -> Self {
        Self::new(BPF_JMP | cond.bits(), dst.bits(), 0, off, imm)
    }

    /// `if dst cond src goto +off`, compared in 64 bits.
    #[must_use]
    pub const fn jump_reg(cond: Cond, dst: Reg, src: Reg, off: i16) -> Self {
        Self::new(BPF_JMP | BPF_X | cond.bits(), dst.bits(), src.bits(), off, 0)
    }

    /// `if dst cond imm goto +off`, compared in 32 bits (5.1).
    #[must_use]
    pub const fn jump32_imm(cond: Cond, dst: Reg, imm: i32, off: i16) -> Self {
        Self::new(BPF_JMP32 | cond.bits(), dst.bits(), 0, off, imm)
    }

    /// `if dst cond src goto +off`, compared in 32 bits (5.1).
    #[must_use]
    pub const fn jump32_reg(cond: Cond, dst: Reg, src: Reg, off: i16) -> Self {
        Self::new(BPF_JMP32 | BPF_X | cond.bits(), dst.bits(), src.bits(), off, 0)
    }

    /// `r0 = helper(r1, r2, r3, r4, r5)`; R1 to R5 are lost.
    #[must_use]
    pub const fn call(helper: Helper) -> Self {
        Self::new(BPF_JMP | BPF_CALL, 0, 0, 0, helper.0)
    }

    /// `r0 = function(r1, r2, r3, r4, r5)`, a function of the kernel by its number in the kernel's
    /// type information ([`Btf::function`](crate::bpf::Btf::function)), of those that it lets
    /// programs call (5.13); R1 to R5 are lost.
    #[must_use]
    #[doc(alias = "kfunc")]
    #[doc(alias = "BPF_PSEUDO_KFUNC_CALL")]
    pub const fn call_kernel(function: u32) -> Self {
        let function = i32::from_ne_bytes(function.to_ne_bytes());
        Self::new(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, function)
    }

    /// `r0 = function(r1, r2, r3, r4, r5)`, a function of the program that begins `off` slots after
    /// the next one (4.16); R1 to R5 are lost, and it has a stack of its own.
    #[must_use]
    #[doc(alias = "BPF_PSEUDO_CALL")]
    pub const fn call_function(off: i32) -> Self {
        Self::new(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, off)
    }

    /// `return r0`
    #[must_use]
    pub const fn exit() -> Self {
        Self::new(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
    }
}

/// Compares the bytes.
impl PartialEq for Insn<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Insn<'_> {}

/// An instruction of one slot, where a list of slots is taken.
impl<'map> IntoIterator for Insn<'map> {
    type Item = Self;
    type IntoIter = std::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

impl fmt::Debug for Insn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bpf_insn { code, regs, off, imm } = self.raw;
        write!(f, "Insn({code:#04x} regs {regs:#04x} off {off} imm {imm:#x})")
    }
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests;
