//! `examples/drop_list.rs`: what is on the list does not arrive, what is taken off does.

use crate::common::Cable;
use crate::fixture::Example;
use rustix::process::Signal;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;
use xsk::test_util::{ip, privileged};

/// Sends a datagram from a socket; returns whether it arrives.
fn arrives(from: &UdpSocket, server: &UdpSocket, limit: Duration) -> bool {
    server.set_read_timeout(Some(limit)).unwrap();
    from.send(b"?").unwrap();
    server.recv(&mut [0]).is_ok()
}

#[test]
fn a_hundred_thousand_prefixes_are_dropped_and_change_while_it_runs() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "client0", "server0");
    ip::add_ipv4(cable.veth.a(), [192, 0, 2, 1].into(), 24).unwrap();
    ip::add_ipv4(cable.veth.a(), [192, 0, 2, 3].into(), 24).unwrap();
    ip::add_ipv4(cable.veth.b(), [192, 0, 2, 2].into(), 24).unwrap();
    let server = cable.right.run(|| UdpSocket::bind("192.0.2.2:7777").unwrap()).unwrap();
    let [one, three] = ["192.0.2.1:0", "192.0.2.3:0"].map(|address| {
        let socket = cable.left.run(|| UdpSocket::bind(address).unwrap()).unwrap();
        socket.connect("192.0.2.2:7777").unwrap();
        socket
    });
    let file = std::env::temp_dir().join(format!("xsk-drop-list-{}", std::process::id()));
    // 10.0.0.0/28, 10.0.0.16/28 and so on.
    let prefixes: Vec<String> = (0..99_999_u32)
        .map(|number| format!("{}/28", Ipv4Addr::from(0x0a00_0000 + (number << 4))))
        .collect();
    let many = prefixes.join("\n");
    let write = |rest: &str| std::fs::write(&file, format!("{many}\n{rest}")).unwrap();
    write("192.0.2.1 # an address\n");
    let (soon, long) = (Duration::from_millis(300), Duration::from_secs(10));

    let line = format!("drop_list server0 {}", file.display());
    let example = Example::start(&cable.right, &line, 1);
    let filled = example.line();
    assert!(filled.starts_with("100000 prefixes in "), "{filled}");
    let timed = example.line();
    assert!(timed.starts_with("a packet takes "), "{timed}");
    assert!(arrives(&three, &server, long));
    assert!(!arrives(&one, &server, soon));

    write("192.0.2.0/30\n# 192.0.2.1\n");
    example.signal(Signal::HUP);
    let changed = example.line();
    assert!(changed.starts_with("1 prefixes added, 1 removed in "), "{changed}");
    assert!(!arrives(&one, &server, soon) && !arrives(&three, &server, soon));

    for (wrong, word) in [("10.0.0.300\n", "line 100000: "), ("10.0.0.0/33\n", "33"), ("x/y", "x")]
    {
        write(wrong);
        example.signal(Signal::HUP);
        let error = example.error_line();
        assert!(error.starts_with("the list stays as it is: ") && error.contains(word), "{error}");
        assert!(!arrives(&one, &server, soon));
    }

    write("");
    example.signal(Signal::HUP);
    let changed = example.line();
    assert!(changed.starts_with("0 prefixes added, 1 removed in "), "{changed}");
    assert!(arrives(&one, &server, long) && arrives(&three, &server, long));
    let ended = example.stop(Signal::TERM);
    std::fs::remove_file(&file).unwrap();
    eprintln!("{filled}; {timed}");
    assert_eq!(ended.out, ["6 packets dropped"]);
    ended.well(&[cable.veth.b()]);
}

#[test]
fn wrong_arguments_and_a_removed_interface_are_named() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "client0", "server0");
    let start = |line: &str, ready| Example::start(&cable.right, line, ready);
    start("drop_list server0", 0).end().names("usage");
    start("drop_list server0 /nope", 0).end().names("/nope");
    start("drop_list nope /dev/null", 0).end().names("nope");
    let example = start("drop_list server0 /dev/null", 1);
    ip::delete(cable.veth.b()).unwrap();
    example.end().names("server0");
}
