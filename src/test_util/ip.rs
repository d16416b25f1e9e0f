//! Changes to interfaces, as by `ip link` and `ip address`, for tests.
//!
//! ```
//! use std::time::Duration;
//! use xsk::test_util::{Namespace, VethPair, ip};
//!
//! # fn main() -> xsk::Result<()> {
//! # if !xsk::test_util::privileged("the documentation of test_util::ip") { return Ok(()); }
//! let namespace = Namespace::new()?;
//! let pair = VethPair::builder().build(&namespace, &namespace)?;
//! ip::set_mtu(pair.a(), 1400)?;
//! ip::add_ipv4(pair.a(), [192, 0, 2, 1].into(), 24)?;
//! ip::set_up(pair.b(), false)?;
//! let info = ip::wait_until(pair.a(), Duration::from_secs(10), |info| !info.carrier)?;
//! assert_eq!(info.mtu, 1400);
//! # Ok(())
//! # }
//! ```

use crate::error::{Error, Result};
use crate::interface::{Interface, InterfaceInfo};
use crate::netlink::Refusal;
use crate::netlink::message::Request;
use rustix::io::Errno;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};
use xsk_uapi::if_link::{
    IFLA_AF_SPEC, IFLA_GSO_MAX_SEGS, IFLA_IFNAME, IFLA_INET6_ADDR_GEN_MODE, IFLA_MASTER, IFLA_MTU,
    IN6_ADDR_GEN_MODE_NONE,
};
use xsk_uapi::netlink::{NLM_F_CREATE, NLM_F_EXCL};
use xsk_uapi::rtnetlink::{
    AF_INET, AF_INET6, IFA_ADDRESS, IFA_F_NODAD, IFA_FLAGS, IFA_LOCAL, IFF_UP, RTM_DELLINK,
    RTM_NEWADDR, RTM_SETLINK, ifaddrmsg, ifinfomsg,
};

/// Switches an interface on or off.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason.
pub fn set_up(interface: &Interface, up: bool) -> Result<()> {
    let ifi_flags = if up { IFF_UP } else { 0 };
    let header = ifinfomsg { ifi_flags, ifi_change: IFF_UP, ..interface.header() };
    interface.ask("switch", &Request::new(RTM_SETLINK, 0, &header)).map(drop)
}

/// Sets the MTU: the length in bytes of the largest packet, without the link header.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason.
pub fn set_mtu(interface: &Interface, mtu: u32) -> Result<()> {
    change(interface, "set the MTU of", |request| {
        request.u32(IFLA_MTU, mtu);
    })
}

/// Gives an interface another name.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason: `EEXIST` if the name is taken.
pub fn rename(interface: &Interface, name: &str) -> Result<()> {
    change(interface, "rename", |request| {
        request.string(IFLA_IFNAME, name);
    })
}

/// Sets how many TCP segments the interface gets as one packet at the most. With 1 the kernel cuts
/// TCP's data into packets of the MTU by itself, as after `ethtool -K DEVICE tso off gso off`.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason.
pub fn set_gso_max_segs(interface: &Interface, segments: u32) -> Result<()> {
    change(interface, "set the segments of", |request| {
        request.u32(IFLA_GSO_MAX_SEGS, segments);
    })
}

/// Makes an interface a port of the bridge `master`, or of no bridge with `None`.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason.
pub fn set_master(interface: &Interface, master: Option<&Interface>) -> Result<()> {
    change(interface, "set the bridge of", |request| {
        request.u32(IFLA_MASTER, master.map_or(0, Interface::index));
    })
}

