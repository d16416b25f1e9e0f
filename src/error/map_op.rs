//! Operations on the entries of a map, as [`Error::MapEntry`](super::Error::MapEntry) names them.

use std::fmt;

/// An operation on the entries of a BPF map.
///
/// ```
/// use xsk::bpf::ArrayMap;
/// use xsk::error::{Error, MapOp};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of MapOp") { return Ok(()); }
/// let counters = ArrayMap::<u64>::create("counters", 4)?;
/// let error = counters.set(4, &0).unwrap_err();
/// assert!(matches!(error, Error::MapEntry { operation: MapOp::Write, index: Some(4), .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MapOp {
    /// Reads an entry (`BPF_MAP_LOOKUP_ELEM`).
    Read,
    /// Writes an entry (`BPF_MAP_UPDATE_ELEM`, `BPF_MAP_UPDATE_BATCH`).
    Write,
    /// Removes an entry (`BPF_MAP_DELETE_ELEM`, `BPF_MAP_DELETE_BATCH`).
    Remove,
    /// Lists the entries (`BPF_MAP_LOOKUP_BATCH`, `BPF_MAP_GET_NEXT_KEY`).
    List,
    /// Maps the entries into memory (`mmap(2)`).
    Mmap,
    /// Waits for records (`poll(2)`).
    Wait,
}

impl fmt::Display for MapOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Remove => "remove",
            Self::List => "list",
            Self::Mmap => "mmap",
            Self::Wait => "wait for",
        })
    }
}
