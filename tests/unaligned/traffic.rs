//! Packets over veth pairs, from and to chunks of 3000 and 3001 bytes: what arrives is what was
//! sent, and in the end every chunk is back.

use crate::common::{Cable, PATIENCE, attach, packet, until};
use crate::{assert_all_home, builder};
use std::collections::BTreeSet;
use xsk::attach::AttachMode;
use xsk::socket::CopyReason;
use xsk::test_util::{Namespace, privileged};
use xsk::umem::PageSize;
use xsk::{Error, Frame, Interface, Port, Registration, Socket, Umem};

const CHUNKS: u32 = 128;
const LEN: usize = 300;
/// A header that is put before every packet.
const HEADER: &[u8] = b"eight by";

/// Returns a socket on queue 0 whose fill ring has half of the chunks.
fn port_over(umem: (Umem, xsk::FramePool), namespace: &Namespace, interface: &Interface) -> Port {
    let (umem, pool) = umem;
    let bind = || Socket::builder(&umem).bind_timeout(PATIENCE).bind(interface, 0);
    let socket = namespace.run(bind).unwrap().unwrap();
    assert_eq!(socket.handle.copy_reason(), CopyReason::CrossesPages);
    assert!(!socket.handle.is_zero_copy());
    let mut port = Port::new(umem, pool, socket);
    assert_eq!(port.socket.fill.fill_from(&mut port.pool, CHUNKS / 2), Ok(CHUNKS / 2));
    port
}

fn port(size: u32, namespace: &Namespace, interface: &Interface) -> Port {
    port_over(builder(CHUNKS, size).build().unwrap(), namespace, interface)
}

/// Both ends of a cable with a program in `mode`.
fn ends(cable: &Cable, size: u32, mode: AttachMode) -> ([Port; 2], [Registration; 2]) {
    let left = port(size, &cable.left, cable.veth.a());
    let right = port(size, &cable.right, cable.veth.b());
    let slots = [
        attach(&cable.left, cable.veth.a(), mode, &left),
        attach(&cable.right, cable.veth.b(), mode, &right),
    ];
    ([left, right], slots)
}

/// Sends packets of these numbers, and waits for their chunks. Their places in the chunks differ.
fn send(port: &mut Port, numbers: std::ops::Range<u32>) {
    let Port { umem, pool, socket, .. } = port;
    let (all, mut next) = (pool.len(), numbers.start);
    until("packets to be sent", || {
        let rest = numbers.end - next;
        let write = |frame: &mut Frame| {
            frame.advance(next % (umem.chunk_size() - 400)).unwrap();
            umem.write(frame, &packet(next, LEN)).unwrap();
            next += 1;
        };
        socket.tx.send_each(pool, rest, write).unwrap();
        socket.tx.kick_if_needed().unwrap();
        socket.completion.reap_into(pool, 64).unwrap();
        next == numbers.end && pool.len() == all
    });
}

/// Receives until `count` packets have come, and gives their chunks back to the kernel.
fn receive(port: &mut Port, count: usize) -> Vec<Vec<u8>> {
    let Port { umem, socket, .. } = port;
    let mut packets = Vec::new();
    until("packets to arrive", || {
        let batch = socket.rx.receive(64).unwrap();
        let look = |frame: &mut Frame| packets.push(umem.bytes(frame).to_vec());
        batch.recycle_each(&mut socket.fill, look).unwrap();
        packets.len() == count
    });
    packets
}

/// Lets packets arrive until the fill ring is empty, and checks that every chunk is in the pool.
#[track_caller]
fn drain(port: &mut Port, peer: &mut Port) {
    until("all chunks to come home", || {
        send(peer, 0..32);
        let Port { pool, socket, .. } = &mut *port;
        socket.rx.receive(64).unwrap().reclaim(pool);
        socket.completion.reap_into(pool, 64).unwrap();
        pool.len() == CHUNKS as usize
    });
    assert_all_home(&port.umem, &port.pool);
    assert_eq!(port.umem.lost_chunks(), 0);
    if let Some(counts) = port.umem.chunk_counts() {
        assert_eq!(counts.pool, CHUNKS as usize);
    }
}

/// Runs a test for each size and mode.
fn for_each_size(name: &str, test: fn(&Cable, u32, AttachMode)) {
    if privileged(name) {
        for mode in [AttachMode::Native, AttachMode::Generic] {
            for size in [3000, 3001] {
                test(&Cable::new(2), size, mode);
            }
        }
    }
}

/// Headers are put before some packets and taken off others, which go back to where they came from.
#[test]
fn packets_are_edited_and_come_back() {
    for_each_size(xsk::test_util::test_name!(), |cable, size, mode| {
        let ([mut left, mut right], _slots) = ends(cable, size, mode);
        for round in 0..20 {
            let numbers = round * 32..(round + 1) * 32;
            send(&mut left, numbers.clone());
            let mut edited = 0;
            until("packets to be forwarded", || {
                let Port { umem, socket, .. } = &mut right;
                let edit = |frame: &mut Frame| {
                    edited += 1;
                    if edited % 2 == 0 {
                        umem.grow_front(frame, 256).unwrap();
                        frame.advance(256 - 8).unwrap();
                        umem.bytes_mut(frame)[..8].copy_from_slice(HEADER);
                    } else {
                        frame.advance(6).unwrap();
                        frame.truncate(200).unwrap();
                    }
                };
                let batch = socket.rx.receive(64).unwrap();
                batch.forward_each(&mut socket.tx, edit).unwrap();
                socket.tx.kick_if_needed().unwrap();
                let back = socket.completion.reap(64).unwrap();
                back.recycle(&mut socket.fill).unwrap();
                edited == 32 && socket.fill.pending() == CHUNKS / 2
            });
            let expected = numbers.map(|number| match number % 2 {
                1 => [HEADER, &packet(number, LEN)].concat(),
                _ => packet(number, LEN)[6..206].to_vec(),
            });
            assert!(receive(&mut left, 32).into_iter().eq(expected));
        }
        drain(&mut right, &mut left);
        drain(&mut left, &mut right);
    });
}