/// Keeps an interface from getting an IPv6 address when it is switched on: without one, the kernel
/// sends nothing of its own over it. Call it before that. On a kernel without IPv6 it does nothing.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason.
pub fn without_ipv6(interface: &Interface) -> Result<()> {
    let result = change(interface, "take IPv6 from", |request| {
        request.nest(IFLA_AF_SPEC, |families| {
            families.nest(u16::from(AF_INET6), |inet6| {
                inet6.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
            });
        });
    });
    match result {
        Err(Error::Interface { errno: Errno::AFNOSUPPORT | Errno::OPNOTSUPP, .. }) => Ok(()),
        result => result,
    }
}

/// Adds an IPv4 address, and with it a route to its network, whose prefix has `prefix` bits.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason: `EEXIST` if the interface has the address.
pub fn add_ipv4(interface: &Interface, address: Ipv4Addr, prefix: u8) -> Result<()> {
    let header = ifaddrmsg {
        ifa_family: AF_INET,
        ifa_prefixlen: prefix,
        ifa_index: interface.index(),
        ..ifaddrmsg::default()
    };
    let mut request = Request::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header);
    request.attribute(IFA_LOCAL, &address.octets()).attribute(IFA_ADDRESS, &address.octets());
    interface.ask("add an address to", &request).map(drop)
}

/// Adds an IPv6 address, and with it a route to its network, whose prefix has `prefix` bits. It can
/// be used at once: the kernel does not look for duplicates of it.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason: `EEXIST` if the interface has the address,
/// `EOPNOTSUPP` or `EACCES` if there is no IPv6.
pub fn add_ipv6(interface: &Interface, address: Ipv6Addr, prefix: u8) -> Result<()> {
    let header = ifaddrmsg {
        ifa_family: AF_INET6,
        ifa_prefixlen: prefix,
        ifa_index: interface.index(),
        ..ifaddrmsg::default()
    };
    let mut request = Request::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header);
    request.attribute(IFA_LOCAL, &address.octets()).attribute(IFA_ADDRESS, &address.octets());
    request.u32(IFA_FLAGS, IFA_F_NODAD);
    interface.ask("add an address to", &request).map(drop)
}

/// Removes a virtual interface; with one end of a veth pair the other is removed, too.
///
/// # Errors
/// [`Error::Interface`] with the kernel's reason: `ENODEV` if the interface is gone, `EOPNOTSUPP`
/// if it is not virtual.
pub fn delete(interface: &Interface) -> Result<()> {
    interface.ask("remove", &Request::new(RTM_DELLINK, 0, &interface.header())).map(drop)
}

/// Reads the interface's state repeatedly until `condition` holds; returns that state.
///
/// # Errors
/// [`Error::Interface`] with `ETIMEDOUT` if `condition` does not hold within `limit`, or with the
/// kernel's reason.
pub fn wait_until(
    interface: &Interface,
    limit: Duration,
    condition: impl Fn(&InterfaceInfo) -> bool,
) -> Result<InterfaceInfo> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let info = interface.info()?;
        if condition(&info) {
            return Ok(info);
        }
        if start.elapsed() > limit {
            return Err(error(interface.name(), "wait for", Errno::TIMEDOUT.into()));
        }
        std::thread::sleep(pause);
        // The link of a network card takes seconds.
        pause = pause.saturating_mul(2).min(Duration::from_millis(16));
    }
}

/// Waits until an interface can send and receive.
///
/// # Errors
/// As [`wait_until`].
pub fn wait_for_carrier(interface: &Interface, limit: Duration) -> Result<()> {
    wait_until(interface, limit, |info| info.up && info.carrier && info.running).map(drop)
}

pub(super) fn change(
    interface: &Interface,
    operation: &'static str,
    fill: impl FnOnce(&mut Request),
) -> Result<()> {
    let mut request = Request::new(RTM_SETLINK, 0, &interface.header());
    fill(&mut request);
    interface.ask(operation, &request).map(drop)
}

pub(super) fn error(name: &str, operation: &'static str, refusal: Refusal) -> Error {
    Error::Interface {
        name: name.to_owned(),
        operation,
        errno: refusal.errno,
        message: refusal.text,
    }
}
