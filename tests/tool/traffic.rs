//! The three commands that work on a port, with traffic.

use crate::common::{left_on, undisturbed, wait_for};
use crate::fixture::{Fixture, LIMIT, Tool, WAIT};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;
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
