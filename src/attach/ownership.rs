//! How a user keeps a program attached, and how it releases it.

use super::bpf_link::Link;
use super::lock::{Lock, LockSocket, Mark, MarkKind};
use super::method_reason::MethodReason;
use super::mode::ModeReason;
use super::netlink::detach_netlink;
use super::pin::Pinned;
use super::replaced_program::ReplacedProgram;
use super::usage::MapAndProbe;
use crate::bpf::{Program, XskMap};
use crate::error::{AttachConflict, Error, Result, SlotOp};
use crate::interface::Interface;
use crate::sys::fork::Process;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest wait for the lock when a value is dropped, which is not expected to take long.
const DROP_TIMEOUT: Duration = Duration::from_secs(1);

/// The state that an attachment's clones and registrations share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) interface: Interface,
    pub(super) mode: XdpMode,
    pub(super) reason: ModeReason,
    pub(super) method: AttachMethod,
    pub(super) method_reason: MethodReason,
    pub(super) replaced: Option<ReplacedProgram>,
    pub(super) joined: bool,
    pub(super) slots: MapAndProbe,
    pub(super) lock_timeout: Duration,
    /// The process that made it.
    pub(super) owner: Process,
    /// Whether the last user leaves the program where it is.
    pub(super) kept: AtomicBool,
    /// Taken after the interface's lock, if both are.
    pub(super) running: Mutex<Running>,
}

/// The program on the interface: another one may take its place.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) program_id: u32,
    /// Whether it is known to be this crate's default program.
    pub(super) is_default: bool,
    /// Whether the default program takes packets of several frames, where that is known.
    pub(super) frags: Option<bool>,
    pub(super) ownership: Ownership,
}

/// How this user keeps the program attached.
#[derive(Debug)]
pub(super) enum Ownership {
    /// Released.
    Released,
    /// By a descriptor of its link: the kernel counts them.
    Link {
        /// Closed last of all.
        link: Link,
        program: Program,
        /// The pin that keeps the program attached when no process has the link.
        pin: Option<Pinned>,
    },
    /// By a mark. The last user with such a mark detaches the program, under the lock.
    Netlink { mark: Mark, lock: LockSocket, program: Program },
    /// By a mark that keeps other users of this crate from detaching it. This user does not detach
    /// it.
    Guest { _mark: Mark },
}

impl Ownership {
    /// Marks `program` as used by one more of those who will detach it.
    pub(super) fn mark_used(lock: &Lock, program: &Program) -> Result<Self> {
        Ok(Self::Netlink {
            mark: lock.mark(MarkKind::User, program.id())?,
            lock: LockSocket::new()?,
            program: program.try_clone()?,
        })
    }
}

impl Running {
    /// Takes note of the program that has taken the place of the one before; `frags` as there.
    pub(super) fn note(&mut self, program_id: u32, frags: Option<bool>) {
        self.program_id = program_id;
        self.is_default = frags.is_some();
        self.frags = frags;
    }
}

impl Shared {
    /// Returns the program on the interface. A forked child may wait here for ever.
    pub(super) fn running(&self) -> MutexGuard<'_, Running> {
        // A panic while it is taken leaves nothing half done.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn map(&self) -> &XskMap {
        &self.slots.map
    }

    /// Returns the error of registering a socket in slot `index`.
    pub(super) fn slot_error(&self, index: u32, errno: Errno) -> Error {
        let entries = self.map().entries();
        let other_interface = None;
        Error::UpdateMap { operation: SlotOp::Insert, index, entries, other_interface, errno }
    }

    /// Returns whether this program is still on the interface.
    fn is_attached(&self, id: u32) -> Result<bool> {
        match self.interface.attached_programs() {
            Ok(programs) => Ok(programs.program(self.mode) == Some(id)),
            Err(Error::Interface { errno: Errno::NODEV, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// [`Error::OtherAttachment`] if the program is not on the interface; [`Error::Interface`].
    pub(super) fn require_attached(&self) -> Result<()> {
        let id = self.running().program_id;
        let programs = self.interface.attached_programs()?;
        if programs.program(self.mode) == Some(id) {
            return Ok(());
        }
        let conflict = match programs.programs().next() {
            Some((mode, id)) => AttachConflict::OtherProgram { id, mode },
            None => AttachConflict::NoProgram,
        };
        Err(Error::OtherAttachment {
            interface: self.interface.name().to_owned(),
            wanted: format!("program {id} in {} mode", self.mode),
            conflict,
        })
    }

    /// Releases the program; waits for the lock not longer than `timeout`.
    pub(super) fn release(&mut self, timeout: Duration) -> Result<()> {
        // Marks and links are given up even if something fails. A copy in a forked child owns
        // nothing.
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        let ownership = std::mem::replace(&mut running.ownership, Ownership::Released);
        let kept = *self.kept.get_mut();
        if kept || self.owner != Process::current() {
            return Ok(());
        }
        let (mark, lock, program) = match ownership {
            Ownership::Netlink { mark, lock, program } => (mark, lock, program),
            Ownership::Link { link, program, pin: Some(pin) } => {
                return pin.release(&self.interface, &link, &program, &self.slots.map, timeout);
            }
            Ownership::Link { .. } | Ownership::Guest { .. } | Ownership::Released => return Ok(()),
        };
        let lock = lock.acquire(self.interface.index(), timeout)?;
        drop(mark);
        if self.slots.users(&lock, &program)?.any() {
            return Ok(());
        }
        let id = program.id();
        match detach_netlink(&self.interface, self.mode, program.as_fd(), id) {
            // It was taken off, another program has taken its place, or the interface has gone.
            Err(_) if !self.is_attached(id)? => Ok(()),
            result => result,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // `close` reports failures.
        let _ = self.release(self.lock_timeout.min(DROP_TIMEOUT));
    }
}
