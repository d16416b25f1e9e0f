//! The least of a socket.

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use std::os::fd::OwnedFd;

/// A socket with an RX ring: enough for a slot (5.10).
pub(crate) fn rx_socket() -> OwnedFd {
    let socket =
        socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap();
    sockopt::set_xdp_rx_ring_size(&socket, 64).unwrap();
    socket
}
