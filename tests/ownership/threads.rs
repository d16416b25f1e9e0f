//! Parts of one socket in different threads, with frames and pools passed between them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use xsk::test_util::{ChunkAudit, FakeKernel, FakeRings, Index};
use xsk::{Frame, FramePool, Umem};

const PACKETS: u64 = 20_000;

/// Ends the other threads too when one of them panics, so that a failure does not hang the test.
struct Finally<'a>(&'a AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A kernel, a receiver and a sender, each in a thread of its own: every packet comes out as it
/// went in, in order, and in the end every chunk is accounted for.
#[test]
fn frames_that_change_threads_are_neither_lost_nor_doubled() {
    let (umem, mut pool) = Umem::builder().chunk_count(48).chunk_size(2048).build().unwrap();
    let start = Index::new(u32::MAX - 1000);
    let rings = FakeRings { rx: 16, tx: 8, fill: 32, completion: 16, start, need_wakeup: true };
    let (mut kernel, socket) = FakeKernel::with(&umem, rings).unwrap();
    let (mut rx, mut fill) = (socket.rx, socket.fill);
    let (mut tx, mut completion) = (socket.tx, socket.completion);
    let mut sender_pool = pool.split_off(0);
    let (frames_in, frames_out) = channel::<Frame>();
    let (pools_in, pools_out) = channel::<FramePool>();
    let (stop, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let stopped = || done.load(Ordering::Acquire) || stop.load(Ordering::Acquire);

    let (pool, left) = std::thread::scope(|scope| {
        let receiver = scope.spawn({
            let (umem, stop) = (&umem, &stop);
            move || {
                let _finally = Finally(stop);
                while !stopped() {
                    pools_out.try_iter().for_each(|other| pool.append(other));
                    fill.fill_from(&mut pool, 16).unwrap();
                    for mut frame in rx.receive(16).unwrap() {
                        umem.bytes_mut(&mut frame)[8] = 1;
                        frames_in.send(frame).unwrap();
                    }
                    std::thread::yield_now();
                }
                (pool, pools_out)
            }
        });
        let sender = scope.spawn({
            let (umem, stop) = (&umem, &stop);
            let mut waiting: Option<Frame> = None;
            move || {
                let _finally = Finally(stop);
                while !stopped() {
                    completion.reap_into(&mut sender_pool, 16).unwrap();
                    if sender_pool.len() >= 4 {
                        pools_in.send(sender_pool.split_off(4)).unwrap();
                    }
                    let mut slots = tx.reserve(8).unwrap();
                    while let Some(frame) = waiting.take().or_else(|| frames_out.try_recv().ok()) {
                        assert_eq!(umem.bytes(&frame)[8], 1);
                        if let Err(frame) = slots.push(frame) {
                            waiting = Some(frame);
                            break;
                        }
                    }
                    drop(slots);
                    tx.kick_if_needed().unwrap();
                    std::thread::yield_now();
                }
                let frames: Vec<Frame> = waiting.into_iter().chain(frames_out).collect();
                (sender_pool, frames)
            }
        });
        let finally = Finally(&stop);
        // Making no progress is a failure, too.
        let end = Instant::now() + Duration::from_secs(60);
        let (mut given, mut sent) = (0, 0);
        while sent < PACKETS && !stop.load(Ordering::Acquire) && Instant::now() < end {
            let mut packet = [0; 9];
            packet[..8].copy_from_slice(&u64::to_le_bytes(given));
            given += u64::from(given < PACKETS && kernel.deliver(&packet));
            while let Some(packet) = kernel.transmit() {
                assert_eq!(packet[..8], u64::to_le_bytes(sent), "in order");
                assert_eq!(packet[8], 1, "edited");
                sent += 1;
            }
            kernel.complete(8);
            std::thread::yield_now();
        }
        assert_eq!(sent, PACKETS, "another thread failed, or none makes progress");
        done.store(true, Ordering::Release);
        let (mut pool, pools) = receiver.join().unwrap();
        drop(finally);
        let (rest, frames) = sender.join().unwrap();
        pools.into_iter().for_each(|other| pool.append(other));
        pool.append(rest);
        (pool, frames)
    });
    let found = ChunkAudit::of(&umem).pool(&pool).frames(&left).rings(&kernel);
    found.check().unwrap();
}
