//! An attempt to attach: what it has, its results, and attaching where nothing is in the way.

use super::retries::with_retries;
use crate::attach::attached_program::dispatcher_of;
use crate::attach::bpf_link::Link;
use crate::attach::lock::{Lock, LockSocket, MarkKind};
use crate::attach::method_reason::{self, MethodReason};
use crate::attach::mode::{AttachMode, ModeReason};
use crate::attach::netlink::{Condition, attach_netlink, detach_netlink, holder};
use crate::attach::ownership::Ownership;
use crate::attach::replaced_program::ReplacedProgram;
use crate::attach::usage::MapAndProbe;
use crate::bpf::{Program, XskMap, load_redirect};
use crate::error::{AttachConflict, Error, Result};
use crate::interface::{AttachedPrograms, Interface};
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::Duration;

/// The modes of a program that leaves no room for another one. One on the card leaves room.
const MODES: [XdpMode; 2] = [XdpMode::Native, XdpMode::Generic];

/// The interface, and how to attach to it.
#[derive(Debug)]
pub(in crate::attach) struct Request {
    pub(in crate::attach) interface: Interface,
    pub(in crate::attach) mode: AttachMode,
    /// `None` joins whatever is there.
    pub(in crate::attach) method: Option<AttachMethod>,
    pub(in crate::attach) replace_foreign: bool,
    pub(in crate::attach) take_over: bool,
    pub(in crate::attach) lock_timeout: Duration,
}

/// The program to attach.
pub(in crate::attach) struct Candidate {
    pub(in crate::attach) program: Program,
    pub(in crate::attach) slots: MapAndProbe,
    /// The tag of the default program; `None` for one of the user's.
    pub(in crate::attach) default_tag: Option<[u8; 8]>,
}

/// Attaching `candidate` as `request` says, under `lock`.
pub(in crate::attach) struct Attempt<'a> {
    pub(in crate::attach) request: &'a Request,
    pub(in crate::attach) candidate: &'a Candidate,
    pub(in crate::attach) lock: &'a Lock,
}

/// An attachment that succeeded.
pub(in crate::attach) struct Attached {
    pub(in crate::attach) mode: XdpMode,
    pub(in crate::attach) method: AttachMethod,
    pub(in crate::attach) method_reason: MethodReason,
    pub(in crate::attach) program_id: u32,
    pub(in crate::attach) ownership: Ownership,
    /// `None` if the program was there already.
    pub(in crate::attach) reason: Option<ModeReason>,
    /// The map of the program that was there, if it is not the candidate's.
    pub(in crate::attach) slots: Option<MapAndProbe>,
    /// The foreign program that was taken off for this one.
    pub(in crate::attach) replaced: Option<ReplacedProgram>,
}

/// The result of one look at the interface, and of what was done about it.
pub(super) enum Step {
    Attached(Attached),
    /// Something changed meanwhile. The error is returned if that happens at the last look, too.
    Retry(Error),
    /// The same, after a program was taken off for the candidate.
    Removed(Removed, Error),
}

/// The attached program that is to be replaced.
pub(super) struct Old {
    pub(super) mode: XdpMode,
    pub(super) id: u32,
    /// `None` if it may not be opened.
    pub(super) program: Option<Program>,
    pub(super) name: Option<String>,
    /// The user who loaded it. `None` if it may not be opened.
    pub(super) created_by: Option<u32>,
}

/// A program that was taken off.
pub(super) struct Removed {
    pub(super) mode: XdpMode,
    /// It is put back if attaching fails. `None` if it could not be opened.
    pub(super) program: Option<Program>,
    /// `None` if it was this user's own, left by a killed process.
    pub(super) replaced: Option<ReplacedProgram>,
}

impl Request {
    /// Returns the request to attach to `interface` in any mode, by any method.
    pub(in crate::attach) fn new(interface: &Interface) -> Self {
        Self {
            interface: interface.clone(),
            mode: AttachMode::Auto,
            method: None,
            replace_foreign: false,
            take_over: false,
            lock_timeout: Duration::from_secs(10),
        }
    }

    /// Refuses to attach from another namespace than the interface's, where the kernel reports it.
    pub(in crate::attach) fn require_namespace(&self) -> Result<()> {
        require_namespace(&self.interface, "attach to")
    }

    /// Takes the interface's lock.
    pub(in crate::attach) fn lock(&self) -> Result<Lock> {
        LockSocket::new()?.acquire(self.interface.index(), self.lock_timeout)
    }
}

