//! What changes while the program stays on the interface: the program itself, and the process.

use super::ownership::Ownership;
use super::pin::PinPath;
use super::{Attachment, Registration};
use crate::bpf::{Program, XskMap};
use crate::error::{BpfOp, Error, Result};
use rustix::io::fcntl_dupfd_cloexec;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::Ordering;

impl Attachment {
    /// Puts `program` in the place of the one that runs, and returns that one. Sockets,
    /// registrations and bindings stay as they are, and so does the card: it is not reset as it may
    /// be by attaching (igb, for one, takes its link down then).
    ///
    /// The kernel exchanges the two in one step, for each packet: one or the other runs, and none
    /// goes past both. It does so only if the program known here is still there: what another
    /// process has attached stays. The new program has to use the map that sockets are registered
    /// in ([`map`](Self::map)), by a reference of its own. It is loaded for it before, with
    /// [`Program::builder`] or [`bpf::redirect`](crate::bpf::redirect()).
    ///
    /// # With other users
    /// - A program that **a link** holds may be replaced by each of its users. The others' sockets
    ///   go on receiving by the new program. The others note the new program when they register a
    ///   socket, or by [`refresh`](Self::refresh), which takes `CAP_SYS_ADMIN`; until then
    ///   [`program_id`](Self::program_id) returns the old id there, and this call is refused there.
    /// - A program that **netlink** holds may be replaced by its only user, because others know it
    ///   by its id, and the last of them would leave the new one behind: with others it is refused.
    ///   Sockets that processes without an attachment have in the map ([`MapSlot`](super::MapSlot))
    ///   are no hindrance.
    /// - A process that only uses the map of others' program ([`join_foreign`](Self::join_foreign),
    ///   [`with_map`](Self::with_map)) cannot replace it.
    /// - Who attaches later without naming a program expects this crate's default one, and joins
    ///   the new program only if it is that: else it is foreign to them.
    ///
    /// It needs `CAP_NET_ADMIN` by netlink and nothing by a link. The calling thread must be in the
    /// interface's namespace. Since 5.7 by netlink, 5.9 by link.
    ///
    /// ```no_run
    /// use xsk::bpf::redirect;
    /// # fn main() -> xsk::Result<()> {
    /// # let interface = xsk::Interface::by_name("eth1")?;
    /// let attachment = xsk::Attachment::builder(&interface).attach()?;
    /// let program = redirect(attachment.map())?; // or one of your own, over the same map
    /// let old = attachment.replace_program(program)?;
    /// // ... and back.
    /// attachment.replace_program(old)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing has changed then.
    /// - [`Error::OtherAttachment`] with
    ///   [`AttachConflict::OtherProgram`](crate::error::AttachConflict::OtherProgram) or
    ///   [`NoProgram`](crate::error::AttachConflict::NoProgram) if another process has changed what
    ///   is attached, with [`OtherUsers`](crate::error::AttachConflict::OtherUsers) or
    ///   [`OthersProgram`](crate::error::AttachConflict::OthersProgram) as said above.
    /// - [`Error::WrongObject`] if the program does not use the map. One that only passes and drops is
    ///   bound to it before ([`Program::bind_map`], 5.10); a filter is when it is loaded.
    /// - [`Error::Attach`] with what the driver says: for a program without `frags` where the MTU
    ///   takes it, say. By a link `EINVAL` also says that the new program was loaded elsewhere,
    ///   with another `expected_attach_type` than the old one.
    /// - [`Error::NeedsKernel`] before 5.7; [`Error::AttachLock`], [`Error::AttachMarks`],
    ///   [`Error::Netlink`]; [`Error::Interface`] if the interface is gone (`ENODEV`) or in another
    ///   namespace than the thread (`EXDEV`).
    #[doc(alias = "BPF_LINK_UPDATE")]
    #[doc(alias = "XDP_FLAGS_REPLACE")]
    #[doc(alias = "IFLA_XDP_EXPECTED_FD")]
    pub fn replace_program(&self, program: Program) -> Result<Program> {
        self.shared.replace_program(program)
    }

