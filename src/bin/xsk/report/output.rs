//! Lines on the standard output, by a thread that the data path does not wait for, and a progress
//! line on a terminal.

use crate::failure::{Failure, NotWritten, Result};
use crate::process::rights;
use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, channel, sync_channel,
};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Lines that wait for a reader; those that come while so many wait are not written.
const WAITING: usize = 64;
/// How long the last lines of all outputs together wait for readers that read nothing, and how long
/// each output waits at least.
const LIMIT: Duration = Duration::from_millis(500);
const LEAST: Duration = Duration::from_millis(50);
/// How long they wait for a slow one.
const MOST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// Returns a text in which nothing but line breaks controls a terminal: names of interfaces and
/// processes may hold any bytes.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => "\n".to_owned(),
        c if c.is_control() || is_invisible(c) => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// Returns whether a character shows nothing itself and changes how others are shown, such as their
/// order: the name of a process may hold any.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{61c}' | '\u{feff}')
}

/// Writes a text to the standard output, at once.
pub(crate) fn print(text: &str) -> Result<(), NotWritten> {
    let mut stream = io::stdout().lock();
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).map_err(NotWritten)
}

/// Returns how many columns a text for people may have: those of the terminal, from 80 to 160, and 80
/// where the standard output is none.
pub(crate) fn width() -> usize {
    const LEAST: usize = 80;
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map(|size| usize::from(size.ws_col));
    columns.unwrap_or(LEAST).clamp(LEAST, 2 * LEAST)
}

/// Writes a line to the standard error output, by a thread, also if nothing reads it at the moment;
/// a failed write is ignored.
pub(crate) fn note(text: &str) {
    if let Ok(lines) = Lines::new(io::stderr()) {
        let _ = lines.line(printable(text));
        lines.settle();
    }
}

/// Lines that a thread of their own writes: a reader that stops reading stops nothing else.
#[derive(Debug)]
pub(crate) struct Lines {
    sender: SyncSender<String>,
    /// How the thread ended.
    ended: Receiver<io::Result<()>>,
    /// How many lines the thread has written.
    written: Arc<AtomicU64>,
    /// Lines that found no room.
    missing: Cell<u64>,
}

/// Whether a reader still reads.
struct Patience<'a> {
    written: &'a AtomicU64,
    last: u64,
    /// When it ends, if no more lines are written.
    until: Instant,
    start: Instant,
}

/// When last lines were waited for first.
static END: OnceLock<Instant> = OnceLock::new();

impl<'a> Patience<'a> {
    fn new(written: &'a AtomicU64) -> Self {
        let now = Instant::now();
        let until = (*END.get_or_init(|| now) + LIMIT).max(now + LEAST);
        Self { written, last: written.load(Ordering::Relaxed), until, start: now }
    }

    fn is_over(&mut self) -> bool {
        let (written, now) = (self.written.load(Ordering::Relaxed), Instant::now());
        if written != self.last {
            (self.last, self.until) = (written, now + LIMIT);
        }
        now > self.until || now - self.start > MOST
    }
}

impl Lines {
    pub(crate) fn new(mut stream: impl Write + Send + 'static) -> Result<Self> {
        let (sender, lines) = sync_channel::<String>(WAITING);
        let (end, ended) = channel();
        let count = Arc::new(AtomicU64::new(0));
        let written = Arc::clone(&count);
        let write = move || {
            rights::give_up_in_thread();
            let result = lines.iter().try_for_each(|line| {
                // In one piece: lines of other processes may go to the same pipe.
                stream.write_all(format!("{line}\n").as_bytes())?;
                count.fetch_add(1, Ordering::Relaxed);
                stream.flush()
            });
            // Later lines find the channel closed, and then how it ended.
            let _ = end.send(result);
            drop(lines);
        };
        let thread = std::thread::Builder::new().name("output".to_owned());
        thread.spawn(write).map_err(Failure::of_thread("output"))?;
        Ok(Self { sender, ended, written, missing: Cell::new(0) })
    }

    /// Has a line written, if there is room for it.
    ///
    /// # Errors
    /// Those of an earlier line.
    pub(crate) fn line(&self, text: String) -> Result<(), NotWritten> {
        self.offer(text).map(|refused| {
            if refused.is_some() {
                self.missing.set(self.missing.get() + 1);
            }
        })
    }

    /// Waits a moment until something is written, so that what other threads write comes after it.
    pub(crate) fn settle(&self) {
        let start = Instant::now();
        while self.written.load(Ordering::Relaxed) == 0 && start.elapsed() < LEAST {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Has a line written, and waits for room. Returns the error of a reader that reads nothing.
    pub(crate) fn last_line(&self, mut text: String) -> Result<(), NotWritten> {
        let mut patience = Patience::new(&self.written);
        while let Some(refused) = self.offer(text)? {
            if patience.is_over() {
                return Err(not_read());
            }
            text = refused;
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Returns the text if there is no room for it.
    fn offer(&self, text: String) -> Result<Option<String>, NotWritten> {
        match self.sender.try_send(text) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(text)) => match self.ended.try_recv() {
                Ok(ended) => ended.map(|()| None).map_err(NotWritten),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(Some(text)),
            },
            Err(TrySendError::Disconnected(_)) => {
                let closed = || Err(io::ErrorKind::BrokenPipe.into());
                let ended = self.ended.try_recv().unwrap_or_else(|_| closed());
                ended.map(|()| None).map_err(NotWritten)
            }
        }
    }

    /// Returns how many lines were not written, because their reader was too slow.
    pub(crate) fn missing(&self) -> u64 {
        self.missing.get()
    }

    /// Waits until everything is written.
    pub(crate) fn finish(self) -> Result<(), NotWritten> {
        drop(self.sender);
        let mut patience = Patience::new(&self.written);
        loop {
            match self.ended.recv_timeout(PAUSE) {
                Ok(ended) => return ended.map_err(NotWritten),
                Err(RecvTimeoutError::Timeout) if patience.is_over() => return Err(not_read()),
                Err(RecvTimeoutError::Timeout) => {}
                // Its error was returned already.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }
}

fn not_read() -> NotWritten {
    NotWritten(io::Error::new(io::ErrorKind::TimedOut, "it is not read"))
}

/// One line that is written over and over if the standard error output is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    live: bool,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { live: wanted && io::stderr().is_terminal() }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Replaces the line. A failed write is ignored: the line is only for show.
    pub(crate) fn show(&self, text: &str) {
        if self.live {
            let mut terminal = io::stderr().lock();
            let _ = write!(terminal, "\r\x1b[K{text}");
            let _ = terminal.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_turns_the_order_of_a_line_around() {
        assert_eq!(printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\nb");
        assert_eq!(printable("x\u{202e}oot\u{2066}\u{200b}"), "x\\u{202e}oot\\u{2066}\\u{200b}");
        assert_eq!(printable("äöü 日本"), "äöü 日本");
    }
}
