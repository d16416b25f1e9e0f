//! Hash tables.

use super::builder::MapBuilder;
use super::data::{MapData, size};
use super::keyed::keyed_map;
use super::raw::{Options, RawMap, Shape, map_object};
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

keyed_map!(
    BpfHashMap, [K: MapData,] K, true,
    "[`Error::MapEntry`](crate::Error::MapEntry): `E2BIG` if the map is full."
);

impl<K: MapData, V: MapData> BpfHashMap<K, V> {
    /// Makes an empty map for `entries` keys at the most.
    ///
    /// `name` is what `bpftool map` shows: at most 15 of `A-Za-z0-9_.`. Needs `CAP_BPF` (5.8),
    /// before that `CAP_SYS_ADMIN`. Before 5.11 the map's memory counts against `RLIMIT_MEMLOCK`, and
    /// the kernel reports too much of it as `EPERM`.
    ///
    /// # Errors
    /// [`Error::CreateMap`](crate::Error::CreateMap).
    #[doc(alias = "BPF_MAP_CREATE")]
    pub fn create(name: &str, entries: u32) -> Result<Self> {
        RawMap::create(Self::SHAPE, Options::new(name, entries)).map(Self::of)
    }

    /// Returns a builder of a map with other than the usual properties.
    pub fn builder(name: &str, entries: u32) -> MapBuilder<'_, Self> {
        MapBuilder::new(name, entries)
    }
}

impl<K: MapData, V: MapData> MapBuilder<'_, BpfHashMap<K, V>> {
    /// Has the kernel allocate the memory of an entry when the entry is written, not that of all
    /// entries when the map is made: for maps that are mostly empty. Writing may then fail with
    /// `ENOMEM`.
    #[doc(alias = "BPF_F_NO_PREALLOC")]
    pub fn without_preallocation(self) -> Self {
        self.with_flag(BPF_F_NO_PREALLOC)
    }

    /// Makes the map.
    ///
    /// # Errors
    /// [`Error::CreateMap`](crate::Error::CreateMap);
    /// [`Error::NeedsKernel`](crate::Error::NeedsKernel) for a property that the kernel does not
    /// know.
    pub fn create(self) -> Result<BpfHashMap<K, V>> {
        RawMap::create(BpfHashMap::<K, V>::SHAPE, self.options).map(BpfHashMap::of)
    }
}
