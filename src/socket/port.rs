//! The packet memory, the pool and the socket of one queue, in one value.

use super::{Kick, Socket, SocketBuilder};
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
///     if wait(&[&port.socket.rx], Some(std::time::Duration::from_secs(1)))? == 0 {
///         port.socket.handle.check()?; // an interface that goes wakes no sleeper
///     }
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
    /// Makes packet memory of 8192 chunks of 4096 bytes (32 MiB, which `RLIMIT_MEMLOCK` has to allow)
    /// and a socket of the default sizes, fills the fill ring, and binds the socket to a queue. For
    /// other sizes: [`bind`](Self::bind).
    ///
    /// # Errors
    /// As [`UmemBuilder::build`](crate::umem::UmemBuilder::build) and [`SocketBuilder::bind`].
    pub fn open(interface: &Interface, queue: u32) -> Result<Self> {
        let (umem, pool) = Umem::builder().chunk_count(8192).build()?;
        Self::bind(pool, Socket::builder(&umem), interface, queue)
    }

    /// Opens the socket that `socket` describes, gives half of the pool's chunks to its fill ring, as
    /// far as it has room, and binds it to a queue. The other half is for sending. (Zero-copy drivers
    /// take their first chunks when they are bound: the fill ring should get at least as many as the
    /// card's RX ring has entries.)
    ///
    /// If that fails, the pool is dropped: to keep it, use [`SocketBuilder::open`] and
    /// [`Unbound::bind`](super::Unbound::bind).
    ///
    /// # Errors
    /// As [`SocketBuilder::bind`].
    ///
    /// # Panics
    /// If the pool is of another UMEM than the socket.
    #[track_caller]
    pub fn bind(
        mut pool: FramePool,
        socket: SocketBuilder,
        interface: &Interface,
        queue: u32,
    ) -> Result<Self> {
        let mut unbound = socket.open()?;
        let umem = unbound.inner.pool.umem.clone();
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
    /// into the pool, gives up to `burst` of the pool to the fill ring, and wakes the kernel where a
    /// need-wakeup flag asks for it: for the fill ring, and for the TX ring while packets are in it or,
    /// in zero-copy mode, chunks have not come back.
    ///
    /// In copy mode one wake-up sends 32 packets at the most: the kernel is woken again, and chunks
    /// are reaped in between, for as many packets as `burst`. What is not sent then stays in the TX
    /// ring for the next round.
    ///
    /// That the interface is down is no error here: what is in the TX ring is sent when it is up
    /// again and this is called.
    ///
    /// # Errors
    /// [`Error::Ring`](crate::Error::Ring) if the kernel's side of a ring breaks the rules,
    /// [`Error::Kick`](crate::Error::Kick) if the interface is gone.
    ///
    /// # Panics
    /// If the pool was replaced by one of another UMEM.
    #[track_caller]
    pub fn service(&mut self, burst: u32) -> Result<()> {
        let Socket { tx, fill, completion, .. } = &mut self.socket;
        completion.reap_into(&mut self.pool, burst)?;
        fill.fill_from(&mut self.pool, burst)?;
        // Without it a zero-copy card that ran dry receives nothing more.
        unless_down(fill.kick_if_needed())?;
        let mut left = burst;
        // A zero-copy driver may have taken every packet and need the call to give chunks back.
        while completion.outstanding() > 0 {
            let before = tx.pending();
            let kick = unless_down(tx.kick_if_needed())?;
            let taken = before.saturating_sub(tx.pending());
            let count = match kick {
                // Older kernels publish what they took only when they look at the ring again; one call
                // takes 16 at least (`TX_BATCH_SIZE` of net/xdp/xsk.c).
                Kick::Again => taken.max(16),
                // The kernel stopped at a packet that the device dropped.
                Kick::Busy => taken.max(1),
                _ => break,
            };
            left = left.saturating_sub(count);
            if left == 0 {
                break;
            }
            completion.reap_into(&mut self.pool, burst)?;
        }
        Ok(())
    }
}

/// Takes a wake-up of an interface that is down for one that was not needed.
fn unless_down(kick: Result<Kick>) -> Result<Kick> {
    match kick {
        Err(error) if error.is_down() => Ok(Kick::NotNeeded),
        kick => kick,
    }
}
