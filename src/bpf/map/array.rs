//! Arrays: values that are numbered from 0 on.

use super::array_view::ArrayView;
use super::batch::BATCH;
use super::builder::MapBuilder;
use super::data::{MapData, from_prefix, size};
use super::keyed::made;
use super::object::map_object;
use super::raw::{RawMap, Shape};
use super::walk::RawEntries;
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

made!([V: MapData] ArrayMap<V>, "Makes an array with `entries` values of zeros.");

impl<V: MapData> ArrayMap<V> {
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

    /// Returns all values in their order, by few system calls where the kernel has batches (5.6).
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    #[doc(alias = "BPF_MAP_LOOKUP_BATCH")]
    pub fn get_all(&self) -> Result<Vec<V>> {
        let mut entries = RawEntries::new(&self.raw, true);
        let values = std::iter::from_fn(|| entries.next(|_, value| from_prefix(value)));
        values.collect()
    }

    /// Writes the values from number `first` on, by few system calls where the kernel has batches
    /// (5.6).
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry): `E2BIG` if the array is shorter. The values before
    /// the one that failed have been written.
    #[doc(alias = "BPF_MAP_UPDATE_BATCH")]
    pub fn set_all<'v>(&self, first: u32, values: impl IntoIterator<Item = &'v V>) -> Result<()>
    where
        V: 'v,
    {
        let mut values = values.into_iter().peekable();
        let mut next = Some(first);
        while values.peek().is_some() {
            let start =
                next.ok_or_else(|| self.raw.failed(MapOp::Write, None)(rustix::io::Errno::TOOBIG))?;
            let batch: Vec<_> = (start..=u32::MAX).zip(values.by_ref().take(BATCH)).collect();
            let keys: Vec<_> = batch.iter().map(|(index, _)| index.to_ne_bytes()).collect();
            let entries = keys.iter().zip(&batch);
            self.raw
                .write_all(entries.map(|(key, (_, value))| (key.as_slice(), value.as_bytes())))?;
            next = batch.last().and_then(|(index, _)| index.checked_add(1));
        }
        Ok(())
    }

    /// Maps the array into memory (5.5), to read it without system calls. It must have been made with
    /// [`mappable`](MapBuilder::mappable).
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry): `EINVAL` if it was not.
    #[doc(alias = "mmap")]
    pub fn view(&self) -> Result<ArrayView<V>> {
        ArrayView::map(&self.raw)
    }
}

impl<V: MapData> MapBuilder<'_, ArrayMap<V>> {
    /// Lets processes map the array into their memory (5.5), and so read it without system calls.
    #[doc(alias = "BPF_F_MMAPABLE")]
    pub fn mappable(self) -> Self {
        self.with_flag(BPF_F_MMAPABLE)
    }
}
