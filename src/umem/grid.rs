//! The grid of unaligned chunks: chunks of any size, one after the other, each at an even address:
//! behind a chunk of an odd size there is a byte that no chunk has. In copy mode the kernel keeps a
//! flag in the lowest bit of an address that it is to repeat in the completion ring, and repeats it
//! with that bit clear (`xsk_skb_destructor_set_addr`, net/xdp/xsk.c of Linux 6.18).
//!
//! An address in such a UMEM says where the chunk begins in its lower 48 bits and how far behind
//! that its byte is in the upper 16 (`XSK_UNALIGNED_BUF_OFFSET_SHIFT`, linux/if_xdp.h). The kernel
//! writes received packets that way, takes packets to send that way, and repeats what was sent in
//! the completion ring; of an entry of the fill ring it ignores the upper bits. So frames and
//! descriptors have that form, too, and which chunk an address is in takes no division.

/// How far the offset is from the lower end of an address, in bits.
const OFFSET_SHIFT: u32 = 48;

/// The bits of an address that say where its chunk begins.
pub(super) const BASE: u64 = u64::MAX >> 16;

/// Whether what goes straight back to the kernel is checked as what becomes a frame.
const LEDGER: bool = cfg!(any(debug_assertions, feature = "ledger"));

/// Which addresses begin an unaligned chunk. Where chunks are aligned there are 0, so that no
/// address does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    chunks: u64,
    size: u64,
    /// How far apart chunks begin.
    step: u64,
    /// What the base of the last chunk is below, shifted as far as an offset is long.
    end: u64,
    /// The number by which the odd part of `step` is multiplied to give 1, modulo 2^64.
    inverse: u64,
    /// How far an offset, and the twos in `step`, move a chunk's number, in bits.
    shift: u32,
}

impl Grid {
    /// The grid of a UMEM whose chunks are aligned.
    pub(super) const NONE: Self =
        Self { chunks: 0, size: 0, step: 0, end: 0, inverse: 0, shift: 0 };

    /// Returns the grid of `chunks` chunks of `size` bytes: at least 1 of at least 1, and below 2^48
    /// bytes.
    pub(super) fn new(chunks: u32, size: u32) -> Self {
        let size = u64::from(size);
        let step = size.wrapping_add(size & 1);
        let twos = step.trailing_zeros();
        let odd = step >> twos;
        // Newton's iteration doubles the number of right bits each time; an odd number is its own
        // inverse in the lowest three.
        let inverse = (0..5).fold(odd, |inverse, _| {
            inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)))
        });
        let chunks = u64::from(chunks);
        let last = chunks.wrapping_sub(1).wrapping_mul(step);
        let end = without_offset(last.wrapping_add(1));
        let shift = twos.wrapping_add(u64::BITS.wrapping_sub(OFFSET_SHIFT));
        Self { chunks, size, step, end, inverse, shift }
    }

    pub(super) fn is_none(&self) -> bool {
        self.chunks == 0
    }

    /// Returns how far apart chunks begin.
    pub(super) fn step(&self) -> u64 {
        self.step
    }

    /// Returns the bytes from the first chunk to where one more would begin.
    pub(super) fn area(&self) -> u64 {
        self.chunks.wrapping_mul(self.step)
    }

    /// Returns whether the base of `address` begins a chunk; the offset is not looked at.
    ///
    /// With the offset shifted out, the address of chunk n is `n * odd * 2^shift`. The multiplication
    /// leaves `n * 2^shift`, and the rotation n. Both can be undone, so no other address leads to n:
    /// what does not begin a chunk gets a number that no chunk has.
    #[inline(always)]
    pub(super) fn is_chunk(&self, address: u64) -> bool {
        let base = without_offset(address);
        base.wrapping_mul(self.inverse).rotate_right(self.shift) < self.chunks
    }

    /// Returns whether the base of `address` is not behind that of the last chunk: what is known of an
    /// address that goes straight back to the kernel. With the ledger on, it begins a chunk.
    #[inline(always)]
    pub(super) fn is_inside(&self, address: u64) -> bool {
        without_offset(address) < self.end && (!LEDGER || self.is_chunk(address))
    }

    /// Returns whether the base of `address` is inside and no chunk is shorter than `len`, which is at
    /// least 1: what is known of a packet that goes straight back. With the ledger on, it ends in its
    /// chunk.
    #[inline(always)]
    pub(super) fn is_packet_inside(&self, address: u64, len: u64) -> bool {
        self.is_inside(address)
            && len.wrapping_sub(1) < self.size
            && (!LEDGER || self.ends_in_chunk(address, len))
    }

    /// Returns whether the `len` bytes from `address` on, at least 1, end where its chunk does.
    #[inline(always)]
    pub(super) fn ends_in_chunk(&self, address: u64, len: u64) -> bool {
        len.wrapping_sub(1) < self.size.saturating_sub(address >> OFFSET_SHIFT)
    }
}

/// Returns the base of an address, shifted up to where its offset was.
#[inline(always)]
fn without_offset(address: u64) -> u64 {
    address << u64::BITS.wrapping_sub(OFFSET_SHIFT)
}

/// Returns an address as bytes from the beginning of the UMEM. Of aligned chunks it is that already:
/// the upper bits are 0.
#[inline(always)]
pub(super) fn plain(address: u64) -> u64 {
    (address & BASE).wrapping_add(address >> OFFSET_SHIFT)
}

/// Returns the address of the byte that is `bytes` behind the one at `address`, in the same chunk.
#[inline(always)]
pub(super) fn behind(address: u64, bytes: u64) -> u64 {
    address.wrapping_add(bytes << OFFSET_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::{Grid, LEDGER, plain};

    #[test]
    fn exactly_the_beginnings_of_chunks_are_on_the_grid() {
        for size in [2048_u32, 2049, 2500, 3000, 3001, 3072, 4001, 4095, 4096, 32_769, 65_535] {
            let chunks = 1 << 30;
            let grid = Grid::new(chunks, size);
            let size = grid.step();
            assert!(size % 2 == 0 && size - grid.size < 2);
            for chunk in (0..300).chain(u64::from(chunks) - 300..u64::from(chunks)) {
                let base = chunk * size;
                assert!(grid.is_chunk(base), "{chunk} {size}");
                assert!(grid.is_inside(base | 300 << 48));
                assert!(grid.is_chunk(base | 300 << 48));
                assert_eq!(plain(base | 300 << 48), base + 300);
                for offset in [1, 2, 256, 1024, size / 2, size - 2, size - 1] {
                    assert!(!grid.is_chunk(base + offset), "{chunk} {size} {offset}");
                }
            }
            assert_eq!(grid.is_inside(1), !LEDGER);
            assert!(!grid.is_inside((u64::from(chunks) - 1) * size + 1));
            assert!(!grid.is_chunk(u64::from(chunks) * size));
            assert!(!grid.is_chunk(u64::MAX));
        }
    }

    #[test]
    fn nothing_is_on_the_grid_of_aligned_chunks() {
        for address in [0, 1, 256 << 48, u64::MAX] {
            assert!(!Grid::NONE.is_chunk(address));
            assert!(!Grid::NONE.is_inside(address));
            for len in [0, 1, u64::MAX] {
                assert!(!Grid::NONE.ends_in_chunk(address, len));
            }
        }
    }
}
