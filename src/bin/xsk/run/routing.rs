//! Received packets of which some are sent, and the others received into again.

use crate::run::sockets::{RxRing, TxRing};
use std::slice::from_mut;
use xsk::socket::{PacketRx, PacketTx, Routed};
use xsk::{Fill, Frame, FramePool, RingError, Rx, Tx, Verdict};

/// An RX ring whose packets are looked at one by one.
pub(crate) trait RoutesRx: RxRing {
    /// Has `decide` look at and edit the frames of each of up to `most` packets: those for which it
    /// returns `true` are sent, and the chunks of the others go to the fill ring.
    fn route_each(
        &mut self,
        most: u32,
        to: Outlets<'_, Self::Tx>,
        decide: impl FnMut(&mut [Frame]) -> bool,
    ) -> Result<Routed, RingError>;
}

/// Where packets go of which some are sent.
pub(crate) struct Outlets<'a, T: TxRing> {
    pub(crate) tx: &'a mut T,
    pub(crate) fill: &'a mut Fill,
    /// For chunks that the fill ring has no room for.
    pub(crate) pool: &'a mut FramePool,
}

impl RoutesRx for Rx {
    #[inline(always)]
    fn route_each(
        &mut self,
        most: u32,
        to: Outlets<'_, Tx>,
        mut decide: impl FnMut(&mut [Frame]) -> bool,
    ) -> Result<Routed, RingError> {
        let Outlets { tx, fill, pool } = to;
        self.receive(most)?.route_each(tx, fill, pool, |mut frame| {
            match decide(from_mut(&mut frame)) {
                true => Verdict::Send(frame),
                false => Verdict::Recycle(frame),
            }
        })
    }
}

impl RoutesRx for PacketRx {
    #[inline(always)]
    fn route_each(
        &mut self,
        most: u32,
        to: Outlets<'_, PacketTx>,
        mut decide: impl FnMut(&mut [Frame]) -> bool,
    ) -> Result<Routed, RingError> {
        let Outlets { tx, fill, pool } = to;
        let mut routed = Routed::default();
        let limit = tx.max_frames();
        let mut slots = tx.reserve(u32::MAX)?;
        // What is taken from the RX ring has room, whatever becomes of it.
        while routed.total() < most && slots.remaining() >= limit {
            let Some(mut packet) = self.receive(1)?.into_iter().next() else { break };
            let refused = match decide(packet.frames_mut()) {
                true => slots.push(packet).err().map(|refused| refused.packet),
                false => Some(packet),
            };
            match refused {
                None => routed.sent += 1,
                Some(packet) => {
                    pool.extend(packet);
                    routed.pooled += 1;
                }
            }
        }
        drop(slots);
        fill.fill_from(pool, u32::MAX)?;
        Ok(routed)
    }
}
