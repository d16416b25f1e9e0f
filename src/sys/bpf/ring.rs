//! The memory of a ring buffer: positions, and records behind headers of eight bytes.

use super::map::MapFd;
use super::mapped::copy_words;
use crate::num::{u64_of, usize_of_offset, usize32};
use crate::sys::memory::Mapping;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// A ring buffer, mapped into this process: the reader's position for writing, all else for reading.
///
/// Invariant: `size` is a power of two; `consumer` has eight bytes at least; `rest` has a page with
/// the kernel's position and `size` bytes of records twice, one after the other, so that a record
/// that goes on at the beginning lies in one piece. All is aligned to pages.
#[derive(Debug)]
pub(crate) struct RingMemory {
    consumer: Mapping,
    rest: Mapping,
    page: usize,
    size: usize,
}

impl RingMemory {
    /// `mmap(2)` of both parts of a ring buffer of `size` bytes, as `ringbuf_map_mmap_kern` of
    /// kernel/bpf/ringbuf.c lays them out.
    pub(crate) fn map(map: &MapFd, size: u32) -> Result<Self, Errno> {
        let (page, size) = (rustix::param::page_size(), usize32(size));
        if !size.is_power_of_two() || size.checked_rem(page) != Some(0) {
            return Err(Errno::INVAL);
        }
        let consumer = Mapping::shared(map.as_fd(), page, 0, true)?;
        let len = size.checked_mul(2).and_then(|twice| twice.checked_add(page));
        let len = len.ok_or(Errno::OVERFLOW)?;
        let rest = Mapping::shared(map.as_fd(), len, u64_of(page), false)?;
        Ok(Self { consumer, rest, page, size })
    }

    /// The reader's position, which lies alone in its page: on 32-bit kernels, too, it may be used
    /// with 64 bits.
    fn consumer_word(&self) -> &AtomicU64 {
        let word = self.consumer.start().as_ptr().cast::<u64>();
        // SAFETY: the mapping has eight bytes, aligned to a page, and lives as long as `self`, by the
        // invariant. The kernel reads the word, so it is only used as an atomic (invariant I8).
        unsafe { AtomicU64::from_ptr(word) }
    }

    /// Returns the position up to which records were read.
    pub(crate) fn consumer(&self) -> u64 {
        self.consumer_word().load(Ordering::Acquire)
    }

    /// Gives the kernel what is before `position`.
    ///
    /// The kernel wakes a reader only if its position is that of the record that is finished
    /// (`bpf_ringbuf_commit` of kernel/bpf/ringbuf.c), and looks at it after a full barrier. With one
    /// here as well, either the kernel sees the new position, or the reader's next look sees the
    /// record.
    pub(crate) fn set_consumer(&self, position: u64) {
        self.consumer_word().store(position, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Returns how many bytes the kernel's position is ahead of `position`.
    pub(crate) fn available(&self, position: u64) -> u64 {
        let word = self.rest.start().as_ptr().cast::<usize>();
        // SAFETY: the mapping has a page at least, aligned to pages, and is alive, by the invariant.
        // The kernel writes the word, so it is only used by an atomic load (invariant I8), of a word
        // as the machine has it.
        let producer = unsafe { AtomicUsize::from_ptr(word) }.load(Ordering::Acquire);
        // On 32-bit machines the lower half: a ring has less than 2^32 bytes.
        u64_of(producer.wrapping_sub(usize_of_offset(position)))
    }

    fn offset(&self, position: u64) -> usize {
        // `size` is not 0, by the invariant.
        self.page.saturating_add(usize_of_offset(position) & self.size.wrapping_sub(1))
    }

    /// Returns the first half of the header at a position that is a multiple of eight: a length, and
    /// two flags.
    pub(crate) fn header(&self, position: u64) -> u32 {
        let offset = self.offset(position & !7);
        let word = self.rest.start().as_ptr().wrapping_add(offset).cast::<u32>();
        // SAFETY: the offset is a multiple of eight and below the page and `size`, so the word lies in
        // the mapping and is aligned, by the invariant. The kernel writes it, so it is only used by an
        // atomic load (invariant I8).
        unsafe { AtomicU32::from_ptr(word) }.load(Ordering::Acquire)
    }

    /// Copies a record whose header is at `position`. Returns `false` if it is longer than the ring.
    pub(crate) fn copy(&self, position: u64, out: &mut [u8]) -> bool {
        let start = self.offset(position).saturating_add(8);
        out.len() <= self.size && copy_words(&self.rest, start, out)
    }
}
