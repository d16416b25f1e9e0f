//! What becomes of a received packet.

use crate::umem::Frame;

/// What becomes of a received packet: the result of the closure of
/// [`RxBatch::route_each`](super::RxBatch::route_each).
///
/// The frame need not be the one that the closure was given: any of the same UMEM will do.
///
/// ```
/// use xsk::{Frame, Umem, Verdict};
///
/// /// Sends broadcasts, shortened; drops everything else.
/// fn decide(umem: &Umem, mut frame: Frame) -> Verdict {
///     if umem.bytes(&frame).starts_with(&[0xff; 6]) {
///         let _ = frame.truncate(60);
///         Verdict::Send(frame)
///     } else {
///         Verdict::Recycle(frame)
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// The packet is sent, as the closure edited it.
    Send(Frame),
    /// The packet is dropped: its chunk goes to the fill ring, or into the pool if the fill ring is
    /// full.
    Recycle(Frame),
    /// The packet is dropped: its chunk goes into the pool.
    Pool(Frame),
    /// The closure kept the frame, or gave it to another ring or pool. Frames that are kept are
    /// missing in the fill ring: keep no more than the UMEM has to spare, and give the oldest one on
    /// for each that comes (`Verdict::Send(oldest)`, or [`FramePool::put`](crate::FramePool::put)).
    Kept,
}
