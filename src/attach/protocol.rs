//! Attaching a program, or joining those who have.
//!
//! # Why nobody is left deaf, and nothing is left behind
//! *By link* the kernel counts: a joiner takes a descriptor of the same link, then looks whether the program is still
//! on the interface. From then on it stays there, for the link has a holder; if the last holder left in between, the
//! look tells, and everything begins anew. A killed process has no descriptors. Nothing else is needed.
//!
//! *By netlink* nobody counts. There are a lock L, one per interface; marks, one for each user of a program; and the
//! slots of its map. L and a mark are bound Unix sockets, a slot names an AF_XDP socket: all three vanish with their
//! process, none can be left over. These steps are taken, each as a whole under L:
//! - *attach*: look that no program is there; mark the own program; attach it on condition that none is there.
//! - *join*: look which program is there; make sure that netlink holds it; mark it.
//! - *leave*: take the own mark off; if there is no other mark and no slot is taken, detach on condition that it is
//!   still this program.
//! - *take over*, as part of attach or join: a program like ours without marks and slots is joined or detached. A
//!   program of the user's may belong to somebody who knows no marks, and is taken over only if that was asked for.
//!
//! Slots are filled without L, but only by those who hold a mark, and emptied before the mark is taken off.
//!
//! Claim 1: while a mark is on an attached program, none of us detaches that program. Only *leave* and *take over*
//! detach, both after having seen, under L, that there is no mark; and a mark comes only under L. So a
//! joiner either has its mark on before the leaver looks, which then leaves the program alone, or looks itself after
//! the leaver has detached, and attaches. A user between attaching and its first socket has its mark, and is as safe.
//! (Somebody who attaches another program and is told to replace what is there does so, marks or not; the users of
//! what was there find out when they register, and detach nothing in the end. If nothing comes of it, what was there is
//! put back, under the same L, on condition that no program is there; its marks hold as before.)
//!
//! Claim 2: after the last user has left cleanly, nothing is attached. It took its mark off under L and saw no
//! other one; the marks of those who left before it are gone, and so are those of the killed, as soon as the kernel
//! has closed their descriptors, which it does before their parent can have waited for them. If a killed user is
//! still dying when the last one looks, or if the last one is itself killed while leaving, the program stays as after
//! any kill, and the next *take over* finds it without marks.
//!
//! `SIGKILL` in the middle: a call into the kernel that has begun is finished before the process's descriptors are
//! closed, so L is not given up while an attach or detach is still under way. Killed before attaching: a mark of a
//! program that never came, gone by now. After attaching, or between taking the mark off and detaching: a program
//! without marks, see above. The order in which L, marks and slots of a dying process vanish does not matter: a mark
//! or slot that is seen too long only makes the one who sees it leave the program alone (or refuse another mode).
//!
//! A program like ours that a *link* holds must not be joined by a mark, for its holders do not look at marks. Whether
//! one does is asked by replacing the program by itself, on condition that it is still there: the kernel changes
//! nothing, and refuses if a link holds it, also one that is about to go. A link's holders need no such care.
//!
//! Those who did not attach and will not detach (guests of a foreign program) put a mark of another kind, which stops
//! *leave* and *take over* as well, but never makes anybody think that the program is ours. A guest of our default
//! program, or one who sees the mark of a user, under L, *joins* instead, for it may be there longer than every user, and
//! claim 2 would not hold. Where
//! it may not open the program or change what is attached, and so could not detach it, it stays a guest; if it is the
//! last one, it leaves the program as after a kill.
//!
//! Outsiders (`ip link set dev xdp off`) keep no such rules: conditions on every change make sure that we do not touch
//! what they put there, and registering a socket looks again at what is attached.

use super::bpf_link::Link;
use super::builder::{AttachmentBuilder, Candidate};
use super::lock::{Lock, LockSocket, MarkKind};
use super::netlink::{Condition, attach_netlink, detach_netlink};
use super::ownership::Ownership;
use super::usage::MapAndProbe;
use super::{AttachMode, ModeReason};
use crate::bpf::{Program, REDIRECT_NAME, XskMap};
use crate::error::{Error, Result};
use crate::interface::AttachedPrograms;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// The modes that a program which stands in our way can be in. One on the card does not.
const MODES: [XdpMode; 2] = [XdpMode::Native, XdpMode::Generic];

