//! Takes a program off for the candidate: a foreign one on request, or what a killed process left.

use super::attempt::{Attached, Attempt, Old, Removed, Step, attached_program, is_occupied};
use super::retries::with_retries;
use crate::attach::lock::MarkKind;
use crate::attach::mode::is_of_driver;
use crate::attach::netlink::{Condition, attach_netlink, is_held_by_link};
use crate::attach::replaced_program::ReplacedProgram;
use crate::bpf::{Program, ProgramInfo};
use crate::error::{Error, Result};
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::AsFd;

impl Old {
    pub(super) fn opened(mode: XdpMode, program: Program, info: ProgramInfo) -> Self {
        let (name, created_by) = (Some(info.name), Some(info.created_by));
        Self { mode, id: info.id, program: Some(program), name, created_by }
    }

    /// One that may not be opened.
    pub(super) fn hidden(mode: XdpMode, id: u32) -> Self {
        Self { mode, id, program: None, name: None, created_by: None }
    }

    fn replaced(&self, method: AttachMethod) -> ReplacedProgram {
        let name = self.name.clone().filter(|name| !name.is_empty());
        let (id, mode, created_by) = (self.id, self.mode, self.created_by);
        ReplacedProgram { id, name, mode, method, created_by }
    }
}

impl Attempt<'_> {
    /// Puts a program back that was taken off for the candidate, whose attaching failed with `why`.
    pub(super) fn put_back(&self, removed: Option<Removed>, why: Error) -> Error {
        let Some(Removed { mode, program: Some(program), .. }) = removed else {
            return why;
        };
        match attach_netlink(&self.request.interface, program.as_fd(), mode, Condition::Vacant) {
            // Another process has attached a program.
            Err(error) if is_occupied(&error) => why,
            Err(Error::Attach { interface, mode, method, errno, message, mtu, rx_queues }) => {
                let message = format!(
                    "{}program {} was taken off and could not be put back, after: {why}",
                    message.map_or_else(String::new, |text| text + "; "),
                    program.id()
                );
                let message = Some(message);
                Error::Attach { interface, mode, method, errno, message, mtu, rx_queues }
            }
            Ok(()) | Err(_) => why,
        }
    }

    /// Takes over what a killed process left: the candidate takes its place.
    pub(super) fn take_over(&self, old: Old) -> Result<Step> {
        if let Some(program) = &old.program {
            if is_held_by_link(&self.request.interface, old.mode, program)? {
                // The link may be about to go.
                return Ok(Step::Retry(self.foreign(&old)));
            }
        }
        match self.exchange(&old)? {
            Step::Removed(removed, why) => {
                Ok(Step::Removed(Removed { replaced: None, ..removed }, why))
            }
            Step::Attached(attached) => Ok(Step::Attached(Attached { replaced: None, ..attached })),
            retry => Ok(retry),
        }
    }

    /// Replaces a foreign program, if the request allows it.
    pub(super) fn replace(&self, old: Old) -> Result<Step> {
        if !self.request.replace_foreign {
            return Err(self.foreign(&old));
        }
        let result = self.exchange(&old);
        let busy = matches!(
            result,
            Err(Error::Attach { errno: Errno::BUSY, .. } | Error::Detach { errno: Errno::BUSY, .. })
        );
        if !busy {
            return result;
        }
        // A link holds it: only detaching the link helps. The kernel does not report a link's
        // namespace, but if there is one candidate, it is this one.
        let links = self.links(old.mode, old.id)?;
        let removed = self.removed(&old, AttachMethod::Link)?;
        // With the links open, the program stays: if it has gone before, they are of other namespaces.
        if attached_program(&self.request.interface)? != Some((old.mode, old.id)) {
            return Ok(Step::Retry(self.foreign(&old)));
        }
        match links.as_slice() {
            [link] if link.detach().is_ok() => Ok(removed),
            [] => Ok(Step::Retry(self.foreign(&old))),
            _ => Err(self.foreign(&old)),
        }
    }

    /// Attaches the candidate in the place of a program that netlink holds, or takes that off first
    /// if the candidate is to be attached in another way.
    fn exchange(&self, old: &Old) -> Result<Step> {
        let in_place =
            self.method().0 == AttachMethod::Netlink && self.request.mode.first() == old.mode;
        if !in_place {
            return self.take_off(old);
        }
        let condition = old
            .program
            .as_ref()
            .map_or(Condition::Anything, |program| Condition::Replacing(program.as_fd()));
        match self.attach_in(old.mode, condition, self.first_reason()) {
            Ok(Step::Attached(attached)) => {
                let replaced = Some(old.replaced(AttachMethod::Netlink));
                Ok(Step::Attached(Attached { replaced, ..attached }))
            }
            Err(Error::Attach { errno: Errno::EXIST, .. }) => Ok(Step::Retry(self.foreign(old))),
            // The driver takes the old one and not this one, which may do for generic mode.
            Err(Error::Attach { errno, .. })
                if is_of_driver(errno) && self.request.mode.fallback().is_some() =>
            {
                self.take_off(old)
            }
            other => other,
        }
    }

    /// Takes a program off that netlink holds.
    fn take_off(&self, old: &Old) -> Result<Step> {
        // A second descriptor is made while nothing has changed yet.
        let removed = self.removed(old, AttachMethod::Netlink)?;
        let is_off = match &old.program {
            Some(program) => self.remove(old.mode, program)?,
            None => self.take_off_hidden(old.mode)?,
        };
        Ok(if is_off { removed } else { Step::Retry(self.foreign(old)) })
    }

    /// Takes a program off that may not be opened. It cannot be detached on condition that it is
    /// there; the candidate can, once it has taken its place. Returns `false` if the candidate was
    /// not there any more.
    fn take_off_hidden(&self, mode: XdpMode) -> Result<bool> {
        let (interface, candidate) = (&self.request.interface, &self.candidate.program);
        let _mark = self.lock.mark(MarkKind::User, candidate.id())?;
        attach_netlink(interface, candidate.as_fd(), mode, Condition::Anything)?;
        // The caller has no attachment that would detach it later.
        with_retries(|| self.remove(mode, candidate))
    }

    /// Returns the step of taking off a program that `method` holds.
    fn removed(&self, old: &Old, method: AttachMethod) -> Result<Step> {
        let program = old.program.as_ref().map(Program::try_clone).transpose()?;
        let replaced = Some(old.replaced(method));
        Ok(Step::Removed(Removed { mode: old.mode, program, replaced }, self.foreign(old)))
    }
}
