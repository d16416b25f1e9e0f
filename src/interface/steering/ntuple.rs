//! The feature `ntuple-filters`, without which some drivers refuse flow rules.

use crate::error::Result;
use crate::interface::Interface;
use crate::interface::undo::{Setting, Undo, guard_methods};
use crate::sys::ethtool;
use rustix::io::Errno;
use xsk_uapi::ethtool::ETH_FLAG_NTUPLE;

const ASK: &str = "ask for the feature ntuple-filters of";
const SET: &str = "switch the feature ntuple-filters of";

/// Whether the feature is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ntuple(bool);

/// The feature `ntuple-filters` as it was set; dropping it puts back what was there before.
///
/// Switching it off removes all flow rules of many devices. A process that is killed leaves what
/// it set, and `ethtool -K eth0 ntuple off` undoes it.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let feature = interface.set_ntuple(true)?;
/// // ... rules ...
/// feature.restore()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it puts back what was there before; `keep` leaves what was set"]
pub struct NtupleGuard(Undo<Ntuple>);

guard_methods!(NtupleGuard);

impl Setting for Ntuple {
    const RESTORE: &'static str = "restore the feature ntuple-filters of";

    fn read_again(&self, interface: &Interface) -> Result<Self> {
        interface.ntuple().map(Self)
    }

    fn write(&self, interface: &Interface) -> Result<()> {
        interface.ethtool(SET, |device| {
            let others = ethtool::flags(device)? & !ETH_FLAG_NTUPLE;
            let this = if self.0 { ETH_FLAG_NTUPLE } else { 0 };
            ethtool::set_flags(device, others | this)
        })
    }
}

impl Interface {
    /// Returns whether its feature `ntuple-filters` is on (`ethtool -k`), without which many drivers
    /// refuse flow rules. A driver without the feature has it off.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "ETH_FLAG_NTUPLE")]
    pub fn ntuple(&self) -> Result<bool> {
        Ok(self.ethtool(ASK, ethtool::flags)? & ETH_FLAG_NTUPLE != 0)
    }

    /// Switches its feature `ntuple-filters` on or off (`ethtool -K eth0 ntuple on`).
    ///
    /// Needs CAP_NET_ADMIN.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface) with `EOPNOTSUPP` for a driver that has not
    /// this feature, cannot switch it, or takes no notice; with `EPERM`.
    pub fn set_ntuple(&self, on: bool) -> Result<NtupleGuard> {
        let before = Ntuple(self.ntuple()?);
        let undo = Undo::set(self, before, &Ntuple(on))?;
        if *undo.value() != Ntuple(on) {
            return Err(self.refused(SET, Errno::OPNOTSUPP, "the driver took no notice"));
        }
        Ok(NtupleGuard(undo))
    }
}
