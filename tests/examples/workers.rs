//! `examples/workers.rs`: each flow is served by one worker, and all chunks come back to the owner.

use crate::common::{Cable, PATIENCE, has_iproute2, kernel_can};
use crate::fixture::{Example, datagrams_come_back};
use rustix::process::Signal;
use std::net::UdpSocket;
use std::process::Command;
use std::thread;
use std::time::Duration;
use xsk::test_util::{Namespace, ip, privileged, test_name};

/// More than there are chunks, for each of the ways by which they come back.
const PACKETS: usize = 2500;

/// A cable with addresses, and sockets with ports in a row. The left end knows the other's hardware
/// address, because the example takes the requests for it.
fn clients(name: &str, count: u16) -> Option<(Cable, Vec<UdpSocket>)> {
    if !kernel_can(name, has_iproute2(), "there is no iproute2") {
        return None;
    }
    let cable = Cable::named(1, "client0", "echo0");
    ip::add_ipv4(cable.veth.a(), [192, 0, 2, 1].into(), 24).unwrap();
    ip::add_ipv4(cable.veth.b(), [192, 0, 2, 2].into(), 24).unwrap();
    let line = "neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev client0 nud permanent";
    let add = || Command::new("ip").args(line.split(' ')).status().unwrap();
    assert!(cable.left.run(add).unwrap().success());
    let clients = (0..count).map(|number| client(&cable.left, 10_000 + number)).collect();
    Some((cable, clients))
}

fn client(namespace: &Namespace, port: u16) -> UdpSocket {
    let client = namespace.run(|| UdpSocket::bind(("192.0.2.1", port)).unwrap()).unwrap();
    client.connect("192.0.2.2:7777").unwrap();
    client
}

/// Returns how many packets each worker sent back.
fn counts(total: &str) -> Vec<usize> {
    let (counts, sum) = total
        .strip_prefix("total [")
        .unwrap()
        .strip_suffix(" packets")
        .unwrap()
        .split_once("], ")
        .unwrap();
    let counts: Vec<usize> = counts.split(", ").map(|count| count.parse().unwrap()).collect();
    assert_eq!(sum, counts.iter().sum::<usize>().to_string());
    counts
}

#[test]
fn each_flow_has_one_worker_and_no_chunk_is_lost() {
    if !privileged!() {
        return;
    }
    let flows = 20;
    for (workers, signal) in [(3, Signal::INT), (1, Signal::TERM)] {
        let Some((cable, clients)) = clients(test_name!(), flows) else { return };
        let line = format!("workers echo0 7777 {workers}");
        let example = Example::start(&cable.right, &line, 1);
        let each = PACKETS / usize::from(flows);
        thread::scope(|scope| {
            for client in &clients {
                scope.spawn(move || datagrams_come_back(client, &vec![100; each]));
            }
        });
        let ended = example.stop(signal);
        ended.well(&[cable.veth.b()]);
        let counts = counts(ended.out.last().unwrap());
        assert_eq!(counts.iter().sum::<usize>(), each * usize::from(flows));
        assert_eq!(counts.len(), workers);
        for count in &counts {
            assert!(*count > 0 && count % each == 0, "whole flows: {counts:?} of {each}");
        }
    }
}

/// Chunks of packets that are not sent back go the other way, by the channel.
#[test]
fn dropped_packets_use_no_chunks_up() {
    if !privileged!() {
        return;
    }
    let Some((cable, clients)) = clients(test_name!(), 4) else { return };
    let example = Example::start(&cable.right, "workers echo0 7777 2", 1);
    let other = cable.left.run(|| UdpSocket::bind("192.0.2.1:0").unwrap()).unwrap();
    for round in 0..PACKETS / 25 {
        for _ in 0..25 {
            other.send_to(b"for another port", "192.0.2.2:7778").unwrap();
        }
        datagrams_come_back(&clients[round % 4], &[round]);
    }
    let ended = example.stop(Signal::INT);
    ended.well(&[cable.veth.b()]);
    assert_eq!(counts(ended.out.last().unwrap()).iter().sum::<usize>(), PACKETS / 25);
}

#[test]
fn a_flap_is_survived_and_a_removed_interface_ends_all_threads() {
    if !privileged!() {
        return;
    }
    let Some((cable, clients)) = clients(test_name!(), 4) else { return };
    let example = Example::start(&cable.right, "workers echo0 7777 2", 1);
    let all_come_back = || clients.iter().for_each(|client| datagrams_come_back(client, &[100]));
    all_come_back();
    ip::set_up(cable.veth.b(), false).unwrap();
    // Longer than the threads wait at once.
    thread::sleep(Duration::from_millis(200));
    ip::set_up(cable.veth.b(), true).unwrap();
    ip::wait_for_carrier(cable.veth.a(), PATIENCE).unwrap();
    all_come_back();
    ip::delete(cable.veth.b()).unwrap();
    example.end().names("echo0");
}

#[test]
fn wrong_arguments_are_explained() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "client0", "echo0");
    for (line, word) in [
        ("workers echo0 7777", "usage"),
        ("workers echo0 x 2", "port x"),
        ("workers echo0 7777 some", "workers some"),
        ("workers echo0 7777 0", "is from 1 to 65536"),
        ("workers nope 7777 2", "nope"),
    ] {
        Example::start(&cable.right, line, 0).end().names(word);
    }
}
