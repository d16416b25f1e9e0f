//! Hash tables that make room by giving up old entries.

use super::builder::MapBuilder;
use super::data::{MapData, size};
use super::keyed::{conditional_writes, keyed_map, made};
use super::object::map_object;
use super::raw::{RawMap, Shape};
use super::walk::{Entries, RawEntries};
use crate::error::{MapKind, Result};
use std::marker::PhantomData;
use xsk_uapi::bpf::{BPF_ANY, BPF_EXIST, BPF_F_NO_COMMON_LRU, BPF_NOEXIST};

/// A BPF map from keys to values that is never full: when it has no room for a new key, the kernel
/// gives up entries that were not used for long.
///
/// Reading or writing an entry in a program is a use; [`get`](Self::get) is none. The kernel moves
/// free entries to CPUs 128 at a time, so a map of few entries gives some up before it is full.
///
/// ```
/// use xsk::bpf::LruHash;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of LruHash") { return Ok(()); }
/// let flows = LruHash::<u32, u64>::create("flows", 1000)?;
/// for flow in 0..5000 {
///     flows.insert(&flow, &1)?;
/// }
/// assert!(flows.iter().count() <= 1000);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "BPF_MAP_TYPE_LRU_HASH")]
pub struct LruHash<K, V> {
    raw: RawMap,
    types: PhantomData<fn() -> (K, V)>,
}

map_object!(
    "LruHash", [K: MapData, V: MapData] LruHash<K, V>,
    Shape { kind: MapKind::LruHash, key_size: size::<K>(), value_size: size::<V>() }
);
made!(
    [K: MapData, V: MapData] LruHash<K, V>,
    "Makes an empty map for `entries` keys at the most."
);
keyed_map!(
    LruHash, [K: MapData,] K, by_buckets: true,
    get: "Returns the value of a key, or `None` if the key is not there. This is no use of the entry.",
    errors: "[`Error::MapEntry`](crate::Error::MapEntry): `ENOMEM` if every entry is being used at \
        this moment."
);
conditional_writes!(LruHash);

impl<K: MapData, V: MapData> MapBuilder<'_, LruHash<K, V>> {
    /// Divides the entries among the CPUs, each of which then gives up entries of its own alone:
    /// faster, but old entries of other CPUs stay.
    #[doc(alias = "BPF_F_NO_COMMON_LRU")]
    pub fn for_each_cpu(self) -> Self {
        self.with_flag(BPF_F_NO_COMMON_LRU)
    }
}
