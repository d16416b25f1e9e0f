//! The shadow ledger: where every chunk is, in debug builds and with feature `ledger`.
//!
//! Without it a repeated address from the kernel's side cannot be told from a good one; with it, it is
//! refused. It also answers "where are my frames?".

/// Where a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a pool (or lost with a dropped one).
    Pool,
    /// In the user's hands, as a frame (or lost with a dropped one).
    User,
    /// Given for receiving: in the fill ring, in the kernel or in the RX ring.
    Receiving,
    /// Given for sending: in the TX ring, in the kernel or in the completion ring.
    Sending,
}

/// How many chunks are at each [`Place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
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
    use super::{Census, Place};
    use crate::umem::geometry::Bounds;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// One byte for each chunk, shared by everything that holds chunks of the UMEM.
    #[derive(Debug, Clone)]
    pub(crate) struct Ledger(Arc<[AtomicU8]>);

    impl Ledger {
        pub(in crate::umem) fn new(chunks: usize) -> Self {
            Self((0..chunks).map(|_| AtomicU8::new(code(Place::Pool))).collect())
        }

        /// Notes a move; answers whether the chunk was where it should come from.
        pub(crate) fn moved(&self, bounds: &Bounds, address: u64, from: Place, to: Place) -> bool {
            self.exchange(bounds, address, code(from), code(to))
        }

        /// Keeps a chunk that is at `place`, with the kernel, from leaving there while a fake kernel
        /// reads or writes its bytes; answers whether it was there.
        #[cfg(feature = "test-util")]
        pub(crate) fn claim(&self, bounds: &Bounds, address: u64, place: Place) -> bool {
            self.exchange(bounds, address, code(place), code(place) | CLAIMED)
        }

        /// The end of a [`claim`](Self::claim).
        #[cfg(feature = "test-util")]
        pub(crate) fn unclaim(&self, bounds: &Bounds, address: u64, place: Place) {
            self.exchange(bounds, address, code(place) | CLAIMED, code(place));
        }

        fn exchange(&self, bounds: &Bounds, address: u64, from: u8, to: u8) -> bool {
            // A good kernel hands the chunk over by a ring, and needs no order here; from a hostile one
            // a chunk can come without.
            let order = (Ordering::AcqRel, Ordering::Acquire);
            self.0
                .get(bounds.index(address))
                .is_some_and(|place| place.compare_exchange(from, to, order.0, order.1).is_ok())
        }

        pub(in crate::umem) fn census(&self) -> Option<Census> {
            let mut census = Census::default();
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

        pub(in crate::umem) fn places(&self) -> Option<Vec<Place>> {
            let place = |byte: &AtomicU8| match byte.load(Ordering::Relaxed) & !CLAIMED {
                0 => Place::Pool,
                1 => Place::User,
                2 => Place::Receiving,
                _ => Place::Sending,
            };
            Some(self.0.iter().map(place).collect())
        }
    }

    /// Added to the place of a chunk whose bytes a fake kernel has in hand.
    const CLAIMED: u8 = 4;

    const fn code(place: Place) -> u8 {
        match place {
            Place::Pool => 0,
            Place::User => 1,
            Place::Receiving => 2,
            Place::Sending => 3,
        }
    }
}

#[cfg(not(any(debug_assertions, feature = "ledger")))]
mod kept {
    use super::{Census, Place};
    use crate::umem::geometry::Bounds;

    /// No ledger: every question costs nothing and every move is believed.
    #[derive(Debug, Clone)]
    pub(crate) struct Ledger;

    impl Ledger {
        pub(in crate::umem) fn new(_chunks: usize) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn moved(&self, _: &Bounds, _: u64, _: Place, _: Place) -> bool {
            true
        }

        #[cfg(feature = "test-util")]
        pub(crate) fn claim(&self, _: &Bounds, _: u64, _: Place) -> bool {
            true
        }

        #[cfg(feature = "test-util")]
        pub(crate) fn unclaim(&self, _: &Bounds, _: u64, _: Place) {}

        pub(in crate::umem) fn census(&self) -> Option<Census> {
            None
        }

        pub(in crate::umem) fn places(&self) -> Option<Vec<Place>> {
            None
        }
    }
}

pub(crate) use kept::Ledger;
