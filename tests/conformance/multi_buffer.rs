//! Packets of several frames: of 9000 bytes, with bad frames, with too many, and changed by programs.

use crate::common::{Cable, PATIENCE, kernel_can, kernel_since, until};
use crate::fixture::{BATCH, CHUNKS, Fixture, RING};
use crate::invalid::TOO_LONG;
use crate::packets::{LEN, PACKETS, Packet, stream};
use crate::programs::{META, META_FILLING, adjust_tail_frags, metadata_copy_frags, with_frags};
use crate::raw::{Desc, RawSender};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use xsk::attach::{AttachMode, Registration};
use xsk::bpf::{Program, XskMap};
use xsk::socket::{PacketSocket, RefusalReason};
use xsk::test_util::{Namespace, VethPair};
use xsk::uapi::if_xdp::XDP_PKT_CONTD;
use xsk::{CopyMode, Frame, FramePool, Interface, Socket, Umem};

/// The MTU, and the length of the longest packets (`MAX_ETH_JUMBO_SIZE`).
const JUMBO: u32 = 9000;
/// `XSK_UMEM__LARGE_FRAME_SIZE`.
const LARGE: u32 = 3072;
/// The most packets on their way at once, so that there are chunks for them and for those of a batch.
const ON_THE_WAY: u32 = 128;

/// Size and kind of the chunks at an end.
#[derive(Debug, Clone, Copy)]
struct Chunks {
    size: u32,
    unaligned: bool,
}

const ALIGNED: Chunks = Chunks { size: 4096, unaligned: false };
const UNALIGNED: Chunks = Chunks { unaligned: true, ..ALIGNED };

/// A socket for packets of several frames, with the kernel's defaults.
struct End {
    umem: Umem,
    pool: FramePool,
    socket: PacketSocket,
    _slot: Option<Registration>,
}

impl End {
    fn new(namespace: &Namespace, interface: &Interface, chunks: Chunks, filled: u32) -> Self {
        let mut builder = Umem::builder().chunk_count(CHUNKS).chunk_size(chunks.size);
        if chunks.unaligned {
            builder = builder.unaligned();
        }
        let (umem, mut pool) = builder.build().unwrap();
        let socket = namespace.run(|| {
            let builder = Socket::builder(&umem)
                .rx_size(RING)
                .tx_size(RING)
                .fill_size(RING)
                .completion_size(RING)
                .copy_mode(CopyMode::Copy)
                .bind_timeout(PATIENCE)
                .multi_buffer();
            let mut socket = builder.open().unwrap();
            assert_eq!(socket.fill.fill_from(&mut pool, filled), Ok(filled));
            socket.bind(interface, 0).unwrap()
        });
        Self { umem, pool, socket: socket.unwrap(), _slot: None }
    }

    /// Returns the end where packets are sent.
    fn left(fixture: &Fixture, chunks: Chunks) -> Self {
        Self::new(&fixture.cable.left, fixture.cable.veth.a(), chunks, 0)
    }

    /// Returns the end where packets arrive, by way of `program`.
    fn right(fixture: &Fixture, chunks: Chunks, program: (Program, XskMap)) -> Self {
        let mut end = Self::new(&fixture.cable.right, fixture.cable.veth.b(), chunks, CHUNKS);
        end._slot = Some(end.socket.register(&fixture.attach(Some(program))).unwrap());
        end
    }

    fn pooled(&self) -> BTreeSet<u64> {
        self.pool.addresses().collect()
    }

    /// Makes a packet of as few frames as possible.
    fn packet(&mut self, bytes: &[u8]) -> Option<xsk::Packet> {
        let mut packet = self.pool.take_packet(bytes.len() as u64)?;
        self.umem.write_packet(packet.frames_mut(), bytes).unwrap();
        Some(packet)
    }

