//! Where the header of each kind of flow has its fields.

use std::mem::offset_of;
use xsk_uapi::ethtool::{
    ETHER_FLOW, IPV4_USER_FLOW, IPV6_USER_FLOW, SCTP_V4_FLOW, SCTP_V6_FLOW, TCP_V4_FLOW,
    TCP_V6_FLOW, UDP_V4_FLOW, UDP_V6_FLOW, ethhdr, ethtool_tcpip4_spec, ethtool_tcpip6_spec,
    ethtool_usrip4_spec, ethtool_usrip6_spec,
};

/// Where the header of a kind of flow has a field, and how many bytes of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) at: usize,
    pub(super) bytes: usize,
}

/// Where a kind of flow has its fields; those that it does not have are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fields {
    pub(super) source: Option<Field>,
    pub(super) destination: Option<Field>,
    pub(super) source_port: Option<Field>,
    pub(super) destination_port: Option<Field>,
    pub(super) protocol: Option<Field>,
    pub(super) source_mac: Option<Field>,
    pub(super) destination_mac: Option<Field>,
    pub(super) ethertype: Option<Field>,
}

macro_rules! field {
    ($spec:ty, $field:ident, $bytes:literal) => {
        Some(Field { at: offset_of!($spec, $field), bytes: $bytes })
    };
}

impl Fields {
    const NONE: Self = Self {
        source: None,
        destination: None,
        source_port: None,
        destination_port: None,
        protocol: None,
        source_mac: None,
        destination_mac: None,
        ethertype: None,
    };
    const PORTS_V4: Self = Self {
        source: field!(ethtool_tcpip4_spec, ip4src, 4),
        destination: field!(ethtool_tcpip4_spec, ip4dst, 4),
        source_port: field!(ethtool_tcpip4_spec, psrc, 2),
        destination_port: field!(ethtool_tcpip4_spec, pdst, 2),
        ..Self::NONE
    };
    const PORTS_V6: Self = Self {
        source: field!(ethtool_tcpip6_spec, ip6src, 16),
        destination: field!(ethtool_tcpip6_spec, ip6dst, 16),
        source_port: field!(ethtool_tcpip6_spec, psrc, 2),
        destination_port: field!(ethtool_tcpip6_spec, pdst, 2),
        ..Self::NONE
    };
    const IP_V4: Self = Self {
        source: field!(ethtool_usrip4_spec, ip4src, 4),
        destination: field!(ethtool_usrip4_spec, ip4dst, 4),
        protocol: field!(ethtool_usrip4_spec, proto, 1),
        ..Self::NONE
    };
    const IP_V6: Self = Self {
        source: field!(ethtool_usrip6_spec, ip6src, 16),
        destination: field!(ethtool_usrip6_spec, ip6dst, 16),
        protocol: field!(ethtool_usrip6_spec, l4_proto, 1),
        ..Self::NONE
    };
    const ETHERNET: Self = Self {
        source_mac: field!(ethhdr, h_source, 6),
        destination_mac: field!(ethhdr, h_dest, 6),
        ethertype: field!(ethhdr, h_proto, 2),
        ..Self::NONE
    };

    /// Returns the fields of a kind of flow; `None` for one that this crate does not know.
    pub(super) fn of(flow: u32) -> Option<Self> {
        match flow {
            TCP_V4_FLOW | UDP_V4_FLOW | SCTP_V4_FLOW => Some(Self::PORTS_V4),
            TCP_V6_FLOW | UDP_V6_FLOW | SCTP_V6_FLOW => Some(Self::PORTS_V6),
            IPV4_USER_FLOW => Some(Self::IP_V4),
            IPV6_USER_FLOW => Some(Self::IP_V6),
            ETHER_FLOW => Some(Self::ETHERNET),
            _ => None,
        }
    }

    /// Returns all fields that there are.
    pub(super) fn all(&self) -> impl Iterator<Item = Field> {
        let Self { source, destination, source_port, destination_port, .. } = *self;
        let Self { protocol, source_mac, destination_mac, ethertype, .. } = *self;
        let ip = [source, destination, source_port, destination_port, protocol];
        ip.into_iter().chain([source_mac, destination_mac, ethertype]).flatten()
    }
}
