//! `xsk respond`: replies from user space, with `ping` and the kernel's neighbour table as judges.

use crate::common::has_iproute2;
use crate::fixture::{Ended, Fixture, Tool, WAIT};
use serde_json::Value;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::{Command, Output};
use xsk::test_util::{Namespace, ip, privileged};

const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const FAR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
/// Addresses that no kernel has.
const ADDRESSES: &str = "--address 192.0.2.1 --address 2001:db8::1";

/// Returns a cable whose far end alone has addresses.
fn asking(queues: u32) -> Fixture {
    let fixture = Fixture::new(queues);
    let far = fixture.cable.veth.b();
    ip::add_ipv4(far, FAR, 24).unwrap();
    ip::add_ipv6(far, FAR6, 64).unwrap();
    fixture
}

/// Runs a command in a namespace.
fn run(here: &Namespace, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    here.run(|| command.args(words).output()).unwrap().unwrap()
}

/// Runs `ping` at the far end (iputils); returns how many of its packets were replied to.
fn ping(fixture: &Fixture, line: &str) -> u64 {
    let output = run(&fixture.cable.right, &format!("ping {line}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(" received")).unwrap_or_else(|| {
        panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
    });
    let (before, _) = line.split_once(" received").unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Returns how many packets of a kind were replied to.
fn replied(ended: &Ended, kind: &str) -> u64 {
    count(&ended.summary()["replies"]["replied"][kind])
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn pings_to_addresses_that_no_kernel_has_are_replied_to() {
    if !privileged!() {
        return;
    }
    let fixture = asking(1);
    for letters in ["-p", "-S -q 0 -p", "-N -q 0 -m", "-c -p -F"] {
        let tool = fixture.start(&format!("respond {ADDRESSES} {letters}")).ready();
        for address in ["192.0.2.1", "-6 2001:db8::1"] {
            let line = format!("-c 5 -i 0.02 -W 2 {address}");
            assert_eq!(ping(&fixture, &line), 5, "{letters} {address}");
        }
        let ended = tool.stop();
        for (kind, least) in [("echo", 5), ("echo6", 5)] {
            assert_eq!(replied(&ended, kind), least, "{ended:?}");
        }
        let summary = ended.summary();
        assert_eq!(summary["command"], "respond");
        assert_eq!(summary["rx_packets"], summary["tx_packets"], "{ended:?}");
        assert_eq!(fixture.attached(), None);
    }
}
