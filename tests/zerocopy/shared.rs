//! Several sockets over one registration of the memory: on both cards, and on one queue.

use crate::common::{PATIENCE, kernel_can, kernel_since, until};
use crate::fixture::{
    CHUNKS, Cards, FILL, LEN, Side, USUAL, broadcast, number, required, wait_for_links,
};
use crate::traffic::BATCH;
use rustix::io::Errno;
use std::collections::BTreeSet;
use xsk::bpf::{XskMap, spread};
use xsk::socket::CopyReason;
use xsk::test_util::{Namespace, VethPair, test_name};
use xsk::{AttachMode, Attachment, SharedQueue, Socket, Umem, Verdict};

/// Checks that no chunk is in the pools of both.
fn account(one: &Side, two: &Side) {
    let both: BTreeSet<u64> = one.pool.addresses().chain(two.pool.addresses()).collect();
    assert_eq!(both.len(), one.pool.len() + two.pool.len(), "a chunk is in both pools");
    one.account();
    two.account();
}

/// Sends packets by `to`, which `from` receives and forwards to `to` again, from the chunks in which
/// they came, until each has made `laps` laps.
fn laps(from: &mut Side, to: &mut Side, laps: u32) {
    let umem = &from.umem;
    let pooled = to.pool.len();
    let mut next = 0;
    let sent = to.socket.tx.send_each(&mut to.pool, BATCH, |frame| {
        umem.write(frame, &broadcast(next)).unwrap();
        next += 1;
    });
    assert_eq!(sent, Ok(BATCH));
    let (mut seen, mut owed) = (0, 0);
    until("packets to go round", || {
        to.socket.tx.kick_if_needed().unwrap();
        let batch = from.socket.rx.receive(BATCH).unwrap();
        let (tx, fill) = (&mut to.socket.tx, &mut from.socket.fill);
        let decide = |frame| {
            let bytes = umem.bytes(&frame);
            let Some(number) = number(bytes) else { return Verdict::Recycle(frame) };
            assert_eq!(bytes[..LEN], broadcast(number));
            seen += 1;
            if seen > (laps - 1) * BATCH { Verdict::Recycle(frame) } else { Verdict::Send(frame) }
        };
        owed += batch.route_each(tx, fill, &mut from.pool, decide).unwrap().sent;
        // The chunks come back at the other card.
        to.socket.completion.reap_into(&mut to.pool, BATCH).unwrap();
        owed -= fill.fill_from(&mut to.pool, owed).unwrap();
        fill.kick_if_needed().unwrap();
        seen == laps * BATCH && owed == 0 && to.pool.len() == pooled
    });
}

/// What one card received, the other one sends from the same chunk.
#[test]
fn cards_share_one_registration_of_the_memory() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let why = "before 5.10 only sockets of one queue share a registration";
    if !kernel_can(test_name!(), kernel_since(5, 10), why) {
        return;
    }
    let mut one = Side::new(&cards.one, USUAL);
    let mut two = one.share(&cards.two, 0);
    let (first, second) = (&one.socket.handle, &two.socket.handle);
    assert_eq!(second.is_zero_copy(), first.is_zero_copy());
    assert_eq!(second.copy_reason(), CopyReason::Shared);
    wait_for_links(&cards);
    for round in 0..16 {
        let numbers = round * BATCH..round * BATCH + BATCH;
        one.send(numbers.clone());
        two.receive(numbers.clone());
        two.send(numbers.clone());
        one.receive(numbers);
    }
    account(&one, &two);
    laps(&mut two, &mut one, 16);
    laps(&mut one, &mut two, 16);
    account(&one, &two);
    // That of the registration first.
    one.close();
    two.close();
}

