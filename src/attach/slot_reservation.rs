//! Slots of maps that this process has registered sockets in.

use crate::sys::fork::Process;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A slot of a map, which only one registration of this process has at a time.
///
/// The kernel accepts the same socket twice in one slot, and cannot report then which of the two
/// registrations has ended.
#[derive(Debug)]
pub(super) struct SlotReservation {
    /// A forked child has its own slots, and a copy of its parent's reservations.
    process: Process,
    map: u32,
    slot: u32,
}

/// The slots with a registration, of all attachments.
static RESERVED: Mutex<BTreeSet<(Process, u32, u32)>> = Mutex::new(BTreeSet::new());

impl SlotReservation {
    /// Reserves a slot of the map with the id `map`; `None` if it has a registration already.
    pub(super) fn new(map: u32, slot: u32) -> Option<Self> {
        let process = Process::current();
        reserved().insert((process, map, slot)).then(|| Self { process, map, slot })
    }

    /// Returns the slot.
    pub(super) fn slot(&self) -> u32 {
        self.slot
    }
}

impl Drop for SlotReservation {
    fn drop(&mut self) {
        // In a forked child the set may be locked for good, by a thread that the child does not
        // have.
        if self.process == Process::current() {
            reserved().remove(&(self.process, self.map, self.slot));
        }
    }
}

fn reserved() -> MutexGuard<'static, BTreeSet<(Process, u32, u32)>> {
    // The set is complete after every call, also after a panic.
    RESERVED.lock().unwrap_or_else(PoisonError::into_inner)
}
