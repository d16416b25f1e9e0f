//! A program on an interface's way out that puts a VLAN tag on each packet: beside its bytes, where
//! the kernel keeps a tag for a card to put in. It is of a kind that this crate does not load (tcx,
//! 6.6).
#![expect(unsafe_code, reason = "bpf(2), of which the C library has no function of its own")]

use std::ffi::c_long;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use xsk::Interface;
use xsk::bpf::{Helper, Insn, Reg};
use xsk::packet::VlanTag;
use xsk_uapi::bpf::{
    BPF_LINK_CREATE, BPF_PROG_LOAD, BPF_PROG_TYPE_SCHED_CLS, BPF_TCX_EGRESS, bpf_attr_link_create,
    bpf_attr_prog_load,
};
use zerocopy::{FromZeros, IntoBytes};

/// The number of bpf(2), as in the library's `src/sys/syscall.rs`.
const BPF: c_long = if cfg!(target_arch = "x86_64") {
    321
} else if cfg!(target_arch = "aarch64") {
    280
} else if cfg!(target_arch = "x86") {
    357
} else {
    386 // armv7
};

/// `bpf_skb_vlan_push(ctx, protocol, tci)`
const SKB_VLAN_PUSH: Helper = Helper(18);
/// Go on to the next program (`TCX_NEXT`).
const NEXT: i32 = -1;

unsafe extern "C" {
    /// The function of the C library.
    fn syscall(number: c_long, ...) -> c_long;
}

/// A tag on each packet that an interface sends, while this lives.
pub(crate) struct Tagger {
    _link: OwnedFd,
}

impl Tagger {
    /// Puts `tags` on in turn, from a thread in the interface's namespace: the last stays beside
    /// the packet, and those before it are moved into it.
    pub(crate) fn attach(interface: &Interface, tags: &[VlanTag]) -> io::Result<Self> {
        let push = |tag: &VlanTag| {
            [
                Insn::mov64_reg(Reg::R1, Reg::R6),
                Insn::mov64_imm(Reg::R2, tag.protocol.to_be().into()),
                Insn::mov64_imm(Reg::R3, tag.tci.into()),
                Insn::call(SKB_VLAN_PUSH),
            ]
        };
        let mut insns = vec![Insn::mov64_reg(Reg::R6, Reg::R1)];
        insns.extend(tags.iter().flat_map(push));
        insns.extend([Insn::mov64_imm(Reg::R0, NEXT), Insn::exit()]);
        let bytes: Vec<u8> = insns.iter().flat_map(|insn| insn.to_bytes()).collect();
        let mut program = bpf_attr_prog_load::new_zeroed();
        program.prog_type = BPF_PROG_TYPE_SCHED_CLS;
        program.insn_cnt = u32::try_from(insns.len()).unwrap();
        program.insns = bytes.as_ptr().expose_provenance() as u64;
        program.license = c"GPL".as_ptr().expose_provenance() as u64;
        // SAFETY: the instructions and the licence live until after the call, which reads them.
        let program = unsafe { bpf(BPF_PROG_LOAD, &mut program) }?;

        let mut link = bpf_attr_link_create::new_zeroed();
        link.prog_fd = u32::try_from(program.as_raw_fd()).unwrap();
        link.target_ifindex = interface.index();
        link.attach_type = BPF_TCX_EGRESS;
        // SAFETY: the attribute holds no pointer.
        Ok(Self { _link: unsafe { bpf(BPF_LINK_CREATE, &mut link) }? })
    }
}

/// Makes a call of bpf(2) that returns a new descriptor.
///
/// # Safety
/// The pointers in the attribute must be valid for what `command` reads and writes there, and the
/// command must return a descriptor.
unsafe fn bpf(command: u32, attr: &mut impl IntoBytes) -> io::Result<OwnedFd> {
    let len = size_of_val(attr);
    // SAFETY: the kernel reads `len` bytes at `attr`; the pointers in it are the caller's promise.
    let returned = unsafe { syscall(BPF, command as c_long, &raw mut *attr, len) };
    let Some(fd) = i32::try_from(returned).ok().filter(|fd| *fd >= 0) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the call made the descriptor, by the caller's promise, and nothing else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
