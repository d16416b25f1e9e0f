//! Models of two and three threads that use the halves of rings: loom runs them in every order that
//! the memory model allows, up to a number of preemptions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --target-dir target/loom --lib ring::tests`
//!
//! A model fails if an entry is read while it may be written, or before it was handed over: loom
//! does not watch plain memory, so each slot has a shadow cell in which loom sees the same
//! accesses.
//!
//! # Safety
//! Each model keeps a ring's memory as long as its halves, and has one half for each side (I8).
#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::arc_with_non_send_sync,
    reason = "models; loom watches what threads share"
)]

use super::transfer::{Ready, transfer};
use super::{AtomicU32, Consumer, Index, Memory, Parts, Producer, Rest, RingKind, SharedCount};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{Ordering, fence};
use loom::thread;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use xsk_uapi::if_xdp::XDP_RING_NEED_WAKEUP;

thread_local! {
    /// The shadow of each slot in the model that runs, by address. All threads of a model are one
    /// thread of the system.
    static SHADOWS: RefCell<Shadows> = const { RefCell::new(BTreeMap::new()) };
}

type Shadows = BTreeMap<usize, Rc<UnsafeCell<()>>>;

fn shadow(at: usize) -> Option<Rc<UnsafeCell<()>>> {
    SHADOWS.with_borrow(|shadows| shadows.get(&at).cloned())
}

/// Records in the shadow that the entry at this address is about to be read.
pub(super) fn watch_read(at: usize) {
    if let Some(cell) = shadow(at) {
        cell.with(|_| ());
    }
}

/// Records in the shadow that the entry at this address is about to be written.
pub(super) fn watch_write(at: usize) {
    if let Some(cell) = shadow(at) {
        cell.with_mut(|_| ());
    }
}

/// Memory of a ring of `SIZE` entries.
struct Ring {
    producer: AtomicU32,
    consumer: AtomicU32,
    flags: AtomicU32,
    entries: NonNull<u64>,
}

const SIZE: u32 = 2;

// SAFETY: the entries are reached only through the halves of the ring, by the protocol of I8.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    fn new(start: u32) -> Arc<Self> {
        let entries = NonNull::from(Box::leak(Box::new([0_u64; SIZE as usize]))).cast::<u64>();
        let ring = Self {
            producer: AtomicU32::new(start),
            consumer: AtomicU32::new(start),
            flags: AtomicU32::new(0),
            entries,
        };
        SHADOWS.with_borrow_mut(|shadows| {
            shadows.extend(ring.addresses().map(|at| (at, Rc::new(UnsafeCell::new(())))));
        });
        Arc::new(ring)
    }

    fn addresses(&self) -> impl Iterator<Item = usize> {
        let start = self.entries.as_ptr();
        (0..SIZE as usize).map(move |at| start.wrapping_add(at).addr())
    }

    fn memory(&self) -> Memory<u64> {
        let parts = Parts {
            producer: NonNull::from(&self.producer),
            consumer: NonNull::from(&self.consumer),
            flags: NonNull::from(&self.flags),
            entries: self.entries,
            size: SIZE,
        };
        // SAFETY: aligned parts of the ring, with `SIZE` entries. Each half of a model keeps the
        // ring, and is the only one of its side (I8).
        unsafe { Memory::new(parts) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        SHADOWS.with_borrow_mut(|shadows| {
            for at in self.addresses() {
                shadows.remove(&at);
            }
        });
        // SAFETY: `new` made it of a box of this type, and no half is left: each keeps the ring.
        drop(unsafe { Box::from_raw(self.entries.cast::<[u64; SIZE as usize]>().as_ptr()) });
    }
}

/// One half of a ring, which keeps the ring's memory.
struct Half<T> {
    half: T,
    ring: Arc<Ring>,
}

fn producer(ring: &Arc<Ring>) -> Half<Producer<u64>> {
    Half { half: Producer::new(RingKind::Tx, ring.memory()), ring: Arc::clone(ring) }
}

fn consumer(ring: &Arc<Ring>) -> Half<Consumer<u64>> {
    Half { half: Consumer::new(RingKind::Tx, ring.memory()), ring: Arc::clone(ring) }
}

