//! The settings of an attachment.

use super::bpf_link::Link;
use super::mode::{AttachMode, ModeReason};
use super::ownership::{Running, Shared};
use super::pin::PinPath;
use super::pinned::{Found, Wanted};
use super::pinning::attach_and_pin;
use super::protocol::{Attempt, Candidate, Request};
use super::{Attachment, guest};
use crate::bpf::{Program, XskMap, redirect_takes_frags};
use crate::error::{Error, ObjectKind, Result};
use crate::interface::Interface;
use crate::sys::fork::Process;
use crate::types::{AttachMethod, XdpMode};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The settings of an [`Attachment`], made by [`Attachment::builder`].
///
/// ```no_run
/// use std::time::Duration;
/// use xsk::{AttachMethod, AttachMode, Attachment, Interface};
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?;
/// let attachment = Attachment::builder(&interface)
///     .mode(AttachMode::Native)
///     .method(AttachMethod::Link)
///     .lock_timeout(Duration::from_secs(2))
///     .attach()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct AttachmentBuilder {
    request: Request,
    program: Option<(Program, XskMap)>,
    frags: bool,
    pin: Option<Result<PinPath>>,
    link: Option<(OwnedFd, XskMap)>,
}

impl Attachment {
    /// Starts an attachment to `interface` with this crate's default program, in native mode or,
    /// where the driver has none or refuses it ([`AttachMode::Auto`]), in generic mode; by netlink,
    /// or as [`method`](AttachmentBuilder::method) says.
    pub fn builder(interface: &Interface) -> AttachmentBuilder {
        AttachmentBuilder {
            request: Request::new(interface),
            program: None,
            frags: false,
            pin: None,
            link: None,
        }
    }

    /// Uses the map named `map_name` of the program that is attached to `interface`, by whatever
    /// process. Nothing is attached. Needs `CAP_SYS_ADMIN`, to look up a program and its maps by
    /// id.
    ///
    /// Who detaches it: a program that is not this crate's default one, and was not attached by
    /// netlink by users of this crate who are still there, is never detached by this value.
    /// Otherwise this is one more of its users, and the last of them detaches it. A program that is
    /// held by a link goes when its holders close the link, which [`register`](Self::register)
    /// reports.
    ///
    /// Which slot is for which queue is up to the program. Only this crate's default program is
    /// known here: with any other one, packets that it redirects to a socket on another queue are
    /// dropped without a counter.
    ///
    /// # Errors
    /// [`Error::OtherAttachment`] if there is no program, [`Error::WrongObject`] if it has no such
    /// map or that is no XSKMAP, [`Error::BpfObject`] with `EPERM` if the capability is missing;
    /// [`Error::AttachLock`], [`Error::Interface`].
    #[doc(alias = "XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD")]
    #[doc(alias = "xsk_socket__update_xskmap")]
    pub fn join_foreign(interface: &Interface, map_name: &str) -> Result<Self> {
        let find_map = |id| {
            let program = Program::from_id(id)?;
            program.xsk_map(map_name)?.ok_or_else(|| Error::WrongObject {
                object: format!(
                    "program {id}, attached to {} and without a map named {map_name:?},",
                    interface.name()
                ),
                wanted: ObjectKind::ProgramWithMap,
            })
        };
        guest::join(Request::new(interface), find_map).map(Self::new)
    }

    /// Uses `map`, which belongs to the program that is attached to `interface`, by whatever
    /// process. Needs no capability. Whether the program uses this map is not checked, nor, without
    /// `CAP_SYS_ADMIN`, whether it is this crate's default one: a socket that is put into a slot of
    /// another queue ([`SharedQueue::register`](crate::SharedQueue::register) lets the caller
    /// choose) is accepted then, and its packets are dropped without a counter.
    ///
    /// Nothing is attached, and detaching is as with [`join_foreign`](Self::join_foreign). Users of
    /// the program that run as another user, root too, see this one only while it has a socket in
    /// the map, unless this one runs as root or as the user who loaded the program. Without
    /// `CAP_SYS_ADMIN` and `CAP_NET_ADMIN` nothing can be detached: a program whose other users
    /// have left stays, as after a kill, until the next attachment to the interface takes it over.
    ///
    /// # Errors
    /// [`Error::OtherAttachment`] if there is no program; [`Error::AttachLock`],
    /// [`Error::Interface`].
    pub fn with_map(interface: &Interface, map: XskMap) -> Result<Self> {
        guest::join(Request::new(interface), |_| Ok(map)).map(Self::new)
    }
}

impl AttachmentBuilder {
    /// Sets the mode; the default is [`AttachMode::Auto`].
    pub fn mode(mut self, mode: AttachMode) -> Self {
        self.request.mode = mode;
        self
    }

