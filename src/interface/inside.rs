//! Work in the network namespace of an interface, whichever the calling thread is in.

use super::{Interface, Sockets};
use crate::error::{Error, Result};
use crate::netlink::Netlink;
use crate::sys::netlink::Family;
use crate::sys::netns;
use rustix::io::Errno;
use std::os::fd::AsFd;

impl Sockets {
    /// Returns whether the calling thread is in the namespace that these were opened in, also before
    /// 5.14 without CAP_NET_ADMIN: in another namespace, a second socket can have the address of the
    /// first.
    fn is_here(&self) -> Result<bool, Errno> {
        let Some(address) = self.address else { return Ok(true) };
        match Netlink::open_as(Family::Route, address) {
            Ok(_) => Ok(false),
            Err(Errno::ADDRINUSE) => Ok(true),
            Err(errno) => Err(errno),
        }
    }
}

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
        let is_here = match self.is_in_current_netns() {
            Some(known) => known,
            None => self.sockets.is_here().map_err(failed)?,
        };
        if is_here {
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

#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests {
    use super::*;
    use crate::interface::Sockets;
    use crate::test_util::{Namespace, privileged};
    use std::sync::Arc;

    /// As before 5.14 without CAP_NET_ADMIN.
    #[test]
    fn the_own_namespace_is_known_by_an_address() {
        if !privileged!() {
            return;
        }
        let here = Namespace::new().unwrap();
        let open = || {
            let (route, address) = Netlink::open_with_address(Family::Route).unwrap();
            let generic = Netlink::open(Family::Generic).unwrap();
            let sockets = Sockets { route, generic, netns: None, address: Some(address) };
            Interface { sockets: Arc::new(sockets), ..Interface::by_name("lo").unwrap() }
        };
        let interface = here.run(open).unwrap();
        assert_eq!(here.run(|| interface.sockets.is_here()).unwrap(), Ok(true));
        assert_eq!(interface.sockets.is_here(), Ok(false));
        let elsewhere = Namespace::new().unwrap();
        assert_eq!(elsewhere.run(|| interface.sockets.is_here()).unwrap(), Ok(false));
    }
}
