//! The command line: the commands, and what holds between their options.

pub(crate) mod bridge;
pub(crate) mod cable;
pub(crate) mod capture;
pub(crate) mod conflicts;
pub(crate) mod doctor;
pub(crate) mod filter;
pub(crate) mod generate;
pub(crate) mod manual;
pub(crate) mod napi;
pub(crate) mod plot;
pub(crate) mod port;
pub(crate) mod ranges;
pub(crate) mod receive;
pub(crate) mod respond;
pub(crate) mod status;
pub(crate) mod steer;

use crate::command_line::bridge::BridgeArgs;
pub(crate) use crate::command_line::cable::{DemoArgs, LatencyArgs, Profile};
use crate::command_line::capture::CaptureArgs;
use crate::command_line::doctor::{DoctorArgs, FeaturesArgs};
use crate::command_line::filter::FilterCommandArgs;
pub(crate) use crate::command_line::generate::GenerateArgs;
use crate::command_line::manual::{CompletionsArgs, HelpArgs, ManArgs};
use crate::command_line::napi::NapiArgs;
use crate::command_line::plot::PlotArgs;
pub(crate) use crate::command_line::port::{Method, PortArgs, RxArgs, TxArgs};
pub(crate) use crate::command_line::receive::ReceiveArgs;
use crate::command_line::respond::RespondArgs;
use crate::command_line::status::{StatusArgs, UnloadArgs};
use crate::command_line::steer::SteerArgs;
use crate::failure::{NotWritten, Result};
use crate::report::words;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process;

/// What the exit codes mean.
const EXIT_CODES: &str = "\
Exit codes:
    0  it ended as asked: the count (-C) was reached, or the time (-d) was over, or, without either,
       a signal came
    1  an error, which is written to the standard error output; or nothing at all could be sent
    2  a wrong command line, or a filter that cannot be read
    3  the time was over before the count was reached
    4  the interface (or one of two) went during the run: removed, or moved to another network
       namespace
    5  another process took the program off the interface
    6  `xsk doctor` found a problem
  128+ a signal came before the count was reached or the time was over: 130 for SIGINT, 143 for
       SIGTERM; 141 if the reader of the standard output, or of a capture, ended";

/// Returns what follows the long help.
fn long_help() -> String {
    format!("{EXIT_CODES}\n\n{}", words::list())
}

/// AF_XDP sockets at work: packets past the kernel's network stack, without C.
///
/// The commands that open sockets need root, or the capabilities that they name when one is missing.
///
/// SIGINT, SIGTERM, SIGHUP and SIGQUIT end a command in order: the program is detached, and the
/// summary is written. If that takes more than two seconds, another signal ends it at once.
/// (SIGHUP and SIGQUIT that are ignored at the start stay ignored. Other signals kill it, and what
/// netlink attached stays: the program for all packets until the next start, a filter until `xsk
/// unload`.)
///
/// Of an option that is given twice the last one counts.
#[derive(Debug, Parser)]
#[command(name = "xsk", version, args_override_self = true, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
#[command(after_help = EXIT_CODES, after_long_help = long_help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Latency(LatencyArgs),
    /// Receive and drop: count the packets of a queue, or of several
    ///
    /// Without FILTER all packets of the queues come here, and none to the kernel's network stack,
    /// ARP and ssh included: on an interface that carries the default route or this ssh session that
    /// is refused without --yes.
    Rxdrop(RxdropArgs),
    /// Send the same packet as fast as possible
    ///
    /// There is no option for a rate. The packets pass the interface's queueing discipline by, and
    /// tcpdump on this interface does not see them: look at the other end, or at `ip -s link`.
    ///
    /// In copy mode sending needs no XDP program: nothing is attached, and -S, -N, --attach and
    /// --replace change nothing. In zero-copy mode many cards send only while a native program is
    /// attached: if there is none, one that passes every packet to the kernel is attached for the
    /// time.
    Txonly(TxonlyArgs),
    /// Swap the MAC addresses of each packet and send it back out of the same port, or forward
    /// between two (-o)
    ///
    /// Without FILTER all packets of the queue come here, and none to the kernel's network stack,
    /// ARP and ssh included: on an interface that carries the default route or this ssh session that
    /// is refused without --yes. With -o all this holds for both interfaces. A VLAN tag that the card
    /// took out of a packet is not put back (`ethtool -K IF rxvlan off` leaves it in).
    L2fwd(L2fwdArgs),
    Bridge(BridgeArgs),
    Respond(RespondArgs),
    Capture(CaptureArgs),
    Generate(GenerateArgs),
    Receive(ReceiveArgs),
    Filter(FilterCommandArgs),
    Status(StatusArgs),
    Unload(UnloadArgs),
    Features(FeaturesArgs),
    Doctor(DoctorArgs),
    Steer(SteerArgs),
    Napi(NapiArgs),
    Plot(PlotArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    Help(HelpArgs),
}

/// Options of `rxdrop`.
#[derive(Debug, Args)]
pub(crate) struct RxdropArgs {
    #[command(flatten)]
    pub(crate) port: PortArgs,
    #[command(flatten)]
    pub(crate) rx: RxArgs,
}

