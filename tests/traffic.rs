//! Packets between two ends of a veth pair, in native and generic mode.

mod common;

use common::{AtCable, Cable, attach, packet, until};
use std::collections::BTreeSet;
use std::time::Duration;
use xsk::attach::{AttachMode, Attachment};
use xsk::test_util::{ip, privileged};
use xsk::{CopyMode, Error, FramePool, Kick, Port, Socket, Umem};

/// Sends packets `numbers` from `end`, kicking and reaping until all have gone and come back.
fn send(end: &mut Port, numbers: std::ops::Range<u32>, len: usize) {
    let mut next = numbers.start;
    let chunks = end.pool.len();
    until("sending", || {
        let room = end.socket.tx.reserve(numbers.end - next).unwrap().remaining();
        let mut slots = end.socket.tx.reserve(room).unwrap();
        while next < numbers.end && slots.remaining() > 0 {
            let Some(mut frame) = end.pool.take() else {
                break;
            };
            end.umem.write(&mut frame, &packet(next, len)).unwrap();
            slots.push(frame).unwrap();
            next += 1;
        }
        drop(slots);
        end.socket.tx.kick_if_needed().unwrap();
        end.socket.completion.reap_into(&mut end.pool, 64).unwrap();
        next == numbers.end && end.pool.len() == chunks
    });
}

/// Receives `count` packets, in order and intact, and gives their chunks back.
fn receive(end: &mut Port, first: u32, count: u32, len: usize) {
    let mut expected = first;
    until("receiving", || {
        let before = expected;
        for frame in end.socket.rx.receive(64).unwrap() {
            let wanted = packet(expected, len);
            assert_eq!(end.umem.bytes(&frame), wanted, "packet {expected}");
            expected += 1;
            end.pool.put(frame);
        }
        let back = expected - before;
        assert_eq!(end.socket.fill.fill_from(&mut end.pool, back), Ok(back));
        end.socket.fill.kick_if_needed().unwrap();
        expected == first + count
    });
}

/// The loop of the README: `Port::open`, attach, register, receive, `service`.
#[test]
fn a_port_of_the_default_sizes_receives_and_sends_back() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut left = Port::left(&cable);
    let mut right = cable.right.run(|| Port::open(cable.veth.b(), 0)).unwrap().unwrap();
    assert_eq!((right.umem.chunk_count(), right.socket.fill.pending()), (8192, 4096));
    let slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &right);
    send(&mut left, 0..256, 60);
    let (mut received, mut sent) = (0, 0);
    until("all have come and gone back", || {
        let Port { umem, pool, socket, .. } = &mut right;
        let mut out = socket.tx.reserve(64).unwrap();
        for frame in socket.rx.receive(64).unwrap() {
            assert_eq!(umem.bytes(&frame), packet(received, 60));
            received += 1;
            if let Err(frame) = out.push(frame) {
                pool.put(frame);
            } else {
                sent += 1;
            }
        }
        drop(out);
        right.service(64).unwrap();
        received == 256 && right.socket.tx.pending() == 0
    });
    assert_eq!(sent, 256);
    until("all chunks are back", || {
        right.service(64).unwrap();
        right.pool.len() == 4096
    });
    drop(slot);
}

fn traffic(mode: AttachMode, len: usize) {
    let cable = Cable::new(1);
    let (mut left, mut right) = (Port::left(&cable), Port::right(&cable));
    right.fill();
    let slot = attach(&cable.right, cable.veth.b(), mode, &right);
    for round in 0..8 {
        send(&mut left, round * 256..round * 256 + 256, len);
        receive(&mut right, round * 256, 256, len);
    }
    let pooled: BTreeSet<u64> = left.pool.addresses().collect();
    assert_eq!(pooled.len(), 1024, "every chunk of the sender is back exactly once");
    if let Some(counts) = right.umem.chunk_counts() {
        assert_eq!(counts.pool + counts.receiving, 1024);
    }
    assert_eq!(right.socket.handle.statistics().unwrap().rx_dropped, 0);
    slot.close().unwrap();
    drop((left, right));
    assert_eq!(common::left_on(cable.veth.b()), None, "nothing is left attached");
}

#[test]
fn packets_travel_in_native_mode() {
    if privileged!() {
        traffic(AttachMode::Native, 60);
        traffic(AttachMode::Native, 1500);
    }
}

#[test]
fn packets_travel_in_generic_mode() {
    if privileged!() {
        traffic(AttachMode::Generic, 60);
        traffic(AttachMode::Generic, 1500);
    }
}

