//! For unit tests: a driver in place of the kernel's, for the calls of one thread.

use rustix::io::Errno;
use std::cell::RefCell;

/// Does what a command asks for, with the struct that begins with it.
pub(crate) type Driver = Box<dyn FnMut(&mut [u8]) -> Result<(), Errno>>;

thread_local! {
    static DRIVER: RefCell<Option<Driver>> = const { RefCell::new(None) };
}

/// The calls of this thread go to a driver while this lives.
pub(crate) struct Installed(());

pub(crate) fn install(driver: Driver) -> Installed {
    DRIVER.set(Some(driver));
    Installed(())
}

impl Drop for Installed {
    fn drop(&mut self) {
        DRIVER.set(None);
    }
}

/// Returns what the driver of this thread returns, if it has one.
pub(super) fn reply(argument: &mut [u8]) -> Option<Result<(), Errno>> {
    DRIVER.with_borrow_mut(|driver| driver.as_mut().map(|driver| driver(argument)))
}
