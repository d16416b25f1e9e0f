//! The hardware addresses of the neighbours of an interface.

use super::Interface;
use crate::error::Result;
use crate::netlink::message::{Malformed, Message, Request};
use std::net::IpAddr;
use xsk_uapi::netlink::NLM_F_DUMP;
use xsk_uapi::rtnetlink::{
    AF_INET, AF_INET6, NDA_DST, NDA_LLADDR, RTM_GETNEIGH, RTM_NEWNEIGH, ndmsg,
};

impl Interface {
    /// Returns the MAC address of a neighbour on it, if the kernel's table has one (`RTM_GETNEIGH`,
    /// `ip neigh`). Nothing is sent: an address that was not asked for yet has none.
    ///
    /// ```
    /// use xsk::Interface;
    /// # fn main() -> xsk::Result<()> {
    /// let interface = Interface::by_name("lo")?;
    /// assert_eq!(interface.neighbour_mac([192, 0, 2, 1].into())?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "RTM_GETNEIGH")]
    pub fn neighbour_mac(&self, address: IpAddr) -> Result<Option<[u8; 6]>> {
        const OPERATION: &str = "list the neighbours on";
        // An index that was given to nothing has no neighbours, either.
        self.info()?;
        let ndm_family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
        let header = ndmsg { ndm_family, ..ndmsg::default() };
        let mut found = None;
        for reply in self.ask(OPERATION, &Request::new(RTM_GETNEIGH, NLM_F_DUMP, &header))? {
            let mac = mac_of(&reply.message(), self.index, address)
                .map_err(|malformed| self.error(OPERATION, malformed.into()))?;
            found = found.or(mac);
        }
        Ok(found)
    }
}

/// Reads an `RTM_NEWNEIGH`; returns the MAC address if it is that of `address` on the interface of
/// this index.
fn mac_of(
    message: &Message<'_>,
    index: u32,
    address: IpAddr,
) -> Result<Option<[u8; 6]>, Malformed> {
    if message.kind != RTM_NEWNEIGH {
        return Ok(None);
    }
    let (header, attributes) = message.split::<ndmsg>()?;
    if u32::try_from(header.ndm_ifindex) != Ok(index) {
        return Ok(None);
    }
    let (mut is_wanted, mut mac) = (false, None);
    for attribute in attributes {
        let attribute = attribute?;
        match (attribute.kind, address) {
            (NDA_DST, IpAddr::V4(wanted)) => is_wanted = attribute.payload == wanted.octets(),
            (NDA_DST, IpAddr::V6(wanted)) => is_wanted = attribute.payload == wanted.octets(),
            // One that is being looked up has no address, or zeros.
            (NDA_LLADDR, _) => {
                let six = <[u8; 6]>::try_from(attribute.payload);
                mac = six.ok().filter(|mac| *mac != [0; 6]);
            }
            _ => {}
        }
    }
    Ok(mac.filter(|_| is_wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::messages;
    use zerocopy::IntoBytes;

    /// Returns an `RTM_NEWNEIGH` with these attributes.
    fn neighbour(index: i32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let header = ndmsg { ndm_family: AF_INET, ndm_ifindex: index, ..ndmsg::default() };
        let mut body = header.as_bytes().to_vec();
        for (kind, payload) in attributes {
            let length = u16::try_from(payload.len().saturating_add(4)).unwrap();
            body.extend([length.to_ne_bytes(), kind.to_ne_bytes()].concat());
            body.extend(*payload);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let length = u32::try_from(body.len().saturating_add(16)).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend([RTM_NEWNEIGH.to_ne_bytes(), 0_u16.to_ne_bytes()].concat());
        message.extend([0; 8]);
        message.extend(body);
        message
    }

    #[test]
    fn a_neighbour_is_found_by_interface_and_address() {
        let (host, mac) = ([10, 0, 0, 2], [2, 0, 0, 0, 0, 7]);
        let both: [(u16, &[u8]); 2] = [(NDA_DST, &host), (NDA_LLADDR, &mac)];
        for (bytes, found) in [
            (neighbour(3, &both), Some(mac)),
            (neighbour(4, &both), None),
            (neighbour(3, &[(NDA_DST, &[10, 0, 0, 3]), (NDA_LLADDR, &mac)]), None),
            (neighbour(3, &[(NDA_DST, &host)]), None),
            (neighbour(3, &[(NDA_DST, &host), (NDA_LLADDR, &[0; 6])]), None),
            (neighbour(3, &[(NDA_DST, &host), (NDA_LLADDR, &[1; 20])]), None),
        ] {
            let message = messages(&bytes).next().unwrap().unwrap();
            assert_eq!(mac_of(&message, 3, host.into()).unwrap(), found, "{bytes:?}");
        }
    }
}
