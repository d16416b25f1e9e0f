//! Mappings that are unmapped when their owner is dropped.
//!
//! # Safety
//! Promises: a `Mapping` is mapped, readable and writable at `start` for `len` bytes until it is
//! dropped, and a child of `fork(2)` does not get it. Needs: a user of the pointer keeps the value
//! alive.
#![allow(unsafe_code, reason = "mmap, madvise and munmap")]

use crate::types::PageSize;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

/// A mapping that is unmapped when it is dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; what lies in it is its user's
// responsibility.
unsafe impl Send for Mapping {}
// SAFETY: as above: a shared reference gives the address and the length only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps anonymous private memory, zeroed, that a child of `fork(2)` does not get (invariant
    /// I13).
    pub(crate) fn anonymous(len: usize, pages: PageSize) -> Result<Self, Errno> {
        let size = match pages {
            PageSize::Normal => MapFlags::empty(),
            PageSize::Huge2M => MapFlags::HUGETLB | MapFlags::HUGE_2MB,
            PageSize::Huge1G => MapFlags::HUGETLB | MapFlags::HUGE_1GB,
        };
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe {
            rustix::mm::mmap_anonymous(
                core::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | size,
            )
        }?;
        Self::owned(start, len)
    }

    /// Maps a ring of an AF_XDP socket, shared: what is written into a private mapping never
    /// reaches the kernel.
    pub(crate) fn ring(fd: BorrowedFd<'_>, len: usize, offset: u64) -> Result<Self, Errno> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe {
            rustix::mm::mmap(
                core::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::POPULATE,
                fd,
                offset,
            )
        }?;
        Self::owned(start, len)
    }

    fn owned(start: *mut core::ffi::c_void, len: usize) -> Result<Self, Errno> {
        let mapping = Self { start: NonNull::new(start.cast()).ok_or(Errno::NOMEM)?, len };
        // SAFETY: the range is the mapping that was just made. DONTFORK changes nothing for this
        // process.
        unsafe { rustix::mm::madvise(start, len, Advice::LinuxDontFork) }?;
        Ok(mapping)
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this value's, and every holder of a pointer into it keeps this value
        // alive.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
