//! What `ip link` and `ip address` do, for the interfaces of a test.

use crate::error::{Error, Result};
use crate::interface::{Interface, InterfaceInfo};
use crate::netlink::Refusal;
use crate::netlink::message::Request;
use rustix::io::Errno;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use xsk_uapi::if_link::{
    IFLA_AF_SPEC, IFLA_INET6_ADDR_GEN_MODE, IFLA_MASTER, IFLA_MTU, IN6_ADDR_GEN_MODE_NONE,
};
use xsk_uapi::netlink::{NLM_F_CREATE, NLM_F_EXCL};
use xsk_uapi::rtnetlink::{
    AF_INET, AF_INET6, IFA_ADDRESS, IFA_LOCAL, IFF_UP, RTM_DELLINK, RTM_NEWADDR, RTM_SETLINK,
    ifaddrmsg, ifinfomsg,
};

/// Switches an interface on or off.
///
/// # Errors
/// [`Error::Interface`] with what the kernel said.
pub fn set_up(interface: &Interface, up: bool) -> Result<()> {
    let ifi_flags = if up { IFF_UP } else { 0 };
    let header = ifinfomsg { ifi_flags, ifi_change: IFF_UP, ..interface.header() };
    interface.ask("switch", &Request::new(RTM_SETLINK, 0, &header)).map(drop)
}

/// Sets the bytes of the largest packet, without the link header.
///
/// # Errors
/// [`Error::Interface`] with what the kernel said.
pub fn set_mtu(interface: &Interface, mtu: u32) -> Result<()> {
    change(interface, "set the MTU of", |request| {
        request.u32(IFLA_MTU, mtu);
    })
}

/// Gives an interface to a bridge, or takes it back with `None`.
///
/// # Errors
/// [`Error::Interface`] with what the kernel said.
pub fn set_master(interface: &Interface, master: Option<&Interface>) -> Result<()> {
    change(interface, "set the bridge of", |request| {
        request.u32(IFLA_MASTER, master.map_or(0, Interface::index));
    })
}

/// Keeps the kernel from giving an interface an IPv6 address when it is switched on: without one, it sends
/// nothing by itself. To be called before. A kernel without IPv6 has nothing to keep from it.
///
/// # Errors
/// [`Error::Interface`] with what the kernel said.
pub fn without_ipv6(interface: &Interface) -> Result<()> {
    let answer = change(interface, "take IPv6 from", |request| {
        request.nest(IFLA_AF_SPEC, |families| {
            families.nest(u16::from(AF_INET6), |inet6| {
                inet6.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
            });
        });
    });
    match answer {
        Err(Error::Interface { errno: Errno::AFNOSUPPORT | Errno::OPNOTSUPP, .. }) => Ok(()),
        answer => answer,
    }
}

/// Adds an IPv4 address, and with it a route to its network of `prefix` bits.
///
/// # Errors
/// [`Error::Interface`] with what the kernel said: `EEXIST` if it has it.
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

/// Removes a virtual interface; both ends of a pair go together.
///
/// # Errors
/// [`Error::Interface`] with what the kernel said: `ENODEV` if it is gone, `EOPNOTSUPP` for what is not virtual.
pub fn delete(interface: &Interface) -> Result<()> {
    interface.ask("remove", &Request::new(RTM_DELLINK, 0, &interface.header())).map(drop)
}

/// Asks again and again until `condition` holds.
///
/// # Errors
/// [`Error::Interface`] with `ETIMEDOUT` if it does not hold in time, or with what the kernel said.
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
        // A card's link takes seconds.
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
