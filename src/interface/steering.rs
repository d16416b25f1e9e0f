//! Flow rules (n-tuple filters): packets that a card brings to a queue, or drops.

mod address;
#[cfg(test)]
mod card_tests;
mod criteria;
mod fields;
mod flow_match;
mod ntuple;
mod rule;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use flow_match::{Ethernet, FlowMatch, Ip, Ports};
pub use ntuple::NtupleGuard;
pub use rule::{FlowAction, FlowRule, InstalledRule};

use super::Interface;
use crate::error::{Error, Result};
use crate::sys::ethtool::Device;
use crate::sys::ethtool::flow;
use rustix::io::Errno;
use std::collections::BTreeSet;
use xsk_uapi::ethtool::{RX_CLS_LOC_ANY, RX_CLS_LOC_SPECIAL, ethtool_rx_flow_spec};

const ADD: &str = "add a flow rule to";
const LIST: &str = "list the flow rules of";
const REMOVE: &str = "remove a flow rule from";

/// What an error says if rules are refused because the feature is off; the hint knows it.
const NTUPLE_OFF: &str = "its feature ntuple-filters is off";

/// What a guard says if its rule is not at its place.
const OTHER_RULE: &str = "another rule, or none, is at its place, which stays so";

/// How often the list of rules is asked for while others add to it.
const TRIES: u32 = 8;

/// A rule that was added; dropping it removes the rule.
///
/// A rule of another program that took its place stays. A process that is killed leaves the rule,
/// and `ethtool -N eth0 delete N` removes it; `ethtool -n eth0` shows which number N it has.
///
/// ```no_run
/// use xsk::interface::FlowRule;
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let ptp = FlowRule::ethernet().ethertype(0x88f7).to_queue(1);
/// let rule = interface.add_rule(&ptp)?;
/// println!("at location {}", rule.location());
/// rule.remove()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it removes the rule; `keep` leaves it"]
pub struct RuleGuard {
    interface: Interface,
    location: u32,
    /// The rule and its context, as the device shows them.
    added: (ethtool_rx_flow_spec, u32),
    armed: bool,
}

impl RuleGuard {
    /// Returns the rule's place in the device's table.
    #[must_use]
    pub fn location(&self) -> u32 {
        self.location
    }

    /// Removes the rule.
    ///
    /// # Errors
    /// [`Error::Interface`] with `ECANCELED`, and nothing is changed, if another rule or none is at
    /// its location; with what the driver reports otherwise.
    pub fn remove(mut self) -> Result<()> {
        self.armed = false;
        self.take_out()
    }

    /// Leaves the rule on the device.
    pub fn keep(mut self) {
        self.armed = false;
    }

    fn take_out(&self) -> Result<()> {
        let there = self.interface.ethtool(REMOVE, |device| flow::rule(device, self.location));
        match there {
            Ok(there) if there == self.added => self.interface.remove_rule(self.location),
            Ok(_)
            | Err(Error::Interface {
                errno: Errno::NOENT | Errno::INVAL | Errno::OPNOTSUPP, ..
            }) => Err(self.interface.refused(REMOVE, Errno::CANCELED, OTHER_RULE)),
            Err(error) => Err(error),
        }
    }
}

impl Drop for RuleGuard {
    fn drop(&mut self) {
        if self.armed {
            // Without a caller to report it to.
            let _ = self.take_out();
        }
    }
}

