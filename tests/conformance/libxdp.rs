//! libxdp's tests (`lib/libxdp/tests` of xdp-tools), where they apply.

use crate::common::{Cable, kernel_can, kernel_since, until};
use crate::packets::{LEN, intact, stream};
use crate::rig::{Bed, CHUNKS, Listener, RECEIVER, SENDER, Shape, Side, exchange};
use crate::traffic::all_arrive;
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::collections::BTreeSet;
use std::sync::Barrier;
use xsk::attach::{AttachMethod, AttachMode, Attachment};
use xsk::bpf::{Insn, Program, Reg, XskMap};
use xsk::test_util::{Namespace, VethPair, privileged};
use xsk::{Error, Socket, Umem, XdpMode};

const METHODS: [AttachMethod; 2] = [AttachMethod::Netlink, AttachMethod::Link];

/// Two sockets on queues of their own, one at each end.
fn sender(bed: &Bed, queue: u32) -> Side {
    let queue = bed.sending_queue(queue);
    bed.left(Shape { queue, ..SENDER })
}

/// What libxdp's `xsk_socket__create` does: the first one attaches, the next ones join.
fn user(bed: &Bed, queue: u32, method: AttachMethod) -> (Listener, u32) {
    let attach = || Attachment::builder(bed.cable.veth.b()).mode(bed.mode).method(method).attach();
    let attachment = bed.cable.right.run(attach).unwrap().unwrap();
    let id = attachment.program_id();
    (Listener::new(bed.right(Shape { queue, ..RECEIVER }), &attachment), id)
}

fn attached(bed: &Bed) -> Option<u32> {
    Some(bed.cable.veth.b().attached_programs().unwrap().programs().next()?.1)
}

/// A link may be held for a moment longer by anybody who is just looking at all links, as other tests do.
#[track_caller]
fn nothing_is_left(bed: &Bed) {
    until("nothing is attached", || attached(bed).is_none());
}

/// For each method of attaching, in native mode.
fn for_each_method(test: &str, check: fn(&Bed, AttachMethod)) {
    if privileged(test) {
        let bed = Bed::new(AttachMode::Native);
        for method in METHODS {
            check(&bed, method);
            nothing_is_left(&bed);
        }
        bed.end();
    }
}

#[test]
fn prog_refcnt_single() {
    for_each_method("prog_refcnt_single", |bed, method| {
        let (user, program) = user(bed, 0, method);
        assert_eq!(attached(bed), Some(program));
        drop(user);
    });
}

#[test]
fn prog_refcnt_two_in_any_order() {
    for_each_method("prog_refcnt_two_in_any_order", |bed, method| {
        let mut from = [0, 1].map(|queue| sender(bed, queue));
        for stays in [0, 1] {
            let users = [0, 1].map(|queue| user(bed, queue, method));
            assert_eq!(users[0].1, users[1].1, "both use one program");
            let [first, second] = users.map(|(user, _)| user);
            let (gone, mut left) = if stays == 0 { (second, first) } else { (first, second) };
            let program = attached(bed);
            drop(gone);
            assert_eq!(attached(bed), program, "it stays for the other one");
            all_arrive(&mut from[stays], &mut left, &stream(256, LEN));
            drop(left);
            nothing_is_left(bed);
        }
    });
}

#[test]
fn prog_refcnt_two_leave_at_once() {
    for_each_method("prog_refcnt_two_leave_at_once", |bed, method| {
        for _ in 0..5 {
            let users = [0, 1].map(|queue| user(bed, queue, method));
            let start = Barrier::new(2);
            std::thread::scope(|scope| {
                for (user, _) in users {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        drop(user);
                    });
                }
            });
            nothing_is_left(bed);
        }
    });
}

#[test]
fn prog_refcnt_one_leaves_and_one_comes_at_once() {
    for_each_method("prog_refcnt_one_leaves_and_one_comes_at_once", |bed, method| {
        let mut from = [0, 1].map(|queue| sender(bed, queue));
        let (mut here, _) = user(bed, 0, method);
        for round in 1..10 {
            let queue = round % 2;
            let start = Barrier::new(2);
            let (comes, program) = std::thread::scope(|scope| {
                let comes = scope.spawn(|| {
                    start.wait();
                    user(bed, queue, method)
                });
                start.wait();
                drop(here);
                comes.join().unwrap()
            });
            here = comes;
            assert_eq!(attached(bed), Some(program), "the newcomer's program is there");
            all_arrive(&mut from[queue as usize], &mut here, &stream(256, LEN));
        }
        drop(here);
    });
}