    /// Sends `packets` and gets every chunk back, the same ones. `done` returns how many packets are no
    /// longer waited for.
    #[track_caller]
    fn send(&mut self, packets: &[Packet], mut done: impl FnMut() -> u32) {
        let pooled = self.pooled();
        let mut rest = packets.iter();
        until("sending", || {
            let sent = (packets.len() - rest.len()) as u32;
            let mut room = ON_THE_WAY.saturating_sub(sent - done().min(sent)).min(BATCH);
            while room > 0 {
                let Some(packet) = rest.as_slice().first() else { break };
                let Some(made) = self.packet(&packet.bytes()) else { break };
                if let Err(refused) = self.socket.tx.reserve(BATCH).unwrap().push(made) {
                    assert!(matches!(refused.reason, RefusalReason::NoRoom { .. }), "{refused}");
                    self.pool.extend(refused.packet);
                    break;
                }
                rest.next();
                room -= 1;
            }
            self.socket.tx.kick_if_needed().unwrap();
            self.socket.completion.reap_into(&mut self.pool, BATCH).unwrap();
            rest.len() == 0 && self.pool.len() == pooled.len()
        });
        assert_eq!(self.pooled(), pooled, "every chunk came back, each once");
        assert_eq!(self.socket.handle.statistics().unwrap().tx_invalid_descs, 0);
    }

    /// Receives as many packets as `expected` has, in order, and gives the chunks back to the kernel.
    /// `check` gets each, after it was found to lie in as few frames as possible.
    #[track_caller]
    fn receive(
        &mut self,
        expected: &[Packet],
        check: impl Fn(&Umem, &mut [Frame], Packet),
        seen: impl Fn(Packet),
    ) {
        let Self { umem, pool, socket, .. } = self;
        let mut rest = expected.iter();
        until("receiving", || {
            for mut packet in socket.rx.receive(BATCH).unwrap() {
                let Some(expected) = rest.next() else {
                    panic!("one packet too many: {packet:?}");
                };
                in_place(umem, packet.frames());
                check(umem, packet.frames_mut(), *expected);
                pool.extend(packet);
                seen(*expected);
            }
            let returned = u32::try_from(pool.len()).unwrap();
            assert_eq!(socket.fill.fill_from(pool, returned), Ok(returned));
            rest.len() == 0
        });
    }

    /// Returns what comes until a packet that is `last`, as bytes.
    #[track_caller]
    fn receive_until(&mut self, last: &[u8]) -> Vec<Vec<u8>> {
        let Self { umem, pool, socket, .. } = self;
        let mut all = Vec::new();
        until("the last packet", || {
            for packet in socket.rx.receive(BATCH).unwrap() {
                in_place(umem, packet.frames());
                all.push(umem.packet_bytes(packet.frames()).to_vec());
                pool.extend(packet);
            }
            socket.fill.fill_from(pool, CHUNKS).unwrap();
            all.last().is_some_and(|bytes| bytes == last)
        });
        all
    }
}

/// Returns how many bytes of a packet a chunk has room for.
fn room(umem: &Umem) -> u64 {
    u64::from(umem.chunk_size() - umem.headroom() - 256)
}

/// Checks that each frame lies behind the headroom and the kernel's 256 bytes, and that all but the
/// last are full.
#[track_caller]
fn in_place(umem: &Umem, frames: &[Frame]) {
    for (number, frame) in (1..).zip(frames) {
        let offset = frame.address() % u64::from(umem.chunk_size());
        assert_eq!(offset, u64::from(umem.headroom() + 256), "frame {number}");
        assert!(number == frames.len() || u64::from(frame.len()) == room(umem), "{frames:?}");
    }
}

/// Checks that the packet is the expected one, in as many frames as it needs.
#[track_caller]
fn intact(umem: &Umem, frames: &mut [Frame], expected: Packet) {
    same(umem, frames, &expected.bytes());
}

#[track_caller]
fn same(umem: &Umem, frames: &[Frame], bytes: &[u8]) {
    assert_eq!(umem.packet_bytes(frames).to_vec(), bytes);
    assert_eq!(frames.len() as u64, (bytes.len() as u64).div_ceil(room(umem)));
}

