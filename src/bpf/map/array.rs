//! Arrays: values that are numbered from 0 on.

use super::builder::MapBuilder;
use super::data::{MapData, size};
use super::raw::{Options, RawMap, Shape, map_object};
use crate::error::{MapKind, MapOp, Result};
use std::marker::PhantomData;
use xsk_uapi::bpf::{BPF_ANY, BPF_F_MMAPABLE};

/// A BPF map of values that are numbered from 0 on. All are there from the beginning, and are zero.
///
/// A program and other processes may write a value while it is read: the kernel copies it without a
/// lock, so a value of more than eight bytes may be one half old and one half new.
///
/// ```
/// use xsk::bpf::ArrayMap;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of ArrayMap") { return Ok(()); }
/// let counters = ArrayMap::<u64>::create("counters", 4)?;
/// counters.set(3, &17)?;
/// assert_eq!((counters.get(0)?, counters.get(3)?, counters.get(4)?), (Some(0), Some(17), None));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "BPF_MAP_TYPE_ARRAY")]
pub struct ArrayMap<V> {
    raw: RawMap,
    types: PhantomData<fn() -> V>,
}

map_object!(
    "ArrayMap", [V: MapData] ArrayMap<V>,
    Shape { kind: MapKind::Array, key_size: 4, value_size: size::<V>() }
);

impl<V: MapData> ArrayMap<V> {
    /// Makes an array with `entries` values of zeros.
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

    /// Returns a builder of an array with other than the usual properties.
    pub fn builder(name: &str, entries: u32) -> MapBuilder<'_, Self> {
        MapBuilder::new(name, entries)
    }

    /// Returns the value of this number, or `None` if the array is shorter.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    #[doc(alias = "BPF_MAP_LOOKUP_ELEM")]
    pub fn get(&self, index: u32) -> Result<Option<V>> {
        let mut value = V::new_zeroed();
        let found = self.raw.read(&index.to_ne_bytes(), value.as_mut_bytes(), Some(index))?;
        Ok(found.then_some(value))
    }

    /// Writes the value of this number.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry): `E2BIG` if the array is shorter.
    #[doc(alias = "BPF_MAP_UPDATE_ELEM")]
    pub fn set(&self, index: u32, value: &V) -> Result<()> {
        self.raw
            .fd
            .update(&index.to_ne_bytes(), value.as_bytes(), BPF_ANY)
            .map_err(self.raw.failed(MapOp::Write, Some(index)))
    }
}

impl<V: MapData> MapBuilder<'_, ArrayMap<V>> {
    /// Lets processes map the array into their memory (5.5), and so read it without system calls.
    #[doc(alias = "BPF_F_MMAPABLE")]
    pub fn mappable(self) -> Self {
        self.with_flag(BPF_F_MMAPABLE)
    }

    /// Makes the array.
    ///
    /// # Errors
    /// [`Error::CreateMap`](crate::Error::CreateMap);
    /// [`Error::NeedsKernel`](crate::Error::NeedsKernel) for a property that the kernel does not
    /// know.
    pub fn create(self) -> Result<ArrayMap<V>> {
        RawMap::create(ArrayMap::<V>::SHAPE, self.options).map(ArrayMap::of)
    }
}
