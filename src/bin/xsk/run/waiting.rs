//! A wait for something that another process has, which says what it waits for if it takes long.

use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::report::output::note;
use std::time::{Duration, Instant};

/// How long a wait is silent at the most.
const SILENT: Duration = Duration::from_secs(2);

/// A wait with a limit.
#[derive(Debug)]
pub(crate) struct Waiting {
    start: Instant,
    limit: Duration,
    said: bool,
}

impl Waiting {
    /// Begins to wait.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { start: Instant::now(), limit, said: false }
    }

    /// Returns how long it has waited.
    pub(crate) fn waited(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns whether it goes on, and says once what it waits for. A fifth of the time goes by
    /// before: what the kernel lets go of in a moment is not worth a line.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] after a signal.
    pub(crate) fn goes_on(&mut self, stop: &Stop, what: impl Fn() -> String) -> Result<bool> {
        if let Some(number) = stop.signal() {
            return Err(Failure::Interrupted { number, waited_for: what() });
        }
        let waited = self.waited();
        if waited >= self.limit {
            return Ok(false);
        }
        if !self.said && waited >= SILENT.min(self.limit / 5) {
            self.said = true;
            let most = self.limit.as_secs_f64();
            note(&format!("waiting for {}: for {most} s at the most", what()));
        }
        Ok(true)
    }
}
