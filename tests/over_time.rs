//! What goes wrong only after a while, or beside something else: addresses that drift, programs on
//! the loopback, queues that come and go beside a sender, numbers of queues that change.

mod common;

use common::{AtCable, Cable, PATIENCE, kernel_can, once_within, packet, rounds, until};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use xsk::attach::{AttachMode, Attachment};
use xsk::bpf::{Cond, Helper, Insn, Program, Reg, Size, XskMap};
use xsk::test_util::{Namespace, privileged};
use xsk::{Frame, Interface, Port, Socket, Umem};

/// Returns a program that moves the start of each packet by `bytes`, and redirects it.
fn moving(bytes: i32) -> (Program, XskMap) {
    let map = XskMap::create("xsks_map", 4).unwrap();
    let [low, high] = Insn::load_map_fd(Reg::R1, map.as_fd());
    let insns = [
        Insn::mov64_reg(Reg::R6, Reg::R1),
        Insn::mov64_imm(Reg::R2, bytes),
        Insn::call(Helper::XDP_ADJUST_HEAD),
        Insn::jump_imm(Cond::Ne, Reg::R0, 0, 6),
        Insn::load(Size::Word, Reg::R2, Reg::R6, 16),
        low,
        high,
        Insn::mov64_imm(Reg::R3, 2),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
        Insn::mov64_imm(Reg::R0, 1),
        Insn::exit(),
    ];
    (Program::builder(&insns).name("moving").license(c"MIT").load().unwrap(), map)
}

/// Whatever a program does to the start of a packet, a frame's chunk begins where it began.
#[test]
fn chunks_stay_where_they_are_when_packets_begin_elsewhere() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (near, far) = (cable.veth.a(), cable.veth.b());
    let mut sender = Port::right(&cable);
    let mut number = 0;
    for (mode, moved, headroom) in [
        (AttachMode::Native, -14, 0),
        (AttachMode::Native, 14, 64),
        (AttachMode::Native, 14, 128),
        (AttachMode::Generic, -14, 64),
        (AttachMode::Generic, 14, 0),
    ] {
        let (umem, mut pool) =
            Umem::builder().chunk_count(64).chunk_size(2048).headroom(headroom).build().unwrap();
        let bind = || Socket::builder(&umem).rx_only().bind_timeout(PATIENCE).bind(near, 0);
        let mut socket = cable.left.run(bind).unwrap().unwrap();
        let (program, map) = moving(moved);
        let builder = Attachment::builder(near).mode(mode).program(program, map);
        let attachment = cable.left.run(|| builder.attach()).unwrap().unwrap();
        let registration = socket.register(&attachment).unwrap();
        socket.fill.fill_from(&mut pool, 32).unwrap();
        let mut held: Vec<Frame> = Vec::new();
        let end = number + rounds(4000);
        let mut expected = number;
        until("all packets", || {
            let batch = (end - number).min(16);
            let sent = sender.socket.tx.send_each(&mut sender.pool, batch, |frame| {
                sender.umem.write(frame, &packet(number, 100)).unwrap();
                number += 1;
            });
            let sent = sent.unwrap();
            until("completions", || {
                sender.socket.tx.kick_if_needed().unwrap();
                sender.socket.completion.reap_into(&mut sender.pool, 64).unwrap();
                sender.pool.len() == sender.umem.chunk_count()
            });
            let last = expected + sent;
            until("a batch", || {
                for mut frame in socket.rx.receive(16).unwrap() {
                    let whole = packet(expected, 100);
                    let bytes = umem.bytes(&frame);
                    if moved > 0 {
                        assert_eq!(bytes, &whole[14..]);
                    } else {
                        assert_eq!(&bytes[14..], whole);
                    }
                    assert_eq!(frame.address() % 2048, u64::from(256 + headroom));
                    // In front there is the headroom, and no more.
                    umem.grow_front(&mut frame, 256 + headroom).unwrap();
                    assert_eq!(frame.address() % 2048, 0);
                    umem.grow_front(&mut frame, 1).unwrap_err();
                    expected += 1;
                    held.push(frame);
                }
                expected == last
            });
            // Given back in another order.
            if held.len() >= 20 {
                held.swap(0, 19);
                pool.extend(held.drain(..));
            }
            let free = u32::try_from(pool.len()).unwrap();
            socket.fill.fill_from(&mut pool, free.min(32 - socket.fill.pending())).unwrap();
            number == end
        });
        let start = |address: u64| address / 2048 * 2048;
        assert!(pool.addresses().all(|address| start(address) == address));
        assert_eq!(umem.chunk_counts().map_or(0, |counts| counts.sending), 0);
        drop((held, registration));
        attachment.close().unwrap();
    }
    assert!(far.info().is_ok());
}

