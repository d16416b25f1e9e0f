//! Programs that the verifier refuses.

use crate::common::{kernel_can, kernel_since};
use rustix::io::Errno;
use std::os::fd::AsFd;
use xsk::Error;
use xsk::bpf::{Alu, ArrayMap, Cond, Insn, Program, Reg, Size};
use xsk::test_util::fuzz::refused_with;
use xsk::test_util::{privileged, test_name};

#[test]
fn a_refused_program_comes_with_the_verifiers_log() {
    if !privileged!() {
        return;
    }
    let insns = [Insn::mov64_reg(Reg::R0, Reg::R7), Insn::exit()];
    let Err(Error::LoadProgram { name, instructions, log, errno, .. }) =
        Program::builder(&insns).name("bad").license(c"MIT").load()
    else {
        panic!("an uninitialised register was accepted");
    };
    assert_eq!((name.as_str(), instructions, errno), ("bad", 2, Errno::ACCESS));
    assert!(log.contains("R7 !read_ok"), "{log}");

    // A log longer than the first buffer is read whole, down to its last line.
    let mut insns: Vec<Insn> = vec![Insn::mov64_imm(Reg::R0, 0)];
    for _ in 0..6000 {
        insns.push(Insn::alu64_imm(Alu::Add, Reg::R0, 1));
    }
    insns.push(Insn::mov64_reg(Reg::R0, Reg::R7));
    insns.push(Insn::exit());
    let Err(Error::LoadProgram { log, errno, .. }) =
        Program::builder(&insns).name("long").license(c"MIT").load()
    else {
        panic!("an uninitialised register was accepted");
    };
    assert_eq!(errno, Errno::ACCESS);
    assert!(log.len() > 64 << 10, "{}", log.len());
    assert!(log.starts_with("0: ") || log.contains("\n0: "), "the head is there: {}", &log[..200]);
    assert!(log.contains("R7 !read_ok"), "the tail is there");

    let none = Program::builder(&[]).name("none").license(c"MIT").load();
    assert!(
        matches!(none, Err(Error::LoadProgram { errno: Errno::TOOBIG, instructions: 0, .. })),
        "{none:?}"
    );
}

#[test]
fn only_the_stack_and_maps_are_loaded_from_with_order() {
    let can = kernel_since(6, 15);
    if !privileged!() || !kernel_can(test_name!(), can, "ordered loads came with 6.15") {
        return;
    }
    let map = ArrayMap::<u64>::create("ordered", 1).unwrap();
    let value: Vec<Insn> = Insn::load_map_value(Reg::R6, map.as_fd(), 0).into();
    let packet = vec![
        Insn::load(Size::Word, Reg::R6, Reg::R1, 0),
        Insn::load(Size::Word, Reg::R2, Reg::R1, 4),
        Insn::mov64_reg(Reg::R3, Reg::R6),
        Insn::alu64_imm(Alu::Add, Reg::R3, 8),
        Insn::jump_reg(Cond::Gt, Reg::R3, Reg::R2, 2),
    ];
    let stack = vec![
        Insn::mov64_reg(Reg::R6, Reg::R10),
        Insn::alu64_imm(Alu::Add, Reg::R6, -8),
        Insn::store_imm(Size::Double, Reg::R10, -8, 0),
    ];
    let context = vec![Insn::mov64_reg(Reg::R6, Reg::R1)];
    // A packet begins at an even address, and larger places than a byte are to be at a multiple.
    for (start, size, kind) in [
        (value, Size::Word, None),
        (stack, Size::Word, None),
        (packet, Size::Byte, Some("pkt")),
        (context, Size::Word, Some("ctx")),
    ] {
        let ways = [
            ("loads from", Insn::load_acquire(size, Reg::R4, Reg::R6, 0)),
            ("stores into", Insn::store_release(size, Reg::R6, 0, Reg::R4)),
        ];
        for (words, way) in ways {
            let mut insns = start.clone();
            insns.extend([Insn::mov64_imm(Reg::R4, 0), way]);
            insns.extend([Insn::mov64_imm(Reg::R0, 2), Insn::exit()]);
            let loaded = Program::builder(&insns).name("ordered").license(c"MIT").load();
            match (loaded, kind) {
                (Ok(_), None) => {}
                (Err(Error::LoadProgram { errno: Errno::ACCESS, log, .. }), Some(kind)) => {
                    let said = format!("BPF_ATOMIC {words} R6 {kind} is not allowed");
                    // Whether the context may be written to at all is looked at first.
                    let read_only = kind == "ctx" && log.contains("invalid bpf_context access");
                    assert!(log.contains(&said) || read_only, "{log}");
                }
                (other, _) => panic!("{words} {kind:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_log_is_shown_up_to_its_zero_byte_whatever_is_in_it() {
    for (buffer, shown) in [
        (&b"R7 !read_ok\n\0\0\0"[..], "R7 !read_ok"),
        (b"no end", "no end"),
        (b"cut in a letter: \xc3", "cut in a letter: \u{fffd}"),
        (b"\xff\xfe\n\xc3\0x", "\u{fffd}\u{fffd}\n\u{fffd}"),
        (b"\0behind", ""),
    ] {
        let error = refused_with(buffer);
        let Error::LoadProgram { log, .. } = &error else { panic!("{error:?}") };
        assert_eq!(log, shown);
        assert!(!error.to_string().contains('\0'), "{error:?}");
    }
}
