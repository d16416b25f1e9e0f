//! The error of a refused `bind`.

use super::SocketKind;
use super::unbound::Unbound;
use crate::error::Error;
use std::fmt;

/// The error of a refused `bind`: why, and the socket, to be tried again.
///
/// ```no_run
/// # use xsk::{Interface, Socket, socket::Unbound};
/// # fn f(unbound: Unbound<Socket>, interface: &Interface) -> xsk::Result<Socket> {
/// match unbound.bind(interface, 0) {
///     Ok(socket) => Ok(socket),
///     Err(refused) => Ok(refused.socket.bind(interface, 1)?), // the next queue
/// }
/// # }
/// ```
pub struct BindError<S: SocketKind> {
    /// Why the kernel, or this crate, refused.
    pub error: Error,
    /// The socket as it was, with what is in its fill ring.
    pub socket: Unbound<S>,
}

static_assertions::assert_impl_all!(BindError<super::Socket>: Send, Sync, std::error::Error);
static_assertions::assert_impl_all!(BindError<super::RxSocket>: Send, Sync, std::error::Error);
static_assertions::assert_impl_all!(BindError<super::TxSocket>: Send, Sync, std::error::Error);

impl<S: SocketKind> fmt::Debug for BindError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the socket: this is what `main` prints.
        f.debug_tuple("BindError").field(&self.error).finish()
    }
}

impl<S: SocketKind> fmt::Display for BindError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S: SocketKind> std::error::Error for BindError<S> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

impl<S: SocketKind> From<BindError<S>> for Error {
    fn from(refused: BindError<S>) -> Self {
        refused.error
    }
}
