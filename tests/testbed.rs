//! The test bed: what it makes is as requested, and nothing of it stays.

use std::net::{Ipv4Addr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use xsk::Error;
use xsk::interface::Interface;
use xsk::test_util::{Namespace, VethPair, ip, privileged};

const LIMIT: Duration = Duration::from_secs(30);

fn errno_of(error: &Error) -> i32 {
    error.errno().map_or(0, rustix::io::Errno::raw_os_error)
}

const ENODEV: i32 = 19;

/// Waits until `interface` is gone.
fn wait_for_end(interface: &Interface) {
    let start = Instant::now();
    loop {
        match interface.info() {
            Err(error) => return assert_eq!(errno_of(&error), ENODEV, "{error}"),
            Ok(_) => assert!(start.elapsed() < LIMIT, "{} is still there", interface.name()),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_new_namespace_has_nothing_but_loopback() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let all = namespace.run(Interface::all).unwrap().unwrap();
    assert_eq!(all.iter().map(Interface::name).collect::<Vec<_>>(), ["lo"]);
    assert!(all[0].info().unwrap().up);
}

#[test]
fn a_pair_is_as_asked() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let macs = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
    let pair = VethPair::builder()
        .queues(3)
        .mtu(2000)
        .macs(macs[0], macs[1])
        .names("port0", "port1")
        .build(&left, &right)
        .unwrap();
    for (end, name, mac) in [(pair.a(), "port0", macs[0]), (pair.b(), "port1", macs[1])] {
        let info = end.info().unwrap();
        assert_eq!((info.name.as_str(), info.mtu, info.mac), (name, 2000, Some(mac)));
        assert!(info.up && info.carrier && info.running);
        assert_eq!((info.rx_queues, info.tx_queues), (3, 3));
        assert_eq!(info.kind.as_deref(), Some("veth"));
        let queues = end.queues().unwrap();
        assert_eq!((queues.rx, queues.tx, queues.current(), queues.max()), (3, 3, 3, 3));
    }
    assert_eq!(left.interface("port0").unwrap().index(), pair.a().index());
    assert_eq!(errno_of(&left.interface("port1").unwrap_err()), ENODEV);
}

#[test]
fn both_ends_may_share_a_namespace() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    assert_ne!(pair.a().index(), pair.b().index());
    let again = VethPair::builder().build(&namespace, &namespace).unwrap_err();
    assert!(matches!(again, Error::Interface { errno: rustix::io::Errno::EXIST, .. }), "{again}");
    assert!(
        pair.a().info().unwrap().running,
        "a failed build must leave the existing pair as it was"
    );
}

#[test]
fn a_pair_is_silent() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().build(&left, &right).unwrap();
    // With an address that it made itself, the kernel would look for duplicates and routers within
    // two seconds.
    std::thread::sleep(Duration::from_millis(2500));
    for end in [pair.a(), pair.b()] {
        let counters = end.info().unwrap().counters;
        assert_eq!((counters.rx_packets, counters.tx_packets), (0, 0));
    }
}

#[test]
fn packets_travel_between_addresses() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().build(&left, &right).unwrap();
    let (a, b) = (Ipv4Addr::new(10, 9, 8, 1), Ipv4Addr::new(10, 9, 8, 2));
    ip::add_ipv4(pair.a(), a, 24).unwrap();
    ip::add_ipv4(pair.b(), b, 24).unwrap();
    let here = left.run(|| UdpSocket::bind((a, 0))).unwrap().unwrap();
    let there = right.run(|| UdpSocket::bind((b, 0))).unwrap().unwrap();
    there.set_read_timeout(Some(LIMIT)).unwrap();
    here.send_to(b"hello", there.local_addr().unwrap()).unwrap();
    let mut buffer = [0; 16];
    let (length, from) = there.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"hello"[..], here.local_addr().unwrap()));
    assert!(pair.a().info().unwrap().counters.tx_packets > 0);
}

#[test]
fn a_bridge_takes_and_gives_back_its_ports() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().build(&left, &right).unwrap();
    let bridge = right.add_bridge("br1").unwrap();
    assert_eq!(bridge.info().unwrap().kind.as_deref(), Some("bridge"));
    ip::set_master(pair.b(), Some(&bridge)).unwrap();
    assert_eq!(pair.b().info().unwrap().master, Some(bridge.index()));
    ip::wait_for_carrier(&bridge, LIMIT).unwrap();
    ip::set_master(pair.b(), None).unwrap();
    assert_eq!(pair.b().info().unwrap().master, None);
    ip::delete(&bridge).unwrap();
    wait_for_end(&bridge);
}

