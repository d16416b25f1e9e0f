//! `bpf(2)`: one function for each command that this crate uses.
//!
//! Structs and numbers are those of `linux/bpf.h`. Every attribute is passed in the smallest form
//! that has the fields used, zero-filled, because a kernel refuses non-zero bytes that it does not
//! know.
//!
//! # Safety
//! Promises: the kernel reads and writes only what an attribute's pointers borrow, for the lengths
//! beside them; a map's key and value lengths are known because a `SlotMap` is an XSKMAP; the
//! verifier checks a program before it can touch anything. Needs: nothing of the caller.
#![allow(unsafe_code, reason = "system calls with pointers inside their argument")]

use super::syscall::{nr, syscall};
use crate::num::{u64_of, usize32};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use xsk_uapi::bpf::{
    BPF_BTF_GET_FD_BY_ID, BPF_BTF_GET_NEXT_ID, BPF_F_REPLACE, BPF_LINK_CREATE, BPF_LINK_DETACH,
    BPF_LINK_GET_FD_BY_ID, BPF_LINK_GET_NEXT_ID, BPF_LINK_UPDATE, BPF_LOG_LEVEL1, BPF_MAP_CREATE,
    BPF_MAP_DELETE_ELEM, BPF_MAP_GET_FD_BY_ID, BPF_MAP_LOOKUP_ELEM, BPF_MAP_TYPE_ARRAY,
    BPF_MAP_TYPE_XSKMAP, BPF_MAP_UPDATE_ELEM, BPF_OBJ_GET, BPF_OBJ_GET_INFO_BY_FD,
    BPF_OBJ_NAME_LEN, BPF_OBJ_PIN, BPF_PROG_GET_FD_BY_ID, BPF_PROG_LOAD, BPF_PROG_TEST_RUN,
    BPF_PROG_TYPE_XDP, BPF_XDP, bpf_attr_get_id, bpf_attr_info, bpf_attr_link_create,
    bpf_attr_link_detach, bpf_attr_link_update, bpf_attr_map_create, bpf_attr_map_elem,
    bpf_attr_obj, bpf_attr_prog_load, bpf_attr_test_run, bpf_btf_info, bpf_insn, bpf_link_info_xdp,
    bpf_map_info, bpf_prog_info, xdp_md,
};
use zerocopy::{FromZeros, Immutable, IntoBytes};

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

/// A BPF map of type XSKMAP, whose keys and values have four bytes: creating one or asking the
/// kernel is the only way to get one, so that the element functions know how much the kernel reads.
#[derive(Debug)]
pub(crate) struct SlotMap(OwnedFd);

impl AsFd for SlotMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `bpf(BPF_MAP_CREATE)` of an XSKMAP.
pub(crate) fn map_create(name: Name, entries: u32) -> Result<SlotMap, Errno> {
    let mut attr = bpf_attr_map_create::new_zeroed();
    attr.map_type = BPF_MAP_TYPE_XSKMAP;
    attr.key_size = 4;
    attr.value_size = 4;
    attr.max_entries = entries;
    attr.map_name = name;
    // SAFETY: the attribute holds no pointer; the call makes a descriptor that has no other owner.
    owned(unsafe { bpf(BPF_MAP_CREATE, &mut attr) }?).map(SlotMap)
}

/// Asks what `fd` is; `None` if it is something else than an XSKMAP.
pub(crate) fn slot_map(fd: OwnedFd) -> Result<Option<(SlotMap, bpf_map_info)>, Errno> {
    let info = map_info(fd.as_fd())?;
    let right = info.r#type == BPF_MAP_TYPE_XSKMAP && info.key_size == 4 && info.value_size == 4;
    Ok(right.then(|| (SlotMap(fd), info)))
}

