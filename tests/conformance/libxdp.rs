//! libxdp's tests (`lib/libxdp/tests` of xdp-tools), where they apply.

use crate::common::{Cable, METHODS, kernel_can, kernel_since, until};
use crate::fixture::{CHUNKS, Fixture, Listener, RECEIVER, SENDER, Shape, exchange};
use crate::packets::{LEN, intact, stream};
use crate::traffic::all_arrive;
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::collections::BTreeSet;
use std::sync::Barrier;
use xsk::attach::{AttachMethod, AttachMode, Attachment};
use xsk::bpf::{Insn, Program, Reg, XskMap};
use xsk::test_util::{Namespace, VethPair, privileged, test_name};
use xsk::{Error, Port, Socket, Umem, XdpMode};

/// Returns a socket on the left end whose packets arrive on `queue`.
fn sender(fixture: &Fixture, queue: u32) -> Port {
    let queue = fixture.sending_queue(queue);
    fixture.left(Shape { queue, ..SENDER })
}

/// What libxdp's `xsk_socket__create` does: the first one attaches, the next ones join.
fn user(fixture: &Fixture, queue: u32, method: AttachMethod) -> (Listener, u32) {
    let attach =
        || Attachment::builder(fixture.cable.veth.b()).mode(fixture.mode).method(method).attach();
    let attachment = fixture.cable.right.run(attach).unwrap().unwrap();
    let id = attachment.program_id();
    (Listener::new(fixture.right(Shape { queue, ..RECEIVER }), &attachment), id)
}

fn attached(fixture: &Fixture) -> Option<u32> {
    Some(fixture.cable.veth.b().attached_programs().unwrap().programs().next()?.1)
}

/// Asserts that nothing is attached. Other tests that enumerate all links may hold this one for a
/// moment longer.
#[track_caller]
fn nothing_is_left(fixture: &Fixture) {
    until("nothing is attached", || attached(fixture).is_none());
}

/// Runs `check` for each method of attaching, in native mode.
fn for_each_method(test: &str, check: fn(&Fixture, AttachMethod)) {
    if privileged(test) {
        let fixture = Fixture::new(AttachMode::Native);
        for method in METHODS {
            check(&fixture, method);
            nothing_is_left(&fixture);
        }
        fixture.end();
    }
}

#[test]
fn prog_refcnt_single() {
    for_each_method(test_name!(), |fixture, method| {
        let (user, program) = user(fixture, 0, method);
        assert_eq!(attached(fixture), Some(program));
        drop(user);
    });
}

#[test]
fn prog_refcnt_two_in_any_order() {
    for_each_method(test_name!(), |fixture, method| {
        let mut from = [0, 1].map(|queue| sender(fixture, queue));
        for stays in [0, 1] {
            let users = [0, 1].map(|queue| user(fixture, queue, method));
            assert_eq!(users[0].1, users[1].1, "both use one program");
            let [first, second] = users.map(|(user, _)| user);
            let (gone, mut left) = if stays == 0 { (second, first) } else { (first, second) };
            let program = attached(fixture);
            drop(gone);
            assert_eq!(attached(fixture), program, "it stays for the other user");
            all_arrive(&mut from[stays], &mut left, &stream(256, LEN));
            drop(left);
            nothing_is_left(fixture);
        }
    });
}

#[test]
fn prog_refcnt_two_leave_at_once() {
    for_each_method(test_name!(), |fixture, method| {
        for _ in 0..5 {
            let users = [0, 1].map(|queue| user(fixture, queue, method));
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
            nothing_is_left(fixture);
        }
    });
}

#[test]
fn prog_refcnt_one_leaves_and_one_comes_at_once() {
    for_each_method(test_name!(), |fixture, method| {
        let mut from = [0, 1].map(|queue| sender(fixture, queue));
        let (mut here, _) = user(fixture, 0, method);
        for round in 1..10 {
            let queue = round % 2;
            let start = Barrier::new(2);
            let (comes, program) = std::thread::scope(|scope| {
                let comes = scope.spawn(|| {
                    start.wait();
                    user(fixture, queue, method)
                });
                start.wait();
                drop(here);
                comes.join().unwrap()
            });
            here = comes;
            assert_eq!(attached(fixture), Some(program), "the newcomer's program is there");
            all_arrive(&mut from[queue as usize], &mut here, &stream(256, LEN));
        }
        drop(here);
    });
}

