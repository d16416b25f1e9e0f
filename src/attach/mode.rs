//! The mode to attach in, and the reason for the mode in use.

use crate::types::XdpMode;
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
    /// Native, and generic only where the driver has no native mode (`EOPNOTSUPP`). Any other
    /// refusal is an error: generic mode has a third of the speed, which should not come unnoticed.
    ///
    /// Where this crate's program is attached and in use already, it is joined in its mode.
    #[default]
    Auto,
    /// In the driver.
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
    /// The program was attached in this mode already.
    Joined,
}

impl fmt::Display for ModeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("as asked"),
            Self::Native => f.write_str("the driver has it"),
            Self::NoNative { message: Some(message) } => {
                write!(f, "the driver has no native mode ({message})")
            }
            Self::NoNative { message: None } => f.write_str("the driver has no native mode"),
            Self::Joined => f.write_str("the program was attached in it already"),
        }
    }
}
