//! Groups 34 to 36: packets of several frames that no kernel sends.

use crate::common::{Cable, PATIENCE, kernel_can, kernel_since, until};
use std::collections::BTreeSet;
use xsk::socket::{PacketSocket, RefusalReason};
use xsk::test_util::{VethPair, privileged, test_name};
use xsk::{FramePool, Packet, Socket, Umem};

const CHUNKS: u32 = 64;

/// A socket for packets of several frames at one end of a cable.
struct Sender {
    cable: Cable,
    umem: Umem,
    pool: FramePool,
    socket: PacketSocket,
}

/// Returns a socket whose rings have the given sizes; `None` where the test `name` cannot run.
fn sender(name: &str, tx: u32, completion: u32) -> Option<Sender> {
    let why = "no packets of several frames before 6.6";
    if !privileged(name) || !kernel_can(name, kernel_since(6, 6), why) {
        return None;
    }
    let cable = Cable::build(VethPair::builder().mtu(9000));
    let (umem, pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
    let builder = Socket::builder(&umem).tx_size(tx).completion_size(completion);
    let bind = || builder.multi_buffer().bind_timeout(PATIENCE).bind(cable.veth.a(), 0).unwrap();
    let socket = cable.left.run(bind).unwrap();
    Some(Sender { cable, umem, pool, socket })
}

impl Sender {
    /// Makes a packet of so many frames of 60 bytes.
    fn packet(&mut self, frames: u32) -> Packet {
        let mut frame = || {
            let mut frame = self.pool.take().unwrap();
            frame.truncate(60).unwrap();
            frame
        };
        let mut packet = Packet::new(frame());
        (1..frames).for_each(|_| packet.push(frame()));
        let len = usize::try_from(packet.len()).unwrap();
        let bytes = crate::common::packet(frames, len);
        self.umem.write_packet(packet.frames_mut(), &bytes).unwrap();
        packet
    }

    /// Kicks and reaps until every chunk is in the pool again, each once.
    fn drain(&mut self) {
        let Self { pool, socket, .. } = self;
        until("every chunk comes back", || {
            socket.tx.kick().unwrap();
            socket.completion.reap_into(pool, 64).unwrap();
            pool.len() == CHUNKS as usize && socket.tx.pending() == 0
        });
        let pooled: BTreeSet<u64> = pool.addresses().collect();
        assert_eq!(pooled.len(), CHUNKS as usize);
        assert_eq!(self.socket.handle.statistics().unwrap().tx_invalid_descs, 0);
    }

    /// Pushes packets of so many frames, one of which is refused; the others are sent.
    fn send(&mut self, frames: &[u32], refused: u32, reason: RefusalReason) {
        let arrived = || self.cable.veth.b().info().unwrap().counters.rx_packets;
        let before = arrived();
        for &count in frames {
            let packet = self.packet(count);
            let text = format!("{packet:?}");
            let pushed = self.socket.tx.reserve(64).unwrap().push(packet);
            match pushed {
                Ok(()) => assert_ne!(count, refused),
                Err(error) => {
                    assert_eq!((count, error.reason), (refused, reason));
                    assert_eq!(format!("{:?}", error.packet), text, "it comes back as it was");
                    self.pool.extend(error.packet);
                }
            }
            self.drain();
        }
        let sent = frames.iter().filter(|count| **count != refused).count();
        let arrived = || self.cable.veth.b().info().unwrap().counters.rx_packets;
        until("the others to arrive", || arrived() == before + sent as u64);
    }
}

/// The kernel drops a packet of 19 descriptors, or of one more than it was built for.
///
/// Group 34 of the table in tests/README.md.
#[test]
fn a_packet_with_more_frames_than_the_kernel_takes_comes_back() {
    let Some(mut sender) = sender(test_name!(), 64, 64) else { return };
    let limit = sender.socket.tx.max_frames();
    assert!(limit >= 18, "{limit}");
    let reason = RefusalReason::TooManyFrames { limit };
    sender.send(&[1, limit, limit + 1, 2], limit + 1, reason);
}

/// The kernel waits for ever for room in a completion ring that is shorter than the packet.
///
/// Group 35 of the table in tests/README.md.
#[test]
fn a_packet_that_is_longer_than_the_completion_ring_comes_back() {
    let Some(mut sender) = sender(test_name!(), 64, 4) else { return };
    let reason = RefusalReason::TooManyFrames { limit: 4 };
    for _ in 0..3 {
        sender.send(&[4, 5, 4, 1], 5, reason);
    }
}

/// The kernel takes what there is of a packet, and waits for its end. No descriptor of a packet is
/// published without the others.
///
/// Group 36 of the table in tests/README.md.
#[test]
fn a_packet_that_has_no_room_leaves_nothing_in_the_ring() {
    let Some(mut sender) = sender(test_name!(), 8, 64) else { return };
    for forget in [false, true] {
        let (first, second, third) = (sender.packet(6), sender.packet(3), sender.packet(2));
        let mut slots = sender.socket.tx.reserve(8).unwrap();
        slots.push(first).unwrap();
        let refused = slots.push(second).unwrap_err();
        assert_eq!(refused.reason, RefusalReason::NoRoom { free: 2 });
        slots.push(third).unwrap();
        assert_eq!(slots.remaining(), 0);
        if forget {
            // What was pushed is sent with the next batch.
            std::mem::forget(slots);
            drop(sender.socket.tx.reserve(0).unwrap());
        } else {
            drop(slots);
        }
        assert_eq!(sender.socket.tx.pending(), 8);
        sender.pool.extend(refused.packet);
        sender.drain();
    }
    let arrived = || sender.cable.veth.b().info().unwrap().counters.rx_packets;
    until("four packets to arrive", || arrived() == 4);
}
