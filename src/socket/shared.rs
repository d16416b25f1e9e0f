//! Several sockets on one queue, which share its fill and completion ring.

use super::inner::as_fd;
use super::sealed::{Sharing, sides};
use super::{Fill, RxSocket, SharedCompletion, SharedRx, Socket, SocketHandle, Tx, TxSocket};

/// The first of several sockets on a queue, with the rings that all of them share
/// (`XDP_SHARED_UMEM`, 4.18); made of a bound socket by [`Socket::share_queue`].
///
/// [`add_socket`](Self::add_socket) makes another one. Each has RX and TX rings of its own. All
/// receive into chunks of the one fill ring, and the chunks that they sent come back in the one
/// completion ring: whichever thread has these two serves all of them. Add the sockets before you take
/// this apart. They may end in any order, but without `fill` none of them receives for long, and
/// without `completion` none gets sent chunks back. The queue is free when the last of them has ended.
/// While one lives, the first one's descriptor stays open, because the kernel has the two rings with
/// it. Of their [`Statistics`](super::Statistics), `fill_ring_empty` is the queue's: the same in each.
///
/// Which of the sockets gets a packet is the XDP program's matter: each is in a slot of its own of
/// the program's map. The program of [`bpf::Spread`](crate::bpf::Spread) has slots for several
/// sockets on each queue and gives each flow to one of them. This crate's default program has one
/// slot for a queue.
///
/// ```no_run
/// use xsk::{Attachment, Interface, Port, bpf};
///
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?;
/// let Port { umem, mut pool, socket, .. } = Port::open(&interface, 0)?;
/// let mut queue = socket.share_queue();
/// let mut second = queue.add_socket().bind()?;
///
/// let spread = bpf::Spread::new(2)?; // two sockets on each queue
/// let map = bpf::XskMap::create("xsks_map", spread.slots(1)?)?; // for queue 0 alone
/// let program = spread.load(&map)?;
/// let builder = Attachment::builder(&interface).take_over(true); // also what a kill has left
/// let program = builder.program(program, map).attach()?;
/// let _first = queue.register(&program, spread.slot(0, 0)?)?;
/// let _second = second.register(&program, spread.slot(0, 1)?)?;
/// loop {
///     for rx in [&mut queue.rx, &mut second.rx] {
///         for frame in rx.receive(64)? {
///             println!("{:02x?}", umem.bytes(&frame));
///             pool.put(frame);
///         }
///     }
///     queue.fill.fill_from(&mut pool, 64)?;
///     queue.fill.kick_if_needed()?;
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SharedQueue {
    /// Packets that the first socket received.
    pub rx: SharedRx,
    /// Packets for the first socket to send.
    pub tx: Tx,
    /// Chunks for all sockets to receive into.
    pub fill: Fill,
    /// Chunks whose packets were sent, by any of the sockets.
    pub completion: SharedCompletion,
    /// The interface, queue, mode and counters of the first socket.
    pub handle: SocketHandle,
}

/// A [`SharedQueue`] whose sockets only receive; made by [`RxSocket::share_queue`].
///
/// ```no_run
/// # fn f(socket: xsk::RxSocket) -> xsk::Result<()> {
/// let mut queue = socket.share_queue();
/// let mut second = queue.add_socket().bind()?;
/// second.rx.receive(64)?.recycle(&mut queue.fill)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SharedRxQueue {
    /// Packets that the first socket received.
    pub rx: SharedRx,
    /// Chunks for all sockets to receive into.
    pub fill: Fill,
    /// The interface, queue, mode and counters of the first socket.
    pub handle: SocketHandle,
}

/// A [`SharedQueue`] whose sockets only send; made by [`TxSocket::share_queue`].
///
/// ```no_run
/// # fn f(socket: xsk::TxSocket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let mut queue = socket.share_queue();
/// let mut second = queue.add_socket().bind()?;
/// second.tx.send_from(pool, 64, 60)?;
/// second.tx.kick_if_needed()?;
/// queue.completion.reap_into(pool, 64)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SharedTxQueue {
    /// Packets for the first socket to send.
    pub tx: Tx,
    /// Chunks whose packets were sent, by any of the sockets.
    pub completion: SharedCompletion,
    /// The fill ring that the kernel demands, as in [`TxSocket`].
    pub fill: Fill,
    /// The interface, queue, mode and counters of the first socket.
    pub handle: SocketHandle,
}

