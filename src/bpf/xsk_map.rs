//! The map from queues to sockets.

use super::pin;
use crate::error::{Error, Result};
use crate::sys::{self, bpf::SlotMap};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use xsk_uapi::bpf::{BPF_ANY, BPF_NOEXIST};

/// A BPF map whose slots name AF_XDP sockets: an XDP program redirects into it by queue number.
///
/// A slot names a socket without keeping it alive: the kernel empties the slot when the socket is closed
/// and its rings are unmapped, also when the process is killed. What a slot holds cannot be read by a
/// system call; [`SlotProbe`](super::SlotProbe) asks by running a program.
#[derive(Debug)]
#[doc(alias = "BPF_MAP_TYPE_XSKMAP")]
pub struct XskMap {
    map: SlotMap,
    entries: u32,
    id: u32,
    name: String,
}

impl XskMap {
    /// The name by which this crate's programs, like those of libbpf and libxdp, call their map.
    pub const DEFAULT_NAME: &'static str = "xsks_map";

    /// Makes a map with `entries` empty slots, numbered from 0.
    ///
    /// `name` is what `bpftool map` shows: at most 15 of `A-Za-z0-9_.`. Since 4.18; needs `CAP_BPF` and
    /// `CAP_NET_ADMIN` (5.8), before that `CAP_SYS_ADMIN`. Before 5.11 the map's memory counts against
    /// `RLIMIT_MEMLOCK`, and the kernel's word for too much is `EPERM`.
    ///
    /// # Errors
    /// [`Error::CreateMap`].
    #[doc(alias = "BPF_MAP_CREATE")]
    pub fn create(name: &str, entries: u32) -> Result<Self> {
        let failed = |errno| Error::CreateMap { name: name.to_owned(), entries, errno };
        let map = sys::bpf::name(name)
            .and_then(|name| sys::bpf::map_create(name, entries))
            .map_err(failed)?;
        let info = sys::bpf::map_info(map.as_fd()).map_err(failed)?;
        Ok(Self { map, entries, id: info.id, name: name.to_owned() })
    }

