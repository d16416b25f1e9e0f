//! What a worker gets: a socket, a map, and where they belong.

use crate::bpf::XskMap;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::socket::XskFd;
use crate::types::CopyMode;
use rustix::io::Errno;
use std::ffi::OsString;
use std::os::fd::AsFd;

/// What a helper with privileges hands over to a worker without: an opened socket, the map of an
/// attached program, and where the socket is to be bound and registered.
///
/// ```no_run
/// use xsk::handover::{self, Grant};
/// use xsk::socket::XskFd;
/// use xsk::{Attachment, Interface, Socket, Umem};
///
/// # fn helper(stream: &std::os::unix::net::UnixStream) -> xsk::Result<()> {
/// let eth1 = Interface::by_name("eth1")?;
/// let program = Attachment::builder(&eth1).attach()?;
/// let grant = Grant::new(&eth1, 0, XskFd::open()?, program.map().try_clone()?);
/// handover::send(stream, grant)?;
/// # Ok(()) }
///
/// # fn worker(stream: &std::os::unix::net::UnixStream, umem: &Umem) -> xsk::Result<()> {
/// let grant = handover::receive(stream, None)?;
/// let (interface, queue, slot) = (grant.interface()?, grant.queue, grant.slot);
/// let Grant { socket, map, .. } = grant;
/// let socket = Socket::builder(umem).open_with(socket)?.bind(&interface, queue)?;
/// let slot = socket.register_in(&map, slot)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Grant {
    /// The name of the interface when the helper found it, as the kernel has it.
    pub interface_name: OsString,
    /// The index of the interface in the network namespace of the socket.
    pub interface_index: u32,
    /// The queue to bind to.
    pub queue: u32,
    /// The slot of the map to register in; at first that of the queue.
    pub slot: u32,
    /// The mode to bind in; at first the best that there is.
    pub copy_mode: CopyMode,
    /// Whether the program takes packets of several frames, so that the worker can make a
    /// [`PacketSocket`](crate::PacketSocket); at first `false`.
    pub multi_buffer: bool,
    /// The socket.
    pub socket: XskFd,
    /// The map of the program.
    pub map: XskMap,
}

impl Grant {
    /// Describes what is handed over; the public fields change the rest.
    #[must_use]
    pub fn new(interface: &Interface, queue: u32, socket: XskFd, map: XskMap) -> Self {
        Self {
            interface_name: interface.os_name().to_owned(),
            interface_index: interface.index(),
            queue,
            slot: queue,
            copy_mode: CopyMode::Auto,
            multi_buffer: false,
            socket,
            map,
        }
    }

    /// Finds the interface in the network namespace of the calling thread, which has to be the one
    /// in which the socket was opened: an interface's index counts in that one.
    ///
    /// # Errors
    /// [`Error::Interface`]: with `EXDEV` in another namespace; where the kernel does not report
    /// the namespaces (before 5.14 without `CAP_NET_ADMIN`), if the interface of this index has
    /// another name. With `ENODEV` if the interface is gone.
    pub fn interface(&self) -> Result<Interface> {
        let elsewhere = |message: &str| Error::Interface {
            name: self.interface_name.to_string_lossy().into_owned(),
            operation: "use a socket on",
            errno: Errno::XDEV,
            message: Some(message.to_owned()),
        };
        // The namespace of the thread shows at any interface, and the loopback is in all.
        let here = match Interface::by_index(self.interface_index) {
            Err(Error::Interface { errno: Errno::NODEV, .. }) => Interface::by_index(1),
            found => found,
        }?;
        match here.shares_namespace_with(self.socket.as_fd()) {
            Some(true) => Interface::by_index(self.interface_index),
            Some(false) => Err(elsewhere("the socket was opened in another network namespace")),
            None if here.os_name() == self.interface_name => Ok(here),
            None => Err(elsewhere("the interface of its index has another name here")),
        }
    }
}
