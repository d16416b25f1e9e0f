//! The system calls of an AF_XDP socket.
//!
//! # Safety
//! Promises: the only mapping made here directly is read-only, never read, and removed at once.
//! Needs: nothing of the caller.
#![allow(unsafe_code, reason = "a mapping is made and removed again")]

use super::memory::Mapping;
use super::sockopt;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, xdp};
use std::os::fd::{BorrowedFd, OwnedFd};
use xsk_uapi::if_xdp as uapi;
use zerocopy::FromZeros;

/// `socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)`
pub(crate) fn socket() -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None)
}

/// `setsockopt(fd, SOL_XDP, XDP_UMEM_REG, reg, 32)`: always the full length, whose tail older
/// kernels ignore; a shorter one makes newer kernels drop the flags.
pub(crate) fn register_umem(fd: BorrowedFd<'_>, reg: &uapi::xdp_umem_reg) -> Result<(), Errno> {
    sockopt::set(fd, uapi::SOL_XDP, uapi::XDP_UMEM_REG, reg)
}

/// `setsockopt(fd, SOL_XDP, XDP_RX_RING | XDP_TX_RING | ..., &entries, 4)`
pub(crate) fn create_ring(fd: BorrowedFd<'_>, option: i32, entries: u32) -> Result<(), Errno> {
    sockopt::set(fd, uapi::SOL_XDP, option, &entries)
}

/// `getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len)`; also whether the rings have a flags
/// word: whether the kernel knows need-wakeup (5.4).
pub(crate) fn mmap_offsets(fd: BorrowedFd<'_>) -> Result<(uapi::xdp_mmap_offsets, bool), Errno> {
    let mut offsets = uapi::xdp_mmap_offsets::new_zeroed();
    let len = sockopt::get(fd, uapi::SOL_XDP, uapi::XDP_MMAP_OFFSETS, &mut offsets)?;
    let flags_word = len == size_of_val(&offsets);
    offsets_of(&offsets, len).map(|offsets| (offsets, flags_word)).ok_or(Errno::INVAL)
}

/// Returns the offsets in a reply of `len` bytes.
pub(crate) fn offsets_of(
    reply: &uapi::xdp_mmap_offsets,
    len: usize,
) -> Option<uapi::xdp_mmap_offsets> {
    use zerocopy::{FromBytes, IntoBytes};
    if len == size_of::<uapi::xdp_mmap_offsets>() {
        return Some(*reply);
    }
    if len != size_of::<uapi::xdp_mmap_offsets_v1>() {
        return None;
    }
    let (old, _) = uapi::xdp_mmap_offsets_v1::read_from_prefix(reply.as_bytes()).ok()?;
    // Before 5.4 there was no flags word; the one that always reads as 0 is behind the consumer
    // index.
    let ring = |v1: uapi::xdp_ring_offset_v1| {
        let flags = v1.consumer.checked_add(4)?;
        let (producer, consumer, desc) = (v1.producer, v1.consumer, v1.desc);
        Some(uapi::xdp_ring_offset { producer, consumer, desc, flags })
    };
    Some(uapi::xdp_mmap_offsets {
        rx: ring(old.rx)?,
        tx: ring(old.tx)?,
        fr: ring(old.fr)?,
        cr: ring(old.cr)?,
    })
}

/// `mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset)`
pub(crate) fn map_ring(fd: BorrowedFd<'_>, len: usize, offset: u64) -> Result<Mapping, Errno> {
    Mapping::ring(fd, len, offset)
}

/// `bind(fd, &sockaddr_xdp, 16)`
pub(crate) fn bind(fd: BorrowedFd<'_>, flags: u16, index: u32, queue: u32) -> Result<(), Errno> {
    let flags = xdp::SocketAddrXdpFlags::from_bits_retain(flags);
    rustix::net::bind(fd, &xdp::SocketAddrXdp::new(flags, index, queue))
}

