//! The two kinds of addresses that a flow rule compares.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An address of IPv4 or IPv6: a parameter of [`Ports`](super::Ports) and [`Ip`](super::Ip). It is
/// implemented for both kinds, and for nothing else.
///
/// ```
/// use std::net::Ipv6Addr;
/// use xsk::interface::{Address, FlowMatch, FlowRule, Ports};
///
/// fn of_web<A: Address>(flow: FlowMatch<Ports<A>>, server: A) -> FlowRule {
///     flow.destination(server).destination_port(80).to_queue(1)
/// }
/// let rule = of_web(FlowRule::tcp_v6(), Ipv6Addr::LOCALHOST);
/// assert_eq!(rule.to_string(), "tcp6 dst ::1 dst-port 80: queue 1");
/// ```
pub trait Address: sealed::Sealed + Copy {}

impl Address for Ipv4Addr {}
impl Address for Ipv6Addr {}

mod sealed {
    use super::{Ipv4Addr, Ipv6Addr};

    /// What both kinds of address have.
    pub trait Sealed {
        /// What an error says of a prefix that is too long.
        const PREFIX_RULE: &'static str;
        /// Returns the address, and the mask of a prefix, which may be too long.
        fn masked(self, prefix: u8) -> (Vec<u8>, Vec<u8>);
        /// Bits of an address.
        const BITS: u8;
    }

    impl Sealed for Ipv4Addr {
        const PREFIX_RULE: &'static str = "goes from 0 to 32";
        const BITS: u8 = 32;

        fn masked(self, prefix: u8) -> (Vec<u8>, Vec<u8>) {
            let mask = !u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            (self.octets().to_vec(), mask.to_be_bytes().to_vec())
        }
    }

    impl Sealed for Ipv6Addr {
        const PREFIX_RULE: &'static str = "goes from 0 to 128";
        const BITS: u8 = 128;

        fn masked(self, prefix: u8) -> (Vec<u8>, Vec<u8>) {
            let mask = !u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
            (self.octets().to_vec(), mask.to_be_bytes().to_vec())
        }
    }
}
