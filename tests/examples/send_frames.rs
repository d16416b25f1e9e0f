//! `examples/send_frames.rs`: what it says that it has sent is what arrives.

use crate::common::{Cable, kernel_can, kernel_since, until};
use crate::fixture::Example;
use xsk::Attachment;
use xsk::test_util::{privileged, test_name};

#[test]
fn each_frame_arrives_at_the_other_end() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 18), "live frames: Linux 5.18") {
        return;
    }
    let cable = Cable::named(1, "from0", "to0");
    let program = cable.right.run(|| Attachment::builder(cable.veth.b()).attach()).unwrap();
    let counters = || cable.veth.b().info().unwrap().counters;
    let before = counters();
    let example = Example::start(&cable.left, "send_frames from0 0.2 100", 0);
    let made = example.line();
    let made: u64 = made.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(made > 0 && made % 65_536 == 0, "{made}");
    assert_eq!(example.line(), format!("sent {made}"));
    until("all have arrived", || counters().rx_packets - before.rx_packets == made);
    assert_eq!(counters().rx_bytes - before.rx_bytes, 100 * made);
    drop(program);
}
