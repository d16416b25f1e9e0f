//! Why a run ended, and the exit code that says so.

use crate::failure::Failure;
use crate::report::words::Why;
use std::process::ExitCode;
use xsk::Error;

/// The exit code after an error.
const FAILED: u8 = 1;
/// The exit code after a wrong command line.
const WRONG: u8 = 2;
/// Added to the number of a signal, as shells do.
const SIGNAL: u8 = 128;
/// The number of SIGPIPE, which ends most programs whose reader ended.
const SIGPIPE: u8 = 13;

/// Why a run ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The count was reached.
    Count,
    /// The time was over; `early` if there is a count that was not reached.
    Time { early: bool },
    /// A signal came; `early` if there is a count or a time that was not reached.
    Signal { number: u8, early: bool },
    /// All that was to be sent was sent.
    Complete,
    /// Another process took the program off the interface.
    ProgramTakenOff,
    /// `doctor` found a problem.
    Broken,
}

impl Ended {
    /// Returns what it is called in JSON.
    pub(crate) fn why(self) -> Why {
        match self {
            // `doctor` has no such word.
            Self::Count | Self::Broken => Why::Count,
            Self::Time { .. } => Why::Time,
            Self::Signal { .. } => Why::Signal,
            Self::Complete => Why::Complete,
            Self::ProgramTakenOff => Why::ProgramTakenOff,
        }
    }

    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Count
            | Self::Complete
            | Self::Time { early: false }
            | Self::Signal { early: false, .. } => 0,
            Self::Time { early: true } => 3,
            Self::ProgramTakenOff => 5,
            Self::Broken => 6,
            Self::Signal { number, early: true } => SIGNAL.saturating_add(number),
        })
    }
}

impl Failure {
    /// Returns what it is called in JSON.
    pub(crate) fn why(&self) -> Why {
        match self {
            Self::Gone { .. } => Why::InterfaceGone,
            Self::TakenOff { .. } => Why::ProgramTakenOff,
            Self::Interrupted { .. } => Why::Signal,
            _ => Why::Error,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Gone { .. } => 4,
            Self::Xsk(error) if is_of_socket(error) && error.is_gone() => 4,
            Self::TakenOff { .. } => 5,
            Self::Expression(_) | Self::NumberAsFilter(_) | Self::Usage(_) => WRONG,
            Self::Interrupted { number, .. } => SIGNAL.saturating_add(*number),
            _ if self.is_closed_output() => SIGNAL + SIGPIPE,
            _ => FAILED,
        })
    }
}

/// Returns whether an error is that of a socket at work.
fn is_of_socket(error: &Error) -> bool {
    matches!(error, Error::Kick { .. } | Error::SocketEnded { .. })
}