/// Refuses `operation` from another namespace than the interface's, where the kernel reports it:
/// the lock and the marks are in the interface's.
pub(in crate::attach) fn require_namespace(
    interface: &Interface,
    operation: &'static str,
) -> Result<()> {
    if interface.is_in_current_netns() != Some(false) {
        return Ok(());
    }
    Err(Error::Interface {
        name: interface.name().to_owned(),
        operation,
        errno: Errno::XDEV,
        message: Some("the calling thread is in another network namespace".to_owned()),
    })
}

impl Candidate {
    /// `program` and its map, or else the default program, if `frags` for packets of several frames,
    /// with a slot for each queue that `interface` can have.
    pub(in crate::attach) fn load(
        interface: &Interface,
        program: Option<(Program, XskMap)>,
        frags: bool,
    ) -> Result<Self> {
        let Some((program, map)) = program else {
            let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
            let program = load_redirect(&map, frags)?;
            let default_tag = Some(program.info()?.tag);
            return Ok(Self { program, slots: MapAndProbe::new(map)?, default_tag });
        };
        program.require_no_other_xsk_map(&map)?;
        Ok(Self { program, slots: MapAndProbe::new(map)?, default_tag: None })
    }
}

impl Attached {
    /// Returns the attachment of a program that was there already.
    pub(super) fn joined(
        mode: XdpMode,
        method: AttachMethod,
        program_id: u32,
        ownership: Ownership,
        slots: Option<MapAndProbe>,
    ) -> Self {
        let method_reason = MethodReason::Joined;
        let (reason, replaced) = (None, None);
        Self { mode, method, method_reason, program_id, ownership, reason, slots, replaced }
    }
}

/// Returns the mode and id of the program that has to be joined or replaced, if there is one.
pub(in crate::attach) fn attached_program(interface: &Interface) -> Result<Option<(XdpMode, u32)>> {
    let programs = interface.attached_programs()?;
    Ok(MODES.into_iter().find_map(|mode| programs.program(mode).map(|id| (mode, id))))
}

