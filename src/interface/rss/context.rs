//! Contexts of the receive hash: further tables, for the packets of a flow rule.

use super::SET;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::sys::ethtool::rss;
use rustix::io::Errno;
use xsk_uapi::ethtool::{ETH_RXFH_CONTEXT_ALLOC, ethtool_rxfh};

/// A further table of the receive hash (4.17), for the packets of rules that name it
/// ([`FlowMatch::to_context`](crate::interface::FlowMatch::to_context)); dropping it removes it.
///
/// Rules have to be removed before their context. A process that is killed leaves the context, and
/// `ethtool -X eth0 context N delete` removes it; N is its [`id`](Self::id).
///
/// ```no_run
/// use xsk::interface::FlowRule;
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let mut rss = interface.rss()?.expect("a card");
/// rss.spread_over(&[4, 5]);
/// let context = interface.add_rss_context(&rss.table)?;
/// let rule = interface.add_rule(&FlowRule::udp_v4().to_context(context.id()))?;
/// // ... UDP comes to queues 4 and 5 ...
/// rule.remove()?;
/// context.remove()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it removes the context; `keep` leaves it"]
pub struct RssContext {
    interface: Interface,
    id: u32,
    /// The table that it was made with.
    table: Vec<u32>,
    armed: bool,
}

impl RssContext {
    /// Returns the number that the driver gave it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`Error::Interface`] with `ECANCELED`, and nothing is changed, if it has another table than it
    /// was made with; with `EBUSY` or `EINVAL`, by driver, while rules name it.
    pub fn remove(mut self) -> Result<()> {
        self.armed = false;
        self.take_out()
    }

    /// Leaves it on the device.
    pub fn keep(mut self) {
        self.armed = false;
    }

    fn take_out(&self) -> Result<()> {
        match self.interface.ethtool(SET, |device| rss::get(device, self.id)) {
            Ok((_, table, _)) if table != self.table => {
                return Err(self.interface.changed_since(SET));
            }
            // Not every driver shows the table of a context.
            Ok(_) | Err(Error::Interface { errno: Errno::OPNOTSUPP, .. }) => {}
            Err(error) => return Err(error),
        }
        let request = ethtool_rxfh { rss_context: self.id, ..ethtool_rxfh::default() };
        let call = self.interface.ethtool(SET, |device| rss::set(device, request, Some(&[]), &[]));
        call.map(drop)
    }
}

impl Drop for RssContext {
    fn drop(&mut self) {
        if self.armed {
            // Without a caller to report it to.
            let _ = self.take_out();
        }
    }
}

impl Interface {
    /// Makes a context of the receive hash (4.17) with this table, which has as many entries as that
    /// of [`rss`](Self::rss).
    ///
    /// # Errors
    /// [`Error::Interface`] with `EOPNOTSUPP` for a driver without contexts; with `EINVAL` for a
    /// table of another length, and for queues that are not there; with `EPERM`.
    #[doc(alias = "ETH_RXFH_CONTEXT_ALLOC")]
    pub fn add_rss_context(&self, table: &[u32]) -> Result<RssContext> {
        let there = self.present_rss()?.table.len();
        if table.len() != there || table.is_empty() {
            let entries = table.len();
            let text = format!("a table of {entries} entries, where its own has {there}");
            return Err(self.refused(SET, Errno::INVAL, text));
        }
        self.check_queues(table)?;
        let request = ethtool_rxfh { rss_context: ETH_RXFH_CONTEXT_ALLOC, ..Default::default() };
        let id = self.ethtool(SET, |device| rss::set(device, request, Some(table), &[]))?;
        Ok(RssContext { interface: self.clone(), id, table: table.to_vec(), armed: true })
    }
}
