//! Packet memory: the area, the owned handles to its chunks, and pools of free ones.
//!
//! [`Umem::builder`] makes the memory and a [`FramePool`] of all its chunks. A [`Frame`] taken from
//! the pool is the only handle to its chunk: its bytes are reached with [`Umem::bytes`] and
//! [`Umem::bytes_mut`].
//!
//! # Safety
//! This module makes slices of raw packet memory. It promises that the bytes of a frame are only
//! reached with that frame (I3, I4); it needs memory that is mapped and used by nothing else (I12),
//! which `UmemBuilder` provides. The rules that the proofs of this crate cite, I1 to I13, follow
//! below.
//!
#![doc = include_str!("invariants.md")]

mod builder;
mod checker;
mod chunk_counts;
mod chunk_place;
mod frame;
mod frame_pool;
pub(crate) mod geometry;
mod grid;
mod ledger;
mod loss_counts;
mod losses;
mod number;
mod packet;
mod packet_bytes;

pub use crate::types::PageSize;
pub use builder::UmemBuilder;
pub(crate) use checker::{BatchChecker, Checker};
pub use chunk_counts::ChunkCounts;
pub use chunk_place::ChunkPlace;
pub(crate) use frame::LentFrame;
pub use frame::{Frame, OutOfBounds};
pub use frame_pool::FramePool;
pub use packet::{Packet, PacketFrames};
pub use packet_bytes::PacketBytes;

#[cfg(feature = "test-util")]
use crate::error::Error;
use crate::error::Result;
use crate::num::{u64_of, usize_of_offset, usize32};
use crate::sys::memory::Mapping;
use geometry::{Geometry, TX_METADATA_LEN};
use ledger::Ledger;
use losses::LossRecord;
use number::LossCount;
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

/// Packet memory: an area of equal chunks, shared with the kernel by every socket made for it.
///
/// A `Umem` is a handle; clones are the same memory, which lives until the last handle *and* the
/// last socket of it are gone, so nothing can be dropped in a wrong order. Make one with
/// [`Umem::builder`]. It may be used from several threads at once: bytes are reached only with a
/// [`Frame`], and there is one frame for a chunk at the most.
///
/// A child made by `fork(2)` has zeros of its own there (of huge pages: nothing): only the parent
/// may use the memory.
///
/// ```
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let mut frame = pool.take().ok_or("the pool is empty")?;
/// umem.write(&mut frame, b"hello")?;
/// assert_eq!(umem.bytes(&frame), b"hello");
/// pool.put(frame);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Umem {
    // Beside the `Arc`, not behind it: the data path reads these, and nothing else.
    start: NonNull<u8>,
    geometry: Geometry,
    shared: Arc<Shared>,
}

/// What a registration says of the memory beside its geometry.
#[derive(Debug)]
pub(super) struct Settings {
    headroom: u32,
    page_size: PageSize,
    software_checksum: bool,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    ledger: Ledger,
    loss_count: LossCount,
    loss_record: LossRecord,
    /// Whether sockets of the kernel or of a fake kernel use the memory, as [`Sockets`] says; 0
    /// before the first one.
    #[cfg(feature = "test-util")]
    sockets: std::sync::atomic::AtomicU8,
    /// Keeps the memory.
    _memory: Memory,
}

/// The sockets of a UMEM. Those of a fake kernel and those of the kernel do not mix: a fake kernel
/// that breaks the rules could give away a chunk that the kernel writes to, and the ledger does not
/// know which of the two has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sockets {
    /// The kernel's.
    Real = 1,
    /// A fake kernel's.
    #[cfg(feature = "test-util")]
    Fake = 2,
}

/// The memory of a UMEM, with its owner.
pub(super) enum Memory {
    Ours(Mapping),
    /// The user's memory, with what keeps it mapped (invariant I12).
    Users(
        NonNull<u8>,
        #[allow(dead_code, reason = "kept for its drop")] Box<dyn Any + Send + Sync>,
    ),
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ours(mapping) => f.debug_tuple("Ours").field(mapping).finish(),
            Self::Users(start, _) => f.debug_tuple("Users").field(start).finish_non_exhaustive(),
        }
    }
}

