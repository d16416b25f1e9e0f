//! What a bound socket is bound to, and how it fares.

use super::copy_reason::CopyReason;
use super::inner::Inner;
use super::statistics::{self, Statistics};
use crate::error::{Error, Result, SocketOption};
use crate::interface::Interface;
use crate::sys::xsk as sys;
use crate::umem::Umem;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// What a bound socket is bound to, its mode and its counters; cheap to clone, for another thread.
///
/// It is a part of the socket: the socket is open as long as this lives.
#[derive(Debug, Clone)]
pub struct SocketHandle {
    inner: Arc<Inner>,
    interface: Arc<str>,
    index: u32,
    queue: u32,
    zero_copy: bool,
    reason: CopyReason,
}

impl SocketHandle {
    pub(super) fn new(
        inner: Arc<Inner>,
        at: &Interface,
        queue: u32,
        (zero_copy, reason): (bool, CopyReason),
    ) -> Self {
        Self { inner, interface: at.name().into(), index: at.index(), queue, zero_copy, reason }
    }

    /// Of a socket whose kernel is a fake.
    #[cfg(feature = "test-util")]
    pub(crate) fn fake(inner: Arc<Inner>) -> Self {
        Self {
            inner,
            interface: "fake".into(),
            index: 0,
            queue: 0,
            zero_copy: false,
            reason: CopyReason::Asked,
        }
    }

    /// The interface's name at the time of binding.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The interface's index.
    #[must_use]
    pub fn interface_index(&self) -> u32 {
        self.index
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> u32 {
        self.queue
    }

    /// Whether packets are in the UMEM without a copy: what `XDP_OPTIONS` said after binding (5.3;
    /// before, what was demanded).
    #[must_use]
    #[doc(alias = "XDP_OPTIONS_ZEROCOPY")]
    pub fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// Why [`is_zero_copy`](Self::is_zero_copy) is what it is.
    #[must_use]
    pub fn copy_reason(&self) -> CopyReason {
        self.reason
    }

    /// The socket's packet memory.
    #[must_use]
    pub fn umem(&self) -> &Umem {
        &self.inner.umem
    }

    /// `getsockopt(fd, SOL_XDP, XDP_STATISTICS, ...)`: the kernel's counters since the socket was made.
    ///
    /// # Errors
    /// [`Error::SocketOption`] if the kernel refuses.
    pub fn statistics(&self) -> Result<Statistics> {
        if self.inner.fake_kicks.is_some() {
            return Ok(Statistics::default());
        }
        statistics::read(self.inner.as_fd())
    }

    /// `setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &packets, 4)`: how many packets one wake-up sends at the
    /// most in copy mode (6.17): from 32, the default, to the TX ring's size. More means fewer calls for
    /// a sender of many packets, and that one sender keeps the processor longer.
    ///
    /// # Errors
    /// [`Error::NeedsKernel`] before 6.17; [`Error::SocketOption`] with `EACCES` for a number out of
    /// range, or on a socket without a TX ring.
    #[doc(alias = "XDP_MAX_TX_SKB_BUDGET")]
    pub fn set_tx_budget(&self, packets: u32) -> Result<()> {
        sys::set_tx_budget(self.inner.as_fd(), packets).map_err(|errno| match errno {
            Errno::NOPROTOOPT => {
                Error::NeedsKernel { feature: "XDP_MAX_TX_SKB_BUDGET", version: "6.17" }
            }
            errno => Error::SocketOption { option: SocketOption::TxBudget, errno },
        })
    }

    /// The error that is pending on the socket (`SO_ERROR`), which this clears: `ENETDOWN`, once, after
    /// the interface went away. A socket whose interface is gone must be dropped; it cannot be bound
    /// again.
    ///
    /// # Errors
    /// [`Error::SocketOption`] if the kernel refuses.
    pub fn take_error(&self) -> Result<Option<Errno>> {
        match rustix::net::sockopt::socket_error(self.inner.as_fd()) {
            Ok(Ok(())) => Ok(None),
            Ok(Err(errno)) => Ok(Some(errno)),
            Err(errno) => Err(Error::SocketOption { option: SocketOption::Error, errno }),
        }
    }
}

impl AsFd for SocketHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