/// Returns `None` on a kernel that has no such packets, and says that the case `name` does not run.
fn fixture(name: &str, mode: AttachMode) -> Option<Fixture> {
    let can = kernel_can(name, kernel_since(6, 6), "no packets of several frames before 6.6");
    let cable = || Cable::build(VethPair::builder().queues(4).mtu(JUMBO));
    can.then(|| Fixture::over(cable(), mode))
}

/// Sends `packets` from one end to the other in two threads.
fn exchange(
    from: &mut End,
    to: &mut End,
    packets: &[Packet],
    check: impl Fn(&Umem, &mut [Frame], Packet) + Send,
) {
    let seen = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let seen = &seen;
        scope.spawn(|| {
            to.receive(packets, check, |packet| seen.store(packet.number + 1, Ordering::SeqCst))
        });
        from.send(packets, || seen.load(Ordering::SeqCst));
    });
    assert_eq!(to.socket.rx.receive(1).unwrap().into_iter().count(), 0, "a packet too many");
    let statistics = to.socket.handle.statistics().unwrap();
    assert_eq!((statistics.rx_dropped, statistics.rx_ring_full), (0, Some(0)));
    if let Some(counts) = to.umem.chunk_counts() {
        assert_eq!(counts.receiving, CHUNKS as usize, "{counts:?}");
    }
}

fn jumbo(name: &str, mode: AttachMode, from: Chunks, to: Chunks) {
    let Some(fixture) = fixture(name, mode) else { return };
    let mut sender = End::left(&fixture, from);
    let mut receiver = End::right(&fixture, to, with_frags());
    exchange(&mut sender, &mut receiver, &stream(PACKETS, JUMBO), intact);
    drop(receiver);
    fixture.end();
}

/// SEND_RECEIVE_9K_PACKETS: packets of 9000 bytes, in three frames.
pub(crate) fn send_receive_9k_packets(mode: AttachMode) {
    jumbo("send_receive_9k_packets", mode, ALIGNED, ALIGNED);
}

/// SEND_RECEIVE_UNALIGNED_9K_PACKETS: the same in unaligned chunks of 4096 bytes, and of 3000, where
/// they are four frames, some across a line of 4096 bytes.
pub(crate) fn send_receive_unaligned_9k_packets(mode: AttachMode) {
    let name = "send_receive_unaligned_9k_packets";
    jumbo(name, mode, UNALIGNED, UNALIGNED);
    let odd = Chunks { size: 3000, unaligned: true };
    jumbo(name, mode, odd, odd);
}

/// A frame to be published, by the number of its chunk, and how far behind its first byte it begins.
#[derive(Debug, Clone, Copy)]
struct Piece {
    chunk: u32,
    offset: i64,
    len: u32,
    options: u32,
}

/// Returns the first `len` bytes of a chunk.
fn piece(chunk: u32, len: u32) -> Piece {
    Piece { chunk, offset: 0, len, options: 0 }
}

impl Piece {
    fn address(self) -> u64 {
        u64::from(self.chunk * 4096).wrapping_add_signed(self.offset)
    }
}

/// Returns what is in the memory of a sender without the crate: each word of four bytes has its own
/// number.
fn memory(bytes: std::ops::Range<u64>) -> Vec<u8> {
    bytes.map(|at| ((at / 4) as u32).to_be_bytes()[at as usize % 4]).collect()
}

/// A list of packets to be published together, each of frames.
#[derive(Default)]
struct Plan {
    descs: Vec<(Desc, u32)>,
    /// What is to arrive.
    good: Vec<Vec<u8>>,
    /// Where the frames of that begin.
    addresses: BTreeSet<u64>,
    /// How many bad packets there are, and how many frames they have.
    bad: [u64; 2],
    /// What is behind the frame that makes a packet a bad one, and the same with that frame. Older
    /// kernels take the one or the other for a packet.
    rests: Vec<Vec<u8>>,
}

impl Plan {
    fn publish(&mut self, pieces: &[Piece]) {
        for (number, piece) in (1..).zip(pieces) {
            let contd = if number == pieces.len() { 0 } else { XDP_PKT_CONTD };
            let desc = Desc { address: piece.address(), len: piece.len };
            self.descs.push((desc, piece.options | contd));
        }
    }

