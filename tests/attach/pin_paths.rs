//! Paths at which a link and its map cannot be pinned, and what stays there.

use crate::fixture::Fixture;
use crate::pins::{Pins, redirect_or_drop};
use crate::privileges::with_only;
use crate::removal::number_of_link;
use rustix::thread::CapabilitySet;
use std::path::PathBuf;
use xsk::attach::{AttachMethod, Attachment, XdpMode};
use xsk::bpf::{XskMap, redirect};
use xsk::error::{BpfOp, ObjectKind};
use xsk::test_util::privileged;
use xsk::{Errno, Error};

#[test]
fn another_map_beside_a_link_that_was_detached_stays() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let pins = Pins::new();
    fixture.inside(|| {
        let attach = || Attachment::builder(fixture.interface()).pin(pins.path()).attach();
        let detach = || {
            let attachment = attach().unwrap();
            let link = number_of_link(&attachment);
            attachment.keep();
            fixture.interface().detach_link(link).unwrap();
            assert_eq!(pins.names(), ["eth1", "eth1-map"]);
        };
        detach();
        let beside = PathBuf::from(format!("{}-map", pins.path().display()));
        std::fs::remove_file(&beside).unwrap();
        XskMap::create("other", 4).unwrap().pin(&beside).unwrap();
        let error = attach().unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EXIST), "{error}");
        assert!(error.to_string().contains("eth1-map"), "{error}");
        assert_eq!(pins.names(), ["eth1-map"]);
        assert_eq!(fixture.attached(), None);
        // That of its program goes with it.
        std::fs::remove_file(&beside).unwrap();
        detach();
        assert!(!attach().unwrap().joined());
        fixture.assert_vacant();
        assert!(pins.names().is_empty());
        // Without CAP_SYS_ADMIN it cannot be known whose it is, and a restart needs no help.
        detach();
        let kept = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW | CapabilitySet::BPF;
        with_only(kept, || {
            let attachment = attach().unwrap();
            assert!(!attachment.joined());
            attachment.close().unwrap();
        });
        fixture.assert_vacant();
        assert!(pins.names().is_empty());
    });
}

#[test]
fn a_path_that_is_no_good_is_refused_before_anything_is_attached() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let pins = Pins::new();
    fixture.inside(|| {
        let attach = |path: PathBuf| {
            let error = Attachment::builder(fixture.interface()).pin(path).attach().unwrap_err();
            assert_eq!(fixture.attached(), None);
            error
        };
        let of = |error: &Error| match error {
            Error::BpfObject { operation, errno, .. } => (*operation, *errno),
            other => panic!("{other}"),
        };
        // No BPF file system, no directory, a full stop in the name.
        let error = attach(std::env::temp_dir().join("xsk-pin"));
        assert_eq!(of(&error), (BpfOp::Pin, Errno::PERM));
        assert!(error.to_string().contains("`mount -t bpf bpf /sys/fs/bpf`"), "{error}");
        let error = attach(pins.path().join("below"));
        assert_eq!(of(&error), (BpfOp::Pin, Errno::NOENT));
        assert!(error.to_string().contains("mount -t bpf bpf /sys/fs/bpf"), "{error}");
        let error = attach(pins.path().with_extension("1"));
        assert_eq!(of(&error), (BpfOp::Get, Errno::PERM));
        let method = Attachment::builder(fixture.interface())
            .pin(pins.path())
            .method(AttachMethod::Netlink)
            .attach();
        let text = method.unwrap_err().to_string();
        assert!(text.starts_with("`AttachMethod::Netlink` is not possible: a possible"), "{text}");

        // Something else is there.
        let map = XskMap::create("other", 4).unwrap();
        map.pin(pins.path()).unwrap();
        let error = attach(pins.path());
        assert!(
            matches!(&error, Error::WrongObject { wanted: ObjectKind::XdpLink, .. }),
            "{error}"
        );
        assert_eq!(pins.names(), ["eth1"]);
        std::fs::remove_file(pins.path()).unwrap();
        let beside = PathBuf::from(format!("{}-map", pins.path().display()));
        redirect(&map).unwrap().pin(&beside).unwrap();
        let error = attach(pins.path());
        // It may be of another user, whatever it is.
        assert_eq!(of(&error), (BpfOp::Pin, Errno::EXIST));
        assert_eq!(pins.names(), ["eth1-map"]);
        std::fs::remove_file(&beside).unwrap();

        // Another map in the place of the link's.
        let first = Attachment::builder(fixture.interface()).pin(pins.path()).attach().unwrap();
        let id = first.program_id();
        std::fs::remove_file(&beside).unwrap();
        map.pin(&beside).unwrap();
        let error = Attachment::builder(fixture.interface()).pin(pins.path()).attach();
        assert!(matches!(error, Err(Error::WrongObject { .. })), "{error:?}");
        assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        first.close().unwrap();
        fixture.assert_vacant();
        assert_eq!(pins.names(), ["eth1-map"], "what is not the link's stays");
        std::fs::remove_file(&beside).unwrap();

        // A map without a link may be of another user, or left by a process that was killed in between.
        map.pin(&beside).unwrap();
        let error = attach(pins.path());
        assert_eq!(
            (of(&error), pins.names()),
            ((BpfOp::Pin, Errno::EXIST), vec!["eth1-map".into()])
        );
        std::fs::remove_file(&beside).unwrap();
        let first = Attachment::builder(fixture.interface()).pin(pins.path()).attach().unwrap();
        assert_eq!((first.joined(), pins.names().len()), (false, 2));
        // The link of another interface.
        let other = Fixture::new(1);
        let error = other.inside(|| {
            let interface = other.interface();
            let error = Attachment::builder(interface).pin(pins.path()).attach().unwrap_err();
            assert_eq!(other.attached(), None);
            error
        });
        assert!(error.to_string().contains("a link of program"), "{error}");
        // A link that was detached is replaced.
        let id = fixture.attached().unwrap().1;
        let by_hand = Attachment::builder(fixture.interface())
            .replace_foreign(true)
            .program(redirect_or_drop(&map), map)
            .attach()
            .unwrap();
        by_hand.close().unwrap();
        assert!(first.refresh().is_err());
        let second = Attachment::builder(fixture.interface()).pin(pins.path()).attach().unwrap();
        assert_eq!((second.joined(), second.program_id() == id), (false, false));
        // The first one leaves the second one's pins alone.
        first.close().unwrap();
        assert_eq!(pins.names(), ["eth1", "eth1-map"]);
        second.close().unwrap();
        fixture.assert_vacant();
        assert!(pins.names().is_empty());
    });
}
