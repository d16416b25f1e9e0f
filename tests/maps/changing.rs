//! Maps that change while they are listed.

use crate::common::{PATIENCE, kernel_can, kernel_since};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use xsk::bpf::{BpfHashMap, LpmTrie, Prefix};
use xsk::test_util::{privileged, test_name};

const ENTRIES: u32 = 2000;

/// Lists a map again and again while another thread removes and writes the odd numbers: all even ones
/// but so many come each time, and each number once at the most.
fn check(
    left_out: usize,
    list: impl Fn() -> xsk::Result<Vec<u32>>,
    remove: impl Fn(u32) + Sync,
    insert: impl Fn(u32) + Sync,
) -> usize {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                (1..ENTRIES).step_by(2).for_each(&remove);
                (1..ENTRIES).step_by(2).for_each(&insert);
            }
        });
        let (mut partial, start) = (0, Instant::now());
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // On a busy machine the other thread begins late.
            for round in 0.. {
                if round >= 30 && (partial > 0 || start.elapsed() > PATIENCE) {
                    break;
                }
                let listed = list().unwrap();
                let numbers: BTreeSet<u32> = listed.iter().copied().collect();
                assert_eq!(numbers.len(), listed.len(), "round {round}: a number came twice");
                let even = numbers.iter().filter(|number| *number % 2 == 0).count();
                let all = ENTRIES as usize / 2;
                assert!(even + left_out >= all, "round {round}: {even} of {all}");
                partial += usize::from(numbers.len() < ENTRIES as usize);
            }
        }));
        stop.store(true, Ordering::Relaxed);
        result.unwrap();
        partial
    })
}

#[test]
fn a_hash_table_that_changes_is_listed() {
    if !privileged!() {
        return;
    }
    let map = BpfHashMap::<u32, u32>::create("map", ENTRIES).unwrap();
    (0..ENTRIES).for_each(|number| map.insert(&number, &number).unwrap());
    let partial = check(
        0,
        || map.keys(),
        |number| assert!(map.remove(&number).unwrap()),
        |number| map.insert(&number, &number).unwrap(),
    );
    assert_ne!(partial, 0, "the map did not change");
}

#[test]
fn a_trie_that_changes_is_listed() {
    let fixed = kernel_since(6, 13);
    if !privileged!() || !kernel_can(test_name!(), fixed, "tries before 6.13 leave out keys") {
        return;
    }
    let trie = LpmTrie::<Prefix<4>, u32>::create("trie", ENTRIES).unwrap();
    let prefix = |number: u32| Prefix::new(number.to_be_bytes(), 32).unwrap();
    (0..ENTRIES).for_each(|number| trie.insert(&prefix(number), &number).unwrap());
    // The kernel passes over a branch whose node is exchanged at the wrong moment.
    let partial = check(
        ENTRIES as usize / 100,
        || trie.iter().map(|entry| Ok(entry?.1)).collect(),
        |number| assert!(trie.remove(&prefix(number)).unwrap()),
        |number| trie.insert(&prefix(number), &number).unwrap(),
    );
    assert_ne!(partial, 0, "the trie did not change");
}
