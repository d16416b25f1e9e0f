//! Where the verifier stopped, read from its log.

use super::asm::{Insn, Need, newest, numbers};

/// Returns the number of the instruction that the verifier refused, as far as its log says.
///
/// The log has a line for each instruction that the verifier looked at, `12: (bf) r1 = r6`, and
/// ends with a reason. What is refused before, by the program's shape, is named in the reason:
/// `unreachable insn 12`.
pub(crate) fn refused_at(log: &str) -> Option<usize> {
    let looked_at = log.lines().rev().find_map(instruction);
    looked_at.or_else(|| log.lines().rev().find_map(named))
}

/// What the verifier says of an instruction or a helper that it does not know, by kernels from 4.18
/// to 6.6.
const UNKNOWN: [&str; 5] = [
    "uses reserved fields",
    "unknown opcode ",
    "unknown func ",
    "invalid func unknown#",
    "invalid atomic opcode ",
];

/// Returns what a refused program has that the kernel does not know, where its log says so: that
/// which is newest, if `is_before` says of its version that the kernel is older.
pub(super) fn lacking(
    log: &str,
    insns: &[Insn<'_>],
    is_before: impl Fn(u32, u32) -> bool,
) -> Option<Need> {
    let is_unknown = log.lines().any(|line| UNKNOWN.iter().any(|text| line.contains(text)));
    let need = newest(insns).filter(|_| is_unknown)?;
    let (major, minor) = numbers(need.1);
    is_before(major, minor).then_some(need)
}

/// Returns the number of the instruction that a line shows.
fn instruction(line: &str) -> Option<usize> {
    let (number, rest) = line.split_once(": (")?;
    let (code, _) = rest.split_once(") ")?;
    let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    number.parse().ok().filter(|_| is_code)
}

/// Returns the number of the instruction that a reason names.
fn named(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("insn ").or_else(|| Some(line.split_once(" insn ")?.1))?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{lacking, refused_at};
    use crate::bpf::{Alu, Atomic, Cond, Helper, Insn, Narrow, Reg::*, Width};

    #[test]
    fn the_last_instruction_that_was_looked_at_is_the_refused_one() {
        let log = "func#0 @0\n0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n12: (bf) r0 = r7\nR7 !read_ok\n\
                   processed 2 insns (limit 1000000) max_states_per_insn 0";
        assert_eq!(refused_at(log), Some(12));
        let from = "from 3 to 9: R0=1\n9: R0=1\n9: (95) exit\nR0 has value 1 should be 0";
        assert_eq!(refused_at(from), Some(9));
        let marked =
            "4: (85) call bpf_map_lookup_elem#1\nmark_precise: regs= before 3: (b7) r1 = 0";
        assert_eq!(refused_at(marked), Some(4));
    }

    #[test]
    fn what_the_kernel_does_not_know_is_named_with_its_version() {
        let is_5_10 = |major, minor| (5, 10) < (major, minor);
        let old = [Insn::mov64_imm(R0, 0), Insn::atomic64(Atomic::Add, R1, 0, R2), Insn::exit()];
        let table = [
            (Insn::alu64_imm(Alu::Sdiv, R0, 3), "BPF_ALU uses reserved fields", Some("6.6")),
            (Insn::mov32_signed(Narrow::Byte, R0, R1), "BPF_MOV uses reserved fields", Some("6.6")),
            (Insn::load_signed(Narrow::Half, R0, R1, 0), "unknown opcode 89", Some("6.6")),
            (Insn::swap_bytes(R0, Width::W16), "BPF_END uses reserved fields", Some("6.6")),
            (Insn::jump_long(0), "unknown opcode 06", Some("6.6")),
            (Insn::atomic32(Atomic::Or, R1, 0, R2), "BPF_XADD uses reserved fields", Some("5.12")),
            (Insn::call(Helper::LOOP), "1: (85) call unknown#181\nunknown func #181", Some("5.17")),
            (Insn::call(Helper::LOOP), "invalid func unknown#181", Some("5.17")),
            (Insn::call_kernel(9), "BPF_CALL uses reserved fields", Some("5.13")),
            // Known to 5.10, or refused for another reason.
            (Insn::jump32_imm(Cond::Eq, R1, 0, 0), "unknown opcode 16", None),
            (Insn::call(Helper::RINGBUF_OUTPUT), "unknown func bpf_ringbuf_output#130", None),
            (Insn::alu64_imm(Alu::Sdiv, R0, 3), "R0 !read_ok", None),
            (Insn::alu64_imm(Alu::Div, R0, 3), "BPF_ALU uses reserved fields", None),
        ];
        for (insn, log, since) in table {
            let insns = [old[0], old[1], insn, old[2]];
            let found = lacking(log, &insns, is_5_10).map(|(_, since)| since);
            assert_eq!(found, since, "{insn}: {log}");
        }
    }

    #[test]
    fn a_reason_about_the_shape_names_the_instruction() {
        let end = "processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0";
        assert_eq!(refused_at(&format!("unreachable insn 5\n{end}")), Some(5));
        assert_eq!(refused_at(end), None);
        assert_eq!(refused_at("jump out of range from insn 3 to 90"), Some(3));
        for log in ["", "last insn is not an exit or jmp", "insn ", "x: (95) exit", "1: (zz) x"] {
            assert_eq!(refused_at(log), None, "{log}");
        }
        assert_eq!(refused_at("99999999999999999999999: (95) exit\ninsn 7"), Some(7));
    }
}
