//! Pairs of virtual Ethernet interfaces.

use super::{Namespace, ip};
use crate::error::Result;
use crate::interface::Interface;
use crate::netlink::message::Request;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use xsk_uapi::if_link::{
    IFLA_ADDRESS, IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MTU,
    IFLA_NET_NS_FD, IFLA_NUM_RX_QUEUES, IFLA_NUM_TX_QUEUES, VETH_INFO_PEER,
};
use xsk_uapi::netlink::{NLM_F_CREATE, NLM_F_EXCL};
use xsk_uapi::rtnetlink::{RTM_NEWLINK, ifinfomsg};
use zerocopy::IntoBytes;

/// How long a new pair may take to come up. Kernels before 6.11 look after carriers once a second.
const CARRIER: Duration = Duration::from_secs(10);

/// Two virtual Ethernet interfaces with a cable between them: what is sent into one comes out of
/// the other.
///
/// Both are removed when this is dropped. The kernel sends nothing of its own over them.
#[derive(Debug)]
pub struct VethPair {
    a: Interface,
    b: Interface,
}

impl VethPair {
    /// Starts with 1 queue, an MTU of 1500, addresses of the kernel's choice, and the names `xsk-a`
    /// and `xsk-b`.
    pub fn builder() -> VethBuilder {
        VethBuilder { queues: 1, mtu: 1500, macs: None, names: ["xsk-a".into(), "xsk-b".into()] }
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
        // Either end takes the other with it. An end that was removed or moved is not found any
        // more, and its index may by now be that of an interface of somebody else.
        for end in [&self.a, &self.b] {
            if end.info().is_ok_and(|facts| facts.name == end.name()) && ip::delete(end).is_ok() {
                return;
            }
        }
    }
}

/// What a [`VethPair`] is to be like.
#[derive(Debug, Clone)]
#[must_use]
pub struct VethBuilder {
    queues: u32,
    mtu: u32,
    macs: Option<[[u8; 6]; 2]>,
    names: [String; 2],
}

impl VethBuilder {
    /// RX queues, and TX queues, of each end: 1 to 4096.
    pub fn queues(mut self, queues: u32) -> Self {
        self.queues = queues;
        self
    }

    /// Bytes of the largest packet without the link header.
    ///
    /// Above 3506 the kernel refuses native programs that take only packets in one buffer.
    pub fn mtu(mut self, mtu: u32) -> Self {
        self.mtu = mtu;
        self
    }

    /// Returns the Ethernet addresses of both ends.
    pub fn macs(mut self, a: [u8; 6], b: [u8; 6]) -> Self {
        self.macs = Some([a, b]);
        self
    }

    /// Returns the names of both ends.
    pub fn names(mut self, a: impl Into<String>, b: impl Into<String>) -> Self {
        self.names = [a.into(), b.into()];
        self
    }

    /// Makes the pair, one end in each namespace, which may be the same; switches both on, without
    /// IPv6, and waits until they can send.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface) with what the kernel said: `EEXIST` if a name
    /// is taken.
    pub fn build(self, a: &Namespace, b: &Namespace) -> Result<VethPair> {
        let [name_a, name_b] = &self.names;
        let [mac_a, mac_b] = self.macs.map_or([None; 2], |macs| macs.map(Some));
        let mut request =
            Request::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifinfomsg::default());
        self.describe(&mut request, name_a, mac_a);
        request.nest(IFLA_LINKINFO, |info| {
            info.string(IFLA_INFO_KIND, "veth").nest(IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    peer.append(ifinfomsg::default().as_bytes());
                    self.describe(peer, name_b, mac_b);
                    peer.i32(IFLA_NET_NS_FD, b.as_fd().as_raw_fd());
                });
            });
        });
        a.ask(&request).map_err(|refusal| ip::error(name_a, "make the pair of", refusal))?;
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

    fn describe(&self, request: &mut Request, name: &str, mac: Option<[u8; 6]>) {
        request.string(IFLA_IFNAME, name).u32(IFLA_MTU, self.mtu);
        request.u32(IFLA_NUM_RX_QUEUES, self.queues).u32(IFLA_NUM_TX_QUEUES, self.queues);
        if let Some(mac) = mac {
            request.attribute(IFLA_ADDRESS, &mac);
        }
    }
}
