//! Whether an AF_XDP socket that somebody else set up has an RX ring.
#![allow(unsafe_code, reason = "a mapping is made and removed again")]

use super::sockopt;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::net::{RecvFlags, recv};
use std::os::fd::BorrowedFd;

/// `SOL_SOCKET` and `SO_DOMAIN` (asm-generic/socket.h).
const SOL_SOCKET: i32 = 1;
const SO_DOMAIN: i32 = 39;
/// `AF_XDP` (linux/socket.h).
const AF_XDP: i32 = 44;

/// Whether `socket` has an RX ring.
///
/// `None` if the kernel does not tell: of a bound socket before 5.11, and before 6.4 of one whose interface is
/// down or gone; or if it is something else than an AF_XDP socket.
pub(crate) fn has_rx_ring(socket: BorrowedFd<'_>) -> Option<bool> {
    by_mapping(socket).or_else(|| by_receiving(socket))
}

/// Tries to map the start of the RX ring (`XDP_PGOFF_RX_RING`, 0) of `socket`. Of a bound socket since 6.4.
fn by_mapping(socket: BorrowedFd<'_>) -> Option<bool> {
    // Any length up to the ring's own, rounded up to pages, is taken, and every ring has a page.
    let len = 1;
    // SAFETY: the kernel chooses the address, so nothing that is mapped is touched; the new mapping is
    // read-only and never read.
    let mapped =
        unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, socket, 0) };
    match mapped {
        Ok(address) => {
            // SAFETY: `address` and `len` are those of the mapping just made, to which no reference exists.
            let unmapped = unsafe { munmap(address, len) };
            debug_assert!(unmapped.is_ok());
            Some(true)
        }
        Err(Errno::INVAL) => Some(false),
        Err(_) => None,
    }
}

/// Asks a bound socket for packets, of which it never has any to give this way (5.11).
///
/// `xsk_recvmsg` (net/xdp/xsk.c) looks whether the socket is bound, whether the interface is up, whether there is an RX
/// ring (`ENOBUFS`), and whether it is to wait, which it refuses. So it is asked to wait, and never does: without
/// that it would wake the driver. Before 5.11 every AF_XDP socket refuses at once.
fn by_receiving(socket: BorrowedFd<'_>) -> Option<bool> {
    let mut domain = 0_i32;
    // Any other socket might wait.
    if sockopt::get(socket, SOL_SOCKET, SO_DOMAIN, &mut domain) != Ok(size_of::<i32>())
        || domain != AF_XDP
    {
        return None;
    }
    match recv(socket, &mut [0_u8; 0], RecvFlags::empty()) {
        // A socket with O_NONBLOCK does not refuse. A refusal could be one for good, before 5.11.
        Ok(_) => Some(true),
        Err(Errno::NOBUFS) => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests;
