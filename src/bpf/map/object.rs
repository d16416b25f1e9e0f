//! The calls that every type of map has.

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
