//! Descriptors that the kernel refuses. This crate cannot publish one, so each case has two parts:
//! its own socket refuses what would become one and sends the rest; then a sender without the crate
//! publishes them, and the crate's receiver takes the valid ones and stays in step.

use crate::common::until;
use crate::fixture::{
    BATCH, By, CHUNKS, Chunks, Fixture, Listener, RECEIVER, SENDER, Shape, exchange, receive,
};
use crate::packets::{LEN, PACKETS, Packet, intact, step, stream};
use crate::raw::{Desc, RawSender};
use std::collections::{BTreeMap, BTreeSet};
use xsk::attach::AttachMode;

/// Longer than any chunk (`XSK_UMEM__INVALID_FRAME_SIZE`, one more than a jumbo frame).
pub(crate) const TOO_LONG: u32 = 9001;
const HALF: u64 = LEN as u64 / 2;

/// ALIGNED_INV_DESC: at, before and beyond every border that a descriptor can cross.
pub(crate) fn aligned_inv_desc(mode: AttachMode) {
    borders(mode, 4096, false);
}

/// ALIGNED_INV_DESC_2K_FRAME_SIZE: the same with chunks of 2048 bytes, where address 2048 is a
/// border too.
pub(crate) fn aligned_inv_desc_2k_frame_size(mode: AttachMode) {
    borders(mode, 2048, false);
}

pub(crate) fn borders(mode: AttachMode, chunk_size: u32, unaligned: bool) {
    let fixture = Fixture::new(mode);
    let mut listener = fixture.listener(Shape { chunk_size, unaligned, ..RECEIVER });
    let from = Shape { chunk_size, unaligned, ..SENDER };
    borders_by_frames(&fixture, &mut listener, from);
    borders_by_descs(&fixture, &mut listener, from);
    drop(listener);
    fixture.end();
}

/// Frames go up to each border and not beyond.
fn borders_by_frames(fixture: &Fixture, listener: &mut Listener, from: Shape) {
    let chunk_size = from.chunk_size;
    let mut sender = fixture.left(from);
    let (umem, pool) = (&sender.umem, &mut sender.pool);
    let packets = stream(3, LEN);
    let [first, middle, last] = [0, chunk_size / 2 - LEN / 2, chunk_size - LEN];
    let mut frames = Vec::new();
    for (packet, offset) in packets.iter().zip([first, middle, last]) {
        // The last packet ends with the memory.
        let chunk = if offset == last { CHUNKS - 1 } else { packet.number };
        let chunk = u64::from(chunk) * step(chunk_size);
        let mut others = Vec::new();
        let mut frame = loop {
            let frame = pool.take().unwrap();
            if frame.address() == chunk {
                break frame;
            }
            others.push(frame);
        };
        others.into_iter().for_each(|frame| pool.put(frame));
        frame.advance(offset).unwrap();
        umem.grow_front(&mut frame, offset + 1).unwrap_err();
        let room = chunk_size - offset;
        frame.advance(room).unwrap_err();
        for bad in [0, room + 1, TOO_LONG, u32::MAX] {
            umem.set_len(&mut frame, bad).unwrap_err();
        }
        umem.write(&mut frame, &[0; TOO_LONG as usize]).unwrap_err();
        umem.write(&mut frame, &packet.bytes()).unwrap();
        assert_eq!(frame.address(), chunk + u64::from(offset));
        frames.push(frame);
    }
    let mut slots = sender.socket.tx.reserve(3).unwrap();
    frames.into_iter().for_each(|frame| slots.push(frame).unwrap());
    drop(slots);
    until("three packets have gone", || {
        sender.socket.tx.kick().unwrap();
        sender.socket.completion.reap_into(&mut sender.pool, BATCH).unwrap();
        sender.pooled().len() == CHUNKS as usize
    });
    receive(listener, &packets, By::Kick, intact, |_| ());
    let statistics = sender.socket.handle.statistics().unwrap();
    assert_eq!(statistics.tx_invalid_descs, 0);
}

