//! Which rings a kind of socket has, and how a socket of that kind is built.

use super::{Completion, Fill, Rx, SharedRx, SocketHandle, Tx};
use crate::error::Result;

/// Which of the RX and the TX ring a kind of socket has: a value for a ring that it does not
/// have is `()`.
pub trait Sides: Sized {
    /// A value for the RX ring.
    type Rx<T>;
    /// A value for the TX ring.
    type Tx<T>;
    /// Whether it has an RX ring.
    const HAS_RX: bool;
    /// Whether it has a TX ring.
    const HAS_TX: bool;

    /// Keeps `value` if the kind has an RX ring.
    fn rx<T>(value: T) -> Self::Rx<T>;
    /// Keeps `value` if the kind has a TX ring.
    fn tx<T>(value: T) -> Self::Tx<T>;

    /// Returns what `make` makes of the value for the RX ring, if there is one.
    fn map_rx<T, U>(rx: Self::Rx<T>, make: impl FnOnce(T) -> Result<U>) -> Result<Self::Rx<U>>;
    /// Returns what `make` makes of the value for the TX ring, if there is one.
    fn map_tx<T, U>(tx: Self::Tx<T>, make: impl FnOnce(T) -> Result<U>) -> Result<Self::Tx<U>>;
}

/// A kind of socket with a fill and a completion ring of its own.
pub trait Kind: Sides {
    /// Whether its packets have several frames (`XDP_USE_SG`).
    const MULTI_BUFFER: bool = false;

    /// Returns the socket. `max_frames` is how many frames a packet that it sends can have, as far as
    /// the kernel and the driver are concerned; for a kind whose packets have several.
    fn build(
        rx: Self::Rx<Rx>,
        tx: Self::Tx<Tx>,
        fill: Fill,
        completion: Completion,
        handle: SocketHandle,
        max_frames: u32,
    ) -> Self;
}

/// A kind of socket on the queue of another one, whose fill and completion ring it uses.
pub trait Sharing: Sides {
    /// Returns the socket.
    fn build(rx: Self::Rx<SharedRx>, tx: Self::Tx<Tx>, handle: SocketHandle) -> Self;
}

/// What `Sides` has for a ring that the kind has, or has not.
macro_rules! ring {
    ($ring:ident, $has:ident, $keep:ident, $map:ident, yes) => {
        type $ring<T> = T;
        const $has: bool = true;
        fn $keep<T>(value: T) -> T {
            value
        }
        fn $map<T, U>(
            ring: T,
            make: impl FnOnce(T) -> $crate::error::Result<U>,
        ) -> $crate::error::Result<U> {
            make(ring)
        }
    };
    ($ring:ident, $has:ident, $keep:ident, $map:ident, no) => {
        type $ring<T> = ();
        const $has: bool = false;
        fn $keep<T>(_: T) {}
        fn $map<T, U>(
            (): (),
            _: impl FnOnce(T) -> $crate::error::Result<U>,
        ) -> $crate::error::Result<()> {
            Ok(())
        }
    };
}

/// Implements `Sides` for a kind of socket: whether it has an RX and a TX ring.
macro_rules! sides {
    ($socket:ty, $rx:ident, $tx:ident) => {
        impl $crate::socket::sealed::Sides for $socket {
            $crate::socket::sealed::ring!(Rx, HAS_RX, rx, map_rx, $rx);
            $crate::socket::sealed::ring!(Tx, HAS_TX, tx, map_tx, $tx);
        }
    };
}
pub(super) use {ring, sides};
