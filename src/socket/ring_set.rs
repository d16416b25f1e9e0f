//! A ring of a socket: made, mapped, and found in its mapping.

use crate::error::{Error, Result};
use crate::ring::{AtomicU32, Memory, Parts, RingKind};
use crate::sys::memory::Mapping;
use crate::sys::xsk as sys;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use xsk_uapi::if_xdp as uapi;
use xsk_uapi::if_xdp::{xdp_mmap_offsets, xdp_ring_offset};

/// A ring to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct RingSpec {
    pub(super) kind: RingKind,
    pub(super) entries: u32,
}

/// A ring that was made and mapped.
#[derive(Debug)]
pub(super) struct MappedRing {
    pub(super) mapping: Mapping,
    offsets: xdp_ring_offset,
    flags: Flags,
    entries: u32,
}

/// Where a ring's flags word is.
#[derive(Debug, Clone, Copy)]
enum Flags {
    /// In the ring; or, before 5.4, in padding that reads as no flag.
    InRing,
    /// A word of ours: before 5.4 the TX ring has none, and the kernel must be called for every batch.
    AlwaysWake,
}

/// Stands for the flags word of a TX ring that has none.
static ALWAYS_WAKE: std::sync::atomic::AtomicU32 =
    std::sync::atomic::AtomicU32::new(uapi::XDP_RING_NEED_WAKEUP);

impl RingSpec {
    pub(super) fn create(self, fd: BorrowedFd<'_>) -> Result<()> {
        let Self { kind: ring, entries } = self;
        let option = match ring {
            RingKind::Rx => uapi::XDP_RX_RING,
            RingKind::Tx => uapi::XDP_TX_RING,
            RingKind::Fill => uapi::XDP_UMEM_FILL_RING,
            RingKind::Completion => uapi::XDP_UMEM_COMPLETION_RING,
        };
        sys::create_ring(fd, option, entries).map_err(|errno| Error::CreateRing {
            ring,
            entries,
            errno,
        })
    }

    pub(super) fn map(
        self,
        fd: BorrowedFd<'_>,
        offsets: &xdp_mmap_offsets,
        flags_word: bool,
    ) -> Result<MappedRing> {
        let page = match self.kind {
            RingKind::Rx => uapi::XDP_PGOFF_RX_RING,
            RingKind::Tx => uapi::XDP_PGOFF_TX_RING,
            RingKind::Fill => uapi::XDP_UMEM_PGOFF_FILL_RING,
            RingKind::Completion => uapi::XDP_UMEM_PGOFF_COMPLETION_RING,
        };
        let (offsets, len) = self.measure(offsets);
        let failed = |errno| Error::MapRing { ring: self.kind, bytes: len.unwrap_or(0), errno };
        let len = len.ok_or(failed(Errno::OVERFLOW))?;
        let mapping = sys::map_ring(fd, len, page).map_err(failed)?;
        Ok(self.found(mapping, offsets, flags_word))
    }

    /// Where this ring's parts are, and how long its mapping has to be; no length if the end of that is out of reach.
    pub(super) fn measure(self, offsets: &xdp_mmap_offsets) -> (xdp_ring_offset, Option<usize>) {
        let (offsets, entry) = match self.kind {
            RingKind::Rx => (offsets.rx, 16),
            RingKind::Tx => (offsets.tx, 16),
            RingKind::Fill => (offsets.fr, 8),
            RingKind::Completion => (offsets.cr, 8),
        };
        let len = u64::from(self.entries)
            .checked_mul(entry)
            .and_then(|bytes| bytes.checked_add(offsets.desc))
            .and_then(|bytes| usize::try_from(bytes).ok());
        (offsets, len)
    }

    pub(super) fn found(
        self,
        mapping: Mapping,
        offsets: xdp_ring_offset,
        flags_word: bool,
    ) -> MappedRing {
        MappedRing {
            mapping,
            offsets,
            flags: match self.kind {
                RingKind::Tx if !flags_word => Flags::AlwaysWake,
                _ => Flags::InRing,
            },
            entries: self.entries,
        }
    }
}

impl MappedRing {
    /// The ring as raw memory; `None` if the kernel's offsets do not lie in the mapping.
    #[expect(unsafe_code, reason = "the ring is raw memory")]
    fn memory<T: Copy>(&self) -> Option<Memory<T>> {
        let at = |offset: u64, bytes: usize, align: usize| {
            let offset = usize::try_from(offset).ok()?;
            let end = offset.checked_add(bytes)?;
            let aligned = offset & align.wrapping_sub(1) == 0;
            // SAFETY: `offset` is inside the mapping.
            (aligned && end <= self.mapping.len())
                .then(|| unsafe { self.mapping.start().add(offset) })
        };
        let index = |offset| at(offset, 4, 4).map(NonNull::cast::<AtomicU32>);
        let bytes = crate::num::usize32(self.entries).checked_mul(size_of::<T>())?;
        let flags = match self.flags {
            Flags::InRing => index(self.offsets.flags)?,
            Flags::AlwaysWake => NonNull::from(&ALWAYS_WAKE).cast(),
        };
        let parts = Parts {
            producer: index(self.offsets.producer)?,
            consumer: index(self.offsets.consumer)?,
            flags,
            entries: at(self.offsets.desc, bytes, align_of::<T>())?.cast(),
            size: self.entries,
        };
        // SAFETY: `at` checked that each part lies in the mapping, aligned; the mapping is kept by the
        // `Inner` that every half holds. This process made the ring with a virgin descriptor and makes
        // one half of it, here, once (I11).
        Some(unsafe { Memory::new(parts) })
    }
}

/// The memory of a ring, if the socket has the ring.
pub(super) fn memory<T: Copy>(
    map: &Option<MappedRing>,
    ring: RingKind,
) -> Result<Option<Memory<T>>> {
    let Some(map) = map else { return Ok(None) };
    let failed = Error::MapRing { ring, bytes: map.mapping.len(), errno: Errno::INVAL };
    map.memory().map(Some).ok_or(failed)
}

#[cfg(test)]
mod tests;
