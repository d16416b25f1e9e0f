//! The part of a fake kernel that sends: its side of the TX and completion rings. Kicks use it from
//! the socket's thread.

use super::ring_block::RingBlocks;
use crate::ring::{Consumer, Index, Memory, Producer, RingKind};
use crate::socket::FakeBackend;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xsk_uapi::if_xdp::xdp_desc;

/// How many packets one kick takes at the most (`TX_BATCH_SIZE` of net/xdp/xsk.c).
const TX_BATCH_SIZE: u32 = 32;

/// The kernel's side of the TX and completion rings, and what stands in the place of its system
/// calls.
#[derive(Debug)]
pub(super) struct FakeSender {
    sending: Mutex<Sending>,
    tx_kicks: AtomicU64,
    fill_kicks: AtomicU64,
    /// Keeps the memory of the rings, and has their flags.
    memory: Arc<RingBlocks>,
}

impl FakeSender {
    /// Makes the sender of a socket whose rings lie in `memory`, from the kernel's halves of its TX
    /// and completion rings.
    pub(super) fn new(
        memory: Arc<RingBlocks>,
        tx: Memory<xdp_desc>,
        completion: Memory<u64>,
    ) -> Self {
        let sending = Sending {
            tx: Consumer::new(RingKind::Tx, tx),
            completion: Producer::new(RingKind::Completion, completion),
            taken: VecDeque::new(),
            unfinished: VecDeque::new(),
            ended: Vec::new(),
        };
        let (tx_kicks, fill_kicks) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { sending: Mutex::new(sending), tx_kicks, fill_kicks, memory }
    }

    pub(super) fn sending(&self) -> MutexGuard<'_, Sending> {
        // A panic of a test leaves nothing half done here.
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the TX ring's need-wakeup flag is set.
    pub(super) fn asks_for_kicks(&self) -> bool {
        self.memory.tx.needs_wakeup()
    }

    /// Sets or clears the TX ring's need-wakeup flag. What a socket submitted that saw no flag is
    /// taken here, as by a driver, which looks at the ring once more after it has set the flag.
    pub(super) fn ask_for_kicks(&self, on: bool) {
        self.memory.tx.set_need_wakeup(on);
        fence(Ordering::SeqCst);
        if on {
            let _ = self.sending().take(u32::MAX);
        }
    }

    /// Returns how often the socket woke the kernel for the TX ring.
    pub(super) fn tx_kicks(&self) -> u64 {
        self.tx_kicks.load(Ordering::SeqCst)
    }

    /// Returns how often the socket woke the kernel for the fill ring.
    pub(super) fn fill_kicks(&self) -> u64 {
        self.fill_kicks.load(Ordering::SeqCst)
    }
}

impl FakeBackend for FakeSender {
    fn wake_tx(&self) -> Result<(), Errno> {
        self.tx_kicks.fetch_add(1, Ordering::SeqCst);
        self.sending().take(TX_BATCH_SIZE)
    }

    fn wake_rx(&self) -> Result<(), Errno> {
        self.fill_kicks.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// What is sent, from the TX ring to the completion ring.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) tx: Consumer<xdp_desc>,
    pub(super) completion: Producer<u64>,
    /// Packets that were taken from the TX ring and are not transmitted yet. There is room in the
    /// completion ring for them, and for those that are not completed.
    pub(super) taken: VecDeque<xdp_desc>,
    /// Addresses of transmitted packets that are not completed yet.
    pub(super) unfinished: VecDeque<u64>,
    /// TX or completion ring, if the kernel must not touch its entries any more, after a hostile
    /// step.
    pub(super) ended: Vec<RingKind>,
}

impl Sending {
    /// Takes up to `most` packets from the TX ring, as many as the completion ring has room for.
    ///
    /// # Errors
    /// `EAGAIN` if some are left.
    fn take(&mut self, most: u32) -> Result<(), Errno> {
        let mut left = most;
        while self.has_packet() {
            if left == 0 || !self.has_room() {
                return Err(Errno::AGAIN);
            }
            let Some(desc) = next_entry(&mut self.tx) else { break };
            self.taken.push_back(desc);
            left = left.wrapping_sub(1);
        }
        Ok(())
    }

    /// Takes the next packet to transmit: one that was taken from the TX ring before, or, if the
    /// kernel sends `by_itself`, one from there.
    pub(super) fn next_packet(&mut self, by_itself: bool) -> Option<xdp_desc> {
        if self.taken.is_empty() && by_itself {
            let _ = self.take(1);
        }
        self.taken.pop_front()
    }

    fn has_packet(&self) -> bool {
        !self.ended.contains(&RingKind::Tx) && has_entry(&self.tx)
    }

    /// Returns whether the completion ring has room for one more packet.
    pub(super) fn has_room(&mut self) -> bool {
        let reserved = self.taken.len().saturating_add(self.unfinished.len());
        let wanted = u32::try_from(reserved).unwrap_or(u32::MAX).saturating_add(1);
        !self.ended.contains(&RingKind::Completion) && self.completion.free(wanted) == Ok(wanted)
    }

    /// Gives the chunks of up to `count` transmitted packets back, oldest first; returns how many.
    pub(super) fn complete(&mut self, count: u32) -> u32 {
        let mut completed: u32 = 0;
        while completed < count
            && !self.ended.contains(&RingKind::Completion)
            && self.completion.free(1) == Ok(1)
        {
            let Some(address) = self.unfinished.pop_front() else { break };
            self.produce_completion(address);
            completed = completed.wrapping_add(1);
        }
        completed
    }

    /// Writes an address into the completion ring, if a slot is free.
    pub(super) fn produce_completion(&mut self, address: u64) {
        if self.ended.contains(&RingKind::Completion) {
            return;
        }
        if let Ok(mut slot) = self.completion.write(1) {
            slot.write(address);
        }
    }
}

/// Returns the position that a producer's index cannot be beyond. This side of a ring does not
/// count what the user's side submits, so that is no limit.
fn no_limit<T: Copy>(ring: &Consumer<T>) -> Index {
    ring.cursor().advance(u32::MAX)
}

/// Returns whether there is an entry to take. At an impossible index, which the user's side cannot
/// write, there is none.
fn has_entry<T: Copy>(ring: &Consumer<T>) -> bool {
    ring.available(1, || no_limit(ring)) == Ok(1)
}

/// Takes the next entry, if there is one.
pub(super) fn next_entry<T: Copy>(ring: &mut Consumer<T>) -> Option<T> {
    if !has_entry(ring) {
        return None;
    }
    let limit = no_limit(ring);
    ring.peek(1, || limit, |_, _| None).ok()?.read().take()
}
