//! Conditions that addresses or ports are in a set.

use super::condition::Condition;
use super::direction::Direction;
use super::expr::TestKind;
use super::set::{AddressSet, PortSet};

/// The protocols that begin with two ports: TCP, UDP and SCTP.
const WITH_PORTS: [u8; 3] = [6, 17, 132];

impl Condition {
    /// Returns the condition that an IPv4 or IPv6 address of the packet is in a set. Addresses in ARP
    /// are not looked at.
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
