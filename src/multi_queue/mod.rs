//! Sockets on every queue of an interface, in one call: [`MultiQueue`].

mod builder;
mod kind;
mod queue_set;

pub use builder::MultiQueueBuilder;
pub use kind::QueueSocket;
pub use queue_set::{InvalidQueueSet, QueueSet};

use crate::attach::{Attachment, Registration};
use crate::error::Result;
use crate::socket::{Drained, RxSocket, Socket, TxSocket};
use crate::umem::{FramePool, Umem};
use std::time::Duration;

/// Sockets on every queue of an interface, or on some of them, and the program that brings packets to
/// them; made by [`MultiQueue::builder`].
///
/// Each queue has a [`QueuePort`] of its own, which can go to a thread of its own; they end in any
/// order, and the last one takes the program off. Packets of a queue without a socket go to the
/// kernel's stack.
///
/// ```no_run
/// use xsk::{Interface, MultiQueue, wait};
///
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?;
/// let all = MultiQueue::builder(&interface).socket(|socket| socket.rx_only()).open()?;
/// std::thread::scope(|scope| {
///     for mut port in all.ports {
///         scope.spawn(move || -> xsk::Result<()> {
///             loop {
///                 let received = port.socket.rx.receive(64)?.recycle(&mut port.socket.fill)?;
///                 println!("queue {}: {received} packets", port.queue);
///                 port.socket.fill.kick_if_needed()?;
///                 if wait(&[&port.socket.rx], Some(std::time::Duration::from_secs(1)))? == 0 {
///                     port.socket.handle.check()?; // an interface that goes wakes no sleeper
///                 }
///             }
///         });
///     }
/// });
/// # Ok(())
/// # }
/// ```
///
/// # What a killed process leaves behind
/// As one socket: nothing but, by [`AttachMethod::Netlink`](crate::AttachMethod::Netlink), the program,
/// which passes every packet to the kernel's stack, if it is the default one.
#[derive(Debug)]
#[non_exhaustive]
pub struct MultiQueue<S = Socket> {
    /// The queues that have what a socket of this kind needs, in order.
    pub ports: Vec<QueuePort<S>>,
    /// Queues without a TX side: sockets that only receive. For sockets of the kind [`Socket`] only.
    pub rx_only: Vec<QueuePort<RxSocket>>,
    /// Queues without an RX side: sockets that only send. For sockets of the kind [`Socket`] only.
    pub tx_only: Vec<QueuePort<TxSocket>>,
    /// The queues that were asked for, and that no socket of this kind can serve: they lack the RX or
    /// the TX side. With sockets of the kind [`Socket`] there are none.
    pub not_served: Vec<u32>,
    /// The program; `None` for sockets that only send.
    pub attachment: Option<Attachment>,
}

/// A queue's socket with its packet memory, its free chunks, and its slot in the program's map; a part
/// of a [`MultiQueue`].
///
/// ```no_run
/// # fn f(mut port: xsk::multi_queue::QueuePort) -> xsk::Result<()> {
/// for frame in port.socket.rx.receive(64)? {
///     println!("queue {}: {:02x?}", port.queue, port.umem.bytes(&frame));
///     port.pool.put(frame);
/// }
/// port.socket.fill.fill_from(&mut port.pool, 64)?;
/// port.close()
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct QueuePort<S = Socket> {
    /// The queue.
    pub queue: u32,
    /// The slot of the program's map: dropped first, so that packets go to the kernel's stack from then
    /// on. `None` for a socket that only sends.
    pub registration: Option<Registration>,
    /// The packet memory: the queue's own, or that of all queues
    /// ([`shared_memory`](MultiQueueBuilder::shared_memory)).
    pub umem: Umem,
    /// The chunks that are free.
    pub pool: FramePool,
    /// The socket.
    pub socket: S,
}

impl<S: QueueSocket> MultiQueue<S> {
    /// Ends all sockets, in the order that is right under traffic: first all slots are emptied, so that
    /// the packets of all queues go to the kernel's stack; then the program is taken off, if this is its
    /// last user; then the sockets are closed. What is in the TX rings is not sent any more: to have it
    /// sent, drop the registrations and [`drain`](QueuePort::drain) each port before.
    ///
    /// # Errors
    /// The first error of [`Registration::close`] or [`Attachment::close`]. All is ended all the same.
    pub fn close(mut self) -> Result<()> {
        let ports = self.ports.iter_mut().map(|port| port.registration.take());
        let rx_only = self.rx_only.iter_mut().map(|port| port.registration.take());
        let slots: Vec<Registration> = ports.chain(rx_only).flatten().collect();
        let mut first = Ok(());
        for slot in slots {
            first = first.and(slot.close());
        }
        first.and(self.attachment.take().map_or(Ok(()), Attachment::close))
    }
}

impl<S: QueueSocket> QueuePort<S> {
    /// Has the kernel send what is in the TX ring, and puts the chunks that come back into the pool, until
    /// all are back or `timeout` is over: see [`drain`](crate::socket::drain). With one UMEM for all queues,
    /// these may be chunks that another queue received.
    ///
    /// # Errors
    /// As [`drain`](crate::socket::drain).
    ///
    /// # Panics
    /// If the pool was replaced by one of another UMEM.
    #[track_caller]
    pub fn drain(&mut self, timeout: Duration) -> Result<Drained> {
        self.socket.drain_into(&mut self.pool, timeout)
    }

    /// Ends it in the order that is right under traffic: the packets of the queue go to the kernel's
    /// stack first, then the socket is closed. What is in the TX ring is not sent any more: to have it
    /// sent, drop the [`registration`](Self::registration) and [`drain`](Self::drain) it before.
    ///
    /// # Errors
    /// As [`Registration::close`]; the socket is closed all the same.
    pub fn close(self) -> Result<()> {
        self.registration.map_or(Ok(()), Registration::close)
    }
}
