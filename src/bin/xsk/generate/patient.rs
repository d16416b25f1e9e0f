//! A file that is read until there is no more, a signal comes, or the time is over.

use crate::process::signals::Stop;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

/// Bytes that there is room for, unless a record is longer.
const PIECE: usize = 256 * 1024;
/// How long to wait for bytes before signal and clock are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A file, or a pipe that may be empty for now.
#[derive(Debug)]
pub(crate) struct Patient {
    file: File,
    stop: Stop,
    /// When nothing more is waited for.
    until: Option<Instant>,
    /// Room for what is read; what was read and not taken is from `taken` to before `filled`.
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
    /// Whether the file has ended, or cannot be read, as the next read says.
    ended: bool,
}

impl Patient {
    pub(crate) fn new(file: File, stop: &Stop) -> Self {
        let (stop, buffer) = (stop.clone(), vec![0; PIECE]);
        Self { file, stop, until: None, buffer, taken: 0, filled: 0, ended: false }
    }

    /// Returns one that reads `file`, and waits as long as this one, which reads no more.
    pub(crate) fn again(&mut self, file: File) -> Self {
        let (stop, buffer) = (self.stop.clone(), std::mem::take(&mut self.buffer));
        (self.taken, self.filled, self.ended) = (0, 0, true);
        Self { file, stop, until: self.until, buffer, taken: 0, filled: 0, ended: false }
    }

    /// Waits for bytes until then.
    pub(crate) fn wait_until(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// Returns what was read and not taken.
    #[inline]
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.buffer[self.taken..self.filled]
    }

    /// Reads what is there, or the end, without waiting for it; returns whether a read would go on.
    pub(crate) fn read_more(&mut self) -> bool {
        if !self.ended && self.is_readable(Duration::ZERO) {
            // A read will say what is wrong.
            self.ended = !matches!(self.fill(), Ok(1..));
            return true;
        }
        self.ended
    }

    /// Returns whether the end was read.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads what there is room for behind what was read; returns how many bytes.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        (self.taken, self.filled) = (0, self.filled - self.taken);
        if self.buffer.len() - self.filled < PIECE / 2 {
            self.buffer.resize(self.filled + PIECE, 0);
        }
        let read = self.file.read(&mut self.buffer[self.filled..])?;
        self.filled += read;
        Ok(read)
    }

    /// Returns whether a read would return at once, or before this is over.
    fn is_readable(&self, most: Duration) -> bool {
        let timeout = Timespec::try_from(most).ok();
        let mut files = [PollFd::new(&self.file, PollFlags::IN)];
        // What cannot be waited for is read; a signal is looked at first.
        !matches!(poll(&mut files, timeout.as_ref()), Ok(0) | Err(Errno::INTR))
    }

    /// Returns whether nothing more is waited for.
    fn is_over(&self) -> bool {
        self.stop.is_asked() || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Read for Patient {
    /// Fails with [`ErrorKind::TimedOut`] when a signal came, or the time is over.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.buffered().is_empty() {
            while !self.is_readable(LOOK) {
                if self.is_over() {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            self.fill()?;
        }
        let from = self.buffered();
        let count = from.len().min(bytes.len());
        bytes[..count].copy_from_slice(&from[..count]);
        self.taken += count;
        Ok(count)
    }
}
