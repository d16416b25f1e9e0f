//! A NAPI instance, which takes packets from a queue.

use super::napi_settings::NapiSettings;

/// A NAPI instance: the part of a driver that takes packets from a queue.
///
/// ```no_run
/// # fn f(interface: &xsk::Interface) -> xsk::Result<()> {
/// if let Some(napi) = interface.napi(0)? {
///     println!("queue 0 is served by NAPI instance {}: {:?}", napi.id(), napi.settings());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Napi {
    id: u32,
    irq: Option<u32>,
    thread: Option<u32>,
    settings: Option<NapiSettings>,
}

impl Napi {
    pub(super) fn new(
        id: u32,
        irq: Option<u32>,
        thread: Option<u32>,
        settings: Option<NapiSettings>,
    ) -> Self {
        Self { id, irq, thread, settings }
    }

    /// Returns its id, which no other instance of the machine has.
    #[must_use]
    #[doc(alias = "NETDEV_A_NAPI_ID")]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the number of its interrupt; `None` where the driver does not report it, or has
    /// none.
    #[must_use]
    pub fn irq(&self) -> Option<u32> {
        self.irq
    }

    /// Returns the id of the thread that it runs in; `None` if it runs in none.
    #[must_use]
    pub fn thread(&self) -> Option<u32> {
        self.thread
    }

    /// Returns its settings (6.13); `None` where the kernel has them for whole devices only.
    #[must_use]
    pub fn settings(&self) -> Option<NapiSettings> {
        self.settings
    }
}
