//! The command line.

use crate::failure::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::time::Duration;
use xsk::interface::Membership;
use xsk::multi_queue::QueueSet;
use xsk::socket::BusyPoll;
use xsk::umem::PageSize;
use xsk::{AttachMethod, AttachMode, CopyMode, Interface};

/// What the exit codes mean.
const EXIT_CODES: &str = "\
Exit codes:
    0  it ended as asked: the count (-C) was reached, or the time (-d) was over, or, without either,
       a signal came
    1  an error, which is written to the standard error output; or nothing at all could be sent
    2  a wrong command line
    3  the time was over before the count was reached
    4  the interface (or one of two) went during the run: removed, or moved to another network
       namespace
    5  another process took the program off the interface
  128+ a signal came before the count was reached or the time was over: 130 for SIGINT, 143 for
       SIGTERM; 141 if the reader of the standard output ended";

/// As xdpsock: an AF_XDP socket polls once in a call, however long this is.
const BUSY_POLL: Duration = Duration::from_micros(20);

/// AF_XDP sockets at work: packets past the kernel's network stack, without C.
///
/// All commands need root, or the capabilities that they name when one is missing.
///
/// SIGINT, SIGTERM, SIGHUP and SIGQUIT end a command in order: the program is detached, and the
/// summary is written. If that takes more than two seconds, another signal ends it at once.
/// (SIGHUP and SIGQUIT that are ignored at the start stay ignored. Other signals kill it, and what
/// netlink attached stays until the next start.)
///
/// Of an option that is given twice the last one counts.
#[derive(Debug, Parser)]
#[command(name = "xsk", version, args_override_self = true, max_term_width = 100)]
#[command(after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
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
    /// All packets of the queues come here, and none to the kernel's network stack, ARP and ssh
    /// included: do not run it on the interface that you are logged in by.
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
    /// All packets of the queue come here, and none to the kernel's network stack, ARP and ssh
    /// included: do not run it on the interface that you are logged in by. A VLAN tag that the card
    /// took out of a packet is not put back (`ethtool -K IF rxvlan off` leaves it in).
    L2fwd(L2fwdArgs),
}

