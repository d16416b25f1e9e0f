//! Packets between the cards: each arrives once, in order and intact, and every chunk is accounted
//! for.

use crate::common::{kernel_can, kernel_since, until};
use crate::fixture::{CHUNKS, Cards, FILL, Setup, USUAL, When, kind_is, required, sides};
use xsk::test_util::test_name;

/// The most packets on their way at once. In copy mode a card drops packets beyond what its own
/// ring (256) has room for.
pub(crate) const BATCH: u32 = 64;

/// Rounds of packets one way and then the other, on the same sockets.
fn both_ways(cards: &Cards, setup: Setup) {
    let (mut one, mut two) = sides(cards, setup);
    if setup.fill != When::BeforeBind {
        one.until_it_arrives(&mut two);
        two.until_it_arrives(&mut one);
    }
    for round in 0..32 {
        let numbers = round * BATCH..round * BATCH + BATCH;
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
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    both_ways(&cards, USUAL);
}

#[test]
fn packets_go_both_ways_without_need_wakeup() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let setup = Setup { need_wakeup: false, ..USUAL };
    both_ways(&cards, setup);
}

#[test]
fn the_fill_ring_may_be_filled_after_bind() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let setup = Setup { fill: When::BeforeAttach, ..USUAL };
    both_ways(&cards, setup);
}

#[test]
fn the_fill_ring_may_be_filled_last() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let why = "igb does not ask to be woken for its first chunks, and receives nothing: they have to be in the fill ring \
               before the program is attached";
    if !kernel_can(test_name!(), !(kind_is("igb") && required()), why) {
        return;
    }
    let setup = Setup { fill: When::Last, ..USUAL };
    both_ways(&cards, setup);
}

/// A driver whose chunks ran out continues when it gets some: the received chunks are not given
/// back at first.
#[test]
fn a_queue_that_ran_dry_goes_on() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let why = "a wake-up of igb reaches the interrupt of its sending half only (fixed in 7.0)";
    let stuck = kind_is("igb") && required() && !kernel_since(7, 0);
    if !kernel_can(test_name!(), !stuck, why) {
        return;
    }
    let (mut from, mut to) = sides(&cards, USUAL);
    let mut held = Vec::new();
    // As many as there are chunks, and no more: an emulated cable blocks its sender while the other
    // end has no room.
    for round in 0..FILL / BATCH {
        from.send(round * BATCH..round * BATCH + BATCH);
        until("they are received", || {
            held.extend(to.socket.rx.receive(BATCH).unwrap());
            held.len() == (round * BATCH + BATCH) as usize
        });
    }
    for frame in held {
        to.pool.put(frame);
    }
    let room = to.pool.len() as u32 - (CHUNKS - FILL);
    assert_eq!(to.socket.fill.fill_from(&mut to.pool, room), Ok(room));
    to.socket.fill.kick_if_needed().unwrap();
    from.until_it_arrives(&mut to);
    from.account();
    to.account();
    from.close();
    to.close();
}

/// The other side sends every packet back from the chunk in which it came.
#[test]
fn packets_are_forwarded_back_without_a_copy() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let (mut one, mut two) = sides(&cards, USUAL);
    for round in 0..32 {
        let numbers = round * BATCH..round * BATCH + BATCH;
        one.send(numbers.clone());
        let (mut forwarded, mut reaped) = (0, 0);
        until("forwarding", || {
            let batch = two.socket.rx.receive(64).unwrap();
            forwarded += batch.forward(&mut two.socket.tx).unwrap();
            two.socket.tx.kick_if_needed().unwrap();
            let done = two.socket.completion.reap(64).unwrap();
            reaped += done.recycle(&mut two.socket.fill).unwrap();
            two.socket.fill.kick_if_needed().unwrap();
            forwarded >= BATCH && reaped == forwarded
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
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    // igb takes seconds for each link.
    let lives = if kind_is("igb") { 3 } else { 6 };
    for life in 0..lives {
        let (mut from, mut to) = sides(&cards, USUAL);
        let numbers = life * 64..life * 64 + 64;
        from.send(numbers.clone());
        to.receive(numbers);
        from.account();
        to.account();
        from.close();
        to.close();
    }
}
