//! The command line of `generate`: what is sent, and how fast.

use crate::command_line::port::{PortArgs, TxArgs};
use crate::command_line::ranges::{Addresses, Loops, Mac, Numbers, factor, per_second};
use crate::generate::layout::{Common, Layout, Protocol};
use clap::Args;
use std::path::PathBuf;

/// Send packets of many flows at a rate, or the packets of a capture
///
/// The packets are UDP over IPv4 unless options say something else, with right checksums. The flows
/// are all combinations of the addresses and ports, and take turns. Behind the headers a packet has
/// a mark of 18 bytes, by which `xsk receive` recognises it: f5 78 6b; the stream, 2 bytes, another
/// number for each queue of each run; the flow's number, 3 bytes; the packet's number in its flow, 4
/// bytes; and when its batch was written, in nanoseconds of CLOCK_MONOTONIC, 6 bytes; all of them
/// in network order. Zeros follow.
///
/// Packets pass the interface's queueing discipline by, and tcpdump on this interface does not see
/// them: look at the other end, or at `ip -s link`. No program is attached in copy mode; see
/// `xsk help txonly`.
///
/// With --json the summary has the object "generate": "flows"; "pps" and "bps", what was asked for;
/// "late_ms", how far the packets fell behind their times; and "replay", with "passes", "packets"
/// (read), "cut", "too_long" and "too_short", or null.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    pub(crate) port: PortArgs,
    #[command(flatten)]
    pub(crate) tx: TxArgs,
    #[command(flatten)]
    pub(crate) rate: RateArgs,
    #[command(flatten)]
    pub(crate) flow: FlowArgs,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    /// Send on an interface that carries the default route or this ssh session, although what is
    /// sent goes to the network behind it
    #[arg(long)]
    pub(crate) yes: bool,
}

/// How fast packets are sent.
#[derive(Debug, Args)]
pub(crate) struct RateArgs {
    /// Packets per second, by all queues together, with k, M or G for thousands, millions and
    /// billions [default: as fast as possible]
    ///
    /// A packet is sent when its time has come, by CLOCK_MONOTONIC. What could not be sent in time
    /// is sent as soon as it can be, unless that is more than a second later: the times of all
    /// packets move then, and the summary says by how much. Between packets that are more than
    /// 0.15 ms apart the thread sleeps; -p has it sleep also for less.
    #[arg(long, value_name = "PACKETS", value_parser = per_second, conflicts_with = "bps")]
    pub(crate) pps: Option<u64>,
    /// Bits per second in place of packets, as the interface counts its bytes: with the Ethernet
    /// header, and without preamble, FCS and gap
    #[arg(long, value_name = "BITS", value_parser = per_second)]
    pub(crate) bps: Option<u64>,
}

/// What is sent.
#[derive(Debug, Args)]
pub(crate) struct FlowArgs {
    /// UDP (the default)
    #[arg(long, conflicts_with_all = ["tcp_syn", "icmp"])]
    pub(crate) udp: bool,
    /// TCP packets that open a connection (SYN)
    #[arg(long, conflicts_with = "icmp")]
    pub(crate) tcp_syn: bool,
    /// ICMP echo requests, or ICMPv6 ones; their identifier is the source port (--src-port)
    ///
    /// `xsk receive icmp` recognises the replies, too: its latency is that of the round trip then.
    #[arg(long)]
    pub(crate) icmp: bool,
    /// Source MAC address [default: the interface's]
    #[arg(long, value_name = "MAC")]
    pub(crate) src_mac: Option<Mac>,
    /// Destination MAC address [default: that of the neighbour --dst-ip, if the kernel knows it]
    ///
    /// It is never guessed: without it, and without a --dst-ip whose neighbour entry on this
    /// interface has an address (`ip neigh`), the command is refused. Of several addresses
    /// (--dst-ip) the first one is looked up.
    #[arg(long, value_name = "MAC")]
    pub(crate) dst_mac: Option<Mac>,
    /// VLAN that packets are tagged with, 1 to 4094
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(1..=4094))]
    pub(crate) vlan: Option<u16>,
    /// Source addresses: one, a range (10.0.0.1-10.0.0.9), or all of a prefix (10.0.0.0/24)
    /// [default: the interface's first one, else 198.18.0.1 or 2001:2::1, which are for benchmarks]
    #[arg(long, value_name = "ADDRESSES")]
    pub(crate) src_ip: Option<Addresses>,
    /// Destination addresses [default: 198.18.0.2 or 2001:2::2]
    #[arg(long, value_name = "ADDRESSES")]
    pub(crate) dst_ip: Option<Addresses>,
    /// Source ports: one, or a range (1000-2000) [default: 4096]
    #[arg(long, value_name = "PORTS")]
    pub(crate) src_port: Option<Numbers<u16>>,
    /// Destination ports [default: 9, which discards what comes]
    #[arg(long, value_name = "PORTS")]
    pub(crate) dst_port: Option<Numbers<u16>>,
    /// Bytes of a packet with its Ethernet header and without the FCS, or a range (60-1514), whose
    /// sizes take turns [default: 60, or what the headers and the mark need]
    #[arg(short = 's', long, value_name = "BYTES", conflicts_with = "imix")]
    pub(crate) size: Option<Numbers<u32>>,
    /// Sizes as in the Internet: of 12 packets 7 have 60 bytes, 4 have 590 and one has 1514; the
    /// small ones as many as the headers and the mark need, if that is more
    #[arg(long)]
    pub(crate) imix: bool,
    /// Leave the mark out: shorter packets are possible, and `xsk receive` does not recognise them
    #[arg(long)]
    pub(crate) no_mark: bool,
}

