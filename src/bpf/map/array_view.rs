//! Arrays that are mapped into memory.

use super::data::MapData;
use super::raw::RawMap;
use crate::error::{MapOp, Result};
use crate::sys::bpf::MappedValues;
use std::fmt;
use std::marker::PhantomData;

/// An [array](super::ArrayMap) in this process's memory, from [`ArrayMap::view`]: for reading only. It
/// keeps the array alive.
///
/// [`ArrayMap::view`]: super::ArrayMap::view
///
/// Programs and other processes write the array meanwhile, so it is read word by word: the eight
/// bytes (on 32-bit machines four) that a counter has are read at once; a longer value may be one
/// half old and one half new.
///
/// ```
/// use xsk::bpf::ArrayMap;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of ArrayView") { return Ok(()); }
/// let counters = ArrayMap::<u64>::builder("counters", 4).mappable().create()?;
/// let view = counters.view()?;
/// counters.set(2, &5)?;
/// assert_eq!((view.get(2), view.get(4)), (Some(5), None));
/// assert_eq!(view.iter().sum::<u64>(), 5);
/// # Ok(())
/// # }
/// ```
pub struct ArrayView<V> {
    values: MappedValues,
    types: PhantomData<fn() -> V>,
}

impl<V: MapData> ArrayView<V> {
    /// Maps the values of `array`, whose type and sizes are known.
    pub(super) fn map(array: &RawMap) -> Result<Self> {
        let values = MappedValues::map(&array.fd, array.entries());
        let values = values.map_err(array.failed(MapOp::Mmap, None))?;
        Ok(Self { values, types: PhantomData })
    }

    /// Returns the value of this number at this moment, or `None` if the array is shorter.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<V> {
        let mut value = V::new_zeroed();
        self.values.read(index, value.as_mut_bytes()).then_some(value)
    }

    /// Returns the number of values.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.values.count()
    }

    /// Returns an iterator over the values in their order.
    pub fn iter(&self) -> impl Iterator<Item = V> + '_ {
        (0..self.entries()).map_while(|index| self.get(index))
    }
}

impl<V> fmt::Debug for ArrayView<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArrayView").field(&self.values).finish()
    }
}
