//! A socket's slot in the map of an attached program.

use super::lock::{Mark, registered_for};
use super::names::Directory;
use super::ownership::Shared;
use super::slot_reservation::SlotReservation;
use crate::error::Result;
use crate::socket::Inner;
use crate::sys::fork::Process;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// A socket in its slot: packets of the queue go to it while this value lives.
///
/// Dropping it empties the slot, unless it holds another socket by then
/// ([`XskMap::replace`](crate::bpf::XskMap::replace); one that comes in the very moment of dropping
/// is taken out, too). While this value lives, whatever socket is in the slot counts as one of its
/// interface, also to users of the same map on another interface.
///
/// It keeps the [`Attachment`](crate::Attachment) alive, and a descriptor of the socket open: the
/// kernel lets go of the socket, its queue and its memory only after this value is dropped. If it
/// is the last part of the attachment, dropping it also leaves the program, as dropping the
/// attachment does: that waits for another process which is just attaching or leaving, but not
/// longer than a second.
///
/// ```no_run
/// use xsk::{Attachment, Interface, Socket, Umem};
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?;
/// let (umem, pool) = Umem::builder().build()?;
/// let socket = Socket::builder(&umem).rx_only().bind(&interface, 0)?;
/// let attachment = Attachment::builder(&interface).attach()?;
/// let registration = socket.register(&attachment)?;
/// assert_eq!(registration.slot(), 0);
/// // ... receive ...
/// registration.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it takes the socket out of the map"]
pub struct Registration {
    shared: Arc<Shared>,
    slot: u32,
    /// While it is open, the slot can be compared with it. `None` once the slot is given up.
    /// Closed before the packet memory goes.
    socket: Option<OwnedFd>,
    /// The whole socket, if it is one of this crate: packet memory lives as long as the descriptor.
    _inner: Option<Arc<Inner>>,
    /// Shows whose slot it is, to those who leave another interface with this map. Taken off after
    /// the slot was emptied.
    _mark: Mark,
    /// Given back after the slot was emptied.
    _reservation: SlotReservation,
}

/// Returns the name of another interface that a socket in this slot is registered for, if there is
/// such a registration in the calling thread's namespace.
pub(super) fn other_interface(shared: &Shared, slot: u32) -> Option<String> {
    let directory = Directory::open().ok()?;
    // The index of an interface counts in its namespace.
    if shared.interface.shares_namespace_with(directory.socket()?) == Some(false) {
        return None;
    }
    let names = directory.names().ok()??;
    // The caller may have put its own mark on the slot.
    let own = shared.interface.index();
    let marks = registered_for(&names, shared.map().id(), slot, None);
    let other = marks.into_iter().find(|index| *index != own)?;
    Some(shared.interface.neighbour(other).ok()?.name().to_owned())
}

impl Registration {
    pub(super) fn new(
        shared: Arc<Shared>,
        reservation: SlotReservation,
        mark: Mark,
        socket: OwnedFd,
    ) -> Self {
        let slot = reservation.slot();
        let (socket, _inner) = (Some(socket), None);
        Self { shared, slot, socket, _inner, _mark: mark, _reservation: reservation }
    }

    /// Keeps the socket's packet memory as long as its descriptor.
    pub(super) fn keeping(mut self, inner: Arc<Inner>) -> Self {
        self._inner = Some(inner);
        self
    }

    /// Returns the slot: that of the queue, for this crate's default program.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Makes sure that the socket has its slot, if no other one has it: puts it back into a slot that is
    /// empty. Returns whether it has the slot now; `false` says that another socket has it, which another
    /// process has put there ([`take_slot`](crate::Attachment::take_slot)).
    ///
    /// A process that took the slot, and ended before its socket was bound, leaves it empty, and nothing
    /// else shows that. So a process beside which another one may start calls this when no packet has
    /// come for a while. It is one system call, and changes nothing where the socket has its slot.
    ///
    /// ```no_run
    /// # fn f(port: &mut xsk::Port, registration: &xsk::Registration) -> xsk::Result<()> {
    /// use std::time::Duration;
    /// if xsk::wait(&[&port.socket.rx], Some(Duration::from_millis(100)))? == 0 {
    ///     port.socket.handle.check()?; // an error if the interface is gone
    ///     if !registration.restore()? {
    ///         eprintln!("another process takes over");
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::UpdateMap`](crate::Error::UpdateMap) with `EPERM` before 5.19 without `CAP_BPF`, unless
    /// the sysctl `kernel.unprivileged_bpf_disabled` is 0.
    pub fn restore(&self) -> Result<bool> {
        match self.own_socket() {
            Some(socket) => self.shared.map().restore(self.slot, socket.as_fd()),
            None => Ok(false),
        }
    }

    /// Puts the socket back into its slot, whichever socket has it: for a process whose successor took
    /// the slot ([`take_slot`](crate::Attachment::take_slot)) and hangs. The other process does not
    /// notice.
    ///
    /// ```no_run
    /// # fn f(registration: &xsk::Registration) -> xsk::Result<()> {
    /// if !registration.restore()? {
    ///     registration.retake()?; // the other one has had its time
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub fn retake(&self) -> Result<()> {
        match self.own_socket() {
            Some(socket) => self.shared.map().replace_unchecked(self.slot, socket.as_fd()),
            None => Ok(()),
        }
    }

    /// Returns the socket, but in a copy in a forked child, which does not own the slot.
    fn own_socket(&self) -> Option<&OwnedFd> {
        self.socket.as_ref().filter(|_| self.shared.owner == Process::current())
    }

    /// Empties the slot as dropping does, and reports a failure.
    ///
    /// # Errors
    /// [`Error::UpdateMap`](crate::Error::UpdateMap).
    pub fn close(mut self) -> Result<()> {
        self.release()
    }

    fn release(&mut self) -> Result<()> {
        match self.socket.take() {
            // A copy in a forked child does not own the slot.
            Some(socket) if self.shared.owner == Process::current() => {
                self.shared.map().remove_own(self.slot, socket.as_fd()).map(drop)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // If this fails: the kernel empties the slot when the socket is closed.
        let _ = self.release();
    }
}
