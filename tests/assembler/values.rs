//! Every instruction and every way to a label, by the value that the kernel computes.

use xsk::bpf::{
    Alu, Assembler, Atomic, Cond, Helper, Insn, Narrow, Program, Reg, Reg::*, Size, Width, XskMap,
};
use xsk::test_util::privileged;

/// Returns what a program returns.
fn run(name: &str, a: Assembler<'_>) -> u32 {
    let code = a.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
    let load = code.builder().name("values").license(c"GPL").load();
    let program = load.unwrap_or_else(|error| panic!("{name}: {error}\n{code}"));
    program.test_run(&[0; 64], None).unwrap().retval
}

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
    let program = Program::builder(code.insns()).name("thin").load().unwrap();
    assert_eq!(program.test_run(&[0; 64], None).unwrap().retval, 1);
}
