//! The kernel's side of a socket, in plain memory.
#![allow(unsafe_code, reason = "the other side of raw rings, and of packet memory")]

use super::fake_rings::FakeRings;
use super::ring_block::RingBlock;
use crate::error::{Error, Result};
use crate::num::usize32;
use crate::ring::{Consumer, MAX_ENTRIES, Producer, RingKind};
use crate::socket::{
    Backend, BufferPool, Completion, CopyReason, FakeBackend, Fill, Inner, Rx, Socket,
    SocketHandle, Tx,
};
use crate::umem::geometry::PACKET_HEADROOM;
use crate::umem::{ChunkPlace, Umem};
use rustix::event::EventfdFlags;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xsk_uapi::if_xdp::{XDP_RING_NEED_WAKEUP, xdp_desc};

/// A pretended kernel behind a real [`Socket`]: the other side of its four rings, in plain memory,
/// for tests of packet code with neither root nor a network card.
///
/// It does nothing by itself: [`deliver`](Self::deliver) lets a packet arrive,
/// [`transmit`](Self::transmit) takes one that was sent, [`complete`](Self::complete) gives chunks
/// of sent packets back. It may live in another thread than the socket.
///
/// [`wait`](crate::wait) finds the socket ready after a delivery, and until the first step of this
/// kernel after everything was received.
///
/// ```
/// use xsk::test_util::FakeKernel;
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 8)?;
/// assert!(kernel.deliver(b"hello"));
///
/// let frame = socket.rx.receive(1)?.into_iter().next().ok_or("nothing received")?;
/// assert_eq!(umem.bytes(&frame), b"hello");
/// socket.tx.reserve(1)?.push(frame).map_err(|_| "TX ring full")?;
/// assert_eq!(kernel.transmit().as_deref(), Some(&b"hello"[..]));
///
/// kernel.complete(1);
/// assert_eq!(socket.completion.reap_into(&mut pool, 8)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FakeKernel {
    pub(super) blocks: Arc<RingBlocks>,
    pub(super) rx: Producer<xdp_desc>,
    pub(super) tx: Consumer<xdp_desc>,
    pub(super) fill: Consumer<u64>,
    pub(super) completion: Producer<u64>,
    /// Addresses of sent packets that are not completed yet.
    pub(super) unfinished: VecDeque<u64>,
    pub(super) umem: Umem,
    backend: Arc<FakeBackend>,
    /// Whether the descriptor is readable.
    readable: bool,
}

/// The memory of the four rings.
#[derive(Debug)]
pub(super) struct RingBlocks {
    pub(super) rx: RingBlock,
    pub(super) tx: RingBlock,
    pub(super) fill: RingBlock,
    pub(super) completion: RingBlock,
}

impl FakeKernel {
    /// A socket over `umem` with rings of the default sizes, and its kernel.
    ///
    /// # Errors
    /// [`Error::CreateSocket`] if the process has no descriptor left for the socket's `eventfd`.
    pub fn new(umem: &Umem) -> Result<(Self, Socket)> {
        Self::with(umem, FakeRings::default())
    }

