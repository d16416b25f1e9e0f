//! Packets that come to an interface, and not to the queues that are served.

use crate::failure::quoted;
use crate::report::rates::named;
use xsk::XdpMode;
use xsk::multi_queue::QueueSet;

/// What came where on one interface.
#[derive(Debug)]
pub(crate) struct Elsewhere<'a> {
    /// The interface's name.
    pub(crate) name: &'a str,
    /// How many queues receive there.
    pub(crate) queues: u32,
    /// Those that are served.
    pub(crate) served: &'a QueueSet,
    /// The mode of the program.
    pub(crate) mode: XdpMode,
    /// Packets that came to the queues that are served.
    pub(crate) received: u64,
    /// Packets that came to the others.
    pub(crate) others: u64,
}

impl Elsewhere<'_> {
    /// Returns whether hardly any packet comes to the queues that are served: much less than their
    /// share would be if all queues had the same. A few of the network stack's own come to any.
    pub(crate) fn is_likely(&self) -> bool {
        let share = self.received.saturating_mul(u64::from(self.queues)).saturating_mul(8);
        self.others > 0 && share < self.others
    }

    /// Returns a sentence about it, with what to do.
    pub(crate) fn described(&self) -> String {
        let Self { queues, others, .. } = self;
        let (name, served) = (quoted(self.name), named(self.served));
        let received = match self.received {
            0 => "no packet has".to_owned(),
            1 => "one packet has".to_owned(),
            received => format!("{received} packets have"),
        };
        let generic = match self.mode {
            XdpMode::Generic => {
                ". In generic mode a veth gives what its peer sent on queue N to queue N-1 (and \
                 that of queue 0 to queue 0); native mode (-N) has the same number"
            }
            _ => "",
        };
        format!(
            "{received} come to {served}, and {others} to others of the {queues} queues of {name}: \
             `-q all` takes all of them, `ethtool -S {name}` shows which they are, `ethtool -L {name}` changes their number{generic}. A \
             queue that was added after the program was attached may receive nothing until all \
             users of the program have ended"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_as_of_any_queue_is_no_reason_for_a_line() {
        let served = QueueSet::from_iter([2]);
        let of = |received, others| Elsewhere {
            name: "eth1",
            queues: 4,
            served: &served,
            mode: XdpMode::Native,
            received,
            others,
        };
        assert!(!of(0, 0).is_likely());
        assert!(of(0, 1).is_likely());
        assert!(of(1, 100).is_likely());
        assert!(!of(10, 300).is_likely() && !of(25, 75).is_likely());
        assert!(of(1, 100).described().starts_with("one packet has come to queue 2, and 100 to"));
        assert!(!of(1, 100).described().contains("generic mode"));
    }
}
