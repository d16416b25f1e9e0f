//! What may happen to an interface.

use super::info::InterfaceInfo;
use super::queues::Queues;
use crate::types::XdpMode;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;

/// Something that happened to an interface: what [`Watch`](super::Watch) returns.
///
/// ```no_run
/// use xsk::interface::{DeviceEvent, Interface};
/// # fn main() -> xsk::Result<()> {
/// let mut watch = Interface::by_name("eth1")?.watch()?;
/// loop {
///     match watch.next()? {
///         DeviceEvent::Removed | DeviceEvent::Moved => break, // its sockets have ended
///         DeviceEvent::QueuesChanged { to, .. } => println!("{} queues", to.current()),
///         event => println!("{event}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceEvent {
    /// It was switched off.
    Down,
    /// It was switched on.
    Up,
    /// It lost its carrier: the cable, or the other end. This comes with [`Down`](Self::Down), too.
    CarrierLost,
    /// It has a carrier.
    Carrier,
    /// It was removed: its sockets have ended. This is the last event. Where the kernel had to
    /// leave notifications out, it may have been moved instead.
    Removed,
    /// It was moved to another network namespace: its sockets have ended. This is the last event.
    Moved,
    /// It has another name.
    Renamed {
        /// The name before.
        from: OsString,
        /// The name from this event on.
        to: OsString,
    },
    /// The numbers of its queues were changed. A socket of a queue that is no more receives
    /// nothing.
    QueuesChanged {
        /// The numbers before.
        from: Queues,
        /// The numbers from this event on.
        to: Queues,
    },
    /// An XDP program was attached where there was none.
    ProgramAttached {
        /// The mode that it runs in.
        mode: XdpMode,
        /// Its id.
        id: u32,
    },
    /// Another XDP program runs in place of the one before.
    ProgramReplaced {
        /// The mode that both run in.
        mode: XdpMode,
        /// The id of the one before.
        from: u32,
        /// The id of the one that runs from this event on.
        to: u32,
    },
    /// An XDP program was detached: sockets receive nothing in this mode.
    ProgramDetached {
        /// The mode that it ran in.
        mode: XdpMode,
        /// Its id.
        id: u32,
    },
    /// Something else was changed, such as the MTU, the Ethernet address, or the bridge that it
    /// belongs to: [`Watch::info`](super::Watch::info) has the new state.
    Other,
}

impl DeviceEvent {
    /// Appends what happened between the states `old` and `new`.
    pub(super) fn between(old: &InterfaceInfo, new: &InterfaceInfo, events: &mut VecDeque<Self>) {
        let before = events.len();
        if old.os_name != new.os_name {
            events.push_back(Self::Renamed { from: old.os_name.clone(), to: new.os_name.clone() });
        }
        match (old.up, new.up) {
            (true, false) => events.push_back(Self::Down),
            (false, true) => events.push_back(Self::Up),
            _ => {}
        }
        match (old.carrier, new.carrier) {
            (true, false) => events.push_back(Self::CarrierLost),
            (false, true) => events.push_back(Self::Carrier),
            _ => {}
        }
        for mode in [XdpMode::Native, XdpMode::Generic, XdpMode::Hardware] {
            match (old.programs.program(mode), new.programs.program(mode)) {
                (Some(from), Some(to)) if from != to => {
                    events.push_back(Self::ProgramReplaced { mode, from, to });
                }
                (Some(id), None) => events.push_back(Self::ProgramDetached { mode, id }),
                (None, Some(id)) => events.push_back(Self::ProgramAttached { mode, id }),
                _ => {}
            }
        }
        let counters = new.counters;
        if events.len() == before && *new != (InterfaceInfo { counters, ..old.clone() }) {
            events.push_back(Self::Other);
        }
    }
}

impl fmt::Display for DeviceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("it was switched off"),
            Self::Up => f.write_str("it was switched on"),
            Self::CarrierLost => f.write_str("it lost its carrier"),
            Self::Carrier => f.write_str("it has a carrier"),
            Self::Removed => f.write_str("it was removed"),
            Self::Moved => f.write_str("it was moved to another network namespace"),
            Self::Renamed { from, to } => {
                write!(f, "{} was renamed to {}", from.to_string_lossy(), to.to_string_lossy())
            }
            Self::QueuesChanged { from, to } => write!(
                f,
                "it has {} RX and {} TX queue(s) instead of {} and {}",
                to.rx, to.tx, from.rx, from.tx
            ),
            Self::ProgramAttached { mode, id } => {
                write!(f, "XDP program {id} was attached in {mode} mode")
            }
            Self::ProgramReplaced { mode, from, to } => {
                write!(f, "XDP program {from} was replaced by {to} in {mode} mode")
            }
            Self::ProgramDetached { mode, id } => {
                write!(f, "XDP program {id} was detached, which ran in {mode} mode")
            }
            Self::Other => f.write_str("it was changed"),
        }
    }
}
