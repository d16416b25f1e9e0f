//! Maps with a value for each CPU.

use crate::programs::{count_by_packet, packet, run};
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use xsk::bpf::{PerCpuArray, PerCpuHash, possible_cpus};
use xsk::test_util::privileged;
use xsk::{Errno, Error};

/// The kernel's own list is `0-1`, or the like.
#[test]
fn the_possible_cpus_are_those_that_the_kernel_lists() {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap();
    let last = text.trim_end().rsplit(['-', ',']).next().unwrap();
    let possible = possible_cpus().unwrap();
    if !text.contains(',') {
        assert_eq!(possible, last.parse::<usize>().unwrap() + 1, "{text}");
    }
    assert!(possible <= last.parse::<usize>().unwrap() + 1, "{text}");
}

#[test]
fn a_program_counts_on_its_cpu() {
    if !privileged!() {
        return;
    }
    let cpus = possible_cpus().unwrap();
    let counters = PerCpuArray::<u64>::create("counters", 3).unwrap();
    let program = count_by_packet(counters.as_fd(), 1);
    for _ in 0..10 {
        assert_eq!(run(&program, &packet(&1_u32.to_ne_bytes())), 1);
    }
    let values = counters.get(1).unwrap().unwrap();
    assert_eq!((values.len(), values.iter().sum::<u64>()), (cpus, 10));
    assert_eq!(counters.get(0).unwrap(), Some(vec![0; cpus]));
    assert_eq!(counters.get(3).unwrap(), None);
    counters.set(1, &vec![5; cpus]).unwrap();
    assert_eq!(counters.get(1).unwrap(), Some(vec![5; cpus]));
    let error = counters.set(3, &vec![5; cpus]).unwrap_err();
    assert!(
        matches!(error, Error::MapEntry { errno: Errno::TOOBIG, index: Some(3), .. }),
        "{error}"
    );
    for wrong in [0, cpus - 1, cpus + 1] {
        let error = counters.set(1, &vec![5; wrong]).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
    }
}

/// Values of sizes around the eight bytes to which the kernel rounds them up.
#[test]
fn each_cpu_has_a_value_of_its_own() {
    if !privileged!() {
        return;
    }
    fn check<const N: usize>() {
        let cpus = possible_cpus().unwrap();
        let values: Vec<[u8; N]> = (0..cpus)
            .map(|cpu| std::array::from_fn(|at| u8::try_from(cpu * 16 + at % 16).unwrap()))
            .collect();
        let array = PerCpuArray::<[u8; N]>::create("array", 2).unwrap();
        array.set(1, &values).unwrap();
        assert_eq!(array.get(1).unwrap(), Some(values.clone()));
        assert_eq!(array.get(0).unwrap(), Some(vec![[0; N]; cpus]));
        let map = PerCpuHash::<u8, [u8; N]>::create("map", 2).unwrap();
        map.insert(&9, &values).unwrap();
        assert_eq!(map.get(&9).unwrap(), Some(values.clone()));
        assert_eq!(map.iter().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [(9, values)]);
    }
    check::<1>();
    check::<7>();
    check::<8>();
    check::<9>();
    check::<16>();
    check::<100>();
}

#[test]
fn a_hash_table_with_a_value_for_each_cpu() {
    if !privileged!() {
        return;
    }
    let cpus = possible_cpus().unwrap();
    let map = PerCpuHash::<u32, u64>::builder("map", 600).without_preallocation().create().unwrap();
    let program = count_by_packet(map.as_fd(), 1);
    assert_eq!(run(&program, &packet(&7_u32.to_ne_bytes())), 0);
    assert!(!map.replace(&7, &vec![0; cpus]).unwrap());
    assert!(map.insert_new(&7, &vec![0; cpus]).unwrap());
    assert!(!map.insert_new(&7, &vec![1; cpus]).unwrap());
    assert_eq!(run(&program, &packet(&7_u32.to_ne_bytes())), 1);
    assert_eq!(map.get(&7).unwrap().unwrap().iter().sum::<u64>(), 1);
    assert!(map.replace(&7, &vec![2; cpus]).unwrap());
    let mut expected = BTreeMap::from([(7, vec![2; cpus])]);
    for key in 1000..1599_u32 {
        let values: Vec<u64> = (0..cpus).map(|cpu| u64::from(key) * 100 + cpu as u64).collect();
        map.insert(&key, &values).unwrap();
        expected.insert(key, values);
    }
    let error = map.insert(&8, &vec![0; cpus]).unwrap_err();
    assert!(matches!(error, Error::MapEntry { errno: Errno::TOOBIG, .. }), "{error}");
    let found: Vec<_> = map.iter().unwrap().map(Result::unwrap).collect();
    assert_eq!(found.len(), 600);
    assert!(found.into_iter().collect::<BTreeMap<_, _>>() == expected);
    assert!(map.remove(&7).unwrap());
    assert_eq!(map.remove_all(expected.keys()).unwrap(), 599);
    assert_eq!(map.iter().unwrap().count(), 0);
}
