//! Memory of maps that is mapped into this process: read as words, because the kernel writes it.

use super::map::MapFd;
use crate::num::usize32;
use crate::sys::memory::Mapping;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};

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
        // SAFETY: the word lies in the mapping, which is alive, as was just checked; it is aligned,
        // as the mapping begins at a page and the offset is a multiple of eight. The kernel writes
        // the memory, so it is only used by atomic loads (invariant I8); loads of a word are allowed
        // where memory is mapped for reading only.
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
