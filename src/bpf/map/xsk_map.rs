//! XSKMAPs: maps from queues to sockets.

use super::super::pin;
use crate::error::{BpfOp, Error, MapKind, ObjectKind, Result, SlotOp};
use crate::sys::{
    self,
    bpf::{MapFd, MapSpec},
    xsk::RxRing,
};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use xsk_uapi::bpf::{BPF_ANY, BPF_MAP_TYPE_XSKMAP, BPF_NOEXIST};

/// A BPF map whose slots name AF_XDP sockets: an XDP program redirects into it by queue number.
///
/// A slot names a socket without keeping it alive: the kernel empties the slot when the socket is
/// closed and its rings are unmapped, also when the process is killed. No system call reads what a
/// slot holds; [`SlotProbe`](crate::bpf::SlotProbe) finds out by running a program.
///
/// ```
/// use xsk::bpf::{SlotProbe, XskMap};
/// use xsk::{Socket, Umem};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of XskMap") { return Ok(()); }
/// let map = XskMap::create(XskMap::DEFAULT_NAME, 4)?;
/// let (umem, _pool) = Umem::builder().chunk_count(64).build()?;
/// let socket = Socket::builder(&umem).open()?;
/// map.insert(3, &socket)?;
/// assert_eq!(SlotProbe::new(&map)?.occupied()?, [3]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[doc(alias = "BPF_MAP_TYPE_XSKMAP")]
pub struct XskMap {
    map: MapFd,
    entries: u32,
    id: u32,
    name: String,
}

impl XskMap {
    /// The name by which this crate's programs, like those of libbpf and libxdp, call their map.
    pub const DEFAULT_NAME: &'static str = "xsks_map";

    /// Makes a map with `entries` empty slots, numbered from 0.
    ///
    /// `name` is what `bpftool map` shows: at most 15 of `A-Za-z0-9_.`. Since 4.18; needs `CAP_BPF`
    /// and `CAP_NET_ADMIN` (5.8), before that `CAP_SYS_ADMIN`. Before 5.11 the map's memory counts
    /// against `RLIMIT_MEMLOCK`, and the kernel reports too much of it as `EPERM`.
    ///
    /// # Errors
    /// [`Error::CreateMap`].
    #[doc(alias = "BPF_MAP_CREATE")]
    pub fn create(name: &str, entries: u32) -> Result<Self> {
        let failed = |errno| Error::CreateMap {
            name: name.to_owned(),
            kind: MapKind::XskMap,
            entries,
            errno,
        };
        let map = sys::bpf::name(name)
            .and_then(|name| {
                sys::bpf::map_create(&MapSpec {
                    kind: BPF_MAP_TYPE_XSKMAP,
                    key_size: 4,
                    value_size: 4,
                    entries,
                    flags: 0,
                    numa_node: None,
                    name,
                })
            })
            .map_err(failed)?;
        let info = sys::bpf::map_info(map.as_fd()).map_err(failed)?;
        Ok(Self { map, entries, id: info.id, name: name.to_owned() })
    }

    /// Takes a descriptor of a map that was made elsewhere.
    ///
    /// # Errors
    /// [`Error::WrongObject`] if it is no XSKMAP with keys and values of four bytes,
    /// [`Error::BpfObject`] if it is no BPF object at all.
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
    /// As [`from_fd`](Self::from_fd); [`Error::BpfObject`] with `ENOENT` if there is no such map,
    /// with `EPERM` if the capability is missing.
    #[doc(alias = "BPF_MAP_GET_FD_BY_ID")]
    pub fn from_id(id: u32) -> Result<Self> {
        Self::check(pin::open_map(id)?, || format!("map {id}"))
    }

    /// Makes another descriptor of the same map.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if no more descriptors may be opened.
    pub fn try_clone(&self) -> Result<Self> {
        let object = || format!("map {}", self.id);
        let fd = fcntl_dupfd_cloexec(self, 0).map_err(pin::failed(BpfOp::Duplicate, object()))?;
        Self::check(fd, object)
    }

    /// Takes a descriptor as [`from_fd`](Self::from_fd); errors call it what `object` returns.
    pub(crate) fn check(fd: OwnedFd, object: impl Fn() -> String) -> Result<Self> {
        let (map, info) = MapFd::open(fd).map_err(pin::failed(BpfOp::Info, object()))?;
        if (info.r#type, info.key_size, info.value_size) != (BPF_MAP_TYPE_XSKMAP, 4, 4) {
            return Err(Error::WrongObject { object: object(), wanted: ObjectKind::XskMap });
        }
        let name = sys::bpf::text(&info.name);
        Ok(Self { map, entries: info.max_entries, id: info.id, name })
    }

