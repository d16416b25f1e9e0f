//! A socket for packets of several frames.

use super::sealed::{self, sides};
use super::{Completion, Fill, PacketRx, PacketTx, Rx, SocketHandle, Tx, inner};

/// A socket that receives and sends packets of one frame or several (kernel 6.6); made by
/// [`SocketBuilder::multi_buffer`](super::SocketBuilder::multi_buffer).
///
/// A packet that is longer than a chunk less 256 bytes less the headroom comes in several frames, a
/// jumbo frame of 9000 bytes in three of 4096. Other sockets do not receive it: the kernel drops it.
/// In native mode the program has to be one for such packets
/// ([`AttachmentBuilder::frags`](crate::attach::AttachmentBuilder::frags)).
///
/// ```no_run
/// use xsk::{AttachMode, Attachment, FramePool, Interface, Socket, Umem};
///
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?; // with an MTU of 9000
/// let (umem, mut pool) = Umem::builder().build()?;
/// let mut socket = Socket::builder(&umem).multi_buffer().open()?;
/// socket.fill.fill_from(&mut pool, 2048)?;
/// let mut socket = socket.bind(&interface, 0)?;
/// let attachment = Attachment::builder(&interface).mode(AttachMode::Auto).frags(true).attach()?;
/// let _registration = socket.register(&attachment)?;
/// loop {
///     xsk::wait(&[&socket.rx], None)?;
///     // Drops each packet after a look, and gives its chunks back to the kernel.
///     socket.rx.receive(64)?.recycle_each(&mut socket.fill, |frames| {
///         println!("{} bytes", umem.packet_bytes(frames).remaining());
///     })?;
///     socket.fill.kick_if_needed()?;
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[doc(alias = "XDP_USE_SG")]
pub struct PacketSocket {
    /// Received packets.
    pub rx: PacketRx,
    /// Packets to send.
    pub tx: PacketTx,
    /// Chunks to receive into.
    pub fill: Fill,
    /// Chunks whose packets were sent.
    pub completion: Completion,
    /// The interface, queue, mode and counters of the socket.
    pub handle: SocketHandle,
}

sides!(PacketSocket, yes, yes);

impl sealed::Kind for PacketSocket {
    const MULTI_BUFFER: bool = true;

    fn build(
        rx: Rx,
        tx: Tx,
        fill: Fill,
        completion: Completion,
        handle: SocketHandle,
        max_frames: u32,
    ) -> Self {
        let tx = tx.bound(handle.is_zero_copy());
        let tx = PacketTx::new(tx, completion.capacity(), max_frames);
        Self { rx: PacketRx::new(rx), tx, fill, completion, handle }
    }
}

inner::as_fd!(PacketSocket: handle);

static_assertions::assert_impl_all!(PacketSocket: Send, Sync);
