//! The queue counts of an interface.

use super::Interface;
use super::info::InterfaceInfo;
use crate::error::Result;
use crate::sys::ethtool;
use xsk_uapi::ethtool::ethtool_channels;

/// The queue counts of an interface. A queue number is valid if it is below
/// [`current`](Self::current).
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// let queues = Interface::by_name("lo")?.queues()?;
/// for queue in 0..queues.current() {
///     println!("queue {queue} of {}", queues.max());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queues {
    /// RX queues in use.
    pub rx: u32,
    /// TX queues in use.
    pub tx: u32,
    /// The most RX queues that the interface can have.
    pub max_rx: u32,
    /// The most TX queues that the interface can have.
    pub max_tx: u32,
}

impl Queues {
    /// Returns the queues in use: the larger of RX and TX, as `bind(2)` of an AF_XDP socket counts
    /// them.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.rx.max(self.tx)
    }

    /// Returns the most queues that the interface can have: the larger of RX and TX, and never less
    /// than one.
    #[must_use]
    pub fn max(&self) -> u32 {
        self.max_rx.max(self.max_tx).max(self.current()).max(1)
    }

    /// Reads the driver's channels. A combined channel is an RX and a TX queue.
    pub(crate) fn of_channels(channels: &ethtool_channels) -> Self {
        Self {
            rx: channels.rx_count.saturating_add(channels.combined_count),
            tx: channels.tx_count.saturating_add(channels.combined_count),
            max_rx: channels.max_rx.max(channels.max_combined),
            max_tx: channels.max_tx.max(channels.max_combined),
        }
    }

    /// Takes the numbers of queues that the interface was made with.
    pub(crate) fn of_info(info: &InterfaceInfo) -> Self {
        Self {
            rx: info.rx_queues,
            tx: info.tx_queues,
            max_rx: info.rx_queues,
            max_tx: info.tx_queues,
        }
    }
}

impl Interface {
    /// Returns how many queues it has, and can have.
    ///
    /// The counts are the driver's (`ETHTOOL_GCHANNELS`); for a driver that does not report them,
    /// the numbers of queues that the interface was made with.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "ETHTOOL_GCHANNELS")]
    pub fn queues(&self) -> Result<Queues> {
        match self.ethtool_if_any("ask for the channels of", ethtool::channels)? {
            Some(channels) => Ok(Queues::of_channels(&channels)),
            // A driver without channels.
            None => Ok(Queues::of_info(&self.info()?)),
        }
    }

    /// Returns how many queues it can have at most: the size that a map of its sockets needs.
    ///
    /// # Errors
    /// As [`queues`](Self::queues).
    pub fn max_queues(&self) -> Result<u32> {
        Ok(self.queues()?.max())
    }
}
