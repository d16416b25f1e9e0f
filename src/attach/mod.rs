//! XDP programs on interfaces: attached, joined, shared between processes, detached.
//!
//! [`Attachment`] attaches a program that hands packets to sockets, or joins the users of the one
//! that is there. [`Registration`] is a socket in its slot of the program's map; [`MapSlot`] is one
//! for a process that has the map, and no right to attach.
//!
//! # When the process is killed
//! What happens to a program that the process did not detach depends on the [`AttachMethod`]:
//! - [`AttachMethod::Netlink`], the default with `CAP_SYS_ADMIN`: the program stays. Its map is
//!   empty, because the kernel removes the sockets of a dead process from it: with the default program
//!   every packet goes to the kernel's stack as if no program were there. One of one's own goes on as it
//!   is made: a filter drops what its rules drop. The next [`Attachment`] to the interface
//!   takes the program over, or replaces it, which takes `CAP_SYS_ADMIN`; a program of one's own
//!   only with [`AttachmentBuilder::take_over`].
//! - [`AttachMethod::Link`] (5.9), the default without `CAP_SYS_ADMIN`: the kernel detaches it with
//!   the last process that holds the link. If the link is pinned ([`AttachmentBuilder::pin`]), it
//!   stays, until the pins are removed (`rm`).
//!
//! # Sharing a program
//! The queues of an interface can belong to sockets of several processes, but an interface takes
//! one program. So the first process attaches, the next ones join, and the last one detaches, in
//! whatever order they end. To join, a process looks up the attached program and its map by id,
//! which needs `CAP_SYS_ADMIN`. It joins only this crate's own default program (the same name, the
//! same instructions) or the very program that it would have attached. Any other program is
//! *foreign*: it is never removed without [`AttachmentBuilder::replace_foreign`], but
//! [`Attachment::join_foreign`] can use its map. [`Interface::programs`] reports what is attached:
//! name, user, maps, the link that holds it, and of libxdp's dispatcher the chain of programs.
//! [`Interface::detach_program`], [`Interface::break_link`] and [`Interface::detach_link`] take a
//! program off, whichever process attached it.
//!
//! Users of a program attached by netlink see each other by marks: abstract Unix sockets that
//! vanish with their process. Any process in the network namespace can imitate them, so marks are
//! trusted only of root, of the own effective user and of the user who loaded the program. (Before
//! 5.3, and on kernels without `CONFIG_UNIX_DIAG`, all are.) A hostile process without privileges
//! can make attaching and leaving fail, by holding the interface's lock ([`Error::AttachLock`]) or
//! all marks ([`Error::AttachMarks`]), and the error names it; or by taking marks and giving them
//! back all the time ([`Error::Netlink`] with `EAGAIN`). It can do nothing more; except that where
//! two interfaces share a map, it may hide from one that the other's sockets are not its own, if it
//! disturbs 16 lists of the kernel's sockets in succession: then the program stays on the first
//! as after a kill.
//!
//! Processes of different users that share a program which root loaded should register their
//! sockets at once: until then root does not see the others.

