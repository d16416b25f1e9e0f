//! Packets of several frames under exchanges, panics and forgotten batches, over a fake kernel: no
//! chunk is lost without a count, and none is there twice.
#![allow(clippy::mem_forget, reason = "what is forgotten is tested")]

use proptest::collection::vec;
use proptest::prelude::*;
use std::mem::{forget, swap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use xsk::socket::PacketSocket;
use xsk::test_util::{ChunkAudit, FakeKernel, FakeRings};
use xsk::{Frame, FramePool, Packet, Umem};

struct Side {
    umem: Umem,
    pool: FramePool,
    kernel: FakeKernel,
    socket: PacketSocket,
    lost: Vec<u64>,
}

fn side(unaligned: bool, metadata: bool) -> Side {
    let mut builder = Umem::builder().chunk_count(24).chunk_size(2048);
    if unaligned {
        builder = builder.chunk_size(2501).unaligned();
    }
    if metadata {
        builder = builder.tx_metadata();
    }
    let (umem, pool) = builder.build().unwrap();
    let rings = FakeRings { rx: 8, tx: 8, fill: 16, completion: 8, ..FakeRings::default() };
    let (kernel, socket) = FakeKernel::multi_buffer(&umem, rings).unwrap();
    Side { umem, pool, kernel, socket, lost: Vec::new() }
}

#[derive(Debug, Clone)]
enum Step {
    Fill(u32),
    Deliver(usize),
    Transmit,
    Complete(u32),
    Reap(u32),
    Recycle(u32),
    RecycleEach {
        count: u32,
        swap_with_kept: bool,
        panic_at: usize,
    },
    Forward(u32),
    ForwardEach {
        count: u32,
        swap_with_kept: bool,
        panic_at: usize,
    },
    Reclaim(u32),
    /// Receives, takes some, and forgets the iterator.
    Take {
        count: u32,
        take: usize,
        forget: bool,
    },
    /// Sends what is kept.
    SendKept {
        reserve: u32,
        forget: bool,
    },
    SwapFramesOfKept,
    SwapSockets,
    SwapHandles,
    Push,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..9_u32).prop_map(Step::Fill),
        (1..9000_usize).prop_map(Step::Deliver),
        (1..2000_usize).prop_map(Step::Deliver),
        Just(Step::Transmit),
        (0..9_u32).prop_map(Step::Complete),
        (0..9_u32).prop_map(Step::Reap),
        (0..5_u32).prop_map(Step::Recycle),
        (0..5_u32, any::<bool>(), 0..6_usize).prop_map(|(count, swap_with_kept, panic_at)| {
            Step::RecycleEach { count, swap_with_kept, panic_at }
        }),
        (0..5_u32).prop_map(Step::Forward),
        (0..5_u32, any::<bool>(), 0..6_usize).prop_map(|(count, swap_with_kept, panic_at)| {
            Step::ForwardEach { count, swap_with_kept, panic_at }
        }),
        (0..5_u32).prop_map(Step::Reclaim),
        (0..5_u32, 0..5_usize, any::<bool>()).prop_map(|(count, take, forget)| Step::Take {
            count,
            take,
            forget
        }),
        (0..9_u32, any::<bool>()).prop_map(|(reserve, forget)| Step::SendKept { reserve, forget }),
        Just(Step::SwapFramesOfKept),
        Just(Step::SwapSockets),
        Just(Step::SwapHandles),
        Just(Step::Push),
    ]
}

/// Exchanges a frame for one that is kept, of the same UMEM.
fn exchange(frames: &mut [Frame], kept: &mut [Packet]) {
    if let (Some(frame), Some(other)) = (frames.first_mut(), kept.first_mut()) {
        swap(frame, &mut other.frames_mut()[0]);
    }
}

impl Side {
    fn apply(&mut self, step: &Step, kept: &mut Vec<Packet>) {
        let Self { umem, pool, kernel, socket, .. } = self;
        let PacketSocket { rx, tx, fill, completion, .. } = socket;
        match *step {
            Step::Fill(count) => {
                fill.fill_from(pool, count).unwrap();
            }
            Step::Deliver(len) => {
                kernel.deliver(&vec![7; len]);
            }
            Step::Transmit => {
                tx.kick_if_needed().unwrap();
                kernel.transmit();
            }
            Step::Complete(count) => {
                kernel.complete(count);
            }
            Step::Reap(count) => {
                completion.reap_into(pool, count).unwrap();
            }
            Step::Recycle(count) => {
                rx.receive(count).unwrap().recycle(fill).unwrap();
            }
            Step::Forward(count) => {
                let _ = rx.receive(count).unwrap().forward(tx);
            }
            Step::RecycleEach { count, swap_with_kept, panic_at } => {
                let mut seen = 0;
                let look = |frames: &mut [Frame]| {
                    if swap_with_kept {
                        exchange(frames, kept);
                    }
                    seen += 1;
                    assert!(seen != panic_at, "as asked");
                };
                let batch = rx.receive(count).unwrap();
                let _ = catch_unwind(AssertUnwindSafe(|| batch.recycle_each(fill, look).unwrap()));
            }
            Step::ForwardEach { count, swap_with_kept, panic_at } => {
                let mut seen = 0;
                let edit = |frames: &mut [Frame]| {
                    if swap_with_kept {
                        exchange(frames, kept);
                    }
                    seen += 1;
                    assert!(seen != panic_at, "as asked");
                };
                let batch = rx.receive(count).unwrap();
                let _ = catch_unwind(AssertUnwindSafe(|| batch.forward_each(tx, edit).is_ok()));
            }
            Step::Reclaim(count) => {
                rx.receive(count).unwrap().reclaim(pool);
            }
            Step::Take { count, take, forget: is_forgotten } => {
                let mut packets = rx.receive(count).unwrap().into_iter();
                kept.extend(packets.by_ref().take(take));
                if is_forgotten {
                    forget(packets);
                }
            }
            Step::SendKept { reserve, forget: is_forgotten } => {
                let mut slots = tx.reserve(reserve).unwrap();
                while let Some(packet) = kept.pop() {
                    if let Err(refused) = slots.push(packet) {
                        kept.push(refused.packet);
                        break;
                    }
                }
                if is_forgotten {
                    forget(slots);
                }
            }
            Step::SwapFramesOfKept => {
                if let [first, .., last] = &mut kept[..] {
                    swap(&mut first.frames_mut()[0], &mut last.frames_mut()[0]);
                }
            }
            Step::Push => {
                if let Some(frame) = pool.take() {
                    match kept.last_mut() {
                        Some(packet) => packet.push(frame),
                        None => kept.push(Packet::new(frame)),
                    }
                }
            }
            Step::SwapSockets | Step::SwapHandles => {}
        }
        for packet in kept.iter() {
            assert!(!packet.frames().is_empty());
            assert_eq!(umem.packet_bytes(packet.frames()).remaining() as u64, packet.len());
        }
    }
}

