//! The command line of filters: FILTER of the commands that receive, and `xsk filter`.

use clap::Args;
use std::path::PathBuf;

/// Options of the commands that receive: which packets.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Take only packets of which this expression of the tcpdump language is true: `udp dst port
    /// 4789`
    ///
    /// Its words are joined by blanks. All other packets go on to the kernel's network stack; and so
    /// do, whatever it says, ARP, IPv6 neighbour discovery, DHCP replies, and ssh from and to the
    /// interface's addresses (see --take-management). `xsk filter` shows how an expression is read,
    /// and tries it on a capture. The summary counts what was passed on as management, what matched
    /// on any queue, and all others; in JSON it has "filters". So more may have matched than were received: on
    /// queues without a socket, and before and after the socket was there. The program is one of this process's
    /// own: another process on another queue of the interface cannot join it, and it joins no other.
    /// Without --attach a link holds it (Linux 5.9), so that it goes with a process that is killed.
    /// Loading it takes CAP_PERFMON beside CAP_BPF. Not with -M, whose program has no filter.
    #[arg(value_name = "FILTER")]
    pub(crate) words: Vec<String>,
    /// Take management, too: ARP, IPv6 neighbour discovery, DHCP replies and ssh come to the sockets
    /// if FILTER is true of them
    #[arg(long, requires = "words")]
    pub(crate) take_management: bool,
    /// Take packets of an interface that carries the default route or this ssh session, although
    /// that may cut you off
    ///
    /// Without it this is refused where no FILTER is given, or one that takes everything, or with
    /// --take-management.
    #[arg(long)]
    pub(crate) yes: bool,
}

impl FilterArgs {
    /// Returns whether there is a filter.
    pub(crate) fn is_given(&self) -> bool {
        !self.words.is_empty()
    }
}

/// Show how a filter is read, and try it on a capture
///
/// Shows the expression with all that it implies, and how many instructions the program has that is
/// made of it. Nothing is attached, and no rights are needed without --kernel. The expression is one of
/// the tcpdump language (pcap-filter(7)). A packet of which it is true matches; in `xsk rxdrop`,
/// `xsk l2fwd` and `xsk bridge` such packets come to the sockets.
#[derive(Debug, Args)]
pub(crate) struct FilterCommandArgs {
    /// Expression of the tcpdump language; its words are joined by blanks
    ///
    /// A long one can be in a file: `xsk filter "$(cat FILE)"`. It has at most 64 KiB, and room for some
    /// 2,650 addresses of hosts (`src host`), or 840 ports. Networks and `portrange` take less.
    #[arg(value_name = "EXPR", required = true)]
    pub(crate) words: Vec<String>,
    /// Capture whose packets are tried, in the format pcap or pcapng, of Ethernet packets; `-` is the
    /// standard input
    ///
    /// There is a line for each packet, and one with the counts. Of a packet that the capture has cut
    /// off only what is there counts, and its length is that of what is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Load the program, and have the kernel run it on each packet (BPF_PROG_TEST_RUN), in place of the
    /// evaluator in Rust
    ///
    /// Takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. The kernel refuses packets below 14 bytes, and of
    /// those that do not fit a page beside its own data (some 3500 bytes) it shows a program a part
    /// only: both are counted as refused.
    #[arg(long)]
    pub(crate) kernel: bool,
    /// Print one JSON object: "expression", "instructions", "evaluator" ("rust" or "kernel"),
    /// "packets", "matched", "refused", "cut", "never" and "everything" (whether it is true of no packet,
    /// of every whole packet), "listing" (null without --listing), and "error"
    ///
    /// The counts are null without --pcap, and for what is no capture.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the program's instructions, too
    #[arg(long)]
    pub(crate) listing: bool,
}
