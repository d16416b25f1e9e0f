//! `examples/every_second.rs`: ping says who has answered.

use crate::common::{Cable, kernel_can};
use crate::fixture::Example;
use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity};
use std::net::Ipv6Addr;
use std::path::Path;
use std::process::Command;
use xsk::test_util::{ip, privileged, test_name};

const HERE: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const THERE: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

#[test]
fn pings_2_4_and_6_are_answered_from_user_space() {
    let has_ping = Command::new("ping")
        .arg("-V")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("iputils"));
    if !privileged!()
        || !kernel_can(test_name!(), Path::new("/proc/net/if_inet6").exists(), "there is no IPv6")
        || !kernel_can(test_name!(), has_ping, "there is no ping of iputils")
    {
        return;
    }
    let cable = Cable::named(1, "ping0", "pong0");
    ip::add_ipv6(cable.veth.a(), HERE, 64).unwrap();
    ip::add_ipv6(cable.veth.b(), THERE, 64).unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let example = Example::start(&cable.right, "every_second pong0", 1);
        // On one processor: each has a counter of its own.
        let allowed = sched_getaffinity(None).unwrap();
        let processor = (0..CpuSet::MAX_CPU).find(|number| allowed.is_set(*number)).unwrap();
        let mut ping = Command::new("taskset");
        ping.args(["-c", &processor.to_string()]);
        ping.args("ping -6 -n -c 7 -i 0.05 -W 5".split(' ')).arg(THERE.to_string());
        let output = cable.left.run(|| ping.output().unwrap()).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let hop_limits: Vec<_> = (1..=7)
            .map(|number| {
                let word = format!("icmp_seq={number} ttl=");
                let (_, rest) = text.split_once(&word).unwrap_or_else(|| panic!("{text}"));
                rest.split(' ').next().unwrap().to_owned()
            })
            .collect();
        assert_eq!(hop_limits, ["64", "255", "64", "255", "64", "255", "64"], "{text}");
        assert!(!text.contains("DUP!"), "{text}");
        let ended = example.stop(signal);
        assert_eq!(ended.out, ["7 echo requests, 3 of them answered here"]);
        ended.well(&[cable.veth.b()]);
    }
}

#[test]
fn a_removed_interface_is_named() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "ping0", "pong0");
    let example = Example::start(&cable.right, "every_second pong0", 1);
    ip::delete(cable.veth.b()).unwrap();
    example.end().names("pong0");
}
