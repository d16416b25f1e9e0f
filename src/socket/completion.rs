//! The completion ring: chunks whose packets were sent.

use super::batch::Batch;
use super::completion_batch::CompletionBatch;
use super::inner::{Inner, as_fd};
use crate::ring::{AtomicU32, Consumer, Diagnosis, Index, Memory, RingError, RingKind, Suspect};
use crate::umem::{Checker, FramePool};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The completion ring: chunks whose packets were sent.
///
/// The kernel sends nothing while this ring is full: reap before sending.
///
/// ```no_run
/// # fn f(socket: &mut xsk::Socket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let reaped = socket.completion.reap_into(pool, 64)?;
/// println!("{reaped} packets are sent");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_UMEM_COMPLETION_RING")]
pub struct Completion {
    ring: Consumer<u64>,
    checker: Checker,
    /// How many descriptors were ever given to the kernel to send (I7).
    sent: Arc<AtomicU32>,
    inner: Arc<Inner>,
}

impl Completion {
    pub(crate) fn new(memory: Memory<u64>, inner: Arc<Inner>) -> Self {
        Self {
            ring: Consumer::new(RingKind::Completion, memory),
            checker: inner.pool.umem.checker(),
            sent: Arc::clone(&inner.pool.given.sent),
            inner,
        }
    }

    pub(super) fn into_parts(self) -> (Consumer<u64>, Checker, Arc<Inner>) {
        (self.ring, self.checker, self.inner)
    }

    /// Returns the chunks that came back, `count` at the most, as an iterator of frames or to be
    /// passed on whole. A frame spans its whole chunk: the packet's bounds are not kept.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules. A bad *entry* is only
    /// found when it is taken: the batch ends before it, the chunk that it refers to is lost, and
    /// the next call returns the error, once.
    #[inline(always)]
    #[doc(alias = "xsk_ring_cons__peek")]
    pub fn reap(&mut self, count: u32) -> Result<CompletionBatch<'_>, RingError> {
        let Self { ring, checker, sent, .. } = self;
        // Relaxed: the kernel's index, read with acquire just before, came after what was sent.
        let most_allowed = |_| Index::new(sent.load(Ordering::Relaxed));
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

    /// Returns how many chunks were given to the kernel to send and were not taken back.
    pub(super) fn outstanding(&self) -> u32 {
        let sent = Index::new(self.sent.load(Ordering::Relaxed));
        sent.distance_from(self.ring.cursor())
    }

    /// Returns whether it is the ring of the socket with this inner part.
    pub(super) fn is_of(&self, inner: &Arc<Inner>) -> bool {
        Arc::ptr_eq(&self.inner, inner)
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

#[cold]
#[inline(never)]
pub(super) fn error(
    completion: &mut Consumer<u64>,
    checker: &Checker,
    suspect: Suspect,
) -> Option<RingError> {
    let ring = RingKind::Completion;
    Some(match completion.diagnose(suspect) {
        Diagnosis::Index(error) => error,
        Diagnosis::Entry(address) if checker.geometry.contains(address) => {
            RingError::DuplicateChunk { ring, address }
        }
        Diagnosis::Entry(address) => RingError::BadEntry { ring, address, len: 0, options: 0 },
    })
}

as_fd!(Completion: inner);
