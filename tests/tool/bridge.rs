//! `xsk bridge`: pings and TCP between two namespaces through the tool in a third one.

use crate::between::largest_memory;
use crate::common::{has_iproute2, left_on, wait_for};
use crate::fixture::{Ended, LIMIT, TOOL, Tool, WAIT};
use rustix::process::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;
use xsk::test_util::{Namespace, VethPair, ip, privileged};

/// The addresses of the far ends.
const FAR: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
const FAR6: [&str; 2] = ["2001:db8::1", "2001:db8::2"];

/// Two cables from the tool's namespace to two others.
struct Bridged {
    here: Namespace,
    far: [Namespace; 2],
    cables: [VethPair; 2],
}

impl Bridged {
    fn new(queues: u32) -> Self {
        let here = Namespace::new().unwrap();
        let far = [Namespace::new().unwrap(), Namespace::new().unwrap()];
        let cable = |end: usize| {
            let names = [("near", "far"), ("near2", "far2")][end];
            let builder = VethPair::builder().queues(queues).names(names.0, names.1);
            let cable = builder.build(&here, &far[end]).unwrap();
            ip::add_ipv4(cable.b(), FAR[end].parse().unwrap(), 24).unwrap();
            ip::add_ipv6(cable.b(), FAR6[end].parse().unwrap(), 64).unwrap();
            cable
        };
        let cables = [cable(0), cable(1)];
        Self { here, far, cables }
    }

    /// Starts the tool, and takes its second line.
    fn start(&self, letters: &str) -> Tool {
        let line = format!("bridge -i near -o near2 --json {WAIT} {letters}");
        let tool = Tool::start(&self.here, &line).ready();
        let title = tool.note();
        assert!(title.starts_with("near2 queue"), "{title}");
        tool
    }

    /// Pings one far end from the other one (iputils); returns whether all packets came back.
    fn ping(&self, from: usize, line: &str) -> bool {
        run(&self.far[from], &format!("ping -i 0.02 -W 5 {line}")).status.success()
    }

    /// Sends bytes over TCP from one far end to the other one, which sends them back; returns
    /// whether they came.
    fn copy(&self, from: usize, to: &str, bytes: usize) -> bool {
        let address: IpAddr = to.parse().unwrap();
        let listener = self.far[1 - from].run(|| TcpListener::bind((address, 0)).unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || -> std::io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut back = stream.try_clone()?;
            std::io::copy(&mut stream, &mut back).map(drop)
        });
        let connect = || {
            TcpStream::connect_timeout(&SocketAddr::from((address, port)), Duration::from_secs(10))
        };
        let Ok(mut stream) = self.far[from].run(connect).unwrap() else { return false };
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let sent: Vec<u8> = (0..bytes).map(|at| (at * 7 + at / 251) as u8).collect();
        let mut writer = stream.try_clone().unwrap();
        let copy = sent.clone();
        let writer = thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        writer.join().unwrap();
        server.join().unwrap().unwrap();
        received == sent
    }

    /// Returns whether a program is left on each end.
    fn left(&self) -> [bool; 2] {
        [0, 1].map(|end| left_on(self.cables[end].a()).is_some())
    }
}

/// Runs a command in a namespace.
fn run(here: &Namespace, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    here.run(|| command.args(words).output()).unwrap().unwrap()
}

/// Returns packets and bytes of a direction.
fn direction(ended: &Ended, number: usize) -> [u64; 2] {
    let summary = ended.summary();
    let direction = &summary["directions"][number];
    ["packets", "bytes"].map(|key| direction[key].as_u64().unwrap())
}