/// An attachment that holds.
pub(super) struct Attached {
    pub(super) mode: XdpMode,
    pub(super) program_id: u32,
    pub(super) ownership: Ownership,
    /// `None` if the program was there already.
    pub(super) reason: Option<ModeReason>,
    /// The map of the program that was there, if it is another than ours.
    pub(super) parts: Option<MapAndProbe>,
}

/// One look at the interface came to this.
pub(super) enum Step {
    Attached(Attached),
    /// Something changed meanwhile: look again, and if that never ends, this is why.
    Retry(Error),
    /// The same, after this foreign program was taken off: it is put back if ours cannot be attached.
    Removed(XdpMode, Program, Error),
}

/// The program that is attached.
enum Found {
    /// The user's own, or a default program like ours with these parts.
    Ours(Program, Option<MapAndProbe>),
    Foreign(Option<Program>, Option<String>),
    Gone,
}

impl AttachmentBuilder {
    /// The program that is attached, unless there is none.
    pub(super) fn there(&self) -> Result<Option<(XdpMode, u32)>> {
        let state = self.interface.attached_programs()?;
        Ok(MODES.into_iter().find_map(|mode| state.program(mode).map(|id| (mode, id))))
    }

    /// Looks at the interface once and does what is to be done.
    pub(super) fn step(&self, candidate: &Candidate, lock: &Lock) -> Result<Step> {
        let Some((mode, id)) = self.there()? else {
            return self.attach_to_vacant(candidate, lock);
        };
        match self.identify(candidate, lock, id)? {
            Found::Gone => Ok(Step::Retry(self.conflict("a program that has just gone"))),
            Found::Ours(program, parts) => self.join(candidate, lock, mode, program, parts),
            Found::Foreign(program, name) => self.replace(candidate, lock, mode, id, program, name),
        }
    }

    fn identify(&self, candidate: &Candidate, lock: &Lock, id: u32) -> Result<Found> {
        let Some(tag) = candidate.default else {
            if id == candidate.program.id() {
                return Ok(Found::Ours(candidate.program.try_clone()?, None));
            }
            let program = Program::from_id(id).ok();
            let name = program.as_ref().and_then(|program| Some(program.info().ok()?.name));
            return Ok(Found::Foreign(program, name));
        };
        let look = || {
            let program = Program::from_id(id)?;
            let info = program.info()?;
            if info.name == REDIRECT_NAME && info.tag == tag {
                if let Some(map) = program.xsk_map(XskMap::DEFAULT_NAME)? {
                    return Ok(Found::Ours(program, Some(MapAndProbe::new(map)?)));
                }
            }
            Ok(Found::Foreign(Some(program), Some(info.name)))
        };
        match look() {
            Err(Error::BpfObject { errno: Errno::NOENT, .. }) => Ok(Found::Gone),
            // What cannot be looked at is foreign if it is to be replaced and nobody of ours uses it.
            Err(Error::BpfObject { errno: Errno::PERM, .. })
                if self.replace_foreign
                    && !lock.is_marked(MarkKind::User, id)?
                    && !lock.is_marked(MarkKind::Guest, id)? =>
            {
                Ok(Found::Foreign(None, None))
            }
            other => other,
        }
    }

