//! The shared memory of a ring: two indices, a flags word and the entries.

use super::Index;
use super::atomic::{AtomicU32, Ordering, fence};
use crate::num::usize32;
use std::ptr::NonNull;
use zerocopy::{FromBytes, IntoBytes};

/// `XDP_RING_NEED_WAKEUP` of `linux/if_xdp.h` (5.4).
const NEED_WAKEUP: u32 = xsk_uapi::if_xdp::XDP_RING_NEED_WAKEUP;

/// The shared memory of one ring, as plain pointers.
///
/// Entries are read and written through raw pointers only, never through references: the other side
/// writes to them (invariant I8).
#[derive(Debug)]
pub(crate) struct Memory<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries: NonNull<T>,
    size: u32,
    /// The size less one.
    mask: u32,
}

// SAFETY: the pointers go to memory that is shared by design; all access through this type is by
// atomics, or by the protocol of I8 that hands entries over with release and acquire.
unsafe impl<T: Send> Send for Memory<T> {}
// SAFETY: through a shared reference this type gives atomics, numbers and raw pointers only;
// what reads or writes an entry through such a pointer has the ring's half exclusively
// (`Consumer`, `Producer` and their guards, I8).
unsafe impl<T: Send> Sync for Memory<T> {}

/// The addresses of the parts of a ring.
#[derive(Debug)]
pub(crate) struct Parts<T> {
    pub(crate) producer: NonNull<AtomicU32>,
    pub(crate) consumer: NonNull<AtomicU32>,
    pub(crate) flags: NonNull<AtomicU32>,
    pub(crate) entries: NonNull<T>,
    pub(crate) size: u32,
}

impl<T: Copy> Memory<T> {
    /// Makes the ring at `parts`.
    ///
    /// # Safety
    /// All pointers are aligned and valid for reads and writes, `entries` for `size` values, as
    /// long as this value or a pointer from it is used; `size` is a power of two. The memory is
    /// reached by atomics or, for entries, by the ring protocol only; each side of the ring has one
    /// half only.
    pub(crate) unsafe fn new(parts: Parts<T>) -> Self {
        Self {
            producer: parts.producer,
            consumer: parts.consumer,
            flags: parts.flags,
            entries: parts.entries,
            size: parts.size,
            mask: parts.size.wrapping_sub(1),
        }
    }

    /// Returns the same ring with entries of another type, of the same size and alignment; any
    /// bytes are valid for both.
    pub(crate) fn cast<U: FromBytes + IntoBytes>(self) -> Memory<U>
    where
        T: FromBytes + IntoBytes,
    {
        const { assert!(size_of::<T>() == size_of::<U>() && align_of::<T>() == align_of::<U>()) };
        Memory {
            producer: self.producer,
            consumer: self.consumer,
            flags: self.flags,
            entries: self.entries.cast(),
            size: self.size,
            mask: self.mask,
        }
    }

    /// Returns the ring's number of entries.
    #[inline(always)]
    pub(crate) fn capacity(&self) -> u32 {
        self.size
    }

    #[inline(always)]
    pub(super) fn producer(&self) -> &AtomicU32 {
        // SAFETY: valid and aligned by the contract of `new`; only ever used as an atomic.
        unsafe { self.producer.as_ref() }
    }

    #[inline(always)]
    pub(super) fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as `producer`.
        unsafe { self.consumer.as_ref() }
    }

    #[inline(always)]
    fn flags(&self) -> &AtomicU32 {
        // SAFETY: as `producer`.
        unsafe { self.flags.as_ref() }
    }

    /// Returns whether the kernel sleeps on this ring until it is woken.
    ///
    /// The fence orders this side's store of the producer index before this load of the flags.
    /// Release on the store does not: it lets a later load pass. The kernel's side sets the flag,
    /// then reads the producer index once more; without a full fence between each side's store and
    /// load, both could read the old value, and an entry would lie in the ring with neither side
    /// awake to take it.
    #[inline]
    pub(crate) fn needs_wakeup(&self) -> bool {
        fence(Ordering::SeqCst);
        self.flags().load(Ordering::Relaxed) & NEED_WAKEUP != 0
    }

    /// Returns a pointer to the entry at `at`.
    #[inline(always)]
    pub(super) fn slot(&self, at: Index) -> *mut T {
        // SAFETY: a slot is below the size, so the result is inside the entries (contract of
        // `new`).
        unsafe { self.entries.as_ptr().add(usize32(at.slot(self.mask))) }
    }

    /// Returns how many entries from `from` on, `count` at the most, lie side by side before the
    /// ring's end.
    #[inline(always)]
    pub(super) fn run(&self, from: Index, count: u32) -> u32 {
        count.min(self.capacity().wrapping_sub(from.slot(self.mask)))
    }

    /// Returns a pointer to the first entry of the ring.
    #[inline(always)]
    pub(super) fn first(&self) -> *mut T {
        self.entries.as_ptr()
    }
}
