//! The values in a packet that compiled filters compare, and the order in which they are tried.

use super::expr::{Number, Relation};
use super::set::{AddressSet, PortSet};
use std::collections::HashMap;

/// A value that a filter reads from a packet. It may be *absent*: behind the packet's end, or in a
/// header whose length is impossible.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Load(Load),
    /// The protocol behind the extension headers of an IPv6 header behind `depth` tags;
    /// [`NOT_FIRST`] is added in a fragment that is not the first.
    Upper6 {
        depth: u8,
    },
    /// The packet's length in bytes, never absent.
    Length,
    /// 1 if the IPv4 address at this offset of the packet is in a set, else 0.
    InTable {
        set: AddressSet,
        offset: u32,
    },
    /// 1 if the IPv6 address at this offset of the packet is in a set, else 0.
    InTrie {
        set: AddressSet,
        offset: u32,
    },
    /// 1 if the port is in a set, else 0.
    InPorts {
        set: PortSet,
        load: Load,
    },
    /// 1 if the comparison is true, else 0.
    Compare(Box<Compare>),
}

/// The lengths that packets have: an Ethernet header at least, and no more than the kernel's verifier
/// reckons with (`MAX_PACKET_OFF`).
pub(super) const SHORTEST: u64 = 14;
pub(super) const LONGEST: u64 = 0xffff;

/// Added to the protocol number of an IPv6 fragment that is not the first.
pub(super) const NOT_FIRST: u64 = 0x100;

/// Bytes of a packet in network order, masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Load {
    pub(super) base: Base,
    /// Bytes from the base.
    pub(super) offset: u32,
    /// 1, 2, 4, 6 or 8 bytes.
    pub(super) size: u8,
    pub(super) mask: u64,
}

/// Where a load counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Base {
    Packet,
    /// Behind the IPv4 header behind `depth` tags.
    Payload4 {
        depth: u8,
    },
    /// Behind the extension headers of the IPv6 header behind `depth` tags.
    Payload6 {
        depth: u8,
    },
}

/// A comparison of numbers that is more than one load and a constant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Compare {
    pub(super) depth: u8,
    pub(super) left: Number,
    pub(super) relation: Relation,
    pub(super) right: Number,
}

impl Load {
    /// Returns the largest value that the bytes can have.
    pub(super) fn full(size: u8) -> u64 {
        let unused = 64_u32.saturating_sub(u32::from(size).saturating_mul(8));
        u64::MAX.checked_shr(unused).unwrap_or(0)
    }
}

impl Field {
    /// Returns the largest value.
    pub(super) fn most(&self) -> u64 {
        match self {
            Self::Load(load) => load.mask,
            Self::Upper6 { .. } => NOT_FIRST | 0xff,
            Self::Length => LONGEST,
            Self::Compare(_)
            | Self::InTable { .. }
            | Self::InTrie { .. }
            | Self::InPorts { .. } => 1,
        }
    }

    /// Returns the rank by which fields are tried: what tells the headers apart comes first, so that
    /// the other fields are read only in packets that have them; what takes long comes last.
    fn rank(&self) -> (u8, u8) {
        match self {
            Self::Load(load) => match (load.base, load.offset, load.mask) {
                (Base::Packet, 12, 0xffff) => (0, 0),
                (Base::Packet, 16, 0xffff) => (0, 1),
                (Base::Packet, 20, 0xffff) => (0, 2),
                (Base::Packet, 23 | 27 | 31, 0xff) => (1, 0),
                (Base::Packet, 20 | 24 | 28, 0x1fff) => (2, 0),
                _ => (3, 0),
            },
            Self::Upper6 { .. } => (1, 1),
            Self::Length => (3, 0),
            Self::InPorts { .. } => (4, 0),
            Self::InTable { .. } => (5, 0),
            Self::Compare(_) => (6, 0),
            Self::InTrie { .. } => (7, 0),
        }
    }
}

/// The fields of a filter in the order in which they are tried.
#[derive(Debug, Default)]
pub(super) struct Fields {
    list: Vec<Field>,
    places: HashMap<Field, u32>,
}

impl Fields {
    /// Orders fields: by rank, then by their place in the rules.
    #[expect(clippy::mutable_key_type, reason = "sets are equal by their numbers")]
    pub(super) fn new(mut list: Vec<Field>) -> Self {
        let mut places: HashMap<Field, u32> = HashMap::new();
        list.retain(|field| places.insert(field.clone(), 0).is_none());
        list.sort_by_key(Field::rank);
        for (place, field) in (0_u32..).zip(&list) {
            places.insert(field.clone(), place);
        }
        Self { list, places }
    }

    /// Returns the place of a field.
    pub(super) fn place(&self, field: &Field) -> Option<u32> {
        self.places.get(field).copied()
    }

    /// Returns the field at a place.
    pub(super) fn at(&self, place: u32) -> Option<&Field> {
        self.list.get(crate::num::usize32(place))
    }
}