/// Whole batches go from the RX to the TX ring, and from the completion to the fill ring; no frame
/// is made of any chunk.
#[test]
fn batches_are_passed_on_unread() {
    for_each_size(xsk::test_util::test_name!(), |cable, size, mode| {
        let ([mut left, mut right], _slots) = ends(cable, size, mode);
        for round in 0..40 {
            let numbers = round * 32..(round + 1) * 32;
            send(&mut left, numbers.clone());
            let mut forwarded = 0;
            until("packets to be forwarded", || {
                let Socket { rx, tx, fill, completion, .. } = &mut right.socket;
                forwarded += rx.receive(64).unwrap().forward(tx).unwrap();
                tx.kick_if_needed().unwrap();
                completion.reap(64).unwrap().recycle(fill).unwrap();
                forwarded == 32 && fill.pending() == CHUNKS / 2
            });
            assert!(receive(&mut left, 32).into_iter().eq(numbers.map(|n| packet(n, LEN))));
        }
        drain(&mut right, &mut left);
    });
}

/// Two sockets over one registration, on two queues: what comes to one is sent by the other.
#[test]
fn two_sockets_share_the_memory() {
    for_each_size(xsk::test_util::test_name!(), |cable, size, mode| {
        let ([mut left, mut right], _slots) = ends(cable, size, mode);
        let share = || right.socket.handle.share_memory().bind_timeout(PATIENCE).open();
        let unbound = cable.right.run(share).unwrap().unwrap();
        let bind = || Ok::<_, Error>(unbound.bind(cable.veth.b(), 1)?);
        let mut other = cable.right.run(bind).unwrap().unwrap();
        assert_eq!(other.handle.copy_reason(), CopyReason::Shared);
        let sent = || cable.veth.b().info().unwrap().counters.tx_packets;
        let before = sent();
        for round in 0..20 {
            send(&mut left, round * 32..(round + 1) * 32);
            let mut forwarded = 0;
            until("packets to be forwarded", || {
                let Socket { rx, fill, .. } = &mut right.socket;
                forwarded += rx.receive(64).unwrap().forward(&mut other.tx).unwrap();
                other.tx.kick_if_needed().unwrap();
                other.completion.reap(64).unwrap().recycle(fill).unwrap();
                forwarded == 32 && fill.pending() == CHUNKS / 2
            });
        }
        assert_eq!(sent() - before, 20 * 32);
        drop(other);
        drain(&mut right, &mut left);
    });
}

/// Packets for two sockets of one queue.
#[test]
fn two_sockets_share_a_queue() {
    for_each_size(xsk::test_util::test_name!(), |cable, size, mode| {
        let mut left = port(size, &cable.left, cable.veth.a());
        let right = port(size, &cable.right, cable.veth.b());
        let _slot = attach(&cable.right, cable.veth.b(), mode, &right);
        let Port { umem, mut pool, socket, .. } = right;
        let mut queue = socket.share_queue();
        let add = || queue.add_socket().bind();
        let mut second = cable.right.run(add).unwrap().unwrap();
        let mut seen = BTreeSet::new();
        for round in 0..20 {
            send(&mut left, round * 32..(round + 1) * 32);
            until("packets to be received and sent", || {
                // The first receives, the second sends what came.
                for frame in queue.rx.receive(64).unwrap() {
                    let bytes = umem.bytes(&frame);
                    let number = u32::from_be_bytes(bytes[14..18].try_into().unwrap());
                    assert_eq!(bytes, packet(number, LEN));
                    seen.insert(number);
                    second.tx.reserve(1).unwrap().push(frame).unwrap();
                }
                second.tx.kick_if_needed().unwrap();
                queue.completion.reap_into(&mut pool, 64).unwrap();
                queue.fill.fill_from(&mut pool, 64 - queue.fill.pending()).unwrap();
                seen.len() == 32 * (round as usize + 1) && pool.len() == CHUNKS as usize / 2
            });
        }
        until("all chunks to come home", || {
            send(&mut left, 0..32);
            queue.rx.receive(64).unwrap().reclaim(&mut pool);
            pool.len() == CHUNKS as usize
        });
        assert_all_home(&umem, &pool);
    });
}

/// Pages of 2 MiB, in which most chunks cross no page: copy mode all the same.
#[test]
fn chunks_may_lie_in_huge_pages() {
    let name = xsk::test_util::test_name!();
    if !privileged(name) {
        return;
    }
    let build = || builder(CHUNKS, 3001).page_size(PageSize::Huge2M).build();
    let umem = match build() {
        Ok(umem) => umem,
        Err(error) => {
            assert!(matches!(error, Error::AllocateUmem { .. }), "{error}");
            let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
            let free = memory.lines().find_map(|line| line.strip_prefix("HugePages_Free:"));
            assert!(free.is_none_or(|free| free.trim() == "0"), "there are huge pages: {error}");
            crate::common::kernel_can(name, false, "no huge pages are reserved");
            return;
        }
    };
    let cable = Cable::new(1);
    let mut left = port(3001, &cable.left, cable.veth.a());
    let mut right = port_over(umem, &cable.right, cable.veth.b());
    let _slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &right);
    send(&mut left, 0..32);
    assert!(receive(&mut right, 32).into_iter().eq((0..32).map(|n| packet(n, LEN))));
    drain(&mut right, &mut left);
}