//!
//! # Another program
//! [`Attachment::replace_program`] puts another program in the place of the one that runs, in one
//! step and without touching the sockets. Of a [`Filter`](crate::bpf::Filter),
//! [`CompiledFilter::load_after`](crate::bpf::CompiledFilter::load_after) keeps the counts, too.
//!
//! # Restart without a gap
//! With [`AttachmentBuilder::pin`] the program stays on the interface, by a link that is pinned in
//! a BPF file system, while one process ends and the next one starts. The new process
//! 1. attaches with the same path: it joins the link, and has it run its own program, over the same
//!    map;
//! 2. opens a socket, fills its fill ring, and takes the slot of the queue from the old process's
//!    socket ([`Attachment::take_slot`]);
//! 3. tells the old process to end;
//! 4. binds the socket, which waits for the queue
//!    ([`bind_timeout`](crate::socket::SocketBuilder::bind_timeout)).
//!
//! The old process receives what is left in its ring, drops its registration and its socket, and
//! ends by [`Attachment::keep`] (`examples/restart.rs` in the repository).
//!
//! **If the new process fails** between steps 2 and 4 (the old one does not leave the queue, so that
//! the new one cannot bind), its socket is gone from the slot when it ends, and nothing shows that to
//! the old one: no packet comes any more, and [`check`](crate::SocketHandle::check) finds no fault. So
//! the old one calls [`Registration::restore`] from time to time, such as when it has waited in vain:
//! that puts its socket back into a slot that is empty. A program that the new one has put in place
//! stays: [`Attachment::refresh`] returns its id, and [`Attachment::replace_program`] puts the old one's
//! own back.
//!
//! A program of one's own, or a filter, is loaded for the map that is pinned:
//! ```no_run
//! use xsk::bpf::{Action, Filter, XskMap};
//! use xsk::{Attachment, Interface};
//!
//! # fn main() -> xsk::Result<()> {
//! let (interface, pin) = (Interface::by_name("eth1")?, "/sys/fs/bpf/eth1");
//! let filter = Filter::new().rule("udp dst port 4789".parse()?, Action::Queue);
//! let map = match Attachment::pinned_map(pin)? {
//!     Some(map) => map,
//!     None => XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?,
//! };
//! let program = filter.load(&map)?;
//! let program = program.program().try_clone()?;
//! let attachment = Attachment::builder(&interface).pin(pin).program(program, map).attach()?;
//! # let _ = attachment;
//! # Ok(()) }
//! ```
//!
//! What it costs: no packet goes to the kernel's stack, and the card is not reset. Packets that
//! come between steps 2 and 4 are lost, because a queue is bound by one socket, and the kernel lets
//! go of it only some 20 ms after that is closed. If the old process ends first, packets go to the
//! kernel's stack until the new one has the slot; or are dropped, by a program of one's own that
//! drops those of an empty slot.
//!
//! (The kernel would bind a second socket to the queue if it shared the first one's packet memory,
//! also in another process, where its fill ring can be mapped as well: tried on 6.18. This crate
//! does not share packet memory between processes, because two owners of one fill ring would be two
//! frames for one chunk.)

mod attached_program;
mod bpf_link;
mod builder;
mod guest;
mod lock;
mod map_slot;
mod metadata;
mod method_reason;
mod mode;
mod names;
mod netlink;
mod ownership;
mod pin;
mod pinned;
mod pinning;
mod protocol;
mod register;
mod registration;
mod removal;
mod replaced_program;
mod replacement;
mod restart;
mod slot_reservation;
mod usage;

pub use crate::error::AttachConflict;
pub use crate::types::{AttachMethod, ChainActions, Dispatcher, DispatcherComponent, XdpMode};
pub use attached_program::AttachedProgram;
pub use builder::AttachmentBuilder;
pub use map_slot::MapSlot;
pub use method_reason::MethodReason;
pub use mode::{AttachMode, ModeReason};
pub use registration::Registration;
pub use replaced_program::ReplacedProgram;

use crate::bpf::XskMap;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::sys;
use lock::Mark;
use ownership::Shared;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use slot_reservation::SlotReservation;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// An XDP program on an interface that hands packets to sockets, and this process's share in it.
///
/// [`builder`](Self::builder) attaches this crate's default program, or joins it where it is
/// attached already: every queue of an interface can belong to another process. Sockets are put
/// into their slots with [`register`](Self::register), before or after they are bound.
///
/// **If the process is killed**: attached by [`AttachMethod::Netlink`], the default with
/// `CAP_SYS_ADMIN`, the program stays, with empty slots: the default one passes every packet to the
/// kernel's stack, and one of your own goes on to drop what it drops. The next start
/// takes it over (one of your own with [`take_over`](AttachmentBuilder::take_over)). Attached by
/// [`AttachMethod::Link`], the default without `CAP_SYS_ADMIN`, the kernel detaches it, unless the
/// link is pinned ([`pin`](AttachmentBuilder::pin)).
///
/// The last user detaches the program. This value, its clones and its registrations together are
/// one user; attaching again, here or in another process, makes another one. A process that was
/// killed is no user any more. Leaving waits for others that are just attaching or leaving:
/// [`close`](Self::close) as long as [`lock_timeout`](AttachmentBuilder::lock_timeout), a drop a
/// second at most. If that is not enough, the program stays as after a kill.
///
/// ```no_run
/// use xsk::{Attachment, Interface};
/// # fn example(socket: &xsk::Socket) -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?;
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
/// Only the process that attached may use it. A forked child's copy does nothing when dropped, but
/// while the child lives without `execve(2)`, it counts as a user of the program.
#[derive(Debug, Clone)]
pub struct Attachment {
    shared: Arc<Shared>,
}

