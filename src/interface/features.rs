//! Reads what a driver can do with XDP from the generic netlink family `netdev`.

use crate::netlink::message::{Malformed, Message, Request};
use crate::netlink::{Netlink, Refusal, Reply};
use rustix::io::Errno;
use std::fmt;
use xsk_uapi::genetlink::{
    CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL, genlmsghdr,
};
use xsk_uapi::netdev::{
    NETDEV_A_DEV_IFINDEX, NETDEV_A_DEV_XDP_FEATURES, NETDEV_A_DEV_XDP_RX_METADATA_FEATURES,
    NETDEV_A_DEV_XDP_ZC_MAX_SEGS, NETDEV_A_DEV_XSK_FEATURES, NETDEV_CMD_DEV_GET,
    NETDEV_FAMILY_NAME, NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_HW_OFFLOAD, NETDEV_XDP_ACT_NDO_XMIT,
    NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG,
    NETDEV_XDP_ACT_XSK_ZEROCOPY, NETDEV_XDP_RX_METADATA_HASH, NETDEV_XDP_RX_METADATA_TIMESTAMP,
    NETDEV_XDP_RX_METADATA_VLAN_TAG, NETDEV_XSK_FLAGS_TX_CHECKSUM,
    NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO, NETDEV_XSK_FLAGS_TX_TIMESTAMP,
};

/// The names of `enum netdev_xdp_act`, without their common beginning.
const ACTS: &[(u64, &str)] = &[
    (NETDEV_XDP_ACT_BASIC, "BASIC"),
    (NETDEV_XDP_ACT_REDIRECT, "REDIRECT"),
    (NETDEV_XDP_ACT_NDO_XMIT, "NDO_XMIT"),
    (NETDEV_XDP_ACT_XSK_ZEROCOPY, "XSK_ZEROCOPY"),
    (NETDEV_XDP_ACT_HW_OFFLOAD, "HW_OFFLOAD"),
    (NETDEV_XDP_ACT_RX_SG, "RX_SG"),
    (NETDEV_XDP_ACT_NDO_XMIT_SG, "NDO_XMIT_SG"),
];
/// The names of `enum netdev_xdp_rx_metadata`, likewise.
const RX_METADATA: &[(u64, &str)] = &[
    (NETDEV_XDP_RX_METADATA_TIMESTAMP, "TIMESTAMP"),
    (NETDEV_XDP_RX_METADATA_HASH, "HASH"),
    (NETDEV_XDP_RX_METADATA_VLAN_TAG, "VLAN_TAG"),
];
/// The names of `enum netdev_xsk_flags`, likewise.
const XSK_FLAGS: &[(u64, &str)] = &[
    (NETDEV_XSK_FLAGS_TX_TIMESTAMP, "TX_TIMESTAMP"),
    (NETDEV_XSK_FLAGS_TX_CHECKSUM, "TX_CHECKSUM"),
    (NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO, "TX_LAUNCH_TIME_FIFO"),
];

/// What a driver can do with XDP programs and AF_XDP sockets (`NETDEV_A_DEV_XDP_FEATURES`,
/// linux/netdev.h, 6.3).
///
/// Bits may change when programs are attached and detached.
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// match Interface::by_name("lo")?.xdp_features()? {
///     Some(features) => println!("zero-copy: {}", features.zero_copy()),
///     None => println!("this kernel does not report it"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct XdpFeatures {
    bits: u64,
    max_segments: Option<u32>,
    /// `None` before 6.7.
    rx_metadata: Option<u64>,
    /// `None` before 6.8.
    xsk_bits: Option<u64>,
}

impl XdpFeatures {
    /// Returns whether it runs programs in native mode and obeys ABORTED, DROP, PASS and TX
    /// (`NETDEV_XDP_ACT_BASIC`).
    #[must_use]
    pub fn native(&self) -> bool {
        self.bits & NETDEV_XDP_ACT_BASIC != 0
    }

    /// Returns whether it obeys REDIRECT, which AF_XDP needs, in native mode
    /// (`NETDEV_XDP_ACT_REDIRECT`).
    #[must_use]
    pub fn redirect(&self) -> bool {
        self.bits & NETDEV_XDP_ACT_REDIRECT != 0
    }

