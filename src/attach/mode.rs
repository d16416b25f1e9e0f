//! The mode to attach in, and the reason for the mode in use.

use crate::error::{Error, errno_name};
use crate::types::XdpMode;
use rustix::io::Errno;
use std::fmt;
use xsk_uapi::if_link::{XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_SKB_MODE};

/// The mode to attach in.
///
/// Hardware mode is missing: a program that runs on the card cannot hand packets to a socket.
///
/// ```no_run
/// use xsk::{AttachMode, Attachment, Interface, XdpMode};
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?;
/// let attachment = Attachment::builder(&interface).mode(AttachMode::Native).attach()?;
/// assert_eq!(attachment.mode(), XdpMode::Native);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AttachMode {
    /// Native; generic where the driver has no native mode (`EOPNOTSUPP`), or refuses it for what
    /// generic mode does not mind: the MTU, the number of queues, a setting or the program
    /// (`ERANGE`, `EINVAL`, `ENOSPC`, `E2BIG`), if generic mode is possible then.
    ///
    /// Generic also for a bond, whose sockets get nothing in native mode
    /// ([`ModeReason::Bond`]).
    ///
    /// Generic mode has a third of the speed. [`Attachment::mode`](super::Attachment::mode) and
    /// [`reason`](super::Attachment::reason) report which mode it is and why, in the driver's words
    /// where it gave some. Any other refusal is an error.
    ///
    /// Where this crate's program is attached and in use already, it is joined in its mode.
    #[default]
    Auto,
    /// In the driver.
    ///
    /// Refused for a bond with this crate's default program ([`Error::NativeBond`]), because its
    /// sockets would get nothing. A program of one's own is attached, and runs for the members
    /// ([`ModeReason::NativeBond`]).
    Native,
    /// In the network stack.
    Generic,
}

impl AttachMode {
    /// Returns the mode to try first.
    pub(super) fn first(self) -> XdpMode {
        match self {
            Self::Auto | Self::Native => XdpMode::Native,
            Self::Generic => XdpMode::Generic,
        }
    }

    /// Returns the mode to try where the driver does not have the first one.
    pub(super) fn fallback(self) -> Option<XdpMode> {
        match self {
            Self::Auto => Some(XdpMode::Generic),
            Self::Native | Self::Generic => None,
        }
    }

    /// Returns whether a program attached in `mode` is what was asked for.
    pub(super) fn allows(self, mode: XdpMode) -> bool {
        mode == self.first() || Some(mode) == self.fallback()
    }
}

impl fmt::Display for AttachMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "any",
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// Returns the kernel's flag for `mode` (`XDP_FLAGS_*_MODE`).
pub(super) fn flag(mode: XdpMode) -> u32 {
    match mode {
        XdpMode::Native => XDP_FLAGS_DRV_MODE,
        XdpMode::Generic => XDP_FLAGS_SKB_MODE,
        XdpMode::Hardware => XDP_FLAGS_HW_MODE,
    }
}

/// Why a program is attached in the mode that it is attached in.
///
/// ```
/// use xsk::attach::ModeReason;
///
/// let reason = ModeReason::NoNative { message: None };
/// assert_eq!(reason.to_string(), "the driver has no native mode");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModeReason {
    /// This mode was asked for.
    Asked,
    /// The driver has a native mode.
    Native,
    /// The driver has no native mode.
    NoNative {
        /// The kernel's extended acknowledgement (netlink only).
        message: Option<String>,
    },
    /// The driver has a native mode, but refuses it now: for the MTU, the number of queues, a
    /// setting or the program. For the MTU, a program for packets of several frames may be the
    /// cure ([`AttachmentBuilder::frags`](super::AttachmentBuilder::frags)): see
    /// [`is_of_mtu`](Self::is_of_mtu).
    #[non_exhaustive]
    NativeRefused {
        /// The kernel's error number.
        errno: Errno,
        /// The kernel's extended acknowledgement (netlink only).
        message: Option<String>,
    },
    /// Generic mode was chosen for a bond: in native mode the program would run for its members
    /// (5.15), and what it redirects would not come to a socket of the bond. Sockets and programs
    /// of the members themselves are quicker.
    #[non_exhaustive]
    Bond {
        /// The names of the members.
        members: Vec<String>,
    },
    /// Native mode was asked for on a bond, with a program of one's own: it runs for the members
    /// (5.15), and what it redirects comes to their sockets only. A socket of the bond never gets a
    /// packet.
    #[non_exhaustive]
    NativeBond {
        /// The names of the members.
        members: Vec<String>,
    },
    /// The program was attached in this mode already.
    Joined,
}

