//! Packets of several frames (`-F`): jumbo frames over a cable with an MTU of 9000.

use crate::common::{Cable, kernel_can, kernel_since, left_on, packet, wait_for};
use crate::fixture::{Fixture, LIMIT, Tool, WAIT};
use xsk::socket::PacketSocket;
use xsk::test_util::{Namespace, VethPair, ip, privileged, test_name};
use xsk::{Attachment, FramePool, Interface, Registration, Socket, Umem};

/// The longest packet of an MTU of 9000.
const JUMBO: usize = 9014;

/// Returns whether this test can run here.
fn possible(name: &str) -> bool {
    privileged(name) && kernel_can(name, kernel_since(6, 6), "packets of several frames: Linux 6.6")
}

/// A cable whose ends have an MTU of 9000.
fn jumbo() -> Fixture {
    let builder = VethPair::builder().names("near", "far").mtu(9000);
    Fixture { cable: Cable::build(builder) }
}

/// Sends `count` packets of `size` bytes from the far end.
fn send(fixture: &Fixture, letters: &str, count: u32, size: usize) {
    let line = format!("txonly -i far {letters} -C {count} -s {size} --json {WAIT}");
    let sent = Tool::start(&fixture.cable.right, &line).summary();
    assert_eq!(sent["tx_packets"], count);
    assert_eq!(sent["tx_bytes"], u64::from(count) * size as u64);
    assert_eq!((&sent["total"]["tx_lost"], &sent["tx_pending"]), (&0.into(), &0.into()));
}

/// A socket for packets of several frames at the other end of a cable.
struct Peer {
    umem: Umem,
    pool: FramePool,
    socket: PacketSocket,
    _registration: Registration,
}

impl Peer {
    fn new(here: &Namespace, far: &Interface) -> Self {
        let make = || {
            let (umem, mut pool) = Umem::builder().chunk_count(256).build().unwrap();
            let builder = Socket::builder(&umem).multi_buffer().bind_timeout(LIMIT);
            let mut socket = builder.bind(far, 0).unwrap();
            assert_eq!(socket.fill.fill_from(&mut pool, 128), Ok(128));
            let program = Attachment::builder(far).frags(true).attach().unwrap();
            let registration = socket.register(&program).unwrap();
            Self { umem, pool, socket, _registration: registration }
        };
        here.run(make).unwrap()
    }

    fn send(&mut self, bytes: &[u8]) {
        let Self { umem, pool, socket, .. } = self;
        let all = pool.len();
        let mut packet = pool.take_packet(bytes.len() as u64).unwrap();
        umem.write_packet(packet.frames_mut(), bytes).unwrap();
        socket.tx.reserve(8).unwrap().push(packet).unwrap();
        wait_for("the chunks", || {
            socket.tx.kick_if_needed().unwrap();
            socket.completion.reap_into(pool, 8).unwrap();
            pool.len() == all
        });
    }

    /// Waits for the next packet, which must be this one, byte for byte.
    fn expect(&mut self, bytes: &[u8]) {
        let Self { umem, pool, socket, .. } = self;
        wait_for("a packet", || {
            let mut frames = 0;
            for packet in socket.rx.receive(1).unwrap() {
                assert!(umem.packet_bytes(packet.frames()).to_vec() == bytes, "other bytes");
                frames = packet.frames().len() as u32;
                pool.extend(packet);
            }
            socket.fill.fill_from(pool, frames).unwrap();
            frames > 0
        });
    }
}

#[test]
fn jumbo_packets_are_sent_and_received_and_none_is_lost() {
    if !possible(test_name!()) {
        return;
    }
    let fixture = jumbo();
    for (letters, mode) in [("-N", "native"), ("-S -p", "generic"), ("-f 2048 -m", "native")] {
        for size in [60, 3841, JUMBO] {
            let tool = fixture.start(&format!("rxdrop -F -C 300 --rx-ring 4096 {letters}")).ready();
            let size_letters = if letters.contains("2048") { "-F -f 2048 -m" } else { "-F -p" };
            send(&fixture, size_letters, 300, size);
            let summary = tool.summary();
            assert_eq!(summary["rx_packets"], 300, "{letters} {size}");
            assert_eq!(summary["rx_bytes"], 300 * size as u64, "{letters} {size}");
            assert_eq!((&summary["total"]["rx_lost"], &summary["mode"]), (&0.into(), &mode.into()));
            assert_eq!(fixture.left(), None);
        }
    }
    // The device has counted packets, not frames.
    let before = fixture.cable.veth.b().info().unwrap().counters.tx_packets;
    send(&fixture, "-F", 1000, JUMBO);
    let after = fixture.cable.veth.b().info().unwrap().counters.tx_packets;
    assert_eq!(after - before, 1000);
}

