//! What becomes of the packets of a rule.

use std::fmt;

/// What becomes of the packets of a rule.
///
/// ```
/// use xsk::bpf::{Action, Filter};
/// let filter = Filter::new().rule("udp dst port 4789".parse()?, Action::Queue);
/// # let _ = filter;
/// assert_eq!(Action::Slot(3).to_string(), "slot 3");
/// # Ok::<(), xsk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Action {
    /// They go to the socket in the slot of the queue that they came in on; to the kernel's stack,
    /// if the slot is empty.
    Queue,
    /// They go to the socket in this slot of the map; to the kernel's stack, if the slot is empty. A
    /// socket gets only packets of the queue that it is bound to: others are dropped. A map without
    /// such a slot is refused when the filter is loaded.
    Slot(u32),
    /// They go on to the kernel's stack, as all packets do that no rule is for.
    Pass,
    /// They are dropped.
    Drop,
}

impl Action {
    /// Reads what [`Display`](fmt::Display) writes.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            Some(("slot", slot)) => slot.parse().ok().map(Self::Slot),
            Some(_) => None,
            None => [Self::Queue, Self::Pass, Self::Drop]
                .into_iter()
                .find(|action| action.to_string() == text),
        }
    }

    /// Returns the slot that is named.
    pub(super) fn slot(self) -> Option<u32> {
        match self {
            Self::Slot(slot) => Some(slot),
            Self::Queue | Self::Pass | Self::Drop => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue => f.write_str("queue"),
            Self::Slot(slot) => write!(f, "slot {slot}"),
            Self::Pass => f.write_str("pass"),
            Self::Drop => f.write_str("drop"),
        }
    }
}