/// The kernel's list, published at once.
fn borders_by_descs(fixture: &Fixture, listener: &mut Listener, from: Shape) {
    let Shape { chunk_size, unaligned, .. } = from;
    let end = u64::from(CHUNKS * chunk_size);
    let (no, yes) = (false, true);
    let mut descs = vec![
        (0, LEN, yes),
        (0, LEN, yes),
        // Before the memory, and across its beginning.
        (2_u64.wrapping_neg(), LEN, no),
        (0, TOO_LONG, no),
        // The last bytes of the memory; behind it; across its end.
        (end - u64::from(LEN), LEN, yes),
        (end, LEN, no),
        (end - HALF, LEN, no),
        // Across a multiple of 4096, and of 2048.
        (4096 - HALF, LEN, unaligned),
        (2048 - HALF, LEN, unaligned || chunk_size > 2048),
        // In step again.
        (0, LEN, yes),
    ];
    if unaligned {
        descs.extend([
            // By a base and an offset, which the kernel adds: up to the end of the memory, and not
            // beyond, whatever chunk that is in.
            (u64::from(chunk_size) | (300 << 48), LEN, yes),
            ((end - 300 - u64::from(LEN)) | (300 << 48), LEN, yes),
            ((end - 300 - HALF) | (300 << 48), LEN, no),
            ((end - 1) | (u64::from(LEN) << 48), LEN, no),
            (0, chunk_size + 1, no),
        ]);
    }
    let raw = || RawSender::new(fixture.cable.veth.a(), CHUNKS as usize, chunk_size, unaligned);
    let mut raw = fixture.cable.left.run(raw).unwrap();
    let mut expected = Vec::new();
    let mut valid = BTreeSet::new();
    let mut numbers = BTreeMap::new();
    for (number, &(address, _, good)) in (0..).zip(&descs) {
        if good {
            // One packet for all descriptors that begin at the same byte.
            let plain = (address & ((1 << 48) - 1)) + (address >> 48);
            let number = *numbers.entry(plain).or_insert(number);
            let packet = Packet { number, len: LEN };
            raw.write(plain, packet);
            expected.push(packet);
            valid.insert(address);
        }
    }
    let bad = (descs.len() - expected.len()) as u64;
    for round in 1..=3 {
        let list = descs.iter().map(|&(address, len, _)| Desc { address, len });
        let list: Vec<Desc> = list.collect();
        let mut back = raw.send(&list);
        receive(listener, &expected, By::Kick, intact, |_| ());
        assert_eq!(raw.refused(), round * bad);
        // Newer kernels repeat an odd address as the even one before it.
        let even = |address: u64| address & !1;
        until("the completions of what was sent", || {
            raw.reap(&mut back);
            let back: BTreeSet<u64> = back.iter().copied().map(even).collect();
            valid.iter().all(|address| back.contains(&even(*address)))
        });
    }
}

/// STAT_TX_INVALID: every other descriptor is too long.
pub(crate) fn stat_tx_invalid(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let mut listener = fixture.listener(RECEIVER);
    let all = stream(PACKETS, LEN);
    let good: Vec<Packet> = all.iter().copied().filter(|packet| packet.number % 2 == 0).collect();

    // By this crate: a length that is too large is refused when it is written, and never becomes a
    // descriptor.
    let mut sender = fixture.left(SENDER);
    let mut frame = sender.pool.take().unwrap();
    for packet in all.iter().filter(|packet| packet.number % 2 == 1) {
        let packet = Packet { len: TOO_LONG, ..*packet };
        sender.umem.write(&mut frame, &packet.bytes()).unwrap_err();
    }
    sender.pool.put(frame);
    exchange(&mut sender, &mut listener, [&good, &good], intact);
    let statistics = sender.socket.handle.statistics().unwrap();
    assert_eq!(statistics.tx_invalid_descs, 0);
    drop(sender);

    // Without it: the kernel counts each.
    let raw = || RawSender::new(fixture.cable.veth.a(), CHUNKS as usize, 4096, false);
    let mut raw = fixture.cable.left.run(raw).unwrap();
    for batch in all.chunks(BATCH as usize) {
        let mut descs = Vec::new();
        for packet in batch {
            let address = u64::from(packet.number % CHUNKS) * 4096;
            raw.write(address, *packet);
            let len = if packet.number % 2 == 0 { LEN } else { TOO_LONG };
            descs.push(Desc { address, len });
        }
        raw.send(&descs);
        let batch = batch.iter().copied().filter(|packet| packet.number % 2 == 0);
        let batch: Vec<Packet> = batch.collect();
        receive(&mut listener, &batch, By::Kick, intact, |_| ());
    }
    assert_eq!(raw.refused(), u64::from(PACKETS / 2));
    drop(listener);
    fixture.end();
}
