//! What stays with the kernel beside a filter: the packets without which a machine cannot be
//! reached.

use crate::failure::Result;
use crate::run::ssh;
use std::net::IpAddr;
use xsk::Interface;
use xsk::bpf::Filter;

/// Returns the addresses of an interface, and of those above it.
pub(crate) fn addresses(interface: &Interface) -> Result<Vec<IpAddr>> {
    let mut addresses = interface.addresses()?;
    for upper in interface.uppers()? {
        addresses.extend(upper.addresses()?);
    }
    Ok(addresses)
}

/// The most addresses that rules name; with more, ssh of any address stays with the kernel.
const MOST_ADDRESSES: usize = 64;

/// Returns the rules that keep management with the kernel, for all addresses of an interface and of
/// those above it.
pub(crate) fn kept(interface: &Interface) -> Result<Filter> {
    let session = ssh::session();
    let mut addresses = addresses(interface)?;
    if let Some(session) = &session {
        // It may be one of another interface, whose packets come here.
        addresses.extend(session.local);
    }
    Ok(rules(&addresses, session.map(|session| session.port)))
}

/// Returns the rules for these addresses and the port of a session.
fn rules(addresses: &[IpAddr], port: Option<u16>) -> Filter {
    let addresses = if addresses.len() > MOST_ADDRESSES { &[] } else { addresses };
    Filter::new().keep_management(addresses.iter().copied(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: [u8; 4] = [192, 0, 2, 1];

    /// Returns a TCP packet to a port of an address, behind a VLAN tag if it is to be.
    fn tcp(address: [u8; 4], port: u16, tagged: bool) -> Vec<u8> {
        let mut packet = vec![0; 12];
        if tagged {
            packet.extend([0x81, 0, 0, 5]);
        }
        packet.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1]);
        packet.extend(address);
        packet.extend([[0x13, 0x88], port.to_be_bytes()].concat());
        packet.extend([0; 16]);
        packet
    }

    /// Returns whether ssh to the host, or to a port of it, is kept with the kernel.
    fn is_kept(filter: &Filter, packet: &[u8]) -> bool {
        filter.matches(packet).rule.is_some()
    }

    #[test]
    fn ssh_is_kept_behind_a_tag_too() {
        let host = [IpAddr::from(HOST)];
        for tagged in [false, true] {
            let filter = rules(&host, Some(2222));
            for port in [22, 2222] {
                assert!(is_kept(&filter, &tcp(HOST, port, tagged)));
            }
            assert!(!is_kept(&filter, &tcp(HOST, 80, tagged)));
            assert!(!is_kept(&filter, &tcp([192, 0, 2, 2], 22, tagged)));
            let mut arp = tcp(HOST, 0, tagged);
            let at = if tagged { 16 } else { 12 };
            arp[at..at + 2].copy_from_slice(&[8, 6]);
            assert!(is_kept(&filter, &arp));
            assert!(filter.compile().unwrap().unreachable().is_empty());
        }
    }

    #[test]
    fn with_very_many_addresses_ssh_of_any_is_kept() {
        let many: Vec<IpAddr> = (0..=255).map(|last| [10, 0, 0, last].into()).collect();
        let filter = rules(&many, None);
        assert!(is_kept(&filter, &tcp([10, 0, 0, 3], 22, false)));
        assert!(is_kept(&filter, &tcp(HOST, 22, false)));
        assert!(filter.compile().unwrap().len() < 1000);
    }
}
