//! What a run says of its interface's link and name.

use crate::report::words::Event;
use xsk::interface::{DeviceEvent, InterfaceInfo};

/// The state of an interface's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Packets come and go.
    Ready,
    /// It is switched off.
    Down,
    /// It is switched on, but its cable, or the other end, is not there: the kernel drops what is
    /// sent.
    NoCarrier,
}

impl Link {
    pub(crate) fn of(info: &InterfaceInfo) -> Self {
        match (info.up, info.carrier) {
            (false, _) => Self::Down,
            (true, false) => Self::NoCarrier,
            (true, true) => Self::Ready,
        }
    }

    /// Returns the event that it is, and a sentence about the interface `name`.
    pub(crate) fn described(self, name: &str) -> (Event, String) {
        match self {
            Self::Ready => (Event::LinkUp, format!("{name} is up again")),
            Self::Down => {
                (Event::LinkDown, format!("{name} is down: nothing comes or goes until it is up"))
            }
            Self::NoCarrier => (
                Event::NoCarrier,
                format!(
                    "{name} has no carrier: nothing comes or goes until it has one; is there a \
                     cable, and is its other end up (of a tun or tap device: does a process hold \
                     it open)?"
                ),
            ),
        }
    }
}

/// Returns a new name of an interface as an event of the run, and a sentence about it; `None` for
/// other events of the interface.
pub(crate) fn described(event: &DeviceEvent) -> Option<(Event, String)> {
    let DeviceEvent::Renamed { from, to } = event else { return None };
    let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
    Some((Event::InterfaceRenamed, format!("{from} was renamed to {to}")))
}
