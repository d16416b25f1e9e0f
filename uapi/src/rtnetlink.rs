//! `linux/rtnetlink.h`, `linux/if_addr.h` and the flags of `linux/if.h`: devices, addresses and
//! routes.

use crate::layout::{constants, structs};

constants! {
    u16 {
        /// Message type: create or change a device; also the notification that it was added or
        /// changed.
        RTM_NEWLINK = 16;
        /// Message type: remove a device; also the notification that it was removed.
        RTM_DELLINK = 17;
        /// Message type: report a device, or dump all.
        RTM_GETLINK = 18;
        /// Message type: change a device.
        RTM_SETLINK = 19;
        /// Message type: add an address; also the notification.
        RTM_NEWADDR = 20;
        /// Message type: remove an address; also the notification.
        RTM_DELADDR = 21;
        /// Message type: report addresses.
        RTM_GETADDR = 22;
        /// Message type: add a route.
        RTM_NEWROUTE = 24;
        /// Message type: remove a route.
        RTM_DELROUTE = 25;
        /// Message type: report routes.
        RTM_GETROUTE = 26;
        /// Message type: add a neighbour.
        RTM_NEWNEIGH = 28;
        /// Message type: remove a neighbour.
        RTM_DELNEIGH = 29;
        /// Message type: report neighbours.
        RTM_GETNEIGH = 30;

        /// Address attribute: the address; on a point-to-point device the peer's.
        IFA_ADDRESS = 1;
        /// Address attribute: the local address.
        IFA_LOCAL = 2;
        /// Address attribute, string: label, for IPv4.
        IFA_LABEL = 3;
        /// Address attribute: the broadcast address.
        IFA_BROADCAST = 4;
        /// Address attribute: life times.
        IFA_CACHEINFO = 6;
        /// Address attribute, `u32`: `IFA_F_*`, more than fit into [`ifaddrmsg::ifa_flags`].
        IFA_FLAGS = 8;

        /// Route attribute: the destination.
        RTA_DST = 1;
        /// Route attribute, `u32`: the device that packets leave by.
        RTA_OIF = 4;
        /// Route attribute: the gateway's address.
        RTA_GATEWAY = 5;
        /// Route attribute, `u32`: the priority, of which the lowest counts.
        RTA_PRIORITY = 6;
        /// Route attribute: several next hops, each with a [`rtnexthop`] before its attributes.
        RTA_MULTIPATH = 9;
        /// Route attribute, `u32`: the table; [`rtmsg::rtm_table`] holds those below 256.
        RTA_TABLE = 15;

        /// Neighbour attribute: the address that is looked up; from `linux/neighbour.h`.
        NDA_DST = 1;
        /// Neighbour attribute: its hardware address; from `linux/neighbour.h`.
        NDA_LLADDR = 2;
    }

    u32 {
        /// Address flag: IPv4, not the first of its subnet.
        IFA_F_SECONDARY = 0x01;
        /// Address flag: IPv6, do not look for duplicates.
        IFA_F_NODAD = 0x02;
        /// Address flag: IPv6, a duplicate was found.
        IFA_F_DADFAILED = 0x08;
        /// Address flag: not preferred (deprecated).
        IFA_F_DEPRECATED = 0x20;
        /// Address flag: IPv6, the search for duplicates goes on.
        IFA_F_TENTATIVE = 0x40;
        /// Address flag: set by hand, without end of life.
        IFA_F_PERMANENT = 0x80;
        /// Address flag: create no route to the subnet.
        IFA_F_NOPREFIXROUTE = 0x200;

        /// Device flag: switched on.
        IFF_UP = 1 << 0;
        /// Device flag: has a broadcast address.
        IFF_BROADCAST = 1 << 1;
        /// Device flag: debugging.
        IFF_DEBUG = 1 << 2;
        /// Device flag: the loopback device.
        IFF_LOOPBACK = 1 << 3;
        /// Device flag: point to point.
        IFF_POINTOPOINT = 1 << 4;
        /// Device flag: no trailers.
        IFF_NOTRAILERS = 1 << 5;
        /// Device flag: ready to carry packets.
        IFF_RUNNING = 1 << 6;
        /// Device flag: no address resolution.
        IFF_NOARP = 1 << 7;
        /// Device flag: receives everything.
        IFF_PROMISC = 1 << 8;
        /// Device flag: receives all multicasts.
        IFF_ALLMULTI = 1 << 9;
        /// Device flag: master of a group of devices.
        IFF_MASTER = 1 << 10;
        /// Device flag: one of a group of devices.
        IFF_SLAVE = 1 << 11;
        /// Device flag: can multicast.
        IFF_MULTICAST = 1 << 12;
        /// Device flag: has a carrier.
        IFF_LOWER_UP = 1 << 16;
        /// Device flag: waits for an event.
        IFF_DORMANT = 1 << 17;
        /// Device flag: echoes what it sends.
        IFF_ECHO = 1 << 18;

        /// `IFLA_EXT_MASK`: report virtual functions.
        RTEXT_FILTER_VF = 1 << 0;
        /// `IFLA_EXT_MASK`: leave statistics out.
        RTEXT_FILTER_SKIP_STATS = 1 << 3;

        /// [`sockaddr_nl::nl_groups`](crate::netlink::sockaddr_nl::nl_groups): changes of devices.
        RTMGRP_LINK = 1 << 0;
        /// [`sockaddr_nl::nl_groups`](crate::netlink::sockaddr_nl::nl_groups): changes of IPv4
        /// addresses.
        RTMGRP_IPV4_IFADDR = 1 << 4;
        /// [`sockaddr_nl::nl_groups`](crate::netlink::sockaddr_nl::nl_groups): changes of IPv6
        /// addresses.
        RTMGRP_IPV6_IFADDR = 1 << 8;

        /// Number of the group with changes of devices, for `NETLINK_ADD_MEMBERSHIP`.
        RTNLGRP_LINK = 1;
        /// Number of the group with changes of IPv4 addresses.
        RTNLGRP_IPV4_IFADDR = 5;
        /// Number of the group with changes of IPv6 addresses.
        RTNLGRP_IPV6_IFADDR = 9;
    }

    u8 {
        /// [`ifaddrmsg::ifa_scope`]: everywhere.
        RT_SCOPE_UNIVERSE = 0;
        /// [`ifaddrmsg::ifa_scope`]: this link.
        RT_SCOPE_LINK = 253;
        /// [`ifaddrmsg::ifa_scope`]: this machine.
        RT_SCOPE_HOST = 254;

        /// [`rtmsg::rtm_table`]: the main table.
        RT_TABLE_MAIN = 254;

        /// [`rtmsg::rtm_protocol`]: a route that an administrator added.
        RTPROT_STATIC = 4;

        /// [`rtmsg::rtm_type`]: packets leave by a gateway or directly.
        RTN_UNICAST = 1;
        /// [`rtmsg::rtm_type`]: packets are for this machine.
        RTN_LOCAL = 2;
        /// [`rtmsg::rtm_type`]: the destination cannot be reached.
        RTN_UNREACHABLE = 7;

        /// Family of [`ifinfomsg`] and of address dumps: any; from `linux/socket.h`.
        AF_UNSPEC = 0;
        /// Family of [`ifaddrmsg`]: IPv4; from `linux/socket.h`.
        AF_INET = 2;
        /// Family of [`ifaddrmsg`]: IPv6; from `linux/socket.h`.
        AF_INET6 = 10;
    }

    usize {
        /// Longest name of a device with its final zero; from `linux/if.h`.
        IFNAMSIZ = 16;
    }
}

