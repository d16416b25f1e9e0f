//! Computes numbers, and compares them.

use super::super::diagram::{Node, Place, TooLarge};
use super::super::expr::{Header, Number, Operator, Relation};
use super::super::field::{Base, Compare, Load};
use super::super::lower::network;
use super::sets::outcomes;
use super::unit::{DATA, END, PAYLOAD, Reach, TEMP, Unit, VALUE, low_half};
use crate::bpf::{Alu, Cond, Insn, Reg, Size};

/// The largest offset that is read where the packet itself has a part in the offset. Packets are
/// shorter than 65536 bytes (`MAX_PACKET_OFF` of the kernel's verifier.c), headers before included.
pub(super) const MOST_VARIABLE: i32 = 0xf000;

/// Eight bytes each of the stack's 512, less the outcomes of walks along extension headers.
const MOST_SLOTS: u8 = 56;

impl Unit<'_, '_> {
    pub(super) fn compare(
        &mut self,
        compare: &Compare,
        node: &Node,
        mut reach: Reach,
    ) -> Result<(), TooLarge> {
        let Compare { depth, left, relation, right } = compare;
        let (is_true, is_false) = outcomes(node)?;
        let at = (*depth, node.absent);
        self.number(left, at, 0, &mut reach)?;
        let cond = match relation {
            Relation::Equal => Cond::Eq,
            Relation::NotEqual => Cond::Ne,
            Relation::Less => Cond::Lt,
            Relation::LessOrEqual => Cond::Le,
            Relation::Greater => Cond::Gt,
            Relation::GreaterOrEqual => Cond::Ge,
        };
        let jump = if let Number::Constant(right) = right {
            Insn::jump32_imm(cond, VALUE, low_half(u64::from(*right)), 0)
        } else {
            self.add([Insn::store(Size::Double, Reg::R10, slot(0)?, VALUE)]);
            self.number(right, at, 1, &mut reach)?;
            self.add([Insn::load(Size::Double, TEMP, Reg::R10, slot(0)?)]);
            Insn::jump32_reg(cond, TEMP, VALUE, 0)
        };
        self.jump(jump, is_true, reach);
        self.go(is_false, reach);
        Ok(())
    }

    /// Computes a number into [`VALUE`], as 32 bits, with the stack from slot `free` on.
    pub(super) fn number(
        &mut self,
        number: &Number,
        (depth, absent): (u8, Place),
        free: u8,
        reach: &mut Reach,
    ) -> Result<(), TooLarge> {
        let at = (depth, absent);
        match number {
            Number::Constant(value) => {
                self.add([Insn::mov32_imm(VALUE, low_half(u64::from(*value)))]);
            }
            Number::Length => self.add([
                Insn::mov64_reg(VALUE, END),
                Insn::alu64_reg(Alu::Sub, VALUE, DATA),
                Insn::mov32_reg(VALUE, VALUE),
            ]),
            Number::Load { header, offset, size } => {
                let offset = match **offset {
                    Number::Constant(offset) if offset <= 0x7000 => Some(offset),
                    _ => None,
                };
                if offset.is_none() {
                    let Number::Load { offset, .. } = number else { return Err(TooLarge) };
                    self.number(offset, at, free, reach)?;
                    self.add([Insn::store(Size::Double, Reg::R10, slot(free)?, VALUE)]);
                }
                let network = network(depth);
                let (base, start) = match header {
                    Header::Ethernet => (DATA, 0),
                    Header::Network => (DATA, network),
                    Header::Ip4Payload => (PAYLOAD, self.payload4(depth, reach, absent)?),
                    Header::Ip6Payload => (DATA, network.saturating_add(40)),
                };
                let place = match offset {
                    Some(offset) => {
                        let base = match header {
                            Header::Ip4Payload => Base::Payload4 { depth },
                            _ => Base::Packet,
                        };
                        let start = if base == Base::Packet { start } else { 0 };
                        let offset = offset.saturating_add(start);
                        let load = Load { base, offset, size: *size, mask: Load::full(*size) };
                        self.bounds(&load, reach, absent)?
                    }
                    None => {
                        let need = start.saturating_add(u32::from(*size));
                        self.add([Insn::load(Size::Double, VALUE, Reg::R10, slot(free)?)]);
                        let most = MOST_VARIABLE;
                        self.jump(Insn::jump_imm(Cond::Gt, VALUE, most, 0), absent, *reach);
                        self.add([Insn::alu64_reg(Alu::Add, VALUE, base)]);
                        self.check(VALUE, need, absent, *reach)?;
                        (VALUE, i16::try_from(start).map_err(|_| TooLarge)?)
                    }
                };
                let load =
                    Load { base: Base::Packet, offset: 0, size: *size, mask: Load::full(*size) };
                self.load(&load, place, false);
            }
            Number::Negate(inner) => {
                self.number(inner, at, free, reach)?;
                self.add([Insn::neg32(VALUE)]);
            }
            Number::Binary(operator, left, right) => {
                self.number(left, at, free, reach)?;
                self.add([Insn::store(Size::Double, Reg::R10, slot(free)?, VALUE)]);
                self.number(right, at, free.checked_add(1).ok_or(TooLarge)?, reach)?;
                self.add([Insn::load(Size::Double, TEMP, Reg::R10, slot(free)?)]);
                self.operate(*operator, absent, *reach);
                self.add([Insn::mov32_reg(VALUE, TEMP)]);
            }
        }
        Ok(())
    }

    /// `TEMP = TEMP operator VALUE`
    pub(super) fn operate(&mut self, operator: Operator, absent: Place, reach: Reach) {
        let alu = operator.alu();
        match alu {
            Alu::Div | Alu::Mod => {
                self.jump(Insn::jump_imm(Cond::Eq, VALUE, 0, 0), absent, reach);
            }
            Alu::Lsh | Alu::Rsh => self.add([
                Insn::jump_imm(Cond::Lt, VALUE, 32, 2),
                Insn::mov32_imm(TEMP, 0),
                Insn::mov32_imm(VALUE, 0),
            ]),
            _ => {}
        }
        self.add([Insn::alu32_reg(alu, TEMP, VALUE)]);
    }
}

impl Operator {
    /// Returns the operation of the instruction that computes it.
    pub(in super::super) fn alu(self) -> Alu {
        match self {
            Self::Add => Alu::Add,
            Self::Subtract => Alu::Sub,
            Self::Multiply => Alu::Mul,
            Self::Divide => Alu::Div,
            Self::Remainder => Alu::Mod,
            Self::And => Alu::And,
            Self::Or => Alu::Or,
            Self::Xor => Alu::Xor,
            Self::ShiftLeft => Alu::Lsh,
            Self::ShiftRight => Alu::Rsh,
        }
    }
}

/// Returns the offset of a slot of the stack.
fn slot(number: u8) -> Result<i16, TooLarge> {
    if number >= MOST_SLOTS {
        return Err(TooLarge);
    }
    Ok(i16::from(number).saturating_add(1).saturating_mul(-8))
}
