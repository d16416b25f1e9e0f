//! The part of a fake kernel that sends: its side of the TX and completion rings. Kicks use it from
//! the socket's thread.

use super::ring_block::{RingBlockPair, RingBlocks};
use crate::ring::{Consumer, Index, Memory, Producer, RingKind};
use crate::socket::FakeBackend;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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
            tx: vec![FakeTx { ring: Consumer::new(RingKind::Tx, tx), ended: false, alive: None }],
            members: Vec::new(),
            turn: 0,
            completion: Producer::new(RingKind::Completion, completion),
            taken: VecDeque::new(),
            unfinished: VecDeque::new(),
            completion_ended: false,
        };
        let (tx_kicks, fill_kicks) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { sending: Mutex::new(sending), tx_kicks, fill_kicks, memory }
    }

    pub(super) fn sending(&self) -> MutexGuard<'_, Sending> {
        // A panic of a test leaves nothing half done here.
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the TX ring of one more socket on the queue, whose memory is in `blocks`; returns the
    /// socket's number. It is closed when `alive` has ended.
    pub(super) fn add_member(
        &self,
        blocks: Arc<RingBlockPair>,
        tx: Memory<xdp_desc>,
        alive: Weak<()>,
    ) -> usize {
        let mut sending = self.sending();
        blocks.tx.set_need_wakeup(self.asks_for_kicks());
        sending.members.push(blocks);
        let (ring, alive) = (Consumer::new(RingKind::Tx, tx), Some(alive));
        sending.tx.push(FakeTx { ring, ended: false, alive });
        sending.members.len()
    }

    /// Returns whether the TX rings' need-wakeup flags are set.
    pub(super) fn asks_for_kicks(&self) -> bool {
        self.memory.tx.needs_wakeup()
    }

    /// Sets or clears the need-wakeup flag of the TX ring of each socket. What a socket submitted
    /// that saw no flag is taken here, as by a driver, which looks at the ring once more after it has
    /// set the flag.
    pub(super) fn ask_for_kicks(&self, on: bool) {
        let mut sending = self.sending();
        self.memory.tx.set_need_wakeup(on);
        for member in &sending.members {
            member.tx.set_need_wakeup(on);
        }
        fence(Ordering::SeqCst);
        if on {
            for socket in 0..sending.tx.len() {
                let _ = sending.take(socket, u32::MAX);
            }
        }
    }

    /// Does what a kick of socket number `socket` does.
    fn wake(&self, socket: usize) -> Result<(), Errno> {
        self.tx_kicks.fetch_add(1, Ordering::SeqCst);
        self.sending().take(socket, TX_BATCH_SIZE)
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
        self.wake(0)
    }

    fn wake_rx(&self) -> Result<(), Errno> {
        self.fill_kicks.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// What stands in the place of the system calls of a socket that shares the queue of another one.
#[derive(Debug)]
pub(super) struct MemberSender {
    pub(super) sender: Arc<FakeSender>,
    /// The socket's number, from 1 on.
    pub(super) number: usize,
}

impl FakeBackend for MemberSender {
    fn wake_tx(&self) -> Result<(), Errno> {
        self.sender.wake(self.number)
    }

    fn wake_rx(&self) -> Result<(), Errno> {
        self.sender.wake_rx()
    }
}

/// The kernel's side of a TX ring.
#[derive(Debug)]
pub(super) struct FakeTx {
    pub(super) ring: Consumer<xdp_desc>,
    /// Whether the kernel must not touch the ring's entries any more, after a hostile step.
    pub(super) ended: bool,
    /// Ends with the socket, if the kernel knows.
    alive: Option<Weak<()>>,
}

impl FakeTx {
    /// Returns whether there is a packet to take: none of a socket that was closed.
    fn has_packet(&self) -> bool {
        let alive = self.alive.as_ref().is_none_or(|alive| alive.strong_count() > 0);
        alive && !self.ended && has_entry(&self.ring)
    }
}

/// What is sent, from the TX rings of the queue's sockets to its completion ring.
#[derive(Debug)]
pub(super) struct Sending {
    /// The TX ring of each socket, the first's first.
    pub(super) tx: Vec<FakeTx>,
    /// The memory of the rings of the other sockets.
    pub(super) members: Vec<Arc<RingBlockPair>>,
    /// The socket whose TX ring is looked at first, the kernel sending by itself.
    turn: usize,
    pub(super) completion: Producer<u64>,
    /// Packets that were taken from the TX rings and are not transmitted yet. There is room in the
    /// completion ring for them, and for those that are not completed.
    pub(super) taken: VecDeque<xdp_desc>,
    /// Addresses of transmitted packets that are not completed yet.
    pub(super) unfinished: VecDeque<u64>,
    /// Whether the kernel must not touch the entries of the completion ring any more, after a hostile
    /// step.
    pub(super) completion_ended: bool,
}

impl Sending {
    /// Takes up to `most` packets from the TX ring of a socket, as many as the completion ring has
    /// room for.
    ///
    /// # Errors
    /// `EAGAIN` if some are left.
    fn take(&mut self, socket: usize, most: u32) -> Result<(), Errno> {
        let mut left = most;
        while self.tx.get(socket).is_some_and(FakeTx::has_packet) {
            if left == 0 || !self.has_room() {
                return Err(Errno::AGAIN);
            }
            let tx = self.tx.get_mut(socket);
            let Some(desc) = tx.and_then(|tx| next_entry(&mut tx.ring)) else { break };
            self.taken.push_back(desc);
            left = left.wrapping_sub(1);
        }
        Ok(())
    }

    /// Takes the next packet to transmit: one that was taken from the TX ring before, or, if the
    /// kernel sends `by_itself`, one from there.
    pub(super) fn next_packet(&mut self, by_itself: bool) -> Option<xdp_desc> {
        let sockets = self.tx.len();
        for _ in 0..if by_itself { sockets } else { 0 } {
            if !self.taken.is_empty() {
                break;
            }
            // In turn, as `xsk_tx_peek_desc` (net/xdp/xsk.c) does.
            self.turn = self.turn.wrapping_add(1).checked_rem(sockets).unwrap_or(0);
            let _ = self.take(self.turn, 1);
        }
        self.taken.pop_front()
    }

    /// Returns whether the completion ring has room for one more packet.
    pub(super) fn has_room(&mut self) -> bool {
        let reserved = self.taken.len().saturating_add(self.unfinished.len());
        let wanted = u32::try_from(reserved).unwrap_or(u32::MAX).saturating_add(1);
        !self.completion_ended && self.completion.free(wanted) == Ok(wanted)
    }

    /// Gives the chunks of up to `count` transmitted packets back, oldest first; returns how many.
    pub(super) fn complete(&mut self, count: u32) -> u32 {
        let mut completed: u32 = 0;
        while completed < count && !self.completion_ended && self.completion.free(1) == Ok(1) {
            let Some(address) = self.unfinished.pop_front() else { break };
            // Without its lowest bit, where the kernel keeps a flag since 6.18
            // (`xsk_skb_destructor_set_addr`, net/xdp/xsk.c).
            self.produce_completion(address & !1);
            completed = completed.wrapping_add(1);
        }
        completed
    }

    /// Writes an address into the completion ring, if a slot is free.
    pub(super) fn produce_completion(&mut self, address: u64) {
        if self.completion_ended {
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
    has_entries(ring, 1)
}

/// Returns whether the ring holds as many entries.
pub(super) fn has_entries<T: Copy>(ring: &Consumer<T>, count: u32) -> bool {
    ring.available(count, |_| no_limit(ring)) == Ok(count)
}

/// Takes the next entry, if there is one.
pub(super) fn next_entry<T: Copy>(ring: &mut Consumer<T>) -> Option<T> {
    if !has_entry(ring) {
        return None;
    }
    let limit = no_limit(ring);
    ring.peek(1, |_| limit, |_, _| None).ok()?.read().take()
}
