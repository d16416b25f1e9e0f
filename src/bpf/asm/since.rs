//! Which kernel an instruction needs.

use super::flow::{CLASS, MAY_GOTO, OPERATION};
use super::helper::Helper;
use super::insn::Insn;
use xsk_uapi::bpf::{
    BPF_ADD, BPF_ALU, BPF_ALU64, BPF_ATOMIC, BPF_CALL, BPF_END, BPF_JA, BPF_JMP, BPF_JMP32,
    BPF_LDX, BPF_LOAD_ACQ, BPF_MEMSX, BPF_MOV, BPF_PSEUDO_KFUNC_CALL, BPF_PSEUDO_MAP_VALUE,
    BPF_STORE_REL, BPF_STX,
};

/// The mode of a load or store, in its opcode.
const MODE: u8 = 0xe0;

/// What an instruction needs: its name, and the first kernel that has it.
pub(crate) type Need = (&'static str, &'static str);

/// Returns what an instruction needs; `None` if kernels older than AF_XDP (4.18) have it.
pub(super) fn need(insn: Insn<'_>) -> Option<Need> {
    let raw = insn.raw();
    if insn.is_wide() {
        let is_value = insn.src() == BPF_PSEUDO_MAP_VALUE;
        return is_value.then_some(("the program's load of a map's value", "5.2"));
    }
    match (raw.code & CLASS, raw.code & OPERATION) {
        (BPF_JMP32, BPF_JA) => Some(("the program's gotol", "6.6")),
        (BPF_JMP32, _) => Some(("a 32-bit jump of the program", "5.1")),
        (BPF_JMP, MAY_GOTO) => Some(("the program's may_goto", "6.9")),
        (BPF_JMP, BPF_CALL) if insn.src() == BPF_PSEUDO_KFUNC_CALL => {
            Some(("the program's call of a kernel function", "5.13"))
        }
        (BPF_JMP, BPF_CALL) if insn.src() == 0 => {
            let helper = Helper(raw.imm);
            helper.name().zip(helper.since()).filter(|(_, since)| numbers(since) > (4, 18))
        }
        (BPF_ALU64, BPF_END) => Some(("the program's bswap", "6.6")),
        (BPF_ALU | BPF_ALU64, BPF_MOV) if raw.off != 0 => {
            Some(("a sign-extending move of the program", "6.6"))
        }
        (BPF_ALU | BPF_ALU64, _) if raw.off != 0 => {
            Some(("a signed division of the program", "6.6"))
        }
        (BPF_LDX, _) if raw.code & MODE == BPF_MEMSX => {
            Some(("a sign-extending load of the program", "6.6"))
        }
        (BPF_STX, _)
            if raw.code & MODE == BPF_ATOMIC && matches!(raw.imm, BPF_LOAD_ACQ | BPF_STORE_REL) =>
        {
            Some(("a load-acquire or store-release of the program", "6.15"))
        }
        (BPF_STX, _) if raw.code & MODE == BPF_ATOMIC && raw.imm != i32::from(BPF_ADD) => {
            Some(("an atomic operation of the program", "5.12"))
        }
        _ => None,
    }
}

/// Returns what needs the newest kernel of all instructions.
pub(crate) fn newest(insns: &[Insn<'_>]) -> Option<Need> {
    let needs = insns.iter().filter_map(|insn| need(*insn));
    needs.max_by_key(|(_, since)| numbers(since))
}

/// Returns the numbers of a kernel's version.
pub(crate) fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::bpf::Code;

    #[test]
    fn what_came_after_programs_for_sockets_is_known_from_bytes() {
        // may_goto +0; r0 = 2; exit
        let bytes =
            [0xe5, 0, 0, 0, 0, 0, 0, 0, 0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Code::from_bytes(&bytes).unwrap().since(), Some("6.9"));
    }
}