#[test]
fn l2fwd_sends_jumbo_packets_back() {
    if !possible(test_name!()) {
        return;
    }
    let fixture = jumbo();
    for letters in ["-N", "-S -p", "-f 2048 -m -b 1"] {
        let tool = fixture.start(&format!("l2fwd -F {letters}")).ready();
        let mut peer = Peer::new(&fixture.cable.right, fixture.cable.veth.b());
        let mut bytes = 0;
        for number in 0..64 {
            let len = [60, 9000, 4000, JUMBO][number as usize % 4];
            let mut sent = packet(number, len);
            peer.send(&sent);
            sent[..12].rotate_left(6);
            peer.expect(&sent);
            bytes += len;
        }
        let summary = tool.stop().summary();
        for way in ["rx", "tx"] {
            assert_eq!(summary[format!("{way}_packets")], 64, "{letters} {summary}");
            assert_eq!(summary[format!("{way}_bytes")], bytes as u64, "{letters} {summary}");
        }
        assert_eq!((&summary["tx_pending"], &summary["total"]["tx_lost"]), (&0.into(), &0.into()));
        assert_eq!(fixture.left(), None);
    }
}

#[test]
fn l2fwd_forwards_jumbo_packets_between_two_interfaces() {
    if !possible(test_name!()) {
        return;
    }
    let fixture = jumbo();
    let (left, right) = (&fixture.cable.left, &fixture.cable.right);
    let builder = VethPair::builder().names("near2", "far2").mtu(9000);
    let second = builder.build(left, right).unwrap();
    for letters in ["-p --chunks 32", "-S -b 1"] {
        let tool = fixture.start(&format!("l2fwd -F -o near2 {letters}")).ready();
        assert!(tool.note().starts_with("near2 queue 0"));
        let mut peers =
            [fixture.cable.veth.b(), second.b()].map(|interface| Peer::new(right, interface));
        let mut wanted = [0; 2];
        for number in 0..100 {
            let [one, two] = &mut peers;
            let bytes = packet(number, JUMBO - number as usize);
            one.send(&bytes);
            two.expect(&bytes);
            wanted[0] += bytes.len();
            let bytes = packet(number, 3800 + number as usize);
            two.send(&bytes);
            one.expect(&bytes);
            wanted[1] += bytes.len();
        }
        let summary = tool.stop().summary();
        for (direction, bytes) in wanted.into_iter().enumerate() {
            let direction = &summary["directions"][direction];
            assert_eq!(direction["packets"], 100, "{summary}");
            assert_eq!(direction["bytes"], bytes as u64, "{summary}");
        }
        assert_eq!([left_on(fixture.cable.veth.a()), left_on(second.a())], [None; 2]);
    }
}

#[test]
fn the_title_says_it_and_where_it_would_help() {
    if !possible(test_name!()) {
        return;
    }
    let fixture = jumbo();
    let title = |letters: &str| {
        let line = format!("rxdrop -d 1 {letters} -i near {WAIT}");
        let ended = Tool::start(&fixture.cable.left, &line).end();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        ended.out[0].clone()
    };
    let several = "near queue 0, packets of several frames: native mode, ";
    assert!(title("-F").starts_with(several), "{}", title("-F"));
    let refused = title("");
    for words in ["generic mode, the driver refuses native mode", "may be the cure: `-F`"] {
        assert!(refused.contains(words), "{refused}");
    }
    assert!(!title("-S").contains("-F"));
}

