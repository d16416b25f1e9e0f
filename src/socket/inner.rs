//! What the parts of one socket share: its descriptor, its mappings, its UMEM, and two counters.

use crate::error::{Error, Result};
use crate::ring::{AtomicU32, RingKind};
use crate::sys::memory::Mapping;
use crate::sys::xsk as sys;
use crate::umem::Umem;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The socket behind its rings; closed when the last part of it is gone.
///
/// The kernel frees the queue only when the descriptor is closed *and* no ring is mapped any more: both
/// happen here, together.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) fd: OwnedFd,
    /// Set for the rings of a fake kernel, which counts wake-ups in place of being called.
    pub(crate) fake_kicks: Option<AtomicU64>,
    pub(crate) counts: GivenCounts,
    pub(crate) umem: Umem,
    /// Keeps the rings mapped, or allocated.
    _rings: RingOwner,
}

/// Who keeps the memory of the rings.
pub(crate) enum RingOwner {
    Kernel(#[expect(dead_code, reason = "kept for its drop")] [Option<Mapping>; 4]),
    #[cfg_attr(
        not(feature = "test-util"),
        expect(dead_code, reason = "only the fake kernel has it")
    )]
    Fake(#[allow(dead_code, reason = "kept for its drop")] Arc<dyn std::any::Any + Send + Sync>),
}

impl std::fmt::Debug for RingOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kernel(_) => "Kernel",
            Self::Fake(_) => "Fake",
        })
    }
}

/// How many entries were ever given to the kernel, modulo 2^32. Never more come back (invariant I7).
#[derive(Debug, Default)]
pub(crate) struct GivenCounts {
    /// Chunks published in the fill ring.
    pub(crate) filled: Arc<AtomicU32>,
    /// Descriptors published in the TX ring.
    pub(crate) sent: Arc<AtomicU32>,
}

/// What a wake-up of the kernel came to. None of these is a failure: what was published stays in its
/// ring until the kernel takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "`Again` and `NoBuffers` ask for another wake-up later"]
pub enum Kick {
    /// The kernel did not ask for one, so none was made.
    NotNeeded,
    /// The kernel worked. That does not mean that the ring is drained: it stops at a full completion
    /// ring, for example; see [`Tx::pending`](super::Tx::pending).
    Done,
    /// `EAGAIN`: there is more to send than the kernel does in one call (32 descriptors), or the
    /// completion ring or the socket's send buffer is full. Reap, then kick again.
    Again,
    /// `EBUSY`: the device dropped a packet (its queue was full, or the packet is longer than the MTU);
    /// its chunk comes back as if it had been sent. Kick again for the rest.
    Busy,
    /// `ENOBUFS` or `ENOMEM`: the kernel had no memory. Kick again later.
    NoBuffers,
}

impl Inner {
    pub(crate) fn new(fd: OwnedFd, umem: Umem, rings: RingOwner, fake: bool) -> Self {
        let fake_kicks = fake.then(AtomicU64::default);
        Self { fd, fake_kicks, counts: GivenCounts::default(), umem, _rings: rings }
    }

    /// Has the kernel send what is in the TX ring.
    #[cold]
    pub(super) fn kick_tx(&self) -> Result<Kick> {
        self.kick(RingKind::Tx, sys::wake_tx)
    }

    /// Has a zero-copy driver look at the fill ring.
    #[cold]
    pub(super) fn kick_fill(&self) -> Result<Kick> {
        self.kick(RingKind::Fill, sys::wake_rx)
    }

    fn kick(
        &self,
        ring: RingKind,
        call: impl Fn(BorrowedFd<'_>) -> Result<(), Errno>,
    ) -> Result<Kick> {
        if let Some(kicks) = &self.fake_kicks {
            kicks.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            return Ok(Kick::Done);
        }
        loop {
            return match call(self.fd.as_fd()) {
                Ok(()) => Ok(Kick::Done),
                Err(Errno::AGAIN) => Ok(Kick::Again),
                Err(Errno::BUSY) => Ok(Kick::Busy),
                Err(Errno::NOBUFS | Errno::NOMEM) => Ok(Kick::NoBuffers),
                Err(Errno::INTR) => continue,
                Err(errno) => Err(Error::Kick { ring, errno }),
            };
        }
    }
}

impl AsFd for Inner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