impl Half<Producer<u64>> {
    /// Writes as many of `entries` as there are free slots; returns how many.
    fn write(&mut self, entries: &[u64]) -> usize {
        let mut writer = self.half.write(entries.len() as u32).unwrap();
        entries.iter().take_while(|entry| writer.write(**entry)).count()
    }
}

impl Half<Consumer<u64>> {
    /// Returns the entries that are available.
    fn ready(&mut self) -> Ready<&mut Consumer<u64>> {
        let no_limit = self.half.cursor().advance(u32::MAX);
        self.half.peek(SIZE, |_| no_limit, |_, suspect| panic!("{suspect:?}")).unwrap()
    }

    /// As `ready`, to be taken in different ways.
    fn rest(&mut self) -> Rest<'_, u64> {
        let no_limit = self.half.cursor().advance(u32::MAX);
        let error = |_: &mut _, suspect| panic!("{suspect:?}");
        self.half.peek_first(SIZE, |_| no_limit, error).unwrap().into_rest()
    }

    /// Takes the entries that are available.
    fn take(&mut self) -> Vec<u64> {
        let mut reader = self.ready().read();
        std::iter::from_fn(|| reader.take()).collect()
    }
}

/// Runs `test` in every order with up to `preemptions` preemptions, or `LOOM_MAX_PREEMPTIONS` if
/// that is set.
fn model(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(preemptions));
    model.check(test);
}

#[test]
fn entries_arrive_as_written_and_slots_are_used_again_only_when_free() {
    model(3, || {
        let ring = Ring::new(u32::MAX);
        let (mut to, mut from) = (producer(&ring), consumer(&ring));
        let sender = thread::spawn(move || {
            let all = [11, 12, 13, 14];
            let mut sent = 0;
            while sent < all.len() {
                match to.write(&all[sent..]) {
                    0 => thread::yield_now(),
                    some => sent += some,
                }
            }
        });
        let mut got = Vec::new();
        while got.len() < 4 {
            match from.take() {
                none if none.is_empty() => thread::yield_now(),
                some => got.extend(some),
            }
        }
        assert_eq!(got, [11, 12, 13, 14]);
        sender.join().unwrap();
    });
}

/// Packets of two entries, which the sender submits one by one: none is taken before its end is there,
/// and its slots are written again only after both were taken.
#[test]
fn packets_of_two_entries_are_taken_whole() {
    model(3, || {
        let ring = Ring::new(u32::MAX);
        let (mut to, mut from) = (producer(&ring), consumer(&ring));
        let sender = thread::spawn(move || {
            let all = [11, 12, 13, 14];
            let mut sent = 0;
            while sent < all.len() {
                match to.write(&all[sent..=sent]) {
                    0 => thread::yield_now(),
                    some => sent += some,
                }
            }
        });
        let mut got = Vec::new();
        while got.len() < 4 {
            let mut rest = from.rest();
            match (rest.peek(0), rest.peek(1)) {
                (Some(first), Some(second)) => {
                    assert_eq!((rest.take(), rest.take()), (Some(first), Some(second)));
                    assert_eq!((first % 2, second), (1, first + 1));
                    drop(rest);
                    got.extend([first, second]);
                }
                _ => thread::yield_now(),
            }
        }
        assert_eq!(got, [11, 12, 13, 14]);
        sender.join().unwrap();
    });
}

/// One thread forwards entries from one ring to another, while the other thread writes more, after
/// `first`, and receives. Each tries a fixed number of times: if the threads waited for each other,
/// there would be too many orders.
fn forwarder(first: &'static [u64]) {
    model(3, move || {
        let (one, two) = (Ring::new(u32::MAX), Ring::new(u32::MAX));
        let (mut to, mut from) = (producer(&one), consumer(&two));
        let (mut inward, mut outward) = (consumer(&one), producer(&two));
        let mut sent = to.write(first);
        let mut forward = move || {
            let ready = inward.ready();
            let room = outward.half.reserve(ready.count()).unwrap();
            transfer(ready, room, |entry| Some(entry + 100))
        };
        let thread = thread::spawn(move || (forward() + forward(), forward));
        let mut got = Vec::new();
        for _ in 0..2 {
            sent += to.write(&[11, 12, 13, 14][sent..]);
            got.extend(from.take());
        }
        let (mut moved, mut forward) = thread.join().unwrap();
        got.extend(from.take());
        moved += forward();
        got.extend(from.take());
        assert_eq!((sent, got.len()), (moved as usize, moved as usize));
        assert_eq!(got, [111, 112, 113, 114][..got.len()]);
    });
}

