//! Runs classic programs, in plain Rust.

use super::op::{Op, Operand, Register, Relation, Value};
use super::{MOST_BYTES, WORDS};
use crate::num::usize32;

/// Returns whether a program takes a packet.
pub(in super::super) fn run(ops: &[Op], packet: &[u8]) -> bool {
    Machine { packet, a: 0, x: 0, words: [0; WORDS] }.run(ops).is_some_and(|taken| taken != 0)
}

struct Machine<'a> {
    packet: &'a [u8],
    a: u32,
    x: u32,
    words: [u32; WORDS],
}

impl Machine<'_> {
    /// Returns what the program returns; `None` if it reads behind the packet or divides by 0.
    /// It ends, as jumps go forward.
    fn run(mut self, ops: &[Op]) -> Option<u32> {
        let mut at: usize = 0;
        loop {
            let op = *ops.get(at)?;
            at = at.checked_add(1)?;
            match op {
                Op::Load { start, bytes, indexed } => {
                    let index = if indexed { self.x } else { 0 };
                    self.a = self.read(start.checked_add(index)?, bytes)?;
                }
                Op::LoadHeaderLength { start } => self.x = (self.read(start, 1)? & 15) << 2,
                Op::Set(register, value) => *self.register(register) = self.value(value)?,
                Op::Store(register, word) => {
                    let value = *self.register(register);
                    *self.words.get_mut(usize::from(word))? = value;
                }
                Op::Compute(operator, operand) => {
                    self.a = operator.apply(self.a, self.operand(operand))?;
                }
                Op::Negate => self.a = self.a.wrapping_neg(),
                Op::Jump(to) => at = to,
                Op::Branch { relation, operand, yes, no } => {
                    let is_true = compare(relation, self.a, self.operand(operand));
                    at = if is_true { yes } else { no };
                }
                Op::Return(value) => return Some(value),
                Op::ReturnA => return Some(self.a),
            }
        }
    }

    fn read(&self, start: u32, bytes: u8) -> Option<u32> {
        let end = start.checked_add(bytes.into()).filter(|end| *end <= MOST_BYTES)?;
        let bytes = self.packet.get(usize32(start)..usize32(end))?;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn register(&mut self, register: Register) -> &mut u32 {
        match register {
            Register::A => &mut self.a,
            Register::X => &mut self.x,
        }
    }

    fn value(&self, value: Value) -> Option<u32> {
        match value {
            Value::Number(number) => Some(number),
            Value::Register(Register::A) => Some(self.a),
            Value::Register(Register::X) => Some(self.x),
            Value::Word(word) => self.words.get(usize::from(word)).copied(),
            Value::Length => u32::try_from(self.packet.len()).ok(),
        }
    }

    fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::Number(number) => number,
            Operand::X => self.x,
        }
    }
}

fn compare(relation: Relation, a: u32, b: u32) -> bool {
    match relation {
        Relation::Equal => a == b,
        Relation::Greater => a > b,
        Relation::GreaterOrEqual => a >= b,
        Relation::AnyBit => a & b != 0,
    }
}
