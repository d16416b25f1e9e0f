//! Steps of a fake kernel that break the rules of the rings.
//!
//! # Safety
//! These steps break the axiom of I9, that the kernel gives each chunk back once. They are safe
//! only while the ledger rejects a chunk that comes back twice; without it they are `unsafe`.
#![allow(unsafe_code, reason = "steps that break the rules of the rings")]

use super::FakeKernel;
use crate::ring::{Index, RingKind};
use std::sync::atomic::Ordering;
use xsk_uapi::if_xdp::xdp_desc;

/// Steps of a [`FakeKernel`] that break the rules of the rings.
///
/// ```
/// use xsk::RingError;
/// use xsk::ring::RingKind;
/// use xsk::test_util::{FakeKernel, Index};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 8)?;
/// // `None` without the ledger.
/// if let Some(mut hostile) = kernel.hostile() {
///     // More packets than the RX ring has entries.
///     let produced = hostile.published(RingKind::Rx).get();
///     hostile.set_index(RingKind::Rx, Index::new(produced.wrapping_add(5000)));
///     let error = socket.rx.receive(8).unwrap_err();
///     assert!(matches!(error, RingError::BadIndex { distance: 5000, capacity: 2048, .. }));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Hostile<'a> {
    kernel: &'a mut FakeKernel,
    /// Whether this kernel continues at an index that it sets ahead.
    follows: bool,
}

impl FakeKernel {
    /// Returns steps that break the rules, to test that packet code and this crate withstand them.
    /// `None` unless the ledger is on (debug builds, feature `ledger`): without it a chunk that is
    /// given twice is not found.
    pub fn hostile(&mut self) -> Option<Hostile<'_>> {
        self.umem.chunk_counts()?;
        Some(Hostile::new(self, true))
    }

    /// Returns steps that break the rules, whether or not the ledger is on.
    ///
    /// # Safety
    /// Without the ledger, no chunk may come back (by an RX or completion entry, or by an index set
    /// so that an old entry counts again) that is in a frame of the user, in a pool or in another
    /// ring: two frames of one chunk would give two mutable slices of the same bytes. And where the
    /// socket's side and this kernel run in two threads, an index set ahead must be put right
    /// before either goes on over the slots between.
    pub unsafe fn hostile_unchecked(&mut self) -> Hostile<'_> {
        Hostile::new(self, false)
    }
}

impl<'a> Hostile<'a> {
    pub(super) fn new(kernel: &'a mut FakeKernel, follows: bool) -> Self {
        Self { kernel, follows }
    }

    /// Writes an entry of any content into the RX ring, if a slot is free.
    pub fn receive(&mut self, address: u64, len: u32, options: u32) {
        self.kernel.produce_rx(xdp_desc { addr: address, len, options });
    }

    /// Writes an entry of any content into the completion ring, if a slot is free.
    pub fn complete(&mut self, address: u64) {
        self.kernel.produce_completion(address);
    }

    /// Sets the index that the kernel's side of `ring` publishes: the producer of RX and
    /// completion, the consumer of fill and TX.
    ///
    /// From [`FakeKernel::hostile`], the kernel continues at an index that is ahead of its own: it
    /// does not return to slots that it gave away. An index more than the ring's capacity ahead of
    /// the user's side ends the ring: the kernel reads and writes no more of its entries. From
    /// [`FakeKernel::hostile_unchecked`] it stays where it is, and an index can be put right again.
    pub fn set_index(&mut self, ring: RingKind, index: Index) {
        if self.follows {
            self.follow(ring, index);
        }
        self.index(ring).store(index.get(), Ordering::Release);
    }

    fn follow(&mut self, ring: RingKind, index: Index) {
        match ring {
            RingKind::Rx | RingKind::Fill => {
                let FakeKernel { rx, fill, ended, .. } = self.kernel;
                let goes_on =
                    if ring == RingKind::Rx { rx.skip_to(index) } else { fill.skip_to(index) };
                end_unless(goes_on, ring, ended);
            }
            RingKind::Tx | RingKind::Completion => {
                let mut sending = self.kernel.sending();
                let goes_on = if ring == RingKind::Tx {
                    sending.tx.skip_to(index)
                } else {
                    sending.completion.skip_to(index)
                };
                end_unless(goes_on, ring, &mut sending.ended);
            }
        }
    }

    /// Returns the index that the kernel's side of `ring` published last.
    #[must_use]
    pub fn published(&self, ring: RingKind) -> Index {
        Index::new(self.index(ring).load(Ordering::Acquire))
    }

    fn index(&self, ring: RingKind) -> &crate::ring::AtomicU32 {
        let memory = &self.kernel.memory;
        match ring {
            RingKind::Rx => memory.rx.producer(),
            RingKind::Completion => memory.completion.producer(),
            RingKind::Fill => memory.fill.consumer(),
            RingKind::Tx => memory.tx.consumer(),
        }
    }
}

/// Adds `ring` to the rings that have ended, unless the kernel goes on.
fn end_unless(goes_on: bool, ring: RingKind, ended: &mut Vec<RingKind>) {
    if !goes_on && !ended.contains(&ring) {
        ended.push(ring);
    }
}
