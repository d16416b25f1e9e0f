//! The three kinds of bound sockets, each with just the rings that it has.

use super::{Completion, Fill, Rx, SocketBuilder, SocketInfo, Tx};
use crate::error::{Error, Result};
use crate::link::{Attachment, Registration};
use crate::umem::Umem;
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
    pub info: SocketInfo,
}

/// A socket that only receives.
#[derive(Debug)]
pub struct RxSocket {
    /// Received packets.
    pub rx: Rx,
    /// Chunks to receive into.
    pub fill: Fill,
    /// What the socket is bound to, its mode, its counters.
    pub info: SocketInfo,
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
    pub info: SocketInfo,
}

impl Socket {
    /// Describes a socket over `umem`; see [`SocketBuilder::rx_only`] and
    /// [`tx_only`](SocketBuilder::tx_only) for the other kinds.
    pub fn builder(umem: &Umem) -> SocketBuilder {
        SocketBuilder::new(umem)
    }
}

macro_rules! register {
    ($($socket:ty),*) => {$(
        impl $socket {
            /// Puts the socket into its queue's slot of the attached program: packets of the queue come to
            /// it as long as the answer lives. A socket without an RX ring has no such method.
            ///
            /// The answer holds a descriptor of the socket: drop it together with the socket's parts, or
            /// the queue stays taken.
            ///
            /// # Errors
            /// [`Error::OtherAttachment`](crate::Error::OtherAttachment) if the program is on another
            /// interface; else as [`Attachment::register`].
            pub fn register(&self, program: &Attachment) -> Result<Registration> {
                let (here, there) = (self.info.interface_index(), program.interface());
                if here != there.index() {
                    return Err(Error::OtherAttachment {
                        interface: there.name().to_owned(),
                        wanted: format!("a program on {}", self.info.interface()),
                        found: format!("one on {}", there.name()),
                    });
                }
                program.register(self.info.queue(), self.as_fd())
            }
        }
    )*};
}
register!(Socket, RxSocket);

/// A kind of bound socket: [`Socket`], [`RxSocket`] or [`TxSocket`].
pub trait Shape: sealed::Shape {}
impl<S: sealed::Shape> Shape for S {}

pub(super) mod sealed {
    use super::{Fill, Rings, SocketInfo};

    pub trait Shape: Sized {
        const RX: bool;
        const TX: bool;

        /// The socket of this kind; `None` if a ring that it has is missing.
        fn build(rings: Rings, fill: Fill, info: SocketInfo) -> Option<Self>;
    }
}

/// The rings that are no use before `bind(2)`.
#[derive(Debug)]
pub struct Rings {
    pub(super) rx: Option<Rx>,
    pub(super) tx: Option<Tx>,
    pub(super) completion: Completion,
}

impl sealed::Shape for Socket {
    const RX: bool = true;
    const TX: bool = true;

    fn build(rings: Rings, fill: Fill, info: SocketInfo) -> Option<Self> {
        Some(Self { rx: rings.rx?, tx: rings.tx?, fill, completion: rings.completion, info })
    }
}

impl sealed::Shape for RxSocket {
    const RX: bool = true;
    const TX: bool = false;

    fn build(rings: Rings, fill: Fill, info: SocketInfo) -> Option<Self> {
        Some(Self { rx: rings.rx?, fill, info })
    }
}

impl sealed::Shape for TxSocket {
    const RX: bool = false;
    const TX: bool = true;

    fn build(rings: Rings, fill: Fill, info: SocketInfo) -> Option<Self> {
        Some(Self { tx: rings.tx?, completion: rings.completion, fill, info })
    }
}

macro_rules! as_fd {
    ($($socket:ty),*) => {$(
        impl AsFd for $socket {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.info.as_fd()
            }
        }
    )*};
}
as_fd!(Socket, RxSocket, TxSocket);
