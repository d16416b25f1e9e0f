//! `examples/tx_times.rs`: when packets were sent.

use crate::common::{Cable, kernel_can, kernel_since};
use crate::fixture::Example;
use rustix::process::Signal;
use xsk::packet::TxClock;
use xsk::test_util::{ip, privileged, test_name};

#[test]
fn each_packet_has_a_time_that_is_true_and_a_link_that_is_down_is_waited_for() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(6, 8), "TX metadata: Linux 6.8") {
        return;
    }
    let cable = Cable::named(1, "from0", "eth1");
    let start = TxClock::Tai.now().unwrap();
    let example = Example::start(&cable.right, "tx_times eth1 3", 0);
    let mut last = start;
    for number in 0..3 {
        let line = example.line();
        let rest = line.strip_prefix(&format!("packet {number}: ")).unwrap();
        let (time, rest) = rest.split_once(" ns of Tai, ").unwrap();
        let time: u64 = time.parse().unwrap();
        assert!((last..TxClock::Tai.now().unwrap()).contains(&time), "{line}");
        assert!(rest.ends_with(" ns after the kick"), "{line}");
        last = time;
    }
    example.end().well(&[]);

    let example = Example::start(&cable.right, "tx_times eth1 4000000000", 0);
    example.line();
    ip::set_up(cable.veth.b(), false).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    ip::set_up(cable.veth.b(), true).unwrap();
    let now = TxClock::Tai.now().unwrap();
    loop {
        let line = example.line();
        let time = line.split([':', 'n']).nth(1).unwrap().trim().parse();
        if time.is_ok_and(|time: u64| time > now) {
            break;
        }
    }
    assert!(example.stop(Signal::TERM).status.success());
}
