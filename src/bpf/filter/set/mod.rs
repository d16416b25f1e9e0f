//! Sets of many addresses or ports, which change while programs look into them.

mod address_set;
mod port_set;
mod table;

pub use address_set::AddressSet;
pub(super) use address_set::SetMaps;
pub use port_set::PortSet;
pub(super) use table::{BLOCK_BYTES, FULL_BLOCK, OFFSET};

use std::sync::atomic::{AtomicU64, Ordering};

/// Returns a number that no other set of this process has.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
