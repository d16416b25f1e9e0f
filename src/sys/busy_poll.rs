//! The socket options of busy polling.

use super::sockopt;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

/// `SOL_SOCKET` and the options (asm-generic/socket.h).
const SOL_SOCKET: i32 = 1;
const SO_BUSY_POLL: i32 = 46;
const SO_INCOMING_NAPI_ID: i32 = 56;
const SO_PREFER_BUSY_POLL: i32 = 69;
const SO_BUSY_POLL_BUDGET: i32 = 70;

/// `getsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, ...)`: microseconds.
pub(crate) fn time(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    get(fd, SO_BUSY_POLL)
}

/// `setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, ...)`: microseconds.
pub(crate) fn set_time(fd: BorrowedFd<'_>, microseconds: u32) -> Result<(), Errno> {
    sockopt::set(fd, SOL_SOCKET, SO_BUSY_POLL, &microseconds)
}

/// `getsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, ...)` (5.11)
pub(crate) fn preferred(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(get(fd, SO_PREFER_BUSY_POLL)? != 0)
}

/// `setsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, ...)` (5.11)
pub(crate) fn set_preferred(fd: BorrowedFd<'_>, preferred: bool) -> Result<(), Errno> {
    sockopt::set(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &u32::from(preferred))
}

/// `setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, ...)` (5.11): there is no `getsockopt` of it.
pub(crate) fn set_budget(fd: BorrowedFd<'_>, packets: u16) -> Result<(), Errno> {
    sockopt::set(fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &u32::from(packets))
}

/// `getsockopt(fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, ...)` (4.12): the NAPI instance that busy
/// polling polls, 0 for none.
pub(crate) fn napi_id(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    get(fd, SO_INCOMING_NAPI_ID)
}

fn get(fd: BorrowedFd<'_>, option: i32) -> Result<u32, Errno> {
    let mut value = 0_u32;
    sockopt::get(fd, SOL_SOCKET, option, &mut value)?;
    Ok(value)
}
