//! Network interfaces: [`Interface`] finds one and reports its state, queues, features and
//! programs.
//!
//! It also sets what determines where packets go: how many queues a device uses ([`Channels`]), the
//! sizes of its own rings ([`RingSizes`]), which packets come to which queue by rules ([`FlowRule`])
//! and how all others are spread ([`Rss`]). Each change gives back a guard, which undoes it when it
//! is dropped, unless another program has changed the setting since.

mod addresses;
mod channels;
mod device_event;
mod driver;
mod features;
mod info;
mod inside;
mod members;
mod membership;
mod napi;
mod napi_guard;
mod napi_request;
mod napi_settings;
mod neighbours;
mod notice;
mod offloads;
mod oper_state;
mod processes;
mod programs;
mod queue_state;
mod queues;
mod rings;
mod rss;
mod set_napi;
mod steering;
#[cfg(test)]
mod tests;
mod undo;
mod watch;
mod xdp_socket;

pub use channels::{Channels, ChannelsGuard};
pub use device_event::DeviceEvent;
pub use driver::Driver;
pub use features::XdpFeatures;
#[cfg(any(test, feature = "test-util"))]
pub(crate) use features::family_id;
pub use info::{InterfaceCounters, InterfaceInfo};
pub use membership::Membership;
pub use napi::Napi;
pub use napi_guard::{NapiGuard, NapiScope};
pub use napi_settings::{NapiSettings, NapiThreading};
#[cfg(any(test, feature = "test-util"))]
pub(crate) use notice::read_notification;
pub use offloads::Offloads;
pub use oper_state::OperState;
pub use processes::{ProcessInfo, Processes};
pub use programs::AttachedPrograms;
#[cfg(any(test, feature = "test-util"))]
pub(crate) use queue_state::queue_side;
pub use queue_state::{QueueSide, QueueState};
pub use queues::Queues;
pub use rings::{RingSizes, RingSizesGuard};
pub use rss::{
    FlowKind, HashFields, HashFieldsGuard, HashFunction, Rss, RssContext, RssGuard, Symmetry,
};
pub use steering::{
    Address, Ethernet, FlowAction, FlowMatch, FlowRule, InstalledRule, Ip, NtupleGuard, Ports,
    RuleGuard,
};
pub use watch::Watch;
pub use xdp_socket::{XdpSocketCounters, XdpSocketInfo, XdpUmemInfo};

use crate::error::{Error, Result};
use crate::netlink::message::Request;
use crate::netlink::{Netlink, Refusal, Reply};
use crate::sys::ethtool::Device;
use crate::sys::netlink::Family;
use crate::sys::netns;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use xsk_uapi::if_link::{IFLA_ALT_IFNAME, IFLA_IFNAME};
use xsk_uapi::netlink::NLM_F_DUMP;
use xsk_uapi::rtnetlink::{IFNAMSIZ, RTM_GETLINK, ifinfomsg};

/// `ALTIFNAMSIZ` (linux/if.h, 5.5): the bytes of an alternative name, with its final zero.
const ALTIFNAMSIZ: usize = 128;

/// A network interface.
///
/// It is identified by its index in the network namespace in which it was looked up. All calls go
/// to that namespace, even if the calling thread has moved to another; a renamed interface is still
/// found. For an interface that was removed, or moved to another namespace, they return `ENODEV`.
/// Cheap to clone.
///
/// Calls that the kernel has for a name only (those of `ethtool`: driver, channels, ring sizes, flow
/// rules, the receive hash) return `ECANCELED` if the interface is renamed meanwhile: they may have
/// come to another one with that name. Such a setting is put back; a flow rule may stay.
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("lo")?;
/// let queues = interface.queues()?;
/// println!("{interface} (index {}) has {} queue(s)", interface.index(), queues.current());
/// # assert_eq!(interface.to_string(), "lo");
/// # Ok(())
/// # }
/// ```
///
/// # Equality
/// Two values are equal if they have the same index in the same network namespace, whatever their
/// names. The namespace is read once, when the interface is looked up (`SO_NETNS_COOKIE`, 5.14).
/// Before 5.14 only values of one look-up are equal: clones, and those of one call of
/// [`all`](Self::all).
///
/// A removed interface is equal to a later one that was given its index. What is compared and
/// hashed never changes, so a value can be a map's key (clippy's `mutable_key_type` warns because
/// of the sockets in it).
#[derive(Debug, Clone)]
pub struct Interface {
    name: String,
    os_name: OsString,
    index: u32,
    sockets: Arc<Sockets>,
}

/// The sockets that requests go through. Both are opened with the first look-up: a thread that uses
/// the interface later may be in another namespace.
#[derive(Debug)]
struct Sockets {
    route: Netlink,
    generic: Netlink,
    /// Identifies the namespace; `None` before 5.14.
    netns: Option<u64>,
    /// Where that is `None`: the netlink address of `route`, which no other socket of its namespace
    /// can have, and which is not likely to be one in another namespace.
    address: Option<u32>,
}

