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

#[test]
fn all_values_are_read_and_written_at_once() {
    if !privileged!() {
        return;
    }
    let array = ArrayMap::<u32>::create("array", 10_000).unwrap();
    let values: Vec<u32> = (0..9_990).map(|value| value * 3).collect();
    array.set_all(10, &values).unwrap();
    let all = array.get_all().unwrap();
    assert_eq!((all.len(), &all[..10], &all[10..]), (10_000, &[0; 10][..], &values[..]));
    assert_eq!(array.get(9_999).unwrap(), Some(9_989 * 3));
    // What fits is written.
    let error = array.set_all(9_998, &[1, 2, 3, 4]).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::TOOBIG), "{error}");
    assert_eq!(array.get_all().unwrap()[9_997..], [9_987 * 3, 1, 2]);
    assert!(array.set_all(u32::MAX, &[1, 2]).is_err());
    array.set_all(3, &[]).unwrap();
}

#[test]
fn a_view_shows_what_a_program_counts() {
    if !privileged!() {
        return;
    }
    let counters = ArrayMap::<u64>::builder("counters", 1000).mappable().create().unwrap();
    let view = counters.view().unwrap();
    let program = count_by_packet(counters.as_fd(), 1);
    let packet = packet(&999_u32.to_ne_bytes());
    for number in 1..10 {
        run(&program, &packet);
        assert_eq!(view.get(999), Some(number));
    }
    counters.set(0, &u64::MAX).unwrap();
    drop(counters);
    run(&program, &packet);
    assert_eq!((view.get(0), view.get(999), view.get(1000)), (Some(u64::MAX), Some(10), None));
    assert_eq!((view.entries(), view.iter().count()), (1000, 1000));
}

/// Values whose length is no multiple of a word.
#[test]
fn a_view_reads_values_of_any_size() {
    if !privileged!() {
        return;
    }
    let array = ArrayMap::<[u8; 13]>::builder("odd", 500).mappable().create().unwrap();
    let value = |index: u32| std::array::from_fn(|at| (index as usize * 7 + at) as u8);
    let values: Vec<[u8; 13]> = (0..500).map(value).collect();
    array.set_all(0, &values).unwrap();
    assert_eq!(array.view().unwrap().iter().collect::<Vec<_>>(), values);
    assert_eq!(array.get_all().unwrap(), values);
}

#[test]
fn an_array_that_was_not_made_for_it_is_not_mapped() {
    if !privileged!() {
        return;
    }
    let array = ArrayMap::<u64>::create("array", 1).unwrap();
    let error = array.view().unwrap_err();
    assert!(matches!(error, Error::MapEntry { operation: MapOp::Mmap, .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("BPF_F_MMAPABLE"), "{error}");
}

#[test]
fn programs_do_not_write_what_they_may_only_read() {
    if !privileged!() {
        return;
    }
    let array = ArrayMap::<u64>::builder("limits", 1).read_only_for_programs().create().unwrap();
    array.set(0, &1500).unwrap();
    let insns = crate::programs::counting(array.as_fd(), 1);
    let error = xsk::bpf::Program::builder(&insns).license(c"GPL").load().unwrap_err();
    let Error::LoadProgram { log, .. } = &error else { panic!("{error:?}") };
    assert!(log.contains("write into map forbidden"), "{log}");
    assert_ne!(array.info().unwrap().flags & xsk::uapi::bpf::BPF_F_RDONLY_PROG, 0);
}
