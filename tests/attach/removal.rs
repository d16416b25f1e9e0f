//! Programs that are taken off by their number, and who holds them.

use crate::common::{METHODS, kernel_can, kernel_since, rx_socket};
use crate::fixture::{Fixture, other_program, program_named};
use crate::foreign::link_of;
use crate::privileges::with_only;
use crate::programs::Pins as Mounted;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::{CapabilitySet, UnshareFlags};
use std::os::fd::AsRawFd;
use xsk::attach::{AttachMethod, AttachMode, Attachment, XdpMode};
use xsk::bpf::{PinnedObject, Pins};
use xsk::interface::Processes;
use xsk::test_util::{privileged, test_name};
use xsk::{Errno, Error};

/// Attaches a program that is none of this crate's.
fn attach(fixture: &Fixture, mode: AttachMode, method: AttachMethod) -> Attachment {
    let (program, map) = other_program();
    let builder = Attachment::builder(fixture.interface()).program(program, map);
    fixture.inside(|| builder.mode(mode).method(method).attach().unwrap())
}

const MODES: [(AttachMode, XdpMode); 2] =
    [(AttachMode::Native, XdpMode::Native), (AttachMode::Generic, XdpMode::Generic)];

#[test]
fn what_netlink_holds_is_taken_off() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let interface = fixture.interface();
    for (choice, mode) in MODES {
        let attachment = attach(&fixture, choice, AttachMethod::Netlink);
        let id = attachment.program_id();
        assert_eq!(interface.attach_method(mode, id).unwrap(), AttachMethod::Netlink);
        // No link holds it, and in the other mode there is none.
        let error = interface.break_link(mode, id).unwrap_err();
        assert!(matches!(error, Error::Detach { errno: Errno::NOLINK, .. }), "{error}");
        let other = if mode == XdpMode::Native { XdpMode::Generic } else { XdpMode::Native };
        assert!(interface.detach_program(other, id).is_err());
        assert_eq!(fixture.attached(), Some((mode, id)));
        // From another namespace.
        interface.detach_program(mode, id).unwrap();
        fixture.assert_vacant();
        let error = interface.detach_program(mode, id).unwrap_err();
        assert!(matches!(error, Error::Detach { errno: Errno::EXIST, .. }), "{error}");
        let error = interface.attach_method(mode, id).unwrap_err();
        assert!(matches!(error, Error::Attach { errno: Errno::EXIST, .. }), "{error}");
    }
}

#[test]
fn what_a_link_holds_stays_until_the_link_is_broken() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let interface = fixture.interface();
    for (choice, mode) in MODES {
        let attachment = attach(&fixture, choice, AttachMethod::Link);
        let id = attachment.program_id();
        assert_eq!(interface.attach_method(mode, id).unwrap(), AttachMethod::Link);
        let error = interface.detach_program(mode, id).unwrap_err();
        assert!(matches!(error, Error::Detach { errno: Errno::BUSY, .. }), "{error}");
        assert_eq!(fixture.attached(), Some((mode, id)));
        interface.break_link(mode, id).unwrap();
        fixture.assert_vacant();
        // The owner of the link finds it out, and another program has room.
        drop(attachment);
        let attachment = attach(&fixture, choice, AttachMethod::Netlink);
        fixture.inside(|| attachment.close().unwrap());
    }
}

#[test]
fn of_the_links_of_several_namespaces_none_is_broken() {
    if !privileged!() {
        return;
    }
    let (fixture, other) = (Fixture::new(1), Fixture::new(1));
    let same = fixture.interface().index() == other.interface().index();
    if !kernel_can(test_name!(), same, "the interfaces have other indices") {
        return;
    }
    let (program, map) = other_program();
    let id = program.id();
    let attach = |fixture: &Fixture| {
        let (program, map) = (program.try_clone().unwrap(), map.try_clone().unwrap());
        let builder = Attachment::builder(fixture.interface()).program(program, map);
        let builder = builder.mode(AttachMode::Generic).method(AttachMethod::Link);
        fixture.inside(|| builder.attach().unwrap())
    };
    let (here, there) = (attach(&fixture), attach(&other));
    let error = fixture.interface().break_link(XdpMode::Generic, id).unwrap_err();
    assert!(matches!(error, Error::Detach { errno: Errno::NOTUNIQ, .. }), "{error}");
    assert!(error.to_string().contains("`bpftool link detach id N`"), "{error}");
    assert_eq!(
        (fixture.attached(), other.attached()),
        (Some((XdpMode::Generic, id)), fixture.attached())
    );
    // A certain one is.
    fixture.interface().detach_link(number_of_link(&here)).unwrap();
    fixture.assert_vacant();
    assert_eq!(other.attached(), Some((XdpMode::Generic, id)));
    drop(here);
    let here = attach(&fixture);
    other.inside(|| there.close().unwrap());
    other.assert_vacant();
    fixture.interface().break_link(XdpMode::Generic, id).unwrap();
    drop(here);
}

