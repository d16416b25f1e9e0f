//! Hash tables with a value for each CPU.

use super::builder::MapBuilder;
use super::cpus::{all_cpus, bytes, values};
use super::data::{MapData, from_prefix, size};
use super::keyed::made;
use super::object::map_object;
use super::raw::{RawMap, Shape};
use super::walk::RawEntries;
use crate::error::{MapKind, Result};
use std::fmt;
use std::marker::PhantomData;
use xsk_uapi::bpf::{BPF_ANY, BPF_EXIST, BPF_F_NO_PREALLOC, BPF_NOEXIST};

/// A BPF map from keys to values, as a hash table, with a value for each CPU: a program sees that of
/// the CPU on which it runs.
///
/// What is read and written here is a slice with a value for each possible CPU
/// ([`possible_cpus`](super::possible_cpus)). A value of 32 KiB is the largest.
///
/// ```
/// use xsk::bpf::{PerCpuHash, possible_cpus};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of PerCpuHash") { return Ok(()); }
/// let bytes = PerCpuHash::<u16, u64>::create("bytes", 100)?;
/// bytes.insert(&53, &vec![7; possible_cpus()?])?;
/// let (port, values) = bytes.iter()?.next().expect("an entry")?;
/// assert_eq!((port, values[0]), (53, 7));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "BPF_MAP_TYPE_PERCPU_HASH")]
pub struct PerCpuHash<K, V> {
    raw: RawMap,
    types: PhantomData<fn() -> (K, V)>,
}

map_object!(
    "PerCpuHash", [K: MapData, V: MapData] PerCpuHash<K, V>,
    Shape { kind: MapKind::PerCpuHash, key_size: size::<K>(), value_size: size::<V>() }
);
made!(
    [K: MapData, V: MapData] PerCpuHash<K, V>,
    "Makes an empty map for `entries` keys at the most."
);

impl<K: MapData, V: MapData> PerCpuHash<K, V> {
    /// Returns the values of a key, one for each possible CPU, or `None` if the key is not there.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry); those of
    /// [`possible_cpus`](super::possible_cpus).
    #[doc(alias = "BPF_MAP_LOOKUP_ELEM")]
    pub fn get(&self, key: &K) -> Result<Option<Vec<V>>> {
        let mut buffer = vec![0; self.raw.fd.value_len()];
        let found = self.raw.read(key.as_bytes(), &mut buffer, None)?;
        if found { values(&buffer).map(Some) } else { Ok(None) }
    }

    /// Writes the values of a key, one for each possible CPU, whether the key is there or not.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry): `E2BIG` if the map is full.
    /// [`Error::Setting`](crate::Error::Setting) for another number of values; those of
    /// [`possible_cpus`](super::possible_cpus).
    #[doc(alias = "BPF_MAP_UPDATE_ELEM")]
    pub fn insert(&self, key: &K, values: &[V]) -> Result<()> {
        self.write(key, values, BPF_ANY).map(drop)
    }

    /// Writes the values of a key that is not there. Returns `false`, and changes nothing, if it is.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    #[doc(alias = "BPF_NOEXIST")]
    pub fn insert_new(&self, key: &K, values: &[V]) -> Result<bool> {
        self.write(key, values, BPF_NOEXIST)
    }

    /// Writes the values of a key that is there. Returns `false`, and changes nothing, if it is not.
    ///
    /// # Errors
    /// As [`insert`](Self::insert), without `E2BIG`.
    #[doc(alias = "BPF_EXIST")]
    pub fn replace(&self, key: &K, values: &[V]) -> Result<bool> {
        self.write(key, values, BPF_EXIST)
    }

    fn write(&self, key: &K, values: &[V], flags: u64) -> Result<bool> {
        let value = bytes(values, self.raw.fd.value_len())?;
        self.raw.write(key.as_bytes(), &value, flags)
    }

    /// Removes a key and its values. Returns whether it was there.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    #[doc(alias = "BPF_MAP_DELETE_ELEM")]
    pub fn remove(&self, key: &K) -> Result<bool> {
        self.raw.remove(key.as_bytes())
    }

    /// Removes many keys, by few system calls where the kernel has batches (5.6). Returns how many
    /// of them were there.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry). The keys before the one that failed have been
    /// removed.
    #[doc(alias = "BPF_MAP_DELETE_BATCH")]
    pub fn remove_all<'e>(&self, keys: impl IntoIterator<Item = &'e K>) -> Result<u64>
    where
        K: 'e,
    {
        self.raw.remove_all(keys.into_iter().map(|key| key.as_bytes()))
    }

    /// Returns an iterator over the keys, each with its values.
    ///
    /// The map may change meanwhile: each key that is there from the beginning to the end comes once;
    /// one that is written or removed meanwhile comes once or not at all. An error ends the iterator:
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    ///
    /// # Errors
    /// Those of [`possible_cpus`](super::possible_cpus).
    #[doc(alias = "BPF_MAP_LOOKUP_BATCH")]
    pub fn iter(&self) -> Result<PerCpuEntries<'_, K, V>> {
        let entries = RawEntries::with_stride(&self.raw, all_cpus::<V>()?);
        Ok(PerCpuEntries { entries, types: PhantomData })
    }
}

impl<K: MapData, V: MapData> MapBuilder<'_, PerCpuHash<K, V>> {
    /// Has the kernel allocate the memory of an entry when the entry is written, not that of all
    /// entries when the map is made. Writing may then fail with `ENOMEM`.
    #[doc(alias = "BPF_F_NO_PREALLOC")]
    pub fn without_preallocation(self) -> Self {
        self.with_flag(BPF_F_NO_PREALLOC)
    }
}

/// The entries of a [`PerCpuHash`], from [`iter`](PerCpuHash::iter): an iterator of keys with a value
/// for each possible CPU.
///
/// An error ends it.
pub struct PerCpuEntries<'a, K, V> {
    entries: RawEntries<'a>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: MapData, V: MapData> Iterator for PerCpuEntries<'_, K, V> {
    type Item = Result<(K, Vec<V>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next(|key, value| Ok((from_prefix(key), values(value)?)));
        entry.map(|entry| entry.and_then(|entry| entry))
    }
}

impl<K, V> fmt::Debug for PerCpuEntries<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PerCpuEntries").field(&self.entries).finish()
    }
}
