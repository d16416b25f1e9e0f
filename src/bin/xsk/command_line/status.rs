//! Options of the commands that look at programs and sockets, and take programs off.

use clap::{Args, ValueEnum};
use std::ffi::OsString;
use xsk::XdpMode;

/// Show the XDP programs and AF_XDP sockets of this network namespace
///
/// Of each program: its mode, what holds it (a link with its processes and pins, or netlink), when and
/// by whom it was loaded, its maps; the chain of libxdp's dispatcher; the rules and counters of a
/// filter of `xsk`. Of each socket: its queue, processes, user, rings, packet memory (UMEM) and
/// statistics. Nothing is changed, and no rights are needed; what the kernel does not show without
/// them is "unknown", and the last lines name the capability.
///
/// Pins are those of the BPF file systems that this process sees, processes those of its /proc. Which
/// slots of an XSKMAP have a socket is looked up by a small program that is loaded for a moment, and
/// attached nowhere (CAP_BPF and CAP_NET_ADMIN).
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Interface; without it all are shown that have a program or a socket
    #[arg(value_name = "IF")]
    pub(crate) interface: Option<OsString>,
    /// Print one JSON object for each interface, one per line
    ///
    /// Its keys: "interface", "index", "kind", "up", "carrier"; "programs", a list of "mode", "id",
    /// "name", "tag", "held_by" ("netlink" or "link"), "link" (its id), "link_pins" (paths),
    /// "link_processes" (of "pid" and "command"), "pins", "loaded_at" (UTC), "age_seconds", "uid",
    /// "user", "instructions", "maps" (of "id", "name", "type", "key_bytes", "value_bytes",
    /// "entries", and "socket_slots", of an XSKMAP those that name a socket), "dispatcher" ("version",
    /// "frags", "chain", a list of "place", "id", "name", "tag", "link", "priority",
    /// "chain_actions"), "filter" ("rules", a list of "action", "condition", "packets" and "bytes";
    /// "others", "packets" and "bytes") and "tap" (of `capture --tee`: "matched" and "others",
    /// "packets" and "bytes" of each, and "lost", copies that found no room); "sockets", a list of
    /// "queue", "inode", "uid", "user", "processes", "umem" ("id", "bytes", "chunk_bytes",
    /// "headroom_bytes", "zero_copy", "references"), "rings" ("rx", "tx", "fill", "completion", in
    /// entries) and "statistics" ("rx_dropped", "rx_invalid_descs", "tx_invalid_descs",
    /// "rx_ring_full", "rx_fill_ring_empty_descs", "tx_ring_empty_descs"); and "missing", the
    /// capabilities that would show more.
    ///
    /// What is unknown is null; so are "dispatcher", "filter" and "tap" of another program. Without
    /// IF there is an object for each interface, and one whose "interface" is null for the sockets
    /// that are not bound; where the kernel reports no interface of sockets, for all of the processes
    /// in this network namespace.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Take XDP programs off an interface
///
/// Shows what it is about to remove, and asks on the terminal. What it has looked at is removed, and
/// nothing that was attached in its place meanwhile; then it looks whether it is gone. Without --mode,
/// --id and --all the interface may have one program only. Takes CAP_NET_ADMIN and CAP_SYS_ADMIN.
///
/// What a link holds is refused, with who holds it (--break-links). The processes that use a program
/// are not asked, and their sockets receive nothing more.
///
/// The exit code is 0 if everything was removed, or if there was nothing to remove; 1 if something was
/// refused, also by the answer at the terminal, or is still there, or if there is no program --id.
#[derive(Debug, Args)]
pub(crate) struct UnloadArgs {
    /// Interface
    #[arg(value_name = "IF")]
    pub(crate) interface: OsString,
    /// Remove the program in this mode
    #[arg(long, value_name = "MODE", conflicts_with_all = ["id", "all"])]
    pub(crate) mode: Option<ModeName>,
    /// Remove the program with this number, as `xsk status` shows it
    #[arg(long, value_name = "N", conflicts_with = "all")]
    pub(crate) id: Option<u32>,
    /// Remove the programs in all modes
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Detach what a link holds, too (BPF_LINK_DETACH): the link stays with the process or the pin that
    /// holds it, and does nothing any more
    #[arg(long)]
    pub(crate) break_links: bool,
    /// Print one JSON object: "interface", "index", "removed" and "left", lists of "mode", "id" and
    /// "name" (of "removed" also "held_by", "link", and "pins", which keep it loaded), and
    /// "error": null, or why something was refused, which is on the standard error output, too
    #[arg(long)]
    pub(crate) json: bool,
}

/// A mode of programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeName {
    /// In the driver
    Native,
    /// In the network stack
    Generic,
    /// On the card
    Hardware,
}

impl ModeName {
    pub(crate) fn mode(self) -> XdpMode {
        match self {
            Self::Native => XdpMode::Native,
            Self::Generic => XdpMode::Generic,
            Self::Hardware => XdpMode::Hardware,
        }
    }
}
