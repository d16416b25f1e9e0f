//! What all maps have in common: making and opening them, and the errors of their entries.

use super::super::info::MapInfo;
use super::super::pin;
use crate::error::{BpfOp, Error, MapKind, MapOp, ObjectKind, Result};
use crate::sys::bpf::{self as sys, MapFd, MapSpec};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use xsk_uapi::bpf::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG, BPF_MAP_TYPE_ARRAY};

/// The type of a map and the sizes of its keys and values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) kind: MapKind,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
}

/// The number of entries of a map and how it is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) name: &'a str,
    pub(super) entries: u32,
    pub(super) flags: u32,
    pub(super) numa_node: Option<u32>,
}

impl<'a> Options<'a> {
    pub(super) fn new(name: &'a str, entries: u32) -> Self {
        Self { name, entries, flags: 0, numa_node: None }
    }
}

/// A map of a known type, with keys and values of known sizes.
#[derive(Debug)]
pub(super) struct RawMap {
    pub(super) fd: MapFd,
    kind: MapKind,
    entries: u32,
    id: u32,
    name: String,
}

/// Flags that came after the types of maps that have them.
const NEW_FLAGS: [(u32, &str, &str); 2] = [
    (
        BPF_F_RDONLY_PROG,
        "a map that programs only read (`MapBuilder::read_only_for_programs`)",
        "5.2",
    ),
    (BPF_F_MMAPABLE, "an array that is mapped into memory (`MapBuilder::mappable`)", "5.5"),
];

/// Returns the error of a kernel that does not know one of `flags`; `knows` tries one.
fn missing(flags: u32, knows: impl Fn(u32) -> bool) -> Option<Error> {
    let unknown = NEW_FLAGS.iter().find(|(flag, ..)| flags & flag != 0 && !knows(*flag));
    unknown.map(|(_, feature, version)| Error::NeedsKernel { feature, version })
}

/// Returns whether the kernel makes an array with this flag.
fn knows(flag: u32) -> bool {
    let spec = MapSpec {
        kind: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: 8,
        entries: 1,
        flags: flag,
        numa_node: None,
        name: sys::Name::default(),
    };
    !matches!(sys::map_create(&spec), Err(Errno::INVAL))
}

impl RawMap {
    /// `bpf(BPF_MAP_CREATE)`
    pub(super) fn create(shape: Shape, options: Options<'_>) -> Result<Self> {
        let Shape { kind, key_size, value_size } = shape;
        let Options { name, entries, flags, numa_node } = options;
        // A trie has to be made so.
        let needed = if kind == MapKind::LpmTrie { BPF_F_NO_PREALLOC } else { 0 };
        let failed = |errno| Error::CreateMap { name: name.to_owned(), kind, entries, errno };
        let spec = MapSpec {
            kind: kind.number(),
            key_size,
            value_size,
            entries,
            flags: flags | needed,
            numa_node,
            name: sys::name(name).map_err(failed)?,
        };
        let fd = match sys::map_create(&spec) {
            Err(Errno::INVAL) => {
                return Err(missing(flags, knows).unwrap_or_else(|| failed(Errno::INVAL)));
            }
            result => result.map_err(failed)?,
        };
        let info = sys::map_info(fd.as_fd()).map_err(failed)?;
        Ok(Self { fd, kind, entries, id: info.id, name: name.to_owned() })
    }

    /// Takes a descriptor of a map of this shape; errors call it what `object` returns.
    pub(super) fn check(fd: OwnedFd, shape: Shape, object: impl Fn() -> String) -> Result<Self> {
        let (fd, info) = MapFd::open(fd).map_err(pin::failed(BpfOp::Info, object()))?;
        let Shape { kind, key_size, value_size } = shape;
        if (info.r#type, info.key_size, info.value_size) != (kind.number(), key_size, value_size) {
            let wanted = ObjectKind::Map { kind, key_size, value_size };
            return Err(Error::WrongObject { object: object(), wanted });
        }
        let name = sys::text(&info.name);
        Ok(Self { fd, kind, entries: info.max_entries, id: info.id, name })
    }

    pub(super) fn from_fd(fd: OwnedFd, shape: Shape) -> Result<Self> {
        Self::check(fd, shape, || "the file descriptor".to_owned())
    }

    pub(super) fn from_pin(path: &Path, shape: Shape) -> Result<Self> {
        Self::check(pin::open(path)?, shape, || path.display().to_string())
    }

    pub(super) fn from_id(id: u32, shape: Shape) -> Result<Self> {
        Self::check(pin::open_map(id)?, shape, || format!("map {id}"))
    }

    pub(super) fn try_clone(&self) -> Result<Self> {
        let fd = self.fd.duplicate().map_err(self.object_failed(BpfOp::Duplicate))?;
        let Self { kind, entries, id, .. } = *self;
        Ok(Self { fd, kind, entries, id, name: self.name.clone() })
    }

    pub(super) fn info(&self) -> Result<MapInfo> {
        MapInfo::read(self.as_fd()).map_err(self.object_failed(BpfOp::Info))
    }

    pub(super) fn pin(&self, path: &Path) -> Result<()> {
        pin::pin(self.as_fd(), path)
    }

    pub(super) fn entries(&self) -> u32 {
        self.entries
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn object_failed(&self, operation: BpfOp) -> impl FnOnce(Errno) -> Error {
        pin::failed(operation, format!("map {}", self.id))
    }

    /// Makes the error of an operation on the entries; `index` is that of a map whose keys are
    /// numbers from 0 on.
    pub(super) fn failed(
        &self,
        operation: MapOp,
        index: Option<u32>,
    ) -> impl FnOnce(Errno) -> Error + '_ {
        let Self { kind, entries, .. } = *self;
        move |errno| Error::MapEntry {
            operation,
            name: self.name.clone(),
            kind,
            entries,
            index,
            errno,
        }
    }

    /// Reads an entry; returns whether there is one.
    pub(super) fn read(&self, key: &[u8], value: &mut [u8], index: Option<u32>) -> Result<bool> {
        match self.fd.lookup(key, value) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.failed(MapOp::Read, index)(errno)),
        }
    }

    /// Writes an entry; returns whether `flags` let it: with `BPF_NOEXIST` there must be none, with
    /// `BPF_EXIST` there must be one.
    pub(super) fn write(&self, key: &[u8], value: &[u8], flags: u64) -> Result<bool> {
        match self.fd.update(key, value, flags) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::NOENT) if flags != 0 => Ok(false),
            Err(errno) => Err(self.failed(MapOp::Write, None)(errno)),
        }
    }

    /// Removes an entry; returns whether there was one.
    pub(super) fn remove(&self, key: &[u8]) -> Result<bool> {
        match self.fd.delete(key) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.failed(MapOp::Remove, None)(errno)),
        }
    }
}

impl AsFd for RawMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::{BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, Error, missing};

    #[test]
    fn a_flag_that_the_kernel_does_not_know_is_named() {
        let both = BPF_F_MMAPABLE | BPF_F_RDONLY_PROG;
        let version = |flags, known: u32| match missing(flags, |flag| known & flag != 0) {
            Some(Error::NeedsKernel { version, .. }) => Some(version),
            other => {
                assert_eq!(other, None);
                None
            }
        };
        assert_eq!(version(both, both), None);
        assert_eq!(version(both, BPF_F_RDONLY_PROG), Some("5.5"));
        assert_eq!(version(both, 0), Some("5.2"));
        assert_eq!(version(0, 0), None);
    }
}
