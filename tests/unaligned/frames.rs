//! Frames and pools of unaligned chunks: every bound is the chunk's own.
//!
//! The memory is the test's, exactly as long as needed, so that a tool that watches memory sees any
//! step across its end.
#![expect(unsafe_code, reason = "memory of the test's own")]

use crate::{SIZES, assert_all_home, builder, step};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use xsk::test_util::FakeKernel;
use xsk::umem::{OutOfBounds, UmemBuilder};
use xsk::{Error, Frame, FramePool, Umem};

const CHUNKS: u32 = 7;

/// Memory that begins at a page.
struct Owner(NonNull<u8>, Layout);

// SAFETY: the memory belongs to no thread.
unsafe impl Send for Owner {}
// SAFETY: nothing is done with the pointer before the drop.
unsafe impl Sync for Owner {}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: allocated below with this layout, and it has no user left.
        unsafe { dealloc(self.0.as_ptr(), self.1) };
    }
}

/// Builds a UMEM in memory of so many bytes.
fn build_in(builder: UmemBuilder, bytes: u64) -> Result<(Umem, FramePool), Error> {
    let bytes = usize::try_from(bytes).unwrap();
    let layout = Layout::from_size_align(bytes, 4096).unwrap();
    // SAFETY: the layout is not empty.
    let start = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
    let memory = NonNull::slice_from_raw_parts(start, bytes);
    // SAFETY: exclusive, and there until the owner is dropped.
    unsafe { builder.build_in(memory, Owner(start, layout)) }
}

fn umem(size: u32) -> (Umem, FramePool) {
    build_in(builder(CHUNKS, size), u64::from(CHUNKS) * step(size)).unwrap()
}

#[test]
fn memory_of_the_users_own_has_room_for_every_chunk() {
    for size in SIZES {
        let bytes = u64::from(CHUNKS) * step(size);
        let short = build_in(builder(CHUNKS, size), bytes - 1).unwrap_err();
        assert!(matches!(short, Error::Setting { name: "memory", .. }), "{short}");
        assert_eq!(short.to_string().contains("as the chunk size is odd"), size % 2 == 1);
        let (umem, pool) = build_in(builder(CHUNKS, size), bytes).unwrap();
        assert_eq!((umem.chunk_size(), umem.chunk_count()), (size, CHUNKS as usize));
        assert_all_home(&umem, &pool);
    }
}

#[test]
fn frames_reach_to_the_ends_of_their_chunks_and_no_further() {
    for size in SIZES {
        let (umem, mut pool) = umem(size);
        let mut frames: Vec<Frame> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(frames.len(), CHUNKS as usize);
        for (number, frame) in (0..).zip(&mut frames) {
            let chunk = number * step(size);
            let is = |frame: &Frame, offset: u32, len: u32| {
                assert_eq!((frame.address(), frame.len()), (chunk + u64::from(offset), len));
                assert_eq!(umem.bytes(frame).len(), len as usize);
            };
            is(frame, 0, size);
            for bad in [0, size + 1, size + 2, 0xffff, 1 << 16, u32::MAX] {
                assert_eq!(umem.set_len(frame, bad), Err(OutOfBounds));
                assert_eq!(frame.truncate(bad), Err(OutOfBounds));
            }
            assert_eq!(umem.write(frame, &vec![7; size as usize + 1]), Err(OutOfBounds));
            for bad in [1, size, u32::MAX] {
                assert_eq!(umem.grow_front(frame, bad), Err(OutOfBounds));
            }
            for bad in [size, size + 1, u32::MAX] {
                assert_eq!(frame.advance(bad), Err(OutOfBounds));
            }
            is(frame, 0, size);
            // To the last byte, and back.
            frame.advance(size - 1).unwrap();
            is(frame, size - 1, 1);
            assert_eq!(frame.advance(1), Err(OutOfBounds));
            assert_eq!(umem.set_len(frame, 2), Err(OutOfBounds));
            umem.set_len(frame, 1).unwrap();
            assert_eq!(umem.grow_front(frame, size), Err(OutOfBounds));
            umem.grow_front(frame, size - 1 - 256).unwrap();
            is(frame, 256, size - 256);
            assert_eq!(umem.set_len(frame, size - 255), Err(OutOfBounds));
            frame.truncate(60).unwrap();
            umem.set_len(frame, size - 256).unwrap();
            assert_eq!(umem.grow_front(frame, 257), Err(OutOfBounds));
            umem.grow_front(frame, 256).unwrap();
            is(frame, 0, size);
            umem.write(frame, &vec![number as u8; size as usize]).unwrap();
        }
        // No chunk has a byte of another one.
        for (number, frame) in frames.iter_mut().enumerate() {
            assert_eq!(umem.bytes(frame), vec![number as u8; size as usize]);
            frame.advance(size / 2).unwrap();
        }
        // A frame's chunk comes back, wherever in it the frame begins.
        frames.into_iter().for_each(|frame| pool.put(frame));
        assert_all_home(&umem, &pool);
    }
}

