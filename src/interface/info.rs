//! Reads the state of an interface from an `RTM_NEWLINK` message.

use super::oper_state::OperState;
use super::programs::AttachedPrograms;
use crate::netlink::message::{Malformed, Message};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use xsk_uapi::if_arp::{ARPHRD_ETHER, ARPHRD_LOOPBACK};
use xsk_uapi::if_link::{
    IFLA_ADDRESS, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINK, IFLA_LINK_NETNSID, IFLA_LINKINFO,
    IFLA_MASTER, IFLA_MAX_MTU, IFLA_MIN_MTU, IFLA_MTU, IFLA_NUM_RX_QUEUES, IFLA_NUM_TX_QUEUES,
    IFLA_OPERSTATE, IFLA_PROMISCUITY, IFLA_STATS64, IFLA_XDP,
};
use xsk_uapi::rtnetlink::{IFF_LOWER_UP, IFF_RUNNING, IFF_UP, RTM_NEWLINK, ifinfomsg};
use zerocopy::FromBytes;

/// The state of an interface at one moment (`RTM_GETLINK`).
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// let info = Interface::by_name("lo")?.info()?;
/// println!("{}: MTU {}, {}", info.name, info.mtu, if info.up { "up" } else { "down" });
/// # assert_eq!((info.name.as_str(), info.index), ("lo", 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct InterfaceInfo {
    /// Its name; bytes that are no UTF-8 are replaced, see [`os_name`](Self::os_name).
    pub name: String,
    /// Its name as the kernel has it: any bytes but a few.
    pub os_name: OsString,
    /// Its index.
    pub index: u32,
    /// Bytes of the largest packet, without the link header.
    pub mtu: u32,
    /// The smallest MTU that it can have (4.19); `None` if the kernel does not report it.
    pub min_mtu: Option<u32>,
    /// The largest MTU that it can have (4.19); `None` if it has no limit, or the kernel does not
    /// report it.
    pub max_mtu: Option<u32>,
    /// Whether it was switched on (`IFF_UP`).
    pub up: bool,
    /// Whether it has a carrier: the cable, or its virtual counterpart, works (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Whether the kernel uses it (`IFF_RUNNING`), which begins a moment after `up` and `carrier`.
    pub running: bool,
    /// Its state as the kernel sums it up (`IFLA_OPERSTATE`); `None` for a state that this crate
    /// does not know.
    pub oper_state: Option<OperState>,
    /// How many users want it to receive the packets for all addresses (`IFLA_PROMISCUITY`): packet
    /// sockets, bridges, `ip link set promisc on`; 0 is off. `None` if the kernel does not report
    /// it.
    pub promiscuity: Option<u32>,
    /// Its Ethernet address; `None` if it has none of six bytes.
    pub mac: Option<[u8; 6]>,
    /// The kind of its link layer (`ARPHRD_*`, linux/if_arp.h): 1 for Ethernet; see
    /// [`has_ethernet_header`](Self::has_ethernet_header).
    pub link_type: u16,
    /// RX queues that it was made with (`IFLA_NUM_RX_QUEUES`); the driver may use fewer.
    pub rx_queues: u32,
    /// TX queues that it was made with (`IFLA_NUM_TX_QUEUES`); the driver may use fewer.
    pub tx_queues: u32,
    /// The kind of software interface, such as `veth` or `bridge`; `None` for a card.
    pub kind: Option<String>,
    /// The index of the bridge or bond that it belongs to.
    pub master: Option<u32>,
    /// The index of the interface below it, for a VLAN or macvlan interface; of the other end, for
    /// a veth (`IFLA_LINK`). `None` if there is none.
    pub lower: Option<u32>,
    /// Whether [`lower`](Self::lower) is an index in another network namespace
    /// (`IFLA_LINK_NETNSID`).
    pub lower_is_elsewhere: bool,
    /// Its packet counters.
    pub counters: InterfaceCounters,
    /// The XDP programs on it.
    pub programs: AttachedPrograms,
}

/// An interface's packet counters (`struct rtnl_link_stats64`, linux/if_link.h).
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("lo")?;
/// let before = interface.info()?.counters;
/// // ... send and receive ...
/// let after = interface.info()?.counters;
/// println!("{} packets dropped", after.rx_dropped - before.rx_dropped);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes)]
#[repr(C)]
#[non_exhaustive]
pub struct InterfaceCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bad packets received.
    pub rx_errors: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets received and dropped.
    pub rx_dropped: u64,
    /// Packets dropped instead of being sent.
    pub tx_dropped: u64,
}

impl InterfaceInfo {
    /// Reads an `RTM_NEWLINK`; `None` for another message.
    pub(crate) fn read(message: &Message<'_>) -> Result<Option<Self>, Malformed> {
        if message.kind != RTM_NEWLINK {
            return Ok(None);
        }
        let (header, attributes) = message.split::<ifinfomsg>()?;
        let mut info = Self {
            index: u32::try_from(header.ifi_index).map_err(|_| Malformed)?,
            link_type: header.ifi_type,
            up: header.ifi_flags & IFF_UP != 0,
            running: header.ifi_flags & IFF_RUNNING != 0,
            carrier: header.ifi_flags & IFF_LOWER_UP != 0,
            ..Self::default()
        };
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                IFLA_IFNAME => {
                    info.name = attribute.text();
                    info.os_name = OsStr::from_bytes(attribute.bytes_to_zero()).to_owned();
                }
                IFLA_MTU => info.mtu = attribute.value()?,
                IFLA_ADDRESS => info.mac = attribute.payload.try_into().ok(),
                IFLA_NUM_RX_QUEUES => info.rx_queues = attribute.value()?,
                IFLA_NUM_TX_QUEUES => info.tx_queues = attribute.value()?,
                IFLA_MIN_MTU => info.min_mtu = Some(attribute.value()?),
                IFLA_MAX_MTU => info.max_mtu = Some(attribute.value()?).filter(|mtu| *mtu > 0),
                IFLA_OPERSTATE => info.oper_state = OperState::of(attribute.value()?),
                IFLA_PROMISCUITY => info.promiscuity = Some(attribute.value()?),
                IFLA_LINK => info.lower = Some(attribute.value()?).filter(|lower| *lower > 0),
                IFLA_LINK_NETNSID => info.lower_is_elsewhere = true,
                IFLA_MASTER => info.master = Some(attribute.value()?),
                IFLA_STATS64 => info.counters = attribute.value()?,
                IFLA_XDP => info.programs = AttachedPrograms::read(attribute.nested())?,
                IFLA_LINKINFO => {
                    for part in attribute.nested() {
                        let part = part?;
                        if part.kind == IFLA_INFO_KIND {
                            info.kind = Some(part.text());
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Some(info))
    }

    /// Returns whether its packets begin with an Ethernet header (`ARPHRD_ETHER`,
    /// `ARPHRD_LOOPBACK`).
    ///
    /// Those of others, such as tun devices, `WireGuard` and IP tunnels, begin with what comes next,
    /// mostly an IP header: so do the frames that a socket receives there, and those that it sends
    /// have to.
    #[must_use]
    pub fn has_ethernet_header(&self) -> bool {
        matches!(self.link_type, ARPHRD_ETHER | ARPHRD_LOOPBACK)
    }
}
