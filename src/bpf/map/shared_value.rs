//! One value of many bytes, which this process writes and programs read.

use super::raw::{Options, RawMap, Shape};
use crate::error::{MapKind, MapOp, Result};
use crate::sys::bpf::MappedValue;
use crate::sys::fork::Process;
use std::os::fd::{AsFd, BorrowedFd};
use xsk_uapi::bpf::BPF_F_MMAPABLE;

/// An array of one value, mapped into this process's memory (5.5). A program reads it without a
/// look-up, by [`Insn::load_map_value`](crate::bpf::Insn::load_map_value).
#[derive(Debug)]
pub(in crate::bpf) struct SharedValue {
    raw: RawMap,
    value: MappedValue,
    /// The process that writes it: a child shares the memory, and not what is known of it.
    owner: Process,
}

impl SharedValue {
    /// Makes a value of so many bytes, all of them 0.
    pub(in crate::bpf) fn create(name: &str, bytes: u32) -> Result<Self> {
        let shape = Shape { kind: MapKind::Array, key_size: 4, value_size: bytes };
        let options = Options { flags: BPF_F_MMAPABLE, ..Options::new(name, 1) };
        let raw = RawMap::create(shape, options)?;
        let value = MappedValue::map(&raw.fd).map_err(raw.failed(MapOp::Mmap, None))?;
        Ok(Self { raw, value, owner: Process::current() })
    }

    /// Writes a word of four bytes; an offset that no word has changes nothing, and nothing is written
    /// in a child of `fork(2)`.
    pub(in crate::bpf) fn write(&self, offset: u32, word: u32) {
        if self.owner == Process::current() {
            self.value.write(offset, word);
        }
    }
}

impl AsFd for SharedValue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.raw.fd.as_fd()
    }
}
