//! Programs that this crate did not load.

use crate::common::{METHODS, has_iproute2, kernel_can, rx_socket};
use crate::fixture::{Fixture, map_id, other_program};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::os::fd::AsFd;
use std::process::Command;
use xsk::Error;
use xsk::attach::{AttachConflict, AttachMethod, AttachMode, Attachment, XdpMode};
use xsk::bpf::SlotProbe;
use xsk::test_util::{ip, privileged};

const MODES: [(AttachMode, XdpMode); 2] =
    [(AttachMode::Native, XdpMode::Native), (AttachMode::Generic, XdpMode::Generic)];

#[test]
fn a_foreign_program_is_replaced_only_on_request() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for their_method in METHODS {
            for (their_choice, their_mode) in MODES {
                for our_method in METHODS {
                    for our_choice in [AttachMode::Auto, AttachMode::Generic] {
                        let (program, map) = other_program();
                        let id = program.id();
                        let theirs = Attachment::builder(fixture.interface())
                            .program(program, map)
                            .mode(their_choice)
                            .method(their_method)
                            .attach()
                            .unwrap();
                        let build = || {
                            Attachment::builder(fixture.interface())
                                .mode(our_choice)
                                .method(our_method)
                        };
                        let refused = build().attach();
                        let Err(Error::ForeignProgram {
                            id: found, name, mode, method, link, ..
                        }) = &refused
                        else {
                            panic!("{refused:?}");
                        };
                        assert_eq!(
                            (*found, name.as_deref(), *mode, *method),
                            (id, Some("other"), their_mode, their_method)
                        );
                        assert_eq!(*link, link_of(id));
                        assert_eq!(fixture.attached(), Some((their_mode, id)));

                        let ours = build().replace_foreign(true).attach().unwrap();
                        let mode = if our_choice == AttachMode::Auto {
                            XdpMode::Native
                        } else {
                            XdpMode::Generic
                        };
                        assert_eq!(fixture.attached(), Some((mode, ours.program_id())));
                        assert!(!ours.joined());
                        let replaced = ours.replaced().unwrap();
                        assert_eq!(
                            (replaced.id, replaced.name.as_deref(), replaced.mode, replaced.method),
                            (id, Some("other"), their_mode, their_method)
                        );
                        assert_eq!(replaced.created_by, Some(geteuid().as_raw()));
                        theirs.close().unwrap();
                        assert_eq!(
                            fixture.attached(),
                            Some((mode, ours.program_id())),
                            "closing theirs must not detach ours"
                        );
                        ours.close().unwrap();
                        fixture.assert_vacant();
                    }
                }
            }
        }
    });
}

/// Returns the number of the link of this process that holds the program with this id.
pub(crate) fn link_of(program: u32) -> Option<u32> {
    std::fs::read_dir("/proc/self/fdinfo").unwrap().find_map(|entry| {
        // Other tests open and close descriptors.
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().parse::<u32>().ok()
        };
        field("link_id:").filter(|_| field("prog_id:") == Some(program))
    })
}

/// Runs `command` in the fixture's namespace; `false` if there is no such program here.
fn type_in(fixture: &Fixture, command: &str) -> bool {
    let here = "the_advice_for_a_foreign_program_helps";
    if command.starts_with("ip ") && !has_iproute2() {
        return kernel_can(here, false, "there is no iproute2");
    }
    let mut words = command.split(' ');
    let mut shell = Command::new(words.next().unwrap());
    shell.args(words);
    match fixture.inside(|| shell.output()) {
        Ok(output) => {
            assert!(output.status.success(), "{command}: {output:?}");
            true
        }
        Err(error) => {
            let why = format!("cannot run {command}: {error}");
            kernel_can(here, false, &why)
        }
    }
}

#[test]
fn the_advice_for_a_foreign_program_helps() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for method in METHODS {
        for (choice, mode) in MODES {
            let (program, map) = other_program();
            let id = program.id();
            let theirs = Attachment::builder(fixture.interface()).program(program, map);
            let theirs = theirs.mode(choice).method(method);
            let theirs = fixture.inside(|| theirs.attach()).unwrap();
            let attach = || {
                fixture.inside(|| Attachment::builder(fixture.interface()).mode(choice).attach())
            };
            let error = attach().unwrap_err();
            let hint = error.hint().unwrap();
            let (_, advice) = hint.split_once("detach it with `").unwrap();
            let (advice, _) = advice.split_once('`').unwrap();
            match method {
                AttachMethod::Netlink => {
                    let word = if mode == XdpMode::Native { "xdpdrv" } else { "xdpgeneric" };
                    assert_eq!(advice, format!("ip link set dev xsk-a {word} off"));
                }
                AttachMethod::Link => {
                    let link = link_of(id).unwrap();
                    assert_eq!(advice, format!("bpftool link detach id {link}"));
                    assert!(error.to_string().contains(&format!("held by link {link}")), "{error}");
                }
            }
            if type_in(&fixture, advice) {
                fixture.assert_vacant();
                attach().unwrap().close().unwrap();
            }
            drop(theirs);
            fixture.assert_vacant();
        }
    }
}

