//! Options of the commands that look at interfaces and change nothing: `features` and `doctor`.

use clap::Args;
use std::ffi::OsString;
use xsk::multi_queue::QueueSet;

/// Show what a network interface, its driver and the kernel can do with AF_XDP
///
/// Driver, native and zero-copy mode, packets of several frames, what a card tells of each packet,
/// queues, rings, MTU, receive hash and NAPI. What the kernel does not report is unknown, and never
/// "no". Nothing is changed, and no rights are needed.
#[derive(Debug, Args)]
pub(crate) struct FeaturesArgs {
    /// Interface [default: a line for each of this network namespace]
    #[arg(value_name = "IF")]
    pub(crate) interface: Option<OsString>,
    /// Print one JSON object for each interface: "interface", "kernel", "kind", "driver",
    /// "driver_version", "firmware", "bus", "xdp", "rx_metadata", "tx_metadata", "queues",
    /// "ring_sizes", "mtu", "rss" and "napi"
    ///
    /// "xdp" holds "native", "redirect", "ndo_xmit", "zero_copy", "multi_buffer",
    /// "ndo_xmit_multi_buffer", "hw_offload" and "zero_copy_max_segments"; "rx_metadata"
    /// "timestamp", "hash" and "vlan_tag"; "tx_metadata" "timestamp", "checksum" and
    /// "launch_time"; "queues" "rx", "tx", "max_rx", "max_tx", "combined" and "max_combined";
    /// "ring_sizes" "rx", "tx", "max_rx" and "max_tx"; "mtu" "now", "min" and "max"; "rss"
    /// "function", "queues" and "flow_rules"; "napi" "defer_hard_irqs",
    /// "gro_flush_timeout_ns" and "per_queue". What the kernel does not report is null.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Look for what keeps packets from AF_XDP sockets, and say what to type
///
/// Each check has a verdict: "fine"; "note" for what stops only some of what can be wanted;
/// "problem" for what stops packets; "unknown" for what could not be looked at, mostly because a right
/// is missing. With IF the machine and the interface are looked at, without it the machine, and
/// each interface in a line. Nothing is changed: a socket, a map and a program are made and dropped,
/// and nothing is attached. Where the kernel does not say whether a queue of IF is free (before
/// 6.15), a socket in copy mode is bound to it for a moment. The exit code is 6 if there is a problem;
/// without IF that of an interface does not count.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Interface
    #[arg(value_name = "IF")]
    pub(crate) interface: Option<OsString>,
    /// Queues that are to be used: a number, numbers and ranges (0,2,4-7), or `all` [default: 0]
    #[arg(short, long, value_name = "QUEUES", requires = "interface")]
    pub(crate) queue: Option<QueueSet>,
    /// Print one JSON object for each check, and one with "summary": true
    ///
    /// A check has "interface" (null for the machine), "check" (its name), "verdict", "text",
    /// "commands" (what to type, a list), and of a known fault "fault" and "source", else null. The
    /// last object has "summary": true, "kernel", "interface", how many checks have each verdict
    /// ("fine", "notes", "problems", "unknown"), and "broken": whether the exit code is 6. The
    /// others have "summary": false. Without IF an interface has one object, whose check is
    /// "interface", and whose verdict is the worst of its own; it does not count in the last
    /// object.
    #[arg(long)]
    pub(crate) json: bool,
}
