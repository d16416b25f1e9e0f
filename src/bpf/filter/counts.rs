//! What filters count.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Packets, and their bytes.
///
/// ```
/// use xsk::bpf::RuleCount;
/// let count = RuleCount { packets: 2, bytes: 120 };
/// assert_eq!(count.bytes / count.packets, 60);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct RuleCount {
    /// How many packets.
    pub packets: u64,
    /// How many bytes they have, from the Ethernet header on; of packets in several frames those of
    /// the first frame.
    pub bytes: u64,
}

/// What a filter has counted, from [`FilterProgram::counts`](super::FilterProgram::counts).
///
/// ```
/// use xsk::bpf::FilterCounts;
/// fn dropped(counts: &FilterCounts, rule: usize) -> u64 {
///     counts.rules.get(rule).map_or(0, |rule| rule.packets)
/// }
/// # let _ = dropped;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterCounts {
    /// The packets of each rule, in the order of [`Filter::rules`](super::Filter::rules): those of
    /// [`keep_management`](super::Filter::keep_management) come first. Counted is what a rule is for,
    /// whatever becomes of it: of a rule for sockets also what goes on to the kernel's stack because the
    /// slot is empty, and what the socket has no room for.
    pub rules: Vec<RuleCount>,
    /// The packets for which there was no rule.
    pub others: RuleCount,
}
