//! Pairs of virtual Ethernet interfaces.

use super::{Namespace, ip};
use crate::error::Result;
use crate::interface::Interface;
use crate::netlink::message::Request;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;
use xsk_uapi::if_link::{
    IFLA_ADDRESS, IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MTU,
    IFLA_NET_NS_FD, IFLA_NUM_RX_QUEUES, IFLA_NUM_TX_QUEUES, VETH_INFO_PEER,
};
use xsk_uapi::netlink::{NLM_F_CREATE, NLM_F_EXCL};
use xsk_uapi::rtnetlink::{RTM_NEWLINK, ifinfomsg};
use zerocopy::IntoBytes;

/// How long a new pair may take to come up. Kernels before 6.11 update carriers once a second.
const CARRIER: Duration = Duration::from_secs(10);

/// Two virtual Ethernet interfaces: a packet that is sent into one is received by the other.
///
/// Both are removed when this is dropped. The kernel sends nothing of its own over them.
///
/// ```
/// use xsk::test_util::{Namespace, VethPair};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of VethPair") { return Ok(()); }
/// let (left, right) = (Namespace::new()?, Namespace::new()?);
/// let pair = VethPair::builder().build(&left, &right)?;
/// assert!(pair.a().info()?.carrier && pair.b().info()?.carrier);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct VethPair {
    a: Interface,
    b: Interface,
}

impl VethPair {
    /// Returns a builder with the defaults: 1 queue, an MTU of 1500, addresses of the kernel's
    /// choice, and the names `xsk-a` and `xsk-b`.
    pub fn builder() -> VethBuilder {
        VethBuilder {
            queues: [1; 2],
            mtu: 1500,
            macs: None,
            names: ["xsk-a".into(), "xsk-b".into()],
        }
    }

    /// Returns the end in the first namespace.
    #[must_use]
    pub fn a(&self) -> &Interface {
        &self.a
    }

    /// Returns the end in the second namespace.
    #[must_use]
    pub fn b(&self) -> &Interface {
        &self.b
    }
}

impl Drop for VethPair {
    fn drop(&mut self) {
        // Removing one end removes the other, too. An end that was removed or moved is not found by
        // its index, or the index has become that of an unrelated interface.
        for end in [&self.a, &self.b] {
            if end.info().is_ok_and(|info| info.name == end.name()) && ip::delete(end).is_ok() {
                return;
            }
        }
    }
}

/// Builder of a [`VethPair`].
///
/// ```
/// use xsk::test_util::{Namespace, VethPair};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of VethBuilder") { return Ok(()); }
/// let namespace = Namespace::new()?;
/// let (mac_a, mac_b) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
/// let builder = VethPair::builder().queues(4).mtu(1400).macs(mac_a, mac_b).names("left", "right");
/// let pair = builder.build(&namespace, &namespace)?;
/// let info = pair.b().info()?;
/// assert_eq!((info.name.as_str(), info.rx_queues, info.mtu), ("right", 4, 1400));
/// assert_eq!(info.mac, Some(mac_b));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct VethBuilder {
    /// RX and TX queues of the first end; the second has them the other way round.
    queues: [u32; 2],
    mtu: u32,
    macs: Option<[[u8; 6]; 2]>,
    names: [OsString; 2],
}

impl VethBuilder {
    /// Sets the number of RX queues, and of TX queues, of each end: 1 to 4096.
    pub fn queues(mut self, queues: u32) -> Self {
        self.queues = [queues; 2];
        self
    }

    /// Sets the numbers of RX and TX queues of the first end: 1 to 4096. The second end has as many
    /// TX queues as the first has RX queues, and the reverse.
    pub fn rx_tx_queues(mut self, rx: u32, tx: u32) -> Self {
        self.queues = [rx, tx];
        self
    }

    /// Sets the length in bytes of the largest packet, without the link header.
    ///
    /// Above 3506 the kernel refuses native programs that take only packets in one buffer.
    pub fn mtu(mut self, mtu: u32) -> Self {
        self.mtu = mtu;
        self
    }

    /// Sets the Ethernet addresses of both ends.
    pub fn macs(mut self, a: [u8; 6], b: [u8; 6]) -> Self {
        self.macs = Some([a, b]);
        self
    }

    /// Sets the names of both ends, which need not be UTF-8.
    pub fn names(mut self, a: impl Into<OsString>, b: impl Into<OsString>) -> Self {
        self.names = [a.into(), b.into()];
        self
    }

    /// Makes the pair, one end in each namespace, which may be the same; switches both ends on,
    /// without IPv6, and waits until they can send.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface) with the kernel's reason: `EEXIST` if a name
    /// is taken.
    pub fn build(self, a: &Namespace, b: &Namespace) -> Result<VethPair> {
        let [name_a, name_b] = &self.names;
        let [mac_a, mac_b] = self.macs.map_or([None; 2], |macs| macs.map(Some));
        let mut request =
            Request::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifinfomsg::default());
        let [a_queues, b_queues] = self.queues;
        self.describe(&mut request, name_a, [a_queues, b_queues], mac_a);
        request.nest(IFLA_LINKINFO, |info| {
            info.string(IFLA_INFO_KIND, "veth").nest(IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    peer.append(ifinfomsg::default().as_bytes());
                    self.describe(peer, name_b, [b_queues, a_queues], mac_b);
                    peer.i32(IFLA_NET_NS_FD, b.as_fd().as_raw_fd());
                });
            });
        });
        a.ask(&request)
            .map_err(|refusal| ip::error(&name_a.to_string_lossy(), "make the pair of", refusal))?;
        let a = a.interface(name_a)?;
        let b = b.interface(name_b).inspect_err(|_| drop(ip::delete(&a)))?;
        let pair = VethPair { a, b };
        for end in [&pair.a, &pair.b] {
            ip::without_ipv6(end)?;
        }
        for end in [&pair.a, &pair.b] {
            ip::set_up(end, true)?;
        }
        for end in [&pair.a, &pair.b] {
            ip::wait_for_carrier(end, CARRIER)?;
        }
        Ok(pair)
    }

    fn describe(
        &self,
        request: &mut Request,
        name: &OsStr,
        [rx, tx]: [u32; 2],
        mac: Option<[u8; 6]>,
    ) {
        request.string(IFLA_IFNAME, name.as_bytes()).u32(IFLA_MTU, self.mtu);
        request.u32(IFLA_NUM_RX_QUEUES, rx).u32(IFLA_NUM_TX_QUEUES, tx);
        if let Some(mac) = mac {
            request.attribute(IFLA_ADDRESS, &mac);
        }
    }
}
