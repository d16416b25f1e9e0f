//! The geometry of a UMEM: where its chunks begin and end, and which bytes a frame can have.

/// What the kernel leaves free before each received packet, beside the headroom
/// (`XDP_PACKET_HEADROOM`, linux/bpf.h).
pub(crate) const PACKET_HEADROOM: u32 = 256;

/// The numbers that are the same for every frame of a UMEM; each ring half and pool carries a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// The UMEM's number, unique in the process; 0 is no UMEM's.
    pub(crate) umem: u32,
    /// Bytes of the area: a whole number of chunks.
    pub(crate) area: u64,
    /// The bits of an address that say which chunk it is in; a chunk's size is a power of two.
    chunk_bits: u64,
}

impl Geometry {
    /// Returns the geometry of UMEM number `umem`: `chunks` chunks of `chunk_size` bytes, a power
    /// of two.
    pub(crate) fn new(umem: u32, chunks: u32, chunk_size: u32) -> Self {
        Self {
            umem,
            area: u64::from(chunks).wrapping_mul(u64::from(chunk_size)),
            chunk_bits: u64::from(chunk_size).wrapping_neg(),
        }
    }

    /// Returns whether `address` is a byte of the area.
    #[inline(always)]
    pub(crate) fn contains(&self, address: u64) -> bool {
        address < self.area
    }

    /// Returns whether `address` is in the area and the bytes from it, as many as `len`, end in its
    /// chunk. `len` is at least 1; a larger word than 32 bits (a length with options above it) is
    /// refused too.
    #[inline(always)]
    pub(crate) fn contains_packet(&self, address: u64, len: u64) -> bool {
        if !self.contains(address) {
            return false;
        }
        // With the chunk's bits set, an address is as far below 2^64 as the chunk's end is from it.
        let last = (address | self.chunk_bits).checked_add(len.wrapping_sub(1));
        last.is_some()
    }

    /// Returns whether a packet of `len` bytes can lie in a chunk, from its first usable byte on.
    #[inline(always)]
    pub(crate) fn fits(&self, len: u32) -> bool {
        let last = self.first_usable(self.chunk_bits).checked_add(u64::from(len).wrapping_sub(1));
        last.is_some()
    }

    /// Returns the first byte of the chunk that `address` is in.
    #[inline(always)]
    pub(crate) fn chunk(&self, address: u64) -> u64 {
        address & self.chunk_bits
    }

    /// Returns the first byte of `chunk` that a frame can have: the chunk's own first byte.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "the geometry says where frames begin in a chunk")]
    pub(crate) fn first_usable(&self, chunk: u64) -> u64 {
        chunk
    }

    /// Returns how many bytes a frame over a whole chunk has.
    #[inline(always)]
    pub(crate) fn usable_len(&self) -> u32 {
        self.chunk_size()
    }

    /// Returns a chunk's size.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "made of a `u32`")]
    pub(crate) fn chunk_size(&self) -> u32 {
        self.chunk_bits.wrapping_neg() as u32
    }

    /// Returns the number of chunks.
    #[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "made of a `u32`")]
    pub(crate) fn chunk_count(&self) -> u32 {
        self.area.checked_div(u64::from(self.chunk_size())).unwrap_or(0) as u32
    }

    /// Returns the number of the chunk that `address` is in; of one beyond the area a number that no
    /// chunk has.
    #[cfg(any(debug_assertions, feature = "ledger", feature = "test-util"))]
    pub(crate) fn index(&self, address: u64) -> usize {
        let number = address.checked_div(u64::from(self.chunk_size())).unwrap_or(0);
        usize::try_from(number).unwrap_or(usize::MAX)
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
    panic!("a frame of UMEM {frame} was given to a ring, pool or area of UMEM {here}");
}

#[cfg(test)]
mod tests {
    use super::Geometry;

    #[test]
    fn only_bytes_inside_one_chunk_are_contained() {
        let geometry = Geometry::new(1, 3, 4096);
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
}
