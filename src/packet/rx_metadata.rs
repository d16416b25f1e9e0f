//! What the network card knows of a received packet, as a program hands it over.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A property of a packet.
///
/// ```
/// use xsk::packet::Property;
/// let hash: Property<u32> = Property::NotSupported;
/// assert_eq!(hash.known(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Property<T> {
    /// The driver reported it.
    Known(T),
    /// The driver does not have it of this packet (`ENODATA`).
    NotOfThisPacket,
    /// The driver, or the kernel, does not know it of any packet (`EOPNOTSUPP`).
    NotSupported,
}

impl<T> Property<T> {
    /// Returns the value, if it is known.
    #[inline]
    #[must_use]
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::NotOfThisPacket | Self::NotSupported => None,
        }
    }

    #[inline]
    fn new(value: T, errno: u16) -> Self {
        match errno {
            0 => Self::Known(value),
            NOT_SUPPORTED => Self::NotSupported,
            _ => Self::NotOfThisPacket,
        }
    }
}

/// `EOPNOTSUPP`, which has this number on every processor that this crate knows.
const NOT_SUPPORTED: u16 = 95;

/// What the network card knows of a received packet.
///
/// ```
/// use xsk::packet::{Property, RxMetadata};
/// # fn f(metadata: RxMetadata) {
/// match metadata.hash {
///     Property::Known(hash) if hash.is_l4() => println!("flow {:08x}", hash.value),
///     Property::Known(hash) => println!("host pair {:08x}", hash.value),
///     Property::NotOfThisPacket => println!("the card computed none"),
///     Property::NotSupported => println!("the driver reports none"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RxMetadata {
    /// When the card received the packet, in nanoseconds of the card's clock (6.3). A driver that
    /// reports 0, as veth does, has none of this packet.
    pub timestamp: Property<u64>,
    /// The hash by which the card spreads packets over its queues (6.3).
    pub hash: Property<RxHash>,
    /// The VLAN tag that the card took out of the packet (6.8).
    pub vlan: Property<VlanTag>,
}

impl RxMetadata {
    /// Returns metadata of which nothing is known, for tests to fill in.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            timestamp: Property::NotSupported,
            hash: Property::NotSupported,
            vlan: Property::NotSupported,
        }
    }
}

/// The hash of a packet, and what it was computed of.
///
/// ```
/// use xsk::packet::RxHash;
/// let hash = RxHash { value: 7, kind: 1 | 8 | 32 }; // IPv4, UDP with its ports
/// assert!(hash.is_l4());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RxHash {
    /// The hash.
    pub value: u32,
    /// What it was computed of: bits of `enum xdp_rss_hash_type` (include/net/xdp.h, 6.3): IPv4 1,
    /// IPv6 2, with extension headers 4, ports or the like 8, TCP 16, UDP 32, SCTP 64, IPsec 128, ICMP
    /// 256.
    pub kind: u16,
}

impl RxHash {
    /// Returns whether it was computed of the ports, too, and not of the addresses alone.
    #[must_use]
    pub fn is_l4(self) -> bool {
        self.kind & 8 != 0
    }
}

/// A VLAN tag.
///
/// ```
/// use xsk::packet::VlanTag;
/// assert_eq!(VlanTag { protocol: 0x8100, tci: 0x6007 }.id(), 7);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VlanTag {
    /// The tag's EtherType: 0x8100, or 0x88a8 for the outer one of two.
    pub protocol: u16,
    /// Priority, drop eligibility and VLAN number.
    pub tci: u16,
}

impl VlanTag {
    /// Returns the VLAN's number.
    #[must_use]
    pub fn id(self) -> u16 {
        self.tci & 0xfff
    }
}

/// The record that a program writes before each packet: 32 bytes, in the machine's byte order but for
/// the protocol.
///
/// | bytes | content |
/// |---|---|
/// | 0-3 | the key: the program's number, plus the slot's |
/// | 4-7 | hash |
/// | 8-15 | timestamp |
/// | 16-23 | sequence number of the slot, from 1 on |
/// | 24-25 | kind of hash |
/// | 26-27 | protocol of the VLAN tag, in network byte order; 0 if there is no tag |
/// | 28-29 | the tag's TCI; or the error number, if the protocol is 0 |
/// | 30 | error number of the timestamp, 0 for none |
/// | 31 | error number of the hash, 0 for none |
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(crate) struct RxRecord {
    pub(crate) key: u32,
    hash: u32,
    timestamp: u64,
    pub(crate) sequence: u64,
    hash_kind: u16,
    vlan_protocol: [u8; 2],
    vlan_tci: u16,
    no_timestamp: u8,
    no_hash: u8,
}

