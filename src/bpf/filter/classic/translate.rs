//! Translates classic programs to instructions of an XDP program.
//!
//! Jumps go forward, so one pass knows at each instruction how many bytes of the packet every way
//! to it has shown to be there. Instructions that no way leads to are left out, as the kernel's
//! verifier refuses them.

use super::super::action::Action;
use super::super::compile::{Code, end, finish};
use super::super::diagram::TooLarge;
use super::super::emit::Emitter;
use super::super::expr::Operator;
use super::MOST_BYTES;
use super::op::{Op, Operand, Register, Relation, Value};
use crate::bpf::{Alu, Assembler, Cond, Insn, Label, Reg, Size, Width};
use std::collections::BTreeMap;

/// The context, `struct xdp_md *`.
const CONTEXT: Reg = Reg::R1;
/// The packet's first byte.
const DATA: Reg = Reg::R2;
/// The byte behind the packet.
const END: Reg = Reg::R3;
/// From where bytes are loaded.
const FROM: Reg = Reg::R0;
/// The end of what is loaded.
const UNTIL: Reg = Reg::R4;
/// The registers of the classic machine, as 32 bits; the upper halves are zero.
const A: Reg = Reg::R5;
const X: Reg = Reg::R6;

/// The largest offset in an instruction, and room for the bytes that are loaded there.
const MOST_OFFSET: u32 = 0x7ff0;

/// Writes the program that does `action` with the packets that `ops` takes, and passes the others.
/// With `counters` it counts both, in the entries 0 and 1 of a map.
pub(in super::super) fn translate(
    ops: &[Op],
    action: Action,
    counters: bool,
) -> Result<Code, TooLarge> {
    let mut code = Assembler::new();
    let (yes, no) = (code.label(), code.label());
    let labels = ops.iter().map(|_| code.label()).collect();
    let reach = vec![None; ops.len()];
    let mut out = Translation { ops, code, labels, reach, goto: None, yes, no };
    out.start();
    for (at, op) in ops.iter().enumerate() {
        out.instruction(at, *op);
    }
    let targets = out.code.targets();
    let last = out.goto;
    let is_reached = |label| targets.contains(&label) || last == Some(label);
    let (takes, passes) = (is_reached(yes), is_reached(no));
    if counters && last == Some(yes) {
        out.code.jump(Insn::jump(0), yes);
    }
    let mut out = Emitter::with(out.code, no, passes);
    let code = if counters {
        let ends = BTreeMap::from([(action, out.code.label())]);
        finish(&[action], &[yes], ends, true, out)?
    } else {
        let mut ends = [(no, Action::Pass), (yes, action)];
        // What the last instruction goes on to is written first.
        if last == Some(yes) {
            ends.reverse();
        }
        for (label, action) in ends.into_iter().filter(|(label, _)| is_reached(*label)) {
            out.code.place(label);
            end(action, CONTEXT, &mut out);
        }
        Code::of(out, Vec::new())?
    };
    Ok(Code {
        unreachable: if takes { Vec::new() } else { vec![0] },
        everything: (!passes && action != Action::Pass).then_some(0),
        ..code
    })
}

struct Translation<'a> {
    ops: &'a [Op],
    code: Assembler<'static>,
    /// The labels of the classic instructions.
    labels: Vec<Label>,
    /// How many bytes of the packet are known to be there at each instruction, if a way leads to it.
    reach: Vec<Option<u32>>,
    /// Where the last instruction goes on to.
    goto: Option<Label>,
    /// Where packets go that are taken.
    yes: Label,
    /// Where all others go.
    no: Label,
}