#[test]
fn a_program_may_be_attached_before_the_socket_is_bound() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let attach = || Attachment::builder(cable.veth.b()).attach();
    let attachment = cable.right.run(attach).unwrap().unwrap();
    let (mut left, mut right) = (Port::left(&cable), Port::right(&cable));
    right.fill();
    let _slot = right.socket.register(&attachment).unwrap();
    send(&mut left, 0..64, 60);
    receive(&mut right, 0, 64, 60);
}

#[test]
fn the_fill_ring_may_be_filled_before_the_socket_is_bound() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut left = Port::left(&cable);
    let (umem, mut pool) = Umem::builder().chunk_count(64).build().unwrap();
    let mut unbound = cable.right.run(|| Socket::builder(&umem).open()).unwrap().unwrap();
    assert_eq!(unbound.fill.fill_from(&mut pool, 64), Ok(64));
    let socket = unbound.bind(cable.veth.b(), 0).unwrap();
    let mut right = Port::new(umem, pool, socket);
    let _slot = attach(&cable.right, cable.veth.b(), AttachMode::Auto, &right);
    send(&mut left, 0..64, 60);
    receive(&mut right, 0, 64, 60);
}

#[test]
fn one_sided_sockets_receive_and_send() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (out_umem, mut out_pool) = Umem::builder().chunk_count(64).build().unwrap();
    let (in_umem, mut in_pool) = Umem::builder().chunk_count(64).chunk_size(2048).build().unwrap();
    let tx_only = || Socket::builder(&out_umem).tx_only().bind(cable.veth.a(), 0);
    let mut sender = cable.left.run(tx_only).unwrap().unwrap();
    let rx_only = || Socket::builder(&in_umem).rx_only().bind(cable.veth.b(), 0);
    let mut receiver = cable.right.run(rx_only).unwrap().unwrap();
    receiver.fill.fill_from(&mut in_pool, 64).unwrap();
    let attach = || Attachment::builder(cable.veth.b()).attach();
    let attachment = cable.right.run(attach).unwrap().unwrap();
    let _slot = receiver.register(&attachment).unwrap();

    out_umem
        .for_each_free_chunk(&mut out_pool, |chunk| chunk[..60].copy_from_slice(&packet(7, 60)));
    assert_eq!(sender.tx.send_from(&mut out_pool, 32, 60), Ok(32));
    until("32 completions", || {
        // Once on newer kernels; older ones send 16 at once.
        let kick = sender.tx.kick_if_needed().unwrap();
        let taken = sender.tx.pending() == 0;
        assert!(matches!(kick, Kick::Done | Kick::Again) || taken, "{kick:?}");
        sender.completion.reap_into(&mut out_pool, 64).unwrap();
        out_pool.len() == 64
    });
    let mut seen = 0;
    until("32 packets", || {
        for frame in receiver.rx.receive(64).unwrap() {
            assert_eq!(in_umem.bytes(&frame), packet(7, 60));
            in_pool.put(frame);
            seen += 1;
        }
        seen == 32
    });
}

/// The filter makes every `sendto` fail, so that a call shows.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_kick_for_an_empty_tx_ring_in_copy_mode_is_no_system_call() {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (umem, mut pool) = Umem::builder().chunk_count(16).build().unwrap();
    let bind = || Socket::builder(&umem).copy_mode(CopyMode::Copy).bind(cable.veth.a(), 0);
    let mut socket = cable.left.run(bind).unwrap().unwrap();
    let filtered = std::thread::spawn(move || {
        // The number of `sendto`.
        let (number, arch) = if cfg!(target_arch = "x86_64") {
            (44, TargetArch::x86_64)
        } else {
            (206, TargetArch::aarch64)
        };
        let rules = [(number, Vec::new())].into();
        let refuse = SeccompAction::Errno(71); // EPROTO
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap();
        apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
        let called = |kick: xsk::Result<Kick>| match kick {
            Ok(Kick::NotNeeded) => false,
            Err(Error::Kick { errno, .. }) if errno.raw_os_error() == 71 => true,
            other => panic!("{other:?}"),
        };
        let empty = (called(socket.tx.kick_if_needed()), called(socket.tx.kick()));
        assert_eq!(socket.tx.send_from(&mut pool, 1, 60), Ok(1));
        (empty, called(socket.tx.kick_if_needed()), socket, pool)
    });
    let (empty, full, mut socket, mut pool) = filtered.join().unwrap();
    assert_eq!((empty, full), ((false, true), true));
    until("the chunk comes back", || {
        socket.tx.kick_if_needed().unwrap();
        socket.completion.reap_into(&mut pool, 1).unwrap() == 1
    });
    // Older kernels report only at the next kick how far they came in the TX ring.
    until("nothing is left to do", || socket.tx.kick_if_needed().unwrap() == Kick::NotNeeded);
    assert_eq!(socket.tx.pending(), 0);
}

