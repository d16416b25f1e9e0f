//! Joins a program without attaching one:
//! [`Attachment::join_foreign`](super::Attachment::join_foreign) and
//! [`with_map`](super::Attachment::with_map).

use super::bpf_link::Link;
use super::lock::{Lock, MarkKind};
use super::method_reason::MethodReason;
use super::mode::ModeReason;
use super::netlink::is_held_by_link;
use super::ownership::{Ownership, Running, Shared};
use super::protocol::{Request, attached_program};
use super::usage::MapAndProbe;
use crate::bpf::{Program, XskMap, load_redirect, redirect_takes_frags};
use crate::error::{AttachConflict, Error, Result};
use crate::interface::Interface;
use crate::sys::fork::Process;
use crate::types::{AttachMethod, XdpMode};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

/// Joins the program on the interface of `request`; `find_map` finds its map, given the program's
/// id.
pub(super) fn join(
    request: Request,
    find_map: impl FnOnce(u32) -> Result<XskMap>,
) -> Result<Shared> {
    request.require_namespace()?;
    let lock = request.lock()?;
    let interface = request.interface;
    let Some((mode, program_id)) = attached_program(&interface)? else {
        return Err(Error::OtherAttachment {
            interface: interface.name().to_owned(),
            wanted: "a program with a map for sockets".to_owned(),
            conflict: AttachConflict::NoProgram,
        });
    };
    let map = find_map(program_id)?;
    let links = Link::find(&interface, program_id).unwrap_or_default();
    let program = Program::from_id(program_id).ok();
    let frags = program.as_ref().and_then(|program| default_frags(program, &map));
    let is_default = frags.is_some();
    let ownership = match join_users(&interface, &lock, mode, program.as_ref(), is_default)? {
        Some(ownership) => ownership,
        None => Ownership::Guest { _mark: lock.mark(MarkKind::Guest, program_id)? },
    };
    Ok(Shared {
        mode,
        reason: ModeReason::Joined,
        method: if links.is_empty() { AttachMethod::Netlink } else { AttachMethod::Link },
        method_reason: MethodReason::Joined,
        replaced: None,
        joined: true,
        slots: MapAndProbe::new(map)?,
        lock_timeout: request.lock_timeout,
        interface,
        owner: Process::current(),
        kept: AtomicBool::new(false),
        running: Mutex::new(Running { program_id, is_default, frags, ownership }),
    })
}

/// Joins users of this crate who have attached the program by netlink: all of them might leave
/// before this one does, which has to detach it then. Returns `None` if others have to detach it,
/// or if it may not be opened: then there is no `program`.
fn join_users(
    interface: &Interface,
    lock: &Lock,
    mode: XdpMode,
    program: Option<&Program>,
    is_default: bool,
) -> Result<Option<Ownership>> {
    let Some(program) = program else {
        return Ok(None);
    };
    let loader = program.info().ok().map(|info| info.created_by);
    if !is_default && !lock.is_marked(MarkKind::User, program.id(), loader)? {
        return Ok(None);
    }
    match is_held_by_link(interface, mode, program) {
        Ok(false) => Ownership::mark_used(lock, program).map(Some),
        // A process that may not attach may not detach either.
        Ok(true) | Err(_) => Ok(None),
    }
}

/// Returns whether the program takes packets of several frames, if it is the default one as far as can
/// be found out.
pub(super) fn default_frags(program: &Program, map: &XskMap) -> Option<bool> {
    let info = program.info().ok()?;
    let frags = redirect_takes_frags(&info.name)?;
    let tag = load_redirect(map, false).and_then(|default| default.info()).ok()?.tag;
    (tag == info.tag).then_some(frags)
}
