//! Packets between the cards: each arrives once, in order and intact, and every chunk is accounted for.

use crate::common::until;
use crate::rig::{Cards, Setup, Side, USUAL};

/// Rounds of packets one way and then the other, on the same sockets.
fn both_ways(cards: &Cards, setup: Setup) {
    let (mut one, mut two) = (Side::new(&cards.one, setup), Side::new(&cards.two, setup));
    for round in 0..8 {
        let numbers = round * 256..round * 256 + 256;
        one.send(numbers.clone());
        two.receive(numbers.clone());
        two.send(numbers.clone());
        one.receive(numbers);
    }
    one.account();
    two.account();
    one.close();
    two.close();
}

#[test]
fn packets_go_both_ways() {
    let Some(cards) = Cards::new("packets_go_both_ways") else {
        return;
    };
    both_ways(&cards, USUAL);
}

#[test]
fn packets_go_both_ways_without_need_wakeup() {
    let Some(cards) = Cards::new("packets_go_both_ways_without_need_wakeup") else {
        return;
    };
    let setup = Setup {
        need_wakeup: false,
        ..USUAL
    };
    both_ways(&cards, setup);
}

#[test]
fn the_fill_ring_may_be_filled_after_bind() {
    let Some(cards) = Cards::new("the_fill_ring_may_be_filled_after_bind") else {
        return;
    };
    let setup = Setup {
        fill_before_bind: false,
        ..USUAL
    };
    both_ways(&cards, setup);
}

/// A driver whose chunks ran out goes on when it gets some: the fill ring is given nothing at first.
#[test]
fn a_queue_that_ran_dry_goes_on() {
    let Some(cards) = Cards::new("a_queue_that_ran_dry_goes_on") else {
        return;
    };
    let (mut from, mut to) = (Side::new(&cards.one, USUAL), Side::new(&cards.two, USUAL));
    // As many as there are chunks; nothing is given back meanwhile.
    from.send(0..crate::rig::FILL);
    let mut held = Vec::new();
    until("the fill ring is used up", || {
        held.extend(to.socket.rx.receive(64).unwrap());
        held.len() >= 256
    });
    for frame in held {
        to.pool.put(frame);
    }
    let room = to.pool.len() as u32 - (crate::rig::CHUNKS - crate::rig::FILL);
    assert_eq!(to.socket.fill.fill_from(&mut to.pool, room), Ok(room));
    let _ = to.socket.fill.kick_if_needed().unwrap();
    // What else was on the way arrives, or was dropped by a card without chunks; then new packets do.
    let mark = 1_000_000;
    from.send(mark..mark + 1);
    until("a packet arrives again", || {
        let mut seen = false;
        let mut back = 0;
        for frame in to.socket.rx.receive(64).unwrap() {
            seen |= to.umem.bytes(&frame).get(14..18) == Some(&u32::to_be_bytes(mark));
            to.pool.put(frame);
            back += 1;
        }
        assert_eq!(to.socket.fill.fill_from(&mut to.pool, back), Ok(back));
        let _ = to.socket.fill.kick_if_needed().unwrap();
        seen
    });
    from.account();
    to.account();
    from.close();
    to.close();
}

/// The other side sends every packet back from the chunk that it came in.
#[test]
fn packets_are_forwarded_back_without_a_copy() {
    let Some(cards) = Cards::new("packets_are_forwarded_back_without_a_copy") else {
        return;
    };
    let (mut one, mut two) = (Side::new(&cards.one, USUAL), Side::new(&cards.two, USUAL));
    for round in 0..8 {
        let numbers = round * 256..round * 256 + 256;
        one.send(numbers.clone());
        let (mut forwarded, mut reaped) = (0, 0);
        until("forwarding", || {
            let batch = two.socket.rx.receive(64).unwrap();
            forwarded += batch.forward(&mut two.socket.tx).unwrap();
            let _ = two.socket.tx.kick_if_needed().unwrap();
            let done = two.socket.completion.reap(64).unwrap();
            reaped += done.into_fill(&mut two.socket.fill).unwrap();
            let _ = two.socket.fill.kick_if_needed().unwrap();
            forwarded >= 256 && reaped == forwarded
        });
        one.receive(numbers);
    }
    one.account();
    two.account();
    one.close();
    two.close();
}

#[test]
fn closing_and_opening_at_once_works_each_time() {
    let Some(cards) = Cards::new("closing_and_opening_at_once_works_each_time") else {
        return;
    };
    for life in 0..6 {
        let (mut from, mut to) = (Side::new(&cards.one, USUAL), Side::new(&cards.two, USUAL));
        let numbers = life * 64..life * 64 + 64;
        from.send(numbers.clone());
        to.receive(numbers);
        from.account();
        to.account();
        from.close();
        to.close();
    }
}
