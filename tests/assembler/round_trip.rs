//! Random programs and random bytes, there and back.

use proptest::prelude::*;
use xsk::bpf::{
    Alu, Assembler, Atomic, Code, Cond, Helper, Insn, Label, Listing, Narrow, Reg, Reg::*, Size,
    Width,
};

fn reg() -> impl Strategy<Value = Reg> {
    prop::sample::select(vec![R0, R1, R2, R3, R4, R5, R6, R7, R8, R9])
}

fn size() -> impl Strategy<Value = Size> {
    prop::sample::select(vec![Size::Byte, Size::Half, Size::Word, Size::Double])
}

fn narrow() -> impl Strategy<Value = Narrow> {
    prop::sample::select(vec![Narrow::Byte, Narrow::Half, Narrow::Word])
}

fn width() -> impl Strategy<Value = Width> {
    prop::sample::select(vec![Width::W16, Width::W32, Width::W64])
}

fn alu() -> impl Strategy<Value = Alu> {
    use Alu::*;
    let all = vec![Add, Sub, Mul, Div, Or, And, Lsh, Rsh, Mod, Xor, Mov, Arsh, Sdiv, Smod];
    prop::sample::select(all)
}

fn atomic() -> impl Strategy<Value = Atomic> {
    use Atomic::*;
    let all =
        vec![Add, Or, And, Xor, FetchAdd, FetchOr, FetchAnd, FetchXor, Exchange, CompareExchange];
    prop::sample::select(all)
}

fn cond() -> impl Strategy<Value = Cond> {
    use Cond::*;
    prop::sample::select(vec![Eq, Gt, Ge, Set, Ne, Sgt, Sge, Lt, Le, Slt, Sle])
}

/// An instruction that goes on at the next one, whose operands every kernel takes.
fn straight() -> impl Strategy<Value = Insn<'static>> {
    prop_oneof![
        // A number from 1 to 31 is a shift's and a divisor, too.
        (alu(), reg(), 1..32).prop_map(|(op, dst, imm)| Insn::alu64_imm(op, dst, imm)),
        (alu(), reg(), 1..32).prop_map(|(op, dst, imm)| Insn::alu32_imm(op, dst, imm)),
        (alu(), reg(), reg()).prop_map(|(op, dst, src)| Insn::alu64_reg(op, dst, src)),
        (alu(), reg(), reg()).prop_map(|(op, dst, src)| Insn::alu32_reg(op, dst, src)),
        (reg(), any::<i32>()).prop_map(|(dst, imm)| Insn::mov64_imm(dst, imm)),
        (narrow(), reg(), reg()).prop_map(|(from, dst, src)| Insn::mov64_signed(from, dst, src)),
        (narrow(), reg(), reg()).prop_map(|(from, dst, src)| Insn::mov32_signed(from, dst, src)),
        reg().prop_map(Insn::neg64),
        reg().prop_map(Insn::neg32),
        (reg(), width()).prop_map(|(dst, width)| Insn::to_be(dst, width)),
        (reg(), width()).prop_map(|(dst, width)| Insn::to_le(dst, width)),
        (reg(), width()).prop_map(|(dst, width)| Insn::swap_bytes(dst, width)),
        (size(), reg(), reg(), any::<i16>())
            .prop_map(|(size, dst, src, off)| Insn::load(size, dst, src, off)),
        (narrow(), reg(), reg(), any::<i16>())
            .prop_map(|(from, dst, src, off)| Insn::load_signed(from, dst, src, off)),
        (size(), reg(), any::<i16>(), reg())
            .prop_map(|(size, dst, off, src)| Insn::store(size, dst, off, src)),
        (size(), reg(), any::<i16>(), any::<i32>())
            .prop_map(|(size, dst, off, imm)| Insn::store_imm(size, dst, off, imm)),
        (atomic(), reg(), any::<i16>(), reg())
            .prop_map(|(op, dst, off, src)| Insn::atomic64(op, dst, off, src)),
        (atomic(), reg(), any::<i16>(), reg())
            .prop_map(|(op, dst, off, src)| Insn::atomic32(op, dst, off, src)),
        (size(), reg(), reg(), any::<i16>())
            .prop_map(|(size, dst, src, off)| Insn::load_acquire(size, dst, src, off)),
        (size(), reg(), any::<i16>(), reg())
            .prop_map(|(size, dst, off, src)| Insn::store_release(size, dst, off, src)),
        (0..212).prop_map(|number| Insn::call(Helper(number))),
        any::<u32>().prop_map(Insn::call_kernel),
    ]
}

