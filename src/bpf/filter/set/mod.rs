//! Sets of many addresses or ports, which change while programs look into them.

mod address_set;
mod port_set;
mod table;

pub use address_set::AddressSet;
pub(super) use address_set::SetMaps;
pub use port_set::PortSet;
pub(super) use table::{BLOCK_BYTES, FULL_BLOCK, OFFSET};

use super::condition::Condition;
use super::expr::{Direction, TestKind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Returns a number that no other set of this process has.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The protocols that begin with two ports: TCP, UDP and SCTP.
const WITH_PORTS: [u8; 3] = [6, 17, 132];

impl Condition {
    /// Returns the condition that an IPv4 or IPv6 address of the packet is in a set.
    #[must_use]
    pub fn address_in(direction: Direction, set: &AddressSet) -> Self {
        Self::test(TestKind::AddressIn(direction, set.clone()))
    }

    /// Returns the condition that a port of TCP, UDP or SCTP is in a set; join it with
    /// [`Condition::tcp`] and its sisters for one of them.
    #[must_use]
    pub fn port_in(direction: Direction, set: &PortSet) -> Self {
        Self::any(WITH_PORTS.into_iter().flat_map(|protocol| {
            [
                Self::test(TestKind::Ip4PortIn(protocol, direction, set.clone())),
                Self::test(TestKind::Ip6PortIn(protocol, direction, set.clone())),
            ]
        }))
    }
}
