//! A socket's slot in a map whose program another process has attached.

use super::slot_reservation::SlotReservation;
use crate::bpf::XskMap;
use crate::error::{Error, Result, SlotOp};
use crate::socket::Inner;
use crate::sys::fork::Process;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A socket in a slot of a map, without an [`Attachment`](crate::Attachment): the program is
/// another process's, which handed the map over. Putting it there takes no capability (before 5.19
/// `CAP_BPF`, unless the sysctl `kernel.unprivileged_bpf_disabled` is 0).
///
/// Dropping it empties the slot, unless it holds another socket by then (one that comes in the very
/// moment of dropping is taken out, too). It keeps a descriptor of the socket open, and its packet
/// memory: the kernel lets go of the queue only after this value is dropped.
///
/// The process that attached the program sees the slot as that of a user of its own: as long as the
/// socket is in it, the last [`Attachment`](crate::Attachment) that is closed leaves a program on
/// the interface that netlink holds. So let the worker end first.
///
/// A killed process leaves nothing: the kernel empties the slot when the socket is closed and its
/// rings are unmapped, and the packets of the queue go to the kernel's stack.
///
/// ```no_run
/// # fn f(socket: &xsk::Socket, map: &xsk::bpf::XskMap) -> xsk::Result<()> {
/// let slot = socket.register_in(map, 0)?;
/// // ... receive ...
/// assert!(slot.remove()?, "it was still ours");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it takes the socket out of the map"]
pub struct MapSlot {
    owner: Process,
    map: XskMap,
    slot: u32,
    /// While it is open, the slot can be compared with it. `None` once the slot is given up.
    socket: Option<OwnedFd>,
    /// The whole socket, if it is one of this crate: packet memory lives as long as the descriptor.
    _inner: Option<Arc<Inner>>,
    /// Given back after the slot was emptied.
    _reservation: SlotReservation,
}

impl MapSlot {
    /// Puts any AF_XDP socket with an RX ring into a slot. The sockets of this crate have methods
    /// for it: [`Socket::register_in`](crate::Socket::register_in).
    ///
    /// # Errors
    /// As [`XskMap::insert`]; also [`Error::UpdateMap`] with `EEXIST` if this process has
    /// registered a socket in the slot, this one included, and with `EMFILE` or `ENFILE` if too
    /// many files are open.
    pub fn new(map: &XskMap, slot: u32, socket: impl AsFd) -> Result<Self> {
        let socket = socket.as_fd();
        Self::with(map, slot, socket, || map.insert(slot, socket))
    }

    /// Registers `socket`, which `insert` puts into the slot.
    pub(super) fn with(
        map: &XskMap,
        slot: u32,
        socket: BorrowedFd<'_>,
        insert: impl FnOnce() -> Result<()>,
    ) -> Result<Self> {
        let failed = |errno| Error::UpdateMap {
            operation: SlotOp::Insert,
            index: slot,
            entries: map.entries(),
            other_interface: None,
            errno,
        };
        let copy = fcntl_dupfd_cloexec(socket, 0).map_err(failed)?;
        let map_copy = map.try_clone()?;
        let reservation =
            SlotReservation::new(map.id(), slot).ok_or_else(|| failed(Errno::EXIST))?;
        insert()?;
        Ok(Self {
            owner: Process::current(),
            map: map_copy,
            slot,
            socket: Some(copy),
            _inner: None,
            _reservation: reservation,
        })
    }

    /// Keeps the socket's packet memory as long as its descriptor.
    pub(super) fn keeping(mut self, inner: Arc<Inner>) -> Self {
        self._inner = Some(inner);
        self
    }

    /// Returns the slot.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Makes sure that the socket has its slot, if no other one has it: puts it back into a slot that is
    /// empty. Returns whether it has the slot now: `false` if another socket has it. For a worker whose
    /// slot a next process may take and then fail, as
    /// [`Registration::restore`](crate::Registration::restore).
    ///
    /// # Errors
    /// [`Error::UpdateMap`].
    pub fn restore(&self) -> Result<bool> {
        match &self.socket {
            // A copy in a forked child does not own the slot.
            Some(socket) if self.owner == Process::current() => {
                self.map.restore(self.slot, socket.as_fd())
            }
            _ => Ok(false),
        }
    }

    /// Empties the slot as dropping does. Returns whether it did: `false` if another socket had the
    /// slot, which it keeps.
    ///
    /// # Errors
    /// [`Error::UpdateMap`].
    pub fn remove(mut self) -> Result<bool> {
        self.release()
    }

    /// Leaves the socket in its slot, until it is closed.
    pub fn keep(mut self) {
        self.socket = None;
    }

    fn release(&mut self) -> Result<bool> {
        match self.socket.take() {
            // A copy in a forked child does not own the slot.
            Some(socket) if self.owner == Process::current() => {
                self.map.remove_own(self.slot, socket.as_fd()).map(|others| !others)
            }
            _ => Ok(false),
        }
    }
}

impl Drop for MapSlot {
    fn drop(&mut self) {
        // If this fails: the kernel empties the slot when the socket is closed.
        let _ = self.release();
    }
}
