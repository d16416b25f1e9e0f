//! The kernel's side of a socket, in plain memory.
//!
//! # Safety
//! This module makes both sides of each ring over one [`RingBlock`], one pair each, and keeps the
//! block alive. It touches the bytes of a chunk only while it holds the chunk (I2, I3); a claim in
//! the ledger keeps hostile steps from giving the chunk away meanwhile.
#![allow(unsafe_code, reason = "the other side of raw rings, and of packet memory")]

use super::fake_rings::FakeRings;
use super::fake_rx::FakeRx;
use super::fake_sender::{FakeSender, MemberSender, Sending, has_entries, next_entry};
use super::ring_block::{RingBlock, RingBlockPair, RingBlocks};
use crate::error::{Error, Result};
use crate::num::{u32_of_count, u64_of, usize32};
use crate::packet::{RxMetadata, RxRecord, write_checksum};
use crate::ring::{AtomicU32, Consumer, Index, MAX_ENTRIES, RingKind};
use crate::socket::{
    Backend, BufferPool, Completion, CopyReason, Fill, Inner, MetadataRx, Rx, SharedQueue,
    SharedRx, SharedSocket, Socket, SocketHandle, Tx, TxAbilities,
};
use crate::umem::geometry::{PACKET_HEADROOM, TX_METADATA_LEN};
use crate::umem::{ChunkPlace, Sockets, Umem};
use std::collections::VecDeque;
use std::iter::once;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, Weak};
use xsk_uapi::if_xdp::{
    XDP_PKT_CONTD, XDP_TX_METADATA, XDP_TXMD_FLAGS_CHECKSUM, XDP_TXMD_FLAGS_TIMESTAMP, xdp_desc,
    xsk_tx_metadata,
};
use zerocopy::{FromBytes, IntoBytes};

/// The key of this kernel's records.
const METADATA_KEY: u32 = 0xfa4e;

/// A fake kernel behind a real [`Socket`]: the other side of its four rings, in plain memory, for
/// tests of packet code with neither root nor a network card.
///
/// It does nothing by itself: [`deliver`](Self::deliver) lets a packet arrive,
/// [`transmit`](Self::transmit) takes one that was sent, [`complete`](Self::complete) gives chunks
/// of sent packets back. It may be in another thread than the socket.
///
/// It is as demanding as the kernel is in copy mode (`net/xdp/xsk.c`):
/// - The need-wakeup flag of the TX ring is always set, that of the fill ring never.
/// - Packets are taken from the TX ring when the socket is kicked, and only then: one that was
///   submitted after the last kick is not transmitted.
/// - One kick takes 32 packets at the most (`TX_BATCH_SIZE`), and no more than the completion ring
///   has room for. If more are left, it returns [`Kick::Again`](crate::Kick::Again).
///
/// For a kernel that sends by itself, as a zero-copy driver that is awake, clear the flag:
/// [`FakeRings::need_wakeup`] or [`set_need_wakeup`](Self::set_need_wakeup).
///
/// [`wait`](crate::wait) finds the socket ready from a delivery until the first step of this kernel
/// after everything was received. It sends nothing here, while the real call sends in copy mode
/// what is in the TX ring: a loop that relies on that stops in zero-copy mode.
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
/// assert_eq!(kernel.transmit(), None, "the socket was not kicked");
/// socket.tx.kick_if_needed()?;
/// assert_eq!(kernel.transmit().as_deref(), Some(&b"hello"[..]));
///
/// kernel.complete(1);
/// assert_eq!(socket.completion.reap_into(&mut pool, 8)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FakeKernel {
    pub(super) memory: Arc<RingBlocks>,
    /// The RX ring of each socket on the queue, the first's first.
    pub(super) rx: Vec<FakeRx>,
    pub(super) fill: Consumer<u64>,
    /// Whether this kernel must not touch the entries of the fill ring any more, after a hostile
    /// step.
    pub(super) fill_ended: bool,
    /// The side of the TX and completion rings, which kicks use too.
    sender: Arc<FakeSender>,
    pub(super) umem: Umem,
    /// What the sockets on the queue share.
    pool: Weak<BufferPool>,
    /// The sequence number of the last packet with a record.
    records: u64,
    /// Whether packets have several frames.
    is_multi_buffer: bool,
    /// Chunks that were taken from the fill ring for a packet that had no room, in the order in which
    /// they are used.
    pub(super) spare: VecDeque<u64>,
    /// What was transmitted of a packet whose last frame was not.
    partial: Vec<u8>,
    /// The time that is written for packets that are transmitted.
    tx_time: u64,
}

