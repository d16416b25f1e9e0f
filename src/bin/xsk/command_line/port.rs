//! Options of the commands that work on queues of an interface.

use crate::command_line::filter::FilterArgs;
use crate::failure::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::time::Duration;
use xsk::interface::Membership;
use xsk::multi_queue::QueueSet;
use xsk::socket::BusyPoll;
use xsk::umem::PageSize;
use xsk::{AttachMethod, AttachMode, CopyMode, Interface};

/// As xdpsock: an AF_XDP socket polls once in a call, however long this is.
const BUSY_POLL: Duration = Duration::from_micros(20);

/// Options of the commands that work on queues of one interface; letters as in the kernel's
/// xdpsock.
#[derive(Debug, Args)]
pub(crate) struct PortArgs {
    /// Interface
    #[arg(short, long, value_name = "NAME")]
    pub(crate) interface: OsString,
    /// Queues that packets are received and sent on: a number, numbers and ranges (0,2,4-7), or
    /// `all`
    ///
    /// Each of several queues has a thread and packet memory of its own (--chunks); a count (-C) is
    /// for all together. Each thread spins (those of capture sleep): with fewer free processors than
    /// queues, add -p. A queue without the RX or the TX side that the command needs is left out. The
    /// table counts all queues together; the summary has a line for each. In JSON the summary has
    /// "queues", and "queue" is null. With bridge and l2fwd's -o one thread serves all of them, over
    /// one packet memory; not with -M.
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
    /// gro_flush_timeout in /sys/class/net). A line says if there is no NAPI instance to poll, and
    /// so does the summary: not every kernel has one, and not every driver. An interrupt may be
    /// faster all the same.
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
    /// has to have done so with -F, too. In zero-copy mode before Linux 6.18.17 the kernel may cut
    /// a packet where the RX ring is full: leave it as long as the fill ring (--rx-ring).
    #[arg(short = 'F', long)]
    pub(crate) frags: bool,
    /// Seconds between two reports
    #[arg(short = 'n', long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) interval: Duration,
    /// Seconds until the end, also with a fraction (1.5)
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
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
    /// false; for each event, with "event"; and for the whole run, with "summary": true and "ended"
    /// (`xsk --help` lists the words of both)
    ///
    /// The objects "interval" and "total" hold what was counted in the interval, and since the
    /// start; "rx_lost" is all that the socket did not get, "tx_lost" what the device dropped. The
    /// counters beside them are those of the interval in the former lines and those of the run in
    /// the last one.
    #[arg(long)]
    pub(crate) json: bool,
    /// Number of chunks for each queue [default: 4096; for both interfaces of `bridge` and `l2fwd -o`
    /// together 8192]
    #[arg(long, value_name = "CHUNKS")]
    pub(crate) chunks: Option<u32>,
    /// Pages that the packet memory is made of
    #[arg(long = "pages", value_name = "SIZE", value_parser = page_size(),
          default_value = "normal")]
    pub(crate) page_size: PageSize,
    /// Whether something else goes to the standard output: reports go to the standard error output.
    #[arg(skip)]
    pub(crate) stdout_is_taken: bool,
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

/// Options of the commands that receive.
#[derive(Debug, Args)]
pub(crate) struct RxArgs {
    /// Bytes left free before each received packet
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) headroom: u32,
    /// Entries of the RX ring [default: 2048; with -F, whose packets take several entries, as many
    /// as the fill ring has]
    #[arg(long, value_name = "ENTRIES")]
    pub(crate) rx_ring: Option<u32>,
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
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

impl RxArgs {
    /// Has an interface receive what the options ask for, until the returned value is dropped.
    pub(crate) fn receive_more(&self, interface: &Interface) -> Result<Option<Membership>> {
        Ok(if self.promiscuous { Some(interface.promiscuous()?) } else { None })
    }

    /// Returns the entries of the RX ring.
    pub(crate) fn rx_ring(&self, port: &PortArgs) -> u32 {
        self.rx_ring.unwrap_or(if port.frags { self.fill_ring } else { 2048 })
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

/// Reads a time from a tenth of a second to a year.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    const RANGE: RangeInclusive<f64> = 0.1..=31_536_000.0;
    let seconds = text.parse().ok().filter(|seconds| RANGE.contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        "a number of seconds is wanted, from 0.1 to 31536000 (a year), as 2 or 1.5".to_owned()
    })
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
