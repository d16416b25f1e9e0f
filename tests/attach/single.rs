//! One process.

use crate::rig::{LIMIT, Rig, count, counting_socket, rx_socket, wait_for};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use xsk::Error;
use xsk::link::{Attachment, Interface, Method, Mode, ModeChoice, Reason};
use xsk::program::{Census, Program};
use xsk::test_util::{Namespace, admin};

const METHODS: [Method; 2] = [Method::Netlink, Method::Link];

#[test]
fn what_is_attached_is_there_and_goes_with_its_owner() {
    let Some(rig) = Rig::new("what_is_attached_is_there_and_goes_with_its_owner", 4) else {
        return;
    };
    rig.inside(|| {
        for method in METHODS {
            for (choice, mode, reason) in [
                (ModeChoice::Auto, Mode::Native, Reason::Native),
                (ModeChoice::Native, Mode::Native, Reason::Asked),
                (ModeChoice::Generic, Mode::Generic, Reason::Asked),
            ] {
                for close in [true, false] {
                    let attachment = Attachment::builder(rig.interface())
                        .mode(choice)
                        .method(method)
                        .attach()
                        .unwrap();
                    assert_eq!(rig.attached(), Some((mode, attachment.program_id())));
                    assert_eq!((attachment.mode(), attachment.method()), (mode, method));
                    assert_eq!(attachment.reason(), &reason);
                    assert!(!attachment.joined());
                    assert_eq!(attachment.map().entries(), 4, "a slot for each queue");
                    let info = Program::from_id(attachment.program_id())
                        .unwrap()
                        .info()
                        .unwrap();
                    assert_eq!(info.name, "xsk_redirect");
                    assert_eq!(info.map_ids, [attachment.map().id()]);
                    if close {
                        attachment.close().unwrap();
                    } else {
                        drop(attachment);
                    }
                    rig.assert_vacant();
                }
            }
        }
    });
}

#[test]
fn generic_mode_is_only_for_drivers_without_native() {
    let Some(rig) = Rig::new("generic_mode_is_only_for_drivers_without_native", 1) else {
        return;
    };
    rig.inside(|| {
        let loopback = Interface::by_name("lo").unwrap();
        for method in METHODS {
            let attachment = Attachment::builder(&loopback)
                .method(method)
                .attach()
                .unwrap();
            assert_eq!(attachment.mode(), Mode::Generic);
            assert!(
                matches!(attachment.reason(), Reason::NoNative { .. }),
                "{:?}",
                attachment.reason()
            );
            attachment.close().unwrap();
            let native = Attachment::builder(&loopback)
                .method(method)
                .mode(ModeChoice::Native)
                .attach();
            assert!(
                matches!(
                    native,
                    Err(Error::Attach {
                        errno: Errno::OPNOTSUPP,
                        mode: Mode::Native,
                        ..
                    })
                ),
                "{native:?}"
            );
        }
        // Too long packets are an error with the kernel's words, not a silent change of mode.
        admin::set_mtu(rig.cable.b(), 9000).unwrap();
        let long = Attachment::builder(rig.interface()).attach();
        let Err(Error::Attach {
            errno: Errno::RANGE,
            message: Some(message),
            ..
        }) = &long
        else {
            panic!("{long:?}");
        };
        assert!(message.contains("MTU"), "{message}");
        rig.assert_vacant();
        let hardware = Attachment::builder(rig.interface())
            .mode(ModeChoice::Hardware)
            .attach();
        assert!(
            matches!(
                hardware,
                Err(Error::UnsupportedMode {
                    mode: Mode::Hardware,
                    ..
                })
            ),
            "{hardware:?}"
        );
    });
}

#[test]
fn the_last_of_two_users_detaches() {
    let Some(rig) = Rig::new("the_last_of_two_users_detaches", 2) else {
        return;
    };
    rig.inside(|| {
        for method in METHODS {
            for mode in [ModeChoice::Native, ModeChoice::Generic] {
                let build = || {
                    Attachment::builder(rig.interface())
                        .mode(mode)
                        .method(method)
                };
                let first = build().attach().unwrap();
                let second = build().attach().unwrap();
                let third = build().mode(ModeChoice::Auto).attach().unwrap();
                let id = first.program_id();
                assert!(!first.joined() && second.joined() && third.joined());
                assert_eq!((second.program_id(), third.program_id()), (id, id));
                assert_eq!(
                    (second.map().id(), second.mode()),
                    (first.map().id(), first.mode())
                );
                assert_eq!(third.reason(), &Reason::Joined);
                for attachment in [first, third] {
                    attachment.close().unwrap();
                    assert_eq!(
                        rig.attached().unwrap().1,
                        id,
                        "the second user has no socket yet, and is one all the same"
                    );
                }
                second.close().unwrap();
                rig.assert_vacant();
            }
        }
    });
}

