#![expect(clippy::arithmetic_side_effects, reason = "a test")]

use super::{FULL_BLOCK, OFFSET, Prefix4, Room, Table, mask};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Looks an address up as programs do.
fn contains(table: &Table, address: u32) -> bool {
    let [_, _, third, fourth] = address.to_be_bytes();
    let bit = |at: u32, index: u8| {
        let word = table.read((at + u32::from(index / 8)) & !3).to_ne_bytes();
        word[usize::from(index / 8 % 4)] >> (index % 8) & 1 == 1
    };
    let word = table.read((address >> 16) * 4);
    if word < 2 {
        return word == 1;
    }
    if word & FULL_BLOCK == 0 {
        return bit(word & OFFSET, third);
    }
    let word = table.read((word & OFFSET) + u32::from(third) * 4);
    if word < 2 { word == 1 } else { bit(word & OFFSET, fourth) }
}

fn prefix() -> impl Strategy<Value = Prefix4> {
    // Few different bytes, so that prefixes lie in one another.
    let byte = prop_oneof![0_u8..3, any::<u8>()];
    let len = prop_oneof![1 => 14_u8..=16, 4 => 17_u8..=32];
    ([0_u8..2, 0_u8..2], [byte.clone(), byte], len)
        .prop_map(|([a, b], [c, d], len)| (u32::from_be_bytes([a, b, c, d]) & mask(len), len))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_table_has_the_addresses_of_its_prefixes(
        steps in proptest::collection::vec((prefix(), any::<bool>()), 1..60)
    ) {
        let mut prefixes = BTreeSet::new();
        let mut table = Table::new(Room::new(&BTreeSet::new(), 1000));
        let mut shadow = std::collections::BTreeMap::new();
        for (prefix, add) in steps {
            let mut write = |offset, word| { shadow.insert(offset, word); };
            table.change(&mut prefixes, prefix, add, &mut write).expect("room");
            let (address, len) = prefix;
            for near in [address, address | !mask(len), address.wrapping_sub(1), address ^ 0x100] {
                let wanted = (0..=32).any(|len| prefixes.contains(&(near & mask(len), len)));
                prop_assert_eq!(contains(&table, near), wanted, "{:#x}", near);
            }
        }
        for (offset, word) in table.words() {
            prop_assert_eq!(shadow.get(&offset), Some(&word));
        }
    }
}

#[test]
fn the_whole_of_ipv4_is_a_prefix() {
    let mut table = Table::new(Room::new(&BTreeSet::new(), 0));
    let mut prefixes = BTreeSet::from([(0, 0), (0x0a00_0001, 32)]);
    table.fill(&prefixes).expect("room");
    assert!([0, 0x0a00_0001, 0x0a00_0002, u32::MAX].into_iter().all(|at| contains(&table, at)));
    table.change(&mut prefixes, (0, 0), false, &mut |_, _| {}).expect("room");
    assert!(contains(&table, 0x0a00_0001));
    assert!([0, 0x0a00_0002, u32::MAX].into_iter().all(|at| !contains(&table, at)));
}

#[test]
fn blocks_that_are_free_are_used_again() {
    let mut prefixes = BTreeSet::new();
    let mut table = Table::new(Room::new(&BTreeSet::new(), 0));
    let mut change = |prefix, add| table.change(&mut prefixes, prefix, add, &mut |_, _| {});
    assert_eq!(change((0xff00_0000, 17), true), Ok(true));
    for round in 0..60_u32 {
        let prefix = ((round % 7) << 16 | 5, 32);
        assert_eq!([change(prefix, true), change(prefix, false)], [Ok(true); 2]);
    }
    let roots = |(offset, _): &(u32, u32)| *offset < 0xff00 * 4;
    assert_eq!(table.words().filter(roots).count(), 0);
}

#[test]
fn a_table_without_room_says_so_and_stays_as_it_was() {
    let mut prefixes = BTreeSet::new();
    let mut table = Table::new(Room::new(&BTreeSet::new(), 0));
    let refused = (0..100).find(|root| {
        table.change(&mut prefixes, (root << 16 | 5, 32), true, &mut |_, _| {}).is_err()
    });
    let refused = refused.expect("the table is small");
    assert!(!contains(&table, refused << 16 | 5));
    assert!((0..refused).all(|root| contains(&table, root << 16 | 5)));
}

