//! What programs, maps and links have in common: names, pins, ids; and type information.

use super::call::{address, bpf, number, owned};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use xsk_uapi::bpf::{
    BPF_BTF_GET_FD_BY_ID, BPF_BTF_GET_NEXT_ID, BPF_OBJ_GET, BPF_OBJ_GET_INFO_BY_FD,
    BPF_OBJ_NAME_LEN, BPF_OBJ_PIN, bpf_attr_get_id, bpf_attr_info, bpf_attr_obj, bpf_btf_info,
};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// An object's name as the kernel stores it: at most 15 bytes and a NUL.
pub(crate) type Name = [u8; BPF_OBJ_NAME_LEN];

/// Returns `name` in the kernel's form; `EINVAL`, as from the kernel, if it does not fit.
pub(crate) fn name(name: &str) -> Result<Name, Errno> {
    let mut out = Name::default();
    // The last byte stays the NUL.
    let room = out.get_mut(..name.len().min(15)).unwrap_or_default();
    if room.len() != name.len() || name.as_bytes().contains(&0) {
        return Err(Errno::INVAL);
    }
    room.copy_from_slice(name.as_bytes());
    Ok(out)
}

/// Returns the bytes of `name` up to its NUL.
pub(crate) fn text(name: &Name) -> String {
    let bytes = name.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// `bpf(BPF_OBJ_PIN)`
pub(crate) fn obj_pin(fd: BorrowedFd<'_>, path: &CStr) -> Result<(), Errno> {
    let mut attr = bpf_attr_obj::new_zeroed();
    attr.pathname = address(path.as_ptr());
    attr.bpf_fd = number(fd);
    // SAFETY: the kernel reads a NUL-ended string at `pathname`, which is borrowed until after the
    // call.
    unsafe { bpf(BPF_OBJ_PIN, &mut attr) }.map(drop)
}

/// `bpf(BPF_OBJ_GET)`
pub(crate) fn obj_get(path: &CStr) -> Result<OwnedFd, Errno> {
    let mut attr = bpf_attr_obj::new_zeroed();
    attr.pathname = address(path.as_ptr());
    // SAFETY: the kernel reads a NUL-ended string at `pathname`, which is borrowed until after the
    // call.
    owned(unsafe { bpf(BPF_OBJ_GET, &mut attr) }?)
}

pub(super) fn by_id(cmd: u32, id: u32) -> Result<OwnedFd, Errno> {
    let mut attr = bpf_attr_get_id::new_zeroed();
    attr.start_id = id;
    // SAFETY: the attribute holds no pointer; the call makes a descriptor that has no other owner.
    owned(unsafe { bpf(cmd, &mut attr) }?)
}

pub(super) fn next_id(cmd: u32, after: u32) -> Result<Option<u32>, Errno> {
    let mut attr = bpf_attr_get_id::new_zeroed();
    attr.start_id = after;
    // SAFETY: the attribute holds no pointer.
    match unsafe { bpf(cmd, &mut attr) } {
        Ok(_) => Ok(Some(attr.next_id)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// # Safety
/// A field of `info` that the kernel may take for a pointer is null, or valid for its count of
/// entries.
pub(super) unsafe fn obj_info<T: IntoBytes + FromBytes>(
    fd: BorrowedFd<'_>,
    info: &mut T,
) -> Result<u32, Errno> {
    let mut attr = bpf_attr_info::new_zeroed();
    attr.bpf_fd = number(fd);
    attr.info_len = u32::try_from(size_of::<T>()).map_err(|_| Errno::INVAL)?;
    attr.info = address(std::ptr::from_mut(info));
    // SAFETY: the kernel reads and writes at most `info_len` bytes at `info`, which is exclusively
    // borrowed until after the call and for which any bytes are valid; its inner pointers are the
    // caller's contract.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(attr.info_len)
}

/// Type information: opening it by its id is the only way to get one, so that `btf_info` knows which
/// pointers the kernel's struct has.
#[derive(Debug)]
pub(crate) struct TypeInfo(OwnedFd);

/// `bpf(BPF_BTF_GET_FD_BY_ID)`: needs `CAP_SYS_ADMIN`.
pub(crate) fn btf_by_id(id: u32) -> Result<TypeInfo, Errno> {
    by_id(BPF_BTF_GET_FD_BY_ID, id).map(TypeInfo)
}

/// `bpf(BPF_BTF_GET_NEXT_ID)`: the lowest id of type information above `after`, or `None`. Needs
/// `CAP_SYS_ADMIN`.
pub(crate) fn btf_next_id(after: u32) -> Result<Option<u32>, Errno> {
    next_id(BPF_BTF_GET_NEXT_ID, after)
}

/// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of type information, with its name into `name` and its bytes into
/// `bytes` as far as they fit; the kernel cuts a name that does not fit, and refuses an empty buffer.
pub(crate) fn btf_info(
    of: &TypeInfo,
    name: &mut [u8],
    bytes: &mut [u8],
) -> Result<bpf_btf_info, Errno> {
    let mut info = bpf_btf_info::new_zeroed();
    info.name = address(name.as_mut_ptr());
    info.name_len = u32::try_from(name.len()).map_err(|_| Errno::INVAL)?;
    info.btf = address(bytes.as_mut_ptr());
    info.btf_size = u32::try_from(bytes.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: by `TypeInfo`'s invariant the info has these two pointers: the kernel writes at most
    // `name_len` and `btf_size` bytes, the lengths of slices that are exclusively borrowed until after
    // the call.
    match unsafe { obj_info(of.0.as_fd(), &mut info) } {
        Ok(_) | Err(Errno::NOSPC) => Ok(info),
        Err(errno) => Err(errno),
    }
}
