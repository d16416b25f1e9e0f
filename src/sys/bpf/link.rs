//! Links of programs to interfaces.

use super::call::{bpf, number, owned};
use super::object::{by_id, next_id, obj_info};
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, OwnedFd};
use xsk_uapi::bpf::{
    BPF_F_REPLACE, BPF_LINK_CREATE, BPF_LINK_DETACH, BPF_LINK_GET_FD_BY_ID, BPF_LINK_GET_NEXT_ID,
    BPF_LINK_UPDATE, BPF_XDP, bpf_attr_link_create, bpf_attr_link_detach, bpf_attr_link_update,
    bpf_link_info_tracing, bpf_link_info_xdp,
};
use zerocopy::FromZeros;

/// `bpf(BPF_LINK_CREATE)` of an XDP link (5.9); `flags` are the mode bits of `linux/if_link.h`.
pub(crate) fn link_create(
    prog: BorrowedFd<'_>,
    ifindex: u32,
    flags: u32,
) -> Result<OwnedFd, Errno> {
    link_create_of(number(prog), ifindex, flags)
}

/// Asks the kernel for an XDP link of no program: `EBADF`, or `EINVAL` where it looks no further
/// than the kind of link, which it does not know.
pub(crate) fn link_create_of_nothing() -> Result<(), Errno> {
    link_create_of(u32::MAX, 0, 0).map(drop)
}

fn link_create_of(prog: u32, ifindex: u32, flags: u32) -> Result<OwnedFd, Errno> {
    let mut attr = bpf_attr_link_create::new_zeroed();
    attr.prog_fd = prog;
    attr.target_ifindex = ifindex;
    attr.attach_type = BPF_XDP;
    attr.flags = flags;
    // SAFETY: the attribute holds no pointer; the call makes a descriptor that has no other owner.
    owned(unsafe { bpf(BPF_LINK_CREATE, &mut attr) }?)
}

/// `bpf(BPF_LINK_DETACH)`: detaches the program for every holder of the link.
pub(crate) fn link_detach(link: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attr = bpf_attr_link_detach::new_zeroed();
    attr.link_fd = number(link);
    // SAFETY: the attribute holds no pointer.
    unsafe { bpf(BPF_LINK_DETACH, &mut attr) }.map(drop)
}

/// `bpf(BPF_LINK_UPDATE)` (XDP 5.9): the link shall run `new` instead of `old`; `EPERM` if it runs
/// another program, `ENOLINK` if it is on no interface any more. Without `old`, whatever it runs.
pub(crate) fn link_update(
    link: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
    old: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let mut attr = bpf_attr_link_update::new_zeroed();
    attr.link_fd = number(link);
    attr.new_prog_fd = number(new);
    if let Some(old) = old {
        attr.flags = BPF_F_REPLACE;
        attr.old_prog_fd = number(old);
    }
    // SAFETY: the attribute holds no pointer.
    unsafe { bpf(BPF_LINK_UPDATE, &mut attr) }.map(drop)
}

/// Asks for a link to run no program: `EBADF`, or `EINVAL` if `fd` is no link. Nothing changes.
pub(crate) fn link_update_to_nothing(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attr = bpf_attr_link_update::new_zeroed();
    attr.link_fd = number(fd);
    attr.new_prog_fd = u32::MAX;
    // SAFETY: the attribute holds no pointer.
    unsafe { bpf(BPF_LINK_UPDATE, &mut attr) }.map(drop)
}

/// `bpf(BPF_LINK_GET_FD_BY_ID)`: needs `CAP_SYS_ADMIN`.
pub(crate) fn link_by_id(id: u32) -> Result<OwnedFd, Errno> {
    by_id(BPF_LINK_GET_FD_BY_ID, id)
}

/// `bpf(BPF_LINK_GET_NEXT_ID)`: the lowest id of a link above `after`, or `None`. Needs
/// `CAP_SYS_ADMIN`.
pub(crate) fn link_next_id(after: u32) -> Result<Option<u32>, Errno> {
    next_id(BPF_LINK_GET_NEXT_ID, after)
}

/// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a link.
pub(crate) fn link_info(fd: BorrowedFd<'_>) -> Result<bpf_link_info_xdp, Errno> {
    let mut info = bpf_link_info_xdp::new_zeroed();
    // SAFETY: as for a map: the info is zero.
    unsafe { obj_info(fd, &mut info) }?;
    Ok(info)
}

/// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a link, in the form that one of a traced or replaced function
/// has.
pub(crate) fn link_target(fd: BorrowedFd<'_>) -> Result<bpf_link_info_tracing, Errno> {
    let mut info = bpf_link_info_tracing::new_zeroed();
    // SAFETY: as for a map: the info is zero.
    unsafe { obj_info(fd, &mut info) }?;
    Ok(info)
}
