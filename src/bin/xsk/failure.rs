//! The error type of the tool: one readable message, with the tool's flags where one helps.

use std::fmt;
use std::io;
use xsk::{AttachConflict, AttachMethod, CopyMode, Errno, Error, XdpMode};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// What keeps the tool from what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error.
    Xsk(Error),
    /// The output is closed.
    Output(io::Error),
    /// The interface is gone.
    Gone {
        /// What showed it.
        error: Error,
        /// The program that stays on an interface which was moved to another network namespace,
        /// and what takes it off there.
        program: Option<(u32, String)>,
    },
    /// A signal came while it waited for something.
    Interrupted {
        /// The signal.
        number: u8,
        /// What it waited for.
        waited_for: String,
    },
    /// Something else, in words.
    Text(String),
}

impl Failure {
    /// Returns whether the reader of the output has ended, as `head` does: no reason to complain.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xsk(error) => match missing_capability(error) {
                Some((deed, capability)) => write!(
                    f,
                    "to {deed} takes {capability}, which this process does not have: run `{}`",
                    with_sudo()
                ),
                None => {
                    error.fmt(f)?;
                    match flag(error) {
                        Some((what, flag)) => write!(f, ". In this tool {what} is `{flag}`"),
                        None => Ok(()),
                    }
                }
            },
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::Gone { error, program } => {
                write!(f, "{error}")?;
                match program {
                    Some((id, command)) => write!(
                        f,
                        ". If it was moved to another network namespace, program {id} is still on \
                         it: take it off there with `{command}`"
                    ),
                    None => Ok(()),
                }
            }
            Self::Interrupted { waited_for, .. } => {
                write!(f, "a signal came while it waited for {waited_for}")
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Xsk(error)
    }
}

impl From<xsk::RingError> for Failure {
    fn from(fault: xsk::RingError) -> Self {
        Self::Xsk(fault.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Returns what the library's hint proposes, where that is a flag of the tool, and the flag.
fn flag(error: &Error) -> Option<(&'static str, &'static str)> {
    match error {
        Error::Bind { errno: Errno::OPNOTSUPP, .. } => Some(("copy mode", "-c")),
        // Otherwise the queue does not exist.
        Error::Bind { copy: CopyMode::ZeroCopy, queue, queues, errno: Errno::INVAL, .. }
            if queues.is_none_or(|queues| *queue < queues) =>
        {
            Some(("copy mode", "-c"))
        }
        Error::Attach {
            mode: XdpMode::Native,
            method: AttachMethod::Link,
            errno: Errno::RANGE | Errno::INVAL | Errno::NOSPC | Errno::TOOBIG,
            ..
        } => Some(("generic mode is `-S`, and netlink", "--attach netlink")),
        Error::Attach {
            mode: XdpMode::Native,
            errno: Errno::OPNOTSUPP | Errno::RANGE | Errno::INVAL | Errno::NOSPC | Errno::TOOBIG,
            ..
        } => Some(("generic mode", "-S")),
        Error::ForeignProgram { .. } => Some(("replacing it", "--replace")),
        // One that is in use is not replaced, nor one that a link holds.
        Error::HiddenProgram { method: AttachMethod::Netlink, in_use: false, .. } => {
            Some(("replacing it", "--replace"))
        }
        Error::OtherAttachment { conflict: AttachConflict::OtherMode { mode, method }, .. } => {
            let flags = match (mode, method) {
                (XdpMode::Generic, AttachMethod::Netlink) => "-S --attach netlink",
                (XdpMode::Generic, AttachMethod::Link) => "-S --attach link",
                (_, AttachMethod::Netlink) => "-N --attach netlink",
                (_, AttachMethod::Link) => "-N --attach link",
            };
            Some(("what is there", flags))
        }
        Error::NeedsKernel { feature, .. } if feature.contains("AttachMethod::Link") => {
            Some(("the way without links", "--attach netlink"))
        }
        _ => None,
    }
}

/// Returns what the kernel refused, and the capability that is missing for it.
fn missing_capability(error: &Error) -> Option<(&'static str, &'static str)> {
    if !matches!(error.errno(), Some(Errno::PERM | Errno::ACCESS)) {
        return None;
    }
    match error {
        Error::CreateSocket { .. } => Some(("make an AF_XDP socket", "CAP_NET_RAW")),
        // EACCES comes from the verifier: it has nothing to do with privileges.
        Error::LoadProgram { errno: Errno::PERM, .. } => {
            Some(("load an XDP program", "CAP_BPF and CAP_NET_ADMIN"))
        }
        Error::CreateMap { .. } => Some(("make a BPF map", "CAP_BPF and CAP_NET_ADMIN")),
        Error::Attach { .. } | Error::Detach { .. } => {
            Some(("attach an XDP program", "CAP_NET_ADMIN"))
        }
        Error::BpfObject { .. } => Some(("look up an attached program", "CAP_SYS_ADMIN")),
        Error::Namespace { .. } => Some(("make a network namespace", "CAP_SYS_ADMIN")),
        _ => None,
    }
}

/// Returns this command line, to be run as root. The path is whole: root's `PATH` is another one.
fn with_sudo() -> String {
    let mut words = vec!["sudo".to_owned()];
    let path = std::env::current_exe().map(|path| path.display().to_string());
    words.push(quoted(&path.unwrap_or_else(|_| "xsk".to_owned())));
    words.extend(std::env::args().skip(1).map(|word| quoted(&word)));
    words.join(" ")
}

/// Returns a word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
