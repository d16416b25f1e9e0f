//! What igb can do, on the cards of a guest: ring sizes, channels, flow rules, the receive hash.

use crate::cards::{Cards, Traffic, udp};
use crate::common::wait_for;
use std::net::Ipv4Addr;
use xsk::interface::{FlowKind, FlowRule, HashFields, Rss};
use xsk::test_util::test_name;
use xsk::{Errno, Interface};

/// Returns the cards, if they are of igb.
fn igb(test: &str) -> Option<Cards> {
    Cards::new(test).filter(|cards| cards.are(&["igb"], test))
}

fn rss(card: &Interface) -> Rss {
    card.rss().unwrap().unwrap()
}

/// Flows from many addresses.
fn flows() -> Vec<Vec<u8>> {
    (1..=64).map(|host| udp(Ipv4Addr::new(10, 0, 7, host), (1000, 4789))).collect()
}

#[test]
fn ring_sizes_are_set_and_come_back() {
    let Some(cards) = igb(test_name!()) else {
        return;
    };
    let card = &cards.to;
    let before = card.ring_sizes().unwrap().unwrap();
    assert_eq!((before.rx, before.tx, before.max_rx, before.max_tx), (256, 256, 4096, 4096));
    for (rx, tx, became) in [
        (128, 64, (128, 64)),
        (4096, 4096, (4096, 4096)),
        (1001, 100, (1008, 104)), // multiples of 8
        (1, 1, (64, 64)),         // the driver's minimum
    ] {
        let mut sizes = before;
        (sizes.rx, sizes.tx) = (rx, tx);
        let guard = card.set_ring_sizes(&sizes).unwrap();
        assert_eq!((guard.sizes().rx, guard.sizes().tx), became);
        assert_eq!(card.ring_sizes().unwrap().as_ref(), Some(guard.sizes()));
        guard.restore().unwrap();
        assert_eq!(card.ring_sizes().unwrap(), Some(before));
    }
    let error = Interface::by_name("lo").unwrap().set_ring_sizes(&before).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::OPNOTSUPP));
    assert!(error.to_string().contains("its driver has no rings of its own"), "{error}");
    let mut sizes = before;
    sizes.rx = 4097;
    let error = card.set_ring_sizes(&sizes).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::INVAL));
    let text = error.to_string();
    assert!(text.contains("an RX ring of 4097 entries, where it can have at most 4096"), "{text}");
}

#[test]
fn channels_are_combined_ones() {
    let Some(cards) = igb(test_name!()) else {
        return;
    };
    let card = &cards.to;
    let before = card.channels().unwrap().unwrap();
    assert_eq!((before.rx, before.tx, before.max_rx, before.max_tx), (0, 0, 0, 0));
    assert!(before.combined >= 2 && before.combined <= before.max_combined, "{before:?}");
    // The kernel's default table, by which no test has bound the number of channels.
    let mut table = rss(card);
    let queues: Vec<u32> = (0..before.combined).collect();
    table.spread_over(&queues);
    card.set_rss(&table).unwrap().keep();
    let mut one = before;
    one.combined = 1;
    // The kernel releases the queues of sockets that another test has closed a moment later.
    let mut guard = None;
    wait_for("the queues to be free", || {
        guard = card.set_channels(&one).ok();
        guard.is_some()
    });
    let guard = guard.unwrap();
    assert_eq!(card.queues().unwrap().current(), 1);
    guard.restore().unwrap();
    assert_eq!(card.channels().unwrap(), Some(before));
    one.combined = 0;
    assert!(card.set_channels(&one).unwrap_err().to_string().contains("at least one channel"));
    // A table that was set binds the number of channels; the default one does not.
    let guard = card.keep_queue_out(0).unwrap();
    one.combined = 1;
    let text = card.set_channels(&one).unwrap_err().to_string();
    assert!(text.contains("or the RSS table"), "{text}");
    guard.restore().unwrap();
    // The driver began a table of its own with the new channels: the one that came back binds them.
    assert_eq!(card.set_channels(&one).unwrap_err().errno(), Some(Errno::INVAL));
    card.set_rss(&table).unwrap().keep();
    card.set_channels(&one).unwrap().restore().unwrap();
}

