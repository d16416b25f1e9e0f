//! Contents of a fake kernel and its rings, read from the rings' memory.
//!
//! # Safety
//! Reads only slots between the honest index of the user's side and the cursor of the kernel's own
//! half, never by an index that a hostile step published.
#![allow(unsafe_code, reason = "rings are raw memory")]

use super::FakeKernel;
use super::ring_block::{RingBlock, RingBlocks};
use crate::ring::Index;
use std::iter::once;
use std::sync::atomic::Ordering;
use xsk_uapi::if_xdp::xdp_desc;
use zerocopy::FromBytes;

/// The entries of a [`FakeKernel`]'s four rings, and the chunks that it holds itself, oldest first;
/// of several sockets on its queue, one after the other. They are read from the rings' memory, not counted along.
///
/// After a guard was forgotten, entries that the user's side wrote and did not submit are missing
/// here, and those that it took and did not release are still here. Both end with the next guard of
/// that ring that is dropped, even one of no entries, or with its next batch that is moved as a
/// whole.
///
/// Addresses have the form that the kernel gives them. Of
/// [unaligned](crate::umem::UmemBuilder::unaligned) chunks, the lower 48 bits say where the chunk
/// begins, and the upper 16 how far behind that the packet does; their sum is what
/// [`Frame::address`](crate::Frame::address) returns.
///
/// ```
/// use xsk::test_util::FakeKernel;
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 8)?;
/// kernel.deliver(b"hello");
/// let contents = kernel.ring_contents();
/// assert_eq!((contents.fill.len(), contents.rx.len()), (7, 1));
/// assert_eq!(contents.rx[0].len, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RingContents {
    /// Addresses in the fill ring that the kernel has not taken, after those that it has taken and not
    /// used.
    pub fill: Vec<u64>,
    /// Packets in the RX ring that the user has not taken.
    pub rx: Vec<xdp_desc>,
    /// Packets in the TX ring that the kernel has not taken.
    pub tx: Vec<xdp_desc>,
    /// Addresses of packets that the kernel has taken and not completed, transmitted or not.
    pub kernel: Vec<u64>,
    /// Addresses in the completion ring that the user has not taken.
    pub completion: Vec<u64>,
}

impl FakeKernel {
    /// Returns the present contents of the rings and of this kernel.
    ///
    /// While another thread uses the socket, the contents of each ring are those of one moment, but
    /// not of the same moment for all rings. What a hostile step publishes in place of an index
    /// changes nothing here; a ring that such a step has ended is empty.
    #[must_use]
    pub fn ring_contents(&self) -> RingContents {
        let sending = self.sending();
        let RingBlocks { rx, tx, fill, completion } = &*self.memory;
        let rx_blocks = once(rx).chain(sending.members.iter().map(|pair| &pair.rx));
        let tx_blocks = once(tx).chain(sending.members.iter().map(|pair| &pair.tx));
        let rx = self.rx.iter().zip(rx_blocks);
        let tx = sending.tx.iter().zip(tx_blocks);
        let taken = sending.taken.iter().map(|desc| desc.addr);
        RingContents {
            fill: {
                let filled = to_take(self.fill_ended, fill, self.fill.cursor());
                self.spare.iter().copied().chain(filled).collect()
            },
            rx: rx.flat_map(|(rx, block)| given(rx.ended, block, rx.ring.cursor())).collect(),
            tx: tx.flat_map(|(tx, block)| to_take(tx.ended, block, tx.ring.cursor())).collect(),
            kernel: sending.unfinished.iter().copied().chain(taken).collect(),
            completion: given(sending.completion_ended, completion, sending.completion.cursor()),
        }
    }
}

/// Returns the entries that the user's side submitted and the kernel, which is at `cursor`, has not
/// taken; none of a ring that has `ended`.
fn to_take<T: FromBytes + Copy>(ended: bool, block: &RingBlock, cursor: Index) -> Vec<T> {
    let producer = Index::new(block.producer().load(Ordering::Acquire));
    let count = producer.distance_from(cursor);
    // SAFETY: the user's side submitted these slots, and writes one again only when an index that
    // is not beyond `cursor` has passed it; of a ring where one was, nothing is read.
    unsafe { block.entries(cursor, if ended { 0 } else { count }) }
}

/// Returns the entries that the kernel, which is at `cursor`, wrote and the user's side has not
/// released; none of a ring that has `ended`.
fn given<T: FromBytes + Copy>(ended: bool, block: &RingBlock, cursor: Index) -> Vec<T> {
    let consumer = Index::new(block.consumer().load(Ordering::Acquire));
    let count = cursor.distance_from(consumer);
    // SAFETY: only the kernel's half writes the slots of this ring, and the caller has it: the
    // kernel is borrowed, or its sending side is locked.
    unsafe { block.entries(consumer, if ended { 0 } else { count }) }
}
