//! Puts another program in the place of the attached one, under the sockets that are registered.

use super::guest::default_frags;
use super::lock::{Lock, LockSocket, Mark, MarkKind};
use super::netlink::{Condition, attach_netlink, refused};
use super::ownership::{Ownership, Running, Shared};
use super::protocol::require_namespace;
use crate::bpf::Program;
use crate::error::{AttachConflict, Error, Result};
use crate::netlink::Refusal;
use crate::types::AttachMethod;
use rustix::io::Errno;
use std::mem::replace;
use std::os::fd::{AsFd, BorrowedFd};

/// The error on a kernel that replaces programs only without a condition.
const NO_REPLACING: Error =
    Error::NeedsKernel { feature: "replacing an attached program in place", version: "5.7" };

impl Shared {
    /// Puts `program` in the place of the one that runs, and returns that one.
    pub(super) fn replace_program(&self, program: Program) -> Result<Program> {
        require_namespace(&self.interface, "replace the program on")?;
        program.require_map(self.map())?;
        let frags = default_frags(&program, self.map());
        let lock = LockSocket::new()?.acquire(self.interface.index(), self.lock_timeout)?;
        let exchanged = self.exchange(&lock, &mut self.running(), program, frags);
        exchanged.map_err(|error| self.changed(error))
    }

    /// Takes note of the program that another user of the link has put in place of the one known
    /// here; returns its id.
    pub(super) fn follow(&self) -> Result<u32> {
        let Err(changed) = self.require_attached() else {
            return Ok(self.running().program_id);
        };
        // While it is held, this process does not replace the program.
        let mut running = self.running();
        let Ownership::Link { link, program: old, .. } = &mut running.ownership else {
            return Err(changed);
        };
        let attached = self.interface.attached_programs()?.program(self.mode);
        let Some(id) = attached.filter(|id| link.program_id() == Ok(*id)) else {
            return Err(changed);
        };
        let program = Program::from_id(id)?;
        program.require_map(self.map())?;
        let frags = default_frags(&program, self.map());
        *old = program;
        running.note(id, frags);
        Ok(id)
    }

    /// Exchanges the program on the interface, on condition that it is the one known here.
    fn exchange(
        &self,
        lock: &Lock,
        running: &mut Running,
        program: Program,
        frags: Option<bool>,
    ) -> Result<Program> {
        let id = program.id();
        let old = match &mut running.ownership {
            Ownership::Link { link, program: old, .. } => {
                link.update(program.as_fd(), Some(old.as_fd()))
                    .map_err(|errno| self.refused_by_link(errno))?;
                replace(old, program)
            }
            Ownership::Netlink { mark, program: old, .. } => {
                *mark = self.exchange_by_netlink(lock, mark, &program, old)?;
                replace(old, program)
            }
            Ownership::Guest { .. } | Ownership::Released => {
                let id = running.program_id;
                return Err(self.conflict(&program, id, AttachConflict::OthersProgram { id }));
            }
        };
        running.note(id, frags);
        Ok(old)
    }

    /// Exchanges a program that netlink holds; returns the mark on the new one. The lock is held.
    fn exchange_by_netlink(
        &self,
        lock: &Lock,
        mark: &Mark,
        program: &Program,
        old: &Program,
    ) -> Result<Mark> {
        let loader = Some(old.info()?.created_by);
        for kind in [MarkKind::User, MarkKind::Guest] {
            if lock.is_marked_beside(kind, old.id(), loader, Some(mark))? {
                let conflict = AttachConflict::OtherUsers { id: old.id() };
                return Err(self.conflict(program, old.id(), conflict));
            }
        }
        let new_mark = lock.mark(MarkKind::User, program.id())?;
        let attach = |new: BorrowedFd<'_>| {
            let condition = Condition::Replacing(old.as_fd());
            attach_netlink(&self.interface, new, self.mode, condition)
        };
        match attach(program.as_fd()) {
            // An unknown flag, unless it is known for the program that is there.
            Err(Error::Attach { errno: Errno::INVAL, message: None, .. })
                if is_invalid(&attach(old.as_fd())) =>
            {
                Err(NO_REPLACING)
            }
            result => result.map(|()| new_mark),
        }
    }

    fn refused_by_link(&self, errno: Errno) -> Error {
        let refusal = Refusal { errno, text: None };
        refused(&self.interface, self.mode, AttachMethod::Link, refusal)
    }

    /// Returns what is attached instead of the program known here, if that is why `error` came.
    fn changed(&self, error: Error) -> Error {
        match error {
            Error::Attach {
                errno: Errno::EXIST | Errno::BUSY | Errno::PERM | Errno::NOLINK,
                ..
            } => self.require_attached().err().unwrap_or(error),
            other => other,
        }
    }

    fn conflict(&self, program: &Program, old: u32, conflict: AttachConflict) -> Error {
        Error::OtherAttachment {
            interface: self.interface.name().to_owned(),
            wanted: format!("program {} in place of program {old}", program.id()),
            conflict,
        }
    }
}

fn is_invalid(result: &Result<()>) -> bool {
    matches!(result, Err(Error::Attach { errno: Errno::INVAL, .. }))
}
