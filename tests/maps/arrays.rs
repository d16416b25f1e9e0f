//! Arrays.

use crate::programs::{count_by_packet, packet, run};
use std::os::fd::AsFd;
use xsk::bpf::ArrayMap;
use xsk::error::{MapKind, MapOp};
use xsk::test_util::privileged;
use xsk::{Errno, Error};

#[test]
fn a_program_counts_in_an_array() {
    if !privileged!() {
        return;
    }
    let counters = ArrayMap::<u64>::create("counters", 4).unwrap();
    counters.set(2, &(1 << 40)).unwrap();
    let program = count_by_packet(counters.as_fd(), 1);
    for _ in 0..5 {
        assert_eq!(run(&program, &packet(&2_u32.to_ne_bytes())), 1);
    }
    assert_eq!(run(&program, &packet(&4_u32.to_ne_bytes())), 0, "the array has four entries");
    let values: Vec<_> = (0..5).map(|index| counters.get(index).unwrap()).collect();
    assert_eq!(values, [Some(0), Some(0), Some((1 << 40) + 5), Some(0), None]);
}

#[test]
fn an_index_outside_is_refused() {
    if !privileged!() {
        return;
    }
    let array = ArrayMap::<[u8; 3]>::create("array", 2).unwrap();
    array.set(1, &[1, 2, 3]).unwrap();
    assert_eq!(array.get(1).unwrap(), Some([1, 2, 3]));
    let error = array.set(2, &[0; 3]).unwrap_err();
    let Error::MapEntry { operation, kind, entries: 2, index: Some(2), errno, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((*operation, *kind, *errno), (MapOp::Write, MapKind::Array, Errno::TOOBIG));
    assert!(error.hint().unwrap().contains("numbered from 0 to 1"), "{error}");
    assert_eq!(array.get(u32::MAX).unwrap(), None);
}