impl ModeReason {
    /// Returns whether native mode was refused for the MTU, as far as is known: the driver's sentence
    /// names it, or the error number is `ERANGE`. A smaller MTU is a cure then, or packets of several
    /// frames: a program with [`AttachmentBuilder::frags`](super::AttachmentBuilder::frags) and a
    /// socket with [`SocketBuilder::multi_buffer`](crate::socket::SocketBuilder::multi_buffer).
    #[must_use]
    pub fn is_of_mtu(&self) -> bool {
        match self {
            Self::NativeRefused { message: Some(message), .. } => {
                message.to_lowercase().contains("mtu")
            }
            Self::NativeRefused { errno, message: None } => *errno == Errno::RANGE,
            _ => false,
        }
    }

    /// Returns the reason for generic mode, if native mode was refused with `error` for something
    /// that generic mode does not mind.
    pub(super) fn of_refusal(error: &Error) -> Option<Self> {
        let Error::Attach { errno, message, .. } = error else {
            return None;
        };
        let (errno, message) = (*errno, message.clone());
        match errno {
            Errno::OPNOTSUPP => Some(Self::NoNative { message }),
            errno if is_of_driver(errno) => Some(Self::NativeRefused { errno, message }),
            _ => None,
        }
    }
}

/// Returns whether a driver that has native mode refuses it with `errno` for what can be changed:
/// the MTU, the number of queues, a setting, the program.
pub(super) fn is_of_driver(errno: Errno) -> bool {
    matches!(errno, Errno::RANGE | Errno::INVAL | Errno::NOSPC | Errno::TOOBIG)
}

/// What may help against a large MTU.
const OF_MTU: &str = " (a smaller MTU, or packets of several frames, may be the cure: \
    `AttachmentBuilder::frags`, of a filter `Filter::frags`)";

impl fmt::Display for ModeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("as asked"),
            Self::Native => f.write_str("the driver has it"),
            Self::NoNative { message: Some(message) } => {
                write!(f, "the driver has no native mode ({message})")
            }
            Self::NoNative { message: None } => f.write_str("the driver has no native mode"),
            Self::NativeRefused { errno, message } => {
                write!(f, "the driver refuses native mode: {}", errno_name(*errno))?;
                if let Some(message) = message {
                    write!(f, ", \"{}\"", message.trim_end_matches(['.', '\n']))?;
                }
                if self.is_of_mtu() { f.write_str(OF_MTU) } else { Ok(()) }
            }
            Self::Bond { members } | Self::NativeBond { members } => {
                if matches!(self, Self::NativeBond { .. }) {
                    f.write_str("as asked, but ")?;
                }
                f.write_str(
                    "in native mode the packets of a bond come to sockets of its members only",
                )?;
                if members.is_empty() {
                    return Ok(());
                }
                write!(f, " ({})", members.join(", "))
            }
            Self::Joined => f.write_str("as the program that was there already"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::AttachMethod;

    #[test]
    fn a_refusal_for_the_mtu_is_known_by_its_words_or_its_number() {
        let refused = |errno, message: Option<&str>| {
            let message = message.map(str::to_owned);
            ModeReason::NativeRefused { errno, message }.is_of_mtu()
        };
        assert!(refused(Errno::INVAL, Some("veth: Peer MTU is too large to set XDP")));
        assert!(refused(Errno::RANGE, None));
        assert!(!refused(Errno::RANGE, Some("number of rx queues")));
        assert!(!refused(Errno::INVAL, None) && !ModeReason::Joined.is_of_mtu());
    }

    #[test]
    fn generic_mode_is_tried_only_where_it_may_help() {
        let refused = |errno| Error::Attach {
            interface: "eth1".to_owned(),
            mode: XdpMode::Native,
            method: AttachMethod::Netlink,
            errno,
            message: Some("Too large.\n".to_owned()),
            mtu: None,
            rx_queues: None,
        };
        for errno in [Errno::RANGE, Errno::INVAL, Errno::NOSPC, Errno::TOOBIG] {
            let reason = ModeReason::of_refusal(&refused(errno)).unwrap().to_string();
            assert!(reason.starts_with("the driver refuses native mode: E"), "{reason}");
            assert!(reason.ends_with(", \"Too large\""), "{reason}");
        }
        let reason = ModeReason::of_refusal(&refused(Errno::OPNOTSUPP));
        assert!(matches!(reason, Some(ModeReason::NoNative { .. })), "{reason:?}");
        for errno in
            [Errno::BUSY, Errno::EXIST, Errno::PERM, Errno::ACCESS, Errno::NODEV, Errno::NOMEM]
        {
            assert_eq!(ModeReason::of_refusal(&refused(errno)), None, "{errno}");
        }
        let silent = ModeReason::NativeRefused { errno: Errno::TOOBIG, message: None };
        assert_eq!(silent.to_string(), "the driver refuses native mode: E2BIG");
    }
}
