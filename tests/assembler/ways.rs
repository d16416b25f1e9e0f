//! Jumps, calls and loads of functions: where labels lead to.

use crate::calculation::Calculation;
use crate::common::{kernel_can, kernel_since};
use xsk::Error;
use xsk::bpf::{Alu, Assembler, Btf, Cond, Helper, Insn, Reg::*, Size, XskMap};
use xsk::error::AssemblyFault;
use xsk::test_util::{privileged, test_name};

#[test]
fn a_program_with_labels_is_listed_and_runs() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    let mut a = Assembler::new();
    let pass = a.named("pass");
    a.add(Insn::load(Size::Word, R2, R1, 16)).jump_if(Cond::Gt, R2, 3, pass);
    a.load_map(R1, &map).add([Insn::mov64_imm(R3, 1), Insn::call(Helper::REDIRECT_MAP)]);
    a.add(Insn::exit());
    a.place(pass).add([Insn::mov64_imm(R0, 2), Insn::exit()]);
    let code = a.finish().unwrap();
    let id = map.id();
    drop(map);
    let text = format!(
        "   0: (61) r2 = *(u32 *)(r1 +16)\n   1: (25) if r2 > 0x3 goto pc+5 <pass>\n   \
         2: (18) r1 = map[id:{id}]\n   4: (b7) r3 = 1\n   5: (85) call bpf_redirect_map#51\n   \
         6: (95) exit\npass:\n   7: (b7) r0 = 2\n   8: (95) exit\n"
    );
    assert_eq!(code.to_string(), text);
    let program = code.builder().name("thin").load().unwrap();
    assert_eq!(program.test_run(&[0; 64], None).unwrap().retval, 1);
}

#[test]
fn a_jump_counts_the_slots_after_it() {
    let mut a = Assembler::new();
    let (near, end) = (a.label(), a.label());
    let back = a.here();
    a.jump_if(Cond::Eq, R1, 0, end).jump_if(Cond::Eq, R1, 1, near);
    a.place(near).add(Insn::load_imm64(R0, 2)).jump32_if(Cond::Ne, R1, R0, back);
    a.place(end).add(Insn::exit());
    let code = a.finish().unwrap();
    let offsets: Vec<i16> = code.insns().iter().map(|insn| insn.raw().off).collect();
    assert_eq!(offsets, [4, 0, 0, 0, -5, 0]);
}

/// 1 + 2 + ... + 10, by a jump back.
#[test]
fn a_jump_back_is_a_loop() {
    if !privileged!() {
        return;
    }
    let sum = Calculation::with("loop".into(), |a| {
        a.add([Insn::mov64_imm(R0, 0), Insn::mov64_imm(R2, 0)]);
        let again = a.here();
        a.add([Insn::alu64_imm(Alu::Add, R2, 1), Insn::alu64_reg(Alu::Add, R0, R2)]);
        a.jump_if(Cond::Lt, R2, 10, again);
    });
    sum.check(0, 0, 55);
}

#[test]
fn a_function_of_the_program_is_called() {
    if !privileged!() {
        return;
    }
    // twice(twice(7)) + 1; the function comes before and after its calls.
    let mut a = Assembler::new();
    let (twice, main) = (a.named("twice"), a.named("main"));
    a.call(main).add(Insn::exit());
    a.place(twice).add([Insn::mov64_reg(R0, R1), Insn::alu64_reg(Alu::Add, R0, R1)]);
    a.add(Insn::exit());
    a.place(main).add(Insn::mov64_imm(R1, 7)).call(twice);
    a.add(Insn::mov64_reg(R1, R0)).call(twice);
    a.add([Insn::alu64_imm(Alu::Add, R0, 1), Insn::exit()]);
    let code = a.finish().unwrap();
    let text = code.to_string();
    assert!(text.contains("   0: (85) call pc+4 <main>\n"), "{text}");
    assert!(text.contains("   6: (85) call pc-5 <twice>\n"), "{text}");
    let program = code.builder().name("calls").license(c"GPL").load().unwrap();
    assert_eq!(program.test_run(&[0; 64], None).unwrap().retval, 29);
}

#[test]
fn a_kernel_function_is_called() {
    let name = test_name!();
    let can = kernel_since(6, 2);
    if !privileged!() || !kernel_can(name, can, "bpf_rcu_read_lock came with 6.2") {
        return;
    }
    let btf = Btf::of_kernel().unwrap();
    let functions = ["bpf_rcu_read_lock", "bpf_rcu_read_unlock"];
    let [lock, unlock] = functions.map(|name| btf.function(name).unwrap());
    let mut a = Assembler::new();
    a.add([Insn::call_kernel(lock), Insn::call_kernel(unlock)]);
    a.add([Insn::mov64_imm(R0, 6), Insn::exit()]);
    let code = a.finish().unwrap();
    assert!(code.to_string().contains(&format!("call kernel-function#{lock}\n")), "{code}");
    let program = code.builder().name("kfunc").license(c"GPL").load().unwrap();
    assert_eq!(program.test_run(&[0; 64], None).unwrap().retval, 6);
}

/// A jump over so many instructions.
fn far(
    slots: usize,
    jump: impl FnOnce(&mut Assembler<'static>, xsk::bpf::Label),
) -> Assembler<'static> {
    let mut a = Assembler::new();
    let end = a.named("end");
    // Both ways are there.
    a.add([Insn::load(Size::Word, R2, R1, 16), Insn::mov64_imm(R0, 0)]);
    let other = a.label();
    a.jump_if(Cond::Eq, R2, 7, other);
    jump(&mut a, end);
    a.place(other).add((0..slots).map(|_| Insn::alu64_imm(Alu::Add, R0, 1)));
    a.place(end).add(Insn::exit());
    a
}

#[test]
fn a_jump_that_is_too_far_is_refused_or_becomes_long() {
    let jump = |a: &mut Assembler<'static>, end| {
        a.goto(end);
    };
    assert!(far(32767, jump).finish().is_ok());
    let error = far(32768, jump).finish().unwrap_err();
    let fault = AssemblyFault::TooFar { at: 3, to: 4 + 32768 };
    assert!(matches!(&error, Error::Assemble { fault: found, .. } if *found == fault), "{error}");
    let mut long = far(32768, jump);
    long.long_jumps(true);
    let code = long.finish().unwrap();
    assert_eq!(code.insns()[3], Insn::jump_long(32768));
    // A near one stays short, and a conditional one has no long form.
    let mut near = far(100, jump);
    near.long_jumps(true);
    assert_eq!(near.finish().unwrap().insns()[3], Insn::jump(100));
    let mut conditional = far(32768, |a, end| {
        a.jump_if(Cond::Eq, R2, 1, end);
    });
    conditional.long_jumps(true);
    assert!(conditional.finish().is_err());
}

#[test]
fn a_long_jump_runs() {
    let name = test_name!();
    let can = kernel_since(6, 6);
    if !privileged!() || !kernel_can(name, can, "gotol came with 6.6") {
        return;
    }
    for slots in [1, 40_000] {
        let code = far(slots, |a, end| {
            a.goto_long(end);
        });
        let code = code.finish().unwrap();
        assert_eq!(code.insns()[3], Insn::jump_long(slots as i32));
        let program = code.builder().name("gotol").license(c"GPL").load().unwrap();
        assert_eq!(program.test_run(&[0; 64], None).unwrap().retval, 0);
    }
}
