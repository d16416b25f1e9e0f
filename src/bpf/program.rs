//! Loaded programs: opened, asked about, pinned.

use super::info::{MapInfo, ProgramInfo, of_program};
use super::map::XskMap;
use super::pin;
use crate::error::{BpfOp, Error, ObjectKind, Result};
use crate::sys;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use xsk_uapi::bpf::{BPF_MAP_TYPE_XSKMAP, BPF_PROG_TYPE_XDP};

/// A loaded XDP program, held by a descriptor.
///
/// [`builder`](Self::builder) loads one. The kernel keeps a program while a descriptor, an
/// attachment or a pin holds it; dropping the value only closes the descriptor. To run, a program
/// is attached: see [`attach`](crate::attach).
///
/// ```
/// use xsk::bpf::{Program, XskMap, redirect};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of Program") { return Ok(()); }
/// let map = XskMap::create("xsks_map", 4)?;
/// let program = redirect(&map)?;
/// let same = Program::from_id(program.id())?;
/// assert_eq!(same.info()?.tag, program.info()?.tag);
/// let found = same.xsk_map("xsks_map")?.expect("the program uses this map");
/// assert_eq!(found.id(), map.id());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Program {
    fd: OwnedFd,
    id: u32,
}

impl Program {
    /// Returns the program that `fd` holds, whose number is `id`.
    pub(super) fn new(fd: OwnedFd, id: u32) -> Self {
        Self { fd, id }
    }

