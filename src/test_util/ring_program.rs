//! Programs of steps on two rings, against queues that cannot be wrong.
#![allow(unsafe_code, reason = "rings are raw memory")]

use super::ring_block::RingBlock;
use crate::num::usize32;
use crate::ring::transfer::{Ready, transfer, transfer_each};
use crate::ring::{Consumer, Diagnosis, Index, Producer, RingError, RingKind};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;

/// Runs `program` on two rings of 1 to 128 entries and a stack between them, both halves of each in
/// this thread, and compares every answer with what queues say: the entry point of a fuzz target.
///
/// Four bytes say where the indices begin, one each how long a ring is; then two for each step.
///
/// # Panics
/// If a ring and its queue differ.
#[doc(hidden)]
pub fn ring_program(program: &[u8]) {
    let Some((&[a, b, c, d, first, second], steps)) = program.split_first_chunk() else {
        return;
    };
    let start = Index::new(u32::from_le_bytes([a, b, c, d]));
    let blocks = [first, second].map(|size| RingBlock::new(1 << (size & 7), 8, start));
    let mut rings = blocks.each_ref().map(|block| Ring::new(block, start));
    let mut next = 0;
    for step in steps.chunks_exact(2).take(128) {
        let &[code, count] = step else { return };
        let [one, other] = &mut rings;
        let (ring, to) = if code & 0x80 == 0 { (one, other) } else { (other, one) };
        let n = u32::from(count & 63);
        let part = u32::from(count >> 6);
        match code & 15 {
            0 => ring.write(n, n, false, &mut next),
            1 => ring.write(n, n.saturating_sub(part), part == 3, &mut next),
            2 => ring.read(n, n, false),
            3 => ring.read(n, n.saturating_sub(part), part == 3),
            4 => ring.refuse(n, part),
            5 => ring.move_to(to, n, End::None),
            6 => ring.move_to(to, n, End::Refuse(part)),
            7 => ring.move_to(to, n, End::Panic(part)),
            8 => ring.producer_lies(n, part),
            9 => ring.consumer_lies(n, part),
            10 => {
                assert_eq!(ring.producer.free(n), Ok(ring.vacant().min(n)), "free");
            }
            _ => ring.write(1, 1, false, &mut next),
        }
        ring.check();
    }
}

/// How a transfer ends before all is moved.
#[derive(Clone, Copy)]
enum End {
    None,
    Refuse(u32),
    Panic(u32),
}

/// A ring and what it should hold.
struct Ring<'a> {
    block: &'a RingBlock,
    producer: Producer<u64>,
    consumer: Consumer<u64>,
    size: u32,
    /// What was written and not taken, the oldest first.
    held: VecDeque<u64>,
    /// How many of these are not published.
    unpublished: u32,
    /// What was taken and not given back.
    unreleased: u32,
    /// Whether the next look is to answer with an entry that was refused.
    refused: Option<u64>,
    /// Where the next entry goes.
    at: Index,
}

impl<'a> Ring<'a> {
    fn new(block: &'a RingBlock, start: Index) -> Self {
        // SAFETY: made for entries of 8 bytes, outlives this by its lifetime, and this is the only
        // pair.
        let (user, kernel) = unsafe { block.sides::<u64>() };
        let size = user.capacity();
        Self {
            block,
            producer: Producer::new(RingKind::Fill, user),
            consumer: Consumer::new(RingKind::Fill, kernel),
            size,
            held: VecDeque::new(),
            unpublished: 0,
            unreleased: 0,
            refused: None,
            at: start,
        }
    }

    fn held(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }

    /// Slots that the producer may write.
    fn vacant(&self) -> u32 {
        let used = self.held().wrapping_add(self.unreleased);
        let refused = u32::from(self.refused.is_some());
        self.size.wrapping_sub(used).wrapping_sub(refused)
    }

    /// Entries that the consumer may take.
    fn there(&self) -> u32 {
        self.held().wrapping_sub(self.unpublished)
    }

