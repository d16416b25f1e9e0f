//! What a hostile kernel may write.

use proptest::prelude::*;
use xsk::ring::RingKind;

pub(crate) const CHUNK: u64 = 2048;
pub(crate) const CHUNKS: u64 = 12;
pub(crate) const AREA: u64 = CHUNK * CHUNKS;

/// Addresses near everything that matters.
pub(crate) fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 0..AREA,
        2 => (0..CHUNKS).prop_map(|number| number * CHUNK),
        2 => (0..CHUNKS).prop_map(|number| number * CHUNK + CHUNK - 1),
        1 => Just(AREA),
        1 => AREA..AREA + 2 * CHUNK,
        1 => (0..64_u32, 0..3_u64).prop_map(|(bit, less)| (1_u64 << bit).wrapping_sub(less)),
        1 => any::<u64>(),
    ]
}

/// Addresses that can be refused without a ledger.
pub(crate) fn outside() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(AREA),
        1 => AREA..AREA + 2 * CHUNK,
        1 => (15..64_u32, 0..3_u64).prop_map(|(bit, less)| (1_u64 << bit).wrapping_sub(less)),
        1 => AREA..=u64::MAX,
    ]
}

pub(crate) fn len() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 1..=64_u32,
        2 => Just(0),
        2 => 2040..=2056_u32,
        1 => any::<u32>(),
        1 => (0..3_u32).prop_map(|less| u32::MAX - less),
    ]
}

pub(crate) fn options() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0), 1 => (0..32_u32).prop_map(|bit| 1 << bit), 1 => any::<u32>()]
}

pub(crate) fn kind() -> impl Strategy<Value = RingKind> {
    prop::sample::select(vec![RingKind::Rx, RingKind::Tx, RingKind::Fill, RingKind::Completion])
}