impl Translation<'_> {
    fn start(&mut self) {
        self.code.add([
            Insn::load(Size::Word, DATA, CONTEXT, 0),
            Insn::load(Size::Word, END, CONTEXT, 4),
        ]);
        // A register that is not written yet is 0.
        for (register, reg) in [(Register::A, A), (Register::X, X)] {
            if reads_unwritten(self.ops, register) {
                self.code.add(Insn::mov32_imm(reg, 0));
            }
        }
        self.go(0, 0);
    }

    /// Returns the label of an instruction. What only returns a constant has none of its own.
    fn label(&self, at: usize) -> Label {
        match self.ops.get(at) {
            Some(Op::Return(0)) => self.no,
            Some(Op::Return(_)) => self.yes,
            _ => self.labels.get(at).copied().unwrap_or(self.no),
        }
    }

    /// Notes that a way leads to an instruction, with so many bytes known to be there.
    fn lead(&mut self, at: usize, known: u32) -> Label {
        if let Some(reach) = self.reach.get_mut(at) {
            *reach = Some(reach.map_or(known, |other| other.min(known)));
        }
        self.label(at)
    }

    /// Goes on to an instruction.
    fn go(&mut self, at: usize, known: u32) {
        self.goto = Some(self.lead(at, known));
    }

    fn add<const N: usize>(&mut self, insns: [Insn<'static>; N]) {
        self.code.add(insns);
    }

    fn instruction(&mut self, at: usize, op: Op) {
        let label = self.label(at);
        let Some(known) = self.reach.get(at).copied().flatten() else { return };
        // Whatever leads here goes to the end at once.
        if matches!(op, Op::Return(_)) {
            return;
        }
        if let Some(goto) = self.goto.take().filter(|goto| *goto != label) {
            self.code.goto(goto);
        }
        self.code.place(label);
        let mut known = known;
        match op {
            Op::Load { start, bytes, indexed } => {
                let size = match bytes {
                    1 => Size::Byte,
                    2 => Size::Half,
                    _ => Size::Word,
                };
                let place = if indexed {
                    self.indexed(start, bytes)
                } else {
                    self.constant(start, bytes, &mut known)
                };
                let Some((from, offset)) = place else { return };
                self.add([Insn::load(size, A, from, offset)]);
                match bytes {
                    1 => {}
                    2 => self.add([Insn::to_be(A, Width::W16)]),
                    _ => self.add([Insn::to_be(A, Width::W32)]),
                }
            }
            Op::LoadHeaderLength { start } => {
                let Some((from, offset)) = self.constant(start, 1, &mut known) else { return };
                self.add([
                    Insn::load(Size::Byte, X, from, offset),
                    Insn::alu32_imm(Alu::And, X, 15),
                    Insn::alu32_imm(Alu::Lsh, X, 2),
                ]);
            }
            Op::Set(register, value) => self.set(reg(register), value),
            Op::Store(register, word) => {
                self.add([Insn::store(Size::Word, Reg::R10, slot(word), reg(register))]);
            }
            Op::Compute(operator, operand) => self.compute(operator, operand),
            Op::Negate => self.add([Insn::neg32(A)]),
            Op::Jump(to) => return self.go(to, known),
            Op::Branch { relation, operand, yes, no } => {
                return self.branch(at, relation, operand, (yes, no), known);
            }
            Op::Return(_) => return,
            Op::ReturnA => {
                let yes = self.yes;
                self.code.jump(Insn::jump32_imm(Cond::Ne, A, 0, 0), yes);
                self.goto = Some(self.no);
                return;
            }
        }
        self.go(at.saturating_add(1), known);
    }

    /// Makes sure that bytes at a constant offset are there. Returns from where they are loaded;
    /// `None` if they are behind the end of every packet.
    fn constant(&mut self, start: u32, bytes: u8, known: &mut u32) -> Option<(Reg, i16)> {
        let end = start.checked_add(bytes.into()).filter(|end| *end <= MOST_BYTES);
        let Some(end) = end else {
            self.goto = Some(self.no);
            return None;
        };
        let no = self.no;
        if start > MOST_OFFSET {
            self.add([
                Insn::mov64_reg(FROM, DATA),
                Insn::alu64_imm(Alu::Add, FROM, constant(start)),
                Insn::mov64_reg(UNTIL, FROM),
                Insn::alu64_imm(Alu::Add, UNTIL, bytes.into()),
            ]);
            self.code.jump(Insn::jump_reg(Cond::Gt, UNTIL, END, 0), no);
            return Some((FROM, 0));
        }
        if end > *known {
            *known = end;
            self.add([
                Insn::mov64_reg(UNTIL, DATA),
                Insn::alu64_imm(Alu::Add, UNTIL, constant(end)),
            ]);
            self.code.jump(Insn::jump_reg(Cond::Gt, UNTIL, END, 0), no);
        }
        Some((DATA, i16::try_from(start).unwrap_or(0)))
    }

    /// As [`constant`](Self::constant), with X added to the offset.
    fn indexed(&mut self, start: u32, bytes: u8) -> Option<(Reg, i16)> {
        let end = start.checked_add(bytes.into()).filter(|end| *end <= MOST_BYTES);
        let Some(end) = end else {
            self.goto = Some(self.no);
            return None;
        };
        let no = self.no;
        // The verifier has to know a bound of what is added to a pointer.
        let most = constant(MOST_BYTES.saturating_sub(end));
        self.code.jump(Insn::jump_imm(Cond::Gt, X, most, 0), no);
        self.add([Insn::mov64_reg(FROM, X), Insn::alu64_reg(Alu::Add, FROM, DATA)]);
        let offset = if start > MOST_OFFSET {
            self.add([Insn::alu64_imm(Alu::Add, FROM, constant(start))]);
            0
        } else {
            start
        };
        let need = offset.saturating_add(bytes.into());
        self.add([Insn::mov64_reg(UNTIL, FROM), Insn::alu64_imm(Alu::Add, UNTIL, constant(need))]);
        self.code.jump(Insn::jump_reg(Cond::Gt, UNTIL, END, 0), no);
        Some((FROM, i16::try_from(offset).unwrap_or(0)))
    }

    fn set(&mut self, to: Reg, value: Value) {
        match value {
            Value::Number(number) => self.add([Insn::mov32_imm(to, constant(number))]),
            Value::Register(from) => self.add([Insn::mov32_reg(to, reg(from))]),
            Value::Word(word) => self.add([Insn::load(Size::Word, to, Reg::R10, slot(word))]),
            Value::Length => self.add([
                Insn::mov64_reg(to, END),
                Insn::alu64_reg(Alu::Sub, to, DATA),
                Insn::mov32_reg(to, to),
            ]),
        }
    }

    /// `a = a operator operand`
    fn compute(&mut self, operator: Operator, operand: Operand) {
        let alu = operator.alu();
        if let Operand::Number(number) = operand {
            return self.add([Insn::alu32_imm(alu, A, constant(number))]);
        }
        match alu {
            Alu::Div | Alu::Mod => {
                let no = self.no;
                self.code.jump(Insn::jump32_imm(Cond::Eq, X, 0, 0), no);
            }
            // The shift itself looks at the low five bits only.
            Alu::Lsh | Alu::Rsh => self.add([
                Insn::jump32_imm(Cond::Lt, X, 32, 2),
                Insn::mov32_imm(A, 0),
                Insn::jump(1),
            ]),
            _ => {}
        }
        self.add([Insn::alu32_reg(alu, A, X)]);
    }

    fn branch(
        &mut self,
        at: usize,
        relation: Relation,
        operand: Operand,
        (yes, no): (usize, usize),
        known: u32,
    ) {
        if yes == no {
            return self.go(yes, known);
        }
        let (cond, inverse) = match relation {
            Relation::Equal => (Cond::Eq, Some(Cond::Ne)),
            Relation::Greater => (Cond::Gt, Some(Cond::Le)),
            Relation::GreaterOrEqual => (Cond::Ge, Some(Cond::Lt)),
            Relation::AnyBit => (Cond::Set, None),
        };
        let next = self.labels.get(at.saturating_add(1)).copied();
        let (cond, taken, other) = match inverse {
            Some(inverse) if Some(self.label(yes)) == next => (inverse, no, yes),
            _ => (cond, yes, no),
        };
        let label = self.lead(taken, known);
        let jump = match operand {
            Operand::Number(number) => Insn::jump32_imm(cond, A, constant(number), 0),
            Operand::X => Insn::jump32_reg(cond, A, X, 0),
        };
        self.code.jump(jump, label);
        self.go(other, known);
    }
}

