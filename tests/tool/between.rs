//! Forwarding between two interfaces (`l2fwd -o`).

use crate::common::{left_on, packet, wait_for};
use crate::fixture::{Ended, Fixture, LIMIT, TOOL, Tool, WAIT, attached, foreign_on};
use rustix::process::Signal;
use std::process::Command;
use xsk::test_util::{Namespace, VethPair, ip, privileged};
use xsk::{Attachment, Interface, Registration, Socket, Umem};

/// Two cables: the tool works between their ends `near` and `near2`.
struct Two {
    first: Fixture,
    second: VethPair,
}

impl Two {
    fn new() -> Self {
        Self::with_queues(1)
    }

    fn with_queues(queues: u32) -> Self {
        let first = Fixture::new(queues);
        let builder = VethPair::builder().queues(queues).names("near2", "far2");
        let second = builder.build(&first.cable.left, &first.cable.right).unwrap();
        Self { first, second }
    }

    /// Returns both interfaces of the tool.
    fn near(&self) -> [&Interface; 2] {
        [self.first.cable.veth.a(), self.second.a()]
    }

    /// Starts the tool, and takes its second line.
    fn start(&self, letters: &str) -> Tool {
        let tool = self.first.start(&format!("l2fwd -o near2 {letters}")).ready();
        let title = tool.note();
        assert!(title.starts_with("near2 queue 0: "), "{title}");
        tool
    }

    /// Returns the peers of both ends.
    fn peers(&self) -> [Peer; 2] {
        let right = &self.first.cable.right;
        [self.first.cable.veth.b(), self.second.b()].map(|far| Peer::new(right, far))
    }

    /// Returns whether a program is left on each.
    fn left(&self) -> [bool; 2] {
        self.near().map(|near| left_on(near).is_some())
    }

    fn is_attached(&self) -> [bool; 2] {
        self.near().map(|near| attached(near).is_some())
    }
}

/// A socket at a far end.
struct Peer {
    umem: Umem,
    pool: xsk::FramePool,
    socket: Socket,
    _registration: Registration,
}

impl Peer {
    fn new(here: &Namespace, far: &Interface) -> Self {
        let make = || {
            let (umem, mut pool) = Umem::builder().chunk_count(128).build().unwrap();
            let mut socket = Socket::builder(&umem).bind_timeout(LIMIT).bind(far, 0).unwrap();
            socket.fill.fill_from(&mut pool, 64).unwrap();
            let program = Attachment::builder(far).attach().unwrap();
            let registration = socket.register(&program).unwrap();
            Self { umem, pool, socket, _registration: registration }
        };
        here.run(make).unwrap()
    }

    fn send(&mut self, number: u32, len: usize) {
        let Self { umem, pool, socket, .. } = self;
        let write = |frame: &mut _| umem.write(frame, &packet(number, len)).unwrap();
        assert_eq!(socket.tx.send_each(pool, 1, write), Ok(1));
        socket.tx.kick_if_needed().unwrap();
        wait_for("the chunk", || socket.completion.reap_into(pool, 1).unwrap() == 1);
    }

    /// Waits for the next packet, which must be this one, byte for byte.
    fn expect(&mut self, number: u32, len: usize) {
        let Self { umem, pool, socket, .. } = self;
        wait_for("a packet", || {
            let frame = socket.rx.receive(1).unwrap().into_iter().next();
            if let Some(frame) = &frame {
                assert_eq!(umem.bytes(frame), packet(number, len), "{number}");
            }
            let came = frame.is_some();
            pool.extend(frame);
            came
        });
        socket.fill.fill_from(pool, 1).unwrap();
    }
}

fn assert_directions(ended: &Ended, wanted: [(u64, u64); 2]) {
    let summary = ended.summary();
    let names = [("near", "near2"), ("near2", "near")];
    for (number, ((from, to), (packets, bytes))) in names.into_iter().zip(wanted).enumerate() {
        let direction =
            serde_json::json!({"from": from, "to": to, "packets": packets, "bytes": bytes});
        assert_eq!(summary["directions"][number], direction, "{ended:?}");
    }
    let [(packets, bytes), (more, more_bytes)] = wanted;
    for key in ["rx", "tx"] {
        assert_eq!(summary[format!("{key}_packets")], packets + more, "{ended:?}");
        assert_eq!(summary[format!("{key}_bytes")], bytes + more_bytes, "{ended:?}");
    }
    assert_eq!((&summary["interface"], &summary["output"]), (&"near".into(), &"near2".into()));
}