#[test]
fn a_foreign_programs_map_is_used_and_nothing_else() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    fixture.inside(|| {
        let nothing = Attachment::join_foreign(fixture.interface(), "other_map");
        assert!(
            matches!(
                nothing,
                Err(Error::OtherAttachment { conflict: AttachConflict::NoProgram, .. })
            ),
            "{nothing:?}"
        );
        for method in METHODS {
            let (program, map) = other_program();
            let id = program.id();
            let probe = SlotProbe::new(&map).unwrap();
            let theirs = Attachment::builder(fixture.interface())
                .program(program, map)
                .method(method)
                .attach()
                .unwrap();
            let wrong = Attachment::join_foreign(fixture.interface(), "xsks_map");
            let Err(error @ Error::WrongObject { .. }) = wrong else {
                panic!("{wrong:?}");
            };
            assert!(error.to_string().contains("xsks_map"), "{error}");
            let by_name = Attachment::join_foreign(fixture.interface(), "other_map").unwrap();
            let by_map = Attachment::with_map(
                fixture.interface(),
                xsk::bpf::XskMap::from_id(map_id(id)).unwrap(),
            )
            .unwrap();
            for guest in [by_name, by_map] {
                assert_eq!(
                    (guest.program_id(), guest.mode(), guest.method()),
                    (id, XdpMode::Native, method)
                );
                assert!(guest.joined());
                let registration = guest.register(0, rx_socket().as_fd()).unwrap();
                assert_eq!(probe.occupied().unwrap(), [0]);
                registration.close().unwrap();
                assert_eq!(probe.occupied().unwrap(), []);
                guest.close().unwrap();
                assert_eq!(
                    fixture.attached(),
                    Some((XdpMode::Native, id)),
                    "a guest detaches nothing"
                );
            }
            theirs.close().unwrap();
            fixture.assert_vacant();
        }
    });
}

#[test]
fn a_guest_keeps_the_program_attached() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let host = Attachment::builder(fixture.interface()).attach().unwrap();
        let id = host.program_id();
        let guest = Attachment::join_foreign(fixture.interface(), "xsks_map").unwrap();
        host.close().unwrap();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        let registration = guest.register(0, rx_socket().as_fd()).unwrap();
        registration.close().unwrap();
        // The guest is the last user of what this crate attached.
        guest.close().unwrap();
        fixture.assert_vacant();

        // The same if the guest joins first, a program that a killed user left behind.
        let build = || Attachment::builder(fixture.interface());
        let killed = Fixture::attach_without_patience(build);
        fixture.without_the_lock(|| assert!(killed.close().is_err()));
        let guest = Attachment::join_foreign(fixture.interface(), "xsks_map").unwrap();
        let user = Attachment::builder(fixture.interface()).attach().unwrap();
        assert_eq!(user.program_id(), guest.program_id());
        user.close().unwrap();
        assert!(fixture.attached().is_some());
        guest.close().unwrap();
        fixture.assert_vacant();
    });
}

#[test]
fn a_replaced_program_is_put_back_if_the_new_one_is_refused() {
    if !privileged!() {
        return;
    }
    for their_method in METHODS {
        let fixture = Fixture::new(1);
        fixture.inside(|| {
            let (program, map) = other_program();
            let id = program.id();
            let theirs = Attachment::builder(fixture.interface())
                .program(program, map)
                .mode(AttachMode::Generic)
                .method(their_method)
                .attach()
                .unwrap();
            // Too much for native mode, which is requested.
            ip::set_mtu(fixture.cable.veth.b(), 9000).unwrap();
            let refused = Attachment::builder(fixture.interface())
                .mode(AttachMode::Native)
                .replace_foreign(true)
                .attach();
            assert!(
                matches!(
                    refused,
                    Err(Error::Attach { mode: XdpMode::Native, errno: Errno::RANGE, .. })
                ),
                "{refused:?}"
            );
            assert_eq!(fixture.attached(), Some((XdpMode::Generic, id)));
            theirs.close().unwrap();
            assert_eq!(
                fixture.attached().is_some(),
                their_method == AttachMethod::Link,
                "a link that was replaced detaches nothing"
            );
        });
    }
}

#[test]
fn links_of_another_namespace_are_left_alone() {
    if !privileged!() {
        return;
    }
    let (here, there) = (Fixture::new(1), Fixture::new(1));
    assert_eq!(here.interface().index(), there.interface().index());
    let (program, map) = other_program();
    let attach = |fixture: &Fixture| {
        fixture.inside(|| {
            let map = xsk::bpf::XskMap::from_id(map.id()).unwrap();
            Attachment::builder(fixture.interface())
                .program(program.try_clone().unwrap(), map)
                .method(AttachMethod::Link)
                .attach()
        })
    };
    let (first, second) = (attach(&here).unwrap(), attach(&there).unwrap());
    let refused = attach(&there);
    assert!(
        matches!(
            refused,
            Err(Error::OtherAttachment { conflict: AttachConflict::SeveralNamespaces, .. })
        ),
        "{refused:?}"
    );
    first.close().unwrap();
    here.assert_vacant();
    // With one left it is clear which one it is.
    let joined = attach(&there).unwrap();
    assert!(joined.joined());
    second.close().unwrap();
    assert!(there.attached().is_some());
    joined.close().unwrap();
    there.assert_vacant();
}

#[test]
fn a_program_that_another_user_attached_stays() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let (program, map) = other_program();
        let id = program.id();
        let copies = [program.try_clone().unwrap(), program.try_clone().unwrap()];
        // A close that does not get the lock leaves the state that `ip link set xdp pinned` makes:
        // the program without a mark.
        let first = Fixture::attach_without_patience(|| {
            let map = xsk::bpf::XskMap::from_id(map.id()).unwrap();
            Attachment::builder(fixture.interface()).program(program.try_clone().unwrap(), map)
        });
        fixture.without_the_lock(|| assert!(first.close().is_err()));
        for copy in copies {
            let map = xsk::bpf::XskMap::from_id(map_id(id)).unwrap();
            let user =
                Attachment::builder(fixture.interface()).program(copy, map).attach().unwrap();
            assert!(user.joined());
            user.close().unwrap();
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        }
    });
}