impl FakeKernel {
    /// Makes a socket over `umem` with rings of the default sizes, and its kernel.
    ///
    /// # Errors
    /// [`Error::CreateSocket`] if the process has no descriptor left for the socket's `eventfd`.
    pub fn new(umem: &Umem) -> Result<(Self, Socket)> {
        Self::with(umem, FakeRings::default())
    }

    /// Makes a socket over `umem` with the rings that `rings` describes, and its kernel.
    ///
    /// # Errors
    /// [`Error::Setting`] for a size that is no power of two or above 2^20; else as
    /// [`new`](Self::new).
    pub fn with(umem: &Umem, rings: FakeRings) -> Result<(Self, Socket)> {
        Self::with_kind(umem, rings, false)
    }

    /// As [`with`](Self::with); if `is_multi_buffer`, for packets of several frames.
    pub(super) fn with_kind(
        umem: &Umem,
        rings: FakeRings,
        is_multi_buffer: bool,
    ) -> Result<(Self, Socket)> {
        let FakeRings { rx, tx, fill, completion, start, need_wakeup } = rings;
        require_sizes([rx, tx, fill, completion])?;
        let memory = Arc::new(RingBlocks {
            rx: RingBlock::new(rx, 16, start),
            tx: RingBlock::new(tx, 16, start),
            fill: RingBlock::new(fill, 8, start),
            completion: RingBlock::new(completion, 8, start),
        });
        // SAFETY: the block was made for entries of 16 bytes, the buffer pool and the kernel keep
        // it, and this is its only pair.
        let (user_rx, rx) = unsafe { memory.rx.sides::<xdp_desc>() };
        let (rx, fd) = FakeRx::new(rx, None)?;
        umem.used_by(Sockets::Fake)?;
        // SAFETY: as above; the sender, which has the kernel's half, keeps the block, too.
        let (user_tx, tx) = unsafe { memory.tx.sides::<xdp_desc>() };
        // SAFETY: as for the RX ring, for entries of 8 bytes.
        let (user_fill, fill) = unsafe { memory.fill.sides::<u64>() };
        // SAFETY: as for the TX ring, for entries of 8 bytes.
        let (user_completion, completion) = unsafe { memory.completion.sides::<u64>() };
        let sender = Arc::new(FakeSender::new(Arc::clone(&memory), tx, completion));
        let pool = Arc::new(BufferPool::new(umem.clone(), Arc::clone(&memory), is_multi_buffer));
        let backend = Backend::Fake { fd, kernel: sender.clone(), _rings: None };
        let inner = Arc::new(Inner::new(backend, Arc::clone(&pool)));
        inner.set_tx_abilities(TxAbilities { checksum: true, launch_time: true });
        let socket = Socket {
            rx: Rx::new(user_rx, Arc::clone(&inner)),
            tx: Tx::new(user_tx, Arc::clone(&inner)).bound(false),
            fill: Fill::new(user_fill, Arc::clone(&inner)),
            completion: Completion::new(user_completion, Arc::clone(&inner)),
            handle: SocketHandle::new(inner, "fake", 0, 0, (false, CopyReason::Asked)),
        };
        let mut kernel = Self {
            rx: vec![rx],
            fill: Consumer::new(RingKind::Fill, fill),
            fill_ended: false,
            sender,
            umem: umem.clone(),
            memory,
            pool: Arc::downgrade(&pool),
            records: 0,
            is_multi_buffer,
            spare: VecDeque::new(),
            partial: Vec::new(),
            tx_time: 1 << 40,
        };
        kernel.set_need_wakeup(RingKind::Tx, need_wakeup);
        Ok((kernel, socket))
    }

