//! The IP addresses and default routes of an interface, and the interfaces above it.

use super::{Interface, InterfaceInfo};
use crate::error::Result;
use crate::netlink::Refusal;
use crate::netlink::message::{Malformed, Message, Request};
use rustix::io::Errno;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use xsk_uapi::netlink::NLM_F_DUMP;
use xsk_uapi::rtnetlink::{
    AF_INET, AF_INET6, AF_UNSPEC, IFA_ADDRESS, IFA_BROADCAST, IFA_LOCAL, RT_TABLE_MAIN,
    RTA_MULTIPATH, RTA_OIF, RTM_GETADDR, RTM_GETLINK, RTM_GETROUTE, RTM_NEWADDR, RTM_NEWROUTE,
    RTN_UNICAST, ifaddrmsg, ifinfomsg, rtmsg, rtnexthop,
};
use zerocopy::FromBytes;

/// Kinds of interfaces whose `IFLA_LINK` is not an interface below, but the other end.
const PAIRS: [&str; 3] = ["veth", "vxcan", "netkit"];

impl Interface {
    /// Returns its IPv4 and IPv6 addresses, in the kernel's order (`RTM_GETADDR`).
    ///
    /// Those of an interface above it, such as the bridge that it is a port of, are not among them:
    /// see [`uppers`](Self::uppers).
    ///
    /// ```
    /// use xsk::Interface;
    /// # fn main() -> xsk::Result<()> {
    /// for address in Interface::by_name("lo")?.addresses()? {
    ///     println!("{address}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "RTM_GETADDR")]
    pub fn addresses(&self) -> Result<Vec<IpAddr>> {
        Ok(self.assigned(AF_UNSPEC)?.into_iter().map(|assigned| assigned.address).collect())
    }

