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
use super::builder::{AttachmentBuilder, Own};
use super::lock::{Kind, Lock, LockSocket};
use super::netlink::{Condition, attach_netlink, detach_netlink};
use super::ownership::Hold;
use super::usage::Parts;
use super::{ModeChoice, Reason};
use crate::bpf::{Program, REDIRECT_NAME, XskMap};
use crate::error::{Error, Result};
use crate::interface::XdpState;
use crate::types::{Method, Mode};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// The modes that a program which stands in our way can be in. One on the card does not.
const MODES: [Mode; 2] = [Mode::Native, Mode::Generic];

/// An attachment that holds.
pub(super) struct Held {
    pub(super) mode: Mode,
    pub(super) program_id: u32,
    pub(super) hold: Hold,
    /// `None` if the program was there already.
    pub(super) reason: Option<Reason>,
    /// The map of the program that was there, if it is another than ours.
    pub(super) parts: Option<Parts>,
}

/// One look at the interface came to this.
pub(super) enum Step {
    Held(Held),
    /// Something changed meanwhile: look again, and if that never ends, this is why.
    Again(Error),
    /// The same, after this foreign program was taken off: it is put back if ours cannot be attached.
    Removed(Mode, Program, Error),
}

/// The program that is attached.
enum There {
    /// The user's own, or a default program like ours with these parts.
    Ours(Program, Option<Parts>),
    Foreign(Option<Program>, Option<String>),
    Gone,
}

impl AttachmentBuilder {
    /// The program that is attached, unless there is none.
    pub(super) fn there(&self) -> Result<Option<(Mode, u32)>> {
        let state = self.interface.xdp()?;
        Ok(MODES.into_iter().find_map(|mode| state.program(mode).map(|id| (mode, id))))
    }

    /// Looks at the interface once and does what is to be done.
    pub(super) fn step(&self, own: &Own, lock: &Lock) -> Result<Step> {
        let Some((mode, id)) = self.there()? else {
            return self.attach_to_vacant(own, lock);
        };
        match self.identify(own, lock, id)? {
            There::Gone => Ok(Step::Again(self.other("a program that has just gone"))),
            There::Ours(program, parts) => self.join(own, lock, mode, program, parts),
            There::Foreign(program, name) => self.replace(own, lock, mode, id, program, name),
        }
    }

    fn identify(&self, own: &Own, lock: &Lock, id: u32) -> Result<There> {
        let Some(tag) = own.default else {
            if id == own.program.id() {
                return Ok(There::Ours(own.program.try_clone()?, None));
            }
            let program = Program::from_id(id).ok();
            let name = program.as_ref().and_then(|program| Some(program.info().ok()?.name));
            return Ok(There::Foreign(program, name));
        };
        let look = || {
            let program = Program::from_id(id)?;
            let info = program.info()?;
            if info.name == REDIRECT_NAME && info.tag == tag {
                if let Some(map) = program.xsk_map(XskMap::DEFAULT_NAME)? {
                    return Ok(There::Ours(program, Some(Parts::new(map)?)));
                }
            }
            Ok(There::Foreign(Some(program), Some(info.name)))
        };
        match look() {
            Err(Error::BpfObject { errno: Errno::NOENT, .. }) => Ok(There::Gone),
            // What cannot be looked at is foreign if it is to be replaced and nobody of ours uses it.
            Err(Error::BpfObject { errno: Errno::PERM, .. })
                if self.replace_foreign
                    && !lock.is_marked(Kind::User, id)?
                    && !lock.is_marked(Kind::Guest, id)? =>
            {
                Ok(There::Foreign(None, None))
            }
            other => other,
        }
    }