/// `bind(fd, &sockaddr_xdp, 16)` with `XDP_SHARED_UMEM`: over the packet memory of `other`, a bound
/// socket.
pub(crate) fn bind_shared(
    fd: BorrowedFd<'_>,
    index: u32,
    queue: u32,
    other: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let flags = xdp::SocketAddrXdpFlags::from_bits_retain(uapi::XDP_SHARED_UMEM);
    let addr = xdp::SocketAddrXdp::new(flags, index, queue);
    let addr = xdp::SocketAddrXdpWithSharedUmem { addr, shared_umem_fd: other };
    rustix::net::bind(fd, &addr)
}

/// `getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &len)`: the flags in use.
pub(crate) fn options(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut options = uapi::xdp_options::new_zeroed();
    sockopt::get(fd, uapi::SOL_XDP, uapi::XDP_OPTIONS, &mut options)?;
    Ok(options.flags)
}

/// `getsockopt(fd, SOL_XDP, XDP_STATISTICS, &statistics, &len)`: the counters, and how many bytes
/// of them the kernel has.
pub(crate) fn statistics(fd: BorrowedFd<'_>) -> Result<(uapi::xdp_statistics, usize), Errno> {
    let mut statistics = uapi::xdp_statistics::new_zeroed();
    let len = sockopt::get(fd, uapi::SOL_XDP, uapi::XDP_STATISTICS, &mut statistics)?;
    Ok((statistics, len))
}

/// `setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, 4)` (6.17)
pub(crate) fn set_tx_budget(fd: BorrowedFd<'_>, budget: u32) -> Result<(), Errno> {
    sockopt::set(fd, uapi::SOL_XDP, uapi::XDP_MAX_TX_SKB_BUDGET, &budget)
}

/// `sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0)`
pub(crate) fn wake_tx(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::net::send(fd, &[], SendFlags::DONTWAIT).map(drop)
}

/// `recvfrom(fd, NULL, 0, MSG_DONTWAIT, NULL, NULL)`; before 5.11, where AF_XDP sockets have no
/// such call, `poll(2)`, which wakes the driver as well (`xsk_poll`, net/xdp/xsk.c).
pub(crate) fn wake_rx(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut nothing = [0_u8; 0];
    match rustix::net::recv(fd, &mut nothing[..], RecvFlags::DONTWAIT) {
        Err(Errno::OPNOTSUPP) => {
            let mut sockets = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            rustix::event::poll(&mut sockets, Some(&at_once)).map(drop)
        }
        result => result.map(drop),
    }
}

/// `SOL_SOCKET` and `SO_DOMAIN` (asm-generic/socket.h).
const SOL_SOCKET: i32 = 1;
const SO_DOMAIN: i32 = 39;
/// `AF_XDP` (linux/socket.h).
const AF_XDP: i32 = 44;

/// What a descriptor is, as far as making a socket of it is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketState {
    /// An AF_XDP socket that was opened, and no more.
    Fresh,
    /// An AF_XDP socket that has packet memory or a ring, or was bound.
    Used,
    /// Something else.
    NoXdpSocket,
}

/// Returns what `fd` is. It is not changed.
///
/// What has memory, or was bound, refuses to register some: `setsockopt(XDP_UMEM_REG)` looks at
/// that first (`xsk_setsockopt`, net/xdp/xsk.c). The memory offered here has chunks of no bytes,
/// which every kernel refuses afterwards. And a ring that is there can be mapped.
pub(crate) fn state(fd: BorrowedFd<'_>) -> Result<SocketState, Errno> {
    let mut domain = 0_i32;
    match sockopt::get(fd, SOL_SOCKET, SO_DOMAIN, &mut domain) {
        Ok(_) if domain == AF_XDP => {}
        Ok(_) | Err(Errno::NOTSOCK) => return Ok(SocketState::NoXdpSocket),
        Err(errno) => return Err(errno),
    }
    match register_umem(fd, &uapi::xdp_umem_reg::default()) {
        Err(Errno::INVAL) => {}
        Ok(()) | Err(Errno::BUSY) => return Ok(SocketState::Used),
        Err(errno) => return Err(errno),
    }
    let rings = [
        uapi::XDP_PGOFF_RX_RING,
        uapi::XDP_PGOFF_TX_RING,
        uapi::XDP_UMEM_PGOFF_FILL_RING,
        uapi::XDP_UMEM_PGOFF_COMPLETION_RING,
    ];
    for ring in rings {
        match try_to_map(fd, ring) {
            Err(Errno::INVAL) => {}
            Ok(()) | Err(Errno::BUSY) => return Ok(SocketState::Used),
            Err(errno) => return Err(errno),
        }
    }
    Ok(SocketState::Fresh)
}

