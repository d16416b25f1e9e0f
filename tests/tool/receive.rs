//! `xsk receive`: what it reports of what `xsk generate` sends, and of packets that are lost, late or
//! come twice, which a socket of the test sends.

use crate::common::wait_for;
use crate::fixture::{Ended, Fixture, Tool, WAIT};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use std::collections::BTreeMap;
use xsk::test_util::privileged;
use xsk::{FramePool, TxSocket, Umem};

/// The destination of the packets; the near end of a cable takes any.
const TO: &str = "--dst-mac 02:00:00:00:00:02";

/// Starts `xsk generate` at the far end.
fn generate(fixture: &Fixture, line: &str) -> Tool {
    Tool::start(&fixture.cable.right, &format!("generate -i far --json {WAIT} {TO} {line}"))
}

/// Starts `xsk receive` at the near end, and waits until it receives.
fn receiver(fixture: &Fixture, line: &str) -> Tool {
    fixture.start(&format!("receive {line}")).ready()
}

/// Returns what a receiver says of the packets.
fn received(ended: Ended) -> Value {
    ended.summary()["received"].clone()
}

/// Returns these numbers of what a receiver says.
fn numbers<const N: usize>(received: &Value, keys: [&str; N]) -> [u64; N] {
    keys.map(|key| received[key].as_u64().unwrap_or_else(|| panic!("{key}: {received}")))
}

/// Waits for a report of so many packets, received or lost.
fn wait_for_all(receiver: &Tool, count: u64) {
    wait_for("a report of all packets", || {
        let report: Value = serde_json::from_str(&receiver.line()).unwrap();
        // It may be of an event.
        let total = |key: &str| report["total"][key].as_u64().unwrap_or(0);
        total("rx_packets") + total("rx_lost") >= count
    });
}

/// A socket at the far end, for crafted packets.
struct Crafted {
    umem: Umem,
    pool: FramePool,
    socket: TxSocket,
}

impl Crafted {
    fn new(fixture: &Fixture) -> Self {
        let (umem, pool) = Umem::builder().chunk_count(256).build().unwrap();
        let bind = || xsk::Socket::builder(&umem).tx_only().bind(fixture.cable.veth.b(), 0);
        let socket = fixture.cable.right.run(bind).unwrap().unwrap();
        Self { umem, pool, socket }
    }

    /// Sends packets one by one.
    fn send(&mut self, packets: impl IntoIterator<Item = Vec<u8>>) {
        for packet in packets {
            let mut frame = loop {
                self.socket.completion.reap_into(&mut self.pool, 256).unwrap();
                match self.pool.take() {
                    Some(frame) => break frame,
                    None => drop(self.socket.tx.kick().unwrap()),
                }
            };
            self.umem.write(&mut frame, &packet).unwrap();
            self.socket.tx.reserve(1).unwrap().push(frame).unwrap();
            self.socket.tx.kick().unwrap();
            while self.socket.tx.pending() > 0 {
                self.socket.tx.kick().unwrap();
            }
        }
    }
}

/// Returns the low 48 bits of the time of the clock of the marks.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64) & ((1 << 48) - 1)
}

/// Returns a UDP packet with a mark, as the help describes it.
fn marked(stream: u16, flow: u32, sequence: u32, time: u64) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    packet.extend([0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([0x10, 0, 0, 9, 0, 26, 0, 0]);
    packet.extend([0xf5, 0x78, 0x6b]);
    packet.extend(stream.to_be_bytes());
    packet.extend(&flow.to_be_bytes()[1..]);
    packet.extend(sequence.to_be_bytes());
    packet.extend(&time.to_be_bytes()[2..]);
    packet
}

#[test]
fn what_is_sent_is_received_and_known_by_its_marks() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for (line, filter) in [
        ("--src-port 1000-1006", ""),
        ("--vlan 5 -s 100-200", ""),
        ("--src-ip 2001:db8::/126 --imix", ""),
        ("--tcp-syn", ""),
        ("--icmp", "icmp"),
        ("--icmp --src-ip ::1", "icmp6"),
        ("--dst-port 7 --vlan 6", "vlan and udp port 7"),
    ] {
        let receiver = receiver(&fixture, &format!("-C 700 -d 20 {filter}"));
        let sent = generate(&fixture, &format!("--pps 10k -C 700 {line}")).summary();
        let flows = sent["generate"]["flows"].as_u64().unwrap();
        let marks = received(receiver.end());
        let keys =
            ["packets", "flows", "lost", "reordered", "duplicates", "foreign", "foreign_clock"];
        assert_eq!(numbers(&marks, keys), [700, flows, 0, 0, 0, 0, 0], "{line}");
        let latency = &marks["latency_ns"];
        let figures = numbers(latency, ["min", "p50", "p90", "p99", "p99_9", "max"]);
        assert!(figures.is_sorted() && figures[0] > 0 && figures[5] < 20_000_000_000, "{latency}");
    }
}

