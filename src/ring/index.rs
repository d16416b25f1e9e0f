//! Ring indices: free-running 32-bit counters whose wrap is their meaning.

/// A position in a ring: counts entries since the ring was made, modulo 2^32.
///
/// The slot of a position is its low bits; the distance between two positions is their difference
/// modulo 2^32, so that nothing special happens when the counter wraps. Same meaning as the `u32`
/// indices of the kernel's `struct xsk_queue` (`net/xdp/xsk_queue.h`).
///
/// ```
/// use xsk::ring::Index;
/// let last = Index::new(u32::MAX);
/// let next = last.advance(2);
/// assert_eq!((next.get(), next.distance_from(last), next.slot(7)), (1, 2, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Index(u32);

impl Index {
    /// Returns the position `value` entries after the ring's beginning.
    #[inline(always)]
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// Returns the counter's value.
    #[inline(always)]
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the position `entries` further on.
    #[inline(always)]
    #[must_use]
    pub const fn advance(self, entries: u32) -> Self {
        Self(self.0.wrapping_add(entries))
    }

    /// Returns how many entries this position is ahead of `earlier`.
    #[inline(always)]
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Returns the slot of this position in a ring of `mask + 1` entries, a power of two.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self, mask: u32) -> u32 {
        self.0 & mask
    }
}

#[cfg(test)]
mod tests {
    use super::Index;

    #[test]
    fn the_wrap_is_nothing_special() {
        let before = Index::new(u32::MAX - 1);
        let after = before.advance(5);
        assert_eq!(after.get(), 3);
        assert_eq!(after.distance_from(before), 5);
        assert_eq!((before.slot(7), after.slot(7)), (6, 3));
    }
}
