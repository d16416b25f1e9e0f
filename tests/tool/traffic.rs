//! The three commands that work on a port, with traffic.

use crate::common::{kernel_can, left_on, undisturbed, wait_for};
use crate::fixture::{Ended, Fixture, LIMIT, Tool, WAIT};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};
use xsk::test_util::{VethPair, ip, privileged};
use xsk::{Attachment, Socket, Umem};

const SUMMARY: [&str; 27] = [
    "error",
    "command",
    "interface",
    "queue",
    "pid",
    "time",
    "method",
    "program",
    "total",
    "tx_pending",
    "ended",
    "summary",
    "seconds",
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_pps",
    "tx_pps",
    "mode",
    "zero_copy",
    "rx_dropped",
    "rx_invalid_descs",
    "tx_invalid_descs",
    "rx_ring_full",
    "rx_fill_ring_empty_descs",
    "tx_ring_empty_descs",
];

#[test]
fn rxdrop_counts_every_packet_and_byte() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for (letters, mode) in [("-N", "native"), ("-S -p", "generic"), ("-c -m -b 1", "native")] {
        let tool = fixture.start(&format!("rxdrop -C 1000 {letters}")).ready();
        fixture.send(0, 1000);
        let summary = tool.summary();
        let fields: BTreeSet<&str> =
            summary.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, BTreeSet::from(SUMMARY));
        assert_eq!(summary["rx_packets"], 1000);
        assert_eq!(summary["rx_bytes"], 60_000);
        assert_eq!(summary["tx_packets"], 0);
        assert_eq!(summary["mode"], mode);
        assert_eq!(summary["zero_copy"], false);
        assert_eq!(summary["rx_dropped"], 0);
        assert_eq!(summary["rx_ring_full"], 0);
        assert_eq!(fixture.left(), None);
    }
}

#[test]
fn txonly_sends_as_many_packets_as_asked_and_attaches_nothing() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for letters in ["", "-p -b 1", "-m -N", "-b 4096 -s 1514"] {
        let before = fixture.cable.veth.b().info().unwrap().counters.rx_packets;
        let tool = fixture.start(&format!("txonly -C 5001 {letters}")).ready();
        assert_eq!(fixture.left(), None);
        let summary = tool.summary();
        let size = if letters.contains("1514") { 1514 } else { 60 };
        assert_eq!(summary["tx_packets"], 5001);
        assert_eq!(summary["tx_bytes"], 5001 * size);
        assert_eq!(summary["tx_invalid_descs"], 0);
        assert_eq!(summary["mode"], Value::Null);
        let far = fixture.cable.veth.b();
        let come = || far.info().unwrap().counters.rx_packets - before;
        wait_for("all packets at the far end", || come() >= 5001);
        assert_eq!(come(), 5001);
    }
    let words = "no program, sending needs none";
    for (letters, end) in [("-N", " (-S, -N, --attach and --replace change nothing)"), ("-p", "")] {
        let tool = Tool::start(&fixture.cable.left, &format!("txonly -i near {letters} -C 1"));
        let title = tool.line();
        assert!(title.ends_with(&format!("{words}{end}")), "{title}");
        tool.end();
    }
}

