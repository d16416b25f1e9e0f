//! Packets that are lost for a reason, and the kernel's count of them.

use crate::common::until;
use crate::fixture::{
    BATCH, By, CHUNKS, Fixture, RECEIVER, SENDER, Shape, exchange, receive, send,
};
use crate::packets::{LEN, PACKETS, Packet, intact, stream};
use xsk::attach::AttachMode;

/// STAT_RX_DROPPED: every other packet is longer than what the headroom leaves of a chunk.
///
/// The kernel's case leaves room for 3 packets of 64 bytes; newer kernels allow no headroom above
/// 3392 bytes, which leaves 448, or 128 where they keep the room of `struct skb_shared_info` free.
pub(crate) fn stat_rx_dropped(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener = fixture.listener(Shape { headroom: 4096 - 704, ..RECEIVER });
    let mut packets = stream(PACKETS, LEN);
    for packet in packets.iter_mut().filter(|packet| packet.number % 2 == 1) {
        packet.len = 512;
    }
    let short: Vec<Packet> = packets.iter().copied().filter(|packet| packet.len == LEN).collect();
    exchange(&mut sender, &mut listener, [&packets, &short], intact);
    let statistics = || listener.socket.handle.statistics().unwrap();
    until("the last packet was dropped", || statistics().rx_dropped >= u64::from(PACKETS / 2));
    assert_eq!(statistics().rx_dropped, u64::from(PACKETS / 2));
    assert_eq!(statistics().rx_ring_full, Some(0));
    assert_eq!(statistics().fill_ring_empty, Some(0));
    drop(listener);
    fixture.end();
}

/// STAT_RX_FULL: an RX ring of 1024, 1536 packets, and a receiver that takes none. Packets that
/// found no room are counted; packets in the ring are whole.
///
/// The kernel's case gives chunks back without taking their packets; here there are 2048 of them.
pub(crate) fn stat_rx_full(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener =
        fixture.listener(Shape { rx: CHUNKS, chunks: 2 * CHUNKS, fill: 2 * CHUNKS, ..RECEIVER });
    let packets = stream(CHUNKS + CHUNKS / 2, LEN);
    let info = listener.socket.handle.clone();
    let lost = || info.statistics().unwrap().rx_ring_full.unwrap();
    let rx = &mut listener.socket.rx;
    let mut arrived = || rx.receive(u32::MAX).unwrap().len() as u32;
    send(&mut sender, &packets, BATCH, By::Kick, || arrived() + lost() as u32);
    until("all are accounted for", || arrived() + lost() as u32 == packets.len() as u32);
    assert_eq!((arrived(), lost()), (CHUNKS, u64::from(CHUNKS / 2)));
    let statistics = info.statistics().unwrap();
    assert_eq!((statistics.rx_dropped, statistics.fill_ring_empty), (0, Some(0)));
    receive(&mut listener, &packets[..CHUNKS as usize], By::Kick, intact, |_| ());
    drop((listener, info));
    fixture.end();
}

/// STAT_FILL_EMPTY: nothing is ever given to the fill ring, and each packet finds it empty.
pub(crate) fn stat_fill_empty(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener = fixture.listener(Shape { fill: 0, ..RECEIVER });
    let packets = stream(PACKETS, LEN);
    let info = listener.socket.handle.clone();
    let counted = || info.statistics().unwrap();
    send(&mut sender, &packets, BATCH, By::Kick, || counted().rx_dropped as u32);
    until("all were dropped", || counted().rx_dropped == u64::from(PACKETS));
    assert_eq!(counted().fill_ring_empty, Some(u64::from(PACKETS)));
    assert_eq!(counted().rx_ring_full, Some(0));
    assert_eq!(listener.socket.rx.receive(1).unwrap().len(), 0);
    drop((listener, info));
    fixture.end();
}
