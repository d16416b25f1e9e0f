//! A child by `fork(2)` that drops, reads and writes what it inherited: its own memory stays as it
//! is, and so does the parent's.
#![allow(unsafe_code, reason = "tests")]

mod common;

use common::{AtCable, Cable, attach, packet, until};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use xsk::attach::{AttachMode, Attachment, MapSlot};
use xsk::bpf::{Action, Filter, FilterProgram, SlotProbe, XskMap};
use xsk::test_util::privileged;
use xsk::{Frame, FramePool, Port, Umem};

/// Blocks that a child allocates: enough to fill every hole that the parent's mappings left.
const BLOCKS: usize = 64;
/// Above the size from which the allocator maps a block.
const BLOCK: usize = 1 << 20;

/// Runs `work` on `inherited` in a child made by `fork(2)`. It returns what it finds wrong: the
/// number is that of the line in the panic.
#[track_caller]
fn in_child<T: Send + 'static>(
    inherited: T,
    mut work: impl FnMut(T) -> Result<(), u32> + Send + Sync + 'static,
) -> T {
    let shared = Arc::new(Mutex::new(Some(inherited)));
    let copy = Arc::clone(&shared);
    let mut command = Command::new("true");
    let in_child = move || {
        // The copy of this process: the parent's value stays where it is.
        let inherited = copy.lock().unwrap().take().unwrap();
        work(inherited).map_err(|line| io::Error::from_raw_os_error(i32::try_from(line).unwrap()))
    };
    // SAFETY: what runs in the child allocates, which glibc and musl allow after `fork` in a program
    // of several threads, and waits for no lock that another thread may have.
    unsafe { command.pre_exec(in_child) };
    match command.status() {
        Ok(status) => assert!(status.success(), "the child: {status}"),
        Err(error) => panic!("wrong in line {:?}", error.raw_os_error()),
    }
    let inherited = shared.lock().unwrap().take();
    inherited.unwrap()
}

/// Memory of the child's own, each block with bytes that tell it from the others.
struct Blocks(Vec<Vec<u8>>);

impl Blocks {
    fn new() -> Self {
        let byte = |at: usize| u8::try_from(at).unwrap();
        Self((0..BLOCKS).map(|at| vec![byte(at); BLOCK]).collect())
    }

    fn are_intact(&self) -> bool {
        let intact =
            |(at, block): (usize, &Vec<u8>)| block.iter().all(|byte| usize::from(*byte) == at);
        self.0.iter().enumerate().all(intact)
    }
}

fn check(good: bool, line: u32) -> Result<(), u32> {
    if good { Ok(()) } else { Err(line) }
}

#[test]
fn packet_memory_in_a_child_is_its_own() {
    let (umem, mut pool) = Umem::builder().chunk_count(1024).build().unwrap();
    let mut frame = pool.take().unwrap();
    umem.bytes_mut(&mut frame).fill(0x5a);
    let work = |(umem, pool, mut frame): (Umem, FramePool, Frame)| {
        let blocks = Blocks::new();
        check(umem.bytes(&frame).iter().all(|byte| *byte == 0), line!())?;
        umem.bytes_mut(&mut frame).fill(0xee);
        check(blocks.are_intact(), line!())?;
        drop((umem, pool, frame));
        check(blocks.are_intact(), line!())
    };
    let (umem, _pool, frame) = in_child((umem, pool, frame), work);
    assert!(umem.bytes(&frame).iter().all(|byte| *byte == 0x5a), "the parent's bytes");
}

