//! What the parts of one socket share: its descriptor, its mappings, and the buffer pool of its
//! queue.

use super::backend::Backend;
use super::buffer_pool::BufferPool;
use super::kick::Kick;
use crate::error::{Error, Result, SocketOption};
use crate::ring::RingKind;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// `BUSY_POLL_BUDGET` (net/core/dev.c): the packets that one poll takes unless it is set.
pub(super) const DEFAULT_BUSY_POLL_BUDGET: u16 = 8;

/// The socket behind its rings; closed when the last part of it is gone.
///
/// The kernel frees the queue only when the descriptor is closed *and* no ring is mapped any more:
/// both happen here, together.
#[derive(Debug)]
pub(crate) struct Inner {
    // Before the pool: the rings are unmapped before the packet memory goes.
    pub(crate) backend: Backend,
    pub(crate) pool: Arc<BufferPool>,
    /// Set when the socket is bound.
    bound: OnceLock<Bound>,
    tx_abilities: OnceLock<TxAbilities>,
    /// Packets that the device dropped on sending in copy mode.
    tx_dropped: AtomicU64,
    /// The error that was pending on the socket: the kernel reports it once. 0 for none.
    lasting_error: AtomicU32,
    /// The budget of busy polling, which the kernel does not report.
    busy_poll_budget: AtomicU32,
}

/// Where a socket is bound, and how.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) interface: Arc<str>,
    pub(crate) queue: u32,
    pub(crate) zero_copy: bool,
}

/// What can be asked for by TX metadata, beside the time of sending.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TxAbilities {
    pub(crate) checksum: bool,
    pub(crate) launch_time: bool,
}

impl Inner {
    pub(crate) fn new(backend: Backend, pool: Arc<BufferPool>) -> Self {
        Self {
            backend,
            pool,
            bound: OnceLock::new(),
            tx_abilities: OnceLock::new(),
            tx_dropped: AtomicU64::new(0),
            lasting_error: AtomicU32::new(0),
            busy_poll_budget: AtomicU32::new(DEFAULT_BUSY_POLL_BUDGET.into()),
        }
    }

    /// Sets what can be asked for by TX metadata, before the socket is used.
    pub(crate) fn set_tx_abilities(&self, abilities: TxAbilities) {
        let _ = self.tx_abilities.set(abilities);
    }

    /// Returns what can be asked for by TX metadata; nothing if it is not known.
    pub(super) fn tx_abilities(&self) -> TxAbilities {
        self.tx_abilities.get().copied().unwrap_or_default()
    }

    /// Returns how many packets one poll takes, as far as this crate has set it.
    pub(super) fn busy_poll_budget(&self) -> u16 {
        let budget = self.busy_poll_budget.load(Ordering::Relaxed);
        u16::try_from(budget).unwrap_or(u16::MAX)
    }

    /// Keeps how many packets one poll takes.
    pub(super) fn keep_busy_poll_budget(&self, packets: u16) {
        self.busy_poll_budget.store(packets.into(), Ordering::Relaxed);
    }

    /// Keeps where the socket was bound: once.
    pub(crate) fn set_bound(&self, bound: Bound) {
        let _ = self.bound.set(bound);
    }

    /// Has the kernel send what is in the TX ring.
    #[cold]
    pub(super) fn kick_tx(&self) -> Result<Kick> {
        let kick = self.kick(RingKind::Tx, || self.backend.wake_tx())?;
        if kick == Kick::Busy && !self.is_zero_copy() {
            // `__xsk_generic_xmit` (net/xdp/xsk.c) stops at the packet that was dropped.
            self.tx_dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(kick)
    }

    /// Has a zero-copy driver look at the fill ring.
    #[cold]
    pub(super) fn kick_fill(&self) -> Result<Kick> {
        self.kick(RingKind::Fill, || self.backend.wake_rx())
    }

    /// Returns how many packets the device dropped on sending, as far as the kernel reported it.
    pub(super) fn tx_dropped(&self) -> u64 {
        self.tx_dropped.load(Ordering::Relaxed)
    }

    pub(super) fn is_zero_copy(&self) -> bool {
        self.bound.get().is_some_and(|bound| bound.zero_copy)
    }

    /// Returns the interface and queue; before the socket is bound the interface is empty.
    fn place(&self) -> (String, u32) {
        self.bound
            .get()
            .map_or((String::new(), 0), |bound| (bound.interface.as_ref().to_owned(), bound.queue))
    }

    fn kick(&self, ring: RingKind, wake: impl Fn() -> Result<(), Errno>) -> Result<Kick> {
        loop {
            return match wake() {
                Ok(()) => Ok(Kick::Done),
                Err(Errno::AGAIN) => Ok(Kick::Again),
                Err(Errno::BUSY) => Ok(Kick::Busy),
                Err(Errno::NOBUFS | Errno::NOMEM) => Ok(Kick::NoBuffers),
                Err(Errno::INTR) => continue,
                Err(errno) => {
                    let (interface, queue) = self.place();
                    Err(Error::Kick { ring, interface, queue, errno })
                }
            };
        }
    }

    /// Returns the error that is pending on the socket, also after it was reported.
    pub(super) fn check(&self) -> Result<()> {
        self.take_error()?;
        let number = i32::try_from(self.lasting_error.load(Ordering::Relaxed)).unwrap_or_default();
        if number == 0 {
            return Ok(());
        }
        let (interface, queue) = self.place();
        let errno = Errno::from_raw_os_error(number);
        Err(Error::SocketEnded { interface, queue, errno })
    }

    /// `getsockopt(fd, SOL_SOCKET, SO_ERROR, ...)`
    pub(super) fn take_error(&self) -> Result<Option<Errno>> {
        match rustix::net::sockopt::socket_error(self.as_fd()) {
            Ok(Ok(())) => Ok(None),
            Ok(Err(errno)) => {
                self.lasting_error.store(errno.raw_os_error().unsigned_abs(), Ordering::Relaxed);
                Ok(Some(errno))
            }
            // The descriptor of a fake kernel is no socket.
            #[cfg(feature = "test-util")]
            Err(Errno::NOTSOCK) if matches!(self.backend, Backend::Fake { .. }) => Ok(None),
            Err(errno) => Err(Error::SocketOption { option: SocketOption::Error, errno }),
        }
    }
}

impl AsFd for Inner {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.backend.as_fd()
    }
}

/// Implements `AsFd` and `AsRawFd` of a part of a socket: the descriptor of its field.
macro_rules! as_fd {
    ($($(#[$doc:meta])* $part:ty: $field:ident),*) => {$(
        impl std::os::fd::AsFd for $part {
            $(#[$doc])*
            #[inline]
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                std::os::fd::AsFd::as_fd(&self.$field)
            }
        }

        impl std::os::fd::AsRawFd for $part {
            #[inline]
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(self))
            }
        }
    )*};
}
pub(super) use as_fd;
