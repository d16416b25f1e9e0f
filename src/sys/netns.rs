//! Network namespaces: taken from a socket, made, entered. No `/proc` needed.
//!
//! # Safety
//! Promises: a descriptor that is returned has one owner, and no call takes descriptors away from a
//! thread. Needs: nothing of the caller.
#![allow(unsafe_code, reason = "a system call that makes a descriptor")]

use super::sockopt;
use super::syscall::{fd_arg, nr, syscall};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

/// `SOL_SOCKET` (asm-generic/socket.h).
const SOL_SOCKET: i32 = 1;
/// `SO_NETNS_COOKIE` (asm-generic/socket.h, 5.14).
const SO_NETNS_COOKIE: i32 = 71;

/// `SIOCGSKNS` (linux/sockios.h, 4.10).
const SIOCGSKNS: usize = 0x894c;

/// Returns whether two sockets were made in one network namespace; `None` if the kernel does not
/// report it: before 5.14 it does so only with CAP_NET_ADMIN there.
pub(crate) fn is_shared(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Option<bool> {
    if let (Ok(one), Ok(other)) = (cookie(one), cookie(other)) {
        return Some(one == other);
    }
    let number =
        |socket| fstat(of_socket(socket).ok()?).ok().map(|stat| (stat.st_dev, stat.st_ino));
    Some(number(one)? == number(other)?)
}

/// `ioctl(socket, SIOCGSKNS)`: the network namespace that `socket` was made in. Needs CAP_NET_ADMIN
/// there.
pub(crate) fn of_socket(socket: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    // What the number means to a file is up to its file system.
    if FileType::from_raw_mode(fstat(socket)?.st_mode) != FileType::Socket {
        return Err(Errno::NOTSOCK);
    }
    let args = [fd_arg(socket), SIOCGSKNS, 0, 0, 0];
    // SAFETY: SIOCGSKNS takes no argument and touches no memory of this process.
    let raw = unsafe { syscall(nr::IOCTL, args) }?;
    let raw = i32::try_from(raw).map_err(|_| Errno::BADF)?;
    // SAFETY: on success the kernel made this descriptor for this call, close-on-exec: it has no
    // other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// `getsockopt(SO_NETNS_COOKIE)`: a number that no other network namespace has until the next boot
/// (5.14).
pub(crate) fn cookie(socket: BorrowedFd<'_>) -> Result<u64, Errno> {
    let mut cookie = 0_u64;
    sockopt::get(socket, SOL_SOCKET, SO_NETNS_COOKIE, &mut cookie)?;
    Ok(cookie)
}

/// `setns(namespace, CLONE_NEWNET)`: puts the calling thread into `namespace`. Needs CAP_SYS_ADMIN.
pub(crate) fn enter(namespace: BorrowedFd<'_>) -> Result<(), Errno> {
    move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))
}

#[cfg(feature = "test-util")]
pub(crate) use test_bed::*;

#[cfg(feature = "test-util")]
mod test_bed {
    use super::Errno;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use rustix::thread::{ThreadNameSpaceType, UnshareFlags};
    use rustix::thread::{move_into_thread_name_spaces, unshare_unsafe};
    use std::os::fd::AsFd;

    /// `PIDFD_THREAD` (linux/pidfd.h, 6.9), which is `O_EXCL` on x86-64 and aarch64.
    const PIDFD_THREAD: u32 = 0o200;

    /// `unshare(CLONE_NEWNET)`: puts the calling thread into a new network namespace.
    pub(crate) fn unshare() -> Result<(), Errno> {
        // SAFETY: only CLONE_FILES could take descriptors away from a thread, and it is not asked
        // for.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
    }

    /// `setns(pidfd_open(id), CLONE_NEWNET)`: puts the calling thread where the thread `id` is.
    ///
    /// A process's first thread since 5.8, any thread since 6.9.
    pub(crate) fn enter_that_of_thread(id: Pid) -> Result<(), Errno> {
        let thread = match pidfd_open(id, PidfdFlags::from_bits_retain(PIDFD_THREAD)) {
            Err(Errno::INVAL) => pidfd_open(id, PidfdFlags::empty())?,
            other => other?,
        };
        move_into_thread_name_spaces(thread.as_fd(), ThreadNameSpaceType::NETWORK)
    }
}
