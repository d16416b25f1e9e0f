//! An AF_XDP socket that was opened, and no more: what one process opens and another one uses.

use crate::error::{Error, ObjectKind, Result, SocketOption};
use crate::interface::Interface;
use crate::sys::xsk::{self as sys, SocketState};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// An AF_XDP socket that was opened, and has neither packet memory nor rings nor a queue.
///
/// Opening it is the one step that takes a capability (`CAP_NET_RAW`, in the user namespace that
/// owns the network namespace): memory, rings, `bind(2)` and traffic take none. So a process with
/// the capability opens it and hands it over ([`handover`](crate::handover)), and one without makes
/// a socket of it ([`SocketBuilder::open_with`](super::SocketBuilder::open_with)).
///
/// It belongs to the network namespace in which it was opened, wherever it is used: it can be bound
/// to interfaces of that one alone.
///
/// # Trust
/// Whoever keeps another descriptor of the same socket can map its rings and write to them, as the
/// kernel does; what is in the rings is checked as what the kernel writes is. So take a socket only
/// from a process that is trusted as the kernel is, and close the descriptor in the process that
/// hands it over.
///
/// ```
/// use xsk::socket::XskFd;
/// use xsk::{Socket, Umem};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of XskFd") { return Ok(()); }
/// let fd = XskFd::open()?; // in the process with CAP_NET_RAW
/// let (umem, _pool) = Umem::builder().chunk_count(64).build()?;
/// let socket = Socket::builder(&umem).open_with(fd)?; // in any process that got it
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct XskFd(OwnedFd);

impl XskFd {
    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::CreateSocket`]; with `EPERM` if `CAP_NET_RAW` is missing.
    #[doc(alias = "AF_XDP")]
    pub fn open() -> Result<Self> {
        create().map(Self)
    }

    /// Takes a descriptor that was inherited or received, and checks that it is an AF_XDP socket
    /// which was not used. It is closed by `execve(2)` from then on.
    ///
    /// The check changes nothing, but another process may use the socket after it:
    /// [`SocketBuilder::open_with`](super::SocketBuilder::open_with) registers memory and makes
    /// every ring itself, which the kernel does once for a socket, and so refuses one that was
    /// used.
    ///
    /// # Errors
    /// [`Error::WrongObject`] with [`ObjectKind::FreshSocket`] for anything else: no socket, one of
    /// another family, one with memory or a ring, or one that is or was bound. The descriptor is
    /// closed then. [`Error::SocketOption`] if the kernel does not report it.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        Self::check(fd, "the file descriptor")
    }

    /// Takes a descriptor as [`from_fd`](Self::from_fd); errors call it `object`.
    pub(crate) fn check(fd: OwnedFd, object: &str) -> Result<Self> {
        let failed = |errno| Error::SocketOption { option: SocketOption::Domain, errno };
        match sys::state(fd.as_fd()).map_err(failed)? {
            SocketState::Fresh => {}
            SocketState::Used | SocketState::NoXdpSocket => {
                let object = object.to_owned();
                return Err(Error::WrongObject { object, wanted: ObjectKind::FreshSocket });
            }
        }
        fcntl_setfd(&fd, FdFlags::CLOEXEC).map_err(failed)?;
        Ok(Self(fd))
    }

    /// Refuses an interface of another network namespace than the one in which the socket was
    /// opened: the kernel looks an interface's index up in the latter. Does nothing if the kernel
    /// does not report the namespaces (before 5.14 without `CAP_NET_ADMIN`).
    ///
    /// # Errors
    /// [`Error::Interface`] with `EXDEV`.
    pub fn require_namespace_of(&self, interface: &Interface) -> Result<()> {
        if interface.shares_namespace_with(self.as_fd()) != Some(false) {
            return Ok(());
        }
        Err(Error::Interface {
            name: interface.name().to_owned(),
            operation: "use a socket on",
            errno: Errno::XDEV,
            message: Some("the socket was opened in another network namespace".to_owned()),
        })
    }
}

impl TryFrom<OwnedFd> for XskFd {
    type Error = Error;

    /// As [`from_fd`](Self::from_fd).
    fn try_from(fd: OwnedFd) -> Result<Self> {
        Self::from_fd(fd)
    }
}

impl From<XskFd> for OwnedFd {
    fn from(fd: XskFd) -> Self {
        fd.0
    }
}

impl AsFd for XskFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for XskFd {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Makes an AF_XDP socket.
pub(super) fn create() -> Result<OwnedFd> {
    sys::socket().map_err(|errno| Error::CreateSocket { errno })
}
