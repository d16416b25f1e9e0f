//! Sockets for packets of several frames on cards: which mode they get and why, and packets.

use crate::common::{PATIENCE, kernel_since, packet, until};
use crate::fixture::{Cards, forced, kind_is, wait_for_links};
use rustix::io::Errno;
use std::io::Write;
use xsk::attach::{AttachMode, Attachment};
use xsk::socket::{CopyReason, PacketSocket, SocketBuilder};
use xsk::test_util::test_name;
use xsk::{CopyMode, Error, FramePool, Interface, Packet, Registration, Socket, Umem};

/// Bytes of a chunk, and those of them that a received packet has: of 1500 bytes it takes two.
const CHUNK: u32 = 2048;
const HEADROOM: u32 = 1024;
const ROOM: u32 = CHUNK - 256 - HEADROOM;

fn builder(umem: &Umem, copy: CopyMode) -> SocketBuilder<PacketSocket> {
    Socket::builder(umem).copy_mode(copy).bind_timeout(PATIENCE).multi_buffer()
}

/// Binds in a mode, and drops the socket; returns whether it was zero-copy, and why.
fn bound(card: &Interface, copy: CopyMode) -> Result<(bool, CopyReason), Error> {
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    let socket = builder(&umem, copy).bind(card, 0)?;
    Ok((socket.handle.is_zero_copy(), socket.handle.copy_reason()))
}

/// What a card has for packets of several frames is what its driver reports; a socket that may have
/// any mode gets the other one and says why.
#[test]
fn a_card_without_zero_copy_for_them_is_told_from_one_without_any() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    for card in [&cards.one, &cards.two] {
        let demanded = bound(card, CopyMode::ZeroCopy);
        if !kernel_since(6, 6) {
            for refused in [demanded, bound(card, CopyMode::Auto)] {
                assert!(matches!(refused, Err(Error::NeedsKernel { version: "6.6", .. })));
            }
            continue;
        }
        let features = card.xdp_features().unwrap().unwrap();
        let segments = features.zero_copy_max_segments();
        let (zero_copy, reason) = bound(card, CopyMode::Auto).unwrap();
        let error = demanded.as_ref().err().map(Error::to_string).unwrap_or_default();
        // Past the test harness, which hides what a passing test prints.
        let _ = writeln!(
            std::io::stderr(),
            "\nnote: {}: zero-copy {}, segments {segments:?}; by default {}, {reason}; demanded: {error:?}",
            card.name(),
            features.zero_copy(),
            if zero_copy { "zero-copy" } else { "copy" },
        );
        assert_eq!(demanded.is_ok(), zero_copy, "{error}");
        match (features.zero_copy(), segments) {
            (true, Some(2..)) => assert!(zero_copy || kind_is("refusing"), "{error}"),
            (true, _) => {
                assert_eq!(demanded.unwrap_err().errno(), Some(Errno::OPNOTSUPP));
                assert_eq!(reason, CopyReason::NoMultiBuffer);
                assert!(reason.to_string().contains("for packets of several frames"), "{reason}");
                assert!(error.contains("or not for packets of several frames"), "{error}");
            }
            (false, _) => {
                assert_eq!(reason, CopyReason::Refused { errno: Errno::OPNOTSUPP });
                assert!(error.contains("has no zero-copy"), "{error}");
            }
        }
        // One for packets of one frame does not know of it.
        if let Err(other) = forced(card) {
            assert!(!other.to_string().contains("several frames"), "{other}");
        }
    }
}

/// A socket for packets of several frames on a card, and its program.
struct End {
    umem: Umem,
    pool: FramePool,
    socket: PacketSocket,
    registration: Registration,
    attachment: Attachment,
}

