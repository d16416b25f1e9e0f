//! Whole packets go through the rings as through queues, whatever their numbers of frames.

use crate::jumbo::{Jumbo, ROOM};
use proptest::prelude::*;
use std::collections::VecDeque;
use xsk::RingError;
use xsk::ring::Index;
use xsk::socket::RefusalReason;
use xsk::test_util::{FakeRings, strategies};
use xsk::{Frame, Packet};

#[derive(Debug, Clone)]
enum Step {
    Fill(u32),
    /// A packet of so many frames, the last with so many bytes.
    Deliver(u32, u32),
    Receive(How, u32),
    /// Up to so many packets in hand.
    Push(usize, u32),
    /// A packet of so many frames from the pool.
    Take(u32),
    PutBack(usize),
    Transmit(u32),
    Complete(u32),
    Reap(u32),
}

#[derive(Debug, Clone, Copy)]
enum How {
    Recycle,
    RecycleEach,
    Forward,
    ForwardEach,
    Reclaim,
    /// Keeps so many packets in hand; then the iterator is dropped, or forgotten.
    Iterate(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let burst = strategies::burst;
    let how = prop_oneof![
        1 => Just(How::Recycle),
        1 => Just(How::RecycleEach),
        2 => Just(How::Forward),
        2 => Just(How::ForwardEach),
        1 => Just(How::Reclaim),
        2 => (0..4_usize, any::<bool>()).prop_map(|(count, forget)| How::Iterate(count, forget)),
    ];
    let frames = || prop_oneof![3 => Just(1_u32), 3 => 2..=4_u32, 1 => 5..=10_u32];
    prop_oneof![
        4 => burst().prop_map(Step::Fill),
        8 => (frames(), 1..=ROOM).prop_map(|(frames, last)| Step::Deliver(frames, last)),
        8 => (how, burst()).prop_map(|(how, count)| Step::Receive(how, count)),
        2 => (0..4_usize, burst()).prop_map(|(packets, slots)| Step::Push(packets, slots)),
        1 => frames().prop_map(Step::Take),
        1 => (0..4_usize).prop_map(Step::PutBack),
        3 => burst().prop_map(Step::Transmit),
        3 => burst().prop_map(Step::Complete),
        3 => burst().prop_map(Step::Reap),
    ]
}

/// The socket, and packets as a user sees them: in three queues.
struct World {
    jumbo: Jumbo,
    /// In the RX ring.
    received: VecDeque<Vec<u8>>,
    held: VecDeque<Packet>,
    /// On the way out.
    sent: VecDeque<Vec<u8>>,
    /// Whether an iterator was forgotten, and no batch of the RX ring dropped since: the slots that it
    /// took are still the user's.
    forgotten: bool,
}

impl World {
    fn new(chunks: u32, rings: FakeRings) -> Self {
        let jumbo = Jumbo::over(chunks, FakeRings { need_wakeup: false, ..rings });
        let (received, held, sent) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { jumbo, received, held, sent, forgotten: false }
    }

    fn frames(bytes: &[u8]) -> u32 {
        (bytes.len() as u32).div_ceil(ROOM)
    }

    /// Returns how many of the received packets go to a ring with `free` slots, where a packet can
    /// have `limit` frames, if `count` are asked for.
    fn moves(
        received: &VecDeque<Vec<u8>>,
        free: u32,
        limit: u32,
        count: u32,
    ) -> Result<u32, RingError> {
        let (mut left, mut moved) = (free, 0);
        for bytes in received.iter().take(count as usize) {
            let frames = Self::frames(bytes);
            if frames > limit && moved == 0 && free != 0 {
                return Err(RingError::TooManyFrames { frames, limit });
            }
            if frames > limit || frames > left {
                break;
            }
            left -= frames;
            moved += 1;
        }
        Ok(moved)
    }

    fn receive(&mut self, how: How, count: u32) {
        let Jumbo { umem, pool, socket, .. } = &mut self.jumbo;
        let (fill, tx) = (&mut socket.fill, &mut socket.tx);
        let free = [fill.capacity() - fill.pending(), tx.capacity() - tx.pending()];
        let (limit, entries) = (tx.max_frames(), fill.capacity());
        let mut seen = Vec::new();
        let mut look = |frames: &mut [Frame]| {
            seen.push(umem.packet_bytes(frames).to_vec());
            frames.iter_mut().for_each(|frame| umem.bytes_mut(frame)[0] ^= 0xff);
        };
        let moves = |free, limit, count| Self::moves(&self.received, free, limit, count);
        let batch = socket.rx.receive(count).unwrap();
        self.forgotten = false;
        let (moved, expected) = match how {
            How::Recycle => (batch.recycle(fill), moves(free[0], entries, count)),
            How::RecycleEach => {
                (batch.recycle_each(fill, &mut look), moves(free[0], entries, count))
            }
            How::Forward => (batch.forward(tx), moves(free[1], limit, count)),
            How::ForwardEach => (batch.forward_each(tx, &mut look), moves(free[1], limit, count)),
            How::Reclaim => (Ok(batch.reclaim(pool)), moves(u32::MAX, u32::MAX, count)),
            How::Iterate(most, forget) => {
                let mut packets = batch.into_iter();
                let before = self.held.len();
                self.held.extend(packets.by_ref().take(most));
                if forget {
                    std::mem::forget(packets);
                    self.forgotten = true;
                }
                let taken = self.held.iter().skip(before);
                seen.extend(taken.map(|packet| umem.packet_bytes(packet.frames()).to_vec()));
                let count = count.min(most as u32);
                (Ok(seen.len() as u32), moves(u32::MAX, u32::MAX, count))
            }
        };
        assert_eq!(moved, expected, "{how:?} {count}");
        let gone: Vec<_> = self.received.drain(..moved.unwrap_or(0) as usize).collect();
        if let How::RecycleEach | How::ForwardEach | How::Iterate(..) = how {
            assert_eq!(seen, gone, "{how:?}");
        }
        match how {
            How::Forward => self.sent.extend(gone),
            How::ForwardEach => self.sent.extend(gone.into_iter().map(|mut bytes| {
                bytes.chunks_mut(ROOM as usize).for_each(|frame| frame[0] ^= 0xff);
                bytes
            })),
            _ => (),
        }
    }

