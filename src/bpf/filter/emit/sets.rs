//! Looks values up in sets.

use super::super::diagram::{Node, Place, TooLarge};
use super::super::map_part::MapPart;
use super::super::set::{AddressSet, BLOCK_BYTES, FULL_BLOCK, OFFSET, PortSet};
use super::unit::{CONTEXT, DATA, END, PAYLOAD, Reach, TEMP, Unit, VALUE, low_half};
use crate::bpf::{Alu, Cond, Helper, Insn, Reg, Size};

/// What a table's word or bit comes to: 0, 1, or where to go on.
const FOUND: Reg = Reg::R6;
const INDEX: Reg = Reg::R7;
/// Where the key of a look-up in a trie lies on the stack: the length in bits, and 16 bytes.
const KEY: i16 = -24;
/// Where what a call of a helper loses is kept.
const KEPT: [(Reg, Reg); 4] =
    [(Reg::R6, CONTEXT), (Reg::R7, DATA), (Reg::R8, END), (Reg::R9, PAYLOAD)];

impl Unit<'_, '_> {
    /// Goes on by whether the IPv4 address in [`VALUE`], a number, is in a set.
    pub(super) fn table(
        &mut self,
        set: &AddressSet,
        node: &Node,
        reach: Reach,
    ) -> Result<(), TooLarge> {
        let (inside, outside) = outcomes(node)?;
        let part = || MapPart::Table(set.clone());
        let (decided, bits) = (self.out.code.label(), self.out.code.label());
        // The verifier of 5.10 knows no bounds of a number whose bytes were swapped: the move shows
        // it that there are 32 bits.
        self.add([
            Insn::mov32_reg(FOUND, VALUE),
            Insn::alu64_imm(Alu::Rsh, FOUND, 16),
            Insn::alu64_imm(Alu::Lsh, FOUND, 2),
        ]);
        self.out.load_map(TEMP, part());
        self.add([
            Insn::alu64_reg(Alu::Add, TEMP, FOUND),
            Insn::load(Size::Word, FOUND, TEMP, 0),
            Insn::mov64_reg(INDEX, VALUE),
            Insn::alu64_imm(Alu::Rsh, INDEX, 8),
            Insn::alu64_imm(Alu::And, INDEX, 0xff),
        ]);
        self.out.code.jump(Insn::jump_imm(Cond::Lt, FOUND, 2, 0), decided);
        self.offset(set, outside, reach, Some(bits));
        self.out.load_map(TEMP, part());
        self.add([
            Insn::alu64_reg(Alu::Add, TEMP, FOUND),
            Insn::alu64_imm(Alu::Lsh, INDEX, 2),
            Insn::alu64_reg(Alu::Add, TEMP, INDEX),
            Insn::load(Size::Word, FOUND, TEMP, 0),
            Insn::mov64_reg(INDEX, VALUE),
            Insn::alu64_imm(Alu::And, INDEX, 0xff),
        ]);
        self.out.code.jump(Insn::jump_imm(Cond::Lt, FOUND, 2, 0), decided);
        self.offset(set, outside, reach, None);
        self.out.code.place(bits);
        self.out.load_map(TEMP, part());
        self.add([Insn::alu64_reg(Alu::Add, TEMP, FOUND)]);
        self.bit();
        self.out.code.place(decided);
        self.jump(Insn::jump_imm(Cond::Ne, FOUND, 0, 0), inside, reach);
        self.go(outside, reach);
        Ok(())
    }

    /// Makes an offset of the word in [`FOUND`], which is in bounds for the verifier; goes on to
    /// `bits` if the word leads to bits.
    fn offset(
        &mut self,
        set: &AddressSet,
        outside: Place,
        reach: Reach,
        bits: Option<crate::bpf::Label>,
    ) {
        if let Some(bits) = bits {
            self.add([
                Insn::mov64_reg(TEMP, FOUND),
                Insn::alu64_imm(Alu::And, FOUND, low_half(u64::from(OFFSET))),
            ]);
            self.bound(set, outside, reach);
            let full = i32::try_from(FULL_BLOCK).unwrap_or(0);
            self.add([Insn::alu64_imm(Alu::And, TEMP, full)]);
            self.out.code.jump(Insn::jump_imm(Cond::Eq, TEMP, 0, 0), bits);
        } else {
            self.add([Insn::alu64_imm(Alu::And, FOUND, low_half(u64::from(OFFSET)))]);
            self.bound(set, outside, reach);
        }
    }

