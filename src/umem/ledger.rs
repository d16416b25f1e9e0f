//! The shadow ledger: where every chunk is, in debug builds and with feature `ledger`.
//!
//! Without it a repeated address from the kernel's side looks like a good one; with it, it is
//! refused.

#[cfg(any(debug_assertions, feature = "ledger"))]
mod kept {
    use crate::umem::geometry::Geometry;
    use crate::umem::{ChunkCounts, ChunkPlace};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// One byte for each chunk, shared by everything that holds chunks of the UMEM.
    #[derive(Clone)]
    pub(crate) struct Ledger(Arc<[AtomicU8]>);

    impl std::fmt::Debug for Ledger {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            // Not a byte for each chunk: every part of a socket has a ledger.
            f.debug_struct("Ledger").field("chunks", &self.0.len()).finish_non_exhaustive()
        }
    }

    impl Ledger {
        pub(in crate::umem) fn new(chunks: usize) -> Self {
            Self((0..chunks).map(|_| AtomicU8::new(bits(ChunkPlace::Pool))).collect())
        }

        /// Records a move; returns whether the chunk was where it comes from.
        pub(crate) fn record_move(
            &self,
            geometry: &Geometry,
            address: u64,
            from: ChunkPlace,
            to: ChunkPlace,
        ) -> bool {
            self.exchange(geometry, address, bits(from), bits(to))
        }

        /// Keeps a chunk that is at `place`, with the kernel, from leaving there while a fake
        /// kernel reads or writes its bytes; returns whether it was there.
        #[cfg(feature = "test-util")]
        pub(crate) fn claim(&self, geometry: &Geometry, address: u64, place: ChunkPlace) -> bool {
            self.exchange(geometry, address, bits(place), bits(place) | CLAIMED)
        }

        /// Ends a [`claim`](Self::claim).
        #[cfg(feature = "test-util")]
        pub(crate) fn unclaim(&self, geometry: &Geometry, address: u64, place: ChunkPlace) {
            self.exchange(geometry, address, bits(place) | CLAIMED, bits(place));
        }

        fn exchange(&self, geometry: &Geometry, address: u64, from: u8, to: u8) -> bool {
            // A good kernel hands the chunk over by a ring, and needs no order here; from a hostile
            // one a chunk can come without.
            let order = (Ordering::AcqRel, Ordering::Acquire);
            self.0
                .get(geometry.index(address))
                .is_some_and(|place| place.compare_exchange(from, to, order.0, order.1).is_ok())
        }

        pub(in crate::umem) fn chunk_counts(&self) -> Option<ChunkCounts> {
            let mut counts = ChunkCounts::default();
            for place in self.places() {
                let count = match place {
                    ChunkPlace::Pool => &mut counts.pool,
                    ChunkPlace::User => &mut counts.user,
                    ChunkPlace::Receiving => &mut counts.receiving,
                    ChunkPlace::Sending => &mut counts.sending,
                    ChunkPlace::Lost => &mut counts.lost,
                };
                *count = count.saturating_add(1);
            }
            Some(counts)
        }

        pub(in crate::umem) fn chunk_places(&self) -> Option<Vec<ChunkPlace>> {
            Some(self.places().collect())
        }

        fn places(&self) -> impl Iterator<Item = ChunkPlace> {
            self.0.iter().map(|byte| from_bits(byte.load(Ordering::Relaxed)))
        }
    }

    /// Added to the place of a chunk whose bytes a fake kernel reads or writes.
    const CLAIMED: u8 = 8;

    #[expect(clippy::as_conversions, reason = "the discriminant of a `repr(u8)`")]
    const fn bits(place: ChunkPlace) -> u8 {
        place as u8
    }

    /// Returns the place that a byte of the ledger says, claimed or not.
    const fn from_bits(byte: u8) -> ChunkPlace {
        match byte & !CLAIMED {
            0 => ChunkPlace::Pool,
            1 => ChunkPlace::User,
            2 => ChunkPlace::Receiving,
            3 => ChunkPlace::Sending,
            _ => ChunkPlace::Lost,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_place_is_read_back_from_its_bits() {
            use ChunkPlace::{Lost, Pool, Receiving, Sending, User};
            for place in [Pool, User, Receiving, Sending, Lost] {
                assert_eq!(from_bits(bits(place)), place);
                assert_eq!(from_bits(bits(place) | CLAIMED), place);
            }
        }
    }
}

#[cfg(not(any(debug_assertions, feature = "ledger")))]
mod kept {
    use crate::umem::geometry::Geometry;
    use crate::umem::{ChunkCounts, ChunkPlace};

    /// No ledger: recording costs nothing and every move is accepted.
    #[derive(Debug, Clone)]
    pub(crate) struct Ledger;

    impl Ledger {
        pub(in crate::umem) fn new(_chunks: usize) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn record_move(
            &self,
            _: &Geometry,
            _: u64,
            _: ChunkPlace,
            _: ChunkPlace,
        ) -> bool {
            true
        }

        #[cfg(feature = "test-util")]
        pub(crate) fn claim(&self, _: &Geometry, _: u64, _: ChunkPlace) -> bool {
            true
        }

        #[cfg(feature = "test-util")]
        pub(crate) fn unclaim(&self, _: &Geometry, _: u64, _: ChunkPlace) {}

        pub(in crate::umem) fn chunk_counts(&self) -> Option<ChunkCounts> {
            None
        }

        pub(in crate::umem) fn chunk_places(&self) -> Option<Vec<ChunkPlace>> {
            None
        }
    }
}

pub(crate) use kept::Ledger;