#[test]
fn clones_and_registrations_keep_the_program() {
    let Some(rig) = Rig::new("clones_and_registrations_keep_the_program", 2) else {
        return;
    };
    rig.inside(|| {
        for method in METHODS {
            let attachment = Attachment::builder(rig.interface())
                .method(method)
                .attach()
                .unwrap();
            let clone = attachment.clone();
            let registration = attachment.register(1, rx_socket().as_fd()).unwrap();
            attachment.close().unwrap();
            drop(clone);
            assert!(rig.attached().is_some());
            registration.close().unwrap();
            rig.assert_vacant();
        }
    });
}

#[test]
fn another_mode_or_method_is_refused_while_in_use() {
    let Some(rig) = Rig::new("another_mode_or_method_is_refused_while_in_use", 1) else {
        return;
    };
    rig.inside(|| {
        for method in METHODS {
            let there = Attachment::builder(rig.interface())
                .mode(ModeChoice::Generic)
                .method(method)
                .attach()
                .unwrap();
            let other_mode = Attachment::builder(rig.interface())
                .mode(ModeChoice::Native)
                .method(method)
                .attach();
            let Err(Error::OtherAttachment { wanted, found, .. }) = other_mode else {
                panic!("{other_mode:?}")
            };
            assert_eq!(wanted, format!("native mode by {method}"));
            assert_eq!(found, format!("generic mode by {method}"));
            let other = if method == Method::Link {
                Method::Netlink
            } else {
                Method::Link
            };
            let other_method = Attachment::builder(rig.interface()).method(other).attach();
            let Err(Error::OtherAttachment { found, .. }) = other_method else {
                panic!("{other_method:?}")
            };
            assert_eq!(found, format!("generic mode by {method}"));
            assert_eq!(
                rig.attached(),
                Some((Mode::Generic, there.program_id())),
                "nothing has changed"
            );
            there.close().unwrap();
        }
    });
}

#[test]
fn a_registered_socket_receives_and_gives_its_slot_back() {
    let Some(rig) = Rig::new("a_registered_socket_receives_and_gives_its_slot_back", 2) else {
        return;
    };
    let sender = rig.sender();
    rig.inside(|| {
        for bind_first in [true, false] {
            let early =
                bind_first.then(|| [0, 1].map(|queue| counting_socket(rig.interface(), queue)));
            let attachment = Attachment::builder(rig.interface()).attach().unwrap();
            let sockets = early
                .unwrap_or_else(|| [0, 1].map(|queue| counting_socket(rig.interface(), queue)));
            let slots = [0, 1].map(|queue: u32| {
                let socket = &sockets[usize::try_from(queue).unwrap()];
                attachment.register(queue, socket.as_fd()).unwrap()
            });
            sender.send();
            wait_for("packets on both queues", || {
                sockets.iter().all(|socket| count(socket) > 0)
            });
            let census = Census::new(attachment.map()).unwrap();
            assert_eq!(census.occupied().unwrap(), [0, 1]);
            let [first, second] = slots;
            assert_eq!((first.slot(), second.slot()), (0, 1));
            first.close().unwrap();
            drop(second);
            assert_eq!(census.occupied().unwrap(), []);
            attachment.close().unwrap();
        }
    });
}

