//! Counts that go on when one filter takes the place of another.

use crate::common::{AtCable, Cable, METHODS, rounds, wait_for};
use crate::packets::udp4;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use xsk::Port;
use xsk::attach::{AttachMode, Attachment};
use xsk::bpf::{Action, ClassicFilter, Filter, FilterCounts, FilterProgram, XskMap};
use xsk::test_util::privileged;

/// How many packets may be on their way: a veth has room for 256.
const WINDOW: u32 = 200;

fn to_port(port: u16) -> Vec<u8> {
    udp4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST, [7, port])
}

/// Returns a filter with a rule for each of these ports.
fn drops(ports: &[u16]) -> Filter {
    ports.iter().fold(Filter::new().counters(true), |filter, port| {
        filter.rule(format!("udp dst port {port}").parse().unwrap(), Action::Drop)
    })
}

/// Has a program see packets to these ports.
fn see(program: &FilterProgram, ports: &[u16]) {
    for port in ports {
        program.program().test_run(&to_port(*port), None).unwrap();
    }
}

fn counted(program: &FilterProgram) -> FilterCounts {
    program.counts().unwrap().unwrap()
}

/// Returns the packets of each rule, and then those of none.
fn packets(counts: &FilterCounts) -> Vec<u64> {
    counts.rules.iter().chain([&counts.others]).map(|count| count.packets).collect()
}

#[test]
fn equal_rules_keep_their_counts_and_others_begin_at_zero() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    let first = drops(&[1, 2, 3]).load(&map).unwrap();
    see(&first, &[1, 2, 2, 3, 3, 3, 9]);
    assert_eq!(packets(&counted(&first)), [1, 2, 3, 1]);

    // Another order, one rule less, and one more; and what both programs count is one count.
    let second = drops(&[4, 3, 1]).compile().unwrap().load_after(&map, &first).unwrap();
    assert_eq!(packets(&counted(&second)), [0, 3, 1, 1]);
    see(&second, &[4, 3, 1, 2, 9]);
    assert_eq!(packets(&counted(&second)), [1, 4, 2, 3]);
    assert_eq!(counted(&second).others.bytes, 3 * 60);
    assert_eq!(packets(&counted(&first)), [2, 2, 4, 3]);
    see(&first, &[3]);
    assert_eq!(packets(&counted(&second)), [1, 5, 2, 3]);

    // A rule that was away begins at zero; so does one with another action.
    let third = drops(&[2, 3]).rule("udp dst port 1".parse().unwrap(), Action::Pass);
    let third = third.compile().unwrap().load_after(&map, &second).unwrap();
    assert_eq!(packets(&counted(&third)), [0, 5, 0, 3]);

    // From a filter without counters there is nothing to keep, and without there is nothing.
    let silent = drops(&[1]).counters(false).compile().unwrap().load_after(&map, &third).unwrap();
    assert_eq!(silent.counts().unwrap(), None);
    let fresh = drops(&[3]).compile().unwrap().load_after(&map, &silent).unwrap();
    assert_eq!(packets(&counted(&fresh)), [0, 0]);

    // Of equal rules, the first has the packets.
    let twice = drops(&[3, 3]).compile().unwrap().load_after(&map, &third).unwrap();
    see(&twice, &[3]);
    assert_eq!(packets(&counted(&twice)), [6, 0, 3]);
}

#[test]
fn counters_do_not_run_out_over_many_replacements() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    let mut running = drops(&[1]).load(&map).unwrap();
    let (mut maps, mut old) = (BTreeSet::new(), Vec::new());
    let times = u64::from(rounds(50));
    for keep in [false, true] {
        for round in 0..times {
            let new: Vec<u16> = (0..10).map(|n| 1000 + 10 * (round as u16) + n).collect();
            let filter = drops(&new).rule("udp dst port 1".parse().unwrap(), Action::Drop);
            let next = filter.compile().unwrap().load_after(&map, &running).unwrap();
            let before = std::mem::replace(&mut running, next);
            if keep {
                old.push(before);
            }
            see(&running, &[1, new[0], 9]);
            let done = round + 1 + if keep { times } else { 0 };
            let mut wanted = vec![0; 12];
            (wanted[0], wanted[10], wanted[11]) = (1, done, done);
            assert_eq!(packets(&counted(&running)), wanted, "round {round}, old kept: {keep}");
            // The text of its rules is in a map of each program's own.
            let of_program = running.program().maps().unwrap();
            maps.extend(of_program.iter().filter(|map| map.name == "xsk_rules").map(|map| map.id));
        }
        if !keep {
            assert_eq!(maps.len(), 1, "the entries of programs that are gone are used again");
        }
    }
    assert!(maps.len() > 1, "{maps:?}: programs that are kept keep their entries");
    // What the last of them still counts is in the counts of the running one.
    see(&old[0], &[1]);
    assert_eq!(packets(&counted(&running))[10], 2 * times + 1);
}

