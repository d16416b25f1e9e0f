//! The command line of `xsk bridge`.

use crate::command_line::port::{PortArgs, RxArgs, TxArgs};
use clap::Args;
use std::ffi::OsString;

/// Bridge two interfaces: what comes on either is sent on the other, as it is
///
/// As `l2fwd -o`, which is the same loop, but for its defaults: all queues (-q), both interfaces
/// promiscuous, and checksums finished. Packets are not copied: the sockets of all queues use one
/// packet memory, with so many chunks (--chunks) for each queue of both interfaces, and half of
/// those are for what each receives. One thread serves all queues in turn; one `xsk bridge -q N` for
/// each queue uses more processors. Queues that only one of the interfaces has are left out, and
/// what comes there goes to the kernel: a line at the start names them with the `ethtool -L` that
/// takes them away, another one is written when a packet comes there, and the summary counts them,
/// in JSON "left_out", a list of "interface", "queues" and "packets".
///
/// There are no tables of addresses and no spanning tree: two bridges between the same networks are
/// a loop, and the two ends of one veth pair are refused. Without FILTER nothing goes to the kernel's
/// network stack, which is refused without --yes on an interface that carries the default route or
/// this ssh session. With FILTER only packets of which it is true are bridged, and ARP, neighbour
/// discovery, DHCP replies and ssh to this host go to the kernel whatever it says, so that hosts on
/// both sides do not find one another by the bridge: with --take-management they are bridged where
/// FILTER is true of them.
///
/// Checksums of TCP and UDP that a sender left to its card (those of a veth's peer, a container or a
/// guest) are finished, in packets of one frame; with -F, and with --keep-checksums, `ethtool -K IF
/// tx off` is wanted at such senders. In generic mode packets longer than the MTU come from them, and
/// are dropped: `ethtool -K IF tso off gso off` there. A VLAN tag that the card took out of a packet
/// is not put back (`ethtool -K IF rxvlan off` leaves it in).
///
/// An interface that is switched off and on again goes on; one that is removed ends the command (4).
/// Each report has a line for each direction, and in JSON "directions": packets and bytes of the
/// interval, and in the summary those of the run. A count (-C) is of both directions together.
#[derive(Debug, Args)]
#[command(mut_arg("queue", |queue| queue.default_value("all")))]
#[command(mut_arg("sockets", |sockets| sockets.hide(true)))]
#[command(mut_arg("promiscuous", |promiscuous| promiscuous.hide(true)))]
pub(crate) struct BridgeArgs {
    #[command(flatten)]
    pub(crate) port: PortArgs,
    #[command(flatten)]
    pub(crate) rx: RxArgs,
    #[command(flatten)]
    pub(crate) tx: TxArgs,
    /// Other interface
    #[arg(short, long, value_name = "NAME", conflicts_with = "sockets")]
    pub(crate) output: OsString,
    /// Take only the packets that the interfaces receive anyway: those to their own addresses, to
    /// multicast groups that were joined, and broadcasts
    #[arg(long, conflicts_with = "promiscuous")]
    pub(crate) no_promiscuous: bool,
    /// Leave checksums as they come
    #[arg(long)]
    pub(crate) keep_checksums: bool,
}
