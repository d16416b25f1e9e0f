//! `examples/echo.rs`: datagrams of its port come back, everything else is the kernel's.

use crate::common::{Cable, PATIENCE};
use crate::fixture::{Example, datagrams_come_back};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;
use xsk::test_util::{ip, privileged};

/// A cable with addresses: the program runs at the right end, `echo0`.
fn cable() -> Cable {
    let cable = Cable::named(1, "client0", "echo0");
    ip::add_ipv4(cable.veth.a(), [192, 0, 2, 1].into(), 24).unwrap();
    ip::add_ipv4(cable.veth.b(), [192, 0, 2, 2].into(), 24).unwrap();
    cable
}

fn client(cable: &Cable, port: u16) -> UdpSocket {
    let client = cable.left.run(|| UdpSocket::bind("192.0.2.1:0").unwrap()).unwrap();
    client.connect(("192.0.2.2", port)).unwrap();
    client
}

#[test]
fn datagrams_come_back_with_whole_checksums() {
    if !privileged!() {
        return;
    }
    let cable = cable();
    let echo = Example::start(&cable.right, "echo echo0 7777", 1);
    let client = client(&cable, 7777);
    datagrams_come_back(&client, &[0, 1, 2, 3, 17, 18, 19, 512, 1471, 1472]);
    echo.stop(Signal::TERM).well(&[cable.veth.b()]);
}

#[test]
fn what_is_not_of_its_port_is_the_kernels() {
    if !privileged!() {
        return;
    }
    let cable = cable();
    let echo = Example::start(&cable.right, "echo echo0 7777", 1);
    // TCP to the same port.
    let listener = cable.right.run(|| TcpListener::bind("192.0.2.2:7777").unwrap()).unwrap();
    let connect = || TcpStream::connect_timeout(&"192.0.2.2:7777".parse().unwrap(), PATIENCE);
    let mut here = cable.left.run(connect).unwrap().unwrap();
    let (mut there, _) = listener.accept().unwrap();
    for (from, to) in [(&mut here, &mut there)] {
        for stream in [&*from, &*to] {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut bytes = [0; 7];
        from.write_all(b"request").unwrap();
        to.read_exact(&mut bytes).unwrap();
        to.write_all(b"answer!").unwrap();
        from.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"answer!");
    }
    // UDP to another port; and fragments to its own one, which have no port in all but the first.
    for (port, lens) in [(7778, &[10, 1000][..]), (7777, &[3000][..])] {
        let server = cable.right.run(|| UdpSocket::bind(("192.0.2.2", port)).unwrap()).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let count = lens.len();
        let serve = thread::spawn(move || {
            for _ in 0..count {
                let mut bytes = [0; 4096];
                let (len, from) = server.recv_from(&mut bytes).unwrap();
                server.send_to(&bytes[..len.min(1000)], from).unwrap();
            }
        });
        let client = client(&cable, port);
        if port == 7778 {
            datagrams_come_back(&client, lens);
        } else {
            client.send(&[7; 3000]).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(client.recv(&mut [0; 4096]).unwrap(), 1000, "the kernel's server answered");
        }
        serve.join().unwrap();
    }
    echo.stop(Signal::INT).well(&[cable.veth.b()]);
}

#[test]
fn a_flap_is_survived_and_a_removed_interface_is_named() {
    if !privileged!() {
        return;
    }
    let cable = cable();
    let echo = Example::start(&cable.right, "echo echo0 7777", 1);
    let client = client(&cable, 7777);
    datagrams_come_back(&client, &[100]);
    ip::set_up(cable.veth.b(), false).unwrap();
    // Longer than the program waits at once.
    thread::sleep(Duration::from_millis(200));
    ip::set_up(cable.veth.b(), true).unwrap();
    ip::wait_for_carrier(cable.veth.a(), PATIENCE).unwrap();
    datagrams_come_back(&client, &[100]);
    ip::delete(cable.veth.b()).unwrap();
    echo.end().names("echo0");
}

#[test]
fn wrong_arguments_are_explained() {
    if !privileged!() {
        return;
    }
    let cable = cable();
    for (line, word) in [
        ("echo", "usage"),
        ("echo echo0 x", "port x"),
        ("echo nope 1", "nope"),
        ("forward nope echo0", "nope"),
        ("forward", "usage"),
        ("jumbo eth1", "usage"),
        ("jumbo eth1 x", "queue x"),
        ("jumbo nope 0", "nope"),
        ("steer echo0 0", "usage"),
        ("steer echo0 x 4789", "queue x"),
        ("steer echo0 0 99999", "port 99999"),
        ("steer nope 0 4789", "nope"),
        // A veth has neither rules nor a table.
        ("steer echo0 0 4789", "EOPNOTSUPP"),
        ("jumbo_forward eth1", "usage"),
        ("jumbo_forward nope echo0", "nope"),
        ("tx_times eth1", "usage"),
        ("tx_times eth1 x", "count x"),
        ("tx_times nope 1", "nope"),
        ("per_queue", "usage"),
        ("per_queue nope", "nope"),
    ] {
        Example::start(&cable.right, line, 0).end().names(word);
    }
}
