//! Hash tables.

use super::builder::MapBuilder;
use super::data::{MapData, size};
use super::keyed::{conditional_writes, keyed_map, made};
use super::object::map_object;
use super::raw::{RawMap, Shape};
use super::walk::{Entries, RawEntries};
use crate::error::{MapKind, Result};
use std::marker::PhantomData;
use xsk_uapi::bpf::{BPF_ANY, BPF_EXIST, BPF_F_NO_PREALLOC, BPF_NOEXIST};

/// A BPF map from keys to values, as a hash table.
///
/// ```
/// use xsk::bpf::BpfHashMap;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of BpfHashMap") { return Ok(()); }
/// let ports = BpfHashMap::<u16, u32>::create("ports", 100)?;
/// assert!(ports.insert_new(&4789, &1)?);
/// assert!(!ports.insert_new(&4789, &2)?, "it is there already");
/// assert_eq!(ports.get(&4789)?, Some(1));
/// assert!(ports.remove(&4789)?);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "BPF_MAP_TYPE_HASH")]
#[doc(alias = "HashMap")]
pub struct BpfHashMap<K, V> {
    raw: RawMap,
    types: PhantomData<fn() -> (K, V)>,
}

map_object!(
    "BpfHashMap", [K: MapData, V: MapData] BpfHashMap<K, V>,
    Shape { kind: MapKind::Hash, key_size: size::<K>(), value_size: size::<V>() }
);
made!(
    [K: MapData, V: MapData] BpfHashMap<K, V>,
    "Makes an empty map for `entries` keys at the most."
);
keyed_map!(
    BpfHashMap, [K: MapData,] K, by_buckets: true,
    get: "Returns the value of a key, or `None` if the key is not there.",
    errors: "[`Error::MapEntry`](crate::Error::MapEntry): `E2BIG` if the map is full."
);
conditional_writes!(BpfHashMap);

impl<K: MapData, V: MapData> MapBuilder<'_, BpfHashMap<K, V>> {
    /// Has the kernel allocate the memory of an entry when the entry is written, not that of all
    /// entries when the map is made: for maps that are mostly empty. Writing may then fail with
    /// `ENOMEM`.
    #[doc(alias = "BPF_F_NO_PREALLOC")]
    pub fn without_preallocation(self) -> Self {
        self.with_flag(BPF_F_NO_PREALLOC)
    }
}
