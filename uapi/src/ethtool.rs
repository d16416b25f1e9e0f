//! `linux/ethtool.h`, `linux/ethtool_netlink.h` and `struct ifreq`: queues, rings, steering rules.
//!
//! The older way is the [`SIOCETHTOOL`] ioctl with an [`ifreq_data`] that points to a struct whose
//! first field is the command. The newer way is the generic netlink family `ethtool` (5.6).
//! Steering rules have no netlink form.

use crate::layout::{constants, structs};
use crate::rtnetlink::IFNAMSIZ;

constants! {
    u32 {
        /// The ioctl; from `linux/sockios.h`.
        SIOCETHTOOL = 0x8946;

        /// Read which driver it is: [`ethtool_drvinfo`].
        ETHTOOL_GDRVINFO = 0x03;
        /// Read the ring sizes: [`ethtool_ringparam`].
        ETHTOOL_GRINGPARAM = 0x10;
        /// Write the ring sizes: [`ethtool_ringparam`].
        ETHTOOL_SRINGPARAM = 0x11;
        /// Read whether checksums are computed at sending: [`ethtool_value`].
        ETHTOOL_GTXCSUM = 0x16;
        /// Read whether TCP segmentation is left to the device: [`ethtool_value`].
        ETHTOOL_GTSO = 0x1e;
        /// Read whether generic segmentation is on: [`ethtool_value`].
        ETHTOOL_GGSO = 0x23;
        /// Read the features of `ETH_FLAG_*`: [`ethtool_value`].
        ETHTOOL_GFLAGS = 0x25;
        /// Write the features of `ETH_FLAG_*`: [`ethtool_value`].
        ETHTOOL_SFLAGS = 0x26;
        /// Read the fields that the receive hash is made of: [`ethtool_rxnfc::data`].
        ETHTOOL_GRXFH = 0x29;
        /// Write the fields that the receive hash is made of: [`ethtool_rxnfc::data`].
        ETHTOOL_SRXFH = 0x2a;
        /// Read whether generic receive offload is on: [`ethtool_value`].
        ETHTOOL_GGRO = 0x2b;
        /// Number of receive rings: [`ethtool_rxnfc::data`].
        ETHTOOL_GRXRINGS = 0x2d;
        /// Number of rules: [`ethtool_rxnfc::rule_cnt`].
        ETHTOOL_GRXCLSRLCNT = 0x2e;
        /// Read one rule: [`ethtool_rxnfc`].
        ETHTOOL_GRXCLSRULE = 0x2f;
        /// Places of all rules: [`ethtool_rxnfc`] with room after it.
        ETHTOOL_GRXCLSRLALL = 0x30;
        /// Delete a rule: [`ethtool_rxnfc`].
        ETHTOOL_SRXCLSRLDEL = 0x31;
        /// Insert a rule: [`ethtool_rxnfc`].
        ETHTOOL_SRXCLSRLINS = 0x32;
        /// Read the number of queues: [`ethtool_channels`].
        ETHTOOL_GCHANNELS = 0x3c;
        /// Write the number of queues: [`ethtool_channels`].
        ETHTOOL_SCHANNELS = 0x3d;
        /// Read table, key and function of the receive hash: [`ethtool_rxfh`] with room after it.
        ETHTOOL_GRSSH = 0x46;
        /// Write table, key and function of the receive hash: [`ethtool_rxfh`] with both after it.
        ETHTOOL_SRSSH = 0x47;

        /// Bit of [`ethtool_value::data`]: the feature `tx-vlan-offload`.
        ETH_FLAG_TXVLAN = 1 << 7;
        /// Bit of [`ethtool_value::data`]: the feature `rx-vlan-offload`.
        ETH_FLAG_RXVLAN = 1 << 8;
        /// Bit of [`ethtool_value::data`]: the feature `large-receive-offload`.
        ETH_FLAG_LRO = 1 << 15;
        /// Bit of [`ethtool_value::data`]: the feature `ntuple-filters`.
        ETH_FLAG_NTUPLE = 1 << 27;
        /// Bit of [`ethtool_value::data`]: the feature `receive-hashing`.
        ETH_FLAG_RXHASH = 1 << 28;

        /// [`ethtool_rxfh::rss_context`]: make a context; the driver reports its number (4.17).
        ETH_RXFH_CONTEXT_ALLOC = 0xffff_ffff;
        /// [`ethtool_rxfh::indir_size`]: leave the table as it is.
        ETH_RXFH_INDIR_NO_CHANGE = 0xffff_ffff;

        /// Flow: TCP over IPv4, [`ethtool_tcpip4_spec`].
        TCP_V4_FLOW = 0x01;
        /// Flow: UDP over IPv4, [`ethtool_tcpip4_spec`].
        UDP_V4_FLOW = 0x02;
        /// Flow: SCTP over IPv4, [`ethtool_tcpip4_spec`].
        SCTP_V4_FLOW = 0x03;
        /// Flow: TCP over IPv6, [`ethtool_tcpip6_spec`].
        TCP_V6_FLOW = 0x05;
        /// Flow: UDP over IPv6, [`ethtool_tcpip6_spec`].
        UDP_V6_FLOW = 0x06;
        /// Flow: SCTP over IPv6, [`ethtool_tcpip6_spec`].
        SCTP_V6_FLOW = 0x07;
        /// Flow: any IPv4, [`ethtool_usrip4_spec`].
        IPV4_USER_FLOW = 0x0d;
        /// The older name of [`IPV4_USER_FLOW`].
        IP_USER_FLOW = IPV4_USER_FLOW;
        /// Flow: any IPv6, [`ethtool_usrip6_spec`].
        IPV6_USER_FLOW = 0x0e;
        /// Flow, for the receive hash: any IPv4 that is none of the others.
        IPV4_FLOW = 0x10;
        /// Flow, for the receive hash: any IPv6 that is none of the others.
        IPV6_FLOW = 0x11;
        /// Flow: Ethernet, [`ethhdr`].
        ETHER_FLOW = 0x12;
        /// Added to a flow: `h_ext` and `m_ext` have VLAN or user data.
        FLOW_EXT = 0x8000_0000;
        /// Added to a flow: `h_ext` and `m_ext` have a hardware address.
        FLOW_MAC_EXT = 0x4000_0000;
        /// Added to a flow: `rss_context` is used.
        FLOW_RSS = 0x2000_0000;

        /// [`ethtool_rx_flow_spec::location`]: this bit marks the next three.
        RX_CLS_LOC_SPECIAL = 0x8000_0000;
        /// [`ethtool_rx_flow_spec::location`]: any place; the driver reports which.
        RX_CLS_LOC_ANY = 0xffff_ffff;
        /// [`ethtool_rx_flow_spec::location`]: before all others.
        RX_CLS_LOC_FIRST = 0xffff_fffe;
        /// [`ethtool_rx_flow_spec::location`]: after all others.
        RX_CLS_LOC_LAST = 0xffff_fffd;

        /// [`ETHTOOL_A_HEADER_FLAGS`]: bit sets in their compact form (5.6).
        ETHTOOL_FLAG_COMPACT_BITSETS = 1 << 0;
        /// [`ETHTOOL_A_HEADER_FLAGS`]: no reply to a change (5.6).
        ETHTOOL_FLAG_OMIT_REPLY = 1 << 1;
        /// [`ETHTOOL_A_HEADER_FLAGS`]: with counters (5.10).
        ETHTOOL_FLAG_STATS = 1 << 2;
    }

    u64 {
        /// Hash field: the destination hardware address.
        RXH_L2DA = 1 << 1;
        /// Hash field: the VLAN tag.
        RXH_VLAN = 1 << 2;
        /// Hash field: the protocol of the IP header.
        RXH_L3_PROTO = 1 << 3;
        /// Hash field: the source address.
        RXH_IP_SRC = 1 << 4;
        /// Hash field: the destination address.
        RXH_IP_DST = 1 << 5;
        /// Hash field: bytes 0 and 1 after the IP header, the source port.
        RXH_L4_B_0_1 = 1 << 6;
        /// Hash field: bytes 2 and 3 after the IP header, the destination port.
        RXH_L4_B_2_3 = 1 << 7;
        /// In place of hash fields: drop such packets.
        RXH_DISCARD = 1 << 31;

        /// [`ethtool_rx_flow_spec::ring_cookie`]: drop the packet.
        RX_CLS_FLOW_DISC = u64::MAX;
        /// [`ethtool_rx_flow_spec::ring_cookie`]: wake the machine (4.19).
        RX_CLS_FLOW_WAKE = u64::MAX - 1;
        /// [`ethtool_rx_flow_spec::ring_cookie`]: the bits with the queue.
        ETHTOOL_RX_FLOW_SPEC_RING = 0x0000_0000_ffff_ffff;
        /// [`ethtool_rx_flow_spec::ring_cookie`]: the bits with the virtual function.
        ETHTOOL_RX_FLOW_SPEC_RING_VF = 0x0000_00ff_0000_0000;
    }

    u8 {
        /// [`ethtool_usrip4_spec::ip_ver`].
        ETH_RX_NFC_IP4 = 1;

        /// [`ethtool_rxfh::hfunc`]: leave the function as it is.
        ETH_RSS_HASH_NO_CHANGE = 0;
        /// [`ethtool_rxfh::hfunc`]: Toeplitz.
        ETH_RSS_HASH_TOP = 1 << 0;
        /// [`ethtool_rxfh::hfunc`]: XOR.
        ETH_RSS_HASH_XOR = 1 << 1;
        /// [`ethtool_rxfh::hfunc`]: CRC-32.
        ETH_RSS_HASH_CRC32 = 1 << 2;
        /// [`ethtool_rxfh::input_xfrm`]: the two ends of a flow are joined by XOR (6.8).
        RXH_XFRM_SYM_XOR = 1 << 0;
        /// [`ethtool_rxfh::input_xfrm`]: the two ends are joined by OR and by XOR (6.16).
        RXH_XFRM_SYM_OR_XOR = 1 << 1;
        /// [`ethtool_rxfh::input_xfrm`]: leave it as it is (6.8).
        RXH_XFRM_NO_CHANGE = 0xff;

        /// Version of the netlink family (5.6).
        ETHTOOL_GENL_VERSION = 1;
        /// Netlink command: read the ring sizes (5.7).
        ETHTOOL_MSG_RINGS_GET = 15;
        /// Netlink command: write the ring sizes (5.7).
        ETHTOOL_MSG_RINGS_SET = 16;
        /// Netlink command: read the number of queues (5.7).
        ETHTOOL_MSG_CHANNELS_GET = 17;
        /// Netlink command: write the number of queues (5.7).
        ETHTOOL_MSG_CHANNELS_SET = 18;
        /// Netlink command: read the spreading of packets over queues (6.2).
        ETHTOOL_MSG_RSS_GET = 38;
        /// Netlink command: write the spreading of packets over queues (6.17).
        ETHTOOL_MSG_RSS_SET = 48;
        /// Netlink reply: ring sizes (5.7).
        ETHTOOL_MSG_RINGS_GET_REPLY = 16;
        /// Netlink notification: ring sizes (5.7).
        ETHTOOL_MSG_RINGS_NTF = 17;
        /// Netlink reply: number of queues (5.7).
        ETHTOOL_MSG_CHANNELS_GET_REPLY = 18;
        /// Netlink notification: number of queues (5.7).
        ETHTOOL_MSG_CHANNELS_NTF = 19;
    }

    u16 {
        /// In the header nest, `u32`: the device by index (5.6).
        ETHTOOL_A_HEADER_DEV_INDEX = 1;
        /// In the header nest, string: the device by name (5.6).
        ETHTOOL_A_HEADER_DEV_NAME = 2;
        /// In the header nest, `u32`: `ETHTOOL_FLAG_*` (5.6).
        ETHTOOL_A_HEADER_FLAGS = 3;

        /// Nest: the device (5.7).
        ETHTOOL_A_RINGS_HEADER = 1;
        /// `u32`: largest receive ring (5.7).
        ETHTOOL_A_RINGS_RX_MAX = 2;
        /// `u32`: largest transmit ring (5.7).
        ETHTOOL_A_RINGS_TX_MAX = 5;
        /// `u32`: receive ring (5.7).
        ETHTOOL_A_RINGS_RX = 6;
        /// `u32`: transmit ring (5.7).
        ETHTOOL_A_RINGS_TX = 9;
        /// `u8`: 2 if the driver splits headers from data (5.18).
        ETHTOOL_A_RINGS_TCP_DATA_SPLIT = 11;

        /// Nest: the device (5.7).
        ETHTOOL_A_CHANNELS_HEADER = 1;
        /// `u32`: most receive queues (5.7).
        ETHTOOL_A_CHANNELS_RX_MAX = 2;
        /// `u32`: most transmit queues (5.7).
        ETHTOOL_A_CHANNELS_TX_MAX = 3;
        /// `u32`: most other queues (5.7).
        ETHTOOL_A_CHANNELS_OTHER_MAX = 4;
        /// `u32`: most combined queues (5.7).
        ETHTOOL_A_CHANNELS_COMBINED_MAX = 5;
        /// `u32`: receive queues (5.7).
        ETHTOOL_A_CHANNELS_RX_COUNT = 6;
        /// `u32`: transmit queues (5.7).
        ETHTOOL_A_CHANNELS_TX_COUNT = 7;
        /// `u32`: other queues (5.7).
        ETHTOOL_A_CHANNELS_OTHER_COUNT = 8;
        /// `u32`: combined queues (5.7).
        ETHTOOL_A_CHANNELS_COMBINED_COUNT = 9;
    }
}

