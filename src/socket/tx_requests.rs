//! Of which chunks that are being sent the time of sending was asked.

use crate::umem::{Frame, Umem};
use std::sync::atomic::{AtomicU64, Ordering};

/// A bit for each chunk of a UMEM, of one socket: whether the packet in it that the socket sends
/// came with TX metadata that asks for the time of sending.
///
/// What lies before a packet says nothing by itself: it can be of an earlier packet, or a part of
/// one.
#[derive(Debug)]
pub(super) struct TxRequests(Box<[AtomicU64]>);

impl TxRequests {
    pub(super) fn new(umem: &Umem) -> Self {
        let words = umem.chunk_count().div_ceil(64);
        Self((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    /// Sets whether the time was asked for. The chunk is the caller's, who sends it.
    #[inline]
    pub(super) fn set(&self, umem: &Umem, frame: &Frame, asked: bool) {
        let Some((word, bit)) = self.place(umem, frame) else { return };
        // Relaxed: the rings hand the chunk over.
        if asked {
            word.fetch_or(bit, Ordering::Relaxed);
        } else if word.load(Ordering::Relaxed) & bit != 0 {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Returns whether the time was asked for. The chunk is the caller's, to whom it came back.
    #[inline]
    pub(super) fn get(&self, umem: &Umem, frame: &Frame) -> bool {
        let place = self.place(umem, frame);
        place.is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    #[inline]
    fn place(&self, umem: &Umem, frame: &Frame) -> Option<(&AtomicU64, u64)> {
        let number = umem.geometry().index(frame.kernel_address());
        Some((self.0.get(number / 64)?, 1 << (number % 64)))
    }
}
