//! The builder of packet memory, which checks every rule that the kernel has for it before the
//! kernel sees it.
#![allow(unsafe_code, reason = "the user's own memory comes in here")]

use super::geometry::{Geometry, PACKET_HEADROOM};
use super::number::next_umem_number;
use super::{FramePool, Memory, PageSize, Settings, Umem};
use crate::error::{Error, Result};
use crate::num::u64_of;
use crate::sys::memory::Mapping;
use rustix::io::Errno;
use std::any::Any;
use std::ptr::NonNull;

/// The smallest chunk (`XDP_UMEM_MIN_CHUNK_SIZE` of `net/xdp/xdp_umem.c`).
const MIN_CHUNK: u32 = 2048;
/// More chunks than this are refused here: ring counters must be able to tell all of them apart.
const MAX_CHUNKS: u32 = 1 << 30;

/// The builder of packet memory; made by [`Umem::builder`].
///
/// Defaults: 4096 chunks of 4096 bytes, no headroom, ordinary pages.
///
/// ```
/// let (umem, pool) = xsk::Umem::builder().chunk_count(64).chunk_size(2048).headroom(128).build()?;
/// assert_eq!((umem.chunk_size(), umem.headroom(), pool.len()), (2048, 128, 64));
/// # Ok::<(), xsk::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is made before `build`"]
pub struct UmemBuilder {
    chunks: u32,
    chunk_size: u32,
    headroom: u32,
    page_size: PageSize,
    unaligned: bool,
    tx_metadata: bool,
    software_checksum: bool,
}

impl Default for UmemBuilder {
    fn default() -> Self {
        let page_size = PageSize::Normal;
        Self {
            chunks: 4096,
            chunk_size: 4096,
            headroom: 0,
            page_size,
            unaligned: false,
            tx_metadata: false,
            software_checksum: false,
        }
    }
}

impl Umem {
    /// Returns a builder of packet memory.
    pub fn builder() -> UmemBuilder {
        UmemBuilder::default()
    }
}

impl UmemBuilder {
    /// Sets the number of chunks.
    pub fn chunk_count(mut self, chunks: u32) -> Self {
        self.chunks = chunks;
        self
    }

    /// Sets the bytes of a chunk: a power of two from 2048 to the page size; if they are to be
    /// [`unaligned`](Self::unaligned), any number from 2048 to the page size.
    #[doc(alias = "frame_size")]
    pub fn chunk_size(mut self, bytes: u32) -> Self {
        self.chunk_size = bytes;
        self
    }

    /// Returns the number of chunks.
    pub(crate) fn chunks(&self) -> u32 {
        self.chunks
    }

    /// Makes the chunks unaligned ones (kernel 5.4), whose size need not be a power of two: 3072
    /// bytes for an MTU of 1500 and much room before the packet, say, where a power of two would
    /// waste a quarter of the memory.
    ///
    /// Everything works as with aligned chunks, and takes some instructions more for each packet
    /// (`benches/instructions.rs`: 2 where packets are forwarded unread, 10 where each is looked
    /// at). The chunks lie one after the other. Behind one of an odd size there is a byte that no
    /// chunk has, so that each begins at an even address: in copy mode newer kernels (seen with
    /// 6.18) give the chunk of a sent packet back by an address whose lowest bit is 0.
    ///
    /// Chunks whose size is no power of two cross pages, and the kernel would not give such a chunk
    /// to a card, but lose it: sockets of such a UMEM are in copy mode, also with huge pages, and
    /// [`CopyMode::ZeroCopy`](crate::CopyMode::ZeroCopy) is refused.
    ///
    /// ```
    /// use xsk::Umem;
    /// let builder = Umem::builder().chunk_count(64).chunk_size(3001);
    /// assert!(builder.clone().build().is_err());
    /// let (umem, mut pool) = builder.unaligned().build()?;
    /// assert_eq!(umem.chunk_size(), 3001);
    /// let addresses: Vec<u64> = pool.split_off(2).addresses().collect();
    /// assert!(addresses.iter().all(|address| address % 3002 == 0));
    /// # Ok::<(), xsk::Error>(())
    /// ```
    #[doc(alias = "XDP_UMEM_UNALIGNED_CHUNK_FLAG")]
    pub fn unaligned(mut self) -> Self {
        self.unaligned = true;
        self
    }

