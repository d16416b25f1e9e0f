//! Loads programs: settings, the verifier's verdict, and its log.

use super::asm::{Code, Insn, Listing, Reg};
use super::program::Program;
use super::refusal::{lacking, refused_at};
use crate::error::{Error, Result};
use crate::num::usize32;
use crate::sys::{self, bpf::Load};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use xsk_uapi::bpf::{BPF_F_TOKEN_FD, BPF_F_XDP_DEV_BOUND_ONLY, BPF_F_XDP_HAS_FRAGS, bpf_insn};

/// Bytes for the log of any short program; a longer log makes the buffer grow.
const LOG_FIRST: usize = 64 << 10;
/// The longest buffer, in bytes: kernels before 5.2 take at most one byte less than 16 MiB.
const LOG_MAX: usize = (16 << 20) - 1;
/// How often a load that a signal interrupted is tried again.
const RETRIES: u32 = 5;

/// The settings of a program that is to be loaded, from [`Program::builder`].
///
/// ```
/// use xsk::bpf::{Insn, Program, Reg};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of ProgramBuilder") { return Ok(()); }
/// let insns = [Insn::mov64_imm(Reg::R0, 1), Insn::exit()]; // return XDP_DROP;
/// let program = Program::builder(&insns).name("drop_all").license(c"GPL").load()?;
/// assert_eq!(program.info()?.name, "drop_all");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a builder loads nothing before `load`"]
pub struct ProgramBuilder<'a> {
    insns: &'a [Insn<'a>],
    /// The program that the instructions are of, if an assembler made it.
    code: Option<&'a Code>,
    name: &'a str,
    license: &'a CStr,
    flags: u32,
    ifindex: u32,
}

impl Program {
    /// Returns a builder of an XDP program made of `insns`; [`ProgramBuilder::load`] does it.
    pub fn builder<'a>(insns: &'a [Insn<'a>]) -> ProgramBuilder<'a> {
        ProgramBuilder { insns, code: None, name: "", license: c"", flags: 0, ifindex: 0 }
    }
}

impl Code {
    /// Returns a builder of an XDP program, as [`Program::builder`] does of
    /// [`insns`](Self::insns). If the verifier refuses the program, the error shows the names of
    /// labels, too.
    ///
    /// ```
    /// use xsk::bpf::{Assembler, Insn, Reg};
    ///
    /// # fn main() -> xsk::Result<()> {
    /// let mut a = Assembler::new();
    /// a.add([Insn::mov64_imm(Reg::R0, 2), Insn::exit()]);
    /// let code = a.finish()?;
    /// # if !xsk::test_util::privileged("the documentation of Code::builder") { return Ok(()); }
    /// let program = code.builder().name("pass").load()?;
    /// assert_eq!(program.test_run(&[0; 64], None)?.retval, 2);
    /// # Ok(()) }
    /// ```
    pub fn builder(&self) -> ProgramBuilder<'_> {
        ProgramBuilder { code: Some(self), ..Program::builder(self.insns()) }
    }
}

impl<'a> ProgramBuilder<'a> {
    /// Sets the name that `bpftool prog` shows: at most 15 of `A-Za-z0-9_.`. By default there is
    /// none.
    pub fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Sets the program's licence. By default none is declared.
    ///
    /// The kernel lets only programs under a licence compatible with `c"GPL"` (such as
    /// `c"Dual MIT/GPL"`) call some of its functions; `bpf_ktime_get_ns` is one of them.
    pub fn license(mut self, license: &'a CStr) -> Self {
        self.license = license;
        self
    }

    /// Sets whether the program can handle packets in several buffers (`BPF_F_XDP_HAS_FRAGS`,
    /// 5.18). By default it cannot, and a driver refuses to attach it while its packets could be
    /// longer than one buffer.
    #[doc(alias = "BPF_F_XDP_HAS_FRAGS")]
    pub fn frags(mut self, frags: bool) -> Self {
        self.flags = if frags {
            self.flags | BPF_F_XDP_HAS_FRAGS
        } else {
            self.flags & !BPF_F_XDP_HAS_FRAGS
        };
        self
    }