#[test]
fn loss_reorder_and_duplicates_are_those_that_were_sent() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let mut crafted = Crafted::new(&fixture);
    let receiver = receiver(&fixture, "--per-flow --window 64 -C 26 -d 20");
    // Of stream 1: numbers 3 and 4 are lost, 6 comes after 7, and 0 comes twice.
    let first = [0, 1, 2, 5, 7, 6, 0, 8];
    // Of stream 2: 100 more than the window behind.
    let second = [4_294_967_290, 4_294_967_295, 0, 1, 200, 0, 199];
    let marks = first.map(|sequence| (1, 9, sequence)).into_iter();
    let marks = marks.chain(second.map(|sequence| (2, 16_777_215, sequence)));
    let marks = marks.chain((0..10).map(|sequence| (1, 8, 9 - sequence)));
    crafted.send(marks.map(|(stream, flow, sequence)| marked(stream, flow, sequence, now())));
    // Without a mark.
    let mut foreign = marked(1, 9, 9, now());
    foreign[42] ^= 1;
    crafted.send([foreign]);
    let marks = received(receiver.end());
    let keys =
        ["stream", "flow", "first", "last", "packets", "lost", "reordered", "duplicates", "late"];
    let flows = marks["by_flow"].as_array().unwrap();
    let rows: Vec<[u64; 9]> = flows.iter().map(|flow| numbers(flow, keys)).collect();
    let round = 1_u64 << 32;
    assert_eq!(
        rows,
        [
            [1, 8, 0, 9, 10, 0, 9, 0, 0],
            [1, 9, 0, 8, 7, 2, 1, 1, 0],
            [2, 16_777_215, round - 6, round + 200, 6, 201, 1, 0, 1],
        ]
    );
    let keys = ["flows", "packets", "lost", "reordered", "duplicates", "late", "foreign"];
    assert_eq!(numbers(&marks, keys), [3, 23, 203, 11, 1, 1, 1]);
    assert_eq!(numbers(&marks, ["untracked", "foreign_clock"]), [0, 0]);
}

#[test]
fn times_of_another_clock_and_flows_beyond_the_most_are_counted() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let mut crafted = Crafted::new(&fixture);
    let receiver = receiver(&fixture, "--flows 2 -C 6 -d 20");
    let hour = 3_600_000_000_000;
    let times = [now() + hour, now().wrapping_sub(hour) & ((1 << 48) - 1), now()];
    crafted.send(times.into_iter().zip(0..).map(|(time, sequence)| marked(1, 1, sequence, time)));
    crafted.send((1..4).map(|flow| marked(1, flow, 3, now())));
    let marks = received(receiver.end());
    let keys = ["flows", "packets", "lost", "untracked", "foreign_clock"];
    assert_eq!(numbers(&marks, keys), [2, 5, 0, 1, 2]);
    assert!(marks["latency_ns"]["max"].as_u64().unwrap() < 60_000_000_000, "{marks}");
    assert!(marks.get("by_flow").is_none());
}

#[test]
fn a_loss_can_be_a_failure() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let mut crafted = Crafted::new(&fixture);
    for (sequences, error) in [
        (&[0, 1, 2][..], None),
        (&[0, 1, 4], Some("2 of 5 packets were lost")),
        (&[], Some("no packet of `xsk generate` came")),
    ] {
        let count = sequences.len().max(1);
        let line = format!("--fail-on-loss -C {count} -d 20");
        let receiver = receiver(&fixture, &line);
        crafted.send(sequences.iter().map(|sequence| marked(1, 1, *sequence, now())));
        if sequences.is_empty() {
            receiver.signal(Signal::INT);
        }
        let ended = receiver.end();
        match error {
            None => assert_eq!(ended.summary()["ended"], "count"),
            Some(error) => {
                assert_eq!(ended.failure(), format!("xsk: {error}"));
                let summary = ended.summary_of(1);
                assert_eq!(
                    (&summary["error"], &summary["ended"]),
                    (&error.into(), &"error".into())
                );
            }
        }
    }
}