impl End {
    fn new(card: &Interface) -> Self {
        let umem = Umem::builder().chunk_count(1024).chunk_size(CHUNK).headroom(HEADROOM);
        let (umem, mut pool) = umem.build().unwrap();
        let mut unbound = builder(&umem, CopyMode::Auto).open().unwrap();
        assert_eq!(unbound.fill.fill_from(&mut pool, 512), Ok(512));
        let socket = unbound.bind(card, 0).unwrap();
        let attachment = Attachment::builder(card).mode(AttachMode::Native).frags(true);
        let attachment = attachment.attach().unwrap();
        let registration = socket.register(&attachment).unwrap();
        Self { umem, pool, socket, registration, attachment }
    }

    /// Sends a packet of frames of 600 bytes, and waits until its chunks are back.
    fn send(&mut self, bytes: &[u8]) {
        let Self { umem, pool, socket, .. } = self;
        let all = pool.len();
        let mut packet = None::<Packet>;
        for part in bytes.chunks(600) {
            let mut frame = pool.take().unwrap();
            umem.write(&mut frame, part).unwrap();
            match &mut packet {
                None => packet = Some(frame.into()),
                Some(packet) => packet.push(frame),
            }
        }
        socket.tx.reserve(4).unwrap().push(packet.unwrap()).unwrap();
        until("the packet is sent", || {
            socket.tx.kick_if_needed().unwrap();
            socket.completion.reap_into(pool, 64).unwrap();
            pool.len() == all
        });
    }

    /// Returns the bytes of the packets that came, with how many frames each had; of those that these
    /// tests send.
    fn receive(&mut self) -> Vec<(Vec<u8>, usize)> {
        let Self { umem, pool, socket, .. } = self;
        let (mut came, mut frames) = (Vec::new(), 0);
        for packet in socket.rx.receive(64).unwrap() {
            let bytes = umem.packet_bytes(packet.frames()).to_vec();
            frames += packet.frames().len();
            if bytes.get(12..14) == Some(&[0x88, 0xb5]) {
                came.push((bytes, packet.frames().len()));
            }
            pool.extend(packet);
        }
        let frames = frames as u32;
        assert_eq!(socket.fill.fill_from(pool, frames), Ok(frames));
        socket.fill.kick_if_needed().unwrap();
        came
    }

    fn close(self) {
        self.registration.close().unwrap();
        self.attachment.close().unwrap();
    }
}

/// Addressed to all: a card may ignore packets for another address.
fn broadcast(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = packet(number, len);
    bytes[..6].fill(0xff);
    bytes
}

#[test]
fn packets_of_several_frames_go_both_ways() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    if !kernel_since(6, 6) {
        // The other test has seen what the kernel says.
        return;
    }
    let (mut one, mut two) = (End::new(&cards.one), End::new(&cards.two));
    wait_for_links(&cards);
    let zero_copy = two.socket.handle.is_zero_copy();
    // A card may drop what comes before it is ready.
    until("a first packet", || {
        one.send(&broadcast(u32::MAX, 60));
        !two.receive().is_empty()
    });
    until("a first packet back", || {
        two.send(&broadcast(u32::MAX, 60));
        !one.receive().is_empty()
    });
    let hello = broadcast(u32::MAX, 60);
    for number in 0..64 {
        let len = [1500, 60, ROOM as usize, ROOM as usize + 1][number as usize % 4];
        let bytes = broadcast(number, len);
        for (from, to) in [(0, 1), (1, 0)] {
            let mut ends = [&mut one, &mut two];
            ends[from].send(&bytes);
            let mut came = Vec::new();
            until("the packet", || {
                came.extend(ends[to].receive());
                came.retain(|(bytes, _)| *bytes != hello);
                !came.is_empty()
            });
            assert_eq!(came.len(), 1, "packet {number}");
            assert!(came[0].0 == bytes, "packet {number} has other bytes");
            if !zero_copy {
                assert_eq!(came[0].1, len.div_ceil(ROOM as usize), "packet {number}");
            }
        }
    }
    let _ = writeln!(std::io::stderr(), "\nnote: they went both ways, zero-copy: {zero_copy}");
    one.close();
    two.close();
}
