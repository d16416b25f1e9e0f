//! What a hostile kernel may write.

use proptest::prelude::*;
use xsk::ring::RingKind;
use xsk::uapi::if_xdp::XDP_PKT_CONTD;
use xsk::umem::UmemBuilder;
use xsk::{Frame, Umem};

pub(crate) const CHUNKS: u64 = 12;

/// The lowest 48 bits: an unaligned chunk's base in an address.
const BASE: u64 = u64::MAX >> 16;

/// The chunks of a UMEM.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunks {
    pub(crate) size: u64,
    unaligned: bool,
}

pub(crate) fn chunks() -> impl Strategy<Value = Chunks> {
    let unaligned = prop::sample::select(vec![2048, 2049, 3000, 3001, 4001]);
    prop_oneof![
        Just(Chunks { size: 2048, unaligned: false }),
        unaligned.prop_map(|size| Chunks { size, unaligned: true }),
    ]
}

impl Chunks {
    pub(crate) fn builder(self) -> UmemBuilder {
        let builder = Umem::builder()
            .chunk_count(u32::try_from(CHUNKS).unwrap())
            .chunk_size(u32::try_from(self.size).unwrap());
        if self.unaligned { builder.unaligned() } else { builder }
    }

    /// Returns how far apart chunks begin: at even addresses.
    pub(crate) fn step(self) -> u64 {
        self.size.next_multiple_of(2)
    }

    pub(crate) fn area(self) -> u64 {
        self.step() * CHUNKS
    }

    /// Returns the number of a frame's chunk.
    pub(crate) fn of(self, frame: &Frame) -> u64 {
        frame.address() / self.step()
    }

    /// Returns the number of the chunk that an entry's address is in.
    pub(crate) fn number(self, address: u64) -> Option<u64> {
        let begins = !self.unaligned || (address & BASE) % self.step() == 0;
        (self.base(address) < self.area() && begins).then(|| self.base(address) / self.step())
    }

    fn base(self, address: u64) -> u64 {
        if self.unaligned { address & BASE } else { address }
    }

    /// Returns how far behind its chunk's beginning an entry's address is.
    fn offset(self, address: u64) -> u64 {
        if self.unaligned { address >> 48 } else { address % self.size }
    }

    /// Returns an entry's address as bytes from the beginning of the memory.
    pub(crate) fn plain(self, address: u64) -> u64 {
        self.base(address) + if self.unaligned { address >> 48 } else { 0 }
    }

    pub(crate) fn good_packet(self, address: u64, len: u32, options: u32) -> bool {
        let end = self.offset(address) + u64::from(len);
        self.number(address).is_some() && len > 0 && options == 0 && end <= self.size
    }

    /// Returns whether an entry that goes straight back to the kernel is passed on: with the ledger
    /// only a good one, without it also one whose base begins no chunk, but is not behind the last.
    pub(crate) fn passes(self, address: u64, packet: Option<(u32, u32)>, ledger: bool) -> bool {
        if ledger || !self.unaligned {
            return match packet {
                Some((len, options)) => self.good_packet(address, len, options),
                None => self.number(address).is_some(),
            };
        }
        let packet = packet
            .is_none_or(|(len, options)| options == 0 && (1..=self.size).contains(&u64::from(len)));
        self.base(address) <= self.area() - self.step() && packet
    }

    /// An address in the kernel's form, of a chunk that begins at `base`.
    fn address(self, base: u64, offset: u64) -> u64 {
        if self.unaligned { base | (offset << 48) } else { base.wrapping_add(offset) }
    }
}

/// Addresses near everything that matters.
pub(crate) fn address(chunks: Chunks) -> impl Strategy<Value = u64> {
    let Chunks { size, .. } = chunks;
    let (step, area) = (chunks.step(), chunks.area());
    let at = move |number, offset| chunks.address(number * step, offset);
    let aligned = prop_oneof![
        6 => (0..CHUNKS, 0..size).prop_map(move |(number, offset)| at(number, offset)),
        2 => (0..CHUNKS).prop_map(move |number| at(number, 0)),
        2 => (0..CHUNKS).prop_map(move |number| at(number, size - 1)),
        1 => Just(area),
        1 => area..area + 2 * step,
        1 => (0..64_u32, 0..3_u64).prop_map(|(bit, less)| (1_u64 << bit).wrapping_sub(less)),
        1 => any::<u64>(),
    ];
    // Off the grid, by little or by much; and offsets at and beyond the chunk's end.
    let near = (0..CHUNKS, prop::sample::select(vec![1, 2, step - 2, step - 1]), 0..size);
    let other = prop_oneof![
        near.prop_map(move |(number, off, offset)| chunks.address(number * step + off, offset)),
        (0..area, 0..=u64::from(u16::MAX))
            .prop_map(move |(base, offset)| chunks.address(base, offset)),
        (0..CHUNKS, size..=u64::from(u16::MAX))
            .prop_map(move |(number, offset)| at(number, offset)),
    ];
    let weight = if chunks.unaligned { 8 } else { 0 };
    prop_oneof![14 => aligned, weight => other]
}

/// Addresses that can be refused without a ledger, whatever is done with them.
pub(crate) fn outside(chunks: Chunks) -> impl Strategy<Value = u64> {
    let behind = if chunks.unaligned { chunks.area() - chunks.step() + 1 } else { chunks.area() };
    let most = if chunks.unaligned { BASE } else { u64::MAX };
    let offset = if chunks.unaligned { 0..=u64::from(u16::MAX) } else { 0..=0 };
    let base = prop_oneof![
        1 => Just(behind),
        1 => behind..behind + 2 * chunks.size,
        1 => (16..64_u32, 0..3_u64).prop_map(move |(bit, less)| ((1 << bit) - less).min(most)),
        1 => behind..=most,
    ];
    (base, offset).prop_map(move |(base, offset)| chunks.address(base, offset))
}

pub(crate) fn len() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 1..=64_u32,
        2 => Just(0),
        2 => 2040..=2056_u32,
        1 => 2990..=3010_u32,
        1 => any::<u32>(),
        1 => (0..3_u32).prop_map(|less| u32::MAX - less),
    ]
}

pub(crate) fn options() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0), 2 => Just(XDP_PKT_CONTD), 1 => (0..32_u32).prop_map(|bit| 1 << bit), 1 => any::<u32>()]
}

pub(crate) fn kind() -> impl Strategy<Value = RingKind> {
    prop::sample::select(vec![RingKind::Rx, RingKind::Tx, RingKind::Fill, RingKind::Completion])
}
