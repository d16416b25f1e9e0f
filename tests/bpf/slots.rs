//! The slots of a map: which are taken, and by which socket.

use crate::common::rx_socket;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt, xdp};
use std::os::fd::{AsFd, OwnedFd};
use xsk::Error;
use xsk::bpf::{SlotProbe, XskMap};
use xsk::error::SlotOp;
use xsk::test_util::privileged;

#[test]
fn a_slot_probe_sees_each_slot_and_nothing_else() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 100).unwrap();
    let probe = SlotProbe::new(&map).unwrap();
    assert_eq!(probe.occupied().unwrap(), []);
    let sockets: Vec<(u32, OwnedFd)> =
        [0, 1, 31, 32, 63, 64, 99].into_iter().map(|slot| (slot, rx_socket())).collect();
    for (slot, socket) in &sockets {
        map.insert(*slot, socket.as_fd()).unwrap();
    }
    assert_eq!(probe.occupied().unwrap(), [0, 1, 31, 32, 63, 64, 99]);
    assert!(probe.is_occupied(63).unwrap() && !probe.is_occupied(62).unwrap());
    assert!(!probe.is_occupied(100).unwrap() && !probe.is_occupied(u32::MAX).unwrap());
    map.remove(31).unwrap();
    map.remove(31).unwrap();
    drop(sockets);
    assert_eq!(probe.occupied().unwrap(), [], "the slots of closed sockets are empty");
}

#[test]
fn slots_are_not_taken_from_others() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 2).unwrap();
    let probe = SlotProbe::new(&map).unwrap();
    let (first, second) = (rx_socket(), rx_socket());
    map.insert(1, first.as_fd()).unwrap();
    map.insert(1, first.as_fd()).unwrap();
    let taken = map.insert(1, second.as_fd());
    assert!(
        matches!(taken, Err(Error::UpdateMap { errno: Errno::EXIST, index: 1, entries: 2, .. })),
        "{taken:?}"
    );
    map.replace(1, second.as_fd()).unwrap();
    drop(first);
    assert_eq!(probe.occupied().unwrap(), [1]);
    let beyond = map.insert(2, second.as_fd());
    assert!(matches!(beyond, Err(Error::UpdateMap { errno: Errno::TOOBIG, .. })), "{beyond:?}");
    let beyond = map.remove(2);
    assert!(
        matches!(
            beyond,
            Err(Error::UpdateMap { errno: Errno::INVAL, operation: SlotOp::Remove, .. })
        ),
        "{beyond:?}"
    );
}

#[test]
fn a_socket_that_cannot_receive_is_not_put_into_a_map() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap();
    let socket =
        socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap();
    sockopt::set_xdp_tx_ring_size(&socket, 64).unwrap();
    for result in [map.insert(0, socket.as_fd()), map.replace(0, socket.as_fd())] {
        assert!(matches!(result, Err(Error::WrongObject { .. })), "{result:?}");
    }
    assert_eq!(SlotProbe::new(&map).unwrap().occupied().unwrap(), []);
    let udp = std::net::UdpSocket::bind("127.0.0.1:0");
    if let Ok(udp) = udp {
        let other = map.insert(0, udp.as_fd());
        assert!(
            matches!(other, Err(Error::UpdateMap { errno: Errno::OPNOTSUPP, .. })),
            "{other:?}"
        );
    }
    // The kernel's own struct, to be sure that this rustix is the one that the crate uses.
    assert_eq!(size_of::<xdp::XdpDesc>(), 16);
}
