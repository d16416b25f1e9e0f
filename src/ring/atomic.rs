//! What both sides of a ring share: the processor's atomics and plain entries, or loom's atomics
//! and entries that loom watches when it checks the same code.
//!
//! Only this crate's own unit tests have loom in them: with `--cfg loom`, which a user sets to
//! check code of theirs, the library stays what it is. Indices in the kernel's memory can be
//! nothing but plain ones.

#[cfg(not(all(test, loom)))]
pub(crate) use core::sync::atomic::{AtomicU32, Ordering, fence};
#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicU32, Ordering, fence};

/// Reads an entry.
///
/// # Safety
/// As `pointer::read`.
#[inline(always)]
pub(super) unsafe fn read_entry<T: Copy>(at: *const T) -> T {
    #[cfg(all(test, loom))]
    super::tests::watch_read(at.addr());
    // SAFETY: the caller's contract is that of `read`.
    unsafe { at.read() }
}

/// Writes an entry.
///
/// # Safety
/// As `pointer::write`.
#[inline(always)]
pub(super) unsafe fn write_entry<T: Copy>(at: *mut T, entry: T) {
    #[cfg(all(test, loom))]
    super::tests::watch_write(at.addr());
    // SAFETY: the caller's contract is that of `write`.
    unsafe { at.write(entry) };
}
