//! AF_XDP sockets: from a builder to four rings at work.
//!
//! [`Socket::builder`] describes a socket, [`SocketBuilder::open`] makes it with its rings and
//! registers the UMEM, [`Unbound::bind`] gives it a queue. A bound socket is a bundle of
//! independent parts: [`Rx`], [`Fill`], [`Tx`], [`Completion`] and [`SocketHandle`].

mod added_socket_builder;
mod backend;
mod batch;
mod bind;
mod bind_error;
mod buffer_pool;
mod builder;
mod busy_poll;
mod completion;
mod completion_batch;
mod copy_reason;
mod desc;
mod drain;
mod fill;
mod fill_batch;
mod handle;
mod inner;
mod kick;
mod memory_sharing_builder;
mod metadata_rx;
mod metadata_tx;
mod napi_profile;
mod packet_batch;
mod packet_entry;
mod packet_rx;
mod packet_socket;
mod packet_tx;
mod port;
mod register_memory;
mod ring_set;
mod routed;
mod rx;
mod rx_batch;
mod sealed;
mod shared;
mod shared_completion;
mod shared_rx;
mod statistics;
mod tx;
mod tx_batch;
mod tx_requests;
mod unbound;
mod verdict;
mod wait;
mod xsk_fd;

pub use crate::types::CopyMode;
pub use added_socket_builder::AddedSocketBuilder;
pub use bind_error::BindError;
pub use builder::SocketBuilder;
pub use busy_poll::{BusyPoll, BusyPollEffect};
pub use completion::Completion;
pub use completion_batch::{CompletionBatch, CompletionFrames};
pub use copy_reason::CopyReason;
pub use drain::{Drained, drain};
pub use fill::Fill;
pub use fill_batch::FillBatch;
pub use handle::SocketHandle;
pub(crate) use inner::Inner;
#[cfg(feature = "test-util")]
pub(crate) use inner::TxAbilities;
pub use kick::Kick;
pub use memory_sharing_builder::MemorySharingBuilder;
pub use metadata_rx::{MetadataFrames, MetadataRx};
pub use metadata_tx::{
    MetadataCompletion, MetadataCompletionFrames, MetadataRefusal, MetadataRefused, MetadataTx,
    MetadataTxBatch,
};
pub use napi_profile::{AppliedProfile, NapiProfile};
pub use packet_batch::{PacketBatch, Packets};
pub use packet_rx::PacketRx;
pub use packet_socket::PacketSocket;
pub use packet_tx::{PacketRefused, PacketTx, PacketTxBatch, RefusalReason};
pub use port::Port;
pub use routed::Routed;
pub use rx::Rx;
pub use rx_batch::{RxBatch, RxFrames};
pub use shared::{
    SharedQueue, SharedRxQueue, SharedRxSocket, SharedSocket, SharedTxQueue, SharedTxSocket,
    SharingKind,
};
pub use shared_completion::SharedCompletion;
pub use shared_rx::SharedRx;
pub use statistics::Statistics;
pub use tx::Tx;
pub use tx_batch::TxBatch;
pub use unbound::Unbound;
pub use verdict::Verdict;
pub use wait::wait;
pub use xsk_fd::XskFd;
#[cfg(feature = "test-util")]
pub(crate) use {
    backend::{Backend, FakeBackend},
    buffer_pool::BufferPool,
    ring_set::{MappedRing, RingSpec},
    statistics::of_reply as statistics_of_reply,
};

use sealed::sides;

