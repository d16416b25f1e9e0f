//! Programs of steps on two rings, each compared with a model that is a plain list.
//!
//! # Safety
//! Each ring's memory outlives its two halves, of which there is one pair. A step that writes a bad
//! index puts it right before another step uses the ring (I8).
#![allow(unsafe_code, reason = "rings are raw memory")]

use super::ring_block::RingBlock;
use crate::ring::transfer::{Ready, transfer, transfer_each};
use crate::ring::{Consumer, Diagnosis, Index, Producer, RingError, RingKind};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;

/// Runs `program` on two rings of 1 to 128 entries, with both halves of each in this thread, and
/// compares every result with the model's: the entry point of a fuzz target.
///
/// The first four bytes are the position where the indices begin, the next two the sizes of the
/// rings; each step takes two more.
///
/// # Panics
/// If a ring and its model differ.
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
            4 => ring.reject(n, part),
            5 => ring.move_to(to, n, End::None),
            6 => ring.move_to(to, n, End::Reject(part)),
            7 => ring.move_to(to, n, End::Panic(part)),
            8 => ring.bad_producer_index(n, part),
            9 => ring.bad_consumer_index(n, part),
            10 => {
                assert_eq!(ring.producer.free(n), Ok(ring.free().min(n)), "free");
            }
            _ => ring.write(1, 1, false, &mut next),
        }
        ring.check();
    }
}

/// How a transfer ends before everything is moved.
#[derive(Clone, Copy)]
enum End {
    None,
    Reject(u32),
    Panic(u32),
}

/// A ring and its model.
struct Ring<'a> {
    block: &'a RingBlock,
    producer: Producer<u64>,
    consumer: Consumer<u64>,
    size: u32,
    /// Entries that are written and not taken, oldest first.
    entries: VecDeque<u64>,
    /// How many of these are not submitted.
    unsubmitted: u32,
    /// How many entries are taken and not released.
    unreleased: u32,
    /// A rejected entry that waits to be reported.
    rejected: Option<u64>,
    /// Where the next entry goes.
    cursor: Index,
}

impl<'a> Ring<'a> {
    fn new(block: &'a RingBlock, start: Index) -> Self {
        // SAFETY: the block was made for entries of 8 bytes and outlives this value by its lifetime,
        // and this is its only pair.
        let (user, kernel) = unsafe { block.sides::<u64>() };
        let size = user.capacity();
        Self {
            block,
            producer: Producer::new(RingKind::Fill, user),
            consumer: Consumer::new(RingKind::Fill, kernel),
            size,
            entries: VecDeque::new(),
            unsubmitted: 0,
            unreleased: 0,
            rejected: None,
            cursor: start,
        }
    }

