//! The file that a capture goes to: opened before anything is attached, and whole whatever happens.

use crate::capture::format::whole_blocks;
use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::report::output::printable;
use crate::run::waiting::Waiting;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for a reader of a named pipe: for ever, as far as anyone can tell.
const READER: Duration = Duration::from_secs(31_536_000);

/// Bytes that are written to a pipe at once: what a pipe holds.
const PIECE: usize = 64 << 10;

/// A file, a pipe or a device.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    path: PathBuf,
    /// Where a file that can be cut begins.
    base: Option<u64>,
    /// Whether it was opened by its name.
    named: bool,
    /// Whether it was made here: it goes again if nothing is written to it.
    made: bool,
    /// Bytes that were written.
    written: u64,
}

impl Output {
    /// Opens a file; what is in it stays until [`begin`](Self::begin).
    pub(crate) fn open(path: &Path, stop: &Stop) -> Result<Self> {
        if path == Path::new("-") {
            return Self::standard();
        }
        let kind = std::fs::metadata(path).map(|metadata| metadata.file_type());
        if kind.as_ref().is_ok_and(|kind| kind.is_fifo()) {
            return Self::named_pipe(path, stop);
        }
        Self::create(path)
    }

    /// Opens a file that is no pipe.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let failed = |error| not_written(path, &error);
        let opened = OpenOptions::new().write(true).create_new(true).open(path);
        let (file, made) = match opened {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                (OpenOptions::new().write(true).open(path).map_err(failed)?, false)
            }
            opened => (opened.map_err(failed)?, true),
        };
        let base = file.metadata().map_err(failed)?.is_file().then_some(0);
        let lock = || flock(&file, FlockOperation::NonBlockingLockExclusive);
        if base.is_some() && lock() == Err(Errno::AGAIN) {
            let path = printable(&path.to_string_lossy());
            return Err(Failure::Text(format!("{path}: another process writes a capture to it")));
        }
        Ok(Self { file, path: path.to_owned(), base, named: true, made, written: 0 })
    }

    fn standard() -> Result<Self> {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            let text = "a capture is nothing for a terminal: `-w FILE`, or `-w - | tcpdump -r -`";
            return Err(Failure::Text(text.to_owned()));
        }
        let path = Path::new("-");
        let failed = |error| not_written(path, &error);
        let mut file = File::from(stdout.as_fd().try_clone_to_owned().map_err(failed)?);
        // A file that the shell opened may have something before the capture.
        let base = match file.metadata().map_err(failed)?.is_file() {
            true => Some(file.stream_position().map_err(failed)?),
            false => None,
        };
        Ok(Self { file, path: path.to_owned(), base, named: false, made: false, written: 0 })
    }

    /// Opens a named pipe when it has a reader; a signal ends the wait.
    fn named_pipe(path: &Path, stop: &Stop) -> Result<Self> {
        let nonblocking = OFlags::NONBLOCK.bits() as i32;
        let mut waiting = Waiting::new(READER);
        loop {
            let opened = OpenOptions::new().write(true).custom_flags(nonblocking).open(path);
            match opened {
                Err(error) if error.raw_os_error() == Some(NO_READER) => {
                    waiting.goes_on(stop, || format!("a reader of {}", path.display()))?;
                    std::thread::sleep(Duration::from_millis(20));
                }
                opened => {
                    let file = opened.map_err(|error| not_written(path, &error))?;
                    let (path, base) = (path.to_owned(), None);
                    let (named, made) = (true, false);
                    return Ok(Self { file, path, base, named, made, written: 0 });
                }
            }
        }
    }

    /// Returns the file's name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether it can be cut.
    pub(crate) fn is_regular(&self) -> bool {
        self.base.is_some()
    }

    /// Returns how many bytes were written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Takes away what was in the file before.
    pub(crate) fn begin(&self) -> io::Result<()> {
        if self.named && self.is_regular() { self.file.set_len(0) } else { Ok(()) }
    }

    /// Writes blocks. If that fails, a file ends with the last one that is whole; returns how many
    /// of these are.
    pub(crate) fn blocks(&mut self, blocks: &[u8], progress: impl Fn()) -> Result<(), NotAll> {
        let mut done = 0;
        let error = loop {
            // A pipe's reader may be slow: each part that it took is progress.
            let most = if self.is_regular() { usize::MAX } else { PIECE };
            let rest = &blocks[done..];
            let rest = &rest[..rest.len().min(most)];
            if rest.is_empty() {
                self.written += blocks.len() as u64;
                return Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    done += count;
                    progress();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                Err(error) => break error,
            }
        };
        let (whole, end) = whole_blocks(blocks, done as u64, false);
        self.written += end as u64;
        if let Some(base) = self.base {
            // What cannot be cut off is cut off by readers.
            let end = base + self.written;
            let _ = self.file.set_len(end);
            let _ = self.file.seek(SeekFrom::Start(end));
        }
        Err(NotAll { whole, error })
    }

    /// Takes away what was written to a file; one that was made here goes.
    pub(crate) fn discard(&mut self) {
        if let Some(base) = self.base {
            self.written = 0;
            let _ = self.file.set_len(base);
            let _ = self.file.seek(SeekFrom::Start(base));
        }
    }

    /// Waits until a pipe takes something.
    fn wait(&self) {
        let mut pipe = [PollFd::new(&self.file, PollFlags::OUT)];
        let _ = poll(&mut pipe, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }));
    }

    /// Returns the error of a pipe whose reader has ended.
    pub(crate) fn reader(&self) -> io::Result<()> {
        if self.is_regular() {
            return Ok(());
        }
        let mut pipe = [PollFd::new(&self.file, PollFlags::empty())];
        let ready = poll(&mut pipe, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        match ready {
            Ok(1..) if pipe[0].revents().contains(PollFlags::ERR) => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.made && self.written == 0 {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// `ENXIO`.
const NO_READER: i32 = rustix::io::Errno::NXIO.raw_os_error();

/// Why not all blocks were written.
#[derive(Debug)]
pub(crate) struct NotAll {
    /// How many were.
    pub(crate) whole: u64,
    pub(crate) error: io::Error,
}

/// Returns the failure of a file.
pub(crate) fn not_written(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::Output(io::ErrorKind::BrokenPipe.into());
    }
    let name = match path == Path::new("-") {
        true => "the standard output".to_owned(),
        false => path.display().to_string(),
    };
    Failure::Text(format!("{name} cannot be written: {error}"))
}
