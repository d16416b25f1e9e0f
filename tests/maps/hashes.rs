//! Hash tables.

use crate::programs::{count_by_packet, packet, run};
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use xsk::bpf::BpfHashMap;
use xsk::test_util::privileged;
use xsk::{Errno, Error};

#[test]
fn a_program_finds_what_is_inserted() {
    if !privileged!() {
        return;
    }
    let map = BpfHashMap::<[u8; 4], u64>::create("seen", 4).unwrap();
    let program = count_by_packet(map.as_fd(), 1);
    assert_eq!(run(&program, &packet(b"abcd")), 0);
    map.insert(b"abcd", &10).unwrap();
    assert_eq!(run(&program, &packet(b"abcd")), 1);
    assert_eq!(map.get(b"abcd").unwrap(), Some(11));
    assert!(map.remove(b"abcd").unwrap());
    assert!(!map.remove(b"abcd").unwrap());
    assert_eq!(run(&program, &packet(b"abcd")), 0);
    assert_eq!(map.get(b"abcd").unwrap(), None);
}

#[test]
fn inserting_depends_on_what_is_there() {
    if !privileged!() {
        return;
    }
    let map = BpfHashMap::<u32, u32>::create("map", 2).unwrap();
    assert!(!map.replace(&1, &1).unwrap());
    assert!(map.insert_new(&1, &2).unwrap());
    assert!(!map.insert_new(&1, &3).unwrap());
    assert_eq!(map.get(&1).unwrap(), Some(2));
    assert!(map.replace(&1, &4).unwrap());
    map.insert(&1, &5).unwrap();
    map.insert(&2, &6).unwrap();
    let error = map.insert(&3, &7).unwrap_err();
    assert!(matches!(error, Error::MapEntry { errno: Errno::TOOBIG, entries: 2, .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("is full"), "{error}");
    map.insert(&2, &8).unwrap();
    let all: BTreeMap<_, _> = map.iter().map(Result::unwrap).collect();
    assert_eq!(all, BTreeMap::from([(1, 5), (2, 8)]));
}

/// More entries than a batch has room for, in few buckets and in many.
#[test]
fn every_entry_comes_once() {
    if !privileged!() {
        return;
    }
    for entries in [1_u32, 2, 3, 255, 256, 257, 10_000] {
        let map = BpfHashMap::<u32, u64>::create("map", entries).unwrap();
        assert_eq!(map.iter().count(), 0);
        let expected: BTreeMap<u32, u64> =
            (0..entries).map(|key| (key * 77, u64::from(key) << 32)).collect();
        map.insert_all(&expected).unwrap();
        let found: Vec<_> = map.iter().map(Result::unwrap).collect();
        assert_eq!(found.len(), entries as usize);
        assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), expected);
        let keys = map.keys().unwrap();
        assert_eq!(keys.len(), entries as usize);
        // One that is not there among them.
        let removed = map.remove_all(keys.iter().chain([&u32::MAX]).chain(&keys)).unwrap();
        assert_eq!(removed, u64::from(entries));
        assert_eq!(map.iter().count(), 0);
    }
}

#[test]
fn a_full_map_takes_what_fits() {
    if !privileged!() {
        return;
    }
    let map = BpfHashMap::<u32, u8>::builder("map", 100).without_preallocation().create().unwrap();
    let entries: Vec<(u32, u8)> = (0..200).map(|key| (key, 1)).collect();
    let error = map.insert_all(entries.iter().map(|(key, value)| (key, value))).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::TOOBIG), "{error}");
    let mut keys = map.keys().unwrap();
    keys.sort_unstable();
    assert_eq!(keys, Vec::from_iter(0..100));
    // The one that failed is not passed over, though the rest has room.
    assert!(map.insert_all([(&0, &7), (&500, &7), (&1, &7)]).is_err());
    assert_eq!((map.get(&0).unwrap(), map.get(&1).unwrap()), (Some(7), Some(1)));
}

#[test]
fn an_lru_map_is_never_full() {
    if !privileged!() {
        return;
    }
    let map = xsk::bpf::LruHash::<u32, u64>::create("lru", 1000).unwrap();
    let program = count_by_packet(map.as_fd(), 1);
    map.insert(&7, &0).unwrap();
    for key in 1000..10_000 {
        // Looking it up in a program is a use.
        if key % 100 == 0 {
            run(&program, &packet(&7_u32.to_ne_bytes()));
        }
        map.insert(&key, &1).unwrap();
    }
    assert!(map.iter().count() <= 1000);
    assert_eq!(map.get(&7).unwrap(), Some(90));
    assert_eq!(map.get(&9_999).unwrap(), Some(1), "the last one");
    assert!(!map.insert_new(&9_999, &2).unwrap());
    assert!(map.replace(&9_999, &2).unwrap());
    assert!(map.remove(&9_999).unwrap());
}