/// What distinguishes the namespace of an interface from others.
#[derive(PartialEq, Eq, Hash)]
enum NetnsId {
    Cookie(u64),
    /// By the sockets that were opened in it.
    Sockets(*const Sockets),
}

impl Sockets {
    fn open() -> Result<Arc<Self>> {
        let open = |family| {
            Netlink::open(family)
                .map_err(|errno| Error::Netlink { operation: "open a netlink socket", errno })
        };
        let mut route = open(Family::Route)?;
        let netns = netns::cookie(route.as_fd()).ok();
        let mut address = None;
        if let Some((other, own)) =
            netns.is_none().then(|| Netlink::open_with_address(Family::Route)).flatten()
        {
            (route, address) = (other, Some(own));
        }
        Ok(Arc::new(Self { route, generic: open(Family::Generic)?, netns, address }))
    }
}

impl Interface {
    /// Finds an interface of the calling thread's network namespace by its name, or by one of its
    /// alternative names (5.5).
    ///
    /// # Errors
    /// [`Error::Interface`] with `ENODEV` if there is none, with `EINVAL` for a string that cannot
    /// be a name: empty, more than 127 bytes, `.`, `..`, or with a zero byte, a slash, a colon or a
    /// space in it. Only alternative names have more than 15 bytes; before 5.5 there are none, and
    /// a longer name is refused by the kernel (`EINVAL`). [`Error::Netlink`] if a netlink socket
    /// fails.
    pub fn by_name(name: impl AsRef<OsStr>) -> Result<Self> {
        Self::by_bytes(name.as_ref().as_bytes())
    }

    /// Finds an interface by its name, which may be any bytes.
    fn by_bytes(name: &[u8]) -> Result<Self> {
        let shown = || String::from_utf8_lossy(name).into_owned();
        if let Some(rule) = broken_rule(name) {
            return Err(Error::Interface {
                name: shown(),
                operation: "find",
                errno: Errno::INVAL,
                message: Some(rule.to_owned()),
            });
        }
        let mut request = Request::new(RTM_GETLINK, 0, &ifinfomsg::default());
        // For either attribute the kernel looks among names of both kinds; they differ in the
        // longest name.
        let kind = if name.len() < IFNAMSIZ { IFLA_IFNAME } else { IFLA_ALT_IFNAME };
        request.string(kind, name);
        Self::find(Sockets::open()?, &request, shown)
    }

    /// Finds an interface of the calling thread's network namespace by its index.
    ///
    /// # Errors
    /// As [`by_name`](Self::by_name).
    pub fn by_index(index: u32) -> Result<Self> {
        let name = || format!("#{index}");
        match i32::try_from(index) {
            Ok(ifi_index) if ifi_index > 0 => {
                let request =
                    Request::new(RTM_GETLINK, 0, &ifinfomsg { ifi_index, ..ifinfomsg::default() });
                Self::find(Sockets::open()?, &request, name)
            }
            _ => Err(Error::Interface {
                name: name(),
                operation: "find",
                errno: Errno::NODEV,
                message: None,
            }),
        }
    }

    /// Returns all interfaces of the calling thread's network namespace.
    ///
    /// # Errors
    /// [`Error::Netlink`] if a netlink socket fails.
    pub fn all() -> Result<Vec<Self>> {
        let operation = "list interfaces";
        let sockets = Sockets::open()?;
        let request = Request::new(RTM_GETLINK, NLM_F_DUMP, &ifinfomsg::default());
        let replies = sockets
            .route
            .ask(&request)
            .map_err(|Refusal { errno, .. }| Error::Netlink { operation, errno })?;
        let mut found = Vec::new();
        for reply in replies {
            let info = InterfaceInfo::read(&reply.message())
                .map_err(|malformed| Error::Netlink { operation, errno: malformed.into() })?;
            found.extend(info.map(|info| Self::new(info, Arc::clone(&sockets))));
        }
        Ok(found)
    }

    /// Finds the interface of this index in the namespace of this interface.
    ///
    /// # Errors
    /// As [`by_name`](Self::by_name).
    pub(crate) fn neighbour(&self, index: u32) -> Result<Self> {
        let ifi_index = i32::try_from(index).unwrap_or_default();
        let request = Request::new(RTM_GETLINK, 0, &ifinfomsg { ifi_index, ..Default::default() });
        Self::find(Arc::clone(&self.sockets), &request, || format!("#{index}"))
    }

    fn new(info: InterfaceInfo, sockets: Arc<Sockets>) -> Self {
        let InterfaceInfo { name, os_name, index, .. } = info;
        Self { name, os_name, index, sockets }
    }

    fn find(sockets: Arc<Sockets>, request: &Request, name: impl Fn() -> String) -> Result<Self> {
        let error = |refusal: Refusal| Error::Interface {
            name: name(),
            operation: "find",
            errno: refusal.errno,
            message: refusal.text,
        };
        let replies = sockets.route.ask(request).map_err(error)?;
        let info = first_info(&replies).map_err(|errno| error(errno.into()))?;
        Ok(Self::new(info, sockets))
    }

