//! The packets of a capture, read while they are sent.

use crate::command_line::ranges::Loops;
use crate::failure::{Failure, Result};
use crate::generate::patient::Patient;
use crate::packet_file::{Capture, CaptureError};
use crate::process::signals::Stop;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An Ethernet header: the kernel sends nothing shorter.
const LEAST: usize = 14;
/// A VLAN tag, which the MTU leaves room for.
const TAG: usize = 4;

/// What comes after a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Another one.
    Packet,
    /// Nothing.
    End,
    /// What was waited for when a signal came, or the time was over.
    Unknown,
}

/// A capture that is being sent.
pub(crate) struct Replay {
    path: PathBuf,
    /// The file, to be read again.
    file: File,
    capture: Capture<Patient>,
    /// The packet whose turn it is.
    packet: Vec<u8>,
    /// Its time, in nanoseconds from the first packet that can be sent, also in a later pass.
    time: u64,
    /// The time of the first packet that can be sent, once one has a time.
    first: Option<u64>,
    /// The time at which this pass began.
    begin: u64,
    /// How many packets could be sent before this pass.
    kept: u64,
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
    /// Opens a capture, and reads its first packet, for which it waits no longer than `most`.
    pub(crate) fn open(
        path: &Path,
        loops: Loops,
        most: Option<Duration>,
        stop: &Stop,
    ) -> Result<Self> {
        let file = match path.as_os_str() == "-" {
            true => io::stdin().as_fd().try_clone_to_owned().map(File::from),
            false => opened(path),
        };
        let both = file.and_then(|file| Ok((file.try_clone()?, file)));
        let both = both.map_err(CaptureError::Io).and_then(|(copy, file)| {
            let mut input = Patient::new(copy, stop);
            if let Some(until) = most.and_then(|most| Instant::now().checked_add(most)) {
                input.wait_until(until);
            }
            Ok((Capture::open(input)?, file))
        });
        let (capture, file) = match both {
            Ok(both) => both,
            Err(error) if is_timeout(&error) => return Err(not_come(path, most, stop)),
            Err(error) => return Err(Failure::Text(named(path, &error.to_string()))),
        };
        let mut replay = Self {
            path: path.to_owned(),
            file,
            capture,
            packet: Vec::new(),
            time: 0,
            first: None,
            begin: 0,
            kept: 0,
            loops,
            most: (usize::MAX, usize::MAX),
            counts: ReplayCounts::default(),
        };
        match replay.read()? {
            Step::Packet => Ok(replay),
            Step::End => Err(Failure::Text(named(path, "it has no packets"))),
            Step::Unknown => Err(not_come(path, most, stop)),
        }
    }

    /// Waits for no packet longer than this.
    pub(crate) fn wait_no_longer(&mut self, than: Duration) {
        if let Some(until) = Instant::now().checked_add(than) {
            self.capture.input_mut().wait_until(until);
        }
    }

    /// Returns whether what follows is there as a whole, or the end.
    #[inline]
    pub(crate) fn is_ready(&mut self) -> bool {
        loop {
            let input = self.capture.input();
            let size = self.capture.next_size(input.buffered());
            if size.is_some_and(|size| size <= input.buffered().len()) || input.has_ended() {
                return true;
            }
            if !self.capture.input_mut().read_more() {
                return false;
            }
        }
    }

    /// Takes how many bytes a packet may have: by the MTU, which leaves room for a VLAN tag, and by
    /// the memory; returns whether there is a packet to be sent.
    pub(crate) fn limit(&mut self, by_mtu: usize, by_memory: usize) -> Result<bool> {
        self.most = (by_mtu.min(by_memory), by_mtu.saturating_add(TAG).min(by_memory));
        if !self.is_left_out() {
            return Ok(true);
        }
        self.forget_time();
        Ok(self.advance()? == Step::Packet)
    }

