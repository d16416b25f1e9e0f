use super::{V1_LEN, V2_LEN, read};
use crate::types::{Dispatcher, DispatcherComponent};

/// A configuration: its first bytes, then arrays of ten numbers.
fn bytes(head: [u8; 4], arrays: &[[u32; 10]]) -> Vec<u8> {
    let numbers = arrays.iter().flatten().flat_map(|number| number.to_ne_bytes());
    head.into_iter().chain(numbers).collect()
}

const PASS: u32 = 1 << 31 | 1 << 2;
const ACTIONS: [u32; 10] = [PASS, PASS | 1 << 1, 0, 0, 0, 0, 0, 0, 0, 0];
const PRIORITIES: [u32; 10] = [30, 50, 0, 0, 0, 0, 0, 0, 0, 0];
const FLAGS: [u32; 10] = [32, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// What one program of a chain says: its place, priority, chain actions and flags.
type Place = (usize, u32, u32, Option<u32>);

fn places(dispatcher: &Dispatcher) -> Vec<Place> {
    let place = |one: &DispatcherComponent| {
        assert_eq!((one.id, &one.name, one.tag, one.link), (None, &None, None, None));
        (one.place, one.priority, one.chain_actions.bits(), one.flags)
    };
    dispatcher.components.as_ref().unwrap().iter().map(place).collect()
}

#[test]
fn a_configuration_of_each_version_is_read() {
    let first = read(&bytes([2, 0, 0, 0], &[ACTIONS, PRIORITIES])).unwrap();
    assert_eq!((first.version, first.frags), (1, None));
    assert_eq!(places(&first), [(0, 30, PASS, None), (1, 50, PASS | 2, None)]);
    let second = bytes([236, 2, 2, 1], &[ACTIONS, PRIORITIES, FLAGS]);
    let mut third = bytes([236, 3, 2, 0], &[ACTIONS, PRIORITIES, FLAGS]);
    third.extend([1, 0, 0, 0]);
    for (bytes, version, frags) in [(second, 2, true), (third, 3, false)] {
        let read = read(&bytes).unwrap();
        assert_eq!((read.version, read.frags), (version, Some(frags)));
        assert_eq!(places(&read), [(0, 30, PASS, Some(32)), (1, 50, PASS | 2, Some(0))]);
    }
}

/// What `bpftool map dump` printed of the dispatcher of Debian 13's xdp-tools on an x86-64, after
/// `xdp-loader load -P 50` and `load -P 30 -A XDP_DROP,XDP_PASS`.
#[cfg(target_endian = "little")]
const RECORDED: &str = "\
    ec020200060000800400008000000000000000000000000000000000000000000000000000000000\
    000000001e0000003200000000000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000000000000000000000000000000000000000000\
    00000000";

#[cfg(target_endian = "little")]
#[test]
fn a_recorded_configuration_is_read() {
    let digits = RECORDED.as_bytes().chunks(2);
    let bytes: Vec<u8> = digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    let read = read(&bytes).unwrap();
    assert_eq!((bytes.len(), read.version, read.frags), (124, 2, Some(false)));
    assert_eq!(places(&read), [(0, 30, PASS | 2, Some(0)), (1, 50, PASS, Some(0))]);
    let actions: Vec<_> =
        read.components.unwrap().iter().map(|one| one.chain_actions.to_string()).collect();
    assert_eq!(actions, ["XDP_DROP,XDP_PASS", "XDP_PASS"]);
}

#[test]
fn all_ten_places_can_be_taken_and_none() {
    let arrays = [ACTIONS, PRIORITIES, FLAGS];
    for count in [0, 1, 10] {
        for (head, arrays) in [([count, 0, 0, 0], &arrays[..2]), ([236, 2, count, 0], &arrays[..])]
        {
            let read = read(&bytes(head, arrays)).unwrap();
            assert_eq!(places(&read).len(), usize::from(count));
        }
    }
}

#[test]
fn the_chain_of_an_unknown_version_is_not_known() {
    for version in [0, 1, 4, 255] {
        let bytes = bytes([236, version, 2, 1], &[ACTIONS, PRIORITIES, FLAGS]);
        assert_eq!(read(&bytes), Some(Dispatcher::new(version, None, None)));
    }
}

#[test]
fn what_is_cut_off_or_contradicts_itself_is_none() {
    let whole = bytes([236, 2, 2, 1], &[ACTIONS, PRIORITIES, FLAGS]);
    for len in (0..V2_LEN).filter(|len| *len != V1_LEN) {
        assert_eq!(read(&whole[..len]), None, "{len}");
    }
    // 236 programs, as version 1 would read it.
    assert_eq!(read(&whole[..V1_LEN]), None);
    for count in [11, 30, 255] {
        assert_eq!(read(&bytes([236, 2, count, 0], &[ACTIONS, PRIORITIES, FLAGS])), None);
        assert_eq!(read(&bytes([count, 0, 0, 0], &[ACTIONS, PRIORITIES])), None);
    }
    // Data of another program that has this name.
    for other in [vec![0; V2_LEN], vec![255; V2_LEN], vec![0; 1], vec![7; 4096]] {
        assert_eq!(read(&other), None);
    }
}

#[test]
fn no_bytes_end_in_a_panic() {
    let mut seed = 1_u64;
    for len in 0..300 {
        for head in [[236, 2], [236, 3], [2, 0]] {
            let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                seed.to_be_bytes()[0]
            })
            .take(len)
            .collect();
            for (byte, head) in bytes.iter_mut().zip(head) {
                *byte = head;
            }
            if let Some(Dispatcher { components: Some(components), .. }) = read(&bytes) {
                assert!(components.len() <= 10, "{bytes:?}");
            }
        }
    }
}
