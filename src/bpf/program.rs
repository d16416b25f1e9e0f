//! Loading programs, and asking about those that are loaded.

use super::xsk_map::{XskMap, open_id};
use super::{Insn, Reg, pin};
use crate::error::{Error, Result};
use crate::sys::{self, bpf::Load};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use xsk_uapi::bpf::{BPF_F_XDP_HAS_FRAGS, BPF_PROG_TYPE_XDP, bpf_insn, bpf_prog_info, xdp_md};

/// The length of `struct bpf_prog_info` in 4.18. It has grown since, and is longer than what the kernel
/// tells of a map (104 bytes in 6.18) or a link, whose type numbers mean other things.
const PROG_INFO_4_18: u32 = 128;
/// Room for the log of any short program; longer ones grow it.
const LOG_FIRST: usize = 64 << 10;
/// Kernels before 5.2 take no more than this less one byte.
const LOG_MAX: usize = (16 << 20) - 1;
/// A program with more maps than this was not seen.
const MAPS_MAX: usize = 64 << 10;

/// A loaded XDP program, held by a descriptor.
///
/// The kernel keeps a program while a descriptor, an attachment or a pin holds it; dropping the value
/// only closes the descriptor. To run, a program is attached: see [`link`](crate::attach).
#[derive(Debug)]
pub struct Program {
    fd: OwnedFd,
    id: u32,
}

/// What the kernel tells about a program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "bpf_prog_info")]
#[non_exhaustive]
pub struct ProgramInfo {
    /// The kernel's number for it; not used again soon.
    pub id: u32,
    /// A hash of its instructions (without the maps in them): the same program has the same tag on one
    /// kernel.
    pub tag: [u8; 8],
    /// The name given when it was loaded.
    pub name: String,
    /// The program type (`enum bpf_prog_type`): 6 is XDP.
    pub kind: u32,
    /// The numbers of its maps.
    pub map_ids: Vec<u32>,
}

/// What the kernel tells about a map.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "bpf_map_info")]
#[non_exhaustive]
pub struct MapInfo {
    /// The kernel's number for it.
    pub id: u32,
    /// The name given when it was made.
    pub name: String,
    /// The map type (`enum bpf_map_type`): 17 is XSKMAP.
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// The most entries that it takes.
    pub entries: u32,
}

/// The outcome of [`Program::test_run`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestRun {
    /// What the program returned: 0 `XDP_ABORTED`, 1 `XDP_DROP`, 2 `XDP_PASS`, 3 `XDP_TX`,
    /// 4 `XDP_REDIRECT`. A redirect is only chosen, not carried out.
    pub retval: u32,
    /// The packet afterwards.
    pub data: Vec<u8>,
    /// How long it took, in nanoseconds.
    pub duration: u32,
}

impl Program {
    /// Hands an XDP program to the kernel's verifier and, if that accepts it, loads it.
    ///
    /// `name` is what `bpftool prog` shows: at most 15 of `A-Za-z0-9_.`. `license` matters to programs
    /// that call functions meant for `c"GPL"` ones only. `flags` are those of `BPF_PROG_LOAD`, such as
    /// `BPF_F_XDP_HAS_FRAGS` (0x20, 5.18); mostly 0.
    ///
    /// Needs `CAP_BPF` and `CAP_NET_ADMIN` (5.8), before that `CAP_SYS_ADMIN`; in the first user
    /// namespace. Before 5.11 a program's memory counts against `RLIMIT_MEMLOCK`, and the kernel's word
    /// for too much is `EPERM`.
    ///
    /// The verifier's log is asked for only when the program was refused, so that loading costs what it
    /// has to; the buffer grows to what the log takes, up to 16 MiB.
    ///
    /// # Errors
    /// [`Error::LoadProgram`], with the log unless it was not the verifier that refused: missing rights, no memory,
    /// too many open files. [`Error::NeedsKernel`] for `BPF_F_XDP_HAS_FRAGS` before 5.18.
    #[doc(alias = "BPF_PROG_LOAD")]
    pub fn load(name: &str, insns: &[Insn], license: &CStr, flags: u32) -> Result<Self> {
        let failed = |errno, log| Error::LoadProgram {
            name: name.to_owned(),
            instructions: insns.len(),
            log,
            errno,
        };
        let raw: Vec<bpf_insn> = insns.iter().map(|insn| insn.raw()).collect();
        let load = Load {
            name: sys::bpf::name(name).map_err(|errno| failed(errno, String::new()))?,
            insns: &raw,
            license,
            flags,
        };
        let fd = match load_quietly(load).or_else(|errno| load_with_log(load, errno)) {
            Ok(fd) => fd,
            Err((Errno::INVAL, log)) if log.is_empty() && frags_are_unknown(flags) => {
                return Err(Error::NeedsKernel {
                    feature: "a program for packets in several buffers (BPF_F_XDP_HAS_FRAGS)",
                    version: "5.18",
                });
            }
            Err((errno, log)) => return Err(failed(errno, log)),
        };
        let (info, _) = sys::bpf::prog_info(fd.as_fd(), &mut [])
            .map_err(|errno| failed(errno, String::new()))?;
        Ok(Self { fd, id: info.id })
    }

