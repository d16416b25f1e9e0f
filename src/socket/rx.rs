//! The RX ring: received packets, as frames.

use super::batch::Batch;
#[cfg(feature = "test-util")]
use super::buffer_pool::BufferPool;
use super::desc::Desc;
use super::inner::{Inner, as_fd};
use super::rx_batch::RxBatch;
use crate::ring::{AtomicU32, Consumer, Diagnosis, Index, Memory, RingError, RingKind, Suspect};
use crate::umem::{Checker, Umem};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xsk_uapi::if_xdp::xdp_desc;

/// The RX ring: received packets, as frames.
///
/// The kernel puts each packet into a chunk that was given to it by the [`Fill`](super::Fill) ring of the same
/// socket. The ring moves between threads; the other rings of the socket may be used by other
/// threads.
///
/// ```no_run
/// # fn f(umem: &xsk::Umem, rx: &mut xsk::Rx, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// for frame in rx.receive(64)? {
///     println!("{} bytes", umem.bytes(&frame).len());
///     pool.put(frame);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_RX_RING")]
pub struct Rx {
    ring: Consumer<Desc>,
    checker: Checker,
    /// How many chunks were ever given to the kernel to receive into (I7).
    filled: Arc<AtomicU32>,
    inner: Arc<Inner>,
}

impl Rx {
    pub(crate) fn new(memory: Memory<xdp_desc>, inner: Arc<Inner>) -> Self {
        Self {
            ring: Consumer::new(RingKind::Rx, memory.cast()),
            checker: inner.pool.umem.checker(),
            filled: Arc::clone(&inner.pool.given.filled),
            inner,
        }
    }

    pub(super) fn into_parts(self) -> (Consumer<Desc>, Checker, Arc<Inner>) {
        (self.ring, self.checker, self.inner)
    }

    /// Returns the packets that are in the ring, `count` at the most; an empty batch is no error.
    ///
    /// Iterate over the batch for [`Frame`](crate::Frame)s, or pass it on whole. What is not taken stays in the
    /// ring.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules. A bad *entry* is only
    /// found when it is taken: the batch ends before it, the chunk that it refers to is lost, and
    /// the next call returns the error, once.
    #[inline(always)]
    #[doc(alias = "xsk_ring_cons__peek")]
    pub fn receive(&mut self, count: u32) -> Result<RxBatch<'_>, RingError> {
        let Self { ring, checker, filled, .. } = self;
        // Relaxed: the kernel's index, read with acquire just before, came after what filled the
        // ring.
        let most_allowed = |_| Index::new(filled.load(Ordering::Relaxed));
        let error = |ring: &mut _, suspect| error(ring, checker, suspect);
        Ok(RxBatch(Batch::new(ring.peek(count, most_allowed, error)?, checker)))
    }

    #[cfg(feature = "test-util")]
    pub(crate) fn pool(&self) -> &Arc<BufferPool> {
        &self.inner.pool
    }

    /// Returns the socket's packet memory.
    pub(super) fn umem(&self) -> &Umem {
        &self.inner.pool.umem
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
    rx: &mut Consumer<Desc>,
    checker: &Checker,
    suspect: Suspect,
) -> Option<RingError> {
    let ring = RingKind::Rx;
    let desc = match rx.diagnose(suspect) {
        Diagnosis::Index(error) => return Some(error),
        Diagnosis::Entry(desc) => desc,
    };
    let address = desc.address;
    if checker.geometry.contains_packet(address, desc.length()) {
        return Some(RingError::DuplicateChunk { ring, address });
    }
    Some(RingError::BadEntry { ring, address, len: desc.len(), options: desc.options() })
}

as_fd!(
    /// Returns the socket; readable (`POLLIN`) while the RX ring holds packets.
    Rx: inner
);
