//! The command line of `xsk capture`.

use crate::command_line::port::{PortArgs, RxArgs, seconds};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most bytes of a packet that are kept: as in tcpdump.
pub(crate) const MOST_SNAPLEN: u32 = 262_144;

/// The least bytes of a file of several: with fewer, its head and statistics are most of it.
const LEAST_SIZE: u64 = 4096;

/// Write packets into a file in the format pcapng, which tcpdump and Wireshark read
///
/// Packets are taken away: what is captured does not reach the kernel's network stack. So on an
/// interface that carries the default route or this ssh session a capture without FILTER is refused
/// without --yes. With --tee the kernel gets every packet, and the file a copy.
///
/// The file has a section header, a description of the interface (name, filter, snaplen, speed),
/// a block for each packet, and at the end a block of statistics: received, dropped, matched, lost.
/// What is on its way to the file is written every 0.2 s, so a capture that is killed can be read up
/// to there. If the disk is full, the file ends with the last whole packet.
///
/// Times are in nanoseconds. With --tee a packet has the time at which the program ran. Without it, it
/// has that at which the batch was seen that it came with: some microseconds after its arrival with
/// --spin; else what a wake-up takes, or 0.3 ms while more than 1000 packets come in a second.
/// Hardware times are taken where the driver reports them (--metadata), and the first one shows that
/// the card's clock goes with the system's, to a second, or with TAI, which is turned into UTC;
/// otherwise a line says how far apart both are, and the times are the system's. All those of the
/// system are of the monotonic clock, with the difference to the time of day at the start: a clock
/// that is set during the capture changes nothing, and no packet of a queue is before an earlier one.
/// Packets of several queues (-q) are in the file as they were written, with the queue as an option
/// of each; `reordercap` sorts them by time.
///
/// Each of several queues has a thread, which sleeps while nothing comes (--spin has it not), and
/// one more thread writes. While it does not keep up, packets stay in the ring, and the kernel
/// counts what finds no room as lost. One queue has 16384 chunks, unless --chunks says otherwise;
/// several have as many together, and 4096 each at least; both rings have an entry for each.
///
/// Only packets that come are captured, not those that the interface sends. In JSON the summary has
/// the object "capture": "file" (the first one, which --files may have deleted), "files" (how many
/// were made, deleted ones too), "packets" and "bytes" that were written, "not_written" (received,
/// and not written after an error), "tee", "matched" (packets of which FILTER is true; null without
/// one, but with --tee), "ring_lost" (null without --tee) and "clock" (whose times are in the file:
/// "system", "card", or "card_tai", turned into UTC).
#[derive(Debug, Args)]
#[command(mut_arg("queue", |arg| arg.default_value("all")))]
#[command(mut_arg("sockets", |arg| arg.hide(true)))]
pub(crate) struct CaptureArgs {
    /// File to write, which is overwritten if there is one; `-` is the standard output, and reports
    /// go to the standard error output then
    #[arg(short, long = "write", value_name = "FILE", value_parser = file)]
    pub(crate) write: PathBuf,
    /// Bytes that are kept of each packet; 0 for all, which are 262144 at the most
    #[arg(short, long, value_name = "BYTES", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(MOST_SNAPLEN)))]
    pub(crate) snaplen: u32,
    /// Leave the packets with the kernel, and copy them: the program writes a copy of each into a BPF
    /// ring buffer (5.18)
    ///
    /// FILTER says what is copied; nothing is kept from the kernel, so nothing is refused. There is no
    /// socket: options of sockets, rings and packet memory change nothing, and one thread serves all
    /// queues. What finds no room in the ring buffer is not copied, and is counted ("ring_lost").
    #[arg(long)]
    pub(crate) tee: bool,
    /// Bytes of the ring buffer of --tee: a power of two, from 64 KiB to 1 GiB
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 24, requires = "tee",
          value_parser = ring)]
    pub(crate) tee_ring: u32,
    /// Begin a new file before one has more bytes than this, 4096 at the least, with K, M or G for
    /// 1024 bytes, 1024 K and 1024 M (500M); files are named as those of dumpcap, FILE_00001_YYYYMMDDhhmmss.pcapng, with
    /// the time in UTC
    ///
    /// A file has one packet at least. Each has its own headers and statistics, which count since
    /// the start of the capture. With --user all of them are made by that user, who has to be able to
    /// write to the directory.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) rotate_size: Option<u64>,
    /// Begin a new file after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) rotate_seconds: Option<Duration>,
    /// Keep the last N files, and delete those before
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) files: Option<u32>,
    /// When to write what the card knows of packets: times, hashes and VLAN tags (6.3, VLAN tags 6.8)
    ///
    /// It takes a program of this process's own, which no other process on another queue of the
    /// interface can join, and some 0.2 us for each packet; and it is possible without FILTER, -F, -S
    /// and --tee, where the driver knows any of it. A VLAN tag that the card took out is put back into
    /// the packet, as tcpdump does; a hash by Toeplitz is an option of the packet. Without it, a tag
    /// that was taken out is missing (`ethtool -K IF rxvlan off` leaves it in).
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Metadata::Auto)]
    pub(crate) metadata: Metadata,
    /// Look for packets without a pause, and do not sleep
    #[arg(long, conflicts_with = "poll")]
    pub(crate) spin: bool,
    #[command(flatten)]
    pub(crate) port: PortArgs,
    #[command(flatten)]
    pub(crate) rx: RxArgs,
}