#[test]
fn a_slot_that_another_socket_has_is_left_alone() {
    let Some(rig) = Rig::new("a_slot_that_another_socket_has_is_left_alone", 2) else {
        return;
    };
    rig.inside(|| {
        let attachment = Attachment::builder(rig.interface()).attach().unwrap();
        let (first, second) = (rx_socket(), rx_socket());
        let registration = attachment.register(1, first.as_fd()).unwrap();
        let taken = attachment.register(1, second.as_fd());
        assert!(
            matches!(
                taken,
                Err(Error::UpdateMap {
                    errno: Errno::EXIST,
                    index: 1,
                    ..
                })
            ),
            "{taken:?}"
        );
        attachment.map().replace(1, second.as_fd()).unwrap();
        registration.close().unwrap();
        let census = Census::new(attachment.map()).unwrap();
        assert_eq!(
            census.occupied().unwrap(),
            [1],
            "the slot is the second socket's"
        );
        let beyond = attachment.register(2, second.as_fd());
        assert!(
            matches!(
                beyond,
                Err(Error::UpdateMap {
                    errno: Errno::TOOBIG,
                    entries: 2,
                    ..
                })
            ),
            "{beyond:?}"
        );
        // A socket in the map counts as a user, whoever put it there.
        attachment.close().unwrap();
        assert!(rig.attached().is_some());
        drop(second);
        Attachment::builder(rig.interface())
            .attach()
            .unwrap()
            .close()
            .unwrap();
        rig.assert_vacant();
    });
}

#[test]
fn a_slot_has_one_registration() {
    let Some(rig) = Rig::new("a_slot_has_one_registration", 1) else {
        return;
    };
    rig.inside(|| {
        let first = Attachment::builder(rig.interface()).attach().unwrap();
        let second = Attachment::builder(rig.interface()).attach().unwrap();
        let census = Census::new(first.map()).unwrap();
        let socket = rx_socket();
        let registration = first.register(0, socket.as_fd()).unwrap();
        for attachment in [&first, &second] {
            let again = attachment.register(0, socket.as_fd());
            assert!(
                matches!(
                    again,
                    Err(Error::UpdateMap {
                        errno: Errno::EXIST,
                        ..
                    })
                ),
                "{again:?}"
            );
            assert_eq!(census.occupied().unwrap(), [0], "the socket still receives");
        }
        registration.close().unwrap();
        // A failed registration does not keep the slot.
        assert!(second.register(0, std::io::stdin().as_fd()).is_err());
        let registration = second.register(0, socket.as_fd()).unwrap();
        assert_eq!(census.occupied().unwrap(), [0]);
        drop(registration);
        assert_eq!(census.occupied().unwrap(), []);
        first.close().unwrap();
        second.close().unwrap();
        rig.assert_vacant();
    });
}

#[test]
fn dropping_does_not_wait_as_long_as_closing() {
    let Some(rig) = Rig::new("dropping_does_not_wait_as_long_as_closing", 1) else {
        return;
    };
    rig.inside(|| {
        let attachment = Attachment::builder(rig.interface()).attach().unwrap();
        let registration = attachment.register(0, rx_socket().as_fd()).unwrap();
        drop(attachment);
        let name = format!("xsk/lock/{}", rig.interface().index());
        let held = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        let start = Instant::now();
        drop(registration);
        let waited = start.elapsed();
        assert!(
            (Duration::from_secs(1)..Duration::from_secs(5)).contains(&waited),
            "{waited:?}"
        );
        drop(held);
    });
}

#[test]
fn a_program_goes_with_its_link_when_the_interface_is_moved() {
    for method in METHODS {
        let Some(rig) = Rig::new(
            "a_program_goes_with_its_link_when_the_interface_is_moved",
            1,
        ) else {
            return;
        };
        let elsewhere = Namespace::new().unwrap();
        rig.inside(|| {
            let attachment = Attachment::builder(rig.interface())
                .method(method)
                .attach()
                .unwrap();
            let moved = admin::move_to(rig.interface(), &elsewhere).unwrap();
            attachment.close().unwrap();
            assert_eq!(
                moved.xdp().unwrap().is_empty(),
                method == Method::Link,
                "{method}: as documented"
            );
        });
    }
}

