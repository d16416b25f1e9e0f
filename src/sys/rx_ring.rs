//! Whether an AF_XDP socket that somebody else set up has an RX ring.
#![allow(unsafe_code, reason = "a mapping is made and removed again")]

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::os::fd::BorrowedFd;

/// Tries to map the start of the RX ring (`XDP_PGOFF_RX_RING`, 0) of `socket`.
///
/// `Some(false)` if there is none; `None` if the kernel does not tell: a bound socket before 6.4, one whose
/// device has gone, or something else than an AF_XDP socket.
pub(crate) fn has_rx_ring(socket: BorrowedFd<'_>) -> Option<bool> {
    // Any length up to the ring's own, rounded up to pages, is taken, and every ring has a page.
    let len = 1;
    // SAFETY: the kernel chooses the address, so nothing that is mapped is touched; the new mapping is
    // read-only and never read.
    let mapped = unsafe {
        mmap(
            std::ptr::null_mut(),
            len,
            ProtFlags::READ,
            MapFlags::SHARED,
            socket,
            0,
        )
    };
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