    /// Binds the program to one interface, by its index in the calling thread's network namespace
    /// (`BPF_F_XDP_DEV_BOUND_ONLY`, 6.3): it may call the driver's functions for what the card knows
    /// of a packet (`bpf_xdp_metadata_rx_hash` and others), runs on that interface only, in native
    /// mode, and cannot be test-run.
    #[doc(alias = "BPF_F_XDP_DEV_BOUND_ONLY")]
    pub fn bound_to(mut self, interface_index: u32) -> Self {
        self.flags |= BPF_F_XDP_DEV_BOUND_ONLY;
        self.ifindex = interface_index;
        self
    }

    /// Sets flags of `BPF_PROG_LOAD` that have no method here, in addition to those that are set.
    /// [`load`](Self::load) refuses `BPF_F_TOKEN_FD`, which needs a descriptor that cannot be given
    /// here: the kernel would take descriptor 0.
    pub fn flags(mut self, flags: u32) -> Self {
        self.flags |= flags;
        self
    }

    /// Returns the program as text.
    fn listing(&self) -> Listing<'_> {
        self.code.map_or_else(|| Listing::new(self.insns), Code::listing)
    }

    /// Hands the program to the kernel's verifier, which loads it if it accepts it.
    ///
    /// Needs `CAP_BPF` and `CAP_NET_ADMIN` (5.8), before that `CAP_SYS_ADMIN`; in the first user
    /// namespace. Before 5.11 a program's memory counts against `RLIMIT_MEMLOCK`, and the kernel
    /// reports too much of it as `EPERM`.
    ///
    /// Only a refused program is loaded again with a buffer for the verifier's log, so that loading
    /// an accepted one costs no more than it must. The buffer grows to what the log takes, up to 16
    /// MiB.
    ///
    /// # Errors
    /// [`Error::Setting`] for `BPF_F_TOKEN_FD` among the [`flags`](Self::flags).
    /// [`Error::LoadProgram`], with the log unless something else than the verifier refused:
    /// missing rights, no memory, too many open files. [`Error::NeedsKernel`] for
    /// [`frags`](Self::frags) before 5.18, for [`bound_to`](Self::bound_to) before 6.3, and for
    /// instructions and helpers that the kernel does not know.
    #[doc(alias = "BPF_PROG_LOAD")]
    pub fn load(self) -> Result<Program> {
        let failed = |errno, log: String| {
            let refused_at = refused_at(&log);
            Error::LoadProgram {
                name: self.name.to_owned(),
                instructions: self.insns.len(),
                log,
                refused_at,
                listing: refused_at.map(|at| self.listing().around(at)).unwrap_or_default(),
                bound_to: (self.flags & BPF_F_XDP_DEV_BOUND_ONLY != 0).then_some(self.ifindex),
                errno,
            }
        };
        if self.flags & BPF_F_TOKEN_FD != 0 {
            return Err(Error::Setting {
                name: "program flags",
                value: self.flags.into(),
                rule: "has no BPF_F_TOKEN_FD (65536), which needs a token's descriptor",
            });
        }
        let raw: Vec<bpf_insn> = self.insns.iter().map(|insn| insn.raw()).collect();
        let load = Load {
            name: sys::bpf::name(self.name).map_err(|errno| failed(errno, String::new()))?,
            insns: &raw,
            license: self.license,
            flags: self.flags,
            ifindex: self.ifindex,
        };
        let fd = match load_quietly(load).or_else(|errno| load_with_log(load, errno)) {
            Ok(fd) => fd,
            Err((Errno::INVAL, log)) if log.is_empty() && frags_are_unknown(self.flags) => {
                return Err(Error::NeedsKernel {
                    feature: "a program for packets in several buffers (BPF_F_XDP_HAS_FRAGS)",
                    version: "5.18",
                });
            }
            Err((Errno::INVAL, log)) if log.is_empty() && binding_is_unknown(self.flags) => {
                return Err(Error::NeedsKernel {
                    feature: "a program that is bound to an interface (BPF_F_XDP_DEV_BOUND_ONLY)",
                    version: "6.3",
                });
            }
            Err((errno, log)) => {
                return Err(match lacking(&log, self.insns, sys::release::is_before) {
                    Some((feature, version)) => Error::NeedsKernel { feature, version },
                    None => failed(errno, log),
                });
            }
        };
        let (info, _) = sys::bpf::prog_info(fd.as_fd(), &mut [])
            .map_err(|errno| failed(errno, String::new()))?;
        Ok(Program::new(fd, info.id))
    }
}