static_assertions::assert_eq_size!(RxRecord, [u8; 32]);

impl RxRecord {
    pub(crate) const LEN: u32 = 32;

    /// Reads a record.
    #[inline(always)]
    pub(crate) fn parse(bytes: &[u8; 32]) -> Self {
        zerocopy::transmute!(*bytes)
    }

    /// Returns what the record says.
    #[inline(always)]
    pub(crate) fn metadata(&self) -> RxMetadata {
        let protocol = u16::from_be_bytes(self.vlan_protocol);
        let timestamp = match self.timestamp {
            0 if self.no_timestamp == 0 => Property::NotOfThisPacket,
            time => Property::new(time, self.no_timestamp.into()),
        };
        let hash = RxHash { value: self.hash, kind: self.hash_kind };
        let no_vlan = if protocol == 0 { self.vlan_tci.max(1) } else { 0 };
        RxMetadata {
            timestamp,
            hash: Property::new(hash, self.no_hash.into()),
            vlan: Property::new(VlanTag { protocol, tci: self.vlan_tci }, no_vlan),
        }
    }

    /// Returns the record that a program writes of this.
    #[cfg(feature = "test-util")]
    pub(crate) fn new(key: u32, sequence: u64, metadata: RxMetadata) -> Self {
        fn parts<T>(property: Property<T>) -> (Option<T>, u8) {
            match property {
                Property::Known(value) => (Some(value), 0),
                Property::NotOfThisPacket => (None, 61),
                Property::NotSupported => (None, 95),
            }
        }
        let (time, no_timestamp) = parts(metadata.timestamp);
        let (hash, no_hash) = parts(metadata.hash);
        let (tag, no_vlan) = parts(metadata.vlan);
        let hash = hash.unwrap_or(RxHash { value: 0, kind: 0 });
        let tag = tag.unwrap_or(VlanTag { protocol: 0, tci: no_vlan.into() });
        Self {
            key,
            hash: hash.value,
            timestamp: time.unwrap_or(0),
            sequence,
            hash_kind: hash.kind,
            vlan_protocol: tag.protocol.to_be_bytes(),
            vlan_tci: tag.tci,
            no_timestamp,
            no_hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Property, RxHash, RxRecord, VlanTag};

    /// Writes `bytes` at `at` of an empty record, whose sequence number is 5.
    fn record(parts: &[(usize, &[u8])]) -> RxRecord {
        let mut record = [0; 32];
        let sequence = 5_u64.to_ne_bytes();
        for (at, bytes) in parts.iter().chain(&[(16, &sequence[..])]) {
            record[*at..][..bytes.len()].copy_from_slice(bytes);
        }
        RxRecord::parse(&record)
    }

    #[test]
    fn each_property_is_known_or_not_by_itself() {
        let all = record(&[
            (0, &7_u32.to_ne_bytes()),
            (4, &0x1234_5678_u32.to_ne_bytes()),
            (8, &99_u64.to_ne_bytes()),
            (24, &41_u16.to_ne_bytes()),
            (26, &[0x81, 0]),
            (28, &0x6007_u16.to_ne_bytes()),
        ]);
        assert_eq!((all.key, all.sequence), (7, 5));
        let all = all.metadata();
        assert_eq!(all.timestamp, Property::Known(99));
        assert_eq!(all.hash, Property::Known(RxHash { value: 0x1234_5678, kind: 41 }));
        assert_eq!(all.vlan, Property::Known(VlanTag { protocol: 0x8100, tci: 0x6007 }));
        let none = record(&[(28, &61_u16.to_ne_bytes()), (30, &[61, 61])]).metadata();
        assert_eq!(none.timestamp, Property::NotOfThisPacket);
        assert_eq!(none.hash, Property::NotOfThisPacket);
        assert_eq!(none.vlan, Property::NotOfThisPacket);
        let unsupported = record(&[(28, &95_u16.to_ne_bytes()), (30, &[95, 95])]).metadata();
        assert_eq!(unsupported.timestamp, Property::NotSupported);
        assert_eq!(unsupported.hash, Property::NotSupported);
        assert_eq!(unsupported.vlan, Property::NotSupported);
        // A clock that says 0, and no tag without an error.
        let zeros = record(&[]).metadata();
        assert_eq!(zeros.timestamp, Property::NotOfThisPacket);
        assert_eq!(zeros.vlan, Property::NotOfThisPacket);
    }
}
