//! The command line of `receive`.

use crate::command_line::filter::FilterArgs;
use crate::command_line::port::PortArgs;
use clap::Args;

/// Receive what `xsk generate` sends: report loss, reorder, duplicates and latency
///
/// Packets are recognised by their mark (`xsk help generate`), behind the headers of UDP, TCP, or
/// ICMP echo requests and replies, with or without VLAN tags; all others that come are counted as
/// foreign. Without FILTER those to UDP or TCP port 9 come, to which `generate` sends, and all
/// others stay with the kernel; so does management, whatever the filter is: DHCP replies (source
/// port 67 or 547) and ssh.
///
/// A flow's packets have numbers. One whose number is below the greatest that came is reordered (RFC
/// 4737); one whose number came before is a duplicate, and counts as nothing else; one that is
/// further behind than --window is late, and counts as nothing else. A flow has lost the numbers from
/// the first that came to the greatest that did not come. What was lost before the first packet and
/// behind the last one is not known here: compare with what the sender says.
///
/// The latency is from when the sender wrote a batch of packets to when a batch was seen here, by
/// CLOCK_MONOTONIC: of one machine. Times that cannot be are those of another machine's clock; they
/// are counted and not used. Percentiles are off by 0.4 % at the most.
///
/// With --json the summary has the object "received": "flows", "packets" (each once), "lost",
/// "reordered", "duplicates", "late", "foreign", "untracked", "foreign_clock", "latency_ns" ("min",
/// "p50", "p90", "p99", "p99_9" and "max", or null) and, with --per-flow, "by_flow": objects with
/// "stream", "flow", "first" and "last", the least and the greatest number, and "packets", "lost",
/// "reordered", "duplicates" and "late".
#[derive(Debug, Args)]
pub(crate) struct ReceiveArgs {
    #[command(flatten)]
    pub(crate) port: PortArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Entries of the RX ring
    #[arg(long, value_name = "ENTRIES", default_value_t = 4096)]
    pub(crate) rx_ring: u32,
    /// Entries of the fill ring
    #[arg(long, value_name = "ENTRIES", default_value_t = 4096)]
    pub(crate) fill_ring: u32,
    /// Receive the packets to all addresses: promiscuous mode, which ends with the command
    #[arg(long)]
    pub(crate) promiscuous: bool,
    /// Report each flow, too
    #[arg(long)]
    pub(crate) per_flow: bool,
    /// Fail (exit code 1) if packets were lost, or none came
    #[arg(long)]
    pub(crate) fail_on_loss: bool,
    /// Numbers of each flow that are remembered, to tell a reordered packet from a duplicate
    #[arg(long, value_name = "PACKETS", default_value_t = 65_536,
          value_parser = clap::value_parser!(u32).range(64..=16_777_216))]
    pub(crate) window: u32,
    /// Flows that are followed on each queue; packets of others are counted as untracked
    ///
    /// Each that comes takes memory for its window: 8 KiB, unless --window is given.
    #[arg(long, value_name = "FLOWS", default_value_t = 16_384,
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) flows: u32,
}