/// Both queues of a card send from one registration, and what arrives at the card comes to one of
/// them, whichever its driver chooses.
#[test]
fn queues_of_a_card_share_one_registration_of_the_memory() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let queues = cards.one.queues().unwrap().current();
    if !kernel_can(test_name!(), kernel_since(5, 10) && queues > 1, "needs 5.10 and two queues") {
        return;
    }
    let mut one = Side::new(&cards.one, USUAL);
    let mut other = one.share(&cards.one, 1);
    assert_eq!(other.socket.handle.is_zero_copy(), one.socket.handle.is_zero_copy());
    let mut peer = Side::new(&cards.two, USUAL);
    wait_for_links(&cards);
    for round in 0..16 {
        let numbers = round * BATCH..round * BATCH + BATCH;
        for side in [&mut one, &mut other] {
            side.send(numbers.clone());
            peer.receive(numbers.clone());
        }
        peer.send_as(numbers.clone(), udp);
        let mut received = BTreeSet::new();
        until("one of both receives", || {
            for side in [&mut one, &mut other] {
                let (mut back, umem) = (0, &side.umem);
                for frame in side.socket.rx.receive(BATCH).unwrap() {
                    let bytes = umem.bytes(&frame);
                    if let Some(number) = udp_number(bytes) {
                        assert_eq!(bytes[..LEN], udp(number));
                        assert!(received.insert(number), "packet {number} came twice");
                    }
                    side.pool.put(frame);
                    back += 1;
                }
                assert_eq!(side.socket.fill.fill_from(&mut side.pool, back), Ok(back));
                side.socket.fill.kick_if_needed().unwrap();
            }
            received.len() == BATCH as usize
        });
        assert!(received.into_iter().eq(numbers));
    }
    account(&one, &other);
    peer.account();
    one.close();
    other.close();
    peer.close();
}

/// The mode is that of the socket whose memory it is: a device without zero-copy is refused then.
#[test]
fn a_device_without_zero_copy_does_not_share_the_memory_of_one_with_it() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let why = "before 5.10 only sockets of one queue share a registration";
    if !kernel_can(test_name!(), kernel_since(5, 10), why) {
        return;
    }
    let one = Side::new(&cards.one, USUAL);
    let here = Namespace::current().unwrap();
    let veth = VethPair::builder().build(&here, &here).unwrap();
    let shared = one.socket.handle.share_memory().bind_timeout(PATIENCE).bind(veth.a(), 0);
    match shared {
        Ok(shared) => {
            assert!(!one.socket.handle.is_zero_copy() && !shared.handle.is_zero_copy());
        }
        Err(error) => {
            assert!(one.socket.handle.is_zero_copy(), "{error}");
            assert_eq!(error.errno(), Some(Errno::OPNOTSUPP), "{error}");
        }
    }
    one.close();
}

/// Flows of the packets that a shared queue receives.
const FLOWS: u32 = 16;

