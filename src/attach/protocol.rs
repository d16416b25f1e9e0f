#![doc = include_str!("protocol.md")]

use super::bpf_link::Link;
use super::lock::{Lock, LockSocket, MarkKind};
use super::mode::{AttachMode, ModeReason};
use super::netlink::{Condition, attach_netlink, detach_netlink, is_held_by_link};
use super::ownership::Ownership;
use super::usage::{MapAndProbe, Users};
use crate::bpf::{Program, REDIRECT_NAME, XskMap, load_redirect};
use crate::error::{AttachConflict, Error, Result};
use crate::interface::{AttachedPrograms, Interface};
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::Duration;

#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests;

/// How often an interface that is just being changed is looked at again.
const RETRIES: usize = 9;
/// The pause before the second look; it doubles from look to look.
const PAUSE: Duration = Duration::from_micros(250);

/// The modes of a program that leaves no room for another one. One on the card leaves room.
const MODES: [XdpMode; 2] = [XdpMode::Native, XdpMode::Generic];

/// The interface, and how to attach to it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) interface: Interface,
    pub(super) mode: AttachMode,
    pub(super) method: AttachMethod,
    pub(super) replace_foreign: bool,
    pub(super) take_over: bool,
    pub(super) lock_timeout: Duration,
}

/// The program to attach.
pub(super) struct Candidate {
    pub(super) program: Program,
    pub(super) slots: MapAndProbe,
    /// The tag of the default program; `None` for one of the user's.
    default_tag: Option<[u8; 8]>,
}

/// Attaching `candidate` as `request` says, under `lock`.
pub(super) struct Attempt<'a> {
    pub(super) request: &'a Request,
    pub(super) candidate: &'a Candidate,
    pub(super) lock: &'a Lock,
}

/// An attachment that succeeded.
pub(super) struct Attached {
    pub(super) mode: XdpMode,
    pub(super) program_id: u32,
    pub(super) ownership: Ownership,
    /// `None` if the program was there already.
    pub(super) reason: Option<ModeReason>,
    /// The map of the program that was there, if it is not the candidate's.
    pub(super) slots: Option<MapAndProbe>,
}

/// The result of one look at the interface, and of what was done about it.
pub(super) enum Step {
    Attached(Attached),
    /// Something changed meanwhile. The error is returned if that happens at the last look, too.
    Retry(Error),
    /// The same, after this foreign program was taken off. It is put back if attaching fails.
    Removed(XdpMode, Program, Error),
}

/// The program that is attached.
enum Found {
    /// The candidate itself, or a default program like it with this map.
    Joinable(Program, Option<MapAndProbe>),
    /// Another one, as far as it could be opened, and its name.
    Foreign(Option<Program>, Option<String>),
    Gone,
}

impl Request {
    /// Returns the request to attach to `interface` in any mode, by netlink.
    pub(super) fn new(interface: &Interface) -> Self {
        Self {
            interface: interface.clone(),
            mode: AttachMode::Auto,
            method: AttachMethod::Netlink,
            replace_foreign: false,
            take_over: false,
            lock_timeout: Duration::from_secs(10),
        }
    }

    /// Refuses to attach from another namespace than the interface's, where the kernel reports it.
    pub(super) fn require_namespace(&self) -> Result<()> {
        if self.interface.is_in_current_netns() != Some(false) {
            return Ok(());
        }
        Err(Error::Interface {
            name: self.interface.name().to_owned(),
            operation: "attach to",
            errno: Errno::XDEV,
            message: Some("the calling thread is in another network namespace".to_owned()),
        })
    }

    /// Takes the interface's lock.
    pub(super) fn lock(&self) -> Result<Lock> {
        LockSocket::new()?.acquire(self.interface.index(), self.lock_timeout)
    }
}

impl Candidate {
    /// `program` and its map, or else the default program with a slot for each queue that
    /// `interface` can have.
    pub(super) fn load(interface: &Interface, program: Option<(Program, XskMap)>) -> Result<Self> {
        let Some((program, map)) = program else {
            let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
            let program = load_redirect(&map, false)?;
            let default_tag = Some(program.info()?.tag);
            return Ok(Self { program, slots: MapAndProbe::new(map)?, default_tag });
        };
        Ok(Self { program, slots: MapAndProbe::new(map)?, default_tag: None })
    }
}