structs! {
    /// Head of `RTM_*LINK` messages, after `nlmsghdr`.
    pub struct ifinfomsg(16, Same) {
        /// [`AF_UNSPEC`].
        0: ifi_family: u8,
        /// Zero.
        1: __ifi_pad: u8,
        /// Kind of hardware, `ARPHRD_*`.
        2: ifi_type: u16,
        /// The device; zero if the message names it in another way.
        4: ifi_index: i32,
        /// `IFF_*`.
        8: ifi_flags: u32,
        /// Which of the flags to change.
        12: ifi_change: u32,
    }

    /// Head of `RTM_*ADDR` messages, after `nlmsghdr`.
    pub struct ifaddrmsg(8, Same) {
        /// [`AF_INET`] or [`AF_INET6`].
        0: ifa_family: u8,
        /// Length of the subnet prefix in bits.
        1: ifa_prefixlen: u8,
        /// The `IFA_F_*` that fit.
        2: ifa_flags: u8,
        /// `RT_SCOPE_*`.
        3: ifa_scope: u8,
        /// The device.
        4: ifa_index: u32,
    }

    /// Head of `RTM_*ROUTE` messages, after `nlmsghdr`.
    pub struct rtmsg(12, Same) {
        /// [`AF_INET`] or [`AF_INET6`].
        0: rtm_family: u8,
        /// Length of the destination's prefix in bits; 0 for the default route.
        1: rtm_dst_len: u8,
        /// Length of the source's prefix in bits.
        2: rtm_src_len: u8,
        /// The type of service.
        3: rtm_tos: u8,
        /// The table, if its number is below 256.
        4: rtm_table: u8,
        /// Who added the route, `RTPROT_*`.
        5: rtm_protocol: u8,
        /// `RT_SCOPE_*`.
        6: rtm_scope: u8,
        /// `RTN_*`.
        7: rtm_type: u8,
        /// `RTM_F_*`.
        8: rtm_flags: u32,
    }

    /// Head of one of several next hops, in [`RTA_MULTIPATH`].
    pub struct rtnexthop(8, Same) {
        /// Length in bytes, with this head and the attributes after it.
        0: rtnh_len: u16,
        /// `RTNH_F_*`.
        2: rtnh_flags: u8,
        /// The weight, less 1.
        3: rtnh_hops: u8,
        /// The device.
        4: rtnh_ifindex: i32,
    }

    /// Head of `RTM_*NEIGH` messages, after `nlmsghdr`; from `linux/neighbour.h`.
    pub struct ndmsg(12, Same) {
        /// [`AF_INET`] or [`AF_INET6`].
        0: ndm_family: u8,
        /// Zero.
        1: ndm_pad1: u8,
        /// Zero.
        2: ndm_pad2: u16,
        /// The device.
        4: ndm_ifindex: i32,
        /// `NUD_*`.
        8: ndm_state: u16,
        /// `NTF_*`.
        10: ndm_flags: u8,
        /// `RTN_*`.
        11: ndm_type: u8,
    }
}
