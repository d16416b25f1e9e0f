//! `examples/sample.rs`: what is sampled and what the kernel has are all packets together.

use crate::common::{Cable, until};
use crate::fixture::Example;
use rustix::process::Signal;
use std::net::UdpSocket;
use xsk::test_util::{ip, privileged};

#[test]
fn one_packet_in_n_comes_here_and_the_others_to_the_kernel() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "client0", "mirror0");
    ip::add_ipv4(cable.veth.a(), [192, 0, 2, 1].into(), 24).unwrap();
    ip::add_ipv4(cable.veth.b(), [192, 0, 2, 2].into(), 24).unwrap();
    let server = cable.right.run(|| UdpSocket::bind("192.0.2.2:7777").unwrap()).unwrap();
    server.set_nonblocking(true).unwrap();
    let client = cable.left.run(|| UdpSocket::bind("192.0.2.1:0").unwrap()).unwrap();
    client.connect("192.0.2.2:7777").unwrap();
    let wanted = "142 bytes, 192.0.2.1 > 192.0.2.2, protocol 17";
    for (n, fewest, most) in [(1, 2000, 2000), (4, 350, 650), (1 << 30, 0, 3)] {
        let example = Example::start(&cable.right, &format!("sample mirror0 {n}"), 1);
        let (mut sampled, mut arrived) = (0_u32, 0_u32);
        for batch in 1..=40 {
            for _ in 0..50 {
                client.send(&[7; 100]).unwrap();
            }
            until("every datagram has come somewhere", || {
                while let Some(line) = example.try_line() {
                    // Something else of the kernel's own may come.
                    sampled += u32::from(line == wanted);
                }
                while server.recv(&mut [0; 100]).is_ok() {
                    arrived += 1;
                }
                sampled + arrived == batch * 50
            });
        }
        assert!((fewest..=most).contains(&sampled), "one in {n}: {sampled}");
        let ended = example.stop(Signal::INT);
        let last = ended.out.last().unwrap();
        let words: Vec<_> = last.split(' ').collect();
        let counts: Vec<u32> = words.iter().filter_map(|word| word.parse().ok()).collect();
        assert!(last.ends_with(" of them sampled"), "{last}");
        assert!(counts[0] >= 2000 && counts[1] >= sampled, "{last}: {sampled}");
        ended.well(&[cable.veth.b()]);
    }
}

#[test]
fn wrong_arguments_are_named() {
    if !privileged!() {
        return;
    }
    let cable = Cable::named(1, "client0", "mirror0");
    for (arguments, word) in
        [("mirror0", "usage"), ("mirror0 x", "x: "), ("mirror0 0", "0: "), ("nope 1", "nope")]
    {
        Example::start(&cable.right, &format!("sample {arguments}"), 0).end().names(word);
    }
}
