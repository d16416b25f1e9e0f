//! What all maps have in common: making and opening them, and the errors of their entries.

use super::super::info::MapInfo;
use super::super::pin;
use super::batch::has_no_batches;
use crate::error::{BpfOp, Error, MapKind, MapOp, ObjectKind, Result};
use crate::num::usize32;
use crate::sys::bpf::{self as sys, MapFd, MapSpec};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use xsk_uapi::bpf::{
    BPF_ANY, BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG, BPF_MAP_TYPE_ARRAY,
};

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

/// Entries that are written or removed by one system call.
pub(super) const BATCH: usize = 4096;

impl RawMap {
    /// Writes entries, many at once where the kernel can.
    pub(super) fn write_all<'e>(
        &self,
        entries: impl Iterator<Item = (&'e [u8], &'e [u8])>,
    ) -> Result<()> {
        let mut entries = entries.peekable();
        let mut batches = true;
        while entries.peek().is_some() {
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (key, value) in entries.by_ref().take(BATCH) {
                keys.extend_from_slice(key);
                values.extend_from_slice(value);
            }
            let mut done = 0;
            if batches {
                match self.fd.update_batch(&keys, &values, BPF_ANY) {
                    (_, Ok(())) => continue,
                    (count, Err(errno)) => {
                        batches = !(count == 0 && has_no_batches(errno));
                        done = usize32(count);
                    }
                }
            }
            // Also after a failure: it reports the error of the very entry.
            let keys = keys.chunks(self.fd.key_len());
            for (key, value) in keys.zip(values.chunks(self.fd.value_len())).skip(done) {
                self.write(key, value, BPF_ANY)?;
            }
        }
        Ok(())
    }

    /// Removes keys, many at once where the kernel can; returns how many of them were there.
    pub(super) fn remove_all<'e>(&self, keys: impl Iterator<Item = &'e [u8]>) -> Result<u64> {
        let mut keys = keys.peekable();
        let mut removed = 0_u64;
        let mut batches = true;
        while keys.peek().is_some() {
            let mut batch = Vec::new();
            for key in keys.by_ref().take(BATCH) {
                batch.extend_from_slice(key);
            }
            let mut rest = batch.as_slice();
            while !rest.is_empty() {
                let mut done = 0;
                if batches {
                    let (count, result) = self.fd.delete_batch(rest);
                    if let Err(errno) = result {
                        batches = !(count == 0 && has_no_batches(errno));
                    }
                    done = usize32(count).saturating_mul(self.fd.key_len());
                    removed = removed.saturating_add(count.into());
                }
                // The batch ends at a key that is not there, or at an error, which is reported here.
                let (key, after) = rest
                    .get(done..)
                    .unwrap_or_default()
                    .split_at(self.fd.key_len().min(rest.len().saturating_sub(done)));
                if !key.is_empty() {
                    removed = removed.saturating_add(self.remove(key)?.into());
                }
                rest = after;
            }
        }
        Ok(removed)
    }
}

/// Writes the calls that every type of map has: opening, asking about it, pinning, its descriptor.
///
/// The type is a struct with the fields `raw` and `types`.
macro_rules! map_object {
    ($name:literal, [$($generics:tt)*] $map:ty, $shape:expr) => {
        impl<$($generics)*> $map {
            const SHAPE: $crate::bpf::map::raw::Shape = $shape;

            fn of(raw: $crate::bpf::map::raw::RawMap) -> Self {
                Self { raw, types: std::marker::PhantomData }
            }

            /// Takes a descriptor of a map that was made elsewhere.
            ///
            /// # Errors
            /// [`Error::WrongObject`](crate::Error::WrongObject) if it is of another type, or its
            /// keys or values have other sizes; [`Error::BpfObject`](crate::Error::BpfObject) if it
            /// is no BPF object at all.
            pub fn from_fd(fd: std::os::fd::OwnedFd) -> $crate::error::Result<Self> {
                $crate::bpf::map::raw::RawMap::from_fd(fd, Self::SHAPE).map(Self::of)
            }

            /// Opens a map that is pinned in a BPF file system.
            ///
            /// # Errors
            /// As [`from_fd`](Self::from_fd); [`Error::BpfObject`](crate::Error::BpfObject) also if
            /// the path cannot be opened.
            #[doc(alias = "BPF_OBJ_GET")]
            pub fn from_pin(
                path: impl AsRef<std::path::Path>,
            ) -> $crate::error::Result<Self> {
                $crate::bpf::map::raw::RawMap::from_pin(path.as_ref(), Self::SHAPE).map(Self::of)
            }

            /// Opens a map by the kernel's number for it. Needs `CAP_SYS_ADMIN`.
            ///
            /// # Errors
            /// As [`from_fd`](Self::from_fd); [`Error::BpfObject`](crate::Error::BpfObject) with
            /// `ENOENT` if there is no such map, with `EPERM` if the capability is missing.
            #[doc(alias = "BPF_MAP_GET_FD_BY_ID")]
            pub fn from_id(id: u32) -> $crate::error::Result<Self> {
                $crate::bpf::map::raw::RawMap::from_id(id, Self::SHAPE).map(Self::of)
            }

            /// Makes another descriptor of the same map.
            ///
            /// # Errors
            /// [`Error::BpfObject`](crate::Error::BpfObject) if no more descriptors may be opened.
            pub fn try_clone(&self) -> $crate::error::Result<Self> {
                self.raw.try_clone().map(Self::of)
            }

            /// Pins the map at `path` in a BPF file system, where it lives until the file is removed.
            ///
            /// # Errors
            /// [`Error::BpfObject`](crate::Error::BpfObject): `EEXIST`, `ENOENT` for a missing
            /// directory, `EPERM` for another file system or a file name with a full stop in it.
            #[doc(alias = "BPF_OBJ_PIN")]
            pub fn pin(&self, path: impl AsRef<std::path::Path>) -> $crate::error::Result<()> {
                self.raw.pin(path.as_ref())
            }

            /// Asks the kernel about the map.
            ///
            /// # Errors
            /// [`Error::BpfObject`](crate::Error::BpfObject).
            #[doc(alias = "BPF_OBJ_GET_INFO_BY_FD")]
            pub fn info(&self) -> $crate::error::Result<$crate::bpf::info::MapInfo> {
                self.raw.info()
            }

            /// Returns the most entries that the map takes.
            #[must_use]
            pub fn entries(&self) -> u32 {
                self.raw.entries()
            }

            /// Returns the kernel's number for the map.
            #[must_use]
            pub fn id(&self) -> u32 {
                self.raw.id()
            }

            /// Returns the map's name.
            #[must_use]
            pub fn name(&self) -> &str {
                self.raw.name()
            }
        }

        impl<$($generics)*> std::os::fd::AsFd for $map {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                std::os::fd::AsFd::as_fd(&self.raw)
            }
        }

        impl<$($generics)*> std::os::fd::AsRawFd for $map {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(self))
            }
        }

        impl<$($generics)*> std::fmt::Debug for $map {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple($name).field(&self.raw).finish()
            }
        }
    };
}

pub(super) use map_object;

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
