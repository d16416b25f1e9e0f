//! What an interface receives beside the packets to its own address.

use super::Interface;
use crate::error::{Error, Result};
use crate::sys::packet_socket;
use rustix::io::Errno;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use xsk_uapi::if_packet::{PACKET_MR_MULTICAST, PACKET_MR_PROMISC, packet_mreq};

/// A wish that an interface receives more than the packets to its own address: all
/// ([`Interface::promiscuous`]), or those to a multicast address ([`Interface::join_multicast`]).
///
/// Dropping it ends that, unless others wish the same. It has a descriptor of a packet socket, so
/// the kernel ends it when the process dies, however that is: a killed process leaves nothing
/// behind.
///
/// ```
/// use xsk::test_util::{Namespace, VethPair};
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of Membership") { return Ok(()); }
/// let namespace = Namespace::new()?;
/// let pair = VethPair::builder().build(&namespace, &namespace)?;
/// let all = pair.a().promiscuous()?;
/// assert_eq!(pair.a().info()?.promiscuity, Some(1));
/// all.restore()?;
/// assert_eq!(pair.a().info()?.promiscuity, Some(0));
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it ends the membership"]
#[derive(Debug)]
pub struct Membership {
    interface: Interface,
    socket: OwnedFd,
    request: packet_mreq,
}

static_assertions::assert_impl_all!(Membership: Send, Sync);

impl Membership {
    /// Returns the interface.
    #[must_use]
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Ends it. If the interface is gone, so is the membership.
    ///
    /// # Errors
    /// [`Error::Interface`] with the kernel's reason.
    pub fn restore(self) -> Result<()> {
        packet_socket::remove(self.socket.as_fd(), &self.request)
            .map_err(|errno| self.interface.error("end a membership of", errno.into()))
    }

    /// Keeps it until the process ends: the descriptor stays open.
    pub fn keep(self) {
        let _ = self.socket.into_raw_fd();
    }
}

impl Interface {
    /// Has the interface receive the packets to all addresses (`PACKET_MR_PROMISC`), which a card
    /// otherwise drops before any program sees them: to forward between two interfaces, or to
    /// watch. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// [`Error::Interface`] with the kernel's reason: `EPERM` without the capability, `ENODEV` if
    /// it is gone, `EXDEV` if the calling thread is in another network namespace and may not enter
    /// that of the interface.
    #[doc(alias = "PACKET_MR_PROMISC")]
    pub fn promiscuous(&self) -> Result<Membership> {
        let request = packet_mreq { mr_type: PACKET_MR_PROMISC, ..packet_mreq::default() };
        self.receive_more("receive the packets to all addresses on", request)
    }

    /// Has the interface receive the packets to a multicast address (`PACKET_MR_MULTICAST`), which
    /// a card otherwise drops before any program sees them. The kernel tells no router of it: that
    /// is for `IP_ADD_MEMBERSHIP` of a UDP socket. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// [`Error::Interface`]: `EINVAL` for an address that is no multicast address (the lowest bit
    /// of its first byte is 0), and for an interface without addresses of six bytes; else as
    /// [`promiscuous`](Self::promiscuous).
    #[doc(alias = "PACKET_MR_MULTICAST")]
    pub fn join_multicast(&self, address: [u8; 6]) -> Result<Membership> {
        const OPERATION: &str = "receive the packets to a multicast address on";
        let [first, ..] = address;
        // The kernel takes any.
        if first & 1 == 0 {
            return Err(Error::Interface {
                name: self.name.clone(),
                operation: OPERATION,
                errno: Errno::INVAL,
                message: Some("the first byte of a multicast address is odd".to_owned()),
            });
        }
        let [a, b, c, d, e, f] = address;
        let request = packet_mreq {
            mr_type: PACKET_MR_MULTICAST,
            mr_alen: 6,
            mr_address: [a, b, c, d, e, f, 0, 0],
            ..packet_mreq::default()
        };
        self.receive_more(OPERATION, request)
    }

    fn receive_more(&self, operation: &'static str, request: packet_mreq) -> Result<Membership> {
        let request = packet_mreq { mr_ifindex: self.header().ifi_index, ..request };
        let socket = self.inside(operation, packet_socket::open)?;
        packet_socket::add(socket.as_fd(), &request)
            .map_err(|errno| self.error(operation, errno.into()))?;
        Ok(Membership { interface: self.clone(), socket, request })
    }
}
