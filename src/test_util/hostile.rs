//! What a kernel must not do.
#![allow(unsafe_code, reason = "steps that break the rules of the rings")]

use super::FakeKernel;
use crate::ring::{Index, RingKind};
use std::sync::atomic::Ordering;
use xsk_uapi::if_xdp::xdp_desc;

/// Steps of a [`FakeKernel`] that break the rules of the rings.
#[derive(Debug)]
pub struct Hostile<'a> {
    kernel: &'a mut FakeKernel,
    /// Whether this kernel goes along with an index that it sets ahead.
    follows: bool,
}

impl FakeKernel {
    /// Steps that break the rules, to see that packet code and this crate stand them. `None` unless
    /// the ledger is on (debug builds, feature `ledger`): without it nobody can tell a chunk that
    /// is given twice.
    pub fn hostile(&mut self) -> Option<Hostile<'_>> {
        self.umem.chunk_counts()?;
        Some(Hostile::new(self, true))
    }

    /// Steps that break the rules, whether or not the ledger is on.
    ///
    /// # Safety
    /// Without the ledger, no chunk may come back (by an RX or completion entry, or by an index set
    /// so that an old entry counts again) that is in the user's hands, in a pool or in another
    /// ring: two frames of one chunk would give two mutable slices of the same bytes. And an index
    /// set ahead must be put right before the socket's side or this kernel goes on over the slots
    /// between, in two threads at once.
    pub unsafe fn hostile_unchecked(&mut self) -> Hostile<'_> {
        Hostile::new(self, false)
    }
}

impl<'a> Hostile<'a> {
    pub(super) fn new(kernel: &'a mut FakeKernel, follows: bool) -> Self {
        Self { kernel, follows }
    }

    /// Puts any entry into the RX ring, if there is a slot.
    pub fn receive(&mut self, address: u64, len: u32, options: u32) {
        self.kernel.produce_rx(xdp_desc { addr: address, len, options });
    }

    /// Puts any entry into the completion ring, if there is a slot.
    pub fn complete(&mut self, address: u64) {
        if let Ok(mut slot) = self.kernel.completion.write(1) {
            slot.write(address);
        }
    }

    /// Sets the index that the kernel's side of `ring` publishes: the producer of RX and
    /// completion, the consumer of fill and TX.
    ///
    /// From [`FakeKernel::hostile`], an index ahead of where the kernel is takes it along: it does
    /// not come back for slots that it gave away. From [`FakeKernel::hostile_unchecked`] it stays
    /// where it is, and an index can be put right again.
    pub fn set_index(&mut self, ring: RingKind, index: Index) {
        if self.follows {
            self.follow(ring, index);
        }
        self.index(ring).store(index.get(), Ordering::Release);
    }

    fn follow(&mut self, ring: RingKind, index: Index) {
        let FakeKernel { rx, tx, fill, completion, .. } = self.kernel;
        match ring {
            RingKind::Rx => rx.skip_to(index),
            RingKind::Tx => tx.skip_to(index),
            RingKind::Fill => fill.skip_to(index),
            RingKind::Completion => completion.skip_to(index),
        }
    }

    /// Returns the index that the kernel's side of `ring` published last.
    #[must_use]
    pub fn published(&self, ring: RingKind) -> Index {
        Index::new(self.index(ring).load(Ordering::Acquire))
    }

    fn index(&self, ring: RingKind) -> &crate::ring::AtomicU32 {
        let blocks = &self.kernel.blocks;
        match ring {
            RingKind::Rx => blocks.rx.producer(),
            RingKind::Completion => blocks.completion.producer(),
            RingKind::Fill => blocks.fill.consumer(),
            RingKind::Tx => blocks.tx.consumer(),
        }
    }
}
