//! Of which chunks that are being sent the time of sending was asked, and where.

use crate::umem::geometry::Geometry;
use std::sync::atomic::{AtomicU32, Ordering};

/// A number for each chunk of a UMEM, of one socket: where the packet in it begins that the socket sends
/// with TX metadata that ask for the time of sending.
///
/// What lies before a packet says nothing by itself: it can be of an earlier packet, or a part of
/// one. And a completion does not say where the packet began: since 6.18 the kernel repeats the address
/// without its lowest bit (`xsk_skb_destructor_set_addr`, net/xdp/xsk.c).
#[derive(Debug)]
pub(super) struct TxRequests(Box<[AtomicU32]>);

/// The number of a chunk whose packet came without such a request: no packet begins so near to the
/// beginning of a chunk.
const NOT_ASKED: u32 = 0;

impl TxRequests {
    pub(super) fn new(geometry: &Geometry) -> Self {
        Self((0..geometry.chunk_count()).map(|_| AtomicU32::new(NOT_ASKED)).collect())
    }

    /// Sets whether the time was asked for, for the packet at `address`. The chunk is the caller's, who
    /// sends it.
    #[inline]
    pub(super) fn set(&self, geometry: &Geometry, address: u64, asked: bool) {
        let Some(place) = self.0.get(geometry.index(address)) else { return };
        let offset = u32::try_from(geometry.offset(address)).unwrap_or(NOT_ASKED);
        // Relaxed: the rings hand the chunk over.
        place.store(if asked { offset } else { NOT_ASKED }, Ordering::Relaxed);
    }

    /// Returns the address of the packet in the chunk of `address`, if the time was asked for. The chunk
    /// is the caller's, to whom it came back.
    #[inline]
    pub(super) fn get(&self, geometry: &Geometry, address: u64) -> Option<u64> {
        let offset = self.0.get(geometry.index(address))?.load(Ordering::Relaxed);
        let packet = geometry.at(geometry.chunk(address), offset.into());
        (offset != NOT_ASKED).then_some(packet)
    }
}