    /// A socket over `umem` with rings as asked for, and its kernel.
    ///
    /// # Errors
    /// [`Error::Setting`] for a size that is no power of two or above 2^20; as [`new`](Self::new).
    pub fn with(umem: &Umem, rings: FakeRings) -> Result<(Self, Socket)> {
        let FakeRings { rx, tx, fill, completion, start } = rings;
        for entries in [rx, tx, fill, completion] {
            if !entries.is_power_of_two() || entries > MAX_ENTRIES {
                let rule = "is a power of two from 1 to 2^20";
                return Err(Error::Setting { name: "size of a ring", value: entries.into(), rule });
            }
        }
        let blocks = Arc::new(RingBlocks {
            rx: RingBlock::new(rx, 16, start),
            tx: RingBlock::new(tx, 16, start),
            fill: RingBlock::new(fill, 8, start),
            completion: RingBlock::new(completion, 8, start),
        });
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| Error::CreateSocket { errno })?;
        let backend = Arc::new(FakeBackend { fd, kicks: AtomicU64::new(0) });
        let inner = Arc::new(Inner {
            backend: Backend::Fake(Arc::clone(&backend)),
            pool: Arc::new(BufferPool::new(umem.clone(), Arc::clone(&blocks))),
        });
        // SAFETY: made for entries of 16 bytes, kept by the buffer pool and by the kernel; the only
        // pair.
        let (user_rx, rx) = unsafe { blocks.rx.sides::<xdp_desc>() };
        // SAFETY: as above.
        let (user_tx, tx) = unsafe { blocks.tx.sides::<xdp_desc>() };
        // SAFETY: as above, for entries of 8 bytes.
        let (user_fill, fill) = unsafe { blocks.fill.sides::<u64>() };
        // SAFETY: as above.
        let (user_completion, completion) = unsafe { blocks.completion.sides::<u64>() };
        let socket = Socket {
            rx: Rx::new(user_rx, Arc::clone(&inner)),
            tx: Tx::new(user_tx, Arc::clone(&inner)),
            fill: Fill::new(user_fill, Arc::clone(&inner)),
            completion: Completion::new(user_completion, Arc::clone(&inner)),
            handle: SocketHandle::new(inner, "fake", 0, 0, (false, CopyReason::Asked)),
        };
        let kernel = Self {
            rx: Producer::new(RingKind::Rx, rx),
            tx: Consumer::new(RingKind::Tx, tx),
            fill: Consumer::new(RingKind::Fill, fill),
            completion: Producer::new(RingKind::Completion, completion),
            unfinished: VecDeque::new(),
            umem: umem.clone(),
            blocks,
            backend,
            readable: false,
        };
        Ok((kernel, socket))
    }

    /// Lets `packet` arrive; answers whether it was received. It is dropped, as the kernel drops
    /// it, if it is empty or longer than a chunk's room, if the RX ring is full, or if the fill
    /// ring is empty.
    pub fn deliver(&mut self, packet: &[u8]) -> bool {
        let Ok(len) = u32::try_from(packet.len()) else {
            return false;
        };
        let room = self.umem.chunk_size().saturating_sub(self.front());
        if len == 0 || len > room || self.rx.free(1) != Ok(1) {
            return false;
        }
        let Some(chunk) = self.take_chunk() else {
            return false;
        };
        let address = chunk.wrapping_add(u64::from(self.front()));
        // SAFETY: the chunk was given to this kernel by the fill ring and lies in the area (checked
        // by `take_chunk`), with `len` bytes from `address` on inside it; until it is in the RX
        // ring nobody else reaches it (I2, I3), and if hostile steps gave it away before, the claim
        // failed.
        unsafe { self.umem.write_as_kernel(address, packet) };
        self.give_up(chunk, ChunkPlace::Receiving);
        self.produce_rx(xdp_desc { addr: address, len, options: 0 });
        true
    }

    /// Lets `count` packets of `len` bytes arrive, without writing a byte; answers how many were
    /// received.
    pub fn deliver_unwritten(&mut self, count: u32, len: u32) -> u32 {
        let room = self.umem.chunk_size().saturating_sub(self.front());
        let len = len.clamp(1, room);
        let mut delivered: u32 = 0;
        while delivered < count && self.rx.free(1) == Ok(1) {
            let Some(chunk) = self.take_chunk() else {
                break;
            };
            self.give_up(chunk, ChunkPlace::Receiving);
            let addr = chunk.wrapping_add(u64::from(self.front()));
            self.produce_rx(xdp_desc { addr, len, options: 0 });
            delivered = delivered.wrapping_add(1);
        }
        delivered
    }

    /// Where packets begin in a chunk.
    fn front(&self) -> u32 {
        PACKET_HEADROOM.saturating_add(self.umem.headroom())
    }

    /// Returns the next chunk of the fill ring, claimed in the ledger; entries that are no chunk of
    /// ours are passed over, as the kernel passes over them.
    fn take_chunk(&mut self) -> Option<u64> {
        self.drain_if_empty();
        loop {
            let address = next_entry(&mut self.fill)?;
            let bounds = *self.umem.geometry();
            if bounds.contains(address) && self.claim(address, ChunkPlace::Receiving) {
                return Some(bounds.chunk(address));
            }
        }
    }

    fn claim(&self, address: u64, place: ChunkPlace) -> bool {
        self.umem.ledger().claim(self.umem.geometry(), address, place)
    }

    fn give_up(&self, address: u64, place: ChunkPlace) {
        self.umem.ledger().unclaim(self.umem.geometry(), address, place);
    }

    pub(super) fn produce_rx(&mut self, desc: xdp_desc) {
        if let Ok(mut slot) = self.rx.write(1) {
            slot.write(desc);
        }
        if !self.readable {
            let _ = rustix::io::write(&self.backend.fd, &1_u64.to_ne_bytes());
            self.readable = true;
        }
    }

    /// Takes the next sent packet; `None` if there is none, or if the completion ring has no room
    /// for it, as the kernel sends nothing then. Its chunk is with the kernel until
    /// [`complete`](Self::complete).
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        let desc = self.take_sent()?;
        // SAFETY: the descriptor is one that the user's side published, so it describes bytes
        // inside one chunk (I4), which is with this kernel (I2): it is claimed, so hostile steps
        // neither gave it away before nor can now.
        let packet = unsafe { self.umem.read_as_kernel(desc.addr, usize32(desc.len)) };
        self.give_up(desc.addr, ChunkPlace::Sending);
        Some(packet)
    }

    /// Takes up to `count` sent packets without looking at them; answers how many.
    pub fn transmit_unread(&mut self, count: u32) -> u32 {
        let mut taken: u32 = 0;
        while taken < count {
            let Some(desc) = self.take_sent() else { break };
            self.give_up(desc.addr, ChunkPlace::Sending);
            taken = taken.wrapping_add(1);
        }
        taken
    }

    /// Returns the next sent packet, claimed in the ledger. Passed over, as lost, are a descriptor
    /// with options, which nobody may send yet, and a chunk that hostile steps gave back before it
    /// was sent.
    fn take_sent(&mut self) -> Option<xdp_desc> {
        self.drain_if_empty();
        loop {
            let unfinished = u32::try_from(self.unfinished.len()).ok()?;
            let wanted = unfinished.checked_add(1)?;
            if self.completion.free(wanted) != Ok(wanted) {
                return None;
            }
            let desc = next_entry(&mut self.tx)?;
            if desc.options == 0 && self.claim(desc.addr, ChunkPlace::Sending) {
                self.unfinished.push_back(desc.addr);
                return Some(desc);
            }
        }
    }

    /// Makes the descriptor unreadable again once everything that was delivered was received.
    fn drain_if_empty(&mut self) {
        if self.readable && self.rx.pending() == 0 {
            let mut count = [0; 8];
            let _ = rustix::io::read(&self.backend.fd, &mut count);
            self.readable = false;
        }
    }

    /// Gives the chunks of up to `count` transmitted packets back, oldest first; answers how many.
    pub fn complete(&mut self, count: u32) -> u32 {
        self.drain_if_empty();
        let mut completed: u32 = 0;
        while completed < count && self.completion.free(1) == Ok(1) {
            let Some(address) = self.unfinished.pop_front() else {
                break;
            };
            if let Ok(mut slot) = self.completion.write(1) {
                slot.write(address);
            }
            completed = completed.wrapping_add(1);
        }
        completed
    }

    /// Transmitted packets whose chunks were not given back yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// Sets or clears the need-wakeup flag of the TX or fill ring; other rings have none that
    /// counts.
    pub fn set_need_wakeup(&mut self, ring: RingKind, on: bool) {
        let flags = match ring {
            RingKind::Tx => self.blocks.tx.flags(),
            RingKind::Fill => self.blocks.fill.flags(),
            RingKind::Rx => self.blocks.rx.flags(),
            RingKind::Completion => self.blocks.completion.flags(),
        };
        flags.store(if on { XDP_RING_NEED_WAKEUP } else { 0 }, Ordering::SeqCst);
    }

    /// How often the socket woke this kernel.
    #[must_use]
    pub fn kicks(&self) -> u64 {
        self.backend.kicks.load(Ordering::SeqCst)
    }
}

/// Takes the next entry, if there is one; this side of the rings does not check the user's.
fn next_entry<T: Copy>(ring: &mut Consumer<T>) -> Option<T> {
    let anything = ring.cursor.advance(u32::MAX);
    // With an index that the user's side cannot write there is nothing to take.
    if ring.available(1, || anything) != Ok(1) {
        return None;
    }
    ring.peek(1, || anything, |_, _| None).ok()?.read().take()
}