#[test]
fn l2fwd_sends_each_packet_back_with_its_addresses_swapped() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for letters in ["-N", "-S -p", "-m -b 1"] {
        let tool = fixture.start(&format!("l2fwd {letters}")).ready();
        let far = fixture.cable.veth.b();
        let (umem, mut pool, mut socket) = fixture
            .cable
            .right
            .run(|| {
                let (umem, pool) = Umem::builder().chunk_count(64).build().unwrap();
                let socket = Socket::builder(&umem).bind_timeout(LIMIT).bind(far, 0).unwrap();
                (umem, pool, socket)
            })
            .unwrap();
        let program =
            fixture.cable.right.run(|| Attachment::builder(far).attach()).unwrap().unwrap();
        let registration = socket.register(&program).unwrap();
        socket.fill.fill_from(&mut pool, 32).unwrap();
        let mut number = 0_u8;
        let packet = |number| {
            let mut packet = *b"totototofromfromxxpacket        ";
            packet[..6].copy_from_slice(b"to--to");
            packet[6..12].copy_from_slice(b"from--");
            packet[31] = number;
            packet
        };
        let sent = socket.tx.send_each(&mut pool, 32, |frame| {
            umem.write(frame, &packet(number)).unwrap();
            number += 1;
        });
        assert_eq!(sent, Ok(32));
        let mut back = 0;
        wait_for("the packets", || {
            socket.tx.kick_if_needed().unwrap();
            for frame in socket.rx.receive(64).unwrap() {
                let mut wanted = packet(back);
                wanted[..12].copy_from_slice(b"from--to--to");
                assert_eq!(umem.bytes(&frame), wanted);
                pool.put(frame);
                back += 1;
            }
            back == 32
        });
        registration.close().unwrap();
        program.close().unwrap();
        let summary = tool.stop().summary();
        for field in ["rx_packets", "tx_packets"] {
            assert_eq!(summary[field], 32, "{field}");
        }
        assert_eq!(summary["tx_bytes"], 32 * 32);
        assert_eq!(fixture.left(), None);
    }
}

/// Unaligned chunks, of an even and an odd size.
#[test]
fn all_commands_work_with_unaligned_chunks() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let far = fixture.cable.veth.b();
    for letters in ["-u -f 3000", "-u -f 3001", "-u -f 4001 -S"] {
        let tool = fixture.start(&format!("rxdrop -C 1000 {letters}")).ready();
        fixture.send(0, 1000);
        let summary = tool.summary();
        assert_eq!((&summary["rx_packets"], &summary["rx_dropped"]), (&1000.into(), &0.into()));

        let before = far.info().unwrap().counters.rx_packets;
        let sent = fixture.start(&format!("txonly -C 9001 -s 1514 {letters}")).summary();
        assert_eq!((&sent["tx_packets"], &sent["tx_invalid_descs"]), (&9001.into(), &0.into()));
        wait_for("all packets", || far.info().unwrap().counters.rx_packets - before >= 9001);

        // More packets than chunks, and the chunks of two sockets, which come back in one ring.
        for sockets in [1, 2] {
            let line = format!("l2fwd -C 300 --chunks 64 -M {sockets} {letters}");
            let tool = fixture.start(&line).ready();
            let back = || far.info().unwrap().counters.rx_packets;
            let before = back();
            for number in 1..=10 {
                fixture.send(0, 30);
                // There are no chunks for many more at once.
                wait_for("packets to come back", || back() - before >= 30 * number);
            }
            let summary = tool.summary();
            for count in ["rx_packets", "tx_packets"] {
                assert_eq!(summary[count], 300, "{line}: {summary}");
            }
            assert_eq!(
                (&summary["rx_bytes"], &summary["tx_bytes"]),
                (&18_000.into(), &18_000.into())
            );
        }
    }
}

#[test]
fn what_is_received_does_not_reach_the_stack_until_the_end() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let bridge = fixture.cable.left.add_bridge("br1").unwrap();
    let (second, far) = (&fixture.cable.left, &fixture.cable.right);
    let cable = VethPair::builder().names("port", "peer").build(second, far).unwrap();
    ip::set_master(cable.a(), Some(&bridge)).unwrap();
    // By a veth in native mode, and by a bridge in generic mode.
    for (near, far, line, net) in [
        (fixture.cable.veth.a(), fixture.cable.veth.b(), "rxdrop -p --json -i near", 1),
        (&bridge, cable.b(), "rxdrop -p --json -i br1 -S", 2),
    ] {
        ip::add_ipv4(near, Ipv4Addr::new(10, net, 0, 1), 24).unwrap();
        ip::add_ipv4(far, Ipv4Addr::new(10, net, 0, 2), 24).unwrap();
        let inbox = fixture
            .cable
            .left
            .run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))
            .unwrap()
            .unwrap();
        inbox.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let port = inbox.local_addr().unwrap().port();
        let outbox = fixture
            .cable
            .right
            .run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))
            .unwrap()
            .unwrap();
        outbox.set_broadcast(true).unwrap();
        // Broadcasts need no ARP, which the tool would receive, too.
        let send = || outbox.send_to(b"?", (Ipv4Addr::new(10, net, 0, 255), port)).unwrap();
        let comes = || inbox.recv(&mut [0; 8]).is_ok();
        wait_for("a packet before", || {
            send();
            comes()
        });
        let tool = Tool::start(&fixture.cable.left, line).ready();
        while comes() {}
        for _ in 0..10 {
            send();
        }
        assert!(!comes(), "a packet reached the stack");
        let mut received = 0;
        wait_for("reports of ten packets", || {
            let report: Value = serde_json::from_str(&tool.line()).unwrap();
            received += report["rx_packets"].as_u64().unwrap();
            received >= 10
        });
        assert!(tool.stop().summary()["rx_packets"].as_u64().unwrap() >= 10);
        assert_eq!(left_on(near), None);
        wait_for("a packet afterwards", || {
            send();
            comes()
        });
    }
}

