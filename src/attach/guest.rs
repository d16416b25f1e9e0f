//! Joins a program without attaching one:
//! [`Attachment::join_foreign`](super::Attachment::join_foreign) and
//! [`with_map`](super::Attachment::with_map).

use super::bpf_link::Link;
use super::lock::{Lock, MarkKind};
use super::method_reason::MethodReason;
use super::mode::ModeReason;
use super::netlink::is_held_by_link;
use super::ownership::{Ownership, Shared};
use super::protocol::{Request, attached_program};
use super::usage::MapAndProbe;
use crate::bpf::{Program, REDIRECT_NAME, XskMap, load_redirect};
use crate::error::{AttachConflict, Error, Result};
use crate::interface::Interface;
use crate::sys::fork::Process;
use crate::types::{AttachMethod, XdpMode};

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
    let ownership = match join_users(&interface, &lock, (mode, program_id), &map)? {
        Some(ownership) => ownership,
        None => Ownership::Guest { _mark: lock.mark(MarkKind::Guest, program_id)? },
    };
    Ok(Shared {
        mode,
        reason: ModeReason::Joined,
        method: if links.is_empty() { AttachMethod::Netlink } else { AttachMethod::Link },
        method_reason: MethodReason::Joined,
        replaced: None,
        program_id,
        joined: true,
        is_default: false,
        slots: MapAndProbe::new(map)?,
        ownership,
        lock_timeout: request.lock_timeout,
        interface,
        owner: Process::current(),
    })
}

/// Joins users of this crate who have attached the program by netlink: all of them might leave
/// before this one does, which has to detach it then. Returns `None` if others have to detach it,
/// or if it may not be opened.
fn join_users(
    interface: &Interface,
    lock: &Lock,
    (mode, id): (XdpMode, u32),
    map: &XskMap,
) -> Result<Option<Ownership>> {
    let Ok(program) = Program::from_id(id) else {
        return Ok(None);
    };
    let loader = program.info().ok().map(|info| info.created_by);
    if !lock.is_marked(MarkKind::User, id, loader)? && !is_default(&program, map) {
        return Ok(None);
    }
    match is_held_by_link(interface, mode, &program) {
        Ok(false) => Ownership::mark_used(lock, &program).map(Some),
        // A process that may not attach may not detach either.
        Ok(true) | Err(_) => Ok(None),
    }
}

/// Returns whether this is the default program, as far as it can be found out.
fn is_default(program: &Program, map: &XskMap) -> bool {
    let compare = || -> Result<_> {
        let info = program.info()?;
        Ok(info.name == REDIRECT_NAME && load_redirect(map, false)?.info()?.tag == info.tag)
    };
    compare().unwrap_or(false)
}
