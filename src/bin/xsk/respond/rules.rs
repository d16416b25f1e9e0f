//! The filter: what comes to the sockets, which is what is replied to and nothing else, as far as
//! a filter can tell.

use crate::failure::{Failure, Result};
use crate::respond::own::{Mac, Own, solicited_node};
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use xsk::bpf::{Action, Condition, Filter};

/// Returns the filter: its first rule passes fragments of echo requests on, to count them, and the
/// second one takes what is replied to.
pub(crate) fn filter(own: &Own) -> Result<Filter> {
    let fragments = own
        .v4()
        .iter()
        .map(|address| format!("icmp and dst host {address} and ip[6:2] & 0x3fff != 0"))
        .chain(own.v6().iter().map(|address| {
            format!("ip6 dst host {address} and ip6[6] = 44 and ip6[40] = {ICMPV6}")
        }));
    let taken =
        own.v4().iter().flat_map(|address| [arp(*address, own.mac), echo(*address, own.mac)]);
    let taken6 = own
        .v6()
        .iter()
        .flat_map(|address| [neighbour(*address, own.mac), echo6(*address, own.mac)]);
    let filter = Filter::new().rule(tagged(any(fragments)?)?, Action::Pass);
    Ok(filter.rule(tagged(any(taken.chain(taken6))?)?, Action::Queue))
}

const ICMPV6: u8 = 58;

/// Returns the condition that one of the expressions is true.
fn any(expressions: impl Iterator<Item = String>) -> Result<Condition> {
    let parse = |text: String| text.parse().map_err(Failure::Expression);
    Ok(Condition::any(expressions.map(parse).collect::<Result<Vec<Condition>>>()?))
}

/// Returns the condition, also behind one VLAN tag and behind two.
fn tagged(condition: Condition) -> Result<Condition> {
    let vlan = Condition::any_vlan;
    let behind_one = vlan() & condition.clone().behind(1)?;
    let behind_two = vlan() & vlan().behind(1)? & condition.clone().behind(2)?;
    Ok(condition | behind_one | behind_two)
}

fn text(mac: Mac) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// Returns an ARP request for an address: to all, or to this host that is known already. One whose
/// sender has the same address announces that, and is for the kernel.
fn arp(address: Ipv4Addr, mac: Mac) -> String {
    let (number, mac) = (u32::from(address), text(mac));
    format!(
        "arp and arp[0:4] = 0x00010800 and arp[4:4] = 0x06040001 and arp[24:4] = {number} \
         and arp[14:4] != {number} and (ether dst {mac} or ether broadcast)"
    )
}

/// Returns an IPv4 echo request to an address in one packet.
fn echo(address: Ipv4Addr, mac: Mac) -> String {
    let mac = text(mac);
    format!(
        "icmp and ip dst host {address} and ip[6:2] & 0x3fff = 0 and icmp[0:2] = 0x0800 \
         and ether dst {mac}"
    )
}

/// Returns a neighbour solicitation for an address: to all that have its last three bytes, or to
/// the address itself.
fn neighbour(address: Ipv6Addr, mac: Mac) -> String {
    let mac = text(mac);
    let node = solicited_node(address);
    let mut expression = format!(
        "ip6 and (ip6 dst host {node} or ip6 dst host {address}) and ip6[6:2] = 0x3aff \
         and ip6[40:2] = 0x8700"
    );
    for (at, word) in (48..).step_by(4).zip(address.octets().chunks_exact(4)) {
        let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
        let _ = write!(expression, " and ip6[{at}:4] = {word}");
    }
    let _ = write!(expression, " and (ether dst {mac} or ether multicast)");
    expression
}

/// Returns an ICMPv6 echo request to an address, without extension headers.
fn echo6(address: Ipv6Addr, mac: Mac) -> String {
    let mac = text(mac);
    format!(
        "ip6 dst host {address} and ip6[6] = {ICMPV6} and ip6[40:2] = 0x8000 and ether dst {mac}"
    )
}
