//! Memory of the user's own under a UMEM: when its owner gets it back.
#![allow(unsafe_code, reason = "tests")]

mod common;

use common::{AtCable, Cable, attach, packet, until};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use xsk::attach::AttachMode;
use xsk::test_util::privileged;
use xsk::{Port, Registration, Socket, Umem};

const CHUNKS: u32 = 64;
const BYTES: usize = CHUNKS as usize * 4096;
const PACKETS: u32 = 32;
const REUSED: u8 = 0xaa;

/// What the owner of the memory found when it got it back.
struct Report {
    /// Bytes that changed after the owner had reused the memory, while packets came.
    changed: usize,
    /// Whether another socket could be bound to the queue.
    bound: bool,
}

/// The owner of packet memory: reuses it when it gets it back, lets packets come, binds another
/// socket to the queue, and reports.
struct Owner {
    start: NonNull<u8>,
    cable: Arc<Cable>,
    left: Port,
    report: Sender<Report>,
}

// SAFETY: the pointer is to memory that belongs to no thread.
unsafe impl Send for Owner {}
// SAFETY: nothing is done with the pointer through a shared reference.
unsafe impl Sync for Owner {}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: mapped in `receiving`; by the contract of `build_in` nothing else uses it now.
        unsafe { self.start.write_bytes(REUSED, BYTES) };
        send(&mut self.left, PACKETS);
        let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
        let bind = || {
            let builder = Socket::builder(&umem).bind_timeout(common::PATIENCE);
            builder.bind(self.cable.veth.b(), 0)
        };
        let bound = self.cable.right.run(bind).unwrap().is_ok();
        // SAFETY: as above, up to the end of this function.
        let bytes = unsafe { std::slice::from_raw_parts(self.start.as_ptr(), BYTES) };
        let changed = bytes.iter().filter(|byte| **byte != REUSED).count();
        // SAFETY: as above, and not used after this.
        unsafe { munmap(self.start.as_ptr().cast(), BYTES) }.unwrap();
        self.report.send(Report { changed, bound }).unwrap();
    }
}

/// Sends `count` packets. A veth pair has taken a packet in when its sender gets the chunk back.
fn send(port: &mut Port, count: u32) {
    let Port { umem, socket, pool, .. } = port;
    let all = pool.len();
    let mut slots = socket.tx.reserve(count).unwrap();
    for number in 0..count {
        let mut frame = pool.take().unwrap();
        umem.write(&mut frame, &packet(number, 1000)).unwrap();
        slots.push(frame).unwrap();
    }
    drop(slots);
    until("sending", || {
        socket.tx.kick_if_needed().unwrap();
        socket.completion.reap_into(pool, count).unwrap();
        pool.len() == all
    });
}

/// Binds a socket over memory of an owner's, gives the memory back by `order`, and returns what the
/// owner reports.
fn given_back(order: fn(Umem, Socket, Registration)) -> Report {
    let cable = Arc::new(Cable::new(1));
    let left = Port::left(&cable);
    let (report, result) = channel();
    let rights = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), BYTES, rights, MapFlags::PRIVATE) };
    let start = NonNull::new(start.unwrap().cast::<u8>()).unwrap();
    let memory = NonNull::slice_from_raw_parts(start, BYTES);
    let owner = Owner { start, cable: Arc::clone(&cable), left, report };
    // SAFETY: exclusive, and mapped until `owner` is dropped.
    let (umem, pool) =
        unsafe { Umem::builder().chunk_count(CHUNKS).build_in(memory, owner) }.unwrap();
    let bind = || Socket::builder(&umem).bind(cable.veth.b(), 0);
    let socket = cable.right.run(bind).unwrap().unwrap();
    let mut port = Port::new(umem, pool, socket);
    assert_eq!(port.socket.fill.fill_from(&mut port.pool, CHUNKS), Ok(CHUNKS));
    let slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &port);
    let Port { umem, socket, .. } = port;
    order(umem, socket, slot);
    result.recv().unwrap()
}

/// In copy mode the kernel writes no more when the owner gets the memory back, and the queue is free,
/// whichever is dropped last.
#[test]
fn an_owner_gets_memory_back_that_nothing_writes() {
    if !privileged!() {
        return;
    }
    let orders: [fn(Umem, Socket, Registration); 4] = [
        |umem, socket, slot| drop((slot, umem, socket)),
        |umem, socket, slot| drop((slot, socket, umem)),
        |umem, socket, slot| drop((umem, socket, slot)),
        |umem, socket, slot| drop((socket, slot, umem)),
    ];
    for order in orders {
        let Report { changed, bound } = given_back(order);
        assert_eq!(changed, 0, "bytes changed");
        assert!(bound, "the queue was not free");
    }
}