/// Options of `l2fwd`.
#[derive(Debug, Args)]
pub(crate) struct L2fwdArgs {
    #[command(flatten)]
    pub(crate) port: PortArgs,
    #[command(flatten)]
    pub(crate) rx: RxArgs,
    #[command(flatten)]
    pub(crate) tx: TxArgs,
    /// Other interface: forward what comes on either to the other, with addresses as they are
    ///
    /// The same queue numbers are used on both, and the packets are not copied between them: the
    /// sockets of all queues use one packet memory, with so many chunks (--chunks) for each queue of
    /// both, and half of those are for what each receives. One thread serves all queues (-q) in
    /// turn; one `xsk` for each queue uses more processors. The two ends of one veth pair are
    /// refused: each packet would go round for ever. Options hold for both, and a count (-C) for
    /// both directions together. A card takes packets to other addresses than its own only if it is
    /// promiscuous (--promiscuous). A checksum that a sender left to its card stays unfinished:
    /// `ethtool -K IF tx off` there. The table counts both directions together, and has a line for
    /// each; JSON objects have "directions". Queues that only one of them has are left out, as
    /// `xsk bridge` does, and the summary counts what came to them ("left_out").
    #[arg(short, long, value_name = "NAME", conflicts_with = "sockets")]
    pub(crate) output: Option<OsString>,
}

/// Options of `txonly`.
#[derive(Debug, Args)]
pub(crate) struct TxonlyArgs {
    #[command(flatten)]
    pub(crate) port: PortArgs,
    #[command(flatten)]
    pub(crate) tx: TxArgs,
    /// Bytes of a packet, without the 4 bytes of the FCS (xdpsock counts them: its 64 are 60 here);
    /// a chunk at the most, or with -F what the MTU allows
    #[arg(short = 's', long, value_name = "BYTES", default_value_t = 60)]
    pub(crate) size: u32,
    /// Ask for the time at which each packet is sent, and show it in the summary (6.8)
    ///
    /// In copy mode: min, median, 99th percentile and max of the time from the kick that had the
    /// kernel take the packet, read right before the call, to the time that the kernel wrote when
    /// the driver freed the packet; both by CLOCK_TAI. It includes the packets of the same kick
    /// before this one: -b 1 shows the time of one alone. A packet that the device drops has a
    /// time, too. In zero-copy mode the card writes the time by its own clock, which cannot be
    /// compared with the kick: the summary shows the time from one packet to the next. Median and
    /// percentile are off by 0.4 % at the most. Packets are sent more slowly by it. In JSON the
    /// summary has the object "tx_timestamps". Packets have one frame: not with -F.
    #[arg(long, conflicts_with = "frags")]
    pub(crate) tx_timestamps: bool,
}

impl Command {
    /// Returns the user that the process is to become.
    pub(crate) fn user(&self) -> Option<&str> {
        self.port()?.user.as_deref()
    }

    fn port(&self) -> Option<&PortArgs> {
        match self {
            Self::Rxdrop(args) => Some(&args.port),
            Self::Txonly(args) => Some(&args.port),
            Self::L2fwd(args) => Some(&args.port),
            Self::Bridge(args) => Some(&args.port),
            Self::Respond(args) => Some(&args.port),
            Self::Capture(args) => Some(&args.port),
            Self::Generate(args) => Some(&args.port),
            Self::Receive(args) => Some(&args.port),
            _ => None,
        }
    }

    /// Returns what is wrong with options that are right each by itself.
    fn contradiction(&self) -> Option<String> {
        if let Self::Steer(args) = self {
            return args.contradiction();
        }
        let port = self.port()?;
        if matches!(port.attach, Some(Method::Netlink)) && port.user.is_some() {
            let text = "--user cannot be used with --attach netlink: without rights, what netlink \
                attached cannot be taken off";
            return Some(text.to_owned());
        }
        if let Self::Capture(args) = self {
            return args.contradiction().map(str::to_owned);
        }
        if let Self::Generate(args) = self {
            return args.contradiction();
        }
        let rx = match self {
            Self::Rxdrop(args) => Some(&args.rx),
            Self::L2fwd(args) => Some(&args.rx),
            _ => None,
        };
        if rx.is_some_and(|rx| rx.sockets > 1 && rx.filter.is_given()) {
            let text = "FILTER cannot be used with -M: the program that spreads packets over \
                sockets has no filter";
            return Some(text.to_owned());
        }
        const SPREAD: &str = "the sockets of a queue share its rings, and one thread serves all of \
            them: name one queue";
        let sockets = match self {
            Self::Rxdrop(args) => args.rx.sockets,
            Self::L2fwd(args) => args.rx.sockets,
            _ => return None,
        };
        let several = sockets > 1 && port.queue.single().is_none();
        several
            .then(|| format!("several queues (-q {}) cannot be used with -M: {SPREAD}", port.queue))
    }
}

impl Cli {
    /// Reads the command line; ends the process if it is wrong, or asks for help.
    ///
    /// # Errors
    /// That of an output that does not take the help.
    pub(crate) fn read() -> Result<Self> {
        let mut cli = match Self::try_parse() {
            Ok(cli) => cli,
            Err(error) if error.use_stderr() => conflicts::explained::<Self>(error).exit(),
            Err(help) => {
                help.print().and_then(|()| io::stdout().flush()).map_err(NotWritten)?;
                process::exit(help.exit_code());
            }
        };
        if let Some(text) = cli.command.contradiction() {
            conflicts::error_of::<Self>(text).exit();
        }
        if let Command::Capture(args) = &mut cli.command {
            args.complete();
        }
        Ok(cli)
    }
}
