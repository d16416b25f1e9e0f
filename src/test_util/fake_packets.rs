//! Packets of several frames at a fake kernel.

use super::{FakeKernel, FakeRings};
use crate::error::Result;
use crate::num::{u32_of_count, usize32};
use crate::socket::{PacketRx, PacketSocket, PacketTx, Socket};
use crate::umem::{ChunkPlace, Umem};
use xsk_uapi::if_xdp::{XDP_PKT_CONTD, xdp_desc};

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

    /// Delivers a packet in as many frames as it needs, or not at all.
    pub(super) fn deliver_in_frames(&mut self, socket: usize, packet: &[u8]) -> bool {
        let room = usize32(self.room()).max(1);
        let frames = packet.len().div_ceil(room);
        if frames == 0 || !self.rx_has_room(socket, u32_of_count(frames)) {
            return false;
        }
        while self.spare.len() < frames {
            match self.take_filled() {
                Some(chunk) => self.spare.push_back(chunk),
                // Those that were taken are used for the next packet, as by `xsk_buff_alloc`.
                None => return false,
            }
        }
        for (number, part) in packet.chunks(room).enumerate() {
            let Some(chunk) = self.take_chunk() else { return false };
            let addr = self.write_chunk(chunk, &[], part);
            let last = number.saturating_add(1) == frames;
            let options = if last { 0 } else { XDP_PKT_CONTD };
            self.give_up(chunk, ChunkPlace::Receiving);
            self.produce_rx(socket, xdp_desc { addr, len: u32_of_count(part.len()), options });
        }
        true
    }

    /// Returns whether this kernel takes a descriptor with these options.
    pub(super) fn knows(&self, options: u32) -> bool {
        let known = if self.is_multi_buffer { XDP_PKT_CONTD } else { 0 };
        options & !known == 0
    }

    /// Adds a frame that was sent to its packet; returns the packet if that was its last one.
    pub(super) fn join(&mut self, desc: xdp_desc, bytes: Vec<u8>) -> Option<Vec<u8>> {
        self.partial.extend(bytes);
        (desc.options & XDP_PKT_CONTD == 0).then(|| std::mem::take(&mut self.partial))
    }
}
