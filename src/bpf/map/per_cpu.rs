//! Arrays with a value for each CPU.

use super::builder::MapBuilder;
use super::cpus::{bytes, values};
use super::data::{MapData, size};
use super::keyed::made;
use super::object::map_object;
use super::raw::{RawMap, Shape};
use crate::error::{MapKind, MapOp, Result};
use std::marker::PhantomData;
use xsk_uapi::bpf::BPF_ANY;

/// A BPF map of values that are numbered from 0 on, each of them once for each CPU: a program sees
/// that of the CPU on which it runs, so it counts without atomic instructions.
///
/// What is read and written here is a slice with a value for each possible CPU
/// ([`possible_cpus`](super::possible_cpus)). A value of 32 KiB is the largest.
///
/// ```
/// use xsk::bpf::PerCpuArray;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of PerCpuArray") { return Ok(()); }
/// let packets = PerCpuArray::<u64>::create("packets", 4)?;
/// let total: u64 = packets.get(0)?.unwrap_or_default().iter().sum();
/// assert_eq!(total, 0);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "BPF_MAP_TYPE_PERCPU_ARRAY")]
pub struct PerCpuArray<V> {
    raw: RawMap,
    types: PhantomData<fn() -> V>,
}

map_object!(
    "PerCpuArray", [V: MapData] PerCpuArray<V>,
    Shape { kind: MapKind::PerCpuArray, key_size: 4, value_size: size::<V>() }
);
made!(
    [V: MapData] PerCpuArray<V>,
    "Makes an array with `entries` values of zeros for each CPU."
);

impl<V: MapData> PerCpuArray<V> {
    /// Returns the values of this number, one for each possible CPU, or `None` if the array is
    /// shorter.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry); those of
    /// [`possible_cpus`](super::possible_cpus).
    #[doc(alias = "BPF_MAP_LOOKUP_ELEM")]
    pub fn get(&self, index: u32) -> Result<Option<Vec<V>>> {
        let mut buffer = vec![0; self.raw.fd.value_len()];
        let found = self.raw.read(&index.to_ne_bytes(), &mut buffer, Some(index))?;
        if found { values(&buffer).map(Some) } else { Ok(None) }
    }

    /// Writes the values of this number, one for each possible CPU.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry): `E2BIG` if the array is shorter.
    /// [`Error::Setting`](crate::Error::Setting) for another number of values; those of
    /// [`possible_cpus`](super::possible_cpus).
    #[doc(alias = "BPF_MAP_UPDATE_ELEM")]
    pub fn set(&self, index: u32, values: &[V]) -> Result<()> {
        let value = bytes(values, self.raw.fd.value_len())?;
        self.raw
            .fd
            .update(&index.to_ne_bytes(), &value, BPF_ANY)
            .map_err(self.raw.failed(MapOp::Write, Some(index)))
    }
}