    /// Sets what holds the program. By [`AttachMethod::Netlink`] a killed process leaves the
    /// program behind: the default one passes every packet to the kernel's stack then, and one of your
    /// own goes on as it is made, with empty slots; what it drops stays dropped. By
    /// [`AttachMethod::Link`] (5.9) the kernel detaches it.
    ///
    /// By default no method is asked for: the users of a program that is attached already are
    /// joined, whatever holds it. If nothing is attached, it is netlink; or, if this process may
    /// not look up programs by their ids (`CAP_SYS_ADMIN`) and the kernel has links, a link,
    /// because the next process of this kind could not take over what netlink leaves behind.
    /// [`Attachment::method`] and [`method_reason`](Attachment::method_reason) report what it is
    /// and why. A method that was asked for, and is not the one in use, is refused.
    pub fn method(mut self, method: AttachMethod) -> Self {
        self.request.method = Some(method);
        self
    }

    /// Sets whether a foreign program that is attached already is taken off; the default is no.
    ///
    /// It is not put back afterwards, but it is if attaching fails. (One that was held by a link is
    /// put back by netlink then, because its owner's link stays detached: no process detaches the
    /// program then, but its packets go on.) One that this process may not open (without
    /// `CAP_SYS_ADMIN`) cannot be put back; and one that a link holds cannot be taken off then.
    ///
    /// [`Attachment::replaced`] reports what was taken off.
    pub fn replace_foreign(mut self, replace: bool) -> Self {
        self.request.replace_foreign = replace;
        self
    }

    /// Attaches `program`, whose map for sockets is `map`, instead of the default one: from
    /// descriptors, pins, or loaded here.
    ///
    /// A program that no sockets belong to, which only drops or counts, takes an empty map beside it:
    /// `XskMap::create(XskMap::DEFAULT_NAME, 1)`.
    ///
    /// Where this very program is attached already, it is joined. If it has no user of this crate,
    /// it was attached by a process that does not use this crate, or that was killed. The kernel
    /// does not report which, so the program is left on the interface in the end;
    /// [`take_over`](Self::take_over) declares that the process was killed.
    ///
    /// One program may be attached to several interfaces, but its map has one slot for each queue
    /// number: queue 0 of one interface excludes queue 0 of the other. Rather load a program with a
    /// map of its own for each. By [`AttachMethod::Link`], though, it
    /// cannot be joined while it is on interfaces with the same index in several network
    /// namespaces: the kernel does not report which link is in which.
    pub fn program(mut self, program: Program, map: XskMap) -> Self {
        self.program = Some((program, map));
        self
    }

    /// Sets whether the default program takes packets of several frames (`BPF_F_XDP_HAS_FRAGS`, 5.18):
    /// native mode needs it for a [`PacketSocket`](crate::socket::PacketSocket), and many drivers for
    /// an MTU above some 3500 bytes. An attachment that joins a program takes it as it is:
    /// [`Attachment::frags`] returns what it takes. So does [`program`](Self::program), whose own flag
    /// is set by [`ProgramBuilder::frags`](crate::bpf::ProgramBuilder::frags), or for a filter by
    /// [`Filter::frags`](crate::bpf::Filter::frags).
    #[doc(alias = "BPF_F_XDP_HAS_FRAGS")]
    pub fn frags(mut self, frags: bool) -> Self {
        self.frags = frags;
        self
    }

    /// Sets whether a program of one's own ([`program`](Self::program)) that is attached already,
    /// by netlink, and has no users, is taken to be left over from a user that was killed; the
    /// default is no. (This crate's default program always is.)
    ///
    /// This very program (from a pin or a descriptor) is joined, or taken off and attached anew in
    /// the mode asked for. One of another id, but of the same name and with the same instructions
    /// (the kernel's tag), was loaded by the killed process: it is replaced by this one, whose map
    /// is the one in use then. To compare takes `CAP_SYS_ADMIN`. In either case the last user
    /// detaches it. With users, a program of another id is foreign.
    ///
    /// Users are those of this crate, and sockets in the map. Do not set this for a program that
    /// something else attaches, such as `ip link` or a boot script.
    pub fn take_over(mut self, take_over: bool) -> Self {
        self.request.take_over = take_over;
        self
    }

