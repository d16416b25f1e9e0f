//! The values that a per-CPU map has for one key.

use super::data::{MapData, from_prefix, size};
use super::raw::{Options, RawMap, Shape};
use crate::error::{Error, MapKind, Result};
use crate::num::usize32;
use crate::sys::cpu;
use std::sync::OnceLock;

/// Returns the number of possible CPUs: those that there are, and those that could be plugged in. A
/// per-CPU map has a value for each of them, in ascending order of their numbers.
///
/// The number never changes while the kernel runs. It is found by reading a small map of the
/// kernel's, and without the privilege to make one from `/sys/devices/system/cpu/possible`.
///
/// ```
/// # fn main() -> xsk::Result<()> {
/// let possible = xsk::bpf::possible_cpus()?;
/// assert!(possible >= std::thread::available_parallelism().unwrap().get());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::CreateMap`], [`Error::MapEntry`] if neither works.
pub fn possible_cpus() -> Result<usize> {
    static POSSIBLE: OnceLock<usize> = OnceLock::new();
    if let Some(possible) = POSSIBLE.get() {
        return Ok(*possible);
    }
    let found = from_map().or_else(|error| cpu::possible().map_err(|_| error))?;
    Ok(*POSSIBLE.get_or_init(|| found))
}

/// Counts the values of zero that the kernel writes into a buffer with room for more.
fn from_map() -> Result<usize> {
    let shape = Shape { kind: MapKind::PerCpuArray, key_size: 4, value_size: 8 };
    let map = RawMap::create(shape, Options::new("xsk_cpus", 1))?;
    let mut values = vec![0xff; map.fd.value_len()];
    map.read(&[0; 4], &mut values, Some(0))?;
    Ok(values.chunks(8).take_while(|value| *value == [0; 8]).count())
}

/// Returns how many bytes the value of one CPU has in the kernel's copies.
fn stride<V: MapData>() -> usize {
    usize32(size::<V>()).next_multiple_of(8)
}

/// Returns how many bytes the kernel copies for the values of all CPUs.
pub(super) fn all_cpus<V: MapData>() -> Result<usize> {
    Ok(stride::<V>().saturating_mul(possible_cpus()?))
}

/// Returns the values of all CPUs from the kernel's copy.
pub(super) fn values<V: MapData>(bytes: &[u8]) -> Result<Vec<V>> {
    Ok(bytes.chunks(stride::<V>()).take(possible_cpus()?).map(from_prefix).collect())
}

/// Returns the kernel's form of the values of all CPUs, with `len` bytes.
pub(super) fn bytes<V: MapData>(values: &[V], len: usize) -> Result<Vec<u8>> {
    let possible = possible_cpus()?;
    if values.len() != possible {
        let value = u64::try_from(values.len()).unwrap_or(u64::MAX);
        let rule = "is that of `possible_cpus`";
        return Err(Error::Setting { name: "number of values", value, rule });
    }
    let mut bytes = vec![0; len];
    for (place, value) in bytes.chunks_mut(stride::<V>()).zip(values) {
        for (to, from) in place.iter_mut().zip(value.as_bytes()) {
            *to = *from;
        }
    }
    Ok(bytes)
}
