//! Programs and maps as kernel objects: their properties, how they are found, and how long they
//! live.

use crate::common::rx_socket;
use rustix::io::Errno;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use xsk::Error;
use xsk::bpf::{Program, XskMap, redirect};
use xsk::error::BpfOp;
use xsk::test_util::privileged;

#[test]
fn default_program_passes_on_empty_slots_and_redirects_on_taken_ones() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 2).unwrap();
    let program = redirect(&map).unwrap();
    let packet = [0xff; 60];
    assert_eq!(program.test_run(&packet, None).unwrap().retval, 2, "XDP_PASS");
    let socket = rx_socket();
    map.insert(0, socket.as_fd()).unwrap();
    let run = program.test_run(&packet, None).unwrap();
    assert_eq!(run.retval, 4, "XDP_REDIRECT");
    assert_eq!(run.data, packet, "the packet is not changed");
    drop(socket);
    assert_eq!(program.test_run(&packet, None).unwrap().retval, 2, "the slot empties itself");

    let info = program.info().unwrap();
    assert_eq!((info.name.as_str(), info.kind, info.id), ("xsk_redirect", 6, program.id()));
    assert_eq!(info.map_ids, [map.id()]);
    let again = redirect(&XskMap::create(XskMap::DEFAULT_NAME, 9).unwrap()).unwrap();
    assert_eq!(again.info().unwrap().tag, info.tag, "the map is not part of the tag");
    assert_ne!(again.id(), program.id());
}

#[test]
fn objects_are_found_by_id_and_fd() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("some.map_1", 7).unwrap();
    assert_eq!((map.name(), map.entries()), ("some.map_1", 7));
    let program = redirect(&map).unwrap();

    let found = Program::from_id(program.id()).unwrap();
    assert_eq!(found.info().unwrap(), program.info().unwrap());
    let maps = found.maps().unwrap();
    assert_eq!(maps.len(), 1);
    assert_eq!((maps[0].name.as_str(), maps[0].kind, maps[0].entries), ("some.map_1", 17, 7));
    let found = found.xsk_map("some.map_1").unwrap().unwrap();
    assert_eq!((found.id(), found.entries()), (map.id(), 7));
    assert!(program.xsk_map("another").unwrap().is_none());

    let copy = map.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(XskMap::from_fd(copy).unwrap().id(), map.id());
    let copy = program.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(Program::from_fd(copy).unwrap().id(), program.id());
}

#[test]
fn wrong_objects_are_refused() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let program = redirect(&map).unwrap();
    let as_program = Program::from_fd(map.as_fd().try_clone_to_owned().unwrap());
    assert!(matches!(as_program, Err(Error::WrongObject { .. })), "{as_program:?}");
    let as_map = XskMap::from_fd(program.as_fd().try_clone_to_owned().unwrap());
    assert!(matches!(as_map, Err(Error::WrongObject { .. })), "{as_map:?}");
    let file: OwnedFd = std::fs::File::open("/").unwrap().into();
    let as_map = XskMap::from_fd(file);
    assert!(matches!(as_map, Err(Error::BpfObject { errno: Errno::INVAL, .. })), "{as_map:?}");
    let missing = Program::from_id(u32::MAX / 2);
    assert!(matches!(missing, Err(Error::BpfObject { errno: Errno::NOENT, .. })), "{missing:?}");
    let missing = XskMap::from_pin("/nowhere/map");
    assert!(matches!(missing, Err(Error::BpfObject { errno: Errno::NOENT, .. })), "{missing:?}");
    for name in ["no-hyphen", "sixteen_letters_", "no\0nul"] {
        let map = XskMap::create(name, 1);
        assert!(matches!(map, Err(Error::CreateMap { errno: Errno::INVAL, .. })), "{map:?}");
    }
    assert!(matches!(
        XskMap::create("m", 0),
        Err(Error::CreateMap { errno: Errno::INVAL, entries: 0, .. })
    ));
}

#[test]
fn pins_outlive_their_makers() {
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen,
    };
    use std::os::fd::AsRawFd;
    if !privileged!() {
        return;
    }
    // A BPF file system that is mounted nowhere and goes with its descriptor.
    let context = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    fsconfig_create(&context).unwrap();
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
    let directory = std::path::PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
    if !directory.exists() {
        let _ = writeln!(std::io::stderr(), "skipped: pins_outlive_their_makers (needs /proc)");
        return;
    }
    let (map_path, program_path) = (directory.join("map"), directory.join("program"));
    let map = XskMap::create(XskMap::DEFAULT_NAME, 3).unwrap();
    let program = redirect(&map).unwrap();
    map.pin(&map_path).unwrap();
    program.pin(&program_path).unwrap();
    let again = map.pin(&map_path);
    assert!(
        matches!(again, Err(Error::BpfObject { operation: BpfOp::Pin, errno: Errno::EXIST, .. })),
        "{again:?}"
    );
    let ids = (map.id(), program.id());
    drop((map, program));
    let map = XskMap::from_pin(&map_path).unwrap();
    assert_eq!((map.id(), map.entries()), (ids.0, 3));
    assert_eq!(Program::from_pin(&program_path).unwrap().id(), ids.1);
    let wrong = XskMap::from_pin(&program_path);
    assert!(matches!(wrong, Err(Error::WrongObject { .. })), "{wrong:?}");
    let wrong = Program::from_pin(&map_path);
    assert!(matches!(wrong, Err(Error::WrongObject { .. })), "{wrong:?}");
}
