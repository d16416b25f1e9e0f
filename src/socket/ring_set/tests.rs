//! Offsets that the kernel reports: a ring is refused unless each part is aligned and in the
//! mapping.

use super::RingSpec;
use crate::ring::RingKind;
use crate::sys::memory::Mapping;
use crate::types::PageSize;
use xsk_uapi::if_xdp::{xdp_mmap_offsets, xdp_ring_offset};
use zerocopy::FromZeros;

/// Two indices, a flags word, and four entries of 16 bytes to the end of the mapping.
const GOOD: xdp_ring_offset = xdp_ring_offset { producer: 0, consumer: 64, flags: 72, desc: 128 };
const LEN: usize = 192;

/// Returns whether a TX ring of four entries is found at `offsets` in a mapping of `len` bytes.
fn is_found(offsets: xdp_ring_offset, len: usize, flags_word: bool) -> bool {
    let spec = RingSpec { kind: RingKind::Tx, entries: 4 };
    let mapping = Mapping::anonymous(len, PageSize::Normal).unwrap();
    // SAFETY: the memory is not used.
    unsafe { spec.mapped(mapping, offsets, flags_word).memory::<[u64; 2]>() }.is_ok()
}

#[test]
fn each_ring_is_where_its_own_offsets_say() {
    let at = |first: u64| {
        let (producer, consumer) = (first, first + 1);
        xdp_ring_offset { producer, consumer, flags: first + 2, desc: first + 3 }
    };
    let offsets = xdp_mmap_offsets { rx: at(10), tx: at(20), fr: at(30), cr: at(40) };
    for (kind, first) in
        [(RingKind::Rx, 10), (RingKind::Tx, 20), (RingKind::Fill, 30), (RingKind::Completion, 40)]
    {
        assert_eq!(RingSpec { kind, entries: 4 }.layout(&offsets).0, at(first), "{kind}");
    }
}

#[test]
fn a_number_of_entries_that_is_no_power_of_two_is_refused() {
    for entries in [0, 3] {
        let mapping = Mapping::anonymous(LEN, PageSize::Normal).unwrap();
        let ring = RingSpec { kind: RingKind::Rx, entries }.mapped(mapping, GOOD, true);
        // SAFETY: the memory is not used.
        assert!(unsafe { ring.memory::<[u64; 2]>() }.is_err(), "{entries}");
    }
}

#[test]
fn a_ring_is_as_long_as_its_entries_after_their_start() {
    let measured = |kind, entries, desc| {
        let mut offsets = xdp_mmap_offsets::new_zeroed();
        for ring in [&mut offsets.rx, &mut offsets.tx, &mut offsets.fr, &mut offsets.cr] {
            ring.desc = desc;
        }
        RingSpec { kind, entries }.layout(&offsets).1
    };
    for (kind, entry) in
        [(RingKind::Rx, 16), (RingKind::Tx, 16), (RingKind::Fill, 8), (RingKind::Completion, 8)]
    {
        assert_eq!(measured(kind, 4, 128), Some(128 + 4 * entry));
        let most = u64::try_from(usize::MAX - 4 * entry).unwrap();
        assert_eq!(measured(kind, 4, most), Some(usize::MAX));
        assert_eq!(measured(kind, 4, most + 1), None, "no length instead of one that wrapped");
    }
}

#[test]
fn every_part_lies_in_the_mapping_or_the_ring_is_refused() {
    assert!(is_found(GOOD, LEN, true));
    assert!(!is_found(GOOD, LEN - 1, true), "the last entry is cut off");
    let end = u64::try_from(LEN).unwrap();
    let with = |part: usize, offset: u64| {
        let mut offsets = GOOD;
        *[&mut offsets.producer, &mut offsets.consumer, &mut offsets.flags, &mut offsets.desc]
            [part] = offset;
        is_found(offsets, LEN, true)
    };
    for part in 0..3 {
        assert!(with(part, end - 4), "part {part}: the last word");
        for beyond in [end, end + 4, 1 << 40, u64::MAX - 3, u64::MAX - 7] {
            assert!(!with(part, beyond), "part {part} at {beyond}");
        }
        for crooked in [1, 2, 3, 62, end - 3] {
            assert!(!with(part, crooked), "part {part} at {crooked}");
        }
    }
    for beyond in [136, end, 1 << 40, u64::MAX - 63, u64::MAX - 7] {
        assert!(!with(3, beyond), "entries at {beyond}");
    }
    // i386 aligns a `u64` to 4 bytes.
    let align = u64::try_from(align_of::<u64>()).unwrap();
    for at in [1, 2, 4, 124] {
        assert_eq!(with(3, at), at % align == 0, "entries at {at}");
    }
}

#[test]
fn before_5_4_nothing_is_read_where_the_flags_would_be() {
    let offsets = xdp_ring_offset { flags: u64::MAX, ..GOOD };
    assert!(!is_found(offsets, LEN, true));
    assert!(is_found(offsets, LEN, false));
}

#[test]
fn before_5_4_a_tx_ring_always_asks_for_a_wake_up_and_others_never_do() {
    for (kind, flags_word, asks) in [
        (RingKind::Tx, true, false),
        (RingKind::Tx, false, true),
        (RingKind::Rx, false, false),
        (RingKind::Fill, false, false),
    ] {
        let mapping = Mapping::anonymous(LEN, PageSize::Normal).unwrap();
        let ring = RingSpec { kind, entries: 4 }.mapped(mapping, GOOD, flags_word);
        // SAFETY: the mapping is kept, and nothing else uses the ring.
        let (memory, _mapping) = unsafe { ring.memory::<[u64; 2]>() }.unwrap();
        assert_eq!(memory.needs_wakeup(), asks, "{kind}, {flags_word}");
    }
}
