//! A program on an interface, held by its users.

use super::bpf_link::Link;
use super::builder::AttachmentBuilder;
use super::lock::{LockSocket, Mark};
use super::registration::{Claim, Registration};
use super::users::Parts;
use super::{Interface, Method, Mode, Reason, detach_netlink};
use crate::program::{Program, XskMap};
use crate::{Error, Result};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Pid, getpid};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// How long a value that is dropped waits for the lock at most: nobody expects dropping to take long.
const DROP_PATIENCE: Duration = Duration::from_secs(1);

/// An XDP program on an interface that hands packets to sockets, and this process's share in it.
///
/// [`builder`](Self::builder) attaches this crate's default program, or joins it where it is attached already: every
/// queue of an interface can belong to another process. Sockets are put into their slots with
/// [`register`](Self::register), before or after they are bound.
///
/// **If the process is killed**: attached by [`Method::Netlink`], the default, the program stays and passes every
/// packet to the kernel's stack; the next start takes it over (one of your own if
/// [`take_over`](AttachmentBuilder::take_over) says so). Attached by [`Method::Link`], the kernel detaches it.
///
/// The last user detaches the program. This value, its clones and its registrations together are one user; another
/// one is made by attaching again, here or in another process. A process that was killed is no user any more.
/// Who is to leave waits for others that are just attaching or leaving: [`close`](Self::close) as long as
/// [`lock_timeout`](AttachmentBuilder::lock_timeout) says, a drop a second at most. If that is not enough, the program
/// stays as after a kill.
///
/// ```no_run
/// use xsk::link::{Attachment, Interface};
/// # fn example(socket: std::os::fd::BorrowedFd<'_>) -> xsk::Result<()> {
/// let interface = Interface::by_name("eth0")?;
/// let attachment = Attachment::builder(&interface).attach()?;
/// println!("{} mode: {}", attachment.mode(), attachment.reason());
/// let slot = attachment.register(0, socket)?;
/// // ...
/// slot.close()?;
/// attachment.close()?;
/// # Ok(())
/// # }
/// ```
///
/// # Fork
/// Only the process that attached may use it. A forked child's copy does nothing when dropped, but while the child
/// lives without `execve(2)`, it counts as a user of the program.
#[derive(Debug, Clone)]
pub struct Attachment {
    shared: Arc<Shared>,
}

/// What the clones of an attachment and its registrations have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) interface: Interface,
    pub(super) mode: Mode,
    pub(super) reason: Reason,
    pub(super) method: Method,
    pub(super) program_id: u32,
    pub(super) joined: bool,
    pub(super) parts: Parts,
    pub(super) hold: Hold,
    pub(super) patience: Duration,
    /// The process that made it.
    pub(super) owner: Pid,
}

/// How this user holds the program.
#[derive(Debug)]
pub(super) enum Hold {
    /// Not any more.
    Released,
    /// By descriptors of its link: the kernel counts them.
    Link {
        /// Closed last of all.
        _links: Vec<Link>,
    },
    /// By a mark; the last one who has such a mark detaches the program, under the lock.
    Netlink { mark: Mark, lock: LockSocket, program: Program },
    /// By a mark that keeps others of this crate from detaching it; it is not this one's to detach.
    Guest { _mark: Mark },
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
                wanted: "a program with a map of the name asked for",
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

    pub(super) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Puts a socket into the slot of `queue`, makes sure that it is there, and that the program still is.
    ///
    /// The socket may be bound already or be bound later, to this queue of this interface: packets of another queue are
    /// dropped without a counter. The kernel empties the slot by itself when the socket dies.
    ///
    /// A slot has one registration at a time in this process, also among attachments that share the map: the kernel
    /// would take the same socket twice, and the first registration to go would take it out for both.
    ///
    /// The socket must have an RX ring: the kernel takes one without it and may crash at the first packet. This is
    /// checked as far as the kernel tells ([`XskMap::insert`]); the sockets of this crate check it by their types.
    ///
    /// # Errors
    /// [`Error::UpdateMap`] if the slot belongs to another socket or registration (`EEXIST`), is not there (`E2BIG`), or did not keep
    /// the socket (`ENOENT`); [`Error::WrongObject`] for a socket without an RX ring; [`Error::OtherAttachment`] if the
    /// program is no longer attached; [`Error::Interface`] if the interface is gone.
    pub fn register(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<Registration> {
        let shared = &self.shared;
        let copy =
            fcntl_dupfd_cloexec(socket, 0).map_err(|errno| shared.slot_error(queue, errno))?;
        let claim = Claim::new(shared.map().id(), queue)
            .ok_or_else(|| shared.slot_error(queue, Errno::EXIST))?;
        shared.map().insert(queue, socket)?;
        // From here on, an early return drops this and empties the slot.
        let registration = Registration::new(Arc::clone(shared), claim, copy);
        if let Some(census) = &shared.parts.census {
            if !census.is_occupied(queue)? {
                return Err(shared.slot_error(queue, Errno::NOENT));
            }
        }
        shared.require_attached()?;
        Ok(registration)
    }

    /// The interface.
    #[must_use]
    pub fn interface(&self) -> &Interface {
        &self.shared.interface
    }

    /// The mode that the program is attached in.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// Why it is attached in this mode.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.shared.reason
    }

