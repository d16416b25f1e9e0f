//! What an attachment is to be like, and the loop that brings it about.

use super::bpf_link::Link;
use super::lock::{Lock, LockSocket, MarkKind};
use super::netlink::{Condition, attach_netlink};
use super::ownership::{Ownership, Shared};
use super::protocol::{Attached, Step};
use super::usage::MapAndProbe;
use super::{AttachMode, Attachment, ModeReason};
use crate::bpf::{Program, REDIRECT_NAME, XskMap, load_redirect};
use crate::error::{Error, ObjectKind, Result};
use crate::interface::Interface;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use rustix::process::getpid;
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::Duration;

/// How often a state that changes under our eyes is looked at again.
const ATTEMPTS: u32 = 10;
/// The pause before the second look; it doubles from look to look.
const PAUSE: Duration = Duration::from_micros(250);

/// What an [`Attachment`] is to be like.
#[derive(Debug)]
#[must_use]
pub struct AttachmentBuilder {
    pub(super) interface: Interface,
    pub(super) mode: AttachMode,
    pub(super) method: AttachMethod,
    pub(super) replace_foreign: bool,
    pub(super) take_over: bool,
    pub(super) program: Option<(Program, XskMap)>,
    pub(super) patience: Duration,
}

/// What this builder would attach.
pub(super) struct Candidate {
    pub(super) program: Program,
    pub(super) parts: MapAndProbe,
    /// The tag of the default program; `None` for one of the user's.
    pub(super) default: Option<[u8; 8]>,
}

impl Attachment {
    /// Starts an attachment to `interface` with this crate's default program, in native mode or, where the driver has
    /// none, in generic mode, by netlink.
    pub fn builder(interface: &Interface) -> AttachmentBuilder {
        AttachmentBuilder::new(interface)
    }

    /// Uses the map named `map_name` of the program that is attached to `interface`, whoever attached it. Nothing is
    /// attached. Needs `CAP_SYS_ADMIN`, to look a program and its maps up by number.
    ///
    /// Nothing will be detached either, unless the program is this crate's default one, or was attached by users of this
    /// crate who are still there, by netlink: then this is one more of them, and the last one detaches it. A program that is held by a link goes when those go who hold it:
    /// [`register`](Self::register) tells.
    ///
    /// # Errors
    /// [`Error::OtherAttachment`] if there is no program, [`Error::WrongObject`] if it has no such map or that is no
    /// XSKMAP, [`Error::BpfObject`] with `EPERM` if the capability is missing; [`Error::AttachLock`],
    /// [`Error::Interface`].
    #[doc(alias = "XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD")]
    #[doc(alias = "xsk_socket__update_xskmap")]
    pub fn join_foreign(interface: &Interface, map_name: &str) -> Result<Self> {
        AttachmentBuilder::new(interface).join_foreign(|id| {
            let program = Program::from_id(id)?;
            program.xsk_map(map_name)?.ok_or_else(|| Error::WrongObject {
                object: format!(
                    "program {id}, attached to {} and without a map named {map_name:?},",
                    interface.name()
                ),
                wanted: ObjectKind::ProgramWithMap,
            })
        })
    }

    /// Uses `map`, which belongs to the program that is attached to `interface`, whoever attached it. Needs no
    /// capability, but believes the caller.
    ///
    /// Nothing is attached, and of what is detached the same is true as of [`join_foreign`](Self::join_foreign). But
    /// without `CAP_SYS_ADMIN` and `CAP_NET_ADMIN` nothing can be detached: a program whose other users have left
    /// stays, as after a kill, until the next attachment to the interface takes it over.
    ///
    /// # Errors
    /// [`Error::OtherAttachment`] if there is no program; [`Error::AttachLock`], [`Error::Interface`].
    pub fn with_map(interface: &Interface, map: XskMap) -> Result<Self> {
        AttachmentBuilder::new(interface).join_foreign(|_| Ok(map))
    }
}

impl AttachmentBuilder {
    pub(super) fn new(interface: &Interface) -> Self {
        Self {
            interface: interface.clone(),
            mode: AttachMode::Auto,
            method: AttachMethod::Netlink,
            replace_foreign: false,
            take_over: false,
            program: None,
            patience: Duration::from_secs(10),
        }
    }

    /// The mode; [`AttachMode::Auto`] unless told otherwise.
    pub fn mode(mut self, mode: AttachMode) -> Self {
        self.mode = mode;
        self
    }

