//! The builder of a socket on another queue over packet memory that a socket has registered.

use super::builder::{self, Sizes};
use super::unbound::BindSettings;
use super::xsk_fd::create;
use super::{
    CopyMode, PacketSocket, RxSocket, Socket, SocketBuilder, SocketHandle, SocketKind, TxSocket,
    Unbound, XskFd,
};
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::sys::netns;
use rustix::io::Errno;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

impl SocketHandle {
    /// Starts a socket on another queue, of this interface or of another one, over the packet memory
    /// that this socket has registered (`XDP_SHARED_UMEM`, 5.10).
    ///
    /// The kernel pins the memory and counts it against `RLIMIT_MEMLOCK` once for all of them, and a
    /// zero-copy driver maps it once for each device. A socket of [`Socket::builder`] over the same
    /// UMEM registers it anew instead: it has a mode of its own, and works before 5.10.
    pub fn share_memory(&self) -> MemorySharingBuilder {
        let timeout = Duration::from_secs(2);
        MemorySharingBuilder {
            with: self.clone(),
            sizes: Sizes::DEFAULT,
            timeout,
            kind: PhantomData,
        }
    }

    /// The same, with the kind and the sizes of `builder`.
    pub(crate) fn share_memory_as<S: SocketKind>(
        &self,
        builder: &SocketBuilder<S>,
    ) -> MemorySharingBuilder<S> {
        let (sizes, timeout) = builder.sizes_and_timeout();
        MemorySharingBuilder { with: self.clone(), sizes, timeout, kind: PhantomData }
    }
}

/// The builder of a socket on another queue over packet memory that a socket has registered; made by
/// [`SocketHandle::share_memory`].
///
/// It has no mode to set: zero-copy and need-wakeup are as with that socket.
///
/// ```no_run
/// # fn f(first: &xsk::Socket, eth2: &xsk::Interface, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let mut unbound = first.handle.share_memory().open()?;
/// unbound.fill.fill_from(pool, 2048)?;
/// let second = unbound.bind(eth2, 0)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is made before `open` or `bind`"]
pub struct MemorySharingBuilder<S = Socket> {
    with: SocketHandle,
    sizes: Sizes,
    timeout: Duration,
    kind: PhantomData<fn() -> S>,
}

impl MemorySharingBuilder<Socket> {
    /// Makes it a socket that only receives; as [`SocketBuilder::rx_only`](super::SocketBuilder).
    pub fn rx_only(self) -> MemorySharingBuilder<RxSocket> {
        let Self { with, mut sizes, timeout, .. } = self;
        sizes.completion = 1;
        MemorySharingBuilder { with, sizes, timeout, kind: PhantomData }
    }

    /// Makes it a socket that only sends; as [`SocketBuilder::tx_only`](super::SocketBuilder).
    pub fn tx_only(self) -> MemorySharingBuilder<TxSocket> {
        let Self { with, sizes, timeout, .. } = self;
        MemorySharingBuilder { with, sizes, timeout, kind: PhantomData }
    }
}

impl MemorySharingBuilder<Socket> {
    /// As [`SocketBuilder::multi_buffer`](super::SocketBuilder::multi_buffer). The kernel decides it
    /// for all sockets that share packet memory: it must be, and must only be, if the other socket has
    /// it.
    pub fn multi_buffer(self) -> MemorySharingBuilder<PacketSocket> {
        let Self { with, sizes, timeout, .. } = self;
        MemorySharingBuilder { with, sizes, timeout, kind: PhantomData }
    }
}

impl<S: SocketKind> MemorySharingBuilder<S> {
    /// Sets the entries of the RX ring: a power of two, 2^20 at the most, as for all rings.
    pub fn rx_size(mut self, entries: u32) -> Self {
        self.sizes.rx = entries;
        self
    }

    /// Sets the entries of the TX ring.
    pub fn tx_size(mut self, entries: u32) -> Self {
        self.sizes.tx = entries;
        self
    }

    /// Sets the entries of the fill ring.
    pub fn fill_size(mut self, entries: u32) -> Self {
        self.sizes.fill = entries;
        self
    }

    /// Sets the entries of the completion ring.
    pub fn completion_size(mut self, entries: u32) -> Self {
        self.sizes.completion = entries;
        self
    }

    /// Sets how long [`Unbound::bind`] tries again while the queue is taken; as
    /// [`SocketBuilder::bind_timeout`](super::SocketBuilder::bind_timeout).
    pub fn bind_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes the socket and its rings. As [`SocketBuilder::open`](super::SocketBuilder::open), but
    /// the packet memory is not registered again.
    ///
    /// # Errors
    /// As there, and [`Error::Interface`] with `EXDEV` from a thread in another namespace than that
    /// of the other socket. [`Unbound::bind`] then returns [`Error::NeedsKernel`] before 5.10.
    pub fn open(self) -> Result<Unbound<S>> {
        self.finish(create)
    }

    /// Makes the socket as [`open`](Self::open) does, of one that was opened before, perhaps by
    /// another process; as [`SocketBuilder::open_with`](super::SocketBuilder::open_with).
    ///
    /// # Errors
    /// As [`open`](Self::open), without [`Error::CreateSocket`]; [`Error::CreateRing`] with `EBUSY`
    /// or `EINVAL` if something else has used the socket meanwhile.
    pub fn open_with(self, fd: XskFd) -> Result<Unbound<S>> {
        self.finish(|| Ok(fd.into()))
    }

    /// Makes a socket of the descriptor that `opened` returns.
    fn finish(self, opened: impl FnOnce() -> Result<OwnedFd>) -> Result<Unbound<S>> {
        let Self { with, sizes, timeout, .. } = self;
        if with.inner().pool.multi_buffer != S::MULTI_BUFFER {
            return Err(Error::Setting {
                name: "multi_buffer, as a number,",
                value: S::MULTI_BUFFER.into(),
                rule: "is that of the socket whose packet memory is shared, because all sockets over \
                    one registration are for packets of several frames, or none is: call \
                    `multi_buffer` for both or for neither, or register the memory anew by \
                    `Socket::builder`",
            });
        }
        let specs = sizes.specs()?;
        let fd = opened()?;
        require_same_namespace(&with, fd.as_fd())?;
        let (rings, _) = builder::map(fd.as_fd(), specs)?;
        let halves = rings.into_halves(fd, with.umem().clone())?;
        let bind = BindSettings { copy: CopyMode::Auto, need_wakeup: false, timeout };
        Ok(halves.into_unbound(bind, Some(with)))
    }

    /// Does [`open`](Self::open) and [`Unbound::bind`] in one.
    ///
    /// # Errors
    /// As both.
    pub fn bind(self, interface: &Interface, queue: u32) -> Result<S> {
        Ok(self.open()?.bind(interface, queue)?)
    }
}

/// Refuses to share with a socket of another namespace: the kernel would look the interface up in
/// the new socket's.
pub(super) fn require_same_namespace(with: &SocketHandle, fd: BorrowedFd<'_>) -> Result<()> {
    if netns::is_shared(with.as_fd(), fd) != Some(false) {
        return Ok(());
    }
    Err(Error::Interface {
        name: with.interface().to_owned(),
        operation: "share the packet memory of a socket on",
        errno: Errno::XDEV,
        message: Some("the calling thread is in another network namespace".to_owned()),
    })
}
