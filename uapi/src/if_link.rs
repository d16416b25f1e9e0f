//! `linux/if_link.h`: attributes of `RTM_*LINK` messages, and how XDP programs are attached.

use crate::layout::constants;

constants! {
    u16 {
        /// Hardware address.
        IFLA_ADDRESS = 1;
        /// Broadcast address.
        IFLA_BROADCAST = 2;
        /// String: name.
        IFLA_IFNAME = 3;
        /// `u32`: MTU.
        IFLA_MTU = 4;
        /// `u32`: the device below, or the other end of a veth pair.
        IFLA_LINK = 5;
        /// String: queueing discipline.
        IFLA_QDISC = 6;
        /// `u32`: the bridge or bond that it belongs to.
        IFLA_MASTER = 10;
        /// `u32`: length of the transmit queue.
        IFLA_TXQLEN = 13;
        /// `u8`: `IF_OPER_*`.
        IFLA_OPERSTATE = 16;
        /// Nest: `IFLA_INFO_*`.
        IFLA_LINKINFO = 18;
        /// `u32`: move to the network namespace of a process.
        IFLA_NET_NS_PID = 19;
        /// Counters, 64-bit.
        IFLA_STATS64 = 23;
        /// Nest of nests by address family.
        IFLA_AF_SPEC = 26;
        /// `u32`: group.
        IFLA_GROUP = 27;
        /// `u32`: move to the network namespace of a file descriptor.
        IFLA_NET_NS_FD = 28;
        /// `u32`: what to report, `RTEXT_FILTER_*`.
        IFLA_EXT_MASK = 29;
        /// `u32`: number of users that asked for promiscuous mode.
        IFLA_PROMISCUITY = 30;
        /// `u32`: transmit queues it was created with.
        IFLA_NUM_TX_QUEUES = 31;
        /// `u32`: receive queues it was created with.
        IFLA_NUM_RX_QUEUES = 32;
        /// `u8`: whether there is a carrier.
        IFLA_CARRIER = 33;
        /// `i32`: network namespace of the other end.
        IFLA_LINK_NETNSID = 37;
        /// `u32`: TCP segments that it gets as one packet, at the most; can be set since 4.16.
        IFLA_GSO_MAX_SEGS = 40;
        /// Nest: `IFLA_XDP_*`.
        IFLA_XDP = 43;
        /// `i32`, in the notification that a device was removed: the network namespace that it was
        /// moved to, -1 if that has no number here (4.15).
        IFLA_NEW_NETNSID = 45;
        /// `u32`, beside it: its index there (4.16).
        IFLA_NEW_IFINDEX = 49;
        /// `u32`: smallest MTU (4.19).
        IFLA_MIN_MTU = 50;
        /// `u32`: largest MTU (4.19).
        IFLA_MAX_MTU = 51;
        /// String: alternative name (5.5).
        IFLA_ALT_IFNAME = 53;
        /// Hardware address it was built with (5.6).
        IFLA_PERM_ADDRESS = 54;
        /// String: device it is a port of (5.14).
        IFLA_PARENT_DEV_NAME = 56;
        /// String: bus of that device (5.14).
        IFLA_PARENT_DEV_BUS_NAME = 57;

        /// In [`IFLA_LINKINFO`], string: kind of device, such as `veth`.
        IFLA_INFO_KIND = 1;
        /// In [`IFLA_LINKINFO`], nest: attributes of that kind.
        IFLA_INFO_DATA = 2;
        /// In [`IFLA_INFO_DATA`] of a veth: an `ifinfomsg` and the attributes of the other end;
        /// from `linux/veth.h`.
        VETH_INFO_PEER = 1;

        /// In [`IFLA_INFO_DATA`] of a VLAN device, `u16`: the number of the VLAN.
        IFLA_VLAN_ID = 1;

        /// In the `AF_INET6` nest of [`IFLA_AF_SPEC`], `u8`: `IN6_ADDR_GEN_MODE_*`.
        IFLA_INET6_ADDR_GEN_MODE = 8;

        /// In [`IFLA_XDP`], `i32`: program to attach, -1 to detach.
        IFLA_XDP_FD = 1;
        /// In [`IFLA_XDP`], `u8`: `XDP_ATTACHED_*`; reported only.
        IFLA_XDP_ATTACHED = 2;
        /// In [`IFLA_XDP`], `u32`: `XDP_FLAGS_*`.
        IFLA_XDP_FLAGS = 3;
        /// In [`IFLA_XDP`], `u32`: id of the program; reported only, absent if there are several.
        IFLA_XDP_PROG_ID = 4;
        /// In [`IFLA_XDP`], `u32`: id of the program in the driver; reported only (4.19).
        IFLA_XDP_DRV_PROG_ID = 5;
        /// In [`IFLA_XDP`], `u32`: id of the generic program; reported only (4.19).
        IFLA_XDP_SKB_PROG_ID = 6;
        /// In [`IFLA_XDP`], `u32`: id of the program in the hardware; reported only (4.19).
        IFLA_XDP_HW_PROG_ID = 7;
        /// In [`IFLA_XDP`], `i32`: with [`XDP_FLAGS_REPLACE`], the program that must be there
        /// (5.7).
        IFLA_XDP_EXPECTED_FD = 8;
    }

    u32 {
        /// Attach only if there is no program.
        XDP_FLAGS_UPDATE_IF_NOEXIST = 1 << 0;
        /// Generic mode, on packets that the stack has allocated.
        XDP_FLAGS_SKB_MODE = 1 << 1;
        /// Native mode, in the driver.
        XDP_FLAGS_DRV_MODE = 1 << 2;
        /// In the hardware.
        XDP_FLAGS_HW_MODE = 1 << 3;
        /// Only if [`IFLA_XDP_EXPECTED_FD`] is there (5.7).
        XDP_FLAGS_REPLACE = 1 << 4;
        /// All flags that choose a mode.
        XDP_FLAGS_MODES = XDP_FLAGS_SKB_MODE | XDP_FLAGS_DRV_MODE | XDP_FLAGS_HW_MODE;
        /// All flags that exist.
        XDP_FLAGS_MASK = XDP_FLAGS_UPDATE_IF_NOEXIST | XDP_FLAGS_MODES | XDP_FLAGS_REPLACE;
    }

    u8 {
        /// [`IFLA_XDP_ATTACHED`]: no program.
        XDP_ATTACHED_NONE = 0;
        /// [`IFLA_XDP_ATTACHED`]: in the driver.
        XDP_ATTACHED_DRV = 1;
        /// [`IFLA_XDP_ATTACHED`]: generic.
        XDP_ATTACHED_SKB = 2;
        /// [`IFLA_XDP_ATTACHED`]: in the hardware.
        XDP_ATTACHED_HW = 3;
        /// [`IFLA_XDP_ATTACHED`]: in several places (4.19).
        XDP_ATTACHED_MULTI = 4;

        /// Link-local address from the hardware address.
        IN6_ADDR_GEN_MODE_EUI64 = 0;
        /// No link-local address.
        IN6_ADDR_GEN_MODE_NONE = 1;
        /// Link-local address that is stable and hides the hardware address.
        IN6_ADDR_GEN_MODE_STABLE_PRIVACY = 2;
        /// The same with a random secret.
        IN6_ADDR_GEN_MODE_RANDOM = 3;

        /// [`IFLA_OPERSTATE`]: not reported; from `linux/if.h`.
        IF_OPER_UNKNOWN = 0;
        /// [`IFLA_OPERSTATE`]: the device is not there.
        IF_OPER_NOTPRESENT = 1;
        /// [`IFLA_OPERSTATE`]: no carrier.
        IF_OPER_DOWN = 2;
        /// [`IFLA_OPERSTATE`]: the device below is down.
        IF_OPER_LOWERLAYERDOWN = 3;
        /// [`IFLA_OPERSTATE`]: testing.
        IF_OPER_TESTING = 4;
        /// [`IFLA_OPERSTATE`]: waits for an event.
        IF_OPER_DORMANT = 5;
        /// [`IFLA_OPERSTATE`]: ready.
        IF_OPER_UP = 6;
    }
}