/// Many more packets one way than there are chunks: they come back to where they are from.
#[test]
fn packets_go_both_ways_as_they_are_and_no_side_runs_dry() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    for letters in ["-p --chunks 16", "-S -m --chunks 16 -b 1"] {
        let [mut left, mut right] = two.peers();
        let tool = two.start(letters);
        assert_eq!(two.is_attached(), [true; 2]);
        let sent = || two.near().map(|near| near.info().unwrap().counters.tx_packets);
        let before = sent();
        let mut wanted = [(0, 0), (0, 0)];
        for number in 0..400 {
            let (len, other) = (60 + number as usize % 9, 300 + number as usize % 7);
            left.send(number, len);
            right.expect(number, len);
            wanted[0] = (wanted[0].0 + 1, wanted[0].1 + len as u64);
            if number % 4 == 0 {
                right.send(number, other);
                left.expect(number, other);
                wanted[1] = (wanted[1].0 + 1, wanted[1].1 + other as u64);
            }
        }
        tool.signal(Signal::TERM);
        let ended = tool.end();
        assert_directions(&ended, wanted);
        let after = sent();
        let packets = wanted.map(|(packets, _)| packets);
        assert_eq!([after[1] - before[1], after[0] - before[0]], packets);
        assert_eq!(two.left(), [false; 2], "{letters}");
    }
}

/// Returns the bytes of the largest writable memory of a process.
pub(crate) fn largest_memory(tool: &Tool) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", tool.id())).unwrap();
    let size = |line: &str| {
        let (range, _) = line.split_once(" rw")?;
        let (from, to) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(number(to)? - number(from)?)
    };
    maps.lines().filter_map(size).max().unwrap()
}

#[test]
fn two_ports_have_twice_the_chunks_of_one() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    let one = 4096 * 4096;
    let range = |times: u64| times * one..times * one + one / 2;
    let tool = two.start("");
    assert!(range(2).contains(&largest_memory(&tool)), "{}", largest_memory(&tool));
    tool.stop();
    for line in ["l2fwd", "l2fwd -o near2 --chunks 4096"] {
        let tool = two.first.start(line).ready();
        assert!(range(1).contains(&largest_memory(&tool)), "{line}: {}", largest_memory(&tool));
        tool.stop();
    }
}

#[test]
fn several_queues_go_to_the_same_ones_of_the_other_interface() {
    if !privileged!() {
        return;
    }
    let two = Two::with_queues(3);
    for (letters, served) in [("-q all", "0-2"), ("-q 1,2 -p", "1-2")] {
        let line = format!("l2fwd -o near2 {letters} -C 66");
        let tool = two.first.start(&line).ready();
        let title = tool.note();
        assert!(title.starts_with(&format!("near2 queues {served} of 3: ")), "{title}");
        let far2 = format!("rxdrop -i far2 -q all -p -C 33 --json {WAIT}");
        let receiver = Tool::start(&two.first.cable.right, &far2).ready();
        // One way, and then the other one.
        two.first.send(1, 11);
        two.first.send(2, 22);
        let received = receiver.summary();
        let of = |queue: usize| received["queues"][queue]["rx_packets"].clone();
        assert_eq!([of(0), of(1), of(2)], [0, 11, 22], "{received}");
        let back = format!("txonly -i far2 -q 1,2 -C 33 --json {WAIT}");
        Tool::start(&two.first.cable.right, &back).summary();
        let ended = tool.end();
        assert_directions(&ended, [(33, 33 * 60), (33, 33 * 60)]);
        assert_eq!(ended.summary()["queue"], serde_json::Value::Null);
        assert_eq!(two.left(), [false; 2]);
    }
}

#[test]
fn queues_that_only_one_of_two_interfaces_has_are_left_out() {
    if !privileged!() {
        return;
    }
    let two = Two::with_queues(1);
    let here = &two.first.cable.left;
    let builder = VethPair::builder().queues(3).names("wide", "wide2");
    let _wide = builder.build(here, &two.first.cable.right).unwrap();
    let tool = two.first.start("l2fwd -o wide -q all -d 100").ready();
    let title = tool.note();
    assert!(title.starts_with("wide queue 0 of 3: "), "{title}");
    assert_eq!(
        tool.note(),
        "queues 1-2 left out: only one of near and wide has as many; what comes to them on wide goes \
         to the kernel's stack (`ethtool -L wide rx 1 tx 1` leaves none out)"
    );
    tool.stop();
    let ended = two.first.start("l2fwd -o wide -q 0,1").end();
    assert!(ended.failure().contains("near has no queue 1"), "{ended:?}");
    assert_eq!(two.left(), [false; 2]);
}

#[test]
fn each_queue_may_be_served_by_a_process_of_its_own() {
    if !privileged!() {
        return;
    }
    let two = Two::with_queues(2);
    let start = |queue: u32| {
        let line = format!("l2fwd -o near2 -q {queue} -p -C {}", 10 + queue);
        two.first.start(&line).ready()
    };
    let tools = [start(0), start(1)];
    two.first.send(1, 11);
    two.first.send(0, 10);
    for (tool, count) in tools.into_iter().zip([10, 11]) {
        let summary = tool.summary();
        assert_eq!((&summary["tx_packets"], &summary["ended"]), (&count.into(), &"count".into()));
    }
    assert_eq!(two.left(), [false; 2]);
}

