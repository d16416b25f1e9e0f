//! What keys and values of maps are.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A key or a value of a map: any bytes of its size are one, and it has no padding.
///
/// Every type that derives these four traits of the crate `zerocopy` (0.8) is one: numbers, arrays,
/// and structs of them that are `#[repr(C)]`. A type without a size is refused when the program is
/// compiled. The kernel compares keys byte by byte, so a key with padding could not be found again.
///
/// ```
/// use xsk::bpf::{BpfHashMap, MapData};
/// use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
///
/// #[derive(Debug, Clone, Copy, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[repr(C)]
/// struct Flow {
///     source: [u8; 4],
///     port: u16,
///     protocol: u16,
/// }
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of MapData") { return Ok(()); }
/// let flow = Flow { source: [10, 0, 0, 1], port: 53_u16.to_be(), protocol: 17 };
/// let packets = BpfHashMap::<Flow, u64>::create("packets", 16)?;
/// packets.insert(&flow, &7)?;
/// assert_eq!(packets.get(&flow)?, Some(7));
/// # Ok(())
/// # }
/// ```
pub trait MapData: FromBytes + IntoBytes + Immutable + KnownLayout {}

impl<T: FromBytes + IntoBytes + Immutable + KnownLayout> MapData for T {}

/// Returns the size of a key or a value, as the kernel has it.
///
/// Fails to compile for a type without a size, or one of 2^31 bytes or more.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "below 2^31, as asserted"
)]
pub(super) const fn size<T: MapData>() -> u32 {
    const { assert!(size_of::<T>() != 0, "a key or a value of a map has one byte at least") };
    const { assert!(size_of::<T>() < 1 << 31, "a key or a value of a map has less than 2^31 bytes") };
    size_of::<T>() as u32
}

/// Returns the value whose first bytes these are; what is missing is zero.
pub(super) fn from_prefix<T: MapData>(bytes: &[u8]) -> T {
    let mut value = T::new_zeroed();
    for (to, from) in value.as_mut_bytes().iter_mut().zip(bytes) {
        *to = *from;
    }
    value
}