    fn attach_to_vacant(&self, own: &Own, lock: &Lock) -> Result<Step> {
        let mut reason = self.first_reason();
        let mut refusal = None;
        for mode in self.mode.candidates().iter().copied() {
            match self.put(own, lock, mode, Condition::Vacant) {
                Ok(hold) => return self.attached(own, mode, hold, reason),
                Err(Error::Attach { errno: Errno::OPNOTSUPP, message, .. })
                    if reason == Reason::Native =>
                {
                    reason = Reason::NoNative { message: message.clone() };
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
                    return Ok(Step::Again(error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(refusal.unwrap_or_else(|| self.other("an interface that takes no program")))
    }

    /// Why the first candidate is the mode, if it is.
    fn first_reason(&self) -> Reason {
        match self.mode {
            ModeChoice::Auto => Reason::Native,
            _ => Reason::Asked,
        }
    }

    /// Marks our program and attaches it.
    pub(super) fn put(
        &self,
        own: &Own,
        lock: &Lock,
        mode: Mode,
        condition: Condition<'_>,
    ) -> Result<Hold> {
        let program = own.program.as_fd();
        match self.method {
            Method::Link => {
                Ok(Hold::Link { _links: vec![Link::create(&self.interface, program, mode)?] })
            }
            Method::Netlink => {
                let hold = self.hold(lock, &own.program)?;
                attach_netlink(&self.interface, program, mode, condition)?;
                Ok(hold)
            }
        }
    }

    pub(super) fn hold(&self, lock: &Lock, program: &Program) -> Result<Hold> {
        Ok(Hold::Netlink {
            mark: lock.mark(Kind::User, program.id())?,
            lock: LockSocket::new()?,
            program: program.try_clone()?,
        })
    }

    /// Reads back that what was attached is there.
    fn attached(&self, own: &Own, mode: Mode, hold: Hold, reason: Reason) -> Result<Step> {
        self.confirmed(own, mode, hold, reason, self.interface.xdp())
    }

    pub(super) fn confirmed(
        &self,
        own: &Own,
        mode: Mode,
        hold: Hold,
        reason: Reason,
        state: Result<XdpState>,
    ) -> Result<Step> {
        let program_id = own.program.id();
        let state = state.inspect_err(|_| {
            // Nobody will know of the attachment. A link goes with its hold; what netlink attached must be taken off,
            // of which the kernel may tell us as little as of the rest.
            if matches!(hold, Hold::Netlink { .. }) {
                let program = own.program.as_fd();
                let _ = detach_netlink(&self.interface, mode, program, program_id);
            }
        })?;
        if state.program(mode) != Some(program_id) {
            return Ok(Step::Again(self.other("a program that came right after ours")));
        }
        Ok(Step::Held(Held { mode, program_id, hold, reason: Some(reason), parts: None }))
    }

    /// Joins a program like ours, or removes one that nobody uses any more and that is not what we want.
    fn join(
        &self,
        own: &Own,
        lock: &Lock,
        mode: Mode,
        program: Program,
        parts: Option<Parts>,
    ) -> Result<Step> {
        let id = program.id();
        let theirs = parts.as_ref().unwrap_or(&own.parts);
        if self.method == Method::Link {
            let links = Link::find(&self.interface, id)?;
            // With the descriptor in hand the kernel does not detach it any more; but it might have before.
            if !links.is_empty() && self.held_by_link(mode, &program)? {
                if links.len() > 1 {
                    // To hold the others' links would keep their programs attached when they have left.
                    return Err(self.other(
                        "that very program, by links in several network namespaces, which cannot be told apart",
                    ));
                }
                if !self.mode.candidates().contains(&mode) {
                    return Err(self.other(&describe(mode, Method::Link)));
                }
                let hold = Hold::Link { _links: links };
                return Ok(match self.there()? {
                    Some(there) if there == (mode, id) => {
                        Step::Held(Held { mode, program_id: id, hold, reason: None, parts })
                    }
                    _ => Step::Again(self.other("a program that has just gone")),
                });
            }
        }
        if self.held_by_link(mode, &program)? {
            // It may be a link that is just going.
            return Ok(Step::Again(self.other(&describe(mode, Method::Link))));
        }
        let users = theirs.users(lock, id)?;
        let fits = self.method == Method::Netlink && self.mode.candidates().contains(&mode);
        if users.any() || (own.default.is_none() && !self.take_over) {
            if !fits {
                return Err(self.other(&describe(mode, Method::Netlink)));
            }
            // A program of the user's that nobody of ours attached is not ours to detach.
            let hold = if users.marked || own.default.is_some() {
                self.hold(lock, &program)?
            } else {
                Hold::Guest { _mark: lock.mark(Kind::Guest, id)? }
            };
            return Ok(Step::Held(Held { mode, program_id: id, hold, reason: None, parts }));
        }
        // A killed process left it behind.
        let first_choice = self.mode.candidates().first() == Some(&mode);
        if fits && first_choice && theirs.map.entries() >= own.parts.map.entries() {
            let hold = self.hold(lock, &program)?;
            return Ok(Step::Held(Held { mode, program_id: id, hold, reason: None, parts }));
        }
        self.remove(mode, &program)?;
        Ok(Step::Again(self.other(&describe(mode, Method::Netlink))))
    }

    /// Whether the program is held by a link: netlink may not even replace it by itself then.
    pub(super) fn held_by_link(&self, mode: Mode, program: &Program) -> Result<bool> {
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
    fn remove(&self, mode: Mode, program: &Program) -> Result<bool> {
        match detach_netlink(&self.interface, mode, program.as_fd(), program.id()) {
            Ok(()) => Ok(true),
            Err(Error::Detach { errno: Errno::EXIST, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Replaces somebody else's program, if it is to be.
    fn replace(
        &self,
        own: &Own,
        lock: &Lock,
        mode: Mode,
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
            self.method == Method::Netlink && self.mode.candidates().first() == Some(&mode);
        // A second descriptor is made while nothing has changed yet.
        let kept = program.as_ref().map(Program::try_clone).transpose()?;
        let removed = || match kept {
            Some(program) => Ok(Step::Removed(mode, program, foreign())),
            None => Ok(Step::Again(foreign())),
        };
        let answer = match &program {
            _ if in_place => {
                let condition = match &program {
                    Some(program) => Condition::Replacing(program.as_fd()),
                    None => Condition::Anything,
                };
                match self.put(own, lock, mode, condition) {
                    Ok(hold) => return self.attached(own, mode, hold, self.first_reason()),
                    Err(error) => Err(error),
                }
            }
            Some(program) => match self.remove(mode, program) {
                Ok(true) => return removed(),
                Ok(false) => Ok(Step::Again(foreign())),
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
                    [] => Ok(Step::Again(foreign())),
                    _ => Err(foreign()),
                }
            }
            Err(Error::Attach { errno: Errno::EXIST, .. }) => Ok(Step::Again(foreign())),
            other => other,
        }
    }

    pub(super) fn other(&self, found: &str) -> Error {
        Error::OtherAttachment {
            interface: self.interface.name().to_owned(),
            wanted: format!("{} mode by {}", self.mode, self.method),
            found: found.to_owned(),
        }
    }
}

fn describe(mode: Mode, method: Method) -> String {
    format!("{mode} mode by {method}")
}
