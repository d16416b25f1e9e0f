//! The parts of a socket in threads of their own, and the fake kernel in another: small rings, few
//! chunks, every slot and every chunk used again and again. `tests/tsan` runs this under
//! ThreadSanitizer.

use std::sync::mpsc;
use std::time::{Duration, Instant};
use xsk::ring::Index;
use xsk::test_util::{FakeKernel, FakeRings};
use xsk::{Completion, Fill, Frame, FramePool, Rx, Socket, Tx, Umem};

const PACKETS: u64 = 2000;
const CHUNKS: u32 = 6;
const RINGS: FakeRings = FakeRings {
    rx: 4,
    tx: 4,
    fill: 4,
    completion: 4,
    start: Index::new(u32::MAX - 100),
    need_wakeup: true,
};

/// Calls `step` until it returns `true`. While it makes no progress, another thread may run.
fn until(what: &str, mut step: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !step() {
        assert!(Instant::now() < end, "{what}: not done after two minutes");
        std::thread::yield_now();
    }
}

/// Sends packets with their numbers, which must come back in order, with the numbers' complements.
fn ping_pong(mut kernel: FakeKernel) -> FakeKernel {
    let (mut delivered, mut returned) = (0_u64, 0_u64);
    until("ping-pong", || {
        while delivered < PACKETS && kernel.deliver(&[delivered.to_be_bytes(); 8].concat()) {
            delivered += 1;
        }
        while let Some(packet) = kernel.transmit() {
            assert_eq!(packet, [(!returned).to_be_bytes(); 8].concat());
            returned += 1;
        }
        kernel.complete(RINGS.completion);
        returned == PACKETS && kernel.unfinished() == 0
    });
    kernel
}

fn invert(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = !*byte;
    }
}

/// Every chunk is in the pool or on the fill ring.
fn assert_all_back(umem: &Umem, pool: &FramePool, fill: &Fill) {
    assert_eq!(pool.len() + usize::try_from(fill.pending()).unwrap(), umem.chunk_count());
}

fn set_up() -> (Umem, FramePool, FakeKernel, Socket) {
    let (umem, pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
    let (kernel, socket) = FakeKernel::with(&umem, RINGS).unwrap();
    (umem, pool, kernel, socket)
}

#[test]
fn a_forwarder_and_its_kernel_in_two_threads() {
    let (umem, mut pool, kernel, socket) = set_up();
    let Socket { mut rx, mut tx, mut fill, mut completion, .. } = socket;
    std::thread::scope(|scope| {
        scope.spawn(move || ping_pong(kernel));
        let (mut received, mut reaped) = (0, 0);
        until("forwarding", || {
            reaped += completion.reap_into(&mut pool, 3).unwrap();
            fill.fill_from(&mut pool, 3).unwrap();
            let mut out = tx.reserve(3).unwrap();
            for mut frame in rx.receive(out.remaining()).unwrap() {
                invert(umem.bytes_mut(&mut frame));
                out.push(frame).unwrap();
                received += 1;
            }
            drop(out);
            tx.kick_if_needed().unwrap();
            (received, u64::from(reaped)) == (PACKETS, PACKETS)
        });
    });
    assert_all_back(&umem, &pool, &fill);
}

/// Receives and fills, and hands the packets to the next thread.
fn receiver(
    mut rx: Rx,
    mut fill: Fill,
    mut pool: FramePool,
    back: mpsc::Receiver<Frame>,
    on: mpsc::Sender<Frame>,
) -> (FramePool, Fill) {
    let mut returned = 0;
    until("receiving", || {
        for frame in back.try_iter() {
            pool.put(frame);
            returned += 1;
        }
        fill.fill_from(&mut pool, 3).unwrap();
        for frame in rx.receive(3).unwrap() {
            on.send(frame).unwrap();
        }
        returned == PACKETS
    });
    (pool, fill)
}

/// Sends the frames that it is handed.
fn sender(umem: &Umem, mut tx: Tx, from: mpsc::Receiver<Frame>) {
    let mut sent = 0;
    until("sending", || {
        let mut out = tx.reserve(3).unwrap();
        while out.remaining() > 0 {
            let Ok(mut frame) = from.try_recv() else {
                break;
            };
            invert(umem.bytes_mut(&mut frame));
            out.push(frame).unwrap();
            sent += 1;
        }
        drop(out);
        tx.kick_if_needed().unwrap();
        // What a full completion ring stopped is kicked again.
        sent == PACKETS && tx.pending() == 0
    });
}

/// Gives the chunks of sent packets back, in a thread that has only the completion ring.
fn reaper(mut completion: Completion, back: mpsc::Sender<Frame>) {
    let mut reaped = 0;
    until("reaping", || {
        for frame in completion.reap(3).unwrap() {
            back.send(frame).unwrap();
            reaped += 1;
        }
        reaped == PACKETS
    });
}

#[test]
fn receiver_sender_reaper_and_kernel_in_four_threads() {
    let (umem, pool, kernel, socket) = set_up();
    let Socket { rx, tx, fill, completion, .. } = socket;
    let (to_sender, from_receiver) = mpsc::channel();
    let (to_receiver, from_reaper) = mpsc::channel();
    let (pool, fill) = std::thread::scope(|scope| {
        scope.spawn(move || ping_pong(kernel));
        scope.spawn(|| sender(&umem, tx, from_receiver));
        scope.spawn(move || reaper(completion, to_receiver));
        receiver(rx, fill, pool, from_reaper, to_sender)
    });
    assert_all_back(&umem, &pool, &fill);
}
