//! What becomes of the packets of a rule.

/// What becomes of the packets of a rule.
///
/// ```
/// use xsk::bpf::{Action, Filter};
/// let filter = Filter::new().rule("udp dst port 4789".parse()?, Action::Queue);
/// # let _ = filter;
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
    /// Returns the slot that is named.
    pub(super) fn slot(self) -> Option<u32> {
        match self {
            Self::Slot(slot) => Some(slot),
            Self::Queue | Self::Pass | Self::Drop => None,
        }
    }
}