#[test]
fn a_table_has_the_room_that_it_is_made_for_wherever_the_prefixes_are() {
    const COUNT: u32 = 300;
    let mut prefixes = BTreeSet::new();
    let mut table = Table::new(Room::new(&prefixes, COUNT));
    let mut change = |prefixes: &mut BTreeSet<Prefix4>, prefix, add| {
        assert_eq!(table.change(prefixes, prefix, add, &mut |_, _| {}), Ok(true));
    };
    // Changes with blocks of bits leave no less to those of words.
    change(&mut prefixes, (0xff00_0000, 17), true);
    for round in 0..20_000 {
        change(&mut prefixes, ((round % 9) << 16, 24), true);
        change(&mut prefixes, ((round % 9) << 16, 24), false);
    }
    for root in 1..COUNT {
        change(&mut prefixes, (root << 16 | 5, 32), true);
    }
    // And the other way round.
    for root in 1..COUNT {
        change(&mut prefixes, (root << 16 | 5, 32), false);
        change(&mut prefixes, (root << 16, 24), true);
    }
    assert!((1..COUNT).all(|root| contains(&table, root << 16 | 7)));
}

#[test]
fn a_block_that_was_left_is_used_again_where_the_other_kind_took_the_rest() {
    let mut prefixes = BTreeSet::new();
    let mut table = Table::new(Room::new(&prefixes, 0));
    let mut change = |prefix, add| table.change(&mut prefixes, prefix, add, &mut |_, _| {});
    let one = (5, 32);
    change(one, true).expect("room");
    // Blocks of bits take all bytes, also those that were meant for blocks of words.
    let full = (1..1 << 16).find(|root| change((root << 16, 24), true).is_err());
    assert!(full.is_some(), "the table is small");
    change(one, false).expect("it needs no block");
    change(one, true).expect("the room that it had");
    assert!(contains(&table, 5) && !contains(&table, 0x105));
}

#[test]
fn blocks_that_were_left_are_used_again_where_no_bytes_are_left() {
    let mut prefixes = BTreeSet::new();
    let mut table = Table::new(Room::new(&prefixes, 0));
    let mut change = |prefix, add| table.change(&mut prefixes, prefix, add, &mut |_, _| {});
    assert_eq!(change((0xc633_0000, 24), true), Ok(true));
    // Each change leaves a block: of both kinds first, so that both have used their bytes.
    for prefix in [(0x0100_0005, 32), (0xc633_0700, 24)] {
        for round in 0..5000 {
            assert_eq!(change(prefix, true), Ok(true), "{round}: {prefix:x?}");
            assert_eq!(change(prefix, false), Ok(true), "{round}: {prefix:x?}");
        }
    }
}

#[test]
fn a_prefix_can_be_removed_whatever_lies_in_it() {
    for (cover, step, len) in [((0, 0), 1 << 16, 32), ((0, 8), 1 << 8, 32), ((0, 0), 1 << 16, 24)] {
        let mut prefixes = BTreeSet::new();
        let mut table = Table::new(Room::new(&BTreeSet::new(), 0));
        let mut change = |prefix, add| table.change(&mut prefixes, prefix, add, &mut |_, _| {});
        assert_eq!(change(cover, true), Ok(true));
        let inside = (0..1_u32 << 14).map(|number| number * step);
        let inside: Vec<_> = inside.take_while(|at| change((*at, len), true).is_ok()).collect();
        assert!(inside.len() > 30 && inside.len() < 1 << 14, "{}", inside.len());
        assert_eq!(change(cover, false), Ok(true), "{cover:?}");
        assert!(inside.iter().all(|at| contains(&table, *at)));
        let refused = u32::try_from(inside.len()).unwrap() * step;
        assert!(!contains(&table, refused) && !contains(&table, !0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn in_a_small_table_prefixes_are_refused_and_never_kept(
        steps in proptest::collection::vec((any::<u16>(), 0_u8..12, any::<bool>()), 1..800)
    ) {
        let mut prefixes = BTreeSet::new();
        let mut table = Table::new(Room::new(&BTreeSet::new(), 0));
        for (number, kind, add) in steps {
            let number = u32::from(number);
            let (address, len) = match kind {
                0 => (0, 10),
                1 => ((number % 4) << 20, 12),
                2 => ((number % 64) << 16, 16),
                3 => ((number % 64) << 16 | (number / 64 % 4) << 14, 18),
                4..8 => ((number % 64) << 16 | (number & 0xff00), 24),
                _ => (((number % 64) << 16) | (number & 0xff00) | (number % 3), 32),
            };
            let prefix = (address & mask(len), len);
            let was = prefixes.contains(&prefix);
            let changed = table.change(&mut prefixes, prefix, add, &mut |_, _| {});
            prop_assert!(changed == Ok(was != add) || (add && !was && changed.is_err()));
            prop_assert_eq!(prefixes.contains(&prefix), if changed.is_ok() { add } else { was });
            for near in [address, address | !mask(len), address ^ 0x100] {
                let wanted = (0..=32).any(|len| prefixes.contains(&(near & mask(len), len)));
                prop_assert_eq!(contains(&table, near), wanted, "{:#x}", near);
            }
        }
    }
}
