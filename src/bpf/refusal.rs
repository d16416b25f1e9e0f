//! Where the verifier stopped, read from its log.

/// Returns the number of the instruction that the verifier refused, as far as its log says.
///
/// The log has a line for each instruction that the verifier looked at, `12: (bf) r1 = r6`, and ends
/// with a reason. What is refused before, by the program's shape, is named in the reason:
/// `unreachable insn 12`.
pub(crate) fn refused_at(log: &str) -> Option<usize> {
    let looked_at = log.lines().rev().find_map(instruction);
    looked_at.or_else(|| log.lines().rev().find_map(named))
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
    use super::refused_at;

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
