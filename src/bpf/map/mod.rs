//! Maps: what programs and processes share.

mod array;
mod batch;
mod builder;
mod data;
mod hash;
mod keyed;
mod raw;
mod walk;
mod xsk_map;

pub use array::ArrayMap;
pub use builder::MapBuilder;
pub use data::MapData;
pub use hash::BpfHashMap;
pub use walk::Entries;
pub use xsk_map::XskMap;
