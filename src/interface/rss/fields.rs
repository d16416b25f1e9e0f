//! The fields of a packet that the receive hash is made of.

use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::interface::undo::{Setting, Undo, guard_methods};
use crate::sys::ethtool::flow;
use rustix::io::Errno;
use xsk_uapi::ethtool::{
    IPV4_FLOW, IPV6_FLOW, RXH_IP_DST, RXH_IP_SRC, RXH_L2DA, RXH_L3_PROTO, RXH_L4_B_0_1,
    RXH_L4_B_2_3, RXH_VLAN, SCTP_V4_FLOW, SCTP_V6_FLOW, TCP_V4_FLOW, TCP_V6_FLOW, UDP_V4_FLOW,
    UDP_V6_FLOW,
};

const ASK: &str = "ask for the hash fields of";
const SET: &str = "set the hash fields of";

/// A kind of packets, which have hash fields of their own.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// use xsk::interface::FlowKind;
/// let interface = xsk::Interface::by_name("eth1")?;
/// println!("{:?}", interface.hash_fields(FlowKind::UdpV4)?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlowKind {
    /// TCP over IPv4.
    TcpV4,
    /// UDP over IPv4.
    UdpV4,
    /// SCTP over IPv4.
    SctpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP over IPv6.
    UdpV6,
    /// SCTP over IPv6.
    SctpV6,
    /// Any other IPv4.
    Ipv4,
    /// Any other IPv6.
    Ipv6,
}

impl FlowKind {
    fn code(self) -> u32 {
        match self {
            Self::TcpV4 => TCP_V4_FLOW,
            Self::UdpV4 => UDP_V4_FLOW,
            Self::SctpV4 => SCTP_V4_FLOW,
            Self::TcpV6 => TCP_V6_FLOW,
            Self::UdpV6 => UDP_V6_FLOW,
            Self::SctpV6 => SCTP_V6_FLOW,
            Self::Ipv4 => IPV4_FLOW,
            Self::Ipv6 => IPV6_FLOW,
        }
    }
}

/// The fields of a packet that the receive hash is made of (`RXH_*`).
///
/// Many cards hash UDP by addresses only at first: fragments of one packet then come to one queue,
/// and all flows between two hosts, too.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// use xsk::interface::{FlowKind, HashFields};
/// let interface = xsk::Interface::by_name("eth1")?;
/// let fields = HashFields::ADDRESSES_AND_PORTS;
/// let guard = interface.set_hash_fields(FlowKind::UdpV4, fields)?;
/// # guard.restore()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct HashFields {
    /// The IP address of the sender.
    pub source_address: bool,
    /// The IP address of the receiver.
    pub destination_address: bool,
    /// The port of the sender.
    pub source_port: bool,
    /// The port of the receiver.
    pub destination_port: bool,
    /// The protocol of the IP header.
    pub protocol: bool,
    /// The VLAN tag.
    pub vlan: bool,
    /// The Ethernet address of the receiver.
    pub destination_mac: bool,
    /// Bits that this crate has no word for.
    pub other: u64,
}

impl HashFields {
    /// No field: all such packets come to one queue.
    pub const NONE: Self = Self {
        source_address: false,
        destination_address: false,
        source_port: false,
        destination_port: false,
        protocol: false,
        vlan: false,
        destination_mac: false,
        other: 0,
    };
    /// The two IP addresses.
    pub const ADDRESSES: Self =
        Self { source_address: true, destination_address: true, ..Self::NONE };
    /// The two IP addresses and the two ports.
    pub const ADDRESSES_AND_PORTS: Self =
        Self { source_port: true, destination_port: true, ..Self::ADDRESSES };

    /// Returns each field with its bit.
    fn bits(&mut self) -> [(&mut bool, u64); 7] {
        [
            (&mut self.source_address, RXH_IP_SRC),
            (&mut self.destination_address, RXH_IP_DST),
            (&mut self.source_port, RXH_L4_B_0_1),
            (&mut self.destination_port, RXH_L4_B_2_3),
            (&mut self.protocol, RXH_L3_PROTO),
            (&mut self.vlan, RXH_VLAN),
            (&mut self.destination_mac, RXH_L2DA),
        ]
    }