    /// Sets how many bytes the kernel leaves free before a received packet, beside its own 256.
    ///
    /// The most that is possible differs: chunk size - 257 on older kernels, chunk size - 704 on
    /// newer (since 6.18.24, and backports).
    #[doc(alias = "frame_headroom")]
    pub fn headroom(mut self, bytes: u32) -> Self {
        self.headroom = bytes;
        self
    }

    /// Keeps 24 bytes at the beginning of each chunk free for TX metadata (kernel 6.8): sockets can
    /// ask for checksums, the time of sending, and launch times
    /// ([`Tx::with_metadata`](crate::Tx::with_metadata)). Sockets for packets of several frames, and several
    /// sockets on one queue, may use the memory, but can ask for nothing.
    ///
    /// A frame over a whole chunk is so much shorter. Kernels before 6.8 refuse to register the memory
    /// ([`Error::NeedsKernel`]).
    #[doc(alias = "XDP_UMEM_TX_METADATA_LEN")]
    pub fn tx_metadata(mut self) -> Self {
        self.tx_metadata = true;
        self
    }

    /// Has the kernel compute the checksums that are asked for itself, in copy mode
    /// (`XDP_UMEM_TX_SW_CSUM`); this implies [`tx_metadata`](Self::tx_metadata). Else the device does.
    /// A veth has none: the stack at its other end takes the packet, but an XDP program, an AF_XDP
    /// socket and tcpdump there see an unfinished checksum. It is for tests, and for devices that
    /// compute none.
    #[doc(alias = "XDP_UMEM_TX_SW_CSUM")]
    pub fn software_checksum(mut self) -> Self {
        self.tx_metadata = true;
        self.software_checksum = true;
        self
    }

    /// Sets the size of the pages that the memory is made of.
    pub fn page_size(mut self, page_size: PageSize) -> Self {
        self.page_size = page_size;
        self
    }

    /// Maps the memory (zeroed) and returns it with the pool of all its chunks.
    ///
    /// A socket that is opened for the memory registers it with the kernel, which pins it then and
    /// counts it against `RLIMIT_MEMLOCK`.
    ///
    /// # Errors
    /// [`Error::Setting`] for what no kernel takes; [`Error::AllocateUmem`] if the memory cannot be
    /// mapped: for huge pages, most often because the system has none reserved;
    /// [`Error::UmemNumbers`] after 2^31 - 1 UMEMs in one process.
    pub fn build(self) -> Result<(Umem, FramePool)> {
        let geometry = self.geometry()?;
        let refused = |errno| Error::AllocateUmem {
            bytes: usize::try_from(geometry.area()).unwrap_or(usize::MAX),
            page_size: self.page_size,
            errno,
        };
        let page = match self.page_size {
            PageSize::Normal => 1,
            PageSize::Huge2M => 2 << 20,
            PageSize::Huge1G => 1 << 30,
        };
        let len = geometry
            .area()
            .checked_next_multiple_of(page)
            .and_then(|len| usize::try_from(len).ok());
        let len = len.ok_or_else(|| refused(Errno::NOMEM))?;
        let mapping = Mapping::anonymous(len, self.page_size).map_err(refused)?;
        Ok(self.over(Memory::Ours(mapping), geometry))
    }

