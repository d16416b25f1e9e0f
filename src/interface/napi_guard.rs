//! What puts the settings of a NAPI instance back.

use super::Interface;
use super::napi_settings::NapiSettings;
use crate::error::Result;

/// What settings of NAPI were set on.
///
/// ```
/// use xsk::interface::NapiScope;
///
/// assert_ne!(NapiScope::Queue { queue: 0, napi: 8193 }, NapiScope::Device);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NapiScope {
    /// On the NAPI instance of one queue.
    Queue {
        /// The RX queue.
        queue: u32,
        /// The id of the instance.
        napi: u32,
    },
    /// On all instances of the interface.
    Device,
}

/// Puts NAPI settings back: made by [`Interface::set_napi`].
///
/// Dropping it restores them, as [`restore`](Self::restore) does, and ignores errors. What a killed
/// process leaves behind stays until the interface is removed, or set again: of a whole device by
/// `echo 0 > /sys/class/net/IF/napi_defer_hard_irqs` and the same for `gro_flush_timeout`, of one
/// instance by `ynl --family netdev --do napi-set --json '{"id": ID, "defer-hard-irqs": 0,
/// "gro-flush-timeout": 0}'`.
///
/// ```no_run
/// # fn f(interface: &xsk::Interface) -> xsk::Result<()> {
/// let guard = interface.set_napi(0, &xsk::interface::NapiSettings::default())?;
/// println!("{:?}: {}", guard.scope(), guard.settings());
/// guard.restore()
/// # }
/// ```
#[must_use = "dropping it restores the former settings"]
#[derive(Debug)]
pub struct NapiGuard {
    interface: Interface,
    scope: NapiScope,
    before: NapiSettings,
    set: NapiSettings,
    /// Whether there is something to restore.
    armed: bool,
}

impl NapiGuard {
    pub(super) fn new(
        interface: Interface,
        scope: NapiScope,
        before: NapiSettings,
        set: NapiSettings,
    ) -> Self {
        Self { interface, scope, before, set, armed: true }
    }

    /// Returns whether one queue or the whole device was set.
    #[must_use]
    pub fn scope(&self) -> NapiScope {
        self.scope
    }

    /// Returns what was set.
    #[must_use]
    pub fn settings(&self) -> NapiSettings {
        self.set
    }

    /// Returns the former values of what was set.
    #[must_use]
    pub fn former(&self) -> NapiSettings {
        self.before
    }

    /// Puts the former settings back. An instance that is gone took its settings with it.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface): with `ECANCELED` if something else has
    /// changed them meanwhile, which is then left as it is; with `ENETDOWN` if the interface is down, where
    /// they cannot be set; or the kernel's reason.
    pub fn restore(mut self) -> Result<()> {
        self.put_back()
    }

    /// Leaves the settings as they are.
    pub fn keep(mut self) {
        self.armed = false;
    }

    fn put_back(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.armed) {
            return Ok(());
        }
        self.interface.restore_napi(self.scope, &self.before, &self.set)
    }
}

impl Drop for NapiGuard {
    fn drop(&mut self) {
        let _ = self.put_back();
    }
}