impl Attachment {
    fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Puts a socket into a slot, that of its queue for this crate's default program, and checks that
    /// it is there and that the program still is.
    ///
    /// The socket may be bound already or be bound later, to this queue of this interface: packets
    /// of another queue are dropped without a counter. The kernel empties the slot when the socket
    /// dies. In generic mode before 5.12 it must be bound already: there the first packet for one
    /// that is not crashes the kernel (`xsk_generic_rcv`, fixed by 458f72723412).
    ///
    /// A slot has one registration at a time in this process, also among attachments that share the
    /// map: the kernel would accept the same socket twice, and the first registration to end would
    /// take it out for both.
    ///
    /// The socket must have an RX ring: the kernel accepts one without it and may crash at the
    /// first packet. This is checked as far as the kernel reports it ([`XskMap::insert`]); the
    /// sockets of this crate check it by their types.
    ///
    /// # Errors
    /// [`Error::UpdateMap`] if the slot belongs to another socket or registration (`EEXIST`; it
    /// names the interface that this one is for, if that is another one with the same map), is not
    /// there (`E2BIG`), did not keep the socket (`ENOENT`), if too many files are open (`EMFILE`,
    /// `ENFILE`: a registration takes two descriptors), or if before 6.4 the socket is bound and
    /// its interface down (`ENETDOWN`, as [`XskMap::insert`]); [`Error::WrongObject`] for a socket
    /// without an RX ring; [`Error::NeedsKernel`] in generic mode before 5.12 for a socket that is
    /// not bound; [`Error::OtherAttachment`] if the program is no longer attached;
    /// [`Error::BpfObject`] with `EPERM` if another user of the link has replaced it, and
    /// `CAP_SYS_ADMIN` is missing to look at the new one; [`Error::Interface`] if the interface is
    /// gone.
    pub fn register(&self, slot: u32, socket: impl AsFd) -> Result<Registration> {
        let socket = socket.as_fd();
        self.put_into_slot(slot, socket, || self.shared.map().insert(slot, socket))
    }

    /// Registers `socket`, which `insert` puts into its slot.
    fn put_into_slot(
        &self,
        queue: u32,
        socket: BorrowedFd<'_>,
        insert: impl FnOnce() -> Result<()>,
    ) -> Result<Registration> {
        let shared = &self.shared;
        if shared.mode == XdpMode::Generic
            && sys::release::is_before(5, 12)
            && sys::xsk::is_unbound_before_6_4(socket)
        {
            return Err(Error::NeedsKernel {
                feature: "a socket that is not bound, in a slot of a program in generic mode",
                version: "5.12",
            });
        }
        let slot_error = |errno| shared.slot_error(queue, errno);
        let taken = |mut error| {
            if let Error::UpdateMap { errno: Errno::EXIST, other_interface, .. } = &mut error {
                *other_interface = registration::other_interface(shared, queue);
            }
            error
        };
        let copy = fcntl_dupfd_cloexec(socket, 0).map_err(slot_error)?;
        let reservation = SlotReservation::new(shared.map().id(), queue)
            .ok_or_else(|| taken(slot_error(Errno::EXIST)))?;
        // Put on before the slot is filled: a slot without it counts as used on every interface.
        let mark = Mark::on_slot(shared.interface.index(), shared.map().id(), queue)
            .map_err(slot_error)?;
        insert().map_err(taken)?;
        // From here on, an early return drops this and empties the slot.
        let registration = Registration::new(Arc::clone(shared), reservation, mark, copy);
        if let Some(probe) = &shared.slots.probe {
            if !probe.is_occupied(queue)? {
                return Err(slot_error(Errno::NOENT));
            }
        }
        shared.follow()?;
        Ok(registration)
    }

