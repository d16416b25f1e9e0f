//! Several sockets on one queue (`-M`).

use crate::common::wait_for;
use crate::fixture::{Fixture, LIMIT, Tool, WAIT};
use rustix::process::Signal;
use serde_json::Value;
use xsk::test_util::{ip, privileged};
use xsk::{FramePool, TxSocket, Umem};

/// A UDP packet of flow number `flow`, of this length.
fn packet(flow: u16, len: usize) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    packet.extend([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend((1024 + flow).to_be_bytes());
    packet.extend([0, 9, 0, 26, 0, 0]);
    packet.resize(len, 0x55);
    packet
}

/// A socket at the far end.
struct Sender {
    umem: Umem,
    pool: FramePool,
    socket: TxSocket,
}

impl Sender {
    fn new(fixture: &Fixture, queue: u32) -> Self {
        let (umem, pool) = Umem::builder().chunk_count(64).build().unwrap();
        let builder = xsk::Socket::builder(&umem).tx_only().bind_timeout(LIMIT);
        let bind = || builder.bind(fixture.cable.veth.b(), queue);
        let socket = fixture.cable.right.run(bind).unwrap().unwrap();
        Self { umem, pool, socket }
    }

    /// Sends packets of the flows and lengths that `form` returns for each number.
    fn send(&mut self, count: u16, form: impl Fn(u16) -> (u16, usize)) {
        let Self { umem, pool, socket } = self;
        let mut sent = 0;
        wait_for("packets to be sent", || {
            let most = u32::from(count - sent);
            let write = |frame: &mut _| {
                let (flow, len) = form(sent);
                umem.write(frame, &packet(flow, len)).unwrap();
                sent += 1;
            };
            socket.tx.send_each(pool, most, write).unwrap();
            socket.tx.kick_if_needed().unwrap();
            socket.completion.reap_into(pool, 64).unwrap();
            sent == count && socket.tx.pending() == 0
        });
    }
}

/// Returns what each socket received and sent.
fn sockets(summary: &Value) -> Vec<[u64; 2]> {
    let sockets = summary["sockets"].as_array().unwrap().iter();
    let keys = ["rx_packets", "tx_packets"];
    sockets.map(|socket| keys.map(|key| socket[key].as_u64().unwrap())).collect()
}

/// Checks that the sockets' counts add up to those of the run.
fn assert_adds_up(summary: &Value) {
    for (place, key) in ["rx_packets", "tx_packets"].into_iter().enumerate() {
        let sum: u64 = sockets(summary).iter().map(|counts| counts[place]).sum();
        assert_eq!(summary[key], sum, "{summary}");
    }
}

#[test]
fn several_sockets_receive_each_packet_once_and_each_flow_comes_to_one() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    // In generic mode a veth reports queue 0 for all packets.
    for (letters, queue) in [("-p", 1), ("-S --attach link", 0)] {
        let mut sender = Sender::new(&fixture, queue);
        let tool = fixture.start(&format!("rxdrop -M 3 -q {queue} {letters}"));
        let title = tool.note();
        let start = format!("near queue {queue} of 2, 3 sockets: ");
        assert!(title.starts_with(&start), "{title}");
        sender.send(300, |number| (number / 5, 60 + usize::from(number % 5)));
        let mut total = 0;
        wait_for("reports of 300 packets", || {
            let report: Value = serde_json::from_str(&tool.line()).unwrap();
            total = report["total"]["rx_packets"].as_u64().unwrap();
            total >= 300
        });
        let summary = tool.stop().summary();
        assert_eq!((&summary["rx_packets"], &summary["rx_bytes"]), (&300.into(), &18_600.into()));
        let sockets = sockets(&summary);
        assert_eq!(sockets.len(), 3);
        for [received, sent] in sockets {
            assert!(received > 0 && received % 5 == 0 && sent == 0, "{summary}");
        }
        assert_adds_up(&summary);
        assert_eq!(fixture.left(), None);
    }
    // For people, a line for each; all other lines are as with one socket.
    let tool = Tool::start(&fixture.cable.left, &format!("rxdrop -M 2 -q 1 -C 30 -i near {WAIT}"));
    let title = tool.line();
    assert!(title.starts_with("near queue 1 of 2, 2 sockets: native mode"), "{title}");
    Sender::new(&fixture, 1).send(30, |number| (number, 60));
    let ended = tool.end();
    let lines: Vec<&str> = ended.out.iter().rev().take(2).map(String::as_str).collect();
    let number = |line: &str, start: &str| -> u32 {
        let line = line.strip_prefix(start).unwrap();
        line.strip_suffix(" received, 0 sent").unwrap().parse().unwrap()
    };
    let sum = number(lines[1], "socket 0: ") + number(lines[0], "socket 1: ");
    assert_eq!(sum, 30, "{ended:?}");
}

