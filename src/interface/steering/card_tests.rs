//! Rules on a fake card.

use super::{FlowAction, FlowRule};
use crate::error::Error;
use crate::interface::tests::fake_card::{Card, PLACES, fake};
use rustix::io::Errno;
use xsk_uapi::ethtool::ETH_FLAG_NTUPLE;

fn vxlan() -> FlowRule {
    FlowRule::udp_v4().destination_port(4789).to_queue(3)
}

fn errno<T: std::fmt::Debug>(result: Result<T, Error>) -> Errno {
    result.unwrap_err().errno().unwrap()
}

#[test]
fn rules_are_added_listed_and_removed() {
    for special in [false, true] {
        let (interface, card, _installed) = fake(Card { special, ..Card::default() });
        assert_eq!(interface.rules().unwrap(), []);
        let one = interface.add_rule(&vxlan()).unwrap();
        let drop_web = FlowRule::tcp_v6().destination_port(80).drop_packets();
        let two = interface.add_rule(&drop_web).unwrap();
        let places = if special { (0, 1) } else { (7, 6) };
        assert_eq!((one.location(), two.location()), places);
        let mut rules = interface.rules().unwrap();
        rules.sort_by_key(|rule| rule.location != one.location());
        assert_eq!((&rules[0].rule, &rules[1].rule), (&Some(vxlan()), &Some(drop_web)));
        assert_eq!((rules[0].action, rules[1].action), (FlowAction::Queue(3), FlowAction::Drop));
        one.remove().unwrap();
        assert_eq!(interface.rules().unwrap().len(), 1);
        drop(two);
        assert!(card.borrow().rules.is_empty());
        interface.add_rule(&vxlan()).unwrap().keep();
        assert_eq!(card.borrow().rules.len(), 1);
    }
}

#[test]
fn a_guard_removes_its_own_rule_only() {
    let (interface, card, _installed) = fake(Card::default());
    for dropped in [false, true] {
        // Another program puts a rule of its own in its place.
        let guard = interface.add_rule(&vxlan()).unwrap();
        interface.remove_rule(guard.location()).unwrap();
        interface.add_rule(&FlowRule::ipv4().to_queue(0)).unwrap().keep();
        if dropped {
            drop(guard);
        } else {
            let error = guard.remove().unwrap_err();
            assert_eq!(error.errno(), Some(Errno::CANCELED));
            assert!(error.to_string().contains("another rule, or none, is at its place"));
        }
        assert_eq!(card.borrow().rules.len(), 1);
        interface.remove_rule(PLACES - 1).unwrap();
        // Or nothing.
        let guard = interface.add_rule(&vxlan()).unwrap();
        interface.remove_rule(guard.location()).unwrap();
        assert_eq!(errno(guard.remove()), Errno::CANCELED);
    }
    assert_eq!(errno(interface.remove_rule(0)), Errno::NOENT);
}

#[test]
fn a_full_table_is_named() {
    for special in [false, true] {
        let (interface, _card, _installed) = fake(Card { special, ..Card::default() });
        for _ in 0..PLACES {
            interface.add_rule(&vxlan()).unwrap().keep();
        }
        let error = interface.add_rule(&vxlan()).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::NOSPC));
        assert_eq!(error.to_string().contains("all 8 places of its table are taken"), !special);
        assert_eq!(interface.rules().unwrap().len(), 8);
    }
}

#[test]
fn rules_that_come_while_they_are_listed_are_listed() {
    let (interface, card, _installed) = fake(Card::default());
    interface.add_rule(&vxlan()).unwrap().keep();
    card.borrow_mut().late = 3;
    assert_eq!(interface.rules().unwrap().len(), 4);
    card.borrow_mut().late = 5;
    assert_eq!(interface.add_rule(&vxlan()).unwrap().location(), 6);
}

#[test]
fn the_feature_that_is_off_is_named_and_switched_on() {
    let (interface, card, _installed) = fake(Card { needs_ntuple: true, ..Card::default() });
    card.borrow_mut().flags = 1 << 28;
    let error = interface.add_rule(&vxlan()).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::OPNOTSUPP));
    let text = error.to_string();
    assert!(text.contains("its feature ntuple-filters is off"), "{text}");
    assert!(text.contains("`ethtool -K lo ntuple on`"), "{text}");
    let feature = interface.set_ntuple(true).unwrap();
    assert_eq!(card.borrow().flags, 1 << 28 | ETH_FLAG_NTUPLE, "no other feature is changed");
    interface.add_rule(&vxlan()).unwrap().remove().unwrap();
    feature.restore().unwrap();
    assert_eq!(card.borrow().flags, 1 << 28);
    assert_eq!(errno(interface.add_rule(&FlowRule::ipv6().to_queue(4))), Errno::INVAL);
}

#[test]
fn a_feature_that_stays_off_is_an_error() {
    let (interface, _card, _installed) = fake(Card { ignores_flags: true, ..Card::default() });
    assert_eq!(errno(interface.set_ntuple(true)), Errno::OPNOTSUPP);
    interface.set_ntuple(false).unwrap().restore().unwrap();
}