    /// Takes a descriptor of a program that was loaded elsewhere.
    ///
    /// # Errors
    /// [`Error::WrongObject`] if it is no XDP program, [`Error::BpfObject`] if it is no BPF object at all.
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
    /// As [`from_fd`](Self::from_fd); [`Error::BpfObject`] with `ENOENT` if there is no such program, with
    /// `EPERM` if the capability is missing (`CAP_BPF` is not enough).
    #[doc(alias = "BPF_PROG_GET_FD_BY_ID")]
    pub fn from_id(id: u32) -> Result<Self> {
        let object = format!("program {id}");
        let fd = sys::bpf::prog_by_id(id)
            .map_err(pin::failed("BPF_PROG_GET_FD_BY_ID", object.as_str()))?;
        Self::check(fd, || object.clone())
    }

    fn check(fd: OwnedFd, object: impl Fn() -> String) -> Result<Self> {
        let (info, len) = sys::bpf::prog_info(fd.as_fd(), &mut [])
            .map_err(pin::failed("BPF_OBJ_GET_INFO_BY_FD", object()))?;
        if len < PROG_INFO_4_18 || info.r#type != BPF_PROG_TYPE_XDP {
            return Err(Error::WrongObject { object: object(), wanted: "an XDP program" });
        }
        Ok(Self { fd, id: info.id })
    }

    /// A second descriptor of the same program.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if no more descriptors may be opened.
    pub fn try_clone(&self) -> Result<Self> {
        let fd = fcntl_dupfd_cloexec(&self.fd, 0)
            .map_err(pin::failed("duplicate", format!("program {}", self.id)))?;
        Ok(Self { fd, id: self.id })
    }

    /// The kernel's number for the program.
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
        let (info, map_ids) = self
            .info_with_maps()
            .map_err(pin::failed("BPF_OBJ_GET_INFO_BY_FD", format!("program {}", self.id)))?;
        Ok(ProgramInfo {
            id: info.id,
            tag: info.tag,
            name: sys::bpf::text(&info.name),
            kind: info.r#type,
            map_ids,
        })
    }

    fn info_with_maps(&self) -> Result<(bpf_prog_info, Vec<u32>), Errno> {
        let mut ids = Vec::new();
        loop {
            let (info, _) = sys::bpf::prog_info(self.fd.as_fd(), &mut ids)?;
            let count = usize::try_from(info.nr_map_ids).map_err(|_| Errno::OVERFLOW)?;
            if count <= ids.len() {
                ids.truncate(count);
                return Ok((info, ids));
            }
            if count > MAPS_MAX {
                return Err(Errno::OVERFLOW);
            }
            ids.resize(count, 0);
        }
    }

    /// Asks the kernel about the maps that the program uses. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::BpfObject`]; with `EPERM` if the capability is missing.
    pub fn maps(&self) -> Result<Vec<MapInfo>> {
        self.info()?.map_ids.into_iter().map(|id| Ok(describe_map(id)?.1)).collect()
    }

    /// Opens the XSKMAP of this name that the program uses, if there is one. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::BpfObject`]; with `EPERM` if the capability is missing. [`Error::WrongObject`] if the map of
    /// this name is no XSKMAP.
    pub fn xsk_map(&self, name: &str) -> Result<Option<XskMap>> {
        for id in self.info()?.map_ids {
            let (fd, info) = describe_map(id)?;
            if info.name == name {
                return XskMap::from_fd(fd).map(Some);
            }
        }
        Ok(None)
    }

    /// Runs the program once on a packet of the caller's, without any interface.
    ///
    /// The kernel wants at least 14 bytes, an Ethernet header. Without a context the packet seems to come in
    /// on queue 0 of the namespace's loopback device; `ingress_ifindex` and `rx_queue_index` of a context
    /// choose another, `data_end` has to be the packet's length. Needs no capability. Since 4.12; with a
    /// context since 5.15.
    ///
    /// # Errors
    /// [`Error::BpfObject`]; `EINVAL` for a short packet or a context that fits no device.
    #[doc(alias = "BPF_PROG_TEST_RUN")]
    pub fn test_run(&self, data: &[u8], ctx: Option<&xdp_md>) -> Result<TestRun> {
        // A program may put up to 256 bytes in front and grow the tail within a page.
        let mut out = vec![0; data.len().saturating_add(4096)];
        let ran = self.run(data, &mut out, ctx)?;
        out.truncate(usize::try_from(ran.data_len).unwrap_or(usize::MAX));
        Ok(TestRun { retval: ran.retval, data: out, duration: ran.duration })
    }

    /// [`test_run`](Self::test_run) for the returned value alone.
    pub(super) fn verdict(&self, data: &[u8]) -> Result<u32> {
        Ok(self.run(data, &mut [], None)?.retval)
    }

    fn run(&self, data: &[u8], out: &mut [u8], ctx: Option<&xdp_md>) -> Result<sys::bpf::Ran> {
        loop {
            match sys::bpf::prog_test_run(self.fd.as_fd(), data, out, ctx) {
                // A signal came in before the program ran.
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => {
                    return Err(pin::failed("BPF_PROG_TEST_RUN", format!("program {}", self.id))(
                        errno,
                    ));
                }
                Ok(ran) => return Ok(ran),
            }
        }
    }

    /// Pins the program at `path` in a BPF file system, where it lives until the file is removed.
    ///
    /// # Errors
    /// [`Error::BpfObject`]: `EEXIST`, `ENOENT` for a missing directory, `EPERM` for another file system or
    /// a file name with a full stop in it.
    #[doc(alias = "BPF_OBJ_PIN")]
    pub fn pin(&self, path: impl AsRef<Path>) -> Result<()> {
        pin::pin(self.as_fd(), path.as_ref())
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn describe_map(id: u32) -> Result<(OwnedFd, MapInfo)> {
    let fd = open_id(id)?;
    let info = sys::bpf::map_info(fd.as_fd())
        .map_err(pin::failed("BPF_OBJ_GET_INFO_BY_FD", format!("map {id}")))?;
    let info = MapInfo {
        id: info.id,
        name: sys::bpf::text(&info.name),
        kind: info.r#type,
        key_size: info.key_size,
        value_size: info.value_size,
        entries: info.max_entries,
    };
    Ok((fd, info))
}

/// Whether it is the flag for packets in several buffers that the kernel does not know: the smallest program is
/// refused with it, and taken without.
fn frags_are_unknown(flags: u32) -> bool {
    let smallest = [Insn::mov64_imm(Reg::R0, 0), Insn::exit()].map(|insn| insn.raw());
    let takes = |flags| {
        let load = Load { name: [0; 16], insns: &smallest, license: c"MIT", flags };
        load_quietly(load)
    };
    flags & BPF_F_XDP_HAS_FRAGS != 0
        && takes(BPF_F_XDP_HAS_FRAGS).err() == Some(Errno::INVAL)
        && takes(0).is_ok()
}

fn load_quietly(load: Load<'_>) -> Result<OwnedFd, Errno> {
    let mut tries = 0_u32;
    loop {
        match sys::bpf::prog_load(load, &mut []) {
            Ok(fd) => return Ok(fd),
            // A signal interrupted the verifier.
            Err(refused) if refused.errno == Errno::AGAIN && tries < 5 => {
                tries = tries.saturating_add(1)
            }
            Err(refused) => return Err(refused.errno),
        }
    }
}

/// Whether the verifier has nothing to do with it: rights, memory, descriptors, signals, no bpf(2) at all. Its log
/// would praise a program that nothing is wrong with.
fn is_not_the_verifiers(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::PERM
            | Errno::NOMEM
            | Errno::MFILE
            | Errno::NFILE
            | Errno::AGAIN
            | Errno::INTR
            | Errno::NOSYS
    )
}

/// Loads a refused program once more, to hear why; it may also be accepted this time.
fn load_with_log(load: Load<'_>, errno: Errno) -> Result<OwnedFd, (Errno, String)> {
    if is_not_the_verifiers(errno) {
        return Err((errno, String::new()));
    }
    let mut log = vec![0; LOG_FIRST];
    loop {
        let refused = match sys::bpf::prog_load(load, &mut log) {
            Ok(fd) => return Ok(fd),
            Err(refused) => refused,
        };
        // ENOSPC means that the log did not fit, whatever the program is worth.
        if refused.errno == Errno::NOSPC && log.len() < LOG_MAX {
            let told = usize::try_from(refused.log_true_size).unwrap_or(0);
            let len = told.max(log.len().saturating_mul(4)).min(LOG_MAX);
            log = vec![0; len];
            continue;
        }
        if is_not_the_verifiers(refused.errno) {
            return Err((refused.errno, String::new()));
        }
        return Err((errno, text_of(&log)));
    }
}

/// What the verifier wrote into a buffer: text up to the first zero byte, if there is one.
pub(super) fn text_of(log: &[u8]) -> String {
    let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).trim_end().to_owned()
}
