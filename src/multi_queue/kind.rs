//! The kinds of sockets that can be on every queue.

use crate::attach::{Attachment, Registration};
use crate::error::Result;
use crate::interface::Queues;
use crate::socket::{
    Drained, PacketSocket, RxSocket, Socket, SocketBuilder, SocketHandle, SocketKind, TxSocket,
};
use crate::umem::FramePool;
use std::time::Duration;

/// A kind of socket that [`MultiQueue`](super::MultiQueue) puts on every queue. It cannot be
/// implemented outside of this crate.
///
/// ```
/// fn is_kind<S: xsk::multi_queue::QueueSocket>() {}
/// is_kind::<xsk::Socket>();
/// is_kind::<xsk::RxSocket>();
/// ```
pub trait QueueSocket: SocketKind + Steps {}

/// The steps that differ by kind.
pub trait Steps: Sized {
    /// Returns whether a queue has the sides that such a socket needs.
    fn can_serve(queue: u32, queues: Queues) -> bool;
    /// Returns how many of a queue's `chunks` chunks go to the fill ring.
    fn to_fill(chunks: usize) -> usize;
    /// Puts the socket into its slot, if it receives.
    fn register_with(&self, program: &Attachment) -> Result<Option<Registration>>;
    /// Sends what is in the TX ring, if there is one, as the socket's `drain`.
    fn drain_into(&mut self, pool: &mut FramePool, timeout: Duration) -> Result<Drained>;
    /// Returns the socket's handle.
    fn handle(&self) -> &SocketHandle;
    /// Returns the builder of a socket for a queue without a TX side, if there is one.
    fn rx_only(builder: SocketBuilder<Self>) -> Option<SocketBuilder<RxSocket>>
    where
        Self: SocketKind;
    /// Returns the builder of a socket for a queue without an RX side, if there is one.
    fn tx_only(builder: SocketBuilder<Self>) -> Option<SocketBuilder<TxSocket>>
    where
        Self: SocketKind;
    /// Whether there are such builders.
    const ONE_SIDED: bool;
    /// Whether such a socket needs a program.
    const RECEIVES: bool;
}

macro_rules! kinds {
    ($($kind:ty: $rx:tt, $tx:tt, $one_sided:tt;)*) => {$(
        impl Steps for $kind {
            fn can_serve(queue: u32, queues: Queues) -> bool {
                (!$rx || queue < queues.rx) && (!$tx || queue < queues.tx)
            }

            fn to_fill(chunks: usize) -> usize {
                match ($rx, $tx) {
                    (true, true) => chunks.div_ceil(2),
                    (true, false) => chunks,
                    (false, _) => 0,
                }
            }

            fn register_with(&self, program: &Attachment) -> Result<Option<Registration>> {
                kinds!(@register $rx, self, program)
            }

            fn drain_into(&mut self, pool: &mut FramePool, timeout: Duration) -> Result<Drained> {
                kinds!(@drain $tx, self, pool, timeout)
            }

            fn handle(&self) -> &SocketHandle {
                &self.handle
            }

            fn rx_only(builder: SocketBuilder<Self>) -> Option<SocketBuilder<RxSocket>> {
                kinds!(@only $one_sided, builder, rx_only)
            }

            fn tx_only(builder: SocketBuilder<Self>) -> Option<SocketBuilder<TxSocket>> {
                kinds!(@only $one_sided, builder, tx_only)
            }

            const ONE_SIDED: bool = $one_sided;
            const RECEIVES: bool = $rx;
        }

        impl QueueSocket for $kind {}
    )*};
    (@register true, $socket:ident, $program:ident) => { $socket.register($program).map(Some) };
    (@register false, $socket:ident, $program:ident) => {{
        let _ = $program;
        Ok(None)
    }};
    (@drain true, $socket:ident, $pool:ident, $timeout:ident) => {
        $socket.drain($pool, $timeout)
    };
    (@drain false, $socket:ident, $pool:ident, $timeout:ident) => {{
        let _ = ($pool, $timeout);
        Ok(Drained::default())
    }};
    (@only true, $builder:ident, $only:ident) => { Some($builder.$only()) };
    (@only false, $builder:ident, $only:ident) => {{
        let _ = $builder;
        None
    }};
}
kinds! {
    Socket: true, true, true;
    RxSocket: true, false, false;
    TxSocket: false, true, false;
    PacketSocket: true, true, false;
}
