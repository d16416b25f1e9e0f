//! Which driver an interface has.

use super::Interface;
use crate::error::Result;
use crate::sys::ethtool;
use xsk_uapi::ethtool::ethtool_drvinfo;

/// The driver of an interface (`ETHTOOL_GDRVINFO`, what `ethtool -i` shows).
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// for interface in Interface::all()? {
///     match interface.driver()? {
///         Some(driver) => println!("{interface}: {} at {:?}", driver.name, driver.bus),
///         None => println!("{interface}: the kernel does not report a driver"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Driver {
    /// Its name, such as `ice`, `virtio_net` or `veth`.
    pub name: String,
    /// Its version; since 5.5 that of the kernel, unless the driver has one of its own.
    pub version: Option<String>,
    /// The version of the card's firmware.
    pub firmware: Option<String>,
    /// The card's name on its bus, such as `0000:03:00.0` on PCI.
    pub bus: Option<String>,
}

impl Driver {
    fn of(info: &ethtool_drvinfo) -> Self {
        // Some drivers write this instead of nothing.
        let known =
            |text: &[u8]| Some(text_of(text)).filter(|text| !["", "N/A"].contains(&&**text));
        Self {
            name: text_of(&info.driver),
            version: known(&info.version),
            firmware: known(&info.fw_version),
            bus: known(&info.bus_info),
        }
    }
}

/// Returns what is before the first zero byte, if there is one.
fn text_of(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).trim().to_owned()
}

impl Interface {
    /// Returns its driver. `None` where the kernel does not report one: for the loopback interface,
    /// and on older kernels for some other software interfaces.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "ETHTOOL_GDRVINFO")]
    pub fn driver(&self) -> Result<Option<Driver>> {
        let info = self.ethtool_if_any("ask for the driver of", ethtool::driver)?;
        Ok(info.as_ref().map(Driver::of).filter(|driver| !driver.name.is_empty()))
    }

    /// Returns whether its driver has this name (`ETHTOOL_GDRVINFO`); not if the kernel does not
    /// report it.
    pub(crate) fn has_driver(&self, name: &str) -> bool {
        let driver = self.ethtool("ask for the driver of", ethtool::driver);
        driver.is_ok_and(|driver| {
            driver.driver.split(|byte| *byte == 0).next() == Some(name.as_bytes())
        })
    }
}
