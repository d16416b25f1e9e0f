//! TX metadata: checksums, the time of sending and launch times, over a fake kernel and over a cable.

#[path = "../common/mod.rs"]
mod common;
mod edges;

use common::{AtCable, Cable, PATIENCE, attach, until};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;
use xsk::attach::AttachMode;
use xsk::packet::{TxClock, TxMetadata};
use xsk::socket::{MetadataCompletion, MetadataRefusal, MetadataTx};
use xsk::test_util::{ChunkAudit, FakeKernel, privileged};
use xsk::umem::UmemBuilder;
use xsk::{FramePool, Port, Socket, Umem};

/// Returns a UDP packet over IPv4 without options and without a checksum.
fn udp(payload: &[u8]) -> Vec<u8> {
    let length = |more: usize| u16::try_from(payload.len() + more).unwrap().to_be_bytes();
    let mut packet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0].to_vec();
    packet.extend([0x45, 0]);
    packet.extend(length(28));
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([0, 9, 0, 9]);
    packet.extend(length(8));
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// Returns whether the UDP checksum of such a packet is right, by the definition of RFC 768 and not by
/// the library.
fn is_right(packet: &[u8]) -> bool {
    let udp = &packet[34..];
    let mut bytes = packet[26..34].to_vec();
    bytes.extend([0, 17]);
    bytes.extend(&udp[4..6]);
    bytes.extend(udp);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    let words = bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let mut sum: u32 = words.sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    packet[40..42] != [0, 0] && sum == 0xffff
}

/// A socket over a fake kernel.
struct Fake {
    umem: Umem,
    pool: FramePool,
    kernel: FakeKernel,
    tx: MetadataTx,
    completion: MetadataCompletion,
}

fn fake(builder: UmemBuilder) -> Fake {
    let (umem, pool) = builder.tx_metadata().build().unwrap();
    let (kernel, socket) = FakeKernel::new(&umem).unwrap();
    let (tx, completion) = socket.tx.with_metadata(socket.completion).unwrap();
    Fake { umem, pool, kernel, tx, completion }
}

impl Fake {
    /// Sends a packet and has it completed; returns what was sent, and the time that came back.
    fn round(&mut self, bytes: &[u8], asked: Option<TxMetadata>) -> (Vec<u8>, Option<u64>) {
        let Self { umem, pool, kernel, tx, completion } = self;
        let mut frame = pool.take().unwrap();
        umem.write(&mut frame, bytes).unwrap();
        let mut slots = tx.reserve(1).unwrap();
        match asked {
            Some(asked) => slots.push_with(frame, asked).unwrap(),
            None => slots.push(frame).unwrap(),
        }
        drop(slots);
        tx.kick_if_needed().unwrap();
        let sent = kernel.transmit().unwrap();
        assert_eq!(kernel.complete(1), 1);
        let mut frames = completion.reap(8).unwrap();
        let (frame, time) = frames.next().unwrap();
        assert!(frames.next().is_none());
        pool.put(frame);
        assert_eq!(time.map(|time| time.clock), time.map(|_| TxClock::Tai));
        (sent, time.map(|time| time.nanoseconds))
    }
}

fn shapes() -> [UmemBuilder; 3] {
    let builder = Umem::builder().chunk_count(4);
    [builder.clone(), builder.clone().chunk_size(2048), builder.chunk_size(3001).unaligned()]
}

#[test]
fn a_time_comes_back_with_the_frame_that_it_was_asked_for() {
    for shape in shapes() {
        let mut fake = fake(shape);
        for round in 1..20_u64 {
            fake.kernel.set_tx_time(round << 40);
            let asked = TxMetadata::new().timestamp();
            let asked = (round % 3 != 0).then_some(asked);
            let (sent, time) = fake.round(b"a packet", asked);
            assert_eq!(sent, b"a packet");
            assert_eq!(time, asked.map(|_| round << 40), "round {round}");
        }
        ChunkAudit::of(&fake.umem).pool(&fake.pool).rings(&fake.kernel).check().unwrap();
    }
}

/// The room before the packet still has the request, and the time, of the packet before.
#[test]
fn the_time_of_an_earlier_packet_is_never_believed() {
    let mut fake = fake(Umem::builder().chunk_count(1));
    let asked = TxMetadata::new().timestamp();
    assert_eq!(fake.round(b"first", Some(asked)).1, Some(1 << 40));
    assert_eq!(fake.round(b"plain", None).1, None);
    let other = TxMetadata::new().checksum(0, 2);
    assert_eq!(fake.round(b"other", Some(other)).1, None);
}

