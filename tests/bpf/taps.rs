//! Taps: which packets are copied, how much of them, and what is lost.

use crate::common::{kernel_can, kernel_since, packet};
use xsk::bpf::{Condition, PacketCopy, Tap};
use xsk::test_util::{privileged, test_name};

const COPIES: &str = "copies of packets came with 5.18";

#[test]
fn packets_are_copied_byte_for_byte_up_to_the_snaplen() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 18), COPIES) {
        return;
    }
    for snaplen in [1, 60, 64, 65, 1000, 1600, 65535] {
        let tap = Tap::new(Condition::every_packet()).snaplen(snaplen).load().unwrap();
        let mut reader = tap.reader().unwrap();
        for len in [14, 60, 63, 64, 65, 128, 129, 1514, 1600, 1601, 3400] {
            let bytes = packet(len as u32, len.max(18));
            assert_eq!(tap.program().test_run(&bytes, None).unwrap().retval, 2);
            let copy = reader.read().unwrap().unwrap();
            let kept = bytes.len().min(snaplen as usize);
            assert!(copy.bytes == &bytes[..kept], "{len} bytes, of which {snaplen} are kept");
            assert_eq!((copy.length as usize, copy.queue), (bytes.len(), 0));
            assert!(reader.read().unwrap().is_none());
        }
    }
}

#[test]
fn what_finds_no_room_is_counted_and_times_do_not_go_back() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 18), COPIES) {
        return;
    }
    let tap = Tap::new("udp or ether proto 0x88b5".parse().unwrap()).ring_bytes(4096);
    let tap = tap.load().unwrap();
    let mut others = packet(0, 60);
    others[12] = 0x99;
    for number in 0..100 {
        let bytes = packet(number, 60);
        tap.program().test_run(&bytes, None).unwrap();
        tap.program().test_run(&others, None).unwrap();
    }
    let (mut reader, mut copied, mut last) = (tap.reader().unwrap(), 0, 0);
    while let Some(copy) = reader.read().unwrap() {
        assert_eq!(copy.bytes, packet(copied, 60), "the first ones are there");
        assert!(copy.time >= last);
        (copied, last) = (copied + 1, copy.time);
    }
    let counts = tap.counts().unwrap();
    assert!((20..100).contains(&copied), "{copied}");
    assert_eq!((counts.matched.packets, counts.others.packets), (100, 100));
    assert_eq!(counts.lost + u64::from(copied), 100);
}

#[test]
fn many_copies_are_read_at_once_in_their_order_and_their_room_is_free_again() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 18), COPIES) {
        return;
    }
    let tap = Tap::new(Condition::every_packet()).ring_bytes(4096).load().unwrap();
    let mut reader = tap.reader().unwrap();
    let mut next = 0;
    // The ring has room for 30 copies: it is filled, and gone round, again and again.
    for round in 0..50 {
        let first = next;
        for number in first..first + 20 {
            tap.program().test_run(&packet(number, 60), None).unwrap();
        }
        let see = |copy: PacketCopy<'_>| {
            assert_eq!((copy.bytes, copy.length), (&packet(next, 60)[..], 60));
            next += 1;
        };
        match round % 3 {
            0 => assert_eq!(reader.read_each(usize::MAX, see).unwrap(), 20),
            1 => {
                let mut see = see;
                assert_eq!(reader.read_each(0, &mut see).unwrap(), 0);
                assert_eq!(reader.read_each(7, &mut see).unwrap(), 7);
                assert_eq!(reader.read_each(13, see).unwrap(), 13);
            }
            _ => {
                let mut see = see;
                see(reader.read().unwrap().unwrap());
                assert_eq!(reader.read_each(20, see).unwrap(), 19);
            }
        }
        assert_eq!(next, first + 20);
        assert!(reader.read().unwrap().is_none());
    }
    assert_eq!(tap.counts().unwrap().lost, 0);
}

#[test]
fn packets_of_other_queues_are_not_copied() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 18), COPIES) {
        return;
    }
    let copies = |queues: &[u32]| {
        let tap = Tap::new(Condition::every_packet()).queues(queues.iter().copied());
        let tap = tap.load().unwrap();
        assert_eq!(tap.program().test_run(&[0; 60], None).unwrap().retval, 2);
        tap.reader().unwrap().read().unwrap().is_some()
    };
    assert!(copies(&[0]) && copies(&[3, 0]));
    assert!(!copies(&[1, 2]) && !copies(&[]));
}

#[test]
fn a_condition_that_is_never_true_and_any_snaplen_are_no_danger() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 18), COPIES) {
        return;
    }
    let tap = Tap::new("ip and arp".parse().unwrap()).load().unwrap();
    assert_eq!(tap.program().test_run(&[0; 60], None).unwrap().retval, 2);
    assert!(tap.reader().unwrap().read().unwrap().is_none());
    for snaplen in [0, 65536, u32::MAX] {
        let error = Tap::new(Condition::every_packet()).snaplen(snaplen).load().unwrap_err();
        assert!(matches!(error, xsk::Error::Setting { name: "snaplen", .. }), "{error}");
    }
}