/// The 82576, which qemu emulates, has no flow rules in this driver: only i210 and newer cards have.
#[test]
fn a_card_without_rules_says_so() {
    let Some(cards) = igb(test_name!()) else {
        return;
    };
    let card = &cards.to;
    assert_eq!(card.rules().unwrap(), [], "the list is there, and empty");
    assert!(!card.ntuple().unwrap());
    let error = card.add_rule(&FlowRule::ethernet().ethertype(0x88f7).to_queue(1)).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::OPNOTSUPP));
    let text = error.to_string();
    assert!(text.contains("its feature ntuple-filters is off"), "{text}");
    assert!(text.contains("`ethtool -K card1 ntuple on`"), "{text}");
    let error = card.set_ntuple(true).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::OPNOTSUPP));
    assert!(error.to_string().contains("does not have this feature"), "{error}");
    let error = card.add_rule(&FlowRule::ethernet().to_queue(99)).unwrap_err();
    assert!(error.to_string().contains("RX queue 99, of 2"), "{error}");
    assert_eq!(card.remove_rule(0).unwrap_err().errno(), Some(Errno::INVAL), "there is none");
}

#[test]
fn a_queue_is_left_out_of_the_table() {
    let Some(cards) = igb(test_name!()) else {
        return;
    };
    let card = &cards.to;
    let mut traffic = Traffic::new(&cards);
    let before = rss(card);
    assert_eq!(before.queues().into_iter().collect::<Vec<_>>(), [0, 1]);
    let spread = traffic.arrivals(&flows());
    assert!(spread.iter().all(|count| *count > 0), "{spread:?}");
    for out in [0, 1] {
        let guard = card.keep_queue_out(out).unwrap();
        assert_eq!(guard.rss().queues().into_iter().collect::<Vec<_>>(), [1 - out]);
        let mut wanted = vec![flows().len(); 2];
        wanted[out as usize] = 0;
        assert_eq!(traffic.arrivals(&flows()), wanted);
        // It is the last one.
        let text = card.keep_queue_out(1 - out).unwrap_err().to_string();
        assert!(text.contains(&format!("queue {} is the only one", 1 - out)), "{text}");
        guard.restore().unwrap();
        assert_eq!(rss(card), before);
    }
    assert_eq!(traffic.arrivals(&flows()), spread, "the table is what it was");
    let text = card.keep_queue_out(2).unwrap_err().to_string();
    assert!(text.contains("RX queue 2, of 2"), "{text}");
}

#[test]
fn hash_fields_are_set_and_come_back() {
    let Some(cards) = igb(test_name!()) else {
        return;
    };
    let card = &cards.to;
    let fields = |kind| card.hash_fields(kind).unwrap();
    assert_eq!(fields(FlowKind::TcpV4), Some(HashFields::ADDRESSES_AND_PORTS));
    assert_eq!(fields(FlowKind::UdpV4), Some(HashFields::ADDRESSES));
    let guard = card.set_hash_fields(FlowKind::UdpV4, HashFields::ADDRESSES_AND_PORTS).unwrap();
    assert_eq!(fields(FlowKind::UdpV4), Some(HashFields::ADDRESSES_AND_PORTS));
    guard.restore().unwrap();
    assert_eq!(fields(FlowKind::UdpV4), Some(HashFields::ADDRESSES));
    let error = card.set_hash_fields(FlowKind::TcpV4, HashFields::ADDRESSES).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::INVAL), "{error}");
}

#[test]
fn tables_that_cannot_be_are_refused() {
    let Some(cards) = igb(test_name!()) else {
        return;
    };
    let card = &cards.to;
    let mut wrong = rss(card);
    wrong.table.pop();
    let text = card.set_rss(&wrong).unwrap_err().to_string();
    assert!(text.contains("a table of 127 entries, where its own has 128"), "{text}");
    let mut wrong = rss(card);
    wrong.table[5] = 2;
    let text = card.set_rss(&wrong).unwrap_err().to_string();
    assert!(text.contains("RX queue 2, of 2 that are numbered from 0"), "{text}");
    let mut wrong = rss(card);
    wrong.key.push(1);
    let text = card.set_rss(&wrong).unwrap_err().to_string();
    assert!(text.contains("a key of"), "{text}");
    // The driver has no contexts, and a symmetric hash only where it reports a key.
    let error = card.add_rss_context(&rss(card).table).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::OPNOTSUPP), "{error}");
    let symmetric = card.set_symmetric_rss();
    if rss(card).key.is_empty() {
        let error = symmetric.unwrap_err();
        assert_eq!(error.errno(), Some(Errno::OPNOTSUPP), "{error}");
        assert!(error.to_string().contains("it can neither join the ends of a flow"), "{error}");
    } else {
        symmetric.unwrap().restore().unwrap();
    }
}
