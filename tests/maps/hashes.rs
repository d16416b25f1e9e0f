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
