//! AF_XDP sockets: from a builder to four rings at work.
//!
//! [`Socket::builder`] describes a socket, [`SocketBuilder::open`] makes it with its rings and registers
//! the UMEM, [`Unbound::bind`] gives it a queue. A bound socket is a bundle of independent parts:
//! [`Rx`], [`Fill`], [`Tx`], [`Completion`] and [`SocketInfo`].

mod builder;
mod completion;
mod copy;
pub(crate) mod core;
mod desc;
mod fill;
mod frames;
mod info;
mod mapped;
mod replies;
mod rx;
mod shape;
mod stats;
mod tx;
mod unbound;
mod wait;

pub use self::copy::CopyReason;
pub use self::core::Kick;
pub use builder::SocketBuilder;
pub use completion::{Completion, Reaped, ReapedFrames};
pub use fill::{Fill, Filling};
pub use frames::Frames;
pub use info::SocketInfo;
#[doc(hidden)]
pub use replies::parse_any;
pub use rx::{Received, Rx};
pub use shape::{RxSocket, Shape, Socket, TxSocket};
pub use stats::Statistics;
pub use tx::{Sending, Tx};
pub use unbound::{BindError, Unbound};
pub use wait::wait;

/// Whether packets are copied between the kernel's buffers and the UMEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CopyMode {
    /// Zero-copy where driver and queue can, else copy, and why: [`SocketInfo::copy_reason`].
    ///
    /// Zero-copy is tried first, and copy mode when that is refused. (The kernel's own choice, a bind with neither
    /// flag, does the same and keeps the reason to itself.)
    #[default]
    Auto,
    /// Always copy (`XDP_COPY`).
    Copy,
    /// Zero-copy or nothing (`XDP_ZEROCOPY`).
    ZeroCopy,
}
