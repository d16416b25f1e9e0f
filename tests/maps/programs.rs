//! Programs that use a map, run on packets of the test's.

use std::os::fd::BorrowedFd;
use xsk::bpf::{Alu, Cond, Helper, Insn, Program, Reg, Size};

use Reg::{R0, R1, R2, R10};

/// A packet that begins with `bytes`.
pub(crate) fn packet(bytes: &[u8]) -> [u8; 64] {
    let mut packet = [0; 64];
    packet[..bytes.len()].copy_from_slice(bytes);
    packet
}

pub(crate) fn load(name: &str, insns: &[Insn<'_>]) -> Program {
    Program::builder(insns).name(name).license(c"GPL").load().unwrap()
}

/// Runs the program and returns its value.
pub(crate) fn run(program: &Program, packet: &[u8]) -> u32 {
    program.test_run(packet, None).unwrap().retval
}

/// Takes the key of `words` times four bytes from the packet's beginning, looks it up, and adds one
/// to the 64-bit number that is the value. Returns 1 if the key is there, or else 0.
pub(crate) fn counting(map: BorrowedFd<'_>, words: i16) -> Vec<Insn<'_>> {
    let mut insns = vec![
        Insn::load(Size::Word, R2, R1, 0),
        Insn::load(Size::Word, Reg::R3, R1, 4),
        Insn::mov64_reg(Reg::R4, R2),
        Insn::alu64_imm(Alu::Add, Reg::R4, i32::from(words) * 4),
        Insn::mov64_imm(R0, 0),
        Insn::jump_reg(Cond::Gt, Reg::R4, Reg::R3, 2 * words + 9),
    ];
    for word in 0..words {
        insns.push(Insn::load(Size::Word, Reg::R5, R2, word * 4));
        insns.push(Insn::store(Size::Word, R10, word * 4 - words * 4, Reg::R5));
    }
    insns.extend([Insn::mov64_reg(R2, R10), Insn::alu64_imm(Alu::Add, R2, -4 * i32::from(words))]);
    insns.extend(Insn::load_map_fd(R1, map));
    insns.extend([
        Insn::call(Helper::MAP_LOOKUP_ELEM),
        Insn::jump_imm(Cond::Eq, R0, 0, 4),
        Insn::load(Size::Double, R1, R0, 0),
        Insn::alu64_imm(Alu::Add, R1, 1),
        Insn::store(Size::Double, R0, 0, R1),
        Insn::mov64_imm(R0, 1),
        Insn::exit(),
    ]);
    insns
}

/// Loads what [`counting`] returns.
pub(crate) fn count_by_packet(map: BorrowedFd<'_>, words: i16) -> Program {
    load("count", &counting(map, words))
}