    fn push(&mut self, packets: usize, slots: u32) {
        let Jumbo { umem, socket, .. } = &mut self.jumbo;
        let (limit, tx) = (socket.tx.max_frames(), &mut socket.tx);
        let slots = slots.min(tx.capacity() - tx.pending());
        let mut batch = tx.reserve(slots).unwrap();
        assert_eq!(batch.remaining(), slots);
        for _ in 0..packets.min(self.held.len()) {
            let packet = self.held.pop_front().unwrap();
            let bytes = umem.packet_bytes(packet.frames()).to_vec();
            let frames = packet.frames().len() as u32;
            let free = batch.remaining();
            match batch.push(packet) {
                Ok(()) => {
                    assert!(frames <= free.min(limit));
                    assert_eq!(batch.remaining(), free - frames);
                    self.sent.push_back(bytes);
                }
                Err(refused) => {
                    let reason = if frames > limit {
                        RefusalReason::TooManyFrames { limit }
                    } else {
                        assert!(frames > free);
                        RefusalReason::NoRoom { free }
                    };
                    assert_eq!((refused.reason, batch.remaining()), (reason, free));
                    assert_eq!(umem.packet_bytes(refused.packet.frames()).to_vec(), bytes);
                    self.held.push_back(refused.packet);
                }
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let Jumbo { umem, pool, kernel, socket, .. } = &mut self.jumbo;
        match *step {
            Step::Fill(count) => _ = socket.fill.fill_from(pool, count).unwrap(),
            Step::Deliver(frames, last) => {
                let number = self.received.len() as u8;
                let bytes = crate::jumbo::bytes(number, (frames - 1) * ROOM + last);
                let entries: u32 = self.received.iter().map(|bytes| Self::frames(bytes)).sum();
                let filled = kernel.ring_contents().fill.len() as u32;
                let delivered = kernel.deliver(&bytes);
                let room = entries + frames <= socket.rx.capacity() && frames <= filled;
                assert_eq!(delivered, room, "whole packets or none");
                self.received.extend(delivered.then_some(bytes));
            }
            Step::Receive(how, count) => self.receive(how, count),
            Step::Push(packets, slots) => self.push(packets, slots),
            Step::Take(frames) => {
                let packet = pool.take_packet(u64::from((frames - 1) * crate::jumbo::CHUNK + 9));
                self.held.extend(packet.map(|mut packet| {
                    let len = packet.len();
                    let bytes = crate::jumbo::bytes(frames as u8, len as u32);
                    umem.write_packet(packet.frames_mut(), &bytes).unwrap();
                    packet
                }));
            }
            Step::PutBack(packets) => {
                for packet in self.held.drain(..packets.min(self.held.len())) {
                    pool.extend(packet);
                }
            }
            Step::Transmit(packets) => {
                for _ in 0..packets.min(99) {
                    // What the completion ring has no room for comes later, the rest of a packet, too.
                    let Some(bytes) = kernel.transmit() else { break };
                    assert_eq!(Some(bytes), self.sent.pop_front());
                }
            }
            Step::Complete(count) => _ = kernel.complete(count),
            Step::Reap(count) => _ = socket.completion.reap_into(pool, count).unwrap(),
        }
    }

    fn check(&mut self) {
        // So that the slots of a forgotten iterator are not taken for those of received frames.
        if self.forgotten {
            drop(self.jumbo.socket.rx.receive(0).unwrap());
            self.forgotten = false;
        }
        self.jumbo.audit(self.held.iter().flat_map(Packet::frames), []);
        assert_eq!(self.jumbo.umem.lost_chunks(), 0);
    }
}

#[test]
fn whole_packets_go_through_all_rings_as_through_queues() {
    let program = prop::collection::vec(step(), 1..120);
    // Half of them with an RX ring for many packets.
    let rings = (strategies::rings(5), any::<bool>()).prop_map(|(rings, large)| {
        let rx = if large { rings.rx.max(32) } else { rings.rx };
        FakeRings { rx, ..rings }
    });
    let start = (rings, 1..=64_u32);
    let counts = std::cell::Cell::new([0_usize; 2]);
    proptest!(strategies::config(600), |((rings, chunks) in start, program in program)| {
        let mut world = World::new(chunks, rings);
        for step in &program {
            world.step(step);
            world.check();
        }
        // Everything comes out at the end.
        let held = world.held.drain(..);
        held.for_each(|packet| world.jumbo.pool.extend(packet));
        for _ in 0..1000 {
            world.step(&Step::Receive(How::Reclaim, u32::MAX));
            world.step(&Step::Transmit(99));
            world.step(&Step::Complete(u32::MAX));
            world.step(&Step::Reap(u32::MAX));
            if world.sent.is_empty() && world.received.is_empty() {
                break;
            }
        }
        prop_assert!(world.sent.is_empty() && world.received.is_empty());
        world.jumbo.assert_all_back();
        let [programs, wrapped] = counts.get();
        let wraps = rings.start.distance_from(Index::new(0)) > u32::MAX - 64;
        counts.set([programs + 1, wrapped + usize::from(wraps)]);
    });
    let [programs, wrapped] = counts.get();
    assert!(wrapped > programs / 4, "indices wrap in {wrapped} of {programs} programs");
}