// SAFETY: the pointer in `Users` is only carried; the memory belongs to the UMEM alone (I12), and
// its owner is `Send + Sync`.
#[expect(unsafe_code, reason = "packet memory is shared between threads")]
unsafe impl Send for Memory {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "packet memory is shared between threads")]
unsafe impl Sync for Memory {}
// SAFETY: bytes of the area are reached only with a frame, of which there is one for a chunk (I3):
// a shared frame gives shared bytes, an exclusive one exclusive bytes, whatever the thread.
#[expect(unsafe_code, reason = "packet memory is shared between threads")]
unsafe impl Send for Umem {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "packet memory is shared between threads")]
unsafe impl Sync for Umem {}

#[expect(unsafe_code, reason = "frames are slices of raw packet memory")]
impl Umem {
    /// Returns the UMEM over `memory`, with the pool of all its chunks.
    ///
    /// `memory` is `geometry.area()` bytes long at least and belongs to this UMEM alone.
    pub(super) fn over(
        memory: Memory,
        geometry: Geometry,
        settings: Settings,
    ) -> (Self, FramePool) {
        let start = match &memory {
            Memory::Ours(mapping) => mapping.start(),
            Memory::Users(start, _) => *start,
        };
        let ledger = Ledger::new(usize32(geometry.chunk_count()));
        let pool = FramePool::full(Checker::new(geometry, ledger.clone()));
        let shared = Shared {
            settings,
            loss_count: LossCount::new(geometry.umem),
            loss_record: LossRecord::new(geometry, ledger.clone()),
            ledger,
            #[cfg(feature = "test-util")]
            sockets: std::sync::atomic::AtomicU8::new(0),
            _memory: memory,
        };
        (Self { start, geometry, shared: Arc::new(shared) }, pool)
    }

    /// Returns the packet's bytes.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline(always)]
    #[must_use]
    #[track_caller]
    pub fn bytes<'a>(&'a self, frame: &'a Frame) -> &'a [u8] {
        let start = self.first_byte(frame);
        // SAFETY: the frame is of this UMEM (just checked): its bytes are in one chunk of this area
        // (I4), which lives as long as `self` (I5, in a child by I13). Nothing writes them: it is
        // the chunk's only frame (I3), is borrowed, and the kernel does not hold the chunk (I2).
        unsafe { std::slice::from_raw_parts(start, usize32(frame.len())) }
    }

    /// Returns the packet's bytes, to edit in place.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline(always)]
    #[must_use]
    #[track_caller]
    pub fn bytes_mut<'a>(&'a self, frame: &'a mut Frame) -> &'a mut [u8] {
        let start = self.first_byte(frame);
        // SAFETY: as in `bytes`, and the frame is borrowed exclusively, so nothing else reads or
        // writes (I3).
        unsafe { std::slice::from_raw_parts_mut(start, usize32(frame.len())) }
    }