fn run(steps: &[(bool, Step)], unaligned: bool, metadata: bool) {
    let mut sides = [side(unaligned, metadata), side(unaligned, metadata)];
    let mut kept = [Vec::new(), Vec::new()];
    for (second, step) in steps {
        match step {
            // Whole sockets, or their handles: each ring works with what it was made with.
            Step::SwapSockets => {
                let [a, b] = &mut sides;
                swap(&mut a.socket, &mut b.socket);
                swap(&mut a.kernel, &mut b.kernel);
                swap(&mut a.umem, &mut b.umem);
                swap(&mut a.pool, &mut b.pool);
                kept.swap(0, 1);
            }
            Step::SwapHandles => {
                let [a, b] = &mut sides;
                swap(&mut a.socket.handle, &mut b.socket.handle);
            }
            step => {
                let n = usize::from(*second);
                sides[n].apply(step, &mut kept[n]);
            }
        }
    }
    for (side, kept) in sides.iter_mut().zip(&mut kept) {
        // What was forgotten comes with the next call.
        drop(side.socket.rx.receive(0).unwrap());
        drop(side.socket.tx.reserve(0).unwrap());
        let Side { umem, pool, kernel, lost, .. } = side;
        // Without the ledger it is not known which chunks are lost.
        let Some(places) = umem.chunk_places() else { continue };
        let step =
            if umem.chunk_size() % 2 == 0 { umem.chunk_size() } else { umem.chunk_size() + 1 };
        for (n, place) in places.iter().enumerate() {
            if *place == xsk::umem::ChunkPlace::Lost {
                lost.push(n as u64 * u64::from(step));
            }
        }
        assert_eq!(lost.len(), umem.lost_chunks() as usize);
        let frames = kept.iter().flat_map(|packet: &Packet| packet.frames());
        ChunkAudit::of(umem)
            .pool(pool)
            .frames(frames)
            .rings(kernel)
            .lost(lost.iter().copied())
            .check()
            .unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_chunk_is_there_twice(
        steps in vec((any::<bool>(), step()), 0..120),
        unaligned in any::<bool>(),
        metadata in any::<bool>(),
    ) {
        std::panic::set_hook(Box::new(|info| {
            let text = info.to_string();
            if !text.contains("as asked") { eprintln!("{text}"); }
        }));
        run(&steps, unaligned, metadata);
    }
}

/// A packet whose frames are of two UMEMs comes about by an exchange only; no ring takes it.
#[test]
fn a_packet_of_two_umems_is_refused_before_anything_is_written() {
    for at in 0..3 {
        let (mut here, mut there) = (side(false, false), side(true, false));
        let mut foreign = there.pool.take().unwrap();
        here.socket.fill.fill_from(&mut here.pool, 16).unwrap();
        let PacketSocket { rx, tx, fill, .. } = &mut here.socket;

        let mut packet = here.pool.take_packet(5000).unwrap();
        swap(&mut packet.frames_mut()[at], &mut foreign);
        let mut slots = tx.reserve(8).unwrap();
        let pushed = catch_unwind(AssertUnwindSafe(|| slots.push(packet).is_ok()));
        assert!(pushed.is_err());
        assert_eq!(slots.remaining(), 8);
        drop(slots);
        assert_eq!((tx.pending(), here.umem.lost_chunks(), there.umem.lost_chunks()), (0, 2, 1));
        here.pool.put(foreign);

        for (lost, forwards) in [(1, false), (2, true)] {
            let mut foreign = there.pool.take().unwrap();
            assert!(here.kernel.deliver(&[7; 5000]));
            let exchange = |frames: &mut [Frame]| swap(&mut frames[at], &mut foreign);
            let batch = rx.receive(8).unwrap();
            let moved = catch_unwind(AssertUnwindSafe(|| {
                if forwards {
                    batch.forward_each(tx, exchange)
                } else {
                    batch.recycle_each(fill, exchange)
                }
            }));
            assert!(moved.is_err());
            here.pool.put(foreign);
            assert_eq!(tx.pending(), 0);
            assert_eq!(
                (here.umem.lost_chunks(), there.umem.lost_chunks()),
                (2 + 2 * lost, 1 + lost)
            );
        }
        // All goes on.
        assert!(here.kernel.deliver(&[7; 5000]));
        assert_eq!(rx.receive(8).unwrap().forward(tx), Ok(1));
        tx.kick_if_needed().unwrap();
        assert_eq!(here.kernel.transmit().unwrap(), [7; 5000]);
    }
}
