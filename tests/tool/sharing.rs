//! Two processes on two queues of one interface.

use crate::common::{as_nobody, as_user, once_within, path_for_anybody, undisturbed};
use crate::fixture::{Fixture, TOOL, Tool, WAIT};
use rustix::thread::CapabilitySet;
use std::process::Command;
use std::time::{Duration, Instant};
use xsk::XdpMode;
use xsk::test_util::{VethPair, ip, privileged};

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
                assert_eq!(fixture.left(), None, "{case}");
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
        assert!(ended.err.len() < 3, "{ended:?}");
    }
    // It does not wait in silence.
    let ended = Tool::start(&fixture.cable.left, "rxdrop -i near --wait 1250").end();
    let wanted = "waiting for queue 0 of near, which another socket has: for 1.25 s at the most";
    assert_eq!((ended.err.len(), &ended.waits[..]), (1, &[wanted.to_owned()][..]), "{ended:?}");
    assert_eq!(fixture.attached(), Some(XdpMode::Native));
    fixture.send(0, 100);
    assert_eq!(first.summary()["rx_packets"], 100);
    assert_eq!(fixture.left(), None);
    // The kernel releases a queue some milliseconds after its socket: the next one waits.
    for _ in 0..5 {
        let tool = fixture.start("rxdrop -C 10").ready();
        fixture.send(0, 10);
        assert_eq!(tool.summary()["rx_packets"], 10);
    }
}

#[test]
fn a_second_one_joins_what_is_there_unless_it_asks_for_another_method() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for (method, other) in [("link", "netlink"), ("netlink", "link")] {
        for (letter, mode) in [("-S", "generic"), ("-N", "native")] {
            let line = format!("rxdrop -i near -p {letter} --attach {method}");
            let first = Tool::start(&fixture.cable.left, &line);
            let title = first.line();
            assert!(title.contains(&format!("{mode} mode, as asked")), "{title}");
            assert!(title.ends_with(&format!("attached by {method}")), "{title}");
            let second = Tool::start(&fixture.cable.left, "rxdrop -i near -p -q 1");
            let title = second.line();
            assert!(title.ends_with(&format!("attached by {method}, joined")), "{title}");
            second.stop();
            let flags = format!("what is there (`{letter}`, `--attach {method}`)");
            for asked in [format!("--attach {other}"), wrong_mode(letter).to_owned()] {
                let refused = fixture.start(&format!("rxdrop -q 1 {asked}")).end();
                assert!(refused.failure().contains(&flags), "{refused:?}");
            }
            first.stop();
            assert_eq!(fixture.left(), None);
        }
    }
}

/// Returns the letter of the other mode.
fn wrong_mode(letter: &str) -> &'static str {
    if letter == "-S" { "-N" } else { "-S" }
}

#[test]
fn without_sys_admin_a_killed_one_starts_again() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let (_file, path) = path_for_anybody(TOOL);
    let start = |line: &str| {
        let line = format!("rxdrop -i near -p --chunks 64 {WAIT} {line}");
        let kept = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN | CapabilitySet::BPF;
        let mut command = Command::new(&path);
        as_nobody(kept, &fixture.cable.left, || Tool::spawn_here(command.args(line.split(' '))))
    };
    let by_link = "attached by link (without CAP_SYS_ADMIN a program left by netlink could not be \
        taken over)";
    for _ in 0..2 {
        let tool = start("-d 60");
        let title = tool.line();
        assert!(title.ends_with(by_link), "{title}");
        // A program that a link holds may not be looked at.
        let second = start("-q 1").end();
        for words in ["near", "by link", "To join its users takes CAP_SYS_ADMIN"] {
            assert!(second.failure().contains(words), "{second:?}");
        }
        tool.kill();
        assert_eq!(fixture.left(), None);
    }
    let tool = start("--attach netlink");
    assert!(tool.line().ends_with("attached by netlink"));
    tool.kill();
    let (_, left) = fixture.cable.veth.a().attached_programs().unwrap().programs().next().unwrap();
    let refused = start("-d 60").end();
    for words in [
        &format!("program {left} is attached to near"),
        "CAP_SYS_ADMIN",
        "`ip link set dev near xdpdrv off`",
        "replace it (`--replace`)",
    ] {
        assert!(refused.failure().contains(words), "{refused:?}");
    }
    let tool = start("--replace");
    assert_eq!(tool.note(), format!("replaced program {left} (native mode)"));
    assert!(tool.line().ends_with(by_link));
    tool.stop();
    assert_eq!(fixture.left(), None);
}