#[test]
fn a_count_is_of_both_directions_and_each_has_a_line() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    let [mut left, mut right] = two.peers();
    let line = "l2fwd -i near -o near2 -C 30 --wait 20000";
    let tool = Tool::start(&two.first.cable.left, line);
    for name in ["near", "near2"] {
        let title = tool.line();
        assert!(title.starts_with(&format!("{name} queue 0: native mode")), "{title}");
    }
    for number in 0..20 {
        left.send(number, 100);
        if number % 2 == 0 {
            right.send(number, 200);
        }
    }
    let ended = tool.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let lines =
        ["near -> near2: 20 packets, 2,000 bytes", "near2 -> near: 10 packets, 2,000 bytes"];
    assert_eq!(ended.out[ended.out.len() - 2..], lines);
    assert!(ended.out.iter().any(|line| line == "near:0 <-> near2:0 l2fwd native"), "{ended:?}");
    assert_eq!(two.left(), [false; 2]);
}

#[test]
fn either_interface_that_goes_away_is_named_and_the_other_ones_program_is_detached() {
    if !privileged!() {
        return;
    }
    for (gone, letters) in [(0, "-p --attach link"), (1, "-p"), (1, "-n 60")] {
        let two = Two::new();
        let tool = two.start(letters);
        ip::delete(two.near()[gone]).unwrap();
        let ended = tool.end();
        let name = ["near is gone", "near2 is gone"][gone];
        for words in [name, "ENODEV"] {
            assert!(ended.failure_of(4).contains(words), "{letters}: {ended:?}");
        }
        assert_eq!(ended.summary_of(4)["ended"], "interface_gone");
        assert_eq!(left_on(two.near()[1 - gone]), None, "{letters}");
    }
}

#[test]
fn a_program_that_is_taken_off_either_interface_ends_it() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    for (number, name) in [(0, "near"), (1, "near2")] {
        let tool = two.start("-p");
        let other = foreign_on(&two.first.cable.left, two.near()[number], true);
        let note = tool.note();
        assert!(note.contains(&format!("was taken off {name} by another process")), "{note}");
        let ended = tool.end();
        assert_eq!(ended.summary_of(5)["ended"], "program_taken_off");
        let event = &ended.objects()[0];
        assert_eq!(
            (&event["event"], &event["interface"]),
            (&"program_taken_off".into(), &name.into())
        );
        assert!(attached(two.near()[number]).is_some(), "a program that is not its own stays");
        assert_eq!(left_on(two.near()[1 - number]), None);
        other.close().unwrap();
    }
}

#[test]
fn what_cannot_be_sent_waits_until_the_link_is_up_again() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    let mut left = two.peers().into_iter().next().unwrap();
    let mut tool = two.start("-p -C 20");
    ip::set_up(two.near()[1], false).unwrap();
    assert!(tool.note().contains("near2 is down"));
    for number in 0..20 {
        left.send(number, 60);
    }
    let near = two.near()[0];
    wait_for("the packets", || near.info().unwrap().counters.rx_packets >= 20);
    // Longer than it waits for packets that are being sent.
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(tool.ended(), None);
    ip::set_up(two.near()[1], true).unwrap();
    assert!(tool.note().contains("near2 is up again"));
    assert_directions(&tool.end(), [(20, 1200), (0, 0)]);
    // Down at the end: what waits is counted, and it is not waited for.
    let tool = two.start("-p");
    ip::set_up(two.near()[1], false).unwrap();
    assert!(tool.note().contains("near2 is down"));
    let before = near.info().unwrap().counters.rx_packets;
    for number in 0..5 {
        left.send(number, 60);
    }
    wait_for("the packets", || near.info().unwrap().counters.rx_packets >= before + 5);
    // The report of them.
    wait_for("reports of five packets", || {
        let report: serde_json::Value = serde_json::from_str(&tool.line()).unwrap();
        report["total"]["rx_packets"] == 5
    });
    let summary = tool.stop().summary();
    assert_eq!((&summary["tx_packets"], &summary["tx_pending"]), (&0.into(), &5.into()));
    assert_eq!(two.left(), [false; 2]);
}

#[test]
fn what_the_other_device_drops_is_neither_sent_nor_a_success() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    let mut left = two.peers().into_iter().next().unwrap();
    let tool = two.start("-C 20");
    ip::set_mtu(two.second.b(), 100).unwrap();
    for number in 0..20 {
        left.send(number, if number % 4 == 0 { 500 } else { 70 });
    }
    let ended = tool.end();
    assert!(ended.failure().contains("near2 dropped 5 of 20 packets"), "{ended:?}");
    let summary = ended.summary_of(1);
    let direction = &summary["directions"][0];
    assert_eq!((&direction["packets"], &direction["bytes"]), (&15.into(), &1050.into()));
    let event = &ended.objects()[0];
    let words = (&event["event"], &event["interface"]);
    assert_eq!(words, (&"dropped_by_device".into(), &"near2".into()));
    assert_eq!(two.left(), [false; 2]);
}

