//! `examples/filter.rs`: what its expression says goes to the socket, everything else to the kernel.

use crate::common::{Cable, PATIENCE, until};
use crate::fixture::{Example, datagrams_come_back};
use rustix::process::Signal;
use std::io::{ErrorKind, Write};
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;
use xsk::test_util::{ip, privileged};

/// Sends a datagram from one end to a port of the other; returns whether the kernel there gets it.
fn arrives(cable: &Cable, port: u16) -> bool {
    let server = cable.right.run(|| UdpSocket::bind(("192.0.2.2", port)).unwrap()).unwrap();
    let client = cable.left.run(|| UdpSocket::bind("192.0.2.1:0").unwrap()).unwrap();
    server.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    client.send_to(b"datagram", ("192.0.2.2", port)).unwrap();
    match server.recv(&mut [0; 64]) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn it_takes_what_its_expression_says_and_drops_what_is_typed() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "client0", "filter0");
    ip::add_ipv4(cable.veth.a(), [192, 0, 2, 1].into(), 24).unwrap();
    ip::add_ipv4(cable.veth.b(), [192, 0, 2, 2].into(), 24).unwrap();
    let words = ["filter", "filter0", "0", "udp dst port 4789"];
    let (filter, mut input) = Example::with_input(&cable.right, &words);
    assert!(filter.error_line().starts_with("native mode, "));

    // The kernel has ARP and other ports, and not port 4789.
    let server = cable.right.run(|| UdpSocket::bind("192.0.2.2:7").unwrap()).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let echo = thread::spawn(move || {
        let mut bytes = [0; 2048];
        for _ in 0..3 {
            let (len, from) = server.recv_from(&mut bytes).unwrap();
            server.send_to(&bytes[..len], from).unwrap();
        }
    });
    let client = cable.left.run(|| UdpSocket::bind("192.0.2.1:0").unwrap()).unwrap();
    client.connect("192.0.2.2:7").unwrap();
    datagrams_come_back(&client, &[1, 100, 1400]);
    echo.join().unwrap();
    assert!(!arrives(&cable, 4789));
    until("the socket has it", || filter.line().starts_with("taken 1, dropped 0, kept "));

    writeln!(input, "192.0.2.0/28").unwrap();
    until("the prefix is in", || filter.line() == "192.0.2.0/28: done");
    assert!(!arrives(&cable, 7), "its source is dropped");
    writeln!(input, "-192.0.2.0/28").unwrap();
    until("the prefix is out", || filter.line() == "192.0.2.0/28: done");
    until("it arrives again", || arrives(&cable, 7));
    // One that is killed leaves nothing behind, so that the next one starts.
    filter.stop(Signal::KILL);
    let (filter, _input) = Example::with_input(&cable.right, &words);
    assert!(filter.error_line().starts_with("native mode, "));
    assert!(!arrives(&cable, 4789));
    until("the socket has it", || filter.line().starts_with("taken 1, dropped 0, kept "));
    let ended = filter.stop(Signal::TERM);
    ended.well(&[cable.veth.b()]);
    assert!(ended.out.iter().all(|line| line.starts_with("taken 1, ") || line.contains("done")));
}

#[test]
fn an_expression_that_is_wrong_is_shown_where_it_is() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "client0", "filter0");
    let (filter, _input) =
        Example::with_input(&cable.right, &["filter", "filter0", "0", "upd port 1"]);
    let ended = filter.end();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.err[0].contains("the nearest keyword is `udp`"), "{ended:?}");
    assert_eq!(&ended.err[1..], ["  upd port 1", "  ^"]);
}