/// Options of the commands that work on queues of one interface; letters as in the kernel's
/// xdpsock.
#[derive(Debug, Args)]
pub(crate) struct PortArgs {
    /// Interface
    #[arg(short, long, value_name = "NAME")]
    pub(crate) interface: OsString,
    /// Queues that packets are received and sent on: a number, numbers and ranges (0,2,4-7), or `all`
    ///
    /// Each of several queues has a thread and packet memory of its own (--chunks); a count (-C) is for
    /// all together. Each thread spins: with fewer free processors than queues, add -p. A queue without the RX or the TX side that the command needs is left out. The table
    /// counts all queues together; the summary has a line for each. In JSON the summary has
    /// "queues", and "queue" is null. Not with -M, nor with l2fwd's -o.
    #[arg(short, long, value_name = "QUEUES", default_value = "0")]
    pub(crate) queue: QueueSet,
    #[command(flatten)]
    pub(crate) mode: ModeArgs,
    /// Zero-copy or nothing
    #[arg(short, long, conflicts_with = "copy")]
    pub(crate) zero_copy: bool,
    /// Always copy
    #[arg(short, long)]
    pub(crate) copy: bool,
    /// Sleep while there is nothing to do, and do not spin
    #[arg(short, long)]
    pub(crate) poll: bool,
    /// Do without need-wakeup: call the kernel each time
    #[arg(short = 'm', long)]
    pub(crate) no_need_wakeup: bool,
    /// Packets received or sent by one look at a ring
    #[arg(short, long, value_name = "PACKETS", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: u32,
    /// Busy polling: calls of the kernel take packets from the queue (5.11)
    ///
    /// It is preferred to interrupts, where the interface defers these (napi_defer_hard_irqs and
    /// gro_flush_timeout in /sys/class/net). The summary says whether there is a NAPI instance to
    /// poll: not on every kernel, and not with every driver. An interrupt may be faster all the same.
    #[arg(short = 'B', long)]
    pub(crate) busy_poll: bool,
    /// Packets that one such call takes
    #[arg(long, value_name = "PACKETS", default_value_t = 64, requires = "busy_poll",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) budget: u16,
    /// Bytes of a chunk, which holds one packet, or a part of one (-F)
    #[arg(short, long, value_name = "BYTES", default_value_t = 4096)]
    pub(crate) frame_size: u32,
    /// Unaligned chunks: -f may be any number from 2048 to the page size (5.4)
    ///
    /// Chunks whose size is no power of two are for copy mode. xdpsock's -u also takes huge pages:
    /// add --pages 2M for those.
    #[arg(short, long)]
    pub(crate) unaligned: bool,
    /// Packets of several frames: those that are longer than a chunk, as with an MTU of 9000
    ///
    /// Needs Linux 6.6. In copy mode a packet has 18 frames at the most; in zero-copy mode the card
    /// says how many, and may have none of several. If another process has attached the program, it
    /// has to have done so with -F, too. In zero-copy mode before Linux 6.18.17 the kernel may cut a
    /// packet where the RX ring is full: leave it as long as the fill ring (--rx-ring).
    #[arg(short = 'F', long)]
    pub(crate) frags: bool,
    /// Seconds between two reports
    #[arg(short = 'n', long, value_name = "SECONDS", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) interval: u64,
    /// Whole seconds until the end
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) duration: Option<u64>,
    /// Packets until the end
    #[arg(short = 'C', long = "count", value_name = "PACKETS",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Report the kernel's statistics of the socket too
    #[arg(short = 'x', long)]
    pub(crate) extra_stats: bool,
    /// What holds the program on the interface; if this process is killed, "netlink" leaves the
    /// program behind, which passes every packet to the kernel, and "link" does not [default: as
    /// the program that is there is attached, else netlink, or link without CAP_SYS_ADMIN]
    #[arg(long, value_name = "HOW", value_enum)]
    pub(crate) attach: Option<Method>,
    /// Replace the XDP program of another application; it is not put back
    #[arg(long)]
    pub(crate) replace: bool,
    /// Give all rights up after the set-up: become this user, a name of /etc/passwd or UID:GID,
    /// without other groups and without capabilities
    ///
    /// The program is attached by a link then, because what netlink attached is taken off with
    /// CAP_NET_ADMIN alone, and a link is closed without any right: not with --attach netlink, not
    /// where netlink holds the program of another process, and from Linux 5.9 on. All threads give
    /// up their rights, and for good (no_new_privs); if one does not, the tool ends. UID alone
    /// takes the group from /etc/passwd, the only list of users that is read.
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Milliseconds to wait for a queue that is taken: the kernel lets go of one some time after
    /// its last socket
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    pub(crate) wait: u64,
    /// Print one JSON object a line: for each interval, the last, shorter one too, with "summary":
    /// false; for each event, with "event"; and for the whole run, with "summary": true
    ///
    /// The objects "interval" and "total" hold what was counted in the interval, and since the
    /// start; "rx_lost" is all that the socket did not get, "tx_lost" what the device dropped. The
    /// counters beside them are those of the interval in the former lines and those of the run in
    /// the last one.
    #[arg(long)]
    pub(crate) json: bool,
    /// Number of chunks
    #[arg(long, value_name = "CHUNKS", default_value_t = 4096)]
    pub(crate) chunks: u32,
    /// Pages that the packet memory is made of
    #[arg(long = "pages", value_name = "SIZE", value_parser = page_size(),
          default_value = "normal")]
    pub(crate) page_size: PageSize,
}

