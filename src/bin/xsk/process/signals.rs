//! Signals that ask for the end: the first sets a flag, which each loop looks at. One that comes
//! much later ends the process at once.

use crate::failure::{Failure, Result};
use crate::process::rights;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long the tool has to detach its program after the first signal. `timeout` and a terminal
/// send the same signal twice within less.
const GRACE: Duration = Duration::from_secs(2);

/// Whether a signal asked for the end: its number, or 0.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<AtomicUsize>);

impl Stop {
    pub(crate) fn install() -> Result<Self> {
        let asked = Arc::new(AtomicUsize::new(0));
        let failed =
            |error: io::Error| Failure::Text(format!("signals cannot be handled: {error}"));
        let signals = handled();
        // Set in the handler, so that a system call that the signal interrupts finds it set.
        for signal in &signals {
            flag::register_usize(*signal, Arc::clone(&asked), signal.unsigned_abs() as usize)
                .map_err(failed)?;
        }
        // A file that is as long as the limit (`ulimit -f`) is an error of the write then, and not the
        // end of the process in the middle of it.
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(failed)?;
        let mut signals = Signals::new(signals).map_err(failed)?;
        let wait = move || {
            rights::give_up_in_thread();
            let mut first = None;
            for signal in signals.forever() {
                if first.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                    signal_hook::low_level::exit(signal + 128);
                }
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(wait).map_err(Failure::of_thread("signals"))?;
        Ok(Self(asked))
    }

    /// Returns one that no signal sets.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.signal().is_some()
    }

    /// Returns the number of the signal that asked for the end, the last one of several.
    pub(crate) fn signal(&self) -> Option<u8> {
        // Relaxed: no other data is published with the number.
        let number = self.0.load(Ordering::Relaxed);
        u8::try_from(number).ok().filter(|number| *number > 0)
    }
}

/// Returns the signals that end the tool. A hang-up or quit that is ignored at the start, as under
/// `nohup`, stays ignored.
fn handled() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status);
    let kept = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    [SIGINT, SIGTERM].into_iter().chain([SIGHUP, SIGQUIT].into_iter().filter(kept)).collect()
}

/// Returns the mask of ignored signals in the text of `/proc/self/status`: of signal 1 the lowest
/// bit.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_a_mask() {
        let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001005\nSigCgt:\t0\n";
        assert_eq!(ignored(status), 1 << (SIGHUP - 1) | 1 << (SIGQUIT - 1) | 0x1000);
        assert_eq!(ignored(""), 0);
    }
}