#[test]
fn nothing_is_unaccounted_for_at_top_speed() {
    if !privileged!() {
        return;
    }
    for line in ["", "-q 0-1", "--imix -b 16"] {
        let fixture = Fixture::new(2);
        let receiver = receiver(&fixture, "-q 0-1 -p -n 0.2 --chunks 1024 --fill-ring 1024");
        let sent = generate(&fixture, &format!("{line} --src-port 1-10 -d 0.7")).summary();
        // All that is still on its way came, or is lost.
        let mut crafted = Crafted::new(&fixture);
        crafted.send([marked(1, 1, 0, now())]);
        let [all, dropped] = numbers(&sent["total"], ["tx_packets", "tx_lost"]);
        wait_for_all(&receiver, all + 1);
        let ended = receiver.stop();
        let summary = ended.summary();
        let marks = &summary["received"];
        let [packets, lost, reordered, duplicates] =
            numbers(marks, ["packets", "lost", "reordered", "duplicates"]);
        let sent = all;
        let unknown = summary["total"]["rx_lost"].as_u64().unwrap();
        assert!(sent > 1000, "{sent}");
        // One was the test's own. What a flow lost behind its last packet is not known there.
        let known = packets - 1 + lost;
        let tail = (sent + dropped).checked_sub(known).expect("more than was sent");
        assert_eq!((reordered, duplicates), (0, 0), "{line}: {marks}");
        assert_eq!(packets - 1 + unknown, sent, "{line}: {summary}");
        assert!(tail + lost == unknown + dropped, "{line}: {tail} {lost} {unknown} {dropped}");
    }
}

#[test]
fn the_rest_stays_with_the_kernel() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let receiver = receiver(&fixture, "-d 20 -C 10");
    let sent = generate(&fixture, "--dst-port 10 --pps 1k -C 100").summary();
    assert_eq!(sent["tx_packets"], 100);
    assert_eq!(generate(&fixture, "--pps 1k -C 10").summary()["tx_packets"], 10);
    let ended = receiver.end();
    let summary = ended.summary();
    assert_eq!(numbers(&summary["received"], ["packets", "foreign"]), [10, 0]);
    let others = summary["filters"][0]["others"]["packets"].as_u64().unwrap();
    assert!(others >= 100, "{summary}");
}

#[test]
fn queues_share_the_flows_and_each_has_a_stream_of_its_own() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for (ports, flows) in [("1-10", 10), ("1", 1)] {
        let receiver = receiver(&fixture, "-q 0-1 --per-flow -n 0.2");
        let line = format!("-q 0-1 --src-port {ports} --pps 2k -d 0.5");
        let sent = generate(&fixture, &line).summary()["tx_packets"].as_u64().unwrap();
        wait_for_all(&receiver, sent);
        let marks = received(receiver.stop());
        assert_eq!(numbers(&marks, ["packets", "lost", "reordered"]), [sent, 0, 0]);
        let mut streams: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for flow in marks["by_flow"].as_array().unwrap() {
            let [stream, flow, first, packets] =
                numbers(flow, ["stream", "flow", "first", "packets"]);
            assert!(first == 0 && packets > 10, "{marks}");
            streams.entry(stream).or_default().push(flow);
        }
        assert_eq!(streams.len(), 2, "{marks}");
        let mut all: Vec<u64> = streams.into_values().flatten().collect();
        all.sort_unstable();
        // One flow alone is sent by both.
        let wanted: Vec<u64> = if flows == 1 { vec![0, 0] } else { (0..flows).collect() };
        assert_eq!(all, wanted);
    }
}

#[test]
fn where_nothing_comes_without_a_filter_the_port_is_named() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for (filter, named) in [("", true), ("udp port 77", false)] {
        let line = format!("receive -i near -d 0.3 {WAIT} {filter}");
        let ended = Tool::start(&fixture.cable.left, &line).end();
        assert!(ended.status.success(), "{ended:?}");
        let text = ended.out.join("\n");
        assert_eq!(text.contains("UDP and TCP packets to port 9"), named, "{text}");
        // The first line describes the sockets and the filter.
        assert!(ended.out.iter().skip(1).all(|line| line.len() <= 80), "{text}");
    }
    let receiver = Tool::start(&fixture.cable.left, &format!("receive -i near -C 10 {WAIT}"));
    // The first line comes when it receives; for people it is on the standard output.
    receiver.line();
    generate(&fixture, "-C 10").summary();
    let text = receiver.end().out.join("\n");
    assert!(!text.contains("packets to port 9"), "{text}");
}