    /// Returns the bytes of the frame's chunk that lie right before it; `None` if there are fewer, or
    /// the frame is of another UMEM.
    #[inline(always)]
    pub(crate) fn before<'a, const LEN: usize>(
        &'a self,
        frame: &'a Frame,
    ) -> Option<&'a [u8; LEN]> {
        self.before_packet(frame, frame.kernel_address())
    }

    /// As [`before`](Self::before), for a packet that began at another address in the frame's chunk.
    #[inline(always)]
    pub(crate) fn before_packet<'a, const LEN: usize>(
        &'a self,
        frame: &'a Frame,
        address: u64,
    ) -> Option<&'a [u8; LEN]> {
        let start = self.geometry.plain(address).checked_sub(u64_of(LEN))?;
        let chunk = self.geometry.chunk(frame.kernel_address());
        let is_in_chunk = self.geometry.chunk(address) == chunk && start >= chunk;
        if frame.umem() != self.geometry.umem || !is_in_chunk {
            return None;
        }
        // SAFETY: as in `bytes`: the bytes are of the frame's chunk, before the packet and not before
        // the chunk (just checked), and whoever has the frame has the chunk (I3).
        Some(unsafe { &*self.at(start).cast::<[u8; LEN]>() })
    }

    #[inline(always)]
    #[track_caller]
    fn first_byte(&self, frame: &Frame) -> *mut u8 {
        self.geometry.assert_same_umem(frame.umem());
        self.at(self.geometry.plain(frame.kernel_address()))
    }

    /// As [`before`](Self::before), to be written: the room for TX metadata before a frame.
    pub(crate) fn before_mut<'a>(
        &'a self,
        frame: &'a mut Frame,
    ) -> Option<&'a mut [u8; TX_METADATA_LEN]> {
        let address = frame.kernel_address();
        let start = self.geometry.plain(address).checked_sub(u64_of(TX_METADATA_LEN))?;
        if frame.umem() != self.geometry.umem || start < self.geometry.chunk(address) {
            return None;
        }
        // SAFETY: as in `before`, and the frame is borrowed exclusively (I3).
        Some(unsafe { &mut *self.at(start).cast::<[u8; TX_METADATA_LEN]>() })
    }

    /// Returns a pointer to the byte at `address`, which is inside the area.
    #[inline(always)]
    fn at(&self, address: u64) -> *mut u8 {
        let offset = usize_of_offset(address);
        // SAFETY: callers pass an address below `geometry.area()` (of a frame by I4, of a pool's own
        // chunks else); the memory is that long (contract of `over`), and no longer than
        // `isize::MAX` (`UmemBuilder::geometry`).
        unsafe { self.start.as_ptr().add(offset) }
    }

    /// Sets the packet's length, longer or shorter, without touching a byte.
    ///
    /// # Errors
    /// [`OutOfBounds`] if `len` is 0 or reaches beyond the chunk; the frame is left as it was.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline]
    #[track_caller]
    #[doc(alias = "bpf_xdp_adjust_tail")]
    #[doc(alias = "skb_put")]
    pub fn set_len(&self, frame: &mut Frame, len: u32) -> Result<(), OutOfBounds> {
        self.geometry.assert_same_umem(frame.umem());
        if !self.geometry.contains_packet(frame.kernel_address(), u64::from(len)) {
            return Err(OutOfBounds);
        }
        frame.set(frame.kernel_address(), len);
        Ok(())
    }

    /// Puts `bytes` bytes of the chunk's free front before the packet: room for a header.
    ///
    /// A received packet has the UMEM's headroom and the kernel's 256 bytes before it. To take
    /// bytes off the front: [`Frame::advance`].
    ///
    /// # Errors
    /// [`OutOfBounds`] if the chunk has less room there; the frame is left as it was.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline]
    #[track_caller]
    #[doc(alias = "bpf_xdp_adjust_head")]
    #[doc(alias = "skb_push")]
    pub fn grow_front(&self, frame: &mut Frame, bytes: u32) -> Result<(), OutOfBounds> {
        self.geometry.assert_same_umem(frame.umem());
        let (geometry, address) = (&self.geometry, frame.kernel_address());
        let chunk = geometry.chunk(address);
        let least = geometry.offset(geometry.first_usable(chunk));
        let offset = geometry.offset(address).checked_sub(u64::from(bytes));
        let offset = offset.filter(|offset| *offset >= least).ok_or(OutOfBounds)?;
        let len = frame.len().checked_add(bytes).ok_or(OutOfBounds)?;
        frame.set(geometry.at(chunk, offset), len);
        Ok(())
    }

    /// Copies `packet` to where the frame begins, and makes the frame as long as it.
    ///
    /// # Errors
    /// [`OutOfBounds`] if the packet is empty or longer than what the chunk has from there on;
    /// nothing is written then.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[inline]
    #[track_caller]
    pub fn write(&self, frame: &mut Frame, packet: &[u8]) -> Result<(), OutOfBounds> {
        self.set_len(frame, u32::try_from(packet.len()).map_err(|_| OutOfBounds)?)?;
        self.bytes_mut(frame).copy_from_slice(packet);
        Ok(())
    }

    /// Calls `edit` with the bytes of every free chunk of `pool`: to lay a packet into each before
    /// sending them over and over, for example.
    ///
    /// # Panics
    /// If the pool is of another UMEM.
    #[track_caller]
    pub fn for_each_free_chunk(&self, pool: &mut FramePool, mut edit: impl FnMut(&mut [u8])) {
        self.geometry.assert_same_umem(pool.geometry().umem);
        let len = usize32(self.geometry.usable_len());
        for chunk in pool.addresses() {
            let first = self.geometry.plain(self.geometry.first_usable(chunk));
            // SAFETY: a pool's address is the first byte of a chunk of this area, whose bytes from
            // `first` on are `len`; the chunk is in the exclusively borrowed pool, so there is no
            // frame of it (I2, I3).
            edit(unsafe { std::slice::from_raw_parts_mut(self.at(first), len) });
        }
    }

    /// Returns a pool without chunks, for those that come back to another thread, say. It has room for all
    /// chunks of the UMEM, 8 bytes for each.
    ///
    /// ```
    /// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
    /// let mut done = umem.empty_pool();
    /// done.extend(pool.take());
    /// pool.append(done);
    /// assert_eq!(pool.len(), umem.chunk_count());
    /// # Ok::<(), xsk::Error>(())
    /// ```
    pub fn empty_pool(&self) -> FramePool {
        FramePool::new(self.checker())
    }

    /// Returns the bytes of a chunk.
    #[must_use]
    pub fn chunk_size(&self) -> u32 {
        self.geometry.chunk_size()
    }

    /// Returns the number of chunks.
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        usize32(self.geometry.chunk_count())
    }

    /// Returns how many bytes the kernel leaves free before a received packet, beside its own 256.
    #[must_use]
    pub fn headroom(&self) -> u32 {
        self.shared.settings.headroom
    }

    /// Returns the size of the pages that the memory is made of.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.shared.settings.page_size
    }

    /// Writes `packet` at `address`, as the kernel does.
    ///
    /// # Safety
    /// The bytes from `address` on, as many as `packet` has, are inside one chunk of the area, and
    /// no frame of it is alive: the kernel holds it.
    #[cfg(feature = "test-util")]
    pub(crate) unsafe fn write_as_kernel(&self, address: u64, packet: &[u8]) {
        // SAFETY: inside the area, and nothing else reaches the chunk, by the caller's contract; a
        // packet that is a `&[u8]` is not in it.
        unsafe { self.at(address).copy_from_nonoverlapping(packet.as_ptr(), packet.len()) };
    }

    /// Returns a copy of `len` bytes at `address`, as the kernel reads them.
    ///
    /// # Safety
    /// As [`write_as_kernel`](Self::write_as_kernel).
    #[cfg(feature = "test-util")]
    pub(crate) unsafe fn read_as_kernel(&self, address: u64, len: usize) -> Vec<u8> {
        // SAFETY: inside the area, and nothing writes the chunk, by the caller's contract.
        unsafe { std::slice::from_raw_parts(self.at(address), len) }.to_vec()
    }

    /// Records that `sockets` use the memory; refuses if the others do.
    #[cfg_attr(
        not(feature = "test-util"),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "all sockets are real")
    )]
    pub(crate) fn used_by(&self, sockets: Sockets) -> Result<()> {
        #[cfg(feature = "test-util")]
        {
            use std::sync::atomic::Ordering::Relaxed;
            #[expect(clippy::as_conversions, reason = "the discriminant of a `repr(u8)`")]
            let wanted = sockets as u8;
            let known = self.shared.sockets.compare_exchange(0, wanted, Relaxed, Relaxed);
            if known.is_err_and(|known| known != wanted) {
                return Err(Error::Setting {
                    name: "socket of UMEM",
                    value: self.geometry.umem.into(),
                    rule: "is like the first one: all are the kernel's, or all a fake kernel's",
                });
            }
        }
        #[cfg(not(feature = "test-util"))]
        let Sockets::Real = sockets;
        Ok(())
    }

    /// Returns whether the kernel computes checksums that TX metadata asks for.
    pub(crate) fn has_software_checksum(&self) -> bool {
        self.shared.settings.software_checksum
    }

    /// Returns the area's first byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    #[cfg(feature = "test-util")]
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Returns a checker for a ring half.
    pub(crate) fn checker(&self) -> Checker {
        Checker::new(self.geometry, self.shared.ledger.clone())
    }
}