/// A socket that receives and sends.
///
/// The rings are separate values: take the socket apart to use them from several threads. Of two
/// sockets a and b of one UMEM, a thread that forwards from a to b owns `a.rx`, `a.fill`, `b.tx`,
/// `b.completion` and a pool of its own ([`FramePool::split_off`](crate::FramePool::split_off)).
/// The socket is closed, and its queue free some 20 ms later, when the last of its parts is
/// dropped.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// let (umem, mut pool) = xsk::Umem::builder().build()?;
/// let mut socket = xsk::Socket::builder(&umem).open()?;
/// socket.fill.fill_from(&mut pool, 2048)?;
/// let socket = socket.bind(&xsk::Interface::by_name("eth1")?, 0)?;
/// let xsk::Socket { mut rx, mut fill, .. } = socket;
/// std::thread::spawn(move || rx.receive(64)?.recycle(&mut fill));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Socket {
    /// Received packets.
    pub rx: Rx,
    /// Packets to send.
    pub tx: Tx,
    /// Chunks to receive into.
    pub fill: Fill,
    /// Chunks whose packets were sent.
    pub completion: Completion,
    /// The interface, queue, mode and counters of the socket.
    pub handle: SocketHandle,
}

/// A socket that only receives; made by [`SocketBuilder::rx_only`].
///
/// ```no_run
/// # fn f(umem: &xsk::Umem, interface: &xsk::Interface) -> xsk::Result<()> {
/// let mut socket = xsk::Socket::builder(umem).rx_only().bind(interface, 0)?;
/// socket.rx.receive(64)?.recycle(&mut socket.fill)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct RxSocket {
    /// Received packets.
    pub rx: Rx,
    /// Chunks to receive into.
    pub fill: Fill,
    /// The interface, queue, mode and counters of the socket.
    pub handle: SocketHandle,
}

/// A socket that only sends; made by [`SocketBuilder::tx_only`].
///
/// ```no_run
/// # use xsk::{FramePool, Interface, Umem};
/// # fn f(umem: &Umem, interface: &Interface, pool: &mut FramePool) -> xsk::Result<()> {
/// let mut socket = xsk::Socket::builder(umem).tx_only().bind(interface, 0)?;
/// socket.tx.send_from(pool, 64, 60)?;
/// socket.tx.kick_if_needed()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct TxSocket {
    /// Packets to send.
    pub tx: Tx,
    /// Chunks whose packets were sent.
    pub completion: Completion,
    /// The fill ring that the kernel demands. The kernel never receives into its chunks, but some
    /// zero-copy drivers want it filled before they send; what is put in here does not come back.
    pub fill: Fill,
    /// The interface, queue, mode and counters of the socket.
    pub handle: SocketHandle,
}

/// A kind of bound socket: [`Socket`], [`RxSocket`] or [`TxSocket`].
///
/// Names the kind in [`SocketBuilder`] and [`Unbound`]; it cannot be implemented outside this
/// crate.
///
/// ```no_run
/// use xsk::socket::{SocketBuilder, SocketKind};
///
/// fn open<S: SocketKind>(builder: SocketBuilder<S>, at: &xsk::Interface) -> xsk::Result<S> {
///     builder.copy_mode(xsk::CopyMode::Copy).bind(at, 0)
/// }
/// ```
pub trait SocketKind: sealed::Kind {}
impl<S: sealed::Kind> SocketKind for S {}

sides!(Socket, yes, yes);
sides!(RxSocket, yes, no);
sides!(TxSocket, no, yes);

impl sealed::Kind for Socket {
    fn build(
        rx: Rx,
        tx: Tx,
        fill: Fill,
        completion: Completion,
        handle: SocketHandle,
        _: u32,
    ) -> Self {
        Self { rx, tx: tx.bound(handle.is_zero_copy()), fill, completion, handle }
    }
}

impl sealed::Kind for RxSocket {
    fn build(rx: Rx, (): (), fill: Fill, _: Completion, handle: SocketHandle, _: u32) -> Self {
        Self { rx, fill, handle }
    }
}

impl sealed::Kind for TxSocket {
    fn build(
        (): (),
        tx: Tx,
        fill: Fill,
        completion: Completion,
        handle: SocketHandle,
        _: u32,
    ) -> Self {
        Self { tx: tx.bound(handle.is_zero_copy()), completion, fill, handle }
    }
}

inner::as_fd!(Socket: handle, RxSocket: handle, TxSocket: handle);
