//! Reserved slots of the fill ring.

use super::batch::Slots;
use crate::umem::{ChunkPlace, Frame};

/// Reserved slots of the fill ring; what was pushed is submitted when this is dropped.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let mut slots = socket.fill.reserve(64)?;
/// for frame in socket.rx.receive(64)? {
///     if let Err(frame) = slots.push(frame) {
///         pool.put(frame); // the fill ring is full
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct FillBatch<'a>(pub(super) Slots<'a, u64>);

impl FillBatch<'_> {
    /// Gives the frame's chunk to the kernel; gives the frame back if no slot is left.
    ///
    /// # Errors
    /// The frame, if no reserved slot is left.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        self.0.push(frame, ChunkPlace::Receiving, Frame::kernel_address)
    }

    /// Returns how many slots are left.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.0.remaining()
    }
}
