//! Modes and methods: how a program is attached, and what is refused.

use crate::common::{METHODS, has_iproute2, kernel_can, kernel_since};
use crate::fixture::Fixture;
use rustix::io::Errno;
use xsk::Error;
use xsk::attach::{
    AttachConflict, AttachMethod, AttachMode, Attachment, MethodReason, ModeReason, XdpMode,
};
use xsk::bpf::Program;
use xsk::interface::Interface;
use xsk::test_util::{ip, privileged};

#[test]
fn what_is_attached_is_there_and_goes_with_its_owner() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(4);
    fixture.inside(|| {
        for method in METHODS {
            for (choice, mode, reason) in [
                (AttachMode::Auto, XdpMode::Native, ModeReason::Native),
                (AttachMode::Native, XdpMode::Native, ModeReason::Asked),
                (AttachMode::Generic, XdpMode::Generic, ModeReason::Asked),
            ] {
                for close in [true, false] {
                    let attachment = Attachment::builder(fixture.interface())
                        .mode(choice)
                        .method(method)
                        .attach()
                        .unwrap();
                    assert_eq!(fixture.attached(), Some((mode, attachment.program_id())));
                    assert_eq!((attachment.mode(), attachment.method()), (mode, method));
                    assert_eq!(attachment.reason(), &reason);
                    assert!(!attachment.joined());
                    assert_eq!(attachment.map().entries(), 4, "a slot for each queue");
                    let info = Program::from_id(attachment.program_id()).unwrap().info().unwrap();
                    assert_eq!(info.name, "xsk_redirect");
                    assert_eq!(info.map_ids, [attachment.map().id()]);
                    if close {
                        attachment.close().unwrap();
                    } else {
                        drop(attachment);
                    }
                    fixture.assert_vacant();
                }
            }
        }
    });
}

#[test]
fn what_a_joined_program_takes_is_known_by_its_name() {
    let why = "programs for packets of several frames: Linux 5.18";
    let test = "what_a_joined_program_takes_is_known_by_its_name";
    if !privileged!() || !kernel_can(test, kernel_since(5, 18), why) {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for method in METHODS {
            for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
                let attach = |frags| {
                    let builder = Attachment::builder(fixture.interface());
                    builder.method(method).frags(frags).attach().unwrap()
                };
                let attached = attach(first);
                assert_eq!((attached.joined(), attached.frags()), (false, Some(first)));
                let joined = attach(second);
                assert_eq!((joined.joined(), joined.frags()), (true, Some(first)));
                let guest = Attachment::join_foreign(fixture.interface(), "xsks_map").unwrap();
                assert_eq!(guest.frags(), Some(first));
                for user in [attached, joined, guest] {
                    user.close().unwrap();
                }
                fixture.assert_vacant();
            }
        }
    });
}

#[test]
fn generic_mode_is_only_for_drivers_without_native() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let loopback = Interface::by_name("lo").unwrap();
        for method in METHODS {
            let attachment = Attachment::builder(&loopback).method(method).attach().unwrap();
            assert_eq!(attachment.mode(), XdpMode::Generic);
            assert!(
                matches!(attachment.reason(), ModeReason::NoNative { .. }),
                "{:?}",
                attachment.reason()
            );
            attachment.close().unwrap();
            let native =
                Attachment::builder(&loopback).method(method).mode(AttachMode::Native).attach();
            assert!(
                matches!(
                    native,
                    Err(Error::Attach { errno: Errno::OPNOTSUPP, mode: XdpMode::Native, .. })
                ),
                "{native:?}"
            );
        }
    });
}

#[test]
fn generic_mode_takes_packets_that_are_too_long_for_native() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for end in [fixture.cable.veth.a(), fixture.cable.veth.b()] {
        ip::set_mtu(end, 9000).unwrap();
    }
    for method in METHODS {
        let words = if method == AttachMethod::Link { &["MTU"][..] } else { &["MTU", "eer MTU"] };
        refuses_native_mode(&fixture, fixture.interface(), method, Errno::RANGE, words);
    }
}

#[test]
fn generic_mode_takes_fewer_queues_than_native() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let line = "link add few numrxqueues 1 numtxqueues 1 up type veth \
                peer name many numrxqueues 4 numtxqueues 4";
    let here = "generic_mode_takes_fewer_queues_than_native";
    if !kernel_can(here, has_iproute2(), "there is no iproute2") {
        return;
    }
    let ip = || std::process::Command::new("ip").args(line.split_whitespace()).output();
    let made = fixture.inside(ip).unwrap();
    assert!(made.status.success(), "{made:?}");
    let few = fixture.inside(|| Interface::by_name("few")).unwrap();
    for method in METHODS {
        let words =
            ["receive queues as its peer has transmit queues (rx 1; `ethtool -L few rx N`)"];
        refuses_native_mode(&fixture, &few, method, Errno::NOSPC, &words);
    }
}

