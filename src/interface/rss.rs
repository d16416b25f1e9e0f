//! The receive hash of a card: which queues it spreads packets over, and by what (RSS).

mod context;
mod fields;
mod table;
#[cfg(test)]
mod tests;

pub use context::RssContext;
pub use fields::{FlowKind, HashFields, HashFieldsGuard};
pub use table::{HashFunction, Rss, Symmetry};

use super::Interface;
use super::undo::{Setting, Undo, guard_methods};
use crate::error::{Error, Result};
use crate::sys::ethtool::{flow, rss};
use rustix::io::Errno;
use xsk_uapi::ethtool::{ETH_RSS_HASH_NO_CHANGE, ethtool_rxfh};

const ASK: &str = "ask for the receive hash of";
const SET: &str = "set the receive hash of";

/// A receive hash that was set; dropping it puts back the one from before.
///
/// A process that is killed leaves what it set, and `ethtool -X eth0 default` undoes the table.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let guard = interface.keep_queue_out(3)?;
/// assert!(!guard.rss().queues().contains(&3));
/// guard.restore()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it puts back what was there before; `keep` leaves what was set"]
pub struct RssGuard(Undo<Rss>);

guard_methods!(RssGuard);

impl RssGuard {
    /// Returns the hash that the device has had since it was set.
    #[must_use]
    pub fn rss(&self) -> &Rss {
        self.0.value()
    }

    /// Returns the hash that it had before.
    #[must_use]
    pub fn before(&self) -> &Rss {
        self.0.before()
    }
}

impl Setting for Rss {
    const RESTORE: &'static str = "restore the receive hash of";

    fn read_again(&self, interface: &Interface) -> Result<Self> {
        let (header, table, key) = interface.ethtool(ASK, |device| rss::get(device, 0))?;
        Ok(Self::read(&header, table, key))
    }

    /// Writes what differs from what the device has: a driver may refuse to be given a key at all.
    fn write(&self, interface: &Interface) -> Result<()> {
        let there = self.read_again(interface)?;
        if there == *self {
            return Ok(());
        }
        let function = if there.function == self.function {
            ETH_RSS_HASH_NO_CHANGE
        } else {
            self.function.map_or(ETH_RSS_HASH_NO_CHANGE, HashFunction::code)
        };
        let request = ethtool_rxfh {
            hfunc: function,
            input_xfrm: Symmetry::code(self.symmetry),
            ..ethtool_rxfh::default()
        };
        let queues = interface.ethtool(SET, flow::rx_rings)?;
        // The default, which `ethtool_set_rxfh` (net/ethtool/ioctl.c) writes for an empty table,
        // leaves the number of channels free; a table that was given binds it.
        let none = &[][..];
        let given = (there.table != self.table).then_some(self.table.as_slice());
        let default = given.filter(|_| self.is_default(queues)).map(|_| none);
        let set = |table: Option<&[u32]>, key: &[u8]| {
            interface.ethtool(SET, |device| rss::set(device, request, table, key)).map(drop)
        };
        if there.key == self.key {
            return set(default.or(given), &[]);
        }
        // The default and a key take two calls.
        set(given, &self.key)?;
        if default.is_some() {
            // All values are there already; without this, the table binds the number of channels.
            let _ = set(default, &[]);
        }
        Ok(())
    }
}

impl Interface {
    /// Returns its receive hash (`ethtool -x`); `None` for a driver that does not report it, as
    /// those of virtual devices.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone.
    #[doc(alias = "ETHTOOL_GRSSH")]
    pub fn rss(&self) -> Result<Option<Rss>> {
        let reply = self.ethtool_if_any(ASK, |device| rss::get(device, 0))?;
        Ok(reply.map(|(header, table, key)| Rss::read(&header, table, key)))
    }

    /// Sets its receive hash (`ethtool -X`): what is different from what it has.
    ///
    /// Needs CAP_NET_ADMIN. Once a table is set, the kernel refuses to take away channels whose queues
    /// are in it, also if it is the one from before that a guard has put back. That ends with a table
    /// of all queues in turn ([`Rss::spread_over`], `ethtool -X eth0 default`), which is the kernel's
    /// own default; drivers may begin with another one.
    ///
    /// # Errors
    /// [`Error::Interface`] with `EINVAL` for a table or a key of another length than the device's,
    /// and for queues that are not there; with `EOPNOTSUPP` for a driver without a receive hash, or
    /// one of which this part cannot be set; with `EPERM`.
    #[doc(alias = "ETHTOOL_SRSSH")]
    pub fn set_rss(&self, rss: &Rss) -> Result<RssGuard> {
        let before = self.present_rss()?;
        self.check_lengths(rss, &before)?;
        self.check_queues(&rss.table)?;
        Ok(RssGuard(Undo::set(self, before, rss)?))
    }

