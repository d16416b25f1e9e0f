//! Conversions between integer widths that lose nothing on the platforms this crate builds for:
//! `usize` has 32 or 64 bits there.

/// Returns a ring index, a count or a length as what Rust indexes with.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "usize has at least 32 bits on every supported target")]
pub(crate) const fn usize32(value: u32) -> usize {
    value as usize
}

/// Returns a length or an address in memory as the kernel's 64-bit number.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "usize has at most 64 bits on every supported target")]
pub(crate) const fn u64_of(value: usize) -> u64 {
    value as u64
}

/// Returns an offset into memory that is mapped in this process, as what Rust indexes with.
///
/// The memory's length is a `usize`, so an offset below it fits one.
#[inline(always)]
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "an offset below a mapping's length, which is a usize"
)]
pub(crate) const fn usize_of_offset(offset: u64) -> usize {
    offset as usize
}

/// Returns a count of chunks or of ring entries, which are numbered by 32 bits, as that.
#[inline(always)]
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the caller counts things that have 32-bit numbers"
)]
pub(crate) const fn u32_of_count(count: usize) -> u32 {
    count as u32
}

/// Returns a C `int` as the kernel's calling convention passes it: sign-extended into a register.
///
/// The kernel looks at the lower 32 bits only, so no value is lost.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "isize has at least 32 bits on every supported target")]
pub(crate) const fn register_of(value: i32) -> usize {
    value as isize as usize
}

/// Returns the error number in a system call's negative result.
///
/// The kernel returns `-errno`, and error numbers are below 4096 (`MAX_ERRNO`), so it fits.
#[inline(always)]
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a negative result is in -4095..0"
)]
pub(crate) const fn errno_of(result: isize) -> i32 {
    result.wrapping_neg() as i32
}
