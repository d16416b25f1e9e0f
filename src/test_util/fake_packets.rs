//! Packets of several frames at a fake kernel.

use super::{FakeKernel, FakeRings};
use crate::error::Result;
use crate::socket::{PacketRx, PacketSocket, PacketTx, Socket};
use crate::umem::Umem;

/// How many frames a packet can have that a fake kernel sends, as in copy mode.
const MAX_FRAMES: u32 = 18;

impl FakeKernel {
    /// Makes a socket for packets of several frames over `umem`, with the rings that `rings`
    /// describes, and its kernel: a packet that is longer than a chunk has room for is
    /// [delivered](Self::deliver) in several frames, all or none, and those that are sent come out of
    /// [`transmit`](Self::transmit) whole.
    ///
    /// ```
    /// use xsk::test_util::{FakeKernel, FakeRings};
    ///
    /// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
    /// let (mut kernel, mut socket) = FakeKernel::multi_buffer(&umem, FakeRings::default())?;
    /// socket.fill.fill_from(&mut pool, 8)?;
    /// assert!(kernel.deliver(&[7; 9000]));
    /// let mut packets = socket.rx.receive(8)?.into_iter();
    /// let packet = packets.next().ok_or("it was delivered")?;
    /// assert_eq!((packet.len(), packet.frames().len()), (9000, 3));
    /// assert_eq!(umem.packet_bytes(packet.frames()).to_vec(), [7; 9000]);
    /// pool.extend(packet);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub fn multi_buffer(umem: &Umem, rings: FakeRings) -> Result<(Self, PacketSocket)> {
        let (kernel, socket) = Self::with_kind(umem, rings, true)?;
        let Socket { rx, tx, fill, completion, handle } = socket;
        let tx = PacketTx::new(tx, completion.capacity(), MAX_FRAMES);
        let rx = PacketRx::new(rx);
        Ok((kernel, PacketSocket { rx, tx, fill, completion, handle }))
    }
}
