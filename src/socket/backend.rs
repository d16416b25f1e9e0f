//! The other side of a socket: the kernel, or the fake kernel of feature `test-util`.

use super::statistics::{self, Statistics};
use crate::error::{Error, Result, SocketOption};
use crate::sys::memory::Mapping;
use crate::sys::xsk as sys;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What a socket's parts talk to.
#[derive(Debug)]
pub(crate) enum Backend {
    /// The kernel.
    Kernel {
        fd: OwnedFd,
        /// The mappings of the RX and TX rings, which live as long as the descriptor.
        _rings: Vec<Mapping>,
    },
    /// A fake kernel.
    #[cfg(feature = "test-util")]
    Fake {
        /// Readable while the RX ring holds packets.
        fd: OwnedFd,
        kernel: std::sync::Arc<dyn FakeBackend>,
        /// The memory of its RX and TX ring, where the buffer pool does not have it.
        _rings: Option<std::sync::Arc<dyn super::buffer_pool::Keep>>,
    },
}

/// What a fake kernel's socket has in place of the kernel.
#[cfg(feature = "test-util")]
pub(crate) trait FakeBackend: std::fmt::Debug + Send + Sync {
    /// Takes what is in the TX ring, as `sendto` does.
    fn wake_tx(&self) -> Result<(), Errno>;

    /// Looks at the fill ring, as `recvfrom` does.
    fn wake_rx(&self) -> Result<(), Errno>;
}

impl Backend {
    /// `sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0)`: has the kernel send what is in the TX ring.
    pub(super) fn wake_tx(&self) -> Result<(), Errno> {
        match self {
            Self::Kernel { fd, .. } => sys::wake_tx(fd.as_fd()),
            #[cfg(feature = "test-util")]
            Self::Fake { kernel, .. } => kernel.wake_tx(),
        }
    }

    /// `recvfrom(fd, NULL, 0, MSG_DONTWAIT, NULL, NULL)`: has a zero-copy driver look at the fill
    /// ring.
    pub(super) fn wake_rx(&self) -> Result<(), Errno> {
        match self {
            Self::Kernel { fd, .. } => sys::wake_rx(fd.as_fd()),
            #[cfg(feature = "test-util")]
            Self::Fake { kernel, .. } => kernel.wake_rx(),
        }
    }

    /// Returns the kernel's counters; a fake kernel has none, and all are zero.
    pub(super) fn statistics(&self) -> Result<Statistics> {
        match self {
            Self::Kernel { fd, .. } => {
                let failed =
                    |errno| Error::SocketOption { option: SocketOption::Statistics, errno };
                let (raw, len) = sys::statistics(fd.as_fd()).map_err(failed)?;
                Ok(statistics::of_reply(&raw, len))
            }
            #[cfg(feature = "test-util")]
            Self::Fake { .. } => Ok(Statistics::default()),
        }
    }
}

impl AsFd for Backend {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Kernel { fd, .. } => fd.as_fd(),
            #[cfg(feature = "test-util")]
            Self::Fake { fd, .. } => fd.as_fd(),
        }
    }
}
