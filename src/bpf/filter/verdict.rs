//! What a filter does with a packet.

use super::action::Action;

/// What a filter does with a packet.
///
/// ```
/// use xsk::bpf::{Action, Filter};
/// let filter = Filter::new().rule("arp".parse()?, Action::Drop);
/// let mut packet = [0; 60];
/// packet[12..14].copy_from_slice(&[8, 6]); // ARP
/// let verdict = filter.matches(&packet);
/// assert_eq!((verdict.action, verdict.rule), (Action::Drop, Some(0)));
/// # Ok::<(), xsk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What becomes of the packet.
    pub action: Action,
    /// The number of the rule that it is for, from 0.
    pub rule: Option<usize>,
}