    fn good(&mut self, pieces: &[Piece]) {
        self.publish(pieces);
        self.good.push(bytes_of(pieces));
        self.addresses.extend(pieces.iter().map(|piece| piece.address()));
    }

    /// Adds a packet in which the frame of this number is not valid, or the first one too many.
    fn bad(&mut self, at: usize, pieces: &[Piece]) {
        self.publish(pieces);
        self.bad[0] += 1;
        self.bad[1] += pieces.len() as u64;
        for rest in [&pieces[at + 1..], &pieces[at..]] {
            self.rests.extend((!rest.is_empty()).then(|| bytes_of(rest)));
        }
    }

    /// Publishes everything three times, and checks what arrives and what comes back.
    fn run(&self, fixture: &Fixture, receiver: &mut End, unaligned: bool) {
        let left = fixture.cable.veth.a();
        let raw = || RawSender::new(left, CHUNKS as usize, 4096, unaligned);
        let mut raw = fixture.cable.left.run(raw).unwrap();
        raw.write_bytes(0, &memory(0..u64::from(CHUNKS * 4096)));
        for round in 1..=3 {
            let mut back = raw.send_with_options(&self.descs);
            let mut came = receiver.receive_until(self.good.last().unwrap());
            let all = came.len();
            came.retain(|bytes| !self.rests.contains(bytes));
            assert!(came == self.good, "round {round}: {} packets of {all}", came.len());
            let rests = all - came.len();
            assert!(rests as u64 <= self.bad[0], "round {round}: {rests} rests");
            // Newer kernels count each frame of a bad packet, older ones some.
            let frames = self.bad[1] * round;
            let counted = raw.refused();
            let expected = if rests == 0 { frames..=frames } else { 0..=frames };
            assert!(expected.contains(&counted), "round {round}: {counted} refused");
            until("the completions of what was sent", || {
                raw.reap(&mut back);
                self.addresses.iter().all(|address| back.contains(address))
            });
        }
    }
}

fn bytes_of(pieces: &[Piece]) -> Vec<u8> {
    let range = |piece: &Piece| piece.address()..piece.address() + u64::from(piece.len);
    pieces.iter().flat_map(|piece| memory(range(piece))).collect()
}

/// ALIGNED_INV_DESC_MULTI_BUFF: one frame of a packet is not valid, and all of the packet is left out.
pub(crate) fn aligned_inv_desc_multi_buff(mode: AttachMode) {
    invalid("aligned_inv_desc_multi_buff", mode, ALIGNED);
}

/// UNALIGNED_INV_DESC_MULTI_BUFF: the same, where a frame may cross the border between two chunks.
pub(crate) fn unaligned_inv_desc_multi_buff(mode: AttachMode) {
    invalid("unaligned_inv_desc_multi_buff", mode, UNALIGNED);
}

fn invalid(name: &str, mode: AttachMode, chunks: Chunks) {
    let Some(fixture) = fixture(name, mode) else { return };
    let mut receiver = End::right(&fixture, chunks, with_frags());
    invalid_by_frames(&fixture, &mut receiver, chunks);

    let mut plan = Plan::default();
    plan.good(&[piece(0, LEN)]);
    // An empty frame.
    plan.bad(1, &[piece(1, LARGE), piece(2, 0)]);
    // Behind the memory.
    plan.bad(1, &[piece(3, LARGE), piece(CHUNKS, LARGE)]);
    // Too long, in the middle.
    plan.bad(1, &[piece(4, LARGE), piece(5, TOO_LONG), piece(6, LARGE)]);
    // An option that there is not, in the middle.
    let unknown = Piece { options: 4, ..piece(8, LARGE) };
    plan.bad(1, &[piece(7, LARGE), unknown, piece(9, LARGE)]);
    // Two frames that are three when they arrive.
    plan.good(&[piece(10, 4096), piece(11, 4096)]);
    // Across the border of a chunk, in the middle.
    let across = Piece { offset: -i64::from(LEN / 2), ..piece(13, LEN) };
    let packet = [piece(14, LARGE), across, piece(15, LARGE)];
    if chunks.unaligned {
        plan.good(&packet);
    } else {
        plan.bad(1, &packet);
    }
    // In step again.
    plan.good(&[piece(16, LEN)]);
    plan.run(&fixture, &mut receiver, chunks.unaligned);
    drop(receiver);
    fixture.end();
}

