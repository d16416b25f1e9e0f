//! Every instruction that computes, by the value that the kernel computes.

use crate::calculation::{Calculation, from_stack, to_stack};
use crate::common::{kernel_can, kernel_since};
use xsk::bpf::{Alu, Atomic, Cond, Insn, Narrow, Reg::*, Size, Width};
use xsk::test_util::{privileged, test_name};

const PAIRS: [(u64, u64); 9] = [
    (7, 3),
    (0, 5),
    (5, 0),
    (0x1234_5678_9abc_def0, 17),
    (u64::MAX, 2),
    (-100_i64 as u64, 7),
    (100, -7_i64 as u64),
    (0x8000_0000, 0x7fff_ffff),
    (0xffff_ffff_0000_0001, 0xffff_ffff_8000_0003),
];

const ALU: [Alu; 12] = {
    use Alu::*;
    [Add, Sub, Mul, Div, Or, And, Lsh, Rsh, Mod, Xor, Mov, Arsh]
};

/// What 64-bit arithmetic computes, as the kernel's document on instructions says.
fn alu64(op: Alu, a: u64, b: u64) -> u64 {
    let (signed_a, signed_b) = (a as i64, b as i64);
    match op {
        Alu::Add => a.wrapping_add(b),
        Alu::Sub => a.wrapping_sub(b),
        Alu::Mul => a.wrapping_mul(b),
        Alu::Div => a.checked_div(b).unwrap_or(0),
        Alu::Or => a | b,
        Alu::And => a & b,
        Alu::Lsh => a.wrapping_shl(b as u32),
        Alu::Rsh => a.wrapping_shr(b as u32),
        Alu::Mod => a.checked_rem(b).unwrap_or(a),
        Alu::Xor => a ^ b,
        Alu::Mov => b,
        Alu::Arsh => signed_a.wrapping_shr(b as u32) as u64,
        Alu::Sdiv => signed_a.checked_div(signed_b).unwrap_or(0) as u64,
        Alu::Smod => signed_a.checked_rem(signed_b).unwrap_or(signed_a) as u64,
    }
}

/// What 32-bit arithmetic computes: the upper half becomes zero.
fn alu32(op: Alu, a: u64, b: u64) -> u64 {
    let (a, b) = (a as u32, b as u32);
    let (signed_a, signed_b) = (a as i32, b as i32);
    let result = match op {
        Alu::Add => a.wrapping_add(b),
        Alu::Sub => a.wrapping_sub(b),
        Alu::Mul => a.wrapping_mul(b),
        Alu::Div => a.checked_div(b).unwrap_or(0),
        Alu::Or => a | b,
        Alu::And => a & b,
        Alu::Lsh => a.wrapping_shl(b),
        Alu::Rsh => a.wrapping_shr(b),
        Alu::Mod => a.checked_rem(b).unwrap_or(a),
        Alu::Xor => a ^ b,
        Alu::Mov => b,
        Alu::Arsh => signed_a.wrapping_shr(b) as u32,
        Alu::Sdiv => signed_a.checked_div(signed_b).unwrap_or(0) as u32,
        Alu::Smod => signed_a.checked_rem(signed_b).unwrap_or(signed_a) as u32,
    };
    result.into()
}

/// Compares the four forms of an operation with what they compute in Rust.
fn compare_arithmetic(op: Alu) {
    let wide = Calculation::of(format!("{op:?} 64"), Insn::alu64_reg(op, R0, R1));
    let narrow = Calculation::of(format!("{op:?} 32"), Insn::alu32_reg(op, R0, R1));
    for (a, b) in PAIRS {
        wide.check(a, b, alu64(op, a, b));
        narrow.check(a, b, alu32(op, a, b));
    }
    for number in [1, 3, 31, -7, i32::MAX] {
        let is_shift = matches!(op, Alu::Lsh | Alu::Rsh | Alu::Arsh);
        if is_shift && !(0..32).contains(&number) {
            continue;
        }
        let wide = Calculation::of(format!("{op:?} {number}"), Insn::alu64_imm(op, R0, number));
        let narrow = Calculation::of(format!("{op:?} {number}"), Insn::alu32_imm(op, R0, number));
        for (a, _) in PAIRS {
            wide.check(a, 0, alu64(op, a, i64::from(number) as u64));
            narrow.check(a, 0, alu32(op, a, i64::from(number) as u64));
        }
    }
}

