#![doc = include_str!("protocol.md")]

use super::bpf_link::Link;
use super::lock::MarkKind;
use super::method_reason::MethodReason;
use super::netlink::is_held_by_link;
use super::ownership::Ownership;
use super::usage::{MapAndProbe, Users};
use crate::bpf::{Program, XskMap, redirect_takes_frags};
use crate::error::{AttachConflict, Error, Result};
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::thread::sleep;
use xsk_uapi::bpf::BPF_MAP_TYPE_XSKMAP;

mod attempt;
mod replacing;
mod retries;
#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests;

pub(super) use attempt::{
    Attached, Attempt, Candidate, Request, attached_program, require_namespace,
};
use attempt::{Old, Removed, Step};
use retries::pauses;

/// The program that is attached.
enum Found {
    /// The candidate itself, or a default program like it with this map.
    Joinable(Program, Option<MapAndProbe>),
    /// A program like the candidate, which a killed process had loaded and attached by netlink.
    Leftover(Old),
    /// Another one.
    Foreign(Old),
    Gone,
}

impl Attempt<'_> {
    /// Takes steps until the program is attached. If that fails, a program that was taken off is
    /// put back.
    pub(super) fn run(&self) -> Result<Attached> {
        let mut removed = None;
        match self.repeat(&mut removed) {
            Ok(attached) => {
                let removed = removed.and_then(|removed| removed.replaced);
                Ok(Attached { replaced: attached.replaced.or(removed), ..attached })
            }
            Err(error) => Err(self.put_back(removed, error)),
        }
    }

    /// Takes steps until the program is attached. A program that was taken off goes to `removed`.
    fn repeat(&self, removed: &mut Option<Removed>) -> Result<Attached> {
        let mut pauses = pauses();
        loop {
            let why = match self.step()? {
                Step::Attached(attached) => return Ok(attached),
                Step::Retry(why) => why,
                Step::Removed(old, why) => {
                    *removed = Some(old);
                    why
                }
            };
            match pauses.next() {
                Some(pause) => sleep(pause),
                None => return Err(why),
            }
        }
    }

    /// Looks at the interface once, and attaches, joins or replaces.
    fn step(&self) -> Result<Step> {
        let Some((mode, id)) = attached_program(&self.request.interface)? else {
            return self.attach_to_vacant();
        };
        match self.identify(mode, id)? {
            Found::Gone => Ok(Step::Retry(self.conflict(AttachConflict::ProgramGone))),
            Found::Joinable(program, slots) => self.join(mode, program, slots),
            Found::Leftover(old) => self.take_over(old),
            Found::Foreign(old) => self.replace(old),
        }
    }

    /// Opens the attached program and compares it with the candidate.
    fn identify(&self, mode: XdpMode, id: u32) -> Result<Found> {
        let Some(tag) = self.candidate.default_tag else {
            return self.identify_own(mode, id);
        };
        let open = || {
            let program = Program::from_id(id)?;
            let info = program.info()?;
            if redirect_takes_frags(&info.name).is_some() && info.tag == tag {
                // Since 6.14 a program can have further maps, which its tag does not show.
                let map = match program.maps()?[..] {
                    [_] => program.xsk_map(XskMap::DEFAULT_NAME)?,
                    _ => None,
                };
                if let Some(map) = map {
                    return Ok(Found::Joinable(program, Some(MapAndProbe::new(map)?)));
                }
            }
            Ok(Found::Foreign(Old::opened(mode, program, info)))
        };
        match open() {
            Err(Error::BpfObject { errno: Errno::NOENT, .. }) => Ok(Found::Gone),
            Err(Error::BpfObject { errno: Errno::PERM, .. }) => self.identify_hidden(mode, id),
            other => other,
        }
    }

    /// The same, where the candidate is a program of the user's.
    fn identify_own(&self, mode: XdpMode, id: u32) -> Result<Found> {
        let ours = &self.candidate.program;
        if id == ours.id() {
            return Ok(Found::Joinable(ours.try_clone()?, None));
        }
        let program = match Program::from_id(id) {
            Ok(program) => program,
            Err(Error::BpfObject { errno: Errno::NOENT, .. }) => return Ok(Found::Gone),
            Err(Error::BpfObject { errno: Errno::PERM, .. }) if self.request.take_over => {
                return self.identify_hidden(mode, id);
            }
            Err(_) => return Ok(Found::Foreign(Old::hidden(mode, id))),
        };
        let (theirs, ours) = (program.info()?, ours.info()?);
        let is_leftover = self.request.take_over
            && (&theirs.name, theirs.tag) == (&ours.name, ours.tag)
            && !self.has_users(&program)?;
        let old = Old::opened(mode, program, theirs);
        Ok(if is_leftover { Found::Leftover(old) } else { Found::Foreign(old) })
    }

    /// A program that may not be opened counts as foreign if it is to be replaced and no user of
    /// this crate has marked it.
    fn identify_hidden(&self, mode: XdpMode, id: u32) -> Result<Found> {
        if self.request.replace_foreign && !self.is_marked(id, None)? {
            return Ok(Found::Foreign(Old::hidden(mode, id)));
        }
        Err(self.hidden(mode, id, Errno::PERM))
    }

    /// Returns whether a program has marks, or sockets in any of its maps.
    fn has_users(&self, program: &Program) -> Result<bool> {
        for map in program.maps()?.iter().filter(|map| map.kind == BPF_MAP_TYPE_XSKMAP) {
            let slots = MapAndProbe::new(XskMap::from_id(map.id)?)?;
            if slots.users(self.lock, program)?.any() {
                return Ok(true);
            }
        }
        self.is_marked(program.id(), Some(program.info()?.created_by))
    }

    /// Joins the attached program, or detaches one without users that is not attached as asked for.
    fn join(&self, mode: XdpMode, program: Program, slots: Option<MapAndProbe>) -> Result<Step> {
        let interface = &self.request.interface;
        if !is_held_by_link(interface, mode, &program)? {
            return self.join_marked(mode, program, slots);
        }
        // The link may be about to go.
        let going = Ok(Step::Retry(self.other_mode(mode, AttachMethod::Link)));
        if self.request.method == Some(AttachMethod::Netlink) {
            return going;
        }
        let links = self.links(mode, program.id())?;
        // With the descriptor open the kernel does not detach the program any more; but it might
        // have done so before.
        if links.is_empty() || !is_held_by_link(interface, mode, &program)? {
            return going;
        }
        self.join_links(mode, program, links, slots)
    }

    /// Joins a program that `links` hold.
    fn join_links(
        &self,
        mode: XdpMode,
        program: Program,
        links: Vec<Link>,
        slots: Option<MapAndProbe>,
    ) -> Result<Step> {
        let id = program.id();
        let Ok([link]) = <[Link; 1]>::try_from(links) else {
            // To hold the others' links would keep their programs attached when they have left.
            return Err(self.conflict(AttachConflict::SeveralNamespaces));
        };
        if !self.request.mode.allows(mode) {
            return Err(self.other_mode(mode, AttachMethod::Link));
        }
        if attached_program(&self.request.interface)? != Some((mode, id)) {
            return Ok(Step::Retry(self.conflict(AttachConflict::ProgramGone)));
        }
        let ownership = Ownership::Link { link, program, pin: None };
        Ok(Step::Attached(Attached::joined(mode, AttachMethod::Link, id, ownership, slots)))
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
        let by_netlink = self.request.method != Some(AttachMethod::Link);
        let joined =
            |ownership, slots| Attached::joined(mode, AttachMethod::Netlink, id, ownership, slots);
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
            return Ok(Step::Attached(joined(ownership, slots)));
        }
        // A killed process left it behind.
        let has_room = attached_slots.map.entries() >= self.candidate.slots.map.entries();
        if by_netlink && wanted.first() == mode && has_room {
            let ownership = Ownership::mark_used(self.lock, &program)?;
            let method_reason = MethodReason::TakenOver;
            return Ok(Step::Attached(Attached { method_reason, ..joined(ownership, slots) }));
        }
        self.remove(mode, &program)?;
        Ok(Step::Retry(self.other_mode(mode, AttachMethod::Netlink)))
    }
}