#[test]
fn free_chunks_are_seen_whole_and_apart() {
    for size in SIZES {
        let (umem, mut pool) = umem(size);
        let kept = pool.take().unwrap();
        let mut number = 0;
        umem.for_each_free_chunk(&mut pool, |chunk| {
            number += 1;
            assert_eq!(chunk.len(), size as usize);
            chunk.fill(number);
        });
        assert_eq!(u32::from(number), CHUNKS - 1);
        assert!(umem.bytes(&kept).iter().all(|byte| *byte == 0), "a chunk that is not free");
        let mut seen: Vec<u8> = Vec::new();
        umem.for_each_free_chunk(&mut pool, |chunk| {
            assert!(chunk.iter().all(|byte| *byte == chunk[0]), "two wrote there");
            seen.push(chunk[0]);
        });
        seen.sort_unstable();
        assert!(seen.into_iter().eq(1..=number));
        pool.put(kept);
        assert_all_home(&umem, &pool);
    }
}

/// A received packet lies behind the headroom and the kernel's 256 bytes, and a header can be put
/// before it, up to where its chunk begins.
#[test]
fn received_packets_grow_to_the_beginning_of_their_chunks() {
    for size in SIZES {
        for headroom in [0, 128, 1001] {
            let build = builder(CHUNKS, size).headroom(headroom);
            let (umem, mut pool) = build_in(build, u64::from(CHUNKS) * step(size)).unwrap();
            let (mut kernel, mut socket) = FakeKernel::new(&umem).unwrap();
            assert_eq!(socket.fill.fill_from(&mut pool, CHUNKS), Ok(CHUNKS));
            let before = 256 + headroom;
            let room = size - before;
            assert!(!kernel.deliver(&vec![1; room as usize + 1]), "longer than the room");
            for _ in 0..CHUNKS {
                assert!(kernel.deliver(&vec![1; room as usize]));
            }
            let mut frames: Vec<Frame> = socket.rx.receive(99).unwrap().into_iter().collect();
            for (number, frame) in (0..).zip(&mut frames) {
                let chunk = number * step(size);
                assert_eq!(frame.address(), chunk + u64::from(before));
                assert_eq!(umem.set_len(frame, room + 1), Err(OutOfBounds));
                assert_eq!(umem.grow_front(frame, before + 1), Err(OutOfBounds));
                umem.grow_front(frame, before).unwrap();
                assert_eq!((frame.address(), frame.len()), (chunk, size));
                umem.bytes_mut(frame)[..before as usize].fill(2);
            }
            // Sent as they are, and given back by the completion ring.
            let mut slots = socket.tx.reserve(CHUNKS).unwrap();
            frames.into_iter().for_each(|frame| slots.push(frame).unwrap());
            drop(slots);
            socket.tx.kick_if_needed().unwrap();
            let whole = [vec![2; before as usize], vec![1; room as usize]].concat();
            for _ in 0..CHUNKS {
                assert_eq!(kernel.transmit().as_ref(), Some(&whole));
            }
            kernel.complete(CHUNKS);
            assert_eq!(socket.completion.reap_into(&mut pool, CHUNKS), Ok(CHUNKS));
            assert_all_home(&umem, &pool);
        }
    }
}

/// A packet as long as a chunk is sent, a longer one and an empty one are not.
#[test]
fn a_length_above_the_chunk_is_not_sent_from_a_pool() {
    for size in SIZES {
        let (umem, mut pool) = umem(size);
        let (_kernel, mut socket) = FakeKernel::new(&umem).unwrap();
        let mut send = |len| {
            let send = || socket.tx.send_from(&mut pool, 1, len);
            catch_unwind(AssertUnwindSafe(send)).map_err(drop)
        };
        assert_eq!((send(size), send(size + 1), send(0)), (Ok(Ok(1)), Err(()), Err(())));
    }
}

/// What is refused is named by the numbers in which UMEMs were made.
#[test]
fn frames_of_aligned_and_unaligned_memory_do_not_mix() {
    let (aligned, mut one) = Umem::builder().chunk_count(4).build().unwrap();
    let (unaligned, mut other) = umem(4096);
    let (mine, theirs) = (one.take().unwrap(), other.take().unwrap());
    let refused = |call: &mut dyn FnMut()| {
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap().clone();
        let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        let numbers: Vec<u32> = numbers.map(|word| word.parse().unwrap()).collect();
        assert!(numbers.len() == 2 && numbers.iter().all(|number| *number < 1000), "{text}");
    };
    refused(&mut || assert!(!unaligned.bytes(&mine).is_empty()));
    refused(&mut || assert!(!aligned.bytes(&theirs).is_empty()));
    refused(&mut || assert_eq!(other.split_off(1).move_to(&mut one, 1), 1));
    drop((mine, theirs));
}