#[test]
fn reports_come_at_their_intervals_until_the_duration_is_over() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let mut last = None;
    undisturbed(|| {
        let ended = fixture.start("rxdrop -p -n 1 -d 3").ready().end();
        let summary = ended.summary();
        let seconds = summary["seconds"].as_f64().unwrap();
        assert!((3.0..LIMIT.as_secs_f64()).contains(&seconds), "{seconds}");
        let objects = ended.objects();
        let reports = objects.iter().filter(|object| object["summary"] == false);
        let times: Vec<f64> = reports.map(|report| report["seconds"].as_f64().unwrap()).collect();
        let result = match times[..] {
            // The last one comes when the time is over.
            [a, b, _] if [a, b].iter().all(|time| (1.0..1.2).contains(time)) => Ok(()),
            _ => Err(format!("an idle report is late: {times:?}")),
        };
        last = Some(ended);
        result
    });
    let ended = last.unwrap();
    let first: Value = serde_json::from_str(&ended.out[0]).unwrap();
    assert_eq!(first["summary"], false);
    assert_eq!(first["rx_ring_full"], 0);

    let text =
        Tool::start(&fixture.cable.left, &format!("rxdrop -p -d 2 -x -i near -S {WAIT}")).end();
    assert_eq!(text.status.code(), Some(0), "{text:?}");
    let first = &text.out[0];
    for words in ["near", "queue 0", "generic mode, as asked", "copy", "netlink"] {
        assert!(first.contains(words), "{first}");
    }
    let text = text.out.join("\n");
    for words in ["rx_fill_ring_empty_descs", "packets/s", "Summary"] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains(['\r', '\x1b']), "{text:?}");
}

#[test]
fn seconds_may_have_a_fraction() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let ended = fixture.start("rxdrop -p -d 1.5 -n 0.4").ready().end();
    let summary = ended.summary();
    let seconds = summary["seconds"].as_f64().unwrap();
    assert!((1.5..15.0).contains(&seconds), "{summary}");
    // Three whole ones, the last one, and the summary; fewer where the machine is busy.
    let count = ended.objects().len();
    assert!((2..=5).contains(&count), "{ended:?}");
    let first = ended.objects()[0]["seconds"].as_f64().unwrap();
    assert!((0.4..10.0).contains(&first), "{ended:?}");
}

#[test]
fn the_title_says_how_many_queues_there_are() {
    if !privileged!() {
        return;
    }
    for (queues, words) in [(1, "near queue 0: native mode"), (4, "near queue 0 of 4: native mode")]
    {
        let fixture = Fixture::new(queues);
        let line = format!("rxdrop -d 1 -i near {WAIT}");
        let ended = Tool::start(&fixture.cable.left, &line).end();
        assert!(ended.out[0].starts_with(words), "{ended:?}");
    }
}

/// The sums of the intervals are the totals, also of a run that ends within an interval.
#[test]
fn intervals_add_up_to_the_summary() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let started = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let ended = fixture.start("txonly -d 2 -b 32").ready().end();
    let summary = ended.summary();
    let objects = ended.objects();
    let intervals = objects.iter().filter(|object| object["summary"] == false);
    let mut sums = [0; 2];
    for (interval, number) in intervals.zip(1..) {
        for (sum, key) in sums.iter_mut().zip(["tx_packets", "tx_bytes"]) {
            let counted = interval["interval"][key].as_u64().unwrap();
            assert_eq!(interval[key], counted, "the same under the older key");
            *sum += counted;
            assert_eq!(interval["total"][key], *sum);
        }
        assert_eq!(interval["interface"], "near");
        assert_eq!(interval["queue"], 0);
        let time = interval["time"].as_f64().unwrap();
        assert!(time >= started && time < started + 60.0, "{number}: {interval}");
    }
    for (sum, key) in sums.iter().zip(["tx_packets", "tx_bytes"]) {
        assert!(*sum > 0);
        assert_eq!(summary[key], *sum);
        assert_eq!(summary["total"][key], *sum);
    }
}

