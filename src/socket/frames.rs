//! Received packets, one by one.

use super::Rx;
use super::desc::Desc;
use super::rx::mint;
use crate::num::usize32;
use crate::ring::Reader;
use crate::umem::{Frame, Judge};

/// The frames of a received batch.
///
/// Dropping it gives the slots of the frames that were taken back to the kernel and leaves the others
/// for the next [`Rx::receive`]; forgetting it (`std::mem::forget`) delays that until then.
#[derive(Debug)]
pub struct Frames<'a> {
    entries: Reader<'a, Desc>,
    judge: &'a Judge,
}

impl<'a> Frames<'a> {
    #[inline(always)]
    pub(super) fn new(rx: &'a mut Rx, count: u32) -> Self {
        Self { entries: rx.ring.read(count), judge: &rx.judge }
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
        let frame = mint(self.judge, desc);
        if frame.is_none() {
            self.entries.refuse(desc);
        }
        frame
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        // A bad entry ends the batch early.
        (0, Some(usize32(self.left())))
    }
}
