//! What the kernel tells of sockets of every kind.

use super::*;
use crate::test_util::{Namespace, VethPair, ip, privileged};
use crate::{Socket, Umem};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::os::fd::AsFd;

#[test]
fn both_ways_tell_of_a_bound_socket_without_rx() {
    if !privileged("both_ways_tell_of_a_bound_socket_without_rx") {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().queues(2).build(&left, &right).unwrap();
    let (umem, _pool) = Umem::builder().chunks(64).build().unwrap();
    left.run(|| {
        let with = Socket::builder(&umem).bind(pair.a(), 0).unwrap();
        let without = Socket::builder(&umem).tx_only().bind(pair.a(), 1).unwrap();
        let unbound = Socket::builder(&umem).open().unwrap();
        assert_eq!(by_mapping(with.as_fd()), Some(true));
        assert_eq!(by_mapping(without.tx.as_fd()), Some(false));
        assert_eq!(by_receiving(without.tx.as_fd()), Some(false));
        // An answer that older kernels give too.
        assert_eq!(by_receiving(with.as_fd()), None);
        assert_eq!(by_receiving(unbound.as_fd()), None);
        ip::set_up(pair.a(), false).unwrap();
        assert_eq!(by_receiving(without.tx.as_fd()), None);
    })
    .unwrap();
}

#[test]
fn nothing_else_is_waited_for() {
    let other =
        socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap();
    assert_eq!(by_receiving(other.as_fd()), None);
    assert_eq!(by_receiving(std::io::stdin().as_fd()), None);
}