    /// Takes an RX queue out of the table of the receive hash: only flow rules
    /// ([`add_rule`](Self::add_rule)) bring packets to it then. Its share goes to the other queues of
    /// the table in turn.
    ///
    /// # Errors
    /// As [`set_rss`](Self::set_rss); with `EINVAL` also for a queue that is the only one in the
    /// table, where its packets would have no other way; with `EOPNOTSUPP` also for a driver that
    /// does not report its table.
    pub fn keep_queue_out(&self, queue: u32) -> Result<RssGuard> {
        let mut rss = self.present_rss()?;
        self.check_queues(&[queue])?;
        if rss.table.is_empty() {
            return Err(self.refused(SET, Errno::OPNOTSUPP, "it reports no table of queues"));
        }
        if !rss.remove_queue(queue) {
            let text = format!("queue {queue} is the only one in its table");
            return Err(self.refused(SET, Errno::INVAL, text));
        }
        self.set_rss(&rss)
    }

    /// Has both directions of a flow come to one queue: the hash is the same for packets from a to b
    /// and from b to a.
    ///
    /// Where the driver can join the two ends by XOR before they are hashed (`RXH_XFRM_SYM_XOR`,
    /// 6.8), it does so; otherwise it gets a key that repeats 0x6d5a, by which Toeplitz is symmetric.
    /// Either spreads flows less evenly than a random key.
    ///
    /// # Errors
    /// As [`set_rss`](Self::set_rss); with `EOPNOTSUPP` if the driver can do neither.
    pub fn set_symmetric_rss(&self) -> Result<RssGuard> {
        let before = self.present_rss()?;
        let mut joined = before.clone();
        joined.symmetry = Some(Symmetry::Xor);
        match Undo::set(self, before.clone(), &joined) {
            Ok(undo) if undo.value().symmetry == joined.symmetry => return Ok(RssGuard(undo)),
            // The driver took no notice.
            Ok(_) => {}
            // The driver cannot, or the kernel is older.
            Err(Error::Interface { errno: Errno::OPNOTSUPP | Errno::INVAL, .. }) => {}
            Err(error) => return Err(error),
        }
        let mut keyed = before.clone();
        if keyed.set_symmetric_key() {
            let undo = Undo::set(self, before, &keyed)?;
            if undo.value().key == keyed.key {
                return Ok(RssGuard(undo));
            }
        }
        let text = "it can neither join the ends of a flow nor take a key for Toeplitz";
        Err(self.refused(SET, Errno::OPNOTSUPP, text))
    }

    /// Returns the hash; an error for a driver without one.
    fn present_rss(&self) -> Result<Rss> {
        let (header, table, key) = self.ethtool(SET, |device| rss::get(device, 0))?;
        Ok(Rss::read(&header, table, key))
    }

    fn check_lengths(&self, wanted: &Rss, device: &Rss) -> Result<()> {
        let lengths = [
            ("a table of", "entries", wanted.table.len(), device.table.len()),
            ("a key of", "bytes", wanted.key.len(), device.key.len()),
        ];
        match lengths.into_iter().find(|(.., wanted, there)| wanted != there) {
            Some((what, unit, wanted, there)) => {
                let text = format!("{what} {wanted} {unit}, where its own has {there}");
                Err(self.refused(SET, Errno::INVAL, text))
            }
            None => Ok(()),
        }
    }

    /// Refuses queues that the hash cannot choose.
    fn check_queues(&self, queues: &[u32]) -> Result<()> {
        let there = self.ethtool(SET, flow::rx_rings)?;
        match queues.iter().find(|queue| u64::from(**queue) >= there) {
            Some(queue) => {
                let text = format!("RX queue {queue}, of {there} that are numbered from 0");
                Err(self.refused(SET, Errno::INVAL, text))
            }
            None => Ok(()),
        }
    }
}