/// What a queue's sockets could not take is counted once, whichever of them it was for.
#[test]
fn losses_of_several_sockets_are_counted_once() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for (letters, event) in [("--rx-ring 1", "rx_ring_full"), ("--chunks 1", "fill_ring_empty")] {
        let mut sender = Sender::new(&fixture, 0);
        let tool = fixture.start(&format!("rxdrop -M 3 -p {letters}")).ready();
        sender.send(3000, |number| (number, 60));
        let counted = |report: &Value| {
            ["rx_packets", "rx_lost"].map(|key| report["total"][key].as_u64().unwrap_or(0))
        };
        wait_for("a report of 3000 packets", || {
            let report = serde_json::from_str(&tool.line()).unwrap();
            counted(&report).iter().sum::<u64>() >= 3000
        });
        let ended = tool.stop();
        let summary = ended.summary();
        let [received, lost] = counted(&summary);
        assert_eq!(received + lost, 3000, "{letters}: {ended:?}");
        assert!(lost > 0, "{letters}: {ended:?}");
        // A packet finds the fill ring empty once, and each socket reports it.
        let empty = summary["rx_fill_ring_empty_descs"].as_u64().unwrap();
        assert!(empty <= lost, "{letters}: {ended:?}");
        let said = ended.objects().iter().any(|object| object["event"] == event);
        assert!(said, "{letters}: {ended:?}");
        assert_adds_up(&summary);
    }
}

/// Packets of two lengths, of which the device drops the longer ones on their way back.
#[test]
fn several_sockets_send_each_packet_back_and_count_what_the_device_sent() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let (near, far) = (fixture.cable.veth.a(), fixture.cable.veth.b());
    for (letters, dropped) in [("-C 2000 -p", 0), ("-C 2000 -S -m", 0), ("-C 2000", 250)] {
        let mut sender = Sender::new(&fixture, 0);
        let tool = fixture.start(&format!("l2fwd -M 2 {letters}")).ready();
        ip::set_mtu(far, if dropped > 0 { 500 } else { 1500 }).unwrap();
        let before = [near.info().unwrap().counters, far.info().unwrap().counters];
        let len = |number| 60 + usize::from(number % 7) + if number % 8 == 0 { 900 } else { 0 };
        sender.send(2000, |number| (number / 3, len(number)));
        let ended = tool.end();
        let summary = ended.summary_of(i32::from(dropped > 0));
        let after = [near.info().unwrap().counters, far.info().unwrap().counters];
        let total = &summary["total"];
        let sent = 2000 - dropped;
        assert_eq!((&total["rx_packets"], &total["tx_packets"]), (&2000.into(), &sent.into()));
        assert_eq!(total["tx_packets"], after[0].tx_packets - before[0].tx_packets);
        assert_eq!(total["tx_bytes"], after[0].tx_bytes - before[0].tx_bytes, "{ended:?}");
        assert_eq!(total["tx_lost"], dropped);
        wait_for("the packets at the far end", || {
            far.info().unwrap().counters.rx_packets - before[1].rx_packets >= sent
        });
        assert_adds_up(&summary);
        for counts in sockets(&summary) {
            assert!(counts[0] > 0 && counts[1] > 0, "{summary}");
        }
        assert_eq!(fixture.left(), None);
    }
}

#[test]
fn a_program_for_several_sockets_is_not_joined_but_taken_over_from_a_killed_process() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let first = fixture.start("rxdrop -M 2 -p").ready();
    for line in ["rxdrop -q 1", "rxdrop -M 2 -q 1", "l2fwd -M 3 -q 1"] {
        let ended = fixture.start(line).end();
        for words in ["near", "xsk_spread", "replace it (`--replace`)", "`xsk` with", "no option"] {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
    }
    // What `xsk` without -M attached is not joined either.
    first.stop();
    let first = fixture.start("rxdrop").ready();
    let ended = fixture.start("rxdrop -M 2 -q 1").end();
    for words in ["xsk_redirect", "that of `xsk` without -M"] {
        assert!(ended.failure().contains(words), "{words}: {ended:?}");
    }
    first.stop();
    let first = fixture.start("rxdrop -M 2 -p").ready();
    first.kill();
    assert!(fixture.attached().is_some());
    let next = fixture.start("l2fwd -M 2 -C 10").ready();
    fixture.send(0, 10);
    assert_eq!(next.summary()["tx_packets"], 10);
    assert_eq!(fixture.left(), None);
}

#[test]
fn several_sockets_end_as_one_does() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let ended = fixture.start("rxdrop -M 64 -d 1").ready().end();
    assert_eq!(ended.summary()["ended"], "time");
    assert_eq!(fixture.left(), None);
    let tool = fixture.start("l2fwd -M 5 -C 5").ready();
    tool.signal(Signal::TERM);
    assert_eq!(tool.end().summary_of(143)["ended"], "signal");
    assert_eq!(fixture.left(), None);
    let tool = fixture.start("l2fwd -M 3 -p").ready();
    ip::set_up(fixture.cable.veth.a(), false).unwrap();
    assert!(tool.note().contains("near is down"));
    ip::set_up(fixture.cable.veth.a(), true).unwrap();
    assert!(tool.note().contains("near is up again"));
    ip::delete(fixture.cable.veth.a()).unwrap();
    let ended = tool.end();
    assert!(ended.failure_of(4).contains("near is gone"), "{ended:?}");
    assert_eq!(sockets(&ended.summary_of(4)).len(), 3);
}
