//! What an attachment is to be like, and the loop that brings it about.

use super::attachment::{Attachment, Hold, Shared};
use super::bpf_link::Link;
use super::join::{Held, Step};
use super::lock::{Kind, LockSocket};
use super::users::Parts;
use super::{Interface, Method, Mode, ModeChoice, Reason};
use crate::program::{Census, Program, XskMap, load_redirect};
use crate::{Error, Result};
use rustix::io::Errno;
use rustix::process::getpid;
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
    pub(super) mode: ModeChoice,
    pub(super) method: Method,
    pub(super) replace_foreign: bool,
    pub(super) program: Option<(Program, XskMap)>,
    pub(super) patience: Duration,
}

/// What this builder would attach.
pub(super) struct Own {
    pub(super) program: Program,
    pub(super) parts: Parts,
    /// The tag of the default program; `None` for one of the user's.
    pub(super) default: Option<[u8; 8]>,
}

impl AttachmentBuilder {
    pub(super) fn new(interface: &Interface) -> Self {
        Self {
            interface: interface.clone(),
            mode: ModeChoice::Auto,
            method: Method::Netlink,
            replace_foreign: false,
            program: None,
            patience: Duration::from_secs(10),
        }
    }

    /// The mode; [`ModeChoice::Auto`] unless told otherwise.
    pub fn mode(mut self, mode: ModeChoice) -> Self {
        self.mode = mode;
        self
    }

    /// What holds the program: [`Method::Netlink`] unless told otherwise, after which a killed process leaves it behind,
    /// passing every packet to the kernel's stack; [`Method::Link`] (5.9) has the kernel detach it.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Whether a program of somebody else's that is attached already is taken off. Not unless told so; it is not put
    /// back afterwards.
    pub fn replace_foreign(mut self, replace: bool) -> Self {
        self.replace_foreign = replace;
        self
    }

    /// Attaches this program, whose map for sockets is `map`, instead of the default one: from descriptors, pins,
    /// or loaded here.
    ///
    /// Where this very program is attached already, it is joined. If those who attached it did not use this crate, it is
    /// left on the interface in the end.
    pub fn program(mut self, program: Program, map: XskMap) -> Self {
        self.program = Some((program, map));
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
    /// - [`Error::UnsupportedMode`] for [`ModeChoice::Hardware`].
    /// - [`Error::Attach`] with what the kernel said; [`Error::Detach`] if what was to be replaced could not be.
    /// - [`Error::LoadProgram`], [`Error::CreateMap`]: no program to attach.
    /// - [`Error::BpfObject`] with `EPERM`: a program is attached, and `CAP_SYS_ADMIN` is missing to look at it.
    /// - [`Error::AttachLock`]: another process took too long.
    /// - [`Error::Interface`]: the interface is gone (`ENODEV`) or in another namespace than the thread (`EXDEV`).
    pub fn attach(mut self) -> Result<Attachment> {
        if self.mode == ModeChoice::Hardware {
            return Err(Error::UnsupportedMode {
                mode: Mode::Hardware,
                reason: "a program that runs on the card cannot hand packets to a socket",
            });
        }
        self.require_namespace()?;
        let own = self.load()?;
        let lock = LockSocket::new()?.acquire(self.interface.index(), self.patience)?;
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            match self.step(&own, &lock)? {
                Step::Held(held) => return Ok(self.finish(own, held)),
                Step::Again(error) if attempt == ATTEMPTS => return Err(error),
                Step::Again(_) => sleep(pause),
            }
            pause = pause.saturating_mul(2);
        }
        Err(self.other("something that does not change all the time"))
    }

    fn finish(self, own: Own, held: Held) -> Attachment {
        Attachment::new(Shared {
            interface: self.interface,
            mode: held.mode,
            joined: held.reason.is_none(),
            reason: held.reason.unwrap_or(Reason::Joined),
            method: self.method,
            program_id: held.program_id,
            parts: held.parts.unwrap_or(own.parts),
            hold: held.hold,
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
        let hold = Hold::Guest {
            _mark: lock.mark(Kind::Guest, program_id)?,
        };
        Ok(Attachment::new(Shared {
            mode,
            reason: Reason::Joined,
            method: if links.is_empty() {
                Method::Netlink
            } else {
                Method::Link
            },
            program_id,
            joined: true,
            // Without the right to load a program the slots cannot be looked at; everything else works.
            parts: Parts {
                census: Census::new(&map).ok(),
                map,
            },
            hold,
            patience: self.patience,
            interface: self.interface,
            owner: getpid(),
        }))
    }

    fn require_namespace(&self) -> Result<()> {
        if self.interface.is_in_this_namespace() != Some(false) {
            return Ok(());
        }
        Err(Error::Interface {
            name: self.interface.name().to_owned(),
            operation: "attach to",
            errno: Errno::XDEV,
            message: Some("the calling thread is in another network namespace".to_owned()),
        })
    }

    fn load(&mut self) -> Result<Own> {
        let Some((program, map)) = self.program.take() else {
            let map = XskMap::create(XskMap::DEFAULT_NAME, self.interface.max_queues()?)?;
            let program = load_redirect(&map, false)?;
            let default = Some(program.info()?.tag);
            return Ok(Own {
                program,
                parts: Parts {
                    census: Some(Census::new(&map)?),
                    map,
                },
                default,
            });
        };
        Ok(Own {
            program,
            parts: Parts {
                census: Census::new(&map).ok(),
                map,
            },
            default: None,
        })
    }
}
