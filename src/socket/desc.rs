//! The descriptor of the RX and TX rings, as two words.

use xsk_uapi::if_xdp::{XDP_PKT_CONTD, xdp_desc};
use zerocopy::{FromBytes, IntoBytes};

/// A descriptor (`struct xdp_desc`) whose length and options are one number: they are read, checked
/// and written at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes)]
#[repr(C)]
pub(super) struct Desc {
    pub(super) address: u64,
    length_and_options: u64,
}

static_assertions::assert_eq_size!(Desc, xdp_desc);
static_assertions::assert_eq_align!(Desc, xdp_desc);
static_assertions::const_assert_eq!(std::mem::offset_of!(xdp_desc, len), 8);
static_assertions::const_assert_eq!(std::mem::offset_of!(xdp_desc, options), 12);

/// `XDP_PKT_CONTD` above the length.
#[expect(clippy::as_conversions, reason = "in a constant")]
const CONTINUED: u64 = (XDP_PKT_CONTD as u64) << 32;

/// How far the length is from the lower half of the second word, in bits.
const SHIFT: u32 = if cfg!(target_endian = "big") { 32 } else { 0 };

impl Desc {
    /// No descriptor.
    pub(super) const NONE: Self = Self { address: u64::MAX, length_and_options: u64::MAX };

    /// Returns the descriptor of a packet that is one frame: no options.
    #[inline(always)]
    pub(super) fn new(address: u64, len: u32) -> Self {
        Self { address, length_and_options: u64::from(len).rotate_left(SHIFT) }
    }

    /// Returns the same descriptor at `address`.
    #[inline(always)]
    pub(super) fn at(self, address: u64) -> Self {
        Self { address, ..self }
    }

    /// Returns the length with the options above it: too long for any chunk if there are options.
    #[inline(always)]
    pub(super) fn length(self) -> u64 {
        self.length_and_options.rotate_right(SHIFT)
    }

    /// Returns whether the packet goes on in the next descriptor (`XDP_PKT_CONTD`, 6.6).
    #[inline(always)]
    pub(super) fn is_continued(self) -> bool {
        self.length() & CONTINUED != 0
    }

    /// As [`length`](Self::length), without the option that [`is_continued`](Self::is_continued)
    /// returns.
    #[inline(always)]
    pub(super) fn frame_length(self) -> u64 {
        self.length() & !CONTINUED
    }

    /// Returns the same descriptor with the packet going on in the next one, if `continued`.
    #[inline(always)]
    pub(super) fn continued(self, continued: bool) -> Self {
        let option = if continued { CONTINUED } else { 0 };
        let length_and_options = (self.length() | option).rotate_left(SHIFT);
        Self { length_and_options, ..self }
    }

    /// Returns the same descriptor with these options.
    #[inline(always)]
    pub(super) fn with_options(self, options: u32) -> Self {
        let length_and_options =
            (u64::from(self.len()) | u64::from(options) << 32).rotate_left(SHIFT);
        Self { length_and_options, ..self }
    }

    /// Returns the length alone.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::as_conversions,
        reason = "the upper half is the options"
    )]
    pub(super) fn len(self) -> u32 {
        self.length() as u32
    }

    /// Returns the options alone.
    #[expect(clippy::as_conversions, reason = "32 bits are left")]
    pub(super) fn options(self) -> u32 {
        (self.length() >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::Desc;
    use xsk_uapi::if_xdp::xdp_desc;

    #[test]
    fn the_two_words_are_the_kernels_descriptor() {
        let written: xdp_desc = zerocopy::transmute!(Desc::new(0x1234_5678_9abc, 60));
        let expected = xdp_desc { addr: 0x1234_5678_9abc, len: 60, options: 0 };
        assert_eq!(written, expected);
        let desc: Desc = zerocopy::transmute!(xdp_desc { options: 1, ..expected });
        assert_eq!((desc.len(), desc.options()), (60, 1));
        assert_eq!(desc.length(), 1 << 32 | 60);
        assert_eq!((desc.is_continued(), desc.frame_length()), (true, 60));
        let again: xdp_desc = zerocopy::transmute!(Desc::new(300, 60).continued(true));
        assert_eq!(again, xdp_desc { addr: 300, len: 60, options: 1 });
        assert!(!Desc::new(300, 60).continued(false).is_continued());
    }
}