#[test]
fn arithmetic_computes_what_rust_does() {
    if !privileged!() {
        return;
    }
    for op in ALU {
        compare_arithmetic(op);
    }
    let wide = Calculation::of("neg64".into(), Insn::neg64(R0));
    let narrow = Calculation::of("neg32".into(), Insn::neg32(R0));
    for (a, _) in PAIRS {
        wide.check(a, 0, a.wrapping_neg());
        narrow.check(a, 0, (a as u32).wrapping_neg().into());
    }
    let number = 0x1122_3344_5566_7788;
    Calculation::of("imm64".into(), Insn::load_imm64(R0, number)).check(0, 0, number);
    let moves = [
        (Insn::mov64_imm(R0, -2), -2_i64 as u64),
        (Insn::mov32_imm(R0, -2), 0xffff_fffe),
        (Insn::mov64_reg(R0, R1), u64::MAX),
        (Insn::mov32_reg(R0, R1), u32::MAX.into()),
    ];
    for (insn, expected) in moves {
        Calculation::of(insn.to_string(), insn).check(0, u64::MAX, expected);
    }
}

#[test]
fn signed_division_computes_what_rust_does() {
    let name = test_name!();
    let can = kernel_since(6, 6);
    if !privileged!() || !kernel_can(name, can, "signed division came with 6.6") {
        return;
    }
    compare_arithmetic(Alu::Sdiv);
    compare_arithmetic(Alu::Smod);
}

#[test]
fn bytes_are_swapped() {
    if !privileged!() {
        return;
    }
    let a = 0x1122_3344_5566_7788_u64;
    let swapped = |width| match width {
        Width::W16 => u64::from((a as u16).swap_bytes()),
        Width::W32 => u64::from((a as u32).swap_bytes()),
        Width::W64 => a.swap_bytes(),
    };
    let kept = |width| match width {
        Width::W16 => u64::from(a as u16),
        Width::W32 => u64::from(a as u32),
        Width::W64 => a,
    };
    for width in [Width::W16, Width::W32, Width::W64] {
        let [to_be, to_le] = [Insn::to_be(R0, width), Insn::to_le(R0, width)];
        let (be, le) = if cfg!(target_endian = "little") {
            (swapped(width), kept(width))
        } else {
            (kept(width), swapped(width))
        };
        Calculation::of(format!("be {width:?}"), to_be).check(a, 0, be);
        Calculation::of(format!("le {width:?}"), to_le).check(a, 0, le);
        if kernel_since(6, 6) {
            let swap = Insn::swap_bytes(R0, width);
            Calculation::of(format!("bswap {width:?}"), swap).check(a, 0, swapped(width));
        }
    }
}

#[test]
fn loads_and_stores_move_so_many_bytes() {
    if !privileged!() {
        return;
    }
    // The least significant byte is first in memory, or last.
    let first = |value: u64, len: usize| {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(&value.to_ne_bytes()[..len]);
        u64::from_ne_bytes(bytes)
    };
    let low = |value: u64, len: usize| {
        if len == 8 { value } else { value & ((1 << (8 * len)) - 1) }
    };
    let sizes = [(Size::Byte, 1), (Size::Half, 2), (Size::Word, 4), (Size::Double, 8)];
    for (size, len) in sizes {
        let zero = Insn::store_imm(Size::Double, R10, -8, 0);
        let store = Calculation::of(
            format!("store {size:?}"),
            [zero, to_stack(size, R0), from_stack(size, R0)],
        );
        let number = Calculation::of(
            format!("store number {size:?}"),
            [zero, Insn::store_imm(size, R10, -8, -3), from_stack(size, R0)],
        );
        let load = Calculation::of(
            format!("load {size:?}"),
            [
                to_stack(Size::Double, R0),
                from_stack(size, R0),
                zero,
                to_stack(size, R0),
                from_stack(Size::Double, R0),
            ],
        );
        for (a, _) in PAIRS {
            store.check(a, 0, low(a, len));
            load.check(a, 0, first(a, len));
        }
        number.check(1, 2, low(-3_i64 as u64, len));
    }
}

