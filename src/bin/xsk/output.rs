//! Lines on the standard output, and a progress line on a terminal.

use std::io::{self, IsTerminal, Write};

/// Writes a line to the standard output; an error, not a panic, if the output is closed.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
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