    /// Returns whether programs can redirect frames to it (`NETDEV_XDP_ACT_NDO_XMIT`). Of a veth it
    /// depends on the other end: a program in native mode, or GRO.
    #[must_use]
    pub fn redirect_target(&self) -> bool {
        self.bits & NETDEV_XDP_ACT_NDO_XMIT != 0
    }

    /// Returns whether it takes AF_XDP sockets in zero-copy mode (`NETDEV_XDP_ACT_XSK_ZEROCOPY`).
    #[must_use]
    pub fn zero_copy(&self) -> bool {
        self.bits & NETDEV_XDP_ACT_XSK_ZEROCOPY != 0
    }

    /// Returns whether it gives programs packets that lie in several buffers
    /// (`NETDEV_XDP_ACT_RX_SG`).
    #[must_use]
    pub fn receive_segments(&self) -> bool {
        self.bits & NETDEV_XDP_ACT_RX_SG != 0
    }

    /// Returns how many frames a packet may have in zero-copy mode (`NETDEV_A_DEV_XDP_ZC_MAX_SEGS`,
    /// 6.6): 1 means that each packet has to fit into one. `None` without zero-copy mode, and where
    /// the kernel does not report it.
    #[must_use]
    pub fn zero_copy_max_segments(&self) -> Option<u32> {
        self.max_segments
    }

    /// Returns the bits as the kernel reports them (`enum netdev_xdp_act`).
    #[must_use]
    pub fn bits(&self) -> u64 {
        self.bits
    }

    /// Returns whether programs can read when the card received a packet (6.7); `None` if the
    /// kernel does not report it.
    #[must_use]
    #[doc(alias = "NETDEV_XDP_RX_METADATA_TIMESTAMP")]
    pub fn rx_timestamp(&self) -> Option<bool> {
        self.rx_metadata.map(|bits| bits & NETDEV_XDP_RX_METADATA_TIMESTAMP != 0)
    }

    /// Returns whether programs can read the hash that the card computed for a received packet
    /// (6.7); `None` if the kernel does not report it.
    #[must_use]
    #[doc(alias = "NETDEV_XDP_RX_METADATA_HASH")]
    pub fn rx_hash(&self) -> Option<bool> {
        self.rx_metadata.map(|bits| bits & NETDEV_XDP_RX_METADATA_HASH != 0)
    }

    /// Returns whether programs can read the VLAN tag that the card took off a received packet
    /// (6.8); `None` if the kernel does not report it. Linux 6.7 has no driver with it.
    #[must_use]
    #[doc(alias = "NETDEV_XDP_RX_METADATA_VLAN_TAG")]
    pub fn rx_vlan_tag(&self) -> Option<bool> {
        self.rx_metadata.map(|bits| bits & NETDEV_XDP_RX_METADATA_VLAN_TAG != 0)
    }

    /// Returns whether the card writes the time at which it sent a packet
    /// ([`TxMetadata::timestamp`](crate::packet::TxMetadata::timestamp)) in zero-copy mode (6.8).
    #[must_use]
    #[doc(alias = "NETDEV_XSK_FLAGS_TX_TIMESTAMP")]
    pub fn tx_timestamp(&self) -> bool {
        self.has_xsk_bit(NETDEV_XSK_FLAGS_TX_TIMESTAMP)
    }

    /// Returns whether the card computes checksums
    /// ([`TxMetadata::checksum`](crate::packet::TxMetadata::checksum)) in zero-copy mode (6.8).
    #[must_use]
    #[doc(alias = "NETDEV_XSK_FLAGS_TX_CHECKSUM")]
    pub fn tx_checksum(&self) -> bool {
        self.has_xsk_bit(NETDEV_XSK_FLAGS_TX_CHECKSUM)
    }

    /// Returns whether the card sends a packet at a given time
    /// ([`TxMetadata::launch_time`](crate::packet::TxMetadata::launch_time)) in zero-copy mode (6.15).
    #[must_use]
    #[doc(alias = "NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO")]
    pub fn tx_launch_time(&self) -> bool {
        self.has_xsk_bit(NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO)
    }

    /// Returns the bits about TX metadata as the kernel reports them (`enum netdev_xsk_flags`, 6.8);
    /// `None` if it does not: then [`tx_timestamp`](Self::tx_timestamp) and its like, which return
    /// `false`, are not known.
    #[must_use]
    #[doc(alias = "NETDEV_A_DEV_XSK_FEATURES")]
    pub fn tx_metadata_bits(&self) -> Option<u64> {
        self.xsk_bits
    }

