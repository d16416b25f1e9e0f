//! The channels of an interface: how many queues its driver uses, and how to change that.

use super::Interface;
use super::undo::{Setting, Undo, guard_methods};
use crate::error::Result;
use crate::sys::ethtool;
use rustix::io::Errno;
use xsk_uapi::ethtool::ethtool_channels;

const ASK: &str = "ask for the channels of";
const SET: &str = "set the channels of";

/// The channels of an interface: the queues that its driver uses, and the most it can use
/// (`ethtool -l`).
///
/// A combined channel is an RX queue and a TX queue with one interrupt. Most cards have only those,
/// a veth has only RX and TX channels. [`Interface::queues`] counts both kinds together.
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// match Interface::by_name("lo")?.channels()? {
///     Some(channels) => println!("{} of {}", channels.combined, channels.max_combined),
///     None => println!("its driver has no channels"), // as that of `lo`
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ethtool_channels")]
pub struct Channels {
    /// Channels that only receive.
    pub rx: u32,
    /// Channels that only send.
    pub tx: u32,
    /// Channels that do both.
    pub combined: u32,
    /// Channels for anything else, such as the state of the link.
    pub other: u32,
    /// The most channels that only receive.
    pub max_rx: u32,
    /// The most channels that only send.
    pub max_tx: u32,
    /// The most channels that do both.
    pub max_combined: u32,
    /// The most channels for anything else.
    pub max_other: u32,
}

/// Channels that were set; dropping it puts back those from before.
///
/// Both changes interrupt the traffic of most cards, whose link goes down for a moment. A process
/// that is killed leaves what it set, and `ethtool -L eth0 combined 8` (or `rx` and `tx`) undoes
/// it.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let mut channels = interface.channels()?.expect("a driver with channels");
/// channels.combined = 2;
/// let guard = interface.set_channels(&channels)?;
/// // ... two queues are in use ...
/// guard.restore()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it puts back what was there before; `keep` leaves what was set"]
pub struct ChannelsGuard(Undo<Channels>);

guard_methods!(ChannelsGuard);

impl ChannelsGuard {
    /// Returns the channels that the device has had since they were set.
    #[must_use]
    pub fn channels(&self) -> &Channels {
        self.0.value()
    }

    /// Returns the channels that it had before.
    #[must_use]
    pub fn before(&self) -> &Channels {
        self.0.before()
    }
}

impl Channels {
    fn read(kernel: &ethtool_channels) -> Self {
        Self {
            rx: kernel.rx_count,
            tx: kernel.tx_count,
            combined: kernel.combined_count,
            other: kernel.other_count,
            max_rx: kernel.max_rx,
            max_tx: kernel.max_tx,
            max_combined: kernel.max_combined,
            max_other: kernel.max_other,
        }
    }

    /// Returns the rule of `ethtool_set_channels` (net/ethtool/ioctl.c) that these break.
    fn broken_rule(&self, device: &Self) -> Option<String> {
        let counts = [
            ("RX", self.rx, device.max_rx),
            ("TX", self.tx, device.max_tx),
            ("combined", self.combined, device.max_combined),
            ("other", self.other, device.max_other),
        ];
        for (kind, count, max) in counts {
            if count > max {
                return Some(format!("{count} {kind} channels, of which it has at most {max}"));
            }
        }
        let none = |count: u32| count.saturating_add(self.combined) == 0;
        (none(self.rx) || none(self.tx))
            .then(|| "at least one channel has to receive and one to send".to_owned())
    }
}

impl Setting for Channels {
    const RESTORE: &'static str = "restore the channels of";

    fn read_again(&self, interface: &Interface) -> Result<Self> {
        Ok(Self::read(&interface.ethtool(ASK, ethtool::channels)?))
    }

    fn write(&self, interface: &Interface) -> Result<()> {
        let new = ethtool_channels {
            rx_count: self.rx,
            tx_count: self.tx,
            combined_count: self.combined,
            other_count: self.other,
            ..ethtool_channels::default()
        };
        interface.ethtool(SET, |device| ethtool::set_channels(device, new))
    }

    /// The maxima are not what is set: those of some drivers change when a program is attached.
    fn is_kept_in(&self, now: &Self) -> bool {
        let Self { rx, tx, combined, other, .. } = *self;
        (rx, tx, combined, other) == (now.rx, now.tx, now.combined, now.other)
    }
}

impl Interface {
    /// Returns its channels (`ethtool -l`); `None` for a driver without them.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "ETHTOOL_GCHANNELS")]
    pub fn channels(&self) -> Result<Option<Channels>> {
        Ok(self.ethtool_if_any(ASK, ethtool::channels)?.as_ref().map(Channels::read))
    }

    /// Sets how many channels of each kind it has (`ethtool -L`). The maxima in `channels` are not
    /// looked at.
    ///
    /// Needs CAP_NET_ADMIN. Sockets have to be bound afterwards: the kernel refuses to take a queue
    /// away that an AF_XDP socket is bound to.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface) with `EOPNOTSUPP` for a driver without channels
    /// or with a fixed number; with `EINVAL` for more than there can be, for none that receive or
    /// none that send, and if a queue that would go has a socket, or if the RSS table
    /// ([`rss`](Self::rss)) was set and has it; with `EPERM`; with `EBUSY` from some drivers.
    #[doc(alias = "ETHTOOL_SCHANNELS")]
    pub fn set_channels(&self, channels: &Channels) -> Result<ChannelsGuard> {
        let before = Channels::read(&self.ethtool(SET, ethtool::channels)?);
        if let Some(rule) = channels.broken_rule(&before) {
            return Err(self.refused(SET, Errno::INVAL, rule));
        }
        Ok(ChannelsGuard(Undo::set(self, before, channels)?))
    }
}
