//! The handle of a bound socket: its interface, queue, mode and counters.

use super::copy_reason::CopyReason;
use super::inner::{Bound, Inner, as_fd};
use super::statistics::Statistics;
use crate::error::{Error, Result, SocketOption};
use crate::sys::xsk as sys;
use crate::umem::Umem;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The interface, queue, mode and counters of a bound socket; cheap to clone, for another thread.
///
/// It is a part of the socket: the socket is open as long as this lives.
///
/// ```no_run
/// # fn f(socket: &xsk::Socket) -> xsk::Result<()> {
/// let handle = socket.handle.clone();
/// println!("{} queue {}: {:?}", handle.interface(), handle.queue(), handle.statistics()?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SocketHandle {
    inner: Arc<Inner>,
    interface: Arc<str>,
    interface_index: u32,
    queue: u32,
    zero_copy: bool,
    copy_reason: CopyReason,
}

impl SocketHandle {
    pub(crate) fn inner(&self) -> Arc<Inner> {
        Arc::clone(&self.inner)
    }

    pub(crate) fn new(
        inner: Arc<Inner>,
        interface: &str,
        interface_index: u32,
        queue: u32,
        (zero_copy, copy_reason): (bool, CopyReason),
    ) -> Self {
        let interface: Arc<str> = interface.into();
        inner.set_bound(Bound { interface: Arc::clone(&interface), queue, zero_copy });
        Self { inner, interface, interface_index, queue, zero_copy, copy_reason }
    }

    /// Returns the interface's name at the time of binding.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Returns the interface's name and the queue.
    pub(super) fn place(&self) -> (String, u32) {
        (self.interface().to_owned(), self.queue)
    }

    /// Returns the interface's index.
    #[must_use]
    pub fn interface_index(&self) -> u32 {
        self.interface_index
    }

    /// Returns the queue.
    #[must_use]
    pub fn queue(&self) -> u32 {
        self.queue
    }

    /// Returns whether packets are in the UMEM without a copy: what `XDP_OPTIONS` reported after
    /// binding (5.3; before, what the socket asked for).
    #[must_use]
    #[doc(alias = "XDP_OPTIONS_ZEROCOPY")]
    pub fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// Returns why [`is_zero_copy`](Self::is_zero_copy) is what it is.
    #[must_use]
    pub fn copy_reason(&self) -> CopyReason {
        self.copy_reason
    }

    /// Returns the socket's packet memory.
    #[must_use]
    pub fn umem(&self) -> &Umem {
        &self.inner.pool.umem
    }

    /// `getsockopt(fd, SOL_XDP, XDP_STATISTICS, ...)`: returns the kernel's counters since the
    /// socket was made.
    ///
    /// # Errors
    /// [`Error::SocketOption`] if the kernel refuses.
    pub fn statistics(&self) -> Result<Statistics> {
        self.inner.backend.statistics()
    }

    /// `setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &packets, 4)`: sets how many packets one
    /// wake-up sends at the most in copy mode (6.17): from 32, the default, to the TX ring's size.
    /// More packets take fewer calls ([`Kick::Again`](super::Kick::Again)), each of which keeps the
    /// processor longer.
    ///
    /// # Errors
    /// [`Error::NeedsKernel`] before 6.17; [`Error::SocketOption`] with `EACCES` for a number out
    /// of range, or on a socket without a TX ring.
    #[doc(alias = "XDP_MAX_TX_SKB_BUDGET")]
    pub fn set_tx_budget(&self, packets: u32) -> Result<()> {
        sys::set_tx_budget(self.inner.as_fd(), packets).map_err(|errno| match errno {
            Errno::NOPROTOOPT => {
                Error::NeedsKernel { feature: "XDP_MAX_TX_SKB_BUDGET", version: "6.17" }
            }
            errno => Error::SocketOption { option: SocketOption::TxBudget, errno },
        })
    }

    /// Returns the error that is pending on the socket (`SO_ERROR`) and clears it: `ENETDOWN`,
    /// once, after the interface went away. A socket whose interface is gone must be dropped; it
    /// cannot be bound again.
    ///
    /// # Errors
    /// [`Error::SocketOption`] if the kernel refuses.
    pub fn take_error(&self) -> Result<Option<Errno>> {
        self.inner.take_error()
    }

    /// Checks that the socket still works: that no error is pending on it, and that neither this
    /// call nor [`take_error`](Self::take_error) has found one before.
    ///
    /// The kernel wakes no sleeper when an interface goes: a loop that only receives calls this
    /// once a second or so, and after a [`wait`](super::wait()) that timed out; or it has a
    /// [`Watch`](crate::interface::Watch), which `wait` takes beside sockets.
    ///
    /// # Errors
    /// [`Error::SocketEnded`] if the interface is gone (or was moved to another network namespace):
    /// the socket has to be dropped. [`Error::SocketOption`] if the kernel refuses to report it.
    ///
    /// ```no_run
    /// # fn f(socket: &xsk::Socket) -> xsk::Result<()> {
    /// if xsk::wait(&[&socket.rx], Some(std::time::Duration::from_secs(1)))? == 0 {
    ///     socket.handle.check()?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn check(&self) -> Result<()> {
        self.inner.check()
    }

    /// Returns how many packets the device dropped on sending, in copy mode: those for which a
    /// wake-up returned [`Kick::Busy`](super::Kick::Busy) (`EBUSY`). Their chunks came back by the
    /// completion ring as if they had been sent, so what was sent is the number of completions less
    /// this one.
    ///
    /// The device drops a packet if it has no carrier, if the packet is longer than the MTU, or if
    /// its queue is full. In zero-copy mode the kernel reports nothing of the kind, and this is 0:
    /// the interface's own counters
    /// ([`InterfaceCounters::tx_dropped`](crate::interface::InterfaceCounters)) may. Packets that
    /// `poll(2)` sent ([`wait`](super::wait())) are not counted: kick first.
    #[must_use]
    pub fn tx_dropped(&self) -> u64 {
        self.inner.tx_dropped()
    }
}

as_fd!(SocketHandle: inner);