    fn has_xsk_bit(&self, bit: u64) -> bool {
        self.xsk_bits.is_some_and(|bits| bits & bit != 0)
    }

    /// Reads the reply to `NETDEV_CMD_DEV_GET`.
    pub(crate) fn read(message: &Message<'_>) -> Result<Self, Malformed> {
        let mut features = Self::default();
        for attribute in message.split::<genlmsghdr>()?.1 {
            let attribute = attribute?;
            match attribute.kind {
                NETDEV_A_DEV_XDP_FEATURES => features.bits = attribute.value()?,
                NETDEV_A_DEV_XDP_RX_METADATA_FEATURES => {
                    features.rx_metadata = Some(attribute.value()?);
                }
                NETDEV_A_DEV_XSK_FEATURES => features.xsk_bits = Some(attribute.value()?),
                NETDEV_A_DEV_XDP_ZC_MAX_SEGS => features.max_segments = Some(attribute.value()?),
                _ => {}
            }
        }
        Ok(features)
    }
}

impl fmt::Debug for XdpFeatures {
    /// Writes the kernel's names of the bits, without their common beginnings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XdpFeatures")
            .field("xdp", &Bits(self.bits, ACTS))
            .field("zero_copy_max_segments", &self.max_segments)
            .field("rx_metadata", &self.rx_metadata.map(|bits| Bits(bits, RX_METADATA)))
            .field("xsk", &self.xsk_bits.map(|bits| Bits(bits, XSK_FLAGS)))
            .finish()
    }
}

/// Bits, and the names of those that have one.
struct Bits(u64, &'static [(u64, &'static str)]);

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bits, names) = *self;
        if bits == 0 {
            return f.write_str("none");
        }
        let (mut rest, mut between) = (bits, "");
        for (bit, name) in names.iter().filter(|(bit, _)| bits & bit != 0) {
            write!(f, "{between}{name}")?;
            (rest, between) = (rest & !bit, " | ");
        }
        if rest != 0 { write!(f, "{between}{rest:#x}") } else { Ok(()) }
    }
}

/// Reads the id of a generic netlink family from `CTRL_CMD_NEWFAMILY`.
pub(crate) fn family_id(message: &Message<'_>) -> Result<Option<u16>, Malformed> {
    for attribute in message.split::<genlmsghdr>()?.1 {
        let attribute = attribute?;
        if attribute.kind == CTRL_ATTR_FAMILY_ID {
            return attribute.value().map(Some);
        }
    }
    Ok(None)
}

/// Reads the id of the family `netdev` from the result of looking it up; `None` where the kernel
/// has no such family: before 6.3.
pub(super) fn family(result: Result<Vec<Reply>, Refusal>) -> Result<Option<u16>, Refusal> {
    let replies = match result {
        Err(Refusal { errno: Errno::NOENT, .. }) => return Ok(None),
        result => result?,
    };
    let id = family_id(&replies.first().ok_or(Malformed)?.message())?;
    Ok(Some(id.ok_or(Malformed)?))
}

/// Returns the fixed part of a generic netlink message with this command.
pub(super) fn command(cmd: u8) -> genlmsghdr {
    genlmsghdr { cmd, version: 1, reserved: 0 }
}

/// Asks for the id of the family `netdev`; `None` where the kernel has no such family: before 6.3.
pub(super) fn netdev_family(generic: &Netlink) -> Result<Option<u16>, Refusal> {
    let mut request = Request::new(GENL_ID_CTRL, 0, &command(CTRL_CMD_GETFAMILY));
    request.string(CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY_NAME);
    family(generic.ask(&request))
}

/// Asks for the features of the interface with this index.
pub(super) fn ask(generic: &Netlink, index: u32) -> Result<Option<XdpFeatures>, Refusal> {
    let Some(id) = netdev_family(generic)? else {
        return Ok(None);
    };
    let mut request = Request::new(id, 0, &command(NETDEV_CMD_DEV_GET));
    request.u32(NETDEV_A_DEV_IFINDEX, index);
    let replies = generic.ask(&request)?;
    Ok(Some(XdpFeatures::read(&replies.first().ok_or(Malformed)?.message())?))
}
