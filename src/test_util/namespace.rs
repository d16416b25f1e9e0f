//! Network namespaces, each kept by a descriptor.

use super::ip;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::netlink::message::Request;
use crate::netlink::{Netlink, Refusal};
use crate::sys::netlink::Family;
use crate::sys::netns;
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::OsStr;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use xsk_uapi::if_link::{
    IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINK, IFLA_LINKINFO, IFLA_NET_NS_FD,
    IFLA_VLAN_ID,
};
use xsk_uapi::netlink::{NLM_F_CREATE, NLM_F_EXCL};
use xsk_uapi::rtnetlink::{RTM_NEWLINK, ifinfomsg};

/// A network namespace.
///
/// The kernel removes one that [`new`](Self::new) made, with all virtual interfaces in it, some
/// milliseconds after its last owner is gone: this value, every socket and thread in it, and every
/// [`Interface`] that was found in it.
///
/// ```
/// use xsk::test_util::Namespace;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of Namespace") { return Ok(()); }
/// let namespace = Namespace::new()?;
/// let bridge = namespace.add_bridge("xsk-bridge")?;
/// assert!(bridge.info()?.up);
/// // The calling thread is in another namespace.
/// assert!(xsk::Interface::by_name("xsk-bridge").is_err());
/// assert_eq!(namespace.interface("xsk-bridge")?.index(), bridge.index());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Namespace {
    fd: OwnedFd,
    route: Netlink,
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Namespace {
    /// Makes an empty network namespace and switches its loopback interface on. The calling thread
    /// does not enter it.
    ///
    /// Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
    ///
    /// # Errors
    /// [`Error::Namespace`], [`Error::Netlink`] or [`Error::Interface`] with the kernel's reason.
    #[doc(alias = "CLONE_NEWNET")]
    pub fn new() -> Result<Self> {
        let namespace = Self::reach("unshare(CLONE_NEWNET)", netns::unshare)?;
        let loopback = namespace.interface("lo")?;
        ip::set_up(&loopback, true)?;
        Ok(namespace)
    }

    /// Returns the network namespace of the calling thread. Needs CAP_NET_ADMIN in it.
    ///
    /// # Errors
    /// [`Error::Namespace`] or [`Error::Netlink`] with the kernel's reason.
    pub fn current() -> Result<Self> {
        Self::here().map_err(|errno| Error::Namespace { operation: "ioctl(SIOCGSKNS)", errno })
    }

    /// Returns the network namespace that a socket was made in. Needs CAP_NET_ADMIN in it, and
    /// CAP_SYS_ADMIN.
    ///
    /// # Errors
    /// [`Error::Namespace`] or [`Error::Netlink`] with the kernel's reason.
    #[doc(alias = "SIOCGSKNS")]
    pub fn of_socket(socket: impl AsFd) -> Result<Self> {
        let operation = "ioctl(SIOCGSKNS)";
        let fd = netns::of_socket(socket.as_fd())
            .map_err(|errno| Error::Namespace { operation, errno })?;
        Self::reach("setns(CLONE_NEWNET)", || netns::enter(fd.as_fd()))
    }

    /// Returns the network namespace of the thread `id`: a process's first thread since Linux 5.8,
    /// any thread since 6.9. Needs CAP_SYS_ADMIN and the right to trace it.
    ///
    /// # Errors
    /// [`Error::Namespace`] or [`Error::Netlink`] with the kernel's reason: `ESRCH` if there is no
    /// such thread.
    #[doc(alias = "pidfd_open")]
    pub fn of_thread(id: u32) -> Result<Self> {
        let operation = "setns(pidfd_open(), CLONE_NEWNET)";
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        let id = id.ok_or(Error::Namespace { operation, errno: Errno::SRCH })?;
        Self::reach(operation, || netns::enter_that_of_thread(id))
    }

    /// Opens the namespace that `enter` brings a new thread into. The calling thread does not enter
    /// it.
    fn reach(
        operation: &'static str,
        enter: impl FnOnce() -> Result<(), Errno> + Send,
    ) -> Result<Self> {
        let error = |errno| Error::Namespace { operation, errno };
        std::thread::scope(|scope| {
            let inside = move || enter().and_then(|()| Self::here());
            let thread = std::thread::Builder::new().spawn_scoped(scope, inside);
            let thread = thread
                .map_err(|failure| error(Errno::from_io_error(&failure).unwrap_or(Errno::AGAIN)))?;
            match thread.join() {
                Ok(result) => result.map_err(error),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn here() -> Result<Self, Errno> {
        let route = Netlink::open(Family::Route)?;
        Ok(Self { fd: netns::of_socket(route.as_fd())?, route })
    }

    /// Brings the calling thread into the namespace until the guard is dropped. Needs
    /// CAP_SYS_ADMIN.
    ///
    /// Nested guards have to be dropped in reverse order, as local variables are.
    ///
    /// # Errors
    /// [`Error::Namespace`] or [`Error::Netlink`] with the kernel's reason.
    #[doc(alias = "setns")]
    pub fn enter(&self) -> Result<NetnsGuard<'_>> {
        let before = Self::current()?.fd;
        netns::enter(self.as_fd())
            .map_err(|errno| Error::Namespace { operation: "setns(CLONE_NEWNET)", errno })?;
        Ok(NetnsGuard { before, _thread: PhantomData, _namespace: PhantomData })
    }

    /// Runs `work` on the calling thread, inside the namespace.
    ///
    /// # Errors
    /// As [`enter`](Self::enter). An error of `work` is inside the `Ok`.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let _inside = self.enter()?;
        Ok(work())
    }

    /// Returns a number that no other network namespace has until the next boot (5.14); `None` on
    /// older kernels.
    #[must_use]
    #[doc(alias = "SO_NETNS_COOKIE")]
    pub fn cookie(&self) -> Option<u64> {
        netns::cookie(self.route.as_fd()).ok()
    }

    /// Finds an interface of this namespace.
    ///
    /// # Errors
    /// As [`enter`](Self::enter) and [`Interface::by_name`].
    pub fn interface(&self, name: impl AsRef<OsStr>) -> Result<Interface> {
        self.run(|| Interface::by_name(name))?
    }

    /// Makes a bridge in this namespace, switched on and without ports. It is removed with the
    /// namespace, or by [`ip::delete`].
    ///
    /// # Errors
    /// [`Error::Interface`] with the kernel's reason: `EEXIST` if the name is taken.
    pub fn add_bridge(&self, name: &str) -> Result<Interface> {
        let bridge = self.add_device("bridge", name, None)?;
        ip::set_up(&bridge, true)?;
        Ok(bridge)
    }

    /// Makes a software interface of a kind in this namespace, as `ip link add NAME type KIND`
    /// does: `bond`, `team`; over another interface `macvlan`, or `vlan` with the number 1. It is
    /// switched off and gets no IPv6 address. It is removed with the namespace, or by
    /// [`ip::delete`].
    ///
    /// # Errors
    /// [`Error::Interface`] with the kernel's reason: `EEXIST` if the name is taken, `EOPNOTSUPP`
    /// if the kernel has no such kind.
    pub fn add_device(
        &self,
        kind: &str,
        name: &str,
        over: Option<&Interface>,
    ) -> Result<Interface> {
        let mut request =
            Request::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifinfomsg::default());
        request.string(IFLA_IFNAME, name);
        if let Some(over) = over {
            request.u32(IFLA_LINK, over.index());
        }
        request.nest(IFLA_LINKINFO, |info| {
            info.string(IFLA_INFO_KIND, kind);
            if kind == "vlan" {
                info.nest(IFLA_INFO_DATA, |data| {
                    data.attribute(IFLA_VLAN_ID, &1_u16.to_ne_bytes());
                });
            }
        });
        self.ask(&request).map_err(|refusal| ip::error(name, "make", refusal))?;
        let device = self.interface(name)?;
        ip::without_ipv6(&device)?;
        Ok(device)
    }

    /// Moves an interface into this namespace, where it is switched off and keeps its name.
    ///
    /// # Errors
    /// [`Error::Interface`] with the kernel's reason: `EEXIST` if the name is taken here.
    pub fn take_interface(&self, interface: &Interface) -> Result<Interface> {
        let name = interface.info()?.name;
        ip::change(interface, "move", |request| {
            request.i32(IFLA_NET_NS_FD, self.as_fd().as_raw_fd());
        })?;
        self.interface(&name)
    }

    /// Sends a request to this namespace without entering it.
    pub(super) fn ask(&self, request: &Request) -> Result<(), Refusal> {
        self.route.ask(request).map(drop)
    }
}

/// A thread inside a [`Namespace`]; dropping the guard brings the thread back.
///
/// ```
/// use xsk::test_util::Namespace;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of NetnsGuard") { return Ok(()); }
/// let namespace = Namespace::new()?;
/// let guard = namespace.enter()?;
/// assert_eq!(Namespace::current()?.cookie(), namespace.cookie());
/// drop(guard);
/// # if namespace.cookie().is_some() {
/// assert_ne!(Namespace::current()?.cookie(), namespace.cookie());
/// # }
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Dropping it panics if the thread cannot go back, unless it is panicking already: a thread that
/// has given its capabilities up stays inside.
#[must_use = "dropping it brings the thread back"]
#[derive(Debug)]
pub struct NetnsGuard<'a> {
    before: OwnedFd,
    /// Not `Send`: only the thread that entered can be brought back.
    _thread: PhantomData<*const ()>,
    _namespace: PhantomData<&'a Namespace>,
}

static_assertions::assert_not_impl_any!(NetnsGuard<'static>: Send);

impl Drop for NetnsGuard<'_> {
    fn drop(&mut self) {
        match netns::enter(self.before.as_fd()) {
            Err(errno) if !std::thread::panicking() => cannot_leave(errno),
            _ => {}
        }
    }
}

#[cold]
#[expect(clippy::panic, reason = "later code would work in the wrong namespace; documented")]
fn cannot_leave(errno: Errno) {
    panic!("the thread cannot leave a network namespace: {errno}");
}