#[test]
fn prog_refcnt_three_leave_in_every_order() {
    for_each_method("prog_refcnt_three_leave_in_every_order", |bed, method| {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut users = [0, 1, 2].map(|queue| Some(user(bed, queue, method)));
            let program = attached(bed);
            assert!(users.iter().flatten().all(|(_, id)| Some(*id) == program));
            for (leaver, left) in order.into_iter().zip([2, 1, 0]) {
                users[leaver] = None;
                if left > 0 {
                    assert_eq!(attached(bed), program, "{left} are left of {order:?}");
                }
            }
            nothing_is_left(bed);
        }
    });
}

#[test]
fn map_leak() {
    for_each_method("map_leak", |bed, method| {
        let mut maps = BTreeSet::new();
        let map_of = |program| Program::from_id(program).unwrap().info().unwrap().map_ids;
        for _ in 0..3 {
            let users = [0, 1, 2, 3].map(|queue| user(bed, queue, method));
            maps.extend(map_of(users[0].1));
            drop(users);
            nothing_is_left(bed);
        }
        assert_eq!(maps.len(), 3, "one for each round");
        until("the maps have gone", || maps.iter().all(|id| XskMap::from_id(*id).is_err()));
    });
}

#[test]
fn umem_flags() {
    // libxdp's test proves that the flags reach the kernel by what it refuses; here nothing odd reaches it.
    for chunk_size in [2049, 3000, 4001] {
        let refused = Umem::builder().chunk_count(CHUNKS).chunk_size(chunk_size).build();
        let Err(Error::Setting { value, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(value, u64::from(chunk_size));
    }
}

#[test]
fn non_privileged() {
    if !privileged("non_privileged") {
        return;
    }
    let bed = Bed::new(AttachMode::Native);
    let mut from = bed.left(SENDER);
    let mut to = bed.listener(RECEIVER);
    let all = capabilities(None).unwrap();
    let mut none = all;
    none.effective = CapabilitySet::empty();
    set_capabilities(None, none).unwrap();
    // Threads that are started now have none either.
    all_arrive(&mut from, &mut to, &stream(4096, LEN));
    let refused = Socket::builder(&from.umem).open();
    set_capabilities(None, all).unwrap();
    let Err(Error::CreateSocket { errno: Errno::PERM, .. }) = refused else {
        panic!("{refused:?}")
    };
    drop(to);
    bed.end();
}

#[test]
fn frags() {
    if !privileged("frags") {
        return;
    }
    // Packets that may not fit one buffer.
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let veth = VethPair::builder().queues(4).mtu(5000).build(&left, &right).unwrap();
    let cable = Cable { left, right, veth };
    let mode = AttachMode::Native;
    let bed = Bed::over(cable, mode);
    let attach = |mode| {
        let attach = || Attachment::builder(bed.cable.veth.b()).mode(mode).attach();
        bed.cable.right.run(attach).unwrap()
    };
    // Without frags, native mode refuses, in words of the driver's, and generic mode is not taken in its place.
    for choice in [AttachMode::Native, AttachMode::Auto] {
        let refused = attach(choice);
        let Err(Error::Attach { errno, .. }) = &refused else { panic!("{refused:?}") };
        assert_eq!(*errno, Errno::RANGE);
        assert_eq!(attached(&bed), None);
    }
    let generic = attach(AttachMode::Generic).unwrap();
    assert_eq!(generic.mode(), XdpMode::Generic);
    generic.close().unwrap();

    let can = kernel_since(5, 18);
    if !can {
        let smallest = [Insn::mov64_imm(Reg::R0, 0), Insn::exit()];
        let said = Program::builder(&smallest)
            .name("frags")
            .license(c"MIT")
            .frags(true)
            .load()
            .unwrap_err();
        assert!(said.to_string().contains("needs Linux 5.18"), "{said}");
    }
    if !kernel_can("frags", can, "programs with frags need 5.18") {
        return;
    }
    // With frags it is taken, and packets of one buffer arrive as ever.
    let (mut from, packets) = (bed.left(SENDER), stream(256, LEN));
    let mut to = bed.listener_by(crate::programs::with_frags());
    exchange(&mut from, &mut to, [&packets, &packets], intact);
    drop(to);
    bed.end();
}