impl Socket {
    /// Makes it the first of several sockets on its queue.
    #[must_use]
    pub fn share_queue(self) -> SharedQueue {
        let Self { rx, tx, fill, completion, handle } = self;
        let (rx, completion) = (SharedRx::of_first(rx), SharedCompletion::of_first(completion));
        SharedQueue { rx, tx, fill, completion, handle }
    }
}

impl RxSocket {
    /// Makes it the first of several sockets on its queue, which only receive.
    #[must_use]
    pub fn share_queue(self) -> SharedRxQueue {
        let Self { rx, fill, handle } = self;
        SharedRxQueue { rx: SharedRx::of_first(rx), fill, handle }
    }
}

impl TxSocket {
    /// Makes it the first of several sockets on its queue, which only send.
    #[must_use]
    pub fn share_queue(self) -> SharedTxQueue {
        let Self { tx, completion, fill, handle } = self;
        SharedTxQueue { tx, completion: SharedCompletion::of_first(completion), fill, handle }
    }
}

/// Another socket on a queue, made by [`SharedQueue::add_socket`].
///
/// ```no_run
/// # fn f(queue: &mut xsk::SharedQueue) -> xsk::Result<()> {
/// let second = queue.add_socket().bind()?;
/// assert_eq!(second.handle.queue(), queue.handle.queue());
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SharedSocket {
    /// Received packets.
    pub rx: SharedRx,
    /// Packets to send.
    pub tx: Tx,
    /// The interface, queue, mode and counters of the socket.
    pub handle: SocketHandle,
}

/// A [`SharedSocket`] that only receives; made by
/// [`AddedSocketBuilder::rx_only`](super::AddedSocketBuilder::rx_only).
///
/// ```no_run
/// # fn f(queue: &mut xsk::SharedQueue) -> xsk::Result<()> {
/// let mut second = queue.add_socket().rx_only().bind()?;
/// second.rx.receive(64)?.recycle(&mut queue.fill)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SharedRxSocket {
    /// Received packets.
    pub rx: SharedRx,
    /// The interface, queue, mode and counters of the socket.
    pub handle: SocketHandle,
}

/// A [`SharedSocket`] that only sends; made by
/// [`AddedSocketBuilder::tx_only`](super::AddedSocketBuilder::tx_only).
///
/// ```no_run
/// # fn f(queue: &mut xsk::SharedQueue, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let mut second = queue.add_socket().tx_only().bind()?;
/// second.tx.send_from(pool, 64, 60)?;
/// second.tx.kick_if_needed()?;
/// queue.completion.reap_into(pool, 64)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SharedTxSocket {
    /// Packets to send.
    pub tx: Tx,
    /// The interface, queue, mode and counters of the socket.
    pub handle: SocketHandle,
}

/// A kind of socket on the queue of another one: [`SharedSocket`], [`SharedRxSocket`] or
/// [`SharedTxSocket`].
///
/// Names the kind in [`AddedSocketBuilder`](super::AddedSocketBuilder); it cannot be implemented
/// outside this crate.
///
/// ```no_run
/// use xsk::socket::{AddedSocketBuilder, SharingKind};
///
/// fn bind<S: SharingKind>(builder: AddedSocketBuilder<'_, S>) -> xsk::Result<S> {
///     builder.rx_size(256).bind()
/// }
/// ```
pub trait SharingKind: Sharing {}
impl<S: Sharing> SharingKind for S {}

sides!(SharedSocket, yes, yes);
sides!(SharedRxSocket, yes, no);
sides!(SharedTxSocket, no, yes);

impl Sharing for SharedSocket {
    fn build(rx: SharedRx, tx: Tx, handle: SocketHandle) -> Self {
        Self { rx, tx: tx.bound(handle.is_zero_copy()), handle }
    }
}

impl Sharing for SharedRxSocket {
    fn build(rx: SharedRx, (): (), handle: SocketHandle) -> Self {
        Self { rx, handle }
    }
}

impl Sharing for SharedTxSocket {
    fn build((): (), tx: Tx, handle: SocketHandle) -> Self {
        Self { tx: tx.bound(handle.is_zero_copy()), handle }
    }
}

as_fd!(
    SharedQueue: handle,
    SharedRxQueue: handle,
    SharedTxQueue: handle,
    SharedSocket: handle,
    SharedRxSocket: handle,
    SharedTxSocket: handle
);