/// The senders are ends of veth pairs, which leave checksums to the card: the tool finishes them.
#[test]
fn pings_and_tcp_go_both_ways() {
    if !privileged!() {
        return;
    }
    let bridged = Bridged::new(1);
    for letters in ["-p", "-p -q 0 -c"] {
        let tool = bridged.start(letters);
        for near in bridged.cables.each_ref().map(VethPair::a) {
            assert_eq!(near.info().unwrap().promiscuity, Some(1));
        }
        for end in [0, 1] {
            assert!(bridged.ping(end, &format!("-c 10 {}", FAR[1 - end])));
            assert!(bridged.ping(end, &format!("-c 10 -6 {}", FAR6[1 - end])));
        }
        const MANY: usize = 4 << 20;
        assert!(bridged.copy(0, FAR[1], MANY));
        assert!(bridged.copy(1, FAR6[0], MANY));
        let ended = tool.stop();
        let summary = ended.summary();
        for number in [0, 1] {
            let [packets, bytes] = direction(&ended, number);
            // Each way both copies have gone.
            assert!(packets > 40 && bytes > 2 * MANY as u64, "{ended:?}");
        }
        assert!(summary["checksums_finished"].as_u64().unwrap() > 100, "{ended:?}");
        assert_eq!(summary["total"]["rx_packets"], summary["total"]["tx_packets"], "{ended:?}");
        assert_eq!(summary["command"], "bridge");
        assert_eq!(bridged.left(), [false; 2]);
        for near in bridged.cables.each_ref().map(VethPair::a) {
            assert_eq!(near.info().unwrap().promiscuity, Some(0));
        }
    }
}

/// Packets that come to a queue which only one of the interfaces has are not bridged.
#[test]
fn what_comes_to_queues_that_are_left_out_is_noticed_and_counted() {
    if !privileged!() {
        return;
    }
    let here = Namespace::new().unwrap();
    let pair = |queues, a, b| {
        let builder = VethPair::builder().queues(queues).names(a, b);
        builder.build(&here, &here).unwrap()
    };
    let (_near, _near2) = (pair(2, "near", "far"), pair(1, "near2", "far2"));
    let line = format!("bridge -i near -o near2 -p --json {WAIT}");
    let send = |queue: u32, count: u32| {
        let line = format!("txonly -i far -q {queue} -C {count} --json {WAIT}");
        assert_eq!(Tool::start(&here, &line).summary()["tx_packets"], count);
    };
    // All is well as long as nothing comes there.
    for others in [0, 300] {
        let tool = Tool::start(&here, &line).ready();
        tool.note();
        let left_out = tool.note();
        for words in ["queue 1 left out: ", "what comes to it on near goes to the kernel's stack"] {
            assert!(left_out.contains(words), "{left_out}");
        }
        send(0, 1000);
        if others > 0 {
            send(1, others);
            let note = tool.note();
            let words = "come to queue 1 of near, which is left out, and gone to the kernel's stack \
                         (`ethtool -L near rx 1 tx 1` leaves none out)";
            assert!(note.ends_with(words), "{note}");
        }
        let ended = tool.stop();
        let summary = ended.summary();
        let expected = json!([{ "interface": "near", "queues": "1", "packets": others }]);
        assert_eq!(summary["left_out"], expected, "{ended:?}");
        assert!(summary["rx_packets"].as_u64().unwrap() >= 1000, "{ended:?}");
        let said = ended.objects().iter().any(|object| object["event"] == "packets_elsewhere");
        assert_eq!(said, others > 0, "{ended:?}");
    }
}

