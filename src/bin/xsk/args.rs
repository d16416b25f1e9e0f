//! The command line.

use clap::{Args, Parser, Subcommand};
use xsk::ModeChoice;

/// AF_XDP sockets at work: packets past the kernel's network stack, without C.
///
/// All commands need root, or the capabilities that they name when one is missing.
#[derive(Debug, Parser)]
#[command(name = "xsk", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
}

/// Send frames from one AF_XDP socket to another and account for each of them and of their chunks
///
/// Makes two network namespaces with a virtual cable between them, or uses two existing interfaces that
/// a cable joins (-i, -o). Each frame carries a sequence number and a checksum. Runs in native mode and
/// then in generic mode, unless one is asked for. The exit code is 0 only if nothing was lost, corrupt or
/// duplicated and all chunks are accounted for.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Frames to send in each mode
    #[arg(short = 'C', long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=4_000_000_000))]
    pub(crate) frames: u64,
    /// Bytes of a frame, with its Ethernet header and without the FCS
    #[arg(short = 's', long, value_name = "BYTES", default_value_t = 60)]
    pub(crate) size: u32,
    /// Frames sent or received by one look at a ring
    #[arg(short, long, value_name = "FRAMES", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) batch: u32,
    #[command(flatten)]
    pub(crate) mode: ModeArgs,
    /// Existing interface that receives
    #[arg(short, long, value_name = "NAME", requires = "output")]
    pub(crate) interface: Option<String>,
    /// Existing interface that sends, with a cable to the one that receives
    #[arg(short, long, value_name = "NAME", requires = "interface")]
    pub(crate) output: Option<String>,
    /// Print one JSON object for each mode
    #[arg(long)]
    pub(crate) json: bool,
}

/// The mode of the XDP program.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ModeArgs {
    /// Generic mode: in the network stack
    #[arg(short = 'S', long)]
    pub(crate) generic: bool,
    /// Native mode: in the driver
    #[arg(short = 'N', long, conflicts_with = "generic")]
    pub(crate) native: bool,
}

impl ModeArgs {
    pub(crate) fn choice(self) -> ModeChoice {
        if self.generic {
            ModeChoice::Generic
        } else if self.native {
            ModeChoice::Native
        } else {
            ModeChoice::Auto
        }
    }
}
