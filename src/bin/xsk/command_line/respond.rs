//! The command line of `xsk respond`.

use crate::command_line::port::PortArgs;
use crate::respond::own;
use clap::Args;
use std::net::IpAddr;

/// Reply to ARP, IPv6 neighbour solicitations and pings from user space
///
/// Takes from the interface ARP requests and neighbour solicitations for the addresses, and echo
/// requests of ICMP and ICMPv6 to them, also behind one VLAN tag or two, and sends the reply from
/// the same chunk, without a copy, to the asker alone. Everything else goes on to the kernel's
/// network stack: what else there is of these protocols, fragments, echo requests behind IPv6
/// extension headers, and all packets to other IP or Ethernet addresses.
///
/// Not replied to, though taken, and so lost to the kernel as well: packets with a wrong checksum or
/// contradictory lengths, from addresses that no other host can have (0.0.0.0, multicast, broadcast
/// of a subnet of the interface, loopback, its own), and with an IPv4 source route. The summary
/// counts each kind, and so does "replies" of the last JSON object: "replied", "not_replied" and
/// "fragments_passed_on".
///
/// A reply has the tags, the identification and the options of its request (a route or time that is
/// to be recorded is not), a time to live of 64, and the interface's Ethernet address as it was at
/// the start; the interface's own addresses are those of then, too. A tag that the card took out of
/// a packet is not seen, and the reply has none (`ethtool -K IF rxvlan off` leaves it in; on a veth
/// `txvlan off` at the peer).
///
/// With several queues each thread sleeps while nothing comes, as with -p. A count (-C) is of
/// replies. The table of an interval is two lines, RX and TX, as in the AF_XDP
/// exercise of the xdp-tutorial: packets and bytes since the start, rates of the interval.
#[derive(Debug, Args)]
#[command(mut_arg("queue", |queue| queue.default_value("all")))]
pub(crate) struct RespondArgs {
    #[command(flatten)]
    pub(crate) port: PortArgs,
    /// Address to reply for, IPv4 or IPv6; may be given up to 256 times [default: those of the
    /// interface]
    ///
    /// An address that the kernel does not have needs no --yes. For one that it has, it would reply
    /// itself: that is said, and on an interface that carries the default route or this ssh session
    /// it is refused without --yes, because a process that is stopped (Ctrl-Z) replies to nothing.
    #[arg(short, long = "address", value_name = "ADDRESS", value_parser = own::parse)]
    pub(crate) addresses: Vec<IpAddr>,
    /// Reply for the kernel's own addresses, although that may cut you off
    #[arg(long)]
    pub(crate) yes: bool,
}