    fn attach_to_vacant(&self, candidate: &Candidate, lock: &Lock) -> Result<Step> {
        let mut reason = self.first_reason();
        let mut refusal = None;
        for mode in self.mode.candidates().iter().copied() {
            match self.attach_new(candidate, lock, mode, Condition::Vacant) {
                Ok(ownership) => return self.attached(candidate, mode, ownership, reason),
                Err(Error::Attach { errno: Errno::OPNOTSUPP, message, .. })
                    if reason == ModeReason::Native =>
                {
                    reason = ModeReason::NoNative { message: message.clone() };
                    refusal = Some(Error::Attach {
                        interface: self.interface.name().to_owned(),
                        mode,
                        method: self.method,
                        errno: Errno::OPNOTSUPP,
                        message,
                    });
                }
                // Somebody was faster, or the device has another reason of that kind, which lasts.
                Err(error @ Error::Attach { errno: Errno::BUSY | Errno::EXIST, .. }) => {
                    return Ok(Step::Retry(error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(refusal.unwrap_or_else(|| self.conflict("an interface that takes no program")))
    }

    /// Why the first candidate is the mode, if it is.
    fn first_reason(&self) -> ModeReason {
        match self.mode {
            AttachMode::Auto => ModeReason::Native,
            _ => ModeReason::Asked,
        }
    }

    /// Marks our program and attaches it.
    pub(super) fn attach_new(
        &self,
        candidate: &Candidate,
        lock: &Lock,
        mode: XdpMode,
        condition: Condition<'_>,
    ) -> Result<Ownership> {
        let program = candidate.program.as_fd();
        match self.method {
            AttachMethod::Link => {
                Ok(Ownership::Link { _links: vec![Link::create(&self.interface, program, mode)?] })
            }
            AttachMethod::Netlink => {
                let ownership = self.mark_used(lock, &candidate.program)?;
                attach_netlink(&self.interface, program, mode, condition)?;
                Ok(ownership)
            }
        }
    }

    pub(super) fn mark_used(&self, lock: &Lock, program: &Program) -> Result<Ownership> {
        Ok(Ownership::Netlink {
            mark: lock.mark(MarkKind::User, program.id())?,
            lock: LockSocket::new()?,
            program: program.try_clone()?,
        })
    }

    /// Reads back that what was attached is there.
    fn attached(
        &self,
        candidate: &Candidate,
        mode: XdpMode,
        ownership: Ownership,
        reason: ModeReason,
    ) -> Result<Step> {
        self.verify_attached(candidate, mode, ownership, reason, self.interface.attached_programs())
    }

    pub(super) fn verify_attached(
        &self,
        candidate: &Candidate,
        mode: XdpMode,
        ownership: Ownership,
        reason: ModeReason,
        state: Result<AttachedPrograms>,
    ) -> Result<Step> {
        let program_id = candidate.program.id();
        let state = state.inspect_err(|_| {
            // Nobody will know of the attachment. A link goes with its hold; what netlink attached must be taken off,
            // of which the kernel may tell us as little as of the rest.
            if matches!(ownership, Ownership::Netlink { .. }) {
                let program = candidate.program.as_fd();
                let _ = detach_netlink(&self.interface, mode, program, program_id);
            }
        })?;
        if state.program(mode) != Some(program_id) {
            return Ok(Step::Retry(self.conflict("a program that came right after ours")));
        }
        Ok(Step::Attached(Attached {
            mode,
            program_id,
            ownership,
            reason: Some(reason),
            parts: None,
        }))
    }

    /// Joins a program like ours, or removes one that nobody uses any more and that is not what we want.
    fn join(
        &self,
        candidate: &Candidate,
        lock: &Lock,
        mode: XdpMode,
        program: Program,
        parts: Option<MapAndProbe>,
    ) -> Result<Step> {
        let id = program.id();
        let theirs = parts.as_ref().unwrap_or(&candidate.parts);
        if self.method == AttachMethod::Link {
            let links = Link::find(&self.interface, id)?;
            // With the descriptor in hand the kernel does not detach it any more; but it might have before.
            if !links.is_empty() && self.held_by_link(mode, &program)? {
                if links.len() > 1 {
                    // To hold the others' links would keep their programs attached when they have left.
                    return Err(self.conflict(
                        "that very program, by links in several network namespaces, which cannot be told apart",
                    ));
                }
                if !self.mode.candidates().contains(&mode) {
                    return Err(self.conflict(&describe(mode, AttachMethod::Link)));
                }
                let ownership = Ownership::Link { _links: links };
                return Ok(match self.there()? {
                    Some(there) if there == (mode, id) => Step::Attached(Attached {
                        mode,
                        program_id: id,
                        ownership,
                        reason: None,
                        parts,
                    }),
                    _ => Step::Retry(self.conflict("a program that has just gone")),
                });
            }
        }
        if self.held_by_link(mode, &program)? {
            // It may be a link that is just going.
            return Ok(Step::Retry(self.conflict(&describe(mode, AttachMethod::Link))));
        }
        let users = theirs.users(lock, id)?;
        let fits = self.method == AttachMethod::Netlink && self.mode.candidates().contains(&mode);
        if users.any() || (candidate.default.is_none() && !self.take_over) {
            if !fits {
                return Err(self.conflict(&describe(mode, AttachMethod::Netlink)));
            }
            // A program of the user's that nobody of ours attached is not ours to detach.
            let ownership = if users.marked || candidate.default.is_some() {
                self.mark_used(lock, &program)?
            } else {
                Ownership::Guest { _mark: lock.mark(MarkKind::Guest, id)? }
            };
            return Ok(Step::Attached(Attached {
                mode,
                program_id: id,
                ownership,
                reason: None,
                parts,
            }));
        }
        // A killed process left it behind.
        let first_choice = self.mode.candidates().first() == Some(&mode);
        if fits && first_choice && theirs.map.entries() >= candidate.parts.map.entries() {
            let ownership = self.mark_used(lock, &program)?;
            return Ok(Step::Attached(Attached {
                mode,
                program_id: id,
                ownership,
                reason: None,
                parts,
            }));
        }
        self.remove(mode, &program)?;
        Ok(Step::Retry(self.conflict(&describe(mode, AttachMethod::Netlink))))
    }

    /// Whether the program is held by a link: netlink may not even replace it by itself then.
    pub(super) fn held_by_link(&self, mode: XdpMode, program: &Program) -> Result<bool> {
        let same = Condition::Replacing(program.as_fd());
        match attach_netlink(&self.interface, program.as_fd(), mode, same) {
            // An unknown flag: before 5.7, and so before links.
            Ok(()) | Err(Error::Attach { errno: Errno::INVAL, .. }) => Ok(false),
            // A link; or no program any more, which the next look will show as well.
            Err(Error::Attach { errno: Errno::BUSY | Errno::EXIST, .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes a program off that netlink attached; `false` if it was not there any more.
    fn remove(&self, mode: XdpMode, program: &Program) -> Result<bool> {
        match detach_netlink(&self.interface, mode, program.as_fd(), program.id()) {
            Ok(()) => Ok(true),
            Err(Error::Detach { errno: Errno::EXIST, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Replaces somebody else's program, if it is to be.
    fn replace(
        &self,
        candidate: &Candidate,
        lock: &Lock,
        mode: XdpMode,
        id: u32,
        program: Option<Program>,
        name: Option<String>,
    ) -> Result<Step> {
        let foreign = || Error::ForeignProgram {
            interface: self.interface.name().to_owned(),
            id,
            name: name.clone(),
            mode,
        };
        if !self.replace_foreign {
            return Err(foreign());
        }
        let in_place =
            self.method == AttachMethod::Netlink && self.mode.candidates().first() == Some(&mode);
        // A second descriptor is made while nothing has changed yet.
        let kept = program.as_ref().map(Program::try_clone).transpose()?;
        let removed = || match kept {
            Some(program) => Ok(Step::Removed(mode, program, foreign())),
            None => Ok(Step::Retry(foreign())),
        };
        let answer = match &program {
            _ if in_place => {
                let condition = match &program {
                    Some(program) => Condition::Replacing(program.as_fd()),
                    None => Condition::Anything,
                };
                match self.attach_new(candidate, lock, mode, condition) {
                    Ok(ownership) => {
                        return self.attached(candidate, mode, ownership, self.first_reason());
                    }
                    Err(error) => Err(error),
                }
            }
            Some(program) => match self.remove(mode, program) {
                Ok(true) => return removed(),
                Ok(false) => Ok(Step::Retry(foreign())),
                Err(error) => Err(error),
            },
            None => Err(foreign()),
        };
        match answer {
            Err(
                Error::Attach { errno: Errno::BUSY, .. } | Error::Detach { errno: Errno::BUSY, .. },
            ) => {
                // A link holds it: only detaching that helps. Links do not name their namespace, but when there is one
                // candidate, it is this one.
                let links = Link::find(&self.interface, id)?;
                match links.as_slice() {
                    [link] if link.detach().is_ok() => removed(),
                    [] => Ok(Step::Retry(foreign())),
                    _ => Err(foreign()),
                }
            }
            Err(Error::Attach { errno: Errno::EXIST, .. }) => Ok(Step::Retry(foreign())),
            other => other,
        }
    }

    pub(super) fn conflict(&self, found: &str) -> Error {
        Error::OtherAttachment {
            interface: self.interface.name().to_owned(),
            wanted: format!("{} mode by {}", self.mode, self.method),
            found: found.to_owned(),
        }
    }
}

fn describe(mode: XdpMode, method: AttachMethod) -> String {
    format!("{mode} mode by {method}")
}
