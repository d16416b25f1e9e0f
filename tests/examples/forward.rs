//! `examples/forward.rs` between two namespaces whose sockets leave their checksums to the card.

use crate::common::PATIENCE;
use crate::fixture::{Example, datagrams_come_back};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use xsk::test_util::{Namespace, VethPair, ip, privileged};

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const A6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const B6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

/// Two ends with an address each, and a namespace in the middle where `v0` and `v1` are.
struct Bed {
    a: Namespace,
    middle: Namespace,
    b: Namespace,
    cable_a: VethPair,
    cable_b: VethPair,
}

impl Bed {
    fn new() -> Self {
        let [a, middle, b] = [(); 3].map(|()| Namespace::new().unwrap());
        let cable_a = VethPair::builder().names("a0", "v0").build(&a, &middle).unwrap();
        let cable_b = VethPair::builder().names("b0", "v1").build(&b, &middle).unwrap();
        ip::add_ipv4(cable_a.a(), A, 24).unwrap();
        ip::add_ipv4(cable_b.a(), B, 24).unwrap();
        Self { a, middle, b, cable_a, cable_b }
    }

    /// As [`new`](Self::new); in generic mode the ends have to cut their data into packets.
    fn for_mode(mode: &str) -> Self {
        let bed = Self::new();
        if mode == "generic" {
            for end in [bed.cable_a.a(), bed.cable_b.a()] {
                ip::set_gso_max_segs(end, 1).unwrap();
            }
        }
        bed
    }

    fn start(&self, mode: &str) -> Example {
        Example::start(&self.middle, &format!("forward v0 v1 {mode}"), 2)
    }

    fn stop(&self, forward: Example, signal: Signal) {
        forward.stop(signal).well(&[self.cable_a.b(), self.cable_b.b()]);
    }

    /// Returns both ends of a TCP connection from a to b, where it has the address `b`.
    fn connect(&self, b: IpAddr) -> [TcpStream; 2] {
        let listener = self.b.run(|| TcpListener::bind((b, 0)).unwrap()).unwrap();
        let to = listener.local_addr().unwrap();
        let here = self.a.run(|| TcpStream::connect_timeout(&to, PATIENCE)).unwrap().unwrap();
        let (there, _) = listener.accept().unwrap();
        for stream in [&here, &there] {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
        }
        [here, there]
    }
}

/// The bytes of a transfer, from `seed` on.
fn bytes(len: usize, mut seed: u64) -> Vec<u8> {
    let words = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 32) as u8
    });
    words.take(len).collect()
}

/// Transfers `len` bytes, and compares them.
fn transfer(mut from: &TcpStream, mut to: &TcpStream, len: usize, seed: u64) {
    let data = bytes(len, seed);
    thread::scope(|scope| {
        scope.spawn(|| from.write_all(&data).unwrap());
        let mut received = vec![0; len];
        to.read_exact(&mut received).unwrap();
        assert!(received == data, "other bytes came out");
    });
}

fn tcp_and_udp(mode: &str) {
    let bed = Bed::for_mode(mode);
    let forward = bed.start(mode);
    exchange(&bed, A.into(), B.into());
    if Path::new("/proc/net/if_inet6").exists() {
        ip::add_ipv6(bed.cable_a.a(), A6, 64).unwrap();
        ip::add_ipv6(bed.cable_b.a(), B6, 64).unwrap();
        exchange(&bed, A6.into(), B6.into());
    }
    bed.stop(forward, Signal::TERM);
}

/// Transfers by TCP both ways at once, and sends datagrams from a to b and back.
fn exchange(bed: &Bed, a: IpAddr, b: IpAddr) {
    let [here, there] = bed.connect(b);
    thread::scope(|scope| {
        scope.spawn(|| transfer(&here, &there, 4 << 20, 1));
        scope.spawn(|| transfer(&there, &here, 4 << 20, 2));
    });
    let server = bed.b.run(|| UdpSocket::bind((b, 0)).unwrap()).unwrap();
    let client = bed.a.run(|| UdpSocket::bind((a, 0)).unwrap()).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    let longest = if a.is_ipv4() { 1472 } else { 1452 };
    let lens = [0, 1, 2, 17, 18, 19, 511, longest - 1, longest];
    thread::scope(|scope| {
        scope.spawn(|| {
            server.set_read_timeout(Some(PATIENCE)).unwrap();
            for _ in lens {
                let mut bytes = [0; 2048];
                let (len, from) = server.recv_from(&mut bytes).unwrap();
                server.send_to(&bytes[..len], from).unwrap();
            }
        });
        datagrams_come_back(&client, &lens);
    });
}

