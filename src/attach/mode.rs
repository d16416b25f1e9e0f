//! The mode that is asked for, and why the one in use is what it is.

use crate::types::XdpMode;
use std::fmt;

/// The mode to attach in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AttachMode {
    /// Native, and generic only where the driver has no native mode (`EOPNOTSUPP`). Any other refusal is an error:
    /// generic mode has a third of the speed, which nobody should get without having been told.
    ///
    /// Where this crate's program is attached and in use already, its mode will do.
    #[default]
    Auto,
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
    /// On the card. Refused: a program there cannot hand packets to a socket.
    Hardware,
}

impl AttachMode {
    /// The modes to try, in this order.
    pub(super) fn candidates(self) -> &'static [XdpMode] {
        match self {
            Self::Auto => &[XdpMode::Native, XdpMode::Generic],
            Self::Native => &[XdpMode::Native],
            Self::Generic => &[XdpMode::Generic],
            Self::Hardware => &[],
        }
    }
}

impl fmt::Display for AttachMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "any",
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Hardware => "hardware",
        })
    }
}

/// Why a program is attached in the mode that it is attached in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModeReason {
    /// This mode was asked for.
    Asked,
    /// The driver has a native mode.
    Native,
    /// The driver has no native mode.
    NoNative {
        /// What the kernel said.
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