/// A driver that has no times leaves the request where the time would be.
#[test]
fn a_time_that_was_not_written_is_none() {
    let mut fake = fake(Umem::builder().chunk_count(1));
    fake.kernel.set_tx_time(0xffff_ffff);
    let asked = TxMetadata::new().timestamp();
    assert_eq!(fake.round(b"a packet", Some(asked)).1, None);
}

#[test]
fn the_checksum_that_was_asked_for_is_written() {
    for shape in shapes() {
        let mut fake = fake(shape);
        let mut packet = udp(b"some payload of an odd length");
        assert!(!is_right(&packet));
        let asked = TxMetadata::for_transport(&mut packet).unwrap();
        assert_eq!(asked, TxMetadata::new().checksum(34, 6));
        let (sent, _) = fake.round(&packet, Some(asked.timestamp()));
        assert!(is_right(&sent), "{sent:02x?}");
        let (sent, _) = fake.round(&packet, None);
        assert_eq!(sent, packet);
    }
}

#[test]
fn only_udp_and_tcp_have_a_checksum_to_ask_for() {
    let mut icmp = udp(b"data");
    icmp[23] = 1;
    let before = icmp.clone();
    assert_eq!(TxMetadata::for_transport(&mut icmp), None);
    assert_eq!(TxMetadata::for_transport(&mut icmp[..20]), None);
    assert_eq!(icmp, before);
}

/// Group 32 of the table in tests/README.md: what the kernel refuses for ever, completing the same
/// chunk at each call.
#[test]
fn a_checksum_outside_of_the_packet_is_refused() {
    let mut fake = fake(Umem::builder().chunk_count(4));
    for (start, offset, len, fits) in [
        (0, 0, 2, true),
        (0, 0, 1, false),
        (34, 6, 42, true),
        (34, 6, 41, false),
        (u16::MAX, u16::MAX, 4072, false),
        (4070, 0, 4072, true),
        (4071, 0, 4072, false),
    ] {
        let mut frame = fake.pool.take().unwrap();
        frame.truncate(len).unwrap();
        let asked = TxMetadata::new().checksum(start, offset);
        let mut slots = fake.tx.reserve(1).unwrap();
        match slots.push_with(frame, asked) {
            Ok(()) => assert!(fits, "{start} {offset} {len}"),
            Err(refused) => {
                assert!(!fits, "{start} {offset} {len}");
                let MetadataRefusal::ChecksumOutside { len: of, .. } = refused.reason else {
                    panic!("{refused}")
                };
                assert_eq!(of, len);
                fake.pool.put(refused.frame);
                assert_eq!(slots.remaining(), 1);
            }
        }
        drop(slots);
        fake.tx.kick().unwrap();
        assert_eq!(fake.kernel.transmit_unread(1), u32::from(fits));
        assert_eq!(fake.kernel.complete(1), u32::from(fits));
        fake.completion.reap_into(&mut fake.pool, 1).unwrap();
    }
    assert_eq!(fake.pool.len(), 4);
}

#[test]
fn without_a_slot_the_frame_comes_back() {
    let mut fake = fake(Umem::builder().chunk_count(4));
    let frame = fake.pool.take().unwrap();
    let mut slots = fake.tx.reserve(0).unwrap();
    let refused = slots.push_with(frame, TxMetadata::new().timestamp()).unwrap_err();
    assert_eq!(refused.reason, MetadataRefusal::NoRoom);
    let refused = slots.push(refused.frame).unwrap_err();
    assert_eq!(refused.reason, MetadataRefusal::NoRoom);
    // The ring has room.
    let text = "a packet was not sent: no reserved slot of the TX ring is left";
    assert_eq!(refused.to_string(), text);
    fake.pool.put(refused.frame);
}

