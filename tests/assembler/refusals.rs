//! What the verifier refuses is shown where it stopped.

use xsk::Error;
use xsk::bpf::{Alu, Assembler, Cond, Insn, Program, Reg::*, Size};
use xsk::test_util::privileged;

#[test]
fn the_line_that_the_verifier_stopped_at_is_marked() {
    if !privileged!() {
        return;
    }
    // The packet is read without a look at its end.
    let mut a = Assembler::new();
    let pass = a.named("pass");
    a.add([Insn::load(Size::Word, R2, R1, 0), Insn::load(Size::Word, R3, R1, 4)]);
    a.add((0..20).map(|_| Insn::mov64_reg(R4, R2)));
    a.add([Insn::mov64_imm(R0, 1), Insn::load(Size::Byte, R4, R2, 0)]);
    a.jump_if(Cond::Eq, R4, 6, pass).add(Insn::exit());
    a.place(pass).add([Insn::mov64_imm(R0, 2), Insn::exit()]);
    let code = a.finish().unwrap();
    let error = code.builder().name("bad").license(c"MIT").load().map(drop).unwrap_err();
    assert_eq!(error.refused_at(), Some(23));
    let Error::LoadProgram { listing, refused_at, log, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*refused_at, Some(23));
    assert!(log.contains("invalid access to packet"), "{log}");
    let expected = [
        "   18: (bf) r4 = r2",
        "   19: (bf) r4 = r2",
        "   20: (bf) r4 = r2",
        "   21: (bf) r4 = r2",
        "   22: (b7) r0 = 1",
        ">  23: (71) r4 = *(u8 *)(r2 +0)",
        "   24: (15) if r4 == 0x6 goto pc+1 <pass>",
        "   25: (95) exit",
        " pass:",
        "   26: (b7) r0 = 2",
    ];
    assert_eq!(listing.lines().collect::<Vec<_>>(), expected);
    let text = error.to_string();
    let stop = text.find(". The verifier stopped at instruction 23:\n").unwrap();
    let said = text.find("\nThe verifier said:\n").unwrap();
    assert!(stop < said && text.contains(listing.trim_end()), "{text}");
    assert!(text.ends_with(log.as_str()), "{text}");
}

#[test]
fn a_long_program_is_shown_in_part() {
    if !privileged!() {
        return;
    }
    let mut insns = vec![Insn::mov64_imm(R0, 0)];
    insns.extend((0..3000).map(|_| Insn::alu64_imm(Alu::Add, R0, 1)));
    insns.extend([Insn::mov64_reg(R0, R7), Insn::exit()]);
    let error = Program::builder(&insns).license(c"MIT").load().map(drop).unwrap_err();
    assert_eq!(error.refused_at(), Some(3001));
    let Error::LoadProgram { listing, .. } = &error else { panic!("{error:?}") };
    assert_eq!(listing.lines().count(), 7, "{listing}");
    assert!(listing.contains("\n> 3001: (bf) r0 = r7\n"), "{listing}");
}

#[test]
fn a_wrong_shape_is_shown_too() {
    if !privileged!() {
        return;
    }
    // Not by the assembler, which refuses it itself.
    let insns = [Insn::mov64_imm(R0, 0), Insn::exit(), Insn::mov64_imm(R0, 1), Insn::exit()];
    let error = Program::builder(&insns).license(c"MIT").load().map(drop).unwrap_err();
    assert_eq!(error.refused_at(), Some(2), "{error}");
    assert!(error.to_string().contains("\n>   2: (b7) r0 = 1\n"), "{error}");
}
