//! Options of the commands that work on a cable between two interfaces: `demo` and `latency`.

use crate::command_line::port::{ModeArgs, seconds};
use crate::process::cpus::Cpus;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::time::Duration;

/// Send packets from one AF_XDP socket to another and account for each of them and of their chunks
///
/// Makes two network namespaces with a virtual cable between them, or uses two existing interfaces
/// that a cable joins (-i, -o). Each packet carries a sequence number and a checksum. Runs in
/// native mode and then in generic mode, unless one is asked for. The exit code is 0 only if
/// nothing was lost, corrupt or duplicated and all chunks are accounted for.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Packets to send in each mode
    #[arg(short = 'C', long = "count", value_name = "PACKETS", default_value_t = 1_000_000,
          alias = "frames", value_parser = clap::value_parser!(u64).range(1..=4_000_000_000))]
    pub(crate) packets: u64,
    /// Bytes of a packet, with its Ethernet header and without the FCS
    ///
    /// Those above 3520, or in generic mode (-S) above 3840, take several chunks, which needs Linux
    /// 6.6.
    #[arg(short = 's', long, value_name = "BYTES", default_value_t = 60)]
    pub(crate) size: u32,
    /// Use sockets whose packets have several chunks at any size: for existing interfaces with a
    /// large MTU
    #[arg(short = 'F', long)]
    pub(crate) frags: bool,
    /// Packets sent or received by one look at a ring
    #[arg(short, long, value_name = "PACKETS", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) batch: u32,
    #[command(flatten)]
    pub(crate) mode: ModeArgs,
    /// Existing interface that receives
    #[arg(short, long, value_name = "NAME", requires = "output")]
    pub(crate) interface: Option<OsString>,
    /// Existing interface that sends, with a cable to the one that receives
    #[arg(short, long, value_name = "NAME", requires = "interface")]
    pub(crate) output: Option<OsString>,
    /// Replace the XDP programs of other applications on them; they are not put back
    #[arg(long, requires = "interface")]
    pub(crate) replace: bool,
    /// Take packets of an existing interface that carries the default route or this ssh session,
    /// although that cuts you off
    #[arg(long, requires = "interface")]
    pub(crate) yes: bool,
    /// Ask for the time at which each packet is sent, and show it in the report (6.8)
    ///
    /// As that of txonly (`xsk txonly --help`): from the kick to the time that the kernel wrote.
    /// Packets take one chunk.
    #[arg(long, conflicts_with = "frags")]
    pub(crate) tx_timestamps: bool,
    /// Print one JSON object for each mode
    #[arg(long)]
    pub(crate) json: bool,
}

/// Measure how long a packet takes to another AF_XDP socket and back
///
/// Makes two network namespaces with a virtual cable between them, or uses two existing interfaces
/// that a cable joins (-i, -o). Packets are sent at a rate; the other end sends each one back. The
/// time is from right before the packet is given to the kernel to right after it is seen again.
/// Percentiles are off by 0.4 % at the most.
#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    /// Packets per second
    ///
    /// A packet that is due while the one before it is not sent yet is skipped, and counted as
    /// such.
    #[arg(long, value_name = "PACKETS", default_value_t = 5000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) pps: u64,
    /// Seconds until the end, of each row of a comparison; also with a fraction (1.5)
    #[arg(short, long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Bytes of a packet, with its Ethernet header and without the FCS
    #[arg(short = 's', long, value_name = "BYTES", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(42..=1514))]
    pub(crate) size: u32,
    /// Settings of NAPI and busy polling at both ends
    #[arg(long, value_enum, default_value_t = Profile::None)]
    pub(crate) profile: Profile,
    /// Look for packets without a pause, and do not sleep: takes two processors
    #[arg(long)]
    pub(crate) spin: bool,
    /// Processors that the two ends run on, the one that measures first [default: with --spin the
    /// last two that the process may run on, if it may run on two; else wherever the kernel puts
    /// them]
    ///
    /// Packets are measured at their best where nothing else runs on the two: neither the card's
    /// interrupts nor other threads. With --compare it holds for all ways.
    #[arg(long, value_name = "A,B")]
    pub(crate) cpus: Option<Cpus>,
    /// Use UDP sockets of the kernel's network stack, as a yardstick: on the cable of its own only
    ///
    /// Their packets have 66 bytes at least: the headers, and what the measurement writes.
    #[arg(long, conflicts_with_all = ["profile", "interface", "generic", "native"])]
    pub(crate) udp: bool,
    /// Measure all of them in turn: spinning, sleeping, each profile, UDP
    #[arg(long, conflicts_with_all = ["profile", "spin", "udp"])]
    pub(crate) compare: bool,
    #[command(flatten)]
    pub(crate) mode: ModeArgs,
    /// Existing interface that sends
    #[arg(short, long, value_name = "NAME", requires = "output")]
    pub(crate) interface: Option<OsString>,
    /// Existing interface that sends everything back, with a cable to the one that sends
    #[arg(short, long, value_name = "NAME", requires = "interface")]
    pub(crate) output: Option<OsString>,
    /// Queue of both interfaces
    #[arg(short, long, value_name = "QUEUE", default_value_t = 0, requires = "interface")]
    pub(crate) queue: u32,
    /// Replace the XDP programs of other applications on them; they are not put back
    #[arg(long, requires = "interface")]
    pub(crate) replace: bool,
    /// Take packets of an existing interface that carries the default route or this ssh session,
    /// although that cuts you off
    #[arg(long, requires = "interface")]
    pub(crate) yes: bool,
    /// Print one JSON object for each measurement
    #[arg(long)]
    pub(crate) json: bool,
}

/// A [`NapiProfile`](xsk::socket::NapiProfile) by its name on the command line, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// As they are
    None,
    /// Few interrupts: packets that come soon after others wait, for some 200 us
    Throughput,
    /// No deferral, and busy polling
    Latency,
}