    /// What holds the program on the interface. Of a program that somebody else attached, and whose links may not be
    /// looked at for want of `CAP_SYS_ADMIN`, netlink is assumed.
    #[must_use]
    pub fn method(&self) -> Method {
        self.shared.method
    }

    /// The kernel's number for the program.
    #[must_use]
    pub fn program_id(&self) -> u32 {
        self.shared.program_id
    }

    /// The map that sockets are registered in.
    ///
    /// A socket that was put into it directly ([`XskMap::insert`]), and not by [`register`](Self::register), counts as
    /// a user of its own, whose process is unknown: while it has its slot, the last attachment that is closed leaves the
    /// program on the interface, where nobody takes it off when that socket goes, until the next attachment to the
    /// interface takes it over. [`XskMap::remove`] it before closing.
    #[must_use]
    pub fn map(&self) -> &XskMap {
        self.shared.map()
    }

    /// Whether the program was attached already.
    #[must_use]
    pub fn joined(&self) -> bool {
        self.shared.joined
    }

    /// Gives this share in the program up; the last user detaches it, and makes sure that it is gone.
    ///
    /// It waits for another process that is just attaching or leaving, as long as
    /// [`lock_timeout`](AttachmentBuilder::lock_timeout) says. Dropping the value does the same, but waits not longer
    /// than a second and keeps silent about failures. While clones or registrations of this
    /// attachment live, nothing happens but that the last of them does it.
    ///
    /// # Errors
    /// [`Error::Detach`]; [`Error::AttachLock`] if another process held the lock for too long: the program stays, as
    /// after a kill. Nothing is done, and that is no error, if the interface or the program is gone, or another
    /// program has taken its place.
    ///
    /// An interface that was moved to another network namespace looks like one that is gone. Its sockets are unbound
    /// for good, but a program attached by [`Method::Netlink`] stays on it, and can only be taken off there (`ip link
    /// set dev NAME xdp off`). One attached by [`Method::Link`] is detached: use that where interfaces are moved.
    pub fn close(self) -> Result<()> {
        Arc::into_inner(self.shared).map_or(Ok(()), |mut shared| {
            let patience = shared.patience;
            shared.leave(patience)
        })
    }
}

impl Shared {
    pub(super) fn map(&self) -> &XskMap {
        &self.parts.map
    }

    fn slot_error(&self, index: u32, errno: Errno) -> Error {
        Error::UpdateMap { operation: "insert", index, entries: self.map().entries(), errno }
    }

    /// Whether our program is on the interface, and not another one.
    fn is_attached(&self) -> Result<bool> {
        match self.interface.xdp() {
            Ok(state) => Ok(state.program(self.mode) == Some(self.program_id)),
            Err(Error::Interface { errno: Errno::NODEV, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn require_attached(&self) -> Result<()> {
        let state = self.interface.xdp()?;
        if state.program(self.mode) == Some(self.program_id) {
            return Ok(());
        }
        let found = state.programs().next();
        Err(Error::OtherAttachment {
            interface: self.interface.name().to_owned(),
            wanted: format!("program {} in {} mode", self.program_id, self.mode),
            found: found.map_or_else(
                || "no program".to_owned(),
                |(mode, id)| format!("program {id} in {mode} mode"),
            ),
        })
    }

    /// Lets go of the program; `patience` is for the lock.
    fn leave(&mut self, patience: Duration) -> Result<()> {
        // What is held is let go of whatever fails. A copy in a forked child owns nothing.
        let hold = std::mem::replace(&mut self.hold, Hold::Released);
        let Hold::Netlink { mark, lock, program } = hold else {
            return Ok(());
        };
        if self.owner != getpid() {
            return Ok(());
        }
        let lock = lock.acquire(self.interface.index(), patience)?;
        drop(mark);
        if self.parts.users(&lock, self.program_id)?.any() || !self.is_attached()? {
            return Ok(());
        }
        let answer = detach_netlink(&self.interface, self.mode, program.as_fd(), self.program_id);
        match answer {
            // Another program has taken its place in between, or the interface has gone.
            Err(_) if !self.is_attached()? => Ok(()),
            answer => answer,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Who wants to know calls `close`.
        let _ = self.leave(self.patience.min(DROP_PATIENCE));
    }
}