    /// Returns the broadcast addresses of its IPv4 subnets, in the kernel's order, each once: the
    /// last address of each subnet that has one, and those that were given with an address
    /// (`RTM_GETADDR`, `IFA_BROADCAST`).
    ///
    /// A subnet of two addresses (/31), or of one, has none (RFC 3021).
    ///
    /// ```
    /// use xsk::Interface;
    /// # fn main() -> xsk::Result<()> {
    /// for address in Interface::by_name("lo")?.broadcast_addresses()? {
    ///     println!("no host has {address}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "RTM_GETADDR")]
    pub fn broadcast_addresses(&self) -> Result<Vec<Ipv4Addr>> {
        let mut all = Vec::new();
        for address in self.assigned(AF_INET)?.iter().flat_map(Assigned::broadcasts) {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        Ok(all)
    }

    /// Returns the addresses of a family, or of all, with what belongs to them.
    fn assigned(&self, family: u8) -> Result<Vec<Assigned>> {
        const OPERATION: &str = "list the addresses of";
        // An index that was given to nothing has no addresses, either.
        self.info()?;
        let header = ifaddrmsg { ifa_family: family, ..ifaddrmsg::default() };
        let mut addresses = Vec::new();
        for reply in self.ask(OPERATION, &Request::new(RTM_GETADDR, NLM_F_DUMP, &header))? {
            let address = address_on(&reply.message(), self.index)
                .map_err(|malformed| self.error(OPERATION, malformed.into()))?;
            addresses.extend(address);
        }
        Ok(addresses)
    }

    /// Returns whether a default route of the main table, for IPv4 or IPv6, leads over it, or over
    /// an interface above it ([`uppers`](Self::uppers)): all its next hops count
    /// (`RTM_GETROUTE`).
    ///
    /// The kernel lists all its routes, so the call takes some time on a machine with many. Routes
    /// of other tables are not looked at, and neither are those that together lead everywhere, such
    /// as 0.0.0.0/1 and 128.0.0.0/1.
    ///
    /// ```
    /// use xsk::Interface;
    /// # fn main() -> xsk::Result<()> {
    /// let interface = Interface::by_name("lo")?;
    /// if interface.carries_default_route()? {
    ///     println!("{interface} may be how this machine is reached");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "RTM_GETROUTE")]
    pub fn carries_default_route(&self) -> Result<bool> {
        const OPERATION: &str = "list the routes of";
        let mut indices = vec![self.index];
        indices.extend(self.uppers()?.iter().map(Self::index));
        for rtm_family in [AF_INET, AF_INET6] {
            let header = rtmsg { rtm_family, ..rtmsg::default() };
            let replies = match self.try_ask(&Request::new(RTM_GETROUTE, NLM_F_DUMP, &header)) {
                Ok(replies) => replies,
                // A kernel without IPv6.
                Err(Refusal { errno: Errno::AFNOSUPPORT | Errno::OPNOTSUPP, .. }) => continue,
                Err(refusal) => return Err(self.error(OPERATION, refusal)),
            };
            for reply in replies {
                let over = default_route_over(&reply.message())
                    .map_err(|malformed| self.error(OPERATION, malformed.into()))?;
                if over.iter().any(|index| indices.contains(index)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Returns the interfaces above it, whose packets come and go over it: the bond, team, bridge
    /// or VRF that it belongs to (`IFLA_MASTER`), VLAN and macvlan interfaces and tunnels on it
    /// (`IFLA_LINK`), and what is above those. Those in other network namespaces are not among
    /// them.
    ///
    /// ```
    /// use xsk::Interface;
    /// # fn main() -> xsk::Result<()> {
    /// let interface = Interface::by_name("lo")?;
    /// let names: Vec<_> = interface.uppers()?.iter().map(|upper| upper.name().to_owned()).collect();
    /// println!("above {interface}: {}", names.join(", "));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "IFLA_MASTER")]
    #[doc(alias = "IFLA_LINK")]
    pub fn uppers(&self) -> Result<Vec<Self>> {
        const OPERATION: &str = "list the interfaces above";
        self.info()?;
        let request = Request::new(RTM_GETLINK, NLM_F_DUMP, &ifinfomsg::default());
        let mut all = Vec::new();
        for reply in self.ask(OPERATION, &request)? {
            let info = InterfaceInfo::read(&reply.message())
                .map_err(|malformed| self.error(OPERATION, malformed.into()))?;
            all.extend(info);
        }
        let above = indices_above(self.index, &all);
        let uppers = all.into_iter().filter(|info| above.contains(&info.index));
        Ok(uppers.map(|info| Self::new(info, Arc::clone(&self.sockets))).collect())
    }
}

/// Returns the indices of the interfaces above the one of this index.
fn indices_above(index: u32, all: &[InterfaceInfo]) -> Vec<u32> {
    let (mut above, mut next) = (Vec::new(), vec![index]);
    while let Some(index) = next.pop() {
        let masters = all.iter().filter(|info| info.index == index).filter_map(|info| info.master);
        let on_it = all.iter().filter(|info| is_on(info, index)).map(|info| info.index);
        for upper in masters.chain(on_it) {
            // A bridge may be below a VLAN interface that is a port of it.
            if !above.contains(&upper) {
                above.push(upper);
                next.push(upper);
            }
        }
    }
    above.retain(|upper| *upper != index);
    above
}

/// Returns whether an interface is on top of the one of this index.
fn is_on(info: &InterfaceInfo, index: u32) -> bool {
    let is_pair = info.kind.as_deref().is_some_and(|kind| PAIRS.contains(&kind));
    info.lower == Some(index) && !info.lower_is_elsewhere && !is_pair
}

/// An address of an interface, and what belongs to it.
#[derive(Debug, Clone, Copy)]
struct Assigned {
    address: IpAddr,
    /// An address of its subnet, which has a prefix of so many bits.
    subnet: IpAddr,
    prefix: u8,
    /// The broadcast address that was given with it.
    broadcast: Option<IpAddr>,
}

impl Assigned {
    /// Returns the broadcast addresses of its subnet, if that is one of IPv4.
    fn broadcasts(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let v4 = |address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        let hosts = u32::MAX.checked_shr(self.prefix.into()).filter(|hosts| *hosts > 1);
        let subnet = v4(self.subnet).zip(hosts);
        let last = subnet.map(|(subnet, hosts)| Ipv4Addr::from_bits(subnet.to_bits() | hosts));
        [last, self.broadcast.and_then(v4)].into_iter().flatten()
    }
}

/// Reads an `RTM_NEWADDR`; returns the address if it is one of the interface of this index.
fn address_on(message: &Message<'_>, index: u32) -> Result<Option<Assigned>, Malformed> {
    if message.kind != RTM_NEWADDR {
        return Ok(None);
    }
    let (header, attributes) = message.split::<ifaddrmsg>()?;
    if header.ifa_index != index {
        return Ok(None);
    }
    let (mut local, mut other, mut broadcast) = (None, None, None);
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            IFA_LOCAL => local = address(header.ifa_family, attribute.payload),
            IFA_ADDRESS => other = address(header.ifa_family, attribute.payload),
            IFA_BROADCAST => broadcast = address(header.ifa_family, attribute.payload),
            _ => {}
        }
    }
    // On a point-to-point interface the other one is the peer's. IPv6 has the local one only there.
    let assigned = local.or(other).zip(other.or(local));
    let prefix = header.ifa_prefixlen;
    Ok(assigned.map(|(address, subnet)| Assigned { address, subnet, prefix, broadcast }))
}

/// Returns the address in an attribute of this family.
fn address(family: u8, payload: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => <[u8; 4]>::try_from(payload).ok().map(IpAddr::from),
        AF_INET6 => <[u8; 16]>::try_from(payload).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Reads an `RTM_NEWROUTE`; returns the indices of the interfaces that it leads over if it is a
/// default route of the main table.
fn default_route_over(message: &Message<'_>) -> Result<Vec<u32>, Malformed> {
    let mut over = Vec::new();
    if message.kind != RTM_NEWROUTE {
        return Ok(over);
    }
    let (header, attributes) = message.split::<rtmsg>()?;
    let is_ip = matches!(header.rtm_family, AF_INET | AF_INET6);
    let is_default = header.rtm_dst_len == 0 && header.rtm_type == RTN_UNICAST;
    if !is_ip || !is_default || header.rtm_table != RT_TABLE_MAIN {
        return Ok(over);
    }
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            RTA_OIF => over.push(attribute.value()?),
            RTA_MULTIPATH => over.extend(next_hops(attribute.payload)?),
            _ => {}
        }
    }
    Ok(over)
}

/// Returns the indices of the interfaces of several next hops.
fn next_hops(mut payload: &[u8]) -> Result<Vec<u32>, Malformed> {
    let mut over = Vec::new();
    while !payload.is_empty() {
        let (hop, _) = rtnexthop::read_from_prefix(payload).map_err(|_| Malformed)?;
        over.push(u32::try_from(hop.rtnh_ifindex).map_err(|_| Malformed)?);
        let length = usize::from(hop.rtnh_len);
        if length < size_of::<rtnexthop>() || length > payload.len() {
            return Err(Malformed);
        }
        payload = payload.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::messages;
    use xsk_uapi::rtnetlink::{RTA_GATEWAY, RTN_UNREACHABLE};
    use zerocopy::IntoBytes;

    fn link(index: u32, kind: &str, master: Option<u32>, lower: Option<u32>) -> InterfaceInfo {
        let kind = Some(kind.to_owned());
        InterfaceInfo { index, kind, master, lower, ..InterfaceInfo::default() }
    }

    #[test]
    fn what_is_above_is_found_through_bonds_bridges_and_tags() {
        let all = [
            link(1, "", Some(3), None),
            link(2, "", Some(3), None),
            link(3, "bond", None, None),
            link(4, "vlan", Some(5), Some(3)),
            link(5, "bridge", None, None),
            link(6, "macvlan", None, Some(5)),
            // Of another namespace's interface 3.
            InterfaceInfo { lower_is_elsewhere: true, ..link(7, "vlan", None, Some(3)) },
            link(8, "veth", None, Some(9)),
            link(9, "veth", None, Some(8)),
        ];
        let above = |index| {
            let mut above = indices_above(index, &all);
            above.sort_unstable();
            above
        };
        assert_eq!(above(1), [3, 4, 5, 6]);
        assert_eq!(above(4), [5, 6]);
        assert_eq!(above(8), [0; 0]);
        // No kernel makes a ring; it has an end all the same.
        let ring = [link(1, "vlan", None, Some(2)), link(2, "vlan", None, Some(1))];
        assert_eq!(indices_above(1, &ring), [2]);
    }

    /// Returns what is read of a route message with these attributes.
    fn read(route: rtmsg, attributes: &[(u16, &[u8])]) -> Result<Vec<u32>, Malformed> {
        let mut request = Request::new(RTM_NEWROUTE, 0, &route);
        for (kind, payload) in attributes {
            request.attribute(*kind, payload);
        }
        let bytes = request.finish(1).unwrap();
        let message = messages(&bytes).next().unwrap().unwrap();
        default_route_over(&message)
    }

    #[test]
    fn next_hops_are_read_to_their_end_or_are_malformed() {
        let route = rtmsg {
            rtm_family: AF_INET,
            rtm_table: RT_TABLE_MAIN,
            rtm_type: RTN_UNICAST,
            ..rtmsg::default()
        };
        let oif = 7_u32.to_ne_bytes();
        let gateway: (u16, &[u8]) = (RTA_GATEWAY, &[192, 0, 2, 2]);
        assert_eq!(read(route, &[gateway, (RTA_OIF, &oif)]), Ok(vec![7]));
        let unreachable = rtmsg { rtm_type: RTN_UNREACHABLE, ..route };
        assert_eq!(read(unreachable, &[(RTA_OIF, &oif)]), Ok(vec![]));
        let longer = rtmsg { rtm_dst_len: 8, ..route };
        assert_eq!(read(longer, &[(RTA_OIF, &oif)]), Ok(vec![]));
        assert_eq!(read(rtmsg { rtm_table: 7, ..route }, &[(RTA_OIF, &oif)]), Ok(vec![]));

        let hop = |index, length| rtnexthop {
            rtnh_len: length,
            rtnh_ifindex: index,
            ..rtnexthop::default()
        };
        let gateway = [8, 0, 5, 0, 192, 0, 2, 2];
        let mut hops = hop(3, 16).as_bytes().to_vec();
        hops.extend_from_slice(&gateway);
        hops.extend_from_slice(hop(4, 8).as_bytes());
        assert_eq!(read(route, &[(RTA_MULTIPATH, &hops)]), Ok(vec![3, 4]));
        for broken in [&hops[..9], &hops[..15], &hops[..23]] {
            assert_eq!(read(route, &[(RTA_MULTIPATH, broken)]), Err(Malformed), "{broken:?}");
        }
        // A length that does not lead on.
        for length in [0, 7, 12] {
            let broken = hop(3, length);
            assert_eq!(read(route, &[(RTA_MULTIPATH, broken.as_bytes())]), Err(Malformed));
        }
        assert_eq!(read(route, &[(RTA_OIF, &[1, 2])]), Err(Malformed));
    }
}
