//! Takes over a link that another process pinned or handed over.

use super::bpf_link::Link;
use super::guest::default_frags;
use super::lock::Lock;
use super::method_reason::MethodReason;
use super::mode::ModeReason;
use super::netlink::refused;
use super::ownership::{Ownership, Running, Shared};
use super::pin::{PinPath, Pinned};
use super::protocol::{Request, attached_program};
use super::usage::MapAndProbe;
use crate::bpf::{Program, XskMap, load_redirect};
use crate::error::{AttachConflict, BpfOp, Error, ObjectKind, Result};
use crate::netlink::Refusal;
use crate::sys::fork::Process;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

/// The program that the link is to run: one of the user's, or the default one.
pub(super) struct Wanted {
    pub(super) program: Option<(Program, XskMap)>,
    pub(super) frags: bool,
}

/// A link that is there already, the map of its program, and where it is pinned.
pub(super) struct Found {
    pub(super) link: Link,
    pub(super) map: XskMap,
    pub(super) pin: Option<PinPath>,
}

impl Found {
    /// Looks for a pinned link. One that is on no interface any more is removed.
    pub(super) fn pinned(path: &PinPath) -> Result<Option<Self>> {
        // Another process may have removed it meanwhile, and pinned its own.
        while let Some(link) = path.link()? {
            if link.ifindex() != Ok(0) {
                let map = path.map_of_link()?;
                return Ok(Some(Self { link, map, pin: Some(path.clone()) }));
            }
            path.unpin_detached(&link)?;
        }
        Ok(None)
    }

    /// Becomes a user of the link; it runs the wanted program then.
    pub(super) fn adopt(self, request: Request, wanted: Wanted, lock: &Lock) -> Result<Shared> {
        let Self { link, map, pin } = self;
        let (mode, id) = require_link(&request, &link)?;
        let pin = pin.map(|path| Pinned::join(path, lock, &link)).transpose()?;
        let slots = MapAndProbe::new(map)?;
        // Last of all: what fails before leaves the program as it is.
        let (program, frags) = put_in_place(&request, mode, id, wanted, &link, &slots.map)?;
        let running = Running {
            program_id: program.id(),
            is_default: frags.is_some(),
            frags,
            ownership: Ownership::Link { link, program, pin },
        };
        Ok(Shared {
            interface: request.interface,
            mode,
            reason: ModeReason::Joined,
            method: AttachMethod::Link,
            method_reason: MethodReason::Pinned,
            replaced: None,
            joined: true,
            slots,
            lock_timeout: request.lock_timeout,
            owner: Process::current(),
            kept: AtomicBool::new(false),
            running: Mutex::new(running),
        })
    }
}

/// Returns the mode and id of the program on the interface, if the link holds it.
fn require_link(request: &Request, link: &Link) -> Result<(XdpMode, u32)> {
    let failed =
        |errno| Error::BpfObject { operation: BpfOp::Info, object: "the link".to_owned(), errno };
    let id = link.program_id().map_err(failed)?;
    let ifindex = link.ifindex().map_err(failed)?;
    let conflict = match attached_program(&request.interface)? {
        // The kernel does not report the namespace of the link's interface: the same program in
        // another one, on an interface of the same index, is not distinguished.
        Some((mode, attached)) if attached == id && ifindex == request.interface.index() => {
            if request.mode.allows(mode) {
                return Ok((mode, id));
            }
            AttachConflict::OtherMode { mode, method: AttachMethod::Link }
        }
        _ => AttachConflict::OtherLink { id, ifindex },
    };
    Err(Error::OtherAttachment {
        interface: request.interface.name().to_owned(),
        wanted: format!("{} mode by the link", request.mode),
        conflict,
    })
}

/// Has the link run what is wanted, over its map; returns that program, and its frags if it is the
/// default one.
fn put_in_place(
    request: &Request,
    mode: XdpMode,
    id: u32,
    wanted: Wanted,
    link: &Link,
    map: &XskMap,
) -> Result<(Program, Option<bool>)> {
    let is_own = wanted.program.is_some();
    let program = match wanted.program {
        Some((program, of_program)) => {
            program.require_map(map)?;
            // A program can have both maps.
            if of_program.id() != map.id() {
                let object = format!("the program for map {}", of_program.id());
                let wanted = ObjectKind::ProgramOfAttachment { map: map.id() };
                return Err(Error::WrongObject { object, wanted });
            }
            program
        }
        None => load_redirect(map, wanted.frags)?,
    };
    let running = match Program::from_id(id) {
        Ok(running) => {
            running.require_map(map)?;
            Some(running)
        }
        // Without CAP_SYS_ADMIN. The lock keeps other users of this crate away.
        Err(Error::BpfObject { errno: Errno::PERM, .. }) => None,
        Err(error) => return Err(error),
    };
    if let Some(running) = running.as_ref().filter(|running| !is_own && running.id() == id) {
        let (theirs, ours) = (running.info()?, program.info()?);
        if (&theirs.name, theirs.tag) == (&ours.name, ours.tag) && theirs.map_ids == ours.map_ids {
            let frags = default_frags(running, map);
            return Ok((running.try_clone()?, frags));
        }
    }
    link.update(program.as_fd(), running.as_ref().map(Program::as_fd)).map_err(|errno| {
        let refusal = Refusal { errno, text: None };
        refused(&request.interface, mode, AttachMethod::Link, refusal)
    })?;
    let frags = default_frags(&program, map);
    Ok((program, frags))
}
