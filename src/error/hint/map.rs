//! Hints for the entries of BPF maps.

use super::wording::{Hint, NO_HINT};
use crate::error::{MapKind, MapOp};
use rustix::io::Errno;

const FULL: &str = "The map is full: remove entries, or make it with more";
const RIGHTS: &str = "The map is frozen, or the descriptor is for reading or for writing only. Before \
    Linux 5.19, where `sysctl kernel.unprivileged_bpf_disabled` is not 0, using a map needs CAP_BPF, \
    too (CAP_SYS_ADMIN before 5.8)";
const BUSY: &str = "A program on another CPU works on the same part of the map: try again";
const CHANGING: &str = "The map changes faster than it can be listed: try again";
const NO_DEVICE: &str = "There is no interface of this index in the network namespace of the calling \
    thread (`ip link`)";
const NOT_MAPPABLE: &str = "The map was not made to be mapped (`MapBuilder::mappable`, \
    BPF_F_MMAPABLE)";
const NO_MEMORY: &str = "The kernel has no memory for the entry, or the control group's limit is \
    reached. A map that is not made with `MapBuilder::without_preallocation` has it from the start";

pub(super) const TWO_READERS: &str = "Something else reads it, too, in this process or another \
    one, and a ring buffer has one reader at a time; a new reader begins where the other stopped";

pub(super) fn entry(operation: MapOp, kind: MapKind, entries: u32, errno: Errno) -> Hint {
    match (operation, errno) {
        (
            MapOp::Read | MapOp::Write | MapOp::Remove,
            Errno::TOOBIG | Errno::INVAL | Errno::NOENT,
        ) if kind.is_numbered()
            && (operation, kind, errno) != (MapOp::Write, MapKind::DevMap, Errno::INVAL) =>
        {
            let (parts, last) = (kind.parts(), entries.saturating_sub(1));
            format!("The map has no such index: its {parts} are numbered from 0 to {last}").into()
        }
        (MapOp::Write, Errno::INVAL) if kind == MapKind::DevMap => NO_DEVICE.into(),
        (MapOp::Write, Errno::TOOBIG | Errno::NOSPC) => FULL.into(),
        (MapOp::Write, Errno::NOMEM) => NO_MEMORY.into(),
        (MapOp::Mmap, Errno::INVAL) => NOT_MAPPABLE.into(),
        (MapOp::List, Errno::AGAIN) => CHANGING.into(),
        (_, Errno::PERM) => RIGHTS.into(),
        (_, Errno::BUSY) => BUSY.into(),
        _ => NO_HINT,
    }
}