/// When what the card knows is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Metadata {
    /// Where it is possible, but for a veth, which has neither clock nor hash of a card
    Auto,
    /// Where it is possible, on a veth, too
    Always,
    /// Never
    Never,
}

impl CaptureArgs {
    /// Returns whether the packets go to the standard output.
    pub(crate) fn writes_to_stdout(&self) -> bool {
        self.write == Path::new("-")
    }

    /// Returns whether there are several files.
    pub(crate) fn rotates(&self) -> bool {
        self.rotate_size.is_some() || self.rotate_seconds.is_some()
    }

    /// Returns how many bytes of a packet are kept at the most.
    pub(crate) fn snaplen(&self) -> u32 {
        if self.snaplen == 0 { MOST_SNAPLEN } else { self.snaplen }
    }

    /// Sets what follows from other options.
    pub(crate) fn complete(&mut self) {
        self.port.stdout_is_taken = self.writes_to_stdout();
        self.port.poll = !self.spin;
    }

    /// Returns what is wrong with options that are right each by itself.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        if self.writes_to_stdout() && self.rotates() {
            Some("--rotate-size and --rotate-seconds cannot be used with -w -: there are no files")
        } else if self.files.is_some() && !self.rotates() {
            Some("--files needs --rotate-size or --rotate-seconds: without them there is one file")
        } else if self.rx.sockets > 1 {
            Some("-M is not for captures: a queue has one socket")
        } else {
            None
        }
    }
}

fn file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("a file has a name".to_owned()) } else { Ok(text.into()) }
}

/// Reads a number of bytes: as `tcpdump -C` takes units, and this tool `--pages 2M`.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse::<u64>().ok().filter(|_| plain);
    let bytes = number.and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes >= LEAST_SIZE).ok_or_else(|| {
        format!(
            "a number of bytes from {LEAST_SIZE} on is wanted, or one with K, M or G: 1000000, \
             100K, 500M or 2G"
        )
    })
}

fn ring(text: &str) -> Result<u32, String> {
    let bytes = text.parse().ok();
    let fits = |bytes: &u32| bytes.is_power_of_two() && (1 << 16..=1 << 30).contains(bytes);
    bytes.filter(fits).ok_or_else(|| "a power of two is wanted, from 65536 to 1073741824".into())
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_have_units_of_1024() {
        for (text, number) in [
            ("1", None),
            ("500", None),
            ("4095", None),
            ("3K", None),
            ("4096", Some(4096)),
            ("20000", Some(20_000)),
            ("4k", Some(4096)),
            ("4K", Some(4096)),
            ("3M", Some(3 << 20)),
            ("2g", Some(2 << 30)),
            ("0", None),
            ("0M", None),
            ("M", None),
            ("1.5M", None),
            ("+1", None),
            ("-1", None),
            ("1T", None),
            ("1MB", None),
            ("99999999999G", None),
            ("", None),
        ] {
            assert_eq!(bytes(text).ok(), number, "{text}");
        }
    }
}
