//! The builder of another socket on a queue.

use super::builder::{self, Sizes};
use super::memory_sharing_builder::require_same_namespace;
use super::ring_set::{HalfPair, RingPair, RingSpec};
use super::xsk_fd::create;
use super::{
    CopyMode, CopyReason, SharedCompletion, SharedQueue, SharedRx, SharedRxQueue, SharedRxSocket,
    SharedSocket, SharedTxQueue, SharedTxSocket, SharingKind, SocketHandle, Tx, XskFd,
};
use crate::error::{Error, Result};
use crate::sys::xsk as sys;
use std::marker::PhantomData;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

impl SharedQueue {
    /// Starts another socket on the queue (`XDP_SHARED_UMEM`).
    ///
    /// # Panics
    /// If the completion ring or the handle was exchanged for that of another queue.
    #[track_caller]
    pub fn add_socket(&mut self) -> AddedSocketBuilder<'_> {
        self.completion.assert_of(&self.handle);
        AddedSocketBuilder::new(&self.handle, Some(&mut self.completion))
    }
}

impl SharedRxQueue {
    /// Starts another socket on the queue, which receives only, too: nothing takes sent chunks back
    /// here.
    ///
    /// # Panics
    /// If the RX ring or the handle was exchanged for that of another queue.
    #[track_caller]
    pub fn add_socket(&mut self) -> AddedSocketBuilder<'_, SharedRxSocket> {
        self.rx.assert_of(&self.handle);
        AddedSocketBuilder::new(&self.handle, None)
    }
}

impl SharedTxQueue {
    /// Starts another socket on the queue, which sends only, too.
    ///
    /// # Panics
    /// If the completion ring or the handle was exchanged for that of another queue.
    #[track_caller]
    pub fn add_socket(&mut self) -> AddedSocketBuilder<'_, SharedTxSocket> {
        self.completion.assert_of(&self.handle);
        AddedSocketBuilder::new(&self.handle, Some(&mut self.completion))
    }
}

/// The builder of a socket on the queue of another one; made by
/// [`SharedQueue::add_socket`].
///
/// It has neither a mode nor a fill or completion ring to set: they are the other socket's.
///
/// ```no_run
/// # fn f(queue: &mut xsk::SharedQueue) -> xsk::Result<()> {
/// let second = queue.add_socket().rx_size(512).tx_size(512).bind()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is made before `bind`"]
pub struct AddedSocketBuilder<'a, S = SharedSocket> {
    first: &'a SocketHandle,
    completion: Option<&'a mut SharedCompletion>,
    sizes: Sizes,
    kind: PhantomData<fn() -> S>,
}

impl<'a> AddedSocketBuilder<'a, SharedSocket> {
    /// Makes it a socket that only receives.
    pub fn rx_only(self) -> AddedSocketBuilder<'a, SharedRxSocket> {
        self.of_kind()
    }

    /// Makes it a socket that only sends.
    pub fn tx_only(self) -> AddedSocketBuilder<'a, SharedTxSocket> {
        self.of_kind()
    }
}

impl<'a, S> AddedSocketBuilder<'a, S> {
    fn new(first: &'a SocketHandle, completion: Option<&'a mut SharedCompletion>) -> Self {
        Self { first, completion, sizes: Sizes::DEFAULT, kind: PhantomData }
    }

    fn of_kind<T>(self) -> AddedSocketBuilder<'a, T> {
        let Self { first, completion, sizes, .. } = self;
        AddedSocketBuilder { first, completion, sizes, kind: PhantomData }
    }
}

impl<S: SharingKind> AddedSocketBuilder<'_, S> {
    /// Sets the entries of the RX ring: a power of two, 2^20 at the most.
    pub fn rx_size(mut self, entries: u32) -> Self {
        self.sizes.rx = entries;
        self
    }

    /// Sets the entries of the TX ring, as [`rx_size`](Self::rx_size).
    pub fn tx_size(mut self, entries: u32) -> Self {
        self.sizes.tx = entries;
        self
    }

    /// Makes the socket and its rings, and binds it to the queue; from a thread in the network
    /// namespace of the first socket.
    ///
    /// # Errors
    /// [`Error::Setting`] for a ring size that is no power of two, or above 2^20;
    /// [`Error::CreateSocket`], [`Error::CreateRing`], [`Error::MapRing`], [`Error::Bind`] if the
    /// kernel refuses; [`Error::Interface`] with `EXDEV` in another namespace.
    pub fn bind(self) -> Result<S> {
        self.finish(create)
    }

    /// Makes and binds the socket as [`bind`](Self::bind) does, of one that was opened before,
    /// perhaps by another process; as
    /// [`SocketBuilder::open_with`](super::SocketBuilder::open_with).
    ///
    /// # Errors
    /// As [`bind`](Self::bind), without [`Error::CreateSocket`]; [`Error::CreateRing`] with `EBUSY`
    /// or `EINVAL` if something else has used the socket meanwhile.
    pub fn bind_with(self, fd: XskFd) -> Result<S> {
        self.finish(|| Ok(fd.into()))
    }

    /// Makes a socket of the descriptor that `opened` returns.
    fn finish(self, opened: impl FnOnce() -> Result<OwnedFd>) -> Result<S> {
        let Self { first, completion, sizes, .. } = self;
        let pair: RingPair<S, RingSpec> = sizes.pair();
        let pair = pair.try_map(RingSpec::checked)?;
        let fd = opened()?;
        require_same_namespace(first, fd.as_fd())?;
        let pair = pair.try_map(|spec| spec.create(fd.as_fd()).map(|()| spec))?;
        let (offsets, flags_word) = builder::offsets(fd.as_fd())?;
        let pair = pair.try_map(|spec| spec.map(fd.as_fd(), &offsets, flags_word))?;
        let (pool, sent) = (Arc::clone(&first.inner().pool), Arc::default());
        let make_tx = |memory, inner| Tx::of_sharing(memory, inner, Arc::clone(&sent));
        let HalfPair { rx, tx, inner } = pair.into_halves(fd, pool, SharedRx::new, make_tx)?;
        let (index, queue) = (first.interface_index(), first.queue());
        sys::bind_shared(inner.as_fd(), index, queue, first.as_fd()).map_err(|errno| {
            Error::Bind {
                interface: first.interface().to_owned(),
                queue,
                queues: None,
                copy: CopyMode::Auto,
                shared_with: Some(first.place()),
                multi_buffer: false,
                waited: Duration::ZERO,
                holder: None,
                errno,
            }
        })?;
        if let Some(completion) = completion {
            completion.expect(sent);
        }
        let copy = (first.is_zero_copy(), CopyReason::Shared);
        let handle = SocketHandle::new(inner, first.interface(), index, queue, copy);
        Ok(S::build(rx, tx, handle))
    }
}
