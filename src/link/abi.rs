//! Kernel structs and numbers of netlink.
#![allow(
    non_camel_case_types,
    clippy::upper_case_acronyms,
    dead_code,
    reason = "kernel names"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct nlmsghdr {
    pub(crate) nlmsg_len: u32,
    pub(crate) nlmsg_type: u16,
    pub(crate) nlmsg_flags: u16,
    pub(crate) nlmsg_seq: u32,
    pub(crate) nlmsg_pid: u32,
}
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct nlattr {
    pub(crate) nla_len: u16,
    pub(crate) nla_type: u16,
}
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct ifinfomsg {
    pub(crate) ifi_family: u8,
    pub(crate) __ifi_pad: u8,
    pub(crate) ifi_type: u16,
    pub(crate) ifi_index: i32,
    pub(crate) ifi_flags: u32,
    pub(crate) ifi_change: u32,
}
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct genlmsghdr {
    pub(crate) cmd: u8,
    pub(crate) version: u8,
    pub(crate) reserved: u16,
}

pub(crate) const NLM_F_REQUEST: u16 = 1;
pub(crate) const NLM_F_MULTI: u16 = 2;
pub(crate) const NLM_F_ACK: u16 = 4;
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
pub(crate) const NLM_F_CAPPED: u16 = 0x100;
pub(crate) const NLM_F_ACK_TLVS: u16 = 0x200;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLM_F_EXCL: u16 = 0x200;
pub(crate) const NLM_F_CREATE: u16 = 0x400;
pub(crate) const NLMSG_NOOP: u16 = 1;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
pub(crate) const NLMSG_OVERRUN: u16 = 4;
pub(crate) const NLMSGERR_ATTR_MSG: u16 = 1;
pub(crate) const NLA_F_NESTED: u16 = 0x8000;
pub(crate) const NLA_TYPE_MASK: u16 = 0x3fff;

pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_DELLINK: u16 = 17;
pub(crate) const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_SETLINK: u16 = 19;
pub(crate) const RTM_NEWADDR: u16 = 20;

pub(crate) const IFF_UP: u32 = 1;
pub(crate) const IFF_RUNNING: u32 = 0x40;
pub(crate) const IFF_LOWER_UP: u32 = 0x1_0000;

pub(crate) const IFLA_ADDRESS: u16 = 1;
pub(crate) const IFLA_IFNAME: u16 = 3;
pub(crate) const IFLA_MTU: u16 = 4;
pub(crate) const IFLA_MASTER: u16 = 10;
pub(crate) const IFLA_LINKINFO: u16 = 18;
pub(crate) const IFLA_STATS64: u16 = 23;
pub(crate) const IFLA_AF_SPEC: u16 = 26;
pub(crate) const IFLA_NET_NS_FD: u16 = 28;
pub(crate) const IFLA_NUM_TX_QUEUES: u16 = 31;
pub(crate) const IFLA_NUM_RX_QUEUES: u16 = 32;
pub(crate) const IFLA_CARRIER: u16 = 33;
pub(crate) const IFLA_XDP: u16 = 43;
pub(crate) const IFLA_INFO_KIND: u16 = 1;
pub(crate) const IFLA_INFO_DATA: u16 = 2;
pub(crate) const IFLA_XDP_FD: u16 = 1;
pub(crate) const IFLA_XDP_ATTACHED: u16 = 2;
pub(crate) const IFLA_XDP_FLAGS: u16 = 3;
pub(crate) const IFLA_XDP_PROG_ID: u16 = 4;
pub(crate) const IFLA_XDP_DRV_PROG_ID: u16 = 5;
pub(crate) const IFLA_XDP_SKB_PROG_ID: u16 = 6;
pub(crate) const IFLA_XDP_HW_PROG_ID: u16 = 7;
pub(crate) const IFLA_XDP_EXPECTED_FD: u16 = 8;
pub(crate) const XDP_FLAGS_UPDATE_IF_NOEXIST: u32 = 1;
pub(crate) const XDP_FLAGS_SKB_MODE: u32 = 2;
pub(crate) const XDP_FLAGS_DRV_MODE: u32 = 4;
pub(crate) const XDP_FLAGS_HW_MODE: u32 = 8;
pub(crate) const XDP_FLAGS_REPLACE: u32 = 16;
pub(crate) const XDP_ATTACHED_DRV: u8 = 1;
pub(crate) const XDP_ATTACHED_SKB: u8 = 2;
pub(crate) const XDP_ATTACHED_HW: u8 = 3;

pub(crate) const GENL_ID_CTRL: u16 = 16;
pub(crate) const CTRL_CMD_GETFAMILY: u8 = 3;
pub(crate) const CTRL_ATTR_FAMILY_ID: u16 = 1;
pub(crate) const CTRL_ATTR_FAMILY_NAME: u16 = 2;
pub(crate) const NETDEV_CMD_DEV_GET: u8 = 1;
pub(crate) const NETDEV_A_DEV_IFINDEX: u16 = 1;
pub(crate) const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
pub(crate) const NETDEV_A_DEV_XDP_ZC_MAX_SEGS: u16 = 4;
pub(crate) const NETDEV_A_DEV_XSK_FEATURES: u16 = 6;

#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct ifaddrmsg {
    pub(crate) ifa_family: u8,
    pub(crate) ifa_prefixlen: u8,
    pub(crate) ifa_flags: u8,
    pub(crate) ifa_scope: u8,
    pub(crate) ifa_index: u32,
}
pub(crate) const IFA_ADDRESS: u16 = 1;
pub(crate) const IFA_LOCAL: u16 = 2;
pub(crate) const VETH_INFO_PEER: u16 = 1;
pub(crate) const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
pub(crate) const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
