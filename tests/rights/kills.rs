//! What stays behind when a helper or a worker is killed.

use crate::common::{Cable, METHODS};
use crate::fixture::{Worker, attach, grant, is_detached, maps_take_no_right, send};
use crate::processes::Process;
use xsk::AttachMethod;
use xsk::bpf::SlotProbe;
use xsk::handover;
use xsk::test_util::{privileged, test_name};

#[test]
fn a_killed_worker_leaves_an_empty_slot_and_a_free_queue() {
    if !privileged!() || !maps_take_no_right(test_name!()) {
        return;
    }
    for method in METHODS {
        let cable = Cable::new(1);
        let program = attach(&cable, method);
        let probe = SlotProbe::new(program.map()).unwrap();
        let mut worker = Process::start(&cable.left, "worker");
        handover::send(&worker.stream, grant(&cable, &program)).unwrap();
        worker.wait_for(b'r');
        assert_eq!(probe.occupied().unwrap(), [0]);
        worker.kill();
        assert_eq!(probe.occupied().unwrap(), []);
        // The next one takes its place.
        let mut next = Worker::new_in(&cable.left, grant(&cable, &program));
        send(&cable, 10);
        next.receive(10);
        drop(next);
        program.close().unwrap();
        is_detached(cable.veth.a());
    }
}

#[test]
fn a_killed_helper_leaves_a_worker_that_goes_on_if_netlink_holds_the_program() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut helper = Process::start(&cable.left, "helper by netlink");
    let grant = handover::receive(&helper.stream, Some(crate::common::PATIENCE)).unwrap();
    let mut worker = Worker::new_in(&cable.left, grant);
    send(&cable, 10);
    worker.receive(10);
    helper.kill();
    send(&cable, 10);
    worker.receive(10);
    drop(worker);
    // The program stays until the next user ends in order.
    assert!(!cable.veth.a().attached_programs().unwrap().is_empty());
    attach(&cable, AttachMethod::Netlink).close().unwrap();
    is_detached(cable.veth.a());
}

#[test]
fn a_killed_helper_takes_a_program_along_that_a_link_holds() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let mut helper = Process::start(&cable.left, "helper by link");
    let grant = handover::receive(&helper.stream, Some(crate::common::PATIENCE)).unwrap();
    let mut worker = Worker::new_in(&cable.left, grant);
    send(&cable, 10);
    worker.receive(10);
    helper.kill();
    is_detached(cable.veth.a());
    send(&cable, 10);
    // The packets have gone to the kernel's stack; the socket is bound as before.
    worker.receive(0);
    worker.port.socket.handle.check().unwrap();
    assert!(worker.slot.remove().unwrap());
}

#[test]
fn a_helper_that_ends_before_its_worker_leaves_it_the_program_that_netlink_holds() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let helper = Process::start(&cable.left, "helper by netlink");
    let grant = handover::receive(&helper.stream, Some(crate::common::PATIENCE)).unwrap();
    let mut worker = Worker::new_in(&cable.left, grant);
    helper.stream.shutdown(std::net::Shutdown::Both).unwrap();
    assert!(helper.end().success());
    send(&cable, 10);
    worker.receive(10);
}
