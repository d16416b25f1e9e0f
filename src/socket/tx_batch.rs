//! Reserved slots of the TX ring.

use super::batch::Slots;
use super::desc::Desc;
use crate::umem::{ChunkPlace, Frame};

/// Reserved slots of the TX ring; what was pushed is submitted when this is dropped.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let mut slots = socket.tx.reserve(64)?;
/// for frame in socket.rx.receive(64)? {
///     if let Err(frame) = slots.push(frame) {
///         pool.put(frame); // the TX ring is full: drop the packet, keep the chunk
///     }
/// }
/// drop(slots);
/// socket.tx.kick_if_needed()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TxBatch<'a>(pub(super) Slots<'a, Desc>);

static_assertions::assert_impl_all!(TxBatch<'static>: Send, Sync);

impl TxBatch<'_> {
    /// Sends the frame's packet; gives the frame back if no slot is left.
    ///
    /// # Errors
    /// The frame, if no reserved slot is left.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline(always)]
    #[track_caller]
    pub fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        // A frame describes bytes inside its chunk (I4), and options are 0: never an invalid
        // descriptor.
        self.0.push(frame, ChunkPlace::Sending, |frame| {
            Desc::new(frame.kernel_address(), frame.len())
        })
    }

    /// Returns how many slots are left.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.0.remaining()
    }
}