    /// Returns the interface.
    #[must_use]
    pub fn interface(&self) -> &Interface {
        &self.shared.interface
    }

    /// Returns the mode that the program is attached in.
    #[must_use]
    pub fn mode(&self) -> XdpMode {
        self.shared.mode
    }

    /// Returns why it is attached in this mode.
    #[must_use]
    pub fn reason(&self) -> &ModeReason {
        &self.shared.reason
    }

    /// Returns what holds the program on the interface. Netlink is assumed for a program that
    /// another process attached, if `CAP_SYS_ADMIN` is missing to look for its links.
    #[must_use]
    pub fn method(&self) -> AttachMethod {
        self.shared.method
    }

    /// Returns why this holds it.
    #[must_use]
    pub fn method_reason(&self) -> &MethodReason {
        &self.shared.method_reason
    }

    /// Returns the foreign program that was taken off for this one
    /// ([`replace_foreign`](AttachmentBuilder::replace_foreign)), if there was one.
    #[must_use]
    pub fn replaced(&self) -> Option<&ReplacedProgram> {
        self.shared.replaced.as_ref()
    }

    /// Returns the program's id.
    #[must_use]
    pub fn program_id(&self) -> u32 {
        self.shared.running().program_id
    }

    /// Returns the map that sockets are registered in.
    ///
    /// A socket that was put into it directly ([`XskMap::insert`]), and not by
    /// [`register`](Self::register), counts as a user of its own, whose process is unknown: while
    /// it has its slot, the last attachment that is closed leaves the program on the interface.
    /// There it stays when that socket is closed, until the next attachment to the interface takes
    /// it over. [`XskMap::remove`] it before closing. If the program is attached to several
    /// interfaces, it counts on each.
    #[must_use]
    pub fn map(&self) -> &XskMap {
        self.shared.map()
    }

    /// Returns whether the program was attached already.
    #[must_use]
    pub fn joined(&self) -> bool {
        self.shared.joined
    }

    /// Returns whether the program takes packets of several frames
    /// ([`AttachmentBuilder::frags`]), by its name, because the kernel does not report it. `None`
    /// where it is not known: for programs that are not this crate's default one, and where this
    /// process may not look at the one it joined.
    ///
    /// In generic mode it does not matter. In native mode, without, a socket for packets of several
    /// frames gets those that fit into one frame, and most drivers allow no MTU that could bring others (on
    /// a veth, of its peer: "mtu greater than device maximum"). To have them, end the users of the program
    /// that is attached.
    ///
    /// ```no_run
    /// # fn f(interface: &xsk::Interface) -> xsk::Result<()> {
    /// let attachment = xsk::Attachment::builder(interface).frags(true).attach()?;
    /// if attachment.frags() == Some(false) && attachment.mode() == xsk::XdpMode::Native {
    ///     eprintln!("the program that was there takes no packets of several frames");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn frags(&self) -> Option<bool> {
        self.shared.running().frags
    }

    /// Gives up this share in the program; the last user detaches it, and checks that it is gone.
    ///
    /// It waits for another process that is just attaching or leaving, as long as
    /// [`lock_timeout`](AttachmentBuilder::lock_timeout). Dropping the value does the same, but
    /// waits not longer than a second and does not report failures. While clones or registrations
    /// of this attachment live, nothing happens: the last of them leaves the program.
    ///
    /// # Errors
    /// [`Error::Detach`]; [`Error::AttachLock`] if another process held the lock for too long: the
    /// program stays, as after a kill. Nothing is done, and that is no error, if the interface or
    /// the program is gone, or another program has taken its place.
    ///
    /// An interface that was moved to another network namespace looks like one that is gone. Its
    /// sockets are unbound for good, but a program attached by [`AttachMethod::Netlink`] stays on
    /// it, and can only be taken off there (`ip link set dev NAME xdpdrv off`, or `xdpgeneric
    /// off`). One attached by [`AttachMethod::Link`] is detached: use that where interfaces are
    /// moved.
    pub fn close(self) -> Result<()> {
        Arc::into_inner(self.shared).map_or(Ok(()), |mut shared| {
            let timeout = shared.lock_timeout;
            shared.release(timeout)
        })
    }
}