/// Returns the kernel's number for an attachment's link.
pub(crate) fn number_of_link(attachment: &Attachment) -> u32 {
    let link = attachment.link().unwrap().expect("a link holds it");
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", link.as_raw_fd())).unwrap();
    let number = info.lines().find_map(|line| line.strip_prefix("link_id:"));
    number.unwrap().trim().parse().unwrap()
}

#[test]
fn only_the_link_that_was_seen_is_detached() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let interface = fixture.interface();
    let (program, map) = other_program();
    let id = program.id();
    let attach = || {
        let (program, map) = (program.try_clone().unwrap(), map.try_clone().unwrap());
        let builder = Attachment::builder(interface).program(program, map);
        fixture.inside(|| builder.method(AttachMethod::Link).attach().unwrap())
    };
    let first = attach();
    let seen = interface.programs().unwrap()[0].link.unwrap();
    assert_eq!(seen, number_of_link(&first));
    fixture.inside(|| first.close().unwrap());
    fixture.assert_vacant();
    // The same program, by another link.
    let second = attach();
    let error = interface.detach_link(seen).unwrap_err();
    assert!(matches!(error, Error::BpfObject { errno: Errno::NOENT, .. }), "{error}");
    assert_eq!(fixture.attached().map(|(_, id)| id), Some(id));
    // On another interface, and no link at all.
    let other = Fixture::new(1);
    let of_other = other.inside(|| {
        let builder = Attachment::builder(other.interface()).method(AttachMethod::Link);
        builder.attach().unwrap()
    });
    let number = number_of_link(&of_other);
    let error = interface.detach_link(number).unwrap_err();
    assert!(matches!(error, Error::Detach { errno: Errno::NOLINK, .. }), "{error}");
    assert!(interface.detach_link(u32::MAX).is_err());
    interface.detach_link(number_of_link(&second)).unwrap();
    fixture.assert_vacant();
    assert!(other.attached().is_some());
    drop((second, of_other));
}

#[test]
fn a_program_in_the_place_of_another_one_stays() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let interface = fixture.interface();
    for method in METHODS {
        let attachment = attach(&fixture, AttachMode::Generic, method);
        let old = attachment.program_id();
        let (program, map) = program_named("newer", 1);
        // The number of a program that is gone, and one that is not attached.
        let builder = Attachment::builder(interface).program(program, map);
        let builder = builder.mode(AttachMode::Generic).replace_foreign(true);
        let newer = fixture.inside(|| builder.method(method).attach().unwrap());
        for id in [old, u32::MAX, 0] {
            for result in [
                interface.detach_program(XdpMode::Generic, id),
                interface.break_link(XdpMode::Generic, id),
            ] {
                assert!(result.is_err(), "{id}");
            }
        }
        assert_eq!(fixture.attached(), Some((XdpMode::Generic, newer.program_id())));
        drop(attachment);
        fixture.inside(|| newer.close().unwrap());
        fixture.assert_vacant();
    }
}

#[test]
fn it_takes_both_capabilities() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let interface = fixture.interface();
    let attachment = attach(&fixture, AttachMode::Generic, AttachMethod::Netlink);
    let (mode, id) = (XdpMode::Generic, attachment.program_id());
    for keep in [CapabilitySet::empty(), CapabilitySet::NET_ADMIN, CapabilitySet::SYS_ADMIN] {
        let errors = with_only(keep, || {
            [interface.detach_program(mode, id), interface.break_link(mode, id)]
                .map(Result::unwrap_err)
        });
        for error in errors {
            assert_eq!(error.errno(), Some(Errno::PERM), "{keep:?}: {error}");
        }
        assert_eq!(fixture.attached(), Some((mode, id)));
    }
    let keep = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
    with_only(keep, || interface.detach_program(mode, id).unwrap());
    fixture.assert_vacant();
}

