//! Memory of rings, for both of their sides.
//!
//! # Safety
//! A [`RingBlock`] owns aligned, zeroed memory of the ring's size until it is dropped. It reaches
//! indices as atomics and entries through raw pointers only (I8); the owner of the two sides keeps
//! the block.
#![allow(unsafe_code, reason = "rings are raw memory")]

use crate::num::usize32;
use crate::ring::{AtomicU32, Index, Memory, Parts};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use xsk_uapi::if_xdp::XDP_RING_NEED_WAKEUP;
use zerocopy::FromBytes;

/// Offsets of a ring's parts: each index has a cache line of its own, as in the kernel.
const CONSUMER: usize = 64;
const FLAGS: usize = 128;
const ENTRIES: usize = 192;

/// The memory of one ring.
#[derive(Debug)]
pub(super) struct RingBlock {
    start: NonNull<u8>,
    layout: Layout,
    size: u32,
}

/// The memory of a socket's four rings.
#[derive(Debug)]
pub(super) struct RingBlocks {
    pub(super) rx: RingBlock,
    pub(super) tx: RingBlock,
    pub(super) fill: RingBlock,
    pub(super) completion: RingBlock,
}

/// The memory of the two rings of a socket that shares the queue of another one.
#[derive(Debug)]
pub(super) struct RingBlockPair {
    pub(super) rx: RingBlock,
    pub(super) tx: RingBlock,
}

// SAFETY: the block owns its memory, and nothing in it belongs to one thread.
unsafe impl Send for RingBlock {}
// SAFETY: through a shared reference the indices are reached as atomics, and entries by the
// protocol that hands them over with release and acquire (I8).
unsafe impl Sync for RingBlock {}

impl RingBlock {
    /// Allocates a ring of `size` entries of `entry` bytes, whose indices begin at `start`.
    pub(super) fn new(size: u32, entry: usize, start: Index) -> Self {
        let bytes = ENTRIES.saturating_add(usize32(size).saturating_mul(entry));
        let layout = Layout::from_size_align(bytes, 64).unwrap_or(Layout::new::<[u64; 24]>());
        // SAFETY: the layout is not empty: it has room for the indices at least.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        let block = Self { start: memory, layout, size };
        block.index(0).store(start.get(), Ordering::Relaxed);
        block.index(CONSUMER).store(start.get(), Ordering::Relaxed);
        block
    }

    fn part(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: all offsets used are inside the layout made in `new`.
        unsafe { self.start.add(offset) }
    }

    fn index(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: four aligned, zeroed bytes inside the block, used as an atomic only (I8).
        unsafe { self.part(offset).cast::<AtomicU32>().as_ref() }
    }

    /// Returns the ring twice: for the user's side and for the kernel's.
    ///
    /// # Safety
    /// `T` has the size that the block was made for, the block outlives the use of both, and no
    /// other pair is made from it.
    pub(super) unsafe fn sides<T: Copy>(&self) -> (Memory<T>, Memory<T>) {
        // SAFETY: aligned parts of the block, of the sizes in `parts`; the block outlives the value
        // and this is the only half of its side, by the caller's contract (I8).
        let user = unsafe { Memory::new(self.parts()) };
        // SAFETY: as above, for the other side.
        let kernel = unsafe { Memory::new(self.parts()) };
        (user, kernel)
    }

    fn parts<T>(&self) -> Parts<T> {
        Parts {
            producer: self.part(0).cast(),
            consumer: self.part(CONSUMER).cast(),
            flags: self.part(FLAGS).cast(),
            entries: self.part(ENTRIES).cast(),
            size: self.size,
        }
    }

    /// Returns the entries of `count` slots from `from` on; none if that is more than the ring has.
    ///
    /// # Safety
    /// The slots lie between the consumer's position and the producer's, so neither side writes
    /// them meanwhile.
    ///
    /// # Panics
    /// If `T` does not have the size that the block was made for.
    pub(super) unsafe fn entries<T: FromBytes + Copy>(&self, from: Index, count: u32) -> Vec<T> {
        let entry = self.layout.size().saturating_sub(ENTRIES);
        assert_eq!(
            usize32(self.size).saturating_mul(size_of::<T>()),
            entry,
            "entries of another size"
        );
        let mask = self.size.wrapping_sub(1);
        let count = if count > self.size { 0 } else { count };
        let entries = self.part(ENTRIES).cast::<T>().as_ptr();
        (0..count)
            .map(|at| entries.wrapping_add(usize32(from.advance(at).slot(mask))))
            // SAFETY: the slot is inside the block, which has room for `size` values of `T` (just
            // asserted) at an alignment of 64, zeroed when made; any bytes are a `T`. Nothing
            // writes it, by the caller's contract.
            .map(|slot| unsafe { slot.read() })
            .collect()
    }

    /// Sets or clears the ring's need-wakeup flag.
    pub(super) fn set_need_wakeup(&self, on: bool) {
        let flags = if on { XDP_RING_NEED_WAKEUP } else { 0 };
        self.index(FLAGS).store(flags, Ordering::SeqCst);
    }

    /// Returns whether the ring's need-wakeup flag is set.
    pub(super) fn needs_wakeup(&self) -> bool {
        self.index(FLAGS).load(Ordering::SeqCst) & XDP_RING_NEED_WAKEUP != 0
    }

    pub(super) fn producer(&self) -> &AtomicU32 {
        self.index(0)
    }

    pub(super) fn consumer(&self) -> &AtomicU32 {
        self.index(CONSUMER)
    }
}

impl Drop for RingBlock {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout; its sides are not used after this, by the
        // contract of `sides`.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
