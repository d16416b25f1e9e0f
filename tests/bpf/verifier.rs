//! Programs that the verifier refuses.

use rustix::io::Errno;
use xsk::Error;
use xsk::bpf::{Alu, Insn, Program, Reg};
use xsk::test_util::fuzz::refused_with;
use xsk::test_util::privileged;

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
