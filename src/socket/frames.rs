//! Received packets, one by one.

use super::Rx;
use super::rx::mint;
use crate::num::usize32;
use crate::ring::Reader;
use crate::umem::{Bounds, Frame, Ledger};
use xsk_uapi::if_xdp::xdp_desc;

/// The frames of a received batch.
///
/// Dropping it gives the slots of the frames that were taken back to the kernel and leaves the others
/// for the next [`Rx::receive`]; forgetting it (`std::mem::forget`) delays that until then.
#[derive(Debug)]
pub struct Frames<'a> {
    entries: Reader<'a, xdp_desc>,
    bounds: &'a Bounds,
    ledger: &'a Ledger,
    refused: &'a mut Option<xdp_desc>,
}

impl<'a> Frames<'a> {
    #[inline(always)]
    pub(super) fn new(rx: &'a mut Rx, count: u32) -> Self {
        let Rx {
            ring,
            bounds,
            ledger,
            refused,
            ..
        } = rx;
        Self {
            entries: ring.read(count),
            bounds,
            ledger,
            refused,
        }
    }

    /// Packets not taken yet.
    #[inline]
    #[must_use]
    pub fn left(&self) -> u32 {
        self.entries.left()
    }
}

impl Iterator for Frames<'_> {
    type Item = Frame;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame> {
        let desc = self.entries.take()?;
        let frame = mint(self.bounds, self.ledger, desc);
        if frame.is_none() {
            *self.refused = Some(desc);
            self.entries.stop();
        }
        frame
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        // A bad entry ends the batch early.
        (0, Some(usize32(self.left())))
    }
}

/// A descriptor's length and options as one number: too large for any chunk if there are options.
#[inline(always)]
pub(super) fn length_and_options(desc: xdp_desc) -> u64 {
    u64::from(desc.options) << 32 | u64::from(desc.len)
}
