//! What the guards of device settings have in common: the value before, and the one that was set.

use super::Interface;
use crate::error::{Error, Result};
use crate::sys::ethtool::Device;
use rustix::io::Errno;

/// What `restore` reports if it does nothing.
const CHANGED_SINCE: &str = "another value was set since, which stays";

/// How often a call is made that finds no interface of the name that there was a moment before.
const NAMES_AT_MOST: usize = 8;

/// A setting of a device that can be read and written again.
pub(super) trait Setting: PartialEq + Sized {
    /// What an error says while it is put back: `restore the ... of`.
    const RESTORE: &'static str;

    /// Returns what the device has at this moment.
    fn read_again(&self, interface: &Interface) -> Result<Self>;

    /// Writes this value.
    fn write(&self, interface: &Interface) -> Result<()>;

    /// Returns whether `now` has what this one sets.
    fn is_kept_in(&self, now: &Self) -> bool {
        self == now
    }
}

/// A setting as it was before, and as it was set.
#[derive(Debug)]
pub(super) struct Undo<S: Setting> {
    interface: Interface,
    before: S,
    set: S,
    armed: bool,
}

impl<S: Setting> Undo<S> {
    /// Writes `new`, and reads what became of it: a driver may round.
    pub(super) fn set(interface: &Interface, before: S, new: &S) -> Result<Self> {
        new.write(interface).inspect_err(|error| {
            if error.errno() == Some(Errno::CANCELED) {
                // It may have come to this interface, although that was renamed.
                let _ = before.write(interface);
            }
        })?;
        let set = match before.read_again(interface) {
            Ok(set) => set,
            Err(error) => {
                // What was set is not known: the value from before is better than that.
                let _ = before.write(interface);
                return Err(error);
            }
        };
        Ok(Self { interface: interface.clone(), before, set, armed: true })
    }

    /// Returns what was set.
    pub(super) fn value(&self) -> &S {
        &self.set
    }

    /// Returns what was there before.
    pub(super) fn before(&self) -> &S {
        &self.before
    }

    pub(super) fn restore(mut self) -> Result<()> {
        self.armed = false;
        self.put_back()
    }

    pub(super) fn keep(mut self) {
        self.armed = false;
    }

    fn put_back(&self) -> Result<()> {
        if self.set.is_kept_in(&self.before) {
            return Ok(());
        }
        if !self.set.is_kept_in(&self.set.read_again(&self.interface)?) {
            return Err(self.interface.changed_since(S::RESTORE));
        }
        self.before.write(&self.interface)
    }
}

impl<S: Setting> Drop for Undo<S> {
    fn drop(&mut self) {
        if self.armed {
            // Without a caller to report it to.
            let _ = self.put_back();
        }
    }
}

impl Interface {
    /// Returns the error of a guard whose setting has been changed by another.
    pub(super) fn changed_since(&self, operation: &'static str) -> Error {
        self.refused(operation, Errno::CANCELED, CHANGED_SINCE)
    }

    /// Returns the error for what this crate refuses with the error number of the kernel.
    pub(super) fn refused(
        &self,
        operation: &'static str,
        errno: Errno,
        message: impl Into<String>,
    ) -> Error {
        let message = Some(message.into());
        Error::Interface { name: self.name().to_owned(), operation, errno, message }
    }

    /// Makes an ioctl about this interface, which has to go by its name.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ECANCELED` if the interface was renamed during the call, which may
    /// have come to another one that was given the name. A call that found no interface of that name
    /// is made again.
    pub(super) fn ethtool<T>(
        &self,
        operation: &'static str,
        call: impl Fn(Device<'_>) -> Result<T, Errno>,
    ) -> Result<T> {
        let mut info = self.info()?;
        for _ in 0..NAMES_AT_MOST {
            let result = call(self.device(&info));
            let now = self.info()?;
            if now.os_name == info.os_name {
                return result.map_err(|errno| self.error(operation, errno.into()));
            }
            let found_none = matches!(result, Err(Errno::NODEV));
            let former = std::mem::replace(&mut info, now);
            if !found_none {
                let message = format!(
                    "it was renamed from {} to {} during the call: if another interface has the \
                     former name now, the call may have come to that one",
                    former.name, info.name
                );
                return Err(self.refused(operation, Errno::CANCELED, message));
            }
        }
        Err(self.refused(operation, Errno::CANCELED, "it is renamed all the time"))
    }

    /// As [`ethtool`](Self::ethtool), for a getter: `None` for a driver without such a function.
    pub(super) fn ethtool_if_any<T>(
        &self,
        operation: &'static str,
        call: impl Fn(Device<'_>) -> Result<T, Errno>,
    ) -> Result<Option<T>> {
        match self.ethtool(operation, call) {
            Ok(value) => Ok(Some(value)),
            Err(Error::Interface { errno: Errno::OPNOTSUPP, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Gives a guard over [`Undo`] the methods that all guards have.
macro_rules! guard_methods {
    ($name:ident) => {
        impl $name {
            /// Puts back what was there before.
            ///
            /// # Errors
            /// [`Error::Interface`](crate::Error::Interface) with `ECANCELED`, and nothing is
            /// changed, if the device has another value than this guard set; with what the kernel
            /// reports if it refuses, such as `ENODEV` for an interface that is gone.
            pub fn restore(self) -> Result<()> {
                self.0.restore()
            }

            /// Leaves the device as it is.
            pub fn keep(self) {
                self.0.keep();
            }
        }
    };
}
pub(super) use guard_methods;

#[cfg(test)]
mod tests;
