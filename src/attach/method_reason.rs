//! The method to attach by where none was asked for, and the reason for the one in use.

use super::bpf_link;
use crate::bpf::Program;
use crate::types::AttachMethod;
use std::fmt;

/// Why a program is attached by netlink or by link.
///
/// ```no_run
/// use xsk::attach::{Attachment, MethodReason};
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let attachment = Attachment::builder(&interface).attach()?;
/// if *attachment.method_reason() == MethodReason::NoLookup {
///     println!("by {}, {}", attachment.method(), attachment.method_reason());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MethodReason {
    /// This method was asked for.
    Asked,
    /// By netlink, because nothing was attached and no method was asked for.
    Default,
    /// By link, because this process may not look up programs by their ids (`CAP_SYS_ADMIN`): it
    /// could not take over a program that netlink has left behind after a kill.
    NoLookup,
    /// The program was attached by this method already, and has other users.
    Joined,
    /// By link, because that can be pinned, or was pinned or handed over
    /// ([`AttachmentBuilder::pin`](super::AttachmentBuilder::pin),
    /// [`link`](super::AttachmentBuilder::link)).
    Pinned,
    /// The program was attached by this method already, by a process that was killed.
    TakenOver,
}

impl fmt::Display for MethodReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "as asked",
            Self::Default => "the default",
            Self::NoLookup => {
                "without CAP_SYS_ADMIN a program left by netlink could not be taken over"
            }
            Self::Pinned => "a link can be pinned and handed over",
            Self::Joined => "as the program that was there already",
            Self::TakenOver => "a program without a user was there: its process was killed, or the interface came from another namespace",
        })
    }
}

/// Returns the method to attach `program` by, and why, where `asked` was asked for.
pub(super) fn choose(
    asked: Option<AttachMethod>,
    program: &Program,
) -> (AttachMethod, MethodReason) {
    match asked {
        Some(method) => (method, MethodReason::Asked),
        // The next process of this kind may not open what this one leaves behind.
        None if program.is_hidden() && bpf_link::is_known() => {
            (AttachMethod::Link, MethodReason::NoLookup)
        }
        None => (AttachMethod::Netlink, MethodReason::Default),
    }
}