/// Group 31 of the table in tests/README.md: each descriptor leaves room, whether it has metadata or
/// not.
#[test]
fn no_frame_begins_in_the_room_for_metadata() {
    for shape in shapes() {
        let size = u64::from(shape.clone().build().unwrap().0.chunk_size());
        let (umem, mut pool) = shape.tx_metadata().build().unwrap();
        let mut frame = pool.take().unwrap();
        assert_eq!((frame.address() % size, u64::from(frame.len())), (24, size - 24));
        umem.grow_front(&mut frame, 1).unwrap_err();
        frame.advance(10).unwrap();
        umem.grow_front(&mut frame, 11).unwrap_err();
        umem.grow_front(&mut frame, 10).unwrap();
        assert_eq!(frame.address() % size, 24);
        pool.put(frame);
        umem.for_each_free_chunk(&mut pool, |bytes| assert_eq!(bytes.len() as u64, size - 24));
        let packet = pool.take_packet(2 * (size - 24)).unwrap();
        assert_eq!(packet.frames().len(), 2);
        pool.extend(packet);
    }
}

#[test]
fn a_umem_without_room_has_no_metadata() {
    let (umem, _pool) = Umem::builder().chunk_count(4).build().unwrap();
    let (_kernel, socket) = FakeKernel::new(&umem).unwrap();
    let refused = socket.tx.with_metadata(socket.completion).unwrap_err().to_string();
    assert!(refused.contains("`UmemBuilder::tx_metadata`"), "{refused}");
}

#[test]
#[should_panic(expected = "that of another socket")]
fn the_completion_ring_is_the_sockets_own() {
    let (umem, _pool) = Umem::builder().chunk_count(4).tx_metadata().build().unwrap();
    let (_kernel, socket) = FakeKernel::new(&umem).unwrap();
    let (_other_kernel, other) = FakeKernel::new(&umem).unwrap();
    let _ = socket.tx.with_metadata(other.completion);
}

/// A sender with room for TX metadata at the left end of a cable, which is attached to nothing, and a
/// receiver at the right end.
struct Pair {
    cable: Cable,
    umem: Umem,
    pool: FramePool,
    socket: Option<Socket>,
    right: Port,
}

impl Pair {
    fn new(builder: UmemBuilder) -> Self {
        let cable = Cable::new(1);
        let (umem, pool) = builder.chunk_count(256).build().unwrap();
        let bind = || Socket::builder(&umem).bind_timeout(PATIENCE).bind(cable.veth.a(), 0);
        let socket = Some(cable.left.run(bind).unwrap().unwrap());
        let mut right = Port::right(&cable);
        right.fill();
        Self { cable, umem, pool, socket, right }
    }

    /// Receives the next packet.
    fn receive(right: &mut Port) -> Vec<u8> {
        let mut received = None;
        until("a packet to come", || {
            if let Some(frame) = right.socket.rx.receive(1).unwrap().into_iter().next() {
                received = Some(right.umem.bytes(&frame).to_vec());
                right.pool.put(frame);
                right.socket.fill.fill_from(&mut right.pool, 1).unwrap();
            }
            received.is_some()
        });
        received.unwrap()
    }
}

/// Returns the time of `CLOCK_TAI`.
fn tai() -> u64 {
    let now = rustix::time::clock_gettime_dynamic(rustix::time::DynamicClockId::Tai).unwrap();
    let now = u64::try_from(Duration::new(now.tv_sec as u64, now.tv_nsec as u32).as_nanos());
    let (now, read) = (now.unwrap(), TxClock::Tai.now().unwrap());
    assert!(read >= now && read - now < 1_000_000_000, "{now} {read}");
    assert_eq!(TxClock::Card.now(), None);
    now
}