#[test]
fn interfaces_are_switched_resized_and_moved() {
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().names("p0", "p1").build(&left, &left).unwrap();
    ip::set_up(pair.a(), false).unwrap();
    let info = pair.b().info().unwrap();
    assert!(info.up && !info.carrier, "a cable has two ends");
    ip::set_mtu(pair.a(), 9000).unwrap();
    assert_eq!(pair.a().info().unwrap().mtu, 9000);
    let moved = right.take_interface(pair.b()).unwrap();
    assert_eq!(moved.name(), "p1");
    assert_eq!(errno_of(&pair.b().info().unwrap_err()), ENODEV);
    assert!(!moved.info().unwrap().up);
    drop(pair);
    wait_for_end(&moved);
}

#[test]
fn a_dropped_pair_is_gone() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    let (a, b) = (pair.a().clone(), pair.b().clone());
    drop(pair);
    for end in [&a, &b] {
        assert_eq!(errno_of(&end.info().unwrap_err()), ENODEV);
    }
}

#[test]
fn a_pair_of_which_an_end_was_deleted_drops_quietly() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    ip::delete(pair.b()).unwrap();
    drop(pair);
    VethPair::builder().build(&namespace, &namespace).unwrap();
}

/// Returns an end in `left` that goes with the namespace of the other end: the one sign of a
/// namespace's end that can be seen from outside.
#[test]
fn a_dropped_namespace_is_gone() {
    if !privileged!() {
        return;
    }
    let left = Namespace::new().unwrap();
    let right = Namespace::new().unwrap();
    let pair = VethPair::builder().names("p0", "p1").build(&left, &left).unwrap();
    let moved = right.take_interface(pair.b()).unwrap();
    drop((moved, right));
    wait_for_end(pair.a());
}

#[test]
fn a_panicking_test_leaves_nothing() {
    if !privileged!() {
        return;
    }
    let outside = Namespace::current().unwrap().cookie();
    let left = Namespace::new().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let right = Namespace::new().unwrap();
        let _pair = VethPair::builder().names("p0", "p1").build(&left, &right).unwrap();
        let _inside = right.enter().unwrap();
        panic!("as in a failing test");
    }));
    assert!(panicked.is_err());
    assert_eq!(Namespace::current().unwrap().cookie(), outside, "the thread is back");
    assert_eq!(errno_of(&left.interface("p0").unwrap_err()), ENODEV);
}

#[test]
fn a_thread_comes_back() {
    if !privileged!() {
        return;
    }
    let here = Namespace::current().unwrap().cookie();
    let (first, second) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    {
        let _inside = first.enter().unwrap();
        assert_eq!(Namespace::current().unwrap().cookie(), first.cookie());
        second.run(|| assert_eq!(Namespace::current().unwrap().cookie(), second.cookie())).unwrap();
        assert_eq!(Namespace::current().unwrap().cookie(), first.cookie());
        // Other threads stay where they are.
        let other = std::thread::spawn(|| Namespace::current().unwrap().cookie());
        assert_eq!(other.join().unwrap(), first.cookie(), "a new thread starts where its maker is");
    }
    assert_eq!(Namespace::current().unwrap().cookie(), here);
    assert_ne!(first.cookie(), second.cookie());
}

#[test]
fn a_namespace_is_found_by_thread_and_by_socket() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let socket = namespace.run(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).unwrap().unwrap();
    assert_eq!(Namespace::of_socket(&socket).unwrap().cookie(), namespace.cookie());

    let (tell, hear) = std::sync::mpsc::channel();
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let inside = &namespace;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _inside = inside.enter().unwrap();
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            let _ = wait.recv();
        });
        let id = u32::try_from(hear.recv().unwrap()).unwrap();
        let found = Namespace::of_thread(id);
        drop(end);
        assert_eq!(found.unwrap().cookie(), namespace.cookie());
    });
    // A file of any other kind may return any number for the request.
    for file in ["/dev/null", "/proc/self/status", "/"] {
        let error = Namespace::of_socket(std::fs::File::open(file).unwrap()).unwrap_err();
        assert_eq!(error.errno(), Some(rustix::io::Errno::NOTSOCK), "{file}");
    }
    let error = Namespace::of_thread(u32::MAX).unwrap_err();
    assert_eq!(error.errno(), Some(rustix::io::Errno::SRCH));
}

#[test]
fn an_interface_outlives_its_namespace_value() {
    if !privileged!() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
    drop(namespace);
    assert!(pair.a().info().unwrap().running);
}
