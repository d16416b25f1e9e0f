//! Why a filter cannot be compiled or loaded, as [`Error::Filter`](super::Error::Filter) names it.

use std::fmt;

/// Why a filter cannot be compiled or loaded.
///
/// ```
/// use xsk::bpf::{Action, Condition, Filter};
/// use xsk::error::{Error, FilterFault};
///
/// let all = Filter::new().rule(Condition::every_packet(), Action::Queue);
/// let refused = all.compile().unwrap_err();
/// assert!(matches!(refused, Error::Filter { fault: FilterFault::TakesEverything { rule: 0, .. }, .. }));
/// assert!(all.take_everything(true).compile().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterFault {
    /// The rules take more instructions (32767), fields (1024 in a rule), levels or steps of compiling
    /// than a program may have.
    #[non_exhaustive]
    TooLarge {
        /// How many rules there are.
        rules: usize,
    },
    /// A set that programs look into has no room for more prefixes.
    #[non_exhaustive]
    SetFull {
        /// The set's name.
        set: String,
        /// How many bytes it has for IPv4 prefixes.
        bytes: u32,
    },
    /// A rule is for a slot that the map does not have.
    #[non_exhaustive]
    NoSlot {
        /// The slot.
        slot: u32,
        /// How many slots the map has.
        entries: u32,
    },
    /// A rule takes all packets from the kernel's stack, but for those of the rules before it.
    #[non_exhaustive]
    TakesEverything {
        /// The rule's number, from 0, among all rules: those of
        /// [`Filter::keep_management`](crate::bpf::Filter::keep_management) come first.
        rule: usize,
        /// Its condition.
        condition: String,
    },
    /// A condition compares what no flow has ([`Condition::flows`](crate::bpf::Condition::flows)).
    #[non_exhaustive]
    NoFlow {
        /// Why, in words.
        reason: String,
    },
}

impl fmt::Display for FilterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { rules } => {
                let plural = if *rules == 1 { "" } else { "s" };
                write!(f, "its {rules} rule{plural} would make too large a program")
            }
            Self::SetFull { set, bytes } => {
                write!(f, "the {bytes} bytes of the set \"{set}\" are full")
            }
            Self::NoSlot { slot, entries } => {
                let plural = if *entries == 1 { "" } else { "s" };
                write!(f, "a rule is for slot {slot}, and the map has {entries} slot{plural}")
            }
            Self::TakesEverything { rule: 0, condition } => write!(
                f,
                "rule 0 (\"{condition}\") takes every packet from the kernel's stack, ARP and remote \
                 shells included"
            ),
            Self::TakesEverything { rule, condition } => write!(
                f,
                "rule {rule} (\"{condition}\") takes every packet from the kernel's stack that the \
                 {rule} before it leave"
            ),
            Self::NoFlow { reason } => f.write_str(reason),
        }
    }
}