/// `bpf(BPF_MAP_UPDATE_ELEM)`: slot `key` of the map shall name `value`.
pub(crate) fn map_update(
    map: &SlotMap,
    key: u32,
    value: BorrowedFd<'_>,
    flags: u64,
) -> Result<(), Errno> {
    let value = number(value);
    let mut attr = bpf_attr_map_elem::new_zeroed();
    attr.map_fd = number(map.as_fd());
    attr.key = address(&raw const key);
    attr.value = address(&raw const value);
    attr.flags = flags;
    // SAFETY: the kernel reads the map's key size at `key` and its value size at `value`; both are
    // four bytes by `SlotMap`'s invariant, and both locals live until after the call.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.map(drop)
}

/// `bpf(BPF_MAP_DELETE_ELEM)`: slot `key` of the map shall be empty.
pub(crate) fn map_delete(map: &SlotMap, key: u32) -> Result<(), Errno> {
    let mut attr = bpf_attr_map_elem::new_zeroed();
    attr.map_fd = number(map.as_fd());
    attr.key = address(&raw const key);
    // SAFETY: the kernel reads the map's key size at `key`: four bytes by `SlotMap`'s invariant, of
    // a local that lives until after the call.
    unsafe { bpf(BPF_MAP_DELETE_ELEM, &mut attr) }.map(drop)
}

/// An array of pairs of 64-bit numbers: creating one is the only way to get one, so that the element
/// functions know how much the kernel reads and writes.
#[derive(Debug)]
pub(crate) struct PairMap(OwnedFd);

impl AsFd for PairMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `bpf(BPF_MAP_CREATE)` of an array of pairs, which begin at 0.
pub(crate) fn pair_map_create(entries: u32) -> Result<PairMap, Errno> {
    let mut attr = bpf_attr_map_create::new_zeroed();
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = 16;
    attr.max_entries = entries;
    // SAFETY: the attribute holds no pointer; the call makes a descriptor that has no other owner.
    owned(unsafe { bpf(BPF_MAP_CREATE, &mut attr) }?).map(PairMap)
}

/// `bpf(BPF_MAP_LOOKUP_ELEM)`: returns a pair.
pub(crate) fn pair(map: &PairMap, key: u32) -> Result<[u64; 2], Errno> {
    let mut value = [0_u64; 2];
    let mut attr = bpf_attr_map_elem::new_zeroed();
    attr.map_fd = number(map.as_fd());
    attr.key = address(&raw const key);
    attr.value = address(&raw mut value);
    // SAFETY: the kernel reads the map's key size at `key`, four bytes, and writes its value size at
    // `value`, 16 bytes, by `PairMap`'s invariant; both locals live until after the call.
    unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &mut attr) }?;
    Ok(value)
}

/// `bpf(BPF_MAP_UPDATE_ELEM)`: sets a pair.
pub(crate) fn set_pair(map: &PairMap, key: u32, value: [u64; 2]) -> Result<(), Errno> {
    let mut attr = bpf_attr_map_elem::new_zeroed();
    attr.map_fd = number(map.as_fd());
    attr.key = address(&raw const key);
    attr.value = address(&raw const value);
    // SAFETY: the kernel reads the map's key size at `key`, four bytes, and its value size at
    // `value`, 16 bytes, by `PairMap`'s invariant; both locals live until after the call.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.map(drop)
}

/// What is to be loaded.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) name: Name,
    pub(crate) insns: &'a [bpf_insn],
    pub(crate) license: &'a CStr,
    pub(crate) flags: u32,
    /// The interface that the program is bound to, or 0.
    pub(crate) ifindex: u32,
}

/// A refused program.
#[derive(Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) errno: Errno,
    /// The bytes that the whole log takes, where the kernel reports it (6.4); else 0.
    pub(crate) log_true_size: u32,
}

