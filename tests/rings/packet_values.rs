//! Packets and their bytes as values: adding frames, taking them out, reading and writing across them.

use crate::fixture::panics;
use proptest::prelude::*;
use std::io::{BufRead, BufReader, Read};
use xsk::test_util::{ChunkAudit, strategies};
use xsk::{Frame, FramePool, Packet, Umem};

const CHUNK: u32 = 2048;
const CHUNKS: u32 = 24;

fn umem() -> (Umem, FramePool) {
    Umem::builder().chunk_count(CHUNKS).chunk_size(CHUNK).build().unwrap()
}

/// Takes a frame of so many bytes; also returns its bounds.
fn take(pool: &mut FramePool, len: u32) -> Option<((u64, u32), Frame)> {
    let mut frame = pool.take()?;
    frame.truncate(len).unwrap();
    Some(((frame.address(), len), frame))
}

/// What is done to a packet.
#[derive(Debug, Clone)]
enum Op {
    Push(u32),
    Truncate(usize, u32),
    Advance(usize, u32),
    Swap(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let at = || 0..20_usize;
    prop_oneof![
        4 => (1..=CHUNK).prop_map(Op::Push),
        1 => (at(), 0..=CHUNK).prop_map(|(at, len)| Op::Truncate(at, len)),
        1 => (at(), 0..=CHUNK).prop_map(|(at, bytes)| Op::Advance(at, bytes)),
        1 => (at(), at()).prop_map(|(one, other)| Op::Swap(one, other)),
    ]
}

/// A packet is the vector of its frames, whether they lie in it or on the heap.
#[test]
fn a_packet_is_the_vector_of_its_frames() {
    let program = (1..=CHUNK, prop::collection::vec(op(), 0..30), 0..20_usize, any::<bool>());
    proptest!(strategies::config(500), |((first, program, taken, forget) in program)| {
        let (umem, mut pool) = umem();
        let (bounds, frame) = take(&mut pool, first).unwrap();
        let (mut packet, mut model) = (Packet::from(frame), vec![bounds]);
        for op in &program {
            let count = model.len();
            match *op {
                Op::Push(len) => {
                    if let Some((bounds, frame)) = take(&mut pool, len) {
                        packet.push(frame);
                        model.push(bounds);
                    }
                }
                Op::Truncate(at, len) => {
                    let bounds = &mut model[at % count];
                    let good = (1..=bounds.1).contains(&len);
                    prop_assert_eq!(packet.frames_mut()[at % count].truncate(len).is_ok(), good);
                    bounds.1 = if good { len } else { bounds.1 };
                }
                Op::Advance(at, bytes) => {
                    let bounds = &mut model[at % count];
                    let good = bytes < bounds.1;
                    prop_assert_eq!(packet.frames_mut()[at % count].advance(bytes).is_ok(), good);
                    if good {
                        *bounds = (bounds.0 + u64::from(bytes), bounds.1 - bytes);
                    }
                }
                Op::Swap(one, other) => {
                    packet.frames_mut().swap(one % count, other % count);
                    model.swap(one % count, other % count);
                }
            }
            let frames = packet.frames().iter();
            let bounds: Vec<(u64, u32)> = frames.map(|frame| (frame.address(), frame.len())).collect();
            prop_assert_eq!(&bounds, &model);
            prop_assert_eq!(packet.len(), model.iter().map(|bounds| u64::from(bounds.1)).sum::<u64>());
            prop_assert_eq!(umem.lost_chunks(), 0);
            ChunkAudit::of(&umem).pool(&pool).frames(packet.frames()).check().unwrap();
        }
        // Some are taken out, and the others dropped.
        let (all, taken) = (model.len(), taken.min(model.len()));
        let mut frames = packet.into_iter();
        let kept: Vec<Frame> = frames.by_ref().take(taken).collect();
        prop_assert_eq!((frames.len(), frames.size_hint()), (all - taken, (all - taken, Some(all - taken))));
        let bounds: Vec<(u64, u32)> = kept.iter().map(|frame| (frame.address(), frame.len())).collect();
        prop_assert_eq!(&bounds[..], &model[..taken]);
        let lost = model[taken..].iter().map(|bounds| bounds.0);
        if forget {
            std::mem::forget(frames);
            prop_assert_eq!(umem.lost_chunks(), 0);
        } else {
            drop(frames);
            prop_assert_eq!(umem.lost_chunks() as usize, all - taken);
        }
        ChunkAudit::of(&umem).pool(&pool).frames(&kept).lost(lost).check().unwrap();
        pool.extend(kept);
    });
}

#[test]
fn a_dropped_packet_loses_all_of_its_frames() {
    for frames in [1, 2, 6, 7, 13] {
        let (umem, mut pool) = umem();
        let packet = pool.take_packet(frames * u64::from(CHUNK)).unwrap();
        let lost: Vec<u64> = packet.frames().iter().map(Frame::address).collect();
        assert_eq!(lost.len() as u64, frames);
        drop(packet);
        assert_eq!(u64::from(umem.lost_chunks()), frames);
        ChunkAudit::of(&umem).pool(&pool).lost(lost).check().unwrap();
    }
}

#[test]
fn a_frame_of_another_umem_is_not_added() {
    for frames in [1, 6, 9] {
        let ((umem, mut pool), (other, mut others)) = (umem(), umem());
        let mut packet = pool.take_packet(frames * u64::from(CHUNK)).unwrap();
        let foreign = others.take().unwrap();
        let lost = foreign.address();
        assert!(panics(|| packet.push(foreign)));
        assert_eq!(packet.frames().len() as u64, frames);
        assert_eq!((umem.lost_chunks(), other.lost_chunks()), (0, 1));
        ChunkAudit::of(&umem).pool(&pool).frames(packet.frames()).check().unwrap();
        ChunkAudit::of(&other).pool(&others).lost([lost]).check().unwrap();
        // One that came in by an exchange is refused where the packet goes.
        let mut foreign = others.take().unwrap();
        std::mem::swap(&mut packet.frames_mut()[0], &mut foreign);
        let (bytes, pooled) = (umem.packet_bytes(packet.frames()), pool.len());
        assert!(panics(|| bytes.chunk().len()));
        assert!(panics(|| pool.extend(packet)));
        assert_eq!(pool.len(), pooled);
        assert_eq!((u64::from(umem.lost_chunks()), other.lost_chunks()), (frames - 1, 2));
        pool.put(foreign);
    }
}

#[test]
fn packets_are_taken_from_a_pool_whole_or_not_at_all() {
    let (umem, mut pool) = umem();
    let area = u64::from(CHUNKS * CHUNK);
    let borders = (0..=area / 2048)
        .flat_map(|chunks| [-1, 0, 1].map(|by| (chunks * 2048).wrapping_add_signed(by)));
    for len in borders.chain([u64::from(u32::MAX), u64::from(u32::MAX) + 2048, u64::MAX]) {
        let before: Vec<u64> = pool.addresses().collect();
        let packet = pool.take_packet(len);
        assert_eq!(packet.is_some(), (1..=area).contains(&len), "{len}");
        let Some(mut packet) = packet else {
            assert_eq!(pool.addresses().collect::<Vec<_>>(), before);
            continue;
        };
        assert_eq!(packet.len(), len);
        let (last, whole) = packet.frames().split_last().unwrap();
        assert!(whole.iter().all(|frame| frame.len() == CHUNK));
        assert_eq!(u64::from(last.len()), len - whole.len() as u64 * 2048);
        // Every byte of it can be written, as long as it is, and no other number.
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        for wrong in [&bytes[1..], &[&bytes[..], &[0]].concat(), &[]] {
            umem.write_packet(packet.frames_mut(), &vec![7; bytes.len()]).unwrap();
            let refused = umem.write_packet(packet.frames_mut(), wrong).unwrap_err();
            assert!(refused.to_string().contains("`FramePool::take_packet`"), "{len}: {refused}");
            assert!(umem.packet_bytes(packet.frames()).to_vec().iter().all(|byte| *byte == 7));
        }
        umem.write_packet(packet.frames_mut(), &bytes).unwrap();
        assert_eq!(umem.packet_bytes(packet.frames()).to_vec(), bytes);
        pool.extend(packet);
        assert_eq!(pool.len(), CHUNKS as usize);
    }
    // Less than a packet's frames are left: none is taken.
    let rest = pool.split_off(22);
    assert!(pool.take_packet(2 * 2048 + 1).is_none());
    assert_eq!(pool.len(), 2);
    assert_eq!(umem.lost_chunks(), 0);
    pool.append(rest);
}

/// A step of reading.
#[derive(Debug, Clone)]
enum Reading {
    Advance(usize),
    Read(usize),
    ReadExact(usize),
    CopyTo(usize),
}

fn reading() -> impl Strategy<Value = Reading> {
    let count = || prop_oneof![6 => 0..40_usize, 3 => 0..5000_usize, 1 => Just(usize::MAX)];
    let len = || prop_oneof![6 => 0..40_usize, 3 => 0..5000_usize];
    prop_oneof![
        count().prop_map(Reading::Advance),
        len().prop_map(Reading::Read),
        len().prop_map(Reading::ReadExact),
        len().prop_map(Reading::CopyTo),
    ]
}

/// Returns a packet whose frames have these lengths, and begin anywhere in their chunks, and its bytes.
fn packet_of(umem: &Umem, pool: &mut FramePool, frames: &[(u32, u32)]) -> (Packet, Vec<u8>) {
    let frame = |&(offset, len): &(u32, u32)| {
        let mut frame = pool.take().unwrap();
        frame.advance(offset).unwrap();
        frame.truncate(len.min(frame.len())).unwrap();
        frame
    };
    let mut frames = frames.iter().map(frame);
    let mut packet = Packet::new(frames.next().unwrap());
    frames.for_each(|frame| packet.push(frame));
    let bytes: Vec<u8> = (0..packet.len()).map(|at| (at ^ (at >> 7)) as u8).collect();
    umem.write_packet(packet.frames_mut(), &bytes).unwrap();
    (packet, bytes)
}

#[test]
fn bytes_of_a_packet_are_read_as_those_of_a_slice() {
    let len = prop_oneof![3 => 1..20_u32, 1 => 1..=CHUNK];
    let frame = (0..CHUNK, len);
    let input = (prop::collection::vec(frame, 1..12), prop::collection::vec(reading(), 0..30));
    proptest!(strategies::config(500), |((frames, program) in input)| {
        let (umem, mut pool) = umem();
        let (packet, all) = packet_of(&umem, &mut pool, &frames);
        let mut bytes = umem.packet_bytes(packet.frames());
        let mut model: &[u8] = &all;
        for step in &program {
            match *step {
                Reading::Advance(count) => {
                    bytes.advance(count);
                    model = &model[count.min(model.len())..];
                }
                Reading::Read(len) => {
                    let (mut one, mut other) = (vec![0xee; len], vec![0xee; len]);
                    let read = bytes.read(&mut one).unwrap();
                    prop_assert_eq!(read, model.read(&mut other).unwrap());
                    prop_assert_eq!(one, other);
                }
                Reading::ReadExact(len) => {
                    let (mut one, mut other) = (vec![0xee; len], vec![0xee; len]);
                    let (left, right) = (bytes.read_exact(&mut one), model.read_exact(&mut other));
                    prop_assert_eq!(left.is_ok(), right.is_ok());
                    if right.is_ok() {
                        prop_assert_eq!(one, other);
                    } else {
                        // Both are at the end, as the documentation of `Read` allows.
                        bytes.advance(usize::MAX);
                        model = &[];
                    }
                }
                Reading::CopyTo(len) => {
                    let mut buffer = vec![0xee; len];
                    let count = bytes.copy_to(&mut buffer);
                    prop_assert_eq!(count, len.min(model.len()));
                    prop_assert_eq!(&buffer[..count], &model[..count]);
                    prop_assert!(buffer[count..].iter().all(|byte| *byte == 0xee));
                }
            }
            prop_assert_eq!(bytes.remaining(), model.len());
            prop_assert_eq!(bytes.chunk().is_empty(), model.is_empty());
            prop_assert!(model.starts_with(bytes.chunk()));
            prop_assert_eq!(bytes.to_vec(), model);
            prop_assert_eq!(bytes.slices().collect::<Vec<_>>().concat(), model);
            prop_assert!(bytes.slices().all(|slice| !slice.is_empty()));
            prop_assert!(bytes.slices().count() <= packet.frames().len());
            let of_io: Vec<u8> = bytes.io_slices().flat_map(|slice| slice.to_vec()).collect();
            prop_assert_eq!(of_io, model);
        }
        // A slice for each frame, where it lies.
        let of_frames = packet.frames().iter().map(|frame| umem.bytes(frame).as_ptr());
        let of_slices = umem.packet_bytes(packet.frames()).slices().map(<[u8]>::as_ptr);
        prop_assert!(of_frames.eq(of_slices));
        pool.extend(packet);
    });
}

#[test]
fn a_packet_can_be_read_by_lines() {
    let (umem, mut pool) = umem();
    let (mut packet, all) = packet_of(&umem, &mut pool, &[(5, 3), (0, 7), (2040, 8)]);
    assert_eq!(all.len(), 18);
    umem.write_packet(packet.frames_mut(), b"one\ntwo two\nthree\n").unwrap();
    let lines = BufReader::with_capacity(4, umem.packet_bytes(packet.frames())).lines();
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(lines, ["one", "two two", "three"]);
    // An empty list of frames has no bytes.
    let mut none = umem.packet_bytes(&[]);
    none.advance(9);
    assert_eq!((none.remaining(), none.chunk(), none.to_vec()), (0, &[][..], vec![]));
    pool.extend(packet);
}
