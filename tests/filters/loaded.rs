//! Filters that another process loaded: their rules and their counters.

use xsk::bpf::{
    Action, AddressSet, ArrayMap, ClassicFilter, Condition, Direction, Filter, FilterProgram, Insn,
    Program, Reg, XskMap,
};
use xsk::test_util::{privileged, test_name};
use xsk::{Errno, Error};

use crate::common::{kernel_can, kernel_since};

/// Opens a program as another process does.
fn opened(filter: &FilterProgram) -> FilterProgram {
    let program = Program::from_id(filter.program().id()).unwrap();
    FilterProgram::from_program(program).unwrap().unwrap()
}

/// Returns the rules in words.
fn words(filter: &FilterProgram) -> Option<Vec<String>> {
    let rules = filter.rules()?.iter();
    Some(rules.map(|rule| format!("{}: {}", rule.action, rule.condition)).collect())
}

fn keeps_rules(name: &str) -> bool {
    kernel_can(name, kernel_since(5, 10), "programs keep maps that they do not use since 5.10")
}

#[test]
fn its_rules_and_counters_are_read() {
    if !privileged!() || !keeps_rules(test_name!()) {
        return;
    }
    let map = XskMap::create("xsks_map", 4).unwrap();
    let set = AddressSet::new("blocked");
    let filter = Filter::new()
        .rule("arp".parse().unwrap(), Action::Drop)
        .rule(Condition::address_in(Direction::Source, &set), Action::Pass)
        .rule("udp dst port 4789".parse().unwrap(), Action::Queue)
        .rule("icmp".parse().unwrap(), Action::Slot(3))
        .counters(true);
    let loaded = filter.load(&map).unwrap();
    let mut packet = [0; 60];
    packet[12..14].copy_from_slice(&[8, 6]);
    assert_eq!(loaded.program().test_run(&packet, None).unwrap().retval, 1);
    loaded.program().test_run(&[0; 60], None).unwrap();
    let found = opened(&loaded);
    let rules: Vec<_> =
        filter.rules().map(|(condition, action)| format!("{action}: {condition}")).collect();
    assert_eq!(words(&found).unwrap(), rules);
    assert!(rules[1].contains("@blocked"), "{rules:?}");
    assert_eq!((rules[0].as_str(), rules[3].as_str()), ("drop: arp", "slot 3: icmp"));
    let counts = found.counts().unwrap().unwrap();
    assert_eq!(Some(&counts), loaded.counts().unwrap().as_ref());
    assert_eq!((counts.rules.len(), counts.rules[0].packets, counts.others.packets), (4, 1, 1));
    // The process that loaded it knows the same, and the instructions are those without the text.
    assert_eq!(words(&loaded), words(&found));
    let [text] = &loaded
        .program()
        .maps()
        .unwrap()
        .into_iter()
        .filter(|map| map.name == "xsk_rules_text")
        .collect::<Vec<_>>()[..]
    else {
        panic!("one map")
    };
    assert_eq!(text.kind_name(), Some("array"));
}

#[test]
fn without_counters_only_the_rules_are_known() {
    if !privileged!() || !keeps_rules(test_name!()) {
        return;
    }
    let map = XskMap::create("xsks_map", 4).unwrap();
    let loaded = Filter::new().rule("arp".parse().unwrap(), Action::Drop).load(&map).unwrap();
    let found = opened(&loaded);
    assert_eq!(words(&found).unwrap(), ["drop: arp"]);
    assert_eq!(found.counts().unwrap(), None);
    // Nobody can change the text: neither a program nor a process.
    let ids = found.program().info().unwrap().map_ids;
    let text = ids.iter().find_map(|id| ArrayMap::<[u8; 37]>::from_id(*id).ok()).unwrap();
    assert_eq!(text.name(), "xsk_rules_text");
    assert_eq!(&text.get(0).unwrap().unwrap(), b"xsk filter rules 1\ncounters\ndrop\tarp\n");
    let error = text.set(0, &[0; 37]).unwrap_err();
    assert!(matches!(error, Error::MapEntry { errno: Errno::PERM, .. }), "{error}");
    // One without rules, and a classic program.
    assert_eq!(words(&opened(&Filter::new().load(&map).unwrap())).unwrap(), [""; 0]);
    let classic: ClassicFilter = "1\n6 0 0 0".parse().unwrap();
    let classic = classic.load(&map, Action::Queue).unwrap();
    assert_eq!(words(&opened(&classic)).unwrap(), ["queue: a classic program"]);
}

#[test]
fn a_text_that_is_too_long_is_not_kept_and_the_filter_works() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("xsks_map", 4).unwrap();
    let mut filter = Filter::new().counters(true);
    // The later ones are for no packet, and take no instruction.
    for _ in 0..3999 {
        filter = filter.rule("ip and udp dst port 1".parse().unwrap(), Action::Drop);
    }
    let loaded = filter.load(&map).unwrap();
    let found = opened(&loaded);
    assert_eq!((loaded.rules(), found.rules()), (None, None));
    // Which rule an entry of the counters is of is in the text.
    assert_eq!(found.counts().unwrap(), None);
    assert_eq!(loaded.counts().unwrap().unwrap().rules.len(), 3999);
}

#[test]
fn other_programs_are_none() {
    if !privileged!() {
        return;
    }
    for name in ["", "xsk_redirect", "xsk_filters"] {
        let insns = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
        let program = Program::builder(&insns).name(name).load().unwrap();
        assert!(FilterProgram::from_program(program).unwrap().is_none(), "{name}");
    }
    // One that has the name, and nothing else.
    let insns = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let program = Program::builder(&insns).name("xsk_filter").load().unwrap();
    let found = FilterProgram::from_program(program).unwrap().unwrap();
    assert_eq!((found.rules(), found.counts().unwrap()), (None, None));
}
