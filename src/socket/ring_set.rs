//! The rings of a socket: creates a ring, maps it, locates its indices and entries in the mapping,
//! and makes this process's half of it.
#![allow(unsafe_code, reason = "a mapping becomes the memory of a ring")]

use super::backend::Backend;
use super::buffer_pool::BufferPool;
use super::inner::Inner;
use super::sealed::Sides;
use super::{Completion, Fill, Rx, SocketKind, Tx};
use crate::error::{Error, Result};
use crate::num::usize32;
use crate::ring::{AtomicU32, Memory, Parts, RingKind};
use crate::sys::memory::Mapping;
use crate::sys::xsk as sys;
use crate::umem::Umem;
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use xsk_uapi::if_xdp as uapi;
use xsk_uapi::if_xdp::{xdp_desc, xdp_mmap_offsets, xdp_ring_offset};
use zerocopy::{FromBytes, IntoBytes};

/// A value for the RX and the TX ring, as far as a kind of socket has them.
pub(super) struct RingPair<S: Sides, T> {
    pub(super) rx: S::Rx<T>,
    pub(super) tx: S::Tx<T>,
}

impl<S: Sides, T> RingPair<S, T> {
    /// Returns what `make` makes of each value, in the order RX, TX.
    pub(super) fn try_map<U>(self, mut make: impl FnMut(T) -> Result<U>) -> Result<RingPair<S, U>> {
        Ok(RingPair { rx: S::map_rx(self.rx, &mut make)?, tx: S::map_tx(self.tx, &mut make)? })
    }
}

/// The RX and the TX half of a socket, and what they share.
pub(super) struct HalfPair<S: Sides, R> {
    pub(super) rx: S::Rx<R>,
    pub(super) tx: S::Tx<Tx>,
    pub(super) inner: Arc<Inner>,
}

impl<S: Sides> RingPair<S, MappedRing> {
    /// Makes this process's half of each ring of the socket `fd`, which receives into and sends from
    /// `pool`, by `make_rx` and `make_tx`.
    pub(super) fn into_halves<R>(
        self,
        fd: OwnedFd,
        pool: Arc<BufferPool>,
        make_rx: impl FnOnce(Memory<xdp_desc>, Arc<Inner>) -> R,
        make_tx: impl FnOnce(Memory<xdp_desc>, Arc<Inner>) -> Tx,
    ) -> Result<HalfPair<S, R>> {
        let mut mappings = Vec::new();
        let rx = S::map_rx(self.rx, |ring| {
            // SAFETY: the mapping goes to the `Inner` that the half keeps. The ring was made with a
            // new descriptor and mapped once (`RingSpec::map`), and this is its one half (I11).
            let (memory, mapping) = unsafe { ring.memory() }?;
            mappings.push(mapping);
            Ok(memory)
        })?;
        let tx = S::map_tx(self.tx, |ring| {
            // SAFETY: as for the RX ring.
            let (memory, mapping) = unsafe { ring.memory() }?;
            mappings.push(mapping);
            Ok(memory)
        })?;
        let inner = Arc::new(Inner::new(Backend::Kernel { fd, _rings: mappings }, pool));
        Ok(HalfPair {
            rx: S::map_rx(rx, |memory| Ok(make_rx(memory, Arc::clone(&inner))))?,
            tx: S::map_tx(tx, |memory| Ok(make_tx(memory, Arc::clone(&inner))))?,
            inner,
        })
    }
}

/// A value for each ring that a kind of socket has.
pub(super) struct RingSet<S: SocketKind, T> {
    pub(super) pair: RingPair<S, T>,
    pub(super) fill: T,
    pub(super) completion: T,
}

impl<S: SocketKind, T> RingSet<S, T> {
    /// Returns what `make` makes of each value, in the order RX, TX, fill, completion.
    pub(super) fn try_map<U>(self, mut make: impl FnMut(T) -> Result<U>) -> Result<RingSet<S, U>> {
        Ok(RingSet {
            pair: self.pair.try_map(&mut make)?,
            fill: make(self.fill)?,
            completion: make(self.completion)?,
        })
    }
}

/// The parts of a socket that are its rings, and what they share.
pub(super) struct Halves<S: SocketKind> {
    pub(super) pair: HalfPair<S, Rx>,
    pub(super) fill: Fill,
    pub(super) completion: Completion,
}

impl<S: SocketKind> RingSet<S, MappedRing> {
    /// Makes this process's half of each ring of the socket `fd`, and what keeps them mapped.
    pub(super) fn into_halves(self, fd: OwnedFd, umem: Umem) -> Result<Halves<S>> {
        // SAFETY: the mapping goes to the `BufferPool` that `Inner` keeps, which the half keeps.
        // The ring was made here, which the kernel does once for a socket, and mapped once
        // (`RingSpec::map`): this is its one half (I11).
        let (fill, fill_mapping) = unsafe { self.fill.memory() }?;
        // SAFETY: as for the fill ring.
        let (completion, completion_mapping) = unsafe { self.completion.memory() }?;
        let pool =
            Arc::new(BufferPool::new(umem, [fill_mapping, completion_mapping], S::MULTI_BUFFER));
        let pair = self.pair.into_halves(fd, pool, Rx::new, Tx::new)?;
        Ok(Halves {
            fill: Fill::new(fill, Arc::clone(&pair.inner)),
            completion: Completion::new(completion, Arc::clone(&pair.inner)),
            pair,
        })
    }
}

/// A ring to be made, once: a second mapping of the same ring would be a second half of it.
#[derive(Debug)]
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
    pub(super) fn create(&self, fd: BorrowedFd<'_>) -> Result<()> {
        let Self { kind: ring, entries } = *self;
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
    pub(crate) fn layout(&self, offsets: &xdp_mmap_offsets) -> (xdp_ring_offset, Option<usize>) {
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
    /// Returns the ring's memory, and the mapping that it lies in.
    ///
    /// # Errors
    /// [`Error::MapRing`] with `EINVAL` if a part of the ring is not in the mapping or not aligned, or
    /// if its number of entries is no power of two.
    ///
    /// # Safety
    /// The mapping must be kept as long as the memory, or a pointer from it, is used. Nothing else in
    /// this process may use this side of the ring.
    pub(crate) unsafe fn memory<T>(self) -> Result<(Memory<T>, Mapping)>
    where
        T: Copy + FromBytes + IntoBytes,
    {
        let failed =
            Error::MapRing { ring: self.kind, bytes: self.mapping.len(), errno: Errno::INVAL };
        let parts = self.parts().ok_or(failed)?;
        // SAFETY: `parts` checked that the number of entries is a power of two, and that each part
        // lies in the mapping, aligned; any bytes are a valid `T`. The mapping is kept, and this is
        // the only half of its side, by the caller's contract.
        let memory = unsafe { Memory::new(parts) };
        Ok((memory, self.mapping))
    }

    /// Returns the addresses of the ring's parts; `None` if one is not in the mapping, or not
    /// aligned.
    fn parts<T>(&self) -> Option<Parts<T>> {
        if !self.entries.is_power_of_two() {
            return None;
        }
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
