//! `examples/worker_without_rights.rs`: the worker has no capability and receives. If one of the
//! two ends, or is killed, what is left is what the documentation says.

use crate::common::{AtCable, Cable, kernel_can, kernel_since, packet, until, wait_for};
use crate::fixture::Example;
use rustix::process::{Pid, Signal, kill_process};
use xsk::test_util::{ip, privileged, test_name};
use xsk::{Attachment, Port};

/// Returns whether the worker can use a map.
fn possible(name: &str) -> bool {
    kernel_can(name, kernel_since(5, 19), "before 5.19 using a map takes CAP_BPF")
}

/// Sends packets from the left end.
fn send(cable: &Cable, count: u32) {
    let Port { umem, mut pool, mut socket, .. } = Port::left(cable);
    for number in 0..count {
        let mut frame = pool.take().unwrap();
        umem.write(&mut frame, &packet(number, 60)).unwrap();
        socket.tx.reserve(1).unwrap().push(frame).unwrap();
        until("the packet is sent", || {
            socket.tx.kick_if_needed().unwrap();
            socket.completion.reap_into(&mut pool, 64).unwrap();
            pool.len() == 1024
        });
    }
}

/// Starts it, and reads what the worker says of itself.
fn start(cable: &Cable, line: &str) -> Example {
    let example = Example::start(&cable.right, line, 1);
    let mut said = Vec::new();
    wait_for("the worker", || {
        said.push(example.line());
        said.last().unwrap() == "to0 queue 0: ready"
    });
    let value = |name: &str| {
        let line = said.iter().find_map(|line| line.strip_prefix(name));
        line.unwrap().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(value("CapEff:"), ["0000000000000000"]);
    assert_eq!(value("CapPrm:"), ["0000000000000000"]);
    assert_eq!(value("NoNewPrivs:"), ["1"]);
    assert_eq!(value("Uid:"), ["65534"; 4]);
    example
}

/// Returns the id of the only child of a process.
fn child_of(process: i32) -> Pid {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(path).unwrap();
    Pid::from_raw(children.trim().parse().unwrap()).unwrap()
}

#[test]
fn a_worker_without_rights_receives_so_many_packets() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let cable = Cable::named(1, "from0", "to0");
    let example = start(&cable, "worker_without_rights to0 0 300");
    send(&cable, 300);
    let ended = example.end();
    ended.well(&[cable.veth.b()]);
    assert_eq!(ended.out.last().unwrap(), "total 300 packets");
}

#[test]
fn a_signal_to_the_helper_ends_both_in_order() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    for signal in [Signal::INT, Signal::TERM] {
        let cable = Cable::named(1, "from0", "to0");
        let example = start(&cable, "worker_without_rights to0 0");
        send(&cable, 5);
        wait_for("all packets", || example.line() == "5 packets");
        let ended = example.stop(signal);
        ended.well(&[cable.veth.b()]);
        assert_eq!(ended.out.last().unwrap(), "total 5 packets");
    }
}

#[test]
fn a_killed_worker_leaves_nothing() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let cable = Cable::named(1, "from0", "to0");
    let example = start(&cable, "worker_without_rights to0 0");
    kill_process(child_of(example.id()), Signal::KILL).unwrap();
    let ended = example.end();
    ended.names("the worker failed: signal: 9");
    assert_eq!(crate::common::left_on(cable.veth.b()), None);
}

#[test]
fn a_killed_helper_ends_the_worker_and_leaves_a_program_that_the_next_one_takes_over() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let cable = Cable::named(1, "from0", "to0");
    let example = start(&cable, "worker_without_rights to0 0");
    // By netlink, the default of a process with all rights: the program stays.
    assert_eq!(example.stop(Signal::KILL).status.code(), None);
    assert!(!cable.veth.b().attached_programs().unwrap().is_empty());
    let attach = || Attachment::builder(cable.veth.b()).attach();
    let next = cable.right.run(attach).unwrap().unwrap();
    assert!(next.joined(), "the same program");
    wait_for("the worker's slot to be empty", || {
        xsk::bpf::SlotProbe::new(next.map()).unwrap().occupied().unwrap().is_empty()
    });
    next.close().unwrap();
    assert_eq!(crate::common::left_on(cable.veth.b()), None);
}

#[test]
fn faults_are_named() {
    if !privileged!() || !possible(test_name!()) {
        return;
    }
    let cable = Cable::named(1, "from0", "to0");
    for (line, word) in [
        ("worker_without_rights to0", "usage"),
        ("worker_without_rights to0 x", "queue x"),
        ("worker_without_rights to0 0 many", "packets many"),
        ("worker_without_rights nope 0", "nope"),
    ] {
        Example::start(&cable.right, line, 0).end().names(word);
    }
    // The worker's fault is the worker's to say.
    let ended = Example::start(&cable.right, "worker_without_rights to0 1", 1).end();
    assert!(ended.err[0].contains("to0 has 1 queue(s)"), "{ended:?}");
    assert!(ended.err[1].contains("the worker failed"), "{ended:?}");
    assert_eq!(crate::common::left_on(cable.veth.b()), None);
    let example = start(&cable, "worker_without_rights to0 0");
    ip::delete(cable.veth.b()).unwrap();
    let ended = example.end();
    assert!(ended.err[0].contains("unbound the socket of to0 queue 0"), "{ended:?}");
}