#[test]
fn the_kernel_writes_the_time_and_the_checksum() {
    if !privileged!()
        || !common::kernel_can(
            "the_kernel_writes_the_time_and_the_checksum",
            common::kernel_since(6, 8),
            "no TX metadata before 6.8",
        )
    {
        return;
    }
    for unaligned in [false, true] {
        let mut builder = Umem::builder().software_checksum();
        if unaligned {
            builder = builder.chunk_size(3000).unaligned();
        }
        let mut pair = Pair::new(builder);
        let slot = attach(&pair.cable.right, pair.cable.veth.b(), AttachMode::Native, &pair.right);
        let socket = pair.socket.take().unwrap();
        let handle = socket.handle.clone();
        let (mut tx, mut completion) = socket.tx.with_metadata(socket.completion).unwrap();
        for round in 0..100_u32 {
            let mut packet = udp(&round.to_be_bytes().repeat(9));
            let asked = TxMetadata::for_transport(&mut packet).unwrap();
            let asked = match round % 4 {
                0 => None,
                1 => Some(TxMetadata::new().timestamp()),
                2 => Some(asked),
                _ => Some(asked.timestamp()),
            };
            let mut frame = pair.pool.take().unwrap();
            // The completion is without the lowest bit of an odd address.
            frame.advance(round / 4 % 2).unwrap();
            pair.umem.write(&mut frame, &packet).unwrap();
            let before = tai();
            let mut slots = tx.reserve(1).unwrap();
            match asked {
                Some(asked) => slots.push_with(frame, asked).unwrap(),
                None => slots.push(frame).unwrap(),
            }
            drop(slots);
            tx.kick_if_needed().unwrap();
            let received = Pair::receive(&mut pair.right);
            assert_eq!(is_right(&received), round % 4 >= 2, "{round}: {received:02x?}");
            assert_eq!(received[42..], packet[42..]);
            let mut time = None;
            until("the completion", || {
                let Some((frame, sent)) = completion.reap(1).unwrap().next() else { return false };
                time = sent;
                pair.pool.put(frame);
                true
            });
            assert_eq!(time.is_some(), round % 2 == 1, "{round}");
            if let Some(time) = time {
                assert_eq!(time.clock, TxClock::Tai);
                assert!((before..=tai()).contains(&time.nanoseconds), "{time:?}");
            }
        }
        let statistics = handle.statistics().unwrap();
        assert_eq!(statistics.tx_invalid_descs, 0);
        assert_eq!(pair.pool.len(), 256);
        drop(slot);
    }
}

/// An ordinary TX ring over such memory leaves the room, too: the kernel takes its descriptors.
#[test]
fn packets_without_metadata_go_over_the_same_memory() {
    if !privileged!()
        || !common::kernel_can(
            "packets_without_metadata_go_over_the_same_memory",
            common::kernel_since(6, 8),
            "no TX metadata before 6.8",
        )
    {
        return;
    }
    let mut pair = Pair::new(Umem::builder().tx_metadata());
    let slot = attach(&pair.cable.right, pair.cable.veth.b(), AttachMode::Native, &pair.right);
    let mut socket = pair.socket.take().unwrap();
    let packet = udp(b"by the ordinary ring");
    pair.umem.for_each_free_chunk(&mut pair.pool, |bytes| {
        bytes[..packet.len()].copy_from_slice(&packet);
    });
    assert_eq!(socket.tx.send_from(&mut pair.pool, 8, packet.len() as u32), Ok(8));
    let umem = &pair.umem;
    let written = socket.tx.send_each(&mut pair.pool, 8, |frame| {
        umem.write(frame, &packet).unwrap();
    });
    assert_eq!(written, Ok(8));
    socket.tx.kick_if_needed().unwrap();
    for _ in 0..16 {
        assert_eq!(Pair::receive(&mut pair.right), packet);
    }
    until("the completions", || {
        socket.completion.reap_into(&mut pair.pool, 16).unwrap();
        pair.pool.len() == 256
    });
    assert_eq!(socket.handle.statistics().unwrap().tx_invalid_descs, 0);
    drop(slot);
}

/// The packet would be sent at once.
#[test]
fn a_launch_time_is_refused_where_the_driver_has_none() {
    if !privileged!()
        || !common::kernel_can(
            "a_launch_time_is_refused_where_the_driver_has_none",
            common::kernel_since(6, 8),
            "no TX metadata before 6.8",
        )
    {
        return;
    }
    let mut pair = Pair::new(Umem::builder().tx_metadata());
    let features = pair.cable.veth.a().xdp_features().unwrap().unwrap();
    assert!(!features.tx_launch_time() && !features.tx_checksum() && !features.tx_timestamp());
    let socket = pair.socket.take().unwrap();
    let (mut tx, _completion) = socket.tx.with_metadata(socket.completion).unwrap();
    let frame = pair.pool.take().unwrap();
    let asked = TxMetadata::new().launch_time(tai() + 1_000_000);
    let refused = tx.reserve(1).unwrap().push_with(frame, asked).unwrap_err();
    assert_eq!(refused.reason, MetadataRefusal::NoLaunchTime);
    pair.pool.put(refused.frame);
}