#[test]
fn the_thread_may_have_moved_and_the_interface_may_have_gone() {
    let Some(rig) = Rig::new(
        "the_thread_may_have_moved_and_the_interface_may_have_gone",
        1,
    ) else {
        return;
    };
    let elsewhere = Namespace::new().unwrap();
    for method in METHODS {
        let attachment = rig.inside(|| {
            Attachment::builder(rig.interface())
                .method(method)
                .attach()
                .unwrap()
        });
        elsewhere.run(|| attachment.close()).unwrap().unwrap();
        rig.assert_vacant();
        let from_outside = elsewhere
            .run(|| Attachment::builder(rig.interface()).method(method).attach())
            .unwrap();
        assert!(
            matches!(
                from_outside,
                Err(Error::Interface {
                    errno: Errno::XDEV,
                    ..
                })
            ),
            "{from_outside:?}"
        );
    }
    for method in METHODS {
        let Some(rig) = Rig::new("", 1) else { return };
        rig.inside(|| {
            let attachment = Attachment::builder(rig.interface())
                .method(method)
                .attach()
                .unwrap();
            let registration = attachment.register(0, rx_socket().as_fd()).unwrap();
            admin::delete(rig.interface()).unwrap();
            let late = attachment.register(0, rx_socket().as_fd());
            assert!(late.is_err(), "{late:?}");
            registration.close().unwrap();
            attachment.close().unwrap();
            let late = Attachment::builder(rig.interface()).method(method).attach();
            assert!(
                matches!(
                    late,
                    Err(Error::Interface {
                        errno: Errno::NODEV,
                        ..
                    })
                ),
                "{late:?}"
            );
        });
    }
}

#[test]
fn a_lock_that_is_held_too_long_is_an_error() {
    let Some(rig) = Rig::new("a_lock_that_is_held_too_long_is_an_error", 1) else {
        return;
    };
    rig.inside(|| {
        let patience = Duration::from_millis(30);
        let build = || Attachment::builder(rig.interface()).lock_timeout(patience);
        let attachment = build().attach().unwrap();
        let name = format!("xsk/lock/{}", rig.interface().index());
        let held = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        let refused = build().attach();
        let Err(Error::AttachLock {
            waited,
            errno: Errno::ADDRINUSE,
        }) = refused
        else {
            panic!("{refused:?}")
        };
        assert!(waited >= patience && waited < LIMIT, "{waited:?}");
        let id = attachment.program_id();
        let left = attachment.close();
        assert!(matches!(left, Err(Error::AttachLock { .. })), "{left:?}");
        assert_eq!(rig.attached(), Some((Mode::Native, id)));
        drop(held);
        let next = build().attach().unwrap();
        assert_eq!(
            (next.program_id(), next.joined()),
            (id, true),
            "what was left behind is taken over"
        );
        next.close().unwrap();
        rig.assert_vacant();
    });
}

#[test]
fn threads_attach_and_leave_at_random() {
    let Some(rig) = Rig::new("threads_attach_and_leave_at_random", 4) else {
        return;
    };
    for method in METHODS {
        std::thread::scope(|scope| {
            for queue in 0..4 {
                let rig = &rig;
                scope.spawn(move || {
                    rig.inside(|| {
                        for _ in 0..15 {
                            let attachment = Attachment::builder(rig.interface())
                                .method(method)
                                .attach()
                                .unwrap();
                            let socket = rx_socket();
                            let registration = attachment.register(queue, socket.as_fd()).unwrap();
                            std::thread::yield_now();
                            assert_eq!(
                                rig.attached(),
                                Some((Mode::Native, attachment.program_id()))
                            );
                            registration.close().unwrap();
                            assert_eq!(
                                rig.attached(),
                                Some((Mode::Native, attachment.program_id()))
                            );
                            attachment.close().unwrap();
                        }
                    });
                });
            }
        });
        rig.assert_vacant();
    }
}

#[test]
fn a_joiner_meets_a_leaver_at_every_moment() {
    let Some(rig) = Rig::new("a_joiner_meets_a_leaver_at_every_moment", 1) else {
        return;
    };
    for step in 0..40 {
        let leaver = rig.inside(|| Attachment::builder(rig.interface()).attach().unwrap());
        let start = Barrier::new(2);
        let joiner = std::thread::scope(|scope| {
            let joiner = scope.spawn(|| {
                rig.inside(|| {
                    start.wait();
                    Attachment::builder(rig.interface()).attach().unwrap()
                })
            });
            start.wait();
            let since = Instant::now();
            while since.elapsed() < Duration::from_micros(50 * step) {
                std::hint::spin_loop();
            }
            leaver.close().unwrap();
            joiner.join().unwrap()
        });
        assert_eq!(
            rig.attached(),
            Some((Mode::Native, joiner.program_id())),
            "deaf at step {step}"
        );
        joiner.close().unwrap();
        rig.assert_vacant();
    }
}
