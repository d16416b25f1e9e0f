//! Packets with their number in every word, as the kernel's suite sends them.

use xsk::{Frame, Umem};

/// What the kernel puts between the chunk's headroom and a received packet (`XDP_PACKET_HEADROOM`).
const PACKET_HEADROOM: u32 = 256;
/// An Ethernet header and two bytes that align the words after it.
pub(crate) const HEADER: usize = 16;

/// Packets of the default length.
pub(crate) const LEN: u32 = 64;
/// How many of them a case sends.
pub(crate) const PACKETS: u32 = 4096;

/// A packet to be sent or expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) number: u32,
    pub(crate) len: u32,
}

impl Packet {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        // From one locally administered address to another, of an experimental type.
        bytes[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
        let words = (0_u32..).flat_map(|at| ((self.number << 16) | at).to_be_bytes());
        bytes.extend(words.take(self.len as usize - HEADER));
        bytes
    }
}

/// Packets of one length, numbered from 0.
pub(crate) fn stream(count: u32, len: u32) -> Vec<Packet> {
    assert!(count <= 1 << 16, "a number is two bytes");
    let packet = |number| Packet { number, len };
    (0..count).map(packet).collect()
}

/// A line that the kernel's suite calls a buffer boundary: packets may lie across it where chunks
/// do.
const LINE: u64 = 4096;

/// Returns how far behind the chunk's first byte at `chunk` a packet of `len` bytes begins that has
/// its middle at a line; `None` if the chunk has no such line.
pub(crate) fn across_a_line(umem: &Umem, chunk: u64, len: u32) -> Option<u32> {
    let before = (chunk + 1).next_multiple_of(LINE) - chunk;
    let offset = u32::try_from(before).unwrap().checked_sub(len / 2)?;
    (offset + len <= umem.chunk_size()).then_some(offset)
}

/// Writes a packet into a frame of a whole chunk: where the chunk begins, and every other packet
/// across a line of 4096 bytes if the chunk has one. Chunks of a power of two have none.
#[track_caller]
pub(crate) fn lay(umem: &Umem, frame: &mut Frame, packet: Packet) {
    let offset = across_a_line(umem, frame.address(), packet.len);
    if let Some(offset) = offset.filter(|_| packet.number % 2 == 1) {
        frame.advance(offset).unwrap();
        assert_ne!(frame.address() / LINE, (frame.address() + u64::from(packet.len) - 1) / LINE);
    }
    umem.write(frame, &packet.bytes()).unwrap();
}

/// Checks that the packet is the expected one: its length, all of its bytes, and its place in the
/// chunk.
#[track_caller]
pub(crate) fn intact(umem: &Umem, frame: &mut Frame, expected: Packet) {
    assert_eq!(umem.bytes(frame), expected.bytes(), "{expected:?}");
    in_place(umem, frame);
}

/// Returns how far apart chunks of this size begin, in bytes: at even addresses.
pub(crate) fn step(chunk_size: u32) -> u64 {
    u64::from(chunk_size.next_multiple_of(2))
}

/// Checks that the packet lies behind the headroom and the kernel's 256 bytes.
#[track_caller]
pub(crate) fn in_place(umem: &Umem, frame: &Frame) {
    let offset = frame.address() % step(umem.chunk_size());
    assert_eq!(offset, u64::from(umem.headroom() + PACKET_HEADROOM));
}
