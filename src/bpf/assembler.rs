//! Programs with labels: the offsets of jumps are computed.

use super::insn::Insn;
use std::collections::HashSet;

/// A place in a program that jumps go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Label(usize);

/// Instructions, and the labels that their jumps go to.
#[derive(Debug, Clone, Default)]
pub(super) struct Assembler<'map> {
    insns: Vec<Insn<'map>>,
    /// Where each label is, once it is placed.
    places: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
}

impl<'map> Assembler<'map> {
    /// Returns a new label, to be placed after the jumps that go to it: programs do not jump back.
    pub(super) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len().wrapping_sub(1))
    }

    /// Adds instructions.
    pub(super) fn add(&mut self, insns: impl IntoIterator<Item = Insn<'map>>) {
        self.insns.extend(insns);
    }

    /// Returns how many instructions there are.
    pub(super) fn len(&self) -> usize {
        self.insns.len()
    }

    /// Returns the labels that jumps go to so far.
    pub(super) fn targets(&self) -> HashSet<Label> {
        self.jumps.iter().map(|&(_, label)| label).collect()
    }

    /// Adds a jump to `label`, whatever its offset is.
    pub(super) fn jump(&mut self, jump: Insn<'map>, label: Label) {
        self.jumps.push((self.insns.len(), label));
        self.insns.push(jump);
    }

    /// Places `label` before the next instruction.
    pub(super) fn place(&mut self, label: Label) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(self.insns.len());
        }
    }

    /// Returns the program. A jump to a label that was not placed keeps its offset.
    pub(super) fn finish(self) -> Vec<Insn<'map>> {
        let Self { mut insns, places, jumps } = self;
        for (at, Label(label)) in jumps {
            let place = places.get(label).copied().flatten();
            let offset = place.and_then(|place| place.checked_sub(at.wrapping_add(1)));
            let offset = offset.and_then(|offset| i16::try_from(offset).ok());
            if let (Some(offset), Some(jump)) = (offset, insns.get_mut(at)) {
                *jump = jump.with_offset(offset);
            }
        }
        insns
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Reg, Assembler, Insn};

    #[test]
    fn a_jump_counts_the_slots_after_it() {
        let mut program = Assembler::default();
        let (near, end) = (program.label(), program.label());
        program.jump(Insn::jump(0), end);
        program.jump(Insn::jump(0), near);
        program.place(near);
        program.add([Insn::mov64_imm(Reg::R0, 2)]);
        program.place(end);
        program.add([Insn::exit()]);
        let offsets: Vec<i16> = program.finish().iter().map(|insn| insn.raw().off).collect();
        assert_eq!(offsets, [2, 0, 0, 0]);
    }
}
