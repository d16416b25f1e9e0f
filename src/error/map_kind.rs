//! Types of BPF maps, as errors name them.

use std::fmt;
use xsk_uapi::bpf::{
    BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LPM_TRIE,
    BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
    BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_XSKMAP,
};

/// The type of a BPF map (`enum bpf_map_type`), of those that this crate makes.
///
/// [`Display`](fmt::Display) gives the name that `bpftool map` has for it.
///
/// ```
/// use xsk::error::MapKind;
/// assert_eq!(MapKind::LpmTrie.to_string(), "lpm_trie");
/// assert_eq!(MapKind::LpmTrie.number(), 11); // BPF_MAP_TYPE_LPM_TRIE
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MapKind {
    /// An array of values, one after another.
    Array,
    /// An array with a value for each CPU.
    PerCpuArray,
    /// A hash table.
    Hash,
    /// A hash table with a value for each CPU.
    PerCpuHash,
    /// A hash table that gives up entries that were not used for long.
    LruHash,
    /// Prefixes of addresses, of which the longest that matches is found.
    LpmTrie,
    /// Records that programs write and user space reads in their order.
    RingBuffer,
    /// Slots that name network devices.
    DevMap,
    /// Slots that name AF_XDP sockets.
    XskMap,
}

impl MapKind {
    /// Returns the kernel's number for the type.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Array => BPF_MAP_TYPE_ARRAY,
            Self::PerCpuArray => BPF_MAP_TYPE_PERCPU_ARRAY,
            Self::Hash => BPF_MAP_TYPE_HASH,
            Self::PerCpuHash => BPF_MAP_TYPE_PERCPU_HASH,
            Self::LruHash => BPF_MAP_TYPE_LRU_HASH,
            Self::LpmTrie => BPF_MAP_TYPE_LPM_TRIE,
            Self::RingBuffer => BPF_MAP_TYPE_RINGBUF,
            Self::DevMap => BPF_MAP_TYPE_DEVMAP,
            Self::XskMap => BPF_MAP_TYPE_XSKMAP,
        }
    }

    /// Returns what a map of this type has a number of.
    pub(super) fn parts(self) -> &'static str {
        match self {
            Self::DevMap | Self::XskMap => "slots",
            Self::RingBuffer => "bytes",
            _ => "entries",
        }
    }

    /// Returns whether the keys are the numbers from 0 on.
    pub(super) fn is_numbered(self) -> bool {
        matches!(self, Self::Array | Self::PerCpuArray | Self::DevMap | Self::XskMap)
    }
}

impl fmt::Display for MapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "array",
            Self::PerCpuArray => "percpu_array",
            Self::Hash => "hash",
            Self::PerCpuHash => "percpu_hash",
            Self::LruHash => "lru_hash",
            Self::LpmTrie => "lpm_trie",
            Self::RingBuffer => "ringbuf",
            Self::DevMap => "devmap",
            Self::XskMap => "xskmap",
        })
    }
}
