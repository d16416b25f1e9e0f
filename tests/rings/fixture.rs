//! A socket over the fake kernel, and every way of taking what it receives.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xsk::ring::{Index, RingError};
use xsk::test_util::{FakeKernel, FakeRings};
use xsk::umem::UmemBuilder;
use xsk::{Frame, FramePool, Socket, Umem, Verdict};

pub(crate) const CHUNK: u64 = 4096;
pub(crate) const CHUNKS: u32 = 64;
pub(crate) const LEN: u32 = 60;

/// A socket with small rings, whose indices wrap soon.
pub(crate) struct Fixture {
    pub(crate) umem: Umem,
    pub(crate) pool: FramePool,
    pub(crate) kernel: FakeKernel,
    pub(crate) socket: Socket,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::over(Umem::builder())
    }

    /// One for each kind of chunks: aligned, and unaligned ones of an even and an odd size.
    pub(crate) fn of_each_kind() -> [Self; 3] {
        let unaligned = |size| Self::over(Umem::builder().chunk_size(size).unaligned());
        [Self::new(), unaligned(3000), unaligned(3001)]
    }

    fn over(builder: UmemBuilder) -> Self {
        let (umem, pool) = builder.chunk_count(CHUNKS).build().unwrap();
        let rings = FakeRings {
            rx: 16,
            tx: 16,
            fill: 32,
            completion: 16,
            start: Index::new(u32::MAX - 20),
            need_wakeup: false,
        };
        let (kernel, socket) = FakeKernel::with(&umem, rings).unwrap();
        Self { umem, pool, kernel, socket }
    }

    /// With `count` packets in the RX ring.
    pub(crate) fn with_received(count: u32) -> Self {
        let mut fixture = Self::new();
        fixture.receive(count);
        fixture
    }

    pub(crate) fn receive(&mut self, count: u32) {
        let filled = self.socket.fill.fill_from(&mut self.pool, count).unwrap();
        assert_eq!(filled, count);
        assert_eq!(self.kernel.deliver_unwritten(count, LEN), count);
    }

    /// With `count` chunks in the completion ring.
    pub(crate) fn with_completed(count: u32) -> Self {
        let mut fixture = Self::new();
        let Self { pool, socket, .. } = &mut fixture;
        assert_eq!(socket.tx.send_from(pool, count, LEN).unwrap(), count);
        assert_eq!(fixture.kernel.transmit_unread(count), count);
        assert_eq!(fixture.kernel.complete(count), count);
        fixture
    }

    /// Takes every chunk back; returns which chunks are there, each once, and how many are not.
    #[track_caller]
    pub(crate) fn take_back(&mut self) -> (BTreeSet<u64>, usize) {
        let Self { pool, kernel, socket, .. } = self;
        // What a forgotten guard left is published with the next batch.
        drop(socket.tx.reserve(0).unwrap());
        drop(socket.fill.reserve(0).unwrap());
        loop {
            let sent = kernel.transmit_unread(u32::MAX) + kernel.complete(u32::MAX);
            let reaped = socket.completion.reap_into(pool, u32::MAX).unwrap();
            let delivered = kernel.deliver_unwritten(u32::MAX, LEN);
            let received = socket.rx.receive(u32::MAX).unwrap().reclaim(pool);
            if sent + reaped + delivered + received == 0 {
                break;
            }
        }
        let back: BTreeSet<u64> = pool.addresses().collect();
        assert_eq!(back.len(), pool.len(), "a chunk is in the pool twice");
        // Chunks begin at even addresses.
        let step = u64::from(self.umem.chunk_size().next_multiple_of(2));
        assert!(back.iter().all(|a| a % step == 0 && *a < u64::from(CHUNKS) * step));
        if let Some(counts) = self.umem.chunk_counts() {
            assert_eq!(counts.pool, back.len());
            assert_eq!((counts.receiving, counts.sending), (0, 0));
        }
        let missing = usize::try_from(CHUNKS).unwrap() - back.len();
        (back, missing)
    }

    #[track_caller]
    pub(crate) fn assert_all_back(&mut self) {
        assert_eq!(self.take_back().1, 0, "chunks are missing");
    }
}

pub(crate) fn chunk(frame: &Frame) -> u64 {
    frame.address() / CHUNK * CHUNK
}

pub(crate) fn panics<R>(call: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_err()
}

/// Every way of taking a batch.
pub(crate) const WAYS: u32 = 7;

/// Takes all there is; returns how many came.
pub(crate) fn take_all(fixture: &mut Fixture, way: u32) -> Result<u32, RingError> {
    let Fixture { pool, socket, .. } = fixture;
    let xsk::Socket { rx, .. } = socket;
    let received = rx.receive(u32::MAX)?;
    match way {
        0 => received.recycle(&mut socket.fill),
        1 => received.recycle_each(&mut socket.fill, |_| ()),
        2 => received.forward(&mut socket.tx),
        3 => received.forward_each(&mut socket.tx, |_| ()),
        4 => Ok(received.reclaim(pool)),
        5 => {
            let xsk::Socket { tx, fill, .. } = socket;
            let mut number = 0_u32;
            let decide = |frame| {
                number += 1;
                match number % 3 {
                    0 => Verdict::Pool(frame),
                    1 => Verdict::Send(frame),
                    _ => Verdict::Recycle(frame),
                }
            };
            Ok(received.route_each(tx, fill, pool, decide)?.total())
        }
        _ => {
            let mut count = 0;
            for frame in received {
                pool.put(frame);
                count += 1;
            }
            Ok(count)
        }
    }
}