#[test]
fn what_the_device_drops_is_neither_sent_nor_a_success() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let (near, far) = (fixture.cable.veth.a(), fixture.cable.veth.b());
    ip::set_mtu(far, 68).unwrap();
    let ended = fixture.start("txonly -C 1000 -s 200").ready().end();
    assert!(ended.failure().contains("near dropped 1000 of 1000 packets"), "{ended:?}");
    let summary = ended.summary_of(1);
    assert_eq!((&summary["tx_packets"], &summary["total"]["tx_lost"]), (&0.into(), &1000.into()));
    assert_eq!(near.info().unwrap().counters.tx_dropped, 1000);
    let event = &ended.objects()[0];
    assert_eq!(event["event"], "dropped_by_device", "{ended:?}");
    assert!(event["message"].as_str().unwrap().contains("longer than its MTU"), "{event}");
    let ended = fixture.start("txonly -d 1 -s 200").ready().end();
    assert!(ended.failure().contains("near dropped all "), "{ended:?}");
    assert_eq!(ended.summary_of(1)["tx_packets"], 0);
    // Those that are sent make it a success, whatever is dropped beside them.
    ip::set_mtu(far, 1500).unwrap();
    let ended = fixture.start("txonly -d 1 -s 200").ready().end();
    assert_eq!(ended.summary()["total"]["tx_lost"], 0);
}

/// Packets of two lengths, of which the longer ones are dropped by the device on their way back.
#[test]
fn bytes_are_those_of_the_packets_that_were_sent() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let (near, far) = (fixture.cable.veth.a(), fixture.cable.veth.b());
    let (umem, mut pool) = Umem::builder().chunk_count(64).build().unwrap();
    let bind = || Socket::builder(&umem).tx_only().bind_timeout(LIMIT).bind(far, 0);
    let mut socket = fixture.cable.right.run(bind).unwrap().unwrap();
    let tool = fixture.start("l2fwd -C 2000").ready();
    ip::set_mtu(far, 500).unwrap();
    let before = near.info().unwrap().counters;
    let mut sent = 0;
    wait_for("2000 packets to be sent", || {
        let most = 2000 - sent;
        socket
            .tx
            .send_each(&mut pool, most, |frame| {
                let len = if sent % 8 == 0 { 1000 } else { 100 };
                umem.set_len(frame, len).unwrap();
                sent += 1;
            })
            .unwrap();
        socket.tx.kick_if_needed().unwrap();
        socket.completion.reap_into(&mut pool, 64).unwrap();
        sent == 2000 && socket.tx.pending() == 0
    });
    let ended = tool.end();
    assert!(ended.failure().contains("near dropped 250 of 2000 packets"), "{ended:?}");
    let total = &ended.summary_of(1)["total"];
    let after = near.info().unwrap().counters;
    assert_eq!(total["tx_packets"], after.tx_packets - before.tx_packets);
    assert_eq!(total["tx_bytes"], after.tx_bytes - before.tx_bytes);
    assert_eq!(total["tx_lost"], 250);
}

