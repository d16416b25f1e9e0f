//! What went wrong, with which parameters, in the kernel's own words, and what to do about it.

mod conflict;
mod describe;
mod errno;
mod hint;

pub use conflict::AttachConflict;

use crate::ring;
use crate::types::{AttachMethod, CopyMode, PageSize, RingKind, XdpMode};
use rustix::io::Errno;
use std::fmt;
use std::time::Duration;

use errno::Shown;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation: one variant for each, with its parameters and the kernel's error number.
///
/// [`Display`](fmt::Display) says in one to three sentences what failed, why, and what to do;
/// [`source`](std::error::Error::source) is the error number where the kernel gave one. A ring that is
/// full or empty is no error: those calls answer with counts, or give the frame back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A setting that every kernel refuses, or accepts wrongly; refused before the kernel sees it.
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value that was asked for.
        value: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// Packet memory could not be mapped.
    AllocateUmem {
        /// Bytes asked for.
        bytes: usize,
        /// Pages asked for.
        page_size: PageSize,
        /// What `mmap(2)` or `madvise(2)` said.
        errno: Errno,
    },
    /// This process has made so many UMEMs that no number is left for another.
    UmemNumbers,
    /// `socket(AF_XDP, SOCK_RAW, 0)` failed.
    CreateSocket {
        /// What the kernel said.
        errno: Errno,
    },
    /// `setsockopt(XDP_UMEM_REG)` failed.
    RegisterUmem {
        /// Bytes of packet memory.
        bytes: u64,
        /// Bytes of a chunk.
        chunk_size: u32,
        /// Bytes of headroom.
        headroom: u32,
        /// The soft `RLIMIT_MEMLOCK`, where it could be read and is finite.
        memlock: Option<u64>,
        /// What the kernel said.
        errno: Errno,
    },
    /// A ring could not be created (`setsockopt(XDP_RX_RING)` and its three sisters).
    CreateRing {
        /// Which ring.
        ring: RingKind,
        /// Entries asked for.
        entries: u32,
        /// What the kernel said.
        errno: Errno,
    },
    /// A ring could not be mapped.
    MapRing {
        /// Which ring.
        ring: RingKind,
        /// Bytes of the mapping.
        bytes: usize,
        /// What the kernel said.
        errno: Errno,
    },
    /// `bind(2)` failed.
    Bind {
        /// The interface's name.
        interface: String,
        /// The queue.
        queue: u32,
        /// How many queues the interface has, where it could be asked.
        queues: Option<u32>,
        /// Copy, zero-copy, or the kernel's choice.
        copy: CopyMode,
        /// How long the queue's previous owner was waited for.
        waited: Duration,
        /// What the kernel said.
        errno: Errno,
    },
    /// A socket option could not be read or set.
    SocketOption {
        /// The option's kernel name.
        name: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// A wake-up of the kernel failed for good.
    Kick {
        /// Which ring was to be worked on.
        ring: RingKind,
        /// What the kernel said.
        errno: Errno,
    },
    /// `poll(2)` failed.
    Wait {
        /// What the kernel said.
        errno: Errno,
    },
    /// The other side of a ring wrote what it must not.
    Ring(ring::RingError),
    /// An interface could not be found or asked about.
    Interface {
        /// The name, or `#` and the index.
        name: String,
        /// What was asked.
        operation: &'static str,
        /// What the kernel said.
        errno: Errno,
        /// The kernel's extended acknowledgement.
        message: Option<String>,
    },
    /// A netlink socket failed, or a reply could not be understood; or one of the Unix sockets failed by which users of
    /// a program know of each other.
    Netlink {
        /// What was being done.
        operation: &'static str,
        /// What the kernel said, or `EBADMSG` for a reply that breaks the format.
        errno: Errno,
    },
    /// A network namespace could not be made, found or entered.
    Namespace {
        /// What was being done.
        operation: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// A BPF map could not be created.
    CreateMap {
        /// The map's name.
        name: String,
        /// Its number of entries.
        entries: u32,
        /// What the kernel said.
        errno: Errno,
    },
    /// A BPF map's slot could not be changed.
    UpdateMap {
        /// `insert` or `remove`.
        operation: &'static str,
        /// The slot: the queue.
        index: u32,
        /// The number of slots.
        entries: u32,
        /// What the kernel said.
        errno: Errno,
    },
    /// The kernel refused a program.
    LoadProgram {
        /// The program's name.
        name: String,
        /// Its number of instructions.
        instructions: usize,
        /// What the verifier said.
        log: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// A BPF object could not be opened, asked about, run or pinned.
    BpfObject {
        /// What was being done.
        operation: &'static str,
        /// Which object: an id, a path, or a word.
        object: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// A BPF object is not what it has to be.
    WrongObject {
        /// Which object.
        object: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// A program could not be attached.
    Attach {
        /// The interface's name.
        interface: String,
        /// The mode asked for.
        mode: XdpMode,
        /// By netlink or by link.
        method: AttachMethod,
        /// What the kernel said.
        errno: Errno,
        /// The kernel's extended acknowledgement (netlink only).
        message: Option<String>,
    },
    /// A program could not be detached, or was still there afterwards.
    Detach {
        /// The interface's name.
        interface: String,
        /// The mode it was attached in.
        mode: XdpMode,
        /// What the kernel said.
        errno: Errno,
        /// The kernel's extended acknowledgement (netlink only).
        message: Option<String>,
    },
    /// Another program is attached to the interface.
    ForeignProgram {
        /// The interface's name.
        interface: String,
        /// The other program's id.
        id: u32,
        /// The other program's name, where it could be read.
        name: Option<String>,
        /// The mode that it is attached in.
        mode: XdpMode,
    },
    /// Something else is attached than what was wanted.
    OtherAttachment {
        /// The interface's name.
        interface: String,
        /// What was wanted.
        wanted: String,
        /// What is attached.
        conflict: AttachConflict,
    },
    /// Another process held the lock of the namespace's attachments for too long.
    AttachLock {
        /// How long it was waited for.
        waited: Duration,
        /// What the kernel said.
        errno: Errno,
    },
    /// The call needs a newer kernel.
    NeedsKernel {
        /// What was asked for.
        feature: &'static str,
        /// The first kernel that has it.
        version: &'static str,
    },
}

impl Error {
    /// The kernel's error number, where the kernel gave one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        self.errno_ref().copied()
    }

    fn errno_ref(&self) -> Option<&Errno> {
        match self {
            Self::AllocateUmem { errno, .. }
            | Self::CreateSocket { errno }
            | Self::RegisterUmem { errno, .. }
            | Self::CreateRing { errno, .. }
            | Self::MapRing { errno, .. }
            | Self::Bind { errno, .. }
            | Self::SocketOption { errno, .. }
            | Self::Kick { errno, .. }
            | Self::Wait { errno }
            | Self::Interface { errno, .. }
            | Self::Netlink { errno, .. }
            | Self::Namespace { errno, .. }
            | Self::CreateMap { errno, .. }
            | Self::UpdateMap { errno, .. }
            | Self::LoadProgram { errno, .. }
            | Self::BpfObject { errno, .. }
            | Self::Attach { errno, .. }
            | Self::Detach { errno, .. }
            | Self::AttachLock { errno, .. } => Some(errno),
            Self::Setting { .. }
            | Self::UmemNumbers
            | Self::Ring(_)
            | Self::WrongObject { .. }
            | Self::ForeignProgram { .. }
            | Self::OtherAttachment { .. }
            | Self::NeedsKernel { .. } => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)?;
        let hint = hint::of(self);
        if !hint.is_empty() {
            write!(f, ". {hint}")?;
        }
        self.tail(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ring(fault) => Some(fault),
            _ => {
                let errno = self.errno_ref()?;
                Some(errno)
            }
        }
    }
}

impl From<ring::RingError> for Error {
    fn from(fault: ring::RingError) -> Self {
        Self::Ring(fault)
    }
}