    /// Makes one more socket on the queue of this kernel, as
    /// [`SharedQueue::add_socket`]: with an RX and a TX ring of its own, whose sizes and positions
    /// `rings` has. The sockets have numbers in the order in which they are made; the first's is 0. One
    /// that is dropped gets no more packets, and what is left in its TX ring is not sent.
    ///
    /// ```
    /// use xsk::test_util::{FakeKernel, FakeRings};
    ///
    /// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
    /// let (mut kernel, socket) = FakeKernel::new(&umem)?;
    /// let mut queue = socket.share_queue();
    /// let mut second = kernel.add_socket(&mut queue, FakeRings::default())?;
    /// queue.fill.fill_from(&mut pool, 8)?;
    /// assert!(kernel.deliver_to(1, b"hello"));
    /// assert_eq!((queue.rx.receive(8)?.len(), second.rx.receive(8)?.len()), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`with`](Self::with).
    ///
    /// # Panics
    /// If `queue` is another kernel's, or its completion ring was exchanged for that of another queue.
    #[track_caller]
    pub fn add_socket(
        &mut self,
        queue: &mut SharedQueue,
        rings: FakeRings,
    ) -> Result<SharedSocket> {
        let pool = Arc::clone(&queue.handle.inner().pool);
        assert!(Weak::ptr_eq(&self.pool, &Arc::downgrade(&pool)), "a queue of another kernel");
        queue.completion.assert_of(&queue.handle);
        let FakeRings { rx, tx, start, .. } = rings;
        require_sizes([rx, tx])?;
        let blocks = Arc::new(RingBlockPair {
            rx: RingBlock::new(rx, 16, start),
            tx: RingBlock::new(tx, 16, start),
        });
        // SAFETY: the block was made for entries of 16 bytes, the socket and the sender, which the
        // kernel has, keep it, and this is its only pair.
        let (user_rx, rx) = unsafe { blocks.rx.sides::<xdp_desc>() };
        // SAFETY: as for the RX ring.
        let (user_tx, tx) = unsafe { blocks.tx.sides::<xdp_desc>() };
        let alive = Arc::new(());
        let (rx, fd) = FakeRx::new(rx, Some(Arc::downgrade(&alive)))?;
        let number = self.sender.add_member(Arc::clone(&blocks), tx, Arc::downgrade(&alive));
        self.rx.push(rx);
        let kernel = Arc::new(MemberSender { sender: Arc::clone(&self.sender), number });
        let backend = Backend::Fake { fd, kernel, _rings: Some(Arc::new((blocks, alive))) };
        let inner = Arc::new(Inner::new(backend, pool));
        let sent = Arc::default();
        let socket = SharedSocket {
            rx: SharedRx::new(user_rx, Arc::clone(&inner)),
            tx: Tx::of_sharing(user_tx, Arc::clone(&inner), Arc::clone(&sent)).bound(false),
            handle: SocketHandle::new(inner, "fake", 0, 0, (false, CopyReason::Shared)),
        };
        queue.completion.expect(sent);
        Ok(socket)
    }

    /// Lets `packet` arrive; returns whether it was received. It is dropped, as by the kernel, if
    /// it is empty or longer than a chunk's room, if the RX ring is full, or if the fill ring is
    /// empty.
    pub fn deliver(&mut self, packet: &[u8]) -> bool {
        self.deliver_to(0, packet)
    }

    /// As [`deliver`](Self::deliver), to the socket of this number: which one gets a packet is the
    /// XDP program's matter. For one that is not there, or was dropped, it is dropped.
    pub fn deliver_to(&mut self, socket: usize, packet: &[u8]) -> bool {
        self.deliver_behind(socket, &[], packet)
    }

    /// Lets `packet` arrive with `front` right before it.
    fn deliver_behind(&mut self, socket: usize, front: &[u8], packet: &[u8]) -> bool {
        if self.is_multi_buffer {
            return self.deliver_in_frames(socket, packet);
        }
        let Ok(len) = u32::try_from(packet.len()) else {
            return false;
        };
        if len == 0 || len > self.room() || !self.rx_has_room(socket, 1) {
            return false;
        }
        let Some(chunk) = self.take_chunk() else {
            return false;
        };
        let addr = self.write_chunk(chunk, front, packet);
        self.give_up(chunk, ChunkPlace::Receiving);
        self.produce_rx(socket, xdp_desc { addr, len, options: 0 });
        true
    }

