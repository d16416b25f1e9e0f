//! What is not sent or not received: it is counted, shown with its cause, and no success.

use crate::common::{kernel_can, wait_for};
use crate::fixture::{Ended, Fixture, LIMIT, Tool, WAIT};
use std::process::Command;
use std::time::{Duration, Instant};
use xsk::test_util::{ip, privileged};
use xsk::{Socket, Umem};

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
