//! Steps of a fake kernel that break the rules of the rings.
//!
//! # Safety
//! These steps break the axiom of I9, that the kernel gives each chunk back once. They are safe
//! only while the ledger rejects a chunk that comes back twice; without it they are `unsafe`.
#![allow(unsafe_code, reason = "steps that break the rules of the rings")]

use super::FakeKernel;
use crate::ring::{AtomicU32, Index, RingKind};
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
    /// The socket whose RX and TX ring are meant.
    socket: usize,
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
        Self { kernel, socket: 0, follows }
    }

    /// Has the steps mean the RX and the TX ring of the socket of this number
    /// ([`FakeKernel::add_socket`]), in place of the first's.
    ///
    /// # Panics
    /// If there is no such socket.
    pub fn of_socket(mut self, number: usize) -> Self {
        assert!(number < self.kernel.sockets(), "a socket that is not there");
        self.socket = number;
        self
    }

    /// Writes an entry of any content into the RX ring, if a slot is free. The address goes there
    /// as it is; the kernel's form of one is that of [`RingContents`](super::RingContents).
    pub fn receive(&mut self, address: u64, len: u32, options: u32) {
        self.kernel.produce_rx(self.socket, xdp_desc { addr: address, len, options });
    }

    /// Takes the next chunk of the fill ring, and writes an entry for its bytes behind the headroom,
    /// with this length and these options, into the RX ring. Returns the chunk's first byte, in bytes
    /// from the beginning of the UMEM; `None` if there is no chunk, or no slot.
    ///
    /// So a packet can arrive of which the end comes later or never (`XDP_PKT_CONTD` in `options`), or
    /// of which one frame is not valid.
    pub fn receive_filled(&mut self, len: u32, options: u32) -> Option<u64> {
        self.kernel.deliver_entry(self.socket, len, options)
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
        self.with_index(ring, |published| published.store(index.get(), Ordering::Release));
    }

    fn follow(&mut self, ring: RingKind, index: Index) {
        let (kernel, number) = (&mut *self.kernel, self.socket);
        match ring {
            RingKind::Rx => {
                if let Some(rx) = kernel.rx.get_mut(number) {
                    rx.ended |= !rx.ring.skip_to(index);
                }
            }
            RingKind::Fill => kernel.fill_ended |= !kernel.fill.skip_to(index),
            RingKind::Tx => {
                if let Some(tx) = kernel.sending().tx.get_mut(number) {
                    tx.ended |= !tx.ring.skip_to(index);
                }
            }
            RingKind::Completion => {
                let mut sending = kernel.sending();
                sending.completion_ended |= !sending.completion.skip_to(index);
            }
        }
    }

    /// Returns the index that the kernel's side of `ring` published last.
    #[must_use]
    pub fn published(&self, ring: RingKind) -> Index {
        self.with_index(ring, |index| Index::new(index.load(Ordering::Acquire)))
    }

    fn with_index<T>(&self, ring: RingKind, on: impl FnOnce(&AtomicU32) -> T) -> T {
        let memory = &self.kernel.memory;
        let sending = self.kernel.sending();
        let member = self.socket.checked_sub(1).and_then(|number| sending.members.get(number));
        on(match (ring, member) {
            (RingKind::Rx, None) => memory.rx.producer(),
            (RingKind::Rx, Some(member)) => member.rx.producer(),
            (RingKind::Tx, None) => memory.tx.consumer(),
            (RingKind::Tx, Some(member)) => member.tx.consumer(),
            (RingKind::Completion, _) => memory.completion.producer(),
            (RingKind::Fill, _) => memory.fill.consumer(),
        })
    }
}
