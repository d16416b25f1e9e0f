//! Reads what a driver can do with XDP from the generic netlink family `netdev`.

use crate::netlink::message::{Malformed, Message, Request};
use crate::netlink::{Netlink, Refusal, Reply};
use rustix::io::Errno;
use xsk_uapi::genetlink::{
    CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL, genlmsghdr,
};
use xsk_uapi::netdev::{
    NETDEV_A_DEV_IFINDEX, NETDEV_A_DEV_XDP_FEATURES, NETDEV_A_DEV_XDP_ZC_MAX_SEGS,
    NETDEV_A_DEV_XSK_FEATURES, NETDEV_CMD_DEV_GET, NETDEV_FAMILY_NAME, NETDEV_XDP_ACT_BASIC,
    NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY,
    NETDEV_XSK_FLAGS_TX_CHECKSUM, NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO,
    NETDEV_XSK_FLAGS_TX_TIMESTAMP,
};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct XdpFeatures {
    bits: u64,
    max_segments: Option<u32>,
    xsk_bits: u64,
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

    /// Returns whether the card writes the time at which it sent a packet
    /// ([`TxMetadata::timestamp`](crate::packet::TxMetadata::timestamp)) in zero-copy mode (6.8).
    #[must_use]
    #[doc(alias = "NETDEV_XSK_FLAGS_TX_TIMESTAMP")]
    pub fn tx_timestamp(&self) -> bool {
        self.xsk_bits & NETDEV_XSK_FLAGS_TX_TIMESTAMP != 0
    }

    /// Returns whether the card computes checksums
    /// ([`TxMetadata::checksum`](crate::packet::TxMetadata::checksum)) in zero-copy mode (6.8).
    #[must_use]
    #[doc(alias = "NETDEV_XSK_FLAGS_TX_CHECKSUM")]
    pub fn tx_checksum(&self) -> bool {
        self.xsk_bits & NETDEV_XSK_FLAGS_TX_CHECKSUM != 0
    }

    /// Returns whether the card sends a packet at a given time
    /// ([`TxMetadata::launch_time`](crate::packet::TxMetadata::launch_time)) in zero-copy mode (6.15).
    #[must_use]
    #[doc(alias = "NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO")]
    pub fn tx_launch_time(&self) -> bool {
        self.xsk_bits & NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO != 0
    }

    /// Reads the reply to `NETDEV_CMD_DEV_GET`.
    pub(crate) fn read(message: &Message<'_>) -> Result<Self, Malformed> {
        let mut features = Self::default();
        for attribute in message.split::<genlmsghdr>()?.1 {
            let attribute = attribute?;
            match attribute.kind {
                NETDEV_A_DEV_XDP_FEATURES => features.bits = attribute.value()?,
                NETDEV_A_DEV_XSK_FEATURES => features.xsk_bits = attribute.value()?,
                NETDEV_A_DEV_XDP_ZC_MAX_SEGS => features.max_segments = Some(attribute.value()?),
                _ => {}
            }
        }
        Ok(features)
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

/// Returns the fixed part of a request to a generic netlink family.
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
