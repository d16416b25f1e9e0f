//! Ring buffers.

use crate::programs::{load, packet, run};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use xsk::bpf::{Alu, Cond, Helper, Insn, Program, Reg, RingBuffer, RingReader, Size};
use xsk::error::MapKind;
use xsk::test_util::privileged;
use xsk::{Errno, Error};

use Reg::{R0, R1, R2, R3, R4, R10};

const OUTPUT: Helper = Helper(130);
const RESERVE: Helper = Helper(131);
const DISCARD: Helper = Helper(133);

/// Writes the first `len` bytes of the packet, at most 64, as a record. Returns 1 if there was no room.
fn output(ring: &RingBuffer, len: i32) -> Program {
    let mut insns = vec![
        Insn::load(Size::Word, R2, R1, 0),
        Insn::load(Size::Word, R3, R1, 4),
        Insn::mov64_reg(R4, R2),
        Insn::alu64_imm(Alu::Add, R4, 64),
        Insn::mov64_imm(R0, 9),
        Insn::jump_reg(Cond::Gt, R4, R3, 8 * 2 + 9),
    ];
    // The helper takes no packet: by the stack.
    for word in 0..8 {
        insns.push(Insn::load(Size::Double, R4, R2, word * 8));
        insns.push(Insn::store(Size::Double, R10, word * 8 - 64, R4));
    }
    insns.extend(Insn::load_map_fd(R1, ring.as_fd()));
    insns.extend([
        Insn::mov64_reg(R2, R10),
        Insn::alu64_imm(Alu::Add, R2, -64),
        Insn::mov64_imm(R3, len),
        Insn::mov64_imm(R4, 0),
        Insn::call(OUTPUT),
        Insn::jump_imm(Cond::Eq, R0, 0, 1),
        Insn::mov64_imm(R0, 1),
        Insn::exit(),
    ]);
    load("output", &insns)
}

/// Reserves a record of 24 bytes and gives it up.
fn discard(ring: &RingBuffer) -> Program {
    let mut insns = Insn::load_map_fd(R1, ring.as_fd()).to_vec();
    insns.extend([
        Insn::mov64_imm(R2, 24),
        Insn::mov64_imm(R3, 0),
        Insn::call(RESERVE),
        Insn::jump_imm(Cond::Eq, R0, 0, 5),
        Insn::store_imm(Size::Double, R0, 0, 1),
        Insn::mov64_reg(R1, R0),
        Insn::mov64_imm(R2, 0),
        Insn::call(DISCARD),
        Insn::mov64_imm(R0, 0),
        Insn::exit(),
    ]);
    load("discard", &insns)
}

#[test]
fn records_come_as_they_were_written() {
    if !privileged!() {
        return;
    }
    let ring = RingBuffer::create("ring", 4096).unwrap();
    let mut reader = ring.reader().unwrap();
    assert_eq!(reader.read().unwrap(), None);
    for len in [1, 7, 8, 9, 63, 64] {
        let program = output(&ring, len);
        let bytes: [u8; 64] = std::array::from_fn(|at| (at as u8).wrapping_mul(3));
        assert_eq!(run(&program, &bytes), 0);
        assert_eq!(reader.read().unwrap(), Some(&bytes[..len as usize]));
        assert_eq!(reader.read().unwrap(), None);
    }
}

/// Records of 64 bytes take 72: many lie over the end of the ring.
#[test]
fn records_over_the_end_of_the_ring_are_whole() {
    if !privileged!() {
        return;
    }
    let ring = RingBuffer::create("ring", 4096).unwrap();
    let (write, give_up) = (output(&ring, 64), discard(&ring));
    let mut reader = ring.reader().unwrap();
    let (mut written, mut read) = (0_u32, 0_u32);
    let bytes = |number: u32| -> [u8; 64] {
        std::array::from_fn(|at| number.to_ne_bytes()[at % 4] ^ at as u8)
    };
    for round in 0..300 {
        for _ in 0..round % 20 {
            assert_eq!(run(&write, &bytes(written)), 0, "there is room");
            written += 1;
            if written % 3 == 0 {
                run(&give_up, &packet(&[]));
            }
        }
        let count = reader
            .read_all(|record| {
                assert_eq!(record, bytes(read), "{read}");
                read += 1;
            })
            .unwrap();
        assert_eq!(count, round % 20);
    }
    assert_eq!(read, written);
    assert!(read > 2000);
}

#[test]
fn what_finds_no_room_is_lost_and_the_rest_stays() {
    if !privileged!() {
        return;
    }
    let ring = RingBuffer::create("ring", 4096).unwrap();
    let write = output(&ring, 64);
    // 56 records of 72 bytes are 4032 bytes; the kernel keeps one byte free.
    let taken = (0..100_u8).filter(|number| run(&write, &packet(&[*number])) == 0).count();
    assert_eq!(taken, 56);
    let mut reader = ring.reader().unwrap();
    let mut next = 0;
    assert_eq!(
        reader
            .read_all(|record| {
                assert_eq!(record[0], next);
                next += 1;
            })
            .unwrap(),
        56
    );
    assert_eq!(run(&write, &packet(&[])), 0);
    assert_eq!(reader.read_all(|_| ()).unwrap(), 1);
}

