//! Programs that every kernel refuses, refused at build time, with the instruction named.

use xsk::bpf::{Alu, Assembler, Atomic, Code, Cond, Insn, Narrow, Reg, Reg::*, Size, Width};
use xsk::error::{AssemblyFault as Fault, Error};
use xsk::uapi::bpf::bpf_insn;

#[track_caller]
fn fault(a: Assembler<'_>) -> Fault {
    match a.finish() {
        Err(Error::Assemble { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

/// The fault of a program of these instructions.
#[track_caller]
fn fault_of(insns: impl IntoIterator<Item = Insn<'static>>) -> Fault {
    let mut a = Assembler::new();
    a.add(insns);
    fault(a)
}

fn ok() -> [Insn<'static>; 2] {
    [Insn::mov64_imm(R0, 2), Insn::exit()]
}

#[test]
fn labels_are_placed_once_and_by_their_own_assembler() {
    let mut a = Assembler::new();
    let (_unused, missing) = (a.label(), a.named("missing"));
    a.goto(missing).add(ok());
    assert_eq!(fault(a), Fault::NotPlaced { at: 0, label: "label missing".into() });

    let mut a = Assembler::new();
    let twice = a.label();
    a.place(twice).add(ok()).place(twice).add(ok());
    assert_eq!(fault(a), Fault::PlacedTwice { label: "label 0".into(), first: 0, second: 2 });

    let mut other = Assembler::new();
    let foreign = other.label();
    let mut a = Assembler::new();
    a.label();
    a.add(ok()).place(foreign);
    assert_eq!(fault(a), Fault::ForeignLabel { at: 2 });
    let mut a = Assembler::new();
    let own = a.label();
    a.place(own).add(Insn::mov64_imm(R0, 0)).jump_if(Cond::Eq, R1, 0, foreign).add(ok());
    assert_eq!(fault(a), Fault::ForeignLabel { at: 1 });

    // A label that nothing goes to does not have to be placed.
    let mut a = Assembler::new();
    a.label();
    a.add(ok());
    a.finish().unwrap();
}

#[test]
fn what_goes_to_a_label_is_a_jump() {
    for insn in [Insn::mov64_imm(R0, 0), Insn::exit(), Insn::call(xsk::bpf::Helper(7))] {
        let mut a = Assembler::new();
        let end = a.label();
        a.jump(insn, end).place(end).add(ok());
        assert_eq!(fault(a), Fault::NotAJump { at: 0 }, "{insn}");
    }
}

#[test]
fn jumps_stay_in_their_function_and_go_to_whole_instructions() {
    let zero = Insn::mov64_imm(R0, 0);
    assert_eq!(fault_of([zero, Insn::jump(5), Insn::exit()]), Fault::Outside { at: 1 });
    assert_eq!(fault_of([zero, Insn::jump(-3), Insn::exit()]), Fault::Outside { at: 1 });
    assert_eq!(fault_of([zero, Insn::jump_long(i32::MIN)]), Fault::Outside { at: 1 });
    assert_eq!(fault_of([zero, Insn::jump_long(i32::MAX)]), Fault::Outside { at: 1 });
    assert_eq!(fault_of([Insn::call_function(9), Insn::exit()]), Fault::Outside { at: 0 });
    let [low, high] = Insn::load_imm64(R0, 1);
    let into = [Insn::jump_imm(Cond::Eq, R1, 0, 1), low, high, Insn::exit()];
    assert_eq!(fault_of(into), Fault::IntoHalf { at: 0, to: 2 });
    let into = [Insn::call_function(2), Insn::exit(), low, high, Insn::exit()];
    assert_eq!(fault_of(into), Fault::IntoHalf { at: 0, to: 3 });
    // Out of a function, and into one.
    let out = [
        Insn::call_function(1),
        Insn::exit(),
        Insn::jump_imm(Cond::Eq, R1, 0, -2),
        zero,
        Insn::exit(),
    ];
    assert_eq!(fault_of(out), Fault::Outside { at: 2 });
    // A label at the end is behind the program.
    let mut a = Assembler::new();
    let end = a.label();
    a.add(zero).jump_if(Cond::Eq, R1, 0, end).add(Insn::exit()).place(end);
    assert_eq!(fault(a), Fault::Outside { at: 1 });
}

#[test]
fn a_function_ends_and_all_of_it_is_reached() {
    assert_eq!(fault_of([]), Fault::Empty);
    assert_eq!(fault_of([Insn::mov64_imm(R0, 0)]), Fault::FallsOff { at: 0 });
    let branch = [Insn::mov64_imm(R0, 0), Insn::jump_imm(Cond::Eq, R1, 0, -2)];
    assert_eq!(fault_of(branch), Fault::FallsOff { at: 1 });
    assert_eq!(fault_of(Insn::load_imm64(R0, 0)), Fault::FallsOff { at: 0 });
    // From one function into the next.
    let zero = Insn::mov64_imm(R0, 0);
    let into = [Insn::call_function(0), zero, Insn::exit()];
    assert_eq!(fault_of(into), Fault::FallsOff { at: 0 });
    let dead = [zero, Insn::exit(), zero, Insn::exit()];
    assert_eq!(fault_of(dead), Fault::Unreachable { at: 2 });
    let skipped = [zero, Insn::jump(1), zero, Insn::exit()];
    assert_eq!(fault_of(skipped), Fault::Unreachable { at: 2 });
}

#[test]
fn wide_loads_have_both_halves() {
    let [low, high] = Insn::load_imm64(R0, 1);
    assert_eq!(fault_of([low, Insn::exit()]), Fault::Half { at: 0 });
    assert_eq!(fault_of([Insn::mov64_imm(R0, 0), high, Insn::exit()]), Fault::Half { at: 1 });
    assert_eq!(fault_of([Insn::mov64_imm(R0, 0), Insn::exit(), low]), Fault::Half { at: 2 });
    assert_eq!(fault_of([low, low, high, Insn::exit()]), Fault::Half { at: 0 });
}

#[test]
fn a_program_has_so_many_instructions_at_the_most() {
    let long = |slots: usize| {
        let mut a = Assembler::new();
        a.add((2..slots).map(|_| Insn::mov64_imm(R0, 2))).add(ok());
        a
    };
    long(1_000_000).finish().unwrap();
    let limit = 1_000_000;
    assert_eq!(fault(long(limit + 1)), Fault::TooLong { instructions: limit + 1, limit });
    let mut small = long(4097);
    small.limit(4096);
    assert_eq!(fault(small), Fault::TooLong { instructions: 4097, limit: 4096 });
}

#[test]
fn operands_are_those_that_a_kernel_takes() {
    let writes = [
        Insn::mov64_imm(R10, 0),
        Insn::alu64_imm(Alu::Add, R10, 8),
        Insn::alu32_reg(Alu::Xor, R10, R1),
        Insn::neg64(R10),
        Insn::to_be(R10, Width::W16),
        Insn::swap_bytes(R10, Width::W16),
        Insn::mov64_signed(Narrow::Byte, R10, R1),
        Insn::load(Size::Word, R10, R1, 0),
        Insn::load_signed(Narrow::Word, R10, R1, 0),
        Insn::atomic64(Atomic::FetchAdd, R1, 0, R10),
        Insn::atomic64(Atomic::Exchange, R1, 0, R10),
        Insn::load_acquire(Size::Word, R10, R1, 0),
    ];
    let rest = |broken: Fault, rule: &str| match broken {
        Fault::Operand { at: 1, rule: found } => assert!(found.contains(rule), "{found}"),
        other => panic!("{other:?}: {rule}"),
    };
    let after = |insn| fault_of([Insn::mov64_imm(R0, 0), insn, Insn::exit()]);
    for insn in writes {
        rest(after(insn), "does not write to R10");
    }
    let [low, high] = Insn::load_imm64(R10, 0);
    rest(fault_of([Insn::mov64_imm(R0, 0), low, high, Insn::exit()]), "does not write to R10");
    for op in [Alu::Div, Alu::Mod, Alu::Sdiv, Alu::Smod] {
        rest(after(Insn::alu64_imm(op, R0, 0)), "does not divide by the number 0");
        rest(after(Insn::alu32_imm(op, R0, 0)), "does not divide by the number 0");
    }
    for op in [Alu::Lsh, Alu::Rsh, Alu::Arsh] {
        for insn in [Insn::alu64_imm(op, R0, 64), Insn::alu64_imm(op, R0, -1)] {
            rest(after(insn), "shifts by a number from 0 to 31");
        }
        rest(after(Insn::alu32_imm(op, R0, 32)), "shifts by a number from 0 to 31");
    }
    let stack = [
        Insn::store(Size::Byte, R10, 0, R1),
        Insn::store(Size::Word, R10, -3, R1),
        Insn::store_imm(Size::Double, R10, -513, 0),
        Insn::load(Size::Half, R0, R10, -1),
        Insn::load_signed(Narrow::Word, R0, R10, -2),
        Insn::atomic64(Atomic::Add, R10, -4, R1),
        Insn::load_acquire(Size::Double, R0, R10, -4),
        Insn::store_release(Size::Double, R10, -4, R1),
    ];
    for insn in stack {
        rest(after(insn), "512 bytes of the stack");
    }
    // Registers that are none, of the kernel's form.
    let raw = bpf_insn { code: 0xbf, regs: 0xb0, off: 0, imm: 0 };
    rest(after(Insn::from_raw(raw).unwrap()), "registers from R0 to R10");
    let raw = bpf_insn { regs: 0x0b, ..raw };
    rest(after(Insn::from_raw(raw).unwrap()), "registers from R0 to R10");

    // What is next to them is taken.
    let mut a = Assembler::new();
    a.add([
        Insn::mov64_reg(Reg::R0, R10),
        Insn::store_imm(Size::Double, R10, -512, 0),
        Insn::store_imm(Size::Byte, R10, -1, 0),
        Insn::alu64_imm(Alu::Lsh, R0, 63),
        Insn::alu32_imm(Alu::Rsh, R0, 31),
        Insn::store(Size::Double, R10, -8, R10),
        Insn::exit(),
    ]);
    a.finish().unwrap();
}

#[test]
fn bytes_are_whole_instructions_that_name_no_descriptor() {
    let fault = |bytes: &[u8]| match Code::from_bytes(bytes) {
        Err(Error::Assemble { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(&[]), Fault::Empty);
    assert_eq!(fault(&[0x95, 0, 0, 0, 0, 0, 0]), Fault::Bytes { len: 7 });
    let [low, high] = Insn::load_imm64(R1, 3).map(Insn::to_bytes);
    let end: Vec<u8> = ok().into_iter().flat_map(Insn::to_bytes).collect();
    let bytes = |source: u8| {
        let mut low = low;
        low[1] = if cfg!(target_endian = "little") { source << 4 | 1 } else { 1 << 4 | source };
        [&low[..], &high, &end].concat()
    };
    Code::from_bytes(&bytes(0)).unwrap();
    for source in [1, 2, 3, 4, 5, 6, 15] {
        assert_eq!(fault(&bytes(source)), Fault::NamesObject { at: 0 }, "{source}");
    }
}
