//! Operations on BPF objects, as [`Error::BpfObject`](super::Error::BpfObject) names them.

use std::fmt;

/// An operation on a BPF object: most are commands of `bpf(2)`.
///
/// [`Display`](fmt::Display) gives the command's kernel name.
///
/// ```
/// use xsk::bpf::XskMap;
/// use xsk::error::{BpfOp, Error};
///
/// let error = XskMap::from_pin("/nowhere/xsks_map").unwrap_err();
/// assert!(matches!(error, Error::BpfObject { operation: BpfOp::Get, .. }));
/// assert_eq!(BpfOp::Get.to_string(), "BPF_OBJ_GET");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BpfOp {
    /// Opens a pinned object (`BPF_OBJ_GET`).
    Get,
    /// Pins an object (`BPF_OBJ_PIN`).
    Pin,
    /// Removes a pin (`unlink(2)`): no command of `bpf(2)`.
    Unpin,
    /// Asks the kernel about an object (`BPF_OBJ_GET_INFO_BY_FD`).
    Info,
    /// Opens a program by its id (`BPF_PROG_GET_FD_BY_ID`).
    ProgramById,
    /// Opens a map by its id (`BPF_MAP_GET_FD_BY_ID`).
    MapById,
    /// Opens a link by its id (`BPF_LINK_GET_FD_BY_ID`).
    LinkById,
    /// Lists the ids of links (`BPF_LINK_GET_NEXT_ID`).
    NextLinkId,
    /// Opens type information by its id (`BPF_BTF_GET_FD_BY_ID`).
    BtfById,
    /// Lists the ids of type information (`BPF_BTF_GET_NEXT_ID`).
    NextBtfId,
    /// Has a program keep a map (`BPF_PROG_BIND_MAP`).
    BindMap,
    /// Runs a program on a packet (`BPF_PROG_TEST_RUN`).
    TestRun,
    /// Makes a second descriptor (`fcntl(F_DUPFD_CLOEXEC)`): no command of `bpf(2)`.
    Duplicate,
}

impl BpfOp {
    /// Returns whether this is a command of `bpf(2)`.
    pub(super) fn is_command(self) -> bool {
        !matches!(self, Self::Duplicate | Self::Unpin)
    }
}

impl fmt::Display for BpfOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "BPF_OBJ_GET",
            Self::Pin => "BPF_OBJ_PIN",
            Self::Unpin => "unpin",
            Self::Info => "BPF_OBJ_GET_INFO_BY_FD",
            Self::ProgramById => "BPF_PROG_GET_FD_BY_ID",
            Self::MapById => "BPF_MAP_GET_FD_BY_ID",
            Self::LinkById => "BPF_LINK_GET_FD_BY_ID",
            Self::NextLinkId => "BPF_LINK_GET_NEXT_ID",
            Self::BtfById => "BPF_BTF_GET_FD_BY_ID",
            Self::NextBtfId => "BPF_BTF_GET_NEXT_ID",
            Self::BindMap => "BPF_PROG_BIND_MAP",
            Self::TestRun => "BPF_PROG_TEST_RUN",
            Self::Duplicate => "duplicate",
        })
    }
}