/// Sends `bytes` bytes over TCP to the loopback, and a UDP datagram of 60,000.
fn localhost_works(bytes: usize) -> bool {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    // In the namespace of the calling thread.
    let sender = std::thread::spawn(move || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.write_all(&vec![7; bytes])
    });
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    let sent = sender.join().unwrap();
    let inbox = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    inbox.set_read_timeout(Some(PATIENCE)).unwrap();
    let outbox = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    outbox.send_to(&vec![8; 60_000], inbox.local_addr().unwrap()).unwrap();
    let mut datagram = vec![0; 65_536];
    let came = inbox.recv(&mut datagram).is_ok_and(|length| length == 60_000);
    sent.is_ok() && read.is_ok() && received == vec![7; bytes] && came
}

/// The default program passes everything while no socket is registered: segments of 64 KB, too.
#[test]
fn localhost_works_under_a_program_without_sockets() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let lo = namespace.interface("lo").unwrap();
    xsk::test_util::ip::set_up(&lo, true).unwrap();
    namespace
        .run(|| {
            assert!(localhost_works(1 << 20), "before");
            let attachment = Attachment::builder(&lo).attach().unwrap();
            assert!(localhost_works(20 << 20), "nothing is registered");
            let (umem, mut pool) = Umem::builder().chunk_count(64).build().unwrap();
            let mut socket = Socket::builder(&umem).rx_only().bind(&lo, 0).unwrap();
            socket.fill.fill_from(&mut pool, 64).unwrap();
            let registration = socket.register(&attachment).unwrap();
            let outbox = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            outbox.send_to(b"?", (Ipv4Addr::LOCALHOST, 9)).unwrap();
            until("the packet", || !socket.rx.receive(64).unwrap().is_empty());
            registration.close().unwrap();
            assert!(localhost_works(20 << 20), "the registration has ended");
            drop(socket);
            assert!(localhost_works(1 << 20), "the socket is closed");
            attachment.close().unwrap();
            assert!(localhost_works(1 << 20), "the program is detached");
        })
        .unwrap();
}

/// Binding, attaching and leaving on one queue does not stop another one that sends.
#[test]
fn a_sender_goes_on_while_the_queue_beside_it_comes_and_goes() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(2);
    let near = cable.veth.a();
    let mut sender = Port::left(&cable);
    // 100 ms, and what a busy machine adds.
    once_within(Duration::from_secs(2), || longest_pause(&mut sender, &cable.left, near));
}

/// Returns the longest pause of a sender while queue 1 of its interface comes and goes.
fn longest_pause(sender: &mut Port, here: &Namespace, near: &Interface) -> Duration {
    let stop = AtomicBool::new(false);
    let longest = std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            while !stop.load(Ordering::Relaxed) {
                sender.socket.tx.send_from(&mut sender.pool, 32, 60).unwrap();
                sender.socket.tx.kick_if_needed().unwrap();
                if sender.socket.completion.reap_into(&mut sender.pool, 64).unwrap() > 0 {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
            }
            longest
        });
        for _ in 0..rounds(60) {
            let work = || {
                let mut beside = Port::at(here, near, 1);
                beside.fill();
                let attachment = Attachment::builder(near).attach().unwrap();
                let registration = beside.socket.register(&attachment).unwrap();
                registration.close().unwrap();
                attachment.close().unwrap();
            };
            here.run(work).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        sending.join().unwrap()
    });
    eprintln!("the longest pause of the sender: {longest:?}");
    longest
}

/// The kernel refuses to take a queue away that a socket has; new queues can be bound at once.
#[test]
fn the_number_of_queues_may_change() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(4);
    let near = cable.veth.a();
    let set = |words: &str| {
        let line = format!("-L {} {words}", near.name());
        let run = || Command::new("ethtool").args(line.split(' ')).output();
        cable.left.run(run).unwrap().map(|output| output.status.success())
    };
    let found = set("rx 4").is_ok();
    if !kernel_can("the_number_of_queues_may_change", found, "there is no ethtool") {
        return;
    }
    let mut port = Port::at(&cable.left, near, 1);
    port.fill();
    let attachment = cable.left.run(|| Attachment::builder(near).attach()).unwrap().unwrap();
    let registration = port.socket.register(&attachment).unwrap();
    // Below the bound queue: the kernel's own rule.
    assert!(!set("rx 1 tx 1").unwrap(), "a bound queue was taken away");
    assert!(set("tx 2").unwrap());
    assert_eq!(near.queues().map(|queues| (queues.rx, queues.tx)), Ok((4, 2)), "read anew");
    let error = cable.left.run(|| {
        let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
        Socket::builder(&umem).tx_only().bind(near, 3).map(drop).unwrap_err()
    });
    assert!(matches!(error.unwrap(), xsk::Error::QueueSide { tx: 2, .. }));
    assert!(set("tx 4").unwrap());
    drop(Port::at(&cable.left, near, 3));
    assert_eq!(port.socket.handle.check(), Ok(()));
    registration.close().unwrap();
    attachment.close().unwrap();
}
