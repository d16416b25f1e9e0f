//! Where a program goes on after an instruction.

use super::insn::Insn;
use crate::num::usize32;
use xsk_uapi::bpf::{
    BPF_CALL, BPF_EXIT, BPF_JA, BPF_JMP, BPF_JMP32, BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC,
};

/// The parts of an opcode: the class, and the operation of arithmetic and jumps.
pub(super) const CLASS: u8 = 0x07;
pub(super) const OPERATION: u8 = 0xf0;
/// The operation of a jump that is taken so many times (`may_goto`, 6.9).
pub(super) const MAY_GOTO: u8 = 0xe0;

/// Where a program goes on after an instruction. Distances count slots from the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// At the next instruction.
    Next,
    /// Nowhere.
    Exit,
    /// So far away.
    Jump(i32),
    /// So far away, or at the next instruction.
    Branch(i32),
    /// At the next instruction, after a function of the program, which begins so far away.
    Call(i32),
    /// At the next instruction; a helper may call the function that begins so far away. Only dumps
    /// have it: the kernel wants type information of such functions, which is not loaded here.
    Function(i32),
}

impl Flow {
    /// Returns where the program goes on after `insn`.
    pub(super) fn of(insn: Insn<'_>) -> Self {
        let raw = insn.raw();
        if insn.is_wide() {
            let is_function = insn.src() == BPF_PSEUDO_FUNC;
            return if is_function { Self::Function(raw.imm) } else { Self::Next };
        }
        match (raw.code & CLASS, raw.code & OPERATION) {
            (BPF_JMP, BPF_EXIT) => Self::Exit,
            (BPF_JMP, BPF_CALL) if insn.src() == BPF_PSEUDO_CALL => Self::Call(raw.imm),
            (BPF_JMP, BPF_CALL) => Self::Next,
            (BPF_JMP, BPF_JA) => Self::Jump(raw.off.into()),
            (BPF_JMP32, BPF_JA) => Self::Jump(raw.imm),
            (BPF_JMP | BPF_JMP32, _) => Self::Branch(raw.off.into()),
            _ => Self::Next,
        }
    }

    /// Returns how far away the other instruction is that this one goes to or names.
    pub(super) fn distance(self) -> Option<i32> {
        match self {
            Self::Next | Self::Exit => None,
            Self::Jump(distance)
            | Self::Branch(distance)
            | Self::Call(distance)
            | Self::Function(distance) => Some(distance),
        }
    }
}

/// Returns the slot that is `distance` slots after the one behind `at`; `None` before the first.
pub(super) fn target(at: usize, distance: i32) -> Option<usize> {
    let next = at.checked_add(1)?;
    let slots = usize32(distance.unsigned_abs());
    if distance < 0 { next.checked_sub(slots) } else { next.checked_add(slots) }
}