#[test]
fn a_child_that_drops_a_socket_unmaps_nothing_of_its_own() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (mut left, mut right) = (Port::left(&cable), Port::right(&cable));
    right.fill();
    let slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &right);
    let work = |(port, slot)| {
        let blocks = Blocks::new();
        drop::<Port>(port);
        drop(slot);
        check(blocks.are_intact(), line!())
    };
    let (mut right, _slot) = in_child((right, slot), work);
    // The parent's socket, its rings and its registration are as before.
    let mut frame = left.pool.take().unwrap();
    left.umem.write(&mut frame, &packet(7, 60)).unwrap();
    left.socket.tx.reserve(1).unwrap().push(frame).unwrap();
    until("receiving", || {
        left.socket.tx.kick_if_needed().unwrap();
        let received = right.socket.rx.receive(1).unwrap().into_iter().next();
        received.is_some_and(|frame| right.umem.bytes(&frame) == packet(7, 60))
    });
}

#[test]
fn a_child_leaves_the_parents_slot_in_a_map_alone() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("xsks_map", 2).unwrap();
    let socket = common::rx_socket();
    let slots = (0..2).map(|slot| MapSlot::new(&map, slot, &socket).unwrap()).collect();
    let work = |slots: Vec<MapSlot>| {
        for slot in slots {
            // One is removed, the other dropped.
            if slot.slot() == 0 {
                check(slot.remove() == Ok(false), line!())?;
            }
        }
        Ok(())
    };
    let slots = in_child(slots, work);
    let occupied = || SlotProbe::new(&map).unwrap().occupied().unwrap();
    assert_eq!(occupied(), [0, 1]);
    drop(slots);
    assert_eq!(occupied(), []);
}

#[test]
fn a_child_neither_leaves_the_program_nor_waits_for_its_lock() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let interface = cable.veth.a();
    let attach = || Attachment::builder(interface).lock_timeout(Duration::from_secs(60)).attach();
    // Each that is dropped would wait for a second.
    let several = || (0..30).map(|_| attach().unwrap()).collect::<Vec<_>>();
    let (first, second) = cable.left.run(|| (attach().unwrap(), several())).unwrap();
    let name = SocketAddr::from_abstract_name(format!("xsk/lock/{}", interface.index())).unwrap();
    // A child that another test makes at this moment may have the library's lock for a moment more.
    let mut lock = None;
    until("the lock", || {
        lock = cable.left.run(|| UnixDatagram::bind_addr(&name)).unwrap().ok();
        lock.is_some()
    });
    let work = |(closed, dropped): (Attachment, Vec<Attachment>)| {
        let start = Instant::now();
        check(closed.close().is_ok(), line!())?;
        drop(dropped);
        check(start.elapsed() < Duration::from_secs(20), line!())
    };
    let (first, second) = in_child((first, second), work);
    drop(lock);
    assert!(!interface.attached_programs().unwrap().is_empty());
    // The parent's marks are as before.
    first.close().unwrap();
    assert!(!interface.attached_programs().unwrap().is_empty());
    second.into_iter().for_each(|attachment| attachment.close().unwrap());
    assert_eq!(common::left_on(interface), None);
}

#[test]
fn a_filter_that_a_child_loads_counts_in_places_of_its_own() {
    if !privileged!() {
        return;
    }
    let filter = |port: u16| {
        let condition = format!("udp dst port {port}").parse().unwrap();
        Filter::new().rule(condition, Action::Drop).counters(true).compile().unwrap()
    };
    // Ethernet, IPv4 and UDP to port 2.
    let mut packet = [0; 60];
    packet[12..15].copy_from_slice(&[8, 0, 0x45]);
    packet[23] = 17;
    packet[37] = 2;
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let first = filter(1).load(&map).unwrap();
    let work = move |(map, first): (XskMap, FilterProgram)| {
        let next = filter(2).load_after(&map, &first).unwrap();
        next.program().test_run(&packet, None).unwrap();
        let counted = next.counts().unwrap().unwrap().rules[0].packets;
        check(counted == 1, line!())
    };
    let (map, first) = in_child((map, first), work);
    let next = filter(3).load_after(&map, &first).unwrap();
    assert_eq!(next.counts().unwrap().unwrap().rules[0].packets, 0, "what the child has counted");
}
