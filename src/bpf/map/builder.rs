//! How a map is made.

use super::raw::Options;
use std::fmt;
use std::marker::PhantomData;
use xsk_uapi::bpf::BPF_F_RDONLY_PROG;

/// Makes a map with other than the usual properties: from `builder` of the map's type.
///
/// ```
/// use xsk::bpf::ArrayMap;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of MapBuilder") { return Ok(()); }
/// let limits = ArrayMap::<u32>::builder("limits", 4).read_only_for_programs().create()?;
/// limits.set(0, &1500)?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct MapBuilder<'a, M> {
    pub(super) options: Options<'a>,
    map: PhantomData<fn() -> M>,
}

impl<'a, M> MapBuilder<'a, M> {
    pub(super) fn new(name: &'a str, entries: u32) -> Self {
        Self { options: Options::new(name, entries), map: PhantomData }
    }

    pub(super) fn with_flag(mut self, flag: u32) -> Self {
        self.options.flags |= flag;
        self
    }

    /// Lets programs only read the map (5.2): the verifier refuses those that write. This process
    /// still writes it.
    #[doc(alias = "BPF_F_RDONLY_PROG")]
    pub fn read_only_for_programs(self) -> Self {
        self.with_flag(BPF_F_RDONLY_PROG)
    }

    /// Puts the map into the memory of this NUMA node. `create` fails with `EINVAL` if there is no
    /// such node, and for a map with a value for each CPU.
    #[doc(alias = "BPF_F_NUMA_NODE")]
    pub fn numa_node(mut self, node: u32) -> Self {
        self.options.numa_node = Some(node);
        self
    }
}

impl<M> fmt::Debug for MapBuilder<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapBuilder").field(&self.options).finish()
    }
}
