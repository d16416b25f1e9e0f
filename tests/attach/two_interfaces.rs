//! A program of one's own, and its map, on two interfaces.

use crate::common::{METHODS, rounds, rx_socket, wait_for};
use crate::fixture::{
    Fixture, count, counting_socket, lists_unix_sockets, other_program, strangers,
};
use crate::processes::Other;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use xsk::attach::{AttachMethod, Attachment, Registration};
use xsk::bpf::{Program, SlotProbe, XskMap};
use xsk::interface::Interface;
use xsk::test_util::{Namespace, VethPair, privileged};
use xsk::{Error, Result};

/// Two interfaces of one namespace, and a program for both.
struct Two {
    fixture: Fixture,
    _far: Namespace,
    pair: VethPair,
    program: Program,
    map: XskMap,
}

impl Two {
    fn new() -> Self {
        let (fixture, far) = (Fixture::new(2), Namespace::new().unwrap());
        let pair = VethPair::builder().names("second", "far").build(&fixture.cable.left, &far);
        let (program, map) = other_program();
        Self { fixture, _far: far, pair: pair.unwrap(), program, map }
    }

    fn interfaces(&self) -> [&Interface; 2] {
        [self.fixture.interface(), self.pair.a()]
    }

    fn attach(&self, at: usize, method: AttachMethod) -> Result<Attachment> {
        let map = XskMap::from_id(self.map.id()).unwrap();
        let builder = Attachment::builder(self.interfaces()[at]).method(method);
        builder.program(self.program.try_clone().unwrap(), map).attach()
    }

    fn is_attached(&self, at: usize) -> bool {
        !self.interfaces()[at].attached_programs().unwrap().is_empty()
    }

    /// Asserts that the program is on these of the two interfaces. Other tests of this process that
    /// enumerate all links may hold one for a moment longer.
    #[track_caller]
    fn assert_attached(&self, expected: [bool; 2]) {
        wait_for(&format!("attached: {expected:?}"), || {
            [0, 1].map(|at| self.is_attached(at)) == expected
        });
    }
}

/// What happens to one of the two interfaces.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Register(usize),
    Close(usize),
}

/// Returns every order in which sockets are registered on these of the interfaces, and both are
/// closed.
fn orders(register: [bool; 2]) -> Vec<Vec<Step>> {
    let mut steps = vec![Step::Close(0), Step::Close(1)];
    steps.extend([0, 1].into_iter().filter(|at| register[*at]).map(Step::Register));
    let mut orders = vec![vec![]];
    for _ in 0..steps.len() {
        orders = orders
            .into_iter()
            .flat_map(|done: Vec<Step>| {
                let rest = steps.iter().filter(|step| !done.contains(step)).copied();
                let next = rest.map(|step| [done.clone(), vec![step]].concat());
                next.collect::<Vec<_>>()
            })
            .collect();
    }
    let place = |order: &[Step], step| order.iter().position(|other| *other == step);
    orders.retain(|order| {
        [0, 1]
            .into_iter()
            .all(|at| place(order, Step::Register(at)) < place(order, Step::Close(at)))
    });
    orders
}

#[test]
fn a_program_comes_off_both_in_any_order() {
    if !privileged!() || !lists_unix_sockets("a_program_comes_off_both_in_any_order") {
        return;
    }
    let two = Two::new();
    two.fixture.inside(|| {
        for method in METHODS {
            for register in [[true, true], [true, false], [false, true], [false, false]] {
                for order in orders(register) {
                    let attach = |at| Some(two.attach(at, method).unwrap());
                    let mut attachments = [attach(0), attach(1)];
                    let mut registrations = [None::<Registration>, None];
                    let mut expected = [true; 2];
                    for step in &order {
                        match *step {
                            Step::Register(at) => {
                                let slot = u32::try_from(at).unwrap();
                                let attachment = attachments[at].as_ref().unwrap();
                                let socket = rx_socket();
                                registrations[at] =
                                    Some(attachment.register(slot, socket.as_fd()).unwrap());
                            }
                            Step::Close(at) => {
                                if let Some(registration) = registrations[at].take() {
                                    registration.close().unwrap();
                                }
                                attachments[at].take().unwrap().close().unwrap();
                                expected[at] = false;
                            }
                        }
                        two.assert_attached(expected);
                    }
                }
            }
        }
    });
}

