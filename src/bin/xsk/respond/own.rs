//! The addresses that are replied for.

use crate::failure::{Failure, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most addresses: the filter has some instructions for each.
pub(crate) const MOST: usize = 256;

/// An Ethernet address.
pub(crate) type Mac = [u8; 6];

/// The addresses that are replied for, and what replies say of their owner.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) mac: Mac,
    /// Sorted, each once.
    v4: Vec<Ipv4Addr>,
    v6: Vec<Ipv6Addr>,
    /// Those that no other host has beside these: broadcast addresses of the subnets, and what else
    /// is the kernel's.
    not_others: Vec<IpAddr>,
    /// Whether neighbours are to know a router by these addresses.
    pub(crate) router: bool,
}

impl Own {
    /// Takes the addresses, and the Ethernet address that they are at.
    pub(crate) fn new(mac: Mac, addresses: &[IpAddr], router: bool) -> Result<Self> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for address in addresses {
            match address {
                IpAddr::V4(address) => v4.push(*address),
                IpAddr::V6(address) => v6.push(*address),
            }
        }
        v4.sort_unstable();
        v4.dedup();
        v6.sort_unstable();
        v6.dedup();
        let own = Self { mac, v4, v6, not_others: Vec::new(), router };
        let number = own.all().count();
        if number > MOST {
            return Err(Failure::Text(format!(
                "{number} addresses are too many: the filter has room for {MOST}"
            )));
        }
        Ok(own)
    }

    /// Takes addresses that no other host has beside these.
    pub(crate) fn never_others(self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { not_others: addresses.into_iter().collect(), ..self }
    }

    /// Returns whether another host may have an address, and so get a reply.
    pub(crate) fn may_be_others(&self, address: IpAddr) -> bool {
        let is_own = match address {
            IpAddr::V4(address) => self.has_v4(address),
            IpAddr::V6(address) => self.has_v6(address),
        };
        !(is_own || is_no_host(address) || self.not_others.contains(&address))
    }

    pub(crate) fn v4(&self) -> &[Ipv4Addr] {
        &self.v4
    }

    pub(crate) fn v6(&self) -> &[Ipv6Addr] {
        &self.v6
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let v6 = self.v6.iter().copied().map(IpAddr::from);
        self.v4.iter().copied().map(IpAddr::from).chain(v6)
    }

    pub(crate) fn has_v4(&self, address: Ipv4Addr) -> bool {
        self.v4.binary_search(&address).is_ok()
    }

    pub(crate) fn has_v6(&self, address: Ipv6Addr) -> bool {
        self.v6.binary_search(&address).is_ok()
    }
}

/// Returns the multicast address that neighbours ask for an address at (RFC 4291, 2.7.1).
pub(crate) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// Returns the Ethernet address of a multicast address (RFC 2464, 7).
pub(crate) fn multicast_mac(address: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = address.octets();
    [0x33, 0x33, a, b, c, d]
}

/// Returns whether no host can have an address.
pub(crate) fn is_no_host(address: IpAddr) -> bool {
    match address {
        // 0.0.0.0/8, and from 224.0.0.0 on: multicast, reserved, broadcast.
        IpAddr::V4(address) => {
            let first = address.octets()[0];
            first == 0 || first >= 224 || address.is_loopback()
        }
        IpAddr::V6(address) => {
            address.is_unspecified() || address.is_multicast() || address.is_loopback()
        }
    }
}

/// Reads an address that can be replied for.
pub(crate) fn parse(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| {
        "an IPv4 or IPv6 address is wanted, without a prefix length, as 192.0.2.1 or 2001:db8::1"
            .to_owned()
    })?;
    let address = address.to_canonical();
    match is_no_host(address) {
        true => {
            Err("no host has this address: it is the unspecified, a loopback, a multicast or a \
                     broadcast address"
                .to_owned())
        }
        false => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_host_has_are_refused() {
        for text in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"]
        {
            assert!(parse(text).unwrap_err().contains("no host"), "{text}");
        }
        for text in ["", "192.0.2", "192.0.2.1/24", "fe80::1%eth0", "2001:db8::/32"] {
            assert!(parse(text).unwrap_err().contains("is wanted"), "{text}");
        }
        for text in ["192.0.2.1", "2001:db8::1", "fe80::1"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse("::ffff:192.0.2.1").unwrap().to_string(), "192.0.2.1");
    }

    #[test]
    fn addresses_are_known_once_each() {
        let own = |list: &[&str]| {
            let list: Vec<IpAddr> = list.iter().map(|text| text.parse().unwrap()).collect();
            Own::new([2; 6], &list, false)
        };
        let some = own(&["192.0.2.9", "192.0.2.1", "2001:db8::1", "192.0.2.9"]).unwrap();
        assert_eq!(some.all().count(), 3);
        assert!(some.has_v4([192, 0, 2, 9].into()) && !some.has_v4([192, 0, 2, 2].into()));
        assert!(some.has_v6("2001:db8::1".parse().unwrap()));
        let many: Vec<String> = (0..300).map(|n| format!("10.0.{}.{}", n / 256, n % 256)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(own(&many).unwrap_err().to_string().contains("300 addresses are too many"));
    }

    #[test]
    fn multicast_addresses_are_those_of_the_standards() {
        let node = solicited_node("2001:db8::12:3456".parse().unwrap());
        assert_eq!(node.to_string(), "ff02::1:ff12:3456");
        assert_eq!(multicast_mac(node), [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
    }
}
