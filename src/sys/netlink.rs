//! Netlink sockets: opened, written to, and read without ever cutting a datagram short.

use super::sockopt;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{
    bind, netlink, recvfrom, sendto, socket_with, sockopt::Timeout, sockopt::set_socket_timeout,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use xsk_uapi::netlink::{NETLINK_ADD_MEMBERSHIP, NETLINK_CAP_ACK, NETLINK_EXT_ACK, SOL_NETLINK};

/// The kernel replies inside `sendto`; a reply that has not come by then never will.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Which part of the kernel a socket talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `NETLINK_ROUTE`: interfaces.
    Route,
    /// `NETLINK_GENERIC`: families that are looked up by name.
    Generic,
    /// `NETLINK_SOCK_DIAG`: which sockets there are.
    SockDiag,
}

/// `socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family)`, bound, with extended and short acks.
pub(crate) fn open(family: Family) -> Result<OwnedFd, Errno> {
    open_as(family, 0)
}

/// As [`open`], bound to the address `number`; 0 has the kernel choose one. A network namespace has
/// each number of a family once.
///
/// # Errors
/// `EADDRINUSE` if a socket of the calling thread's namespace has it.
pub(crate) fn open_as(family: Family, number: u32) -> Result<OwnedFd, Errno> {
    let protocol: Option<Protocol> = match family {
        Family::Route => None,
        Family::Generic => Some(netlink::GENERIC),
        Family::SockDiag => Some(netlink::SOCK_DIAG),
    };
    let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    bind(&fd, &SocketAddrNetlink::new(number, 0))?;
    // Acks that do not echo the whole request (4.3), and that say in words what was wrong (4.12).
    // Both only make errors easier to read; a kernel without them works too.
    for option in [NETLINK_CAP_ACK, NETLINK_EXT_ACK] {
        match sockopt::set(fd.as_fd(), SOL_NETLINK, option, &1_i32) {
            Ok(()) | Err(Errno::NOPROTOOPT) => {}
            Err(errno) => return Err(errno),
        }
    }
    set_socket_timeout(&fd, Timeout::Recv, Some(REPLY_TIMEOUT))?;
    Ok(fd)
}

/// `sendto(fd, bytes, 0, {nl_pid: 0})`: the kernel has worked on the request when this returns.
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    let sent =
        retry_on_intr(|| sendto(fd, bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)))?;
    if sent == bytes.len() { Ok(()) } else { Err(Errno::MSGSIZE) }
}

/// `setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group)`: has the kernel send what it sends
/// to this group to the socket as well.
pub(crate) fn join(fd: BorrowedFd<'_>, group: u32) -> Result<(), Errno> {
    sockopt::set(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group)
}

/// As [`receive`], but does not wait: returns whether there was a datagram.
///
/// # Errors
/// `ENOBUFS`, once, if the kernel had to leave datagrams out, and the errors of `recvfrom(2)`.
pub(crate) fn try_receive(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> Result<bool, Errno> {
    match receive_with(fd, buffer, RecvFlags::DONTWAIT) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Reads the kernel's next datagram into `buffer`, which grows as needed, and cuts `buffer` to its
/// length.
///
/// What another process sent to this socket is thrown away.
///
/// # Errors
/// `ETIMEDOUT` if nothing comes, and the errors of `recvfrom(2)`.
pub(crate) fn receive(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    receive_with(fd, buffer, RecvFlags::empty()).map_err(timed_out)
}

fn receive_with(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>, flags: RecvFlags) -> Result<(), Errno> {
    // What the kernel's own dumps use at most; a smaller buffer makes it send smaller pieces.
    const USUAL: usize = 32 * 1024;
    buffer.resize(USUAL, 0);
    let flags = flags | RecvFlags::TRUNC;
    loop {
        let look = flags | RecvFlags::PEEK;
        let (_, whole, _) = retry_on_intr(|| recvfrom(fd, buffer.as_mut_slice(), look))?;
        if whole > buffer.len() {
            buffer.resize(whole, 0);
            continue;
        }
        let (got, whole, sender) = retry_on_intr(|| recvfrom(fd, buffer.as_mut_slice(), flags))?;
        if whole > got {
            // Another thread or process took the datagram that was looked at. This cannot happen to
            // a single owner.
            return Err(Errno::MSGSIZE);
        }
        let kernel = sender.and_then(|address| SocketAddrNetlink::try_from(address).ok());
        if kernel.is_some_and(|address| address.pid() == 0) {
            buffer.truncate(got);
            return Ok(());
        }
    }
}

fn timed_out(errno: Errno) -> Errno {
    if errno == Errno::AGAIN { Errno::TIMEDOUT } else { errno }
}

#[cfg(test)]
mod tests;
