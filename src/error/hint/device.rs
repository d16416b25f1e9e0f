//! Hints about settings of a device: channels, rings, flow rules, the receive hash.

use super::wording::{Hint, NO_HINT};
use crate::error::shell_word::shell_word;
use rustix::io::Errno;

const QUEUE_IN_USE: &str = "Perhaps a queue that would go has an AF_XDP socket on it, or the RSS \
    table or a flow rule brings packets to it: close the socket, or take the queue out of them first";
const NO_CHANNELS: &str = "Either its driver has no channels, or their number is fixed: \
    `ethtool -l` shows those that there are";
const NO_RING_SIZES: &str = "Either its driver has no rings of its own, as those of virtual \
    devices, or their size is fixed: `ethtool -g` shows those that there are";
const NO_RULES: &str = "Its driver has no flow rules, or not of this kind: virtual devices have \
    none, and a card compares only some fields, with some masks. Choose the packets by an XDP program \
    of your own instead";
const RULE_REFUSED: &str = "The driver cannot compare these fields, or not with these masks: many \
    want certain fields of a packet together, and one mask for all rules; the kernel's log may say more";
const FIELDS_REFUSED: &str = "The driver cannot hash such packets by these fields: most can change \
    those of UDP only, and have the addresses always and the two ports together";
const NO_NTUPLE: &str = "Its driver does not have this feature, or not as one to be switched: \
    `ethtool -k` shows it";
const NO_RSS: &str = "Its driver has no receive hash that can be changed, or not in this way: \
    `ethtool -x` shows what there is";

/// Returns the hint about what failed with a device.
pub(super) fn refused(name: &str, operation: &str, errno: Errno, message: Option<&str>) -> Hint {
    match (operation, errno, message) {
        ("set the channels of", Errno::INVAL | Errno::BUSY, None) => QUEUE_IN_USE.into(),
        ("set the channels of", Errno::OPNOTSUPP, _) => NO_CHANNELS.into(),
        ("set the ring sizes of", Errno::OPNOTSUPP, _) => NO_RING_SIZES.into(),
        ("add a flow rule to", Errno::OPNOTSUPP, Some(_)) => format!(
            "`ethtool -K {} ntuple on` switches it on (`Interface::set_ntuple(true)`); it fails for a \
             driver without flow rules",
            shell_word(name)
        )
        .into(),
        ("add a flow rule to", Errno::INVAL, None) => RULE_REFUSED.into(),
        ("set the hash fields of", Errno::INVAL | Errno::OPNOTSUPP, _) => FIELDS_REFUSED.into(),
        (
            "add a flow rule to" | "remove a flow rule from" | "list the flow rules of",
            Errno::OPNOTSUPP,
            None,
        ) => NO_RULES.into(),
        ("set the receive hash of", Errno::OPNOTSUPP, _) => NO_RSS.into(),
        ("switch the feature ntuple-filters of", Errno::OPNOTSUPP | Errno::INVAL, _) => {
            NO_NTUPLE.into()
        }
        _ => NO_HINT,
    }
}
