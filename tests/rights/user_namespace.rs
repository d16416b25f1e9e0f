//! An unprivileged user namespace: sending takes nothing of the outside, receiving takes a program
//! that a helper outside attached there.

use crate::common::{PATIENCE, kernel_can, path_for_anybody, until};
use crate::fixture::{Worker, drop_all_rights, is_detached, maps_take_no_right, send_from};
use crate::processes::Process;
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use xsk::bpf::XskMap;
use xsk::handover::{self, Grant};
use xsk::socket::XskFd;
use xsk::test_util::{Namespace, VethPair, privileged, test_name};
use xsk::{Attachment, Error, Socket, Umem};

const NOBODY: u32 = 65534;

/// Returns the command that runs another one as root of a user and a network namespace of its own,
/// started by an ordinary user.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--"]).uid(NOBODY).gid(NOBODY);
    command
}

/// Returns whether this machine has what the test needs.
fn possible(name: &str) -> bool {
    let works = unshare().arg("true").stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    kernel_can(name, works, "ordinary users may not make user namespaces, or there is no `unshare`")
        && maps_take_no_right(name)
}

#[test]
fn sending_works_inside_and_receiving_with_what_a_helper_hands_over() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let (file, path) = path_for_anybody(std::env::current_exe().unwrap());
    // It passes through `unshare`.
    fcntl_setfd(&file, FdFlags::empty()).unwrap();
    let mut command = unshare();
    command.arg(path);
    let mut worker = Process::spawn(command, "user namespace");
    worker.wait_for(b's');
    // The helper works in the namespace of the worker, which it has rights in.
    let inside = Namespace::of_thread(worker.id()).unwrap();
    let interface = inside.interface("xsk-a").unwrap();
    let program = inside.run(|| Attachment::builder(&interface).attach()).unwrap().unwrap();
    let socket = inside.run(XskFd::open).unwrap().unwrap();
    let grant = Grant::new(&interface, 0, socket, program.map().try_clone().unwrap());
    handover::send(&worker.stream, grant).unwrap();
    worker.wait_for(b'r');
    send_from(&inside, &inside.interface("xsk-b").unwrap(), 100);
    assert!(worker.end().success());
    program.close().unwrap();
    is_detached(&interface);
}

/// What the worker does.
pub(crate) fn inside(stream: &mut UnixStream) {
    let here = Namespace::current().unwrap();
    let pair = VethPair::builder().build(&here, &here).unwrap();
    // Sending takes no program.
    let (umem, mut pool) = Umem::builder().chunk_count(64).build().unwrap();
    let mut sender = Socket::builder(&umem).tx_only().bind(pair.a(), 0).unwrap();
    let before = pair.b().info().unwrap().counters.rx_packets;
    assert_eq!(sender.tx.send_from(&mut pool, 10, 60).unwrap(), 10);
    until("the packets are sent", || {
        sender.tx.kick_if_needed().unwrap();
        sender.completion.reap_into(&mut pool, 64).unwrap();
        pool.len() == 64
    });
    until("the packets have arrived", || {
        pair.b().info().unwrap().counters.rx_packets == before + 10
    });
    drop(sender);
    // Maps and programs take rights outside.
    let error = XskMap::create("xsks_map", 1).unwrap_err();
    assert!(matches!(error, Error::CreateMap { errno: Errno::PERM, .. }), "{error:?}");
    assert!(error.to_string().contains("Root of another user namespace"), "{error}");
    Attachment::builder(pair.a()).attach().unwrap_err();

    stream.write_all(b"s").unwrap();
    let grant = handover::receive(&*stream, Some(PATIENCE)).unwrap();
    drop_all_rights();
    let mut worker = Worker::new(grant).unwrap();
    stream.write_all(b"r").unwrap();
    worker.receive(100);
    assert!(worker.slot.remove().unwrap());
    // The pair goes with the namespace: this thread may remove it no more.
    drop(worker.port);
}
