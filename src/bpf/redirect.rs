//! The program that every socket without a program of its own gets.

use super::{Cond, Helper, Insn, Program, Reg, Size, XskMap};
use crate::error::{Error, Result};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;
use xsk_uapi::bpf::BPF_F_XDP_HAS_FRAGS;

/// The default program's name. Not libxdp's `xsk_def_prog`, which promises a reference count in a map
/// that this program does not have.
pub(crate) const REDIRECT_NAME: &str = "xsk_redirect";

const XDP_PASS: i32 = 2;
/// `offsetof(struct xdp_md, rx_queue_index)`
const RX_QUEUE_INDEX: i16 = 16;

/// Loads this crate's default program: every packet goes to the socket in the slot of the queue that it
/// came in on, and on to the kernel's stack where the slot is empty.
///
/// On kernels that take the action for an empty slot in the flags of `bpf_redirect_map` this is
/// five instructions; on others the slot is looked up first. Which one it has to be is found out by
/// running the first on an empty map. Its name is `xsk_redirect`.
///
/// Linux 5.3 brought both the flags and the lookup (`check_map_func_compatibility` of kernel/bpf/verifier.c
/// refuses it before), so the second form is for kernels that were given only the lookup. From 4.18 to 5.2 there is no
/// program of one map that is safe: a redirect to an empty slot drops the packet. There a
/// [`Program`] of one's own is needed that knows by another map which slots are taken.
///
/// # Errors
/// [`Error::NeedsKernel`] where the kernel takes neither form; [`Error::LoadProgram`], and what a first test run
/// can say: [`Error::CreateMap`], [`Error::BpfObject`].
pub fn redirect(map: &XskMap) -> Result<Program> {
    load_redirect(map, false)
}

/// As [`redirect`]; with `frags` also packets of several buffers are taken (5.18). Without, a driver
/// refuses to attach while its packets could be longer than a buffer, which is the better answer for
/// sockets that would drop them.
pub(crate) fn load_redirect(map: &XskMap, frags: bool) -> Result<Program> {
    load_form(map, frags, action_in_flags()?)
}

/// The default program in one of its two forms.
fn load_form(map: &XskMap, frags: bool, action_in_flags: bool) -> Result<Program> {
    let flags = if frags { BPF_F_XDP_HAS_FRAGS } else { 0 };
    let load = |insns: &[Insn]| Program::load(REDIRECT_NAME, insns, LICENSE, flags);
    if action_in_flags {
        load(&by_flags(map.as_fd()))
    } else {
        load(&by_lookup(map.as_fd())).map_err(without_lookup)
    }
}

/// What it means that the verifier refuses [`by_lookup`].
fn without_lookup(refused: Error) -> Error {
    match refused {
        Error::LoadProgram { errno: Errno::INVAL | Errno::ACCESS, .. } => Error::NeedsKernel {
            feature: "the default program (others can be attached)",
            version: "5.3",
        },
        other => other,
    }
}

const LICENSE: &std::ffi::CStr = c"Dual MIT/GPL";

/// `return bpf_redirect_map(map, ctx->rx_queue_index, XDP_PASS);`
fn by_flags(map: BorrowedFd<'_>) -> Vec<Insn> {
    let [map_low, map_high] = Insn::load_map_fd(Reg::R1, map);
    vec![
        Insn::load(Size::Word, Reg::R2, Reg::R1, RX_QUEUE_INDEX),
        map_low,
        map_high,
        Insn::mov64_imm(Reg::R3, XDP_PASS),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]
}

/// `u32 queue = ctx->rx_queue_index;`
/// `return bpf_map_lookup_elem(map, &queue) ? bpf_redirect_map(map, queue, 0) : XDP_PASS;`
fn by_lookup(map: BorrowedFd<'_>) -> Vec<Insn> {
    let [lookup_low, lookup_high] = Insn::load_map_fd(Reg::R1, map);
    let [redirect_low, redirect_high] = Insn::load_map_fd(Reg::R1, map);
    vec![
        Insn::load(Size::Word, Reg::R6, Reg::R1, RX_QUEUE_INDEX),
        Insn::store(Size::Word, Reg::R10, -4, Reg::R6),
        Insn::mov64_reg(Reg::R2, Reg::R10),
        Insn::alu64_imm(super::Alu::Add, Reg::R2, -4),
        lookup_low,
        lookup_high,
        Insn::call(Helper::MAP_LOOKUP_ELEM),
        Insn::jump_imm(Cond::Ne, Reg::R0, 0, 2),
        Insn::mov64_imm(Reg::R0, XDP_PASS),
        Insn::exit(),
        redirect_low,
        redirect_high,
        Insn::mov64_reg(Reg::R2, Reg::R6),
        Insn::mov64_imm(Reg::R3, 0),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]
}

