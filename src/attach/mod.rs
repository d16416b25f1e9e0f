//! Interfaces, and XDP programs on them.
//!
//! [`Interface`] finds an interface and answers questions about it. [`Attachment`] puts a program on it that hands
//! packets to sockets, or joins the users of the one that is there.
//!
//! # When the process is killed
//! What a process attached and could not detach any more depends on the [`AttachMethod`]:
//! - [`AttachMethod::Netlink`], the default: the program stays. Its map is empty, because the kernel takes the sockets of a
//!   dead process out of it, so every packet goes to the kernel's stack as if no program were there. The next
//!   [`Attachment`] to the interface takes the program over, or replaces it; a program of one's own only if
//!   [`AttachmentBuilder::take_over`] says so.
//! - [`AttachMethod::Link`] (5.9): the kernel detaches it with the last process that holds the link.
//!
//! # Sharing a program
//! The queues of an interface can belong to sockets of several processes; an interface takes one program. So the
//! first one attaches, the next ones join, and the last one detaches, in whatever order they end. To join, a process
//! looks the attached program and its map up by number, which needs `CAP_SYS_ADMIN`. It joins only this crate's own
//! default program (the same name, the same instructions) or the very program that it would have attached. Any other
//! program is *foreign*: never removed unless [`AttachmentBuilder::replace_foreign`] says so, but
//! [`Attachment::join_foreign`] can use its map.
//!
//! Users of a program attached by netlink know of each other by marks: abstract Unix sockets that vanish with their
//! process, which any process in the network namespace could fake. A hostile one could keep a program attached, or
//! new users waiting ([`Error::AttachLock`]); nothing more.

mod bpf_link;
mod builder;
mod lock;
mod mode;
mod netlink;
#[cfg(test)]
#[cfg(feature = "test-util")]
mod netlink_tests;
mod ownership;
mod protocol;
#[cfg(test)]
#[cfg(feature = "test-util")]
mod protocol_tests;
mod registration;
mod usage;

pub use crate::types::{AttachMethod, XdpMode};
pub use builder::AttachmentBuilder;
pub use mode::{AttachMode, ModeReason};
pub use registration::Registration;

use crate::bpf::XskMap;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::socket::{RxSocket, Socket};
use ownership::Shared;
use registration::SlotReservation;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// An XDP program on an interface that hands packets to sockets, and this process's share in it.
///
/// [`builder`](Self::builder) attaches this crate's default program, or joins it where it is attached already: every
/// queue of an interface can belong to another process. Sockets are put into their slots with
/// [`register`](Self::register), before or after they are bound.
///
/// **If the process is killed**: attached by [`AttachMethod::Netlink`], the default, the program stays and passes every
/// packet to the kernel's stack; the next start takes it over (one of your own if
/// [`take_over`](AttachmentBuilder::take_over) says so). Attached by [`AttachMethod::Link`], the kernel detaches it.
///
/// The last user detaches the program. This value, its clones and its registrations together are one user; another
/// one is made by attaching again, here or in another process. A process that was killed is no user any more.
/// Who is to leave waits for others that are just attaching or leaving: [`close`](Self::close) as long as
/// [`lock_timeout`](AttachmentBuilder::lock_timeout) says, a drop a second at most. If that is not enough, the program
/// stays as after a kill.
///
/// ```no_run
/// use xsk::{Attachment, Interface};
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

impl Attachment {
    fn new(shared: Shared) -> Self {
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
        let reservation = SlotReservation::new(shared.map().id(), queue)
            .ok_or_else(|| shared.slot_error(queue, Errno::EXIST))?;
        shared.map().insert(queue, socket)?;
        // From here on, an early return drops this and empties the slot.
        let registration = Registration::new(Arc::clone(shared), reservation, copy);
        if let Some(probe) = &shared.parts.probe {
            if !probe.is_occupied(queue)? {
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
    pub fn mode(&self) -> XdpMode {
        self.shared.mode
    }

    /// Why it is attached in this mode.
    #[must_use]
    pub fn reason(&self) -> &ModeReason {
        &self.shared.reason
    }

    /// What holds the program on the interface. Of a program that somebody else attached, and whose links may not be
    /// looked at for want of `CAP_SYS_ADMIN`, netlink is assumed.
    #[must_use]
    pub fn method(&self) -> AttachMethod {
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
    /// for good, but a program attached by [`AttachMethod::Netlink`] stays on it, and can only be taken off there (`ip link
    /// set dev NAME xdp off`). One attached by [`AttachMethod::Link`] is detached: use that where interfaces are moved.
    pub fn close(self) -> Result<()> {
        Arc::into_inner(self.shared).map_or(Ok(()), |mut shared| {
            let patience = shared.patience;
            shared.release(patience)
        })
    }
}

macro_rules! register {
    ($($socket:ty),*) => {$(
        impl $socket {
            /// Puts the socket into its queue's slot of the attached program: packets of the queue come to
            /// it as long as the answer lives. A socket without an RX ring has no such method.
            ///
            /// The answer holds a descriptor of the socket: drop it together with the socket's parts, or
            /// the queue stays taken.
            ///
            /// # Errors
            /// [`Error::OtherAttachment`] if the program is on another
            /// interface; else as [`Attachment::register`].
            pub fn register(&self, program: &Attachment) -> Result<Registration> {
                let (here, there) = (self.handle.interface_index(), program.interface());
                if here != there.index() {
                    return Err(Error::OtherAttachment {
                        interface: there.name().to_owned(),
                        wanted: format!("a program on {}", self.handle.interface()),
                        found: format!("one on {}", there.name()),
                    });
                }
                program.register(self.handle.queue(), self.as_fd())
            }
        }
    )*};
}
register!(Socket, RxSocket);
