//! Every form of instruction, by what it does.

use xsk::bpf::{Alu, Cond, Helper, Insn, Program, Reg, Size};
use xsk::test_util::privileged;

#[test]
fn every_form_of_instruction_is_what_the_kernel_takes_it_for() {
    if !privileged!() {
        return;
    }
    use xsk::bpf::Width;
    let run = |body: &[Insn<'_>]| {
        let mut insns = vec![Insn::mov64_imm(Reg::R0, 0)];
        insns.extend_from_slice(body);
        insns.push(Insn::exit());
        Program::builder(&insns)
            .name("form")
            .license(c"MIT")
            .load()
            .unwrap()
            .test_run(&[0; 64], None)
            .unwrap()
            .retval
    };
    let r0 = Reg::R0;
    let alu = [
        (Alu::Add, 7 + 3),
        (Alu::Sub, 7 - 3),
        (Alu::Mul, 21),
        (Alu::Div, 2),
        (Alu::Or, 7),
        (Alu::And, 3),
        (Alu::Lsh, 56),
        (Alu::Rsh, 0),
        (Alu::Mod, 1),
        (Alu::Xor, 4),
        (Alu::Mov, 3),
        (Alu::Arsh, 0),
    ];
    for (op, expect) in alu {
        assert_eq!(run(&[Insn::mov64_imm(r0, 7), Insn::alu64_imm(op, r0, 3)]), expect, "{op:?}");
        assert_eq!(run(&[Insn::mov32_imm(r0, 7), Insn::alu32_imm(op, r0, 3)]), expect, "{op:?}");
        let r1 = Insn::mov64_imm(Reg::R1, 3);
        assert_eq!(
            run(&[Insn::mov64_imm(r0, 7), r1, Insn::alu64_reg(op, r0, Reg::R1)]),
            expect,
            "{op:?}"
        );
        assert_eq!(
            run(&[Insn::mov64_imm(r0, 7), r1, Insn::alu32_reg(op, r0, Reg::R1)]),
            expect,
            "{op:?}"
        );
    }
    // The jump is taken or not, for (-5 or 5) against 3.
    let conds = [
        (Cond::Eq, false, false),
        (Cond::Gt, true, true),
        (Cond::Ge, true, true),
        (Cond::Set, true, true),
        (Cond::Ne, true, true),
        (Cond::Sgt, false, true),
        (Cond::Sge, false, true),
        (Cond::Lt, false, false),
        (Cond::Le, false, false),
        (Cond::Slt, true, false),
        (Cond::Sle, true, false),
    ];
    for (cond, negative, positive) in conds {
        for (value, taken) in [(-5, negative), (5, positive)] {
            let set = [
                Insn::mov64_imm(Reg::R1, value),
                Insn::mov64_imm(Reg::R2, 3),
                Insn::mov64_imm(r0, 1),
            ];
            for jump in [
                Insn::jump_imm(cond, Reg::R1, 3, 1),
                Insn::jump_reg(cond, Reg::R1, Reg::R2, 1),
                Insn::jump32_imm(cond, Reg::R1, 3, 1),
                Insn::jump32_reg(cond, Reg::R1, Reg::R2, 1),
            ] {
                let body = [set[0], set[1], set[2], jump, Insn::mov64_imm(r0, 0)];
                assert_eq!(run(&body) == 1, taken, "{cond:?} of {value}, {jump:?}");
            }
        }
    }
    // The second path into the skipped instruction is for the verifier, which refuses dead code.
    let way_in = Insn::jump_imm(Cond::Ne, r0, 0, 1);
    assert_eq!(run(&[way_in, Insn::jump(1), Insn::mov64_imm(r0, 9)]), 0);
    assert_eq!(run(&[Insn::mov64_imm(r0, -9), Insn::neg64(r0)]), 9);
    assert_eq!(run(&[Insn::mov64_imm(r0, -9), Insn::neg32(r0)]), 9);
    let [low, high] = Insn::load_imm64(r0, 0x1234_5678_9abc_def0);
    assert_eq!(run(&[low, high]), 0x9abc_def0);
    assert_eq!(run(&[low, high, Insn::alu64_imm(Alu::Rsh, r0, 32)]), 0x1234_5678);
    assert_eq!(run(&[low, high, Insn::to_be(r0, Width::W16)]), u32::from(0xdef0_u16.to_be()));
    assert_eq!(run(&[low, high, Insn::to_be(r0, Width::W32)]), 0x9abc_def0_u32.to_be());
    assert_eq!(run(&[low, high, Insn::to_le(r0, Width::W32)]), 0x9abc_def0_u32.to_le());
    for (size, expect) in
        [(Size::Byte, 0xff), (Size::Half, 0xffff), (Size::Word, u32::MAX), (Size::Double, u32::MAX)]
    {
        let clear = Insn::store_imm(Size::Double, Reg::R10, -8, 0);
        let read = Insn::load(size, r0, Reg::R10, -8);
        assert_eq!(
            run(&[clear, Insn::store_imm(size, Reg::R10, -8, -1), read]),
            expect,
            "{size:?}"
        );
        let ones = Insn::mov64_imm(Reg::R3, -1);
        assert_eq!(
            run(&[clear, ones, Insn::store(size, Reg::R10, -8, Reg::R3), read]),
            expect,
            "{size:?}"
        );
    }
    assert_eq!(run(&[Insn::mov64_imm(Reg::R4, 6), Insn::mov64_reg(r0, Reg::R4)]), 6);
    assert_eq!(
        run(&[
            Insn::mov64_imm(Reg::R4, -1),
            Insn::mov32_reg(r0, Reg::R4),
            Insn::alu64_imm(Alu::Rsh, r0, 31)
        ]),
        1
    );
    assert!(run(&[Insn::call(Helper::KTIME_GET_NS), Insn::alu64_imm(Alu::Rsh, r0, 20)]) > 0);
}
