//! Two sockets on one queue at each end.

use crate::common::until;
use crate::fixture::{BATCH, CHUNKS, Chunks, Fixture, RECEIVER, SENDER};
use crate::packets::{LEN, PACKETS, Packet, intact, stream};
use crate::programs::by_number;
use std::sync::atomic::{AtomicU32, Ordering};
use xsk::attach::AttachMode;
use xsk::{FramePool, Port, SharedQueue, SharedSocket, Tx, Umem};

/// The most packets on their way at once: a veth queue holds no more and drops later ones.
const ON_THE_WAY: u32 = 256;

/// XDP_SHARED_UMEM: of two streams, packets with even and with odd numbers, each comes from a socket
/// of its own and goes to one; the sockets of each end share a queue and its chunks.
///
/// The kernel's program tells them apart by the last bit of the receiver's MAC address.
pub(crate) fn xdp_shared_umem(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let (veth, left, right) = (&fixture.cable.veth, &fixture.cable.left, &fixture.cable.right);
    let sender = fixture.left(SENDER);
    let pooled = sender.pooled();
    let (Port { umem, mut pool, socket, .. }, mut from) = (sender, None);
    let mut from_queue = socket.share_queue();
    left.run(|| from = Some(from_queue.add_socket().bind().unwrap())).unwrap();
    let listener = fixture.right(RECEIVER);
    let Port { umem: to_umem, pool: mut to_pool, socket, .. } = listener;
    let mut to_queue = socket.share_queue();
    let mut to = right.run(|| to_queue.add_socket().bind().unwrap()).unwrap();
    assert_eq!(to.handle.interface(), veth.b().name());
    let attachment = fixture.attach(Some(by_number()));
    let slots = [to_queue.register(&attachment, 0).unwrap(), to.register(&attachment, 1).unwrap()];

    let received = AtomicU32::new(0);
    let packets = stream(PACKETS, LEN);
    std::thread::scope(|scope| {
        scope.spawn(|| receive(&to_umem, (&mut to_queue, &mut to), &packets, &received));
        let mut sent = 0;
        until("sending", || {
            let SharedQueue { tx, completion, .. } = &mut from_queue;
            let both = [tx, &mut from.as_mut().unwrap().tx];
            let room = ON_THE_WAY.saturating_sub(sent - received.load(Ordering::SeqCst));
            if room >= BATCH {
                for (tx, odd) in both.into_iter().zip([0, 1]) {
                    let own = packets.iter().skip(sent as usize).take(BATCH as usize);
                    send(&umem, &mut pool, tx, own.filter(|packet| packet.number % 2 == odd));
                }
                sent += BATCH.min(PACKETS - sent);
            }
            completion.reap_into(&mut pool, BATCH).unwrap();
            sent == PACKETS && pool.len() == pooled.len()
        });
    });
    assert_eq!(pool.addresses().collect::<std::collections::BTreeSet<_>>(), pooled);
    // The receivers' chunks are in their fill ring again.
    assert_eq!((to_queue.fill.pending(), to_pool.len()), (CHUNKS, 0));
    assert_eq!(to_queue.rx.receive(1).unwrap().reclaim(&mut to_pool), 0);
    assert_eq!(to.rx.receive(1).unwrap().reclaim(&mut to_pool), 0);
    drop(slots);
    attachment.close().unwrap();
    fixture.end();
}

fn send<'a>(
    umem: &Umem,
    pool: &mut FramePool,
    tx: &mut Tx,
    packets: impl Iterator<Item = &'a Packet>,
) {
    let mut slots = tx.reserve(BATCH).unwrap();
    for packet in packets {
        let mut frame = pool.take().unwrap();
        umem.write(&mut frame, &packet.bytes()).unwrap();
        slots.push(frame).unwrap();
    }
    drop(slots);
    until("the kernel takes them", || {
        tx.kick_if_needed().unwrap();
        tx.pending() == 0
    });
}

/// Receives even packets by the first socket and odd ones by the other, each in order.
fn receive(
    umem: &Umem,
    (queue, other): (&mut SharedQueue, &mut SharedSocket),
    packets: &[Packet],
    received: &AtomicU32,
) {
    let SharedQueue { rx, fill, .. } = queue;
    let of_parity = |odd| packets.iter().filter(move |packet| packet.number % 2 == odd);
    let mut expected = [of_parity(0), of_parity(1)];
    until("receiving", || {
        for (rx, expected) in [&mut *rx, &mut other.rx].into_iter().zip(&mut expected) {
            let mut back = fill.reserve(BATCH).unwrap();
            for mut frame in rx.receive(BATCH).unwrap() {
                let packet = expected.next().expect("one packet too many");
                intact(umem, &mut frame, *packet);
                back.push(frame).unwrap();
                received.fetch_add(1, Ordering::SeqCst);
            }
        }
        received.load(Ordering::SeqCst) == PACKETS
    });
}
