//! Several users in one process: the last one detaches.

use crate::common::{METHODS, rounds, rx_socket};
use crate::fixture::Fixture;
use std::os::fd::AsFd;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use xsk::attach::{AttachMode, Attachment, ModeReason, XdpMode};
use xsk::test_util::privileged;

#[test]
fn the_last_of_two_users_detaches() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    fixture.inside(|| {
        for method in METHODS {
            for mode in [AttachMode::Native, AttachMode::Generic] {
                let build = || Attachment::builder(fixture.interface()).mode(mode).method(method);
                let first = build().attach().unwrap();
                let second = build().attach().unwrap();
                let third = build().mode(AttachMode::Auto).attach().unwrap();
                let id = first.program_id();
                assert!(!first.joined() && second.joined() && third.joined());
                assert_eq!((second.program_id(), third.program_id()), (id, id));
                assert_eq!((second.map().id(), second.mode()), (first.map().id(), first.mode()));
                assert_eq!(third.reason(), &ModeReason::Joined);
                for attachment in [first, third] {
                    attachment.close().unwrap();
                    assert_eq!(
                        fixture.attached().unwrap().1,
                        id,
                        "the second user has no socket yet, and counts all the same"
                    );
                }
                second.close().unwrap();
                fixture.assert_vacant();
            }
        }
    });
}

#[test]
fn clones_and_registrations_keep_the_program() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    fixture.inside(|| {
        for method in METHODS {
            let attachment =
                Attachment::builder(fixture.interface()).method(method).attach().unwrap();
            let clone = attachment.clone();
            let registration = attachment.register(1, rx_socket().as_fd()).unwrap();
            attachment.close().unwrap();
            drop(clone);
            assert!(fixture.attached().is_some());
            registration.close().unwrap();
            fixture.assert_vacant();
        }
    });
}

#[test]
fn threads_attach_and_leave_at_random() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(4);
    for method in METHODS {
        std::thread::scope(|scope| {
            for queue in 0..4 {
                let fixture = &fixture;
                scope.spawn(move || {
                    fixture.inside(|| {
                        for _ in 0..rounds(15) {
                            let attachment = Attachment::builder(fixture.interface())
                                .method(method)
                                .attach()
                                .unwrap();
                            let socket = rx_socket();
                            let registration = attachment.register(queue, socket.as_fd()).unwrap();
                            std::thread::yield_now();
                            assert_eq!(
                                fixture.attached(),
                                Some((XdpMode::Native, attachment.program_id()))
                            );
                            registration.close().unwrap();
                            assert_eq!(
                                fixture.attached(),
                                Some((XdpMode::Native, attachment.program_id()))
                            );
                            attachment.close().unwrap();
                        }
                    });
                });
            }
        });
        fixture.assert_vacant();
    }
}

#[test]
fn a_joiner_meets_a_leaver_at_every_moment() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let steps = rounds(40);
    for step in 0..steps {
        let leaver = fixture.inside(|| Attachment::builder(fixture.interface()).attach().unwrap());
        let start = Barrier::new(2);
        let joiner = std::thread::scope(|scope| {
            let joiner = scope.spawn(|| {
                fixture.inside(|| {
                    start.wait();
                    Attachment::builder(fixture.interface()).attach().unwrap()
                })
            });
            start.wait();
            let since = Instant::now();
            while since.elapsed() < Duration::from_micros(2000 / u64::from(steps) * u64::from(step))
            {
                std::hint::spin_loop();
            }
            leaver.close().unwrap();
            joiner.join().unwrap()
        });
        assert_eq!(
            fixture.attached(),
            Some((XdpMode::Native, joiner.program_id())),
            "no program at step {step}"
        );
        joiner.close().unwrap();
        fixture.assert_vacant();
    }
}