/// The frames of a packet go up to each border and not beyond.
fn invalid_by_frames(fixture: &Fixture, receiver: &mut End, chunks: Chunks) {
    let mut sender = End::left(fixture, chunks);
    let all = sender.pooled();
    let End { umem, pool, socket, .. } = &mut sender;
    let mut frames: Vec<Frame> = std::iter::from_fn(|| pool.take()).collect();
    // The last one ends with the memory.
    let last = frames.pop().unwrap();
    assert_eq!(last.address(), u64::from((CHUNKS - 1) * 4096));
    let mut middle = frames.pop().unwrap();
    middle.advance(4096 - LEN).unwrap();
    let mut packet = xsk::Packet::new(frames.pop().unwrap());
    packet.push(middle);
    packet.push(last);
    pool.extend(frames);
    for (number, frame) in (0..).zip(packet.frames_mut()) {
        let room = if number == 1 { LEN } else { 4096 };
        frame.advance(room).unwrap_err();
        umem.grow_front(frame, 4096 - room + 1).unwrap_err();
        for bad in [0, room + 1, TOO_LONG, u32::MAX] {
            umem.set_len(frame, bad).unwrap_err();
        }
    }
    let expected = Packet { number: 7, len: 4096 + LEN + 4096 };
    umem.write_packet(packet.frames_mut(), &vec![0; expected.len as usize + 1]).unwrap_err();
    umem.write_packet(packet.frames_mut(), &expected.bytes()).unwrap();
    socket.tx.reserve(3).unwrap().push(packet).unwrap();
    until("the packet has gone", || {
        sender.socket.tx.kick().unwrap();
        sender.socket.completion.reap_into(&mut sender.pool, BATCH).unwrap();
        sender.pooled() == all
    });
    receiver.receive(&[expected], intact, |_| ());
    assert_eq!(sender.socket.handle.statistics().unwrap().tx_invalid_descs, 0);
}

/// TOO_MANY_FRAGS: as many frames as the kernel takes; one more; and many more.
pub(crate) fn too_many_frags(mode: AttachMode) {
    let Some(fixture) = fixture("too_many_frags", mode) else { return };
    let mut receiver = End::right(&fixture, ALIGNED, with_frags());

    // By this crate: the packet with one frame more comes back.
    let mut sender = End::left(&fixture, ALIGNED);
    let all = sender.pooled();
    let most = sender.socket.tx.max_frames();
    let expected = Packet { number: 7, len: most * LEN };
    let bytes = [expected.bytes(), vec![0; LEN as usize]].concat();
    let End { umem, pool, socket, .. } = &mut sender;
    for frames in [most + 1, most] {
        let mut frame = |_| {
            let mut frame = pool.take().unwrap();
            frame.truncate(LEN).unwrap();
            frame
        };
        let mut packet = xsk::Packet::new(frame(0));
        (1..frames).for_each(|number| packet.push(frame(number)));
        umem.write_packet(packet.frames_mut(), &bytes[..(frames * LEN) as usize]).unwrap();
        match socket.tx.reserve(BATCH).unwrap().push(packet) {
            Ok(()) => assert_eq!(frames, most),
            Err(refused) => {
                assert_eq!((frames, refused.packet.frames().len()), (most + 1, frames as usize));
                assert_eq!(refused.reason, RefusalReason::TooManyFrames { limit: most });
                pool.extend(refused.packet);
            }
        }
    }
    until("the packet has gone", || {
        sender.socket.tx.kick().unwrap();
        sender.socket.completion.reap_into(&mut sender.pool, BATCH).unwrap();
        sender.pooled() == all
    });
    receiver.receive(&[expected], intact, |_| ());
    assert_eq!(sender.socket.handle.statistics().unwrap().tx_invalid_descs, 0);
    drop(sender);

    let pieces = |first: u32, count: u32| -> Vec<Piece> {
        (first..first + count).map(|chunk| piece(chunk, LEN)).collect()
    };
    let mut plan = Plan::default();
    let most_at = most as usize;
    plan.good(&pieces(0, 1));
    plan.good(&pieces(100, most));
    plan.bad(most_at, &pieces(200, most + 1));
    plan.good(&pieces(300, 1));
    plan.bad(most_at, &pieces(400, most + 8));
    plan.good(&pieces(500, 1));
    plan.run(&fixture, &mut receiver, false);
    drop(receiver);
    fixture.end();
}

