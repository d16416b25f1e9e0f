//! Memory of maps that is mapped into this process: read as words, because the kernel writes it.

use super::map::MapFd;
use crate::num::usize32;
use crate::sys::memory::Mapping;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The bytes of a word.
const WORD: usize = size_of::<usize>();

/// Copies `out.len()` bytes from `offset` on, each word at once. Returns `false`, and copies nothing,
/// unless the offset is a multiple of eight and the whole words lie in the mapping.
pub(super) fn copy_words(from: &Mapping, offset: usize, out: &mut [u8]) -> bool {
    let end = out.len().checked_next_multiple_of(WORD).and_then(|len| len.checked_add(offset));
    if offset % 8 != 0 || end.is_none_or(|end| end > from.len()) {
        return false;
    }
    for (at, place) in (offset..).step_by(WORD).zip(out.chunks_mut(WORD)) {
        let word = from.start().as_ptr().wrapping_add(at).cast::<usize>();
        // SAFETY: the word lies in the mapping, which is alive (just checked), aligned: the mapping
        // begins at a page, the offset is a multiple of eight. The kernel writes it: it is only
        // loaded atomically (I8), by words, as read-only memory allows.
        let value = unsafe { AtomicUsize::from_ptr(word) }.load(Ordering::Relaxed);
        for (to, from) in place.iter_mut().zip(value.to_ne_bytes()) {
            *to = from;
        }
    }
    true
}

/// The values of an array, mapped for reading.
#[derive(Debug)]
pub(crate) struct MappedValues {
    mapping: Mapping,
    stride: usize,
    count: u32,
}

impl MappedValues {
    /// `mmap(2)` of an array with `count` entries.
    pub(crate) fn map(map: &MapFd, count: u32) -> Result<Self, Errno> {
        // `array_map_alloc` of kernel/bpf/arraymap.c: each value begins at a multiple of eight.
        let stride = map.value_len().checked_next_multiple_of(8).ok_or(Errno::OVERFLOW)?;
        let len = usize32(count).checked_mul(stride).ok_or(Errno::OVERFLOW)?;
        let mapping = Mapping::shared(map.as_fd(), len, 0, false)?;
        Ok(Self { mapping, stride, count })
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Copies the first bytes of a value; returns `false` if there is none of this number, or its
    /// bytes are fewer.
    pub(crate) fn read(&self, index: u32, out: &mut [u8]) -> bool {
        let offset = usize32(index).checked_mul(self.stride);
        offset.is_some_and(|offset| {
            out.len() <= self.stride && copy_words(&self.mapping, offset, out)
        })
    }
}

/// The value of an array with one entry, mapped for writing.
#[derive(Debug)]
pub(crate) struct MappedValue {
    mapping: Mapping,
    len: usize,
}

impl MappedValue {
    /// `mmap(2)` of an array with one entry.
    pub(crate) fn map(map: &MapFd) -> Result<Self, Errno> {
        let len = map.value_len().checked_next_multiple_of(8).ok_or(Errno::OVERFLOW)?;
        Ok(Self { mapping: Mapping::shared(map.as_fd(), len, 0, true)?, len })
    }

    /// Writes four bytes at `offset`, at once and after what was written before. Returns `false`, and
    /// writes nothing, unless the offset is a multiple of four and the bytes lie in the value.
    pub(crate) fn write(&self, offset: u32, word: u32) -> bool {
        let offset = usize32(offset);
        let end = offset.checked_add(4);
        if offset % 4 != 0 || end.is_none_or(|end| end > self.len.min(self.mapping.len())) {
            return false;
        }
        let place = self.mapping.start().as_ptr().wrapping_add(offset).cast::<u32>();
        // SAFETY: the word lies in the mapping, which is alive and may be written, as was just
        // checked; it is aligned, as the mapping begins at a page and the offset is a multiple of
        // four. Programs read the memory, so it is only used by atomic stores (invariant I8).
        unsafe { AtomicU32::from_ptr(place) }.store(word, Ordering::Release);
        true
    }
}
