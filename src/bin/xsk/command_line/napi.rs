//! The command line of `xsk napi`.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::ffi::OsString;
use xsk::interface::NapiThreading;
use xsk::multi_queue::QueueSet;
use xsk::socket::NapiProfile;

/// Show and set how the kernel takes packets from the queues of an interface: NAPI
///
/// A NAPI instance is the part of a driver that takes packets from a queue. `xsk napi IF show` shows
/// the instance of each receive queue (6.8) with its settings (6.13), and the settings of the whole
/// device in /sys/class/net (5.8). `set` and `profile` set the instances of the queues one by one where
/// the kernel can (6.13), and the whole device otherwise; they say which, read back what was set, and
/// print the command that undoes it. The settings stay when the command has ended. Some drivers make
/// their instances anew when a program is attached: set them after that.
///
/// Setting takes CAP_NET_ADMIN, in the initial user namespace for a single instance.
#[derive(Debug, Args)]
pub(crate) struct NapiArgs {
    /// Interface
    #[arg(value_name = "IF")]
    pub(crate) interface: OsString,
    /// Print one JSON object for each queue: "command", "interface", "done" ("shown" or "set"),
    /// "queue" (null for the whole device), "napi"
    ///
    /// What is shown has "irq", "thread", "defer_hard_irqs", "gro_flush_timeout_ns",
    /// "irq_suspend_timeout_ns" and "threaded" ("on", "off", "busy-poll" or "other"), and a last object
    /// for the whole device; what is set has "before" and "after", with the last four of these, and
    /// "undo", a command. What the kernel does not say is null.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: NapiCommand,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub(crate) enum NapiCommand {
    /// Show the NAPI instance of each receive queue, and the settings of the whole device
    Show,
    /// Set what is named, and leave the rest
    Set(NapiSetArgs),
    /// Set what one of two aims takes: `throughput` or `latency`
    Profile(NapiProfileArgs),
}

/// What `set` sets, of which one has to be there.
const SETTINGS: [&str; 4] =
    ["defer_hard_irqs", "gro_flush_timeout", "irq_suspend_timeout", "threaded"];

/// Options of `napi IF set`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("settings").required(true).multiple(true).args(SETTINGS))]
pub(crate) struct NapiSetArgs {
    /// Receive queues: a number, numbers and ranges (0,2,4-7), or `all`
    #[arg(short, long, value_name = "QUEUES", default_value = "all")]
    pub(crate) queue: QueueSet,
    /// How often a queue that ran empty is looked at again before the next packet makes an interrupt:
    /// up to 2147483647
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=0x7fff_ffff))]
    pub(crate) defer_hard_irqs: Option<u32>,
    /// After how many nanoseconds it is looked at again, each time: up to 200000 is usual
    #[arg(long, value_name = "NS")]
    pub(crate) gro_flush_timeout: Option<u64>,
    /// For how many nanoseconds at most interrupts stay off while an application polls by epoll (6.13);
    /// AF_XDP sockets are not polled that way
    #[arg(long, value_name = "NS")]
    pub(crate) irq_suspend_timeout: Option<u64>,
    /// Run the instance in a thread of its own (6.17)
    #[arg(long, value_name = "HOW", value_enum)]
    pub(crate) threaded: Option<Threaded>,
}

/// Options of `napi IF profile`.
#[derive(Debug, Args)]
pub(crate) struct NapiProfileArgs {
    /// `throughput`: 2 deferrals of 200 us, so few interrupts and large batches; a packet that comes
    /// alone may wait so long. `latency`: no deferral; busy polling (-B of rxdrop and others), which
    /// belongs to a socket and not to a queue, is the other half of it
    #[arg(value_name = "AIM", value_enum)]
    pub(crate) aim: Aim,
    /// Receive queues: a number, numbers and ranges (0,2,4-7), or `all`
    #[arg(short, long, value_name = "QUEUES", default_value = "all")]
    pub(crate) queue: QueueSet,
}

/// A [`NapiProfile`] by its name on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Aim {
    Throughput,
    Latency,
}

impl From<Aim> for NapiProfile {
    fn from(aim: Aim) -> Self {
        match aim {
            Aim::Throughput => Self::Throughput,
            Aim::Latency => Self::Latency,
        }
    }
}

/// Where an instance runs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Threaded {
    On,
    Off,
}

impl From<Threaded> for NapiThreading {
    fn from(threaded: Threaded) -> Self {
        match threaded {
            Threaded::On => Self::On,
            Threaded::Off => Self::Off,
        }
    }
}