/// XDP_METADATA_COPY_MULTI_BUFF: what the program writes before the packet is before its first frame.
pub(crate) fn xdp_metadata_copy_multi_buff(mode: AttachMode) {
    let Some(fixture) = fixture("xdp_metadata_copy_multi_buff", mode) else { return };
    let mut sender = End::left(&fixture, ALIGNED);
    let mut receiver = End::right(&fixture, ALIGNED, metadata_copy_frags());
    exchange(&mut sender, &mut receiver, &stream(PACKETS, JUMBO), |umem, frames, packet| {
        intact(umem, frames, packet);
        let first = &mut frames[0];
        umem.grow_front(first, META).unwrap();
        let mut meta = u64::from(packet.number).to_ne_bytes().to_vec();
        meta.extend([META_FILLING; 6].map(u32::to_ne_bytes).as_flattened());
        assert_eq!(umem.bytes(first)[..META as usize], meta);
    });
    drop(receiver);
    fixture.end();
}

/// XDP_ADJUST_TAIL_SHRINK_MULTI_BUFF: the program takes 4096 bytes off.
pub(crate) fn xdp_adjust_tail_shrink_multi_buff(mode: AttachMode) {
    tail("xdp_adjust_tail_shrink_multi_buff", mode, -4096);
}

/// XDP_ADJUST_TAIL_GROW_MULTI_BUFF: the program adds 2047 bytes, of which the last four are the
/// packet's number. Where the kernel refuses that for all packets (`EOPNOTSUPP`: veth says of no
/// fragment how much room it has), they come as they were.
pub(crate) fn xdp_adjust_tail_grow_multi_buff(mode: AttachMode) {
    tail("xdp_adjust_tail_grow_multi_buff", mode, 2047);
}

fn tail(name: &str, mode: AttachMode, delta: i32) {
    let Some(fixture) = fixture(name, mode) else { return };
    let mut sender = End::left(&fixture, ALIGNED);
    let mut receiver = End::right(&fixture, ALIGNED, adjust_tail_frags(delta));
    let refused = AtomicU32::new(0);
    let packets = stream(PACKETS, 2 * LARGE);
    exchange(&mut sender, &mut receiver, &packets, |umem, frames, packet| {
        let (sent, came) = (packet.bytes(), umem.packet_bytes(frames).to_vec());
        let error = rustix::io::Errno::OPNOTSUPP.raw_os_error().wrapping_neg();
        let mut expected = sent.clone();
        if delta > 0 && came[..4] == error.to_ne_bytes() {
            refused.fetch_add(1, Ordering::SeqCst);
            expected[..4].copy_from_slice(&error.to_ne_bytes());
        } else {
            expected.resize(sent.len().wrapping_add_signed(delta as isize), 0);
        }
        if expected.len() > sent.len() {
            let end = expected.len() - 4;
            let number = (packet.number as u16).to_be_bytes();
            expected[end..].copy_from_slice([number; 2].as_flattened());
        }
        same(umem, frames, &expected);
    });
    let refused = refused.into_inner();
    assert!([0, PACKETS].contains(&refused), "{refused} of {PACKETS}");
    drop(receiver);
    fixture.end();
}
