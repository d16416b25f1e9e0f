//! Work in the network namespace of an interface, whichever the calling thread is in.

use super::Interface;
use crate::error::{Error, Result};
use crate::sys::netns;
use rustix::io::Errno;
use std::os::fd::AsFd;

impl Interface {
    /// Has `open` open a socket in the network namespace of this interface: on the calling thread
    /// if that is there, else on another one, which enters the namespace and ends.
    ///
    /// # Errors
    /// [`Error::Interface`] with the errno of `open`; with `EXDEV` if the calling thread is in
    /// another namespace and may not enter this one, which takes CAP_SYS_ADMIN, and CAP_NET_ADMIN
    /// there.
    pub(super) fn inside<T: Send>(
        &self,
        operation: &'static str,
        open: impl FnOnce() -> Result<T, Errno> + Send,
    ) -> Result<T> {
        let failed = |errno: Errno| self.error(operation, errno.into());
        if self.is_in_current_netns() != Some(false) {
            return open().map_err(failed);
        }
        let elsewhere = |errno| match errno {
            Errno::PERM => Error::Interface {
                name: self.name.clone(),
                operation,
                errno: Errno::XDEV,
                message: Some(
                    "the calling thread is in another network namespace, and may not enter that \
                     of the interface"
                        .to_owned(),
                ),
            },
            errno => failed(errno),
        };
        let namespace = netns::of_socket(self.sockets.route.as_fd()).map_err(elsewhere)?;
        std::thread::scope(|scope| {
            let work = || netns::enter(namespace.as_fd()).map(|()| open());
            let thread = std::thread::Builder::new()
                .spawn_scoped(scope, work)
                .map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN)))?;
            match thread.join() {
                Ok(entered) => entered.map_err(elsewhere)?.map_err(failed),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