/// `bpf(BPF_PROG_LOAD)` of an XDP program, with the verifier's log into `log` unless that is empty.
pub(crate) fn prog_load(load: Load<'_>, log: &mut [u8]) -> Result<OwnedFd, Refused> {
    let plain = |errno| Refused { errno, log_true_size: 0 };
    let mut attr = bpf_attr_prog_load::new_zeroed();
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.insn_cnt = u32::try_from(load.insns.len()).map_err(|_| plain(Errno::TOOBIG))?;
    attr.insns = address(load.insns.as_ptr());
    attr.license = address(load.license.as_ptr());
    attr.prog_flags = load.flags;
    attr.prog_ifindex = load.ifindex;
    attr.prog_name = load.name;
    attr.expected_attach_type = BPF_XDP;
    if !log.is_empty() {
        attr.log_level = BPF_LOG_LEVEL1;
        attr.log_size = u32::try_from(log.len()).map_err(|_| plain(Errno::INVAL))?;
        attr.log_buf = address(log.as_mut_ptr());
    }
    // SAFETY: the kernel reads `insn_cnt` instructions at `insns` and a NUL-ended string at
    // `license`, and writes at most `log_size` bytes at `log_buf`; all are borrowed until after the
    // call. The verifier checks a program before it can touch anything.
    let result = unsafe { bpf(BPF_PROG_LOAD, &mut attr) };
    match result.and_then(owned) {
        Ok(fd) => Ok(fd),
        Err(errno) => Err(Refused { errno, log_true_size: attr.log_true_size }),
    }
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

/// The outcome of a test run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    pub(crate) retval: u32,
    /// The packet's length afterwards, which may be more than the output buffer took.
    pub(crate) data_len: u32,
    pub(crate) duration: u32,
}

/// `bpf(BPF_PROG_TEST_RUN)`: runs a program once on `data`; the packet afterwards goes to `out` as
/// far as it fits.
pub(crate) fn prog_test_run(
    prog: BorrowedFd<'_>,
    data: &[u8],
    out: &mut [u8],
    ctx: Option<&xdp_md>,
) -> Result<Ran, Errno> {
    let mut attr = bpf_attr_test_run::new_zeroed();
    attr.prog_fd = number(prog);
    attr.data_size_in = u32::try_from(data.len()).map_err(|_| Errno::INVAL)?;
    attr.data_in = address(data.as_ptr());
    if !out.is_empty() {
        attr.data_size_out = u32::try_from(out.len()).map_err(|_| Errno::INVAL)?;
        attr.data_out = address(out.as_mut_ptr());
    }
    attr.repeat = 1;
    if let Some(ctx) = ctx {
        attr.ctx_size_in = u32::try_from(size_of_val(ctx)).map_err(|_| Errno::INVAL)?;
        attr.ctx_in = address(std::ptr::from_ref(ctx));
    }
    // SAFETY: the kernel reads `data_size_in` bytes at `data_in` and `ctx_size_in` at `ctx_in`, and
    // writes at most `data_size_out` bytes at `data_out`; all are borrowed until after the call.
    let result = unsafe { bpf(BPF_PROG_TEST_RUN, &mut attr) };
    match result {
        // The buffer for the packet was too small: it has been filled, and the program has run.
        Err(Errno::NOSPC) if !out.is_empty() => {}
        other => other.map(drop)?,
    }
    Ok(Ran { retval: attr.retval, data_len: attr.data_size_out, duration: attr.duration })
}

/// `bpf(BPF_PROG_GET_FD_BY_ID)`: needs `CAP_SYS_ADMIN`.
pub(crate) fn prog_by_id(id: u32) -> Result<OwnedFd, Errno> {
    by_id(BPF_PROG_GET_FD_BY_ID, id)
}

/// `bpf(BPF_MAP_GET_FD_BY_ID)`: needs `CAP_SYS_ADMIN`.
pub(crate) fn map_by_id(id: u32) -> Result<OwnedFd, Errno> {
    by_id(BPF_MAP_GET_FD_BY_ID, id)
}

/// `bpf(BPF_LINK_GET_FD_BY_ID)`: needs `CAP_SYS_ADMIN`.
pub(crate) fn link_by_id(id: u32) -> Result<OwnedFd, Errno> {
    by_id(BPF_LINK_GET_FD_BY_ID, id)
}

