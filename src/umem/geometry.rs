//! The geometry of a UMEM: where its chunks begin and end, and which bytes a frame can have.

use super::grid::{self, Grid};
use super::number;
use crate::num::{u32_of_count, u64_of};

/// What the kernel leaves free before each received packet, beside the headroom
/// (`XDP_PACKET_HEADROOM`, linux/bpf.h).
pub(crate) const PACKET_HEADROOM: u32 = 256;

/// The numbers that are the same for every frame of a UMEM; each ring half and pool carries a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// The UMEM's number, unique in the process; 0 is no UMEM's.
    pub(crate) umem: u32,
    /// A chunk's size in bytes.
    chunk_size: u32,
    /// Bytes of the area, a whole number of chunks, if they are aligned. Else 0, which no address is
    /// below: the grid is looked at next.
    aligned_area: u64,
    /// The bits of an address that say which chunk it is in.
    chunk_bits: u64,
    /// What a chunk's address is less than that of the first byte that a frame can have.
    first: u64,
    /// How many bytes of a chunk a frame can have.
    usable: u32,
    /// Where unaligned chunks begin.
    pub(super) grid: Grid,
}

/// Bytes before a frame that are kept for TX metadata (`struct xsk_tx_metadata`, linux/if_xdp.h, of
/// 6.15; it was 16 bytes long before).
pub(crate) const TX_METADATA_LEN: usize = 24;

impl Geometry {
    /// Returns the geometry of UMEM number `umem`: `chunks` chunks of `chunk_size` bytes, a power
    /// of two.
    pub(crate) fn aligned(umem: u32, chunks: u32, chunk_size: u32) -> Self {
        Self {
            umem,
            chunk_size,
            aligned_area: u64::from(chunks).wrapping_mul(u64::from(chunk_size)),
            chunk_bits: u64::from(chunk_size).wrapping_neg(),
            first: 0,
            usable: chunk_size,
            grid: Grid::NONE,
        }
    }

    /// As [`aligned`](Self::aligned), for chunks of any size, and addresses as those of [`Grid`].
    pub(crate) fn unaligned(umem: u32, chunks: u32, chunk_size: u32) -> Self {
        let grid = Grid::new(chunks, chunk_size);
        let (chunk_bits, usable) = (grid::BASE, chunk_size);
        Self { umem, chunk_size, aligned_area: 0, chunk_bits, first: 0, usable, grid }
    }

    /// Returns the same with room for TX metadata before each frame.
    pub(crate) fn with_tx_metadata(self) -> Self {
        let first = self.at(0, u64_of(TX_METADATA_LEN));
        let usable = self.chunk_size.saturating_sub(u32_of_count(TX_METADATA_LEN));
        Self { first, usable, ..self }
    }

    /// Returns whether there is room for TX metadata before each frame.
    pub(crate) fn has_tx_metadata(&self) -> bool {
        self.first != 0
    }

    /// Returns whether the chunks are unaligned ones.
    pub(crate) fn is_unaligned(&self) -> bool {
        !self.grid.is_none()
    }

    /// Returns the bytes of the area.
    pub(crate) fn area(&self) -> u64 {
        self.aligned_area.max(self.grid.area())
    }

    /// Returns whether the chunks are aligned, and `address` is a byte of the area.
    #[inline(always)]
    pub(super) fn contains_aligned(&self, address: u64) -> bool {
        address < self.aligned_area
    }

    /// Returns whether `address` is in a chunk of the area.
    pub(crate) fn contains(&self, address: u64) -> bool {
        self.contains_aligned(address) || self.grid.is_chunk(address)
    }

    /// Returns whether the bytes from `address` on, a byte of the area, as many as `len`, end in its
    /// chunk, which is aligned. `len` is at least 1; a larger word than 32 bits (a length with options
    /// above it) is refused too.
    #[inline(always)]
    pub(super) fn ends_in_chunk(&self, address: u64, len: u64) -> bool {
        // With the chunk's bits set, an address is as far below 2^64 as the chunk's end is from it.
        let last = (address | self.chunk_bits).checked_add(len.wrapping_sub(1));
        last.is_some()
    }

    /// Returns whether the bytes from `address` on, as many as `len`, are in one chunk of the area; as
    /// [`ends_in_chunk`](Self::ends_in_chunk).
    #[inline(always)]
    pub(crate) fn contains_packet(&self, address: u64, len: u64) -> bool {
        if self.contains_aligned(address) {
            return self.ends_in_chunk(address, len);
        }
        self.grid.is_chunk(address) && self.grid.ends_in_chunk(address, len)
    }

    /// Returns whether a packet of `len` bytes can lie in a chunk, from its first usable byte on.
    #[inline(always)]
    pub(crate) fn fits(&self, len: u32) -> bool {
        len.wrapping_sub(1) < self.usable_len()
    }

    /// Returns the first byte of the chunk that `address` is in.
    #[inline(always)]
    pub(crate) fn chunk(&self, address: u64) -> u64 {
        address & self.chunk_bits
    }

    /// Returns the first byte of `chunk` that a frame can have: the chunk's own first byte, or that
    /// behind the room for TX metadata.
    #[inline(always)]
    pub(crate) fn first_usable(&self, chunk: u64) -> u64 {
        chunk.wrapping_add(self.first)
    }

