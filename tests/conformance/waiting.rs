//! poll(2) on either side, and how it ends when nothing moves.

use crate::packets::{LEN, PACKETS, Packet, intact, stream};
use crate::rig::{BATCH, Bed, By, RECEIVER, RING, SENDER, Shape, exchange_by, writable};
use std::time::{Duration, Instant};
use xsk::link::ModeChoice;
use xsk::wait;

fn polled(mode: ModeChoice, by: [By; 2]) {
    let bed = Bed::new(mode);
    let mut sender = bed.left(SENDER);
    let mut listener = bed.listener(RECEIVER);
    let packets = stream(PACKETS, LEN);
    let both = [packets.as_slice(), packets.as_slice()];
    exchange_by(&mut sender, &mut listener, both, by, BATCH, intact);
    drop(listener);
    bed.end();
}

/// POLL_RX: the receiver sleeps until packets come.
pub(crate) fn poll_rx(mode: ModeChoice) {
    polled(mode, [By::Kick, By::Poll]);
}

/// POLL_TX: the sender waits until there is room; in copy mode that wait is what sends.
pub(crate) fn poll_tx(mode: ModeChoice) {
    polled(mode, [By::Poll, By::Kick]);
}

/// POLL_RXQ_FULL: nobody sends, and the wait ends with its timeout.
pub(crate) fn poll_rxq_full(mode: ModeChoice) {
    let bed = Bed::new(mode);
    let listener = bed.listener(RECEIVER);
    let (limit, start) = (Duration::from_millis(200), Instant::now());
    let ready = wait(&[&listener.socket.rx], Some(limit)).unwrap();
    assert_eq!(ready, 0);
    assert!(start.elapsed() >= limit);
    drop(listener);
    bed.end();
}

/// POLL_TXQ_FULL: packets of a whole chunk, longer than the interface takes; nobody reaps, so the completion ring
/// runs full, then the TX ring, and the wait for room ends with its timeout. Once reaped, it goes on.
///
/// The kernel's case uses the same chunks for several packets; here each has its own, so there are more of them.
pub(crate) fn poll_txq_full(mode: ModeChoice) {
    let bed = Bed::new(mode);
    let chunks = 2 * RING;
    let mut sender = bed.left(Shape {
        chunks,
        chunk_size: 2048,
        ..SENDER
    });
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
    // Everything that was published, and is not in the TX ring, is in the completion ring.
    let published = chunks - sender.pool.len() as u32;
    assert_eq!(published - pending, RING);
    let reaped = sender.socket.completion.reap_into(&mut sender.pool, chunks);
    assert_eq!(reaped, Ok(RING));
    crate::common::until("there is room again", || writable(&sender.socket, limit));
    drop(sender);
    bed.end();
}
