//! The thread that writes the file, so that a slow disk or reader does not stop the threads that
//! receive.

use crate::capture::buffers::{Drain, Filled};
use crate::capture::clock::Clock;
use crate::capture::format::{self, MOST_STATISTICS, Statistics, whole_blocks};
use crate::capture::names::Names;
use crate::capture::output::{NotAll, Output, not_written};
use crate::failure::{Failure, Result};
use crate::process::rights;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often to look whether a new file is due, and a reader is there.
const TICK: Duration = Duration::from_millis(100);
/// How long the end waits while a reader takes nothing, and for a slow reader or disk.
const STILL: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// When a new file begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rotation {
    pub(crate) size: Option<u64>,
    pub(crate) time: Option<Duration>,
}

/// What was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) packets: u64,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// Files that were made, and those of them that were not deleted.
    pub(crate) files: u32,
    pub(crate) kept: u32,
    pub(crate) last: PathBuf,
}

/// Counts what has happened since the start of the capture, but for what was written.
pub(crate) type Count = Arc<dyn Fn() -> Statistics + Send + Sync>;

/// What is written, and where.
pub(crate) struct Plan {
    pub(crate) names: Names,
    pub(crate) rotation: Rotation,
    /// The head of each file.
    pub(crate) head: Vec<u8>,
    pub(crate) clock: Clock,
    pub(crate) count: Count,
}

/// How it ended: what was written, and the first error.
type End = (Written, Result<()>);

/// The thread.
#[derive(Debug)]
pub(crate) struct Writer {
    ended: Receiver<End>,
    /// It changes as long as something is written.
    progress: Arc<AtomicU64>,
    /// How long the end waits while it does not change.
    still: Duration,
}

/// What the thread has.
struct Work {
    plan: Plan,
    output: Output,
    /// When the file was begun.
    begun: Instant,
    /// Whether it has a packet.
    has_packets: bool,
    written: Written,
    progress: Arc<AtomicU64>,
}

impl Writer {
    /// Begins to write what comes from `drain` into `output`.
    pub(crate) fn start(plan: Plan, output: Output, drain: Drain) -> Result<Self> {
        let (sender, ended) = channel();
        let progress = Arc::new(AtomicU64::new(0));
        // A disk may be slow, and takes what it was given in the end.
        let still = if output.is_regular() { MOST } else { STILL };
        let mut work = Work {
            plan,
            output,
            begun: Instant::now(),
            has_packets: false,
            written: Written::default(),
            progress: Arc::clone(&progress),
        };
        let run = move || {
            rights::give_up_in_thread();
            let outcome = work.run(&drain);
            let written = std::mem::take(&mut work.written);
            // A file with nothing in it goes before the process does.
            drop(work);
            // The others end soon then.
            drop(drain);
            let _ = sender.send((written, outcome));
        };
        let thread = std::thread::Builder::new().name("writer".to_owned());
        thread.spawn(run).map_err(Failure::of_thread("the file"))?;
        Ok(Self { ended, progress, still })
    }

    /// Waits until everything is written, but not long for a reader that reads nothing.
    pub(crate) fn finish(self, path: &Path) -> End {
        let (start, mut moved) = (Instant::now(), Instant::now());
        let mut last = self.progress.load(Ordering::Relaxed);
        loop {
            match self.ended.recv_timeout(PAUSE) {
                Ok(end) => return end,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let error = io::Error::other("the thread that writes has failed");
                    return (Written::default(), Err(not_written(path, &error)));
                }
            }
            let now = self.progress.load(Ordering::Relaxed);
            if now != last {
                (last, moved) = (now, Instant::now());
            }
            if moved.elapsed() > self.still || start.elapsed() > MOST {
                let why = if self.still < MOST { "it is not read" } else { "the disk is too slow" };
                let error = io::Error::new(io::ErrorKind::TimedOut, why);
                return (Written::default(), Err(not_written(path, &error)));
            }
        }
    }
}

impl Work {
    fn run(&mut self, drain: &Drain) -> Result<()> {
        self.begin_file()?;
        let outcome = loop {
            let done = match drain.filled.recv_timeout(TICK) {
                Ok(Filled { bytes, packets }) => {
                    let done = self.packets(&bytes, packets);
                    drain.give_back(bytes);
                    done
                }
                Err(RecvTimeoutError::Timeout) => self.tick(),
                Err(RecvTimeoutError::Disconnected) => break Ok(()),
            };
            if done.is_err() {
                break done;
            }
        };
        outcome?;
        self.end_file()
    }