/// A step of a random program.
#[derive(Debug, Clone)]
enum Step {
    /// Sends a frame of the pool, or one that was received, with these requests.
    Send {
        received: bool,
        advance: u32,
        len: u32,
        asked: Option<(bool, bool)>,
    },
    Deliver,
    Transmit,
    Complete(u32),
    Reap(u32),
    ReapIntoPool(u32),
}

fn any_step() -> impl Strategy<Value = Step> {
    let send = (any::<bool>(), 0..40_u32, 4..200_u32, any::<Option<(bool, bool)>>());
    prop_oneof![
        4 => send.prop_map(|(received, advance, len, asked)| {
            Step::Send { received, advance, len, asked }
        }),
        1 => Just(Step::Deliver),
        3 => Just(Step::Transmit),
        2 => (1..4_u32).prop_map(Step::Complete),
        2 => (1..4_u32).prop_map(Step::Reap),
        1 => (1..4_u32).prop_map(Step::ReapIntoPool),
    ]
}

proptest! {
    /// Whatever was sent from a chunk before, by whatever frame: a time comes back exactly with the
    /// packets for which it was asked, and it is theirs.
    #[test]
    fn times_belong_to_their_packets(shape in 0..3_usize, steps in vec(any_step(), 1..200)) {
        let (umem, mut pool) = shapes()[shape].clone().tx_metadata().build().unwrap();
        let (mut kernel, socket) = FakeKernel::new(&umem).unwrap();
        let Socket { mut rx, tx, mut fill, completion, .. } = socket;
        let (mut tx, mut completion) = tx.with_metadata(completion).unwrap();
        // Of packets on their way: whether the time was asked for, and the time when it was sent.
        let (mut queued, mut sent, mut time) = (VecDeque::new(), VecDeque::new(), 1 << 40);
        let mut completed = VecDeque::new();
        for step in steps {
            match step {
                Step::Send { received, advance, len, asked } => {
                    let frame = if received {
                        rx.receive(1).unwrap().into_iter().next()
                    } else {
                        pool.take()
                    };
                    let Some(mut frame) = frame else { continue };
                    umem.set_len(&mut frame, len + advance).unwrap();
                    umem.bytes_mut(&mut frame).fill(0);
                    frame.advance(advance).unwrap();
                    let mut slots = tx.reserve(1).unwrap();
                    match asked {
                        Some((checksum, timestamp)) => {
                            let mut metadata = TxMetadata::new();
                            metadata = if checksum { metadata.checksum(1, 1) } else { metadata };
                            metadata = if timestamp { metadata.timestamp() } else { metadata };
                            slots.push_with(frame, metadata).unwrap();
                        }
                        None => slots.push(frame).unwrap(),
                    }
                    drop(slots);
                    tx.kick_if_needed().unwrap();
                    queued.push_back((asked, len));
                }
                Step::Deliver => {
                    fill.fill_from(&mut pool, 1).unwrap();
                    kernel.deliver(&[0xee; 100]);
                }
                Step::Transmit => {
                    time += 1 << 20;
                    kernel.set_tx_time(time);
                    let packet = kernel.transmit();
                    prop_assert_eq!(packet.is_some(), !queued.is_empty());
                    let (Some(packet), Some((asked, len))) = (packet, queued.pop_front()) else {
                        continue;
                    };
                    prop_assert_eq!(packet.len() as u32, len);
                    // The checksum of zeros is 0xffff.
                    let untouched = packet.iter().all(|byte| *byte == 0);
                    prop_assert_eq!(untouched, !asked.is_some_and(|(checksum, _)| checksum));
                    sent.push_back(asked.is_some_and(|(_, timestamp)| timestamp).then_some(time));
                }
                Step::Complete(count) => {
                    let count = kernel.complete(count) as usize;
                    completed.extend(sent.drain(..count));
                }
                Step::Reap(count) => {
                    for (frame, time) in completion.reap(count).unwrap() {
                        let expected = completed.pop_front().unwrap();
                        prop_assert_eq!(time.map(|time| time.nanoseconds), expected);
                        pool.put(frame);
                    }
                }
                Step::ReapIntoPool(count) => {
                    let reaped = completion.reap_into(&mut pool, count).unwrap() as usize;
                    completed.drain(..reaped);
                }
            }
        }
        ChunkAudit::of(&umem).pool(&pool).rings(&kernel).check().unwrap();
    }
}