    /// Delivers a packet in as many frames as it needs, or not at all.
    fn deliver_in_frames(&mut self, socket: usize, packet: &[u8]) -> bool {
        let room = usize32(self.room()).max(1);
        let frames = packet.len().div_ceil(room);
        if frames == 0 || !self.rx_has_room(socket, u32_of_count(frames)) {
            return false;
        }
        // Too few chunks are left where they are (`xsk_buff_can_alloc`, net/xdp/xsk_buff_pool.c).
        let missing = u32_of_count(frames.saturating_sub(self.spare.len()));
        if missing != 0 && (self.fill_ended || !has_entries(&self.fill, missing)) {
            return false;
        }
        while self.spare.len() < frames {
            match self.take_filled() {
                Some(chunk) => self.spare.push_back(chunk),
                // An entry was none of a chunk. Those that were taken are for the next packet.
                None => return false,
            }
        }
        for (number, part) in packet.chunks(room).enumerate() {
            let Some(chunk) = self.take_chunk() else { return false };
            let addr = self.write_chunk(chunk, &[], part);
            let last = number.saturating_add(1) == frames;
            let options = if last { 0 } else { XDP_PKT_CONTD };
            self.give_up(chunk, ChunkPlace::Receiving);
            self.produce_rx(socket, xdp_desc { addr, len: u32_of_count(part.len()), options });
        }
        true
    }

    /// Puts the next chunk of the fill ring into an RX ring, with any length and options; returns the
    /// chunk.
    pub(super) fn deliver_entry(&mut self, socket: usize, len: u32, options: u32) -> Option<u64> {
        if !self.rx_has_room(socket, 1) {
            return None;
        }
        let chunk = self.take_chunk()?;
        self.give_up(chunk, ChunkPlace::Receiving);
        let addr = self.umem.geometry().at(chunk, self.headroom().into());
        self.produce_rx(socket, xdp_desc { addr, len, options });
        Some(chunk)
    }

    /// Returns whether this kernel takes a descriptor with these options.
    fn knows(&self, options: u32) -> bool {
        let several = if self.is_multi_buffer { XDP_PKT_CONTD } else { 0 };
        let metadata = if self.umem.geometry().has_tx_metadata() { XDP_TX_METADATA } else { 0 };
        options & !(several | metadata) == 0
    }

    /// Does what the TX metadata of a descriptor asks for, whose chunk is claimed: writes the time, and
    /// the checksum into `packet`, if that was read.
    fn obey_metadata(&self, desc: xdp_desc, packet: &mut [u8]) {
        let geometry = self.umem.geometry();
        let len = u64_of(TX_METADATA_LEN);
        if desc.options & XDP_TX_METADATA == 0 || geometry.offset(desc.addr) < len {
            return;
        }
        let place = geometry.plain(desc.addr).wrapping_sub(len);
        // SAFETY: the bytes are in the descriptor's chunk, before its packet, and this kernel holds it:
        // it is claimed.
        let bytes = unsafe { self.umem.read_as_kernel(place, TX_METADATA_LEN) };
        let Ok(asked) = xsk_tx_metadata::read_from_bytes(&bytes) else { return };
        if asked.flags & XDP_TXMD_FLAGS_CHECKSUM != 0 {
            write_checksum(packet, asked.csum_start.into(), asked.csum_offset.into());
        }
        if asked.flags & XDP_TXMD_FLAGS_TIMESTAMP != 0 {
            // SAFETY: as above: bytes 8 to 16 of those that were read.
            unsafe {
                self.umem.write_as_kernel(place.wrapping_add(8), &self.tx_time.to_ne_bytes())
            };
        }
    }