impl Attempt<'_> {
    /// Attaches the candidate to an interface without a program.
    pub(super) fn attach_to_vacant(&self) -> Result<Step> {
        let wanted = self.request.mode;
        let first = self.attach_in(wanted.first(), Condition::Vacant, self.first_reason());
        let fallback = first.as_ref().err().and_then(ModeReason::of_refusal).zip(wanted.fallback());
        let result = match (first, fallback) {
            (Err(first), Some((reason, mode))) => {
                match self.attach_in(mode, Condition::Vacant, reason) {
                    Err(second) if !is_occupied(&second) => Err(first),
                    other => other,
                }
            }
            (first, _) => first,
        };
        match result {
            // Another process was faster, or the device has a lasting reason of that kind.
            Err(error) if is_occupied(&error) => Ok(Step::Retry(error)),
            other => other,
        }
    }

    /// Returns the method to attach by, and why.
    pub(super) fn method(&self) -> (AttachMethod, MethodReason) {
        method_reason::choose(self.request.method, &self.candidate.program)
    }

    /// Returns why the first mode to try is the one in use, if it is.
    pub(super) fn first_reason(&self) -> ModeReason {
        match self.request.mode {
            AttachMode::Auto => ModeReason::Native,
            AttachMode::Native | AttachMode::Generic => ModeReason::Asked,
        }
    }

    /// Marks the candidate, attaches it, and reads back that it is there.
    pub(super) fn attach_in(
        &self,
        mode: XdpMode,
        condition: Condition<'_>,
        reason: ModeReason,
    ) -> Result<Step> {
        let ownership = self.attach_new(mode, condition)?;
        self.verify_attached(mode, ownership, reason, self.request.interface.attached_programs())
    }

    /// Marks the candidate and attaches it.
    pub(super) fn attach_new(&self, mode: XdpMode, condition: Condition<'_>) -> Result<Ownership> {
        let (interface, program) = (&self.request.interface, &self.candidate.program);
        match self.method().0 {
            AttachMethod::Link => {
                let program = program.try_clone()?;
                let link = Link::create(interface, program.as_fd(), mode)?;
                Ok(Ownership::Link { link, program, pin: None })
            }
            AttachMethod::Netlink => {
                let ownership = Ownership::mark_used(self.lock, program)?;
                attach_netlink(interface, program.as_fd(), mode, condition)?;
                Ok(ownership)
            }
        }
    }

    /// Checks in `programs`, which were read after attaching, that the candidate is among them.
    pub(super) fn verify_attached(
        &self,
        mode: XdpMode,
        ownership: Ownership,
        reason: ModeReason,
        programs: Result<AttachedPrograms>,
    ) -> Result<Step> {
        let program = &self.candidate.program;
        let program_id = program.id();
        let programs = programs.inspect_err(|_| {
            // The caller gets an error and no attachment. A link ends with its ownership; what
            // netlink attached must be taken off, although the kernel may refuse to report this as
            // well.
            if matches!(ownership, Ownership::Netlink { .. }) {
                let _ = with_retries(|| self.remove(mode, program));
            }
        })?;
        if programs.program(mode) != Some(program_id) {
            return Ok(Step::Retry(self.conflict(AttachConflict::ProgramReplaced)));
        }
        let (method, method_reason) = self.method();
        Ok(Step::Attached(Attached {
            mode,
            method,
            method_reason,
            program_id,
            ownership,
            reason: Some(reason),
            slots: None,
            replaced: None,
        }))
    }

    /// Opens the links that may hold the program.
    pub(super) fn links(&self, mode: XdpMode, id: u32) -> Result<Vec<Link>> {
        Link::find(&self.request.interface, id).map_err(|error| match error {
            Error::BpfObject { errno: errno @ Errno::PERM, .. } => self.hidden(mode, id, errno),
            other => other,
        })
    }

    /// Detaches a program that netlink attached; returns `false` if it was not there any more.
    pub(in crate::attach) fn remove(&self, mode: XdpMode, program: &Program) -> Result<bool> {
        match detach_netlink(&self.request.interface, mode, program.as_fd(), program.id()) {
            Ok(()) => Ok(true),
            Err(Error::Detach { errno: Errno::EXIST, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns whether users of this crate have marked the program with this id, which `loader` has
    /// loaded, if that is known.
    pub(super) fn is_marked(&self, id: u32, loader: Option<u32>) -> Result<bool> {
        let is_marked = |kind| self.lock.is_marked(kind, id, loader);
        Ok(is_marked(MarkKind::User)? || is_marked(MarkKind::Guest)?)
    }

    pub(super) fn other_mode(&self, mode: XdpMode, method: AttachMethod) -> Error {
        self.conflict(AttachConflict::OtherMode { mode, method })
    }

    pub(super) fn conflict(&self, conflict: AttachConflict) -> Error {
        let Request { interface, mode, method, .. } = self.request;
        Error::OtherAttachment {
            interface: interface.name().to_owned(),
            wanted: match method {
                Some(method) => format!("{mode} mode by {method}"),
                None => format!("{mode} mode"),
            },
            conflict,
        }
    }

    /// Returns the error for a program that may not be looked at.
    pub(super) fn hidden(&self, mode: XdpMode, id: u32, errno: Errno) -> Error {
        let interface = &self.request.interface;
        let method = holder(interface, mode, &self.candidate.program);
        Error::HiddenProgram {
            interface: interface.name().to_owned(),
            id,
            mode,
            method,
            // If marks cannot be looked for, the advice for programs in use is the safe one.
            in_use: method == AttachMethod::Netlink && self.is_marked(id, None).unwrap_or(true),
            errno,
        }
    }

    /// Returns the error for a foreign program that is left alone.
    pub(super) fn foreign(&self, old: &Old) -> Error {
        let interface = &self.request.interface;
        let method = holder(interface, old.mode, &self.candidate.program);
        let link = match method {
            // With several candidates it is not known which one is on this interface.
            AttachMethod::Link => match Link::find(interface, old.id).as_deref() {
                Ok([link]) => link.id(),
                _ => None,
            },
            AttachMethod::Netlink => None,
        };
        Error::ForeignProgram {
            interface: interface.name().to_owned(),
            id: old.id,
            name: old.name.clone(),
            mode: old.mode,
            method,
            link,
            dispatcher: old.program.as_ref().and_then(|program| dispatcher_of(interface, program)),
        }
    }
}

/// Returns whether a program was refused because another one is there.
pub(super) fn is_occupied(error: &Error) -> bool {
    matches!(error, Error::Attach { errno: Errno::BUSY | Errno::EXIST, .. })
}
