//! Packet sockets, which have a device receive more than the packets to its own address.

use super::sockopt;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::os::fd::{BorrowedFd, OwnedFd};
use xsk_uapi::if_packet::{PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP, SOL_PACKET, packet_mreq};

/// `socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)`: a packet socket that receives nothing itself.
/// Needs CAP_NET_RAW.
pub(crate) fn open() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)
}

/// `setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, 16)`: until the socket is closed.
pub(crate) fn add(fd: BorrowedFd<'_>, request: &packet_mreq) -> Result<(), Errno> {
    sockopt::set(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
}

/// `setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, request, 16)`
pub(crate) fn remove(fd: BorrowedFd<'_>, request: &packet_mreq) -> Result<(), Errno> {
    sockopt::set(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, request)
}