#[test]
fn a_packet_is_forwarded_from_ring_to_ring() {
    forwarder(&[11]);
}

#[test]
fn a_batch_is_forwarded_from_ring_to_ring() {
    forwarder(&[11, 12]);
}

/// One thread sends, the kernel completes, and a third thread reaps: never more entries come back
/// than the third thread sees as sent (I7), in any order in which it sees the stores.
#[test]
fn what_comes_back_was_given_as_every_thread_sees() {
    model(3, || {
        let (tx, completion) = (Ring::new(u32::MAX), Ring::new(u32::MAX));
        let sent = Arc::new(AtomicU32::new(0));
        let mut to = Half {
            half: Producer::counted(RingKind::Tx, tx.memory(), Arc::clone(&sent)),
            ring: Arc::clone(&tx),
        };
        let (mut taken, mut back) = (consumer(&tx), producer(&completion));
        let mut reaped = consumer(&completion);
        let sender = thread::spawn(move || to.write(&[11]) + to.write(&[12]));
        let mut complete = move || back.write(&taken.take());
        let kernel = thread::spawn(move || (complete() + complete(), complete));
        let mut got = Vec::new();
        let mut reap = || {
            let most_allowed = |_| Index::new(sent.load(Ordering::Relaxed));
            let ready = reaped.half.peek(SIZE, most_allowed, |_, suspect| panic!("{suspect:?}"));
            let mut reader = ready.unwrap().read();
            got.extend(std::iter::from_fn(|| reader.take()));
        };
        reap();
        reap();
        assert_eq!(sender.join().unwrap(), 2);
        let (moved, mut complete) = kernel.join().unwrap();
        assert_eq!(moved + complete(), 2);
        reap();
        assert_eq!(got, [11, 12]);
    });
}

/// A packet's bytes are handed over with its entry, and its chunk is written again only after it
/// came back.
/// Two chunks are filled; the kernel puts the first into one RX ring and the second into another.
/// Each ring's consumer counts what it finds.
#[test]
fn consumers_of_several_rings_count_no_more_than_every_thread_sees_as_given() {
    model(3, || {
        let [filled, fill, first, second] = [0; 4].map(|value| Arc::new(AtomicU32::new(value)));
        let received = Arc::new(SharedCount::default());
        let kernel = {
            let (fill, first, second) = (fill.clone(), first.clone(), second.clone());
            thread::spawn(move || {
                if fill.load(Ordering::Acquire) >= 1 {
                    first.store(1, Ordering::Release);
                    if fill.load(Ordering::Acquire) >= 2 {
                        second.store(1, Ordering::Release);
                    }
                }
            })
        };
        let count = |ring: Arc<AtomicU32>| {
            let (received, filled) = (received.clone(), filled.clone());
            move || {
                if ring.load(Ordering::Acquire) == 1 {
                    assert_eq!(received.add(1, &filled), Ok(()));
                }
            }
        };
        let others = [thread::spawn(count(first)), thread::spawn(count(second))];
        for chunks in 1..=2 {
            // As `Producer::submit`.
            filled.store(chunks, Ordering::Relaxed);
            fill.store(chunks, Ordering::Release);
        }
        kernel.join().unwrap();
        for other in others {
            other.join().unwrap();
        }
        assert!(received.add(3, &filled).is_err(), "more than was filled");
    });
}

