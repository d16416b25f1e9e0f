//! Sets that change while a program looks into them.

use crate::common::{kernel_since, rounds};
use crate::packets::{udp4, udp6};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use xsk::bpf::{Action, AddressSet, Condition, Direction, Filter, FilterProgram, PortSet, XskMap};

const DROP: u32 = 1;
const PASS: u32 = 2;

fn verdict(program: &FilterProgram, packet: &[u8]) -> u32 {
    program.program().test_run(packet, None).unwrap().retval
}

fn loaded(condition: Condition) -> FilterProgram {
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    Filter::new().rule(condition, Action::Drop).load(&map).unwrap()
}

/// Addresses that differ in few bits, so that prefixes hold several.
fn address() -> impl Strategy<Value = IpAddr> {
    let byte = prop_oneof![0_u8..4, any::<u8>()];
    prop_oneof![
        3 => [0_u8..8, 0_u8..8, 0_u8..8, 0_u8..8].prop_map(|bytes| IpAddr::from(Ipv4Addr::from(bytes))),
        2 => any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits))),
        2 => [byte.clone(), byte.clone(), byte].prop_map(|[a, b, c]| {
            let mut bytes = [0; 16];
            (bytes[0], bytes[5], bytes[15]) = (a, b, c);
            IpAddr::from(Ipv6Addr::from(bytes))
        }),
    ]
}

#[test]
fn a_program_finds_what_is_in_a_set_of_thousands_and_sees_changes() {
    if !xsk::test_util::privileged("a_program_finds_what_is_in_a_set_of_thousands_and_sees_changes")
    {
        return;
    }
    let mut runner = TestRunner::deterministic();
    let mut some = || address().new_tree(&mut runner).unwrap().current();
    let set = AddressSet::new("thousands");
    let bits = |address: IpAddr, n: usize| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        u8::try_from(most - n % (most / 2)).unwrap()
    };
    for n in 0..5000 {
        let address = some();
        set.insert(address, bits(address, n)).unwrap();
    }
    let source = loaded(Condition::address_in(Direction::Source, &set));
    let either = loaded(Condition::address_in(Direction::Either, &set));
    let (mut inside, mut outside) = (0, 0);
    for n in 0..rounds(20_000) {
        let (a, b) = match (some(), some()) {
            (a @ IpAddr::V4(_), IpAddr::V4(_)) => (a, IpAddr::from(Ipv4Addr::from(!n))),
            (a @ IpAddr::V6(_), b @ IpAddr::V6(_)) => (a, b),
            (a @ IpAddr::V4(_), _) => (a, IpAddr::from(Ipv4Addr::LOCALHOST)),
            (a @ IpAddr::V6(_), _) => (a, IpAddr::from(Ipv6Addr::LOCALHOST)),
        };
        let packet = match (a, b) {
            (IpAddr::V4(a), IpAddr::V4(b)) => udp4(a, b, [1, 2]),
            (IpAddr::V6(a), IpAddr::V6(b)) => udp6(a, b, [1, 2]),
            _ => unreachable!(),
        };
        let is_inside = set.contains(a);
        let wanted = if is_inside { DROP } else { PASS };
        assert_eq!(verdict(&source, &packet), wanted, "{a}");
        let wanted = if is_inside || set.contains(b) { DROP } else { PASS };
        assert_eq!(verdict(&either, &packet), wanted, "{a} {b}");
        if is_inside {
            inside += 1
        } else {
            outside += 1
        }
        // A prefix far from others takes much of a set's room.
        let is_near = a < IpAddr::from([8, 0, 0, 0]) || a.is_ipv6();
        if n % 4 == 0 && is_near {
            // What is in goes out, and what is out comes in.
            let len = if a.is_ipv4() { 32 } else { 128 };
            if is_inside {
                for len in 0..=len {
                    set.remove(a, len).unwrap();
                }
            } else {
                set.insert(a, len).unwrap();
            }
            let wanted = if is_inside { PASS } else { DROP };
            assert_eq!(verdict(&source, &packet), wanted, "{a} after the change");
        }
    }
    let wanted = rounds(1000);
    assert!(inside > wanted && outside > wanted, "{inside} {outside}");
}