#[test]
fn tcp_and_udp_arrive_in_native_mode() {
    if privileged!() {
        tcp_and_udp("");
    }
}

#[test]
fn tcp_and_udp_arrive_in_generic_mode() {
    if privileged!() {
        tcp_and_udp("generic");
    }
}

/// The kernel drops packets whose header has a wrong checksum. With the TTL, the checksum goes
/// through all values of its upper byte.
#[test]
fn every_ttl_is_counted_down_and_never_to_0() {
    if !privileged!() {
        return;
    }
    let bed = Bed::new();
    let forward = bed.start("");
    let server = bed.b.run(|| UdpSocket::bind((B, 0)).unwrap()).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = bed.a.run(|| UdpSocket::bind((A, 0)).unwrap()).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    for ttl in (1..=255_u8).chain([1, 64]) {
        client.set_ttl(ttl.into()).unwrap();
        client.send(&[ttl]).unwrap();
        let mut received = [0];
        if ttl > 1 {
            server.recv(&mut received).unwrap();
            assert_eq!(received, [ttl], "a packet with TTL 1 is dropped");
        }
    }
    bed.stop(forward, Signal::TERM);
}

#[test]
fn a_transfer_goes_on_after_a_flap() {
    if !privileged!() {
        return;
    }
    for mode in ["", "generic"] {
        let bed = Bed::for_mode(mode);
        let forward = bed.start(mode);
        let [here, there] = bed.connect(B.into());
        let (len, early) = (8 << 20, 1 << 20);
        let data = bytes(len, 3);
        let (half_way, flapped) = (channel(), channel());
        thread::scope(|scope| {
            scope.spawn(|| (&here).write_all(&data).unwrap());
            let receiver = scope.spawn(|| {
                let (half_way, flapped) = (half_way.0, flapped.1);
                let mut received = vec![0; len];
                (&there).read_exact(&mut received[..early]).unwrap();
                half_way.send(()).unwrap();
                // Its buffers are full by now, so the sender is not done.
                let () = flapped.recv_timeout(PATIENCE).unwrap();
                (&there).read_exact(&mut received[early..]).unwrap();
                assert!(received == data, "other bytes came out");
            });
            half_way.1.recv_timeout(PATIENCE).unwrap();
            // It takes the kernel a second to see that a link is up again.
            let cables = [&bed.cable_b, &bed.cable_a];
            for cable in &cables[..if mode == "generic" { 1 } else { 2 }] {
                ip::set_up(cable.b(), false).unwrap();
                // What the ends send meanwhile is forwarded to a port that is down, for longer than
                // the program waits at once.
                for (end, from, to) in [(&bed.a, A, B), (&bed.b, B, A)] {
                    let socket = end.run(|| UdpSocket::bind((from, 0)).unwrap()).unwrap();
                    for _ in 0..400 {
                        let _ = socket.send_to(b"nothing", (to, 9));
                    }
                }
                thread::sleep(Duration::from_millis(300));
                ip::set_up(cable.b(), true).unwrap();
                ip::wait_for_carrier(cable.a(), PATIENCE).unwrap();
            }
            flapped.0.send(()).unwrap();
            receiver.join().unwrap();
        });
        bed.stop(forward, Signal::INT);
    }
}

#[test]
fn a_removed_interface_is_named() {
    if !privileged!() {
        return;
    }
    for (mode, name) in [("", "v0"), ("", "v1"), ("generic", "v1")] {
        let bed = Bed::new();
        let forward = bed.start(mode);
        let (gone, left) = match name {
            "v0" => (bed.cable_a.b(), bed.cable_b.b()),
            _ => (bed.cable_b.b(), bed.cable_a.b()),
        };
        ip::delete(gone).unwrap();
        forward.end().names(name);
        assert_eq!(crate::common::left_on(left), None);
    }
}

/// Its memory fits the usual limit of 8 MiB.
#[test]
fn it_needs_no_right_to_lock_memory() {
    if !privileged!() {
        return;
    }
    let bed = Bed::new();
    // The other tests of this process have the right to exceed the limit.
    let maximum = getrlimit(Resource::Memlock).maximum;
    setrlimit(Resource::Memlock, Rlimit { current: Some(8 << 20), maximum }).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            remove_capability_from_bounding_set(CapabilitySet::IPC_LOCK).unwrap();
            let forward = bed.start("");
            bed.stop(forward, Signal::TERM);
        });
    });
}