fn by_id(cmd: u32, id: u32) -> Result<OwnedFd, Errno> {
    let mut attr = bpf_attr_get_id::new_zeroed();
    attr.start_id = id;
    // SAFETY: the attribute holds no pointer; the call makes a descriptor that has no other owner.
    owned(unsafe { bpf(cmd, &mut attr) }?)
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

/// `bpf(BPF_LINK_GET_NEXT_ID)`: the lowest id of a link above `after`, or `None`. Needs
/// `CAP_SYS_ADMIN`.
pub(crate) fn link_next_id(after: u32) -> Result<Option<u32>, Errno> {
    next_id(BPF_LINK_GET_NEXT_ID, after)
}

fn next_id(cmd: u32, after: u32) -> Result<Option<u32>, Errno> {
    let mut attr = bpf_attr_get_id::new_zeroed();
    attr.start_id = after;
    // SAFETY: the attribute holds no pointer.
    match unsafe { bpf(cmd, &mut attr) } {
        Ok(_) => Ok(Some(attr.next_id)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a program, with the ids of its maps into `map_ids` as far as
/// they fit. Also returns the length of the kernel's struct, which distinguishes a program from a
/// map.
pub(crate) fn prog_info(
    fd: BorrowedFd<'_>,
    map_ids: &mut [u32],
) -> Result<(bpf_prog_info, u32), Errno> {
    let mut info = bpf_prog_info::new_zeroed();
    info.nr_map_ids = u32::try_from(map_ids.len()).map_err(|_| Errno::INVAL)?;
    if !map_ids.is_empty() {
        info.map_ids = address(map_ids.as_mut_ptr());
    }
    // SAFETY: of the pointers in the info only `map_ids` can be other than null, and its count is
    // the length of a slice that is exclusively borrowed until after the call. With an empty slice
    // the info is zero, as for a descriptor of any kind; with another one, `fd` is a program's.
    let len = unsafe { obj_info(fd, &mut info) }?;
    Ok((info, len))
}

/// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a map.
pub(crate) fn map_info(fd: BorrowedFd<'_>) -> Result<bpf_map_info, Errno> {
    let mut info = bpf_map_info::new_zeroed();
    // SAFETY: the info is zero: whatever `fd` is, it holds no pointer and no count.
    unsafe { obj_info(fd, &mut info) }?;
    Ok(info)
}

/// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a link.
pub(crate) fn link_info(fd: BorrowedFd<'_>) -> Result<bpf_link_info_xdp, Errno> {
    let mut info = bpf_link_info_xdp::new_zeroed();
    // SAFETY: as for a map: the info is zero.
    unsafe { obj_info(fd, &mut info) }?;
    Ok(info)
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

/// # Safety
/// A field of `info` that the kernel may take for a pointer is null, or valid for its count of
/// entries.
unsafe fn obj_info<T: IntoBytes + zerocopy::FromBytes>(
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

/// `bpf(cmd, attr, sizeof(*attr))`
///
/// # Safety
/// What the kernel takes for a pointer in `attr` must be valid for what `cmd` reads and writes
/// there.
unsafe fn bpf<T: IntoBytes + zerocopy::FromBytes + Immutable>(
    cmd: u32,
    attr: &mut T,
) -> Result<usize, Errno> {
    let pointer = std::ptr::from_mut(attr).expose_provenance();
    // SAFETY: the kernel reads and writes at most `size_of::<T>()` bytes at `attr`, which is
    // exclusively borrowed and for which any bytes are valid. The pointers inside are the caller's
    // contract.
    unsafe { syscall(nr::BPF, [usize32(cmd), pointer, size_of::<T>(), 0, 0]) }
}

/// Returns a pointer as an attribute holds it; its provenance is exposed for the kernel to use.
fn address<T>(pointer: *const T) -> u64 {
    u64_of(pointer.expose_provenance())
}

/// Returns a descriptor's number, which is never negative.
fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

/// Returns the descriptor that a call has just made. The kernel sets close-on-exec on all of
/// bpf(2)'s.
fn owned(result: usize) -> Result<OwnedFd, Errno> {
    let raw = i32::try_from(result).map_err(|_| Errno::BADF)?;
    // SAFETY: `bpf` has returned a descriptor that the kernel made for this call: open, without
    // another owner.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
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