    /// Returns the name that it had when it was found; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name that it had when it was found, as the kernel has it.
    #[must_use]
    pub fn os_name(&self) -> &OsStr {
        &self.os_name
    }

    /// Returns the index in its network namespace.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Returns its state at this moment.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone.
    pub fn info(&self) -> Result<InterfaceInfo> {
        let request = Request::new(RTM_GETLINK, 0, &self.header());
        let replies = self.ask("ask about", &request)?;
        first_info(&replies).map_err(|errno| self.error("ask about", errno.into()))
    }

    /// Returns the XDP programs on it at this moment.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone.
    pub fn attached_programs(&self) -> Result<AttachedPrograms> {
        Ok(self.info()?.programs)
    }

    /// Returns what its driver can do with XDP programs and AF_XDP sockets (6.3).
    ///
    /// `None` where the kernel does not report it. Programs may be attached and sockets bound all
    /// the same.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone.
    pub fn xdp_features(&self) -> Result<Option<XdpFeatures>> {
        features::ask(&self.sockets.generic, self.index)
            .map_err(|refusal| self.error("ask for the XDP features of", refusal))
    }

    /// Returns whether the calling thread is in the network namespace of this interface; `None` if
    /// the kernel does not report it: before 5.14 without CAP_NET_ADMIN.
    ///
    /// Sockets, and programs attached by [`AttachMethod::Link`](crate::AttachMethod::Link), go to
    /// the thread's namespace.
    #[must_use]
    pub fn is_in_current_netns(&self) -> Option<bool> {
        let here = Netlink::open(Family::Route).ok()?;
        self.shares_namespace_with(here.as_fd())
    }

    /// Returns whether `socket` was made in the network namespace of this interface; `None` if the
    /// kernel does not report it.
    pub(crate) fn shares_namespace_with(&self, socket: BorrowedFd<'_>) -> Option<bool> {
        netns::is_shared(self.sockets.route.as_fd(), socket)
    }

    /// Returns the fixed part of a request about this interface.
    pub(crate) fn header(&self) -> ifinfomsg {
        // An index that came from the kernel is positive.
        ifinfomsg {
            ifi_index: i32::try_from(self.index).unwrap_or_default(),
            ..ifinfomsg::default()
        }
    }

    /// Sends a request to the interface's namespace; the caller makes the error.
    pub(crate) fn try_ask(&self, request: &Request) -> Result<Vec<Reply>, Refusal> {
        self.sockets.route.ask(request)
    }

    /// Sends a request to the interface's namespace.
    pub(crate) fn ask(&self, operation: &'static str, request: &Request) -> Result<Vec<Reply>> {
        self.try_ask(request).map_err(|refusal| self.error(operation, refusal))
    }

    /// Returns what an ioctl is made with. The name is that of a fresh look-up: the interface may
    /// have been renamed.
    fn device<'a>(&'a self, info: &'a InterfaceInfo) -> Device<'a> {
        Device { socket: self.sockets.route.as_fd(), name: info.os_name.as_bytes() }
    }

    fn netns_id(&self) -> NetnsId {
        match self.sockets.netns {
            Some(cookie) => NetnsId::Cookie(cookie),
            None => NetnsId::Sockets(Arc::as_ptr(&self.sockets)),
        }
    }

    fn error(&self, operation: &'static str, refusal: Refusal) -> Error {
        Error::Interface {
            name: self.name.clone(),
            operation,
            errno: refusal.errno,
            message: refusal.text,
        }
    }
}

impl fmt::Display for Interface {
    /// Writes the name that it had when it was found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl PartialEq for Interface {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && self.netns_id() == other.netns_id()
    }
}

impl Eq for Interface {}

impl Hash for Interface {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
        self.netns_id().hash(state);
    }
}

/// Returns the first interface among `replies`.
fn first_info(replies: &[Reply]) -> Result<InterfaceInfo, Errno> {
    for reply in replies {
        if let Some(info) = InterfaceInfo::read(&reply.message())? {
            return Ok(info);
        }
    }
    Err(Errno::BADMSG)
}

/// Returns the rule of `dev_valid_name` (net/core/dev.c) that `name` breaks.
fn broken_rule(name: &[u8]) -> Option<&'static str> {
    if name.is_empty() || name == b"." || name == b".." {
        return Some("an interface name must not be empty, \".\" or \"..\"");
    }
    if name.len() >= ALTIFNAMSIZ {
        return Some("an interface name has at most 15 bytes, another name of it at most 127");
    }
    let bad =
        |byte: u8| matches!(byte, 0 | b'/' | b':') || byte.is_ascii_whitespace() || byte == 0x0b;
    name.iter()
        .any(|byte| bad(*byte))
        .then_some("an interface name has no zero byte, slash, colon or space in it")
}
