//! Rings of a socket that is alone on its queue, one of several, or one for packets of several frames.

use std::slice::from_mut;
use xsk::socket::{
    PacketBatch, PacketRx, PacketTx, PacketTxBatch, SharedCompletion, SharedRx, TxBatch,
};
use xsk::{
    Completion, CompletionBatch, Fill, Frame, FramePool, Packet, RingError, Rx, RxBatch, Tx,
    Verdict,
};

pub(crate) enum AnyRx {
    Own(Rx),
    Shared(SharedRx),
    Packets(PacketRx),
}

impl AnyRx {
    pub(crate) fn receive(&mut self, count: u32) -> Result<AnyBatch<'_>, RingError> {
        Ok(match self {
            Self::Own(rx) => AnyBatch::Frames(rx.receive(count)?),
            Self::Shared(rx) => AnyBatch::Frames(rx.receive(count)?),
            Self::Packets(rx) => AnyBatch::Packets(rx.receive(count)?),
        })
    }
}

pub(crate) enum AnyBatch<'a> {
    Frames(RxBatch<'a>),
    Packets(PacketBatch<'a>),
}

/// A closure that gets the frames of each packet.
pub(crate) type Look<'a> = &'a mut dyn FnMut(&mut [Frame]);

impl AnyBatch<'_> {
    /// Drops the batch after `take` packets were taken, or forgets it; returns their frames.
    pub(crate) fn take(self, take: usize, forget: bool) -> Vec<Frame> {
        fn rest(rest: impl Sized, forget: bool) {
            if forget {
                std::mem::forget(rest);
            }
        }
        match self {
            Self::Frames(batch) => {
                let mut frames = batch.into_iter();
                let taken = frames.by_ref().take(take).collect();
                rest(frames, forget);
                taken
            }
            Self::Packets(batch) => {
                let mut packets = batch.into_iter();
                let taken = packets.by_ref().take(take).flatten().collect();
                rest(packets, forget);
                taken
            }
        }
    }

    pub(crate) fn reclaim(self, pool: &mut FramePool) -> u32 {
        match self {
            Self::Frames(batch) => batch.reclaim(pool),
            Self::Packets(batch) => batch.reclaim(pool),
        }
    }

    pub(crate) fn recycle(self, fill: &mut Fill) -> Result<u32, RingError> {
        match self {
            Self::Frames(batch) => batch.recycle(fill),
            Self::Packets(batch) => batch.recycle(fill),
        }
    }

    pub(crate) fn recycle_each(self, fill: &mut Fill, look: Look<'_>) -> Result<u32, RingError> {
        match self {
            Self::Frames(batch) => batch.recycle_each(fill, |frame| look(from_mut(frame))),
            Self::Packets(batch) => batch.recycle_each(fill, look),
        }
    }

    /// Forwards the packets; if the TX ring is of the other kind, recycles them.
    pub(crate) fn forward(self, tx: &mut AnyTx, fill: &mut Fill) -> Result<u32, RingError> {
        match (self, tx) {
            (Self::Frames(batch), AnyTx::Frames(tx)) => batch.forward(tx),
            (Self::Packets(batch), AnyTx::Packets(tx)) => batch.forward(tx),
            (batch, _) => batch.recycle(fill),
        }
    }

    /// As [`forward`](Self::forward), after `look` has had each packet.
    pub(crate) fn forward_each(
        self,
        tx: &mut AnyTx,
        fill: &mut Fill,
        look: Look<'_>,
    ) -> Result<u32, RingError> {
        match (self, tx) {
            (Self::Frames(batch), AnyTx::Frames(tx)) => {
                batch.forward_each(tx, |frame| look(from_mut(frame)))
            }
            (Self::Packets(batch), AnyTx::Packets(tx)) => batch.forward_each(tx, look),
            (batch, _) => batch.recycle_each(fill, look),
        }
    }

    /// Has `decide` say where each packet goes; those of several frames are forwarded.
    pub(crate) fn route_each(
        self,
        tx: &mut AnyTx,
        fill: &mut Fill,
        pool: &mut FramePool,
        look: Look<'_>,
    ) -> Result<u32, RingError> {
        let (batch, tx) = match (self, tx) {
            (Self::Frames(batch), AnyTx::Frames(tx)) => (batch, tx),
            (batch, tx) => return batch.forward_each(tx, fill, look),
        };
        let mut number = 0_u32;
        let decide = |mut frame| {
            look(from_mut(&mut frame));
            number += 1;
            match number % 3 {
                0 => Verdict::Send(frame),
                1 => Verdict::Recycle(frame),
                _ => Verdict::Pool(frame),
            }
        };
        batch.route_each(tx, fill, pool, decide).map(|routed| routed.total())
    }
}

pub(crate) enum AnyTx {
    Frames(Tx),
    Packets(PacketTx),
}

impl AnyTx {
    pub(crate) fn reserve(&mut self, count: u32) -> Result<AnySlots<'_>, RingError> {
        Ok(match self {
            Self::Frames(tx) => AnySlots::Frames(tx.reserve(count)?),
            Self::Packets(tx) => AnySlots::Packets(tx.reserve(count)?),
        })
    }

    pub(crate) fn send_from(&mut self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        match self {
            Self::Frames(tx) => tx.send_from(pool, count, 60),
            Self::Packets(tx) => tx.send_from(pool, count, 60),
        }
    }

    pub(crate) fn send_each(
        &mut self,
        pool: &mut FramePool,
        count: u32,
        look: Look<'_>,
    ) -> Result<u32, RingError> {
        match self {
            Self::Frames(tx) => tx.send_each(pool, count, |frame| look(from_mut(frame))),
            Self::Packets(tx) => tx.send_each(pool, count, |frame| look(from_mut(frame))),
        }
    }

    pub(crate) fn kick_if_needed(&mut self) -> xsk::Result<()> {
        match self {
            Self::Frames(tx) => tx.kick_if_needed().map(drop),
            Self::Packets(tx) => tx.kick_if_needed().map(drop),
        }
    }
}

pub(crate) enum AnySlots<'a> {
    Frames(TxBatch<'a>),
    Packets(PacketTxBatch<'a>),
}

impl AnySlots<'_> {
    /// Sends a packet of one frame.
    pub(crate) fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        match self {
            Self::Frames(slots) => slots.push(frame),
            Self::Packets(slots) => slots
                .push(frame)
                .map_err(|refused| refused.packet.into_iter().next().expect("it has one")),
        }
    }

    /// Sends a packet; a socket for packets of one frame gives it back.
    pub(crate) fn push_packet(&mut self, packet: Packet) -> Result<(), Packet> {
        match self {
            Self::Frames(_) => Err(packet),
            Self::Packets(slots) => slots.push(packet).map_err(|refused| refused.packet),
        }
    }
}

pub(crate) enum AnyCompletion {
    Own(Completion),
    Shared(SharedCompletion),
}

impl AnyCompletion {
    pub(crate) fn reap(&mut self, count: u32) -> Result<CompletionBatch<'_>, RingError> {
        match self {
            Self::Own(completion) => completion.reap(count),
            Self::Shared(completion) => completion.reap(count),
        }
    }

    pub(crate) fn reap_into(&mut self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        match self {
            Self::Own(completion) => completion.reap_into(pool, count),
            Self::Shared(completion) => completion.reap_into(pool, count),
        }
    }
}
