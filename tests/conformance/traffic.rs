//! Packets from one end to the other.

use crate::common::{kernel_can, kernel_since, until};
use crate::fixture::{
    BATCH, By, CHUNKS, Chunks, Fixture, Listener, RECEIVER, SENDER, Shape, exchange, receive,
};
use crate::packets::{LEN, PACKETS, Packet, intact, stream};
use std::collections::BTreeSet;
use xsk::attach::AttachMode;
use xsk::bpf::{Program, XskMap};
use xsk::{Kick, Port, Statistics};

/// Asserts that all packets arrive, in order and intact, and that none is counted as lost.
#[track_caller]
pub(crate) fn all_arrive(from: &mut Port, to: &mut Port, packets: &[Packet]) {
    exchange(from, to, [packets, packets], intact);
    let clean = |statistics: Statistics| {
        let counters = [
            statistics.rx_dropped,
            statistics.rx_invalid_descs,
            statistics.rx_ring_full.unwrap(),
            statistics.fill_ring_empty.unwrap(),
        ];
        assert_eq!(counters, [0; 4]);
    };
    clean(to.socket.handle.statistics().unwrap());
}

pub(crate) fn one_way(mode: AttachMode, from: Shape, to: Shape, packets: &[Packet]) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(from);
    let mut listener = fixture.listener(to);
    all_arrive(&mut sender, &mut listener, packets);
    assert_eq!(sender.pooled().len(), from.chunks as usize);
    drop(listener);
    fixture.end();
}

/// SEND_RECEIVE: the defaults.
pub(crate) fn send_receive(mode: AttachMode) {
    one_way(mode, SENDER, RECEIVER, &stream(PACKETS, LEN));
}

/// SEND_RECEIVE_2K_FRAME: chunks of 2048 bytes on both sides.
pub(crate) fn send_receive_2k_frame(mode: AttachMode) {
    let chunk_size = 2048;
    let (from, to) = (Shape { chunk_size, ..SENDER }, Shape { chunk_size, ..RECEIVER });
    one_way(mode, from, to, &stream(PACKETS, LEN));
}

/// SEND_RECEIVE_SINGLE_PKT: one packet does not wait for others.
pub(crate) fn send_receive_single_pkt(mode: AttachMode) {
    one_way(mode, SENDER, RECEIVER, &stream(1, LEN));
}

/// UMEM_HEADROOM: 128 bytes more before each packet.
pub(crate) fn umem_headroom(mode: AttachMode) {
    let to = Shape { headroom: 128, ..RECEIVER };
    one_way(mode, SENDER, to, &stream(PACKETS, LEN));
}

/// TEARDOWN: ten times on the same interfaces, with socket, memory, program and map made anew.
pub(crate) fn teardown(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let (mut programs, mut maps) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..10 {
        let mut sender = fixture.left(SENDER);
        let attachment = fixture.attach(None);
        assert!(!attachment.joined(), "nothing is left of the round before");
        programs.insert(attachment.program_id());
        maps.insert(attachment.map().id());
        let mut listener = Listener::new(fixture.right(RECEIVER), &attachment);
        drop(attachment);
        all_arrive(&mut sender, &mut listener, &stream(PACKETS, LEN));
        drop(listener);
        assert_eq!(crate::common::left_on(fixture.cable.veth.b()), None);
    }
    assert_eq!((programs.len(), maps.len()), (10, 10));
    until("the programs have gone", || programs.iter().all(|id| Program::from_id(*id).is_err()));
    until("the maps have gone", || maps.iter().all(|id| XskMap::from_id(*id).is_err()));
    fixture.end();
}

/// BIDIRECTIONAL: both sides can send and receive; first one way, then, on the same sockets, the
/// other.
pub(crate) fn bidirectional(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let half = Shape { fill: CHUNKS / 2, ..RECEIVER };
    let mut left = Listener::new(fixture.left(half), &fixture.attach_left());
    let mut right = fixture.listener(half);
    let packets = stream(PACKETS, LEN);
    for _ in 0..2 {
        all_arrive(&mut left, &mut right, &packets);
        all_arrive(&mut right, &mut left, &packets);
    }
    assert_eq!([left.pool.len(), right.pool.len()], [512, 512]);
    drop((left, right));
    fixture.end();
}

/// TX_QUEUE_CONSUMER: a wake-up sends 32 packets and reports that there are more, and the ring's
/// consumer index has moved by as many when it returns.
pub(crate) fn tx_queue_consumer(mode: AttachMode) {
    let why = "the kernel moves the index at its next look at the ring (fixed in 6.17)";
    if !kernel_can("tx_queue_consumer", kernel_since(6, 17), why) {
        return;
    }
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener = fixture.listener(RECEIVER);
    let packets = stream(33, LEN);
    let mut slots = sender.socket.tx.reserve(33).unwrap();
    for packet in &packets {
        let mut frame = sender.pool.take().unwrap();
        sender.umem.write(&mut frame, &packet.bytes()).unwrap();
        slots.push(frame).unwrap();
    }
    drop(slots);
    let tx = &mut sender.socket.tx;
    assert_eq!(tx.pending(), 33, "nothing leaves without a wake-up");
    assert_eq!(tx.kick().unwrap(), Kick::Again);
    assert_eq!(tx.pending(), 1);
    assert_eq!(tx.kick().unwrap(), Kick::Done);
    assert_eq!(tx.pending(), 0);
    receive(&mut listener, &packets, By::Kick, intact, |_| ());
    until("33 completions", || {
        let back = sender.socket.completion.reap_into(&mut sender.pool, BATCH);
        back.unwrap();
        sender.pooled().len() == CHUNKS as usize
    });
    drop(listener);
    fixture.end();
}
