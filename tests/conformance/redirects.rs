//! Programs other than the default one.

use crate::fixture::{Fixture, Listener, RECEIVER, SENDER, Shape, exchange};
use crate::packets::{LEN, PACKETS, Packet, in_place, intact, stream};
use crate::programs::{META, META_FILLING, adjust_tail, drop_half, metadata_copy, slot_zero};
use crate::traffic::all_arrive;
use std::os::fd::AsFd;
use xsk::attach::AttachMode;
use xsk::bpf::SlotProbe;

/// XDP_PROG_CLEANUP: two sockets at each end; the second takes the slot of the first, which stays
/// open, and whose later end does not disturb the second.
///
/// The kernel's case has both sockets on one queue, by XDP_SHARED_UMEM; here each has its own
/// queue, and the program sends everything to one slot, as the kernel's does.
pub(crate) fn xdp_prog_cleanup(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let on = |shape, queue| Shape { queue, ..shape };
    let mut from = [0, 1].map(|queue| fixture.left(on(SENDER, fixture.sending_queue(queue))));
    let attachment = fixture.attach(Some(slot_zero()));
    let mut first = Listener::new(fixture.right(on(RECEIVER, 0)), &attachment);
    let mut second = fixture.right(on(RECEIVER, 1));
    let packets = stream(PACKETS, LEN);
    all_arrive(&mut from[0], &mut first, &packets);

    let map = attachment.map();
    map.replace(0, second.socket.as_fd()).unwrap();
    all_arrive(&mut from[1], &mut second, &packets);
    assert_eq!(first.socket.rx.receive(1).unwrap().len(), 0);
    // The end of the first socket leaves the slot to the second.
    drop(first);
    assert_eq!(SlotProbe::new(map).unwrap().occupied().unwrap(), [0]);
    all_arrive(&mut from[1], &mut second, &packets);
    // When the second ends, the slot is empty.
    drop(second);
    let probe = SlotProbe::new(map).unwrap();
    crate::common::until("the slot is empty", || probe.occupied().unwrap().is_empty());
    attachment.close().unwrap();
    fixture.end();
}

/// XDP_DROP_HALF: the program drops every other packet.
pub(crate) fn xdp_drop_half(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener = fixture.listener_by(drop_half());
    let packets = stream(PACKETS, LEN);
    let half: Vec<Packet> =
        packets.iter().copied().filter(|packet| packet.number % 2 == 0).collect();
    exchange(&mut sender, &mut listener, [&packets, &half], intact);
    assert_eq!(listener.socket.handle.statistics().unwrap().rx_dropped, 0);
    drop(listener);
    fixture.end();
}

/// XDP_METADATA_COPY: what the program writes before the packet is before it in the chunk.
pub(crate) fn xdp_metadata_copy(mode: AttachMode) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener = fixture.listener_by(metadata_copy());
    let packets = stream(PACKETS, LEN);
    exchange(&mut sender, &mut listener, [&packets, &packets], |umem, frame, packet| {
        intact(umem, frame, packet);
        umem.grow_front(frame, META).unwrap();
        let mut meta = u64::from(packet.number).to_ne_bytes().to_vec();
        meta.extend([META_FILLING; 6].map(u32::to_ne_bytes).as_flattened());
        assert_eq!(umem.bytes(frame)[..META as usize], meta);
    });
    drop(listener);
    fixture.end();
}

/// XDP_ADJUST_TAIL_SHRINK: the program takes 4 bytes off.
pub(crate) fn xdp_adjust_tail_shrink(mode: AttachMode) {
    tail(mode, LEN, -4, |packet| {
        let mut bytes = packet.bytes();
        bytes.truncate(LEN as usize - 4);
        bytes
    });
}

/// XDP_ADJUST_TAIL_GROW: the program adds 4 bytes and writes the packet's number into them.
///
/// To packets of 60 bytes: a native veth copies each into a buffer whose room for data is a
/// multiple of 64 bytes, so one of 64 has no room to grow, unless it is the last in its page (seen
/// on 6.18: one in six grew).
pub(crate) fn xdp_adjust_tail_grow(mode: AttachMode) {
    tail(mode, LEN - 4, 4, |packet| {
        let mut bytes = packet.bytes();
        let number = (packet.number as u16).to_be_bytes();
        bytes.extend([number; 2].as_flattened());
        bytes
    });
}

fn tail(mode: AttachMode, len: u32, delta: i32, becomes: fn(Packet) -> Vec<u8>) {
    let fixture = Fixture::new(mode);
    let mut sender = fixture.left(SENDER);
    let mut listener = fixture.listener_by(adjust_tail(len as i16, delta));
    let packets = stream(PACKETS, len);
    let both = [packets.as_slice(); 2];
    exchange(&mut sender, &mut listener, both, |umem, frame, packet| {
        assert_eq!(umem.bytes(frame), becomes(packet), "{packet:?}");
        in_place(umem, frame);
    });
    drop(listener);
    fixture.end();
}