/// A capture that is sent.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Send the packets of this capture as they are, in the format pcap or pcapng; `-` is the
    /// standard input
    ///
    /// They are read while they are sent. Each is sent at its time after the first one; with --pps
    /// or --bps at that rate. Packets that are longer than the MTU allows, or than a chunk (-F), or
    /// shorter than an Ethernet header, are left out and counted; of a packet that the capture has
    /// cut off, what is there is sent. A capture that ends in the middle of a packet is an error
    /// (exit code 1), after all packets before it were sent. One queue sends it.
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Factor by which the capture is sent faster: 2 in half the time
    #[arg(long, value_name = "FACTOR", value_parser = factor, requires = "replay")]
    pub(crate) speed: Option<f64>,
    /// Send the capture as fast as possible
    #[arg(long, requires = "replay")]
    pub(crate) top_speed: bool,
    /// How often the capture is sent: a number, or `forever` [default: 1]
    #[arg(long = "loop", value_name = "TIMES", requires = "replay")]
    pub(crate) loops: Option<Loops>,
}

impl GenerateArgs {
    /// Returns what is wrong with options that are right each by itself.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let FlowArgs { udp, tcp_syn, icmp, src_mac, dst_mac, vlan, src_ip, dst_ip, .. } =
            &self.flow;
        let FlowArgs { src_port, dst_port, size, imix, no_mark, .. } = &self.flow;
        let ReplayArgs { replay, speed, top_speed, loops } = &self.replay;
        let timed = self.rate.pps.is_some() || self.rate.bps.is_some();
        if *icmp && dst_port.is_some() {
            return Some(
                "--dst-port cannot be used with --icmp: echo requests have no ports".into(),
            );
        }
        if let (Some(from), Some(to)) = (src_ip, dst_ip) {
            if from.first.is_ipv4() != to.first.is_ipv4() {
                return Some("--src-ip and --dst-ip have to be both IPv4 or both IPv6".into());
            }
        }
        let Some(file) = replay else { return self.too_short() };
        let given = [
            (*udp, "--udp"),
            (*tcp_syn, "--tcp-syn"),
            (*icmp, "--icmp"),
            (src_mac.is_some(), "--src-mac"),
            (dst_mac.is_some(), "--dst-mac"),
            (vlan.is_some(), "--vlan"),
            (src_ip.is_some(), "--src-ip"),
            (dst_ip.is_some(), "--dst-ip"),
            (src_port.is_some(), "--src-port"),
            (dst_port.is_some(), "--dst-port"),
            (size.is_some(), "--size"),
            (*imix, "--imix"),
            (*no_mark, "--no-mark"),
        ];
        if let Some((_, name)) = given.iter().find(|(given, _)| *given) {
            return Some(format!(
                "{name} cannot be used with --replay: the packets of a capture are sent as they are"
            ));
        }
        if self.port.queue.single().is_none() {
            return Some("--replay needs one queue (-q): packets keep their order on one".into());
        }
        let rates = [(speed.is_some(), "--speed"), (*top_speed, "--top-speed"), (timed, "a rate")];
        let rates: Vec<&str> = rates.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        if let [one, other, ..] = rates[..] {
            return Some(format!("{one} cannot be used with {other}: each of them is a speed"));
        }
        if file.as_os_str() == "-" && loops.is_some_and(|loops| loops != Loops::Times(1)) {
            return Some("--loop cannot be used with `--replay -`: what was read is gone".into());
        }
        None
    }

    /// Returns why packets are too short, if they are: for their headers and the mark.
    fn too_short(&self) -> Option<String> {
        let flow = &self.flow;
        let Numbers { first, .. } = flow.size?;
        let marked = !flow.no_mark;
        let given = flow.dst_ip.or(flow.src_ip);
        let layout = Layout::new(Common {
            to: [0; 6],
            from: [0; 6],
            vlan: flow.vlan,
            v6: given.is_some_and(|addresses| addresses.first.is_ipv6()),
            protocol: Protocol::new(flow.tcp_syn, flow.icmp),
            marked,
        });
        let need = match marked {
            true => "the headers and the mark need (--no-mark leaves the mark out)",
            false => "the headers need",
        };
        let least = layout.least();
        (first < least).then(|| format!("packets of {first} bytes are too short: {need} {least}"))
    }
}
