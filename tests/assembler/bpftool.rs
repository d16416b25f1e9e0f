//! Listings beside those of `bpftool`.

use crate::common::{kernel_can, kernel_since};
use std::process::Command;
use xsk::bpf::{
    Alu, Assembler, Atomic, Code, Cond, Helper, Insn, Listing, Narrow, Program, Reg::*, Size,
    Width, XskMap, redirect, spread,
};
use xsk::test_util::{privileged, test_name};

/// The minor version of `bpftool` 7, if it is installed.
fn bpftool() -> Option<u32> {
    let output = Command::new("bpftool").arg("version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.strip_prefix("bpftool v7.")?;
    version.split('.').next()?.parse().ok()
}

/// What `bpftool prog dump xlated` prints, or writes into a file.
fn dump(program: &Program, file: Option<&std::path::Path>) -> String {
    let mut command = Command::new("bpftool");
    command.args(["prog", "dump", "xlated", "id", &program.id().to_string()]);
    if let Some(file) = file {
        command.arg("file").arg(file);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The kernel puts the distance to a function of its own into a call, and `bpftool` the name.
fn without_call(line: &str) -> &str {
    line.find("call ").map_or(line, |at| &line[..at])
}

#[track_caller]
fn compare(ours: &str, theirs: &str) {
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.lines().collect(), theirs.lines().collect());
    for (our, their) in ours.iter().zip(&theirs) {
        assert_eq!(without_call(our), without_call(their));
    }
    assert_eq!(ours.len(), theirs.len());
}

/// A program of forms that the kernel leaves as they are, where all ways can be gone: `first` and
/// `second` are numbers that the verifier does not know.
fn forms(minor: u32) -> Code {
    use Cond::*;
    let mut a = Assembler::new();
    a.add([
        Insn::call(Helper::GET_PRANDOM_U32),
        Insn::mov64_reg(R6, R0),
        Insn::call(Helper::GET_PRANDOM_U32),
        Insn::mov64_reg(R7, R0),
        Insn::mov64_reg(R8, R0),
        Insn::store(Size::Double, R10, -8, R6),
        Insn::store(Size::Double, R10, -16, R7),
    ]);
    for op in [Alu::Add, Alu::Sub, Alu::Mul, Alu::Or, Alu::And, Alu::Xor, Alu::Mov] {
        a.add([Insn::alu64_imm(op, R8, -77), Insn::alu32_imm(op, R8, 0x7fff_ffff)]);
        a.add([Insn::alu64_reg(op, R8, R6), Insn::alu32_reg(op, R8, R7)]);
    }
    for op in [Alu::Div, Alu::Mod, Alu::Lsh, Alu::Rsh, Alu::Arsh] {
        a.add([Insn::alu64_imm(op, R8, 7), Insn::alu32_imm(op, R8, 7)]);
    }
    a.add([Insn::neg64(R8), Insn::neg32(R8)]);
    for width in [Width::W16, Width::W32, Width::W64] {
        a.add([Insn::to_be(R8, width), Insn::to_le(R8, width)]);
    }
    for (size, off) in [(Size::Byte, -1), (Size::Half, -2), (Size::Word, -4), (Size::Double, -16)] {
        a.add([Insn::load(size, R8, R10, off), Insn::store(size, R10, off, R7)]);
        a.add(Insn::store_imm(size, R10, off, -100));
    }
    use Atomic::*;
    for op in [Add, Or, And, Xor, FetchAdd, FetchOr, FetchAnd, FetchXor, Exchange, CompareExchange]
    {
        a.add([Insn::mov64_reg(R0, R7), Insn::mov64_reg(R8, R6)]);
        a.add([Insn::atomic64(op, R10, -8, R8), Insn::atomic32(op, R10, -16, R8)]);
    }
    a.add([Insn::load(Size::Double, R6, R10, -8), Insn::load(Size::Double, R7, R10, -16)]);
    for (number, cond) in (1..).zip([Eq, Gt, Ge, Set, Ne, Sgt, Sge, Lt, Le, Slt, Sle]) {
        for is_wide in [true, false] {
            let (near, far) = (a.label(), a.label());
            if is_wide {
                a.jump_if(cond, R6, R7, near).jump_if(cond, R7, 0x100 * number, far);
            } else {
                a.jump32_if(cond, R6, R7, near).jump32_if(cond, R7, -0x100 * number, far);
            }
            a.add(Insn::alu64_imm(Alu::Add, R8, number)).place(near);
            a.add(Insn::alu64_imm(Alu::Add, R8, number)).place(far);
        }
    }
    a.add(Insn::load_imm64(R3, 0x1122_3344_5566_7788)).add(Insn::load_imm64(R3, 5));
    let end = a.label();
    a.jump_if(Eq, R6, 1, end);
    if minor >= 3 {
        // bpftool learned what 6.6 has with it.
        for op in [Alu::Sdiv, Alu::Smod] {
            a.add([Insn::alu64_imm(op, R8, 7), Insn::alu32_imm(op, R8, 7)]);
        }
        for narrow in [Narrow::Byte, Narrow::Half, Narrow::Word] {
            a.add([Insn::mov64_signed(narrow, R8, R6), Insn::mov32_signed(narrow, R8, R6)]);
            a.add(Insn::load_signed(narrow, R8, R10, -8));
        }
        a.add(Insn::swap_bytes(R8, Width::W32));
    }
    a.add(Insn::mov64_imm(R0, 2)).place(end).add([Insn::mov64_imm(R0, 2), Insn::exit()]);
    a.finish().unwrap()
}

#[test]
fn a_listing_is_that_of_bpftool() {
    let (name, installed) = (test_name!(), bpftool());
    if !privileged!()
        || !kernel_can(name, installed.is_some(), "bpftool 7 is not installed")
        || !kernel_can(name, kernel_since(5, 12), "atomic operations came in 5.12")
    {
        return;
    }
    let code = forms(installed.unwrap());
    let program = code.builder().name("forms").license(c"GPL").load().unwrap();
    let ours = code.to_string();
    assert!(ours.lines().count() > 150, "{ours}");
    compare(&ours, &dump(&program, None));
}

/// Programs as the kernel has rewritten them.
#[test]
fn a_dump_is_listed_as_bpftool_does() {
    let (name, installed) = (test_name!(), bpftool());
    if !privileged!()
        || !kernel_can(name, installed.is_some(), "bpftool 7 is not installed")
        || !kernel_can(name, kernel_since(5, 12), "atomic operations came in 5.12")
    {
        return;
    }
    let file = std::env::temp_dir().join(format!("xsk-assembler-{}", std::process::id()));
    let map = XskMap::create(XskMap::DEFAULT_NAME, 8).unwrap();
    let code = forms(0);
    let others = code.builder().license(c"GPL").load().unwrap();
    for program in [redirect(&map).unwrap(), spread(&map, 2).unwrap(), others] {
        dump(&program, Some(&file));
        let bytes = std::fs::read(&file).unwrap();
        let ours = Listing::of_dump(&bytes).unwrap().to_string();
        compare(&ours, &dump(&program, None));
        assert!(ours.contains("map[id:") || program.info().unwrap().map_ids.is_empty(), "{ours}");
    }
    std::fs::remove_file(&file).unwrap();
}