/// Whether a socket has an RX ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RxRing {
    /// It has.
    Present,
    /// It has not.
    Absent,
    /// Its interface is down: kernels from 5.11 to 6.3 do not report it now.
    LinkDown,
    /// The kernel does not report it: of a bound socket before 5.11, and of one whose interface is
    /// gone; or it is something else than an AF_XDP socket.
    Unreported,
}

/// Returns whether `socket` has an RX ring.
pub(crate) fn rx_ring(socket: BorrowedFd<'_>) -> RxRing {
    match by_mapping(socket) {
        RxRing::Unreported => by_receiving(socket),
        known => known,
    }
}

/// Returns whether `socket` has an RX ring and is not bound; before 6.4, where a bound socket's rings
/// cannot be mapped.
pub(crate) fn is_unbound_before_6_4(socket: BorrowedFd<'_>) -> bool {
    by_mapping(socket) == RxRing::Present
}

/// Tries to map the start of the RX ring. Of a bound socket since 6.4.
fn by_mapping(socket: BorrowedFd<'_>) -> RxRing {
    match try_to_map(socket, uapi::XDP_PGOFF_RX_RING) {
        Ok(()) => RxRing::Present,
        Err(Errno::INVAL) => RxRing::Absent,
        Err(_) => RxRing::Unreported,
    }
}

/// Maps the start of a ring of `socket` and unmaps it again; `EINVAL` if it has no such ring.
fn try_to_map(socket: BorrowedFd<'_>, ring: u64) -> Result<(), Errno> {
    // Any length up to the ring's own, rounded up to pages, is taken, and every ring has a page.
    let len = 1;
    // SAFETY: the kernel chooses the address, so nothing that is mapped is touched; the new mapping
    // is read-only and never read.
    let address = unsafe {
        mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, socket, ring)
    }?;
    // SAFETY: `address` and `len` are those of the mapping just made, to which no reference exists.
    let unmapped = unsafe { munmap(address, len) };
    debug_assert!(unmapped.is_ok());
    Ok(())
}

/// Asks a bound socket for packets, of which it never has any to give this way (5.11).
///
/// `xsk_recvmsg` (net/xdp/xsk.c) checks whether the socket is bound, whether the interface is up
/// (`ENETDOWN`), whether there is an RX ring (`ENOBUFS`), and whether it is to wait, which it
/// refuses. So it is asked to wait, and never does: without that it would wake the driver. Before
/// 5.11 every AF_XDP socket refuses at once.
fn by_receiving(socket: BorrowedFd<'_>) -> RxRing {
    let mut domain = 0_i32;
    // Any other socket might wait.
    if sockopt::get(socket, SOL_SOCKET, SO_DOMAIN, &mut domain) != Ok(size_of::<i32>())
        || domain != AF_XDP
    {
        return RxRing::Unreported;
    }
    match recv(socket, &mut [0_u8; 0], RecvFlags::empty()) {
        // A socket with O_NONBLOCK does not refuse. A refusal could be one for good, before 5.11.
        Ok(_) => RxRing::Present,
        Err(Errno::NOBUFS) => RxRing::Absent,
        Err(Errno::NETDOWN) => RxRing::LinkDown,
        Err(_) => RxRing::Unreported,
    }
}

#[cfg(test)]
mod tests;
