//! `examples/send_frames.rs`: what it says that it has sent is what arrives.

use crate::common::{Cable, PATIENCE, kernel_can, kernel_since, until};
use crate::fixture::Example;
use xsk::Attachment;
use xsk::test_util::{ip, privileged, test_name};

#[test]
fn each_frame_arrives_at_the_other_end() {
    if !privileged!() || !kernel_can(test_name!(), kernel_since(5, 18), "live frames: Linux 5.18") {
        return;
    }
    let cable = Cable::named(1, "from0", "to0");
    let program = cable.right.run(|| Attachment::builder(cable.veth.b()).attach()).unwrap();
    let counters = || cable.veth.b().info().unwrap().counters;
    let before = counters();
    let mut example = Example::start(&cable.left, "send_frames from0 0.2 100", 0);
    let line = example.line();
    let sent: u64 = line.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(sent > 0, "{line}");
    until("all have arrived", || counters().rx_packets - before.rx_packets >= sent);
    assert_eq!(
        counters().rx_bytes - before.rx_bytes,
        100 * (counters().rx_packets - before.rx_packets)
    );
    ip::set_up(cable.veth.b(), false).unwrap();
    ip::wait_until(cable.veth.a(), PATIENCE, |info| !info.carrier).unwrap();
    example = Example::start(&cable.left, "send_frames from0 0.2 100", 0);
    assert_eq!(example.error_line(), "send_frames: from0 is down, or has no carrier");
    drop(program);
}