#[test]
fn a_reader_waits_for_a_record() {
    if !privileged!() {
        return;
    }
    let ring = RingBuffer::create("ring", 4096).unwrap();
    let mut reader = ring.reader().unwrap();
    assert!(!reader.wait(Some(Duration::ZERO)).unwrap());
    let start = Instant::now();
    assert!(!reader.wait(Some(Duration::from_millis(30))).unwrap());
    assert!(start.elapsed() >= Duration::from_millis(30));
    let write = output(&ring, 8);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            while !reader.wait(Some(Duration::from_secs(10))).unwrap() {}
            reader.read().unwrap().map(<[u8]>::to_vec)
        });
        assert_eq!(run(&write, &packet(b"12345678")), 0);
        assert_eq!(waiting.join().unwrap().as_deref(), Some(b"12345678".as_slice()));
    });
}

#[test]
fn a_reader_begins_where_the_last_one_stopped() {
    if !privileged!() {
        return;
    }
    let ring = RingBuffer::create("ring", 4096).unwrap();
    let write = output(&ring, 8);
    (0..3).for_each(|number| assert_eq!(run(&write, &packet(&[number])), 0));
    assert_eq!(ring.reader().unwrap().read().unwrap().unwrap()[0], 0);
    let mut first = ring.reader().unwrap();
    drop(ring);
    assert_eq!(first.read().unwrap().unwrap()[0], 1);
    assert_eq!(first.read().unwrap().unwrap()[0], 2);
    assert_eq!(first.read().unwrap(), None);
}

#[test]
fn two_readers_at_a_time_are_found_out() {
    if !privileged!() {
        return;
    }
    let ring = RingBuffer::create("ring", 4096).unwrap();
    let write = output(&ring, 8);
    (0..4).for_each(|number| assert_eq!(run(&write, &packet(&[number])), 0));
    let (mut one, mut other) = (ring.reader().unwrap(), ring.reader().unwrap());
    assert_eq!(one.read().unwrap().unwrap()[0], 0);
    let error = other.read().unwrap_err();
    assert!(
        matches!(
            error,
            Error::RingBuffer { bytes: 4096, position: 0, available: 64, record: None, .. }
        ),
        "{error:?}"
    );
    assert_eq!(one.read().unwrap().unwrap()[0], 1);
    assert_eq!(ring.reader().unwrap().read().unwrap().unwrap()[0], 2);
}

/// Anything that has the map may write the position up to which records were read.
#[test]
fn positions_that_another_process_wrote_are_bounded() {
    if !privileged!() {
        return;
    }
    let ring = RingBuffer::create("ring", 4096).unwrap();
    let write = output(&ring, 64);
    let mut refused = 0;
    for round in 0..2_u64 {
        for _ in 0..20 {
            run(&write, &[0xff; 64]);
        }
        for position in
            [1, 3, 4, 8, 12, 16, 72, 4095, 4096, 1 << 32, 1 << 40, u64::MAX, 0_u64.wrapping_sub(8)]
        {
            write_position(&ring, position.wrapping_add(round * 720));
            let mut reader = ring.reader().unwrap();
            match reader.read_all(|record| assert!(record.len() < 4096)) {
                Ok(count) => assert!(count <= 4096 / 8),
                Err(error) => {
                    assert!(matches!(error, Error::RingBuffer { .. }), "{error:?}");
                    refused += 1;
                }
            }
        }
        // It goes on where it really is.
        write_position(&ring, 0);
        let mut reader = ring.reader().unwrap();
        assert!(reader.read_all(|record| assert_eq!(record, [0xff; 64])).unwrap() >= 20);
        write_position(&ring, 0);
    }
    assert!(refused > 10, "{refused}");
}

#[allow(unsafe_code, reason = "a mapping of the test's, as another process has it")]
fn write_position(ring: &RingBuffer, position: u64) {
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    let len = rustix::param::page_size();
    let rights = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping touches no other memory.
    let page =
        unsafe { mmap(std::ptr::null_mut(), len, rights, MapFlags::SHARED, ring, 0) }.unwrap();
    // SAFETY: the mapping begins with the position, and the kernel uses it as an atomic, too.
    let word = unsafe { std::sync::atomic::AtomicU64::from_ptr(page.cast()) };
    word.store(position, std::sync::atomic::Ordering::Release);
    // SAFETY: the mapping is the one made above; nothing points into it.
    unsafe { munmap(page, len) }.unwrap();
}

#[test]
fn records_whose_room_is_not_free_yet_are_seen_again_after_a_panic() {
    if !privileged!() {
        return;
    }
    let ring = RingBuffer::create("ring", 1 << 16).unwrap();
    let program = output(&ring, 8);
    for seed in 1..=3 {
        assert_eq!(run(&program, &[seed; 64]), 0);
    }
    let mut reader = ring.reader().unwrap();
    let read = |reader: &mut RingReader, bad: u8| {
        let mut seen = Vec::new();
        let reading = AssertUnwindSafe(|| {
            reader.read_all(|record| {
                seen.push(record[0]);
                assert_ne!(record[0], bad);
            })
        });
        (catch_unwind(reading).map(Result::unwrap).ok(), seen)
    };
    assert_eq!(read(&mut reader, 2), (None, vec![1, 2]));
    assert_eq!(read(&mut reader, 0), (Some(3), vec![1, 2, 3]));
    assert_eq!(read(&mut reader, 0), (Some(0), vec![]));
}

#[test]
fn a_size_that_no_ring_has_is_refused() {
    if !privileged!() {
        return;
    }
    for bytes in [0, 1, 4095, 5000, 12_288] {
        let error = RingBuffer::create("ring", bytes).unwrap_err();
        let Error::CreateMap { kind: MapKind::RingBuffer, entries, errno: Errno::INVAL, .. } =
            error
        else {
            panic!("{error:?}")
        };
        assert_eq!(entries, bytes);
        assert!(error.hint().unwrap().contains("power of two"), "{error}");
    }
}