    /// Makes a UMEM of memory that is mapped already: chunks from `memory`'s first byte on, as many
    /// as were set. `owner` is dropped when the last handle and the last socket of the UMEM are
    /// gone.
    ///
    /// # Errors
    /// As [`build`](Self::build); [`Error::Setting`] also if `memory` does not begin at a page or
    /// is too short: it has the bytes of all chunks at least, and one more for each of an odd size.
    /// Memory that the kernel cannot pin (read-only, or a shared mapping of a file) is refused when
    /// a socket is opened for it.
    ///
    /// # Safety
    /// From this call until `owner` is dropped:
    /// - every byte of `memory` stays mapped at its address, readable and writable;
    /// - if a file backs it, the file is not truncated below it;
    /// - only this UMEM and its sockets read or write it: there is no reference into it, no other
    ///   process or device writes to it, and no second UMEM lies over a part of it;
    /// - the process does not `fork`, or the child touches none of it and unmaps none of it. (This
    ///   memory, unlike that of [`build`](Self::build), is not kept from a child. On kernels before
    ///   5.10 the parent's pages move away from the kernel's at its next write after a `fork`, and
    ///   packets that arrive are not seen.)
    /// - nothing keeps a duplicate of a socket's descriptor open longer than the socket: the kernel
    ///   receives as long as one is open. (A [`Registration`](crate::Registration) that the
    ///   socket's own `register` made keeps the memory, too; one of
    ///   [`Attachment::register`](crate::Attachment::register) does not.)
    ///
    /// In copy mode the kernel writes no more when `owner` is dropped, so `owner` may give the
    /// memory back at once: the socket is closed and its rings are unmapped before. A zero-copy
    /// card may write for some 20 ms after its last socket was closed. The kernel keeps the *pages*
    /// until it lets go of them; so `owner` may unmap them at once, but must not give the same
    /// mapping to something else before a new socket could be bound to the queue.
    pub unsafe fn build_in(
        self,
        memory: NonNull<[u8]>,
        owner: impl Any + Send + Sync,
    ) -> Result<(Umem, FramePool)> {
        let geometry = self.geometry()?;
        let start = memory.cast::<u8>();
        if start.addr().get() & rustix::param::page_size().wrapping_sub(1) != 0 {
            return Err(setting("memory", start.addr().get(), "begins at a page"));
        }
        if u64_of(memory.len()) < geometry.area() {
            let rule = if self.chunk_size % 2 == 0 {
                "has chunks x chunk size bytes at least"
            } else {
                "has chunks x (chunk size + 1) bytes at least, as the chunk size is odd"
            };
            return Err(setting("memory", memory.len(), rule));
        }
        let memory = Memory::Users(start, Box::new(owner));
        Ok(self.over(memory, geometry))
    }

    fn over(&self, memory: Memory, geometry: Geometry) -> (Umem, FramePool) {
        let settings = Settings {
            headroom: self.headroom,
            page_size: self.page_size,
            software_checksum: self.software_checksum,
        };
        Umem::over(memory, geometry, settings)
    }

    fn geometry(&self) -> Result<Geometry> {
        let page = u32::try_from(rustix::param::page_size()).unwrap_or(4096);
        if !(MIN_CHUNK..=page).contains(&self.chunk_size)
            || !(self.unaligned || self.chunk_size.is_power_of_two())
        {
            let rule = if self.unaligned {
                "is from 2048 to the page size (4096 on most machines)"
            } else {
                "is a power of two from 2048 to the page size (4096 on most machines), or any \
                 number in this range with `UmemBuilder::unaligned`"
            };
            return Err(setting("chunk size", self.chunk_size, rule));
        }
        if self.chunks == 0 || self.chunks > MAX_CHUNKS {
            return Err(setting("number of chunks", self.chunks, "is from 1 to 2^30"));
        }
        // Equality is refused by the oldest kernels too; what lies below differs by kernel.
        if self.headroom >= self.chunk_size.saturating_sub(PACKET_HEADROOM) {
            let rule = "is below the chunk size less the kernel's 256 bytes";
            return Err(setting("headroom", self.headroom, rule));
        }
        // Behind a chunk of an odd size there is a byte more.
        let step = u64::from(self.chunk_size).next_multiple_of(2);
        let bytes = u64::from(self.chunks).saturating_mul(step);
        // A pointer may not be moved by more than `isize::MAX`, even in a longer mapping.
        if isize::try_from(bytes).is_err() {
            return Err(Error::AllocateUmem {
                bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
                page_size: self.page_size,
                errno: Errno::NOMEM,
            });
        }
        let umem = next_umem_number(self.unaligned)?;
        let geometry = if self.unaligned {
            Geometry::unaligned(umem, self.chunks, self.chunk_size)
        } else {
            Geometry::aligned(umem, self.chunks, self.chunk_size)
        };
        Ok(if self.tx_metadata { geometry.with_tx_metadata() } else { geometry })
    }
}

fn setting(name: &'static str, value: impl TryInto<u64>, rule: &'static str) -> Error {
    Error::Setting { name, value: value.try_into().unwrap_or(u64::MAX), rule }
}

#[cfg(all(test, target_pointer_width = "32"))]
mod tests {
    use crate::Error;
    use crate::umem::Umem;
    use rustix::io::Errno;

    #[test]
    fn an_area_above_half_of_the_address_space_is_refused() {
        let error = Umem::builder().chunk_count(655_360).build().unwrap_err();
        assert!(matches!(error, Error::AllocateUmem { errno: Errno::NOMEM, .. }), "{error}");
    }
}
