//! Tries of prefixes.

use crate::common::kernel_since;
use crate::programs::{count_by_packet, packet, run};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use xsk::bpf::{LpmTrie, Prefix};
use xsk::test_util::privileged;
use xsk::{Errno, Error};

/// A packet that begins with a key: the length in bits and an address.
fn key(len: u32, address: &[u8]) -> [u8; 64] {
    packet(&[&len.to_ne_bytes(), address].concat())
}

#[test]
fn a_program_finds_the_longest_prefix() {
    if !privileged!() {
        return;
    }
    let trie = LpmTrie::<Prefix<4>, u64>::create("routes", 4).unwrap();
    let program = count_by_packet(trie.as_fd(), 2);
    let [wide, narrow] = [8, 16].map(|len| Prefix::v4(Ipv4Addr::new(10, 9, 8, 7), len).unwrap());
    trie.insert(&wide, &100).unwrap();
    trie.insert(&narrow, &200).unwrap();
    assert_eq!(run(&program, &key(32, &[10, 9, 0, 1])), 1);
    assert_eq!(run(&program, &key(32, &[10, 8, 0, 1])), 1);
    assert_eq!(run(&program, &key(32, &[10, 8, 0, 2])), 1);
    assert_eq!(run(&program, &key(32, &[11, 9, 0, 1])), 0);
    assert_eq!(trie.get(&narrow).unwrap(), Some(201));
    assert_eq!(trie.get(&wide).unwrap(), Some(102));
    assert_eq!(trie.get(&Ipv4Addr::new(10, 9, 1, 1).into()).unwrap(), Some(201));
    assert!(trie.remove(&narrow).unwrap());
    assert!(!trie.remove(&narrow).unwrap());
    assert_eq!(trie.get(&Ipv4Addr::new(10, 9, 1, 1).into()).unwrap(), Some(102));
    assert_eq!(trie.get(&Ipv4Addr::new(11, 9, 1, 1).into()).unwrap(), None);
}

#[test]
fn a_full_trie_says_so() {
    if !privileged!() {
        return;
    }
    let trie = LpmTrie::<Prefix<16>, u8>::create("v6", 2).unwrap();
    let prefix = |number: u16| Prefix::v6(Ipv6Addr::new(number, 0, 0, 0, 0, 0, 0, 0), 16).unwrap();
    trie.insert(&prefix(1), &1).unwrap();
    trie.insert(&prefix(2), &2).unwrap();
    let error = trie.insert(&prefix(3), &3).unwrap_err();
    assert!(matches!(error, Error::MapEntry { errno: Errno::NOSPC, .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("is full"), "{error}");
    assert_eq!(trie.get(&Ipv6Addr::new(2, 9, 9, 9, 9, 9, 9, 9).into()).unwrap(), Some(2));
}

#[test]
fn a_prefix_is_written_if_it_is_there_or_not() {
    if !privileged!() {
        return;
    }
    let trie = LpmTrie::<Prefix<4>, u8>::create("trie", 4).unwrap();
    let [wide, narrow] = [8, 16].map(|len| Prefix::new([10, 9, 0, 0], len).unwrap());
    match trie.insert_new(&wide, &1) {
        Err(Error::NeedsKernel { version: "6.13", .. }) => {
            assert!(!kernel_since(6, 13));
            assert!(trie.replace(&wide, &1).is_err());
            return;
        }
        result => assert!(result.unwrap()),
    }
    assert!(!trie.insert_new(&wide, &2).unwrap());
    assert!(!trie.replace(&narrow, &2).unwrap(), "a longer one is not it");
    assert_eq!(trie.get(&narrow).unwrap(), Some(1));
    assert!(trie.replace(&wide, &3).unwrap());
    assert_eq!(trie.get(&wide).unwrap(), Some(3));
}

#[test]
fn ten_thousand_prefixes_are_listed_and_removed() {
    if !privileged!() {
        return;
    }
    let trie = LpmTrie::<Prefix<4>, u32>::create("set", 10_000).unwrap();
    let prefix = |number: u32| Prefix::v4(Ipv4Addr::from(number << 8), 24).unwrap();
    let expected: BTreeMap<Prefix<4>, u32> =
        (0..10_000).map(|number| (prefix(number), number)).collect();
    trie.insert_all(&expected).unwrap();
    let found: Vec<_> = trie.iter().map(Result::unwrap).collect();
    assert_eq!(found.len(), 10_000);
    assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), expected);
    // Every second one is removed by the loop itself.
    let mut seen = 0;
    for entry in trie.iter() {
        let (prefix, number) = entry.unwrap();
        seen += 1;
        if number % 2 == 0 {
            assert!(trie.remove(&prefix).unwrap());
        }
    }
    assert_eq!(seen, 10_000);
    let left = trie.keys().unwrap();
    assert_eq!(left.len(), 5_000);
    assert_eq!(trie.remove_all(&left).unwrap(), 5_000);
    assert_eq!(trie.iter().count(), 0);
}
