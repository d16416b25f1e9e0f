//! The socket, and what the test knows of its chunks.

use crate::any_ring::{AnyRx, AnyTx};
use crate::input::Chunks;
use crate::step::Step;
use std::collections::BTreeSet;
use xsk::test_util::{FakeKernel, FakeRings, Hostile, Index};
use xsk::uapi::if_xdp::XDP_PKT_CONTD;
use xsk::umem::ChunkPlace;
use xsk::{Completion, Fill, Frame, FramePool, Packet, RingError, Socket, Umem};

/// A socket for single frames, or for packets of several.
pub(crate) struct AnySocket {
    rx: AnyRx,
    tx: AnyTx,
    fill: Fill,
    completion: Completion,
}

/// Which chunks the user has, derived only from what the library returned; as a set, chunk by
/// chunk.
pub(crate) struct Fixture<S = Socket> {
    pub(crate) chunks: Chunks,
    pub(crate) umem: Umem,
    pub(crate) pool: FramePool,
    pub(crate) kernel: FakeKernel,
    pub(crate) socket: S,
    pub(crate) held: Vec<Frame>,
    pub(crate) faults: usize,
}

impl Fixture {
    pub(crate) fn new(chunks: Chunks, start: Index) -> Self {
        let (umem, pool) = chunks.builder().build().unwrap();
        let (kernel, socket) = FakeKernel::with(&umem, rings(start)).unwrap();
        Self { chunks, umem, pool, kernel, socket, held: Vec::new(), faults: 0 }
    }
}

fn rings(start: Index) -> FakeRings {
    FakeRings { rx: 4, tx: 4, fill: 8, completion: 4, start, need_wakeup: false }
}

impl Fixture<AnySocket> {
    /// With a socket for packets of several frames, or for single ones.
    pub(crate) fn any(chunks: Chunks, start: Index, multi_buffer: bool) -> Self {
        let (umem, pool) = chunks.builder().build().unwrap();
        let (kernel, socket) = if multi_buffer {
            let (kernel, socket) = FakeKernel::multi_buffer(&umem, rings(start)).unwrap();
            let (rx, tx) = (AnyRx::Packets(socket.rx), AnyTx::Packets(socket.tx));
            let (fill, completion) = (socket.fill, socket.completion);
            (kernel, AnySocket { rx, tx, fill, completion })
        } else {
            let (kernel, socket) = FakeKernel::with(&umem, rings(start)).unwrap();
            let (rx, tx) = (AnyRx::Own(socket.rx), AnyTx::Frames(socket.tx));
            let (fill, completion) = (socket.fill, socket.completion);
            (kernel, AnySocket { rx, tx, fill, completion })
        };
        Self { chunks, umem, pool, kernel, socket, held: Vec::new(), faults: 0 }
    }
}

impl<S> Fixture<S> {
    /// Returns the chunks that the user has: in the pool or in hand.
    pub(crate) fn user_chunks(&self) -> BTreeSet<u64> {
        let held = self.held.iter().map(Frame::address);
        let step = self.chunks.step();
        self.pool.addresses().chain(held).map(|address| address / step).collect()
    }

    /// Asserts that the user has no chunk twice, and that every frame's bytes are inside one chunk
    /// and can be read and written.
    pub(crate) fn check(&mut self) {
        assert_eq!(
            self.user_chunks().len(),
            self.pool.len() + self.held.len(),
            "a second frame for a chunk"
        );
        for frame in &mut self.held {
            let (first, len) = (frame.address(), u64::from(frame.len()));
            let (step, size) = (self.chunks.step(), self.chunks.size);
            assert!(len > 0 && first + len <= self.chunks.area(), "outside the UMEM");
            assert!(first % step + len <= size, "outside its chunk");
            let bytes = self.umem.bytes_mut(frame);
            assert_eq!(bytes.len() as u64, len);
            bytes[0] = bytes[bytes.len() - 1].wrapping_add(1);
        }
        let sent = self.kernel.ring_contents().tx;
        let open = sent.last().is_some_and(|desc| desc.options & XDP_PKT_CONTD != 0);
        assert!(!open, "a packet without its end was sent: {sent:?}");
        for chunk in self.pool.addresses() {
            let begins = chunk < self.chunks.area() && chunk % self.chunks.step() == 0;
            assert!(begins, "the pool has an address that is no chunk");
        }
    }