#[test]
fn a_classic_filter_counts_what_it_takes_and_the_rest() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    // ether[0] = 2
    let text = "4\n48 0 0 0\n21 0 1 2\n6 0 0 1\n6 0 0 0";
    let filter: ClassicFilter = text.parse().unwrap();
    assert_eq!(filter.load(&map, Action::Drop).unwrap().counts().unwrap(), None);
    let filter = filter.counters(true);
    for (action, verdict) in [(Action::Drop, 1), (Action::Queue, 2), (Action::Pass, 2)] {
        let program = filter.load(&map, action).unwrap();
        let run = |first| {
            let mut packet = [0; 70];
            packet[0] = first;
            program.program().test_run(&packet, None).unwrap().retval
        };
        assert_eq!([run(2), run(3), run(2)], [verdict, 2, verdict]);
        let counts = counted(&program);
        assert_eq!((packets(&counts), counts.rules[0].bytes), (vec![2, 1], 140));
        let next = filter.compile(action).unwrap().load_after(&map, &program).unwrap();
        assert_eq!(counted(&next), counts);
        let all: ClassicFilter = "1\n6 0 0 1".parse().unwrap();
        let all = all.counters(true).take_everything(true).compile(action).unwrap();
        let all = all.load_after(&map, &next).unwrap();
        see(&all, &[1]);
        assert_eq!(packets(&counted(&all)), [1, 1], "another rule, and the same packets of none");
    }
}

#[test]
fn under_traffic_each_packet_is_counted_once() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    for (mode, method) in [AttachMode::Native, AttachMode::Generic].into_iter().zip(METHODS) {
        let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
        // All use the map of the sockets.
        let filter = |ports: &[u16]| {
            drops(ports).rule("udp dst port 77".parse().unwrap(), Action::Queue).compile().unwrap()
        };
        let first = filter(&[1, 2]).load(&map).unwrap();
        let attach = || {
            let program = first.program().try_clone().unwrap();
            let builder = Attachment::builder(cable.veth.a()).mode(mode).method(method);
            builder.program(program, map.try_clone().unwrap()).attach().unwrap()
        };
        let attachment = cable.left.run(attach).unwrap();
        let running = Mutex::new(first);
        let total = || {
            let counts = counted(&running.lock().unwrap());
            packets(&counts).iter().sum::<u64>()
        };
        let (stop, sent) = (AtomicBool::new(false), AtomicU32::new(0));
        let mut port = Port::right(&cable);
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    port.socket.completion.reap_into(&mut port.pool, 64).unwrap();
                    let mut slots = port.socket.tx.reserve(32).unwrap();
                    while slots.remaining() > 0 {
                        let mut frame = port.pool.take().expect("a chunk");
                        // The packets of two rules that stay, and of none.
                        port.umem.write(&mut frame, &to_port([1, 2, 9][number % 3])).unwrap();
                        slots.push(frame).unwrap();
                        number += 1;
                    }
                    drop(slots);
                    while port.socket.tx.kick_if_needed().unwrap() == xsk::Kick::Again {}
                    sent.store(number as u32, Ordering::Relaxed);
                    wait_for("packets to be counted", || {
                        total() + u64::from(WINDOW) > number as u64 + 32
                    });
                }
            });
            for round in 0..rounds(50) {
                let before = sent.load(Ordering::Relaxed);
                wait_for("more packets", || sent.load(Ordering::Relaxed) > before + 100);
                let (a, b) = (1000 + round as u16, 2000 + round as u16);
                let ports = if round % 2 == 0 { vec![a, 2, b, 1] } else { vec![1, 2, a] };
                let old = running.lock().unwrap().program().id();
                let next = filter(&ports).load_after(&map, &running.lock().unwrap()).unwrap();
                let program = next.program().try_clone().unwrap();
                let replaced = cable.left.run(|| attachment.replace_program(program)).unwrap();
                assert_eq!(replaced.unwrap().id(), old);
                *running.lock().unwrap() = next;
            }
            stop.store(true, Ordering::Relaxed);
            sender.join().unwrap();
        });
        let sent = u64::from(sent.into_inner());
        wait_for("the last packet", || total() >= sent);
        eprintln!("{sent} packets");
        let last = filter(&[1, 2]);
        let last = last.load_after(&map, &running.lock().unwrap()).unwrap();
        let kind = |n: u64| (sent + 2 - n) / 3;
        assert_eq!(packets(&counted(&last)), [kind(0), kind(1), 0, kind(2)]);
        attachment.close().unwrap();
    }
}
