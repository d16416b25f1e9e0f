//! The RX and TX rings of any socket: for single frames, alone or sharing a queue, or for packets of
//! several frames.

use std::slice::from_mut;
use xsk::socket::{PacketBatch, PacketRx, PacketTx, PacketTxBatch, SharedRx, TxBatch};
use xsk::{Fill, Frame, FramePool, Packet, RingError, Rx, RxBatch, Tx};

/// A closure that gets the frames of each packet.
pub type Edit<'a> = &'a mut dyn FnMut(&mut [Frame]);

pub enum AnyRx<'a> {
    Own(&'a mut Rx),
    Shared(&'a mut SharedRx),
    Packets(&'a mut PacketRx),
}

impl<'a> AnyRx<'a> {
    pub fn receive(self, count: u32) -> Result<AnyBatch<'a>, RingError> {
        Ok(match self {
            Self::Own(rx) => AnyBatch::Frames(rx.receive(count)?),
            Self::Shared(rx) => AnyBatch::Frames(rx.receive(count)?),
            Self::Packets(rx) => AnyBatch::Packets(rx.receive(count)?),
        })
    }
}

pub enum AnyBatch<'a> {
    Frames(RxBatch<'a>),
    Packets(PacketBatch<'a>),
}

impl AnyBatch<'_> {
    /// Takes up to `most` packets, and drops or forgets the batch; returns their frames.
    pub fn take(self, most: usize, forget: bool) -> Vec<Frame> {
        match self {
            Self::Frames(batch) => {
                let mut frames = batch.into_iter();
                let taken = frames.by_ref().take(most).collect();
                if forget {
                    std::mem::forget(frames);
                }
                taken
            }
            Self::Packets(batch) => {
                let mut packets = batch.into_iter();
                let taken = packets.by_ref().take(most).flatten().collect();
                if forget {
                    std::mem::forget(packets);
                }
                taken
            }
        }
    }

    pub fn reclaim(self, pool: &mut FramePool) -> u32 {
        match self {
            Self::Frames(batch) => batch.reclaim(pool),
            Self::Packets(batch) => batch.reclaim(pool),
        }
    }

    pub fn recycle(self, fill: &mut Fill) -> Result<u32, RingError> {
        match self {
            Self::Frames(batch) => batch.recycle(fill),
            Self::Packets(batch) => batch.recycle(fill),
        }
    }

    pub fn recycle_each(self, fill: &mut Fill, look: Edit<'_>) -> Result<u32, RingError> {
        match self {
            Self::Frames(batch) => batch.recycle_each(fill, |frame| look(from_mut(frame))),
            Self::Packets(batch) => batch.recycle_each(fill, look),
        }
    }

    /// Forwards the packets; to a TX ring of the other kind none.
    pub fn forward(self, tx: AnyTx<'_>) -> Result<u32, RingError> {
        match (self, tx) {
            (Self::Frames(batch), AnyTx::Frames(tx)) => batch.forward(tx),
            (Self::Packets(batch), AnyTx::Packets(tx)) => fits(batch.forward(tx)),
            _ => Ok(0),
        }
    }

    pub fn forward_each(self, tx: AnyTx<'_>, edit: Edit<'_>) -> Result<u32, RingError> {
        match (self, tx) {
            (Self::Frames(batch), AnyTx::Frames(tx)) => {
                batch.forward_each(tx, |frame| edit(from_mut(frame)))
            }
            (Self::Packets(batch), AnyTx::Packets(tx)) => fits(batch.forward_each(tx, edit)),
            _ => Ok(0),
        }
    }
}

/// A packet with more frames than a TX ring takes stays where it is, and is no fault of the kernel's
/// side.
fn fits(moved: Result<u32, RingError>) -> Result<u32, RingError> {
    match moved {
        Err(RingError::TooManyFrames { frames, limit }) => {
            assert!(frames > limit);
            Ok(0)
        }
        moved => moved,
    }
}

pub enum AnyTx<'a> {
    Frames(&'a mut Tx),
    Packets(&'a mut PacketTx),
}

impl<'a> AnyTx<'a> {
    pub fn reserve(self, count: u32) -> Result<AnySlots<'a>, RingError> {
        Ok(match self {
            Self::Frames(tx) => AnySlots::Frames(tx.reserve(count)?),
            Self::Packets(tx) => AnySlots::Packets(tx.reserve(count)?),
        })
    }

    pub fn send_from(self, pool: &mut FramePool, count: u32, len: u32) -> Result<u32, RingError> {
        match self {
            Self::Frames(tx) => tx.send_from(pool, count, len),
            Self::Packets(tx) => tx.send_from(pool, count, len),
        }
    }

    pub fn send_each(
        self,
        pool: &mut FramePool,
        count: u32,
        edit: Edit<'_>,
    ) -> Result<u32, RingError> {
        match self {
            Self::Frames(tx) => tx.send_each(pool, count, |frame| edit(from_mut(frame))),
            Self::Packets(tx) => tx.send_each(pool, count, |frame| edit(from_mut(frame))),
        }
    }

    pub fn kick_if_needed(self) -> xsk::Result<()> {
        match self {
            Self::Frames(tx) => tx.kick_if_needed().map(drop),
            Self::Packets(tx) => tx.kick_if_needed().map(drop),
        }
    }

    pub fn pending(self) -> u32 {
        match self {
            Self::Frames(tx) => tx.pending(),
            Self::Packets(tx) => tx.pending(),
        }
    }
}

pub enum AnySlots<'a> {
    Frames(TxBatch<'a>),
    Packets(PacketTxBatch<'a>),
}

impl AnySlots<'_> {
    /// Sends a packet of one frame.
    pub fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        match self {
            Self::Frames(slots) => slots.push(frame),
            Self::Packets(slots) => {
                slots.push(frame).map_err(|refused| refused.packet.into_iter().next().unwrap())
            }
        }
    }

    /// Sends a packet; a socket for single frames gives it back.
    pub fn push_packet(&mut self, packet: Packet) -> Result<(), Packet> {
        match self {
            Self::Frames(_) => Err(packet),
            Self::Packets(slots) => slots.push(packet).map_err(|refused| refused.packet),
        }
    }
}