    /// Returns how many bytes a frame over a whole chunk has.
    #[inline(always)]
    pub(crate) fn usable_len(&self) -> u32 {
        self.usable
    }

    /// Returns a chunk's size.
    #[inline(always)]
    pub(crate) fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Returns how far apart chunks begin: a chunk's size, or one byte more if that is odd.
    pub(crate) fn step(&self) -> u64 {
        if self.is_unaligned() { self.grid.step() } else { u64::from(self.chunk_size) }
    }

    /// Returns the number of chunks.
    #[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "made of a `u32`")]
    pub(crate) fn chunk_count(&self) -> u32 {
        self.area().checked_div(self.step()).unwrap_or(0) as u32
    }

    /// Returns the number of the chunk that `address` is in; of one that is in none a number that no
    /// chunk has.
    pub(crate) fn index(&self, address: u64) -> usize {
        let first = match (self.is_unaligned(), self.grid.is_chunk(address)) {
            (false, _) => address,
            (true, true) => self.chunk(address),
            (true, false) => return usize::MAX,
        };
        let number = first.checked_div(self.step()).unwrap_or(0);
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    /// Returns the first byte of the chunk that the byte at `plain` is in, counted from the
    /// beginning of the area.
    #[cfg(feature = "test-util")]
    pub(crate) fn chunk_of_plain(&self, plain: u64) -> u64 {
        plain.wrapping_sub(plain.checked_rem(self.step()).unwrap_or(0))
    }

    /// Returns how far behind its chunk's first byte `address` is.
    #[inline(always)]
    pub(crate) fn offset(&self, address: u64) -> u64 {
        grid::plain(address).wrapping_sub(self.chunk(address))
    }

    /// Returns the address of the byte that is `offset` behind the first one of `chunk`.
    #[inline(always)]
    pub(crate) fn at(&self, chunk: u64, offset: u64) -> u64 {
        if self.is_unaligned() { grid::behind(chunk, offset) } else { chunk.wrapping_add(offset) }
    }

    /// Returns an address as bytes from the beginning of the area.
    #[inline(always)]
    pub(crate) fn plain(&self, address: u64) -> u64 {
        if self.contains_aligned(address) { address } else { grid::plain(address) }
    }

    /// Refuses what belongs to another UMEM (invariant I6), before anything is written.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn assert_same_umem(&self, umem: u32) {
        if self.umem != umem {
            self.wrong_umem(umem);
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn wrong_umem(&self, frame: u32) -> ! {
        wrong_umem(self.umem, frame)
    }
}

/// Refuses a frame of UMEM `frame` at something of UMEM `here`.
#[cold]
#[inline(never)]
#[track_caller]
#[expect(clippy::panic, reason = "a frame given to another UMEM is a programming error (I6)")]
pub(super) fn wrong_umem(here: u32, frame: u32) -> ! {
    let [frame, here] = [frame, here].map(number::ordinal);
    panic!("a frame of UMEM {frame} was given to a ring, pool or area of UMEM {here}");
}

#[cfg(test)]
mod tests {
    use super::Geometry;

    #[test]
    fn only_bytes_inside_one_chunk_are_contained() {
        let geometry = Geometry::aligned(1, 3, 4096);
        for (address, len, contained) in [
            (0, 1, true),
            (0, 4096, true),
            (0, 4097, false),
            (4095, 1, true),
            (4095, 2, false),
            (3 * 4096 - 1, 1, true),
            (3 * 4096, 1, false),
            (u64::MAX, 1, false),
            (256, 0, false),
            (256, 1 << 32 | 60, false),
            (256, u64::MAX, false),
            (256, u64::MAX - 300, false),
        ] {
            assert_eq!(geometry.contains_packet(address, len), contained, "{address} {len}");
        }
    }

    #[test]
    fn packets_in_unaligned_chunks_end_in_them() {
        let geometry = Geometry::unaligned(1, 3, 3001);
        for (address, len, contained) in [
            (0, 1, true),
            (0, 3001, true),
            (0, 3002, false),
            (3000 << 48, 1, true),
            (3000 << 48, 2, false),
            (3001 << 48, 1, false),
            (1, 1, false),
            (3001, 1, false),
            (3002, 3001, true),
            (3002, 3002, false),
            ((2 * 3002) | (256 << 48), 3001 - 256, true),
            ((2 * 3002) | (256 << 48), 3001 - 255, false),
            (3 * 3002, 1, false),
            (u64::MAX, 1, false),
            (0, 0, false),
            (256 << 48, 0, false),
            (256 << 48, 1 << 32 | 60, false),
            (256 << 48, u64::MAX, false),
            (256 << 48, u64::MAX - 300, false),
        ] {
            assert_eq!(geometry.contains_packet(address, len), contained, "{address:#x} {len}");
        }
        let address = geometry.at(2 * 3002, 300);
        assert_eq!((geometry.chunk(address), geometry.offset(address)), (2 * 3002, 300));
        assert_eq!((geometry.plain(address), geometry.index(address)), (2 * 3002 + 300, 2));
        assert_eq!((geometry.area(), geometry.chunk_count()), (3 * 3002, 3));
    }
}