    /// Checks a frame that arrived: the user did not have its chunk, and the ledger had it at
    /// `place`.
    pub(crate) fn came(&mut self, frame: Frame, before: &[ChunkPlace], place: ChunkPlace) {
        let chunk = self.chunks.of(&frame);
        assert!(!self.user_chunks().contains(&chunk), "a second frame for a chunk");
        assert_eq!(before[usize::try_from(chunk).unwrap()], place);
        self.held.push(frame);
    }

    pub(crate) fn hostile(&mut self) -> Hostile<'_> {
        self.kernel.hostile().unwrap()
    }

    pub(crate) fn count(&mut self, result: Result<u32, RingError>) {
        self.faults += usize::from(result.is_err());
    }
}

impl Fixture<AnySocket> {
    pub(crate) fn step(&mut self, step: &Step) {
        let places = self.umem.chunk_places().unwrap();
        let Fixture { pool, socket, held, .. } = self;
        let chunks = self.chunks;
        match *step {
            Step::Kernel(ref step) => drop(self.kernel.step(step)),
            Step::Fill(n) => {
                let result = socket.fill.fill_from(pool, n);
                self.count(result);
            }
            Step::Push(n) => {
                let Ok(mut slots) = socket.tx.reserve(n) else {
                    return self.faults += 1;
                };
                while let Some(frame) = held.pop() {
                    if let Err(frame) = slots.push(frame) {
                        held.push(frame);
                        break;
                    }
                }
            }
            Step::PushPacket(n, frames) => {
                let Ok(mut slots) = socket.tx.reserve(n) else {
                    return self.faults += 1;
                };
                let first = held.len().saturating_sub(frames);
                let mut frames = held.drain(first..);
                let Some(frame) = frames.next() else { return };
                let mut packet = Packet::new(frame);
                frames.for_each(|frame| packet.push(frame));
                if let Err(packet) = slots.push_packet(packet) {
                    held.extend(packet);
                }
            }
            Step::SendFrom(n) => {
                let result = socket.tx.send_from(pool, n);
                self.count(result);
            }
            Step::Receive(n, take) => {
                let descs = self.kernel.ring_contents().rx;
                let Ok(batch) = socket.rx.receive(n) else {
                    return self.faults += 1;
                };
                let frames = batch.take(take as usize, false);
                // They are the first ones in the ring, and end where a packet does.
                let descs = descs.get(..frames.len()).unwrap_or(&[]);
                for (frame, desc) in frames.iter().zip(descs) {
                    let bounds = (chunks.plain(desc.addr), desc.len);
                    assert_eq!((frame.address(), frame.len()), bounds);
                }
                let ends = descs.iter().filter(|desc| desc.options == 0).count();
                assert!(ends <= take.min(n) as usize, "more packets than were asked for");
                let fragment = descs.last().is_some_and(|desc| desc.options != 0);
                assert!(!fragment, "a fragment was taken for a packet: {descs:?}");
                for frame in frames {
                    self.came(frame, &places, ChunkPlace::Receiving);
                }
            }
            Step::Recycle(n) => {
                let result = socket.rx.receive(n).and_then(|batch| batch.recycle(&mut socket.fill));
                self.count(result);
            }
            Step::RecycleEach(n) => {
                let umem = &self.umem;
                let taken =
                    |frame: &Frame| held.iter().any(|held| chunks.of(held) == chunks.of(frame));
                let mut look = |frames: &mut [Frame]| {
                    for (number, frame) in frames.iter().enumerate() {
                        assert!(!taken(frame), "a second frame for a chunk");
                        let mut others = frames[..number].iter();
                        assert!(others.all(|other| chunks.of(other) != chunks.of(frame)));
                        assert_eq!(umem.bytes(frame).len(), frame.len() as usize);
                    }
                };
                let batch = socket.rx.receive(n);
                let result =
                    batch.and_then(|batch| batch.recycle_each(&mut socket.fill, &mut look));
                self.count(result);
            }
            Step::Forward(n) => {
                let AnySocket { rx, tx, fill, .. } = socket;
                let result = rx.receive(n).and_then(|batch| batch.forward(tx, fill));
                self.count(result);
            }
            Step::ForwardEach(n) => {
                let umem = &self.umem;
                let mut edit = |frames: &mut [Frame]| {
                    frames.iter_mut().for_each(|frame| umem.bytes_mut(frame).fill(9));
                };
                let AnySocket { rx, tx, fill, .. } = socket;
                let batch = rx.receive(n);
                let result = batch.and_then(|batch| batch.forward_each(tx, fill, &mut edit));
                self.count(result);
            }
            Step::RouteEach(n) => {
                let umem = &self.umem;
                let mut edit = |frames: &mut [Frame]| {
                    frames.iter_mut().for_each(|frame| umem.bytes_mut(frame).fill(9));
                };
                let AnySocket { rx, tx, fill, .. } = socket;
                let batch = rx.receive(n);
                let result = batch.and_then(|batch| batch.route_each(tx, fill, pool, &mut edit));
                self.count(result);
            }
            Step::ReceivedIntoPool(n) => {
                let result = socket.rx.receive(n).map(|batch| batch.reclaim(pool));
                self.count(result);
            }
            Step::Reap(n, take) => {
                let Ok(batch) = socket.completion.reap(n) else {
                    return self.faults += 1;
                };
                let frames: Vec<Frame> = batch.into_iter().take(take as usize).collect();
                for frame in frames {
                    assert_eq!(frame.address() % chunks.step(), 0);
                    assert_eq!(u64::from(frame.len()), chunks.size);
                    self.came(frame, &places, ChunkPlace::Sending);
                }
            }
            Step::ReapInto(n) => {
                let result = socket.completion.reap_into(pool, n);
                self.count(result);
            }
            Step::ReapIntoFill(n) => {
                let batch = socket.completion.reap(n);
                let result = batch.and_then(|batch| batch.recycle(&mut socket.fill));
                self.count(result);
            }
            Step::Put(n) => {
                for frame in held.drain(..held.len().min(n as usize)) {
                    pool.put(frame);
                }
            }
            Step::Take(n) => held.extend((0..n).map_while(|_| pool.take())),
            Step::Kick => socket.tx.kick_if_needed().unwrap(),
            Step::HostileFilled(len, options) => {
                let _ = self.hostile().receive_filled(len, options);
            }
            Step::HostileReceive(address, len, options) => {
                self.hostile().receive(address, len, options)
            }
            Step::HostileComplete(address) => self.hostile().complete(address),
            Step::HostileIndex(kind, far) => {
                let index = self.hostile().published(kind).advance(far);
                self.hostile().set_index(kind, index);
            }
        }
    }
}

/// Returns whether the ledger is on.
pub(crate) fn ledger() -> bool {
    let (umem, _) = Umem::builder().chunk_count(1).build().unwrap();
    umem.chunk_counts().is_some()
}

/// The hostile steps. Without the ledger the caller must take care, see `hostile_unchecked`.
///
/// # Safety
/// As [`FakeKernel::hostile_unchecked`].
pub(crate) unsafe fn unchecked(kernel: &mut FakeKernel) -> Hostile<'_> {
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.hostile_unchecked() }
}
