//! The first part of an error's text: the operation, its parameters, and what the kernel reported.

use super::errno::Shown;
use super::{Error, FilterFault, MapOp, SlotOp};
use crate::types::{AttachMethod, CopyMode, PageSize};
use std::fmt;

/// The kernel's extended acknowledgement, as it follows the error number.
struct Said<'a>(&'a Option<String>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => write!(f, ", \"{}\"", text.trim_end_matches(['.', '\n'])),
            None => Ok(()),
        }
    }
}

/// The process that has a name, by its id and its user.
struct Holder(Option<u32>, Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(pid), Some(uid)) => write!(f, "process {pid} (user {uid})"),
            (Some(pid), None) => write!(f, "process {pid}"),
            (None, Some(uid)) => write!(f, "a process of user {uid}"),
            (None, None) => f.write_str("another process or thread"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)?;
        if let Some(hint) = self.hint() {
            write!(f, ". {hint}")?;
        }
        self.tail(f)
    }
}

impl Error {
    /// Writes the operation, its parameters, and what the kernel reported; without a full stop.
    #[expect(clippy::too_many_lines, reason = "a list with a line or two for each operation")]
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { name: name @ "AttachMethod::Netlink", rule, .. } => {
                write!(f, "`{name}` is not possible: a possible method {rule}")
            }
            Self::Setting { name, value, rule } => {
                write!(f, "{name} {value} is not possible: a possible one {rule}")
            }
            Self::AllocateUmem { bytes, page_size, errno } => {
                let pages = match page_size {
                    PageSize::Normal => "",
                    PageSize::Huge2M => " in huge pages of 2 MiB",
                    PageSize::Huge1G => " in huge pages of 1 GiB",
                };
                write!(f, "cannot map {bytes} bytes of packet memory{pages}: {}", Shown(*errno))
            }
            Self::UmemNumbers => {
                f.write_str("this process has made 2^31 - 1 UMEMs, and has no number for another")
            }
            Self::CreateSocket { errno } => {
                write!(f, "cannot make an AF_XDP socket: {}", Shown(*errno))
            }
            Self::RegisterUmem { bytes, chunk_size, headroom, errno, .. } => write!(
                f,
                "cannot register {bytes} bytes of packet memory (chunks of {chunk_size}, headroom \
                 {headroom}): {}",
                Shown(*errno)
            ),
            Self::CreateRing { ring, entries, errno } => {
                write!(f, "cannot make the {ring} ring of {entries} entries: {}", Shown(*errno))
            }
            Self::MapRing { ring, bytes, errno } => {
                write!(f, "cannot map the {ring} ring ({bytes} bytes): {}", Shown(*errno))
            }
            Self::Bind { interface, queue, copy, shared_with, waited, errno, .. } => {
                write!(f, "cannot bind to {interface} queue {queue} (")?;
                match (shared_with, copy) {
                    (Some((name, number)), _) => {
                        write!(f, "over the packet memory of {name} queue {number}")?;
                    }
                    (None, CopyMode::Auto) => f.write_str("zero-copy if possible")?,
                    (None, CopyMode::Copy) => f.write_str("copy")?,
                    (None, CopyMode::ZeroCopy) => f.write_str("zero-copy")?,
                }
                write!(f, "): {}", Shown(*errno))?;
                if *errno == rustix::io::Errno::BUSY && !waited.is_zero() {
                    write!(f, ", after {} ms of trying", waited.as_millis())?;
                }
                Ok(())
            }
            Self::SocketOption { option, errno } => {
                write!(f, "the socket option {option} failed: {}", Shown(*errno))
            }
            Self::Kick { ring, interface, queue, errno } => {
                write!(f, "cannot wake the kernel for the {ring} ring")?;
                // It is empty for a socket that is not bound.
                if !interface.is_empty() {
                    write!(f, " of {interface} queue {queue}")?;
                }
                write!(f, ": {}", Shown(*errno))
            }
            Self::QueueSide { interface, queue, ring, rx, tx } => write!(
                f,
                "queue {queue} of {interface} has no {ring} side: the interface has {rx} RX \
                 queue(s) and {tx} TX queue(s), each numbered from 0"
            ),
            Self::SocketEnded { interface, queue, errno } => write!(
                f,
                "the kernel has unbound the socket of {interface} queue {queue}: {}",
                Shown(*errno)
            ),
            Self::Wait { errno } => write!(f, "waiting for packets failed: {}", Shown(*errno)),
            Self::Ring(fault) => write!(f, "{fault}"),
            Self::OutOfBounds => {
                f.write_str("a frame holds at least one byte and stays inside its chunk")
            }
            Self::Interface { name, operation, errno, message } => {
                write!(f, "cannot {operation} interface {name}: {}{}", Shown(*errno), Said(message))
            }
            Self::Netlink { operation, errno } => {
                write!(f, "cannot {operation}: {}", Shown(*errno))
            }
            Self::Namespace { operation, errno } => {
                write!(
                    f,
                    "cannot make or enter a network namespace: {operation}: {}",
                    Shown(*errno)
                )
            }
            Self::CreateMap { name, kind, entries, errno } => write!(
                f,
                "cannot make the BPF map {name} ({kind} of {entries} {}): {}",
                kind.parts(),
                Shown(*errno)
            ),
            Self::MapEntry { operation, name, kind, entries, index, errno } => {
                write!(f, "cannot {operation} ")?;
                match (operation, index) {
                    (MapOp::Wait, _) => f.write_str("records of ")?,
                    (MapOp::List, _) => f.write_str("the entries of ")?,
                    (MapOp::Mmap, _) => {}
                    (_, Some(index)) => write!(f, "entry {index} of ")?,
                    (_, None) => f.write_str("an entry of ")?,
                }
                let parts = kind.parts();
                write!(f, "the BPF map {name} ({kind} of {entries} {parts}): {}", Shown(*errno))
            }
            Self::RingBuffer { name, bytes, position, available, record } => {
                write!(
                    f,
                    "the ring buffer {name} of {bytes} bytes cannot be read beyond position \
                     {position}, from where on {available} bytes are written"
                )?;
                match record {
                    Some(len) => write!(f, ": the record there has {len}"),
                    None => Ok(()),
                }
            }
            Self::UpdateMap { operation, index, entries, errno, .. } => write!(
                f,
                "cannot {operation} the socket {} slot {index} of the BPF map of {entries} slots: \
                 {}",
                if *operation == SlotOp::Remove { "from" } else { "into" },
                Shown(*errno)
            ),
            Self::Assemble { fault } => write!(f, "the program is wrong: {fault}"),
            Self::LoadProgram { name, instructions, bound_to, errno, .. } => {
                f.write_str("the kernel refused ")?;
                match name.as_str() {
                    "" => f.write_str("an unnamed program")?,
                    name => write!(f, "the program {name}")?,
                }
                write!(f, " of {instructions} instructions")?;
                if let Some(index) = bound_to {
                    write!(f, ", bound to the interface with index {index}")?;
                }
                write!(f, ": {}", Shown(*errno))
            }
            Self::BpfObject { operation, object, errno } => {
                if operation.is_command() {
                    write!(f, "bpf({operation}) failed for {object}: {}", Shown(*errno))
                } else {
                    write!(f, "cannot {operation} {object}: {}", Shown(*errno))
                }
            }
            Self::Filter { fault: fault @ FilterFault::SetFull { .. } } => {
                write!(f, "the prefix is not added: {fault}")
            }
            Self::Filter { fault: fault @ FilterFault::NoFlow { .. } } => {
                write!(f, "the condition is no list of flows: {fault}")
            }
            Self::Filter { fault: fault @ FilterFault::NoSlot { .. } } => {
                write!(f, "the filter cannot be loaded: {fault}")
            }
            Self::Filter { fault } => write!(f, "the filter cannot be compiled: {fault}"),
            Self::WrongObject { object, wanted } => write!(f, "{object} is not {wanted}"),
            Self::Attach { interface, mode, method, errno, message, .. } => write!(
                f,
                "cannot attach an XDP program to {interface} in {mode} mode by {method}: {}{}",
                Shown(*errno),
                Said(message)
            ),
            Self::NativeBond { interface, members } => {
                write!(
                    f,
                    "cannot attach to bond {interface} in native mode: what its program redirects \
                     comes to sockets of its members only"
                )?;
                if members.is_empty() {
                    return f.write_str(", and it has none");
                }
                write!(f, " ({})", members.join(", "))
            }
            Self::Detach { interface, mode, errno, message } => write!(
                f,
                "cannot detach the XDP program from {interface} ({mode} mode): {}{}",
                Shown(*errno),
                Said(message)
            ),
            Self::ForeignProgram { interface, id, name, mode, method, link, dispatcher } => {
                write!(
                    f,
                    "another XDP program is attached to {interface} in {mode} mode: id {id}"
                )?;
                if let Some(name) = name {
                    write!(f, ", name {name}")?;
                }
                if let Some(dispatcher) = dispatcher {
                    write!(f, ", {dispatcher}")?;
                }
                match (method, link) {
                    (AttachMethod::Netlink, _) => Ok(()),
                    (AttachMethod::Link, Some(link)) => write!(f, ", held by link {link}"),
                    (AttachMethod::Link, None) => f.write_str(", held by a link"),
                }
            }
            Self::HiddenProgram { interface, id, mode, method, errno, .. } => {
                write!(
                    f,
                    "program {id} is attached to {interface} in {mode} mode by {method}, and this \
                     process may not look at it: {}",
                    Shown(*errno)
                )
            }
            Self::OtherAttachment { interface, wanted, conflict } => {
                write!(f, "{interface}: wanted {wanted}, found {conflict}")
            }
            Self::AttachLock { waited, errno, pid, uid } => write!(
                f,
                "{} has held the lock of this interface's XDP attachments for {} ms: {}",
                Holder(*pid, *uid),
                waited.as_millis(),
                Shown(*errno)
            ),
            Self::AttachMarks { marks, pid, uid, errno } => write!(
                f,
                "cannot mark the program as used: {} has one of its {marks} marks, and none is \
                 free: {}",
                Holder(*pid, *uid),
                Shown(*errno)
            ),
            Self::Handover { operation, fault } => write!(f, "cannot {operation}: {fault}"),
            Self::Expression(error) => {
                write!(f, "cannot read the filter expression at column {}: ", error.column())?;
                error.describe(f)
            }
            Self::Classic(error) => write!(f, "cannot take the classic BPF program: {error}"),
            Self::NeedsKernel { feature, version } => write!(f, "{feature} needs Linux {version}"),
        }
    }

    /// Writes what takes more than a line and comes last: where the verifier stopped, and its log.
    fn tail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::LoadProgram { log, refused_at, listing, .. } = self else { return Ok(()) };
        match refused_at {
            Some(at) if !listing.is_empty() => {
                write!(f, ". The verifier stopped at instruction {at}:\n{}", listing.trim_end())?;
            }
            _ => {}
        }
        match (log.trim_end(), listing.is_empty()) {
            ("", _) => Ok(()),
            (log, true) => write!(f, ". The verifier said:\n{log}"),
            (log, false) => write!(f, "\nThe verifier said:\n{log}"),
        }
    }
}