    /// Returns how many entries are written and not taken.
    fn untaken(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// Returns how many slots the producer may write.
    fn free(&self) -> u32 {
        self.size.wrapping_sub(self.unfreed())
    }

    /// Returns how many slots the consumer has not given back.
    fn unfreed(&self) -> u32 {
        let rejected = u32::from(self.rejected.is_some());
        self.untaken().wrapping_add(self.unreleased).wrapping_add(rejected)
    }

    /// Returns how many entries the consumer may take.
    fn available(&self) -> u32 {
        self.untaken().wrapping_sub(self.unsubmitted)
    }

    fn write(&mut self, reserve: u32, count: u32, forget: bool, next: &mut u64) {
        let reserved = self.free().min(reserve);
        let Ok(mut slots) = self.producer.write(reserve) else {
            unreachable!("no index was wrong")
        };
        assert_eq!(slots.remaining(), reserved, "reserved");
        for i in 0..count {
            let written = slots.write(*next);
            assert_eq!(written, i < reserved, "written");
            if written {
                self.entries.push_back(*next);
                self.unsubmitted = self.unsubmitted.wrapping_add(1);
                self.cursor = self.cursor.advance(1);
                *next = next.wrapping_add(1);
            }
        }
        if forget {
            forget_batch(slots);
        } else {
            drop(slots);
            self.unsubmitted = 0;
        }
    }

    /// Returns how many entries, up to `wanted`, the consumer sees; a rejected entry is reported
    /// first.
    fn look(&mut self, wanted: u32) -> u32 {
        let no_limit = self.consumer.cursor().advance(u32::MAX);
        match self.consumer.available(wanted, |_| no_limit) {
            Ok(count) => {
                assert_eq!(self.rejected, None, "a rejected entry is reported");
                assert_eq!(count, self.available().min(wanted), "available");
                count
            }
            Err(suspect) => {
                let Diagnosis::Entry(entry) = self.consumer.diagnose(suspect) else {
                    unreachable!("no index was wrong")
                };
                assert_eq!(Some(entry), self.rejected.take(), "reported");
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
                self.entries.pop_front()
            } else {
                None
            };
            assert_eq!(entries.take(), expected, "read");
        }
        if forget {
            forget_batch(entries);
        } else {
            drop(entries);
            self.unreleased = 0;
        }
    }

    /// Takes `good` entries and rejects the next.
    fn reject(&mut self, wanted: u32, good: u32) {
        let count = self.look(wanted);
        let mut entries = ready(&mut self.consumer, count).read();
        for _ in 0..good.min(count) {
            assert_eq!(entries.take(), self.entries.pop_front(), "read");
        }
        if let Some(entry) = entries.take() {
            assert_eq!(self.entries.pop_front(), Some(entry), "rejected");
            entries.reject(entry);
            assert_eq!(entries.take(), None, "after a rejected entry");
            self.rejected = Some(entry);
        }
        drop(entries);
        self.unreleased = 0;
    }

    fn move_to(&mut self, to: &mut Ring<'_>, wanted: u32, end: End) {
        let available = self.look(wanted);
        let count = available.min(to.free());
        assert_eq!(to.producer.free(available), Ok(count), "free");
        let mut moved: u32 = 0;
        let (source, sink) = (&mut self.entries, &mut to.entries);
        let mut last = None;
        let map = |entry: u64| {
            assert_eq!(source.pop_front(), Some(entry), "moved in order");
            last = Some(entry);
            match end {
                End::Reject(good) if good == moved => return None,
                End::Panic(good) if good == moved => resume_unwind(Box::new(Expected)),
                _ => {}
            }
            moved = moved.wrapping_add(1);
            sink.push_back(!entry);
            Some(!entry)
        };
        // Either end may have more than the other: `transfer` takes the smaller count.
        let from = ready(&mut self.consumer, available);
        let Ok(into) = to.producer.reserve(wanted) else { unreachable!("no index was wrong") };
        let result = match end {
            End::None => Some(transfer(from, into, map)),
            End::Reject(_) => Some(transfer_each(from, into, map)),
            End::Panic(_) => catch_unwind(AssertUnwindSafe(|| transfer_each(from, into, map)))
                .map_err(|thrown| assert!(thrown.is::<Expected>(), "another panic"))
                .ok(),
        };
        if count == 0 {
            assert_eq!(result, Some(0), "nothing to move");
            // It submits and releases what a forgotten guard left open.
            self.unreleased = 0;
            to.unsubmitted = 0;
            return;
        }
        to.cursor = to.cursor.advance(moved);
        match (end, result) {
            // A single entry is moved without the loop: the entry at which `map` panicked is taken,
            // and is released later.
            (End::Panic(_), None) if count == 1 => {
                self.unreleased = self.unreleased.wrapping_add(1)
            }
            (_, result) => {
                if result.is_none() {
                    assert!(matches!(end, End::Panic(_)), "a panic that the step asks for");
                } else {
                    assert_eq!(result, Some(moved), "moved");
                }
                self.unreleased = 0;
                if moved != 0 || count > 1 {
                    to.unsubmitted = 0;
                } else {
                    to.unsubmitted = to.unsubmitted.wrapping_add(moved);
                }
            }
        }
        if matches!(end, End::Reject(good) if good < count) {
            self.rejected = last;
        }
    }

    /// Sets the producer's index too far ahead, checks that it is found, and puts it right.
    fn bad_producer_index(&mut self, n: u32, part: u32) {
        // A rejected entry is reported first.
        self.look(1);
        let submitted = self.block.producer().load(Ordering::Relaxed);
        // Some distance beyond the ring's size.
        let beyond = self.size.wrapping_add(1);
        let further = n.wrapping_shl(part.wrapping_mul(8));
        let distance = beyond.saturating_add(further);
        let bad = self.consumer.cursor().advance(distance);
        self.block.producer().store(bad.get(), Ordering::Relaxed);
        let no_limit = self.consumer.cursor().advance(u32::MAX);
        match self.consumer.available(1, |_| no_limit) {
            Ok(_) => unreachable!("a bad index was accepted"),
            Err(suspect) => {
                let bad_index =
                    RingError::BadIndex { ring: RingKind::Fill, distance, capacity: self.size };
                let found = self.consumer.diagnose(suspect);
                assert!(
                    matches!(found, Diagnosis::Index(error) if error == bad_index),
                    "{found:?}"
                );
            }
        }
        self.block.producer().store(submitted, Ordering::Relaxed);
    }

    /// Sets the consumer's index ahead of the producer's, checks that it is found, and puts it
    /// right.
    fn bad_consumer_index(&mut self, n: u32, part: u32) {
        let released = self.block.consumer().load(Ordering::Relaxed);
        let further = n.wrapping_shl(part.wrapping_mul(8)) & (u32::MAX >> 1);
        let bad = self.cursor.advance(1).advance(further);
        self.block.consumer().store(bad.get(), Ordering::Relaxed);
        // More slots than the ring has, so that the index is read.
        let result = self.producer.free(self.size.wrapping_add(1));
        assert!(
            matches!(result, Err(RingError::BadIndex { ring: RingKind::Fill, .. })),
            "{result:?}"
        );
        self.block.consumer().store(released, Ordering::Relaxed);
    }

    /// Compares the indices that both sides published with the model.
    fn check(&self) {
        let produced = Index::new(self.block.producer().load(Ordering::Relaxed));
        let consumed = Index::new(self.block.consumer().load(Ordering::Relaxed));
        let unsubmitted = self.cursor.distance_from(produced);
        assert_eq!(unsubmitted, self.unsubmitted, "submitted");
        let unfreed = self.unfreed();
        assert_eq!(self.cursor.distance_from(consumed), unfreed, "released");
        assert!(unfreed <= self.size, "not more entries than slots");
    }
}

/// Returns the next `count` entries, which are available.
fn ready(ring: &mut Consumer<u64>, count: u32) -> Ready<&mut Consumer<u64>> {
    let no_limit = ring.cursor().advance(u32::MAX);
    let Ok(ready) = ring.peek(count, |_| no_limit, |_, _| None) else {
        unreachable!("no index was wrong")
    };
    assert_eq!(ready.count(), count, "ready");
    ready
}

/// The payload of a panic that a step asks for.
struct Expected;

#[expect(clippy::mem_forget, reason = "a forgotten batch is one of the steps")]
fn forget_batch<T>(batch: T) {
    std::mem::forget(batch);
}

#[cfg(test)]
mod tests {
    use super::ring_program;

    /// Programs of a random number generator with a fixed seed.
    #[test]
    fn rings_agree_with_their_models() {
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
