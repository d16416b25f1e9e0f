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
    use crate::umem::bounds::Bounds;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// One byte for each chunk, shared by everything that holds chunks of the UMEM.
    #[derive(Debug, Clone)]
    pub(crate) struct Ledger(Arc<[AtomicU8]>);

    impl Ledger {
        pub(in crate::umem) fn new(chunks: usize) -> Self {
            Self(
                (0..chunks)
                    .map(|_| AtomicU8::new(code(Place::Pool)))
                    .collect(),
            )
        }

        /// Notes a move; answers whether the chunk was where it should come from.
        pub(crate) fn moved(&self, bounds: &Bounds, address: u64, from: Place, to: Place) -> bool {
            // Relaxed: the chunk itself is handed over by a ring or by moving a value between threads,
            // and this byte is handed over with it.
            self.0.get(bounds.index(address)).is_some_and(|place| {
                place
                    .compare_exchange(code(from), code(to), Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            })
        }

        /// Whether the chunk is at `place`.
        #[cfg(feature = "test-util")]
        pub(crate) fn is_at(&self, bounds: &Bounds, address: u64, place: Place) -> bool {
            let there = |byte: &AtomicU8| byte.load(Ordering::Relaxed) == code(place);
            self.0.get(bounds.index(address)).is_some_and(there)
        }

        pub(in crate::umem) fn census(&self) -> Option<Census> {
            let mut census = Census::default();
            for place in self.0.iter() {
                let count = match place.load(Ordering::Relaxed) {
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
            let place = |byte: &AtomicU8| match byte.load(Ordering::Relaxed) {
                0 => Place::Pool,
                1 => Place::User,
                2 => Place::Receiving,
                _ => Place::Sending,
            };
            Some(self.0.iter().map(place).collect())
        }
    }

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
    use crate::umem::bounds::Bounds;

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
        pub(crate) fn is_at(&self, _: &Bounds, _: u64, _: Place) -> bool {
            true
        }

        pub(in crate::umem) fn census(&self) -> Option<Census> {
            None
        }

        pub(in crate::umem) fn places(&self) -> Option<Vec<Place>> {
            None
        }
    }
}

pub(crate) use kept::Ledger;
