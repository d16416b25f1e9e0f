//! The operational state of an interface.

use std::fmt;
use xsk_uapi::if_link::{
    IF_OPER_DORMANT, IF_OPER_DOWN, IF_OPER_LOWERLAYERDOWN, IF_OPER_NOTPRESENT, IF_OPER_TESTING,
    IF_OPER_UNKNOWN, IF_OPER_UP,
};

/// The state of an interface as the kernel sums it up (`IF_OPER_*`, RFC 2863).
///
/// ```
/// use xsk::Interface;
/// use xsk::interface::OperState;
/// # fn main() -> xsk::Result<()> {
/// let info = Interface::by_name("lo")?.info()?;
/// // The loopback driver does not keep it.
/// assert_eq!(info.oper_state, Some(OperState::Unknown));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperState {
    /// The driver does not keep it: packets may come and go.
    Unknown,
    /// The device is not there.
    NotPresent,
    /// It is switched off, or has no carrier.
    Down,
    /// The interface below it is down.
    LowerLayerDown,
    /// A test of it runs.
    Testing,
    /// It waits for something outside, such as an authentication.
    Dormant,
    /// Packets come and go.
    Up,
}

impl OperState {
    pub(super) fn of(number: u8) -> Option<Self> {
        match number {
            IF_OPER_UNKNOWN => Some(Self::Unknown),
            IF_OPER_NOTPRESENT => Some(Self::NotPresent),
            IF_OPER_DOWN => Some(Self::Down),
            IF_OPER_LOWERLAYERDOWN => Some(Self::LowerLayerDown),
            IF_OPER_TESTING => Some(Self::Testing),
            IF_OPER_DORMANT => Some(Self::Dormant),
            IF_OPER_UP => Some(Self::Up),
            _ => None,
        }
    }
}

impl fmt::Display for OperState {
    /// Writes the word that `ip link` has for it, in small letters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::NotPresent => "not present",
            Self::Down => "down",
            Self::LowerLayerDown => "lower layer down",
            Self::Testing => "testing",
            Self::Dormant => "dormant",
            Self::Up => "up",
        })
    }
}
