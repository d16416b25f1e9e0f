//! `setsockopt(2)` and `getsockopt(2)` with the caller's length, for options whose length has a
//! meaning.
//!
//! # Safety
//! Promises: the kernel reads or writes the bytes of `value` only. Needs: `T` is plain bytes, which
//! the zerocopy bounds say.
#![allow(unsafe_code, reason = "system calls with buffers")]

use super::syscall::{fd_arg, nr, syscall};
use crate::num::{register_of, usize32};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `SOL_SOCKET` and `SO_PASSPIDFD` (asm-generic/socket.h, 6.5).
const SOL_SOCKET: i32 = 1;
const SO_PASSPIDFD: i32 = 76;

/// `getsockopt(fd, SOL_SOCKET, SO_PASSPIDFD)`: whether a descriptor of the sender comes with each
/// message of a Unix socket; never before 6.5.
pub(crate) fn passes_pidfd(fd: BorrowedFd<'_>) -> bool {
    let mut passes = 0_i32;
    get(fd, SOL_SOCKET, SO_PASSPIDFD, &mut passes).is_ok() && passes != 0
}

/// `setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD)`
pub(crate) fn set_passes_pidfd(fd: BorrowedFd<'_>, passes: bool) -> Result<(), Errno> {
    set(fd, SOL_SOCKET, SO_PASSPIDFD, &i32::from(passes))
}

/// `setsockopt(fd, level, name, value, sizeof(*value))`
pub(crate) fn set<T: IntoBytes + Immutable + ?Sized>(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &T,
) -> Result<(), Errno> {
    let bytes = value.as_bytes();
    let args = [
        fd_arg(fd),
        register_of(level),
        register_of(name),
        bytes.as_ptr().expose_provenance(),
        bytes.len(),
    ];
    // SAFETY: the kernel reads `bytes.len()` bytes at `bytes`, which is borrowed until after the
    // call.
    unsafe { syscall(nr::SETSOCKOPT, args) }.map(drop)
}

/// `getsockopt(fd, level, name, value, &len)`; returns the length that the kernel wrote.
pub(crate) fn get<T: FromBytes + IntoBytes + ?Sized>(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &mut T,
) -> Result<usize, Errno> {
    let bytes = value.as_mut_bytes();
    let mut len = u32::try_from(bytes.len()).map_err(|_| Errno::INVAL)?;
    let args = [
        fd_arg(fd),
        register_of(level),
        register_of(name),
        bytes.as_mut_ptr().expose_provenance(),
        (&raw mut len).expose_provenance(),
    ];
    // SAFETY: the kernel writes at most `len` bytes at `bytes` and four at `len`, both exclusively
    // borrowed, with exposed provenance; any bytes are a valid `T`, which is `FromBytes`.
    unsafe { syscall(nr::GETSOCKOPT, args) }?;
    Ok(usize32(len))
}