#[test]
fn another_process_on_the_other_interface_keeps_nothing_attached() {
    let test = "another_process_on_the_other_interface_keeps_nothing_attached";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    let two = Two::new();
    for method in METHODS {
        for (they_end_first, killed) in [(false, false), (true, false), (false, true), (true, true)]
        {
            let role = format!("{method} auto 0 {} {}", two.program.id(), two.map.id());
            let (theirs, _) = Other::start(&two.fixture, &role);
            let (ours, registration) = two.fixture.inside(|| {
                let ours = two.attach(1, method).unwrap();
                let registration = ours.register(1, rx_socket().as_fd()).unwrap();
                (ours, registration)
            });
            two.assert_attached([true, true]);
            let end_theirs = |theirs: Other| if killed { theirs.kill() } else { theirs.leave() };
            // A killed process leaves what it attached by netlink.
            let stays = killed && method == AttachMethod::Netlink;
            let mut theirs = Some(theirs);
            if they_end_first {
                theirs.take().map(end_theirs);
                two.assert_attached([stays, true]);
            }
            registration.close().unwrap();
            ours.close().unwrap();
            two.assert_attached([!they_end_first || stays, false]);
            theirs.take().map(end_theirs);
            two.assert_attached([stays, false]);
            if stays {
                let map = XskMap::from_id(two.map.id()).unwrap();
                let left = two.fixture.inside(|| {
                    Attachment::builder(two.interfaces()[0])
                        .program(two.program.try_clone().unwrap(), map)
                        .take_over(true)
                        .attach()
                });
                left.unwrap().close().unwrap();
                two.assert_attached([false, false]);
            }
        }
    }
}

#[test]
fn a_socket_that_was_put_into_the_map_directly_is_a_user_of_both() {
    let test = "a_socket_that_was_put_into_the_map_directly_is_a_user_of_both";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    let two = Two::new();
    two.fixture.inside(|| {
        let name =
            |at: usize| format!("xsk/slot/{}/1/{}/0", two.map.id(), two.interfaces()[at].index());
        let bind =
            |name| UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        // Without a mark; with one of a process that is dying, whose other marks are gone already;
        // with a stranger's word that the slot belongs to the first interface.
        let marks: [&dyn Fn() -> Vec<UnixDatagram>; 4] =
            [&Vec::new, &|| vec![bind(name(1))], &|| vec![bind(name(0)), bind(name(1))], &|| {
                strangers(vec![name(0)])
            }];
        for mark in marks {
            let [first, second] = [0, 1].map(|at| two.attach(at, AttachMethod::Netlink).unwrap());
            let registration = first.register(0, rx_socket().as_fd()).unwrap();
            let socket = rx_socket();
            two.map.insert(1, socket.as_fd()).unwrap();
            let marks = mark();
            second.close().unwrap();
            two.assert_attached([true, true]);
            two.map.remove(1).unwrap();
            drop(marks);
            let again = two.attach(1, AttachMethod::Netlink).unwrap();
            assert!(again.joined());
            registration.close().unwrap();
            first.close().unwrap();
            again.close().unwrap();
            two.assert_attached([false, true]);
            let map = XskMap::from_id(two.map.id()).unwrap();
            let program = two.program.try_clone().unwrap();
            let left = Attachment::builder(two.interfaces()[1]).program(program, map);
            left.take_over(true).attach().unwrap().close().unwrap();
            two.assert_attached([false, false]);
        }
    });
}

