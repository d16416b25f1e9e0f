//! The completion ring of several sockets on a queue.

use super::batch::Batch;
use super::completion::error;
use super::inner::{Inner, as_fd};
use super::{Completion, CompletionBatch, SocketHandle};
use crate::ring::{AtomicU32, Consumer, Index, RingError};
use crate::umem::{Checker, FramePool};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The completion ring of several sockets on a queue ([`SharedQueue`](super::SharedQueue)): chunks
/// whose packets were sent, whichever of the sockets sent them.
///
/// As [`Completion`]; each batch that is not empty costs a load for each socket that sends.
///
/// ```no_run
/// # fn f(queue: &mut xsk::SharedQueue, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let reaped = queue.completion.reap_into(pool, 64)?;
/// println!("{reaped} packets are sent");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_UMEM_COMPLETION_RING")]
pub struct SharedCompletion {
    ring: Consumer<u64>,
    checker: Checker,
    /// How many descriptors the first socket gave to the kernel to send, and those that have ended.
    sent: Sent,
    /// How many the others did.
    others: Vec<Sent>,
    inner: Arc<Inner>,
}

/// How many descriptors a socket gave to the kernel to send (I7).
#[derive(Debug)]
struct Sent {
    count: Arc<AtomicU32>,
    /// What the count is to be lessened by.
    start: u32,
}

impl Sent {
    #[inline(always)]
    fn get(&self) -> u32 {
        // Relaxed: the kernel's index, read with acquire before, came after what was sent.
        self.count.load(Ordering::Relaxed).wrapping_sub(self.start)
    }
}

impl SharedCompletion {
    /// Makes it of the completion ring of a queue's first socket.
    pub(super) fn of_first(completion: Completion) -> Self {
        let (ring, checker, inner) = completion.into_parts();
        let sent = Sent { count: Arc::clone(&inner.pool.given.sent), start: 0 };
        Self { ring, checker, sent, others: Vec::new(), inner }
    }

    /// Refuses the completion ring of another queue: what is sent would come back in neither.
    #[track_caller]
    pub(crate) fn assert_of(&self, handle: &SocketHandle) {
        let same = Arc::ptr_eq(&self.inner, &handle.inner());
        assert!(same, "the completion ring is that of another queue");
    }

    /// Expects the chunks of one more socket, which counts in `count` what it submits and has
    /// submitted nothing yet.
    pub(crate) fn expect(&mut self, count: Arc<AtomicU32>) {
        let Self { sent, others, .. } = self;
        others.retain_mut(|other| {
            // This sees what the ring that has ended counted last, whichever thread that was in.
            let in_use = Arc::get_mut(&mut other.count).is_none();
            if !in_use {
                // It sends no more, but its chunks come back all the same.
                sent.start = sent.start.wrapping_sub(other.get());
            }
            in_use
        });
        let start = count.load(Ordering::Relaxed);
        others.push(Sent { count, start });
    }

    /// Returns the chunks that came back, as [`Completion::reap`].
    ///
    /// # Errors
    /// As there; [`RingError::TooManyEntries`] if more came back than all sockets of the queue
    /// together sent.
    #[inline(always)]
    #[doc(alias = "xsk_ring_cons__peek")]
    pub fn reap(&mut self, count: u32) -> Result<CompletionBatch<'_>, RingError> {
        let Self { ring, checker, sent, others, .. } = self;
        let most_allowed = |_| {
            let sent = Index::new(sent.get());
            others.iter().fold(sent, |sum, other| sum.advance(other.get()))
        };
        let error = |ring: &mut _, suspect| error(ring, checker, suspect);
        Ok(CompletionBatch(Batch::new(ring.peek(count, most_allowed, error)?, checker)))
    }

    /// Puts up to `count` chunks that came back into `pool`; returns how many.
    ///
    /// # Errors
    /// As [`reap`](Self::reap).
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[inline(always)]
    #[track_caller]
    #[doc(alias = "xsk_ring_cons__comp_addr")]
    pub fn reap_into(&mut self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        Ok(self.reap(count)?.reclaim(pool))
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

as_fd!(SharedCompletion: inner);