#[test]
fn frames_received_on_one_thread_are_sent_by_another() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (mut left, mut right) = (Port::left(&cable), Port::right(&cable));
    right.fill();
    let _slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &right);
    left.fill();
    let _back = attach(&cable.left, cable.veth.a(), AttachMode::Native, &left);

    let Socket { mut rx, mut tx, mut fill, mut completion, .. } = right.socket;
    let mut pool: FramePool = right.pool;
    let (to_sender, from_receiver) = std::sync::mpsc::channel();
    let (to_receiver, from_sender) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut forwarded = 0;
            until("receiving", || {
                for frame in rx.receive(64).unwrap() {
                    to_sender.send(frame).unwrap();
                    forwarded += 1;
                }
                for frame in from_sender.try_iter() {
                    pool.put(frame);
                }
                fill.fill_from(&mut pool, 64).unwrap();
                forwarded == 512
            });
        });
        scope.spawn(move || {
            let mut sent = 0;
            until("forwarding", || {
                for frame in from_receiver.try_iter() {
                    tx.reserve(1).unwrap().push(frame).unwrap();
                    sent += 1;
                }
                tx.kick_if_needed().unwrap();
                for frame in completion.reap(64).unwrap() {
                    // The other thread may have ended.
                    if let Err(refused) = to_receiver.send(frame) {
                        let _kept = refused.0;
                    }
                }
                sent == 512 && tx.pending() == 0
            });
        });
        for round in 0..8 {
            send(&mut left, round * 64..round * 64 + 64, 60);
            receive(&mut left, round * 64, 64, 60);
        }
    });
}

#[test]
fn a_queue_that_is_free_in_a_moment_is_waited_for() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    for _ in 0..5 {
        drop(Port::left(&cable));
    }
}

#[test]
fn a_taken_queue_is_an_error_that_says_how_long_was_waited() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let _first = Port::left(&cable);
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    let wait = Duration::from_millis(30);
    let second = || Socket::builder(&umem).bind_timeout(wait).bind(cable.veth.a(), 0);
    let error = cable.left.run(second).unwrap().unwrap_err();
    let Error::Bind { waited, .. } = &error else { panic!("{error}") };
    assert!(*waited >= wait);
    assert!(error.to_string().contains("EBUSY"), "{error}");
}

/// Each attempt takes the lock of all network settings.
#[test]
fn waiting_for_a_taken_queue_makes_few_attempts() {
    if !privileged!() {
        return;
    }
    let sleeps = || -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    let cable = Cable::new(1);
    let _first = Port::left(&cable);
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    let wait = Duration::from_secs(1);
    let second = || {
        let before = sleeps();
        let refused = Socket::builder(&umem).bind_timeout(wait).bind(cable.veth.a(), 0);
        assert!(refused.is_err());
        sleeps() - before
    };
    // 50 pauses of 20 ms, and shorter ones at first; the kernel's own locks make it sleep, too.
    let slept = cable.left.run(second).unwrap();
    // Where other threads hold them, each of the 50 attempts several times; attempts without a pause
    // would be thousands.
    assert!(slept < 500, "{slept} times asleep");
}

#[test]
fn settings_that_no_kernel_should_see_are_refused() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    for size in [0, 3, 1 << 21, 1 << 31] {
        let error = Socket::builder(&umem).rx_size(size).open().unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
    }
    let bind = |queue, copy| {
        let builder = Socket::builder(&umem).copy_mode(copy);
        cable.left.run(|| builder.bind(cable.veth.a(), queue)).unwrap().unwrap_err()
    };
    // The kernel would cut the number to 16 bits and bind queue 0.
    assert!(matches!(bind(65536, CopyMode::Auto), Error::Setting { .. }));
    let outside = bind(2, CopyMode::Auto).to_string();
    assert!(outside.contains("has 2 queue(s)"), "{outside}");
    let zero_copy = bind(0, CopyMode::ZeroCopy).to_string();
    assert!(zero_copy.contains("no zero-copy"), "{zero_copy}");
    // The other namespace may have another interface with that index.
    let other = cable.right.run(|| Socket::builder(&umem).bind(cable.veth.a(), 0));
    let elsewhere = other.unwrap().unwrap_err().to_string();
    assert!(elsewhere.contains("another network namespace"), "{elsewhere}");
    for (chunk, headroom) in
        [(1000, 0), (1024, 0), (3000, 0), (8192, 0), (2048, 2048), (2048, 1792)]
    {
        let error = Umem::builder().chunk_size(chunk).headroom(headroom).build().unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
    }
}