    /// Takes a descriptor of a map that was made elsewhere.
    ///
    /// # Errors
    /// [`Error::WrongObject`] if it is no XSKMAP with keys and values of four bytes, [`Error::BpfObject`]
    /// if it is no BPF object at all.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        Self::check(fd, || "the file descriptor".to_owned())
    }

    /// Opens a map that is pinned in a BPF file system.
    ///
    /// # Errors
    /// As [`from_fd`](Self::from_fd); [`Error::BpfObject`] also if the path cannot be opened.
    #[doc(alias = "BPF_OBJ_GET")]
    pub fn from_pin(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::check(pin::open(path)?, || path.display().to_string())
    }

    /// Opens a map by the kernel's number for it. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// As [`from_fd`](Self::from_fd); [`Error::BpfObject`] with `ENOENT` if there is no such map, with
    /// `EPERM` if the capability is missing.
    #[doc(alias = "BPF_MAP_GET_FD_BY_ID")]
    pub fn from_id(id: u32) -> Result<Self> {
        let fd = open_id(id)?;
        Self::check(fd, || format!("map {id}"))
    }

    fn check(fd: OwnedFd, object: impl Fn() -> String) -> Result<Self> {
        let checked =
            sys::bpf::slot_map(fd).map_err(pin::failed("BPF_OBJ_GET_INFO_BY_FD", object()))?;
        let Some((map, info)) = checked else {
            return Err(Error::WrongObject {
                object: object(),
                wanted: "a map of type XSKMAP with keys and values of four bytes",
            });
        };
        let name = sys::bpf::text(&info.name);
        Ok(Self { map, entries: info.max_entries, id: info.id, name })
    }

    /// Writes `socket` into slot `queue`, unless another socket has the slot. Needs no capability (before 5.19
    /// `CAP_BPF`, unless the sysctl `kernel.unprivileged_bpf_disabled` is 0).
    ///
    /// The socket need not be bound yet (5.10; before, it must be set up). Writing the same socket again
    /// changes nothing. Packets reach the socket only if it is bound to the very queue that they came in
    /// on: others are dropped without a counter.
    ///
    /// # Errors
    /// [`Error::UpdateMap`]: `EEXIST` if another socket has the slot, `E2BIG` if the map has no such slot,
    /// `EOPNOTSUPP` or `ENOTSOCK` if `socket` is no AF_XDP socket. [`Error::WrongObject`] if the socket has
    /// no RX ring: kernels take it, and may crash at the first packet. (Of a bound socket kernels before
    /// 5.11 do not tell, nor do those before 6.4 while its interface is down; there it is the caller's to know.)
    #[doc(alias = "BPF_MAP_UPDATE_ELEM")]
    #[doc(alias = "xsk_socket__update_xskmap")]
    pub fn insert(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<()> {
        self.update(queue, socket, BPF_NOEXIST)
    }

    /// As [`insert`](Self::insert), but takes the slot from the socket that has it.
    ///
    /// # Errors
    /// As [`insert`](Self::insert), without `EEXIST`.
    pub fn replace(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<()> {
        self.update(queue, socket, BPF_ANY)
    }

    fn update(&self, queue: u32, socket: BorrowedFd<'_>, flags: u64) -> Result<()> {
        if sys::xsk::has_rx_ring(socket) == Some(false) {
            return Err(Error::WrongObject {
                object: format!("the socket for slot {queue}"),
                wanted: "an AF_XDP socket with an RX ring",
            });
        }
        sys::bpf::map_update(&self.map, queue, socket, flags).map_err(self.failed("insert", queue))
    }

    /// Empties slot `queue`, whoever has it; emptying an empty slot changes nothing.
    ///
    /// # Errors
    /// [`Error::UpdateMap`] with `EINVAL` if the map has no such slot.
    #[doc(alias = "BPF_MAP_DELETE_ELEM")]
    pub fn remove(&self, queue: u32) -> Result<()> {
        sys::bpf::map_delete(&self.map, queue).map_err(self.failed("remove", queue))
    }

    /// Empties slot `queue` if `socket` has it, and answers whether another socket has.
    ///
    /// # Errors
    /// As [`insert`](Self::insert) and [`remove`](Self::remove).
    pub(crate) fn remove_own(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<bool> {
        // Slots cannot be read, but a write of the same socket succeeds where that of another is refused.
        // The socket is open here, so that the slot cannot fall empty and to somebody else in between.
        match sys::bpf::map_update(&self.map, queue, socket, BPF_NOEXIST) {
            Ok(()) => self.remove(queue).map(|()| false),
            Err(Errno::EXIST) => Ok(true),
            Err(errno) => Err(self.failed("remove", queue)(errno)),
        }
    }

    fn failed(&self, operation: &'static str, index: u32) -> impl FnOnce(Errno) -> Error {
        let entries = self.entries;
        move |errno| Error::UpdateMap { operation, index, entries, errno }
    }

    /// The number of slots.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// The kernel's number for the map.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The map's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Pins the map at `path` in a BPF file system, where it lives until the file is removed.
    ///
    /// # Errors
    /// [`Error::BpfObject`]: `EEXIST`, `ENOENT` for a missing directory, `EPERM` for another file system or
    /// a file name with a full stop in it.
    #[doc(alias = "BPF_OBJ_PIN")]
    pub fn pin(&self, path: impl AsRef<Path>) -> Result<()> {
        pin::pin(self.as_fd(), path.as_ref())
    }
}

/// `bpf(BPF_MAP_GET_FD_BY_ID)`
pub(super) fn open_id(id: u32) -> Result<OwnedFd> {
    sys::bpf::map_by_id(id).map_err(pin::failed("BPF_MAP_GET_FD_BY_ID", format!("map {id}")))
}

impl AsFd for XskMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}