impl Interface {
    /// Returns the flow rules on it, in the order of their locations (`ethtool -n`).
    ///
    /// # Errors
    /// [`Error::Interface`] with `EOPNOTSUPP` for a driver without flow rules; with `ENODEV` if it
    /// is gone.
    #[doc(alias = "ETHTOOL_GRXCLSRLALL")]
    pub fn rules(&self) -> Result<Vec<InstalledRule>> {
        let (_, locations) = self.ethtool(LIST, rule_locations)?;
        let mut rules = Vec::new();
        for location in locations {
            match self.ethtool(LIST, |device| flow::rule(device, location)) {
                Ok((spec, context)) => rules.push(InstalledRule::read(&spec, context)),
                // Removed in between.
                Err(Error::Interface { errno: Errno::NOENT | Errno::INVAL, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(rules)
    }

    /// Adds a flow rule (`ethtool -N`).
    ///
    /// The driver chooses its place (`RX_CLS_LOC_ANY`), where it can. Otherwise, it is the free one
    /// with the highest number, so that it comes after the rules that there are. Two programs that
    /// add at the same moment to such a device may choose the same place: then the rule of the
    /// second one replaces that of the first.
    ///
    /// Needs CAP_NET_ADMIN. Drivers differ in what they can compare: most want an exact set of
    /// fields, and many the same masks for all rules.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value that no rule can have. [`Error::Interface`] with `EOPNOTSUPP`
    /// for a driver without flow rules, or without such a one, and if its feature `ntuple-filters`
    /// is off ([`set_ntuple`](Self::set_ntuple)); with `EINVAL` for a queue that is not there; with
    /// `EEXIST` from some drivers for a rule that is there already; with `ENOSPC` for a full table;
    /// with `EPERM`.
    #[doc(alias = "ETHTOOL_SRXCLSRLINS")]
    pub fn add_rule(&self, rule: &FlowRule) -> Result<RuleGuard> {
        rule.check()?;
        if let FlowAction::Queue(queue) = rule.action() {
            let queues = self.queues()?.rx;
            if queue >= queues {
                let text = format!("RX queue {queue}, of {queues} that are numbered from 0");
                return Err(self.refused(ADD, Errno::INVAL, text));
            }
        }
        let wanted = self.free_location()?;
        let (spec, context) = rule.write(wanted);
        let location = self
            .ethtool(ADD, |device| flow::insert(device, spec, context))
            .map_err(|error| self.explain_without_ntuple(error))?;
        match self.ethtool(ADD, |device| flow::rule(device, location)) {
            Ok(added) => Ok(RuleGuard { interface: self.clone(), location, added, armed: true }),
            Err(error) => {
                let _ = self.remove_rule(location);
                Err(error)
            }
        }
    }

    /// Removes the flow rule at a location, by whatever program it was added
    /// (`ethtool -N ... delete`).
    ///
    /// # Errors
    /// [`Error::Interface`] with `ENOENT` or `EINVAL`, by driver, if there is none; with
    /// `EOPNOTSUPP` for a driver without flow rules; with `EPERM`.
    #[doc(alias = "ETHTOOL_SRXCLSRLDEL")]
    pub fn remove_rule(&self, location: u32) -> Result<()> {
        self.ethtool(REMOVE, |device| flow::delete(device, location))
    }

    /// Returns where the next rule goes.
    fn free_location(&self) -> Result<u32> {
        let (_, flags) = self.ethtool(ADD, flow::count)?;
        if flags & u64::from(RX_CLS_LOC_SPECIAL) != 0 {
            return Ok(RX_CLS_LOC_ANY);
        }
        let (size, taken) = self.ethtool(ADD, rule_locations)?;
        free(size, &taken).ok_or_else(|| {
            self.refused(ADD, Errno::NOSPC, format!("all {size} places of its table are taken"))
        })
    }

    /// Returns the error with the reason, if it is that the feature is off.
    fn explain_without_ntuple(&self, error: Error) -> Error {
        match error {
            Error::Interface { name, operation, errno: Errno::OPNOTSUPP, message: None } => {
                let off = matches!(self.ntuple(), Ok(false));
                let message = off.then(|| NTUPLE_OFF.to_owned());
                Error::Interface { name, operation, errno: Errno::OPNOTSUPP, message }
            }
            error => error,
        }
    }
}

/// Returns the size of the table of rules, and the places that are taken.
fn rule_locations(device: Device<'_>) -> Result<(u64, BTreeSet<u32>), Errno> {
    let mut tries = TRIES;
    loop {
        let (count, _) = flow::count(device)?;
        match flow::locations(device, count) {
            // Rules were added in between.
            Err(Errno::MSGSIZE) if tries > 0 => tries = tries.saturating_sub(1),
            result => {
                let (size, locations) = result?;
                return Ok((size, locations.into_iter().collect()));
            }
        }
    }
}

/// Returns the highest free place of a table; the lowest one if the driver does not report how
/// many there are.
fn free(size: u64, taken: &BTreeSet<u32>) -> Option<u32> {
    // Higher numbers have a meaning of their own.
    let mut places = 0..u32::try_from(size).unwrap_or(u32::MAX).min(RX_CLS_LOC_SPECIAL);
    if size == 0 {
        return (0..RX_CLS_LOC_SPECIAL).find(|place| !taken.contains(place));
    }
    places.rfind(|place| !taken.contains(place))
}