/// Whether the kernel takes the action for an empty slot in the flags, by trying it once per process.
fn action_in_flags() -> Result<bool> {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(*known);
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1)?;
    let trial = Program::load(REDIRECT_NAME, &by_flags(map.as_fd()), LICENSE, 0)?;
    let obeyed = is_obeyed(trial.verdict(&EMPTY_PACKET)?);
    Ok(*KNOWN.get_or_init(|| obeyed))
}

/// Whether the action in the flags was taken for an empty slot. Before 5.3 flags had to be 0: the program is loaded,
/// but the redirection aborts (`XDP_ABORTED`).
fn is_obeyed(verdict: u32) -> bool {
    i64::from(verdict) == i64::from(XDP_PASS)
}

/// A test run wants an Ethernet header; what is in it does not matter.
const EMPTY_PACKET: [u8; 64] = [0; 64];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Whether this process may load programs; if not, says which test is skipped.
    fn privileged(test: &str) -> bool {
        let refusal = XskMap::create(XskMap::DEFAULT_NAME, 1).err();
        let required = std::env::var_os("XSK_TESTS").is_some_and(|value| value == "require");
        assert!(refusal.is_none() || !required, "{test}: {refusal:?}");
        if refusal.is_some() {
            let _ =
                writeln!(std::io::stderr(), "skipped: {test} needs root (CAP_BPF, CAP_NET_ADMIN)");
        }
        refusal.is_none()
    }

    #[test]
    fn both_forms_pass_on_an_empty_map() {
        if !privileged("both_forms_pass_on_an_empty_map") {
            return;
        }
        let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
        for form in [by_flags, by_lookup] {
            let program = Program::load(REDIRECT_NAME, &form(map.as_fd()), LICENSE, 0).unwrap();
            assert_eq!(program.verdict(&EMPTY_PACKET).unwrap(), 2);
        }
        assert_eq!(by_flags(map.as_fd()).len(), 6, "five instructions, one of them in two slots");
    }

    #[test]
    fn before_5_3_the_action_in_the_flags_aborts_and_the_slot_is_looked_up() {
        let (aborted, passed) = (0, 2);
        assert!(!is_obeyed(aborted));
        assert!(is_obeyed(passed));
        if !privileged("before_5_3_the_action_in_the_flags_aborts_and_the_slot_is_looked_up") {
            return;
        }
        let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
        let [old, new] = [aborted, passed].map(|verdict| {
            let program = load_form(&map, false, is_obeyed(verdict)).unwrap();
            assert_eq!(program.verdict(&EMPTY_PACKET).unwrap(), 2);
            program.info().unwrap().tag
        });
        assert_ne!(old, new, "two forms");
        let usual = redirect(&map).unwrap().info().unwrap();
        assert_eq!(usual.tag, new, "no kernel from 5.3 on needs the longer form");
    }

    #[test]
    fn a_kernel_that_takes_neither_form_is_named() {
        let refused = |errno| {
            without_lookup(Error::LoadProgram {
                name: REDIRECT_NAME.to_owned(),
                instructions: 16,
                log: "cannot pass map_type 17 into func bpf_map_lookup_elem#1".to_owned(),
                errno,
            })
        };
        let error = refused(Errno::INVAL);
        assert!(matches!(error, Error::NeedsKernel { .. }), "{error}");
        assert!(error.to_string().contains("5.3"), "{error}");
        let error = refused(Errno::PERM);
        assert!(matches!(error, Error::LoadProgram { .. }), "{error}");
    }

    #[test]
    fn frags_is_taken_where_the_kernel_has_it() {
        if !privileged("frags_is_taken_where_the_kernel_has_it") {
            return;
        }
        let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
        let plain = load_redirect(&map, false).unwrap().info().unwrap();
        let frags = load_redirect(&map, true).unwrap().info().unwrap();
        assert_eq!(plain.tag, frags.tag, "the tag is of the instructions alone");
        assert_eq!(plain.name, REDIRECT_NAME);
    }
}
