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
