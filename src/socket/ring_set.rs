//! The rings of a socket: creates a ring, maps it, and locates its indices and entries in the
//! mapping.
#![allow(unsafe_code, reason = "a mapping becomes the memory of a ring")]

use super::SocketKind;
use crate::error::{Error, Result};
use crate::num::usize32;
use crate::ring::{AtomicU32, Memory, Parts, RingKind};
use crate::sys::memory::Mapping;
use crate::sys::xsk as sys;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use xsk_uapi::if_xdp as uapi;
use xsk_uapi::if_xdp::{xdp_mmap_offsets, xdp_ring_offset};

/// A value for each ring that a kind of socket has.
pub(super) struct RingSet<S: SocketKind, T> {
    pub(super) rx: S::Rx<T>,
    pub(super) tx: S::Tx<T>,
    pub(super) fill: T,
    pub(super) completion: T,
}

impl<S: SocketKind, T> RingSet<S, T> {
    /// Returns what `make` makes of each value, in the order RX, TX, fill, completion.
    pub(super) fn try_map<U>(self, mut make: impl FnMut(T) -> Result<U>) -> Result<RingSet<S, U>> {
        Ok(RingSet {
            rx: S::map_rx(self.rx, &mut make)?,
            tx: S::map_tx(self.tx, &mut make)?,
            fill: make(self.fill)?,
            completion: make(self.completion)?,
        })
    }
}

/// A ring to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RingSpec {
    pub(crate) kind: RingKind,
    pub(crate) entries: u32,
}

/// A ring that was made and mapped.
#[derive(Debug)]
pub(crate) struct MappedRing {
    kind: RingKind,
    mapping: Mapping,
    offsets: xdp_ring_offset,
    flags: Flags,
    entries: u32,
}

/// Where a ring's flags word is.
#[derive(Debug, Clone, Copy)]
enum Flags {
    /// In the ring; or, before 5.4, in padding that reads as no flag.
    InRing,
    /// In this process: before 5.4 the TX ring has none, and the kernel must be woken for every
    /// batch.
    AlwaysWake,
}

/// Stands for the flags word of a TX ring that has none.
static ALWAYS_WAKE: std::sync::atomic::AtomicU32 =
    std::sync::atomic::AtomicU32::new(uapi::XDP_RING_NEED_WAKEUP);

impl RingSpec {
    /// Creates the ring (`setsockopt(XDP_RX_RING)` and the like).
    pub(super) fn create(self, fd: BorrowedFd<'_>) -> Result<()> {
        let Self { kind: ring, entries } = self;
        let option = match ring {
            RingKind::Rx => uapi::XDP_RX_RING,
            RingKind::Tx => uapi::XDP_TX_RING,
            RingKind::Fill => uapi::XDP_UMEM_FILL_RING,
            RingKind::Completion => uapi::XDP_UMEM_COMPLETION_RING,
        };
        let failed = |errno| Error::CreateRing { ring, entries, errno };
        sys::create_ring(fd, option, entries).map_err(failed)
    }

    /// Maps the ring, which was created.
    pub(super) fn map(
        self,
        fd: BorrowedFd<'_>,
        offsets: &xdp_mmap_offsets,
        has_flags_word: bool,
    ) -> Result<MappedRing> {
        let page = match self.kind {
            RingKind::Rx => uapi::XDP_PGOFF_RX_RING,
            RingKind::Tx => uapi::XDP_PGOFF_TX_RING,
            RingKind::Fill => uapi::XDP_UMEM_PGOFF_FILL_RING,
            RingKind::Completion => uapi::XDP_UMEM_PGOFF_COMPLETION_RING,
        };
        let (offsets, len) = self.layout(offsets);
        let failed = |errno| Error::MapRing { ring: self.kind, bytes: len.unwrap_or(0), errno };
        let len = len.ok_or(failed(Errno::OVERFLOW))?;
        let mapping = sys::map_ring(fd, len, page).map_err(failed)?;
        Ok(self.mapped(mapping, offsets, has_flags_word))
    }

    /// Returns where this ring's parts are, and how long its mapping has to be; no length if that
    /// does not fit `usize`.
    pub(crate) fn layout(self, offsets: &xdp_mmap_offsets) -> (xdp_ring_offset, Option<usize>) {
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

    /// Returns the ring that lies in `mapping`.
    pub(crate) fn mapped(
        self,
        mapping: Mapping,
        offsets: xdp_ring_offset,
        has_flags_word: bool,
    ) -> MappedRing {
        let flags = match self.kind {
            RingKind::Tx if !has_flags_word => Flags::AlwaysWake,
            _ => Flags::InRing,
        };
        MappedRing { kind: self.kind, mapping, offsets, flags, entries: self.entries }
    }
}

impl MappedRing {
    /// Returns the ring's memory, and the mapping that has to be kept as long as it is used.
    ///
    /// # Errors
    /// [`Error::MapRing`] with `EINVAL` if a part of the ring is not in the mapping, or not
    /// aligned.
    pub(crate) fn memory<T: Copy>(self) -> Result<(Memory<T>, Mapping)> {
        let failed =
            Error::MapRing { ring: self.kind, bytes: self.mapping.len(), errno: Errno::INVAL };
        let parts = self.parts().ok_or(failed)?;
        // SAFETY: `parts` checked that each part lies in the mapping, aligned; the mapping is
        // returned, and kept by the `Inner` or the `BufferPool` that every half holds. This process
        // made the ring with a new descriptor and makes one half of it, once: `self` is consumed
        // (I11).
        let memory = unsafe { Memory::new(parts) };
        Ok((memory, self.mapping))
    }

    /// Returns the addresses of the ring's parts; `None` if one is not in the mapping, or not
    /// aligned.
    fn parts<T: Copy>(&self) -> Option<Parts<T>> {
        let at = |offset: u64, bytes: usize, align: usize| -> Option<NonNull<u8>> {
            let offset = usize::try_from(offset).ok()?;
            let end = offset.checked_add(bytes)?;
            // A mapping begins at a page: what is aligned in it is aligned.
            let aligned = offset.checked_rem(align) == Some(0);
            // SAFETY: `offset` is inside the mapping.
            (aligned && end <= self.mapping.len())
                .then(|| unsafe { self.mapping.start().add(offset) })
        };
        let index = |offset| at(offset, 4, 4).map(NonNull::cast::<AtomicU32>);
        let bytes = usize32(self.entries).checked_mul(size_of::<T>())?;
        let flags = match self.flags {
            Flags::InRing => index(self.offsets.flags)?,
            Flags::AlwaysWake => NonNull::from(&ALWAYS_WAKE).cast(),
        };
        Some(Parts {
            producer: index(self.offsets.producer)?,
            consumer: index(self.offsets.consumer)?,
            flags,
            entries: at(self.offsets.desc, bytes, align_of::<T>())?.cast(),
            size: self.entries,
        })
    }
}

#[cfg(test)]
mod tests;
