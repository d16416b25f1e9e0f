//! The packets of a capture, read while they are sent.

use crate::command_line::ranges::Loops;
use crate::failure::{Failure, Result};
use crate::packet_file::{Capture, CaptureError};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// Bytes that are read from the file at once.
const BUFFER: usize = 1024 * 1024;
/// An Ethernet header: the kernel sends nothing shorter.
const LEAST: usize = 14;
/// A VLAN tag, which the MTU leaves room for.
const TAG: usize = 4;

/// What is read.
type Input = BufReader<Box<dyn Read + Send>>;

/// A capture that is being sent.
pub(crate) struct Replay {
    path: PathBuf,
    /// The file, unless it is the standard input.
    file: Option<File>,
    capture: Capture<Input>,
    /// The packet whose turn it is.
    packet: Vec<u8>,
    /// Its time, in nanoseconds from the first packet, also in a later pass.
    time: u64,
    /// The time of the first packet in the file, once one has a time.
    first: Option<u64>,
    /// The time at which this pass began.
    begin: u64,
    loops: Loops,
    /// Bytes that a packet may have, without a VLAN tag and with one or more.
    most: (usize, usize),
    counts: ReplayCounts,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReplayCounts {
    /// How often the whole file was read.
    pub(crate) passes: u64,
    /// Packets that were read.
    pub(crate) packets: u64,
    /// Those of which the capture has a part.
    pub(crate) cut: u64,
    /// Those that were left out.
    pub(crate) too_long: u64,
    pub(crate) too_short: u64,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Replay {
    /// Opens a capture, and reads its first packet.
    pub(crate) fn open(path: &Path, loops: Loops) -> Result<Self> {
        let refused = |error: CaptureError| Failure::Text(named(path, &error.to_string()));
        let (file, capture) = if path.as_os_str() == "-" {
            (None, Capture::open(input(io::stdin())).map_err(refused)?)
        } else {
            let file = File::open(path).map_err(CaptureError::Io).map_err(refused)?;
            let copy = file.try_clone().map_err(CaptureError::Io).map_err(refused)?;
            (Some(file), Capture::open(input(copy)).map_err(refused)?)
        };
        let mut replay = Self {
            path: path.to_owned(),
            file,
            capture,
            packet: Vec::new(),
            time: 0,
            first: None,
            begin: 0,
            loops,
            most: (usize::MAX, usize::MAX),
            counts: ReplayCounts::default(),
        };
        if replay.read()? {
            return Ok(replay);
        }
        Err(Failure::Text(named(path, "it has no packets")))
    }

    /// Takes how many bytes a packet may have: by the MTU, which leaves room for a VLAN tag, and by
    /// the memory; returns whether there is a packet to be sent.
    pub(crate) fn limit(&mut self, by_mtu: usize, by_memory: usize) -> Result<bool> {
        self.most = (by_mtu.min(by_memory), by_mtu.saturating_add(TAG).min(by_memory));
        if self.is_left_out() { self.advance() } else { Ok(true) }
    }

    /// Returns the packet whose turn it is.
    #[inline]
    pub(crate) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// Returns its time, in nanoseconds from the first packet.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    pub(crate) fn counts(&self) -> ReplayCounts {
        self.counts
    }

    /// Goes on to the next packet that can be sent; returns whether there is one.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        loop {
            let sendable = self.counts.too_long + self.counts.too_short < self.counts.packets;
            while self.read()? {
                if !self.is_left_out() {
                    return Ok(true);
                }
            }
            self.counts.passes += 1;
            let more = match self.loops {
                Loops::Forever => true,
                Loops::Times(times) => self.counts.passes < times,
            };
            // A file of which nothing can be sent is not read forever.
            if !more || !(sendable || self.counts.passes == 0) {
                return Ok(false);
            }
            self.rewind()?;
        }
    }

    /// Notes whether the packet is one that cannot be sent.
    fn is_left_out(&mut self) -> bool {
        let tagged = matches!(self.packet.get(12..14), Some([0x81, 0] | [0x88, 0xa8]));
        let most = if tagged { self.most.1 } else { self.most.0 };
        let (short, long) = (self.packet.len() < LEAST, self.packet.len() > most);
        self.counts.too_short += u64::from(short);
        self.counts.too_long += u64::from(long);
        short || long
    }

    /// Reads the next packet; returns whether there is one.
    fn read(&mut self) -> Result<bool> {
        let next = match self.capture.next() {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(false),
            Err(error) => {
                let text = match self.counts.packets {
                    0 => error.to_string(),
                    _ => format!("{error}; what comes before was sent"),
                };
                return Err(Failure::Text(named(&self.path, &text)));
            }
        };
        self.packet.clear();
        self.packet.extend_from_slice(next.bytes);
        self.counts.packets += 1;
        self.counts.cut += u64::from((next.bytes.len() as u64) < u64::from(next.length));
        // One without a time comes right after the one before it.
        if let Some(time) = next.time {
            let first = *self.first.get_or_insert(time);
            self.time = self.begin.saturating_add(time.saturating_sub(first)).max(self.time);
        }
        Ok(true)
    }

    /// Begins another pass, right after the last packet.
    fn rewind(&mut self) -> Result<()> {
        let again = self.file.as_ref().ok_or(io::ErrorKind::NotSeekable.into()).and_then(|file| {
            let mut copy = file.try_clone()?;
            copy.rewind()?;
            Ok(copy)
        });
        let again = again.map_err(CaptureError::Io).and_then(|file| Capture::open(input(file)));
        self.capture = again.map_err(|error| {
            Failure::Text(named(&self.path, &format!("it cannot be read again (--loop): {error}")))
        })?;
        self.begin = self.time;
        Ok(())
    }
}

fn input(file: impl Read + Send + 'static) -> Input {
    BufReader::with_capacity(BUFFER, Box::new(file))
}

/// Returns what is wrong with a capture, with its name.
fn named(path: &Path, what: &str) -> String {
    format!("{} cannot be sent: {what}", path.display())
}
