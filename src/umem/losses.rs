//! The ledger's part of a loss: that a chunk is lost, and where the first one was.
//!
//! It is empty where there is no ledger.

#[cfg(any(debug_assertions, feature = "ledger"))]
mod kept {
    use crate::umem::ChunkPlace;
    use crate::umem::geometry::Geometry;
    use crate::umem::ledger::Ledger;
    use std::backtrace::{Backtrace, BacktraceStatus};
    use std::collections::BTreeMap;
    use std::sync::{Arc, OnceLock, RwLock, TryLockError, TryLockResult};

    /// The ledger of every UMEM that exists, by its number: a frame has no pointer to it.
    static LEDGERS: RwLock<BTreeMap<u32, Arc<Entry>>> = RwLock::new(BTreeMap::new());

    /// How often a lock is tried for. It is held for the time of a look into the map: a thread that
    /// waits longer is in a child made by `fork`, where the thread that holds it does not exist.
    const TRIES: u32 = 10_000;

    #[derive(Debug)]
    struct Entry {
        geometry: Geometry,
        ledger: Ledger,
        first: OnceLock<Backtrace>,
    }

    /// Has the ledger of a UMEM know of its losses, until this is dropped.
    #[derive(Debug)]
    pub(in crate::umem) struct LossRecord(Arc<Entry>);

    impl LossRecord {
        pub(in crate::umem) fn new(geometry: Geometry, ledger: Ledger) -> Self {
            let entry = Arc::new(Entry { geometry, ledger, first: OnceLock::new() });
            if let Some(mut all) = patiently(|| LEDGERS.try_write()) {
                all.insert(geometry.umem, Arc::clone(&entry));
            }
            Self(entry)
        }

        /// Returns where the first chunk was lost, if that was captured.
        pub(in crate::umem) fn first(&self) -> Option<&Backtrace> {
            let captured = |first: &&Backtrace| first.status() == BacktraceStatus::Captured;
            self.0.first.get().filter(captured)
        }
    }

    impl Drop for LossRecord {
        fn drop(&mut self) {
            if let Some(mut all) = patiently(|| LEDGERS.try_write()) {
                all.remove(&self.0.geometry.umem);
            }
        }
    }

    /// Records that chunks of UMEM number `umem` are lost from `place`.
    #[cold]
    #[inline(never)]
    pub(in crate::umem) fn record_lost(
        umem: u32,
        place: ChunkPlace,
        addresses: impl IntoIterator<Item = u64>,
    ) {
        let all = patiently(|| LEDGERS.try_read());
        let Some(entry) = all.and_then(|all| all.get(&umem).cloned()) else { return };
        entry.first.get_or_init(Backtrace::capture);
        for address in addresses {
            entry.ledger.record_move(&entry.geometry, address, place, ChunkPlace::Lost);
        }
    }

    /// Waits for a lock, but not without an end.
    fn patiently<T>(mut lock: impl FnMut() -> TryLockResult<T>) -> Option<T> {
        for _ in 0..TRIES {
            match lock() {
                Ok(guard) => return Some(guard),
                // A panic leaves nothing half done in the map.
                Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }
}

#[cfg(not(any(debug_assertions, feature = "ledger")))]
mod kept {
    use crate::umem::ChunkPlace;
    use crate::umem::geometry::Geometry;
    use crate::umem::ledger::Ledger;
    use std::backtrace::Backtrace;

    #[derive(Debug)]
    pub(in crate::umem) struct LossRecord;

    impl LossRecord {
        pub(in crate::umem) fn new(_: Geometry, _: Ledger) -> Self {
            Self
        }

        pub(in crate::umem) fn first(&self) -> Option<&Backtrace> {
            None
        }
    }

    #[inline(always)]
    pub(in crate::umem) fn record_lost(_: u32, _: ChunkPlace, _: impl IntoIterator<Item = u64>) {}
}

pub(super) use kept::{LossRecord, record_lost};
