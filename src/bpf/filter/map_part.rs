//! Which map a load of a compiled filter is to name.

use super::set::{AddressSet, PortSet};

/// The part that a map has in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MapPart {
    Sockets,
    Counters,
    /// The value of the IPv4 prefixes of a set.
    Table(AddressSet),
    /// The IPv6 prefixes of a set.
    Trie(AddressSet),
    /// The value of a set of ports.
    Ports(PortSet),
}