    /// What holds the program: [`AttachMethod::Netlink`] unless told otherwise, after which a killed process leaves it behind,
    /// passing every packet to the kernel's stack; [`AttachMethod::Link`] (5.9) has the kernel detach it.
    pub fn method(mut self, method: AttachMethod) -> Self {
        self.method = method;
        self
    }

    /// Whether a program of somebody else's that is attached already is taken off. Not unless told so; it is not put
    /// back afterwards, but it is if attaching fails. (One that was held by a link is put back by netlink then, because
    /// its owner's link is spent: nobody detaches it, but its packets go on.)
    pub fn replace_foreign(mut self, replace: bool) -> Self {
        self.replace_foreign = replace;
        self
    }

    /// Attaches this program, whose map for sockets is `map`, instead of the default one: from descriptors, pins,
    /// or loaded here.
    ///
    /// Where this very program is attached already, it is joined. If no user of this crate is there, then those who
    /// attached it did not use this crate, or were killed; it cannot be told which, so it is left on the interface in the
    /// end. [`take_over`](Self::take_over) says that they were killed.
    ///
    /// One program may be attached to several interfaces. By [`AttachMethod::Link`] it cannot be joined, though, while it is on
    /// interfaces with the same number in several network namespaces: the kernel does not say which link is in which.
    pub fn program(mut self, program: Program, map: XskMap) -> Self {
        self.program = Some((program, map));
        self
    }

    /// Whether a program of one's own ([`program`](Self::program)) that is attached already, by netlink, and that nobody
    /// uses, is taken to be left over from a user who was killed: it is joined, or taken off and attached anew in the mode
    /// asked for, and the last user detaches it. Not unless told so. (This crate's default program always is.)
    ///
    /// Users are those of this crate, and sockets in the map. Do not say so of a program that something else attaches,
    /// such as `ip link` or a boot script.
    pub fn take_over(mut self, take_over: bool) -> Self {
        self.take_over = take_over;
        self
    }

    /// How long another process that is attaching or leaving is waited for; 10 seconds unless told otherwise. The same
    /// holds when the attachment is closed; when it is dropped, a second is the longest wait.
    pub fn lock_timeout(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Attaches the program, or joins those who have attached it.
    ///
    /// Loading needs `CAP_BPF` and `CAP_NET_ADMIN`, attaching by netlink `CAP_NET_ADMIN`, and joining `CAP_SYS_ADMIN`,
    /// because what is attached is looked up by number. The calling thread must be in the interface's namespace.
    ///
    /// # Errors
    /// - [`Error::ForeignProgram`]: another program is attached, and it is not to be replaced.
    /// - [`Error::OtherAttachment`]: this crate's program is attached and in use, in another mode or by another method.
    /// - [`Error::UnsupportedMode`] for [`AttachMode::Hardware`].
    /// - [`Error::Attach`] with what the kernel said; [`Error::Detach`] if what was to be replaced could not be.
    /// - [`Error::LoadProgram`], [`Error::CreateMap`]: no program to attach. [`Error::NeedsKernel`]: before 5.3 there is
    ///   no default one, and before 5.9 no [`AttachMethod::Link`].
    /// - [`Error::Netlink`]: a socket failed, such as for too many open files.
    /// - [`Error::BpfObject`] with `EPERM`: a program is attached, and `CAP_SYS_ADMIN` is missing to look at it.
    /// - [`Error::AttachLock`]: another process took too long.
    /// - [`Error::Interface`]: the interface is gone (`ENODEV`) or in another namespace than the thread (`EXDEV`).
    pub fn attach(mut self) -> Result<Attachment> {
        if self.mode == AttachMode::Hardware {
            return Err(Error::UnsupportedMode {
                mode: XdpMode::Hardware,
                reason: "a program that runs on the card cannot hand packets to a socket",
            });
        }
        self.require_namespace()?;
        let candidate = self.load()?;
        let lock = LockSocket::new()?.acquire(self.interface.index(), self.patience)?;
        let mut removed = None;
        match self.steps(&candidate, &lock, &mut removed) {
            Ok(attached) => Ok(self.finish(candidate, attached)),
            Err(error) => Err(self.put_back(removed, error)),
        }
    }

    /// Steps until one holds; a foreign program that was taken off on the way goes to `removed`.
    fn steps(
        &self,
        candidate: &Candidate,
        lock: &Lock,
        removed: &mut Option<(XdpMode, Program)>,
    ) -> Result<Attached> {
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let why = match self.step(candidate, lock)? {
                Step::Attached(attached) => return Ok(attached),
                Step::Retry(why) => why,
                Step::Removed(mode, program, why) => {
                    *removed = Some((mode, program));
                    why
                }
            };
            if attempt == ATTEMPTS {
                return Err(why);
            }
            sleep(pause);
            pause = pause.saturating_mul(2);
        }
        Err(self.conflict("something that does not change all the time"))
    }

