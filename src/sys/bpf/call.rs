//! The system call itself, and what every command's arguments are made of.

use crate::num::{u64_of, usize32};
use crate::sys::syscall::{nr, syscall};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `bpf(cmd, attr, sizeof(*attr))`
///
/// # Safety
/// What the kernel takes for a pointer in `attr` must be valid for what `cmd` reads and writes
/// there.
pub(super) unsafe fn bpf<T: IntoBytes + FromBytes + Immutable>(
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
pub(super) fn address<T>(pointer: *const T) -> u64 {
    u64_of(pointer.expose_provenance())
}

/// Returns a descriptor's number, which is never negative.
pub(super) fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

/// Returns the descriptor that a call has just made. The kernel sets close-on-exec on all of
/// bpf(2)'s.
pub(super) fn owned(result: usize) -> Result<OwnedFd, Errno> {
    let raw = i32::try_from(result).map_err(|_| Errno::BADF)?;
    // SAFETY: `bpf` has returned a descriptor that the kernel made for this call: open, without
    // another owner.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