    fn read(data: u64) -> Self {
        let (mut fields, mut other) = (Self::NONE, data);
        for (field, bit) in fields.bits() {
            *field = data & bit != 0;
            other &= !bit;
        }
        Self { other, ..fields }
    }

    fn write(mut self) -> u64 {
        let other = self.other;
        let set = self.bits().into_iter().filter(|(field, _)| **field);
        set.fold(other, |data, (_, bit)| data | bit)
    }
}

/// The fields of one kind of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OfKind {
    kind: FlowKind,
    fields: HashFields,
}

/// Hash fields that were set; dropping it puts back those from before.
///
/// A process that is killed leaves what it set, and `ethtool -N eth0 rx-flow-hash udp4 sd`
/// undoes it (s and d are the addresses, f and n the ports).
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// use xsk::interface::{FlowKind, HashFields};
/// let interface = xsk::Interface::by_name("eth1")?;
/// let guard = interface.set_hash_fields(FlowKind::UdpV6, HashFields::ADDRESSES)?;
/// guard.keep();
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it puts back what was there before; `keep` leaves what was set"]
pub struct HashFieldsGuard(Undo<OfKind>);

guard_methods!(HashFieldsGuard);

impl Setting for OfKind {
    const RESTORE: &'static str = "restore the hash fields of";

    fn read_again(&self, interface: &Interface) -> Result<Self> {
        let kind = self.kind;
        let data = interface.ethtool(ASK, |device| flow::hash_fields(device, kind.code()))?;
        Ok(Self { kind, fields: HashFields::read(data) })
    }

    fn write(&self, interface: &Interface) -> Result<()> {
        let (code, data) = (self.kind.code(), self.fields.write());
        interface.ethtool(SET, |device| flow::set_hash_fields(device, code, data))
    }
}

impl Interface {
    /// Returns the fields of such packets that its receive hash is made of (`ethtool -n eth0
    /// rx-flow-hash udp4`); `None` for a driver that does not report them.
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone.
    #[doc(alias = "ETHTOOL_GRXFH")]
    pub fn hash_fields(&self, kind: FlowKind) -> Result<Option<HashFields>> {
        match self.ethtool(ASK, |device| flow::hash_fields(device, kind.code())) {
            Ok(data) => Ok(Some(HashFields::read(data))),
            Err(Error::Interface { errno: Errno::OPNOTSUPP | Errno::INVAL, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets the fields of such packets that its receive hash is made of (`ethtool -N eth0
    /// rx-flow-hash udp4 sdfn`).
    ///
    /// Needs CAP_NET_ADMIN. Most cards can do this for UDP only, and with the ports only together.
    ///
    /// # Errors
    /// [`Error::Interface`] with `EINVAL` or `EOPNOTSUPP` for fields that the driver cannot have; with
    /// `EPERM`.
    #[doc(alias = "ETHTOOL_SRXFH")]
    pub fn set_hash_fields(&self, kind: FlowKind, fields: HashFields) -> Result<HashFieldsGuard> {
        let data = self.ethtool(SET, |device| flow::hash_fields(device, kind.code()))?;
        let before = OfKind { kind, fields: HashFields::read(data) };
        Ok(HashFieldsGuard(Undo::set(self, before, &OfKind { kind, fields })?))
    }
}

#[cfg(test)]
mod tests {
    use super::HashFields;

    #[test]
    fn fields_are_bits() {
        for data in [0, 1 << 4 | 1 << 5, 0xf0, 0xfe, 0xffff_ffff_ffff_ffff] {
            assert_eq!(HashFields::read(data).write(), data);
        }
        assert_eq!(HashFields::ADDRESSES.write(), 0x30);
        assert_eq!(HashFields::ADDRESSES_AND_PORTS.write(), 0xf0);
        assert_eq!(HashFields::read(0x1f0).other, 0x100);
    }
}