    /// Puts a foreign program back that was taken off for ours, which could not be attached for `why`.
    fn put_back(&self, removed: Option<(XdpMode, Program)>, why: Error) -> Error {
        let Some((mode, program)) = removed else {
            return why;
        };
        match attach_netlink(&self.interface, program.as_fd(), mode, Condition::Vacant) {
            // Busy: somebody else has put one there.
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

    fn finish(self, candidate: Candidate, attached: Attached) -> Attachment {
        Attachment::new(Shared {
            interface: self.interface,
            mode: attached.mode,
            joined: attached.reason.is_none(),
            reason: attached.reason.unwrap_or(ModeReason::Joined),
            method: self.method,
            program_id: attached.program_id,
            parts: attached.parts.unwrap_or(candidate.parts),
            ownership: attached.ownership,
            patience: self.patience,
            owner: getpid(),
        })
    }

    /// Joins what is attached without a share in it; `map` finds the map, given the program's number.
    pub(super) fn join_foreign(
        self,
        map: impl FnOnce(u32) -> Result<XskMap>,
    ) -> Result<Attachment> {
        self.require_namespace()?;
        let lock = LockSocket::new()?.acquire(self.interface.index(), self.patience)?;
        let (mode, program_id) = self.there()?.ok_or_else(|| Error::OtherAttachment {
            interface: self.interface.name().to_owned(),
            wanted: "a program with a map for sockets".to_owned(),
            found: "no program".to_owned(),
        })?;
        let map = map(program_id)?;
        let links = Link::find(&self.interface, program_id).unwrap_or_default();
        let ownership = match self.share(&lock, mode, program_id, &map)? {
            Some(share) => share,
            None => Ownership::Guest { _mark: lock.mark(MarkKind::Guest, program_id)? },
        };
        Ok(Attachment::new(Shared {
            mode,
            reason: ModeReason::Joined,
            method: if links.is_empty() { AttachMethod::Netlink } else { AttachMethod::Link },
            program_id,
            joined: true,
            parts: MapAndProbe::new(map)?,
            ownership,
            patience: self.patience,
            interface: self.interface,
            owner: getpid(),
        }))
    }

    /// A share in a program that users of this crate have attached by netlink: all of them might leave before a guest
    /// does, who has to detach it then. `None` if it is somebody else's to detach, or may not be opened.
    fn share(
        &self,
        lock: &Lock,
        mode: XdpMode,
        id: u32,
        map: &XskMap,
    ) -> Result<Option<Ownership>> {
        let Ok(program) = Program::from_id(id) else {
            return Ok(None);
        };
        if !lock.is_marked(MarkKind::User, id)? && !is_default(&program, map) {
            return Ok(None);
        }
        match self.held_by_link(mode, &program) {
            Ok(false) => self.mark_used(lock, &program).map(Some),
            // Who may not attach may not detach either.
            Ok(true) | Err(_) => Ok(None),
        }
    }

    fn require_namespace(&self) -> Result<()> {
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

    pub(super) fn load(&mut self) -> Result<Candidate> {
        let Some((program, map)) = self.program.take() else {
            let map = XskMap::create(XskMap::DEFAULT_NAME, self.interface.max_queues()?)?;
            let program = load_redirect(&map, false)?;
            let default = Some(program.info()?.tag);
            return Ok(Candidate { program, parts: MapAndProbe::new(map)?, default });
        };
        Ok(Candidate { program, parts: MapAndProbe::new(map)?, default: None })
    }
}

/// Whether this is the default program, as far as it can be found out.
fn is_default(program: &Program, map: &XskMap) -> bool {
    let tag = || -> Result<_> {
        let info = program.info()?;
        Ok(info.name == REDIRECT_NAME && load_redirect(map, false)?.info()?.tag == info.tag)
    };
    tag().unwrap_or(false)
}