/// Returns whether an instruction may read a register before one has written it.
fn reads_unwritten(ops: &[Op], register: Register) -> bool {
    let mut unwritten = vec![false; ops.len()];
    if let Some(first) = unwritten.first_mut() {
        *first = true;
    }
    for (at, op) in ops.iter().enumerate() {
        if unwritten.get(at) != Some(&true) {
            continue;
        }
        let (reads, writes) = uses(*op, register);
        if reads {
            return true;
        }
        for next in op.next(at).into_iter().flatten().filter(|_| !writes) {
            if let Some(unwritten) = unwritten.get_mut(next) {
                *unwritten = true;
            }
        }
    }
    false
}

/// Returns whether an instruction reads a register, and whether it writes it.
fn uses(op: Op, register: Register) -> (bool, bool) {
    let is_a = register == Register::A;
    match op {
        Op::Load { indexed, .. } => (indexed && !is_a, is_a),
        Op::LoadHeaderLength { .. } => (false, !is_a),
        Op::Set(to, value) => (value == Value::Register(register), to == register),
        Op::Store(from, _) => (from == register, false),
        Op::Compute(_, operand) => (is_a || operand == Operand::X, is_a),
        Op::Branch { operand, .. } => (is_a || operand == Operand::X, false),
        Op::Negate | Op::ReturnA => (is_a, false),
        Op::Jump(_) | Op::Return(_) => (false, false),
    }
}

fn reg(register: Register) -> Reg {
    match register {
        Register::A => A,
        Register::X => X,
    }
}

/// Returns the place of a word of memory on the stack.
fn slot(word: u8) -> i16 {
    i16::from(word).saturating_add(1).saturating_mul(-4)
}

/// Returns a number as instructions hold it.
fn constant(number: u32) -> i32 {
    i32::from_ne_bytes(number.to_ne_bytes())
}
