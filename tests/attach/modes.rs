//! Modes and methods: how a program is attached, and what is refused.

use crate::common::METHODS;
use crate::fixture::Fixture;
use rustix::io::Errno;
use xsk::Error;
use xsk::attach::{AttachConflict, AttachMethod, AttachMode, Attachment, ModeReason, XdpMode};
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
        // Packets that are too long give an error with the kernel's text, not a silent change of
        // mode.
        ip::set_mtu(fixture.cable.veth.b(), 9000).unwrap();
        let long = Attachment::builder(fixture.interface()).attach();
        let Err(Error::Attach { errno: Errno::RANGE, message: Some(message), .. }) = &long else {
            panic!("{long:?}");
        };
        assert!(message.contains("MTU"), "{message}");
        fixture.assert_vacant();
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
            let Err(Error::OtherAttachment { conflict, .. }) = other_method else {
                panic!("{other_method:?}")
            };
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
