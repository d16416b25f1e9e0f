//! Finds out which slots of an XSKMAP are taken, which no system call reports.

use super::asm::{Alu, Cond, Helper, Insn, Reg, Size};
use super::map::XskMap;
use super::program::Program;
use crate::error::Result;
use std::os::fd::{AsFd, BorrowedFd};

/// Slots that one run of the program looks at: a bit of its 32-bit result for each.
const PER_RUN: u8 = 32;

/// A small program that looks slots of an XSKMAP up, run on demand by `BPF_PROG_TEST_RUN` and
/// attached nowhere.
///
/// Loading it needs what loading any program needs; asking needs no capability. Since 5.3: earlier
/// kernels let no program look into an XSKMAP.
///
/// ```
/// use xsk::bpf::{SlotProbe, XskMap};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of SlotProbe") { return Ok(()); }
/// let probe = SlotProbe::new(&XskMap::create("xsks_map", 4)?)?;
/// assert_eq!(probe.occupied()?, []);
/// assert!(!probe.is_occupied(3)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SlotProbe {
    program: Program,
    slots: u32,
}

impl SlotProbe {
    /// Loads the program for one map, which it keeps alive.
    ///
    /// # Errors
    /// [`Error::LoadProgram`](crate::Error::LoadProgram).
    pub fn new(map: &XskMap) -> Result<Self> {
        let program = Program::builder(&instructions(map.as_fd()))
            .name("xsk_slots")
            .license(c"Dual MIT/GPL")
            .load()?;
        Ok(Self { program, slots: map.entries() })
    }

    /// Returns the slots that name a socket at this moment, in ascending order.
    ///
    /// # Errors
    /// [`Error::BpfObject`](crate::Error::BpfObject).
    pub fn occupied(&self) -> Result<Vec<u32>> {
        let mut occupied = Vec::new();
        let mut first = 0;
        while first < self.slots {
            let bits = self.look(first)?;
            let slots = (first..self.slots).zip(0..PER_RUN);
            occupied.extend(slots.filter(|(_, bit)| bits & (1 << bit) != 0).map(|(slot, _)| slot));
            first = first.saturating_add(u32::from(PER_RUN));
        }
        Ok(occupied)
    }

    /// Returns whether this slot names a socket at this moment; a slot that the map does not have
    /// does not.
    ///
    /// # Errors
    /// [`Error::BpfObject`](crate::Error::BpfObject).
    pub fn is_occupied(&self, slot: u32) -> Result<bool> {
        Ok(self.look(slot)? & 1 != 0)
    }

    /// Looks at the slots from `first` on; bit 0 of the result is `first`'s.
    fn look(&self, first: u32) -> Result<u32> {
        let mut packet = [0; 64];
        for (byte, value) in packet.iter_mut().zip(first.to_ne_bytes()) {
            *byte = value;
        }
        self.program.verdict(&packet)
    }
}

/// Takes the first slot's number from the packet's first four bytes and returns a bit for each of
/// 32.
fn instructions(map: BorrowedFd<'_>) -> Vec<Insn<'_>> {
    use Reg::{R0, R1, R2, R3, R4, R6, R7, R8, R10};
    let [map_low, map_high] = Insn::load_map_fd(R1, map);
    vec![
        // if (data + 4 > data_end) return 0;
        Insn::load(Size::Word, R2, R1, 0),
        Insn::load(Size::Word, R3, R1, 4),
        Insn::mov64_imm(R0, 0),
        Insn::mov64_reg(R4, R2),
        Insn::alu64_imm(Alu::Add, R4, 4),
        Insn::jump_reg(Cond::Gt, R4, R3, 18),
        // first = *(u32 *)data; bits = 0; i = 0;
        Insn::load(Size::Word, R8, R2, 0),
        Insn::mov64_imm(R6, 0),
        Insn::mov64_imm(R7, 0),
        // do { key = first + i;
        Insn::mov64_reg(R1, R8),
        Insn::alu64_reg(Alu::Add, R1, R7),
        Insn::store(Size::Word, R10, -4, R1),
        // if (bpf_map_lookup_elem(map, &key))
        Insn::mov64_reg(R2, R10),
        Insn::alu64_imm(Alu::Add, R2, -4),
        map_low,
        map_high,
        Insn::call(Helper::MAP_LOOKUP_ELEM),
        Insn::jump_imm(Cond::Eq, R0, 0, 3),
        // bits |= 1 << i;
        Insn::mov64_imm(R1, 1),
        Insn::alu64_reg(Alu::Lsh, R1, R7),
        Insn::alu64_reg(Alu::Or, R6, R1),
        // } while (++i < 32);
        Insn::alu64_imm(Alu::Add, R7, 1),
        Insn::jump_imm(Cond::Lt, R7, i32::from(PER_RUN), -14),
        Insn::mov64_reg(R0, R6),
        Insn::exit(),
    ]
}