/// Returns whether the kernel refused because it does not know the flag for packets in several
/// buffers: it refuses the smallest program with the flag, and takes it without.
fn frags_are_unknown(flags: u32) -> bool {
    let smallest = [Insn::mov64_imm(Reg::R0, 0), Insn::exit()].map(|insn| insn.raw());
    let takes = |flags| {
        let load = Load { name: [0; 16], insns: &smallest, license: c"MIT", flags, ifindex: 0 };
        load_quietly(load)
    };
    flags & BPF_F_XDP_HAS_FRAGS != 0
        && takes(BPF_F_XDP_HAS_FRAGS).err() == Some(Errno::INVAL)
        && takes(0).is_ok()
}

/// Returns whether the kernel refused because it does not know the flag of bound programs: a kernel
/// that does refuses the loopback interface as one without such functions (`EOPNOTSUPP`), not the
/// flag. Its index is 1 in every network namespace (`LOOPBACK_IFINDEX` of net/net_namespace.h).
fn binding_is_unknown(flags: u32) -> bool {
    let smallest = [Insn::mov64_imm(Reg::R0, 0), Insn::exit()].map(|insn| insn.raw());
    let load = |flags, ifindex| {
        let (name, license) = ([0; 16], c"MIT");
        load_quietly(Load { name, insns: &smallest, license, flags, ifindex })
    };
    flags & BPF_F_XDP_DEV_BOUND_ONLY != 0
        && load(BPF_F_XDP_DEV_BOUND_ONLY, 1).err() == Some(Errno::INVAL)
        && load(0, 0).is_ok()
}

fn load_quietly(load: Load<'_>) -> Result<OwnedFd, Errno> {
    let mut tries = 0_u32;
    loop {
        match sys::bpf::prog_load(load, &mut []) {
            Ok(fd) => return Ok(fd),
            // A signal interrupted the verifier.
            Err(refused) if refused.errno == Errno::AGAIN && tries < RETRIES => {
                tries = tries.saturating_add(1)
            }
            Err(refused) => return Err(refused.errno),
        }
    }
}

/// Returns whether `errno` has nothing to do with the verifier: rights, memory, descriptors,
/// signals, no `bpf(2)` at all. The second load could succeed and leave a log without an error.
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

/// Loads a refused program once more for the verifier's log; this load may also succeed.
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
        // ENOSPC means that the log did not fit, whatever the verdict on the program.
        if refused.errno == Errno::NOSPC && log.len() < LOG_MAX {
            let needed = usize32(refused.log_true_size);
            let len = needed.max(log.len().saturating_mul(4)).min(LOG_MAX);
            log = vec![0; len];
            continue;
        }
        if is_not_the_verifiers(refused.errno) {
            return Err((refused.errno, String::new()));
        }
        return Err((errno, log_text(&log)));
    }
}

/// Returns what the verifier wrote into a buffer: text up to the first zero byte, if there is one.
pub(crate) fn log_text(log: &[u8]) -> String {
    let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).trim_end().to_owned()
}
