//! What goes wrong between two processes of which one hands a socket or a map over to the other.

use super::errno::Shown;
use rustix::io::Errno;
use std::fmt;
use std::time::Duration;

/// What went wrong while something was handed over: part of
/// [`Error::Handover`](super::Error::Handover).
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use xsk::error::{Error, HandoverFault};
///
/// let (here, there) = UnixStream::pair().unwrap();
/// drop(there);
/// let error = xsk::handover::receive(&here, None).unwrap_err();
/// let closed = HandoverFault::Closed { bytes: 0 };
/// assert!(matches!(error, Error::Handover { fault, .. } if fault == closed));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandoverFault {
    /// The Unix socket failed.
    Socket {
        /// The kernel's error number.
        errno: Errno,
    },
    /// Nothing came for this long.
    TimedOut {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The peer closed its end before the message was complete.
    Closed {
        /// How many bytes of the message had come.
        bytes: usize,
    },
    /// The message is of a version that this crate does not read.
    Version {
        /// The message's version.
        found: u16,
    },
    /// The message breaks the format.
    Malformed {
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// As many descriptors came with the message as should not.
    Descriptors {
        /// How many came.
        found: usize,
        /// How many should.
        wanted: usize,
        /// Whether more were sent than this process got.
        cut: bool,
    },
    /// The device plugin refused a request.
    Refused {
        /// The request.
        request: String,
        /// The reply.
        reply: String,
    },
    /// The device plugin replied what is no reply to the request.
    Unexpected {
        /// The request.
        request: String,
        /// The reply, as far as it was read; bytes that cannot be printed are escaped.
        reply: String,
    },
}

impl HandoverFault {
    /// Returns the kernel's error number, where the kernel gave one.
    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Socket { errno } => Some(*errno),
            _ => None,
        }
    }
}

impl fmt::Display for HandoverFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { errno } => Shown(*errno).fmt(f),
            Self::TimedOut { waited } => {
                write!(f, "nothing came for {} ms", waited.as_millis())
            }
            Self::Closed { bytes } => {
                write!(f, "the other end was closed after {bytes} bytes of the message")
            }
            Self::Version { found } => {
                write!(f, "the message is of version {found}, and this crate reads version 1")
            }
            Self::Malformed { rule } => write!(f, "the message breaks a rule: {rule}"),
            Self::Descriptors { found, wanted, cut } => {
                write!(f, "{found} descriptor(s) came in place of {wanted}")?;
                if *cut {
                    f.write_str(", and more were sent")?;
                }
                Ok(())
            }
            Self::Refused { request, reply } => {
                write!(f, "the request \"{request}\" was refused: \"{reply}\"")
            }
            Self::Unexpected { request, reply } => {
                write!(f, "\"{reply}\" is no reply to \"{request}\"")
            }
        }
    }
}