/// A bridge over an interface whose queueing discipline lets a packet through now and then.
#[test]
fn a_slow_device_is_waited_for_but_not_after_a_signal() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let near = fixture.cable.veth.a();
    let bridge = fixture.cable.left.add_bridge("br1").unwrap();
    ip::set_master(near, Some(&bridge)).unwrap();
    // 60 bytes and a little are 0.5 kbit: some ten packets a second.
    let tc = |line: &str| {
        let run = || Command::new("tc").args(line.split(' ')).status();
        fixture.cable.left.run(run).unwrap().is_ok_and(|status| status.success())
    };
    let slow = || tc("qdisc replace dev near root tbf rate 6kbit burst 100b limit 1mb");
    let here = "a_slow_device_is_waited_for_but_not_after_a_signal";
    if !kernel_can(here, slow(), "no tc and tbf") {
        return;
    }
    ip::wait_for_carrier(&bridge, LIMIT).unwrap();
    let start = |line: &str| {
        // Packets that still wait there keep their socket, and so the queue.
        assert!(tc("qdisc del dev near root") && slow());
        Tool::start(&fixture.cable.left, &format!("{line} -i br1 --json {WAIT}")).ready()
    };
    let began = Instant::now();
    assert_eq!(start("txonly -C 20").summary()["tx_packets"], 20);
    assert!(began.elapsed() > Duration::from_secs(1), "it is not slow");
    for (line, code) in [("txonly", 0), ("txonly -C 1000", 130)] {
        let sent = || near.info().unwrap().counters.tx_packets;
        let before = sent();
        let tool = start(line);
        wait_for("packets", || sent() > before + 3);
        let began = Instant::now();
        let summary = tool.stop().summary_of(code);
        // Some minutes would be needed for the others.
        assert!(began.elapsed() < LIMIT / 2, "{line}: {:?}", began.elapsed());
        assert!(summary["tx_pending"].as_u64().unwrap() > 0, "{line}: {summary}");
    }
    let began = Instant::now();
    start("txonly -d 1").summary();
    assert!(began.elapsed() < LIMIT / 2, "{:?}", began.elapsed());
}

#[test]
fn without_a_carrier_nothing_counts_as_sent_and_its_return_is_waited_for() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let (near, far) = (fixture.cable.veth.a(), fixture.cable.veth.b());
    let sent = || near.info().unwrap().counters.tx_packets;
    ip::set_up(far, false).unwrap();
    ip::wait_until(near, LIMIT, |info| !info.carrier).unwrap();
    let ended = fixture.start("txonly -d 1").ready().end();
    assert!(ended.failure().contains("nothing was sent: near has no carrier"), "{ended:?}");
    assert_eq!(ended.objects()[0]["event"], "no_carrier", "{ended:?}");
    assert_eq!(sent(), 0);
    let mut tool = fixture.start("txonly -C 1000").ready();
    assert!(tool.note().contains("near has no carrier"));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(tool.ended(), None);
    ip::set_up(far, true).unwrap();
    assert_eq!(tool.summary()["tx_packets"], 1000);
    assert_eq!(sent(), 1000);

    // It goes in the middle of a run: what was sent is what the device counted.
    for line in ["txonly", "txonly -p"] {
        let before = near.info().unwrap().counters;
        let tool = fixture.start(line).ready();
        wait_for("packets", || sent() > before.tx_packets + 1000);
        ip::set_up(far, false).unwrap();
        while !tool.note().contains("near has no carrier") {}
        let summary = tool.stop().summary();
        let after = near.info().unwrap().counters;
        let total = &summary["total"];
        assert_eq!(total["tx_packets"], after.tx_packets - before.tx_packets, "{line}: {summary}");
        assert_eq!(total["tx_lost"], after.tx_dropped - before.tx_dropped, "{line}: {summary}");
        ip::set_up(far, true).unwrap();
        ip::wait_for_carrier(near, LIMIT).unwrap();
    }
}

