//! Entries of the RX and TX rings, as two words.

use xsk_uapi::if_xdp::xdp_desc;
use zerocopy::transmute;

/// How far the length is from the lower half of a descriptor's second word, in bits.
const SHIFT: u32 = if cfg!(target_endian = "big") { 32 } else { 0 };

/// A descriptor's address, and its length with the options above it: too long for any chunk if there
/// are options.
#[inline(always)]
pub(super) fn words(desc: xdp_desc) -> (u64, u64) {
    let [address, rest]: [u64; 2] = transmute!(desc);
    (address, rest.rotate_right(SHIFT))
}

/// The length in a length with options.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "the upper half is the options"
)]
pub(super) fn len(length: u64) -> u32 {
    length as u32
}

/// The descriptor of a packet that is one frame: no options.
#[inline(always)]
pub(super) fn packet(address: u64, len: u32) -> xdp_desc {
    transmute!([address, u64::from(len).rotate_left(SHIFT)])
}