#[test]
fn what_cannot_be_is_refused_in_plain_words() {
    if !possible(test_name!()) {
        return;
    }
    let fixture = jumbo();
    let cases: [(&str, &[&str]); 8] = [
        (
            "rxdrop -i near -N",
            &["MTU is too large", "Or take longer packets in several frames (`-F`)"],
        ),
        ("rxdrop -i near -N --attach link", &["Or take longer packets in several frames (`-F`)"]),
        ("txonly -i near -s 9014", &["9014", "4096", "several chunks (-F) can have 9014"]),
        (
            "txonly -i near -F -s 9015",
            &["9015", "9014 at the most (MTU 9000 with the Ethernet header)"],
        ),
        ("txonly -i near -F -s 41", &["41", "42 bytes at least"]),
        ("txonly -i near -F -s 9000 --chunks 2", &["9000", "too few (--chunks)"]),
        ("txonly -i near -F -s 9000 --tx-ring 2", &["take 3", "can have 2", "--tx-ring"]),
        ("demo -N -i near -o other", &["Or take longer packets in several frames (`-F`)"]),
    ];
    let here = &fixture.cable.left;
    let _other = VethPair::builder().names("other", "end").mtu(9000).build(here, here).unwrap();
    for (line, wanted) in cases {
        let ended = Tool::start(here, line).end();
        for words in wanted {
            assert!(ended.failure().contains(words), "{line}: {words}: {ended:?}");
        }
        assert_eq!(ended.err.len(), 1, "{line}: {ended:?}");
        assert_eq!(fixture.left(), None, "{line}");
    }
    for line in ["rxdrop -i near -F -M 2", "l2fwd -i near -M 2 -F"] {
        let ended = Tool::start(here, line).end();
        assert_eq!((ended.status.code(), ended.out.len()), (Some(2), 0), "{ended:?}");
        let words = "'--sockets <N>' cannot be used with '--frags'";
        let other = "'--frags' cannot be used with '--sockets <N>'";
        let text = ended.err.join("\n");
        assert!(text.contains(words) || text.contains(other), "{text}");
    }
}

#[test]
fn losses_of_jumbo_packets_have_their_cure() {
    if !possible(test_name!()) {
        return;
    }
    let fixture = jumbo();
    for (line, lost, event, words) in [
        ("rxdrop -S", 50, "too_long", "or packets of several frames (-F)"),
        // Not all chunks are used at once, and none stays behind.
        ("rxdrop -F -p --chunks 8", 0, "", ""),
        ("rxdrop -F -p --chunks 2", 50, "fill_ring_empty", "more chunks (--chunks, --fill-ring)"),
    ] {
        let tool = fixture.start(line).ready();
        // One by one: the next one comes when the chunks of the last one are back.
        if lost == 0 {
            for count in 1..=5 {
                send(&fixture, "-F", 1, JUMBO);
                wait_for("the packet", || {
                    let object: serde_json::Value = serde_json::from_str(&tool.line()).unwrap();
                    object["total"]["rx_packets"] == count
                });
            }
            assert_eq!(tool.stop().summary()["total"]["rx_lost"], 0);
            continue;
        }
        send(&fixture, "-F", lost, JUMBO);
        let note = tool.note();
        assert!(note.contains(words) && note.contains("50 received packets"), "{line}: {note}");
        let ended = tool.stop();
        assert_eq!(ended.summary()["total"]["rx_lost"], lost, "{line}: {ended:?}");
        let said = ended.objects().iter().any(|object| object["event"] == event);
        assert!(said, "{line}: {ended:?}");
    }
}

/// A link that is taken down under jumbo packets: what was sent, lost and left adds up, in packets.
#[test]
fn a_link_that_goes_leaves_whole_packets() {
    if !possible(test_name!()) {
        return;
    }
    let fixture = jumbo();
    let (near, far) = (fixture.cable.veth.a(), fixture.cable.veth.b());
    for line in ["txonly -F -s 9000", "txonly -F -s 9000 -p -b 5"] {
        let before = near.info().unwrap().counters;
        let tool = fixture.start(line).ready();
        wait_for("packets", || near.info().unwrap().counters.tx_packets > before.tx_packets + 100);
        ip::set_up(far, false).unwrap();
        while !tool.note().contains("near has no carrier") {}
        let summary = tool.stop().summary();
        let after = near.info().unwrap().counters;
        let total = &summary["total"];
        assert_eq!(total["tx_packets"], after.tx_packets - before.tx_packets, "{line}: {summary}");
        assert_eq!(total["tx_bytes"], 9000 * (after.tx_packets - before.tx_packets), "{summary}");
        assert_eq!(total["tx_lost"], after.tx_dropped - before.tx_dropped, "{line}: {summary}");
        ip::set_up(far, true).unwrap();
        ip::wait_for_carrier(near, LIMIT).unwrap();
    }
}

#[test]
fn one_that_asks_for_several_frames_says_that_the_program_takes_none() {
    if !possible(test_name!()) {
        return;
    }
    let fixture = Fixture::new(2);
    for (first, words) in [("", "joined: the program takes no packets of"), ("-F", "joined")] {
        let first = Tool::start(&fixture.cable.left, &format!("rxdrop -i near -p {first}"));
        first.line();
        let second = Tool::start(&fixture.cable.left, "rxdrop -i near -p -q 1 -F");
        let title = second.line();
        let end = title.rsplit_once("attached by netlink, ").unwrap().1;
        assert!(end.starts_with(words) && (words.len() > 6 || end == words), "{title}");
        second.stop();
        first.stop();
    }
}
