//! Two processes on two queues of one interface.

use crate::fixture::{Fixture, Tool};
use xsk::XdpMode;
use xsk::test_util::privileged;

#[test]
fn either_of_two_may_end_first_and_the_other_keeps_receiving() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for letters in ["--attach netlink", "--attach link"] {
        for ends in [0, 1] {
            for killed in [false, true] {
                let case = format!("{letters}, {ends} ends, killed: {killed}");
                let start = |queue| {
                    let count = if queue == ends { "" } else { "-C 300" };
                    fixture.start(&format!("rxdrop -p -q {queue} {letters} {count}")).ready()
                };
                let (first, second) = (start(0), start(1));
                let program = fixture.cable.veth.a().attached_programs().unwrap().programs().next();
                fixture.send(1 - ends, 100);
                let (ending, staying) = if ends == 0 { (first, second) } else { (second, first) };
                if killed {
                    ending.kill();
                } else {
                    ending.stop().summary();
                }
                assert_eq!(
                    fixture.cable.veth.a().attached_programs().unwrap().programs().next(),
                    program,
                    "{case}"
                );
                assert!(program.is_some());
                fixture.send(1 - ends, 200);
                assert_eq!(staying.summary()["rx_packets"], 300, "{case}");
                assert_eq!(fixture.attached(), None, "{case}");
            }
        }
    }
}

#[test]
fn a_second_one_on_a_queue_that_is_taken_is_refused_and_the_first_goes_on() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let first = fixture.start("rxdrop -p -C 100").ready();
    for line in ["rxdrop", "txonly", "l2fwd -S"] {
        let line = format!("{line} -i near --wait 123");
        let ended = Tool::start(&fixture.cable.left, &line).end();
        for words in ["near", "queue 0", "EBUSY"] {
            assert!(ended.failure().contains(words), "{ended:?}");
        }
        // How long it really tried, not how long it was asked to.
        let (before, _) = ended.failure().split_once(" ms of trying").unwrap();
        let waited: u32 = before.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((123..20_000).contains(&waited), "{ended:?}");
    }
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
    fixture.send(0, 100);
    assert_eq!(first.summary()["rx_packets"], 100);
    assert_eq!(fixture.attached(), None);
    // The kernel releases a queue some milliseconds after its socket: the next one waits.
    for _ in 0..5 {
        let tool = fixture.start("rxdrop -C 10").ready();
        fixture.send(0, 10);
        assert_eq!(tool.summary()["rx_packets"], 10);
    }
}