#[test]
fn signs_are_extended() {
    let name = test_name!();
    let can = kernel_since(6, 6);
    if !privileged!() || !kernel_can(name, can, "sign extension came with 6.6") {
        return;
    }
    let extended = |narrow, a: u64| match narrow {
        Narrow::Byte => i64::from(a as i8) as u64,
        Narrow::Half => i64::from(a as i16) as u64,
        Narrow::Word => i64::from(a as i32) as u64,
    };
    for (narrow, size) in
        [(Narrow::Byte, Size::Byte), (Narrow::Half, Size::Half), (Narrow::Word, Size::Word)]
    {
        let wide = Calculation::of(format!("{narrow:?}"), Insn::mov64_signed(narrow, R0, R1));
        let half = Calculation::of(format!("{narrow:?} 32"), Insn::mov32_signed(narrow, R0, R1));
        let zero = Insn::store_imm(Size::Double, R10, -8, 0);
        let load = Insn::load_signed(narrow, R0, R10, -8);
        let load = Calculation::of(format!("load {narrow:?}"), [zero, to_stack(size, R1), load]);
        for b in [0, 1, 0x7f, 0x80, 0x7fff, 0x8000, 0x7fff_ffff, 0x8000_0000, 0x1234_5678_9abc] {
            wide.check(0, b, extended(narrow, b));
            half.check(0, b, (extended(narrow, b) as u32).into());
            load.check(0, b, extended(narrow, b));
        }
    }
}

#[test]
fn atomics_change_memory_and_return_what_was_there() {
    if !privileged!() {
        return;
    }
    let table = [
        (Atomic::Add, false),
        (Atomic::Or, false),
        (Atomic::And, false),
        (Atomic::Xor, false),
        (Atomic::FetchAdd, true),
        (Atomic::FetchOr, true),
        (Atomic::FetchAnd, true),
        (Atomic::FetchXor, true),
        (Atomic::Exchange, true),
    ];
    for (op, fetches) in table {
        if op != Atomic::Add && !kernel_since(5, 12) {
            continue;
        }
        let result = |a: u64, b: u64| match op {
            Atomic::Add | Atomic::FetchAdd => a.wrapping_add(b),
            Atomic::Or | Atomic::FetchOr => a | b,
            Atomic::And | Atomic::FetchAnd => a & b,
            Atomic::Xor | Atomic::FetchXor => a ^ b,
            Atomic::Exchange => b,
            Atomic::CompareExchange => unreachable!(),
        };
        let wide = |last: Insn<'static>| {
            let atomic = Insn::atomic64(op, R10, -8, R1);
            let body = [to_stack(Size::Double, R0), atomic, last];
            Calculation::of(format!("{op:?} 64"), body)
        };
        let narrow = |last: Insn<'static>| {
            let atomic = Insn::atomic32(op, R10, -8, R1);
            let body = [to_stack(Size::Word, R0), atomic, last];
            Calculation::of(format!("{op:?} 32"), body)
        };
        let (after64, after32) =
            (wide(from_stack(Size::Double, R0)), narrow(from_stack(Size::Word, R0)));
        let old = Insn::mov64_reg(R0, R1);
        let (old64, old32) = (wide(old), narrow(old));
        for (a, b) in PAIRS {
            after64.check(a, b, result(a, b));
            after32.check(a, b, (result(a, b) as u32).into());
            old64.check(a, b, if fetches { a } else { b });
            old32.check(a, b, if fetches { (a as u32).into() } else { b });
        }
    }
}

#[test]
fn a_comparing_exchange_exchanges_what_is_equal() {
    let name = test_name!();
    let can = kernel_since(5, 12);
    if !privileged!() || !kernel_can(name, can, "it came with 5.12") {
        return;
    }
    // Memory has 5; it becomes R1 if R0 is 5.
    let op = Atomic::CompareExchange;
    let set = Insn::store_imm(Size::Double, R10, -8, 5);
    let sizes = [
        (Insn::atomic64(op, R10, -8, R1), Size::Double),
        (Insn::atomic32(op, R10, -8, R1), Size::Word),
    ];
    for (exchange, size) in sizes {
        let after = Calculation::of("after".into(), [set, exchange, from_stack(size, R0)]);
        let before = Calculation::of("before".into(), [set, exchange]);
        for (a, b, expected) in [(5, 9, 9), (4, 9, 5)] {
            after.check(a, b, expected);
            before.check(a, b, 5);
        }
    }
}