#[test]
fn a_slot_of_the_other_interface_is_refused_by_its_name() {
    let test = "a_slot_of_the_other_interface_is_refused_by_its_name";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    let two = Two::new();
    let sender = two.fixture.sender();
    let [first, second] =
        two.fixture.inside(|| [0, 1].map(|at| two.attach(at, AttachMethod::Netlink).unwrap()));
    let socket = two.fixture.inside(|| counting_socket(two.fixture.interface(), 0));
    let registration = two.fixture.inside(|| first.register(0, socket.as_fd())).unwrap();
    let refused = |error: Error, name: Option<&str>| {
        let Error::UpdateMap { errno: Errno::EXIST, ref other_interface, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(other_interface.as_deref(), name);
        if let Some(name) = name {
            let text = error.to_string();
            assert!(text.contains(name) && text.contains("a map for each interface"), "{text}");
        }
    };
    let name = two.fixture.interface().name().to_owned();
    two.fixture.inside(|| {
        for socket in [rx_socket().as_fd(), socket.as_fd()] {
            refused(second.register(0, socket).unwrap_err(), Some(&name));
            refused(first.register(0, socket).unwrap_err(), None);
        }
    });
    // What is registered elsewhere has the index of an interface there.
    let elsewhere = Namespace::new().unwrap();
    let in_elsewhere = || {
        let name = format!("xsk/slot/{}/0/{}/0", two.map.id(), two.fixture.interface().index());
        let mark = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        refused(second.register(0, socket.as_fd()).unwrap_err(), None);
        drop(mark);
    };
    elsewhere.run(in_elsewhere).unwrap();
    let before = count(&socket);
    wait_for("packets for the first interface's socket", || {
        sender.send();
        count(&socket) > before
    });
    registration.close().unwrap();
    // Whichever of the two interfaces has the other one's slot.
    let other = two.interfaces()[1];
    let mark = two.fixture.inside(|| {
        let name = format!("xsk/slot/{}/0/{}/0", two.map.id(), other.index());
        UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap()
    });
    let theirs = rx_socket();
    two.map.insert(0, theirs.as_fd()).unwrap();
    two.fixture.inside(|| {
        refused(first.register(0, rx_socket().as_fd()).unwrap_err(), Some(other.name()));
    });
    two.map.remove(0).unwrap();
    drop((mark, theirs));
    // The slot of another process is refused by its name, too.
    let role = format!("netlink auto 0 {} {}", two.program.id(), two.map.id());
    drop(socket);
    let (theirs, _) = Other::start(&two.fixture, &role);
    two.fixture.inside(|| {
        refused(second.register(0, rx_socket().as_fd()).unwrap_err(), Some(&name));
    });
    theirs.leave();
    assert_eq!(SlotProbe::new(&two.map).unwrap().occupied().unwrap(), []);
    second.close().unwrap();
    first.close().unwrap();
    two.assert_attached([false, false]);
}

/// Its program and its map have numbers that it can guess before there is a registration.
#[test]
fn a_stranger_with_the_names_of_a_slots_marks_keeps_nothing_attached() {
    let test = "a_stranger_with_the_names_of_a_slots_marks_keeps_nothing_attached";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    let two = Two::new();
    two.fixture.inside(|| {
        let name = |at: usize, number: u32| {
            format!("xsk/slot/{}/0/{}/{number}", two.map.id(), two.interfaces()[at].index())
        };
        let names = (0..64).flat_map(|number| [name(0, number), name(1, number)]).collect();
        let _theirs = strangers(names);
        for [stays, goes] in [[0, 1], [1, 0]] {
            let [staying, going] =
                [stays, goes].map(|at| two.attach(at, AttachMethod::Netlink).unwrap());
            let registration = staying.register(0, rx_socket().as_fd()).unwrap();
            going.close().unwrap();
            two.assert_attached([0, 1].map(|at| at == stays));
            registration.close().unwrap();
            staying.close().unwrap();
            two.assert_attached([false, false]);
        }
    });
}

#[test]
fn the_default_program_of_one_interface_comes_off_another_one() {
    let test = "the_default_program_of_one_interface_comes_off_another_one";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    let two = Two::new();
    two.fixture.inside(|| {
        let [one, other] = two.interfaces();
        let first = Attachment::builder(one).method(AttachMethod::Netlink).attach().unwrap();
        let registration = first.register(0, rx_socket().as_fd()).unwrap();
        let program = Program::from_id(first.program_id()).unwrap();
        let map = XskMap::from_id(first.map().id()).unwrap();
        let second = Attachment::builder(other).program(program, map).attach().unwrap();
        assert_eq!(second.program_id(), first.program_id());
        two.assert_attached([true, true]);
        second.close().unwrap();
        two.assert_attached([true, false]);
        registration.close().unwrap();
        first.close().unwrap();
        two.assert_attached([false, false]);
    });
}

#[test]
fn registrations_that_come_and_go_on_one_interface_keep_nothing_on_the_other() {
    let test = "registrations_that_come_and_go_on_one_interface_keep_nothing_on_the_other";
    if !privileged!() || !lists_unix_sockets(test) {
        return;
    }
    let two = Two::new();
    let first = two.fixture.inside(|| two.attach(0, AttachMethod::Netlink)).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            two.fixture.inside(|| {
                let socket = rx_socket();
                while !ended.load(Ordering::Relaxed) {
                    first.register(0, socket.as_fd()).unwrap().close().unwrap();
                }
            });
        });
        two.fixture.inside(|| {
            let stayed = (0..rounds(100)).find(|_| {
                two.attach(1, AttachMethod::Netlink).unwrap().close().unwrap();
                two.is_attached(1)
            });
            ended.store(true, Ordering::Relaxed);
            assert_eq!(stayed, None, "the program stayed");
        });
    });
    first.close().unwrap();
    two.assert_attached([false, false]);
}