#[test]
fn prog_refcnt_three_leave_in_every_order() {
    for_each_method(test_name!(), |fixture, method| {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut users = [0, 1, 2].map(|queue| Some(user(fixture, queue, method)));
            let program = attached(fixture);
            assert!(users.iter().flatten().all(|(_, id)| Some(*id) == program));
            for (leaver, left) in order.into_iter().zip([2, 1, 0]) {
                users[leaver] = None;
                if left > 0 {
                    assert_eq!(attached(fixture), program, "{left} are left of {order:?}");
                }
            }
            nothing_is_left(fixture);
        }
    });
}

#[test]
fn map_leak() {
    for_each_method(test_name!(), |fixture, method| {
        let mut maps = BTreeSet::new();
        let map_of = |program| Program::from_id(program).unwrap().info().unwrap().map_ids;
        for _ in 0..3 {
            let users = [0, 1, 2, 3].map(|queue| user(fixture, queue, method));
            maps.extend(map_of(users[0].1));
            drop(users);
            nothing_is_left(fixture);
        }
        assert_eq!(maps.len(), 3, "a map for each round");
        until("the maps have gone", || maps.iter().all(|id| XskMap::from_id(*id).is_err()));
    });
}

#[test]
fn umem_flags() {
    // Without the flag, no size that the kernel would refuse reaches it. With it, the kernel takes
    // such a size, which shows that it sees the flag.
    for chunk_size in [2049, 3000, 4001] {
        let builder = Umem::builder().chunk_count(CHUNKS).chunk_size(chunk_size);
        let refused = builder.clone().build();
        let Err(Error::Setting { value, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(value, u64::from(chunk_size));
        let (umem, _pool) = builder.unaligned().build().unwrap();
        if privileged!() {
            drop(Socket::builder(&umem).open().unwrap());
        }
    }
}

#[test]
fn non_privileged() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(AttachMode::Native);
    let mut from = fixture.left(SENDER);
    let mut to = fixture.listener(RECEIVER);
    let all = capabilities(None).unwrap();
    let mut none = all;
    none.effective = CapabilitySet::empty();
    set_capabilities(None, none).unwrap();
    // Threads that are started now have no capabilities either.
    all_arrive(&mut from, &mut to, &stream(4096, LEN));
    let refused = Socket::builder(&from.umem).open();
    set_capabilities(None, all).unwrap();
    let Err(Error::CreateSocket { errno: Errno::PERM, .. }) = refused else {
        panic!("{refused:?}")
    };
    drop(to);
    fixture.end();
}

#[test]
fn frags() {
    if !privileged!() {
        return;
    }
    // Packets that may not fit in one buffer.
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let veth = VethPair::builder().queues(4).mtu(5000).build(&left, &right).unwrap();
    let cable = Cable { left, right, veth };
    let mode = AttachMode::Native;
    let fixture = Fixture::over(cable, mode);
    let attach = |mode| {
        let attach = || Attachment::builder(fixture.cable.veth.b()).mode(mode).attach();
        fixture.cable.right.run(attach).unwrap()
    };
    // Without frags the driver refuses native mode, and generic mode is chosen where none is asked
    // for.
    let refused = attach(AttachMode::Native);
    let Err(Error::Attach { errno, .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!(*errno, Errno::RANGE);
    assert_eq!(attached(&fixture), None);
    for choice in [AttachMode::Auto, AttachMode::Generic] {
        let generic = attach(choice).unwrap();
        assert_eq!(generic.mode(), XdpMode::Generic);
        generic.close().unwrap();
    }

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
    if !kernel_can(test_name!(), can, "programs with frags need 5.18") {
        return;
    }
    // With frags native mode is taken, and packets of one buffer arrive as before.
    let (mut from, packets) = (fixture.left(SENDER), stream(256, LEN));
    let mut to = fixture.listener_by(crate::programs::with_frags());
    exchange(&mut from, &mut to, [&packets, &packets], intact);
    drop(to);
    fixture.end();
}