    /// Pins the link that holds the program at `path`, in a BPF file system, and the program's map
    /// beside it, at the same path with `-map` after it; or, if a link is pinned there, takes that
    /// one: the program on the interface stays, and the card is not reset. The program that this
    /// builder is for is put in its place in one step, unless it is the same.
    ///
    /// So a program stays attached while its process is started anew: the old process ends by
    /// [`Attachment::keep`], or the new one comes first and takes the slots
    /// ([`Attachment::take_slot`]). What such a start costs is in the
    /// [module's documentation](super#restart-without-a-gap).
    ///
    /// The default program is loaded for the pinned map. One of one's own
    /// ([`program`](Self::program)), a filter too, has to use it: [`Attachment::pinned_map`] opens it.
    ///
    /// A relative path is one of the directory that the process is in when this is called. Two
    /// interfaces take two paths.
    ///
    /// The file system is there on most machines, at `/sys/fs/bpf`. `ip netns exec` mounts a new `/sys`
    /// without it, where `mount -t bpf bpf /sys/fs/bpf` makes one that goes with the command: mount one
    /// elsewhere before, or enter the namespace with `nsenter --net`.
    ///
    /// **Who removes the pins**: the last attachment with this setting that is closed or dropped.
    /// Others see it by a mark, as users of a program that netlink holds do.
    ///
    /// **If the process is killed**, the pins stay, and with them the program, whose slots are empty:
    /// the default one passes every packet to the kernel's stack, and a filter goes on to drop what it
    /// drops. The next start takes it over;
    /// `rm PATH PATH-map` detaches it. A restart of the machine does, too. Killed between the two pins,
    /// it leaves the map's alone, which the next start refuses as it refuses any file there (`EEXIST`).
    ///
    /// **If the link was detached**, or its interface is gone, the next start removes its pin, and
    /// that of the map if the link's program uses that map. Without `CAP_SYS_ADMIN` it cannot know
    /// that, and takes an XSKMAP that is pinned there for the link's.
    ///
    /// The pins belong to the user of the process, with mode 0600 less the umask. `CAP_SYS_ADMIN`
    /// is needed neither to pin nor to take over; without it, a program that something else than
    /// this crate puts in place by the same link, in the very moment of taking over, is replaced as
    /// well.
    ///
    /// Since 5.9. Attaches by [`AttachMethod::Link`].
    ///
    /// ```no_run
    /// use xsk::{Attachment, Interface};
    /// # fn main() -> xsk::Result<()> {
    /// let interface = Interface::by_name("eth1")?;
    /// let attachment = Attachment::builder(&interface).pin("/sys/fs/bpf/eth1").attach()?;
    /// println!("{}", if attachment.joined() { "taken over" } else { "attached" });
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "BPF_OBJ_PIN")]
    #[doc(alias = "BPF_LINK_UPDATE")]
    pub fn pin(mut self, path: impl AsRef<Path>) -> Self {
        self.pin = Some(PinPath::new(path.as_ref()));
        self
    }

    /// Takes the link that another process has handed over as a descriptor
    /// ([`Attachment::link`], over a Unix socket or by systemd's `FDSTORE`), and the map of its
    /// program, as [`pin`](Self::pin) takes a pinned one; that setting is not used then.
    ///
    /// The program stays attached while any process, or systemd, has the descriptor. Since 5.9.
    pub fn link(mut self, link: OwnedFd, map: XskMap) -> Self {
        self.link = Some((link, map));
        self
    }

    /// Sets how long to wait for another process that is attaching or leaving; the default is 10
    /// seconds.
    ///
    /// The same holds when the attachment is closed. When it is dropped, a second is the longest
    /// wait.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.request.lock_timeout = timeout;
        self
    }

    /// Attaches the program, or joins its users where it is attached.
    ///
    /// Loading needs `CAP_BPF` and `CAP_NET_ADMIN`, attaching by netlink `CAP_NET_ADMIN`, and
    /// joining `CAP_SYS_ADMIN`, because what is attached is looked up by id. The calling thread
    /// must be in the interface's namespace.
    ///
    /// # Errors
    /// - [`Error::NativeBond`]: the interface is a bond, and [`AttachMode::Native`] was asked for.
    /// - [`Error::ForeignProgram`]: another program is attached, and it is not to be replaced.
    /// - [`Error::HiddenProgram`]: a program is attached, and `CAP_SYS_ADMIN` is missing to look at
    ///   it or at the link that holds it.
    /// - [`Error::OtherAttachment`]: the program is attached and in use, in another mode or by
    ///   another method than was asked for; or what is attached kept changing.
    /// - [`Error::Attach`] with what the kernel said; [`Error::Detach`] if what was to be replaced
    ///   could not be.
    /// - [`Error::WrongObject`]: the [`program`](Self::program) uses an XSKMAP, and not the one that was
    ///   given with it, so that no packet would come to a socket there. (Without `CAP_SYS_ADMIN` this
    ///   is not looked at.)
    /// - [`Error::LoadProgram`], [`Error::CreateMap`]: no program to attach.
    ///   [`Error::NeedsKernel`]: before 5.3 there is no default one, and before 5.9 no
    ///   [`AttachMethod::Link`].
    /// - [`Error::Netlink`]: a socket failed, such as for too many open files.
    /// - [`Error::AttachLock`]: another process took too long. [`Error::AttachMarks`]: the program
    ///   has 1,024 users already, or another process pretends so.
    /// - [`Error::Interface`]: the interface is gone (`ENODEV`) or in another namespace than the
    ///   thread (`EXDEV`).
    /// - With [`pin`](Self::pin) or [`link`](Self::link): [`Error::BpfObject`] for a path that is
    ///   not in a BPF file system (`EPERM`), whose directory is missing (`ENOENT`), or that may not
    ///   be opened (`EACCES`); [`Error::WrongObject`] if something else is pinned there, or for a
    ///   program that does not use the link's map; [`Error::OtherAttachment`] with
    ///   [`AttachConflict::OtherLink`](crate::error::AttachConflict::OtherLink) for the link of
    ///   another interface; [`Error::Setting`] with [`AttachMethod::Netlink`];
    ///   [`Error::NeedsKernel`] before 5.9. Nothing is attached then.
    pub fn attach(self) -> Result<Attachment> {
        let Self { mut request, program, frags, pin, link } = self;
        request.require_namespace()?;
        if let Some((fd, map)) = link {
            let link = Link::check(fd, || "the descriptor of the link".to_owned())?;
            let lock = request.lock()?;
            let found = Found { link, map, pin: None };
            return found.adopt(request, Wanted { program, frags }, &lock).map(Attachment::new);
        }
        let (pin, mut lock) = (pin.transpose()?, None);
        if let Some(path) = &pin {
            if request.method == Some(AttachMethod::Netlink) {
                let rule = "is `AttachMethod::Link` where the program is to be pinned";
                let name = "AttachMethod::Netlink";
                return Err(Error::Setting { name, value: 0, rule });
            }
            request.method = Some(AttachMethod::Link);
            // What is pinned stays so until it is adopted.
            let taken = request.lock()?;
            if let Some(found) = Found::pinned(path)? {
                return found
                    .adopt(request, Wanted { program, frags }, &taken)
                    .map(Attachment::new);
            }
            lock = Some(taken);
        }
        let members = match request.mode {
            AttachMode::Auto | AttachMode::Native => request.interface.members_of_bond()?,
            AttachMode::Generic => None,
        };
        match (&members, request.mode) {
            (Some(_), AttachMode::Auto) => request.mode = AttachMode::Generic,
            (Some(members), AttachMode::Native) if program.is_none() => {
                return Err(Error::NativeBond {
                    interface: request.interface.name().to_owned(),
                    members: members.clone(),
                });
            }
            _ => {}
        }
        let candidate = Candidate::load(&request.interface, program, frags)?;
        let lock = match lock {
            Some(taken) => taken,
            None => request.lock()?,
        };
        let attach = || Attempt { request: &request, candidate: &candidate, lock: &lock }.run();
        let attached = match &pin {
            Some(path) => attach_and_pin(path, &candidate.slots.map, &lock, attach)?,
            None => attach()?,
        };
        let frags = match attached.reason {
            Some(_) => candidate.default_tag.map(|_| frags),
            None => candidate.default_tag.and_then(|_| frags_of_joined(attached.program_id)),
        };
        Ok(Attachment::new(Shared {
            interface: request.interface,
            mode: attached.mode,
            joined: attached.reason.is_none(),
            reason: match (attached.reason, members) {
                (None, _) => ModeReason::Joined,
                (Some(ModeReason::Asked), Some(members)) if attached.mode == XdpMode::Native => {
                    ModeReason::NativeBond { members }
                }
                (Some(_), Some(members)) => ModeReason::Bond { members },
                (Some(reason), None) => reason,
            },
            method: attached.method,
            method_reason: attached.method_reason,
            replaced: attached.replaced,
            slots: attached.slots.unwrap_or(candidate.slots),
            lock_timeout: request.lock_timeout,
            owner: Process::current(),
            kept: AtomicBool::new(false),
            running: Mutex::new(Running {
                program_id: attached.program_id,
                is_default: candidate.default_tag.is_some(),
                frags,
                ownership: attached.ownership,
            }),
        }))
    }
}

/// Returns whether the program that was joined takes packets of several frames, if it is the default
/// one.
fn frags_of_joined(id: u32) -> Option<bool> {
    let info = Program::from_id(id).and_then(|program| program.info()).ok()?;
    redirect_takes_frags(&info.name)
}