#[test]
fn a_chunk_has_one_owner_on_its_way_there_and_back() {
    model(3, || {
        let (tx, completion) = (Ring::new(u32::MAX), Ring::new(7));
        let chunk = Arc::new(UnsafeCell::new(0_u64));
        let (mut to, mut reaped) = (producer(&tx), consumer(&completion));
        let (mut taken, mut back) = (consumer(&tx), producer(&completion));
        let kernel_chunk = Arc::clone(&chunk);
        let kernel = thread::spawn(move || {
            let mut moved = 0;
            while moved < 2 {
                let some = taken.take();
                for entry in &some {
                    // SAFETY: the chunk was sent (I2); loom reports another access at the same
                    // time.
                    let bytes = kernel_chunk.with(|bytes| unsafe { *bytes });
                    assert_eq!(bytes, *entry);
                    moved += back.write(&[*entry]);
                }
                if some.is_empty() {
                    thread::yield_now();
                }
            }
        });
        for round in [21, 22] {
            // SAFETY: this thread has the chunk (I2): it is not sent yet, or came back.
            chunk.with_mut(|bytes| unsafe { *bytes = round });
            to.write(&[round]);
            loop {
                match reaped.take() {
                    none if none.is_empty() => thread::yield_now(),
                    some => break assert_eq!(some, [round]),
                }
            }
        }
        kernel.join().unwrap();
    });
}

/// Returns whether the kernel asks for a wake-up, as the library reads it.
fn fenced(user: &Half<Producer<u64>>) -> bool {
    user.half.memory().needs_wakeup()
}

/// As [`fenced`], without the fence.
fn unfenced(user: &Half<Producer<u64>>) -> bool {
    user.ring.flags.load(Ordering::Relaxed) & XDP_RING_NEED_WAKEUP != 0
}

/// As [`fenced`], with less than a full fence.
fn half_fenced(user: &Half<Producer<u64>>) -> bool {
    fence(Ordering::AcqRel);
    unfenced(user)
}

/// The user submits an entry, then reads whether the kernel asks for a wake-up. The kernel goes to
/// sleep: it sets the flag, then looks at the ring once more. One of the two must see the other's
/// store.
fn sleeping_kernel(needs_wakeup: fn(&Half<Producer<u64>>) -> bool) {
    model(3, move || {
        let ring = Ring::new(u32::MAX);
        let (mut user, mut kernel) = (producer(&ring), consumer(&ring));
        let kernel = thread::spawn(move || {
            kernel.ring.flags.store(XDP_RING_NEED_WAKEUP, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            kernel.ready().count() != 0
        });
        user.write(&[11]);
        let wakes = needs_wakeup(&user);
        let seen = kernel.join().unwrap();
        assert!(wakes || seen, "an entry is in the ring, and the kernel sleeps");
    });
}

#[test]
fn a_kernel_that_falls_asleep_is_woken_or_sees_the_entry() {
    sleeping_kernel(fenced);
}

#[test]
#[should_panic(expected = "an entry is in the ring, and the kernel sleeps")]
fn without_the_fence_an_entry_is_left_to_a_sleeping_kernel() {
    sleeping_kernel(unfenced);
}

#[test]
#[should_panic(expected = "an entry is in the ring, and the kernel sleeps")]
fn a_fence_that_is_not_full_is_not_enough() {
    sleeping_kernel(half_fenced);
}

/// As [`sleeping_kernel`], repeatedly: the kernel sleeps until it is called, until it has taken
/// every entry. A missed wake-up is a deadlock, which loom reports.
fn kernel_that_works_when_called(needs_wakeup: fn(&Half<Producer<u64>>) -> bool) {
    model(3, move || {
        let ring = Ring::new(u32::MAX);
        let (mut user, mut kernel) = (producer(&ring), consumer(&ring));
        let call = Arc::new(loom::sync::Notify::new());
        let called = Arc::clone(&call);
        let kernel = thread::spawn(move || {
            let mut taken = 0;
            loop {
                taken += kernel.take().len();
                if taken == 2 {
                    break;
                }
                kernel.ring.flags.store(XDP_RING_NEED_WAKEUP, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                if kernel.ready().count() == 0 {
                    called.wait();
                }
                kernel.ring.flags.store(0, Ordering::Relaxed);
            }
        });
        for entry in [11, 12] {
            user.write(&[entry]);
            if needs_wakeup(&user) {
                call.notify();
            }
        }
        kernel.join().unwrap();
    });
}

#[test]
fn a_kernel_that_sleeps_between_entries_takes_all_of_them() {
    kernel_that_works_when_called(fenced);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_the_kernel_sleeps_for_ever() {
    kernel_that_works_when_called(unfenced);
}
