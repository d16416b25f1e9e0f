//! AF_XDP sockets: from a builder to four rings at work.
//!
//! [`Socket::builder`] describes a socket, [`SocketBuilder::open`] makes it with its rings and registers
//! the UMEM, [`Unbound::bind`] gives it a queue. A bound socket is a bundle of independent parts:
//! [`Rx`], [`Fill`], [`Tx`], [`Completion`] and [`SocketHandle`].

mod builder;
mod completion;
mod copy_reason;
mod desc;
mod fill;
mod handle;
pub(crate) mod inner;
mod replies;
mod ring_set;
mod rx;
mod statistics;
mod tx;
mod unbound;
mod wait;

pub use crate::types::CopyMode;
pub use builder::SocketBuilder;
pub use completion::{Completion, CompletionBatch, CompletionFrames};
pub use copy_reason::CopyReason;
pub use fill::{Fill, FillBatch};
pub use handle::SocketHandle;
pub use inner::Kick;
#[doc(hidden)]
pub use replies::parse_any;
pub use rx::{Rx, RxBatch, RxFrames};
pub use statistics::Statistics;
pub use tx::{Tx, TxBatch};
pub use unbound::{BindError, Unbound};
pub use wait::wait;

use std::os::fd::{AsFd, BorrowedFd};

/// A socket that receives and sends.
///
/// The rings are separate values: take the socket apart to use them from several threads. The socket is
/// closed, and its queue free some 20 ms later, when the last of its parts is dropped.
#[derive(Debug)]
pub struct Socket {
    /// Received packets.
    pub rx: Rx,
    /// Packets to send.
    pub tx: Tx,
    /// Chunks to receive into.
    pub fill: Fill,
    /// Chunks whose packets were sent.
    pub completion: Completion,
    /// What the socket is bound to, its mode, its counters.
    pub handle: SocketHandle,
}

/// A socket that only receives.
#[derive(Debug)]
pub struct RxSocket {
    /// Received packets.
    pub rx: Rx,
    /// Chunks to receive into.
    pub fill: Fill,
    /// What the socket is bound to, its mode, its counters.
    pub handle: SocketHandle,
}

/// A socket that only sends.
#[derive(Debug)]
pub struct TxSocket {
    /// Packets to send.
    pub tx: Tx,
    /// Chunks whose packets were sent.
    pub completion: Completion,
    /// The fill ring that the kernel demands. Nothing is ever received into it, but some zero-copy
    /// drivers want it filled before they send; what is put in here does not come back.
    pub fill: Fill,
    /// What the socket is bound to, its mode, its counters.
    pub handle: SocketHandle,
}

/// A kind of bound socket: [`Socket`], [`RxSocket`] or [`TxSocket`].
pub trait SocketKind: sealed::SocketKind {}
impl<S: sealed::SocketKind> SocketKind for S {}

pub(super) mod sealed {
    use super::{Fill, Rings, SocketHandle};

    pub trait SocketKind: Sized {
        const RX: bool;
        const TX: bool;

        /// The socket of this kind; `None` if a ring that it has is missing.
        fn build(rings: Rings, fill: Fill, handle: SocketHandle) -> Option<Self>;
    }
}

/// The rings that are no use before `bind(2)`.
#[derive(Debug)]
pub struct Rings {
    pub(super) rx: Option<Rx>,
    pub(super) tx: Option<Tx>,
    pub(super) completion: Completion,
}

impl sealed::SocketKind for Socket {
    const RX: bool = true;
    const TX: bool = true;

    fn build(rings: Rings, fill: Fill, handle: SocketHandle) -> Option<Self> {
        Some(Self { rx: rings.rx?, tx: rings.tx?, fill, completion: rings.completion, handle })
    }
}

impl sealed::SocketKind for RxSocket {
    const RX: bool = true;
    const TX: bool = false;

    fn build(rings: Rings, fill: Fill, handle: SocketHandle) -> Option<Self> {
        Some(Self { rx: rings.rx?, fill, handle })
    }
}

impl sealed::SocketKind for TxSocket {
    const RX: bool = false;
    const TX: bool = true;

    fn build(rings: Rings, fill: Fill, handle: SocketHandle) -> Option<Self> {
        Some(Self { tx: rings.tx?, completion: rings.completion, fill, handle })
    }
}

macro_rules! as_fd {
    ($($socket:ty),*) => {$(
        impl AsFd for $socket {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.handle.as_fd()
            }
        }
    )*};
}
as_fd!(Socket, RxSocket, TxSocket);