#[test]
fn the_first_line_says_why_it_is_generic_mode() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    ip::set_mtu(fixture.cable.veth.b(), 9000).unwrap();
    let tool = Tool::start(&fixture.cable.left, "rxdrop -i near -p");
    let title = tool.line();
    assert!(
        title.contains("generic mode, the driver refuses native mode: ERANGE, \"")
            && title.contains(
                "Peer MTU is too large to set XDP\" (a smaller MTU, or packets of several"
            ),
        "{title}"
    );
    tool.stop();
    for method in ["netlink", "link"] {
        let line = format!("rxdrop -N --attach {method}");
        let ended = fixture.start(&line).end();
        for words in ["MTU", "3840 bytes in chunks of 4096", "generic mode (`-S`)"] {
            assert!(ended.failure().contains(words), "{ended:?}");
        }
        let asks = ended.failure().contains("with `--attach netlink`");
        assert_eq!(asks, method == "link", "{ended:?}");
    }
    assert_eq!(fixture.left(), None);
}

/// The limit of today's distributions: the error proposes a number of chunks that fits.
#[test]
fn under_the_usual_memory_limit_the_error_says_what_fits() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(3);
    // A user of this run alone, whose memory nothing else takes.
    let user = 100_000 + std::process::id();
    // A shell sets the limit, so it takes a path that outlives an `execve`.
    let path = std::env::temp_dir().join(format!("xsk-memlock-{}", std::process::id()));
    std::fs::copy(TOOL, &path).unwrap();
    let start = |line: &str| {
        let path = path.display();
        let script = format!("ulimit -l 8192; exec {path} {line} -i near {WAIT}");
        let kept = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN | CapabilitySet::BPF;
        let mut command = Command::new("sh");
        let spawn = || Tool::spawn_here(command.args(["-c", &script]));
        as_user(user, kept, &fixture.cable.left, spawn).end()
    };
    // On a busy machine the kernel takes longer to give memory back than the tool waits.
    let fits = |line: &str, advice: &str| {
        let line = format!("{line} {}", advice.trim_end_matches('`'));
        undisturbed(|| match start(&line) {
            ended if ended.status.code() == Some(0) => Ok(()),
            ended => Err(format!("{line}: {ended:?}")),
        });
    };
    for command in ["rxdrop", "txonly", "l2fwd"] {
        let ended = start(&format!("{command} -d 1"));
        let message = ended.failure();
        assert!(message.contains("RLIMIT_MEMLOCK (it is 8388608 bytes)"), "{ended:?}");
        let (_, advice) = message.rsplit_once("fewer chunks: `").unwrap();
        // The advice works when it is typed.
        fits(&format!("{command} -d 1"), advice);
    }
    // On one queue the second number fits, and not on each of three.
    for chunks in ["", "--chunks 1024"] {
        let ended = start(&format!("rxdrop -q all -d 1 {chunks}"));
        let message = ended.failure();
        assert!(message.contains("Each of the 3 queues has as much"), "{ended:?}");
        let (_, advice) = message.rsplit_once("fewer chunks: `").unwrap();
        fits("rxdrop -q all -d 1", advice);
    }
    // Between two interfaces all queues have one memory.
    let builder = VethPair::builder().queues(3).names("near2", "far2");
    let _second = builder.build(&fixture.cable.left, &fixture.cable.right).unwrap();
    let ended = start("bridge -o near2 -d 1");
    let message = ended.failure();
    assert!(message.contains("That is for 3 queues together"), "{ended:?}");
    let (_, advice) = message.rsplit_once("fewer chunks: `").unwrap();
    fits("bridge -o near2 -d 1", advice);
    // It does not wait for other memory to be given back, for 300 ms: this would not fit alone.
    once_within(Duration::from_millis(300), || {
        let started = Instant::now();
        assert!(start("rxdrop -d 1").failure().contains("RLIMIT_MEMLOCK"));
        started.elapsed()
    });
    std::fs::remove_file(&path).unwrap();
}