    fn tick(&mut self) -> Result<()> {
        self.output.reader().map_err(|error| not_written(self.output.path(), &error))?;
        if self.is_old() && self.has_packets { self.next_file() } else { Ok(()) }
    }

    fn is_old(&self) -> bool {
        self.plan.rotation.time.is_some_and(|time| self.begun.elapsed() >= time)
    }

    /// Writes packets, into several files if they are too many for one.
    fn packets(&mut self, mut blocks: &[u8], packets: u64) -> Result<()> {
        if self.is_old() && self.has_packets {
            self.next_file()?;
        }
        let Some(size) = self.plan.rotation.size else { return self.blocks(blocks, packets) };
        while !blocks.is_empty() {
            let room = size.saturating_sub(self.output.written() + MOST_STATISTICS);
            let (count, end) = whole_blocks(blocks, room, !self.has_packets);
            if count == 0 {
                self.next_file()?;
                continue;
            }
            self.blocks(&blocks[..end], count)?;
            blocks = &blocks[end..];
        }
        Ok(())
    }

    /// Writes blocks of packets.
    fn blocks(&mut self, blocks: &[u8], packets: u64) -> Result<()> {
        let before = self.output.written();
        let progress = || {
            self.progress.fetch_add(1, Ordering::Relaxed);
        };
        let outcome = self.output.blocks(blocks, progress);
        self.written.bytes += self.output.written() - before;
        let packets = match &outcome {
            Ok(()) => packets,
            Err(NotAll { whole, .. }) => *whole,
        };
        self.written.packets += packets;
        self.has_packets |= packets > 0;
        outcome.map_err(|NotAll { error, .. }| self.failed(&error))
    }

    /// Returns the failure of the file, after its statistics, for which there may be room.
    fn failed(&mut self, error: &io::Error) -> Failure {
        let _ = self.end_file();
        match not_written(self.output.path(), error) {
            Failure::Text(text) if self.output.is_regular() => Failure::Text(format!(
                "{text}; it ends with the last whole packet, of {} in all",
                self.written.packets
            )),
            failure => failure,
        }
    }

    fn begin_file(&mut self) -> Result<()> {
        (self.begun, self.has_packets) = (Instant::now(), false);
        let before = self.written.bytes;
        let head = std::mem::take(&mut self.plan.head);
        let outcome = self.blocks_beside(&head);
        self.plan.head = head;
        if outcome.is_ok() {
            let path = self.output.path().to_owned();
            self.plan.names.begun(path.clone());
            (self.written.files, self.written.last) = (self.plan.names.count(), path);
        } else {
            // Nothing can be read from a part of a head.
            self.output.discard();
            self.written.bytes = before;
        }
        self.written.kept = self.plan.names.kept();
        outcome
    }

    /// Writes what was counted.
    fn end_file(&mut self) -> Result<()> {
        let mut counted = (self.plan.count)();
        counted.written = self.written.packets;
        if counted.beside {
            counted.received += counted.written;
        }
        self.blocks_beside(&format::statistics(&counted))
    }

    /// Writes blocks that are no packets.
    fn blocks_beside(&mut self, blocks: &[u8]) -> Result<()> {
        let before = self.output.written();
        let outcome = self.output.blocks(blocks, || {});
        self.written.bytes += self.output.written() - before;
        outcome.map_err(|NotAll { error, .. }| not_written(self.output.path(), &error))
    }

    fn next_file(&mut self) -> Result<()> {
        self.end_file()?;
        let path = self.plan.names.next(self.plan.clock.now() / 1_000_000_000);
        self.output = Output::create(&path)?;
        self.output.begin().map_err(|error| not_written(&path, &error))?;
        self.plan.names.delete_old();
        self.begin_file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_slow_is_waited_for_and_a_reader_that_reads_nothing_is_not() {
        for (file, waits) in [(true, true), (false, false)] {
            let (sender, ended) = channel();
            let progress = Arc::new(AtomicU64::new(0));
            let writer = Writer { ended, progress, still: if file { MOST } else { STILL } };
            std::thread::spawn(move || {
                std::thread::sleep(3 * STILL);
                let written = Written { packets: 7, ..Written::default() };
                let _ = sender.send((written, Ok(())));
            });
            let (written, outcome) = writer.finish(Path::new("f"));
            assert_eq!((written.packets == 7, outcome.is_ok()), (waits, waits));
        }
    }
}
