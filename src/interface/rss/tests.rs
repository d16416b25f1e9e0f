//! The receive hash of a fake card.

use super::Symmetry;
use crate::error::Error;
use crate::interface::FlowRule;
use crate::interface::tests::fake_card::{Card, fake};
use rustix::io::Errno;

fn card() -> Card {
    // Not the kernel's default, as igb begins.
    let table = vec![0, 0, 1, 1, 2, 2, 3, 3];
    Card { table, key: vec![7; 40], ..Card::default() }
}

fn errno<T: std::fmt::Debug>(result: Result<T, Error>) -> Errno {
    result.unwrap_err().errno().unwrap()
}

#[test]
fn a_queue_is_kept_out_and_comes_back() {
    let (interface, card, _installed) = fake(card());
    let guard = interface.keep_queue_out(1).unwrap();
    assert_eq!(card.borrow().table, [0, 0, 0, 2, 2, 2, 3, 3]);
    assert_eq!(card.borrow().key, [7; 40]);
    assert_eq!(guard.rss().table, card.borrow().table);
    let second = interface.keep_queue_out(3).unwrap();
    assert_eq!(guard.restore().map_err(|error| error.errno()), Err(Some(Errno::CANCELED)));
    second.restore().unwrap();
    assert_eq!(card.borrow().table, [0, 0, 0, 2, 2, 2, 3, 3]);
    assert_eq!(errno(interface.keep_queue_out(4)), Errno::INVAL);
    card.borrow_mut().table.clear();
    assert_eq!(errno(interface.keep_queue_out(0)), Errno::OPNOTSUPP);
}

#[test]
fn the_default_table_leaves_channels_free() {
    let (interface, card, _installed) = fake(card());
    let mut rss = interface.rss().unwrap().unwrap();
    rss.spread_over(&[0, 1, 2, 3]);
    let guard = interface.set_rss(&rss).unwrap();
    assert!(!card.borrow().configured);
    guard.restore().unwrap();
    assert!(card.borrow().configured, "a table that is not the default was written");
    interface.set_rss(&rss).unwrap().keep();
    interface.keep_queue_out(0).unwrap().restore().unwrap();
    assert!(!card.borrow().configured);
}

#[test]
fn the_default_table_and_a_key_are_set_together() {
    let (interface, card, _installed) = fake(card());
    let mut rss = interface.rss().unwrap().unwrap();
    rss.spread_over(&[0, 1, 2, 3]);
    assert!(rss.set_symmetric_key());
    let guard = interface.set_rss(&rss).unwrap();
    assert_eq!((&card.borrow().table, &card.borrow().key), (&rss.table, &rss.key));
    assert!(!card.borrow().configured);
    guard.keep();
    // And put back.
    rss.spread_over(&[0, 1]);
    rss.key.fill(1);
    let guard = interface.set_rss(&rss).unwrap();
    assert!(card.borrow().configured);
    guard.restore().unwrap();
    assert_eq!(card.borrow().table, [0, 1, 2, 3, 0, 1, 2, 3]);
    assert_eq!(card.borrow().key, [0x6d, 0x5a].repeat(20));
    assert!(!card.borrow().configured);
}

#[test]
fn both_directions_have_one_hash() {
    let (interface, card, _installed) = fake(card());
    // By the key.
    let guard = interface.set_symmetric_rss().unwrap();
    assert_eq!(card.borrow().key, [0x6d, 0x5a].repeat(20));
    drop(guard);
    assert_eq!((card.borrow().key.clone(), card.borrow().transform), (vec![7; 40], 0));
    // By joining the ends.
    card.borrow_mut().transforms = 1;
    let guard = interface.set_symmetric_rss().unwrap();
    assert_eq!(guard.rss().symmetry, Some(Symmetry::Xor));
    assert_eq!((card.borrow().key.clone(), card.borrow().transform), (vec![7; 40], 1));
    // What else is set leaves it.
    interface.keep_queue_out(0).unwrap().keep();
    assert_eq!(card.borrow().transform, 1);
    assert_eq!(errno(guard.restore()), Errno::CANCELED);
    // By neither.
    *card.borrow_mut() = Card { key: Vec::new(), ..self::card() };
    assert_eq!(errno(interface.set_symmetric_rss()), Errno::OPNOTSUPP);
}

#[test]
fn contexts_are_made_used_and_removed() {
    let (interface, card, _installed) = fake(card());
    assert_eq!(errno(interface.add_rss_context(&[3; 7])), Errno::INVAL, "of another length");
    assert_eq!(errno(interface.add_rss_context(&[4; 8])), Errno::INVAL, "no such queue");
    let context = interface.add_rss_context(&[3; 8]).unwrap();
    assert_eq!(card.borrow().contexts[&context.id()], [3; 8]);
    let rule = interface.add_rule(&FlowRule::udp_v4().to_context(context.id())).unwrap();
    let installed = interface.rules().unwrap().remove(0);
    assert_eq!(installed.rule, Some(FlowRule::udp_v4().to_context(context.id())));
    rule.remove().unwrap();
    context.remove().unwrap();
    assert!(card.borrow().contexts.is_empty());

    let context = interface.add_rss_context(&[1; 8]).unwrap();
    card.borrow_mut().contexts.insert(context.id(), vec![2; 8]);
    assert_eq!(errno(context.remove()), Errno::CANCELED);
    assert_eq!(card.borrow().contexts.len(), 1, "that of another program stays");
    drop(interface.add_rss_context(&[1; 8]).unwrap());
    interface.add_rss_context(&[1; 8]).unwrap().keep();
    assert_eq!(card.borrow().contexts.len(), 2);
}