/// Returns a UDP packet to all, of one of the flows.
fn udp(number: u32) -> Vec<u8> {
    let mut packet = broadcast(number);
    packet[12..14].copy_from_slice(&[8, 0]);
    packet[14..34].copy_from_slice(&[
        0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0x66, 0xbd, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    let flow = (1000 + number % FLOWS) as u16;
    packet[34..36].copy_from_slice(&flow.to_be_bytes());
    packet[36..42].copy_from_slice(&[0x10, 0x92, 0, 26, 0, 0]);
    packet[42..46].copy_from_slice(&number.to_be_bytes());
    packet
}

/// Returns the number of such a packet.
fn udp_number(bytes: &[u8]) -> Option<u32> {
    let number = u32::from_be_bytes(bytes.get(42..46)?.try_into().ok()?);
    (bytes[12..14] == [8, 0]).then_some(number)
}

/// Both sockets of a queue send, and each receives the flows that are its own.
#[test]
fn sockets_share_a_queue_of_a_card() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let (umem, mut pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
    let mut unbound = Socket::builder(&umem).bind_timeout(PATIENCE).open().unwrap();
    assert_eq!(unbound.fill.fill_from(&mut pool, FILL), Ok(FILL));
    let mut queue = unbound.bind(&cards.one, 0).unwrap().share_queue();
    let mut second = queue.add_socket().bind().unwrap();
    let zero_copy = queue.handle.is_zero_copy();
    assert!(zero_copy || !required(), "{}", queue.handle.copy_reason());
    assert_eq!(second.handle.is_zero_copy(), zero_copy);
    assert_eq!(second.handle.copy_reason(), CopyReason::Shared);
    let map = XskMap::create(XskMap::DEFAULT_NAME, 2).unwrap();
    let program = spread(&map, 2).unwrap();
    let builder = Attachment::builder(&cards.one).mode(AttachMode::Native);
    let attachment = builder.program(program, map).attach().unwrap();
    let slots = [queue.register(&attachment, 0).unwrap(), second.register(&attachment, 1).unwrap()];
    let mut peer = Side::new(&cards.two, USUAL);
    wait_for_links(&cards);

    let pooled = pool.len();
    let mut flows = [BTreeSet::new(), BTreeSet::new()];
    for round in 0..32 {
        let numbers = round * BATCH..round * BATCH + BATCH;
        // Both send half of it, at once.
        let mut next = numbers.start;
        let SharedQueue { rx, tx, fill, completion, .. } = &mut queue;
        for tx in [&mut *tx, &mut second.tx] {
            let sent = tx.send_each(&mut pool, BATCH / 2, |frame| {
                umem.write(frame, &broadcast(next)).unwrap();
                next += 1;
            });
            assert_eq!(sent, Ok(BATCH / 2));
        }
        until("the chunks of both come back", || {
            tx.kick_if_needed().unwrap();
            second.tx.kick_if_needed().unwrap();
            completion.reap_into(&mut pool, BATCH).unwrap();
            pool.len() == pooled
        });
        // In order from each, not from both.
        let [mut first_half, mut second_half] = [numbers.start, numbers.start + BATCH / 2];
        peer.receive_each(BATCH, |number, bytes| {
            assert_eq!(bytes[..LEN], broadcast(number));
            let half =
                if number < numbers.start + BATCH / 2 { &mut first_half } else { &mut second_half };
            assert_eq!(number, *half);
            *half += 1;
        });

        peer.send_as(numbers.clone(), udp);
        let mut received = BTreeSet::new();
        until("both receive", || {
            let mut back = 0;
            for (rx, flows) in [&mut *rx, &mut second.rx].into_iter().zip(&mut flows) {
                for frame in rx.receive(BATCH).unwrap() {
                    let bytes = umem.bytes(&frame);
                    if let Some(number) = udp_number(bytes) {
                        assert_eq!(bytes[..LEN], udp(number));
                        assert!(received.insert(number), "packet {number} came twice");
                        flows.insert(number % FLOWS);
                    }
                    pool.put(frame);
                    back += 1;
                }
            }
            assert_eq!(fill.fill_from(&mut pool, back), Ok(back));
            fill.kick_if_needed().unwrap();
            received.len() == BATCH as usize
        });
        assert!(received.into_iter().eq(numbers));
    }
    let [first, other] = &flows;
    assert!(first.is_disjoint(other), "a flow at both: {flows:?}");
    assert!(!first.is_empty() && !other.is_empty(), "all at one: {flows:?}");

    let distinct: BTreeSet<u64> = pool.addresses().collect();
    assert_eq!((distinct.len(), pool.len()), (pooled, pooled));
    if let Some(counts) = umem.chunk_counts() {
        assert_eq!(counts.pool + counts.receiving, CHUNKS as usize, "{counts:?}");
    }
    for handle in [&queue.handle, &second.handle] {
        let statistics = handle.statistics().unwrap();
        assert_eq!(statistics.rx_invalid_descs + statistics.tx_invalid_descs, 0, "{statistics:?}");
    }
    peer.account();
    peer.close();
    for slot in slots {
        slot.close().unwrap();
    }
    attachment.close().unwrap();
}
