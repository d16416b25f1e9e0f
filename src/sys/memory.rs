//! Mappings that are unmapped when their owner is dropped.
//!
//! # Safety
//! Promises: a `Mapping` is mapped and readable at `start` for `len` bytes until it is dropped, in
//! the process that made it; and writable, unless it was made for reading only. In a child of `fork(2)` it is memory of zeros of the
//! child's own, or not mapped; there, dropping it unmaps nothing else. Needs: a user of the pointer
//! keeps the value alive, and does not use it in a child.
#![allow(unsafe_code, reason = "mmap, madvise and munmap")]

use super::fork::Process;
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
    /// The process that has the mapping, if its children have a hole there, which anything may
    /// fill.
    only_in: Option<Process>,
}

// SAFETY: a mapping belongs to the process, not to a thread; what lies in it is its user's
// responsibility.
unsafe impl Send for Mapping {}
// SAFETY: as above: a shared reference gives the address and the length only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps anonymous private memory, zeroed. A child of `fork(2)` has zeros there (invariant I13);
    /// of huge pages, nothing.
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
        let mut mapping = Self::owned(start, len)?;
        // SAFETY: the range is the mapping that was just made. The advice changes nothing for this
        // process.
        match unsafe { rustix::mm::madvise(start, len, Advice::LinuxWipeOnFork) } {
            Ok(()) => Ok(mapping),
            // Huge pages, and kernels before 4.14.
            Err(Errno::INVAL) => {
                mapping.keep_from_children()?;
                Ok(mapping)
            }
            Err(errno) => Err(errno),
        }
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
        let mut mapping = Self::owned(start, len)?;
        mapping.keep_from_children()?;
        Ok(mapping)
    }

    /// Maps `len` bytes of the memory behind a descriptor from `offset` on, shared; for reading only
    /// unless `write`. A child of `fork(2)` has the mapping, too, and shares the same memory.
    pub(crate) fn shared(
        fd: BorrowedFd<'_>,
        len: usize,
        offset: u64,
        write: bool,
    ) -> Result<Self, Errno> {
        let mut rights = ProtFlags::READ;
        rights.set(ProtFlags::WRITE, write);
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe {
            rustix::mm::mmap(core::ptr::null_mut(), len, rights, MapFlags::SHARED, fd, offset)
        }?;
        Self::owned(start, len)
    }

    fn owned(start: *mut core::ffi::c_void, len: usize) -> Result<Self, Errno> {
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { start, len, only_in: None })
    }

    /// Keeps the mapping from children of `fork(2)`, which then have a hole there. (One that
    /// another thread makes before this call gets the mapping, until it calls `execve(2)`.)
    fn keep_from_children(&mut self) -> Result<(), Errno> {
        let start = self.start.as_ptr().cast();
        // SAFETY: the range is this value's. The advice changes nothing for this process.
        unsafe { rustix::mm::madvise(start, self.len, Advice::LinuxDontFork) }?;
        self.only_in = Some(Process::current());
        Ok(())
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
        if self.only_in.is_some_and(|process| process != Process::current()) {
            // A child has a hole there, or memory that something else has mapped since.
            return;
        }
        // SAFETY: the range is this value's, in this process (just checked, or wiped and not kept
        // from it), and every holder of a pointer into it keeps this value alive.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
