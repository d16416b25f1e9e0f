//! A program that takes two numbers from a packet and puts one back.

use xsk::bpf::{Alu, Assembler, Cond, Insn, Program, Reg, Reg::*, Size};

/// A loaded program: R0 and R1 are numbers of the packet at first, R0 is the result.
pub(crate) struct Calculation {
    name: String,
    program: Program,
}

impl Calculation {
    /// Loads a program with these instructions in the middle. R6 and R7 are not theirs.
    pub(crate) fn of<'map>(name: String, body: impl IntoIterator<Item = Insn<'map>>) -> Self {
        Self::with(name, |a| {
            a.add(body);
        })
    }

    /// Loads a program whose middle part `body` adds.
    pub(crate) fn with<'map>(name: String, body: impl FnOnce(&mut Assembler<'map>)) -> Self {
        let mut a = Assembler::new();
        let short = a.named("short");
        a.add([
            Insn::load(Size::Word, R6, R1, 0),
            Insn::load(Size::Word, R7, R1, 4),
            Insn::mov64_reg(R2, R6),
            Insn::alu64_imm(Alu::Add, R2, 24),
        ]);
        a.jump_if(Cond::Gt, R2, R7, short);
        a.add([Insn::load(Size::Double, R0, R6, 0), Insn::load(Size::Double, R1, R6, 8)]);
        body(&mut a);
        a.add([Insn::store(Size::Double, R6, 16, R0), Insn::mov64_imm(R0, 2), Insn::exit()]);
        a.place(short).add([Insn::mov64_imm(R0, 0), Insn::exit()]);
        let code = a.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
        let load = code.builder().name("calculation").license(c"GPL").load();
        let program = load.unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, program }
    }

    /// Runs the program on two numbers, and compares the result.
    #[track_caller]
    pub(crate) fn check(&self, a: u64, b: u64, expected: u64) {
        let mut packet = [0; 64];
        packet[..8].copy_from_slice(&a.to_ne_bytes());
        packet[8..16].copy_from_slice(&b.to_ne_bytes());
        let run = self.program.test_run(&packet, None).unwrap();
        assert_eq!(run.retval, 2);
        let result = u64::from_ne_bytes(run.data[16..24].try_into().unwrap());
        assert_eq!(result, expected, "{} of {a:#x}, {b:#x}: {result:#x}", self.name);
    }
}

/// Puts R0 on the stack, at R10 - 8.
pub(crate) fn to_stack(size: Size, src: Reg) -> Insn<'static> {
    Insn::store(size, R10, -8, src)
}

/// Reads from the stack, at R10 - 8.
pub(crate) fn from_stack(size: Size, dst: Reg) -> Insn<'static> {
    Insn::load(size, dst, R10, -8)
}