#[test]
fn headroom_is_before_the_packet_and_can_take_a_header() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut left = Port::left(&cable);
    let (umem, pool) = Umem::builder().chunk_count(1024).headroom(128).build().unwrap();
    let bind = || Socket::builder(&umem).bind(cable.veth.b(), 0);
    let socket = cable.right.run(bind).unwrap().unwrap();
    let mut right = Port::new(umem, pool, socket);
    right.fill();
    let _slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &right);
    send(&mut left, 0..1, 60);
    let mut received = None;
    until("a packet", || {
        received = right.socket.rx.receive(1).unwrap().into_iter().next();
        received.is_some()
    });
    let mut frame = received.unwrap();
    assert_eq!(frame.address() % 4096, 128 + 256);
    assert!(right.umem.grow_front(&mut frame, 128 + 257).is_err());
    right.umem.grow_front(&mut frame, 4).unwrap();
    right.umem.bytes_mut(&mut frame)[..4].copy_from_slice(b"head");
    assert_eq!(&right.umem.bytes(&frame)[4..], packet(0, 60));
    right.pool.put(frame);
}

#[test]
fn an_interface_that_goes_away_is_a_typed_error() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut left = Port::left(&cable);
    ip::set_up(cable.veth.a(), false).unwrap();
    let down = left.socket.tx.kick().unwrap_err().to_string();
    assert!(down.contains("ENETDOWN") && down.contains("set it up"), "{down}");
    ip::delete(cable.veth.a()).unwrap();
    let mut said = String::new();
    until("the interface is gone", || match left.socket.tx.kick() {
        Err(error) => {
            said = error.to_string();
            said.contains("ENXIO")
        }
        Ok(_) => false,
    });
    assert!(said.contains("close the socket"), "{said}");
    assert_eq!(left.socket.handle.take_error().unwrap(), Some(rustix::io::Errno::NETDOWN));
}

#[test]
fn several_sockets_are_waited_for_together() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let mut left = Port::left(&cable);
    let mut first = Port::at(&cable.right, cable.veth.b(), 0);
    let mut second = Port::at(&cable.right, cable.veth.b(), 1);
    first.fill();
    second.fill();
    let _slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &first);
    let _other = attach(&cable.right, cable.veth.b(), AttachMode::Native, &second);
    let brief = Some(Duration::from_millis(5));
    assert_eq!(xsk::wait(&[&first.socket.rx, &second.socket.rx], brief).unwrap(), 0);
    send(&mut left, 0..1, 60);
    let long = Some(common::PATIENCE);
    assert_eq!(xsk::wait(&[&first.socket, &second.socket], long).unwrap(), 1);
    receive(&mut first, 0, 1, 60);
    assert_eq!(xsk::wait(&[&first.socket, &second.socket, &left.socket], brief).unwrap(), 0);
}

#[test]
#[expect(unsafe_code, reason = "memory of the user's own")]
fn packets_arrive_in_memory_that_the_user_brought() {
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    if !privileged!() {
        return;
    }
    /// Unmaps the memory when the UMEM lets go of it.
    struct Owner(usize);
    const BYTES: usize = 64 * 4096;
    impl Drop for Owner {
        fn drop(&mut self) {
            // SAFETY: mapped below, and it has no user left.
            unsafe { munmap(std::ptr::with_exposed_provenance_mut(self.0), BYTES) }.unwrap();
        }
    }
    let file = memfd_create("packets", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, u64::try_from(BYTES).unwrap()).unwrap();
    let (all, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping at an address of the kernel's choice.
    let start = unsafe { mmap(std::ptr::null_mut(), BYTES, all, shared, &file, 0) }.unwrap();
    let owner = Owner(start.expose_provenance());
    let memory = std::ptr::NonNull::new(start.cast::<u8>()).unwrap();
    let memory = std::ptr::NonNull::slice_from_raw_parts(memory, BYTES);
    let builder = Umem::builder().chunk_count(65);
    // SAFETY: exclusive, and mapped until `owner` is dropped.
    let short = unsafe { builder.build_in(memory, ()) }.unwrap_err();
    assert!(matches!(short, Error::Setting { name: "memory", .. }), "{short}");
    // SAFETY: as above.
    let (umem, pool) = unsafe { Umem::builder().chunk_count(64).build_in(memory, owner) }.unwrap();

    let cable = Cable::new(1);
    let mut left = Port::left(&cable);
    let bind = || Socket::builder(&umem).bind(cable.veth.b(), 0);
    let socket = cable.right.run(bind).unwrap().unwrap();
    let mut right = Port::new(umem, pool, socket);
    right.socket.fill.fill_from(&mut right.pool, 64).unwrap();
    let _slot = attach(&cable.right, cable.veth.b(), AttachMode::Native, &right);
    send(&mut left, 0..32, 60);
    receive(&mut right, 0, 32, 60);
}
