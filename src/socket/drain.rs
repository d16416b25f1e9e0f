//! Waits until what was given to the kernel to send has been sent.

use super::{Completion, PacketSocket, Port, Socket, Tx, TxSocket};
use crate::error::Result;
use crate::umem::FramePool;
use std::fmt;
use std::time::{Duration, Instant};

/// The shortest and the longest pause in which nothing came back.
const PAUSE: Duration = Duration::from_micros(20);
const LONG_PAUSE: Duration = Duration::from_millis(1);

/// What became of the packets that were given to the kernel to send; returned by [`drain`] and the
/// methods of that name. Counted in chunks: a packet of several frames has as many.
///
/// ```no_run
/// # fn f(mut port: xsk::Port) -> xsk::Result<()> {
/// let drained = port.drain(std::time::Duration::from_millis(500))?;
/// if !drained.is_complete() {
///     eprintln!("not all was sent: {drained}"); // 3 chunks came back, 2 are in the TX ring, ...
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drained {
    /// Chunks that came back to the pool. Their packets were sent; or the device dropped them, which
    /// [`SocketHandle::tx_dropped`](super::SocketHandle::tx_dropped) counts.
    pub came_back: u32,
    /// Chunks of packets in the TX ring, which the kernel has not taken: they are not sent any more if
    /// the socket is closed. (Kernels before 6.17 publish late what they took: there some of these may
    /// be with the device.)
    pub in_tx_ring: u32,
    /// Chunks of packets that the kernel or the device has taken, and not given back: it may still
    /// send them.
    pub in_device: u32,
    /// Whether the interface is gone: what did not come back never does.
    pub gone: bool,
}

impl Drained {
    /// Returns whether everything came back.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.in_tx_ring == 0 && self.in_device == 0
    }
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { came_back, in_tx_ring, in_device, gone } = self;
        write!(
            f,
            "{came_back} chunks came back, {in_tx_ring} are in the TX ring, {in_device} with the \
             device{}",
            if *gone { ", whose interface is gone" } else { "" }
        )
    }
}

/// Has the kernel send what is in the TX ring, and puts the chunks that come back into `pool`, until all
/// are back or `timeout` is over. To be called before a socket is closed: what is in its rings then is
/// lost. `completion` is the ring of the same socket.
///
/// That the interface is down is no error here: packets wait for it, as long as `timeout`. If it is gone,
/// the wait ends at once. Nothing else is done meanwhile: what is received stays in the RX ring; to end a
/// forwarder, first drop its [`Registration`](crate::Registration), so that no more packets come.
///
/// ```no_run
/// # fn f(socket: xsk::Socket, mut pool: xsk::FramePool) -> xsk::Result<()> {
/// let xsk::Socket { mut tx, mut completion, .. } = socket;
/// let timeout = std::time::Duration::from_millis(500);
/// let drained = xsk::socket::drain(&mut tx, &mut completion, &mut pool, timeout)?;
/// println!("{drained}");
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::Ring`](crate::Error::Ring) if the kernel's side of a ring breaks the rules;
/// [`Error::Kick`](crate::Error::Kick) if the kernel refuses a wake-up for another reason than an
/// interface that is down or gone.
///
/// # Panics
/// If `completion` is that of another socket, or `pool` is of another UMEM.
#[track_caller]
pub fn drain(
    tx: &mut Tx,
    completion: &mut Completion,
    pool: &mut FramePool,
    timeout: Duration,
) -> Result<Drained> {
    assert!(completion.is_of(tx.inner()), "the completion ring is that of another socket");
    let start = Instant::now();
    let mut drained = Drained::default();
    let mut pause = PAUSE;
    loop {
        let back = completion.reap_into(pool, u32::MAX)?;
        drained.came_back = drained.came_back.saturating_add(back);
        let outstanding = completion.outstanding();
        if outstanding == 0 || drained.gone || start.elapsed() >= timeout {
            drained.in_tx_ring = tx.pending().min(outstanding);
            drained.in_device = outstanding.saturating_sub(drained.in_tx_ring);
            return Ok(drained);
        }
        match tx.kick_if_needed() {
            Ok(_) => {}
            Err(error) if error.is_down() => {}
            Err(error) if error.is_gone() => drained.gone = true,
            Err(error) => return Err(error),
        }
        if back > 0 {
            pause = PAUSE;
        } else {
            // A wake-up shows it as well, but a zero-copy driver may ask for none.
            if pause == LONG_PAUSE {
                match tx.inner().check() {
                    Err(error) if error.is_gone() => drained.gone = true,
                    result => result?,
                }
            }
            std::thread::sleep(pause);
            pause = pause.saturating_mul(2).min(LONG_PAUSE);
        }
    }
}

macro_rules! drains {
    ($($socket:ty: $tx:ident;)*) => {$(
        impl $socket {
            /// Has the kernel send what is in the TX ring, and puts the chunks that come back into
            /// `pool`, until all are back or `timeout` is over: see [`drain`].
            ///
            /// # Errors
            /// As [`drain`].
            ///
            /// # Panics
            /// If `pool` is of another UMEM.
            #[track_caller]
            pub fn drain(&mut self, pool: &mut FramePool, timeout: Duration) -> Result<Drained> {
                drain(drains!(@$tx self), &mut self.completion, pool, timeout)
            }
        }
    )*};
    (@plain $socket:ident) => { &mut $socket.tx };
    (@packet $socket:ident) => { $socket.tx.ring() };
}
drains! {
    Socket: plain;
    TxSocket: plain;
    PacketSocket: packet;
}

impl Port {
    /// Has the kernel send what is in the TX ring, and puts the chunks that come back into the pool,
    /// until all are back or `timeout` is over: see [`drain`].
    ///
    /// # Errors
    /// As [`drain`].
    ///
    /// # Panics
    /// If the pool was replaced by one of another UMEM.
    #[track_caller]
    pub fn drain(&mut self, timeout: Duration) -> Result<Drained> {
        self.socket.drain(&mut self.pool, timeout)
    }
}