#[test]
fn the_intervals_add_up_to_each_direction() {
    if !privileged!() {
        return;
    }
    let bridged = Bridged::new(1);
    let tool = bridged.start("-p -n 0.1");
    assert!(bridged.ping(0, &format!("-c 30 {}", FAR[1])));
    let ended = tool.stop();
    let objects = ended.objects();
    for number in [0, 1] {
        let of = |key: &str| {
            let intervals = objects.iter().filter(|object| object["summary"] == false);
            intervals.map(|object| object["directions"][number][key].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!([of("packets"), of("bytes")], direction(&ended, number), "{ended:?}");
        assert!(direction(&ended, number)[0] >= 30);
    }
    // For people.
    let line = format!("bridge -i near -o near2 -p -n 0.2 {WAIT}");
    let tool = Tool::start(&bridged.here, &line);
    assert!(bridged.ping(0, &format!("-c 20 {}", FAR[1])));
    let mut lines = Vec::new();
    wait_for("a report with a row for each direction", || {
        lines.push(tool.line());
        lines.last().unwrap().starts_with("near2 -> near ")
    });
    assert!(lines[lines.len() - 2].starts_with("near -> near2 "), "{lines:?}");
    let ended = tool.stop();
    assert!(ended.out.iter().any(|line| line.starts_with("checksums finished: ")), "{ended:?}");
    assert!(ended.out.iter().chain(&lines).filter(|line| line.contains("->")).count() >= 4);
}

#[test]
fn checksums_are_left_as_they_come_if_that_is_asked_for() {
    if !privileged!() {
        return;
    }
    let bridged = Bridged::new(1);
    let tool = bridged.start("-p --keep-checksums");
    assert!(bridged.ping(0, &format!("-c 2 {}", FAR[1])));
    let errors = || {
        let text = String::from_utf8(run(&bridged.far[1], "nstat -asz UdpInCsumErrors").stdout);
        let text = text.unwrap();
        let line = text.lines().find(|line| line.starts_with("UdpInCsumErrors")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
    };
    let before = errors();
    let socket = bridged.far[1].run(|| UdpSocket::bind((FAR[1], 4000)).unwrap()).unwrap();
    let send = || {
        let sender = UdpSocket::bind((FAR[0], 0)).unwrap();
        sender.send_to(b"some bytes", (FAR[1], 4000)).unwrap();
    };
    bridged.far[0].run(send).unwrap();
    wait_for("the packet to be refused", || errors() == before + 1);
    // Where the sender computes them, they are right.
    assert!(run(&bridged.far[0], "ethtool -K far tx off").status.success());
    bridged.far[0].run(send).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(socket.recv(&mut [0; 64]).unwrap(), 10);
    let summary = tool.stop().summary();
    assert_eq!(summary.get("checksums_finished"), None);
}

#[test]
fn it_goes_on_when_a_port_was_down_and_ends_when_one_is_removed() {
    if !privileged!() {
        return;
    }
    for (number, name) in [(0, "near"), (1, "near2")] {
        let bridged = Bridged::new(1);
        let tool = bridged.start("-p");
        assert!(bridged.ping(0, &format!("-c 2 {}", FAR[1])));
        let port = bridged.cables[number].a();
        ip::set_up(port, false).unwrap();
        while !tool.note().contains(&format!("{name} is down")) {}
        ip::set_up(port, true).unwrap();
        while !tool.note().contains(&format!("{name} is up again")) {}
        for from in [0, 1] {
            wait_for("a ping", || bridged.ping(from, &format!("-c 1 {}", FAR[1 - from])));
        }
        assert!(bridged.copy(0, FAR[1], 1 << 20));
        ip::delete(port).unwrap();
        let ended = tool.end();
        assert!(ended.failure_of(4).contains(&format!("{name} is gone")), "{ended:?}");
        let summary = ended.summary_of(4);
        assert_eq!(summary["ended"], "interface_gone");
        assert_eq!(left_on(bridged.cables[1 - number].a()), None);
    }
}

/// All queues of both interfaces use one packet memory.
#[test]
fn all_queues_are_bridged_by_default() {
    if !privileged!() {
        return;
    }
    let bridged = Bridged::new(2);
    let tool = bridged.start("-p");
    let memory = largest_memory(&tool);
    assert!(bridged.ping(0, &format!("-c 2 {}", FAR[1])));
    for (end, count) in [(0, 600), (1, 700)] {
        for queue in [0, 1] {
            let name = ["far", "far2"][end];
            let line = format!("txonly -i {name} -q {queue} -C {count} --json {WAIT}");
            Tool::start(&bridged.far[end], &line).summary();
        }
    }
    wait_for("the packets", || {
        let near = [0, 1].map(|end| bridged.cables[end].a().info().unwrap().counters.tx_packets);
        near[1] >= 1200 && near[0] >= 1400
    });
    let ended = tool.stop();
    let summary = ended.summary();
    assert_eq!(summary["queue"], serde_json::Value::Null);
    assert!(direction(&ended, 0)[0] >= 1200 && direction(&ended, 1)[0] >= 1400, "{ended:?}");
    assert_eq!(summary["total"]["rx_lost"], 0, "{ended:?}");
    // 8192 chunks for each of two queues.
    assert_eq!(memory, 2 * 8192 * 4096);
    assert_eq!(bridged.left(), [false; 2]);
}

#[test]
fn what_a_filter_does_not_match_goes_to_the_kernel() {
    if !privileged!() || !has_iproute2() {
        return;
    }
    let bridged = Bridged::new(1);
    ip::add_ipv4(bridged.cables[0].a(), [192, 0, 2, 9].into(), 24).unwrap();
    // ARP stays with the kernel, and the far ends do not find each other.
    let tool = bridged.start("-p icmp");
    let note = tool.note();
    assert!(note.starts_with("ARP and IPv6 neighbour discovery stay with the kernel"), "{note}");
    assert!(!bridged.ping(0, &format!("-c 1 {}", FAR[1])));
    // The kernel of this end is there as well; but not for pings.
    assert!(!bridged.ping(0, "-c 1 192.0.2.9"));
    tool.stop().summary();
    let tool = bridged.start(
        "-p --take-management (arp and not dst host 192.0.2.9) or (icmp and \
                              not dst host 192.0.2.9)",
    );
    assert!(bridged.ping(0, &format!("-c 3 {}", FAR[1])));
    assert!(bridged.ping(1, &format!("-c 3 {}", FAR[0])));
    assert!(bridged.ping(0, "-c 3 192.0.2.9"), "the kernel of this end");
    let connect = || {
        let socket = UdpSocket::bind((FAR[0], 0)).unwrap();
        socket.send_to(b"some bytes", (FAR[1], 4000)).unwrap();
    };
    bridged.far[0].run(connect).unwrap();
    tool.signal(Signal::TERM);
    let ended = tool.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let [packets, bytes] = direction(&ended, 1);
    assert!(packets >= 6 && bytes >= 6 * 98, "{ended:?}");
    let filters = ended.summary()["filters"].clone();
    assert!(filters[0]["others"]["packets"].as_u64().unwrap() >= 4, "{ended:?}");
}

#[test]
fn interfaces_that_cannot_be_bridged_are_refused() {
    if !privileged!() {
        return;
    }
    let bridged = Bridged::new(1);
    for (letters, code, wanted) in [
        ("-i near", 2, "--output"),
        ("-i near -o near", 1, "cannot be both interfaces"),
        ("-i near -o nope", 1, "nope"),
        ("-i near -o near2 -q 1", 1, "queue 1"),
        ("-i near -o near2 -M 2", 2, "'--output <NAME>' cannot be used with"),
        ("-i near -o near2 --promiscuous --no-promiscuous", 2, "is promiscuous without either"),
        ("-i near -o near2 udp dst prt 4", 2, "column 9"),
    ] {
        let ended = Tool::start(&bridged.here, &format!("bridge {letters}")).end();
        assert_eq!(ended.status.code(), Some(code), "{letters}: {ended:?}");
        assert!(ended.err.join("\n").contains(wanted), "{letters}: {ended:?}");
        assert_eq!(bridged.left(), [false; 2]);
    }
    // What goes into one end comes out of the other one, and would go in again.
    let builder = VethPair::builder().names("one", "other");
    let _cable = builder.build(&bridged.here, &bridged.here).unwrap();
    for line in ["bridge -i one -o other", "l2fwd -i other -o one udp"] {
        let ended = Tool::start(&bridged.here, line).end();
        assert!(ended.failure().contains("two ends of one cable"), "{line}: {ended:?}");
        assert!(ended.failure().contains("start `xsk l2fwd -i "), "{line}: {ended:?}");
    }
    let help = Command::new(TOOL).args(["bridge", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for hidden in ["--sockets", "--promiscuous\n"] {
        assert!(!help.contains(hidden), "{help}");
    }
    let queues = help.split("--queue <QUEUES>").nth(1).unwrap();
    assert!(queues.split("--generic").next().unwrap().contains("[default: all]"), "{help}");
}