/// Options of the commands that receive.
#[derive(Debug, Args)]
pub(crate) struct RxArgs {
    /// Bytes left free before each received packet
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) headroom: u32,
    /// Entries of the RX ring [default: 2048; with -F, whose packets take several entries, as many as
    /// the fill ring has]
    #[arg(long, value_name = "ENTRIES")]
    rx_ring: Option<u32>,
    /// Entries of the fill ring
    #[arg(long, value_name = "ENTRIES", default_value_t = 4096)]
    pub(crate) fill_ring: u32,
    /// Sockets on the queue: each packet comes to one of them, by the hash of its flow
    ///
    /// The two IP addresses and the ports of TCP, UDP, UDP-Lite and SCTP are the flow; packets that
    /// are not IP all come to the first socket. The sockets have RX and TX rings of their own, and
    /// one fill and one completion ring. With more than one socket the program is one of this
    /// process's own: another process on another queue of the interface cannot join it. What a
    /// killed process left there by netlink is replaced if it had as many sockets, and with
    /// --replace else. The summary has a line for each socket, and its JSON object "sockets". Their
    /// packets have one frame: not with -F.
    #[arg(short = 'M', long, value_name = "N", default_value_t = 1, conflicts_with = "frags",
          value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) sockets: u32,
    /// Receive the packets to all addresses: promiscuous mode, which ends with the command, however
    /// it ends
    ///
    /// Without it a card drops packets to other addresses than its own.
    #[arg(long)]
    pub(crate) promiscuous: bool,
}

impl RxArgs {
    /// Has an interface receive what the options ask for, until the returned value is dropped.
    pub(crate) fn receive_more(&self, interface: &Interface) -> Result<Option<Membership>> {
        Ok(if self.promiscuous { Some(interface.promiscuous()?) } else { None })
    }
}

/// Options of the commands that send.
#[derive(Debug, Args)]
pub(crate) struct TxArgs {
    /// Entries of the TX ring
    #[arg(long, value_name = "ENTRIES", default_value_t = 2048)]
    pub(crate) tx_ring: u32,
    /// Entries of the completion ring
    #[arg(long, value_name = "ENTRIES", default_value_t = 2048)]
    pub(crate) completion_ring: u32,
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
    /// The same queue number is used on both, and the packets are not copied between them: both use
    /// one packet memory, and half of the chunks are for what each receives. Options hold for
    /// both, and a count (-C) for both directions together. A card takes packets to other addresses
    /// than its own only if it is promiscuous (--promiscuous). A checksum that a
    /// sender left to its card stays unfinished: `ethtool -K IF tx off` there. The table counts both
    /// directions together; the summary has a line for each, and its JSON object "directions".
    #[arg(short, long, value_name = "NAME", conflicts_with = "sockets")]
    pub(crate) output: Option<OsString>,
}

impl RxArgs {
    /// Returns the entries of the RX ring.
    pub(crate) fn rx_ring(&self, port: &PortArgs) -> u32 {
        self.rx_ring.unwrap_or(if port.frags { self.fill_ring } else { 2048 })
    }
}

impl Command {
    /// Returns the user that the process is to become.
    pub(crate) fn user(&self) -> Option<&str> {
        self.port()?.user.as_deref()
    }

    fn port(&self) -> Option<&PortArgs> {
        match self {
            Self::Demo(_) | Self::Latency(_) => None,
            Self::Rxdrop(args) => Some(&args.port),
            Self::Txonly(args) => Some(&args.port),
            Self::L2fwd(args) => Some(&args.port),
        }
    }

    /// Returns what is wrong with options that are right each by itself.
    fn contradiction(&self) -> Option<String> {
        let port = self.port()?;
        if matches!(port.attach, Some(Method::Netlink)) && port.user.is_some() {
            let text = "--user cannot be used with --attach netlink: without rights, what netlink \
                attached cannot be taken off";
            return Some(text.to_owned());
        }
        let option = match self {
            Self::Rxdrop(args) if args.rx.sockets > 1 => "-M",
            Self::L2fwd(args) if args.rx.sockets > 1 => "-M",
            Self::L2fwd(L2fwdArgs { output: Some(_), .. }) => "-o",
            _ => return None,
        };
        let several = port.queue.single().is_none();
        several.then(|| {
            format!("several queues (-q {}) cannot be used with {option}: name one", port.queue)
        })
    }
}

impl Cli {
    /// Reads the command line; ends the process if it is wrong.
    pub(crate) fn read() -> Self {
        let cli = Self::parse();
        if let Some(text) = cli.command.contradiction() {
            Self::command().error(ErrorKind::ArgumentConflict, text).exit();
        }
        cli
    }
}

impl PortArgs {
    /// Returns busy polling as the command line describes it, if it does.
    pub(crate) fn busy_poll(&self) -> Option<BusyPoll> {
        let wanted = BusyPoll::new(BUSY_POLL).prefer(true).budget(self.budget);
        self.busy_poll.then_some(wanted)
    }

