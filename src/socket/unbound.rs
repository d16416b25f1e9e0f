//! A socket with rings and memory, on its way to a queue.

use super::builder::BindSettings;
use super::copy_reason::CopyReason;
use super::inner::Inner;
use super::{CopyMode, Fill, Rings, SocketHandle, SocketKind};
use crate::error::{Error, Result, SocketOption};
use crate::interface::Interface;
use crate::sys::xsk as sys;
use rustix::io::Errno;
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use xsk_uapi::if_xdp as uapi;

/// Between two tries at a taken queue.
const PAUSE: Duration = Duration::from_millis(1);

/// A socket that is not bound yet; made by [`SocketBuilder::open`](super::SocketBuilder::open).
#[derive(Debug)]
#[must_use = "a socket does nothing before `bind`"]
pub struct Unbound<S> {
    /// The fill ring, to be filled before or after binding.
    pub fill: Fill,
    rings: Rings,
    inner: Arc<Inner>,
    bind: BindSettings,
    shape: PhantomData<fn() -> S>,
}

impl<S: SocketKind> Unbound<S> {
    pub(super) fn new(inner: Arc<Inner>, fill: Fill, rings: Rings, bind: BindSettings) -> Self {
        Self { fill, rings, inner, bind, shape: PhantomData }
    }

    /// `bind(fd, {AF_XDP, flags, interface, queue}, 16)`: gives the socket a queue of an interface.
    ///
    /// Works whether or not a program is attached that redirects to the socket; without one, nothing is
    /// received. While the queue is taken, tries again for as long as
    /// [`bind_timeout`](super::SocketBuilder::bind_timeout) says.
    ///
    /// # Errors
    /// The socket comes back in the [`BindError`], with what is in its fill ring.
    /// [`Error::Setting`] for a queue that the kernel would confuse with another;
    /// [`Error::Bind`] as the kernel answers.
    #[expect(clippy::result_large_err, reason = "a refused bind gives the socket back")]
    pub fn bind(self, interface: &Interface, queue: u32) -> Result<S, BindError<S>> {
        let copy = match self.try_bind(interface, queue) {
            Ok(copy) => copy,
            Err(error) => {
                return Err(BindError { error, socket: Some(self) });
            }
        };
        let handle = SocketHandle::new(Arc::clone(&self.inner), interface, queue, copy);
        let missing =
            Error::SocketOption { option: SocketOption::MmapOffsets, errno: Errno::INVAL };
        S::build(self.rings, self.fill, handle).ok_or(BindError { error: missing, socket: None })
    }

    /// Binds; answers whether that came to zero-copy, and why.
    fn try_bind(&self, interface: &Interface, queue: u32) -> Result<(bool, CopyReason)> {
        // The kernel cuts the number to 16 bits before it looks whether there is such a queue.
        if queue > u32::from(u16::MAX) {
            let rule = "is below 65536";
            return Err(Error::Setting { name: "queue", value: u64::from(queue), rule });
        }
        self.require_same_namespace(interface)?;
        let started = Instant::now();
        let bind = |flag| self.bind_with(flag, interface.index(), queue, started);
        let (bound, reason) = match self.bind.copy {
            CopyMode::Copy => (bind(uapi::XDP_COPY), CopyReason::Asked),
            CopyMode::ZeroCopy => (bind(uapi::XDP_ZEROCOPY), CopyReason::Asked),
            CopyMode::Auto => match bind(uapi::XDP_ZEROCOPY) {
                Ok(()) => (Ok(()), CopyReason::ZeroCopy),
                // EBUSY after all the waiting can be the driver's, too; if the queue is taken, it comes again.
                Err(errno) => (bind(uapi::XDP_COPY), CopyReason::Refused { errno }),
            },
        };
        let waited = started.elapsed();
        bound.map_err(|errno| Error::Bind {
            interface: interface.name().to_owned(),
            queue,
            queues: interface.queues().ok().map(|queues| queues.current()),
            copy: self.bind.copy,
            waited,
            errno,
        })?;
        let zero_copy = match sys::options(self.inner.as_fd()) {
            Ok(options) => options & uapi::XDP_OPTIONS_ZEROCOPY != 0,
            // Before 5.3 the kernel does not tell; what was asked of it last, it did.
            Err(_) => self.bind.copy == CopyMode::ZeroCopy || reason == CopyReason::ZeroCopy,
        };
        Ok((zero_copy, reason))
    }

    /// Binds in one mode; again while the queue is taken, until it was waited long enough.
    fn bind_with(
        &self,
        mode: u16,
        interface: u32,
        queue: u32,
        started: Instant,
    ) -> Result<(), Errno> {
        let wakeup = if self.bind.need_wakeup { uapi::XDP_USE_NEED_WAKEUP } else { 0 };
        loop {
            match sys::bind(self.inner.as_fd(), mode | wakeup, interface, queue) {
                Err(Errno::BUSY) if started.elapsed() < self.bind.wait => {
                    std::thread::sleep(PAUSE.min(self.bind.wait.saturating_sub(started.elapsed())));
                }
                done => return done,
            }
        }
    }

    /// The kernel looks the index up in the namespace that the socket was made in, where another
    /// interface may have it.
    fn require_same_namespace(&self, interface: &Interface) -> Result<()> {
        if interface.shares_namespace_with(self.inner.as_fd()) != Some(false) {
            return Ok(());
        }
        Err(Error::Interface {
            name: interface.name().to_owned(),
            operation: "bind to",
            errno: Errno::XDEV,
            message: Some("the socket was made in another network namespace".to_owned()),
        })
    }
}

impl<S> AsFd for Unbound<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// A refused `bind`: why, and the socket, to be tried again.
#[derive(Debug)]
pub struct BindError<S> {
    /// Why.
    pub error: Error,
    /// The socket as it was; `None` if it cannot be used any more.
    pub socket: Option<Unbound<S>>,
}

impl<S> fmt::Display for BindError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S: fmt::Debug> std::error::Error for BindError<S> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

impl<S> From<BindError<S>> for Error {
    fn from(refused: BindError<S>) -> Self {
        refused.error
    }
}
