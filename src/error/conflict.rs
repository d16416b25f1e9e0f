//! What is attached to an interface instead of what was wanted.

use crate::types::{AttachMethod, XdpMode};
use std::fmt;

/// What is attached to an interface, and is not what was wanted: part of
/// [`Error::OtherAttachment`](super::Error::OtherAttachment).
///
/// ```
/// use xsk::{AttachConflict, Error};
///
/// /// Whether the sockets have to be registered with a new attachment.
/// fn is_detached(error: &Error) -> bool {
///     matches!(
///         error,
///         Error::OtherAttachment {
///             conflict: AttachConflict::NoProgram | AttachConflict::OtherProgram { .. },
///             ..
///         }
///     )
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachConflict {
    /// No program is attached.
    NoProgram,
    /// Another program is attached.
    OtherProgram {
        /// Its id.
        id: u32,
        /// The mode that it is attached in.
        mode: XdpMode,
    },
    /// The program is attached, and in use, in another mode or by another method.
    OtherMode {
        /// The mode that it is attached in.
        mode: XdpMode,
        /// What holds it.
        method: AttachMethod,
    },
    /// The program is attached to another interface than the one that the socket is bound to.
    OtherInterface {
        /// The name of the program's interface.
        name: String,
    },
    /// The program is attached to an interface of another network namespace than the socket's.
    OtherNamespace {
        /// The name of the program's interface there.
        name: String,
    },
    /// The program that was there was detached at each attempt to join it.
    ProgramGone,
    /// Another program took the place of the one just attached, at each attempt.
    ProgramReplaced,
    /// The program is attached by links to interfaces of this index in several network namespaces:
    /// the kernel does not report which link belongs to which.
    SeveralNamespaces,
    /// Netlink holds the program, and other users of this crate know it by its id: it cannot be
    /// replaced.
    OtherUsers {
        /// Its id.
        id: u32,
    },
    /// The link that was handed over or pinned is not what holds the program of this interface.
    OtherLink {
        /// The id of the program that the link runs.
        id: u32,
        /// The index of the link's interface, in a namespace that the kernel does not report; 0 if it
        /// was detached or its interface is gone.
        ifindex: u32,
    },
    /// The program belongs to other processes: this one only uses its map.
    OthersProgram {
        /// Its id.
        id: u32,
    },
}

impl fmt::Display for AttachConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgram => f.write_str("no program"),
            Self::OtherProgram { id, mode } => write!(f, "program {id} in {mode} mode"),
            Self::OtherMode { mode, method } => write!(f, "{mode} mode by {method}"),
            Self::OtherInterface { name } => write!(f, "one on {name}"),
            Self::OtherNamespace { name } => {
                write!(f, "one on {name} of another network namespace")
            }
            Self::ProgramGone => f.write_str("a program that has just gone"),
            Self::ProgramReplaced => f.write_str("a program that came right after ours"),
            Self::OtherUsers { id } => write!(f, "program {id}, which has other users"),
            Self::OtherLink { id, ifindex: 0 } => {
                write!(f, "a link of program {id} that is on no interface any more")
            }
            Self::OtherLink { id, ifindex } => {
                write!(f, "a link of program {id} on the interface with the index {ifindex}")
            }
            Self::OthersProgram { id } => {
                write!(f, "program {id}, which belongs to other processes")
            }
            Self::SeveralNamespaces => f.write_str(
                "that very program, by links in several network namespaces, which cannot be \
                 distinguished",
            ),
        }
    }
}