    /// Writes `socket` into slot `queue`, unless another socket has the slot. Needs no capability
    /// (before 5.19 `CAP_BPF`, unless the sysctl `kernel.unprivileged_bpf_disabled` is 0).
    ///
    /// The socket need not be bound yet (5.10; before, its rings and its memory must be set up, or
    /// the kernel says `EOPNOTSUPP`). Writing the same socket again changes nothing. Packets reach
    /// the socket only if it is bound to the very queue that they came in on: others are dropped
    /// without a counter. In generic mode before 5.12 the first packet for a socket that is not bound
    /// crashes the kernel: bind it first there.
    ///
    /// # Errors
    /// [`Error::UpdateMap`]: `EEXIST` if another socket has the slot, `E2BIG` if the map has no
    /// such slot, `EOPNOTSUPP` or `ENOTSOCK` if `socket` is no AF_XDP socket.
    /// [`Error::WrongObject`] if the socket has no RX ring: kernels take it, and may crash at the
    /// first packet. Kernels before 6.4 do not report this of a bound socket while its interface is
    /// down: [`Error::UpdateMap`] with `ENETDOWN`, whatever rings it has. Those before 5.11 report
    /// it of no bound socket, and take it: there the caller has to know.
    #[doc(alias = "BPF_MAP_UPDATE_ELEM")]
    #[doc(alias = "xsk_socket__update_xskmap")]
    pub fn insert(&self, queue: u32, socket: impl AsFd) -> Result<()> {
        self.update(queue, socket.as_fd(), BPF_NOEXIST)
    }

    /// Writes `socket` into slot `queue` as [`insert`](Self::insert) does, but takes the slot from
    /// the socket that has it.
    ///
    /// A [`Registration`](crate::Registration) that ends in the same moment, in this process or
    /// another, may empty the slot again: the kernel has no call that empties a slot only if it
    /// holds a certain socket. And while that registration lives, the slot counts as one of its
    /// interface: if the socket written here is for another interface with this map, the last user
    /// who leaves that one does not see it, and detaches the program there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert), without `EEXIST`.
    pub fn replace(&self, queue: u32, socket: impl AsFd) -> Result<()> {
        self.update(queue, socket.as_fd(), BPF_ANY)
    }

    /// Writes a socket into slot `queue` as [`insert`](Self::insert) does. The caller knows that it
    /// has an RX ring.
    pub(crate) fn insert_unchecked(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<()> {
        self.write(queue, socket, BPF_NOEXIST)
    }

    fn update(&self, queue: u32, socket: BorrowedFd<'_>, flags: u64) -> Result<()> {
        match sys::xsk::rx_ring(socket) {
            RxRing::Present | RxRing::Unreported => self.write(queue, socket, flags),
            RxRing::Absent => Err(Error::WrongObject {
                object: format!("the socket for slot {queue}"),
                wanted: ObjectKind::SocketWithRxRing,
            }),
            RxRing::LinkDown => Err(self.failed(SlotOp::Insert, queue)(Errno::NETDOWN)),
        }
    }

    fn write(&self, queue: u32, socket: BorrowedFd<'_>, flags: u64) -> Result<()> {
        self.map.update_fd(queue, socket, flags).map_err(self.failed(SlotOp::Insert, queue))
    }

    /// Writes `socket` into slot `queue` if that is empty. Returns whether it has the slot now: `false` if
    /// another socket has it. The caller knows that it has an RX ring.
    pub(crate) fn restore(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<bool> {
        match self.map.update_fd(queue, socket, BPF_NOEXIST) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(self.failed(SlotOp::Insert, queue)(errno)),
        }
    }

    /// Writes a socket into slot `queue` as [`replace`](Self::replace) does. The caller knows that it
    /// has an RX ring.
    pub(crate) fn replace_unchecked(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<()> {
        self.write(queue, socket, BPF_ANY)
    }

    /// Empties slot `queue`, whichever socket has it; emptying an empty slot changes nothing.
    ///
    /// # Errors
    /// [`Error::UpdateMap`] with `EINVAL` if the map has no such slot.
    #[doc(alias = "BPF_MAP_DELETE_ELEM")]
    pub fn remove(&self, queue: u32) -> Result<()> {
        self.map.delete(&queue.to_ne_bytes()).map_err(self.failed(SlotOp::Remove, queue))
    }

    /// Empties slot `queue` if `socket` has it. Returns whether another socket has it.
    ///
    /// # Errors
    /// As [`insert`](Self::insert) and [`remove`](Self::remove).
    pub(crate) fn remove_own(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<bool> {
        // Slots cannot be read, but a write of the same socket succeeds where that of another is
        // refused. The socket is open here, so the slot cannot become empty and another's in
        // between; what `replace` writes there in between is removed.
        match self.map.update_fd(queue, socket, BPF_NOEXIST) {
            Ok(()) => self.remove(queue).map(|()| false),
            Err(Errno::EXIST) => Ok(true),
            Err(errno) => Err(self.failed(SlotOp::Remove, queue)(errno)),
        }
    }

    fn failed(&self, operation: SlotOp, index: u32) -> impl FnOnce(Errno) -> Error {
        let entries = self.entries;
        let other_interface = None;
        move |errno| Error::UpdateMap { operation, index, entries, other_interface, errno }
    }

    /// Returns the number of slots.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// Returns the kernel's number for the map.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the map's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Pins the map at `path` in a BPF file system, where it lives until the file is removed.
    ///
    /// # Errors
    /// [`Error::BpfObject`]: `EEXIST`, `ENOENT` for a missing directory, `EPERM` for another file
    /// system or a file name with a full stop in it.
    #[doc(alias = "BPF_OBJ_PIN")]
    pub fn pin(&self, path: impl AsRef<Path>) -> Result<()> {
        pin::pin(self.as_fd(), path.as_ref())
    }
}

impl AsFd for XskMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

impl AsRawFd for XskMap {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
