//! The tool on a card: `xsk l2fwd` sends back what comes, with its addresses swapped.

use crate::fixture::{Cards, Side, USUAL, broadcast, required, wait_for_links};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use xsk::Interface;
use xsk::test_util::test_name;

/// In a guest the tool is beside the tests.
fn binary() -> PathBuf {
    let beside = std::env::current_exe().unwrap().with_file_name("xsk");
    if beside.exists() { beside } else { env!("CARGO_BIN_EXE_xsk").into() }
}

/// A forwarder, running.
struct Forwarder(Option<Child>);

impl Forwarder {
    /// Waits until it is bound and attached, and returns its first line.
    fn start(card: &Interface) -> (Self, String) {
        let mut child = Command::new(binary())
            .args(["l2fwd", "-N", "-p", "--json", "--wait", "20000", "-i", card.name()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut title = String::new();
        let stderr = child.stderr.as_mut().unwrap();
        BufReader::new(stderr).read_line(&mut title).unwrap();
        (Self(Some(child)), title)
    }

    /// Ends it, and returns what it counted.
    fn stop(mut self) -> Value {
        let child = self.0.take().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn l2fwd_sends_everything_back() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let (forwarder, title) = Forwarder::start(&cards.two);
    assert!(title.contains(" queue 0") && title.contains(": native mode"), "{title}");
    assert!(!required() || title.contains("; zero-copy mode, "), "{title}");
    let mut side = Side::new(&cards.one, USUAL);
    wait_for_links(&cards);

    let own = cards.one.info().unwrap().mac.unwrap();
    let there = |number| {
        let mut packet = broadcast(number);
        packet[6..12].copy_from_slice(&own);
        packet
    };
    let back = |number| {
        let mut packet = there(number);
        packet[..12].rotate_left(6);
        packet
    };
    for round in 0..32 {
        let numbers = round * 64..round * 64 + 64;
        side.send_as(numbers.clone(), there);
        side.receive_as(numbers, back);
    }
    side.account();
    side.close();

    let summary = forwarder.stop();
    for field in ["rx_packets", "tx_packets"] {
        assert!(summary[field].as_u64().unwrap() >= 32 * 64, "{summary}");
    }
}
