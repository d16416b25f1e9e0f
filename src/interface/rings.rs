//! The sizes of a card's own rings, and how to change them.

use super::Interface;
use super::undo::{Setting, Undo, guard_methods};
use crate::error::Result;
use crate::sys::ethtool;
use rustix::io::Errno;
use xsk_uapi::ethtool::ethtool_ringparam;

const ASK: &str = "ask for the ring sizes of";
const SET: &str = "set the ring sizes of";

/// How many packets a card's own rings have room for, those of each queue, and the most they can
/// have room for (`ethtool -g`).
///
/// These are not the rings of a socket. In zero-copy mode the card takes chunks from the fill ring
/// into its own RX ring, so a fill ring should have room for more than [`rx`](Self::rx).
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// match Interface::by_name("lo")?.ring_sizes()? {
///     Some(sizes) => println!("RX {} of {}", sizes.rx, sizes.max_rx),
///     None => println!("its driver has no rings"), // as that of `lo`
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ethtool_ringparam")]
pub struct RingSizes {
    /// Entries of an RX ring.
    pub rx: u32,
    /// Entries of an RX ring for small packets; 0 for most drivers.
    pub rx_mini: u32,
    /// Entries of an RX ring for large packets; 0 for most drivers.
    pub rx_jumbo: u32,
    /// Entries of a TX ring.
    pub tx: u32,
    /// The most entries of an RX ring.
    pub max_rx: u32,
    /// The most entries of an RX ring for small packets.
    pub max_rx_mini: u32,
    /// The most entries of an RX ring for large packets.
    pub max_rx_jumbo: u32,
    /// The most entries of a TX ring.
    pub max_tx: u32,
}

/// Ring sizes that were set; dropping it puts back those from before.
///
/// Both changes lose the packets that are in the rings, and the link of most cards goes down for
/// a moment. A process that is killed leaves what it set, and `ethtool -G eth0 rx 256 tx 256`
/// undoes it.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let mut sizes = interface.ring_sizes()?.expect("a driver with rings");
/// sizes.rx = sizes.max_rx;
/// let guard = interface.set_ring_sizes(&sizes)?;
/// println!("{} entries", guard.sizes().rx); // drivers round
/// guard.restore()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it puts back what was there before; `keep` leaves what was set"]
pub struct RingSizesGuard(Undo<RingSizes>);

guard_methods!(RingSizesGuard);

impl RingSizesGuard {
    /// Returns the sizes that the device has had since they were set: a driver may have rounded
    /// them, or raised them to its minimum.
    #[must_use]
    pub fn sizes(&self) -> &RingSizes {
        self.0.value()
    }

    /// Returns the sizes that it had before.
    #[must_use]
    pub fn before(&self) -> &RingSizes {
        self.0.before()
    }
}

impl RingSizes {
    fn read(kernel: &ethtool_ringparam) -> Self {
        Self {
            rx: kernel.rx_pending,
            rx_mini: kernel.rx_mini_pending,
            rx_jumbo: kernel.rx_jumbo_pending,
            tx: kernel.tx_pending,
            max_rx: kernel.rx_max_pending,
            max_rx_mini: kernel.rx_mini_max_pending,
            max_rx_jumbo: kernel.rx_jumbo_max_pending,
            max_tx: kernel.tx_max_pending,
        }
    }

    /// Returns the maximum of `ethtool_set_ringparam` (net/ethtool/ioctl.c) that these exceed.
    fn broken_rule(&self, device: &Self) -> Option<String> {
        let sizes = [
            ("an RX ring", self.rx, device.max_rx),
            ("an RX ring for small packets", self.rx_mini, device.max_rx_mini),
            ("an RX ring for large packets", self.rx_jumbo, device.max_rx_jumbo),
            ("a TX ring", self.tx, device.max_tx),
        ];
        let exceeds = sizes.into_iter().find(|(_, size, max)| size > max);
        exceeds.map(|(ring, size, max)| {
            format!("{ring} of {size} entries, where it can have at most {max}")
        })
    }
}

impl Setting for RingSizes {
    const RESTORE: &'static str = "restore the ring sizes of";

    fn read_again(&self, interface: &Interface) -> Result<Self> {
        Ok(Self::read(&interface.ethtool(ASK, ethtool::ring_sizes)?))
    }

    fn write(&self, interface: &Interface) -> Result<()> {
        let new = ethtool_ringparam {
            rx_pending: self.rx,
            rx_mini_pending: self.rx_mini,
            rx_jumbo_pending: self.rx_jumbo,
            tx_pending: self.tx,
            ..ethtool_ringparam::default()
        };
        interface.ethtool(SET, |device| ethtool::set_ring_sizes(device, new))
    }

    /// The maxima are not what is set: those of some drivers change when a program is attached.
    fn is_kept_in(&self, now: &Self) -> bool {
        let Self { rx, rx_mini, rx_jumbo, tx, .. } = *self;
        (rx, rx_mini, rx_jumbo, tx) == (now.rx, now.rx_mini, now.rx_jumbo, now.tx)
    }
}

impl Interface {
    /// Returns the sizes of the card's own rings (`ethtool -g`); `None` for a driver without them.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "ETHTOOL_GRINGPARAM")]
    pub fn ring_sizes(&self) -> Result<Option<RingSizes>> {
        Ok(self.ethtool_if_any(ASK, ethtool::ring_sizes)?.as_ref().map(RingSizes::read))
    }

    /// Sets the sizes of the card's own rings (`ethtool -G`). The maxima in `sizes` are not looked
    /// at.
    ///
    /// Needs CAP_NET_ADMIN. A driver may round, and raise a size to its minimum:
    /// [`RingSizesGuard::sizes`] has what became of it.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface) with `EOPNOTSUPP` for a driver without rings or
    /// with rings of a fixed size; with `EINVAL` for more entries than there can be, and for other
    /// sizes that the driver refuses; with `EPERM`; with `EBUSY` from some drivers.
    #[doc(alias = "ETHTOOL_SRINGPARAM")]
    pub fn set_ring_sizes(&self, sizes: &RingSizes) -> Result<RingSizesGuard> {
        let before = RingSizes::read(&self.ethtool(SET, ethtool::ring_sizes)?);
        if let Some(rule) = sizes.broken_rule(&before) {
            return Err(self.refused(SET, Errno::INVAL, rule));
        }
        Ok(RingSizesGuard(Undo::set(self, before, sizes)?))
    }
}