    /// Takes note of the program that another user of the link has put in place
    /// ([`replace_program`](Self::replace_program)), and returns the id of what runs. Registering a
    /// socket does the same.
    ///
    /// # Errors
    /// [`Error::OtherAttachment`] if nothing or a program that this link does not hold is attached;
    /// [`Error::WrongObject`] if the new program does not use the map that sockets are registered
    /// in; [`Error::BpfObject`] with `EPERM` if `CAP_SYS_ADMIN` is missing to look at it;
    /// [`Error::Interface`].
    pub fn refresh(&self) -> Result<u32> {
        self.shared.follow()
    }

    /// Puts a socket into a slot as [`register`](Self::register) does, but takes the slot from the
    /// socket that has it, in one step: packets go to the one or to the other, and none to the
    /// kernel's stack.
    ///
    /// For a start beside the process that is to end ([`pin`](super::AttachmentBuilder::pin)). As a
    /// queue is bound by one socket, this one is not bound yet: until it is, packets of the queue
    /// are dropped. The other process's registration leaves the slot alone when it ends. In generic
    /// mode this needs 5.12.
    ///
    /// **The other process does not notice.** If this one never binds its socket, because the other one
    /// does not leave the queue, the slot is empty once this registration is dropped: the other process
    /// gets no packet until it calls [`Registration::restore`].
    ///
    /// # Errors
    /// As [`register`](Self::register); [`Error::UpdateMap`] with `EEXIST` only if this process has
    /// a registration in the slot. The slot stays the other socket's then, unless the program is
    /// taken off or replaced in the very moment of taking it.
    pub fn take_slot(&self, slot: u32, socket: impl AsFd) -> Result<Registration> {
        let socket = socket.as_fd();
        let replace = || {
            // What is found out too late empties the slot, which the other process still has.
            self.shared.follow()?;
            self.shared.map().replace(slot, socket)
        };
        self.put_into_slot(slot, socket, replace)
    }

    /// Opens the map that is pinned beside a link
    /// ([`AttachmentBuilder::pin`](super::AttachmentBuilder::pin)), if there is one: for a program
    /// of one's own, or a filter, that the link is to run. `path` is that of the link, as there: the
    /// map's is `PATH-map`.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if it may not be opened; [`Error::WrongObject`] if something else than a
    /// link is pinned at `path`, such as the map itself, or no XSKMAP beside it.
    pub fn pinned_map(path: impl AsRef<Path>) -> Result<Option<XskMap>> {
        let path = PinPath::new(path.as_ref())?;
        path.link()?;
        path.map()
    }

    /// Returns a descriptor of the link that holds the program, to be handed to another process
    /// ([`AttachmentBuilder::link`](super::AttachmentBuilder::link)); `None` if no link of this
    /// attachment holds it.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if no more descriptors may be opened.
    pub fn link(&self) -> Result<Option<OwnedFd>> {
        let running = self.shared.running();
        let Ownership::Link { link, .. } = &running.ownership else {
            return Ok(None);
        };
        fcntl_dupfd_cloexec(link, 0).map(Some).map_err(|errno| Error::BpfObject {
            operation: BpfOp::Duplicate,
            object: "the link".to_owned(),
            errno,
        })
    }

    /// Gives up this share in the program, and leaves the program on the interface also if this was
    /// the last user: for the process that comes next.
    ///
    /// What is pinned stays pinned ([`AttachmentBuilder::pin`](super::AttachmentBuilder::pin)), and
    /// what netlink holds stays as after a kill. A link that is not pinned goes with the last
    /// process that has it. While clones or registrations of this attachment live, nothing happens;
    /// the last of them then leaves without detaching.
    pub fn keep(self) {
        self.shared.kept.store(true, Ordering::Relaxed);
    }
}
