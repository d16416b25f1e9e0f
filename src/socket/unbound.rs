//! A socket with rings and memory that is not bound to a queue yet.

use super::inner::Inner;
use super::{Completion, CopyMode, Fill, Rx, SocketHandle, SocketKind, Tx};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// What is decided at `bind(2)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct BindSettings {
    pub(super) copy: CopyMode,
    pub(super) need_wakeup: bool,
    pub(super) timeout: Duration,
}

/// A socket that is not bound yet; made by [`SocketBuilder::open`](super::SocketBuilder::open).
///
/// ```no_run
/// # fn f(interface: &xsk::Interface) -> xsk::Result<()> {
/// let (umem, mut pool) = xsk::Umem::builder().build()?;
/// let mut unbound = xsk::Socket::builder(&umem).open()?;
/// unbound.fill.fill_from(&mut pool, 2048)?; // zero-copy drivers take their first chunks in `bind`
/// let socket = unbound.bind(interface, 0)?;
/// # Ok(()) }
/// ```
#[must_use = "a socket does nothing before `bind`"]
pub struct Unbound<S: SocketKind> {
    /// The fill ring, to be filled before or after binding.
    pub fill: Fill,
    pub(super) rx: S::Rx<Rx>,
    pub(super) tx: S::Tx<Tx>,
    pub(super) completion: Completion,
    pub(super) inner: Arc<Inner>,
    pub(super) bind: BindSettings,
    /// The bound socket whose registration of the packet memory it uses.
    pub(super) shares: Option<SocketHandle>,
}

impl<S: SocketKind> fmt::Debug for Unbound<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fill, inner, bind, .. } = self;
        f.debug_struct("Unbound")
            .field("fill", fill)
            .field("inner", inner)
            .field("bind", bind)
            .finish_non_exhaustive()
    }
}

impl<S: SocketKind> AsFd for Unbound<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<S: SocketKind> AsRawFd for Unbound<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
