//! poll(2) on either side, and how it ends when nothing moves.

use crate::common::{PATIENCE, kernel_can, kernel_since, until};
use crate::fixture::{
    BATCH, By, Fixture, RECEIVER, RING, SENDER, Shape, exchange_by, receive, send, writable,
};
use crate::packets::{LEN, PACKETS, Packet, intact, stream};
use rustix::thread::gettid;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};
use xsk::attach::AttachMode;
use xsk::wait;

/// POLL_RX: the receiver sleeps until packets come. First one packet is sent when the receiver is
/// seen to sleep.
pub(crate) fn poll_rx(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener = fixture.listener(RECEIVER);
    let thread = AtomicI32::new(0);
    let one = stream(1, LEN);
    let info = listener.socket.handle.clone();
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            thread.store(gettid().as_raw_nonzero().get(), Ordering::SeqCst);
            wait(&[&info], Some(PATIENCE)).unwrap()
        });
        until("the receiver sleeps", || {
            sleeper.is_finished() || asleep(thread.load(Ordering::SeqCst))
        });
        send(&mut sender, &one, 1, By::Kick, || 0);
        assert_eq!(sleeper.join().unwrap(), 1, "woken by the packet");
    });
    drop(info);
    receive(&mut listener, &one, By::Poll, intact, |_| ());
    let packets = stream(PACKETS, LEN);
    let both = [packets.as_slice(); 2];
    let by = [By::Kick, By::Poll];
    exchange_by(&mut sender, &mut listener, both, by, BATCH, intact);
    drop(listener);
    fixture.end();
}

/// Returns whether a thread of this process sleeps (`proc_pid_stat(5)`: the state follows the name
/// in brackets).
fn asleep(thread: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
    stat.is_ok_and(|stat| stat.rsplit(") ").next().unwrap().starts_with('S'))
}

/// POLL_TX: the sender waits until there is room; in copy mode that wait is what sends.
pub(crate) fn poll_tx(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener = fixture.listener(RECEIVER);
    let packets = stream(PACKETS, LEN);
    let both = [packets.as_slice(); 2];
    let by = [By::Poll, By::Kick];
    exchange_by(&mut sender, &mut listener, both, by, BATCH, intact);
    drop(listener);
    fixture.end();
}

/// POLL_RXQ_FULL: no packet is sent, and the wait ends with its timeout.
pub(crate) fn poll_rxq_full(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let listener = fixture.listener(RECEIVER);
    let (limit, start) = (Duration::from_millis(200), Instant::now());
    let ready = wait(&[&listener.socket.rx], Some(limit)).unwrap();
    assert_eq!(ready, 0);
    assert!(start.elapsed() >= limit);
    drop(listener);
    fixture.end();
}

/// POLL_TXQ_FULL: packets of a whole chunk, longer than the interface takes. No completion is
/// reaped, so the completion ring fills, then the TX ring, and the wait for room ends with its
/// timeout. Once reaped, it continues.
///
/// The kernel's case uses the same chunks for several packets; here each has its own, so there are
/// more of them.
pub(crate) fn poll_txq_full(mode: AttachMode) {
    let why = "poll(2) for POLLOUT never ends there while the completion ring is full: each look at the socket builds \
               a packet, and giving it up wakes poll again";
    if !kernel_can("poll_txq_full", kernel_since(6, 1), why) {
        return;
    }
    let fixture = Fixture::new(mode);
    let chunks = 2 * RING;
    let mut sender = fixture.left(Shape { chunks, chunk_size: 2048, ..SENDER });
    let limit = Duration::from_millis(200);
    let mut waited = Duration::ZERO;
    for number in 0..chunks {
        let packet = Packet { number, len: 2048 };
        let mut frame = sender.pool.take().unwrap();
        sender.umem.write(&mut frame, &packet.bytes()).unwrap();
        let refused = sender.socket.tx.reserve(1).unwrap().push(frame);
        refused.unwrap();
        if number % BATCH == BATCH - 1 {
            let start = Instant::now();
            if !writable(&sender.socket, limit) {
                waited = start.elapsed();
                break;
            }
        }
    }
    assert!(waited >= limit, "the wait for room timed out: {waited:?}");
    let pending = sender.socket.tx.pending();
    assert!(pending > RING / 2, "{pending} packets are in the TX ring");
    // Everything that was published, and is not in the TX ring, is in the completion ring; older
    // kernels report late what they took out of the TX ring.
    let published = chunks - sender.pool.len() as u32;
    assert!(published - pending <= RING, "{published} - {pending}");
    let reaped = sender.socket.completion.reap_into(&mut sender.pool, chunks);
    assert_eq!(reaped, Ok(RING));
    until("there is room again", || writable(&sender.socket, limit));
    drop(sender);
    fixture.end();
}