/// Asserts that native mode is refused with `errno` and `words` where it is asked for, and that
/// generic mode, with this reason, is chosen where it is not.
#[track_caller]
fn refuses_native_mode(
    fixture: &Fixture,
    interface: &Interface,
    method: AttachMethod,
    errno: Errno,
    words: &[&str],
) {
    let build = || Attachment::builder(interface).method(method);
    let error = fixture.inside(|| build().mode(AttachMode::Native).attach()).unwrap_err();
    let Error::Attach { errno: found, message: said, mode: XdpMode::Native, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*found, errno);
    // The kernel has no sentence for a link.
    assert_eq!(said.is_some(), method == AttachMethod::Netlink, "{said:?}");
    let text = error.to_string();
    for words in words.iter().chain(&["`AttachMode::Generic`", "3840 bytes in chunks of 4096"]) {
        assert!(text.contains(words), "{words:?}: {text}");
    }
    let asks = text.contains("`AttachMethod::Netlink`");
    assert_eq!(asks, method == AttachMethod::Link, "{text}");
    assert_eq!(crate::common::left_on(interface), None);

    for again in [false, true] {
        let attachment = fixture.inside(|| build().attach()).unwrap();
        assert_eq!(attachment.mode(), XdpMode::Generic);
        assert_eq!(attachment.method(), method);
        let ModeReason::NativeRefused { errno: found, message, .. } = attachment.reason() else {
            panic!("{:?}", attachment.reason());
        };
        assert_eq!((*found, message), (errno, said), "again: {again}");
        let joined = fixture.inside(|| build().attach()).unwrap();
        assert_eq!((joined.mode(), joined.joined()), (XdpMode::Generic, true));
        joined.close().unwrap();
        attachment.close().unwrap();
        assert_eq!(crate::common::left_on(interface), None);
    }
}

#[test]
fn whatever_is_there_is_joined_where_no_method_is_asked_for() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let build = || Attachment::builder(fixture.interface());
        let first = build().attach().unwrap();
        assert_eq!(first.method(), AttachMethod::Netlink);
        assert_eq!(first.method_reason(), &MethodReason::Default);
        first.close().unwrap();
        for method in METHODS {
            for mode in [AttachMode::Native, AttachMode::Generic] {
                let first = build().method(method).mode(mode).attach().unwrap();
                assert_eq!(first.method_reason(), &MethodReason::Asked);
                let id = first.program_id();
                let second = build().attach().unwrap();
                let third = build().mode(mode).attach().unwrap();
                for later in [&second, &third] {
                    assert_eq!((later.method(), later.program_id()), (method, id));
                    assert_eq!(later.method_reason(), &MethodReason::Joined);
                    assert_eq!(later.replaced(), None);
                }
                let other = if mode == AttachMode::Native {
                    AttachMode::Generic
                } else {
                    AttachMode::Native
                };
                let refused = build().mode(other).attach().unwrap_err().to_string();
                let asked = format!("`AttachMode::{mode:?}`, `AttachMethod::{method:?}`");
                assert!(refused.contains(&asked), "{refused}");
                // In any order, and the last one detaches.
                first.close().unwrap();
                assert!(fixture.attached().is_some());
                third.close().unwrap();
                assert!(fixture.attached().is_some());
                second.close().unwrap();
                fixture.assert_vacant();
            }
        }
    });
}

#[test]
fn another_mode_or_method_is_refused_while_in_use() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        for method in METHODS {
            let there = Attachment::builder(fixture.interface())
                .mode(AttachMode::Generic)
                .method(method)
                .attach()
                .unwrap();
            let other_mode = Attachment::builder(fixture.interface())
                .mode(AttachMode::Native)
                .method(method)
                .attach();
            let Err(Error::OtherAttachment { wanted, conflict, .. }) = other_mode else {
                panic!("{other_mode:?}")
            };
            assert_eq!(wanted, format!("native mode by {method}"));
            assert_eq!(conflict, AttachConflict::OtherMode { mode: XdpMode::Generic, method });
            let other = if method == AttachMethod::Link {
                AttachMethod::Netlink
            } else {
                AttachMethod::Link
            };
            let other_method = Attachment::builder(fixture.interface()).method(other).attach();
            let Err(error @ Error::OtherAttachment { .. }) = other_method else {
                panic!("{other_method:?}")
            };
            let asked = format!("(`AttachMode::Generic`, `AttachMethod::{method:?}`)");
            assert!(error.to_string().contains(&asked), "{error}");
            let Error::OtherAttachment { conflict, .. } = error else { unreachable!() };
            assert_eq!(conflict, AttachConflict::OtherMode { mode: XdpMode::Generic, method });
            assert_eq!(
                fixture.attached(),
                Some((XdpMode::Generic, there.program_id())),
                "nothing has changed"
            );
            there.close().unwrap();
        }
    });
}
