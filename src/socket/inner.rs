//! What the parts of one socket share: its descriptor, its mappings, and the buffer pool of its
//! queue.

use super::backend::Backend;
use super::buffer_pool::BufferPool;
use super::kick::Kick;
use crate::error::{Error, Result};
use crate::ring::RingKind;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// The socket behind its rings; closed when the last part of it is gone.
///
/// The kernel frees the queue only when the descriptor is closed *and* no ring is mapped any more:
/// both happen here, together.
#[derive(Debug)]
pub(crate) struct Inner {
    // Before the pool: the rings are unmapped before the packet memory goes.
    pub(crate) backend: Backend,
    pub(crate) pool: Arc<BufferPool>,
}

impl Inner {
    /// Has the kernel send what is in the TX ring.
    #[cold]
    pub(super) fn kick_tx(&self) -> Result<Kick> {
        kick(RingKind::Tx, || self.backend.wake_tx())
    }

    /// Has a zero-copy driver look at the fill ring.
    #[cold]
    pub(super) fn kick_fill(&self) -> Result<Kick> {
        kick(RingKind::Fill, || self.backend.wake_rx())
    }
}

fn kick(ring: RingKind, wake: impl Fn() -> Result<(), Errno>) -> Result<Kick> {
    loop {
        return match wake() {
            Ok(()) => Ok(Kick::Done),
            Err(Errno::AGAIN) => Ok(Kick::Again),
            Err(Errno::BUSY) => Ok(Kick::Busy),
            Err(Errno::NOBUFS | Errno::NOMEM) => Ok(Kick::NoBuffers),
            Err(Errno::INTR) => continue,
            Err(errno) => Err(Error::Kick { ring, errno }),
        };
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
