//! Maps: what programs and processes share.

mod array;
mod batch;
mod builder;
mod cpus;
mod data;
mod dev_map;
mod hash;
mod keyed;
mod lpm;
mod lru;
mod per_cpu;
mod prefix;
mod raw;
mod record;
mod ring_buffer;
mod shared_value;
mod walk;
mod xsk_map;

pub use array::{ArrayMap, ArrayView};
pub use builder::MapBuilder;
pub use cpus::possible_cpus;
pub use data::MapData;
pub use dev_map::DevMap;
pub use hash::BpfHashMap;
pub use lpm::LpmTrie;
pub use lru::LruHash;
pub use per_cpu::{PerCpuArray, PerCpuEntries, PerCpuHash};
pub use prefix::Prefix;
pub use ring_buffer::{RingBuffer, RingReader};
pub(super) use shared_value::SharedValue;
pub use walk::Entries;
pub use xsk_map::XskMap;
