//! Where the tool's words go.

use std::io::{self, IsTerminal, Write};

/// A line on the standard output; an error, not a panic, if nobody reads it any more.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// One line on a terminal that is written over and over; nothing elsewhere.
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

    /// Replaces the line. That it cannot be seen is no reason to end.
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