    /// Returns the packet whose turn it is.
    #[inline]
    pub(crate) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// Returns its time, in nanoseconds from the first packet that can be sent.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    pub(crate) fn counts(&self) -> ReplayCounts {
        self.counts
    }

    /// Goes on to the next packet that can be sent.
    pub(crate) fn advance(&mut self) -> Result<Step> {
        loop {
            loop {
                match self.read()? {
                    Step::Packet if self.is_left_out() => self.forget_time(),
                    Step::End => break,
                    step => return Ok(step),
                }
            }
            self.counts.passes += 1;
            let more = match self.loops {
                Loops::Forever => true,
                Loops::Times(times) => self.counts.passes < times,
            };
            // A file of which nothing can be sent, any more perhaps, is not read forever.
            let left_out = self.counts.too_long + self.counts.too_short;
            let kept = self.counts.packets - left_out;
            if !more || kept == self.kept {
                return Ok(Step::End);
            }
            self.kept = kept;
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

    /// Forgets the time of a packet that was left out, if none came before it that was not: the
    /// first one that is sent is not waited for.
    fn forget_time(&mut self) {
        if self.counts.packets == self.counts.too_long + self.counts.too_short {
            (self.first, self.time) = (None, 0);
        }
    }

    /// Reads the next packet.
    fn read(&mut self) -> Result<Step> {
        let next = match self.capture.next() {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(Step::End),
            Err(error) if is_timeout(&error) => return Ok(Step::Unknown),
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
        Ok(Step::Packet)
    }

    /// Begins another pass, right after the last packet.
    fn rewind(&mut self) -> Result<()> {
        let again = self.file.try_clone().and_then(|mut copy| {
            copy.rewind()?;
            Ok(copy)
        });
        let again = again.map_err(CaptureError::Io);
        let again = again.and_then(|file| Capture::open(self.capture.input_mut().again(file)));
        self.capture = again.map_err(|error| {
            Failure::Text(named(&self.path, &format!("it cannot be read again (--loop): {error}")))
        })?;
        self.begin = self.time;
        Ok(())
    }
}

/// Returns whether nothing more was waited for.
fn is_timeout(error: &CaptureError) -> bool {
    matches!(error, CaptureError::Io(error) if error.kind() == ErrorKind::TimedOut)
}

/// Opens a file. A named pipe is opened also before it has a writer, for whose first bytes
/// [`Patient`] waits: an open that waits would end neither after a signal nor when the time is over.
fn opened(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    // Reads follow a look at whether there is something.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// Returns the failure of a run that a signal, or the end of the time that it has, ended while it
/// waited for the first packet.
fn not_come(path: &Path, most: Option<Duration>, stop: &Stop) -> Failure {
    let waited_for = format!("the first packet of {}", path.display());
    match (stop.signal(), most) {
        (None, Some(most)) => {
            let seconds = most.as_secs_f64();
            Failure::Text(format!("{waited_for} did not come within {seconds} s (-d)"))
        }
        (number, _) => Failure::Interrupted { number: number.unwrap_or_default(), waited_for },
    }
}

/// Returns what is wrong with a capture, with its name.
fn named(path: &Path, what: &str) -> String {
    format!("{} cannot be sent: {what}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn times_are_from_the_first_packet_that_is_sent() {
        let head = [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..], &[0; 12], &[1, 0, 0, 0]].concat();
        let packet = |seconds: u8, length: u8| {
            let lengths = [length, 0, 0, 0, length, 0, 0, 0];
            [&[seconds, 0, 0, 0, 0, 0, 0, 0][..], &lengths, &vec![2; length.into()]].concat()
        };
        let packets =
            [(1, 99), (3, 13), (7, 20), (8, 99), (9, 21)].map(|(at, len)| packet(at, len));
        let path = std::env::temp_dir().join(format!("xsk-replay-times-{}", std::process::id()));
        std::fs::write(&path, [head, packets.concat()].concat()).unwrap();
        let mut replay = Replay::open(&path, Loops::Times(2), None, &Stop::never()).unwrap();
        let _ = std::fs::remove_file(&path);
        assert!(replay.limit(50, 50).unwrap());
        let mut seen = vec![(replay.packet().len(), replay.time())];
        while replay.advance().unwrap() == Step::Packet {
            seen.push((replay.packet().len(), replay.time()));
        }
        let times = [0, 2, 2, 4].map(|seconds| seconds * 1_000_000_000);
        assert!(seen.into_iter().eq([20, 21, 20, 21].into_iter().zip(times)));
    }

    #[test]
    fn a_file_that_is_emptied_is_not_read_forever() {
        let head = [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..], &[0; 12], &[1, 0, 0, 0]].concat();
        let packet = [&[0; 8][..], &[14, 0, 0, 0, 14, 0, 0, 0], &[2; 14]].concat();
        let name = format!("xsk-replay-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, [&head[..], &packet].concat()).unwrap();
        let mut replay = Replay::open(&path, Loops::Forever, None, &Stop::never()).unwrap();
        assert_eq!(replay.advance().unwrap(), Step::Packet);
        std::fs::write(&path, &head).unwrap();
        let (sender, ended) = channel();
        std::thread::spawn(move || sender.send(replay.advance().ok()));
        let step = ended.recv_timeout(Duration::from_secs(20));
        let _ = std::fs::remove_file(&path);
        assert_eq!(step, Ok(Some(Step::End)));
    }
}