#[test]
fn every_condition_compares() {
    if !privileged!() {
        return;
    }
    let holds = |cond, a: u64, b: u64, signed_a: i64, signed_b: i64| match cond {
        Cond::Eq => a == b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
        Cond::Set => a & b != 0,
        Cond::Ne => a != b,
        Cond::Sgt => signed_a > signed_b,
        Cond::Sge => signed_a >= signed_b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Slt => signed_a < signed_b,
        Cond::Sle => signed_a <= signed_b,
    };
    let wide = |cond, a: u64, b: u64| holds(cond, a, b, a as i64, b as i64);
    let narrow = |cond, a: u64, b: u64| {
        let (a, b) = (a as u32, b as u32);
        holds(cond, a.into(), b.into(), (a as i32).into(), (b as i32).into())
    };
    use Cond::*;
    for cond in [Eq, Gt, Ge, Set, Ne, Sgt, Sge, Lt, Le, Slt, Sle] {
        let jump = |is_wide: bool, number: Option<i32>| {
            Calculation::with(format!("{cond:?} {is_wide} {number:?}"), |a| {
                let end = a.label();
                a.add([Insn::mov64_reg(R2, R0), Insn::mov64_imm(R0, 1)]);
                match (is_wide, number) {
                    (true, Some(number)) => a.jump_if(cond, R2, number, end),
                    (true, None) => a.jump_if(cond, R2, R1, end),
                    (false, Some(number)) => a.jump32_if(cond, R2, number, end),
                    (false, None) => a.jump32_if(cond, R2, R1, end),
                };
                a.add(Insn::mov64_imm(R0, 0)).place(end);
            })
        };
        let (wide_reg, narrow_reg) = (jump(true, None), jump(false, None));
        for (a, b) in PAIRS.into_iter().chain([(3, 3), (1 << 32, 0)]) {
            wide_reg.check(a, b, wide(cond, a, b).into());
            narrow_reg.check(a, b, narrow(cond, a, b).into());
        }
        for number in [0, 3, -100] {
            let (wide_imm, narrow_imm) = (jump(true, Some(number)), jump(false, Some(number)));
            let b = i64::from(number) as u64;
            for (a, _) in PAIRS.into_iter().chain([(3, 3), (1 << 32, 0)]) {
                wide_imm.check(a, 0, wide(cond, a, b).into());
                narrow_imm.check(a, 0, narrow(cond, a, b).into());
            }
        }
    }
}

#[test]
fn acquiring_loads_and_releasing_stores_move_what_they_say() {
    let name = test_name!();
    let can = kernel_since(6, 15);
    if !privileged!() || !kernel_can(name, can, "they came with 6.15") {
        return;
    }
    let sizes = [(Size::Byte, 1), (Size::Half, 2), (Size::Word, 4), (Size::Double, 8)];
    for (size, bytes) in sizes {
        let low = |a: u64| if bytes == 8 { a } else { a & ((1 << (8 * bytes)) - 1) };
        let body = [
            Insn::store_imm(Size::Double, R10, -8, 0),
            Insn::store_release(size, R10, -8, R0),
            Insn::load_acquire(size, R0, R10, -8),
        ];
        let both = Calculation::of(format!("{size:?}"), body);
        for (a, b) in PAIRS {
            both.check(a, b, low(a));
        }
    }
    // The kernel's own listing, as the verifier shows it, has the same words.
    let insns = [
        Insn::mov64_imm(R0, 0),
        Insn::store_release(Size::Double, R10, -8, R0),
        Insn::load_acquire(Size::Double, R2, R10, -8),
        Insn::mov64_reg(R0, R9),
        Insn::exit(),
    ];
    let error = xsk::bpf::Program::builder(&insns).license(c"GPL").load().map(drop).unwrap_err();
    let xsk::Error::LoadProgram { listing, log, .. } = &error else { panic!("{error:?}") };
    for line in
        ["(db) store_release((u64 *)(r10 -8), r0)", "(db) r2 = load_acquire((u64 *)(r10 -8))"]
    {
        assert!(log.contains(line) && listing.contains(line), "{line}: {log}\n{listing}");
    }
    let mut a = xsk::bpf::Assembler::new();
    a.add(insns);
    assert_eq!(a.finish().unwrap().since(), Some("6.15"));
}