/// Name of the netlink family (5.6).
pub const ETHTOOL_GENL_NAME: &str = "ethtool";

/// Name of its multicast group with the notifications (5.6).
pub const ETHTOOL_MCGRP_MONITOR_NAME: &str = "monitor";

/// Padding of C before a `u64` that follows an odd number of `u32`: none on i386.
const GAP: usize = align_of::<u64>() - 4;
/// Two gaps.
const GAPS: usize = 2 * GAP;

/// Size of a pointer.
const PTR: usize = size_of::<usize>();
/// Size of two pointers.
const PTRS: usize = 2 * PTR;

structs! {
    /// Argument of [`SIOCETHTOOL`]: `struct ifreq` with a pointer; from `linux/if.h`.
    pub struct ifreq_data(24 + PTRS, Part("ifreq")) {
        /// Name of the device, ended by a zero.
        0: ifr_name as ifrn_name: [u8; IFNAMSIZ],
        /// Pointer to the struct with the command.
        16: ifr_data as ifru_data: usize,
        /// Belongs to other forms of the union.
        16 + PTR: _pad: [u8; 8 + PTR],
    }

    /// Which driver a device has. Names end with a zero.
    pub struct ethtool_drvinfo(196, Same) {
        /// [`ETHTOOL_GDRVINFO`].
        0: cmd: u32,
        /// Name of the driver.
        4: driver: [u8; 32],
        /// Version of the driver.
        36: version: [u8; 32],
        /// Version of the firmware.
        68: fw_version: [u8; 32],
        /// Name of the device on its bus.
        100: bus_info: [u8; 32],
        /// Version of the expansion ROM.
        132: erom_version: [u8; 32],
        /// Not used.
        164: reserved2: [u8; 12],
        /// Number of private flags.
        176: n_priv_flags: u32,
        /// Number of statistics.
        180: n_stats: u32,
        /// Number of results of a self-test.
        184: testinfo_len: u32,
        /// Bytes of the EEPROM.
        188: eedump_len: u32,
        /// Bytes of the registers.
        192: regdump_len: u32,
    }

    /// A number.
    pub struct ethtool_value(8, Same) {
        /// [`ETHTOOL_GFLAGS`] or [`ETHTOOL_SFLAGS`].
        0: cmd: u32,
        /// The number.
        4: data: u32,
    }

    /// How the receive hash chooses queues: `indir_size` words follow, each the number of a queue,
    /// and `key_size` bytes.
    pub struct ethtool_rxfh(24, Part("ethtool_rxfh")) {
        /// [`ETHTOOL_GRSSH`] or [`ETHTOOL_SRSSH`].
        0: cmd: u32,
        /// Which context; 0 is that of all other packets (4.17).
        4: rss_context: u32,
        /// Entries of the table; 0 to ask for their number, or to set the default.
        8: indir_size: u32,
        /// Bytes of the key; 0 to ask for their number, or to leave it as it is.
        12: key_size: u32,
        /// Hash function, `ETH_RSS_HASH_*`.
        16: hfunc: u8,
        /// What is done to the fields before they are hashed, `RXH_XFRM_*` (6.8; before, zero).
        17: input_xfrm: u8,
        /// Zero.
        18: _pad: [u8; 6],
    }

    /// Numbers of queues.
    pub struct ethtool_channels(36, Same) {
        /// [`ETHTOOL_GCHANNELS`] or [`ETHTOOL_SCHANNELS`].
        0: cmd: u32,
        /// Most receive queues.
        4: max_rx: u32,
        /// Most transmit queues.
        8: max_tx: u32,
        /// Most other queues.
        12: max_other: u32,
        /// Most queues that receive and transmit.
        16: max_combined: u32,
        /// Receive queues.
        20: rx_count: u32,
        /// Transmit queues.
        24: tx_count: u32,
        /// Other queues.
        28: other_count: u32,
        /// Queues that receive and transmit.
        32: combined_count: u32,
    }

    /// Sizes of the device's own rings.
    pub struct ethtool_ringparam(36, Same) {
        /// [`ETHTOOL_GRINGPARAM`] or [`ETHTOOL_SRINGPARAM`].
        0: cmd: u32,
        /// Largest receive ring.
        4: rx_max_pending: u32,
        /// Largest receive ring for small packets.
        8: rx_mini_max_pending: u32,
        /// Largest receive ring for large packets.
        12: rx_jumbo_max_pending: u32,
        /// Largest transmit ring.
        16: tx_max_pending: u32,
        /// Receive ring.
        20: rx_pending: u32,
        /// Receive ring for small packets.
        24: rx_mini_pending: u32,
        /// Receive ring for large packets.
        28: rx_jumbo_pending: u32,
        /// Transmit ring.
        32: tx_pending: u32,
    }

    /// A TCP, UDP or SCTP flow over IPv4. In network byte order; a mask has 1 where to compare.
    pub struct ethtool_tcpip4_spec(16, Same) {
        /// Source address.
        0: ip4src: [u8; 4],
        /// Destination address.
        4: ip4dst: [u8; 4],
        /// Source port.
        8: psrc: [u8; 2],
        /// Destination port.
        10: pdst: [u8; 2],
        /// Type of service.
        12: tos: u8,
        /// Zero.
        13: _pad: [u8; 3],
    }

    /// A TCP, UDP or SCTP flow over IPv6, in network byte order.
    pub struct ethtool_tcpip6_spec(40, Same) {
        /// Source address.
        0: ip6src: [u8; 16],
        /// Destination address.
        16: ip6dst: [u8; 16],
        /// Source port.
        32: psrc: [u8; 2],
        /// Destination port.
        34: pdst: [u8; 2],
        /// Traffic class.
        36: tclass: u8,
        /// Zero.
        37: _pad: [u8; 3],
    }

    /// Any flow over IPv4, in network byte order.
    pub struct ethtool_usrip4_spec(16, Same) {
        /// Source address.
        0: ip4src: [u8; 4],
        /// Destination address.
        4: ip4dst: [u8; 4],
        /// First four bytes after the IP header.
        8: l4_4_bytes: [u8; 4],
        /// Type of service.
        12: tos: u8,
        /// 1; the mask is zero.
        13: ip_ver: u8,
        /// Protocol.
        14: proto: u8,
        /// Zero.
        15: _pad: u8,
    }

    /// Any flow over IPv6, in network byte order.
    pub struct ethtool_usrip6_spec(40, Same) {
        /// Source address.
        0: ip6src: [u8; 16],
        /// Destination address.
        16: ip6dst: [u8; 16],
        /// First four bytes after the IP header.
        32: l4_4_bytes: [u8; 4],
        /// Traffic class.
        36: tclass: u8,
        /// Protocol.
        37: l4_proto: u8,
        /// Zero.
        38: _pad: [u8; 2],
    }

    /// Ethernet header; from `linux/if_ether.h`.
    pub struct ethhdr(14, Same) {
        /// Destination.
        0: h_dest: [u8; 6],
        /// Source.
        6: h_source: [u8; 6],
        /// Protocol, in network byte order.
        12: h_proto: [u8; 2],
    }

    /// More of a flow, in network byte order.
    pub struct ethtool_flow_ext(20, Same) {
        /// Zero.
        0: padding: [u8; 2],
        /// Destination hardware address, with [`FLOW_MAC_EXT`].
        2: h_dest: [u8; 6],
        /// VLAN protocol, with [`FLOW_EXT`].
        8: vlan_etype: [u8; 2],
        /// VLAN tag, with [`FLOW_EXT`].
        10: vlan_tci: [u8; 2],
        /// Data that the driver defines, with [`FLOW_EXT`].
        12: data: [u8; 8],
    }

    /// A steering rule.
    pub struct ethtool_rx_flow_spec(160 + GAPS, Same) {
        /// Kind of flow, with [`FLOW_EXT`] and its neighbours.
        0: flow_type: u32,
        /// Flow: one of the `*_spec` structs or an [`ethhdr`], then zeros.
        4: h_u: [u8; 52],
        /// More of the flow.
        56: h_ext: ethtool_flow_ext,
        /// Mask over `h_u`.
        76: m_u: [u8; 52],
        /// Mask over `h_ext`.
        128: m_ext: ethtool_flow_ext,
        /// Zero.
        148: _pad0: [u8; GAP],
        /// Queue, or [`RX_CLS_FLOW_DISC`].
        148 + GAP: ring_cookie: u64,
        /// Place of the rule, or [`RX_CLS_LOC_ANY`].
        156 + GAP: location: u32,
        /// Zero.
        160 + GAP: _pad1: [u8; GAP],
    }

    /// Argument of the commands on rules.
    pub struct ethtool_rxnfc(184 + GAPS, Same) {
        /// `ETHTOOL_*RX*`.
        0: cmd: u32,
        /// Kind of flow, for commands on the receive hash.
        4: flow_type: u32,
        /// What the command defines.
        8: data: u64,
        /// The rule.
        16: fs: ethtool_rx_flow_spec,
        /// Number of rules; with [`FLOW_RSS`] the spreading context.
        176 + GAPS: rule_cnt: u32,
        /// First of the places that [`ETHTOOL_GRXCLSRLALL`] writes; the others follow. The kernel's
        /// array has no length. This element takes the place of the struct's final padding; i386 has
        /// none, and the element makes the struct longer.
        180 + GAPS: rule_locs: [u32; 1],
    }
}

/// Sizes and offsets of a C compiler on i386, as plain numbers: those above are computed.
#[cfg(target_arch = "x86")]
mod i386 {
    use super::{ethtool_rx_flow_spec, ethtool_rxnfc, ifreq_data};
    use core::mem::offset_of;
    use static_assertions::const_assert_eq;

    const_assert_eq!(size_of::<ifreq_data>(), 32);
    const_assert_eq!(size_of::<ethtool_rx_flow_spec>(), 160);
    const_assert_eq!(offset_of!(ethtool_rx_flow_spec, ring_cookie), 148);
    const_assert_eq!(offset_of!(ethtool_rxnfc, rule_cnt), 176);
    const_assert_eq!(offset_of!(ethtool_rxnfc, rule_locs), 180);
}
