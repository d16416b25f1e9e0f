//! The shadow ledger: where every chunk is, in debug builds and with feature `ledger`.
//!
//! Without it a repeated address from the kernel's side cannot be told from a good one; with it, it is
//! refused. It also answers "where are my frames?".

/// Where a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChunkPlace {
    /// In a pool (or lost with a dropped one).
    Pool,
    /// In the user's hands, as a frame (or lost with a dropped one).
    User,
    /// Given for receiving: in the fill ring, in the kernel or in the RX ring.
    Receiving,
    /// Given for sending: in the TX ring, in the kernel or in the completion ring.
    Sending,
}

/// How many chunks are at each [`ChunkPlace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkCounts {
    /// Chunks in pools.
    pub pool: usize,
    /// Chunks in the user's hands.
    pub user: usize,
    /// Chunks in the fill ring, in the kernel or in the RX ring.
    pub receiving: usize,
    /// Chunks in the TX ring, in the kernel or in the completion ring.
    pub sending: usize,
}

#[cfg(any(debug_assertions, feature = "ledger"))]
mod kept {
    use super::{ChunkCounts, ChunkPlace};
    use crate::umem::geometry::Geometry;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// One byte for each chunk, shared by everything that holds chunks of the UMEM.
    #[derive(Debug, Clone)]
    pub(crate) struct Ledger(Arc<[AtomicU8]>);

    impl Ledger {
        pub(in crate::umem) fn new(chunks: usize) -> Self {
            Self((0..chunks).map(|_| AtomicU8::new(code(ChunkPlace::Pool))).collect())
        }

        /// Notes a move; answers whether the chunk was where it should come from.
        pub(crate) fn record_move(
            &self,
            geometry: &Geometry,
            address: u64,
            from: ChunkPlace,
            to: ChunkPlace,
        ) -> bool {
            self.exchange(geometry, address, code(from), code(to))
        }

        /// Keeps a chunk that is at `place`, with the kernel, from leaving there while a fake kernel
        /// reads or writes its bytes; answers whether it was there.
        #[cfg(feature = "test-util")]
        pub(crate) fn claim(&self, geometry: &Geometry, address: u64, place: ChunkPlace) -> bool {
            self.exchange(geometry, address, code(place), code(place) | CLAIMED)
        }

        /// The end of a [`claim`](Self::claim).
        #[cfg(feature = "test-util")]
        pub(crate) fn unclaim(&self, geometry: &Geometry, address: u64, place: ChunkPlace) {
            self.exchange(geometry, address, code(place) | CLAIMED, code(place));
        }

        fn exchange(&self, geometry: &Geometry, address: u64, from: u8, to: u8) -> bool {
            // A good kernel hands the chunk over by a ring, and needs no order here; from a hostile one
            // a chunk can come without.
            let order = (Ordering::AcqRel, Ordering::Acquire);
            self.0
                .get(geometry.index(address))
                .is_some_and(|place| place.compare_exchange(from, to, order.0, order.1).is_ok())
        }

        pub(in crate::umem) fn chunk_counts(&self) -> Option<ChunkCounts> {
            let mut census = ChunkCounts::default();
            for place in self.0.iter() {
                let count = match place.load(Ordering::Relaxed) & !CLAIMED {
                    0 => &mut census.pool,
                    1 => &mut census.user,
                    2 => &mut census.receiving,
                    _ => &mut census.sending,
                };
                *count = count.saturating_add(1);
            }
            Some(census)
        }

        pub(in crate::umem) fn chunk_places(&self) -> Option<Vec<ChunkPlace>> {
            let place = |byte: &AtomicU8| match byte.load(Ordering::Relaxed) & !CLAIMED {
                0 => ChunkPlace::Pool,
                1 => ChunkPlace::User,
                2 => ChunkPlace::Receiving,
                _ => ChunkPlace::Sending,
            };
            Some(self.0.iter().map(place).collect())
        }
    }

    /// Added to the place of a chunk whose bytes a fake kernel has in hand.
    const CLAIMED: u8 = 4;

    const fn code(place: ChunkPlace) -> u8 {
        match place {
            ChunkPlace::Pool => 0,
            ChunkPlace::User => 1,
            ChunkPlace::Receiving => 2,
            ChunkPlace::Sending => 3,
        }
    }
}

#[cfg(not(any(debug_assertions, feature = "ledger")))]
mod kept {
    use super::{ChunkCounts, ChunkPlace};
    use crate::umem::geometry::Geometry;

    /// No ledger: every question costs nothing and every move is believed.
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