    /// Takes a descriptor of a program that was loaded elsewhere.
    ///
    /// # Errors
    /// [`Error::WrongObject`] if it is no XDP program, [`Error::BpfObject`] if it is no BPF object
    /// at all.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        Self::check(fd, || "the file descriptor".to_owned())
    }

    /// Opens a program that is pinned in a BPF file system.
    ///
    /// # Errors
    /// As [`from_fd`](Self::from_fd); [`Error::BpfObject`] also if the path cannot be opened.
    #[doc(alias = "BPF_OBJ_GET")]
    pub fn from_pin(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::check(pin::open(path)?, || path.display().to_string())
    }

    /// Opens a program by the kernel's number for it. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// As [`from_fd`](Self::from_fd); [`Error::BpfObject`] with `ENOENT` if there is no such
    /// program, with `EPERM` if the capability is missing (`CAP_BPF` is not enough).
    #[doc(alias = "BPF_PROG_GET_FD_BY_ID")]
    pub fn from_id(id: u32) -> Result<Self> {
        let object = format!("program {id}");
        let fd =
            sys::bpf::prog_by_id(id).map_err(pin::failed(BpfOp::ProgramById, object.as_str()))?;
        Self::check(fd, || object.clone())
    }

    /// Returns whether this process may not open programs by their ids: not even this one.
    pub(crate) fn is_hidden(&self) -> bool {
        sys::bpf::prog_by_id(self.id).err() == Some(Errno::PERM)
    }

    fn check(fd: OwnedFd, object: impl Fn() -> String) -> Result<Self> {
        match of_program(fd.as_fd()).map_err(pin::failed(BpfOp::Info, object()))? {
            Some(info) if info.r#type == BPF_PROG_TYPE_XDP => Ok(Self { fd, id: info.id }),
            _ => Err(Error::WrongObject { object: object(), wanted: ObjectKind::XdpProgram }),
        }
    }

    /// Makes a second descriptor of the same program.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if no more descriptors may be opened.
    pub fn try_clone(&self) -> Result<Self> {
        let fd = fcntl_dupfd_cloexec(&self.fd, 0).map_err(self.failed(BpfOp::Duplicate))?;
        Ok(Self { fd, id: self.id })
    }

    /// Returns the kernel's number for the program.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Asks the kernel about the program.
    ///
    /// # Errors
    /// [`Error::BpfObject`].
    #[doc(alias = "BPF_OBJ_GET_INFO_BY_FD")]
    pub fn info(&self) -> Result<ProgramInfo> {
        ProgramInfo::read(self.as_fd()).map_err(self.failed(BpfOp::Info))
    }

    /// Asks the kernel about the maps that the program uses. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::BpfObject`]; with `EPERM` if the capability is missing.
    pub fn maps(&self) -> Result<Vec<MapInfo>> {
        self.info()?.map_ids.into_iter().map(|id| Ok(MapInfo::open(id)?.1)).collect()
    }

    /// Opens the XSKMAP of this name that the program uses, if there is one. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::BpfObject`]; with `EPERM` if the capability is missing. [`Error::WrongObject`] if
    /// the map of this name is no XSKMAP.
    pub fn xsk_map(&self, name: &str) -> Result<Option<XskMap>> {
        for id in self.info()?.map_ids {
            let (fd, info) = MapInfo::open(id)?;
            if info.name == name {
                return XskMap::from_fd(fd).map(Some);
            }
        }
        Ok(None)
    }

    /// Has the program keep a map that its instructions do not use; [`info`](Self::info) has it among
    /// the program's maps then. Since 5.10. Needs no capability (before 5.19 `CAP_BPF`, unless the sysctl
    /// `kernel.unprivileged_bpf_disabled` is 0).
    ///
    /// A program that only passes and drops can so take the place of one that redirects, by
    /// [`Attachment::replace_program`](crate::Attachment::replace_program) or under a pinned link, and
    /// later give it back, with the sockets in their slots. A filter is bound by itself when it is
    /// loaded.
    ///
    /// ```
    /// use xsk::bpf::{Insn, Program, Reg, XskMap};
    ///
    /// # fn main() -> xsk::Result<()> {
    /// # if !xsk::test_util::privileged("the documentation of Program::bind_map") { return Ok(()); }
    /// let map = XskMap::create(XskMap::DEFAULT_NAME, 4)?;
    /// let pass = Program::builder(&[Insn::mov64_imm(Reg::R0, 2), Insn::exit()]).load()?;
    /// pass.bind_map(&map)?;
    /// assert_eq!(pass.info()?.map_ids, [map.id()]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::NeedsKernel`] before 5.10; [`Error::BpfObject`].
    #[doc(alias = "BPF_PROG_BIND_MAP")]
    pub fn bind_map(&self, map: impl AsFd) -> Result<()> {
        if sys::release::is_before(5, 10) {
            let feature = "binding a map to a program";
            return Err(Error::NeedsKernel { feature, version: "5.10" });
        }
        let bound = sys::bpf::prog_bind_map(self.as_fd(), map.as_fd());
        bound.map_err(self.failed(BpfOp::BindMap))
    }

    /// Refuses a program that does not use a map.
    pub(crate) fn require_map(&self, map: &XskMap) -> Result<()> {
        let ids = self.info()?.map_ids;
        if ids.contains(&map.id()) {
            return Ok(());
        }
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        let theirs = match &ids[..] {
            [] => "which has no map".to_owned(),
            [id] => format!("whose map is {id}"),
            ids => format!("whose maps are {}", ids.join(", ")),
        };
        Err(Error::WrongObject {
            object: format!("program {}, {theirs},", self.id),
            wanted: ObjectKind::ProgramOfAttachment { map: map.id() },
        })
    }

    /// Refuses a program that uses XSKMAPs, but not this one, as far as this process may look at them
    /// (`CAP_SYS_ADMIN`).
    pub(crate) fn require_no_other_xsk_map(&self, map: &XskMap) -> Result<()> {
        let maps = self.maps().unwrap_or_default();
        if maps.iter().any(|map| map.kind == BPF_MAP_TYPE_XSKMAP) {
            return self.require_map(map);
        }
        Ok(())
    }

    /// Pins the program at `path` in a BPF file system, where it lives until the file is removed.
    ///
    /// # Errors
    /// [`Error::BpfObject`]: `EEXIST`, `ENOENT` for a missing directory, `EPERM` for another file
    /// system or a file name with a full stop in it.
    #[doc(alias = "BPF_OBJ_PIN")]
    pub fn pin(&self, path: impl AsRef<Path>) -> Result<()> {
        pin::pin(self.as_fd(), path.as_ref())
    }

    /// Makes the error of an operation on this program.
    pub(super) fn failed(&self, operation: BpfOp) -> impl FnOnce(rustix::io::Errno) -> Error {
        pin::failed(operation, format!("program {}", self.id))
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Program {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