/// A step of a program.
#[derive(Debug, Clone)]
enum Step {
    Straight(Insn<'static>),
    Wide(Reg, u64),
    /// A conditional jump to one of the labels; one is placed before each step.
    Jump(Insn<'static>, prop::sample::Index),
    Goto(prop::sample::Index),
    Call,
}

fn step() -> impl Strategy<Value = Step> {
    let jump = prop_oneof![
        (cond(), reg(), any::<i32>())
            .prop_map(|(cond, dst, imm)| Insn::jump_imm(cond, dst, imm, 0)),
        (cond(), reg(), reg()).prop_map(|(cond, dst, src)| Insn::jump_reg(cond, dst, src, 0)),
        (cond(), reg(), any::<i32>())
            .prop_map(|(cond, dst, imm)| Insn::jump32_imm(cond, dst, imm, 0)),
        (cond(), reg(), reg()).prop_map(|(cond, dst, src)| Insn::jump32_reg(cond, dst, src, 0)),
    ];
    prop_oneof![
        6 => straight().prop_map(Step::Straight),
        1 => (reg(), any::<u64>()).prop_map(|(dst, imm)| Step::Wide(dst, imm)),
        2 => (jump, any::<prop::sample::Index>()).prop_map(|(jump, to)| Step::Jump(jump, to)),
        1 => any::<prop::sample::Index>().prop_map(Step::Goto),
        1 => Just(Step::Call),
    ]
}

/// Makes a program of the steps, with a conditional jump over each `goto` so that all of it is
/// reached, and a function at its end. Returns where each jump has to go as well, counted by hand.
fn assemble(steps: &[Step]) -> (Code, Vec<(usize, usize)>) {
    let mut a = Assembler::new();
    let labels: Vec<Label> = steps.iter().map(|_| a.label()).collect();
    let function = a.named("function");
    let (mut places, mut jumps) = (Vec::new(), Vec::new());
    let mut calls = Vec::new();
    for (step, label) in steps.iter().zip(&labels) {
        a.place(*label);
        places.push(a.len());
        match step {
            Step::Straight(insn) => {
                a.add(*insn);
            }
            Step::Wide(dst, imm) => {
                a.add(Insn::load_imm64(*dst, *imm));
            }
            Step::Jump(jump, to) => {
                jumps.push((a.len(), to.index(steps.len())));
                a.jump(*jump, labels[to.index(steps.len())]);
            }
            Step::Goto(to) => {
                a.add(Insn::jump_imm(Cond::Eq, R1, 0, 1));
                jumps.push((a.len(), to.index(steps.len())));
                a.goto(labels[to.index(steps.len())]);
            }
            Step::Call => {
                calls.push(a.len());
                a.call(function);
            }
        }
    }
    a.add(Insn::exit());
    let mut expected: Vec<_> = jumps.into_iter().map(|(at, step)| (at, places[step])).collect();
    if !calls.is_empty() {
        expected.extend(calls.into_iter().map(|at| (at, a.len())));
        a.place(function).add([Insn::mov64_imm(R0, 0), Insn::exit()]);
    }
    (a.finish().unwrap(), expected)
}

proptest! {
    #[test]
    fn a_program_is_the_same_after_bytes(steps in prop::collection::vec(step(), 0..40)) {
        let (code, jumps) = assemble(&steps);
        for (at, to) in jumps {
            let raw = code.insns()[at].raw();
            let distance = if raw.code == 0x85 { raw.imm } else { raw.off.into() };
            prop_assert_eq!(at as i64 + 1 + i64::from(distance), to as i64, "{}", code);
        }
        let bytes = code.to_bytes();
        prop_assert_eq!(bytes.len(), 8 * code.insns().len());
        let back = Code::from_bytes(&bytes).unwrap();
        prop_assert_eq!(back.insns(), code.insns());
        prop_assert_eq!(back.to_bytes(), bytes.clone());
        // Names are no part of the bytes.
        let plain = code.to_string().replace(" <function>", "").replace("function:\n", "");
        prop_assert_eq!(back.to_string(), plain.clone());
        prop_assert_eq!(Listing::of_dump(&bytes).unwrap().to_string(), plain.clone());
        prop_assert!(!plain.contains("BUG"), "{}", plain);
    }

    #[test]
    fn bytes_are_refused_or_the_same_again(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        words in prop::collection::vec((0..=255_u8, 0..=0xaa_u8, -3..3_i16, -3..3_i32), 0..8),
    ) {
        let near = words.into_iter().flat_map(|(code, regs, off, imm)| {
            let [a, b] = off.to_ne_bytes();
            let [c, d, e, f] = imm.to_ne_bytes();
            [code, regs, a, b, c, d, e, f]
        });
        let end = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
        for bytes in [bytes, near.chain(end).collect()] {
            if let Ok(code) = Code::from_bytes(&bytes) {
                prop_assert_eq!(code.to_bytes(), bytes.clone());
            }
            if let Ok(listing) = Listing::of_dump(&bytes) {
                let lines = listing.to_string().lines().count();
                prop_assert!(lines <= bytes.len() / 8);
                for at in 0..bytes.len() / 8 + 2 {
                    prop_assert!(listing.around(at).lines().count() <= 9);
                }
            }
        }
    }
}