    /// Goes on to `outside` if the offset in [`FOUND`] is not one of the table's.
    fn bound(&mut self, set: &AddressSet, outside: Place, reach: Reach) {
        self.out.bounds.push((self.out.code.len(), set.clone()));
        self.jump(table_bound(set.table_bytes(), 0), outside, reach);
    }

    /// `FOUND = ` the bit of number [`INDEX`] from [`TEMP`] on.
    fn bit(&mut self) {
        self.add([
            Insn::mov64_reg(FOUND, INDEX),
            Insn::alu64_imm(Alu::Rsh, FOUND, 3),
            Insn::alu64_reg(Alu::Add, TEMP, FOUND),
            Insn::load(Size::Byte, FOUND, TEMP, 0),
            Insn::alu64_imm(Alu::And, INDEX, 7),
            Insn::alu64_reg(Alu::Rsh, FOUND, INDEX),
            Insn::alu64_imm(Alu::And, FOUND, 1),
        ]);
    }

    /// Goes on by whether the port in [`VALUE`], a number, is in a set.
    pub(super) fn ports(
        &mut self,
        set: &PortSet,
        node: &Node,
        reach: Reach,
    ) -> Result<(), TooLarge> {
        let (inside, outside) = outcomes(node)?;
        self.out.load_map(TEMP, MapPart::Ports(set.clone()));
        // As in `table`, for 16 bits.
        self.add([Insn::mov64_reg(INDEX, VALUE), Insn::alu64_imm(Alu::And, INDEX, 0xffff)]);
        self.bit();
        self.jump(Insn::jump_imm(Cond::Ne, FOUND, 0, 0), inside, reach);
        self.go(outside, reach);
        Ok(())
    }

    /// Goes on by whether the IPv6 address at `offset` of the packet, which can be read, is in a set.
    pub(super) fn trie(
        &mut self,
        set: &AddressSet,
        offset: i16,
        node: &Node,
        reach: Reach,
    ) -> Result<(), TooLarge> {
        let (inside, outside) = outcomes(node)?;
        self.add([Insn::store_imm(Size::Word, Reg::R10, KEY, 128)]);
        for word in [0_i16, 4, 8, 12] {
            let from = offset.saturating_add(word);
            let to = KEY.saturating_add(4).saturating_add(word);
            self.add([
                Insn::load(Size::Word, VALUE, DATA, from),
                Insn::store(Size::Word, Reg::R10, to, VALUE),
            ]);
        }
        let has_payload = reach.payload.is_some();
        let kept = KEPT.into_iter().filter(|&(_, reg)| has_payload || reg != PAYLOAD);
        self.out.code.add(kept.clone().map(|(keep, reg)| Insn::mov64_reg(keep, reg)));
        self.add([
            Insn::mov64_reg(Reg::R2, Reg::R10),
            Insn::alu64_imm(Alu::Add, Reg::R2, i32::from(KEY)),
        ]);
        self.out.load_map(Reg::R1, MapPart::Trie(set.clone()));
        self.add([Insn::call(Helper::MAP_LOOKUP_ELEM)]);
        self.out.code.add(kept.map(|(keep, reg)| Insn::mov64_reg(reg, keep)));
        self.jump(Insn::jump_imm(Cond::Ne, Reg::R0, 0, 0), inside, reach);
        self.go(outside, reach);
        Ok(())
    }
}

/// Returns the jump that goes `off` slots further if [`FOUND`] is no offset of a table of so many
/// bytes.
pub(in super::super) fn table_bound(bytes: u32, off: i16) -> Insn<'static> {
    // No table has more than 2^30 bytes.
    let last = i32::try_from(bytes.saturating_sub(BLOCK_BYTES)).unwrap_or(0);
    Insn::jump_imm(Cond::Gt, FOUND, last, off)
}

/// Returns where a node goes on for 1 and for 0.
pub(super) fn outcomes(node: &Node) -> Result<(Place, Place), TooLarge> {
    match *node.edges {
        [(0, outside), (_, inside)] => Ok((inside, outside)),
        [(_, only)] => Ok((only, only)),
        _ => Err(TooLarge),
    }
}
