//! The packet memory, the pool and the socket of one queue, in one value.

use super::{Socket, SocketBuilder};
use crate::error::Result;
use crate::interface::Interface;
use crate::num::u32_of_count;
use crate::umem::{FramePool, Umem};

/// The packet memory, the pool and the socket of one queue, which belong together.
///
/// [`service`](Self::service) does what every loop has to do for the rings, in the right order;
/// what the loop does with packets is its own: the parts are public.
///
/// ```no_run
/// use xsk::{Attachment, Interface, Port, wait};
///
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?;
/// let mut port = Port::open(&interface, 0)?;
/// let program = Attachment::builder(&interface).attach()?;
/// let _registration = port.socket.register(&program)?;
/// loop {
///     wait(&[&port.socket.rx], None)?;
///     for frame in port.socket.rx.receive(64)? {
///         println!("{:02x?}", port.umem.bytes(&frame));
///         port.pool.put(frame);
///     }
///     port.service(64)?;
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Port {
    /// The packet memory.
    pub umem: Umem,
    /// The chunks that are free.
    pub pool: FramePool,
    /// The socket.
    pub socket: Socket,
}

impl Port {
    /// Makes packet memory and a socket of the default sizes, with 8192 chunks, fills the fill
    /// ring, and binds the socket to a queue.
    ///
    /// # Errors
    /// As [`UmemBuilder::build`](crate::umem::UmemBuilder::build) and [`SocketBuilder::bind`].
    pub fn open(interface: &Interface, queue: u32) -> Result<Self> {
        let (umem, pool) = Umem::builder().chunk_count(8192).build()?;
        let socket = Socket::builder(&umem);
        Self::bind(umem, pool, socket, interface, queue)
    }

    /// Opens the socket that `socket` describes over `umem`, gives half of the pool's chunks to its
    /// fill ring, as far as it has room, and binds it to a queue. (The other half is for sending.
    /// Zero-copy drivers take their first chunks when they are bound: at least as many as the
    /// card's RX ring has entries should be in the fill ring.)
    ///
    /// # Errors
    /// As [`SocketBuilder::bind`].
    ///
    /// # Panics
    /// If the pool is of another UMEM than the socket.
    #[track_caller]
    pub fn bind(
        umem: Umem,
        mut pool: FramePool,
        socket: SocketBuilder,
        interface: &Interface,
        queue: u32,
    ) -> Result<Self> {
        let mut unbound = socket.open()?;
        let half = u32_of_count(pool.len().div_ceil(2));
        unbound.fill.fill_from(&mut pool, half)?;
        Ok(Self { umem, pool, socket: unbound.bind(interface, queue)? })
    }

    /// Puts a UMEM, a pool and a socket together that were made apart.
    ///
    /// # Panics
    /// If the pool or the socket is of another UMEM.
    #[track_caller]
    pub fn new(umem: Umem, pool: FramePool, socket: Socket) -> Self {
        let geometry = umem.geometry();
        geometry.assert_same_umem(pool.geometry().umem);
        geometry.assert_same_umem(socket.handle.umem().geometry().umem);
        Self { umem, pool, socket }
    }

    /// Does what the rings need once per round of a loop: puts up to `burst` chunks that were sent
    /// into the pool, gives up to `burst` of the pool to the fill ring, and wakes the kernel for
    /// the fill ring and for a TX ring with packets in it, where their need-wakeup flag is set.
    ///
    /// The result of a wake-up ([`Kick`](super::Kick)) is not looked at: what the kernel has not
    /// sent is still in the TX ring, and the next round wakes it again.
    ///
    /// # Errors
    /// [`Error::Ring`](crate::Error::Ring) if the kernel's side of a ring breaks the rules,
    /// [`Error::Kick`](crate::Error::Kick) if the interface is down or gone.
    ///
    /// # Panics
    /// If the pool was replaced by one of another UMEM.
    #[track_caller]
    pub fn service(&mut self, burst: u32) -> Result<()> {
        let Socket { tx, fill, completion, .. } = &mut self.socket;
        completion.reap_into(&mut self.pool, burst)?;
        fill.fill_from(&mut self.pool, burst)?;
        // Without it a zero-copy card that ran dry receives nothing more.
        fill.kick_if_needed()?;
        if tx.pending() > 0 {
            tx.kick_if_needed()?;
        }
        Ok(())
    }
}
