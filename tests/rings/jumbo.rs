//! A socket for packets of several frames over the fake kernel.

use std::collections::BTreeSet;
use xsk::ring::Index;
use xsk::socket::PacketSocket;
use xsk::test_util::{ChunkAudit, FakeKernel, FakeRings};
use xsk::{Frame, FramePool, Packet, Umem};

pub(crate) const CHUNK: u32 = 2048;
pub(crate) const CHUNKS: u32 = 64;
/// How many bytes of a received packet a chunk has room for.
pub(crate) const ROOM: u32 = CHUNK - 256;

pub(crate) struct Jumbo {
    pub(crate) umem: Umem,
    pub(crate) pool: FramePool,
    pub(crate) kernel: FakeKernel,
    pub(crate) socket: PacketSocket,
    /// The number of the next packet that arrives.
    next: u8,
}

/// Rings of 16 entries whose indices wrap soon, and a fill ring of 32.
pub(crate) const RINGS: FakeRings = FakeRings {
    rx: 16,
    tx: 16,
    fill: 32,
    completion: 16,
    start: Index::new(u32::MAX - 20),
    need_wakeup: false,
};

impl Jumbo {
    pub(crate) fn new() -> Self {
        Self::with(RINGS)
    }

    pub(crate) fn with(rings: FakeRings) -> Self {
        Self::over(CHUNKS, rings)
    }

    pub(crate) fn over(chunks: u32, rings: FakeRings) -> Self {
        let (umem, pool) = Umem::builder().chunk_count(chunks).chunk_size(CHUNK).build().unwrap();
        let (kernel, socket) = FakeKernel::multi_buffer(&umem, rings).unwrap();
        Self { umem, pool, kernel, socket, next: 0 }
    }

    /// With packets of so many frames each in the RX ring, and no chunk in the fill ring.
    pub(crate) fn with_received(frames: &[u32]) -> Self {
        let mut jumbo = Self::new();
        jumbo.receive(frames);
        jumbo
    }

    /// Fills, and lets packets of so many frames arrive; returns their bytes.
    pub(crate) fn receive(&mut self, frames: &[u32]) -> Vec<Vec<u8>> {
        let all = frames.iter().sum();
        assert_eq!(self.socket.fill.fill_from(&mut self.pool, all), Ok(all));
        let bytes = frames.iter().map(|frames| self.bytes(*frames));
        let bytes: Vec<Vec<u8>> = bytes.collect::<Vec<_>>();
        bytes.iter().for_each(|bytes| assert!(self.kernel.deliver(bytes)));
        bytes
    }

    /// Returns the bytes of the next packet, which arrives in so many frames.
    pub(crate) fn bytes(&mut self, frames: u32) -> Vec<u8> {
        self.next = self.next.wrapping_add(1);
        bytes(self.next, (frames - 1) * ROOM + 1 + u32::from(self.next))
    }

    /// Takes a packet of so many frames from the pool.
    pub(crate) fn packet(&mut self, frames: u32) -> Packet {
        let packet = self.pool.take_packet(u64::from((frames - 1) * CHUNK + 60)).unwrap();
        assert_eq!(packet.frames().len(), frames as usize);
        packet
    }

    /// Checks that every chunk is in one place, `held` and `lost` ones among them.
    #[track_caller]
    pub(crate) fn audit<'a>(
        &self,
        held: impl IntoIterator<Item = &'a Frame>,
        lost: impl IntoIterator<Item = u64>,
    ) {
        let audit = ChunkAudit::of(&self.umem).pool(&self.pool).rings(&self.kernel);
        audit.frames(held).lost(lost).check().unwrap();
    }

    /// Has the kernel send everything, and takes the chunks back; returns the packets.
    pub(crate) fn transmit(&mut self) -> Vec<Vec<u8>> {
        let Self { pool, kernel, socket, .. } = self;
        let mut packets = Vec::new();
        loop {
            let before = packets.len();
            packets.extend(std::iter::from_fn(|| kernel.transmit()));
            let completed = kernel.complete(u32::MAX);
            assert_eq!(socket.completion.reap_into(pool, u32::MAX), Ok(completed));
            if packets.len() == before && completed == 0 {
                return packets;
            }
        }
    }

    /// Takes every chunk back into the pool; returns the chunks that are not there, `held` excepted.
    #[track_caller]
    pub(crate) fn missing(&mut self, held: &[&Frame]) -> BTreeSet<u64> {
        let Self { umem, pool, kernel, socket, .. } = self;
        // What a forgotten guard left is published with the next batch.
        drop(socket.tx.reserve(0).unwrap());
        drop(socket.fill.reserve(0).unwrap());
        loop {
            let sent = kernel.transmit_unread(u32::MAX) + kernel.complete(u32::MAX);
            let reaped = socket.completion.reap_into(pool, u32::MAX).unwrap();
            let delivered = kernel.deliver_unwritten(u32::MAX, 60);
            let received = socket.rx.receive(u32::MAX).unwrap().reclaim(pool);
            if sent + reaped + delivered + received == 0 {
                break;
            }
        }
        let back: BTreeSet<u64> = pool.addresses().collect();
        assert_eq!(back.len(), pool.len(), "a chunk is in the pool twice");
        let all = (0..umem.chunk_count() as u64).map(|number| number * u64::from(CHUNK));
        let held: BTreeSet<u64> = held.iter().map(|frame| chunk(frame)).collect();
        all.filter(|chunk| !back.contains(chunk) && !held.contains(chunk)).collect()
    }

    #[track_caller]
    pub(crate) fn assert_all_back(&mut self) {
        assert_eq!(self.missing(&[]), BTreeSet::new(), "chunks are missing");
        self.audit([], []);
    }
}

pub(crate) fn chunk(frame: &Frame) -> u64 {
    frame.address() / u64::from(CHUNK) * u64::from(CHUNK)
}

/// Returns the bytes of packet number `number`: each differs from those beside it, and from the one at
/// its place in other packets.
pub(crate) fn bytes(number: u8, len: u32) -> Vec<u8> {
    let byte = |at: u32| (at.wrapping_mul(7) ^ (at >> 8)) as u8;
    (0..len).map(|at| byte(at).wrapping_add(number)).collect()
}
