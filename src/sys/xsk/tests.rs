//! Replies of old kernels, and the two ways to recognise a bound socket without an RX ring.

use super::*;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::os::fd::AsFd;
use zerocopy::{FromBytes, IntoBytes};

#[test]
fn offsets_of_kernels_before_5_4_are_understood() {
    let mut bytes = [0_u8; 128];
    for (i, word) in bytes.chunks_exact_mut(8).take(12).enumerate() {
        word.copy_from_slice(&u64::try_from(i * 64).unwrap().to_ne_bytes());
    }
    let reply = uapi::xdp_mmap_offsets::read_from_bytes(&bytes).unwrap();
    let offsets = offsets_of(&reply, 96).unwrap();
    assert_eq!((offsets.rx.producer, offsets.rx.consumer, offsets.rx.desc), (0, 64, 128));
    assert_eq!((offsets.cr.producer, offsets.cr.flags), (9 * 64, 10 * 64 + 4));
    assert_eq!(offsets_of(&reply, 128).unwrap().as_bytes(), &bytes);
    assert!(offsets_of(&reply, 24).is_none());
}

#[cfg(feature = "test-util")]
#[test]
fn both_ways_recognise_a_bound_socket_without_rx() {
    use crate::test_util::{Namespace, VethPair, ip, privileged};
    use crate::{Socket, Umem};
    if !privileged!() {
        return;
    }
    let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let pair = VethPair::builder().queues(2).build(&left, &right).unwrap();
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    left.run(|| {
        let with = Socket::builder(&umem).bind(pair.a(), 0).unwrap();
        let without = Socket::builder(&umem).tx_only().bind(pair.a(), 1).unwrap();
        let unbound = Socket::builder(&umem).open().unwrap();
        assert_eq!(by_mapping(with.as_fd()), RxRing::Present);
        assert_eq!(by_mapping(without.tx.as_fd()), RxRing::Absent);
        assert_eq!(by_receiving(without.tx.as_fd()), RxRing::Absent);
        // Older kernels give the same reply.
        assert_eq!(by_receiving(with.as_fd()), RxRing::Unreported);
        assert_eq!(by_receiving(unbound.as_fd()), RxRing::Unreported);
        ip::set_up(pair.a(), false).unwrap();
        for socket in [with.as_fd(), without.tx.as_fd()] {
            assert_eq!(by_receiving(socket), RxRing::LinkDown);
            // Since 6.4 that does not matter.
            assert_ne!(rx_ring(socket), RxRing::LinkDown);
        }
    })
    .unwrap();
}

#[test]
fn nothing_else_is_waited_for() {
    let other =
        socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap();
    assert_eq!(by_receiving(other.as_fd()), RxRing::Unreported);
    assert_eq!(by_receiving(std::io::stdin().as_fd()), RxRing::Unreported);
}

/// As before 5.11: every `recvfrom` of an AF_XDP socket is refused.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_driver_is_woken_where_the_socket_cannot_be_asked_for_packets() {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (before, after) = std::thread::spawn(move || {
        let before = wake_rx(socket.as_fd());
        // The number of `recvfrom`.
        let (number, arch) = if cfg!(target_arch = "x86_64") {
            (45, TargetArch::x86_64)
        } else {
            (207, TargetArch::aarch64)
        };
        let errno = u32::try_from(Errno::OPNOTSUPP.raw_os_error()).unwrap();
        let refuse = SeccompAction::Errno(errno);
        let rules = [(number, Vec::new())].into();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap();
        let filter = BpfProgram::try_from(filter).unwrap();
        apply_filter(&filter).unwrap();
        let refused = recv(&socket, &mut [0_u8; 0], RecvFlags::DONTWAIT).map(drop);
        assert_eq!(refused, Err(Errno::OPNOTSUPP));
        (before, wake_rx(socket.as_fd()))
    })
    .join()
    .unwrap();
    assert_eq!((before, after), (Err(Errno::AGAIN), Ok(())));
}
