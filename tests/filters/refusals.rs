//! What is refused, and what is said before it is loaded.

use std::net::Ipv4Addr;
use xsk::bpf::{Action, AddressSet, Condition, Filter};
use xsk::error::{Error, FilterFault};

fn condition(text: &str) -> Condition {
    text.parse().unwrap()
}

#[test]
fn a_rule_for_everything_needs_saying_so() {
    for text in ["len >= 0", "ip or not ip", "ether[0] >= 0 or len < 9999999"] {
        let filter = Filter::new().rule(condition("arp"), Action::Pass);
        let filter = filter.rule(condition(text), Action::Queue);
        let refused = filter.compile().unwrap_err();
        let Error::Filter { fault: FilterFault::TakesEverything { rule: 1, .. }, .. } = refused
        else {
            panic!("{text}: {refused}")
        };
        assert!(filter.take_everything(true).compile().is_ok());
    }
    let passed = Filter::new().rule(Condition::every_packet(), Action::Pass);
    assert!(passed.compile().is_ok(), "all packets go on to the kernel");
    // Nothing is left for a rule behind it.
    for text in ["len >= 0", "ip or not ip"] {
        let passed = Filter::new().rule(condition(text), Action::Pass);
        let filter = passed.rule(Condition::every_packet(), Action::Queue);
        assert!(filter.compile().is_ok(), "{text}: all packets go on to the kernel");
    }
}

#[test]
fn rules_that_no_packet_is_for_are_known_before() {
    let filter = Filter::new()
        .rule(condition("ip and tcp and udp"), Action::Queue)
        .rule(condition("ip and tcp dst port 80"), Action::Queue)
        .rule(condition("ip and tcp dst portrange 70-90"), Action::Drop)
        .rule(condition("ip and tcp dst portrange 75-85"), Action::Pass)
        .rule(condition("ip and src net 10.0.0.0/8 and src host 11.0.0.1"), Action::Queue);
    assert_eq!(filter.compile().unwrap().unreachable(), [0, 3, 4]);
}

#[test]
fn rules_beyond_any_program_are_refused_in_bounded_time() {
    // Each source has a destination of its own, and any two of them may meet.
    let pair = |n: u32| {
        let address = |n: u32| Ipv4Addr::from(n.wrapping_mul(0x9e37_79b9));
        Condition::source(address(n)) & Condition::destination_port(n as u16)
    };
    let start = std::time::Instant::now();
    let many = Filter::new().rule(Condition::any((0..20_000).map(pair)), Action::Drop);
    match many.compile() {
        Ok(compiled) => assert!(compiled.len() <= 32767),
        Err(Error::Filter { fault: FilterFault::TooLarge { rules: 1, .. }, .. }) => {}
        Err(error) => panic!("{error}"),
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn hundreds_of_rules_are_one_program() {
    let mut filter = Filter::new();
    for n in 0..300_u32 {
        let source = Condition::source(Ipv4Addr::from(0x0a00_0000 | n));
        filter = filter.rule(source & Condition::udp(), Action::Slot(n));
    }
    let compiled = filter.compile().unwrap();
    assert!(compiled.len() < 10_000, "{}", compiled.len());
    assert!(compiled.unreachable().is_empty());
}

#[test]
fn a_set_without_room_says_so_and_stays_as_it_was() {
    if !xsk::test_util::privileged!() {
        return;
    }
    let set = AddressSet::new("small");
    let filter =
        Filter::new().rule(Condition::address_in(xsk::bpf::Direction::Source, &set), Action::Drop);
    let map = xsk::bpf::XskMap::create("xsks_map", 1).unwrap();
    let program = filter.load(&map).unwrap();
    let (refused, error) = (0..10_000_u32)
        .find_map(|n| {
            let address = Ipv4Addr::from(n << 16 | 1);
            set.insert(address, 32).err().map(|error| (address, error))
        })
        .expect("it fills up");
    assert!(error.to_string().contains("the set \"small\" are full"), "{error}");
    assert!(!set.contains(refused));
    let packet = crate::packets::udp4(refused, Ipv4Addr::LOCALHOST, [1, 2]);
    assert_eq!(program.program().test_run(&packet, None).unwrap().retval, 2);
    let packet = crate::packets::udp4([0, 7, 0, 1].into(), Ipv4Addr::LOCALHOST, [1, 2]);
    assert_eq!(program.program().test_run(&packet, None).unwrap().retval, 1);
    set.remove([0, 7, 0, 1], 32).unwrap();
    set.insert(refused, 32).unwrap();
}

#[test]
fn a_slot_that_the_map_does_not_have_is_refused_before_loading() {
    if !xsk::test_util::privileged!() {
        return;
    }
    let map = xsk::bpf::XskMap::create("xsks_map", 2).unwrap();
    let to = |slot| Filter::new().rule(Condition::udp(), Action::Slot(slot)).load(&map);
    to(1).unwrap();
    let error = to(2).unwrap_err();
    assert!(
        error.to_string().starts_with(
            "the filter cannot be loaded: a rule is for slot 2, and the map has 2 slots. "
        ),
        "{error}"
    );
}
