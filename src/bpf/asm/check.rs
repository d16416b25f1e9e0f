//! What every kernel refuses in a program, found before the verifier sees it.

use super::flow::{CLASS, Flow, OPERATION, target};
use super::insn::Insn;
use crate::error::AssemblyFault as Fault;
use xsk_uapi::bpf::{
    BPF_ALU, BPF_ALU64, BPF_ARSH, BPF_ATOMIC, BPF_B, BPF_CMPXCHG, BPF_DIV, BPF_FETCH, BPF_H,
    BPF_LDX, BPF_LOAD_ACQ, BPF_LSH, BPF_MEM, BPF_MEMSX, BPF_MOD, BPF_REG_10, BPF_RSH, BPF_ST,
    BPF_STX, BPF_W, BPF_X,
};

/// The mode and the size of a load or store, in its opcode.
const MODE: u8 = 0xe0;
const SIZE: u8 = 0x18;

/// Bytes of a function's stack, below the frame pointer (`MAX_BPF_STACK` of linux/filter.h).
const STACK: i32 = 512;

/// Checks a whole program: its ways, and the operands of each instruction.
///
/// The rules are those of `check_subprogs` and `check_cfg`, and of `check_alu_op` and its sisters,
/// in the kernel's kernel/bpf/verifier.c.
pub(super) fn check(insns: &[Insn<'_>], limit: usize) -> Result<(), Fault> {
    if insns.is_empty() {
        return Err(Fault::Empty);
    }
    if insns.len() > limit {
        return Err(Fault::TooLong { instructions: insns.len(), limit });
    }
    let halves = halves(insns)?;
    for (at, insn) in slots(insns, &halves) {
        if let Some(rule) = broken_rule(insn) {
            return Err(Fault::Operand { at, rule });
        }
    }
    let functions = functions(insns, &halves)?;
    for (at, insn) in slots(insns, &halves) {
        if let Flow::Jump(distance) | Flow::Branch(distance) = Flow::of(insn) {
            let to = inside(at, distance, &halves)?;
            if function(&functions, at) != function(&functions, to) {
                return Err(Fault::Outside { at });
            }
        }
    }
    reach_all(insns, &halves, &functions)
}

/// Returns the instructions with their numbers, without the second halves.
fn slots<'a>(
    insns: &'a [Insn<'a>],
    halves: &'a [bool],
) -> impl Iterator<Item = (usize, Insn<'a>)> + 'a {
    let all = insns.iter().copied().enumerate().zip(halves);
    all.filter(|(_, half)| !**half).map(|(slot, _)| slot)
}

/// Returns for each slot whether it is the second half of a 16-byte load.
pub(super) fn halves(insns: &[Insn<'_>]) -> Result<Vec<bool>, Fault> {
    let mut halves = Vec::with_capacity(insns.len());
    let mut after_first = None;
    for (at, insn) in insns.iter().enumerate() {
        let raw = insn.raw();
        // The kernel wants all but the immediate value to be zero.
        let is_second = raw.code == 0 && raw.regs == 0 && raw.off == 0;
        match after_first.take() {
            Some(first) if !is_second => return Err(Fault::Half { at: first }),
            None if raw.code == 0 => return Err(Fault::Half { at }),
            Some(_) => halves.push(true),
            None => {
                after_first = insn.is_wide().then_some(at);
                halves.push(false);
            }
        }
    }
    match after_first {
        Some(at) => Err(Fault::Half { at }),
        None => Ok(halves),
    }
}

/// Returns the slot that an instruction goes to, which is in the program and no second half.
fn inside(at: usize, distance: i32, halves: &[bool]) -> Result<usize, Fault> {
    let to = target(at, distance).ok_or(Fault::Outside { at })?;
    match halves.get(to) {
        None => Err(Fault::Outside { at }),
        Some(true) => Err(Fault::IntoHalf { at, to }),
        Some(false) => Ok(to),
    }
}

/// Returns the first slots of the program's functions, in ascending order.
fn functions(insns: &[Insn<'_>], halves: &[bool]) -> Result<Vec<usize>, Fault> {
    let mut functions = vec![0];
    for (at, insn) in slots(insns, halves) {
        if let Flow::Call(distance) = Flow::of(insn) {
            functions.push(inside(at, distance, halves)?);
        }
    }
    functions.sort_unstable();
    functions.dedup();
    Ok(functions)
}

/// Returns which function a slot is in: how many begin at it or before.
fn function(functions: &[usize], at: usize) -> usize {
    functions.partition_point(|first| *first <= at)
}

/// Follows every way from the first instruction, and finds instructions that none leads to, and
/// ways that lead out of a function.
fn reach_all(insns: &[Insn<'_>], halves: &[bool], functions: &[usize]) -> Result<(), Fault> {
    let mut reached = vec![false; insns.len()];
    let mut ways = vec![0_usize];
    while let Some(at) = ways.pop() {
        let (Some(seen), Some(insn)) = (reached.get_mut(at), insns.get(at)) else { continue };
        if std::mem::replace(seen, true) {
            continue;
        }
        let flow = Flow::of(*insn);
        ways.extend(flow.distance().and_then(|distance| target(at, distance)));
        if matches!(flow, Flow::Exit | Flow::Jump(_)) {
            continue;
        }
        let next = at.saturating_add(if insn.is_wide() { 2 } else { 1 });
        let is_same = function(functions, next) == function(functions, at);
        if next >= insns.len() || !is_same {
            return Err(Fault::FallsOff { at });
        }
        ways.push(next);
    }
    let mut missed = reached.iter().zip(halves).enumerate();
    match missed.find(|(_, (reached, half))| !**reached && !**half) {
        Some((at, _)) => Err(Fault::Unreachable { at }),
        None => Ok(()),
    }
}

/// Returns the rule that an instruction's operands break, if they break one.
fn broken_rule(insn: Insn<'_>) -> Option<&'static str> {
    let raw = insn.raw();
    let (dst, src) = (insn.dst(), insn.src());
    if dst > BPF_REG_10 || (!insn.is_wide() && src > BPF_REG_10) {
        return Some("has registers from R0 to R10");
    }
    let class = raw.code & CLASS;
    let is_atomic = class == BPF_STX && raw.code & MODE == BPF_ATOMIC;
    let is_acquire = is_atomic && raw.imm == BPF_LOAD_ACQ;
    let is_write = matches!(class, BPF_ALU | BPF_ALU64 | BPF_LDX) || insn.is_wide() || is_acquire;
    let is_fetch = is_atomic && raw.imm & BPF_FETCH != 0 && raw.imm != BPF_CMPXCHG;
    if (is_write && dst == BPF_REG_10) || (is_fetch && src == BPF_REG_10) {
        return Some("does not write to R10, the frame pointer");
    }
    match class {
        BPF_ALU | BPF_ALU64 if raw.code & BPF_X == 0 => broken_rule_of_number(insn),
        BPF_LDX => broken_rule_of_stack(insn, src),
        BPF_STX if is_acquire => broken_rule_of_stack(insn, src),
        BPF_ST | BPF_STX => broken_rule_of_stack(insn, dst),
        _ => None,
    }
}

/// Returns the rule that arithmetic with a number breaks.
fn broken_rule_of_number(insn: Insn<'_>) -> Option<&'static str> {
    let raw = insn.raw();
    let bits = if raw.code & CLASS == BPF_ALU { 32 } else { 64 };
    match raw.code & OPERATION {
        BPF_DIV | BPF_MOD if raw.imm == 0 => Some("does not divide by the number 0"),
        BPF_LSH | BPF_RSH | BPF_ARSH if !(0..bits).contains(&raw.imm) => {
            Some("shifts by a number from 0 to 31, or to 63 of 64 bits")
        }
        _ => None,
    }
}

/// Returns the rule that a load or store relative to `base` breaks.
fn broken_rule_of_stack(insn: Insn<'_>, base: u8) -> Option<&'static str> {
    let raw = insn.raw();
    let len = match raw.code & SIZE {
        BPF_B => 1,
        BPF_H => 2,
        BPF_W => 4,
        _ => 8,
    };
    let is_memory = matches!(raw.code & MODE, BPF_MEM | BPF_MEMSX | BPF_ATOMIC);
    let end = i32::from(raw.off).saturating_add(len);
    let is_in_stack = i32::from(raw.off) >= STACK.wrapping_neg() && end <= 0;
    (is_memory && base == BPF_REG_10 && !is_in_stack)
        .then_some("stays within the 512 bytes of the stack, below R10")
}
