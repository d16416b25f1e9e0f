//! Registers packet memory for a socket.

use crate::error::{Error, Result};
use crate::num::{u32_of_count, u64_of};
use crate::sys::release::is_before;
use crate::sys::xsk as sys;
use crate::umem::Umem;
use crate::umem::geometry::TX_METADATA_LEN;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use xsk_uapi::if_xdp::{
    XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_TX_SW_CSUM, XDP_UMEM_UNALIGNED_CHUNK_FLAG, xdp_umem_reg,
};

/// Registers packet memory for a socket.
pub(super) fn register_memory(fd: BorrowedFd<'_>, umem: &Umem) -> Result<()> {
    let geometry = umem.geometry();
    let flag = |on, flag| if on { flag } else { 0 };
    let mut reg = xdp_umem_reg {
        addr: u64_of(umem.start().as_ptr().expose_provenance()),
        len: geometry.area(),
        chunk_size: umem.chunk_size(),
        headroom: umem.headroom(),
        flags: flag(geometry.is_unaligned(), XDP_UMEM_UNALIGNED_CHUNK_FLAG)
            | flag(geometry.has_tx_metadata(), XDP_UMEM_TX_METADATA_LEN)
            | flag(umem.has_software_checksum(), XDP_UMEM_TX_SW_CSUM),
        tx_metadata_len: flag(geometry.has_tx_metadata(), u32_of_count(TX_METADATA_LEN)),
    };
    let mut registered = sys::register_umem(fd, &reg);
    if registered == Err(Errno::INVAL) && geometry.has_tx_metadata() {
        // From 6.8 to 6.10 the kernel takes the length, and does not know the flag. Those before ignore
        // the length.
        if !knows_tx_metadata(umem)? {
            return Err(Error::NeedsKernel { feature: "TX metadata", version: "6.8" });
        }
        reg.flags &= !XDP_UMEM_TX_METADATA_LEN;
        registered = sys::register_umem(fd, &reg);
    }
    registered.map_err(|errno| match errno {
        Errno::INVAL if reg.flags != 0 && is_before(5, 4) => {
            Error::NeedsKernel { feature: "unaligned chunks", version: "5.4" }
        }
        errno => Error::RegisterUmem {
            bytes: reg.len,
            chunk_size: reg.chunk_size,
            headroom: reg.headroom,
            memlock: rustix::process::getrlimit(rustix::process::Resource::Memlock).current,
            errno,
        },
    })
}

/// Returns whether the kernel has TX metadata: it takes a flag that came with it, for a page of the
/// memory and a socket of its own.
fn knows_tx_metadata(umem: &Umem) -> Result<bool> {
    let reg = xdp_umem_reg {
        addr: u64_of(umem.start().as_ptr().expose_provenance()),
        len: u64_of(rustix::param::page_size()),
        chunk_size: 2048,
        flags: XDP_UMEM_TX_SW_CSUM,
        ..xdp_umem_reg::default()
    };
    let probe = match sys::socket() {
        Ok(probe) => probe,
        // A process that got its socket from another one: the version has to do.
        Err(Errno::PERM) => return Ok(!is_before(6, 8)),
        Err(errno) => return Err(Error::CreateSocket { errno }),
    };
    Ok(sys::register_umem(probe.as_fd(), &reg) != Err(Errno::INVAL))
}