    fn write(&mut self, reserve: u32, count: u32, forget: bool, next: &mut u64) {
        let granted = self.vacant().min(reserve);
        let Ok(mut slots) = self.producer.write(reserve) else { unreachable!("no fault was made") };
        assert_eq!(slots.remaining(), granted, "reserved");
        for i in 0..count {
            let wrote = slots.write(*next);
            assert_eq!(wrote, i < granted, "written");
            if wrote {
                self.held.push_back(*next);
                self.unpublished = self.unpublished.wrapping_add(1);
                self.at = self.at.advance(1);
                *next = next.wrapping_add(1);
            }
        }
        if forget {
            forgotten(slots);
        } else {
            drop(slots);
            self.unpublished = 0;
        }
    }

    /// What the consumer sees; a refused entry is to be told first.
    fn look(&mut self, wanted: u32) -> u32 {
        let anything = self.consumer.cursor.advance(u32::MAX);
        match self.consumer.available(wanted, || anything) {
            Ok(count) => {
                assert_eq!(self.refused, None, "a refused entry is told");
                assert_eq!(count, self.there().min(wanted), "available");
                count
            }
            Err(suspect) => {
                let Diagnosis::Entry(entry) = self.consumer.diagnose(suspect) else {
                    unreachable!("no index was wrong")
                };
                assert_eq!(Some(entry), self.refused.take(), "told");
                self.unreleased = 0;
                self.look(wanted)
            }
        }
    }

    fn read(&mut self, wanted: u32, take: u32, forget: bool) {
        let count = self.look(wanted);
        let mut entries = ready(&mut self.consumer, count).read();
        for i in 0..take {
            let expected = if i < count {
                self.unreleased = self.unreleased.wrapping_add(1);
                self.held.pop_front()
            } else {
                None
            };
            assert_eq!(entries.take(), expected, "read");
        }
        if forget {
            forgotten(entries);
        } else {
            drop(entries);
            self.unreleased = 0;
        }
    }

    /// Takes `good` entries and refuses the next.
    fn refuse(&mut self, wanted: u32, good: u32) {
        let count = self.look(wanted);
        let mut entries = ready(&mut self.consumer, count).read();
        for _ in 0..good.min(count) {
            assert_eq!(entries.take(), self.held.pop_front(), "read");
        }
        if let Some(entry) = entries.take() {
            assert_eq!(self.held.pop_front(), Some(entry), "refused");
            entries.reject(entry);
            assert_eq!(entries.take(), None, "after a refusal");
            self.refused = Some(entry);
        }
        drop(entries);
        self.unreleased = 0;
    }

    fn move_to(&mut self, to: &mut Ring<'_>, wanted: u32, end: End) {
        let there = self.look(wanted);
        let count = there.min(to.vacant());
        assert_eq!(to.producer.free(there), Ok(count), "free");
        let mut moved: u32 = 0;
        let (held, moving) = (&mut self.held, &mut to.held);
        let mut last = None;
        let map = |entry: u64| {
            assert_eq!(held.pop_front(), Some(entry), "moved in order");
            last = Some(entry);
            match end {
                End::Refuse(good) if good == moved => return None,
                End::Panic(good) if good == moved => resume_unwind(Box::new(Expected)),
                _ => {}
            }
            moved = moved.wrapping_add(1);
            moving.push_back(!entry);
            Some(!entry)
        };
        let from = ready(&mut self.consumer, count);
        let Ok(into) = to.producer.reserve(count) else { unreachable!("no index was wrong") };
        let answer = match end {
            End::None => Some(transfer(from, into, map)),
            End::Refuse(_) => Some(transfer_each(from, into, map)),
            End::Panic(_) => catch_unwind(AssertUnwindSafe(|| transfer_each(from, into, map)))
                .map_err(|thrown| assert!(thrown.is::<Expected>(), "another panic"))
                .ok(),
        };
        if count == 0 {
            assert_eq!(answer, Some(0), "nothing to move");
            // It ends what a forgotten guard left open.
            self.unreleased = 0;
            to.unpublished = 0;
            return;
        }
        to.at = to.at.advance(moved);
        match (end, answer) {
            // A single entry goes straight: what was looked at when the panic came is taken, and
            // given back later.
            (End::Panic(_), None) if count == 1 => {
                self.unreleased = self.unreleased.wrapping_add(1)
            }
            (_, answer) => {
                if answer.is_none() {
                    assert!(matches!(end, End::Panic(_)), "it was asked to panic");
                } else {
                    assert_eq!(answer, Some(moved), "moved");
                }
                self.unreleased = 0;
                if moved != 0 || count > 1 {
                    to.unpublished = 0;
                } else {
                    to.unpublished = to.unpublished.wrapping_add(moved);
                }
            }
        }
        if matches!(end, End::Refuse(good) if good < count) {
            self.refused = last;
        }
    }

