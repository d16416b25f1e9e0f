//! Programs on a card that resets its link when one is attached: not when one takes another's place.
//! Needs igb (`XSK_CARDS`, `XSK_CARDS_KIND`), as in a guest of `tests/vm`.

use crate::common::{PATIENCE, kernel_can};
use crate::pins::Pins;
use std::time::{Duration, Instant};
use xsk::attach::{AttachMode, Attachment};
use xsk::bpf::redirect;
use xsk::interface::{DeviceEvent, Interface, Watch};
use xsk::test_util::{ip, test_name};

/// Reads the events of so long; returns whether the link went away or came.
fn link_changed(watch: &mut Watch, time: Duration) -> bool {
    let start = Instant::now();
    let mut changed = false;
    while let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
        let event = watch.wait(Some(left)).unwrap();
        changed |= matches!(event, Some(DeviceEvent::CarrierLost | DeviceEvent::Carrier));
    }
    changed
}

#[test]
fn igb_keeps_its_link_while_programs_and_processes_change() {
    let cards = std::env::var("XSK_CARDS").ok();
    let name = cards.as_deref().and_then(|cards| cards.split(',').next());
    let is_igb = std::env::var("XSK_CARDS_KIND").is_ok_and(|kind| kind == "igb");
    let why = "needs cards of the kind igb, XSK_CARDS=name,name and XSK_CARDS_KIND=igb";
    if !kernel_can(test_name!(), name.is_some() && is_igb, why) {
        return;
    }
    for card in cards.as_deref().unwrap().split(',') {
        ip::set_up(&Interface::by_name(card).unwrap(), true).unwrap();
    }
    let card = Interface::by_name(name.unwrap()).unwrap();
    ip::wait_for_carrier(&card, PATIENCE).unwrap();
    let pins = Pins::new();
    let build = || Attachment::builder(&card).mode(AttachMode::Native).pin(pins.path());
    let mut watch = card.watch().unwrap();
    // To attach resets the card, and the watch sees it.
    let mut running = build().attach().unwrap();
    assert!(link_changed(&mut watch, Duration::from_secs(5)), "this card is not reset at all");
    ip::wait_for_carrier(&card, PATIENCE).unwrap();
    link_changed(&mut watch, Duration::from_secs(1));
    for round in 0..6 {
        // The next process, with the same program or another one; and one that is replaced.
        let next = build().frags(round % 2 == 0).attach().unwrap();
        assert!(next.joined());
        running.keep();
        let program = redirect(next.map()).unwrap();
        next.replace_program(program).unwrap();
        running = next;
        assert!(!link_changed(&mut watch, Duration::from_millis(500)), "the card was reset");
    }
    running.close().unwrap();
    assert!(link_changed(&mut watch, Duration::from_secs(5)), "detaching resets it, too");
}