#[test]
fn a_set_of_ports_is_seen_by_all_programs_that_use_it() {
    if !xsk::test_util::privileged("a_set_of_ports_is_seen_by_all_programs_that_use_it") {
        return;
    }
    let set = PortSet::new("ports");
    set.insert(1000..=1999);
    set.insert(0);
    set.insert(65535);
    let first = loaded(Condition::port_in(Direction::Destination, &set));
    let second = loaded(Condition::udp() & Condition::port_in(Direction::Destination, &set));
    let packet = |port| udp4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST, [7, port]);
    let packet6 = |port| udp6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, [7, port]);
    let check = |ports: &[(u16, u32)]| {
        for &(port, wanted) in ports {
            for program in [&first, &second] {
                assert_eq!(verdict(program, &packet(port)), wanted, "port {port}");
                assert_eq!(verdict(program, &packet6(port)), wanted, "port {port} of IPv6");
            }
        }
    };
    check(&[(999, PASS), (1000, DROP), (1999, DROP), (2000, PASS), (0, DROP), (65535, DROP)]);
    set.remove(1500..=1599);
    set.insert(2000);
    check(&[(1499, DROP), (1500, PASS), (1599, PASS), (1600, DROP), (2000, DROP), (2001, PASS)]);
}

#[test]
fn a_set_may_grow_between_compiling_and_loading() {
    if !xsk::test_util::privileged!() {
        return;
    }
    let set = AddressSet::new("grown");
    let filter = Filter::new().rule(Condition::address_in(Direction::Source, &set), Action::Drop);
    let compiled = filter.compile().unwrap();
    // Far more than an empty set has room for, and all of them in blocks of their own.
    let address = |n: u32| Ipv4Addr::from((n << 16) | (n & 0xff) << 8 | 7);
    for n in 0..1000 {
        set.insert(address(n), 32).unwrap();
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    let program = compiled.load(&map).unwrap();
    for n in [0, 1, 500, 998, 999] {
        let packet = |address| udp4(address, Ipv4Addr::LOCALHOST, [1, 2]);
        assert_eq!(verdict(&program, &packet(address(n))), DROP, "{n}");
        let near = Ipv4Addr::from(u32::from(address(n)) + 1);
        assert_eq!(verdict(&program, &packet(near)), PASS, "{near}");
    }
}

#[test]
fn an_empty_set_has_the_room_that_it_is_made_with_wherever_the_prefixes_are() {
    if !xsk::test_util::privileged!() {
        return;
    }
    // Each in a /16 network of its own, as far as there are enough.
    let address = |n: u32| Ipv4Addr::from((n % 60_000 + 1) << 16 | n | 1);
    // Linux 5.10 has no maps above 4 MiB.
    let (large, filled) = if kernel_since(6, 1) { (20_000, 2000) } else { (3000, 1500) };
    for (set, room) in
        [(AddressSet::new("usual"), 1024), (AddressSet::with_room("large", large), large)]
    {
        let program = loaded(Condition::address_in(Direction::Source, &set));
        for n in 0..room {
            set.insert(address(n), 32).unwrap_or_else(|error| panic!("{n}: {error}"));
        }
        let packet = |n| udp4(address(n), Ipv4Addr::LOCALHOST, [1, 2]);
        for n in [0, 1, room / 2, room - 1] {
            assert_eq!(verdict(&program, &packet(n)), DROP, "{n}");
        }
        assert_eq!(verdict(&program, &packet(room)), PASS);
    }
    // What is in it when a filter is compiled has room twice over.
    let set = AddressSet::with_room("filled", 0);
    (0..filled).for_each(|n| assert!(set.insert(address(n), 32).unwrap()));
    let program = loaded(Condition::address_in(Direction::Source, &set));
    (filled..2 * filled).for_each(|n| assert!(set.insert(address(n), 32).unwrap()));
    assert_eq!(
        verdict(&program, &udp4(address(2 * filled - 1), Ipv4Addr::LOCALHOST, [1, 2])),
        DROP
    );
}

#[test]
fn a_prefix_is_removed_from_a_full_set_whatever_lies_in_it() {
    if !xsk::test_util::privileged!() {
        return;
    }
    let set = AddressSet::with_room("covered", 0);
    set.insert(Ipv4Addr::UNSPECIFIED, 0).unwrap();
    let program = loaded(Condition::address_in(Direction::Source, &set));
    let address = |n: u32| Ipv4Addr::from(n << 16 | 1);
    let full = (0..5000).find(|n| set.insert(address(*n), 32).is_err());
    // Those that were taken have the room that they need without the prefix in which they lie.
    assert_eq!(set.remove(Ipv4Addr::UNSPECIFIED, 0), Ok(true));
    let verdict = |n| verdict(&program, &udp4(address(n), Ipv4Addr::LOCALHOST, [1, 2]));
    let full = full.expect("the set has little room");
    assert!((0..full).all(|n| verdict(n) == DROP), "{full}");
    assert_eq!([verdict(full), verdict(full + 1)], [PASS, PASS]);
}