#[test]
fn losses_are_shown_with_their_cause_and_cure() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let (near, far) = (fixture.cable.veth.a(), fixture.cable.veth.b());
    // Packets that fit the small chunks, and longer ones.
    for (line, mtu, size, words) in [
        ("rxdrop -S -f 2048", 3000, 2900, "room for 1792 bytes: a smaller MTU, larger chunks"),
        ("rxdrop -N -f 2048", 1500, 1514, ""),
    ] {
        for end in [near, far] {
            ip::set_mtu(end, mtu).unwrap();
        }
        let tool = fixture.start(line).ready();
        let line = format!("txonly -i far -C 50 -s {size} --json {WAIT}");
        Tool::start(&fixture.cable.right, &line).summary();
        if words.is_empty() {
            assert_eq!(tool.stop().summary()["total"]["rx_lost"], 0);
            continue;
        }
        let note = tool.note();
        for words in [words, "50 received packets", "`ethtool -K near gro off lro off`"] {
            assert!(note.contains(words), "{note}");
        }
        let ended = tool.stop();
        let summary = ended.summary();
        assert_eq!(summary["total"]["rx_lost"], 50);
        assert_eq!(summary["rx_packets"], 0);
    }
    // A table says it without being asked.
    let line = format!("rxdrop -C 100 -d 2 --rx-ring 1 -i near {WAIT}");
    let ended = Tool::start(&fixture.cable.left, &line).end();
    let text = ended.out.join("\n");
    for words in ["\nrx lost ", "\ntx lost "] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn packets_that_come_to_other_queues_are_worth_a_line() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(4);
    for (queue, words) in [(2, true), (0, false)] {
        let tool = fixture.start("rxdrop -p -d 5").ready();
        fixture.send(queue, 100);
        let ended = tool.end();
        let said = ended.objects().iter().any(|object| object["event"] == "packets_elsewhere");
        assert_eq!(said, words, "{ended:?}");
        if said {
            let note = &ended.err[0];
            let (_, rest) = note.split_once("no packet has come to queue 0, and ").expect(note);
            let (count, rest) = rest.split_once(' ').unwrap();
            // It may be said before the last one has come.
            assert!((1..=100).contains(&count.parse::<u32>().unwrap()), "{note}");
            assert!(rest.starts_with("to others of the 4 queues of near"), "{note}");
        }
    }
}

/// The kernel counts the queues of a veth otherwise in generic mode.
#[test]
fn packets_that_come_to_other_queues_in_generic_mode_are_worth_a_line() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(4);
    let tool = fixture.start("rxdrop -p -S -q 2").ready();
    fixture.send(2, 1000);
    let note = tool.note();
    for words in ["come to queue 2, and 1", "gives what its peer sent on queue N to queue N-1"] {
        assert!(note.contains(words), "{note}");
    }
    let ended = tool.stop();
    let summary = ended.summary();
    assert!(summary["rx_packets"].as_u64().unwrap() < 20, "{ended:?}");
    assert!(ended.objects().iter().any(|object| object["event"] == "packets_elsewhere"));
    // That queue gets them.
    let tool = fixture.start("rxdrop -p -S -q 1 -C 1000").ready();
    fixture.send(2, 1000);
    tool.summary();
}

/// Each packet is received or counted as dropped, whatever the reason.
#[test]
fn received_and_dropped_are_what_was_sent() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for (line, event) in [
        ("rxdrop -p --rx-ring 1", "rx_ring_full"),
        ("rxdrop -p --chunks 1", "fill_ring_empty"),
        ("rxdrop -p -S --chunks 1", "fill_ring_empty"),
    ] {
        let tool = fixture.start(line).ready();
        // More at once than the ring, or the chunks, hold.
        fixture.send(0, 2000);
        let arrived = |ended: &Ended| {
            let total = &ended.summary()["total"];
            let number = |key: &str| total[key].as_u64().unwrap();
            (number("rx_packets"), number("rx_lost"))
        };
        // The first loss is reported within a second.
        tool.note();
        let ended = tool.stop();
        let (received, dropped) = arrived(&ended);
        assert_eq!(received + dropped, 2000, "{line}: {ended:?}");
        assert!(dropped > 0, "{line}: {ended:?}");
        let said = ended.objects().iter().any(|object| object["event"] == event);
        assert!(said, "{line}: {ended:?}");
    }
}

#[test]
fn promiscuous_mode_ends_with_the_command_however_it_ends() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let promiscuity = || fixture.cable.veth.a().info().unwrap().promiscuity;
    for line in ["rxdrop", "rxdrop -M 2", "l2fwd", "l2fwd -M 2"] {
        let tool = fixture.start(&format!("{line} --promiscuous --attach link")).ready();
        assert_eq!(promiscuity(), Some(1), "{line}");
        tool.kill();
        wait_for("the end of promiscuous mode", || promiscuity() == Some(0));
    }
    let tool = fixture.start("rxdrop").ready();
    assert_eq!(promiscuity(), Some(0));
    tool.stop();
}
