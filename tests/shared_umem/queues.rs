//! Several sockets on one queue.

use crate::common::{Cable, until};
use crate::fixture::{assert_home, first, receive, send, send_from};
use rustix::io::Errno;
use std::os::fd::AsFd;
use xsk::attach::Attachment;
use xsk::bpf::{Alu, Cond, Helper, Insn, Program, Reg, Size, XskMap};
use xsk::test_util::privileged;
use xsk::{Error, FramePool, Kick, Port, SharedQueue, Socket, Umem};

/// Returns a program that redirects each packet to the slot whose number is in the last byte of its
/// sequence number, modulo `slots`.
fn by_sequence(slots: u32) -> (Program, XskMap) {
    let map = XskMap::create("xsks_map", slots).unwrap();
    let [low, high] = Insn::load_map_fd(Reg::R1, map.as_fd());
    let insns = [
        Insn::load(Size::Word, Reg::R2, Reg::R1, 0),
        Insn::load(Size::Word, Reg::R3, Reg::R1, 4),
        Insn::mov64_imm(Reg::R0, 2),
        Insn::mov64_reg(Reg::R4, Reg::R2),
        Insn::alu64_imm(Alu::Add, Reg::R4, 18),
        Insn::jump_reg(Cond::Gt, Reg::R4, Reg::R3, 6),
        Insn::load(Size::Byte, Reg::R2, Reg::R2, 17),
        Insn::alu64_imm(Alu::Mod, Reg::R2, i32::try_from(slots).unwrap()),
        low,
        high,
        Insn::mov64_imm(Reg::R3, 2),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ];
    (Program::builder(&insns).name("by_sequence").license(c"MIT").load().unwrap(), map)
}

/// Three sockets on one queue, each of which gets a third of the packets.
#[test]
fn sockets_on_one_queue_receive_into_chunks_of_one_fill_ring() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let (near, far) = (cable.veth.a(), cable.veth.b());
    let Port { umem, mut pool, socket, .. } = first(&cable.left, near, 256);
    let mut peer = first(&cable.right, far, 256);
    let mut queue = socket.share_queue();
    let second = cable.left.run(|| queue.add_socket().bind());
    let mut second = second.unwrap().unwrap();
    let third = cable.left.run(|| queue.add_socket().rx_only().bind());
    let mut third = third.unwrap().unwrap();
    assert_eq!((third.handle.queue(), third.handle.interface()), (0, near.name()));
    let (program, map) = by_sequence(3);
    let builder = Attachment::builder(near).program(program, map);
    let attachment = cable.left.run(|| builder.attach()).unwrap().unwrap();
    let slots = [
        queue.register(&attachment, 0).unwrap(),
        second.register(&attachment, 1).unwrap(),
        third.register(&attachment, 2).unwrap(),
    ];
    let mut received = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..40 {
        send_from(&mut peer, round * 60, (round + 1) * 60);
        let wanted = usize::try_from((round + 1) * 60).unwrap();
        until("packets", || {
            let rings = [&mut queue.rx, &mut second.rx, &mut third.rx];
            for (rx, numbers) in rings.into_iter().zip(&mut received) {
                numbers.extend(receive(rx, &umem, &mut pool));
            }
            queue.fill.fill_from(&mut pool, 128 - queue.fill.pending()).unwrap();
            received.iter().map(Vec::len).sum::<usize>() == wanted
        });
    }
    for (numbers, slot) in received.iter().zip(0..) {
        let wanted: Vec<u32> = (0..2400).filter(|number| number % 256 % 3 == slot).collect();
        assert_eq!(*numbers, wanted, "slot {slot}");
    }
    assert_home(&umem, &pool, &queue.fill);
    drop(slots);
    attachment.close().unwrap();
}

/// The chunks of all come back in one completion ring.
#[test]
fn what_sockets_on_one_queue_send_comes_back_in_one_completion_ring() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let near = cable.veth.a();
    let Port { umem, mut pool, socket, .. } = first(&cable.left, near, 256);
    let mut queue = socket.share_queue();
    let sent = || near.info().unwrap().counters.tx_packets;
    let add = |queue: &mut SharedQueue| {
        let bind = || queue.add_socket().tx_only().tx_size(64).bind();
        cable.left.run(bind).unwrap().unwrap()
    };
    let (mut second, mut third) = (add(&mut queue), add(&mut queue));
    for round in 0..20 {
        let SharedQueue { tx, completion, fill, .. } = &mut queue;
        for tx in [&mut second.tx, tx, &mut third.tx] {
            send((&umem, &mut pool), (0, 100), tx, |pool| {
                completion.reap_into(pool, 64).unwrap();
            });
        }
        assert_eq!(sent(), (round + 1) * 300);
        assert_home(&umem, &pool, fill);
    }
    // What was sent by one that is gone comes back as well.
    let all = pool.len();
    for round in 0..10 {
        let mut brief = add(&mut queue);
        assert_eq!(brief.tx.send_from(&mut pool, 30, 60), Ok(30));
        // Before 5.17 one call sends 16.
        while brief.tx.kick_if_needed() == Ok(Kick::Again) {}
        drop(brief);
        until("the chunks of a socket that is gone", || {
            queue.completion.reap_into(&mut pool, 64).unwrap();
            pool.len() == all
        });
        assert_eq!(sent(), 6000 + (round + 1) * 30);
    }
    assert_home(&umem, &pool, &queue.fill);
}

/// Sockets of one queue may end in any order, and the queue is free after the last.
#[test]
fn the_first_may_go_first() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let near = cable.veth.a();
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]] {
        let mut queue = first(&cable.left, near, 64).socket.share_queue();
        let mut add = || {
            let bind = || queue.add_socket().bind();
            cable.left.run(bind).unwrap().unwrap()
        };
        let (second, third) = (add(), add());
        let mut sockets: [Option<Box<dyn std::any::Any>>; 3] =
            [Some(Box::new(queue)), Some(Box::new(second)), Some(Box::new(third))];
        let probe = || {
            let (umem, _pool) = Umem::builder().chunk_count(4).build().unwrap();
            let builder = Socket::builder(&umem).bind_timeout(std::time::Duration::ZERO);
            cable.left.run(|| builder.bind(near, 0).map(drop)).unwrap()
        };
        for number in order {
            let busy = probe();
            let taken = matches!(busy, Err(Error::Bind { errno: Errno::BUSY, .. }));
            assert!(taken, "{order:?}, before {number}: {busy:?}");
            sockets[number] = None;
        }
        until("the queue is free", || probe().is_ok());
    }
}

/// Those that are left go on, whichever has ended.
#[test]
fn the_others_go_on_when_one_has_ended() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let Port { umem, mut pool, socket, .. } = first(&cable.left, cable.veth.a(), 256);
    let mut queue = socket.share_queue();
    let mut add = || {
        let bind = || queue.add_socket().bind();
        cable.left.run(bind).unwrap().unwrap()
    };
    let (second, mut third) = (add(), add());
    // Of the first, the two rings that all need are kept, and nothing else.
    let SharedQueue { mut completion, fill, .. } = queue;
    let mut go_on = |pool: &mut FramePool| {
        send((&umem, pool), (0, 200), &mut third.tx, |pool| {
            completion.reap_into(pool, 64).unwrap();
        });
        assert_home(&umem, pool, &fill);
    };
    go_on(&mut pool);
    drop(second);
    go_on(&mut pool);
}