    /// Sets the time that is written for packets that are transmitted from here on, if TX metadata
    /// asks for it ([`Tx::with_metadata`]): nanoseconds, above 2^32.
    ///
    /// ```
    /// use xsk::packet::TxMetadata;
    /// use xsk::test_util::FakeKernel;
    ///
    /// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).tx_metadata().build()?;
    /// let (mut kernel, socket) = FakeKernel::new(&umem)?;
    /// let (mut tx, mut completion) = socket.tx.with_metadata(socket.completion)?;
    /// let frame = pool.take().ok_or("the pool is empty")?;
    /// tx.reserve(1)?.push_with(frame, TxMetadata::new().timestamp())?;
    /// tx.kick_if_needed()?;
    ///
    /// kernel.set_tx_time(1 << 40);
    /// assert!(kernel.transmit().is_some());
    /// kernel.complete(1);
    /// let (frame, sent) = completion.reap(1)?.next().ok_or("it was completed")?;
    /// assert_eq!(sent.map(|sent| sent.nanoseconds), Some(1 << 40));
    /// pool.put(frame);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_tx_time(&mut self, nanoseconds: u64) {
        self.tx_time = nanoseconds;
    }

    /// Adds a frame that was sent to its packet; returns the packet if that was its last one.
    fn join(&mut self, desc: xdp_desc, bytes: Vec<u8>) -> Option<Vec<u8>> {
        self.partial.extend(bytes);
        (desc.options & XDP_PKT_CONTD == 0).then(|| std::mem::take(&mut self.partial))
    }

    /// Writes `packet`, which is no longer than a chunk has room for, into a chunk that
    /// [`take_chunk`](Self::take_chunk) returned, behind the headroom, and `front` before it; returns
    /// where the packet is.
    fn write_chunk(&self, chunk: u64, front: &[u8], packet: &[u8]) -> u64 {
        let geometry = *self.umem.geometry();
        let addr = geometry.at(chunk, self.headroom().into());
        let address = geometry.plain(addr);
        // SAFETY: the fill ring gave the chunk to this kernel, and the bytes from `address` on are
        // inside it and the area (`take_filled`). No frame of it exists before it is in the RX ring
        // (I2, I3): had hostile steps given it away, the claim would have failed.
        unsafe { self.umem.write_as_kernel(address, packet) };
        let before = address.saturating_sub(u64_of(front.len()));
        // SAFETY: as above: the chunk has 256 bytes before the packet, and `front` is no longer.
        unsafe { self.umem.write_as_kernel(before, front) };
        addr
    }

    /// Returns the RX ring of this kernel's first socket such that packets come with what the card
    /// knows of them, as [`Rx::with_metadata`].
    ///
    /// ```
    /// use xsk::packet::{Property, RxMetadata};
    /// use xsk::test_util::FakeKernel;
    ///
    /// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
    /// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
    /// socket.fill.fill_from(&mut pool, 8)?;
    /// let mut rx = kernel.with_metadata(socket.rx);
    /// let mut metadata = RxMetadata::unknown();
    /// metadata.timestamp = Property::Known(1_000);
    /// assert!(kernel.deliver_with_metadata(b"hello", metadata));
    /// assert!(kernel.deliver(b"past the program"));
    /// let received: Vec<_> = rx.receive(8)?.collect();
    /// assert_eq!(received[0].1, Some(metadata));
    /// assert_eq!(received[1].1, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the ring is another kernel's.
    #[must_use]
    pub fn with_metadata(&self, rx: Rx) -> MetadataRx {
        assert!(Weak::ptr_eq(&self.pool, &Arc::downgrade(rx.pool())), "a ring of another kernel");
        MetadataRx::new(rx, METADATA_KEY, self.records)
    }

    /// As [`deliver`](Self::deliver), with a record of what the card knows of the packet before it.
    pub fn deliver_with_metadata(&mut self, packet: &[u8], metadata: RxMetadata) -> bool {
        self.records = self.records.wrapping_add(1);
        let record = RxRecord::new(METADATA_KEY, self.records, metadata);
        self.deliver_behind(0, record.as_bytes(), packet)
    }

    /// Lets `count` packets of `len` bytes arrive without writing their bytes; returns how many
    /// were received.
    pub fn deliver_unwritten(&mut self, count: u32, len: u32) -> u32 {
        self.deliver_unwritten_to(0, count, len)
    }

    /// As [`deliver_unwritten`](Self::deliver_unwritten), to the socket of this number.
    pub fn deliver_unwritten_to(&mut self, socket: usize, count: u32, len: u32) -> u32 {
        let len = len.clamp(1, self.room());
        let mut delivered: u32 = 0;
        while delivered < count && self.rx_has_room(socket, 1) {
            let Some(chunk) = self.take_chunk() else {
                break;
            };
            self.give_up(chunk, ChunkPlace::Receiving);
            let addr = self.umem.geometry().at(chunk, self.headroom().into());
            self.produce_rx(socket, xdp_desc { addr, len, options: 0 });
            delivered = delivered.wrapping_add(1);
        }
        delivered
    }

    /// Returns the number of sockets that were made for the queue.
    pub(super) fn sockets(&self) -> usize {
        self.rx.len()
    }

    /// Returns whether the socket of this number was not dropped, as far as the kernel knows.
    pub(super) fn is_alive(&self, socket: usize) -> bool {
        self.rx.get(socket).is_some_and(FakeRx::is_alive)
    }

    /// Returns the offset at which packets begin in a chunk.
    fn headroom(&self) -> u32 {
        PACKET_HEADROOM.saturating_add(self.umem.headroom())
    }

    /// Returns the length of the longest packet that a chunk has room for.
    pub(super) fn room(&self) -> u32 {
        self.umem.chunk_size().saturating_sub(self.headroom())
    }

    /// Takes the next chunk of the fill ring and claims it in the ledger. Entries that are no chunk
    /// of this UMEM are skipped, as by the kernel.
    fn take_chunk(&mut self) -> Option<u64> {
        self.spare.pop_front().or_else(|| self.take_filled())
    }

    /// Takes a chunk from the fill ring.
    fn take_filled(&mut self) -> Option<u64> {
        self.drain_if_empty();
        loop {
            let address = (!self.fill_ended).then(|| next_entry(&mut self.fill))??;
            let geometry = *self.umem.geometry();
            if geometry.contains(address) && self.claim(address, ChunkPlace::Receiving) {
                return Some(geometry.chunk(address));
            }
        }
    }

    fn claim(&self, address: u64, place: ChunkPlace) -> bool {
        self.umem.ledger().claim(self.umem.geometry(), address, place)
    }

    fn give_up(&self, address: u64, place: ChunkPlace) {
        self.umem.ledger().unclaim(self.umem.geometry(), address, place);
    }

    /// Returns this kernel's side of the TX and completion rings. A kick waits for it meanwhile.
    pub(super) fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sender.sending()
    }

    fn rx_has_room(&mut self, socket: usize, frames: u32) -> bool {
        self.rx.get_mut(socket).is_some_and(|rx| rx.has_room(frames))
    }

    pub(super) fn produce_completion(&mut self, address: u64) {
        self.sending().produce_completion(address);
    }

    pub(super) fn produce_rx(&mut self, socket: usize, desc: xdp_desc) {
        if let Some(rx) = self.rx.get_mut(socket) {
            rx.produce(desc);
        }
    }

    /// Takes the next sent packet. Returns `None` if there is none that a kick has allowed to be
    /// sent, or if the completion ring has no room for it: the kernel sends nothing then. This
    /// kernel holds the packet's chunk until [`complete`](Self::complete).
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        loop {
            let desc = self.take_sent()?;
            let address = self.umem.geometry().plain(desc.addr);
            // SAFETY: `take_sent` checked that the descriptor describes bytes inside one chunk,
            // which this kernel holds (I2): it is claimed, so hostile steps did not give it away
            // before, and cannot now.
            let mut packet = unsafe { self.umem.read_as_kernel(address, usize32(desc.len)) };
            self.obey_metadata(desc, &mut packet);
            self.give_up(desc.addr, ChunkPlace::Sending);
            if let Some(packet) = self.join(desc, packet) {
                return Some(packet);
            }
        }
    }

    /// As [`transmit`](Self::transmit), for up to `count` packets, without reading their bytes;
    /// returns how many.
    pub fn transmit_unread(&mut self, count: u32) -> u32 {
        let mut taken: u32 = 0;
        while taken < count {
            let Some(desc) = self.take_sent() else { break };
            self.obey_metadata(desc, &mut []);
            self.give_up(desc.addr, ChunkPlace::Sending);
            taken = taken.wrapping_add(1);
        }
        taken
    }

    /// Takes the next sent packet and claims its chunk in the ledger. It skips two kinds of
    /// entries, whose chunks are lost: one with options, which this crate never sends, and one
    /// whose chunk hostile steps gave back before it was sent.
    fn take_sent(&mut self) -> Option<xdp_desc> {
        self.drain_if_empty();
        let mut sending = self.sender.sending();
        loop {
            let desc = sending.next_packet(!self.sender.asks_for_kicks())?;
            let contained = self.umem.geometry().contains_packet(desc.addr, desc.len.into());
            if self.knows(desc.options) && contained && self.claim(desc.addr, ChunkPlace::Sending) {
                sending.unfinished.push_back(desc.addr);
                return Some(desc);
            }
        }
    }

    /// Makes the descriptor of each socket that received everything unreadable again.
    fn drain_if_empty(&mut self) {
        self.rx.iter_mut().for_each(FakeRx::drain_if_empty);
    }

    /// Gives the chunks of up to `count` transmitted packets back, oldest first; returns how many.
    pub fn complete(&mut self, count: u32) -> u32 {
        self.drain_if_empty();
        self.sending().complete(count)
    }

    /// Returns the number of transmitted packets whose chunks were not given back yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.sending().unfinished.len()
    }

    /// Sets or clears the need-wakeup flag of the TX or fill ring; that of other rings has no
    /// effect.
    ///
    /// While the flag of the TX ring is clear, this kernel sends what is submitted without a kick.
    /// It takes what is there before it sleeps, as a driver does that sets the flag. That of the
    /// fill ring only makes the socket kick: packets arrive all the same.
    pub fn set_need_wakeup(&mut self, ring: RingKind, on: bool) {
        match ring {
            RingKind::Tx => self.sender.ask_for_kicks(on),
            RingKind::Fill => self.memory.fill.set_need_wakeup(on),
            RingKind::Rx => self.memory.rx.set_need_wakeup(on),
            RingKind::Completion => self.memory.completion.set_need_wakeup(on),
        }
    }

    /// Returns how often the socket woke this kernel, for the TX and the fill ring.
    #[must_use]
    pub fn kicks(&self) -> u64 {
        self.sender.tx_kicks().saturating_add(self.sender.fill_kicks())
    }

    /// Returns how often the socket woke this kernel for the TX ring.
    pub(super) fn tx_kicks(&self) -> u64 {
        self.sender.tx_kicks()
    }

    /// Returns where both sides of each ring are.
    pub(super) fn positions(&self) -> Positions {
        let sending = self.sending();
        let load = |index: &AtomicU32| Index::new(index.load(Ordering::Acquire));
        let rx_blocks = once(&self.memory.rx).chain(sending.members.iter().map(|pair| &pair.rx));
        let tx_blocks = once(&self.memory.tx).chain(sending.members.iter().map(|pair| &pair.tx));
        let rx = self.rx.iter().zip(rx_blocks);
        let tx = sending.tx.iter().zip(tx_blocks);
        Positions {
            rx: rx.map(|(rx, block)| (rx.ring.cursor(), load(block.consumer()))).collect(),
            tx: tx.map(|(tx, block)| (load(block.producer()), tx.ring.cursor())).collect(),
            fill_producer: load(self.memory.fill.producer()),
            fill_cursor: self.fill.cursor(),
            completion_cursor: sending.completion.cursor(),
            completion_consumer: load(self.memory.completion.consumer()),
        }
    }
}

/// Refuses sizes that no ring can have.
fn require_sizes<const N: usize>(sizes: [u32; N]) -> Result<()> {
    for entries in sizes {
        if !entries.is_power_of_two() || entries > MAX_ENTRIES {
            let rule = "is a power of two from 1 to 2^20";
            return Err(Error::Setting { name: "size of a ring", value: entries.into(), rule });
        }
    }
    Ok(())
}

/// Where both sides of each ring are: this kernel at a cursor, the user's side where it has
/// submitted or released up to.
#[derive(Debug)]
pub(super) struct Positions {
    /// Of each socket, the kernel's cursor and the user's index.
    pub(super) rx: Vec<(Index, Index)>,
    /// Of each socket, the user's index and the kernel's cursor.
    pub(super) tx: Vec<(Index, Index)>,
    pub(super) fill_producer: Index,
    pub(super) fill_cursor: Index,
    pub(super) completion_cursor: Index,
    pub(super) completion_consumer: Index,
}
