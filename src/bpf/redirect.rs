//! The default program: redirects each packet to the socket in the slot of its queue.

use super::asm::{Alu, Cond, Helper, Insn, Reg, Size};
use super::builder::ProgramBuilder;
use super::map::XskMap;
use super::program::Program;
use crate::error::{Error, Result};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

/// The default program's name. Not libxdp's `xsk_def_prog`, which promises a reference count in a
/// map that this program does not have.
const REDIRECT_NAME: &str = "xsk_redirect";

/// The name of the form for packets of several frames, which the kernel does not report.
const REDIRECT_FRAGS_NAME: &str = "xsk_redirect_sg";

pub(super) const XDP_PASS: i32 = 2;
/// `offsetof(struct xdp_md, rx_queue_index)`
pub(super) const RX_QUEUE_INDEX: i16 = 16;

/// Loads this crate's default program: every packet goes to the socket in the slot of the queue
/// that it came in on, and on to the kernel's stack where the slot is empty.
///
/// On kernels that take the action for an empty slot in the flags of `bpf_redirect_map` the program
/// has five instructions; on others it looks the slot up first. Running the first form on an empty
/// map finds out which is needed. Its name is `xsk_redirect`.
///
/// Linux 5.3 has both the flags and the lookup; the second form is for kernels into which only the
/// lookup was backported (`check_map_func_compatibility` of kernel/bpf/verifier.c refuses it before
/// 5.3). From 4.18 to 5.2 a redirect to an empty slot drops the packet, and one map alone cannot
/// prevent that: you need a [`Program`] of your own that reads from another map which slots have a
/// socket.
///
/// ```
/// use xsk::bpf::{XskMap, redirect};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of redirect") { return Ok(()); }
/// let program = redirect(&XskMap::create(XskMap::DEFAULT_NAME, 4)?)?;
/// let run = program.test_run(&[0; 64], None)?;
/// assert_eq!(run.retval, 2, "XDP_PASS: no socket is in the slot");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NeedsKernel`] where the kernel takes neither form; [`Error::LoadProgram`], and the
/// errors of a first test run: [`Error::CreateMap`], [`Error::BpfObject`].
pub fn redirect(map: &XskMap) -> Result<Program> {
    load_redirect(map, false)
}

/// Loads the default program as [`redirect`] does; with `frags` it also takes packets of several
/// frames (5.18), and has a name of its own. Without, a driver refuses to attach while its packets could be longer than a
/// buffer, which is better for sockets that would drop them.
pub(crate) fn load_redirect(map: &XskMap, frags: bool) -> Result<Program> {
    load_form(map, frags, action_in_flags()?)
}

/// Loads the default program in one of its two forms.
fn load_form(map: &XskMap, frags: bool, action_in_flags: bool) -> Result<Program> {
    if action_in_flags {
        builder(&by_flags(map.as_fd()), frags).load()
    } else {
        builder(&by_lookup(map.as_fd()), frags).load().map_err(without_lookup)
    }
}

fn builder<'a>(insns: &'a [Insn<'a>], frags: bool) -> ProgramBuilder<'a> {
    let name = if frags { REDIRECT_FRAGS_NAME } else { REDIRECT_NAME };
    Program::builder(insns).name(name).license(c"Dual MIT/GPL").frags(frags)
}

/// Returns whether the default program of this name takes packets of several frames; `None` if no
/// form of the default program has this name.
pub(crate) fn redirect_takes_frags(name: &str) -> Option<bool> {
    match name {
        REDIRECT_NAME => Some(false),
        REDIRECT_FRAGS_NAME => Some(true),
        _ => None,
    }
}

/// Translates the verifier's refusal of [`by_lookup`].
fn without_lookup(refused: Error) -> Error {
    match refused {
        Error::LoadProgram { errno: Errno::INVAL | Errno::ACCESS, .. } => Error::NeedsKernel {
            feature: "the default program (others can be attached)",
            version: "5.3",
        },
        other => other,
    }
}

/// `return bpf_redirect_map(map, ctx->rx_queue_index, XDP_PASS);`
fn by_flags(map: BorrowedFd<'_>) -> Vec<Insn<'_>> {
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
fn by_lookup(map: BorrowedFd<'_>) -> Vec<Insn<'_>> {
    let [lookup_low, lookup_high] = Insn::load_map_fd(Reg::R1, map);
    let [redirect_low, redirect_high] = Insn::load_map_fd(Reg::R1, map);
    vec![
        Insn::load(Size::Word, Reg::R6, Reg::R1, RX_QUEUE_INDEX),
        Insn::store(Size::Word, Reg::R10, -4, Reg::R6),
        Insn::mov64_reg(Reg::R2, Reg::R10),
        Insn::alu64_imm(Alu::Add, Reg::R2, -4),
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

/// Returns whether the kernel takes the action for an empty slot in the flags; tried once per
/// process.
pub(super) fn action_in_flags() -> Result<bool> {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(*known);
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1)?;
    let trial = builder(&by_flags(map.as_fd()), false).load()?;
    let obeyed = is_obeyed(trial.verdict(&EMPTY_PACKET)?);
    Ok(*KNOWN.get_or_init(|| obeyed))
}

/// Returns whether the action in the flags was taken for an empty slot. Before 5.3 flags had to be
/// 0: the program is loaded, but the redirection aborts (`XDP_ABORTED`).
fn is_obeyed(verdict: u32) -> bool {
    i64::from(verdict) == i64::from(XDP_PASS)
}

/// A test run requires an Ethernet header; what is in it does not matter.
const EMPTY_PACKET: [u8; 64] = [0; 64];

#[cfg(test)]
mod tests;
