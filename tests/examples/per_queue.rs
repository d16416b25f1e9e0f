//! `examples/per_queue.rs`: each queue's packets are counted by its thread.

use crate::common::{AtCable, Cable, once_within, packet, until, wait_for};
use crate::fixture::Example;
use rustix::process::Signal;
use std::time::{Duration, Instant};
use xsk::Port;
use xsk::test_util::{ip, privileged};

/// Sends packets from a queue of the left end, which arrive on the same queue of the right one.
fn send(cable: &Cable, queue: u32, count: u32) {
    let mut port = Port::at(&cable.left, cable.veth.a(), queue);
    let mut out = port.socket.tx.reserve(count).unwrap();
    for number in 0..count {
        let mut frame = port.pool.take().unwrap();
        port.umem.write(&mut frame, &packet(number, 60)).unwrap();
        out.push(frame).unwrap();
    }
    drop(out);
    until("all are sent", || {
        port.service(64).unwrap();
        port.socket.tx.pending() == 0
    });
}

#[test]
fn every_queue_is_counted() {
    if !privileged!() {
        return;
    }
    for signal in [Signal::INT, Signal::TERM] {
        once_within(Duration::from_millis(600), || counted(signal));
    }
}

/// Returns how long the example takes to end after this signal.
fn counted(signal: Signal) -> Duration {
    let cable = Cable::named(4, "from0", "to0");
    let example = Example::start(&cable.right, "per_queue to0", 1);
    for (queue, count) in [(0, 10), (1, 20), (2, 30), (3, 40)] {
        send(&cable, queue, count);
    }
    let all = "[10, 20, 30, 40], 100 packets";
    wait_for("all packets", || example.line() == all);
    // A second before the next counts: they are not waited for.
    let start = Instant::now();
    let ended = example.stop(signal);
    let time = start.elapsed();
    ended.well(&[cable.veth.b()]);
    assert_eq!(ended.out.last().unwrap(), &format!("total {all}"));
    time
}

#[test]
fn a_flap_is_survived_and_a_removed_interface_ends_all_threads() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(2, "from0", "to0");
    let example = Example::start(&cable.right, "per_queue to0", 1);
    ip::set_up(cable.veth.b(), false).unwrap();
    assert_eq!(example.line(), "[0, 0], 0 packets");
    ip::set_up(cable.veth.b(), true).unwrap();
    ip::wait_for_carrier(cable.veth.a(), crate::common::PATIENCE).unwrap();
    send(&cable, 1, 5);
    wait_for("packets after the flap", || example.line() == "[0, 5], 5 packets");
    ip::delete(cable.veth.b()).unwrap();
    example.end().names("to0");
}