    /// Returns the queue, where there are not several.
    pub(crate) fn one_queue(&self) -> u32 {
        self.queue.single().unwrap_or_default()
    }

    /// Returns how long to wait for a taken queue.
    pub(crate) fn wait(&self) -> Duration {
        Duration::from_millis(self.wait)
    }

    /// Returns the size of the next batch when `left` packets are left to do.
    #[inline]
    pub(crate) fn next_batch(&self, left: u64) -> u32 {
        left.min(u64::from(self.batch)) as u32
    }

    pub(crate) fn copy_mode(&self) -> CopyMode {
        if self.copy {
            CopyMode::Copy
        } else if self.zero_copy {
            CopyMode::ZeroCopy
        } else {
            CopyMode::Auto
        }
    }
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
    /// In copy mode: min, median, 99th percentile and max of the time from the kick that had the kernel
    /// take the packet, read right before the call, to the time that the kernel wrote when the driver
    /// freed the packet; both by CLOCK_TAI. It includes the packets of the same kick before this one:
    /// -b 1 shows the time of one alone. A packet that the device drops has a time, too. In zero-copy
    /// mode the card writes the time by its own clock, which cannot be compared with the kick: the
    /// summary shows the time from one packet to the next. Median and percentile are off by 0.4 % at
    /// the most. Packets are sent more slowly by it. In JSON the summary has the object
    /// "tx_timestamps". Packets have one frame: not with -F.
    #[arg(long, conflicts_with = "frags")]
    pub(crate) tx_timestamps: bool,
}

/// An [`AttachMethod`] by its name on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Method {
    Netlink,
    Link,
}

impl From<Method> for AttachMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Netlink => Self::Netlink,
            Method::Link => Self::Link,
        }
    }
}

/// Returns a parser of the names that page sizes have on the command line.
fn page_size() -> impl TypedValueParser<Value = PageSize> {
    PossibleValuesParser::new(["normal", "2M", "1G"]).map(|name| match name.as_str() {
        "2M" => PageSize::Huge2M,
        "1G" => PageSize::Huge1G,
        _ => PageSize::Normal,
    })
}

/// Send packets from one AF_XDP socket to another and account for each of them and of their chunks
///
/// Makes two network namespaces with a virtual cable between them, or uses two existing interfaces
/// that a cable joins (-i, -o). Each packet carries a sequence number and a checksum. Runs in native
/// mode and then in generic mode, unless one is asked for. The exit code is 0 only if nothing was
/// lost, corrupt or duplicated and all chunks are accounted for.
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
    /// Ask for the time at which each packet is sent, and show it in the report (6.8)
    ///
    /// As that of txonly (`xsk txonly --help`): from the kick to the time that the kernel wrote. Packets
    /// take one chunk.
    #[arg(long, conflicts_with = "frags")]
    pub(crate) tx_timestamps: bool,
    /// Print one JSON object for each mode
    #[arg(long)]
    pub(crate) json: bool,
}

/// Measure how long a packet takes to another AF_XDP socket and back
///
/// Makes two network namespaces with a virtual cable between them, or uses two existing interfaces
/// that a cable joins (-i, -o). Packets are sent at a rate; the other end sends each one back. The time
/// is from right before the packet is given to the kernel to right after it is seen again. Percentiles
/// are off by 0.4 % at the most.
#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    /// Packets per second
    ///
    /// A packet that is due while the one before it is not sent yet is skipped, and counted as such.
    #[arg(long, value_name = "PACKETS", default_value_t = 5000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) pps: u64,
    /// Seconds until the end, of each row of a comparison
    #[arg(short, long, value_name = "SECONDS", default_value_t = 3,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) duration: u64,
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
    /// Returns whether a mode was asked for.
    pub(crate) fn is_given(self) -> bool {
        self.generic || self.native
    }

    pub(crate) fn choice(self) -> AttachMode {
        if self.generic {
            AttachMode::Generic
        } else if self.native {
            AttachMode::Native
        } else {
            AttachMode::Auto
        }
    }
}