    /// Returns the producer's index is set too far ahead, and put right.
    fn producer_lies(&mut self, n: u32, part: u32) {
        // What was refused is told first.
        self.look(1);
        let published = self.block.producer().load(Ordering::Relaxed);
        // Any distance beyond the ring's length.
        let beyond = self.size.wrapping_add(1);
        let further = n.wrapping_shl(part.wrapping_mul(8));
        let distance = beyond.saturating_add(further);
        let lie = self.consumer.cursor.advance(distance);
        self.block.producer().store(lie.get(), Ordering::Relaxed);
        let anything = self.consumer.cursor.advance(u32::MAX);
        match self.consumer.available(1, || anything) {
            Ok(_) => unreachable!("a lie was believed"),
            Err(suspect) => {
                let size = self.size;
                let fault = self.consumer.diagnose(suspect);
                assert!(
                    matches!(fault, Diagnosis::Index(RingError::BadIndex { ring: RingKind::Fill, distance: d, size: s }) if d == distance && s == size),
                    "{fault:?}"
                );
            }
        }
        self.block.producer().store(published, Ordering::Relaxed);
    }

    /// Returns the consumer's index is set ahead of what was produced, and put right.
    fn consumer_lies(&mut self, n: u32, part: u32) {
        let released = self.block.consumer().load(Ordering::Relaxed);
        let further = n.wrapping_shl(part.wrapping_mul(8)) & (u32::MAX >> 1);
        let lie = self.at.advance(1).advance(further);
        self.block.consumer().store(lie.get(), Ordering::Relaxed);
        // More than the ring has: what was known before cannot suffice.
        let answer = self.producer.free(self.size.wrapping_add(1));
        assert!(
            matches!(answer, Err(RingError::BadIndex { ring: RingKind::Fill, .. })),
            "{answer:?}"
        );
        self.block.consumer().store(released, Ordering::Relaxed);
    }

    /// What both sides published is what was done.
    fn check(&self) {
        let produced = Index::new(self.block.producer().load(Ordering::Relaxed));
        let consumed = Index::new(self.block.consumer().load(Ordering::Relaxed));
        let behind = self.at.distance_from(produced);
        assert_eq!(behind, self.unpublished, "published");
        let refused = u32::from(self.refused.is_some());
        let kept = self.held().wrapping_add(self.unreleased).wrapping_add(refused);
        assert_eq!(self.at.distance_from(consumed), kept, "given back");
        assert!(usize32(kept) <= usize32(self.size), "never more than there is room");
    }
}

/// Returns the next `count` entries, which are available.
fn ready(ring: &mut Consumer<u64>, count: u32) -> Ready<&mut Consumer<u64>> {
    let anything = ring.cursor.advance(u32::MAX);
    let Ok(ready) = ring.peek(count, || anything, |_, _| None) else {
        unreachable!("no index was wrong")
    };
    assert_eq!(ready.count(), count, "ready");
    ready
}

/// What a panic that was asked for carries.
struct Expected;

#[expect(clippy::mem_forget, reason = "a batch that is forgotten is what is tried")]
fn forgotten<T>(batch: T) {
    std::mem::forget(batch);
}

#[cfg(test)]
mod tests {
    use super::ring_program;

    /// The programs of a generator that is the same every time.
    #[test]
    fn programs_agree_with_queues() {
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut program = [0; 134];
        for round in 0..3000_u32 {
            for byte in &mut program {
                state ^= state.wrapping_shl(13);
                state ^= state >> 7;
                state ^= state.wrapping_shl(17);
                *byte = state.to_le_bytes()[4];
            }
            if round % 2 == 0 {
                program[..4].copy_from_slice(&u32::MAX.wrapping_sub(round % 64).to_le_bytes());
            }
            ring_program(&program);
        }
    }
}