impl Attached {
    /// Returns the attachment of a program that was there already.
    fn joined(
        mode: XdpMode,
        program_id: u32,
        ownership: Ownership,
        slots: Option<MapAndProbe>,
    ) -> Self {
        Self { mode, program_id, ownership, reason: None, slots }
    }
}

/// Returns the mode and id of the program that has to be joined or replaced, if there is one.
pub(super) fn attached_program(interface: &Interface) -> Result<Option<(XdpMode, u32)>> {
    let programs = interface.attached_programs()?;
    Ok(MODES.into_iter().find_map(|mode| programs.program(mode).map(|id| (mode, id))))
}

impl Attempt<'_> {
    /// Takes steps until the program is attached. If that fails, a foreign program that was taken
    /// off is put back.
    pub(super) fn run(&self) -> Result<Attached> {
        let mut removed = None;
        match self.repeat(&mut removed) {
            Ok(attached) => Ok(attached),
            Err(error) => Err(self.put_back(removed, error)),
        }
    }

    /// Takes steps until the program is attached. A foreign program that was taken off goes to
    /// `removed`.
    fn repeat(&self, removed: &mut Option<(XdpMode, Program)>) -> Result<Attached> {
        let mut pauses =
            std::iter::successors(Some(PAUSE), |pause| pause.checked_mul(2)).take(RETRIES);
        loop {
            let why = match self.step()? {
                Step::Attached(attached) => return Ok(attached),
                Step::Retry(why) => why,
                Step::Removed(mode, program, why) => {
                    *removed = Some((mode, program));
                    why
                }
            };
            match pauses.next() {
                Some(pause) => sleep(pause),
                None => return Err(why),
            }
        }
    }

    /// Puts a foreign program back that was taken off for the candidate, whose attaching failed
    /// with `why`.
    fn put_back(&self, removed: Option<(XdpMode, Program)>, why: Error) -> Error {
        let Some((mode, program)) = removed else {
            return why;
        };
        match attach_netlink(&self.request.interface, program.as_fd(), mode, Condition::Vacant) {
            // Busy: another process has attached a program.
            Ok(()) | Err(Error::Attach { errno: Errno::BUSY | Errno::EXIST, .. }) => why,
            Err(Error::Attach { interface, mode, method, errno, message }) => Error::Attach {
                interface,
                mode,
                method,
                errno,
                message: Some(format!(
                    "{}program {} was taken off and could not be put back, after: {why}",
                    message.map_or_else(String::new, |text| text + "; "),
                    program.id()
                )),
            },
            Err(_) => why,
        }
    }

    /// Looks at the interface once, and attaches, joins or replaces.
    fn step(&self) -> Result<Step> {
        let Some((mode, id)) = attached_program(&self.request.interface)? else {
            return self.attach_to_vacant();
        };
        match self.identify(id)? {
            Found::Gone => Ok(Step::Retry(self.conflict(AttachConflict::ProgramGone))),
            Found::Joinable(program, slots) => self.join(mode, program, slots),
            Found::Foreign(program, name) => self.replace(mode, id, program, name),
        }
    }

    /// Opens the attached program and compares it with the candidate.
    fn identify(&self, id: u32) -> Result<Found> {
        let candidate = self.candidate;
        let Some(tag) = candidate.default_tag else {
            if id == candidate.program.id() {
                return Ok(Found::Joinable(candidate.program.try_clone()?, None));
            }
            let program = Program::from_id(id).ok();
            let name = program.as_ref().and_then(|program| Some(program.info().ok()?.name));
            return Ok(Found::Foreign(program, name));
        };
        let open = || {
            let program = Program::from_id(id)?;
            let info = program.info()?;
            if info.name == REDIRECT_NAME && info.tag == tag {
                if let Some(map) = program.xsk_map(XskMap::DEFAULT_NAME)? {
                    return Ok(Found::Joinable(program, Some(MapAndProbe::new(map)?)));
                }
            }
            Ok(Found::Foreign(Some(program), Some(info.name)))
        };
        match open() {
            Err(Error::BpfObject { errno: Errno::NOENT, .. }) => Ok(Found::Gone),
            // A program that may not be opened counts as foreign if it is to be replaced and no
            // user of this crate has marked it.
            Err(Error::BpfObject { errno: Errno::PERM, .. })
                if self.request.replace_foreign
                    && !self.lock.is_marked(MarkKind::User, id, None)?
                    && !self.lock.is_marked(MarkKind::Guest, id, None)? =>
            {
                Ok(Found::Foreign(None, None))
            }
            other => other,
        }
    }

    /// Attaches the candidate to an interface without a program.
    fn attach_to_vacant(&self) -> Result<Step> {
        let wanted = self.request.mode;
        let first = self.attach_in(wanted.first(), Condition::Vacant, self.first_reason());
        let result = match (first, wanted.fallback()) {
            (Err(Error::Attach { errno: Errno::OPNOTSUPP, message, .. }), Some(mode)) => {
                self.attach_in(mode, Condition::Vacant, ModeReason::NoNative { message })
            }
            (first, _) => first,
        };
        match result {
            // Another process was faster, or the device has a lasting reason of that kind.
            Err(error @ Error::Attach { errno: Errno::BUSY | Errno::EXIST, .. }) => {
                Ok(Step::Retry(error))
            }
            other => other,
        }
    }

    /// Returns why the first mode to try is the one in use, if it is.
    fn first_reason(&self) -> ModeReason {
        match self.request.mode {
            AttachMode::Auto => ModeReason::Native,
            AttachMode::Native | AttachMode::Generic => ModeReason::Asked,
        }
    }

    /// Marks the candidate, attaches it, and reads back that it is there.
    fn attach_in(
        &self,
        mode: XdpMode,
        condition: Condition<'_>,
        reason: ModeReason,
    ) -> Result<Step> {
        let ownership = self.attach_new(mode, condition)?;
        self.verify_attached(mode, ownership, reason, self.request.interface.attached_programs())
    }

    /// Marks the candidate and attaches it.
    fn attach_new(&self, mode: XdpMode, condition: Condition<'_>) -> Result<Ownership> {
        let (interface, program) = (&self.request.interface, &self.candidate.program);
        match self.request.method {
            AttachMethod::Link => {
                let link = Link::create(interface, program.as_fd(), mode)?;
                Ok(Ownership::Link { _links: vec![link] })
            }
            AttachMethod::Netlink => {
                let ownership = Ownership::mark_used(self.lock, program)?;
                attach_netlink(interface, program.as_fd(), mode, condition)?;
                Ok(ownership)
            }
        }
    }

    /// Checks in `programs`, which were read after attaching, that the candidate is among them.
    fn verify_attached(
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
                let interface = &self.request.interface;
                let _ = detach_netlink(interface, mode, program.as_fd(), program_id);
            }
        })?;
        if programs.program(mode) != Some(program_id) {
            return Ok(Step::Retry(self.conflict(AttachConflict::ProgramReplaced)));
        }
        let reason = Some(reason);
        Ok(Step::Attached(Attached { mode, program_id, ownership, reason, slots: None }))
    }

    /// Joins the attached program, or detaches one without users that is not attached as asked for.
    fn join(&self, mode: XdpMode, program: Program, slots: Option<MapAndProbe>) -> Result<Step> {
        let interface = &self.request.interface;
        if self.request.method == AttachMethod::Link {
            let links = Link::find(interface, program.id())?;
            // With the descriptor open the kernel does not detach the program any more; but it
            // might have done so before.
            if !links.is_empty() && is_held_by_link(interface, mode, &program)? {
                return self.join_links(mode, program.id(), links, slots);
            }
        }
        if is_held_by_link(interface, mode, &program)? {
            // The link may be about to go.
            return Ok(Step::Retry(self.other_mode(mode, AttachMethod::Link)));
        }
        self.join_marked(mode, program, slots)
    }

    /// Joins a program that `links` hold.
    fn join_links(
        &self,
        mode: XdpMode,
        id: u32,
        links: Vec<Link>,
        slots: Option<MapAndProbe>,
    ) -> Result<Step> {
        if links.len() > 1 {
            // To hold the others' links would keep their programs attached when they have left.
            return Err(self.conflict(AttachConflict::SeveralNamespaces));
        }
        if !self.request.mode.allows(mode) {
            return Err(self.other_mode(mode, AttachMethod::Link));
        }
        if attached_program(&self.request.interface)? != Some((mode, id)) {
            return Ok(Step::Retry(self.conflict(AttachConflict::ProgramGone)));
        }
        let ownership = Ownership::Link { _links: links };
        Ok(Step::Attached(Attached::joined(mode, id, ownership, slots)))
    }

    /// Joins a program that netlink holds, by a mark; or takes it over.
    fn join_marked(
        &self,
        mode: XdpMode,
        program: Program,
        slots: Option<MapAndProbe>,
    ) -> Result<Step> {
        let id = program.id();
        let wanted = self.request.mode;
        let by_netlink = self.request.method == AttachMethod::Netlink;
        let is_default = self.candidate.default_tag.is_some();
        let attached_slots = slots.as_ref().unwrap_or(&self.candidate.slots);
        let users = attached_slots.users(self.lock, &program)?;
        if users.any() || !(is_default || self.request.take_over) {
            if !(by_netlink && wanted.allows(mode)) {
                return Err(self.other_mode(mode, AttachMethod::Netlink));
            }
            // A program of the user's that no user of this crate attached is for others to detach.
            let ownership = if users == Users::Marked || is_default {
                Ownership::mark_used(self.lock, &program)?
            } else {
                Ownership::Guest { _mark: self.lock.mark(MarkKind::Guest, id)? }
            };
            return Ok(Step::Attached(Attached::joined(mode, id, ownership, slots)));
        }
        // A killed process left it behind.
        let has_room = attached_slots.map.entries() >= self.candidate.slots.map.entries();
        if by_netlink && wanted.first() == mode && has_room {
            let ownership = Ownership::mark_used(self.lock, &program)?;
            return Ok(Step::Attached(Attached::joined(mode, id, ownership, slots)));
        }
        self.remove(mode, &program)?;
        Ok(Step::Retry(self.other_mode(mode, AttachMethod::Netlink)))
    }

    /// Detaches a program that netlink attached; returns `false` if it was not there any more.
    fn remove(&self, mode: XdpMode, program: &Program) -> Result<bool> {
        match detach_netlink(&self.request.interface, mode, program.as_fd(), program.id()) {
            Ok(()) => Ok(true),
            Err(Error::Detach { errno: Errno::EXIST, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Replaces a foreign program, if the request allows it.
    fn replace(
        &self,
        mode: XdpMode,
        id: u32,
        program: Option<Program>,
        name: Option<String>,
    ) -> Result<Step> {
        let foreign = || Error::ForeignProgram {
            interface: self.request.interface.name().to_owned(),
            id,
            name: name.clone(),
            mode,
        };
        if !self.request.replace_foreign {
            return Err(foreign());
        }
        let in_place =
            self.request.method == AttachMethod::Netlink && self.request.mode.first() == mode;
        // A second descriptor is made while nothing has changed yet.
        let kept = program.as_ref().map(Program::try_clone).transpose()?;
        let removed = || match kept {
            Some(program) => Step::Removed(mode, program, foreign()),
            None => Step::Retry(foreign()),
        };
        let result = match &program {
            program if in_place => {
                let condition = program
                    .as_ref()
                    .map_or(Condition::Anything, |program| Condition::Replacing(program.as_fd()));
                self.attach_in(mode, condition, self.first_reason())
            }
            Some(program) => match self.remove(mode, program) {
                Ok(true) => return Ok(removed()),
                Ok(false) => Ok(Step::Retry(foreign())),
                Err(error) => Err(error),
            },
            None => Err(foreign()),
        };
        match result {
            Err(
                Error::Attach { errno: Errno::BUSY, .. } | Error::Detach { errno: Errno::BUSY, .. },
            ) => {
                // A link holds it: only detaching the link helps. The kernel does not report a
                // link's namespace, but if there is one candidate, it is this one.
                let links = Link::find(&self.request.interface, id)?;
                match links.as_slice() {
                    [link] if link.detach().is_ok() => Ok(removed()),
                    [] => Ok(Step::Retry(foreign())),
                    _ => Err(foreign()),
                }
            }
            Err(Error::Attach { errno: Errno::EXIST, .. }) => Ok(Step::Retry(foreign())),
            other => other,
        }
    }

    fn other_mode(&self, mode: XdpMode, method: AttachMethod) -> Error {
        self.conflict(AttachConflict::OtherMode { mode, method })
    }

    fn conflict(&self, conflict: AttachConflict) -> Error {
        let Request { interface, mode, method, .. } = self.request;
        Error::OtherAttachment {
            interface: interface.name().to_owned(),
            wanted: format!("{mode} mode by {method}"),
            conflict,
        }
    }
}