#[test]
fn without_a_carrier_on_one_side_packets_are_dropped_and_counted_and_it_goes_on() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    let [mut left, mut right] = two.peers();
    let tool = two.start("-p");
    ip::set_up(two.second.b(), false).unwrap();
    while !tool.note().contains("near2 has no carrier") {}
    let dropped = || two.near()[1].info().unwrap().counters.tx_dropped;
    for number in 0..5 {
        left.send(number, 60);
    }
    wait_for("the packets to be dropped", || dropped() == 5);
    ip::set_up(two.second.b(), true).unwrap();
    while !tool.note().contains("near2 is up again") {}
    for number in 5..15 {
        left.send(number, 80);
        right.expect(number, 80);
        right.send(number, 90);
        left.expect(number, 90);
    }
    let ended = tool.stop();
    let summary = ended.summary();
    let total = &summary["total"];
    assert_eq!((&total["tx_packets"], &total["tx_lost"]), (&20.into(), &5.into()), "{ended:?}");
    let bytes = |number: usize| &summary["directions"][number]["bytes"];
    assert_eq!((bytes(0), bytes(1)), (&800.into(), &900.into()), "{ended:?}");
    assert_eq!(two.left(), [false; 2]);
}

#[test]
fn losses_are_shown_with_the_interface_that_lost_them() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    let [mut left, mut right] = two.peers();
    // One chunk for each.
    let tool = two.start("-p --chunks 2");
    tool.signal(Signal::STOP);
    for number in 0..4 {
        left.send(number, 60);
    }
    for number in 0..3 {
        right.send(number, 60);
    }
    let dropped = "received packets were dropped because the fill ring was empty";
    tool.signal(Signal::CONT);
    for (name, count) in [("near", 3), ("near2", 2)] {
        let note = tool.note();
        assert!(note.starts_with(&format!("{name}: {count} {dropped}")), "{note}");
    }
    let summary = tool.stop().summary();
    let total = &summary["total"];
    assert_eq!((&total["tx_packets"], &total["rx_lost"]), (&2.into(), &5.into()), "{summary}");
    assert_eq!(summary["rx_fill_ring_empty_descs"], 5);
}

#[test]
fn two_interfaces_that_cannot_be_are_refused_and_leave_nothing() {
    if !privileged!() {
        return;
    }
    let two = Two::new();
    // The second one's program is refused when the first one's is attached already.
    let other = foreign_on(&two.first.cable.left, two.near()[1], false);
    let cases: [(&str, i32, &[&str]); 7] = [
        ("-o nope", 1, &["nope", "ENODEV"]),
        ("-o near", 1, &["near cannot be both interfaces: -i and -o name two"]),
        ("-o near2", 1, &["near2", "foreign", "`--replace`"]),
        ("-o near2 --chunks 1", 1, &["one chunk is too little"]),
        ("-o near2 -q 1", 1, &["near", "queue 1"]),
        ("-o near2 -z", 1, &["zero-copy", "EOPNOTSUPP"]),
        ("-o near2 -M 2", 2, &["--output", "--sockets", "cannot be used"]),
    ];
    for (letters, code, wanted) in cases {
        let line = format!("l2fwd -i near {letters}");
        let ended = Tool::start(&two.first.cable.left, &line).end();
        assert_eq!(ended.status.code(), Some(code), "{letters}: {ended:?}");
        let message = ended.err.join("\n");
        for words in wanted {
            assert!(message.contains(words), "{letters}: {words}: {ended:?}");
        }
        assert_eq!(two.is_attached(), [false, true], "{letters}");
    }
    other.close().unwrap();
}

#[test]
fn the_help_says_what_several_sockets_and_two_interfaces_mean() {
    let help = |command: &str| {
        let output = Command::new(TOOL).args([command, "--help"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let alone = "another process on another queue of the interface cannot join it";
    for command in ["rxdrop", "l2fwd"] {
        let text = help(command);
        for words in ["-M, --sockets <N>", alone] {
            assert!(text.contains(words), "{command}: {text}");
        }
    }
    let text = help("l2fwd");
    for words in ["-o, --output <NAME>", "with addresses as they are", "not copied"] {
        assert!(text.contains(words), "{text}");
    }
    for line in ["txonly -i a -M 2", "rxdrop -i a -M 0", "l2fwd -i a -M 65", "rxdrop -i a -o b"] {
        let output = Command::new(TOOL).args(line.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
    }
}
