//! `examples/restart.rs`: its functions are those of the README, and processes take over from one
//! another.

use crate::common::{AtCable, Cable, packet, until, wait_for};
use crate::fixture::Example;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::process::Signal;
use std::os::fd::AsRawFd;
use xsk::Port;
use xsk::test_util::privileged;

#[test]
fn its_functions_are_those_of_the_readme() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## Restart without a gap").unwrap();
    let (_, block) = section.split_once("use xsk::").unwrap();
    let (_, block) = block.split_once("\n\n").unwrap();
    let (functions, _) = block.split_once("```").unwrap();
    assert!(functions.contains("fn start") && functions.contains("fn leave"));
    assert!(include_str!("../../examples/restart.rs").contains(functions));
}

#[test]
fn one_process_after_another_takes_over_the_same_program() {
    if !privileged!() {
        return;
    }
    // A BPF file system that is mounted nowhere, and goes with its descriptor.
    let context = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    fsconfig_create(&context).unwrap();
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    let mount = fsmount(&context, flags, MountAttrFlags::empty()).unwrap();
    let pin = format!("/proc/{}/fd/{}/to0", std::process::id(), mount.as_raw_fd());

    let cable = Cable::named(1, "from0", "to0");
    let mut sender = Port::left(&cable);
    let mut send = || {
        for number in 0..100 {
            let mut frame = sender.pool.take().unwrap();
            sender.umem.write(&mut frame, &packet(number, 60)).unwrap();
            sender.socket.tx.reserve(1).unwrap().push(frame).unwrap();
            until("the packet is sent", || {
                sender.socket.tx.kick_if_needed().unwrap();
                sender.socket.completion.reap_into(&mut sender.pool, 64).unwrap();
                sender.pool.len() == 1024
            });
        }
    };
    let mut running = Example::start(&cable.right, &format!("restart to0 {pin}"), 1);
    let attached = || cable.veth.b().attached_programs().unwrap().programs().next().unwrap().1;
    let id = attached();
    for _ in 0..2 {
        send();
        let line = format!("restart to0 {pin} {}", running.id());
        let next = Example::start(&cable.right, &line, 1);
        let ended = running.end();
        assert_eq!((ended.status.code(), &*ended.err), (Some(0), &["100 packets".to_owned()][..]));
        assert_eq!(attached(), id);
        running = next;
    }
    let ended = running.stop(Signal::TERM);
    assert_eq!((ended.status.code(), &*ended.err), (Some(0), &["0 packets".to_owned()][..]));
    wait_for("nothing attached", || cable.veth.b().attached_programs().unwrap().is_empty());
    assert!(!std::path::Path::new(&pin).exists());
}
