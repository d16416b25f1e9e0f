//! Changes of a map's slot, as [`Error::UpdateMap`](super::Error::UpdateMap) names them.

use std::fmt;

/// A change of one slot of an XSKMAP.
///
/// ```
/// use xsk::error::{Error, SlotOp};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of SlotOp") { return Ok(()); }
/// let map = xsk::bpf::XskMap::create("xsks_map", 2)?;
/// let error = map.remove(2).unwrap_err();
/// assert!(matches!(error, Error::UpdateMap { operation: SlotOp::Remove, index: 2, .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlotOp {
    /// Writes a socket into the slot (`BPF_MAP_UPDATE_ELEM`).
    Insert,
    /// Empties the slot (`BPF_MAP_DELETE_ELEM`).
    Remove,
}

impl fmt::Display for SlotOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Insert => "insert",
            Self::Remove => "remove",
        })
    }
}
