//! Queues of an interface that a run between two leaves out although packets come to them.

use crate::failure::{Result, quoted};
use crate::report::rates::{grouped, named};
use serde_json::{Value, json};
use xsk::Interface;
use xsk::multi_queue::QueueSet;

/// The queues, and what came to them.
#[derive(Debug)]
pub(crate) struct LeftOut {
    queues: QueueSet,
    /// Whether there is one alone.
    is_one: bool,
    /// What takes them off the interface; none for a driver that has no such command.
    cure: Option<String>,
    /// Packets that the interface had received before the start.
    before: u64,
    /// Packets that it had received since, at the last look.
    seen: u64,
    /// Whether it was said that packets come to them.
    said: bool,
}

impl LeftOut {
    /// Returns the queues of an interface on which packets come and which are not `served`; `None` if
    /// there are none, or if not all queues were `asked` for: then others are left out on purpose,
    /// and what comes to which is not known.
    pub(crate) fn of(interface: &Interface, asked: &[u32], served: &[u32]) -> Result<Option<Self>> {
        let all = 0..interface.queues()?.rx;
        if all.clone().any(|queue| !asked.contains(&queue)) {
            return Ok(None);
        }
        let left: Vec<u32> = all.filter(|queue| !served.contains(queue)).collect();
        let number = served.len();
        // A driver without channels has no such command, and an error is no reason to end.
        let cure = interface.channels().ok().flatten().map(|channels| {
            let channels = match channels.max_combined {
                0 => format!("rx {number} tx {number}"),
                _ => format!("combined {number}"),
            };
            format!("ethtool -L {} {channels}", quoted(interface.name()))
        });
        let is_one = left.len() == 1;
        Ok((!left.is_empty()).then(|| Self {
            queues: left.into_iter().collect(),
            is_one,
            cure,
            before: 0,
            seen: 0,
            said: false,
        }))
    }

    /// Returns what becomes of packets that come to them, to follow their names.
    pub(crate) fn consequence(&self, name: &str) -> String {
        let it = if self.is_one { "it" } else { "them" };
        let cure = self.cure();
        format!("what comes to {it} on {} goes to the kernel's stack{cure}", quoted(name))
    }

    fn cure(&self) -> String {
        self.cure.as_ref().map_or(String::new(), |cure| format!(" (`{cure}` leaves none out)"))
    }

    /// Takes how many packets the interface had received before the start.
    pub(crate) fn begin(&mut self, before: u64) {
        self.before = before;
    }

    /// Returns how many packets the interface had received before the start.
    pub(crate) fn before(&self) -> u64 {
        self.before
    }

    /// Takes how many packets the interface has received, and how many of the queues that are
    /// served; returns a sentence about the others, the first time that there are some.
    pub(crate) fn look(&mut self, name: &str, all: u64, served: u64) -> Option<String> {
        // What the interface had counted at the last look has left the rings by now.
        let others = std::mem::replace(&mut self.seen, all).saturating_sub(served);
        if others == 0 || self.said {
            return None;
        }
        self.said = true;
        Some(self.described(name, others) + &self.cure())
    }

    /// Returns a sentence about packets that came to them.
    fn described(&self, name: &str, packets: u64) -> String {
        let (packets, verb) = match packets {
            1 => ("one packet".to_owned(), "has"),
            packets => (format!("{} packets", grouped(packets)), "have"),
        };
        let are = if self.is_one { "is" } else { "are" };
        format!(
            "{packets} {verb} come to {} of {}, which {are} left out, and gone to the kernel's stack",
            named(&self.queues),
            quoted(name)
        )
    }

    /// Returns what the summary says of so many packets: an object, and a line if there are any.
    pub(crate) fn summed(&self, name: &str, packets: u64) -> (Value, Option<String>) {
        let queues = self.queues.to_string();
        let object = json!({ "interface": name, "queues": queues, "packets": packets });
        (object, (packets > 0).then(|| self.described(name, packets)))
    }
}
