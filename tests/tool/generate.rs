//! `xsk generate` and `xsk receive`: rates, flows, checksums and sizes, captures that are sent, and
//! what is reported of packets that are lost, late or come twice.

use crate::fixture::{Fixture, Tool, WAIT};
use xsk::test_util::privileged;

/// The destination of the packets; the far end of a cable takes any.
const TO: &str = "--dst-mac 02:00:00:00:00:02";

/// Starts `xsk receive` at the near end, and waits until it receives.
fn receiver(fixture: &Fixture, line: &str) -> Tool {
    fixture.start(&format!("receive {line}")).ready()
}

/// Starts `xsk generate` at the far end.
fn sender(fixture: &Fixture, line: &str) -> Tool {
    Tool::start(&fixture.cable.right, &format!("generate -i far --json {WAIT} {TO} {line}"))
}

#[test]
fn what_is_sent_is_received_and_known_by_its_marks() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let receiver = receiver(&fixture, "-C 1000 -d 20");
    let sent = sender(&fixture, "--pps 10k -C 1000 --src-port 1000-1006").summary();
    assert_eq!((&sent["tx_packets"], &sent["generate"]["flows"]), (&1000.into(), &7.into()));
    let received = receiver.summary();
    let marks = &received["received"];
    assert_eq!(
        (&marks["packets"], &marks["flows"], &marks["lost"]),
        (&1000.into(), &7.into(), &0.into())
    );
    assert_eq!((&marks["foreign"], &marks["foreign_clock"]), (&0.into(), &0.into()));
    assert!(marks["latency_ns"]["p50"].as_u64().unwrap() > 0, "{marks}");
}
