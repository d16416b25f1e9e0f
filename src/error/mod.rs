//! The error type: what failed, with which parameters, what the kernel reported, and what to do.
//!
//! Programs match on [`Error`]'s variants and their fields; people read its
//! [`Display`](std::fmt::Display). Variants and fields may be added, so both are
//! `#[non_exhaustive]`.

mod assembly_fault;
mod bpf_op;
mod classic_error;
mod conflict;
mod describe;
mod errno;
mod expression_error;
mod facts;
mod filter_fault;
mod handover_fault;
mod hint;
mod map_kind;
mod map_op;
mod object_kind;
mod queue_holder;
mod shell_word;
mod slot_op;
mod socket_option;
#[cfg(test)]
mod tests;

pub use conflict::AttachConflict;
pub(crate) use errno::name as errno_name;

use crate::ring;
use crate::types::{AttachMethod, CopyMode, Dispatcher, PageSize, RingKind, XdpMode};
use rustix::io::Errno;
use std::time::Duration;

pub use assembly_fault::AssemblyFault;
pub use bpf_op::BpfOp;
pub use classic_error::{ClassicError, ClassicFault};
pub use expression_error::{ExpressionError, ExpressionFault};
pub use filter_fault::FilterFault;
pub use handover_fault::HandoverFault;
pub use map_kind::MapKind;
pub use map_op::MapOp;
pub use object_kind::ObjectKind;
pub use queue_holder::QueueHolder;
pub use slot_op::SlotOp;
pub use socket_option::SocketOption;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation: one variant for each, with its parameters and the kernel's error number.
///
/// [`Display`](std::fmt::Display) says in one to three sentences what failed, why, and what to do
/// ([`hint`](Self::hint)); the kernel's number is [`errno`](Self::errno). A ring that is full or
/// empty is no error: those calls return counts, or give the frame back.
///
/// ```
/// use xsk::{Errno, Error, Interface};
///
/// let error = Interface::by_name("nope").unwrap_err();
/// assert!(matches!(&error, Error::Interface { name, .. } if name == "nope"));
/// assert_eq!(error.errno(), Some(Errno::NODEV));
/// assert!(error.to_string().starts_with("cannot find interface nope: ENODEV"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A setting that every kernel refuses, or accepts wrongly; refused before the kernel sees it.
    #[non_exhaustive]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value that was asked for.
        value: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// Packet memory could not be mapped.
    #[non_exhaustive]
    AllocateUmem {
        /// Bytes asked for.
        bytes: usize,
        /// Pages asked for.
        page_size: PageSize,
        /// The error number of `mmap(2)` or `madvise(2)`.
        errno: Errno,
    },
    /// This process has made so many UMEMs that no number is left for another.
    UmemNumbers,
    /// `socket(AF_XDP, SOCK_RAW, 0)` failed.
    #[non_exhaustive]
    CreateSocket {
        /// The kernel's error number.
        errno: Errno,
    },
    /// `setsockopt(XDP_UMEM_REG)` failed.
    #[non_exhaustive]
    RegisterUmem {
        /// Bytes of packet memory.
        bytes: u64,
        /// Bytes of a chunk.
        chunk_size: u32,
        /// Bytes of headroom.
        headroom: u32,
        /// The soft `RLIMIT_MEMLOCK`, where it could be read and is finite.
        memlock: Option<u64>,
        /// The kernel's error number.
        errno: Errno,
    },
    /// A ring could not be created (`setsockopt(XDP_RX_RING)` and its three sisters).
    #[non_exhaustive]
    CreateRing {
        /// Which ring.
        ring: RingKind,
        /// Entries asked for.
        entries: u32,
        /// The kernel's error number.
        errno: Errno,
    },
    /// A ring could not be mapped.
    #[non_exhaustive]
    MapRing {
        /// Which ring.
        ring: RingKind,
        /// Bytes of the mapping.
        bytes: usize,
        /// The kernel's error number.
        errno: Errno,
    },
    /// `bind(2)` failed.
    #[non_exhaustive]
    Bind {
        /// The interface's name.
        interface: String,
        /// The queue.
        queue: u32,
        /// How many queues the interface has, where it could be asked.
        queues: Option<u32>,
        /// Copy, zero-copy, or the kernel's choice.
        copy: CopyMode,
        /// The interface and queue of the socket whose packet memory, and mode, this one shares.
        shared_with: Option<(String, u32)>,
        /// Whether the socket is for packets of several frames.
        multi_buffer: bool,
        /// How long the queue's previous owner was waited for.
        waited: Duration,
        /// For `EBUSY`: the socket that has the queue, where the kernel lists them
        /// (`CONFIG_XDP_SOCKETS_DIAG`).
        holder: Option<QueueHolder>,
        /// The kernel's error number.
        errno: Errno,
    },
    /// The queue has no side of the kind that the socket needs: the kernel accepts every number
    /// below the larger of the numbers of RX and TX queues, and then nothing comes, or goes.
    #[non_exhaustive]
    QueueSide {
        /// The interface's name.
        interface: String,
        /// The queue.
        queue: u32,
        /// The ring that would have no counterpart: RX or TX.
        ring: RingKind,
        /// How many RX queues the interface has.
        rx: u32,
        /// How many TX queues the interface has.
        tx: u32,
    },
    /// The kernel has unbound a socket for good: its interface is gone.
    #[non_exhaustive]
    SocketEnded {
        /// The interface's name at the time of binding.
        interface: String,
        /// The queue.
        queue: u32,
        /// The error that was pending on the socket.
        errno: Errno,
    },
    /// A socket option could not be read or set.
    #[non_exhaustive]
    SocketOption {
        /// Which option.
        option: SocketOption,
        /// The kernel's error number.
        errno: Errno,
    },
    /// A wake-up of the kernel failed for good.
    #[non_exhaustive]
    Kick {
        /// Which ring was to be worked on.
        ring: RingKind,
        /// The interface's name at the time of binding.
        interface: String,
        /// The queue.
        queue: u32,
        /// The kernel's error number.
        errno: Errno,
    },
    /// `poll(2)` failed.
    #[non_exhaustive]
    Wait {
        /// The kernel's error number.
        errno: Errno,
    },
    /// The other side of a ring wrote what it must not.
    Ring(ring::RingError),
    /// Bounds that a frame cannot have: [`OutOfBounds`](crate::umem::OutOfBounds).
    OutOfBounds,
    /// An interface could not be found or asked about.
    #[non_exhaustive]
    Interface {
        /// The name, or `#` and the index.
        name: String,
        /// What was asked.
        operation: &'static str,
        /// The kernel's error number.
        errno: Errno,
        /// The kernel's extended acknowledgement.
        message: Option<String>,
    },
    /// A netlink socket failed, or a reply could not be understood; or one of the Unix sockets
    /// failed by which the users of a program find each other.
    #[non_exhaustive]
    Netlink {
        /// What was being done.
        operation: &'static str,
        /// The kernel's error number, or `EBADMSG` for a reply that breaks the format.
        errno: Errno,
    },
    /// A network namespace could not be made, found or entered.
    #[non_exhaustive]
    Namespace {
        /// What was being done.
        operation: &'static str,
        /// The kernel's error number.
        errno: Errno,
    },
    /// A BPF map could not be created.
    #[non_exhaustive]
    CreateMap {
        /// The map's name.
        name: String,
        /// Its type.
        kind: MapKind,
        /// Its number of entries; of a ring buffer the number of bytes.
        entries: u32,
        /// The kernel's error number.
        errno: Errno,
    },
    /// Entries of a BPF map could not be read, written, removed, listed, mapped or waited for.
    #[non_exhaustive]
    MapEntry {
        /// What was being done.
        operation: MapOp,
        /// The map's name.
        name: String,
        /// Its type.
        kind: MapKind,
        /// Its number of entries; of a ring buffer the number of bytes.
        entries: u32,
        /// The entry, of a map whose keys are the numbers from 0 on.
        index: Option<u32>,
        /// The kernel's error number.
        errno: Errno,
    },
    /// What is in a ring buffer contradicts its size, or something else has read from it.
    #[non_exhaustive]
    RingBuffer {
        /// The map's name.
        name: String,
        /// The size of the ring in bytes.
        bytes: u32,
        /// The position in bytes up to which the reader has read.
        position: u64,
        /// How many bytes the kernel's position is ahead.
        available: u64,
        /// The length in bytes of the record at the position, if that is what is wrong.
        record: Option<u32>,
    },
    /// The slot of an XSKMAP could not be changed.
    #[non_exhaustive]
    UpdateMap {
        /// Whether a socket was to be written into the slot or removed from it.
        operation: SlotOp,
        /// The slot: the queue.
        index: u32,
        /// The number of slots.
        entries: u32,
        /// For `EEXIST`: the interface that the socket in the slot is registered for, if it is
        /// known and another one than the attachment's.
        other_interface: Option<String>,
        /// The kernel's error number.
        errno: Errno,
    },
    /// A program is wrong by itself; refused before the kernel sees it.
    #[non_exhaustive]
    Assemble {
        /// What is wrong.
        fault: AssemblyFault,
    },
    /// The kernel refused a program.
    #[non_exhaustive]
    LoadProgram {
        /// The program's name.
        name: String,
        /// Its number of instructions.
        instructions: usize,
        /// The verifier's log.
        log: String,
        /// The instruction that the verifier stopped at, where its log says.
        refused_at: Option<usize>,
        /// The listing around that instruction, which is marked by `>`.
        listing: String,
        /// The index of the interface that it was to be bound to
        /// ([`ProgramBuilder::bound_to`](crate::bpf::ProgramBuilder::bound_to)).
        bound_to: Option<u32>,
        /// The kernel's error number.
        errno: Errno,
    },
    /// A BPF object could not be opened, asked about, run or pinned.
    #[non_exhaustive]
    BpfObject {
        /// What was being done.
        operation: BpfOp,
        /// Which object: an id, a path, or a word.
        object: String,
        /// The kernel's error number.
        errno: Errno,
    },
    /// A BPF object is not what it has to be.
    #[non_exhaustive]
    WrongObject {
        /// Which object.
        object: String,
        /// What it has to be.
        wanted: ObjectKind,
    },
    /// A program could not be attached.
    #[non_exhaustive]
    Attach {
        /// The interface's name.
        interface: String,
        /// The mode asked for.
        mode: XdpMode,
        /// By netlink or by link.
        method: AttachMethod,
        /// The kernel's error number.
        errno: Errno,
        /// The kernel's extended acknowledgement (netlink only).
        message: Option<String>,
        /// The interface's MTU, if the driver may have refused the program and it could be asked.
        mtu: Option<u32>,
        /// The interface's receive queues, likewise.
        rx_queues: Option<u32>,
    },
    /// Native mode was asked for on a bond, with this crate's default program: what that redirects
    /// comes to sockets of the bond's members only. The kernel takes it (5.15), and a socket of the
    /// bond would never get a packet.
    #[non_exhaustive]
    NativeBond {
        /// The bond's name.
        interface: String,
        /// The names of its members.
        members: Vec<String>,
    },
    /// A program could not be detached, or was still there afterwards.
    #[non_exhaustive]
    Detach {
        /// The interface's name.
        interface: String,
        /// The mode it was attached in.
        mode: XdpMode,
        /// The kernel's error number.
        errno: Errno,
        /// The kernel's extended acknowledgement (netlink only).
        message: Option<String>,
    },
    /// Another program is attached to the interface.
    #[non_exhaustive]
    ForeignProgram {
        /// The interface's name.
        interface: String,
        /// The other program's id.
        id: u32,
        /// The other program's name, where it could be read.
        name: Option<String>,
        /// The mode that it is attached in.
        mode: XdpMode,
        /// What holds it. Netlink is assumed if `CAP_NET_ADMIN` is missing to find out.
        method: AttachMethod,
        /// The id of the link that holds it, where it could be found (`CAP_SYS_ADMIN`).
        link: Option<u32>,
        /// If it is libxdp's dispatcher: the chain of programs that it runs (`CAP_SYS_ADMIN`).
        dispatcher: Option<Dispatcher>,
    },
    /// A program is attached to the interface that may be one to join or to take over, but this
    /// process may not look at it: that takes `CAP_SYS_ADMIN`.
    #[non_exhaustive]
    HiddenProgram {
        /// The interface's name.
        interface: String,
        /// The program's id.
        id: u32,
        /// The mode that it is attached in.
        mode: XdpMode,
        /// What holds it. Netlink is assumed if `CAP_NET_ADMIN` is missing to find out.
        method: AttachMethod,
        /// Whether users of this crate have it in use, as far as their marks show: only for a
        /// program that netlink holds.
        in_use: bool,
        /// The kernel's error number.
        errno: Errno,
    },
    /// Something else is attached than what was wanted.
    #[non_exhaustive]
    OtherAttachment {
        /// The interface's name.
        interface: String,
        /// What was wanted.
        wanted: String,
        /// What is attached.
        conflict: AttachConflict,
    },
    /// Another process held the lock of the interface's attachments for too long.
    #[non_exhaustive]
    AttachLock {
        /// How long it was waited for.
        waited: Duration,
        /// The kernel's error number.
        errno: Errno,
        /// A process that has the lock's socket, where `/proc` shows it.
        pid: Option<u32>,
        /// The user who made the lock's socket, where the kernel reports it (5.3).
        uid: Option<u32>,
    },
    /// So many marks are on a program that no name is left for another.
    #[non_exhaustive]
    AttachMarks {
        /// The number of names.
        marks: u32,
        /// A process that has one of them, where `/proc` shows it: one of another user than root
        /// and the effective user, if there is such.
        pid: Option<u32>,
        /// The user who made that mark, where the kernel reports it (5.3).
        uid: Option<u32>,
        /// The kernel's error number.
        errno: Errno,
    },
    /// A socket or a map could not be handed over to another process, or taken from one.
    #[non_exhaustive]
    Handover {
        /// What was being done.
        operation: &'static str,
        /// What went wrong.
        fault: HandoverFault,
    },
    /// A filter cannot be compiled.
    #[non_exhaustive]
    Filter {
        /// Why.
        fault: FilterFault,
    },
    /// The text of a condition cannot be read ([`bpf::Condition`](crate::bpf::Condition)).
    Expression(ExpressionError),
    /// A classic BPF program is refused ([`bpf::ClassicFilter`](crate::bpf::ClassicFilter)).
    Classic(ClassicError),
    /// The call needs a newer kernel.
    #[non_exhaustive]
    NeedsKernel {
        /// What was asked for.
        feature: &'static str,
        /// The first kernel that has it.
        version: &'static str,
    },
}