#[test]
fn who_holds_a_link_and_a_socket_is_found() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let attachment = attach(&fixture, AttachMode::Generic, AttachMethod::Link);
    let link = link_of(attachment.program_id()).unwrap();
    let socket = rx_socket();
    let inode = u32::try_from(rustix::fs::fstat(&socket).unwrap().st_ino).unwrap();
    let plain = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = u32::try_from(rustix::fs::fstat(&plain).unwrap().st_ino).unwrap();
    let processes = Processes::read();
    let own = std::process::id();
    assert!(processes.with_link(link).iter().any(|one| one.id == own), "{processes:?}");
    assert!(processes.with_socket(inode).iter().any(|one| one.id == own), "{processes:?}");
    assert!(processes.with_socket(other).iter().any(|one| one.id == own), "{processes:?}");
    let command = std::fs::read_to_string("/proc/self/comm").unwrap();
    let found = processes.with_link(link).iter().find(|one| one.id == own).unwrap();
    assert_eq!(found.command, command.trim_end());
    // By its protocol.
    assert!(processes.xdp_sockets().any(|one| one == inode), "{processes:?}");
    assert!(!processes.xdp_sockets().any(|one| one == other), "{processes:?}");
    // Of another network namespace.
    let there = fixture.inside(Processes::read);
    assert!(!there.xdp_sockets().any(|one| one == inode));
    let (link_before, inode_before) = (link, inode);
    fixture.inside(|| attachment.close().unwrap());
    drop(socket);
    let processes = Processes::read();
    let has_own = |list: &[xsk::interface::ProcessInfo]| list.iter().any(|one| one.id == own);
    assert!(!has_own(processes.with_link(link_before)));
    assert!(!has_own(processes.with_socket(inode_before)));
}

#[test]
fn processes_that_proc_hides_are_missing() {
    if !privileged!() {
        return;
    }
    // Before 5.8 the option is one of all mounts of the PID namespace.
    if !kernel_since(5, 8) {
        return;
    }
    // A thread of its own, for its mounts.
    let thread = std::thread::spawn(|| {
        #[expect(deprecated, reason = "the safe form")]
        rustix::thread::unshare(UnshareFlags::NEWNS).unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        // Those of the group see all.
        let options = Some(c"hidepid=2,gid=65534");
        mount("proc", "/proc", "proc", MountFlags::empty(), options).unwrap();
        with_only(CapabilitySet::empty(), Processes::read).is_complete()
    });
    assert!(!thread.join().unwrap());
}

#[test]
fn processes_whose_files_may_not_be_read_are_missing() {
    if !privileged!() {
        return;
    }
    // Root's files can be listed by their numbers, and no more.
    let processes = with_only(CapabilitySet::empty(), Processes::read);
    assert!(!processes.is_complete());
}

#[test]
fn pins_are_found_in_the_file_systems_of_this_mount_namespace() {
    if !privileged!() {
        return;
    }
    let mounted = Mounted::new();
    let (program, map) = other_program();
    mounted.inside(|| {
        std::fs::create_dir_all("/sys/fs/bpf/a b/c").unwrap();
        program.pin("/sys/fs/bpf/a b/c/program").unwrap();
        program.pin("/sys/fs/bpf/program").unwrap();
        map.pin("/sys/fs/bpf/a b/map").unwrap();
        let pins = Pins::find();
        assert!(pins.is_complete, "{pins:?}");
        let of = |object| -> Vec<String> {
            pins.of(object).map(|path| path.display().to_string()).collect()
        };
        let expected = ["/sys/fs/bpf/a b/c/program", "/sys/fs/bpf/program"];
        assert_eq!(of(PinnedObject::Program(program.id())), expected);
        assert_eq!(of(PinnedObject::Map(map.id())), ["/sys/fs/bpf/a b/map"]);
        assert_eq!(of(PinnedObject::Link(program.id())), [""; 0]);
        // What another user may not read is missing.
        let keep = CapabilitySet::empty();
        let hidden = with_only(keep, || {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o0);
            std::fs::set_permissions("/sys/fs/bpf/a b/map", mode).unwrap();
            Pins::find()
        });
        assert!(!hidden.is_complete, "{hidden:?}");
        assert_eq!(hidden.of(PinnedObject::Map(map.id())).count(), 0);
        std::fs::remove_file("/sys/fs/bpf/program").unwrap();
        assert_eq!(Pins::find().of(PinnedObject::Program(program.id())).count(), 1);
    });
    // Not in another one.
    assert_eq!(Pins::find().of(PinnedObject::Program(program.id())).count(), 0);
}
