//! The conversions between integer widths that cannot lose anything on the platforms we build for.

/// A ring index or a length in bytes, as what Rust indexes with.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "usize has at least 32 bits on every supported target")]
pub(crate) const fn usize32(value: u32) -> usize {
    value as usize
}
